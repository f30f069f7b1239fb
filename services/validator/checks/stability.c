/*
 * stability: does the model do as well on each part of the data?
 *
 * Where the version records how it was fitted, each contiguous fold is predicted by a fit of the other
 * rows: cross-validation. Else, and with `method: resample`, the model is asked as it is; that is no
 * cross-validation, and name and sentence say so.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_fold.h"
#include "vln_metric.h"
#include "vln_normal.h"

#include "check_say.h"

enum { FOLDS_MAX = 100 };

typedef struct folds {
    double r2[FOLDS_MAX];
    size_t count;
    size_t undefined; /* folds without an R2 */
    bool refitted;
} folds_t;

static folds_t
score_folds(const check_predictions_t *predictions, const check_refit_t *refit, size_t count)
{
    folds_t self = {.count = count, .refitted = refit != NULL};
    size_t n = predictions->result.rows;
    double *predicted = vln_calloc(n + 1, sizeof *predicted);
    for (size_t i = 0; i < n; i++) {
        predicted[i] = refit ? refit->predicted[i] : (double)predictions->result.values[i];
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
    check_set(out, folds->refitted ? "cv_r2_mean" : "resampled_r2_mean", mean, least_mean,
              folds->count);
    check_set_score(out, mean);
    check_add(context, out, "cv_mean", mean);
    check_add(context, out, "cv_std", std);
    check_add(context, out, "cv_coefficient", variation);
    check_add(context, out, "cv_threshold", least_mean);
    check_add(context, out, "cov_threshold", most_variation);
    add_numbers(context, folds, out);
    check_end(
        context, out, status,
        "%s on %zu contiguous folds of %zu rows, %s, R2 is %.6g on average and should be at least %g; its standard deviation of %.3g is "
        "%.3g of that, and should be at most %g.",
        folds->refitted ? "Cross-validated" : "Resampled", folds->count,
        context->predictions->result.rows,
        folds->refitted ? "each predicted by a fit of the others"
                        : "without fitting the model anew",
        mean, least_mean, std, variation, most_variation);
}

static size_t
fold_count(const Valion__V1__CheckSpec *spec)
{
    return (size_t)fmin(fmax(check_threshold(spec, "folds", 5), 2), FOLDS_MAX);
}

static const char *
method_of(const Valion__V1__CheckSpec *spec)
{
    const char *method = "auto";
    for (size_t i = 0; i < spec->n_parameters; i++) {
        const Valion__V1__KeyValue *pair = spec->parameters[i];
        method =
            pair->key && pair->value && strcmp(pair->key, "method") == 0 ? pair->value : method;
    }
    return method;
}

size_t
check_refit_folds(const Valion__V1__CheckSpec *spec)
{
    bool wants = strcmp(spec->kind, "stability") == 0 && strcmp(method_of(spec), "resample") != 0;
    return wants ? fold_count(spec) : 0;
}

/* The fits that count; `*broken`: there should be some, and the check has been broken. */
static const check_refit_t *
find_refit(const check_context_t *context, const Valion__V1__CheckSpec *spec,
           Valion__V1__CheckResult *out, bool *broken)
{
    const check_refit_t *refit = context->refit;
    const char *method = method_of(spec);
    bool must = strcmp(method, "refit") == 0;
    *broken = true;
    if (!must && strcmp(method, "auto") != 0 && strcmp(method, "resample") != 0) {
        check_break(context, spec, out, "The method '%.40s' is none: auto, refit or resample",
                    method);
        return NULL;
    }
    bool wanted = refit && refit->folds == fold_count(spec) && check_refit_folds(spec) > 0;
    if (wanted && refit->done && refit->rows == context->predictions->result.rows) {
        *broken = false;
        return refit;
    }
    if (must || (wanted && refit->has_recipe)) {
        check_break(context, spec, out, "The model could not be fitted anew: %.300s",
                    refit && refit->why ? refit->why : "nobody said why");
        return NULL;
    }
    *broken = false;
    return NULL;
}

void
check_stability(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                Valion__V1__CheckResult *out)
{
    const check_predictions_t *predictions = context->predictions;
    size_t wanted = fold_count(spec);
    bool broken = false;
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
    const check_refit_t *refit = find_refit(context, spec, out, &broken);
    if (broken) {
        return;
    }
    folds_t folds = score_folds(predictions, refit, wanted);
    if (folds.undefined > 0) {
        check_break(context, spec, out, "R2 is not defined for %zu of %zu folds", folds.undefined,
                    folds.count);
        return;
    }
    decide(context, spec, &folds, out);
}
