#include "vln_sketch.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"

enum { VERSION = 1 };

/* ---- cutting ---- */

/* The first row of a group. */
static uint64_t
group_start(uint64_t n, size_t group)
{
    return n / VLN_SKETCH_POINTS * group + n % VLN_SKETCH_POINTS * group / VLN_SKETCH_POINTS;
}

/* Cuts rows that come in rising order, equal ones at once, into groups. */
typedef struct cutter {
    vln_sketch_t *out;
    uint64_t n;
    uint64_t seen;
    size_t group;
    uint64_t error;
} cutter_t;

static uint64_t
above(uint64_t a, uint64_t b)
{
    return a > b ? a - b : 0;
}

static uint64_t
larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The rows of each group whose middle is among these become a point of this value. */
static void
cut(cutter_t *self, double value, uint64_t rows)
{
    uint64_t start = self->seen;
    uint64_t end = start + rows;
    uint64_t taken = 0;
    for (; self->group < VLN_SKETCH_POINTS; self->group++) {
        uint64_t low = group_start(self->n, self->group);
        uint64_t high = group_start(self->n, self->group + 1);
        if (low + (high - low) / 2 >= end) {
            break;
        }
        taken += high - low;
        self->error = larger(self->error, larger(above(start, low), above(high, end)));
    }
    if (taken > 0) {
        self->out->points[self->out->count++] = (vln_sketch_point_t){value, taken};
    }
    self->seen = end;
}

/* ---- making ---- */

/* How many of the values from the first on are equal to it. */
static size_t
run_length(const double *sorted, size_t n)
{
    size_t length = 1;
    while (length < n && sorted[length] == sorted[0]) {
        length++;
    }
    return length;
}

/* False, and what there is forgotten, if there are more different values than points. */
static bool
take_all(const double *sorted, size_t n, vln_sketch_t *out)
{
    for (size_t at = 0, length; at < n; at += length) {
        if (out->count == VLN_SKETCH_POINTS) {
            out->count = 0;
            return false;
        }
        length = run_length(sorted + at, n - at);
        out->points[out->count++] = (vln_sketch_point_t){sorted[at] + 0.0, length};
    }
    return true;
}

void
vln_sketch_make(const double *sorted, size_t n, vln_sketch_t *out)
{
    *out = (vln_sketch_t){.n = n};
    if (n == 0) {
        return;
    }
    vln_assert(isfinite(sorted[0]) && isfinite(sorted[n - 1]) && n <= VLN_SKETCH_ROWS_MAX);
    out->min = sorted[0] + 0.0; /* -0 becomes 0 */
    out->max = sorted[n - 1] + 0.0;
    if (!take_all(sorted, n, out)) {
        cutter_t cutter = {.out = out, .n = n};
        for (size_t at = 0, length; at < n; at += length) {
            length = run_length(sorted + at, n - at);
            cut(&cutter, sorted[at] + 0.0, length);
        }
        out->error = cutter.error;
    }
}

/* ---- merging ---- */

static int
by_value(const void *left, const void *right)
{
    const vln_sketch_point_t *a = left;
    const vln_sketch_point_t *b = right;
    return a->value < b->value ? -1 : a->value > b->value;
}

/* Sorted, equal values as one; how many are left. */
static size_t
settle(vln_sketch_point_t *points, size_t count)
{
    size_t kept = 0;
    qsort(points, count, sizeof *points, by_value);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && points[kept - 1].value == points[i].value) {
            points[kept - 1].rows += points[i].rows;
        } else {
            points[kept++] = points[i];
        }
    }
    return kept;
}

/* Sums and ends of the parts; false if the rows are too many. */
static bool
sum_parts(const vln_sketch_t *const *parts, size_t count, vln_sketch_t *out)
{
    for (size_t i = 0; i < count; i++) {
        const vln_sketch_t *part = parts[i];
        if (part->n == 0) {
            continue;
        }
        if (part->n > VLN_SKETCH_ROWS_MAX - out->n) {
            return false;
        }
        out->min = out->n > 0 && out->min < part->min ? out->min : part->min;
        out->max = out->n > 0 && out->max > part->max ? out->max : part->max;
        out->n += part->n;
        out->error += part->error;
        out->count += part->count;
    }
    return true;
}

static void
take_points(vln_sketch_t *out, const vln_sketch_point_t *points, size_t count)
{
    out->count = 0;
    if (count <= VLN_SKETCH_POINTS) {
        out->count = count;
        memcpy(out->points, points, count * sizeof *points);
        return;
    }
    cutter_t cutter = {.out = out, .n = out->n};
    for (size_t i = 0; i < count; i++) {
        cut(&cutter, points[i].value, points[i].rows);
    }
    out->error += cutter.error;
}

bool
vln_sketch_merge(const vln_sketch_t *const *parts, size_t count, vln_sketch_t *out)
{
    vln_assert(count >= 1 && count <= VLN_SKETCH_PARTS_MAX);
    vln_sketch_t merged = {0};
    if (!sum_parts(parts, count, &merged)) {
        *out = (vln_sketch_t){0};
        return false;
    }
    vln_sketch_point_t *points = vln_calloc(merged.count + 1, sizeof *points);
    size_t gathered = 0;
    for (size_t i = 0; i < count; i++) {
        memcpy(points + gathered, parts[i]->points, parts[i]->count * sizeof *points);
        gathered += parts[i]->count;
    }
    take_points(&merged, points, settle(points, gathered));
    merged.error = merged.error < merged.n ? merged.error : merged.n;
    free(points);
    *out = merged;
    return true;
}

/* ---- asking ---- */

