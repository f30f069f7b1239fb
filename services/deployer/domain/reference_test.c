#include "reference.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ARENA = 64 * 1024 * 1024, MANY = 2000 };

static vln_arena_t *arena;
static Valion__V1__Profile profile;
static Valion__V1__Signature signature;

static void
open_all(void)
{
    arena = vln_arena_new(ARENA);
    valion__v1__profile__init(&profile);
    valion__v1__signature__init(&signature);
    profile.columns = vln_arena_alloc(arena, MANY * sizeof(void *));
    signature.inputs = vln_arena_alloc(arena, MANY * sizeof(void *));
}

static void
close_all(void)
{
    vln_arena_destroy(&arena);
}

/* For each row of a table. */
static void
begin_anew(void)
{
    close_all();
    open_all();
}

TestSuite(reference, .init = open_all, .fini = close_all);

static Valion__V1__ColumnProfile *
make_column(const char *name, size_t edges)
{
    Valion__V1__ColumnProfile *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__column_profile__init(out);
    out->name = vln_arena_strdup(arena, name);
    out->has_count = out->has_mean = out->has_sum_squares = 1;
    out->count = 1000;
    out->edges = vln_arena_alloc(arena, (edges + 1) * sizeof(double));
    out->counts = vln_arena_alloc(arena, (edges + 1) * sizeof(uint64_t));
    out->n_quantiles = 101;
    out->quantiles = vln_arena_alloc(arena, 101 * sizeof(double));
    for (size_t i = 0; i < edges; i++) {
        out->edges[out->n_edges++] = (double)i;
    }
    for (size_t i = 0; i < edges + 1 && edges > 0; i++) {
        out->counts[out->n_counts++] = 10;
    }
    return out;
}

static void
add_category(Valion__V1__ColumnProfile *column, const char *name, int64_t count)
{
    if (!column->top) {
        column->top = vln_arena_alloc(arena, MANY * sizeof(void *));
    }
    Valion__V1__CategoryCount *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__category_count__init(out);
    out->category = vln_arena_strdup(arena, name);
    out->has_count = 1;
    out->count = count;
    column->top[column->n_top++] = out;
}

static void
add_input(const char *name)
{
    Valion__V1__Column *input = vln_arena_alloc(arena, sizeof *input);
    valion__v1__column__init(input);
    input->name = vln_arena_strdup(arena, name);
    signature.inputs[signature.n_inputs++] = input;
}

static void
add_column(const char *name, size_t edges)
{
    profile.columns[profile.n_columns++] = make_column(name, edges);
}

static Valion__V1__Profile *
read_back(void)
{
    size_t size = valion__v1__profile__get_packed_size(&profile);
    uint8_t *bytes = vln_arena_alloc(arena, size + 1);
    valion__v1__profile__pack(&profile, bytes);
    return reference_read(bytes, size, &signature, arena);
}

Test(reference, keeps_the_inputs_in_their_order_and_the_prediction)
{
    Valion__V1__WantedInstance wanted = VALION__V1__WANTED_INSTANCE__INIT;
    add_column("rooms", 3);
    add_column("price", 3);
    add_column("area", 19);
    profile.prediction = make_column("price", 4);
    add_input("area");
    add_input("garden");
    add_input("rooms");
    Valion__V1__Profile *found = read_back();
    cr_assert_not_null(found);
    cr_assert_eq(found->n_columns, 2);
    cr_assert_str_eq(found->columns[0]->name, "area");
    cr_assert_str_eq(found->columns[1]->name, "rooms");
    cr_assert_eq(found->columns[0]->n_quantiles, 0);
    cr_assert_eq(reference_find(found, ""), found->prediction);
    cr_assert_null(reference_find(found, "price"));
    reference_make_bins(found, &wanted, arena);
    cr_assert_eq(wanted.n_bins, 3);
    cr_assert_str_eq(wanted.bins[0]->column, "");
    cr_assert_eq(wanted.bins[0]->n_edges, 4);
    cr_assert_str_eq(wanted.bins[1]->column, "area");
    cr_assert_eq(wanted.bins[1]->n_edges, 19);
}

Test(reference, counts_the_categories_it_does_not_keep_as_others)
{
    char name[REFERENCE_CATEGORY_BYTES + 8];
    Valion__V1__ColumnProfile *column = make_column("town", 0);
    profile.columns[profile.n_columns++] = column;
    memset(name, 'x', sizeof name);
    name[sizeof name - 1] = '\0';
    add_category(column, name, 7);
    for (int i = 0; i < REFERENCE_CATEGORIES_MAX + 1; i++) {
        snprintf(name, sizeof name, "town%d", i);
        add_category(column, name, 2);
    }
    column->has_other = 1;
    column->other = 5;
    add_input("town");
    Valion__V1__Profile *found = read_back();
    cr_assert_eq(found->n_columns, 1);
    cr_assert_eq(found->columns[0]->n_top, REFERENCE_CATEGORIES_MAX);
    cr_assert_eq(found->columns[0]->other, 5 + 7 + 2);
}

