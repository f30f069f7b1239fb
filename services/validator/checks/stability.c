/*
 * stability: does the model do as well on each part of the data? It is asked on contiguous folds and
 * is not fitted anew, so this is no cross-validation, and its sentence says so.
 */
#include <stdlib.h>

#include "vln_fold.h"
#include "vln_metric.h"
#include "vln_normal.h"

#include "check_say.h"

enum { FOLDS_MAX = 100 };

typedef struct folds {
    double r2[FOLDS_MAX];
    size_t count;
    size_t undefined; /* folds without an R2 */
} folds_t;

static folds_t
score_folds(const check_predictions_t *predictions, size_t count)
{
    folds_t self = {.count = count};
    size_t n = predictions->result.rows;
    double *predicted = vln_calloc(n + 1, sizeof *predicted);
    for (size_t i = 0; i < n; i++) {
        predicted[i] = (double)predictions->result.values[i];
    }
    for (size_t i = 0; i < count; i++) {
        vln_fold_t fold = vln_fold(n, count, i);
        vln_regression_t metrics;
        vln_metric_regression(predictions->truth.values + fold.start, predicted + fold.start,
                              fold.rows, &metrics);
        self.r2[i] = metrics.r2.value;
        self.undefined += !metrics.r2.defined;
    }
    free(predicted);
    return self;
}

static void
add_numbers(const check_context_t *context, const folds_t *folds, Valion__V1__CheckResult *out)
{
    double least = folds->r2[0];
    double most = folds->r2[0];
    for (size_t i = 0; i < folds->count; i++) {
        least = fmin(least, folds->r2[i]);
        most = fmax(most, folds->r2[i]);
    }
    check_add(context, out, "cv_min", least);
    check_add(context, out, "cv_max", most);
    for (size_t i = 0; i < folds->count && i < 32; i++) {
        check_add(context, out, vln_arena_printf(context->arena, "cv_score_%zu", i + 1),
                  folds->r2[i]);
    }
}

static void
decide(const check_context_t *context, const Valion__V1__CheckSpec *spec, const folds_t *folds,
       Valion__V1__CheckResult *out)
{
    double least_mean = check_threshold(spec, "cv_threshold", 0.8);
    double most_variation = check_threshold(spec, "cov_threshold", 0.2);
    double mean = vln_mean(folds->r2, folds->count).value;
    double std = vln_std(folds->r2, folds->count, 0).value;
    double variation = mean > 0 || mean < 0 ? std / fabs(mean) : INFINITY;
    Valion__V1__CheckStatus status = mean < least_mean             ? CHECK_FAIL
                                     : variation <= most_variation ? CHECK_PASS
                                                                   : CHECK_WARN;
    check_set(out, "resampled_r2_mean", mean, least_mean, folds->count);
    check_set_score(out, mean);
    check_add(context, out, "cv_mean", mean);
    check_add(context, out, "cv_std", std);
    check_add(context, out, "cv_coefficient", variation);
    check_add(context, out, "cv_threshold", least_mean);
    check_add(context, out, "cov_threshold", most_variation);
    add_numbers(context, folds, out);
    check_end(context, out, status,
              "Resampled on %zu contiguous folds of %zu rows, without fitting the model anew, R2 "
              "is %.6g on average and should be at least %g; its standard deviation of %.3g is "
              "%.3g of that, and should be at most %g.",
              folds->count, context->predictions->result.rows, mean, least_mean, std, variation,
              most_variation);
}

void
check_stability(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                Valion__V1__CheckResult *out)
{
    const check_predictions_t *predictions = context->predictions;
    size_t wanted = (size_t)fmin(fmax(check_threshold(spec, "folds", 5), 2), FOLDS_MAX);
    if (predictions->truth.task != VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION ||
        predictions->result.width != 1) {
        check_break(context, spec, out,
                    "Stability is told by R2, of models that predict one number, and this one "
                    "does not");
        return;
    }
    if (predictions->result.rows < 2 * wanted) {
        check_end(context, out, CHECK_INCONCLUSIVE,
                  "%zu rows are too few for %zu folds, each of which needs two.",
                  predictions->result.rows, wanted);
        return;
    }
    folds_t folds = score_folds(predictions, wanted);
    if (folds.undefined > 0) {
        check_break(context, spec, out, "R2 is not defined for %zu of %zu folds", folds.undefined,
                    folds.count);
        return;
    }
    decide(context, spec, &folds, out);
}
