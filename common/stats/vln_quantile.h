/*
 * vln_quantile - quantiles by linear interpolation (Hyndman & Fan's type 7, numpy's default), and
 * outliers by the quartiles (Tukey's fences).
 *
 * All take rising values without NaN: vln_sample makes them.
 */
#ifndef VLN_QUANTILE_H
#define VLN_QUANTILE_H

#include <stddef.h>
#include <stdint.h>

#include "vln_stat.h"

/* The value at (n - 1) q, 0 <= q <= 1, with numpy's rounding. EMPTY without rows. */
vln_stat_t vln_quantile(const double *sorted, size_t n, double q);

typedef struct vln_fences {
    double q1;
    double median;
    double q3;
    double low; /* q1 - 1.5 IQR */
    double high;
    bool defined;
    vln_stat_why_t why; /* OK, EMPTY, or NOT_FINITE */
} vln_fences_t;

vln_fences_t vln_fences(const double *sorted, size_t n);

/* Values below or above the fences; 0 where these are not defined. */
uint64_t vln_fences_count_outside(const vln_fences_t *fences, const double *sorted, size_t n);

/* How many of the values are < bound, and how many are <= bound. */
size_t vln_count_below(const double *sorted, size_t n, double bound);
size_t vln_count_to(const double *sorted, size_t n, double bound);

#endif
