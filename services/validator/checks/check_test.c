#include "check.h"

#include "check_test_support.h"

/* What one test holds. */
static vln_arena_t *arena;
static vln_table_t *table;
static vln_table_t *reference;
static support_spec_t spec;
static check_predictions_t predictions;
static check_context_t context;
static double *values;
static float *answers;
static int32_t *codes;

static void
setup(void)
{
    arena = vln_arena_new(64 << 20);
    table = vln_table_new();
    reference = vln_table_new();
    memset(&spec, 0, sizeof spec);
    predictions = (check_predictions_t){0};
    context = (check_context_t){.arena = arena, .table = table};
    values = NULL;
    answers = NULL;
    codes = NULL;
}

static void
teardown(void)
{
    vln_table_destroy(&table);
    vln_table_destroy(&reference);
    vln_arena_destroy(&arena);
    free(values);
    free(answers);
    free(codes);
}

TestSuite(check, .init = setup, .fini = teardown);

static const Valion__V1__CheckResult *
run(void)
{
    const Valion__V1__CheckResult *result = check_run(&context, &spec.spec);
    cr_expect(result->sentence && strlen(result->sentence) <= CHECK_SENTENCE_MAX);
    cr_expect_eq(result->status == CHECK_PASS, result->recommendation == NULL);
    return result;
}

static void
must_say(const Valion__V1__CheckResult *result, const char *words)
{
    cr_expect(strstr(result->sentence, words), "\"%s\" does not say \"%s\"", result->sentence,
              words);
}

static void
score(Valion__V1__TaskType task, size_t rows)
{
    predictions.rows = rows;
    predictions.truth.task = task;
    predictions.truth.values = values;
    predictions.truth.codes = codes;
    predictions.truth.classes = task == VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS ? 3 : 2;
    predictions.result.rows = rows;
    predictions.result.width = answers ? 1 : 0;
    predictions.result.values = answers;
    if (rows > 0) {
        predictions.scores = vln_scores_make(&predictions.truth, &predictions.result, arena);
    }
    context.predictions = &predictions;
}

/* y = 100 tri(9), yhat = 0.95 y + 5 tri(10): 200 rows. */
static void
golden_regression(void)
{
    double *noise = support_numbers(10, 200, 5, 0);
    values = support_numbers(9, 200, 100, 0);
    answers = vln_calloc(200, sizeof *answers);
    for (size_t i = 0; i < 200; i++) {
        answers[i] = (float)(0.95 * values[i] + noise[i]);
    }
    free(noise);
    score(VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, 200);
}

/* `rows` pairs of truth and prediction. */
static void
pairs(const double *truth, const float *predicted, size_t rows)
{
    values = vln_memdup(truth, rows * sizeof *values);
    answers = vln_memdup(predicted, rows * sizeof *answers);
    score(VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, rows);
}

/* ---- performance ---- */

Test(check, performance_has_the_golden_metrics)
{
    golden_regression();
    support_begin(&spec, "performance");
    support_threshold(&spec, "r2_threshold", 0.7);
    support_threshold(&spec, "mae_threshold", 50000);
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_PASS);
    support_near("r2", result->statistic, 0.99498487206281405, 1e-7);
    support_near("mae", support_number(result, "mae"), 2.8420850301859901, 1e-6);
    support_near("rmse", support_number(result, "rmse"), 3.5027051215184799, 1e-6);
    support_near("score", result->score, result->statistic, 0);
    cr_expect_eq(result->n, 200);
    must_say(result, "R2 is 0.994985, at least 0.7");
}

Test(check, performance_fails_when_one_of_its_thresholds_does)
{
    golden_regression();
    support_begin(&spec, "performance");
    support_threshold(&spec, "r2_threshold", 0.7);
    support_threshold(&spec, "mae_threshold", 2);
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    must_say(result, "the mean absolute error is 2.84209 and should be at most 2");
}

