#include "vln_scores.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_classes.h"
#include "vln_err.h"
#include "vln_metric.h"
#include "vln_residuals.h"

/* More classes than this have no matrix, which is their square. */
enum { MATRIX_MAX = 1024 };

/* What is computed together. */
enum { BASIC = 1, RESIDUALS = 2, MATRIX = 4, CURVES = 8, EVERYTHING = 15 };

static void
add(vln_scores_t *self, vln_arena_t *arena, const char *name, vln_stat_t value)
{
    if (!value.defined) {
        return;
    }
    vln_assert(self->count < VLN_SCORES_MAX);
    Valion__V1__KeyNumber *number = vln_arena_alloc(arena, sizeof *number);
    valion__v1__key_number__init(number);
    number->key = vln_arena_strdup(arena, name);
    number->has_value = 1;
    number->value = value.value;
    self->numbers[self->count++] = number;
}

static double *
widen(const float *values, size_t count)
{
    double *out = vln_calloc(count + 1, sizeof *out);
    for (size_t i = 0; i < count; i++) {
        out[i] = values[i];
    }
    return out;
}

static void
add_residuals(vln_scores_t *self, vln_arena_t *arena, const double *target, const double *predicted,
              size_t n)
{
    vln_residuals_t residuals;
    vln_residuals(target, predicted, n, &residuals);
    add(self, arena, "explained_variance", residuals.explained_variance);
    add(self, arena, "pearson", residuals.pearson);
    add(self, arena, "spearman", residuals.spearman);
    add(self, arena, "mean_residual_low", residuals.mean_low);
    add(self, arena, "mean_residual_high", residuals.mean_high);
    add(self, arena, "mean_residual_p", residuals.mean_p);
    add(self, arena, "residual_shapiro_p", residuals.shapiro_p);
    add(self, arena, "residual_spread_p", residuals.spread_p);
}

static void
score_regression(vln_scores_t *self, const vln_truth_t *truth, const vln_sandbox_result_t *result,
                 unsigned parts, vln_arena_t *arena)
{
    vln_regression_t metrics;
    double *predicted = widen(result->values, result->rows);
    vln_metric_regression(truth->values, predicted, result->rows, &metrics);
    add(self, arena, "r2", metrics.r2);
    add(self, arena, "mae", metrics.mae);
    add(self, arena, "mse", metrics.mse);
    add(self, arena, "rmse", metrics.rmse);
    add(self, arena, "mape", metrics.mape);
    add(self, arena, "median_ae", metrics.median_ae);
    add(self, arena, "max_error", metrics.max_error);
    add(self, arena, "mean_residual", metrics.mean_residual);
    add(self, arena, "residual_std", metrics.residual_std);
    add(self, arena, "bias", metrics.bias);
    if (parts & RESIDUALS) {
        add_residuals(self, arena, truth->values, predicted, result->rows);
    }
    free(predicted);
}

/* ---- classes ---- */

static void
add_mean(vln_scores_t *self, vln_arena_t *arena, const char *how, const vln_class_mean_t *mean)
{
    char name[64];
    snprintf(name, sizeof name, "%s_precision", how);
    add(self, arena, name, mean->precision);
    snprintf(name, sizeof name, "%s_recall", how);
    add(self, arena, name, mean->recall);
    snprintf(name, sizeof name, "%s_f1", how);
    add(self, arena, name, mean->f1);
}

static void
add_class(vln_scores_t *self, vln_arena_t *arena, size_t which, const vln_class_score_t *score)
{
    char name[64];
    snprintf(name, sizeof name, "precision_%zu", which);
    add(self, arena, name, score->precision);
    snprintf(name, sizeof name, "recall_%zu", which);
    add(self, arena, name, score->recall);
    snprintf(name, sizeof name, "f1_%zu", which);
    add(self, arena, name, score->f1);
    snprintf(name, sizeof name, "rows_%zu", which);
    add(self, arena, name, vln_stat_of((double)score->rows));
}

