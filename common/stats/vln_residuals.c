#include "vln_residuals.h"

#include <math.h>
#include <stdlib.h>

#include "vln_dist.h"
#include "vln_mem.h"
#include "vln_normal.h"
#include "vln_sample.h"

#define MIDDLE 0.975 /* upper end of a 95 % interval */

/* ---- ranks ---- */

/* From 1; equal values have the mean of their ranks. */
static double *
ranks_of(const double *values, size_t n)
{
    uint32_t *order = vln_calloc(n, sizeof *order);
    double *ranks = vln_calloc(n, sizeof *ranks);
    vln_sort_order(values, n, order);
    for (size_t start = 0, end = 0; start < n; start = end) {
        for (end = start; end < n && values[order[end]] <= values[order[start]]; end++) {
        }
        for (size_t i = start; i < end; i++) {
            ranks[order[i]] = (double)(start + 1 + end) / 2;
        }
    }
    free(order);
    return ranks;
}

static vln_stat_t
spearman_of(const double *x, const double *y, size_t n)
{
    double *left = ranks_of(x, n);
    double *right = ranks_of(y, n);
    vln_stat_t result = vln_pearson(left, right, n);
    free(left);
    free(right);
    return result;
}

/* ---- tests ---- */

static void
find_mean(const double *residuals, size_t n, vln_residuals_t *out)
{
    out->mean = vln_mean(residuals, n);
    vln_stat_t std = vln_std(residuals, n, 1);
    if (!std.defined) {
        out->mean_low = out->mean_high = out->mean_p = vln_stat_none(std.why);
        return;
    }
    double dof = (double)n - 1;
    double error = std.value / sqrt((double)n);
    double reach = error * vln_student_quantile(MIDDLE, dof);
    out->mean_low = vln_stat_of(out->mean.value - reach);
    out->mean_high = vln_stat_of(out->mean.value + reach);
    out->mean_p = error > 0 ? vln_stat_of(vln_student_two_sided(out->mean.value / error, dof))
                            : vln_stat_none(VLN_STAT_CONSTANT);
}

static vln_stat_t
spread_of(const double *predicted, const double *residuals, size_t n)
{
    double *squares = vln_calloc(n, sizeof *squares);
    for (size_t i = 0; i < n; i++) {
        squares[i] = residuals[i] * residuals[i];
    }
    vln_stat_t r = vln_pearson(predicted, squares, n);
    free(squares);
    return r.defined && r.why == VLN_STAT_OK
               ? vln_stat_of(vln_chi2_sf((double)n * r.value * r.value, 1))
               : vln_stat_none(r.why);
}

static vln_stat_t
explained_of(const double *target, const double *residuals, size_t n)
{
    vln_stat_t left = vln_squares(residuals, n);
    vln_stat_t all = vln_squares(target, n);
    if (!left.defined || !all.defined) {
        return vln_stat_none(VLN_STAT_NOT_FINITE);
    }
    return all.value > 0 ? vln_stat_of(1 - left.value / all.value)
                         : vln_stat_by(left.value > 0 ? 0 : 1, VLN_STAT_CONSTANT);
}

static void
set_all(vln_residuals_t *out, vln_stat_why_t why)
{
    vln_stat_t none = vln_stat_none(why);
    *out = (vln_residuals_t){none, none, none, none, none, none, none, none, none};
}

void
vln_residuals(const double *target, const double *predicted, size_t n, vln_residuals_t *out)
{
    if (n == 0 || !vln_stat_all_finite(target, n) || !vln_stat_all_finite(predicted, n)) {
        set_all(out, n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
        return;
    }
    double *residuals = vln_calloc(n, sizeof *residuals);
    for (size_t i = 0; i < n; i++) {
        residuals[i] = target[i] - predicted[i];
    }
    if (vln_stat_all_finite(residuals, n)) {
        vln_shapiro_t shapiro =
            vln_shapiro(residuals, n < VLN_SHAPIRO_MAX ? n : (size_t)VLN_SHAPIRO_MAX);
        out->explained_variance = explained_of(target, residuals, n);
        out->pearson = vln_pearson(target, predicted, n);
        out->spearman = spearman_of(target, predicted, n);
        out->shapiro_p = shapiro.w.defined ? vln_stat_of(shapiro.p) : vln_stat_none(shapiro.w.why);
        out->spread_p = spread_of(predicted, residuals, n);
        find_mean(residuals, n, out);
    } else {
        set_all(out, VLN_STAT_NOT_FINITE);
    }
    free(residuals);
}