Test(check, performance_takes_a_threshold_for_any_metric_of_the_task)
{
    golden_regression();
    support_begin(&spec, "performance");
    support_threshold(&spec, "rmse_threshold", 3.6);
    support_threshold(&spec, "explained_variance_threshold", 0.999);
    support_threshold(&spec, "ece_threshold", 0); /* of no regression */
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    support_near("rmse", result->statistic, 3.5027051215184799, 1e-6);
    support_near("explained", support_number(result, "explained_variance"), 0.9949907032116079,
                 1e-6);
    must_say(result, "the root mean squared error is 3.50271, at most 3.6");
    must_say(result, "the explained variance is 0.994991 and should be at least 0.999");
}

Test(check, performance_without_a_threshold_that_fits_says_so)
{
    golden_regression();
    support_begin(&spec, "performance");
    support_threshold(&spec, "auc_threshold", 0.7);
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE);
    spec.spec.blocking = 1;
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    cr_expect(strstr(result->error, "r2_threshold"));
}

Test(check, performance_of_one_class_alone_is_inconclusive)
{
    codes = vln_calloc(40, sizeof *codes);
    answers = vln_calloc(40, sizeof *answers);
    score(VALION__V1__TASK_TYPE__TASK_TYPE_BINARY, 40);
    support_begin(&spec, "performance");
    support_threshold(&spec, "auc_threshold", 0.7);
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_INCONCLUSIVE);
    must_say(result, "is not defined for these rows");
}

Test(check, performance_counts_a_class_that_never_occurs)
{
    int32_t labels[30];
    codes = vln_calloc(30, sizeof *codes);
    for (size_t i = 0; i < 30; i++) {
        codes[i] = (int32_t)(i % 2);
        labels[i] = i < 27 ? codes[i] : 2; /* the third class is said, and never true */
    }
    predictions.result.labels = labels;
    score(VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS, 30);
    support_begin(&spec, "performance");
    support_threshold(&spec, "accuracy_threshold", 0.9);
    const Valion__V1__CheckResult *result = run();
    support_near("accuracy", result->statistic, 0.9, 1e-15);
    cr_expect_eq(result->status, CHECK_PASS);
}

Test(check, too_many_rows_without_an_answer_fail_whatever_is_asked)
{
    static const char *const needing[] = {"performance", "bias", "stability", "metric_threshold"};
    golden_regression();
    predictions.unusable = 3;
    for (size_t i = 0; i < VLN_COUNT(needing); i++) {
        memset(&spec, 0, sizeof spec);
        support_begin(&spec, needing[i]);
        const Valion__V1__CheckResult *result = run();
        cr_expect_eq(result->status, CHECK_FAIL, "%s", needing[i]);
        must_say(result, "no usable number for 3 of 200 rows (1.5 %)");
    }
    memset(&spec, 0, sizeof spec);
    support_begin(&spec, "performance");
    support_threshold(&spec, "r2_threshold", 0.7);
    predictions.unusable = 2; /* one in a hundred is within bounds */
    cr_expect_eq(run()->status, CHECK_PASS);
}

Test(check, no_judged_row_is_inconclusive)
{
    support_begin(&spec, "performance");
    predictions.rows = 5;
    predictions.untold = 5;
    context.predictions = &predictions;
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE);
    context.predictions = NULL;
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE);
}

/* ---- bias ---- */

Test(check, bias_has_the_golden_value)
{
    golden_regression();
    support_begin(&spec, "bias");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_PASS);
    support_near("bias", result->statistic, 0.03411840185167022, 1e-5);
    support_near("mean", support_number(result, "mean_residual"), -0.11943720476701855, 1e-5);
    support_near("std", support_number(result, "residual_std"), 3.5006682108462139, 1e-6);
    /* predictions are floats here, and doubles behind the golden value */
    support_near("shapiro", support_number(result, "shapiro_p_value"), 0.96070820093154907, 1e-4);
    support_near("spread", support_number(result, "heteroscedasticity_correlation"),
                 0.026106037929639416, 1e-5);
    support_near("score", result->score, 1 - result->statistic, 0);
    must_say(result, "above the truth on average");
}

