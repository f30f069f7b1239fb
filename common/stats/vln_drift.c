#include "vln_drift.h"

#include <math.h>
#include <string.h>

#include "vln_drift_inside.h"
#include "vln_err.h"
#include "vln_kolmogorov.h"
#include "vln_ks.h"
#include "vln_normal.h"

enum { KS_EXACT_MAX = 10000 };

vln_drift_t
vln_drift_begin(const vln_sample_t *reference, const vln_sample_t *current)
{
    vln_drift_t self = {.n_ref = reference->n,
                        .n_cur = current->n,
                        .missing_ref = reference->missing,
                        .missing_cur = current->missing,
                        .defined = true};
    if (reference->n == 0 || current->n == 0) {
        self.defined = false;
        self.why = VLN_STAT_ALL_MISSING;
    } else if (!reference->finite || !current->finite) {
        self.defined = false;
        self.why = VLN_STAT_NOT_FINITE;
    }
    return self;
}

void
vln_drift_set_p(vln_drift_t *self, double p)
{
    self->p = fmin(1, fmax(0, p));
    self->has_p = true;
}

void
vln_drift_set_undefined(vln_drift_t *self, vln_stat_why_t why)
{
    self->statistic = 0;
    self->p = 0;
    self->has_p = false;
    self->defined = false;
    self->why = why;
}

/* A caution about a value that stands. */
static void
warn_of(vln_drift_t *self, const vln_sample_t *reference, size_t min_rows)
{
    if (self->n_ref < min_rows || self->n_cur < min_rows) {
        self->why = VLN_STAT_TOO_FEW;
    } else if (reference->sorted[0] == reference->sorted[reference->n - 1]) {
        self->why = VLN_STAT_CONSTANT;
    }
}

/* ---- two distributions, value by value ---- */

/* Between the two shares of rows at most x, as x goes from the least value to the greatest. */
typedef struct walk {
    double largest; /* distance, times the rows of both */
    vln_sum_t area; /* of the distances times how far x went at them, likewise */
} walk_t;

/* From row `at` of the one that goes on when the other, of `rows` rows, has ended. */
static void
walk_on(const vln_sample_t *self, size_t at, size_t rows, double previous, walk_t *walk)
{
    for (; at < self->n; at++) {
        double value = self->sorted[at];
        double distance = (double)(self->n - at) * (double)rows;
        if (value > previous) {
            walk->largest = fmax(walk->largest, distance);
            vln_sum_add(&walk->area, distance * (value - previous));
            previous = value;
        }
    }
}

/* One pass over both, without a branch that depends on the values. Distances are kept in whole rows,
 * n_a * n_b of them, and so compared and summed without rounding. */
static walk_t
walk_both(const vln_sample_t *a, const vln_sample_t *b)
{
    size_t at_a = 0;
    size_t at_b = 0;
    double largest = 0;
    vln_sum_t area = {0};
    double previous = fmin(a->sorted[0], b->sorted[0]);
    while (at_a < a->n && at_b < b->n) {
        double left = a->sorted[at_a];
        double right = b->sorted[at_b];
        double value = left <= right ? left : right;
        double distance = fabs((double)at_a * (double)b->n - (double)at_b * (double)a->n);
        double seen = value > previous ? distance : 0; /* 0: amid equal values */
        largest = seen > largest ? seen : largest;
        vln_sum_add(&area, distance * (value - previous));
        previous = value;
        at_a += left <= right;
        at_b += right <= left;
    }
    walk_t walk = {largest, area};
    walk_on(a, at_a, b->n, previous, &walk);
    walk_on(b, at_b, a->n, previous, &walk);
    return walk;
}

/* ---- Kolmogorov and Smirnov ---- */

static void
set_asymptotic_p(vln_drift_t *self, double distance)
{
    double n = (double)self->n_ref;
    double m = (double)self->n_cur;
    double effective = fmax(1, round(n * m / (n + m)));
    vln_drift_set_p(self, vln_kolmogorov_sf((int64_t)effective, distance));
}

static void
find_ks_p(vln_drift_t *self, vln_ks_method_t method)
{
    double p = 0;
    bool small = self->n_ref <= KS_EXACT_MAX && self->n_cur <= KS_EXACT_MAX;
    bool wanted = method == VLN_KS_EXACT || (method == VLN_KS_AUTO && small);
    if (wanted && vln_ks_exact_p(self->n_ref, self->n_cur, self->statistic, &p)) {
        self->exact = true;
        vln_drift_set_p(self, p);
        return;
    }
    set_asymptotic_p(self, self->statistic);
}

static void
set_ks(vln_drift_t *self, const walk_t *walk, vln_ks_method_t method)
{
    self->statistic = walk->largest / (double)self->n_ref / (double)self->n_cur;
    find_ks_p(self, method);
}

