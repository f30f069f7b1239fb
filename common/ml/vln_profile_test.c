#include "vln_profile.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { ROWS = 1000 };

static vln_arena_t *arena;

static void
setup(void)
{
    arena = vln_arena_new(1 << 22);
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(profile, .init = setup, .fini = teardown);

Test(profile, of_numbers_has_moments_quantiles_and_a_histogram)
{
    double values[ROWS];
    for (size_t i = 0; i < ROWS; i++) {
        values[i] = (double)((i * 7919) % ROWS) + 1;
    }
    const Valion__V1__ColumnProfile *self = vln_profile_numbers("x", values, ROWS, arena);
    cr_assert_eq(self->count, ROWS);
    cr_assert_eq(self->distinct, ROWS);
    cr_assert_eq(self->min, 1);
    cr_assert_eq(self->max, ROWS);
    cr_assert_eq(self->mean, 500.5);
    cr_assert_float_eq(self->sum_squares, ROWS * (ROWS * (double)ROWS - 1) / 12, 1e-3);
    cr_assert_eq(self->n_quantiles, 101);
    cr_assert_eq(self->quantiles[50], 500.5);
    uint64_t total = 0;
    for (size_t i = 0; i < self->n_counts; i++) {
        total += self->counts[i];
    }
    cr_assert_eq(total, ROWS);
    cr_assert_eq(self->n_counts, self->n_edges + 1);
    cr_assert_eq(values[0], 1, "the caller's values stay");
}

Test(profile, of_numbers_has_a_sketch_of_its_rows)
{
    const double values[] = {4, NAN, 2, INFINITY, 2};
    vln_sketch_t sketch;
    Valion__V1__ColumnProfile *self = vln_profile_numbers("x", values, 5, arena);
    cr_assert(vln_profile_sketch(self, &sketch));
    cr_expect(sketch.n == 3 && sketch.min == 2 && sketch.max == 4 && sketch.error == 0);
    self->count = 4;
    cr_expect_not(vln_profile_sketch(self, &sketch));
    cr_expect_eq(sketch.n, 0);
    self = vln_profile_numbers("x", values, 0, arena);
    cr_expect_not(vln_profile_sketch(self, &sketch));
}

Test(profile, counts_infinities_and_missing_values_aside)
{
    const double values[] = {1, NAN, INFINITY, 3, -INFINITY, 3};
    const Valion__V1__ColumnProfile *self = vln_profile_numbers("x", values, 6, arena);
    cr_assert_eq(self->count, 3);
    cr_assert_eq(self->missing, 1);
    cr_assert_eq(self->infinite, 2);
    cr_assert_eq(self->distinct, 2);
    cr_assert_float_eq(self->mean, 7.0 / 3, 1e-12);
}

Test(profile, of_nothing_has_no_moments)
{
    const double values[] = {NAN, NAN};
    const Valion__V1__ColumnProfile *self = vln_profile_numbers("x", values, 2, arena);
    cr_assert_eq(self->count, 0);
    cr_assert_eq(self->missing, 2);
    cr_assert_not(self->has_mean);
    cr_assert_eq(self->n_quantiles, 0);
}

Test(profile, of_a_table_knows_texts_and_a_part_of_the_rows)
{
    static const char *const words[] = {"Rome", "Oslo", "Rome", "Lima", "Rome", "Oslo"};
    vln_table_t *table = vln_table_new();
    vln_table_add(table, "city", VLN_TYPE_STRING);
    vln_table_add(table, "n", VLN_TYPE_I64);
    vln_table_set_rows(table, 7);
    for (size_t i = 0; i < 6; i++) {
        vln_column_set_text(vln_table_edit(table, 0), i, words[i], 4);
        vln_column_set_i64(vln_table_edit(table, 1), i, (int64_t)i);
    }
    const Valion__V1__Profile *self = vln_profile_make(table, 1, 6, arena);
    cr_assert_eq(self->rows, 6);
    cr_assert_eq(self->n_columns, 2);
    const Valion__V1__ColumnProfile *city = self->columns[0];
    cr_assert_eq(city->count, 5);
    cr_assert_eq(city->missing, 1);
    cr_assert_eq(city->distinct, 3);
    cr_assert_str_eq(city->top[0]->category, "Rome");
    cr_assert_eq(city->top[0]->count, 2);
    cr_assert_str_eq(city->top[1]->category, "Oslo");
    cr_assert_eq(self->columns[1]->mean, 3);
    vln_table_destroy(&table);
}