Test(check, bias_warns_and_fails_by_its_bounds)
{
    golden_regression();
    support_begin(&spec, "bias");
    support_threshold(&spec, "bias_pass", 0.03);
    support_threshold(&spec, "bias_warn", 0.035);
    cr_expect_eq(run()->status, CHECK_WARN);
    spec.numbers[1].value = 0.034;
    cr_expect_eq(run()->status, CHECK_FAIL);
}

Test(check, bias_of_predictions_that_are_all_off_by_the_same_fails)
{
    static const double truth[] = {1, 2, 3, 4};
    static const float predicted[] = {3, 4, 5, 6};
    pairs(truth, predicted, 4);
    support_begin(&spec, "bias");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    must_say(result, "Every prediction lies 2 above the truth");
}

Test(check, bias_of_one_row_and_of_a_classifier_is_inconclusive)
{
    static const double truth[] = {1};
    static const float predicted[] = {3};
    pairs(truth, predicted, 1);
    support_begin(&spec, "bias");
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE);
    predictions.truth.task = VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE);
}

/* ---- stability ---- */

Test(check, stability_tells_the_folds_and_that_nothing_was_fitted)
{
    golden_regression();
    support_begin(&spec, "stability");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_PASS);
    must_say(result, "without fitting the model anew");
    double sum = 0;
    for (int i = 1; i <= 5; i++) {
        char name[32];
        snprintf(name, sizeof name, "cv_score_%d", i);
        sum += support_number(result, name);
    }
    support_near("mean", support_number(result, "cv_mean"), sum / 5, 1e-12);
    support_near("coefficient", support_number(result, "cv_coefficient"),
                 support_number(result, "cv_std") / support_number(result, "cv_mean"), 1e-12);
    support_threshold(&spec, "cov_threshold", 0);
    cr_expect_eq(run()->status, CHECK_WARN);
    support_threshold(&spec, "cv_threshold", 0.9999);
    cr_expect_eq(run()->status, CHECK_FAIL);
}

Test(check, stability_goes_by_fits_that_did_not_see_the_fold)
{
    check_refit_t refit = {.folds = 5, .has_recipe = true};
    golden_regression();
    support_begin(&spec, "stability");
    double *predicted = vln_arena_alloc(context.arena, predictions.result.rows * sizeof(double));
    memcpy(predicted, predictions.truth.values, predictions.result.rows * sizeof(double));
    refit.predicted = predicted;
    refit.rows = predictions.result.rows;
    refit.done = true;
    context.refit = &refit;
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->statistic, 1, "the fits were right each time");
    cr_expect_str_eq(result->statistic_name, "cv_r2_mean");
    must_say(result, "each predicted by a fit of the others");
    refit.folds = 4;
    cr_expect_str_eq(run()->statistic_name, "resampled_r2_mean", "they are another check's");
}

Test(check, stability_of_a_fit_that_failed_is_broken)
{
    check_refit_t refit = {.folds = 5, .has_recipe = true, .why = "the fit slept"};
    golden_regression();
    support_begin(&spec, "stability");
    context.refit = &refit;
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE);
    cr_expect(strstr(run()->error, "the fit slept"));
    refit.has_recipe = false; /* it was imported */
    cr_expect_str_eq(run()->statistic_name, "resampled_r2_mean");
}

Test(check, stability_of_too_few_rows_is_inconclusive)
{
    static const double truth[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    static const float predicted[] = {1, 2, 3, 4, 5, 6, 7, 8, 9};
    pairs(truth, predicted, 9);
    support_begin(&spec, "stability");
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE);
    support_threshold(&spec, "folds", 4);
    cr_expect_eq(run()->status, CHECK_PASS);
}

Test(check, stability_of_a_constant_target_does_not_divide_by_zero)
{
    static const double truth[] = {5, 5, 5, 5, 5, 5, 5, 5, 5, 5};
    static const float predicted[] = {5, 6, 5, 6, 5, 6, 5, 6, 5, 6};
    pairs(truth, predicted, 10);
    support_begin(&spec, "stability");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    cr_expect(isfinite(result->statistic));
}

/* ---- data_quality ---- */

