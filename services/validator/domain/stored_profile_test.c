#include "stored_profile.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_profile.h"

static vln_arena_t *arena;

static void
setup(void)
{
    arena = vln_arena_new(1 << 20);
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(stored_profile, .init = setup, .fini = teardown);

Test(stored_profile, is_read_back)
{
    vln_table_t *table = vln_table_new();
    vln_table_set_rows(table, 50);
    vln_column_t *column = vln_table_add(table, "x", VLN_TYPE_I64);
    for (size_t row = 0; row < 50; row++) {
        vln_column_set_i64(column, row, (int64_t)row);
    }
    Valion__V1__Profile *made = vln_profile_make(table, 0, 50, arena);
    size_t size = valion__v1__profile__get_packed_size(made);
    uint8_t *bytes = vln_arena_alloc(arena, size);
    valion__v1__profile__pack(made, bytes);
    const Valion__V1__Profile *read = stored_profile_read(bytes, size, arena);
    cr_assert(read);
    cr_expect_eq(read->n_columns, 1);
    cr_expect_eq(read->columns[0]->n_counts, made->columns[0]->n_counts);
    for (size_t cut = 1; cut < size; cut++) { /* whatever is cut off, nothing breaks */
        vln_arena_t *small = vln_arena_new(1 << 16);
        stored_profile_read(bytes, cut, small);
        vln_arena_destroy(&small);
    }
    vln_table_destroy(&table);
}

Test(stored_profile, of_the_widest_table_of_numbers_is_kept_and_read)
{
    enum { ROWS = 300 }; /* more values than a sketch keeps one by one */
    vln_table_t *table = vln_table_new();
    vln_arena_t *room = vln_arena_new(STORED_PROFILE_BUDGET);
    vln_table_set_rows(table, ROWS);
    for (size_t i = 0; i < VLN_PROFILE_COLUMNS_MAX; i++) {
        char name[16];
        snprintf(name, sizeof name, "column%zu", i);
        vln_column_t *column = vln_table_add(table, name, VLN_TYPE_F64);
        for (size_t row = 0; row < ROWS; row++) {
            vln_column_set_f64(column, row, (double)(row * row + i) / 7);
        }
    }
    const Valion__V1__Profile *made = vln_profile_make(table, 0, ROWS, room);
    size_t size = valion__v1__profile__get_packed_size(made);
    cr_expect_leq(size, VLN_PROFILE_BYTES_MAX);
    uint8_t *bytes = vln_arena_alloc(room, size);
    valion__v1__profile__pack(made, bytes);
    vln_arena_t *small = vln_arena_new(STORED_PROFILE_BUDGET);
    const Valion__V1__Profile *read = stored_profile_read(bytes, size, small);
    cr_assert(read);
    cr_expect_eq(read->n_columns, VLN_PROFILE_COLUMNS_MAX);
    vln_arena_destroy(&small);
    vln_arena_destroy(&room);
    vln_table_destroy(&table);
}

Test(stored_profile, is_refused_where_it_would_grow_beyond_its_bounds)
{
    uint8_t predictions[] = {0x32, 0, 0x32, 0};
    cr_expect_null(stored_profile_read(predictions, 4, arena));
    cr_expect(stored_profile_read(predictions, 2, arena));
    uint8_t *columns = vln_calloc(4002, 1);
    for (size_t i = 0; i < 4002; i += 2) {
        columns[i] = 0x12;
    }
    cr_expect_null(stored_profile_read(columns, 4002, arena)); /* 2001 of them */
    vln_arena_t *small = vln_arena_new(4096);
    cr_expect_null(stored_profile_read(columns, 4000, small)); /* and more than its budget */
    vln_arena_destroy(&small);
    free(columns);
    uint8_t junk[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    cr_expect_null(stored_profile_read(junk, sizeof junk, arena));
}