/* What follows from the confusion matrix alone, but for the accuracy. */
static void
add_matrix(vln_scores_t *self, vln_arena_t *arena, const int32_t *truth, const int32_t *predicted,
           size_t n, size_t classes)
{
    vln_class_scores_t scores;
    if (classes > MATRIX_MAX) {
        add(self, arena, "macro_f1", vln_metric_macro_f1(truth, predicted, n, classes));
        return;
    }
    uint64_t *matrix = vln_calloc(classes * classes, sizeof *matrix);
    vln_classes_count(truth, predicted, n, classes, matrix);
    vln_classes_scores(matrix, classes, &scores);
    add(self, arena, "balanced_accuracy", scores.balanced_accuracy);
    add(self, arena, "mcc", scores.mcc);
    add(self, arena, "cohen_kappa", scores.kappa);
    add_mean(self, arena, "macro", &scores.macro);
    add_mean(self, arena, "weighted", &scores.weighted);
    add_mean(self, arena, "micro", &scores.micro);
    for (size_t i = 0; i < classes && classes <= VLN_SCORES_CLASSES_MAX; i++) {
        vln_class_score_t score = vln_classes_score(matrix, classes, i);
        add_class(self, arena, i, &score);
    }
    free(matrix);
}

static void
add_calibration(vln_scores_t *self, vln_arena_t *arena, const double *probabilities,
                const uint8_t *hits, size_t n)
{
    vln_calibration_t calibration;
    vln_classes_calibration(probabilities, hits, n, &calibration);
    add(self, arena, "ece", calibration.ece);
    add(self, arena, "ece_max", calibration.worst);
}

static void
add_rates(vln_scores_t *self, vln_arena_t *arena, const vln_confusion_t *confusion)
{
    double positive = (double)(confusion->true_positive + confusion->false_negative);
    double said = (double)(confusion->true_positive + confusion->false_positive);
    double rows = positive + (double)(confusion->true_negative + confusion->false_positive);
    if (rows > 0) {
        add(self, arena, "positive_rate", vln_stat_of(positive / rows));
        add(self, arena, "predicted_positive_rate", vln_stat_of(said / rows));
    }
}

static void
score_binary(vln_scores_t *self, const vln_truth_t *truth, const vln_sandbox_result_t *result,
             unsigned parts, vln_arena_t *arena)
{
    size_t n = result->rows;
    double *scores = widen(result->values, n);
    uint8_t *positive = vln_calloc(n + 1, 1);
    int32_t *predicted = vln_calloc(n + 1, sizeof *predicted);
    for (size_t i = 0; i < n; i++) {
        positive[i] = truth->codes[i] == 1;
        predicted[i] = scores[i] >= 0.5;
    }
    vln_confusion_t confusion = vln_metric_confusion(positive, scores, n, 0.5);
    add(self, arena, "accuracy", vln_metric_accuracy(&confusion));
    add(self, arena, "precision", vln_metric_precision(&confusion));
    add(self, arena, "recall", vln_metric_recall(&confusion));
    add(self, arena, "f1", vln_metric_f1(&confusion));
    add(self, arena, "roc_auc", vln_metric_roc_auc(positive, scores, n));
    add(self, arena, "average_precision", vln_metric_average_precision(positive, scores, n));
    add(self, arena, "log_loss", vln_metric_log_loss(positive, scores, n));
    add(self, arena, "brier", vln_metric_brier(positive, scores, n));
    add_calibration(self, arena, scores, positive, n);
    add_rates(self, arena, &confusion);
    if (parts & MATRIX) {
        add_matrix(self, arena, truth->codes, predicted, n, 2);
    }
    free(predicted);
    free(positive);
    free(scores);
}

static int32_t
likeliest(const float *probabilities, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = probabilities[i] > probabilities[best] ? i : best;
    }
    return (int32_t)best;
}

void
vln_scores_classes(const vln_truth_t *truth, const vln_sandbox_result_t *result, int32_t *out)
{
    bool binary = truth->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    for (size_t i = 0; i < result->rows; i++) {
        if (result->labels) {
            out[i] = result->labels[i];
        } else if (binary && result->width == 1) {
            out[i] = result->values[i] >= 0.5F;
        } else {
            out[i] = likeliest(result->values + i * result->width, result->width);
        }
    }
}

/* Of the class that is said to be likeliest. */
static void
calibrate_classes(vln_scores_t *self, const vln_truth_t *truth, const double *probabilities,
                  const int32_t *predicted, size_t n, vln_arena_t *arena)
{
    double *said = vln_calloc(n + 1, sizeof *said);
    uint8_t *hits = vln_calloc(n + 1, 1);
    for (size_t i = 0; i < n; i++) {
        said[i] = probabilities[i * truth->classes + (size_t)predicted[i]];
        hits[i] = predicted[i] == truth->codes[i];
    }
    add_calibration(self, arena, said, hits, n);
    free(said);
    free(hits);
}

