#include "vln_sketch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_draw.h"
#include "vln_drift.h"
#include "vln_mem.h"
#include "vln_quantile.h"

/* ---- inputs ---- */

typedef double (*shape_fn)(vln_draw_t *draw, size_t i, size_t n);

static double
uniform(vln_draw_t *draw, size_t i, size_t n)
{
    (void)i, (void)n;
    return vln_draw_unit(draw);
}

static double
heavy_tail(vln_draw_t *draw, size_t i, size_t n)
{
    (void)i, (void)n;
    double u = vln_draw_unit(draw);
    return (vln_draw_unit(draw) < 0.5 ? -1 : 1) * pow(u + 1e-12, -8);
}

/* Some 400 values, a few of which have nearly all rows. */
static double
heavy_ties(vln_draw_t *draw, size_t i, size_t n)
{
    (void)i, (void)n;
    return floor(400 * pow(vln_draw_unit(draw), 6));
}

static double
half_zero(vln_draw_t *draw, size_t i, size_t n)
{
    (void)n;
    return i % 2 == 0 ? 0 : vln_draw_unit(draw) - 0.5;
}

static double
few_values(vln_draw_t *draw, size_t i, size_t n)
{
    (void)i, (void)n;
    return vln_draw_below(draw, VLN_SKETCH_POINTS);
}

static double
rising(vln_draw_t *draw, size_t i, size_t n)
{
    (void)draw, (void)n;
    return (double)i;
}

static double
falling(vln_draw_t *draw, size_t i, size_t n)
{
    (void)draw;
    return (double)(n - i);
}

static const shape_fn shapes[] = {uniform,    heavy_tail, heavy_ties, half_zero,
                                  few_values, rising,     falling};
enum { SHAPES = sizeof shapes / sizeof *shapes };

static double *
numbers_of(shape_fn shape, size_t n, uint64_t seed)
{
    vln_draw_t draw = vln_draw_of(seed, 1);
    double *values = vln_calloc(n + 1, sizeof *values);
    for (size_t i = 0; i < n; i++) {
        values[i] = shape(&draw, i, n);
    }
    return values;
}

static vln_sketch_t
sketch_of(const double *values, size_t n)
{
    vln_sketch_t sketch;
    vln_sample_t sample = vln_sample_make(values, n);
    vln_sketch_make(sample.sorted, sample.n, &sketch);
    vln_sample_end(&sample);
    return sketch;
}

/* ---- what must hold ---- */

static uint64_t
distance(uint64_t a, uint64_t b)
{
    return a > b ? a - b : b - a;
}

static void
must_count_rightly_at(const vln_sketch_t *self, const vln_sample_t *rows, double x)
{
    uint64_t right = vln_count_to(rows->sorted, rows->n, x);
    uint64_t said = vln_sketch_rows_to(self, x);
    cr_assert(distance(right, said) <= self->error,
              "%llu rows are <= %.17g, %llu are said to be, and the error to be %llu",
              (unsigned long long)right, x, (unsigned long long)said,
              (unsigned long long)self->error);
}

static void
must_have_quantile(const vln_sketch_t *self, const vln_sample_t *rows, double q)
{
    double value = vln_sketch_quantile(self, q);
    double to = (double)vln_count_to(rows->sorted, rows->n, value);
    double below = (double)vln_count_below(rows->sorted, rows->n, value);
    double wanted = q * (double)rows->n;
    cr_assert(to >= wanted - (double)self->error && below <= wanted + (double)self->error);
}

/* Counts step at values alone, so these, and what lies just before them, are all there is to see. */
static void
must_keep_its_word(const vln_sketch_t *self, const double *values, size_t n)
{
    vln_sample_t rows = vln_sample_make(values, n);
    size_t step = n > 5000 ? n / 5000 : 1;
    cr_assert_eq(self->n, n);
    cr_assert(self->error <= n);
    for (size_t i = 0; i < n; i += step) {
        must_count_rightly_at(self, &rows, rows.sorted[i]);
        must_count_rightly_at(self, &rows, nextafter(rows.sorted[i], -INFINITY));
    }
    for (size_t i = 0; i < self->count; i++) {
        must_count_rightly_at(self, &rows, self->points[i].value);
        must_count_rightly_at(self, &rows, nextafter(self->points[i].value, -INFINITY));
    }
    for (int i = 0; n > 0 && i <= 100; i++) {
        must_have_quantile(self, &rows, i / 100.0);
    }
    if (n > 0) {
        cr_assert(self->min == rows.sorted[0] && self->max == rows.sorted[n - 1]);
    }
    vln_sample_end(&rows);
}

