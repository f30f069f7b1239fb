/* The methods of data_drift, each on the golden vectors, and what is no column of the data. */
#include "vln_profile.h"

#include "check.h"
#include "check_test_support.h"

enum { ROWS = 2000 };

static vln_arena_t *arena;
static vln_table_t *table;
static vln_table_t *reference;
static support_spec_t spec;
static check_context_t context;
static Valion__V1__KeyValue pairs[2];
static Valion__V1__KeyValue *pair_list[] = {&pairs[0], &pairs[1]};

static void
setup(void)
{
    arena = vln_arena_new(64 << 20);
    table = vln_table_new();
    reference = vln_table_new();
    memset(&spec, 0, sizeof spec);
    context = (check_context_t){.arena = arena, .table = table, .seed = 42};
    context.reference.table = reference;
    support_begin(&spec, "data_drift");
}

static void
teardown(void)
{
    vln_table_destroy(&table);
    vln_table_destroy(&reference);
    vln_arena_destroy(&arena);
}

TestSuite(drift, .init = setup, .fini = teardown);

static void
parameter(const char *key, const char *value)
{
    size_t at = spec.spec.n_parameters++;
    cr_assert_lt(at, VLN_COUNT(pairs));
    valion__v1__key_value__init(&pairs[at]);
    pairs[at].key = (char *)(uintptr_t)key;
    pairs[at].value = (char *)(uintptr_t)value;
    spec.spec.parameters = pair_list;
}

static void
forget_parameters(void)
{
    spec.spec.n_parameters = 0;
}

static void
rows(size_t then, size_t now)
{
    vln_table_set_rows(reference, then);
    vln_table_set_rows(table, now);
}

/* `n` values, times `factor` and moved by `shift`. */
static void
add(vln_table_t *to, const char *name, uint32_t seed, double factor, double shift)
{
    double *values = support_numbers(seed, vln_table_rows(to), factor, shift);
    support_column(to, name, values);
    free(values);
}

/* G and H of the golden vectors. */
static void
golden(void)
{
    rows(1000, 800);
    add(reference, "x", 7, 1, 0);
    add(table, "x", 8, 1, 0.15);
}

static const Valion__V1__ColumnResult *
find(const Valion__V1__CheckResult *result, const char *name, const char *method)
{
    for (size_t i = 0; i < result->n_columns; i++) {
        const Valion__V1__ColumnResult *column = result->columns[i];
        if (strcmp(column->column, name) == 0 &&
            (!method || (column->method && strcmp(column->method, method) == 0))) {
            return column;
        }
    }
    return NULL;
}

static const Valion__V1__CheckResult *
run(void)
{
    const Valion__V1__CheckResult *result = check_run(&context, &spec.spec);
    cr_expect(result->sentence && strlen(result->sentence) <= CHECK_SENTENCE_MAX);
    return result;
}

/* ---- methods ---- */

typedef struct method_row {
    const char *method;
    const char *bins;
    const char *name;
    double statistic;
    bool drifted;
} method_row_t;

Test(drift, each_method_gives_its_golden_value)
{
    static const method_row_t methods[] = {
        {"auto", NULL, "ks", 0.11475, true},
        {"original", NULL, "ks", 0.11475, true},
        {"ks", NULL, "ks", 0.11475, true},
        {"evidently", NULL, "ks", 0.11475, true},
        {"psi", NULL, "psi", 0.083620109797601677, false},
        {"psi", "equal_width", "psi", 0.087744641777171645, false},
        {"psi", "evidently", "psi", 0.093946088542253378, false},
        {"wasserstein", NULL, "wasserstein", 0.28517836997078055, true},
    };
    golden();
    for (size_t i = 0; i < VLN_COUNT(methods); i++) {
        forget_parameters();
        parameter("method", methods[i].method);
        if (methods[i].bins) {
            parameter("psi_bins", methods[i].bins);
        }
        const Valion__V1__ColumnResult *column = run()->columns[0];
        cr_assert(column->method, "%s: %s", methods[i].method, column->note);
        cr_expect_str_eq(column->method, methods[i].name);
        support_near(methods[i].method, column->statistic, methods[i].statistic, 1e-11);
        cr_expect_eq(column->status, methods[i].drifted ? CHECK_FAIL : CHECK_PASS, "%s",
                     methods[i].method);
    }
}

