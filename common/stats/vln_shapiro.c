/* Shapiro-Wilk by Royston's AS R94; the constants are those of his paper of 1995. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_dist.h"
#include "vln_mem.h"
#include "vln_normal.h"
#include "vln_sample.h"

static double
polynomial(const double *coefficients, int count, double x)
{
    double value = 0;
    for (int i = count - 1; i >= 0; i--) {
        value = value * x + coefficients[i];
    }
    return value;
}

/* Weights of the upper half of the sorted values, largest first: those of the lower are negative. */
static void
find_weights(double *weights, size_t half, size_t n)
{
    static const double first[] = {0, 0.221157, -0.147981, -2.07119, 4.434685, -2.706056};
    static const double second[] = {0, 0.042981, -0.293762, -1.752461, 5.682633, -3.582633};
    if (n == 3) {
        weights[0] = M_SQRT1_2;
        return;
    }
    double squares = 0;
    for (size_t i = 0; i < half; i++) {
        weights[i] = -vln_normal_quantile(((double)i + 1 - 0.375) / ((double)n + 0.25));
        squares += 2 * weights[i] * weights[i];
    }
    double m1 = weights[0];
    double m2 = weights[1];
    double root = 1 / sqrt((double)n);
    double a1 = polynomial(first, 6, root) + m1 / sqrt(squares);
    double a2 = polynomial(second, 6, root) + m2 / sqrt(squares);
    double above = squares - 2 * m1 * m1 - (n > 5 ? 2 * m2 * m2 : 0);
    double below = 1 - 2 * a1 * a1 - (n > 5 ? 2 * a2 * a2 : 0);
    double scale = sqrt(above / below);
    for (size_t i = 0; i < half; i++) {
        weights[i] /= scale;
    }
    weights[0] = a1;
    if (n > 5) {
        weights[1] = a2;
    }
}

/* 1 - W, which keeps its digits where W is near 1. */
static double
find_lack(const double *sorted, const double *weights, size_t half, size_t n)
{
    double range = sorted[n - 1] - sorted[0];
    double mean = vln_mean(sorted, n).value / range;
    vln_sum_t weight_squares = {0};
    vln_sum_t value_squares = {0};
    vln_sum_t products = {0};
    for (size_t i = 0; i < n; i++) {
        size_t mirror = n - 1 - i;
        double weight = i < half ? -weights[i] : mirror < half ? weights[mirror] : 0;
        double value = sorted[i] / range - mean;
        vln_sum_add(&weight_squares, weight * weight);
        vln_sum_add(&value_squares, value * value);
        vln_sum_add(&products, weight * value);
    }
    double product = vln_sum_total(&products);
    double whole = vln_sum_total(&weight_squares) * vln_sum_total(&value_squares);
    double root = sqrt(whole);
    return fmax(0, (root - product) * (root + product) / whole);
}

static double
find_p(double lack, size_t n)
{
    static const double mean_few[] = {0.544, -0.39978, 0.025054, -6.714e-4};
    static const double log_std_few[] = {1.3822, -0.77857, 0.062767, -0.0020322};
    static const double mean_many[] = {-1.5861, -0.31082, -0.083751, 0.0038915};
    static const double log_std_many[] = {-0.4803, -0.082676, 0.0030302};
    double count = (double)n;
    if (n == 3) {
        double p = 6 / M_PI * (asin(sqrt(1 - lack)) - asin(sqrt(0.75)));
        return fmin(1, fmax(0, p));
    }
    double y = log(lack);
    if (n > 11) {
        double mean = polynomial(mean_many, 4, log(count));
        return vln_normal_sf((y - mean) / exp(polynomial(log_std_many, 3, log(count))));
    }
    double gamma = -2.273 + 0.459 * count;
    if (y >= gamma) {
        return 0;
    }
    double mean = polynomial(mean_few, 4, count);
    return vln_normal_sf((-log(gamma - y) - mean) / exp(polynomial(log_std_few, 4, count)));
}

vln_shapiro_t
vln_shapiro(const double *values, size_t n)
{
    vln_shapiro_t result = {.n = n};
    if (n < VLN_SHAPIRO_MIN || n > VLN_SHAPIRO_MAX) {
        result.w = vln_stat_none(n < VLN_SHAPIRO_MIN ? VLN_STAT_TOO_FEW : VLN_STAT_TOO_MANY);
        return result;
    }
    if (!vln_stat_all_finite(values, n)) {
        result.w = vln_stat_none(VLN_STAT_NOT_FINITE);
        return result;
    }
    double *sorted = vln_memdup(values, n * sizeof *values);
    vln_sort(sorted, n);
    if (sorted[0] == sorted[n - 1] || !isfinite(sorted[n - 1] - sorted[0])) {
        result.w =
            vln_stat_none(sorted[0] == sorted[n - 1] ? VLN_STAT_CONSTANT : VLN_STAT_NOT_FINITE);
        free(sorted);
        return result;
    }
    size_t half = n / 2;
    double *weights = vln_calloc(half, sizeof *weights);
    find_weights(weights, half, n);
    double lack = find_lack(sorted, weights, half, n);
    result.w = vln_stat_of(1 - lack);
    result.p = result.w.defined ? find_p(lack, n) : 0;
    free(weights);
    free(sorted);
    return result;
}