Test(check, data_quality_counts_as_the_original)
{
    double numbers[] = {1, 1, 2, 2, 2, 3, 4, 5, 5, 100};
    double gaps[] = {NAN, 1, 2, 3, 4, 5, 6, 7, 8, 9};
    vln_table_set_rows(table, 10);
    support_column(table, "numbers", numbers);
    support_column(table, "gaps", gaps);
    support_begin(&spec, "data_quality");
    const Valion__V1__CheckResult *result = run();
    support_near("missing", support_number(result, "missing_ratio"), 0.05, 1e-15);
    support_near("outliers", support_number(result, "outlier_ratio"), 0.1, 1e-15);
    support_near("repeated", support_number(result, "duplicate_ratio"), 0, 0);
    cr_expect_eq(result->status, CHECK_PASS); /* at a threshold is within it */
    support_near("score", result->score, 1 - 0.15 / 3, 1e-15);
    support_threshold(&spec, "missing_threshold", 0.04);
    cr_expect_eq(run()->status, CHECK_WARN);
    support_threshold(&spec, "outlier_threshold", 0.09);
    result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    must_say(result, "Two issues in 10 rows of 2 columns");
    cr_expect_eq(result->columns_flagged, 2);
}

Test(check, data_quality_stands_columns_that_are_empty_constant_or_text)
{
    static const char *const texts[] = {"a", NULL};
    double none[] = {NAN, NAN, NAN, NAN};
    double same[] = {7, 7, 7, 7};
    vln_table_set_rows(table, 4);
    support_column(table, "none", none);
    support_column(table, "same", same);
    support_texts(table, "text", texts, 2);
    support_begin(&spec, "data_quality");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL); /* half of the cells, and rows that repeat */
    support_near("missing", support_number(result, "missing_ratio"), 0.5, 1e-15);
    support_near("repeated", support_number(result, "duplicate_ratio"), 0.5, 1e-15);
    cr_expect_str_eq(result->columns[0]->column, "none");
    cr_expect_str_eq(result->columns[0]->note, "every value is missing");
}

Test(check, data_quality_of_some_columns_counts_their_repetitions_alone)
{
    double first[] = {1, 1, 2};
    double second[] = {1, 2, 3};
    char *named[] = {(char *)(uintptr_t)"first", (char *)(uintptr_t)"first"};
    vln_table_set_rows(table, 3);
    support_column(table, "first", first);
    support_column(table, "second", second);
    support_begin(&spec, "data_quality");
    spec.spec.columns = named;
    spec.spec.n_columns = 2; /* the same one twice is one */
    const Valion__V1__CheckResult *result = run();
    support_near("repeated", support_number(result, "duplicate_ratio"), 1.0 / 3, 1e-15);
    cr_expect_eq(result->columns_tested, 1);
    named[1] = (char *)(uintptr_t)"third";
    result = run();
    cr_expect_eq(result->status, CHECK_INCONCLUSIVE);
    must_say(result, "no column 'third'");
}

/* ---- data_drift ---- */

/* G and H of the golden vectors, as column "x"; the others do not differ. */
static void
golden_drift(void)
{
    double *then = support_numbers(7, 1000, 1, 0);
    double *now = support_numbers(8, 800, 1, 0.15);
    vln_table_set_rows(reference, 1000);
    vln_table_set_rows(table, 800);
    support_column(reference, "x", then);
    support_column(table, "x", now);
    context.reference.table = reference;
    free(then);
    free(now);
}

Test(check, drift_has_the_golden_test_and_psi)
{
    golden_drift();
    support_begin(&spec, "data_drift");
    const Valion__V1__CheckResult *result = run();
    cr_assert_eq(result->n_columns, 1);
    const Valion__V1__ColumnResult *column = result->columns[0];
    cr_expect_str_eq(column->method, "ks");
    support_near("D", column->statistic, 0.11475, 1e-12);
    support_near("p", column->p_value, 1.5025230768427489e-05, 1e-12);
    support_near("effect", column->effect, 0.28517836997078055, 1e-12);
    cr_expect_str_eq(column->effect_name, "wasserstein");
    cr_expect_eq(column->status, CHECK_FAIL);
    cr_expect_eq(result->status, CHECK_FAIL); /* one of one */
    support_near("share", result->statistic, 1, 0);
    support_near("score", result->score, 0, 0);
    must_say(result, "1 of 1 columns (100 %) have drifted against the reference rows: 'x' (ks");
}

