/*
 * vln_fold - which rows make up a fold: scikit-learn's KFold without shuffling. The first
 * (rows mod folds) folds hold one row more; folds are contiguous and in order.
 */
#ifndef VLN_FOLD_H
#define VLN_FOLD_H

#include <stddef.h>

typedef struct vln_fold {
    size_t start; /* first row */
    size_t rows;
} vln_fold_t;

/* Fold `index` (from 0) of `folds`; 1 <= folds <= rows, index < folds. */
vln_fold_t vln_fold(size_t rows, size_t folds, size_t index);

#endif
