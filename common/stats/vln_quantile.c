#include "vln_quantile.h"

#include <math.h>

#include "vln_err.h"

vln_stat_t
vln_quantile(const double *sorted, size_t n, double q)
{
    vln_assert(q >= 0 && q <= 1);
    if (n == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    double at = (double)(n - 1) * q;
    size_t below = (size_t)at;
    size_t above = below + 1 < n ? below + 1 : below;
    double part = at - (double)below;
    double gap = sorted[above] - sorted[below];
    if (gap == 0) {
        return vln_stat_of(sorted[below]);
    }
    /* From the nearer end, as numpy does, so that quantiles never fall as q rises. */
    return vln_stat_of(part < 0.5 ? sorted[below] + gap * part : sorted[above] - gap * (1 - part));
}

vln_fences_t
vln_fences(const double *sorted, size_t n)
{
    vln_stat_t q1 = vln_quantile(sorted, n, 0.25);
    vln_stat_t median = vln_quantile(sorted, n, 0.5);
    vln_stat_t q3 = vln_quantile(sorted, n, 0.75);
    double reach = 1.5 * (q3.value - q1.value);
    if (!q1.defined) {
        return (vln_fences_t){.why = q1.why};
    }
    if (!median.defined || !q3.defined || !isfinite(q1.value - reach) ||
        !isfinite(q3.value + reach)) {
        return (vln_fences_t){.why = VLN_STAT_NOT_FINITE};
    }
    return (vln_fences_t){.q1 = q1.value,
                          .median = median.value,
                          .q3 = q3.value,
                          .low = q1.value - reach,
                          .high = q3.value + reach,
                          .defined = true};
}

uint64_t
vln_fences_count_outside(const vln_fences_t *fences, const double *sorted, size_t n)
{
    if (!fences->defined) {
        return 0;
    }
    size_t inside = vln_count_to(sorted, n, fences->high) - vln_count_below(sorted, n, fences->low);
    return n - inside;
}

size_t
vln_count_below(const double *sorted, size_t n, double bound)
{
    size_t low = 0;
    size_t high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle] < bound) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

size_t
vln_count_to(const double *sorted, size_t n, double bound)
{
    size_t low = 0;
    size_t high = n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (sorted[middle] <= bound) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}
