#include "plots.h"

#include "check_test_support.h"

static vln_arena_t *arena;
static vln_table_t *table;
static vln_table_t *reference;
static check_predictions_t predictions;
static check_context_t context;
static Valion__V1__Report report;
static plots_t plots;

static void
setup(void)
{
    arena = vln_arena_new(64 << 20);
    table = vln_table_new();
    reference = vln_table_new();
    predictions = (check_predictions_t){0};
    context = (check_context_t){.arena = arena, .table = table, .predictions = &predictions};
    context.reference.table = reference;
    valion__v1__report__init(&report);
}

static void
teardown(void)
{
    vln_table_destroy(&table);
    vln_table_destroy(&reference);
    vln_arena_destroy(&arena);
}

TestSuite(plots, .init = setup, .fini = teardown);

static const Valion__V1__Plot *
find(const char *name)
{
    for (size_t i = 0; i < plots.count; i++) {
        if (strcmp(plots.list[i]->name, name) == 0) {
            return plots.list[i];
        }
    }
    return NULL;
}

static void
predict(Valion__V1__TaskType task, size_t rows, size_t width, float *values)
{
    predictions.rows = predictions.result.rows = rows;
    predictions.truth.task = task;
    predictions.result.width = width;
    predictions.result.values = values;
}

Test(plots, a_regression_has_residuals_and_agreement)
{
    double target[] = {1, 2, 3, 21};
    float said[] = {1, 2, 2, 1};
    predict(VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, 4, 1, said);
    predictions.truth.values = target;
    plots_make(&context, NULL, &report, &plots);
    const Valion__V1__Plot *bars = find("residuals"); /* of 0, 0, 1 and 20 */
    cr_assert(bars && bars->n_x == 21 && bars->n_y == 20);
    cr_expect(bars->y[0] == 2 && bars->y[1] == 1 && bars->y[19] == 1);
    cr_expect(bars->x[0] == 0 && bars->x[20] == 20);
    const Valion__V1__Plot *line = find("predicted_vs_actual");
    cr_assert(line && line->n_x == 2 && line->n_y == 2);
    cr_expect(line->x[0] == 1 && line->y[0] == 11 && line->x[1] == 2 && line->y[1] == 2.5);
}

Test(plots, two_classes_have_a_matrix_a_curve_and_a_calibration)
{
    int32_t truth[] = {0, 0, 1, 1};
    float said[] = {0.125F, 0.5F, 0.5F, 1};
    char *names[] = {(char[]){"no"}, (char[]){"yes"}};
    Valion__V1__Signature signature = VALION__V1__SIGNATURE__INIT;
    signature.classes = names;
    signature.n_classes = 2;
    predict(VALION__V1__TASK_TYPE__TASK_TYPE_BINARY, 4, 1, said);
    predictions.truth.codes = truth;
    predictions.truth.classes = 2;
    plots_make(&context, &signature, &report, &plots);
    const Valion__V1__Plot *matrix = find("confusion");
    cr_assert(matrix && matrix->n_y == 4 && matrix->n_labels == 2);
    cr_expect_str_eq(matrix->labels[1], "yes");
    cr_expect(matrix->y[0] == 1 && matrix->y[1] == 1 && matrix->y[2] == 0 && matrix->y[3] == 2);
    const Valion__V1__Plot *roc = find("roc"); /* the two of 0.5 are one step */
    cr_assert(roc && roc->n_x == 4 && roc->n_y == 4);
    cr_expect(roc->x[1] == 0 && roc->y[1] == 0.5 && roc->x[2] == 0.5 && roc->y[2] == 1);
    cr_expect(roc->x[3] == 1 && roc->y[3] == 1);
    const Valion__V1__Plot *calibration = find("calibration");
    cr_assert(calibration && calibration->n_x == 3);
    cr_expect(calibration->x[1] == 0.5 && calibration->y[1] == 0.5 && calibration->y[2] == 1);
}

Test(plots, each_of_many_classes_has_a_curve)
{
    int32_t truth[] = {0, 1, 2, 0};
    float said[] = {0.5F, 0.25F, 0.25F, 0, 1, 0, 0, 0.25F, 0.75F, 1, 0, 0};
    predict(VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS, 4, 3, said);
    predictions.truth.codes = truth;
    predictions.truth.classes = 3;
    plots_make(&context, NULL, &report, &plots);
    cr_expect(find("roc:0") && find("roc:1") && find("roc:2") && find("calibration"));
    cr_expect(find("confusion")->y[0] == 2);
}

Test(plots, a_column_that_has_drifted_is_drawn_once_for_both_sides)
{
    static const char *const then[] = {"a", "b"};
    static const char *const now[] = {"b", "c", "b", "b"};
    double low[] = {0, 0, 0, 1};
    double high[] = {0, 20, 20, 20};
    Valion__V1__CheckResult check = VALION__V1__CHECK_RESULT__INIT;
    Valion__V1__CheckResult *checks[] = {&check};
    Valion__V1__ColumnResult columns[4];
    Valion__V1__ColumnResult *list[4];
    char *names[] = {(char[]){"x"}, (char[]){"x"}, (char[]){"t"}, (char[]){"(prediction)"}};
    for (size_t i = 0; i < 4; i++) {
        valion__v1__column_result__init(&columns[i]);
        columns[i].column = names[i];
        columns[i].status = CHECK_FAIL;
        list[i] = &columns[i];
    }
    check.kind = (char[]){"data_drift"};
    check.columns = list;
    check.n_columns = 4;
    report.checks = checks;
    report.n_checks = 1;
    context.predictions = NULL;
    vln_table_set_rows(reference, 4);
    vln_table_set_rows(table, 4);
    support_column(reference, "x", low);
    support_column(table, "x", high);
    support_texts(reference, "t", then, 2);
    support_texts(table, "t", now, 4);
    plots_make(&context, NULL, &report, &plots);
    cr_assert_eq(plots.count, 2);
    const Valion__V1__Plot *numbers = find("column:x");
    cr_assert(numbers && numbers->n_x == 21 && numbers->n_y == 40 && numbers->n_labels == 2);
    cr_expect(numbers->y[0] == 0.75 && numbers->y[1] == 0.25 && numbers->y[20] == 0.25 &&
              numbers->y[39] == 0.75);
    const Valion__V1__Plot *texts = find("column:t");
    cr_assert(texts && texts->n_labels == 3 && texts->n_y == 6);
    cr_expect_str_eq(texts->labels[0], "b");
    cr_expect(texts->y[0] == 0.5 && texts->y[3] == 0.75);
}
