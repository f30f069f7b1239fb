#include "significance.h"

#include "check_test_support.h"

enum { ROWS = 200 };

static vln_arena_t *arena;
static check_context_t context;
static check_baseline_t baseline;
static Valion__V1__Significance asked;
static double *target;
static float own[ROWS];
static float other[ROWS];
static int32_t codes[ROWS];

static void
setup(void)
{
    arena = vln_arena_new(64 << 20);
    context = (check_context_t){.arena = arena, .seed = 42};
    baseline = (check_baseline_t){.asked = "production", .version = "1.0.0"};
    valion__v1__significance__init(&asked);
    target = NULL;
}

static void
teardown(void)
{
    free(target);
    vln_arena_destroy(&arena);
}

TestSuite(significance, .init = setup, .fini = teardown);

static check_predictions_t
side(Valion__V1__TaskType task, float *values)
{
    check_predictions_t out = {.rows = ROWS};
    out.truth.task = task;
    out.truth.values = target;
    out.truth.codes = target ? NULL : codes;
    out.truth.classes = 2;
    out.result.rows = ROWS;
    out.result.width = 1;
    out.result.values = values;
    out.scores = vln_scores_make(&out.truth, &out.result, arena);
    return out;
}

/* y = 100 tri(9), 0.95 y + 5 tri(10); the other is off by `noise` times tri(12) - 3/2 besides. */
static void
regressions(double noise)
{
    double *first = support_numbers(10, ROWS, 5, 0);
    double *second = support_numbers(12, ROWS, noise, -1.5 * noise);
    target = support_numbers(9, ROWS, 100, 0);
    for (size_t i = 0; i < ROWS; i++) {
        own[i] = (float)(0.95 * target[i] + first[i]);
        other[i] = (float)(0.95 * target[i] + first[i] + second[i]);
    }
    baseline.candidate = side(VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, own);
    baseline.other = side(VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION, other);
    free(first);
    free(second);
}

/* The candidate alone is right `won` times, the other alone `lost` times, else both are. */
static void
classifiers(size_t won, size_t lost)
{
    for (size_t i = 0; i < ROWS; i++) {
        codes[i] = (int32_t)(i % 2);
        float right = codes[i] ? 0.9F : 0.1F;
        own[i] = i >= won && i < won + lost ? 1 - right : right;
        other[i] = i < won ? 1 - right : right;
    }
    baseline.candidate = side(VALION__V1__TASK_TYPE__TASK_TYPE_BINARY, own);
    baseline.other = side(VALION__V1__TASK_TYPE__TASK_TYPE_BINARY, other);
}

static significance_t
find(Valion__V1__SignificanceMethod method, const char *metric)
{
    asked.method = method;
    return significance_of(&context, &baseline, metric, &asked);
}

#define BOOTSTRAP VALION__V1__SIGNIFICANCE_METHOD__SIGNIFICANCE_METHOD_PAIRED_BOOTSTRAP
#define PAIRED_T  VALION__V1__SIGNIFICANCE_METHOD__SIGNIFICANCE_METHOD_PAIRED_T
#define MCNEMAR   VALION__V1__SIGNIFICANCE_METHOD__SIGNIFICANCE_METHOD_MCNEMAR

Test(significance, students_t_is_the_golden_one)
{
    regressions(1.5);
    significance_t found = find(PAIRED_T, "mae");
    cr_assert_null(found.why);
    support_near("difference", found.difference, -0.010589860528707504, 1e-10);
    support_near("low", found.low, -0.10651094783910588, 1e-9);
    support_near("high", found.high, 0.08533122678169087, 1e-9);
    support_near("p", found.p, 0.8278800489425739, 1e-9);
    support_near("detectable", found.detectable, 0.13627638047981724, 1e-9);
    cr_expect_not(significance_holds(&found, false));
    found.margin = 0.09;
    cr_expect(significance_holds(&found, false)); /* not worse by 0.09 */
    found.margin = 0.08;
    cr_expect_not(significance_holds(&found, false));
    cr_expect(strstr(find(PAIRED_T, "r2").why, "mean over the rows"));
}