static void
must_be_same(const vln_sketch_t *left, const vln_sketch_t *right)
{
    uint8_t a[VLN_SKETCH_BYTES_MAX];
    uint8_t b[VLN_SKETCH_BYTES_MAX];
    size_t size = vln_sketch_encode(left, a);
    cr_assert_eq(size, vln_sketch_encode(right, b));
    cr_assert(memcmp(a, b, size) == 0);
}

/* ---- making ---- */

Test(vln_sketch, keeps_its_word_of_any_rows)
{
    static const size_t sizes[] = {0, 1, 2, 255, 256, 257, 511, 512, 513, 1000, 100000};
    for (size_t shape = 0; shape < SHAPES; shape++) {
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            size_t n = sizes[i];
            double *values = numbers_of(shapes[shape], n, i + 1);
            vln_sketch_t self = sketch_of(values, n);
            must_keep_its_word(&self, values, n);
            cr_expect(self.error <= (n / VLN_SKETCH_POINTS + 1 + 1) / 2);
            free(values);
        }
    }
}

Test(vln_sketch, is_exact_of_as_many_values_as_it_has_points)
{
    double *values = numbers_of(few_values, 50000, 7);
    vln_sketch_t self = sketch_of(values, 50000);
    cr_expect_eq(self.error, 0);
    cr_expect_eq(self.count, VLN_SKETCH_POINTS);
    const double zeros[] = {-0.0, 0.0, -0.0};
    vln_sketch_t zero = sketch_of(zeros, 3);
    cr_expect_eq(zero.count, 1);
    cr_expect(!signbit(zero.min) && !signbit(zero.points[0].value));
    free(values);
}

/* ---- merging ---- */

Test(vln_sketch, of_parts_keeps_its_word_and_knows_no_order)
{
    enum { PARTS = 12, ROWS = 6000 };
    for (size_t shape = 0; shape < SHAPES; shape++) {
        double *values = numbers_of(shapes[shape], ROWS, shape + 100);
        vln_sketch_t parts[PARTS];
        const vln_sketch_t *forward[PARTS];
        const vln_sketch_t *backward[PARTS];
        size_t at = 0;
        for (size_t i = 0; i < PARTS; i++) { /* of 1, 1, 2, 4 … rows and what is left */
            size_t rows = i == 0 ? 1 : i == PARTS - 1 ? ROWS - at : (size_t)1 << (i - 1);
            parts[i] = sketch_of(values + at, rows);
            at += rows;
            forward[i] = backward[PARTS - 1 - i] = &parts[i];
        }
        vln_sketch_t one;
        vln_sketch_t other;
        cr_assert(vln_sketch_merge(forward, PARTS, &one));
        cr_assert(vln_sketch_merge(backward, PARTS, &other));
        must_keep_its_word(&one, values, ROWS);
        must_be_same(&one, &other);
        cr_expect(one.error <= ROWS / VLN_SKETCH_POINTS + PARTS + 2, "a part and a cut add to it");
        free(values);
    }
}

Test(vln_sketch, merged_in_pairs_is_the_same_from_either_side)
{
    double *a = numbers_of(heavy_tail, 3000, 1);
    double *b = numbers_of(heavy_ties, 700, 2);
    vln_sketch_t left = sketch_of(a, 3000);
    vln_sketch_t right = sketch_of(b, 700);
    vln_sketch_t one;
    vln_sketch_t other;
    cr_assert(vln_sketch_merge((const vln_sketch_t *[]){&left, &right}, 2, &one));
    cr_assert(vln_sketch_merge((const vln_sketch_t *[]){&right, &left}, 2, &other));
    must_be_same(&one, &other);
    cr_expect_gt(one.error, 0);
    free(a);
    free(b);
}

