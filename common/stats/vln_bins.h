/*
 * vln_bins - cut the numbers into intervals and count: what PSI and Jensen-Shannon compare.
 *
 * The first bin is open below and the last above, so every value falls into one. A plain value:
 * the inner edges can be stored with a profile, and the rows they came from are then not needed.
 */
#ifndef VLN_BINS_H
#define VLN_BINS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_sample.h"

enum { VLN_BINS_MAX = 128 };

typedef struct vln_bins {
    double edges[VLN_BINS_MAX - 1]; /* inner ones, rising */
    size_t count;                   /* bins: inner edges + 1 */
    bool closed_above;              /* a value equal to an edge lies below it; false: above it */
} vln_bins_t;

/*
 * Equal numbers of reference rows: quantiles (type 7) of 0, 1/wanted … 1, equal ones once, the
 * outer two open; bins hold edge < x <= next edge. Where that leaves one bin (more than a share of
 * 1 - 1/wanted of the rows is one value) there are three: below, at and above the median.
 */
vln_bins_t vln_bins_quantile(const vln_sample_t *reference, size_t wanted);

/* Equal widths between the reference's least and greatest; edge <= x < next edge (numpy). */
vln_bins_t vln_bins_equal_width(const vln_sample_t *reference, size_t wanted);

/* Equal widths between least and greatest of both, as many as Sturges' rule wants. */
vln_bins_t vln_bins_sturges(const vln_sample_t *reference, const vln_sample_t *current);

/* Rows in each bin; counts holds bins->count. */
void vln_bins_count(const vln_bins_t *bins, const vln_sample_t *sample, uint64_t *counts);

#endif