Test(drift, what_means_nothing_is_told)
{
    golden();
    parameter("method", "magic");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_INCONCLUSIVE);
    cr_expect(strstr(result->error, "'magic'"));
    forget_parameters();
    parameter("psi_bins", "many");
    spec.spec.blocking = 1;
    cr_expect_eq(run()->status, CHECK_FAIL);
}

Test(drift, a_change_that_is_certain_and_small_is_none_by_auto_alone)
{
    rows(20000, 20000);
    add(reference, "x", 3, 1, 0);
    add(table, "x", 4, 1, 0.04);
    const Valion__V1__ColumnResult *column = run()->columns[0];
    cr_expect(column->p_value < 1e-4 && column->effect < 0.1);
    cr_expect_eq(column->status, CHECK_PASS);
    support_threshold(&spec, "effect_threshold", 0.01);
    cr_expect_eq(run()->columns[0]->status, CHECK_FAIL);
    spec.spec.n_thresholds = 0;
    parameter("method", "original");
    cr_expect_eq(run()->columns[0]->status, CHECK_FAIL);
}

/* Two texts, the second of `hits` of the rows. */
static void
add_texts(vln_table_t *to, const char *name, size_t hits)
{
    vln_column_t *column = vln_table_add(to, name, VLN_TYPE_STRING);
    for (size_t row = 0; row < vln_table_rows(to); row++) {
        vln_column_set_text(column, row, row < hits ? "b" : "a", 1);
    }
}

Test(drift, evidently_goes_by_the_number_of_rows)
{
    rows(1000, 250);
    add_texts(reference, "t", 300);
    add_texts(table, "t", 90);
    parameter("method", "evidently");
    const Valion__V1__ColumnResult *column = run()->columns[0];
    cr_expect_str_eq(column->method, "z");
    support_near("z", fabs(column->statistic), 1.8314485893956411, 1e-12);
    support_near("p", column->p_value, 0.067033614540973785, 1e-12);
    cr_expect_eq(column->status, CHECK_PASS);
    vln_table_t *larger = vln_table_new();
    vln_table_set_rows(larger, ROWS);
    add_texts(larger, "t", 300);
    context.reference.table = larger;
    column = run()->columns[0];
    cr_expect_str_eq(column->method, "jensen_shannon");
    cr_expect_eq(column->status, CHECK_FAIL);
    vln_table_destroy(&larger);
}

Test(drift, rare_texts_have_an_exact_p)
{
    rows(500, 400);
    add_texts(reference, "t", 0);
    add_texts(table, "t", 4);
    const Valion__V1__ColumnResult *column = run()->columns[0];
    cr_expect_str_eq(column->method, "chi2");
    support_near("p", column->p_value, 0.03869327455382693, 1e-12);
    cr_expect(strstr(column->note, "exact"));
    cr_assert_eq(column->n_new_categories, 1);
    cr_expect_str_eq(column->new_categories[0], "b");
}

Test(drift, the_original_looks_at_numbers_and_at_nothing_else)
{
    vln_sandbox_result_t answers = {.rows = 0, .width = 1};
    rows(1000, 800);
    add(reference, "x", 7, 1, 0);
    add(table, "x", 8, 1, 0.15);
    add(reference, "y", 9, 1, 0);
    add(table, "y", 10, 1, 5);
    add_texts(reference, "t", 10);
    add_texts(table, "t", 700);
    context.target = "y";
    context.answers = context.reference_answers = &answers;
    parameter("method", "original");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->columns_tested, 1);
    cr_expect_not(find(result, "y", NULL));
    cr_expect_eq(find(result, "t", NULL)->status, CHECK_INCONCLUSIVE);
    const Valion__V1__ColumnResult *column = find(result, "x", "ks");
    support_near("psi", column->effect, 0.087744641777171645, 1e-12);
    support_near("p", column->p_adjusted, column->p_value, 0);
}

/* ---- missing values, target, predictions ---- */

static void
add_gaps(vln_table_t *to, const char *name, uint32_t seed, size_t every)
{
    double *values = support_numbers(seed, vln_table_rows(to), 1, 0);
    for (size_t i = 0; every > 0 && i < vln_table_rows(to); i += every) {
        values[i] = NAN;
    }
    support_column(to, name, values);
    free(values);
}

