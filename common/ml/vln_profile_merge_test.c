#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_draw.h"
#include "vln_profile.h"
#include "vln_quantile.h"
#include "vln_sample.h"
#include "vln_sketch.h"

enum { ROWS = 6000, WORDS = 300, PARTS = 7 };

static vln_arena_t *arena;
static double numbers[ROWS]; /* NAN where there is none */
static int few[ROWS];
static int words[ROWS]; /* -1 where there is none */
static char why[VLN_PROFILE_WHY];

static void
setup(void)
{
    vln_draw_t draw = vln_draw_of(5, 0);
    arena = vln_arena_new(64 << 20);
    for (size_t i = 0; i < ROWS; i++) {
        double u = vln_draw_unit(&draw);
        numbers[i] = i % 50 == 7    ? NAN
                     : i % 700 == 3 ? INFINITY
                                    : 1 / (u + 0.001) + (double)i / 100;
        few[i] = (int)vln_draw_below(&draw, 30);
        words[i] = i % 40 == 9 ? -1 : (int)(WORDS * pow(vln_draw_unit(&draw), 4));
    }
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(profile_merge, .init = setup, .fini = teardown);

/* ---- parts ---- */

static Valion__V1__Profile *
profile_of(size_t first, size_t rows)
{
    vln_table_t *table = vln_table_new();
    vln_table_add(table, "number", VLN_TYPE_F64);
    vln_table_add(table, "few", VLN_TYPE_I64);
    vln_table_add(table, "word", VLN_TYPE_STRING);
    vln_table_set_rows(table, rows);
    for (size_t i = 0; i < rows; i++) {
        char text[16];
        int size = snprintf(text, sizeof text, "w%d", words[first + i]);
        if (!isnan(numbers[first + i])) {
            vln_column_set_f64(vln_table_edit(table, 0), i, numbers[first + i]);
        }
        vln_column_set_i64(vln_table_edit(table, 1), i, few[first + i]);
        if (words[first + i] >= 0) {
            vln_column_set_text(vln_table_edit(table, 2), i, text, (size_t)size);
        }
    }
    Valion__V1__Profile *self = vln_profile_make(table, 0, rows, arena);
    vln_table_destroy(&table);
    return self;
}

/* Parts of 1, 2, 4 … rows and what is left. */
static void
make_parts(const Valion__V1__Profile **parts)
{
    size_t at = 0;
    for (size_t i = 0; i < PARTS; i++) {
        size_t rows = i == PARTS - 1 ? ROWS - at : (size_t)1 << (2 * i);
        parts[i] = profile_of(at, rows);
        at += rows;
    }
}

static Valion__V1__Profile *
merge(const Valion__V1__Profile *const *parts, size_t count)
{
    Valion__V1__Profile *merged = NULL;
    cr_assert_eq(vln_profile_merge(parts, count, arena, &merged, why), VLN_OK, "%s", why);
    return merged;
}

/* Two levels: the first three, and they with the rest. */
static Valion__V1__Profile *
merge_twice(const Valion__V1__Profile *const *parts)
{
    const Valion__V1__Profile *then[PARTS - 2] = {merge(parts, 3)};
    memcpy(then + 1, parts + 3, (PARTS - 3) * sizeof *then);
    return merge(then, PARTS - 2);
}

/* ---- what must be so ---- */

static vln_sample_t
finite_sample(void)
{
    double values[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        values[i] = isinf(numbers[i]) ? NAN : numbers[i];
    }
    return vln_sample_make(values, ROWS);
}

static void
must_be_near(double value, double right, double tolerance)
{
    cr_expect(fabs(value - right) <= tolerance * fabs(right), "%.17g is not %.17g", value, right);
}

static void
must_have_quantiles(const Valion__V1__ColumnProfile *self, const vln_sample_t *rows)
{
    double error = self->quantile_error * (double)rows->n;
    cr_assert_eq(self->n_quantiles, VLN_PROFILE_QUANTILES + 1);
    for (size_t i = 0; i < self->n_quantiles; i++) {
        double wanted = (double)i / (double)VLN_PROFILE_QUANTILES * (double)rows->n;
        double value = self->quantiles[i];
        cr_expect((double)vln_count_to(rows->sorted, rows->n, value) >= wanted - error - 1e-6);
        cr_expect((double)vln_count_below(rows->sorted, rows->n, value) <= wanted + error + 1e-6);
    }
}

static void
must_have_histogram(const Valion__V1__ColumnProfile *self, const vln_sample_t *rows)
{
    double said = 0;
    double error = self->histogram_estimated ? self->quantile_error * (double)rows->n : 0;
    cr_assert_eq(self->n_counts, self->n_edges + 1);
    for (size_t i = 0; i < self->n_edges; i++) {
        said += (double)self->counts[i];
        double right = (double)vln_count_to(rows->sorted, rows->n, self->edges[i]);
        cr_expect(fabs(said - right) <= error + 1e-6, "edge %zu: %g are not %g", i, said, right);
    }
    cr_expect_eq(said + (double)self->counts[self->n_edges], (double)rows->n);
}

static void
must_be_numbers(const Valion__V1__ColumnProfile *self, const Valion__V1__ColumnProfile *whole)
{
    vln_sample_t rows = finite_sample();
    cr_expect(self->count == whole->count && self->missing == whole->missing);
    cr_expect(self->infinite == whole->infinite && self->min == whole->min);
    cr_expect(self->max == whole->max && self->type == whole->type);
    must_be_near(self->mean, whole->mean, 1e-13);
    must_be_near(self->sum_squares, whole->sum_squares, 1e-11);
    cr_expect(self->quantile_error > 0 && self->quantile_error < 0.02);
    cr_expect(self->histogram_estimated && self->distinct_estimated);
    cr_expect(self->distinct <= whole->count && self->distinct * 2 >= whole->distinct);
    must_have_quantiles(self, &rows);
    must_have_histogram(self, &rows);
    vln_sample_end(&rows);
}

static int64_t
count_word(int word)
{
    int64_t count = 0;
    for (size_t i = 0; i < ROWS; i++) {
        count += words[i] == word;
    }
    return count;
}

static int64_t
shown_of(const Valion__V1__ColumnProfile *self, int word)
{
    char text[16];
    snprintf(text, sizeof text, "w%d", word);
    for (size_t i = 0; i < self->n_top; i++) {
        if (strcmp(self->top[i]->category, text) == 0) {
            return self->top[i]->count;
        }
    }
    return -1;
}

static void
must_be_words(const Valion__V1__ColumnProfile *self, const Valion__V1__ColumnProfile *whole)
{
    int64_t total = self->other;
    int64_t last = self->top[self->n_top - 1]->count;
    cr_expect(self->count == whole->count && self->missing == whole->missing);
    cr_assert_eq(self->n_top, VLN_PROFILE_TOP);
    cr_expect(self->top_error > 0 && self->top_error < ROWS / 20);
    cr_expect(self->distinct_estimated && self->distinct <= WORDS * PARTS);
    cr_expect(self->distinct >= (int64_t)self->n_top);
    for (size_t i = 0; i < self->n_top; i++) {
        total += self->top[i]->count;
        cr_expect(i == 0 || self->top[i]->count <= self->top[i - 1]->count);
    }
    cr_expect_eq(total, self->count);
    for (int word = 0; word < WORDS; word++) {
        int64_t right = count_word(word);
        int64_t shown = shown_of(self, word);
        cr_expect(shown <= right && right <= (shown < 0 ? last : shown) + self->top_error,
                  "word %d", word);
    }
}

static void
must_be_few(const Valion__V1__ColumnProfile *self, const Valion__V1__ColumnProfile *whole)
{
    cr_expect_eq(self->quantile_error, 0);
    cr_expect_not(self->histogram_estimated);
    cr_expect_not(self->distinct_estimated);
    cr_expect_eq(self->distinct, whole->distinct);
    cr_expect_eq(self->sketch.len, whole->sketch.len);
    cr_expect(memcmp(self->sketch.data, whole->sketch.data, whole->sketch.len) == 0);
}

static void
must_be_of_all_rows(const Valion__V1__Profile *self)
{
    const Valion__V1__Profile *whole = profile_of(0, ROWS);
    cr_expect_eq(self->rows, ROWS);
    cr_assert_eq(self->n_columns, 3);
    must_be_numbers(self->columns[0], whole->columns[0]);
    must_be_few(self->columns[1], whole->columns[1]);
    must_be_words(self->columns[2], whole->columns[2]);
    cr_expect_not(self->has_duplicate_rows);
}

/* ---- tests ---- */

Test(profile_merge, says_what_the_profile_of_all_rows_says_within_its_errors)
{
    const Valion__V1__Profile *parts[PARTS];
    make_parts(parts);
    must_be_of_all_rows(merge(parts, PARTS));
}

Test(profile_merge, of_what_was_merged_keeps_its_bounds)
{
    const Valion__V1__Profile *parts[PARTS];
    make_parts(parts);
    must_be_of_all_rows(merge_twice(parts));
}

Test(profile_merge, knows_no_order_of_its_parts)
{
    const Valion__V1__Profile *parts[PARTS];
    const Valion__V1__Profile *turned[PARTS];
    make_parts(parts);
    for (size_t i = 0; i < PARTS; i++) {
        turned[i] = parts[PARTS - 1 - i];
    }
    const Valion__V1__Profile *one = merge(parts, PARTS);
    const Valion__V1__Profile *other = merge(turned, PARTS);
    const Valion__V1__ColumnProfile *a = one->columns[0];
    const Valion__V1__ColumnProfile *b = other->columns[0];
    cr_expect(a->sketch.len == b->sketch.len &&
              memcmp(a->sketch.data, b->sketch.data, a->sketch.len) == 0);
    cr_expect(memcmp(a->counts, b->counts, a->n_counts * sizeof *a->counts) == 0);
    a = one->columns[2];
    b = other->columns[2];
    cr_expect(a->top_error == b->top_error && a->other == b->other && a->distinct == b->distinct);
    for (size_t i = 0; i < a->n_top; i++) {
        cr_expect_str_eq(a->top[i]->category, b->top[i]->category);
    }
}

Test(profile_merge, sums_histograms_of_the_same_edges)
{
    const Valion__V1__Profile *one = profile_of(0, 3000);
    const Valion__V1__Profile *twice = merge((const Valion__V1__Profile *[]){one, one}, 2);
    const Valion__V1__ColumnProfile *column = twice->columns[0];
    cr_assert_eq(column->n_counts, one->columns[0]->n_counts);
    cr_expect_not(column->histogram_estimated);
    for (size_t i = 0; i < column->n_counts; i++) {
        cr_expect_eq(column->counts[i], 2 * one->columns[0]->counts[i]);
    }
    cr_expect_eq(column->edges[3], one->columns[0]->edges[3]);
}

Test(profile_merge, counts_texts_exactly_where_none_is_lost)
{
    for (size_t i = 0; i < ROWS; i++) {
        words[i] %= 60;
    }
    const Valion__V1__Profile *parts[] = {profile_of(0, 2000), profile_of(2000, ROWS - 2000)};
    const Valion__V1__ColumnProfile *self = merge(parts, 2)->columns[2];
    cr_expect(self->top_error == 0 && self->other == 0 && !self->distinct_estimated);
    cr_expect_eq(self->distinct, 60);
    for (int word = 0; word < 60; word++) {
        cr_expect_eq(shown_of(self, word), count_word(word));
    }
}

Test(profile_merge, joins_types_and_takes_that_of_the_part_with_values)
{
    Valion__V1__Profile *one = profile_of(0, 40);
    Valion__V1__Profile *other = profile_of(40, 60);
    Valion__V1__Profile *empty = profile_of(0, 0);
    other->columns[1]->type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64;
    empty->columns[2]->type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL;
    empty->columns[0]->type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
    empty->columns[1]->missing = 5;
    const Valion__V1__Profile *all = merge((const Valion__V1__Profile *[]){empty, one, other}, 3);
    cr_expect_eq(all->columns[0]->type, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64);
    cr_expect_eq(all->columns[1]->type, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64);
    cr_expect_eq(all->columns[2]->type, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING);
    cr_expect_eq(all->columns[1]->missing, 5);
    const Valion__V1__Profile *none = merge((const Valion__V1__Profile *[]){empty, empty}, 2);
    cr_expect_eq(none->columns[0]->count, 0);
    cr_expect_eq(none->columns[0]->n_quantiles, 0);
}

Test(profile_merge, has_predictions_where_all_parts_have_them)
{
    Valion__V1__Profile *one = profile_of(0, 40);
    Valion__V1__Profile *other = profile_of(40, 60);
    const double values[] = {1, 2, 4};
    one->prediction = vln_profile_numbers("price", values, 3, arena);
    const Valion__V1__Profile *parts[] = {one, other};
    cr_expect_null(merge(parts, 2)->prediction);
    other->prediction = vln_profile_numbers("price", values, 2, arena);
    const Valion__V1__Profile *all = merge(parts, 2);
    cr_assert_not_null(all->prediction);
    cr_expect(all->prediction->count == 5 && all->prediction->mean == 2);
    cr_expect_eq(all->prediction->distinct, 3);
}

/* ---- refusals ---- */

static void
is_a_column_less(Valion__V1__Profile *self)
{
    self->n_columns--;
}

static void
has_another_name(Valion__V1__Profile *self)
{
    self->columns[0]->name = vln_arena_strdup(arena, "elsewhere");
}

static void
has_no_name(Valion__V1__Profile *self)
{
    self->columns[0]->name = NULL;
}

static void
has_texts_for_numbers(Valion__V1__Profile *self)
{
    Valion__V1__ColumnProfile *column = self->columns[0];
    self->columns[0] = self->columns[2];
    self->columns[0]->name = column->name;
    self->columns[2] = column;
    column->name = vln_arena_strdup(arena, "word");
}

static void
has_no_sketch(Valion__V1__Profile *self)
{
    self->columns[0]->sketch.len = 0;
}

static void
has_a_cut_sketch(Valion__V1__Profile *self)
{
    self->columns[0]->sketch.len--;
}

static void
has_the_sketch_of_another(Valion__V1__Profile *self)
{
    self->columns[0]->sketch = self->columns[1]->sketch;
}

static void
has_a_negative_count(Valion__V1__Profile *self)
{
    self->columns[0]->missing = -1;
}

static void
has_too_many_rows(Valion__V1__Profile *self)
{
    self->rows = INT64_MAX;
}

static void
has_texts_without_rows(Valion__V1__Profile *self)
{
    self->columns[2]->other++;
}

static void
has_a_text_without_name(Valion__V1__Profile *self)
{
    self->columns[2]->top[0]->category = NULL;
}

static void
has_too_large_an_error(Valion__V1__Profile *self)
{
    self->columns[2]->top_error = self->columns[2]->other + 1;
}

Test(profile_merge, is_refused_with_a_sentence_where_parts_do_not_fit)
{
    static const struct {
        void (*spoil)(Valion__V1__Profile *self);
        const char *says;
    } cases[] = {
        {is_a_column_less, "columns"},
        {has_another_name, "'number' is not in part 2"},
        {has_no_name, "'number' is not in part 2"},
        {has_texts_for_numbers, "texts in one part"},
        {has_no_sketch, "no sketch"},
        {has_a_cut_sketch, "none of its rows"},
        {has_the_sketch_of_another, "none of its rows"},
        {has_a_negative_count, "at odds"},
        {has_too_many_rows, "part 2 has"},
        {has_texts_without_rows, "at odds"},
        {has_a_text_without_name, "at odds"},
        {has_too_large_an_error, "at odds"},
    };
    const Valion__V1__Profile *good = profile_of(0, 100);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        Valion__V1__Profile *bad = profile_of(100, 100);
        Valion__V1__Profile *out = bad;
        cases[i].spoil(bad);
        cr_expect_eq(
            vln_profile_merge((const Valion__V1__Profile *[]){good, bad}, 2, arena, &out, why),
            VLN_INVALID_ARGUMENT, "case %zu", i);
        cr_expect_null(out);
        cr_expect(strstr(why, cases[i].says), "case %zu: %s", i, why);
    }
}

/* What a numbers' column without values says of texts is of no account. */
Test(profile_merge, looks_at_no_texts_of_a_column_without_values)
{
    Valion__V1__Profile *empty = profile_of(0, 0);
    const Valion__V1__Profile *good = profile_of(0, 100);
    Valion__V1__CategoryCount nameless = VALION__V1__CATEGORY_COUNT__INIT;
    Valion__V1__CategoryCount *list[] = {&nameless};
    empty->columns[2]->type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL;
    empty->columns[2]->top = list;
    empty->columns[2]->n_top = 1;
    const Valion__V1__Profile *all = merge((const Valion__V1__Profile *[]){good, empty}, 2);
    cr_expect_eq(all->columns[2]->count, good->columns[2]->count);
}
