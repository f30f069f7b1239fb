/*
 * vln_result - what a model gave for some rows as a vln_sandbox_result_t, whichever engine it ran in:
 * so the same numbers become the same result. Any thread.
 */
#ifndef VLN_RESULT_H
#define VLN_RESULT_H

#include "vln_sandbox.h"

/* Numbers and labels of some rows, as the model gives them; borrowed. */
typedef struct vln_raw {
    const float *scores; /* row by row */
    size_t width;
    const int32_t *labels; /* NULL: none */
    size_t count;
} vln_raw_t;

/* True if the rows have what the model takes; where it leaves its columns open, anything goes. Else
 * the outcome's sentence says what they lack. */
bool vln_result_rows_fit(const vln_model_t *about, const vln_sandbox_rows_t *rows,
                         vln_outcome_t *outcome);

/* Empty it, and keep its memory. */
void vln_result_begin(vln_sandbox_result_t *result);

/* Have room for so many rows of a model that gives `width` numbers each. */
void vln_result_reserve(const vln_model_t *about, size_t rows, size_t width,
                        vln_sandbox_result_t *result);

/* True if labels are classes, and so are scores where they are labels in truth. */
bool vln_result_labels_are_sound(const vln_model_t *about, const vln_raw_t *raw);

/* Put them behind what there is. */
void vln_result_take(const vln_model_t *about, const vln_raw_t *raw, vln_sandbox_result_t *result);

#endif