vln_drift_t
vln_drift_ks(const vln_sample_t *reference, const vln_sample_t *current, vln_ks_method_t method,
             size_t min_rows)
{
    vln_drift_t self = vln_drift_begin(reference, current);
    if (!self.defined) {
        return self;
    }
    walk_t walk = walk_both(reference, current);
    set_ks(&self, &walk, method);
    warn_of(&self, reference, min_rows);
    return self;
}

vln_drift_t
vln_drift_ks_of_sketch(const vln_sketch_t *reference, const vln_sample_t *current)
{
    vln_drift_t self = {.n_ref = (size_t)reference->n,
                        .n_cur = current->n,
                        .missing_cur = current->missing,
                        .defined = true};
    vln_sketch_ks_t found = vln_sketch_ks(reference, current);
    if (!found.defined) {
        bool rows = reference->n > 0 && current->n > 0;
        vln_drift_set_undefined(&self, rows ? VLN_STAT_NOT_FINITE : VLN_STAT_ALL_MISSING);
        return self;
    }
    self.statistic = found.statistic;
    set_asymptotic_p(&self, fmax(0, found.statistic - found.error));
    return self;
}

/* ---- population stability ---- */

bool
vln_psi_rule_parse(const char *name, vln_psi_rule_t *out)
{
    static const char *const names[] = {"quantile", "smoothed", "equal_width", "evidently"};
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        if (strcmp(name, names[i]) == 0) {
            *out = (vln_psi_rule_t)i;
            return true;
        }
    }
    return false;
}

static vln_bins_t
bins_of(const vln_sample_t *reference, const vln_sample_t *current, vln_psi_rule_t rule)
{
    if (rule == VLN_PSI_EVIDENTLY) {
        return vln_bins_sturges(reference, current);
    }
    if (rule == VLN_PSI_EQUAL_WIDTH) {
        return vln_bins_equal_width(reference, VLN_PSI_BINS);
    }
    return vln_bins_quantile(reference, VLN_PSI_BINS);
}

vln_drift_t
vln_drift_psi(const vln_sample_t *reference, const vln_sample_t *current, vln_psi_rule_t rule,
              size_t min_rows)
{
    vln_drift_t self = vln_drift_begin(reference, current);
    if (!self.defined) {
        return self;
    }
    uint64_t counts_ref[VLN_BINS_MAX + 1] = {0};
    uint64_t counts_cur[VLN_BINS_MAX + 1] = {0};
    vln_bins_t bins = bins_of(reference, current, rule);
    vln_bins_count(&bins, reference, counts_ref);
    vln_bins_count(&bins, current, counts_cur);
    size_t count = bins.count;
    bool ours = rule == VLN_PSI_QUANTILE || rule == VLN_PSI_SMOOTHED;
    if (ours && reference->missing + current->missing > 0) {
        counts_ref[count] = reference->missing;
        counts_cur[count++] = current->missing;
    }
    vln_drift_t counted = vln_drift_psi_counts(counts_ref, counts_cur, count, rule);
    self.statistic = counted.statistic;
    self.p = counted.p;
    self.has_p = counted.has_p;
    self.dof = counted.dof;
    self.critical = counted.critical;
    warn_of(&self, reference, min_rows);
    return self;
}

/* ---- Wasserstein ---- */

static void
set_area(vln_drift_t *self, const vln_sample_t *reference, const walk_t *walk)
{
    self->statistic = vln_sum_total(&walk->area) / (double)self->n_ref / (double)self->n_cur;
    if (isfinite(self->statistic)) {
        warn_of(self, reference, 0);
    } else {
        vln_drift_set_undefined(self, VLN_STAT_NOT_FINITE);
    }
}

static void
normalise(vln_drift_t *self, const vln_sample_t *reference)
{
    if (!self->defined) {
        return;
    }
    vln_stat_t std = vln_std(reference->sorted, reference->n, 0);
    self->statistic /= fmax(std.value, 0.001);
    if (!std.defined || !isfinite(self->statistic)) {
        vln_drift_set_undefined(self, VLN_STAT_NOT_FINITE);
    }
}

vln_drift_t
vln_drift_wasserstein(const vln_sample_t *reference, const vln_sample_t *current)
{
    vln_drift_t self = vln_drift_begin(reference, current);
    if (self.defined) {
        walk_t walk = walk_both(reference, current);
        set_area(&self, reference, &walk);
    }
    return self;
}

vln_drift_t
vln_drift_wasserstein_normalised(const vln_sample_t *reference, const vln_sample_t *current)
{
    vln_drift_t self = vln_drift_wasserstein(reference, current);
    normalise(&self, reference);
    return self;
}

void
vln_drift_ks_and_wasserstein(const vln_sample_t *reference, const vln_sample_t *current,
                             vln_drift_t *ks, vln_drift_t *wasserstein)
{
    *ks = *wasserstein = vln_drift_begin(reference, current);
    if (!ks->defined) {
        return;
    }
    walk_t walk = walk_both(reference, current);
    set_ks(ks, &walk, VLN_KS_AUTO);
    warn_of(ks, reference, 0);
    set_area(wasserstein, reference, &walk);
    normalise(wasserstein, reference);
}
