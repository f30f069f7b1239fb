/*
 * vln_residuals - what is left of the target once it is predicted: how well the two go together, and
 * whether what is left is centred, normal and of one spread.
 *
 * Arrays hold one entry a row; NaN or infinity gives NOT_FINITE.
 */
#ifndef VLN_RESIDUALS_H
#define VLN_RESIDUALS_H

#include <stddef.h>

#include "vln_stat.h"

typedef struct vln_residuals {
    vln_stat_t explained_variance; /* 1 - var(residuals) / var(target), as scikit-learn's */
    vln_stat_t pearson;            /* of target and prediction */
    vln_stat_t spearman;           /* Pearson's of their ranks, ties sharing theirs */
    vln_stat_t mean;               /* of target - prediction */
    vln_stat_t mean_low;           /* 95 % interval of it by Student's t; TOO_FEW below 2 rows */
    vln_stat_t mean_high;
    vln_stat_t mean_p;    /* of a mean of zero; CONSTANT residuals have none */
    vln_stat_t shapiro_p; /* that the first 5000 are normal */
    vln_stat_t spread_p;  /* that their spread is the same at each prediction: Breusch & Pagan
                             (Econometrica 47, 1979), Koenker's n R2 */
} vln_residuals_t;

void vln_residuals(const double *target, const double *predicted, size_t n, vln_residuals_t *out);

#endif
