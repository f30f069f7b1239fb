/*
 * test_onnx - ONNX models for tests, with numbers that follow from their shape.
 */
#ifndef TEST_ONNX_H
#define TEST_ONNX_H

#include "vln_onnx_build.h"

/* X float [any, features] -> Y float [any, 1]: LinearRegressor, coefficients 1, 2, 3 … */
vln_part_t test_onnx_linear(int64_t features);

/* X float [any, 4] -> label (text), probabilities (maps): LinearClassifier of "no", "maybe", "yes",
 * then a ZipMap. */
vln_part_t test_onnx_zipmap(void);

/* age float [any, 1], city__home_ string [any, 1] -> Y float [any, 1]: age + 10 per place of the city
 * in "Rome", "Oslo", "Lima"; -5 for any other. */
vln_part_t test_onnx_columns(void);

/* X float [any, 16] -> Y float [any, 1]: two layers of 64, whose sums depend on their order. */
vln_part_t test_onnx_layers(void);

#endif
