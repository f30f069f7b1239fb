/*
 * vln_profile - what is kept of a data set so that drift can be told without its rows: counts,
 * moments, quantiles and a histogram of each column.
 *
 * Knows neither files nor network. Any thread.
 */
#ifndef VLN_PROFILE_H
#define VLN_PROFILE_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_sketch.h"
#include "vln_table.h"

enum {
    VLN_PROFILE_COLUMNS_MAX = 2000,
    VLN_PROFILE_QUANTILES = 100, /* of 0, 1/100 … 1 */
    VLN_PROFILE_BINS = 20,
    VLN_PROFILE_TOP = 64,
    VLN_PROFILE_BYTES_MAX = 16 * 1024 * 1024,
    VLN_PROFILE_PARTS_MAX = 64, /* of one merge */
    VLN_PROFILE_WHY = 256,
};

/* Of rows `first` .. `first + rows - 1`; the first 2000 columns. In the arena. */
Valion__V1__Profile *vln_profile_make(const vln_table_t *table, size_t first, size_t rows,
                                      vln_arena_t *arena);

/* Of predictions, one a row; for Profile.prediction. */
Valion__V1__ColumnProfile *vln_profile_numbers(const char *name, const double *values, size_t count,
                                               vln_arena_t *arena);

/* The sketch of a column, which may be foreign. False: it has none, or none of its `count` rows. */
bool vln_profile_sketch(const Valion__V1__ColumnProfile *column, vln_sketch_t *out);

/*
 * One profile of the rows of all parts, which may be foreign; in the arena, and without anything of
 * theirs. What it says of these rows:
 *
 *   rows, count, missing, infinite, mixed_type, min, max   as they are
 *   mean, sum_squares    as they are but for rounding (Chan, Golub & LeVeque 1983)
 *   quantiles            of the merged sketches, off by `quantile_error`
 *   edges, counts        summed where all parts have the same edges; else made of the merged sketches,
 *                        and `histogram_estimated` where these are not exact
 *   top, other           at least so many rows; a text of `top` has at most `top_error` more than that,
 *                        and one that is not there at most so many more than the last of `top`
 *   distinct             exact where nothing was lost; else between the least and the most that the
 *                        parts allow, and `distinct_estimated`
 *   duplicate_rows, data_digest   not there
 *   prediction           where all parts have one
 *
 * A column is that of the same name in each part; one without any value takes the others' type, and
 * numbers of several types are FLOAT64. INVALID_ARGUMENT, and `why`: the parts' columns are not the
 * same, or a part is at odds with itself, or has no sketch of a column of numbers.
 */
VLN_MUST_USE vln_err_t vln_profile_merge(const Valion__V1__Profile *const *parts, size_t count,
                                         vln_arena_t *arena, Valion__V1__Profile **out,
                                         char why[VLN_PROFILE_WHY]);

#endif
