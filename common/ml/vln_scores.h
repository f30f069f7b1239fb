/*
 * vln_scores - how good predictions are, as named numbers: what the trainer writes beside a version
 * and the validator into a report, by the same code.
 *
 * Regression: r2, mae, mse, rmse, mape, median_ae, max_error, explained_variance, pearson, spearman,
 * mean_residual and its 95 % interval mean_residual_low and _high, residual_std, bias, and the p-values
 * mean_residual_p (is it zero?), residual_shapiro_p (normal?), residual_spread_p (of one spread?).
 * Both kinds of classes: accuracy, balanced_accuracy, mcc, cohen_kappa, precision, recall and f1 after
 * macro_, weighted_ and micro_, log_loss, brier, ece and ece_max (calibration in ten bins), and, up to
 * 32 classes, precision_0, recall_0, f1_0 and rows_0 of the first class and so on.
 * Binary besides, of the second class at a threshold of 0.5: precision, recall, f1, roc_auc,
 * average_precision, positive_rate, predicted_positive_rate. Multiclass: roc_auc_ovr_macro,
 * roc_auc_ovr_weighted, roc_auc_ovo_macro, roc_auc_ovo_weighted, macro_average_precision.
 * One that is not defined for the rows is left out. Rows whose prediction is not finite are the
 * caller's to refuse or drop first. Pure.
 */
#ifndef VLN_SCORES_H
#define VLN_SCORES_H

#include <valion/v1/common.pb-c.h>

#include "vln_mem.h"
#include "vln_sandbox.h"

enum { VLN_SCORES_MAX = 192, VLN_SCORES_CLASSES_MAX = 32 };

/* What was true of the rows that `result` has predictions of. */
typedef struct vln_truth {
    Valion__V1__TaskType task;
    const double *values; /* REGRESSION */
    const int32_t *codes; /* else: which class, from 0; of two, the second is the positive one */
    size_t classes;
} vln_truth_t;

typedef struct vln_scores {
    Valion__V1__KeyNumber **numbers;
    size_t count;
} vln_scores_t;

/* In the arena. */
vln_scores_t vln_scores_make(const vln_truth_t *truth, const vln_sandbox_result_t *result,
                             vln_arena_t *arena);

/* Of these names alone, and what is computed along with them: for who scores the same rows often. */
vln_scores_t vln_scores_make_named(const vln_truth_t *truth, const vln_sandbox_result_t *result,
                                   const char *const *names, size_t count, vln_arena_t *arena);

/* The number of that name, or `otherwise`. */
double vln_scores_get(const vln_scores_t *self, const char *name, double otherwise);

/* Of each row, the class that the model says: its label, or its largest probability. `out` holds
 * one a row. */
void vln_scores_classes(const vln_truth_t *truth, const vln_sandbox_result_t *result, int32_t *out);

#endif