Test(check, drift_share_decides)
{
    char name[16];
    golden_drift();
    for (int i = 0; i < 9; i++) {
        double *then = support_numbers(20 + (uint32_t)i, 1000, 1, 0);
        double *now = support_numbers(20 + (uint32_t)i, 800, 1, 0); /* the same but for its end */
        snprintf(name, sizeof name, "same%d", i);
        support_column(reference, name, then);
        support_column(table, name, now);
        free(then);
        free(now);
    }
    support_begin(&spec, "data_drift");
    cr_expect_eq(run()->status, CHECK_PASS); /* 0.10 is within 0.10 */
    support_threshold(&spec, "share_pass", 0.05);
    cr_expect_eq(run()->status, CHECK_WARN);
    support_threshold(&spec, "share_warn", 0.05);
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    cr_expect_str_eq(result->columns[0]->column, "x");
    cr_expect_eq(result->columns_flagged, 1);
}

Test(check, drift_corrects_for_the_number_of_columns_unless_told_not_to)
{
    static const struct {
        Valion__V1__Correction correction;
        double p[2];
    } cases[] = {
        /* KS of A and B is 0.2719, of C and D 0.3467 */
        {VALION__V1__CORRECTION__CORRECTION_NONE, {0.27191356015222479, 0.27191356015222479}},
        {VALION__V1__CORRECTION__CORRECTION_HOLM, {0.54382712030444958, 0.54382712030444958}},
        {VALION__V1__CORRECTION__CORRECTION_BENJAMINI_HOCHBERG,
         {0.27191356015222479, 0.27191356015222479}},
    };
    double *first = support_numbers(1, 50, 1, 0);
    double *second = support_numbers(2, 50, 1, 0.3);
    vln_table_set_rows(reference, 50);
    vln_table_set_rows(table, 50);
    support_column(reference, "a", first);
    support_column(table, "a", second);
    support_column(reference, "b", first);
    support_column(table, "b", second);
    context.reference.table = reference;
    support_begin(&spec, "data_drift");
    spec.spec.has_correction = 1;
    for (size_t i = 0; i < VLN_COUNT(cases); i++) {
        spec.spec.correction = cases[i].correction;
        const Valion__V1__CheckResult *result = run();
        support_near("first", result->columns[0]->p_adjusted, cases[i].p[0], 1e-12);
        support_near("second", result->columns[1]->p_adjusted, cases[i].p[1], 1e-12);
    }
    free(first);
    free(second);
}

Test(check, drift_of_texts_tells_categories_that_are_new)
{
    static const char *const then[] = {"a", "b", "a", "b", "a"};
    static const char *const now[] = {"a", "b", "c", "b", NULL};
    vln_table_set_rows(reference, 500);
    vln_table_set_rows(table, 400);
    support_texts(reference, "t", then, 5);
    support_texts(table, "t", now, 5);
    context.reference.table = reference;
    support_begin(&spec, "data_drift");
    const Valion__V1__CheckResult *result = run();
    const Valion__V1__ColumnResult *column = result->columns[0];
    cr_expect_str_eq(column->method, "chi2");
    cr_expect_eq(column->status, CHECK_FAIL);
    cr_assert_eq(column->n_new_categories, 1);
    cr_expect_str_eq(column->new_categories[0], "c");
    support_near("missing", column->missing_current, 0.2, 1e-15);
    cr_expect_eq(column->n_current, 320);
}