Test(reference, joins_bins_until_they_are_few_enough)
{
    static const size_t edges[] = {65, 66, 127, 128, 129, 1000};
    for (size_t i = 0; i < sizeof edges / sizeof edges[0]; i++) {
        begin_anew();
        add_column("area", edges[i]);
        add_input("area");
        const Valion__V1__ColumnProfile *column = read_back()->columns[0];
        uint64_t sum = 0;
        cr_assert_leq(column->n_edges, REFERENCE_EDGES_MAX);
        cr_assert_eq(column->n_counts, column->n_edges + 1);
        for (size_t at = 0; at < column->n_counts; at++) {
            sum += column->counts[at];
        }
        cr_assert_eq(sum, 10 * (edges[i] + 1), "%zu edges", edges[i]);
    }
}

Test(reference, leaves_out_what_nothing_can_be_counted_by)
{
    add_column("constant", 0);
    add_column("falling", 2);
    profile.columns[1]->edges[1] = -1;
    add_column("infinite", 2);
    profile.columns[2]->edges[1] = (double)INFINITY;
    add_column("short", 3);
    profile.columns[3]->n_counts = 2;
    add_input("constant");
    add_input("falling");
    add_input("infinite");
    add_input("short");
    cr_assert_eq(read_back()->n_columns, 0);
}

Test(reference, keeps_as_many_columns_as_a_record_holds)
{
    Valion__V1__WantedInstance wanted = VALION__V1__WANTED_INSTANCE__INIT;
    for (int i = 0; i < MANY; i++) {
        char name[32];
        snprintf(name, sizeof name, "column%d", i);
        add_column(name, 19);
        add_input(name);
    }
    Valion__V1__Profile *found = read_back();
    cr_assert_eq(found->n_columns, REFERENCE_COLUMNS_MAX);
    reference_make_bins(found, &wanted, arena);
    cr_assert_leq(valion__v1__wanted_instance__get_packed_size(&wanted), REFERENCE_BYTES_MAX);
    cr_assert_leq(valion__v1__profile__get_packed_size(found), 2 * REFERENCE_BYTES_MAX);
}

Test(reference, keeps_fewer_columns_of_many_categories)
{
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "column%d", i);
        Valion__V1__ColumnProfile *column = make_column(name, 0);
        for (int at = 0; at < REFERENCE_CATEGORIES_MAX; at++) {
            char category[32];
            snprintf(category, sizeof category, "c%d", at);
            add_category(column, category, 1);
        }
        profile.columns[profile.n_columns++] = column;
        add_input(name);
    }
    Valion__V1__Profile *found = read_back();
    cr_assert_gt(found->n_columns, 10);
    cr_assert_leq(found->n_columns * (3 * REFERENCE_CATEGORIES_MAX + 12), REFERENCE_COST_MAX);
}

Test(reference, is_none_of_bytes_that_are_no_profile)
{
    static const uint8_t cut[] = {0x12, 0x7f, 0x01};
    static const uint8_t group[] = {0x13};
    static const uint8_t endless[] = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    static const uint8_t column[] = {0x12, 0x02, 0x0a, 0x7f};
    cr_assert_null(reference_read(cut, sizeof cut, &signature, arena));
    cr_assert_null(reference_read(group, sizeof group, &signature, arena));
    cr_assert_null(reference_read(endless, sizeof endless, &signature, arena));
    cr_assert_null(reference_read(column, sizeof column, &signature, arena));
    cr_assert_not_null(reference_read(cut, 0, &signature, arena), "nothing is an empty profile");
}

Test(reference, is_none_of_bytes_that_grow_beyond_the_arena)
{
    enum { EMPTY = 1024 * 1024 };
    uint8_t *bytes = vln_calloc(EMPTY, 2);
    vln_arena_t *small = vln_arena_new(1024 * 1024);
    bytes[0] = 0x12; /* one column, of a million empty categories */
    bytes[1] = 0x80;
    bytes[2] = 0x80;
    bytes[3] = 0x40;
    for (size_t at = 4; at + 1 < 2 * EMPTY; at += 2) {
        bytes[at] = 0x7a;
    }
    cr_assert_null(reference_read(bytes, 4 + EMPTY, &signature, small));
    vln_arena_destroy(&small);
    free(bytes);
}
