/*
 * vln_metric - how good predictions are: scikit-learn's metrics and conventions.
 *
 * Arrays hold one entry a row, in the same order; a missing target or prediction is the caller's to
 * drop first: NaN or infinity gives NOT_FINITE. Zero rows give EMPTY. Where scikit-learn warns and
 * returns a convention's value, so do we, and say why; where it raises, there is no value.
 */
#ifndef VLN_METRIC_H
#define VLN_METRIC_H

#include <stddef.h>
#include <stdint.h>

#include "vln_stat.h"

/* ---- regression; all in the target's unit unless said ---- */

typedef struct vln_regression {
    size_t n;
    vln_stat_t r2;        /* 1 - SSres / SStot; TOO_FEW below 2 rows; CONSTANT target: 1 if there is
                                no error, else 0 */
    vln_stat_t mae;       /* mean absolute error */
    vln_stat_t mse;       /* mean squared error, unit squared */
    vln_stat_t rmse;      /* its root */
    vln_stat_t mape;      /* mean of |error| / max(|target|, 2^-52), as a share; ZERO_TARGET where
                                that bound was needed, and the value is then as large as it says */
    vln_stat_t median_ae; /* median absolute error */
    vln_stat_t max_error; /* largest absolute error */
    vln_stat_t mean_residual; /* of target - prediction */
    vln_stat_t residual_std;  /* ddof 0 */
    vln_stat_t bias;          /* |mean_residual| / residual_std; CONSTANT residuals: 0 */
} vln_regression_t;

void vln_metric_regression(const double *target, const double *predicted, size_t n,
                           vln_regression_t *out);

/* ---- two classes: truth is 0 or 1, a score is larger where 1 is likelier ---- */

typedef struct vln_confusion {
    uint64_t true_positive;
    uint64_t false_positive;
    uint64_t true_negative;
    uint64_t false_negative;
} vln_confusion_t;

/* Positive is score >= threshold; a NaN score is not. */
vln_confusion_t vln_metric_confusion(const uint8_t *truth, const double *scores, size_t n,
                                     double threshold);

vln_stat_t vln_metric_accuracy(const vln_confusion_t *confusion);

/* 0 and NO_PREDICTED where no row is predicted positive. */
vln_stat_t vln_metric_precision(const vln_confusion_t *confusion);

/* 0 and NO_POSITIVE where none is. */
vln_stat_t vln_metric_recall(const vln_confusion_t *confusion);

/* 2 TP / (2 TP + FP + FN); 0 and NO_POSITIVE where that is 0 / 0. */
vln_stat_t vln_metric_f1(const vln_confusion_t *confusion);

/* Area under the ROC curve: the share of pairs in the right order, ties half. Undefined: ONE_CLASS. */
vln_stat_t vln_metric_roc_auc(const uint8_t *truth, const double *scores, size_t n);

/* Sum of precision times the step in recall over falling thresholds. NO_POSITIVE gives 0. */
vln_stat_t vln_metric_average_precision(const uint8_t *truth, const double *scores, size_t n);

/* Mean of -ln(probability of what was true), natural, probabilities clipped to 1e-15 .. 1 - 1e-15. */
vln_stat_t vln_metric_log_loss(const uint8_t *truth, const double *probabilities, size_t n);

/* Mean squared distance of the probability from 0 or 1. */
vln_stat_t vln_metric_brier(const uint8_t *truth, const double *probabilities, size_t n);

/* ---- many classes: codes 0 .. classes - 1 ---- */

vln_stat_t vln_metric_class_accuracy(const int32_t *truth, const int32_t *predicted, size_t n);

/* Unweighted mean of the F1 of each class that occurs on either side; 0 for one never right. */
vln_stat_t vln_metric_macro_f1(const int32_t *truth, const int32_t *predicted, size_t n,
                               size_t classes);

/* As vln_metric_log_loss; n rows of `classes` probabilities, which the caller has sum to 1. */
vln_stat_t vln_metric_class_log_loss(const int32_t *truth, const double *probabilities, size_t n,
                                     size_t classes);

#endif