Test(check, drift_stands_columns_that_cannot_be_compared)
{
    double *numbers = support_numbers(3, 100, 1, 0);
    double *none = vln_calloc(100, sizeof *none);
    static const char *const texts[] = {"a"};
    for (size_t i = 0; i < 100; i++) {
        none[i] = NAN;
    }
    vln_table_set_rows(reference, 100);
    vln_table_set_rows(table, 100);
    support_column(reference, "gone", numbers);
    support_column(table, "gone", none);
    support_column(reference, "empty", none);
    support_column(table, "empty", none);
    support_column(table, "new", numbers);
    support_texts(reference, "other", texts, 1);
    support_column(table, "other", numbers);
    support_column(reference, "same", numbers);
    support_column(table, "same", numbers);
    context.reference.table = reference;
    support_begin(&spec, "data_drift");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->columns_tested, 2);
    cr_expect_eq(result->columns_flagged, 1);
    cr_expect_str_eq(result->columns[0]->column, "gone");
    cr_expect_str_eq(result->columns[0]->note, "every value is missing in the data");
    size_t untested = 0;
    for (size_t i = 0; i < result->n_columns; i++) {
        untested += result->columns[i]->status == CHECK_INCONCLUSIVE;
    }
    cr_expect_eq(untested, 3);
    free(numbers);
    free(none);
}

Test(check, drift_of_one_row_is_inconclusive)
{
    double one[] = {1};
    vln_table_set_rows(reference, 1);
    vln_table_set_rows(table, 1);
    support_column(reference, "x", one);
    support_column(table, "x", one);
    context.reference.table = reference;
    support_begin(&spec, "data_drift");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_INCONCLUSIVE);
    must_say(result, "'x' was not tested: 1 values in the reference");
}

Test(check, drift_without_a_reference_warns)
{
    double one[] = {1};
    vln_table_set_rows(table, 1);
    support_column(table, "x", one);
    support_begin(&spec, "data_drift");
    cr_expect_eq(run()->status, CHECK_WARN);
}

Test(check, drift_looks_at_what_the_model_takes)
{
    static const char *const inputs[] = {"same"};
    double *same = support_numbers(30, 800, 1, 0);
    golden_drift();
    vln_table_set_rows(reference, 800);
    support_column(reference, "same", same);
    support_column(table, "same", same);
    context.inputs = inputs;
    context.input_count = 1;
    support_begin(&spec, "data_drift");
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->columns_tested, 1);
    cr_expect_eq(result->status, CHECK_PASS);
    context.input_count = 0;
    context.target = "x"; /* no input, and looked at as the target */
    result = run();
    cr_expect_eq(result->columns_tested, 2);
    cr_expect_str_eq(result->columns[0]->column, "x");
    cr_expect_eq(result->columns[0]->status, CHECK_FAIL);
    free(same);
}

/* ---- metric_threshold ---- */

static Valion__V1__MetricThreshold metric;
static Valion__V1__MetricThreshold *metrics[] = {&metric};

static void
gate(const char *name, bool greater)
{
    valion__v1__metric_threshold__init(&metric);
    metric.metric = (char *)(uintptr_t)name;
    metric.has_greater_is_better = 1;
    metric.greater_is_better = greater;
    support_begin(&spec, "metric_threshold");
    spec.spec.metrics = metrics;
    spec.spec.n_metrics = 1;
}

/* A baseline whose R2 is lower by `difference` than the candidate's. */
static check_baseline_t
worse_by(double difference)
{
    check_baseline_t baseline = {.asked = "production", .version = "1.0.0"};
    baseline.candidate = baseline.other = predictions;
    baseline.other.scores.numbers =
        vln_arena_alloc(arena, predictions.scores.count * sizeof(void *));
    for (size_t i = 0; i < predictions.scores.count; i++) {
        baseline.other.scores.numbers[i] = vln_arena_memdup(arena, predictions.scores.numbers[i],
                                                            sizeof *predictions.scores.numbers[i]);
        if (strcmp(predictions.scores.numbers[i]->key, "r2") == 0) {
            baseline.other.scores.numbers[i]->value -= difference;
        }
    }
    return baseline;
}