static void
score_probabilities(vln_scores_t *self, const vln_truth_t *truth,
                    const vln_sandbox_result_t *result, const int32_t *predicted, unsigned parts,
                    vln_arena_t *arena)
{
    size_t n = result->rows;
    size_t classes = truth->classes;
    double *probabilities = widen(result->values, n * classes);
    add(self, arena, "log_loss",
        vln_metric_class_log_loss(truth->codes, probabilities, n, classes));
    add(self, arena, "brier", vln_classes_brier(truth->codes, probabilities, n, classes));
    calibrate_classes(self, truth, probabilities, predicted, n, arena);
    if ((parts & CURVES) && classes <= VLN_SCORES_CLASSES_MAX) {
        vln_class_auc_t auc;
        vln_classes_auc(truth->codes, probabilities, n, classes, &auc);
        add(self, arena, "roc_auc_ovr_macro", auc.ovr_macro);
        add(self, arena, "roc_auc_ovr_weighted", auc.ovr_weighted);
        add(self, arena, "roc_auc_ovo_macro", auc.ovo_macro);
        add(self, arena, "roc_auc_ovo_weighted", auc.ovo_weighted);
        add(self, arena, "macro_average_precision", auc.average_precision);
    }
    free(probabilities);
}

static void
score_classes(vln_scores_t *self, const vln_truth_t *truth, const vln_sandbox_result_t *result,
              unsigned parts, vln_arena_t *arena)
{
    size_t n = result->rows;
    int32_t *predicted = vln_calloc(n + 1, sizeof *predicted);
    vln_scores_classes(truth, result, predicted);
    add(self, arena, "accuracy", vln_metric_class_accuracy(truth->codes, predicted, n));
    if (result->width == truth->classes) {
        score_probabilities(self, truth, result, predicted, parts, arena);
    }
    if (parts & MATRIX) {
        add_matrix(self, arena, truth->codes, predicted, n, truth->classes);
    }
    free(predicted);
}

static vln_scores_t
make(const vln_truth_t *truth, const vln_sandbox_result_t *result, unsigned parts,
     vln_arena_t *arena)
{
    vln_scores_t self = {
        .numbers = vln_arena_alloc(arena, VLN_SCORES_MAX * sizeof(Valion__V1__KeyNumber *))};
    if (truth->task == VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION) {
        score_regression(&self, truth, result, parts, arena);
    } else if (truth->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY && result->width == 1) {
        score_binary(&self, truth, result, parts, arena);
    } else {
        score_classes(&self, truth, result, parts, arena);
    }
    return self;
}

vln_scores_t
vln_scores_make(const vln_truth_t *truth, const vln_sandbox_result_t *result, vln_arena_t *arena)
{
    return make(truth, result, EVERYTHING, arena);
}

/* One that is not known as basic is not found among these, and everything else is asked. */
static unsigned
part_of(const char *name)
{
    static const char *const basic[] = {
        "r2",        "mae",    "mse", "rmse",    "mape",          "median_ae",         "max_error",
        "accuracy",  "brier",  "ece", "bias",    "ece_max",       "average_precision", "log_loss",
        "precision", "recall", "f1",  "roc_auc", "mean_residual", "residual_std"};
    for (size_t i = 0; i < VLN_COUNT(basic); i++) {
        if (strcmp(basic[i], name) == 0) {
            return BASIC;
        }
    }
    return strncmp(name, "roc_auc_", 8) == 0 || strcmp(name, "macro_average_precision") == 0
               ? CURVES
               : MATRIX | RESIDUALS;
}

vln_scores_t
vln_scores_make_named(const vln_truth_t *truth, const vln_sandbox_result_t *result,
                      const char *const *names, size_t count, vln_arena_t *arena)
{
    unsigned parts = BASIC;
    for (size_t i = 0; i < count; i++) {
        parts |= part_of(names[i]);
    }
    return make(truth, result, parts, arena);
}

double
vln_scores_get(const vln_scores_t *self, const char *name, double otherwise)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->numbers[i]->key, name) == 0) {
            return self->numbers[i]->value;
        }
    }
    return otherwise;
}
