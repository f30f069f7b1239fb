/*
 * The p-value of a table of two rows where chi-square's limit is not to be had: given the margins,
 * the table is multivariate hypergeometric. Two columns are summed up, more are drawn.
 */
#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_draw.h"
#include "vln_drift.h"
#include "vln_drift_inside.h"
#include "vln_mem.h"

enum { DRAWS_MAX = 9999, DRAWS_MIN = 999, HITS_ENOUGH = 100, WORK_MAX = 4000000, FEW = 64 };

/* Statistics that are equal on paper differ by rounding. */
#define AS_LARGE (1 - 1e-9)

/* ---- the table ---- */

/* Its columns that have rows; beyond VLN_CONTINGENCY_MAX the rarest are one. */
typedef struct table {
    uint64_t *reference;
    uint64_t *both;
    size_t count;
    uint64_t n_ref;
    uint64_t n;
} table_t;

typedef struct cell {
    uint64_t reference;
    uint64_t both;
    size_t at;
} cell_t;

static int
by_rows(const void *left, const void *right)
{
    const cell_t *a = left;
    const cell_t *b = right;
    if (a->both != b->both) {
        return a->both > b->both ? -1 : 1;
    }
    return a->at < b->at ? -1 : a->at > b->at;
}

/* Which columns are put together follows from the margins, so the test stays one given these. */
static table_t
table_of(const uint64_t *reference, const uint64_t *current, size_t count)
{
    cell_t *cells = vln_calloc(count + 1, sizeof *cells);
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (reference[i] + current[i] > 0) {
            cells[used++] = (cell_t){reference[i], reference[i] + current[i], i};
        }
    }
    qsort(cells, used, sizeof *cells, by_rows);
    size_t kept = used < VLN_CONTINGENCY_MAX ? used : VLN_CONTINGENCY_MAX;
    table_t self = {.reference = vln_calloc(kept + 1, sizeof(uint64_t)),
                    .both = vln_calloc(kept + 1, sizeof(uint64_t)),
                    .count = kept};
    for (size_t i = 0; i < used; i++) {
        size_t at = i < kept ? i : kept - 1;
        self.reference[at] += cells[i].reference;
        self.both[at] += cells[i].both;
        self.n_ref += cells[i].reference;
        self.n += cells[i].both;
    }
    free(cells);
    return self;
}

static void
table_end(table_t *self)
{
    free(self->reference);
    free(self->both);
}

/* Chi-square but for a factor that is the same for all tables of these margins. */
static double
size_of(const table_t *self, const uint64_t *reference)
{
    double share = (double)self->n_ref / (double)self->n;
    double sum = 0;
    for (size_t i = 0; i < self->count; i++) {
        double off = (double)reference[i] - (double)self->both[i] * share;
        sum += off * off / (double)self->both[i];
    }
    return sum;
}

/* ---- the hypergeometric distribution ---- */

/* x of `draws` from `total` of which `marked` are. */
typedef struct urn {
    double total;
    double marked;
    double draws;
    double least;
    double most;
    double mode;
} urn_t;

static urn_t
urn_of(uint64_t total, uint64_t marked, uint64_t draws)
{
    urn_t self = {.total = (double)total, .marked = (double)marked, .draws = (double)draws};
    self.least = fmax(0, self.draws + self.marked - self.total);
    self.most = fmin(self.draws, self.marked);
    self.mode = floor((self.draws + 1) * (self.marked + 1) / (self.total + 2));
    self.mode = fmin(fmax(self.mode, self.least), self.most);
    return self;
}

/* P(x + 1) / P(x). */
static double
step_up(const urn_t *self, double x)
{
    return (self->marked - x) * (self->draws - x) /
           ((x + 1) * (self->total - self->marked - self->draws + x + 1));
}

/* P(X <= below or X >= above), each weight relative to the mode's: no factorial is needed. */
static double
tails_of(const urn_t *self, double below, double above)
{
    vln_sum_t all = {0};
    vln_sum_t tails = {0};
    double weight = 1;
    double x = self->mode;
    while (weight > DBL_MIN) {
        vln_sum_add(&all, weight);
        vln_sum_add(&tails, x <= below || x >= above ? weight : 0);
        weight *= x < self->most ? step_up(self, x) : 0;
        x++;
    }
    weight = 1;
    x = self->mode;
    while (x > self->least && weight > DBL_MIN) {
        x--;
        weight /= step_up(self, x);
        vln_sum_add(&all, weight);
        vln_sum_add(&tails, x <= below || x >= above ? weight : 0);
    }
    return vln_sum_total(&tails) / vln_sum_total(&all);
}

