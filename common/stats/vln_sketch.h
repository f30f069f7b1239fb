/*
 * vln_sketch - a column's distribution in at most 256 weighted points, whatever its number of rows:
 * what is kept of sorted values so that quantiles, ranks and distances can be told without them, and
 * two columns become one.
 *
 * A plain value without chance: the same parts give the same bytes, in whichever order they are
 * merged. Values are finite; -0 counts as 0.
 *
 * The points stand for n rows. `error` bounds, in rows, how far the rows that they say are <= x can
 * be from those that are, whatever x is. Why it holds:
 *
 *   1. Up to 256 different values are kept as they are, with their rows: error 0.
 *   2. Else the rows in rising order are cut into K = 256 groups, group i from row i n / K on, and
 *      each becomes its middle row's value v with all its rows. For an x let the group's first and
 *      last value be a and b. If b <= x, all its rows are counted, and rightly; if x < a, none, and
 *      rightly. Groups are in rising order, so a <= x < b holds for one of them at most. There, if
 *      x < v, none is counted, and wrong by at most the rows below v; if v <= x, all are, and wrong by
 *      at most the rows above v. `error` takes the largest of these numbers over all groups, which is
 *      no more than half of the largest group: (n / K + 1) / 2.
 *   3. Parts side by side count as the sum of what each counts, so the sum of their errors bounds it.
 *      Where they have more than K points together, the rows that these points stand for are cut as
 *      in 2, which moves no count by more than (n / K + 1) / 2, and that much is added.
 *
 * Hence many parts are best merged by one call: it cuts once. Least and greatest value are exact.
 */
#ifndef VLN_SKETCH_H
#define VLN_SKETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_sample.h"

enum {
    VLN_SKETCH_POINTS = 256,
    VLN_SKETCH_HEAD = 35,  /* encoded bytes before the points */
    VLN_SKETCH_POINT = 16, /* of each of them */
    VLN_SKETCH_BYTES_MAX = VLN_SKETCH_HEAD + VLN_SKETCH_POINTS * VLN_SKETCH_POINT,
    VLN_SKETCH_PARTS_MAX = 1024,
};

/* Rows of all parts together: every count is exact in a double. */
#define VLN_SKETCH_ROWS_MAX (UINT64_C(1) << 53)

typedef struct vln_sketch_point {
    double value;
    uint64_t rows; /* at least 1 */
} vln_sketch_point_t;

typedef struct vln_sketch {
    uint64_t n;     /* rows; 0: all else is 0, too */
    uint64_t error; /* in rows, at most n */
    double min;
    double max;
    size_t count;
    vln_sketch_point_t points[VLN_SKETCH_POINTS]; /* rising */
} vln_sketch_t;

/* Of n rising, finite values. */
void vln_sketch_make(const double *sorted, size_t n, vln_sketch_t *out);

/* The rows of 1 to VLN_SKETCH_PARTS_MAX parts. False: they are too many to count. */
bool vln_sketch_merge(const vln_sketch_t *const *parts, size_t count, vln_sketch_t *out);

/* Rows that the points say are <= x; and as a share of all, 0 without rows. Off by `error` at most. */
uint64_t vln_sketch_rows_to(const vln_sketch_t *self, double x);
double vln_sketch_rank(const vln_sketch_t *self, double x);

/*
 * A value v such that at least q n - error rows are <= v and at most q n + error rows are < v; the
 * least value for q = 0, the greatest for q = 1. 0 <= q <= 1, at least one row. (It is the first point
 * up to which q n rows are counted: so many are, but for the error; and for every x < v fewer are.)
 */
double vln_sketch_quantile(const vln_sketch_t *self, double q);

/* The error as a share of the rows, 0..1. */
double vln_sketch_error(const vln_sketch_t *self);

/*
 * Kolmogorov and Smirnov's distance between the rows behind the sketch and the sample: the largest
 * difference of their shares <= x. The true one, of the rows themselves, lies within `statistic` -
 * `error` and `statistic` + `error`, for neither share is off by more anywhere. A p-value of
 * `statistic` - `error` is therefore never below the true one's. `defined` only where both have rows
 * and the sample is finite.
 */
typedef struct vln_sketch_ks {
    double statistic; /* 0..1 */
    double error;
    bool defined;
} vln_sketch_ks_t;

vln_sketch_ks_t vln_sketch_ks(const vln_sketch_t *reference, const vln_sample_t *current);

/* Bytes for a file or message, little-endian; how many. The same sketch gives the same bytes. */
size_t vln_sketch_encode(const vln_sketch_t *self, uint8_t out[VLN_SKETCH_BYTES_MAX]);

/* False unless the bytes are those of a sketch, to the last. For foreign bytes: what comes out is
 * rising and finite, and its counts sum to n; that the error is true nobody can check. */
bool vln_sketch_decode(const uint8_t *bytes, size_t size, vln_sketch_t *out);

#endif
