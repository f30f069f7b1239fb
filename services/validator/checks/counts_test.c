#include "counts.h"

#include "check_test_support.h"

static vln_arena_t *arena;
static vln_table_t *table;

static void
setup(void)
{
    arena = vln_arena_new(1 << 20);
    table = vln_table_new();
}

static void
teardown(void)
{
    vln_table_destroy(&table);
    vln_arena_destroy(&arena);
}

TestSuite(counts, .init = setup, .fini = teardown);

Test(counts, align_texts_by_what_they_say)
{
    static const char *const then[] = {"a", "b", "a"};
    static const char *const now[] = {"b", "c", NULL};
    vln_table_set_rows(table, 30);
    support_texts(table, "then", then, 3);
    support_texts(table, "now", now, 3);
    counts_t counts =
        counts_of_texts(vln_table_at(table, 0), 30, vln_table_at(table, 1), 30, arena);
    static const uint64_t reference[] = {20, 10, 0, 0};
    static const uint64_t current[] = {0, 10, 10, 10};
    cr_assert_eq(counts.count, 4); /* a, b, c, missing */
    cr_expect_arr_eq(counts.reference, reference, sizeof reference);
    cr_expect_arr_eq(counts.current, current, sizeof current);
    cr_assert_eq(counts.new_count, 1);
    cr_expect_str_eq(counts.new_texts[0], "c");
}

static void
add_top(Valion__V1__ColumnProfile *profile, const char *text, int64_t count)
{
    Valion__V1__CategoryCount *entry = vln_arena_alloc(arena, sizeof *entry);
    valion__v1__category_count__init(entry);
    entry->category = (char *)(uintptr_t)text;
    entry->count = count;
    if (!profile->top) {
        profile->top = vln_arena_alloc(arena, 4 * sizeof(void *));
    }
    profile->top[profile->n_top++] = entry;
}

Test(counts, put_what_a_profile_does_not_name_with_its_others)
{
    static const char *const now[] = {"a", "b", "c"};
    Valion__V1__ColumnProfile profile = VALION__V1__COLUMN_PROFILE__INIT;
    vln_table_set_rows(table, 9);
    support_texts(table, "now", now, 3);
    add_top(&profile, "a", 5);
    add_top(&profile, "b", 4);
    profile.other = 2;
    counts_t counts = counts_of_top(&profile, vln_table_at(table, 0), 9, arena);
    cr_assert_eq(counts.count, 3);
    cr_expect_eq(counts.reference[2], 2);
    cr_expect_eq(counts.current[2], 3);
    cr_expect_eq(counts.new_count, 0); /* it may be one of the others */
    profile.other = 0;
    counts = counts_of_top(&profile, vln_table_at(table, 0), 9, arena);
    cr_expect_eq(counts.new_count, 1);
}

Test(counts, fill_the_bins_of_a_profile)
{
    double edges[] = {1, 2};
    uint64_t then[] = {5, 5, 5};
    double values[] = {0.5, 1, 1.5, 2, 2.5, NAN};
    Valion__V1__ColumnProfile profile = VALION__V1__COLUMN_PROFILE__INIT;
    profile.edges = edges;
    profile.n_edges = 2;
    profile.counts = then;
    profile.n_counts = 3;
    vln_sample_t sample = vln_sample_make(values, 6);
    counts_t counts;
    static const uint64_t current[] = {2, 2, 1, 1};
    cr_assert(counts_of_bins(&profile, &sample, arena, &counts));
    cr_assert_eq(counts.count, 4);
    cr_expect_arr_eq(counts.current, current, sizeof current);
    edges[1] = 1;
    cr_expect_not(counts_of_bins(&profile, &sample, arena, &counts));
    edges[1] = NAN;
    cr_expect_not(counts_of_bins(&profile, &sample, arena, &counts));
    profile.n_counts = 2;
    cr_expect_not(counts_of_bins(&profile, &sample, arena, &counts));
    vln_sample_end(&sample);
}