static double
log_choose(double n, double k)
{
    int sign;
    return lgamma_r(n + 1, &sign) - lgamma_r(k + 1, &sign) - lgamma_r(n - k + 1, &sign);
}

/* Each of the marked in turn. */
static double
draw_few(const urn_t *self, vln_draw_t *random)
{
    double found = 0;
    double left = self->total;
    for (size_t i = 0; i < (size_t)self->marked; i++) {
        found += vln_draw_unit(random) * left < self->draws - found;
        left--;
    }
    return found;
}

/* From the mode outwards until the unit drawn is used up. */
static double
draw_many(const urn_t *self, vln_draw_t *random)
{
    double up = exp(log_choose(self->marked, self->mode) +
                    log_choose(self->total - self->marked, self->draws - self->mode) -
                    log_choose(self->total, self->draws));
    double down = up;
    double high = self->mode;
    double low = self->mode;
    double rest = vln_draw_unit(random) - up;
    while (rest > 0 && up + down > DBL_MIN) { /* what is left then is rounding */
        up *= high < self->most ? step_up(self, high) : 0;
        high++;
        rest -= up;
        if (rest <= 0) {
            return high;
        }
        low--;
        down = low >= self->least ? down / step_up(self, low) : 0;
        rest -= down;
        if (rest <= 0) {
            return low;
        }
    }
    return self->mode;
}

static double
urn_draw(const urn_t *self, vln_draw_t *random)
{
    if (self->least >= self->most) {
        return self->least;
    }
    return self->marked <= (double)FEW ? draw_few(self, random) : draw_many(self, random);
}

/* ---- p-values ---- */

static double
sum_up(const table_t *self)
{
    urn_t urn = urn_of(self->n, self->both[0], self->n_ref);
    double expected = urn.marked * urn.draws / urn.total;
    double off = fabs((double)self->reference[0] - expected) * AS_LARGE;
    return tails_of(&urn, expected - off, expected + off);
}

/* The largest column last: the others leave it no choice. */
static void
draw_table(const table_t *self, vln_draw_t *random, uint64_t *out)
{
    uint64_t left = self->n;
    uint64_t draws = self->n_ref;
    for (size_t i = self->count; i-- > 0;) {
        urn_t urn = urn_of(left, self->both[i], draws);
        out[i] = (uint64_t)urn_draw(&urn, random);
        left -= self->both[i];
        draws -= out[i];
    }
}

/* Besag & Clifford (Biometrika 78, 1991): draws end once enough are as large, and p stays a p. */
static double
draw_p(const table_t *self, uint64_t seed, size_t *draws)
{
    vln_draw_t random = vln_draw_of(seed, self->n);
    uint64_t *drawn = vln_calloc(self->count + 1, sizeof *drawn);
    double observed = size_of(self, self->reference) * AS_LARGE;
    size_t most = WORK_MAX / (self->count + 1);
    most = most > DRAWS_MAX ? DRAWS_MAX : most < DRAWS_MIN ? DRAWS_MIN : most;
    size_t hits = 0;
    for (*draws = 0; *draws < most && hits < HITS_ENOUGH; ++*draws) {
        draw_table(self, &random, drawn);
        hits += size_of(self, drawn) >= observed;
    }
    free(drawn);
    return hits == HITS_ENOUGH ? (double)hits / (double)*draws
                               : (double)(hits + 1) / (double)(*draws + 1);
}

vln_drift_t
vln_drift_contingency(const uint64_t *reference, const uint64_t *current, size_t count,
                      uint64_t seed)
{
    vln_drift_t self = vln_drift_chi_square(reference, current, count);
    if (!self.defined || self.why != VLN_STAT_SMALL_EXPECTED) {
        return self;
    }
    table_t table = table_of(reference, current, count);
    self.why = VLN_STAT_OK;
    if (table.count == 2) {
        self.exact = true;
        vln_drift_set_p(&self, sum_up(&table));
    } else {
        vln_drift_set_p(&self, draw_p(&table, seed, &self.draws));
    }
    table_end(&table);
    return self;
}