/* One after the other is the worst that can be done: the error is cut into again each time. */
static void
merge_one_by_one(const double *values, size_t parts, size_t rows, vln_sketch_t *all)
{
    *all = sketch_of(values, rows);
    for (size_t i = 1; i < parts; i++) {
        vln_sketch_t part = sketch_of(values + i * rows, rows);
        cr_assert(vln_sketch_merge((const vln_sketch_t *[]){all, &part}, 2, all));
    }
}

Test(vln_sketch, keeps_its_word_after_a_thousand_merges)
{
    static const size_t sizes[] = {1, 10};
    for (size_t shape = 0; shape < SHAPES; shape++) {
        for (size_t i = 0; i < 2; i++) {
            size_t rows = 1001 * sizes[i];
            double *values = numbers_of(shapes[shape], rows, shape + i);
            vln_sketch_t all;
            merge_one_by_one(values, 1001, sizes[i], &all);
            must_keep_its_word(&all, values, rows);
            free(values);
        }
    }
}

Test(vln_sketch, of_few_values_stays_exact_however_often_it_is_merged)
{
    double *values = numbers_of(few_values, 20000, 3);
    vln_sketch_t all;
    vln_sketch_t once = sketch_of(values, 20000);
    merge_one_by_one(values, 1000, 20, &all);
    cr_expect_eq(all.error, 0);
    must_be_same(&all, &once);
    free(values);
}

Test(vln_sketch, takes_parts_without_rows_and_refuses_too_many_rows)
{
    const double values[] = {3, 5};
    vln_sketch_t none = sketch_of(values, 0);
    vln_sketch_t two = sketch_of(values, 2);
    vln_sketch_t all;
    cr_assert(vln_sketch_merge((const vln_sketch_t *[]){&none, &two, &none}, 3, &all));
    must_be_same(&all, &two);
    cr_assert(vln_sketch_merge((const vln_sketch_t *[]){&none}, 1, &all));
    must_be_same(&all, &none);
    two.n = VLN_SKETCH_ROWS_MAX;
    two.points[1].rows = VLN_SKETCH_ROWS_MAX - 1;
    cr_expect_not(vln_sketch_merge((const vln_sketch_t *[]){&two, &two}, 2, &all));
    cr_expect_eq(all.n, 0);
}

/* ---- distance ---- */

Test(vln_sketch, tells_the_distance_from_a_sample_within_its_error)
{
    for (size_t shape = 0; shape < SHAPES; shape++) {
        double *before = numbers_of(shapes[shape], 4000, 11);
        double *after = numbers_of(shapes[(shape + 1) % SHAPES], 900, 12);
        vln_sketch_t reference = sketch_of(before, 4000);
        vln_sample_t rows = vln_sample_make(before, 4000);
        vln_sample_t current = vln_sample_make(after, 900);
        double right = vln_drift_ks(&rows, &current, VLN_KS_ASYMPTOTIC, 1).statistic;
        vln_sketch_ks_t said = vln_sketch_ks(&reference, &current);
        cr_expect(said.defined);
        cr_expect(fabs(said.statistic - right) <= said.error + 1e-12);
        cr_expect(said.error <= 0.5 / VLN_SKETCH_POINTS + 1.0 / 4000);
        vln_sample_end(&rows);
        vln_sample_end(&current);
        free(before);
        free(after);
    }
}

Test(vln_sketch, has_the_very_distance_where_it_is_exact)
{
    double *before = numbers_of(few_values, 5000, 21);
    double *after = numbers_of(few_values, 300, 22);
    vln_sketch_t reference = sketch_of(before, 5000);
    vln_sample_t rows = vln_sample_make(before, 5000);
    vln_sample_t current = vln_sample_make(after, 300);
    cr_expect_float_eq(vln_sketch_ks(&reference, &current).statistic,
                       vln_drift_ks(&rows, &current, VLN_KS_ASYMPTOTIC, 1).statistic, 1e-15);
    cr_expect_eq(vln_sketch_ks(&reference, &current).error, 0);
    vln_sample_end(&rows);
    vln_sample_end(&current);
    free(before);
    free(after);
}

