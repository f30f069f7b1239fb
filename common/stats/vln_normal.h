/*
 * vln_normal - mean, spread, correlation, normality, and p-values of many tests at once.
 *
 * Values are finite: NaN or infinity gives NOT_FINITE, never a number. Sums are Neumaier's, in the
 * order of the rows, so the bits do not depend on who computes.
 */
#ifndef VLN_NORMAL_H
#define VLN_NORMAL_H

#include <stddef.h>

#include "vln_stat.h"

/* Arithmetic mean, in the values' unit. EMPTY. */
vln_stat_t vln_mean(const double *values, size_t n);

/*
 * Sum of the squared distances from the mean, unit squared: two passes, corrected for the mean's
 * own rounding. Of equal values it is exactly 0, and OK. EMPTY.
 */
vln_stat_t vln_squares(const double *values, size_t n);

/*
 * Standard deviation, in the values' unit: the root of vln_squares over n - ddof. ddof 0 describes the
 * rows, 1 estimates what they come from. TOO_FEW unless n > ddof.
 */
vln_stat_t vln_std(const double *values, size_t n, int ddof);

/* std / |mean|, ddof 0. CONSTANT with value 0 where both are 0; NOT_FINITE where the mean alone is. */
vln_stat_t vln_variation(const double *values, size_t n);

/* Pearson's correlation, within -1..1. TOO_FEW below 2 rows; CONSTANT if a side is. */
vln_stat_t vln_pearson(const double *x, const double *y, size_t n);

enum { VLN_SHAPIRO_MIN = 3, VLN_SHAPIRO_MAX = 5000 };

typedef struct vln_shapiro {
    vln_stat_t w; /* 0..1; 1 looks normal */
    double p;     /* where w is defined */
    size_t n;
} vln_shapiro_t;

/*
 * Shapiro-Wilk's test of normality: Royston, Applied Statistics 44 (1995), algorithm AS R94, for
 * 3..5000 values in any order; the caller takes the first 5000. TOO_FEW, TOO_MANY, CONSTANT.
 */
vln_shapiro_t vln_shapiro(const double *values, size_t n);

/*
 * Benjamini & Hochberg (J. R. Stat. Soc. B 57, 1995): the adjusted p-value of each of n tests, in
 * their order; those at most alpha are significant at a false discovery rate of alpha. A negative
 * p is a test that was not made: it stays as it is and does not count.
 */
void vln_benjamini_hochberg(const double *p, size_t n, double *adjusted);

#endif
