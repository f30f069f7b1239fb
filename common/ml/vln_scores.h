/*
 * vln_scores - how good predictions are, as named numbers: what the trainer writes beside a version
 * and the validator into a report, by the same code.
 *
 * Regression: r2, mae, mse, rmse, mape, median_ae, max_error, mean_residual, residual_std, bias.
 * Binary, at a threshold of 0.5: accuracy, precision, recall, f1, roc_auc, average_precision,
 * log_loss, brier. Multiclass: accuracy, macro_f1, log_loss. One that is not defined for the rows is
 * left out. Rows whose prediction is not finite are the caller's to refuse or drop first. Pure.
 */
#ifndef VLN_SCORES_H
#define VLN_SCORES_H

#include <valion/v1/common.pb-c.h>

#include "vln_mem.h"
#include "vln_sandbox.h"

enum { VLN_SCORES_MAX = 16 };

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

/* The number of that name, or `otherwise`. */
double vln_scores_get(const vln_scores_t *self, const char *name, double otherwise);

/* Of each row, the class that the model says: its label, or its largest probability. `out` holds
 * one a row. */
void vln_scores_classes(const vln_truth_t *truth, const vln_sandbox_result_t *result, int32_t *out);

#endif
