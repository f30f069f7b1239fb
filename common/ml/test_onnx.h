/*
 * test_onnx - ONNX models for tests, with numbers that follow from their shape.
 */
#ifndef TEST_ONNX_H
#define TEST_ONNX_H

#include <stdbool.h>

#include "vln_onnx_build.h"

/* X float [any, features] -> Y float [any, 1]: LinearRegressor, coefficients 1, 2, 3 … */
vln_part_t test_onnx_linear(int64_t features);

/* X float [any, 4] -> label (text), probabilities (maps): LinearClassifier of "no", "maybe", "yes",
 * then a ZipMap. */
vln_part_t test_onnx_zipmap(void);

/* age float [any, 1], city__home_ string [any, 1] -> Y float [any, 1]: age + 10 per place of the city
 * in "Rome", "Oslo", "Lima"; -5 for any other. */
vln_part_t test_onnx_columns(void);

/* How test_onnx_encoders() differs from what its comment says. */
typedef struct test_onnx_encoders {
    const char *twice;    /* a further city */
    size_t numbers;       /* of the cities; 0: as many as cities */
    const int64_t *rooms; /* instead of 1, 2, 4, -3 */
    size_t room_count;
    bool no_default;
    bool strict; /* other rooms are an error */
    bool is_old; /* opset 1 of the encoders */
} test_onnx_encoders_t;

/* rooms float [any, 1], city string [any, 1] -> Y float [any, 8]: the city's number (10 for "Rome", 20
 * for "Oslo", 30 for "Lima", 40 for none; -1 for another), one-hot of 20, 10 and -1, and one-hot of the
 * rooms. Its properties name the columns "place", "is20" … "rooms-3". */
vln_part_t test_onnx_encoders(const test_onnx_encoders_t *differing);

/* X float [any, 16] -> Y float [any, 1]: two layers of 64, whose sums depend on their order. */
vln_part_t test_onnx_layers(void);

#endif