Test(significance, the_bootstrap_agrees_with_students_t_and_with_itself)
{
    regressions(1.5);
    significance_t t = find(PAIRED_T, "mae");
    significance_t found = find(BOOTSTRAP, "mae");
    significance_t again = find(BOOTSTRAP, "mae");
    cr_assert_null(found.why);
    cr_expect_eq(found.resamples, 2000);
    cr_expect(fabs(found.low - t.low) < 0.015 && fabs(found.high - t.high) < 0.015);
    cr_expect(fabs(found.p - t.p) < 0.1 && fabs(found.detectable - t.detectable) < 0.015);
    cr_expect(found.low == again.low && found.high == again.high && found.p == again.p);
    context.seed = 43;
    again = find(BOOTSTRAP, "mae");
    cr_expect(found.low != again.low && fabs(found.low - again.low) < 0.02);
}

Test(significance, a_difference_that_is_there_is_found_for_any_metric)
{
    static const char *const metrics[] = {"r2", "rmse", "median_ae", "explained_variance",
                                          "spearman"};
    regressions(20);
    asked.has_resamples = 1;
    asked.resamples = 200;
    for (size_t i = 0; i < VLN_COUNT(metrics); i++) {
        significance_t found = find(BOOTSTRAP, metrics[i]);
        bool greater = strcmp(metrics[i], "rmse") != 0 && strcmp(metrics[i], "median_ae") != 0;
        cr_assert_null(found.why, "%s: %s", metrics[i], found.why);
        cr_expect(found.low <= found.difference && found.difference <= found.high);
        cr_expect(significance_holds(&found, greater), "%s", metrics[i]);
        cr_expect_not(significance_holds(&found, !greater));
    }
}

Test(significance, mcnemar_is_exact)
{
    classifiers(21, 9);
    significance_t found = find(MCNEMAR, "accuracy");
    cr_assert_null(found.why);
    support_near("difference", found.difference, 0.06, 1e-12);
    support_near("p", found.p, 0.04277394525706768, 1e-12);
    support_near("low", found.low, 0.006972197323025918, 1e-12);
    support_near("high", found.high, 0.11302780267697407, 1e-12);
    cr_expect(significance_holds(&found, true));
    classifiers(0, 6);
    found = find(MCNEMAR, "accuracy");
    support_near("p", found.p, 0.03125, 1e-14);
    cr_expect_not(significance_holds(&found, true));
    classifiers(0, 0);
    cr_expect(find(MCNEMAR, "accuracy").p == 1);
    cr_expect(strstr(find(MCNEMAR, "roc_auc").why, "accuracy"));
}

Test(significance, a_metric_that_is_not_there_says_so)
{
    classifiers(10, 0);
    cr_expect(strstr(find(BOOTSTRAP, "nothing").why, "no such metric"));
    for (size_t i = 0; i < ROWS; i++) {
        codes[i] = i == 0; /* most samples have one class alone */
    }
    cr_expect(strstr(find(BOOTSTRAP, "roc_auc").why, "not defined for most samples"));
}

/* ---- in a check ---- */

Test(significance, a_check_asks_for_more_than_chance)
{
    Valion__V1__MetricThreshold metric = VALION__V1__METRIC_THRESHOLD__INIT;
    Valion__V1__MetricThreshold *metrics[] = {&metric};
    support_spec_t spec = {0};
    support_begin(&spec, "metric_threshold");
    metric.metric = (char[]){"mae"};
    metric.has_greater_is_better = 1;
    spec.spec.metrics = metrics;
    spec.spec.n_metrics = 1;
    spec.spec.significance = &asked;
    regressions(1.5);
    context.baselines = &baseline;
    context.baseline_count = 1;
    context.baseline = "production";
    context.predictions = &baseline.candidate;
    const Valion__V1__CheckResult *result = check_run(&context, &spec.spec);
    cr_expect_eq(result->status, CHECK_FAIL);
    cr_expect(strstr(result->sentence, "better than"), "%s", result->sentence);
    cr_expect(result->has_ci_low && result->has_p_value && result->p_value > 0.5);
    support_near("detectable", support_number(result, "mae_difference_detectable"), 0.136, 0.02);
    asked.has_non_inferiority_margin = 1;
    asked.non_inferiority_margin = 0.2;
    result = check_run(&context, &spec.spec);
    cr_expect_eq(result->status, CHECK_PASS, "%s", result->sentence);
    baseline.same = true;
    cr_expect_eq(check_run(&context, &spec.spec)->status, CHECK_FAIL);
    context.baseline_count = 0;
    cr_expect_eq(check_run(&context, &spec.spec)->status, CHECK_FAIL);
}
