/*
 * vln_sample - the values of one column, sorted, without what is missing: what quantiles and drift
 * tests work on. Sort a reference once and keep it.
 */
#ifndef VLN_SAMPLE_H
#define VLN_SAMPLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct vln_sample {
    double *sorted; /* n values, rising, no NaN */
    size_t n;
    size_t missing; /* NaN among the values given */
    bool finite;    /* no infinity among them */
} vln_sample_t;

/* NaN means missing. End it with vln_sample_end, which may be called twice. */
vln_sample_t vln_sample_make(const double *values, size_t count);
void vln_sample_end(vln_sample_t *self);

/* Sorts in place, rising; -0 before +0; no NaN. Linear time: a radix sort of the bits. */
void vln_sort(double *values, size_t n);

/* order[0] is where the least of the n values is, and so on; equal ones in the order in which they are
 * given, -0 before +0. No NaN. Linear time, too. */
void vln_sort_order(const double *values, size_t n, uint32_t *order);

#endif