uint64_t
vln_sketch_rows_to(const vln_sketch_t *self, double x)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < self->count && self->points[i].value <= x; i++) {
        rows += self->points[i].rows;
    }
    return rows;
}

double
vln_sketch_rank(const vln_sketch_t *self, double x)
{
    return self->n > 0 ? (double)vln_sketch_rows_to(self, x) / (double)self->n : 0;
}

double
vln_sketch_quantile(const vln_sketch_t *self, double q)
{
    vln_assert(self->n > 0 && q >= 0 && q <= 1);
    double wanted = q * (double)self->n;
    uint64_t rows = 0;
    if (q == 0) {
        return self->min;
    }
    for (size_t i = 0; i < self->count && q < 1; i++) {
        rows += self->points[i].rows;
        if ((double)rows >= wanted) {
            return self->points[i].value;
        }
    }
    return self->max;
}

double
vln_sketch_error(const vln_sketch_t *self)
{
    return self->n > 0 ? (double)self->error / (double)self->n : 0;
}

/* Both shares step, so the distance is largest at a step: at a point, or at a value. */
vln_sketch_ks_t
vln_sketch_ks(const vln_sketch_t *reference, const vln_sample_t *current)
{
    if (reference->n == 0 || current->n == 0 || !current->finite) {
        return (vln_sketch_ks_t){0};
    }
    double largest = 0;
    uint64_t rows = 0;
    size_t at = 0;
    for (size_t i = 0; i < reference->count || at < current->n;) {
        double value = i < reference->count ? reference->points[i].value : INFINITY;
        value = at < current->n && current->sorted[at] < value ? current->sorted[at] : value;
        while (at < current->n && current->sorted[at] <= value) {
            at++;
        }
        while (i < reference->count && reference->points[i].value <= value) {
            rows += reference->points[i++].rows;
        }
        double distance =
            fabs((double)rows / (double)reference->n - (double)at / (double)current->n);
        largest = fmax(largest, distance);
    }
    return (vln_sketch_ks_t){largest, vln_sketch_error(reference), true};
}

/* ---- bytes ---- */

/* The bytes: version, 2 of the number of points, rows, error, least, greatest; then value and rows of
 * each point. */
static void
put_number(uint8_t **at, uint64_t number, size_t bytes)
{
    for (size_t i = 0; i < bytes; i++) {
        *(*at)++ = (uint8_t)(number >> (8 * i));
    }
}

static void
put_double(uint8_t **at, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    put_number(at, bits, sizeof bits);
}

static uint64_t
get_number(const uint8_t **at, size_t bytes)
{
    uint64_t number = 0;
    for (size_t i = 0; i < bytes; i++) {
        number |= (uint64_t)*(*at)++ << (8 * i);
    }
    return number;
}

static double
get_double(const uint8_t **at)
{
    uint64_t bits = get_number(at, sizeof bits);
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

size_t
vln_sketch_encode(const vln_sketch_t *self, uint8_t out[VLN_SKETCH_BYTES_MAX])
{
    uint8_t *at = out;
    put_number(&at, VERSION, 1);
    put_number(&at, self->count, 2);
    put_number(&at, self->n, 8);
    put_number(&at, self->error, 8);
    put_double(&at, self->min);
    put_double(&at, self->max);
    for (size_t i = 0; i < self->count; i++) {
        put_double(&at, self->points[i].value);
        put_number(&at, self->points[i].rows, 8);
    }
    return (size_t)(at - out);
}

/* A number that is kept: finite, and 0 rather than -0. */
static bool
is_value(double value)
{
    return isfinite(value) && !(value == 0 && signbit(value));
}

/* Rising points of n rows, and nothing at odds with the rest. */
static bool
are_points_sound(const vln_sketch_t *self)
{
    uint64_t rows = 0;
    for (size_t i = 0; i < self->count; i++) {
        const vln_sketch_point_t *point = &self->points[i];
        if (!is_value(point->value) || (i > 0 && !(self->points[i - 1].value < point->value)) ||
            point->rows == 0 || point->rows > self->n - rows) {
            return false;
        }
        rows += point->rows;
    }
    return rows == self->n;
}

static bool
is_sound(const vln_sketch_t *self)
{
    if (self->n > VLN_SKETCH_ROWS_MAX || self->error > self->n || !is_value(self->min) ||
        !is_value(self->max) || !are_points_sound(self)) {
        return false;
    }
    if (self->count == 0) {
        return self->min == 0 && self->max == 0;
    }
    double first = self->points[0].value;
    double last = self->points[self->count - 1].value;
    return self->error == 0 ? self->min == first && self->max == last
                            : self->min <= first && self->max >= last;
}

bool
vln_sketch_decode(const uint8_t *bytes, size_t size, vln_sketch_t *out)
{
    const uint8_t *at = bytes;
    *out = (vln_sketch_t){0};
    if (size < VLN_SKETCH_HEAD || get_number(&at, 1) != VERSION) {
        return false;
    }
    vln_sketch_t read = {.count = get_number(&at, 2)};
    if (read.count > VLN_SKETCH_POINTS || size != VLN_SKETCH_HEAD + read.count * VLN_SKETCH_POINT) {
        return false;
    }
    read.n = get_number(&at, 8);
    read.error = get_number(&at, 8);
    read.min = get_double(&at);
    read.max = get_double(&at);
    for (size_t i = 0; i < read.count; i++) {
        read.points[i].value = get_double(&at);
        read.points[i].rows = get_number(&at, 8);
    }
    if (!is_sound(&read)) {
        return false;
    }
    *out = read;
    return true;
}