Test(drift, what_goes_missing_is_drift)
{
    rows(ROWS, ROWS);
    add_gaps(reference, "x", 11, 0);
    add_gaps(table, "x", 12, 10);
    const Valion__V1__CheckResult *result = run();
    const Valion__V1__ColumnResult *values = find(result, "x", "ks");
    const Valion__V1__ColumnResult *missing = find(result, "x", "missing");
    cr_assert(values && missing);
    cr_expect_eq(values->status, CHECK_PASS);
    cr_expect_eq(missing->status, CHECK_FAIL);
    support_near("share", missing->missing_current, 0.1, 1e-12);
    /* 0 of 2000 and 200 of 2000: the pooled z */
    support_near("z", missing->statistic, -14.509525002200233, 1e-12);
    cr_expect_eq(result->columns_tested, 1);
    cr_expect_eq(result->columns_flagged, 1);
}

Test(drift, target_and_predictions_are_columns_of_their_own)
{
    float *then = vln_calloc(ROWS, sizeof *then);
    float *now = vln_calloc(ROWS, sizeof *now);
    double *values = support_numbers(15, ROWS, 1, 0);
    for (size_t i = 0; i < ROWS; i++) {
        then[i] = (float)values[i];
        now[i] = (float)(values[i] + 1);
    }
    vln_sandbox_result_t before = {.rows = ROWS, .width = 1, .values = then};
    vln_sandbox_result_t after = {.rows = ROWS, .width = 1, .values = now};
    rows(ROWS, ROWS);
    add(reference, "x", 13, 1, 0);
    add(table, "x", 14, 1, 0);
    add(reference, "y", 17, 1, 0);
    add(table, "y", 18, 2, 0);
    context.target = "y";
    context.answers = &after;
    context.reference_answers = &before;
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->columns_tested, 3);
    cr_expect_eq(find(result, "x", "ks")->status, CHECK_PASS);
    cr_expect_eq(find(result, "y", "ks")->status, CHECK_FAIL);
    cr_expect_eq(find(result, "(prediction)", "ks")->status, CHECK_FAIL);
    free(then);
    free(now);
    free(values);
}

Test(drift, predicted_classes_are_counted)
{
    enum { CLASSES = 3 };
    float *then = vln_calloc(ROWS * CLASSES, sizeof *then);
    float *now = vln_calloc(ROWS * CLASSES, sizeof *now);
    for (size_t i = 0; i < ROWS; i++) {
        then[i * CLASSES + i % CLASSES] = 1;
        now[i * CLASSES + (i % 7 < 4 ? 0 : i % CLASSES)] = 1;
    }
    now[0] = NAN;
    vln_sandbox_result_t before = {.rows = ROWS, .width = CLASSES, .values = then};
    vln_sandbox_result_t after = {.rows = ROWS, .width = CLASSES, .values = now};
    rows(ROWS, ROWS);
    add(reference, "x", 13, 1, 0);
    add(table, "x", 14, 1, 0);
    context.answers = &after;
    context.reference_answers = &before;
    const Valion__V1__ColumnResult *column = find(run(), "(prediction)", "chi2");
    cr_assert(column);
    cr_expect_eq(column->status, CHECK_FAIL);
    cr_expect_eq(column->n_current, ROWS - 1);
    free(then);
    free(now);
}

/* ---- a profile instead of rows ---- */

Test(drift, ks_of_a_stored_sketch_is_near_that_of_the_rows_and_no_bolder)
{
    golden();
    parameter("method", "ks");
    const Valion__V1__ColumnResult *of_rows = find(run(), "x", "ks");
    cr_assert(of_rows);
    context.reference = (check_reference_t){.profile = vln_profile_make(reference, 0, 1000, arena)};
    const Valion__V1__ColumnResult *of_sketch = find(run(), "x", "ks_sketch");
    cr_assert(of_sketch && of_sketch->has_p_value);
    cr_expect_float_eq(of_sketch->statistic, of_rows->statistic, 0.003);
    cr_expect_geq(of_sketch->p_value, of_rows->p_value);
    cr_expect_eq(of_sketch->status, VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL);
    context.reference.profile = vln_profile_make(table, 0, 800, arena);
    of_sketch = find(run(), "x", "ks_sketch");
    cr_assert(of_sketch);
    cr_expect_eq(of_sketch->status, VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS);
    cr_expect_geq(of_sketch->p_value, 0.99);
}