Test(vln_sketch, has_no_distance_without_rows_or_with_infinities)
{
    const double values[] = {1, 2, INFINITY};
    vln_sketch_t two = sketch_of(values, 2);
    vln_sketch_t none = sketch_of(values, 0);
    vln_sample_t finite = vln_sample_make(values, 2);
    vln_sample_t infinite = vln_sample_make(values, 3);
    vln_sample_t empty = vln_sample_make(values, 0);
    cr_expect(vln_sketch_ks(&two, &finite).defined);
    cr_expect_not(vln_sketch_ks(&none, &finite).defined);
    cr_expect_not(vln_sketch_ks(&two, &infinite).defined);
    cr_expect_not(vln_sketch_ks(&two, &empty).defined);
    vln_sample_end(&finite);
    vln_sample_end(&infinite);
    vln_sample_end(&empty);
}

/* ---- bytes ---- */

Test(vln_sketch, is_read_back_to_the_bit)
{
    static const size_t sizes[] = {0, 1, 300, 5000};
    for (size_t i = 0; i < 4; i++) {
        double *values = numbers_of(heavy_tail, sizes[i], i);
        vln_sketch_t self = sketch_of(values, sizes[i]);
        vln_sketch_t read;
        uint8_t bytes[VLN_SKETCH_BYTES_MAX + 1] = {0};
        size_t size = vln_sketch_encode(&self, bytes);
        cr_assert(vln_sketch_decode(bytes, size, &read));
        must_be_same(&self, &read);
        for (size_t cut = 0; cut < size; cut += 1 + cut / 64) {
            cr_assert_not(vln_sketch_decode(bytes, cut, &read));
        }
        cr_assert_not(vln_sketch_decode(bytes, size + 1, &read));
        cr_assert_eq(read.n, 0);
        free(values);
    }
}

static void
put(uint8_t *at, uint64_t bits)
{
    for (size_t i = 0; i < 8; i++) {
        at[i] = (uint8_t)(bits >> (8 * i));
    }
}

/* Two points, 1 of 2 rows and 5 of 3. */
Test(vln_sketch, is_not_read_where_its_parts_are_at_odds)
{
    enum { ROWS = 3, ERROR = 11, LEAST = 19, FIRST = 35, FIRST_ROWS = 43, SECOND = 51 };
    static const struct {
        size_t at;
        uint64_t bits;
    } wrong[] = {
        {ROWS, 6},
        {ROWS, 4},
        {ROWS, UINT64_C(1) << 54},
        {ERROR, 6},
        {LEAST, 0x4000000000000000}, /* 2: above the first point */
        {LEAST, 0xbff0000000000000}, /* -1: below it, though nothing is off */
        {LEAST, 0x7ff8000000000000}, /* NaN */
        {FIRST, 0x4014000000000000}, /* 5: as the second */
        {FIRST, 0x401c000000000000}, /* 7: falling */
        {FIRST, 0x7ff0000000000000}, /* infinity */
        {FIRST, 0x8000000000000000}, /* -0 */
        {FIRST_ROWS, 0},
        {FIRST_ROWS, UINT64_MAX - 2}, /* 5 together, if they may run over */
        {SECOND, 0xfff0000000000000},
    };
    const double values[] = {1, 1, 5, 5, 5};
    vln_sketch_t self = sketch_of(values, 5);
    vln_sketch_t read;
    uint8_t bytes[VLN_SKETCH_BYTES_MAX];
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        size_t size = vln_sketch_encode(&self, bytes);
        cr_assert(vln_sketch_decode(bytes, size, &read));
        put(bytes + wrong[i].at, wrong[i].bits);
        cr_expect_not(vln_sketch_decode(bytes, size, &read), "wrong[%zu]", i);
    }
    size_t size = vln_sketch_encode(&self, bytes);
    bytes[0] = 2;
    cr_expect_not(vln_sketch_decode(bytes, size, &read), "another version");
}