Test(check, metric_thresholds_hold_either_way)
{
    golden_regression();
    gate("rmse", false);
    metric.has_threshold = 1;
    metric.threshold = 4;
    cr_expect_eq(run()->status, CHECK_PASS);
    metric.threshold = 3;
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    must_say(result, "rmse is 3.50271 and should be at most 3");
    gate("nothing", true);
    metric.has_threshold = 1;
    cr_expect_eq(run()->status, CHECK_FAIL);
}

Test(check, metric_changes_are_over_the_baseline)
{
    golden_regression();
    check_baseline_t baseline = worse_by(0.01);
    context.baselines = &baseline;
    context.baseline_count = 1;
    gate("r2", true);
    spec.spec.baseline = (char *)(uintptr_t)"production";
    metric.has_min_absolute_change = 1;
    metric.min_absolute_change = 0.005;
    cr_expect_eq(run()->status, CHECK_PASS);
    metric.min_absolute_change = 0.02;
    must_say(run(), "and should be 0.02 or more above the 0.984985 of 1.0.0");
    metric.has_min_absolute_change = 0;
    metric.has_min_relative_change = 1;
    metric.min_relative_change = 0.01;
    cr_expect_eq(run()->status, CHECK_PASS);
    metric.min_relative_change = 0.011;
    cr_expect_eq(run()->status, CHECK_FAIL);
}

Test(check, a_negative_baseline_does_not_turn_the_sign)
{
    golden_regression();
    check_baseline_t baseline = worse_by(2); /* R2 near -1.005: the candidate is better by 2 */
    context.baselines = &baseline;
    context.baseline_count = 1;
    gate("r2", true);
    context.baseline = "production";
    metric.has_min_relative_change = 1;
    metric.min_relative_change = 1;
    cr_expect_eq(run()->status, CHECK_PASS);
}

Test(check, what_is_missing_for_a_comparison_fails)
{
    golden_regression();
    gate("r2", true);
    metric.has_min_absolute_change = 1;
    metric.min_absolute_change = 0.1;
    must_say(run(), "the policy names none");
    check_baseline_t baseline = {.asked = "production", .why = "nothing serves"};
    context.baselines = &baseline;
    context.baseline_count = 1;
    context.baseline = "production";
    must_say(run(), "cannot be compared: nothing serves");
    baseline = worse_by(1);
    baseline.same = true;
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    must_say(result, "the very same model");
}

/* ---- expression ---- */

Test(check, an_expression_is_over_metrics_and_the_checks_before_it)
{
    Valion__V1__CheckResult before = VALION__V1__CHECK_RESULT__INIT;
    Valion__V1__CheckResult *list[] = {&before};
    golden_regression();
    before.name = (char[]){"my.drift"};
    before.has_score = 1;
    before.score = 0.9;
    check_add(&context, &before, "drift_ratio", 0.1);
    context.checks = list;
    context.check_count = 1;
    support_begin(&spec, "expression");
    spec.spec.expression = (char[]){"r2 > 0.9 and my.drift.share < 0.2 and my.drift.score > 0.5"};
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_PASS);
    support_near("share", support_number(result, "my.drift.share"), 0.1, 0);
    must_say(result, "holds: r2 is 0.994985, my.drift.share is 0.1");
    spec.spec.expression = (char[]){"rmse <= 3 or my.drift.share > 0.2"};
    result = run();
    cr_expect_eq(result->status, CHECK_FAIL);
    must_say(result, "does not hold: rmse is 3.50271");
}

Test(check, an_expression_that_cannot_be_judged_never_passes)
{
    static const char *const texts[] = {"", "r2 >", "auc > 0.5", "later.score > 0", "r2 / 0 > 1"};
    golden_regression();
    for (size_t i = 0; i < VLN_COUNT(texts); i++) {
        memset(&spec, 0, sizeof spec);
        support_begin(&spec, "expression");
        spec.spec.expression = (char *)(uintptr_t)texts[i];
        const Valion__V1__CheckResult *result = run();
        cr_expect_eq(result->status, CHECK_INCONCLUSIVE, "%s", texts[i]);
        cr_expect(strstr(result->error, "at character"), "%s", result->error);
        spec.spec.blocking = 1;
        cr_expect_eq(run()->status, CHECK_FAIL);
    }
    context.predictions = NULL;
    spec.spec.expression = (char[]){"r2 > 0"};
    cr_expect_eq(run()->status, CHECK_FAIL);
}

