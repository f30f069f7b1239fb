/*
 * vln_classes - how good a classifier is: by its confusion matrix, by class against class, and by how
 * far its probabilities can be believed. scikit-learn's metrics and conventions, as vln_metric.
 *
 * Codes are 0 .. classes - 1, at least 1 class; whoever calls has made sure of it.
 */
#ifndef VLN_CLASSES_H
#define VLN_CLASSES_H

#include <stddef.h>
#include <stdint.h>

#include "vln_stat.h"

/* ---- the confusion matrix ---- */

/* matrix[truth * classes + predicted] becomes rows. */
void vln_classes_count(const int32_t *truth, const int32_t *predicted, size_t n, size_t classes,
                       uint64_t *matrix);

typedef struct vln_class_score {
    vln_stat_t precision; /* 0 and NO_PREDICTED where it is never said */
    vln_stat_t recall;    /* 0 and NO_POSITIVE where it never is */
    vln_stat_t f1;
    uint64_t rows; /* that are of it */
} vln_class_score_t;

/* Of one class against all others. */
vln_class_score_t vln_classes_score(const uint64_t *matrix, size_t classes, size_t which);

typedef struct vln_class_mean {
    vln_stat_t precision;
    vln_stat_t recall;
    vln_stat_t f1;
} vln_class_mean_t;

typedef struct vln_class_scores {
    vln_stat_t accuracy;
    vln_stat_t balanced_accuracy; /* mean recall of the classes that occur */
    vln_stat_t mcc;               /* Matthews' correlation; 0 where a side is one class */
    vln_stat_t kappa;             /* Cohen's; undefined where both sides are the same one class */
    vln_class_mean_t macro;       /* of the classes that occur on either side */
    vln_class_mean_t weighted;    /* by their rows */
    vln_class_mean_t micro;       /* of all rows; each is the accuracy */
} vln_class_scores_t;

/* EMPTY without rows. */
void vln_classes_scores(const uint64_t *matrix, size_t classes, vln_class_scores_t *out);

/* ---- ROC of many classes ---- */

typedef struct vln_class_auc {
    vln_stat_t ovr_macro; /* each class against the rest; ONE_CLASS where one does not occur */
    vln_stat_t ovr_weighted;
    vln_stat_t ovo_macro; /* each pair of classes (Hand & Till, Machine Learning 45, 2001) */
    vln_stat_t ovo_weighted;
    vln_stat_t average_precision; /* macro, of each class against the rest */
} vln_class_auc_t;

/* n rows of `classes` probabilities. */
void vln_classes_auc(const int32_t *truth, const double *probabilities, size_t n, size_t classes,
                     vln_class_auc_t *out);

/* Mean over the rows of the sum over the classes of (probability - 1 or 0)^2. */
vln_stat_t vln_classes_brier(const int32_t *truth, const double *probabilities, size_t n,
                             size_t classes);

/* ---- calibration ---- */

enum { VLN_CALIBRATION_BINS = 10 };

typedef struct vln_calibration {
    uint64_t rows[VLN_CALIBRATION_BINS]; /* of equal width in 0..1; 1 is in the last */
    double said[VLN_CALIBRATION_BINS];   /* mean probability of the bin's rows; 0 without any */
    double was[VLN_CALIBRATION_BINS];    /* share of them that it came true for */
    vln_stat_t ece;                      /* mean |said - was| over the rows */
    vln_stat_t worst;                    /* the largest of a bin that has rows */
} vln_calibration_t;

/* Did what was said with `probability` come true? */
void vln_classes_calibration(const double *probabilities, const uint8_t *hits, size_t n,
                             vln_calibration_t *out);

#endif
