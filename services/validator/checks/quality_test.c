/* What data_quality tells besides the original's three, and judges where the policy says so. */
#include "check.h"
#include "check_test_support.h"

static vln_arena_t *arena;
static vln_table_t *table;
static vln_table_t *reference;
static support_spec_t spec;
static check_context_t context;

static void
setup(void)
{
    static const char *const then[] = {"a", "b"};
    static const char *const now[] = {"a", "b", "c", NULL, "d"};
    static const char *const same[] = {"x", NULL};
    double numbers[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
    double wider[] = {0, 2, 3, 4, 5, 6, 7, 8, NAN, 11};
    double sevens[] = {7, 7, 7, 7, 7, 7, 7, 7, NAN, 7};
    arena = vln_arena_new(16 << 20);
    table = vln_table_new();
    reference = vln_table_new();
    memset(&spec, 0, sizeof spec);
    context = (check_context_t){.arena = arena, .table = table};
    vln_table_set_rows(table, 10);
    vln_table_set_rows(reference, 10);
    support_column(reference, "numbers", numbers);
    support_column(table, "numbers", wider);
    support_texts(reference, "texts", then, 2);
    support_texts(table, "texts", now, 5);
    support_column(table, "sevens", sevens);
    support_texts(table, "same", same, 2);
    vln_column_t *column = vln_table_edit(table, 0);
    column->mixed = 2;
    context.reference.table = reference;
    support_begin(&spec, "data_quality");
    support_threshold(&spec, "missing_threshold", 1);
    support_threshold(&spec, "outlier_threshold", 1);
}

static void
teardown(void)
{
    vln_table_destroy(&table);
    vln_table_destroy(&reference);
    vln_arena_destroy(&arena);
}

TestSuite(quality, .init = setup, .fini = teardown);

static const Valion__V1__ColumnResult *
find(const Valion__V1__CheckResult *result, const char *name)
{
    for (size_t i = 0; i < result->n_columns; i++) {
        if (strcmp(result->columns[i]->column, name) == 0) {
            return result->columns[i];
        }
    }
    cr_assert_fail("there is no column '%s'", name);
    return NULL;
}

Test(quality, all_is_told_and_nothing_of_it_decides_unasked)
{
    const Valion__V1__CheckResult *result = check_run(&context, &spec.spec);
    cr_expect_eq(result->status, CHECK_PASS, "%s", result->sentence);
    support_near("missing", support_number(result, "column_missing_ratio"), 0.5, 0);
    support_near("constant", support_number(result, "constant_columns"), 2, 0);
    support_near("mixed", support_number(result, "mixed_cells"), 2, 0);
    support_near("mixed share", support_number(result, "mixed_ratio"), 0.05, 1e-15);
    support_near("new", support_number(result, "new_category_cells"), 4, 0);
    support_near("new share", support_number(result, "new_category_ratio"), 0.4, 1e-15);
    support_near("outside", support_number(result, "out_of_range_cells"), 2, 0);
    support_near("outside share", support_number(result, "out_of_range_ratio"), 0.2, 1e-15);
    support_near("compared", support_number(result, "compared_columns"), 2, 0);
    const Valion__V1__ColumnResult *texts = find(result, "texts");
    cr_assert_eq(texts->n_new_categories, 2);
    cr_expect_str_eq(texts->new_categories[1], "d");
    cr_expect_str_eq(find(result, "sevens")->note, "all values are equal");
    cr_expect_str_eq(find(result, "same")->note, "all values are equal");
    support_near("missing of one", find(result, "same")->missing_current, 0.5, 0);
}

Test(quality, each_decides_where_the_policy_says_so)
{
    static const struct {
        const char *threshold;
        double value;
    } rows[] = {{"column_missing_threshold", 0.5},
                {"constant_threshold", 2},
                {"mixed_threshold", 0.05},
                {"new_category_threshold", 0.4},
                {"out_of_range_threshold", 0.2}};
    size_t before = spec.spec.n_thresholds;
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        spec.spec.n_thresholds = before;
        support_threshold(&spec, rows[i].threshold, rows[i].value);
        cr_expect_eq(check_run(&context, &spec.spec)->status, CHECK_PASS, "%s", rows[i].threshold);
        spec.spec.n_thresholds = before;
        support_threshold(&spec, rows[i].threshold, rows[i].value * 0.9);
        const Valion__V1__CheckResult *result = check_run(&context, &spec.spec);
        cr_expect_eq(result->status, CHECK_WARN, "%s", rows[i].threshold);
    }
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        if (i < VLN_COUNT(rows) - 1) {
            support_threshold(&spec, rows[i].threshold, 0);
        }
    }
    const Valion__V1__CheckResult *result = check_run(&context, &spec.spec);
    cr_expect_eq(result->status, CHECK_FAIL);
    cr_expect(strstr(result->sentence, "5 issues in 10 rows"), "%s", result->sentence);
}

Test(quality, a_profile_is_a_reference_too)
{
    Valion__V1__CategoryCount count = VALION__V1__CATEGORY_COUNT__INIT;
    Valion__V1__CategoryCount *top[] = {&count};
    Valion__V1__ColumnProfile columns[2] = {VALION__V1__COLUMN_PROFILE__INIT,
                                            VALION__V1__COLUMN_PROFILE__INIT};
    Valion__V1__ColumnProfile *list[] = {&columns[0], &columns[1]};
    Valion__V1__Profile profile = VALION__V1__PROFILE__INIT;
    columns[0].name = (char[]){"numbers"};
    columns[0].type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64;
    columns[0].has_min = columns[0].has_max = 1;
    columns[0].min = 2;
    columns[0].max = 10;
    columns[1].name = (char[]){"texts"};
    columns[1].type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
    count.category = (char[]){"a"};
    count.count = 10;
    columns[1].top = top;
    columns[1].n_top = 1;
    profile.columns = list;
    profile.n_columns = 2;
    context.reference = (check_reference_t){.profile = &profile};
    const Valion__V1__CheckResult *result = check_run(&context, &spec.spec);
    support_near("outside", support_number(result, "out_of_range_cells"), 2, 0);
    support_near("new", support_number(result, "new_category_cells"), 6, 0);
    columns[1].other = 1; /* "b" may be among the others */
    result = check_run(&context, &spec.spec);
    support_near("new", support_number(result, "new_category_cells"), 0, 0);
    support_near("compared", support_number(result, "compared_columns"), 1, 0);
}
