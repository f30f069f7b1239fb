/*
 * samples - columns of numbers, sorted: several checks of a validation look at the same ones, and
 * sorting is most of their work. What nobody holds is kept for the next who asks, up to a budget.
 *
 * Not thread-safe: one a validation.
 */
#ifndef SAMPLES_H
#define SAMPLES_H

#include "vln_sample.h"
#include "vln_table.h"

typedef struct samples samples_t;

/* Never NULL. Keeps at most `budget` bytes that nobody holds. */
samples_t *samples_new(size_t budget);

/* None may be held. NULL is fine; the pointer becomes NULL. */
void samples_destroy(samples_t **self);

/* The first `rows` numbers of a column that is none of texts; hold it until samples_release(). The
 * column must live as long as `self`. Without `self` it is sorted each time. */
const vln_sample_t *samples_hold(samples_t *self, const vln_column_t *column, size_t rows);
void samples_release(samples_t *self, const vln_sample_t *sample);

/* Sorts some columns beforehand, on up to `threads` threads: as many of them, from the first, as the
 * budget keeps. Columns of texts are passed over. */
void samples_prepare(samples_t *self, const vln_column_t *const *columns, size_t count, size_t rows,
                     size_t threads);

/* How many were sorted so far. */
size_t samples_sorted(const samples_t *self);

#endif
