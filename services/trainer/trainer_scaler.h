/*
 * trainer_scaler - what becomes of columns of numbers: what stands for a missing value, what is
 * subtracted, what is multiplied; and that as nodes of an ONNX-ML graph.
 */
#ifndef TRAINER_SCALER_H
#define TRAINER_SCALER_H

#include "vln_onnx_build.h"
#include "vln_sample.h"

#include "valion/v1/trainer.pb-c.h"

/* Of one column: (x - offset) * scale, with `fill` for a missing x. */
typedef struct trainer_scaling {
    const char *column;
    float fill; /* NaN: stays missing */
    float offset;
    float scale;
} trainer_scaling_t;

/*
 * From the values that it is fitted on. A column of one value is not scaled. MOST_FREQUENT is the
 * least of the most frequent ones. A column without any value has fill 0 if it is filled at all.
 */
trainer_scaling_t trainer_scaling_fit(const char *column, const vln_sample_t *values,
                                      const Valion__V1__ColumnTransform *transform);

/* The nodes, from one input a column, by its name, to `output`: as many numbers, in this order. */
void trainer_scaler_add(vln_part_t *graph, const trainer_scaling_t *columns, size_t count,
                        const char *output);

#endif
