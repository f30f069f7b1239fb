/*
 * vln_profile - what is kept of a data set so that drift can be told without its rows: counts,
 * moments, quantiles and a histogram of each column.
 *
 * Knows neither files nor network. Any thread.
 */
#ifndef VLN_PROFILE_H
#define VLN_PROFILE_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_mem.h"
#include "vln_table.h"

enum {
    VLN_PROFILE_COLUMNS_MAX = 2000,
    VLN_PROFILE_QUANTILES = 100, /* of 0, 1/100 … 1 */
    VLN_PROFILE_BINS = 20,
    VLN_PROFILE_TOP = 64,
    VLN_PROFILE_BYTES_MAX = 16 * 1024 * 1024,
};

/* Of rows `first` .. `first + rows - 1`; the first 2000 columns. In the arena. */
Valion__V1__Profile *vln_profile_make(const vln_table_t *table, size_t first, size_t rows,
                                      vln_arena_t *arena);

/* Of predictions, one a row; for Profile.prediction. */
Valion__V1__ColumnProfile *vln_profile_numbers(const char *name, const double *values, size_t count,
                                               vln_arena_t *arena);

#endif
