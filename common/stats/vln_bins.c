#include "vln_bins.h"

#include <math.h>

#include "vln_err.h"
#include "vln_quantile.h"

/* Below, at and above one value. */
static vln_bins_t
bins_around(double value)
{
    return (vln_bins_t){
        .edges = {nextafter(value, -INFINITY), value}, .count = 3, .closed_above = true};
}

vln_bins_t
vln_bins_quantile(const vln_sample_t *reference, size_t wanted)
{
    vln_assert(wanted >= 1 && wanted <= VLN_BINS_MAX);
    vln_bins_t self = {.closed_above = true, .count = 1};
    if (reference->n == 0) {
        return self;
    }
    double least = reference->sorted[0];
    double greatest = reference->sorted[reference->n - 1];
    double previous = least;
    for (size_t i = 1; i < wanted; i++) {
        double q = (double)i * (1 / (double)wanted); /* numpy.linspace, to the last bit */
        double edge = vln_quantile(reference->sorted, reference->n, q).value;
        if (edge > previous && edge < greatest) {
            self.edges[self.count++ - 1] = edge;
            previous = edge;
        }
    }
    if (self.count == 1 && wanted > 1) {
        return bins_around(vln_quantile(reference->sorted, reference->n, 0.5).value);
    }
    return self;
}

/* numpy's linspace, without its two ends. */
static vln_bins_t
equal_bins(double least, double greatest, size_t wanted)
{
    vln_bins_t self = {.count = 1};
    double step = (greatest - least) / (double)wanted;
    for (size_t i = 1; i < wanted; i++) {
        double edge = (double)i * step + least;
        if (edge > least && edge < greatest) {
            self.edges[self.count++ - 1] = edge;
        }
    }
    return self;
}

vln_bins_t
vln_bins_equal_width(const vln_sample_t *reference, size_t wanted)
{
    vln_assert(wanted >= 1 && wanted <= VLN_BINS_MAX);
    if (reference->n == 0) {
        return (vln_bins_t){.count = 1};
    }
    double least = reference->sorted[0];
    double greatest = reference->sorted[reference->n - 1];
    return least == greatest ? bins_around(least) : equal_bins(least, greatest, wanted);
}

vln_bins_t
vln_bins_sturges(const vln_sample_t *reference, const vln_sample_t *current)
{
    if (reference->n == 0 || current->n == 0) {
        return (vln_bins_t){.count = 1};
    }
    double least = fmin(reference->sorted[0], current->sorted[0]);
    double greatest = fmax(reference->sorted[reference->n - 1], current->sorted[current->n - 1]);
    if (least == greatest) {
        return bins_around(least);
    }
    double wanted = ceil(log2((double)(reference->n + current->n)) + 1);
    return equal_bins(least, greatest, (size_t)fmin(wanted, VLN_BINS_MAX));
}

void
vln_bins_count(const vln_bins_t *bins, const vln_sample_t *sample, uint64_t *counts)
{
    size_t before = 0;
    for (size_t i = 0; i + 1 < bins->count; i++) {
        size_t to = bins->closed_above ? vln_count_to(sample->sorted, sample->n, bins->edges[i])
                                       : vln_count_below(sample->sorted, sample->n, bins->edges[i]);
        counts[i] = to - before;
        before = to;
    }
    counts[bins->count - 1] = sample->n - before;
}
