#include <math.h>
#include <stdlib.h>

#include "vln_dist.h"
#include "vln_drift.h"
#include "vln_drift_inside.h"
#include "vln_mem.h"

enum { EXACT_MAX_LESS = 8, EXACT_MAX_MORE = 500 };

/*
 * In how many orders of less + more values each U comes about (Mann & Whitney's recursion), U of the
 * fewer: the values are gone through as they rise, and one of the fewer adds as many to U as of the
 * others are below it. less + 1 rows, of which the last is the result.
 */
static double *
count_ways(size_t less, size_t more, size_t places)
{
    double *ways = vln_calloc((less + 1) * places, sizeof *ways);
    ways[0] = 1;
    for (size_t value = 1; value <= more + less; value++) {
        size_t most = less < value ? less : value;
        size_t least = value > more ? value - more : 1;
        for (size_t taken = most; taken >= least; taken--) {
            size_t passed = value - taken;
            double *row = ways + taken * places;
            const double *before = row - places;
            for (size_t at = places; at-- > passed;) {
                row[at] += before[at - passed];
            }
        }
    }
    return ways;
}

/* P(U >= u) */
static double
exact_u_tail(size_t less, size_t more, double u)
{
    size_t places = less * more + 1;
    double *ways = count_ways(less, more, places);
    vln_sum_t tail = {0};
    vln_sum_t all = {0};
    for (size_t at = 0; at < places; at++) {
        vln_sum_add(&all, ways[less * places + at]);
        vln_sum_add(&tail, (double)at >= u ? ways[less * places + at] : 0);
    }
    free(ways);
    return vln_sum_total(&tail) / vln_sum_total(&all);
}

typedef struct ranking {
    double u;    /* pairs where the reference's value is the greater, equal ones half */
    double ties; /* sum of t^3 - t over groups of equal values */
} ranking_t;

/* Past the next value of both, in rising order; at_a and at_b become how many are at most that. Only
 * while one of them is not at its end. */
static void
pass_value(const vln_sample_t *a, const vln_sample_t *b, size_t *at_a, size_t *at_b)
{
    double value = *at_b == b->n || (*at_a < a->n && a->sorted[*at_a] <= b->sorted[*at_b])
                       ? a->sorted[*at_a]
                       : b->sorted[*at_b];
    while (*at_a < a->n && a->sorted[*at_a] <= value) {
        ++*at_a;
    }
    while (*at_b < b->n && b->sorted[*at_b] <= value) {
        ++*at_b;
    }
}

static ranking_t
rank_both(const vln_sample_t *reference, const vln_sample_t *current)
{
    ranking_t self = {0};
    size_t at_ref = 0;
    size_t at_cur = 0;
    while (at_ref < reference->n || at_cur < current->n) {
        size_t before_ref = at_ref;
        size_t before_cur = at_cur;
        pass_value(reference, current, &at_ref, &at_cur);
        double refs = (double)(at_ref - before_ref);
        double curs = (double)(at_cur - before_cur);
        double group = refs + curs;
        self.u += refs * ((double)before_cur + curs / 2);
        self.ties += group * group * group - group;
    }
    return self;
}

vln_drift_t
vln_drift_mann_whitney(const vln_sample_t *reference, const vln_sample_t *current)
{
    vln_drift_t self = vln_drift_begin(reference, current);
    if (!self.defined) {
        return self;
    }
    ranking_t ranking = rank_both(reference, current);
    double n = (double)self.n_ref;
    double m = (double)self.n_cur;
    double greater = fmax(ranking.u, n * m - ranking.u);
    self.statistic = ranking.u;
    size_t less = self.n_ref < self.n_cur ? self.n_ref : self.n_cur;
    size_t more = self.n_ref < self.n_cur ? self.n_cur : self.n_ref;
    if (less <= EXACT_MAX_LESS && more <= EXACT_MAX_MORE && ranking.ties == 0) {
        self.exact = true;
        vln_drift_set_p(&self, 2 * exact_u_tail(less, more, greater));
        return self;
    }
    double all = n + m;
    double variance = n * m / 12 * (all + 1 - ranking.ties / (all * (all - 1)));
    if (variance <= 0) {
        self.why = VLN_STAT_CONSTANT;
        vln_drift_set_p(&self, 1);
        return self;
    }
    vln_drift_set_p(&self, 2 * vln_normal_sf((greater - n * m / 2 - 0.5) / sqrt(variance)));
    return self;
}
