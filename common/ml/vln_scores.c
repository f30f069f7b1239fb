#include "vln_scores.h"

#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_metric.h"

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
score_regression(vln_scores_t *self, const vln_truth_t *truth, const vln_sandbox_result_t *result,
                 vln_arena_t *arena)
{
    vln_regression_t metrics;
    double *predicted = widen(result->values, result->rows);
    vln_metric_regression(truth->values, predicted, result->rows, &metrics);
    free(predicted);
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
}

static void
score_binary(vln_scores_t *self, const vln_truth_t *truth, const vln_sandbox_result_t *result,
             vln_arena_t *arena)
{
    size_t n = result->rows;
    double *scores = widen(result->values, n);
    uint8_t *positive = vln_calloc(n + 1, 1);
    for (size_t i = 0; i < n; i++) {
        positive[i] = truth->codes[i] == 1;
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

static void
score_classes(vln_scores_t *self, const vln_truth_t *truth, const vln_sandbox_result_t *result,
              vln_arena_t *arena)
{
    size_t n = result->rows;
    int32_t *predicted = vln_calloc(n + 1, sizeof *predicted);
    vln_scores_classes(truth, result, predicted);
    add(self, arena, "accuracy", vln_metric_class_accuracy(truth->codes, predicted, n));
    add(self, arena, "macro_f1", vln_metric_macro_f1(truth->codes, predicted, n, truth->classes));
    free(predicted);
    if (result->width == truth->classes) {
        double *probabilities = widen(result->values, n * result->width);
        add(self, arena, "log_loss",
            vln_metric_class_log_loss(truth->codes, probabilities, n, truth->classes));
        free(probabilities);
    }
}

vln_scores_t
vln_scores_make(const vln_truth_t *truth, const vln_sandbox_result_t *result, vln_arena_t *arena)
{
    vln_scores_t self = {
        .numbers = vln_arena_alloc(arena, VLN_SCORES_MAX * sizeof(Valion__V1__KeyNumber *))};
    if (truth->task == VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION) {
        score_regression(&self, truth, result, arena);
    } else if (truth->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY && result->width == 1) {
        score_binary(&self, truth, result, arena);
    } else {
        score_classes(&self, truth, result, arena);
    }
    return self;
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
