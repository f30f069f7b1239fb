#include "vln_normal.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "vln_mem.h"

static double
mean_of(const double *values, size_t n)
{
    vln_sum_t sum = {0};
    for (size_t i = 0; i < n; i++) {
        vln_sum_add(&sum, values[i]);
    }
    return vln_sum_total(&sum) / (double)n;
}

vln_stat_t
vln_mean(const double *values, size_t n)
{
    if (n == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    return vln_stat_of(mean_of(values, n));
}

/* Sum of products of the distances from the means, corrected for the means' own rounding: what is left
 * of the distances themselves, of which a plain sum tells enough. */
static double
moment_of(const double *x, const double *y, size_t n, double mean_x, double mean_y)
{
    vln_sum_t products = {0};
    double rest_x = 0;
    double rest_y = 0;
    for (size_t i = 0; i < n; i++) {
        double dx = x[i] - mean_x;
        double dy = y[i] - mean_y;
        vln_sum_add(&products, dx * dy);
        rest_x += dx;
        rest_y += dy;
    }
    return vln_sum_total(&products) - rest_x * rest_y / (double)n;
}

static bool
is_constant(const double *values, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        if (values[i] != values[0]) {
            return false;
        }
    }
    return true;
}

vln_stat_t
vln_squares(const double *values, size_t n)
{
    if (n == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    if (isfinite(values[0]) && is_constant(values, n)) {
        return vln_stat_of(0); /* a rounded mean would leave a rest */
    }
    double mean = mean_of(values, n);
    return vln_stat_of(moment_of(values, values, n, mean, mean));
}

vln_stat_t
vln_std(const double *values, size_t n, int ddof)
{
    if (n > 0 && (ddof < 0 || n <= (size_t)ddof)) {
        return vln_stat_none(VLN_STAT_TOO_FEW);
    }
    vln_stat_t squares = vln_squares(values, n);
    return squares.defined ? vln_stat_of(sqrt(squares.value / ((double)n - ddof))) : squares;
}

vln_stat_t
vln_variation(const double *values, size_t n)
{
    vln_stat_t mean = vln_mean(values, n);
    vln_stat_t std = vln_std(values, n, 0);
    if (!mean.defined || !std.defined) {
        return mean.defined ? std : mean;
    }
    if (std.value == 0) {
        return vln_stat_by(0, VLN_STAT_CONSTANT);
    }
    return vln_stat_of(std.value / fabs(mean.value));
}

vln_stat_t
vln_pearson(const double *x, const double *y, size_t n)
{
    if (n < 2) {
        return vln_stat_none(n == 0 ? VLN_STAT_EMPTY : VLN_STAT_TOO_FEW);
    }
    if (!vln_stat_all_finite(x, n) || !vln_stat_all_finite(y, n)) {
        return vln_stat_none(VLN_STAT_NOT_FINITE);
    }
    if (is_constant(x, n) || is_constant(y, n)) {
        return vln_stat_none(VLN_STAT_CONSTANT);
    }
    double mean_x = mean_of(x, n);
    double mean_y = mean_of(y, n);
    double spread =
        sqrt(moment_of(x, x, n, mean_x, mean_x)) * sqrt(moment_of(y, y, n, mean_y, mean_y));
    double r = moment_of(x, y, n, mean_x, mean_y) / spread;
    return vln_stat_of(r > 1 ? 1 : r < -1 ? -1 : r);
}

typedef struct ranked {
    double p;
    size_t at;
} ranked_t;

static int
by_p(const void *left, const void *right)
{
    const ranked_t *a = left;
    const ranked_t *b = right;
    if (a->p != b->p) {
        return a->p < b->p ? -1 : 1;
    }
    return a->at < b->at ? -1 : a->at > b->at;
}

void
vln_benjamini_hochberg(const double *p, size_t n, double *adjusted)
{
    ranked_t *ranked = vln_calloc(n, sizeof *ranked);
    size_t made = 0;
    for (size_t i = 0; i < n; i++) {
        adjusted[i] = p[i];
        if (p[i] >= 0) {
            ranked[made++] = (ranked_t){.p = p[i], .at = i};
        }
    }
    qsort(ranked, made, sizeof *ranked, by_p);
    double least = 1;
    for (size_t rank = made; rank > 0; rank--) {
        least = fmin(least, ranked[rank - 1].p * (double)made / (double)rank);
        adjusted[ranked[rank - 1].at] = least;
    }
    free(ranked);
}