/* ---- all kinds ---- */

Test(check, what_is_not_there_yet_never_passes)
{
    static const char *const kinds[] = {"check:fairness"};
    for (size_t i = 0; i < VLN_COUNT(kinds); i++) {
        memset(&spec, 0, sizeof spec);
        support_begin(&spec, kinds[i]);
        const Valion__V1__CheckResult *result = run();
        cr_expect_eq(result->status, CHECK_INCONCLUSIVE);
        cr_expect(strstr(result->error, "not there yet"));
        spec.spec.blocking = 1;
        cr_expect_eq(run()->status, CHECK_FAIL);
    }
}

Test(check, a_sentence_is_cut_at_a_characters_end)
{
    char name[VLN_TABLE_NAME_MAX + 1];
    for (size_t i = 0; i + 2 <= VLN_TABLE_NAME_MAX; i += 2) {
        memcpy(name + i, "\xc3\xa9", 2);
    }
    name[VLN_TABLE_NAME_MAX] = '\0';
    for (size_t max = 1; max < 9; max++) {
        const char *text = check_text(&context, max, "%s", name);
        cr_expect_eq(strlen(text), max / 2 * 2);
    }
}

Test(check, the_same_input_gives_the_same_bytes)
{
    golden_drift();
    golden_regression();
    support_begin(&spec, "data_drift");
    const Valion__V1__CheckResult *first = run();
    const Valion__V1__CheckResult *second = run();
    size_t size = valion__v1__check_result__get_packed_size(first);
    cr_assert_eq(size, valion__v1__check_result__get_packed_size(second));
    uint8_t *left = vln_arena_alloc(arena, size);
    uint8_t *right = vln_arena_alloc(arena, size);
    valion__v1__check_result__pack(first, left);
    valion__v1__check_result__pack(second, right);
    cr_expect_arr_eq(left, right, size);
}

/* ---- importance, budget ---- */

Test(check, importance_tells_the_column_that_carries_most)
{
    check_loss_t losses[] = {{"rooms", 1}, {"area", 3}, {"noise", -0.5}};
    check_importance_t importance = {losses, 3, "mean squared error", 2, 200};
    golden_regression();
    support_begin(&spec, "importance");
    context.importance = &importance;
    const Valion__V1__CheckResult *result = run();
    cr_expect_eq(result->status, CHECK_PASS);
    cr_expect_eq(result->statistic, 0.75);
    cr_expect_str_eq(result->columns[0]->column, "area");
    cr_expect_str_eq(result->columns[2]->column, "noise");
    must_say(result, "permuting 'area' costs the model most: 0.75");
    support_threshold(&spec, "share_max", 0.7);
    cr_expect_eq(run()->status, CHECK_WARN);
    context.importance = NULL;
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE);
}

Test(check, budget_is_of_bytes_and_of_time)
{
    check_cost_t cost = {.bytes = 1000, .predict_us = 8000, .rows = 4000};
    support_begin(&spec, "budget");
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE, "no model was asked");
    context.cost = &cost;
    cr_expect_eq(run()->status, CHECK_INCONCLUSIVE, "there is no limit");
    support_threshold(&spec, "size_bytes", 1000);
    cr_expect_eq(run()->status, CHECK_PASS);
    cr_expect_eq(run()->n_numbers, 1, "no time is told");
    support_threshold(&spec, "ms_per_1000_rows", 2);
    cr_expect_eq(run()->status, CHECK_PASS);
    cr_expect_eq(run()->statistic, 2);
    cost.predict_us = 8001;
    cr_expect_eq(run()->status, CHECK_FAIL);
    cost.predict_us = 10;
    cost.bytes = 1001;
    cr_expect_eq(run()->status, CHECK_FAIL);
    cr_expect_str_eq(run()->statistic_name, "size_bytes");
}
