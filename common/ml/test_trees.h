/*
 * test_trees - ONNX models of trees for tests and benchmarks, grown at random and always the same.
 * Thresholds and test_trees_rows() come from one small grid with both zeros, infinities, denormals and
 * NaN, so that ties and every odd number are met.
 */
#ifndef TEST_TREES_H
#define TEST_TREES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_onnx_build.h"

typedef enum test_trees_around {
    TEST_TREES_BARE,
    TEST_TREES_PIPELINE,   /* Imputer, Scaler, Sub, Mul, Cast and Identity before them */
    TEST_TREES_ARITHMETIC, /* sums, differences, products, quotients of columns and constants */
    TEST_TREES_COLUMNS,    /* each feature an input of its own, and a text that is encoded */
} test_trees_around_t;

typedef struct test_trees {
    int64_t features;
    size_t trees;
    size_t depth;
    size_t classes;   /* 0: a regressor */
    size_t targets;   /* of a regressor; 0: 1 */
    const char *mode; /* NULL: "BRANCH_LEQ"; "": all four in turns */
    const char *transform;
    const char *aggregate; /* NULL: none is stated */
    size_t bases;
    bool by_rows;  /* each leaf has a weight of every class or target */
    bool missing;  /* some tests pass a NaN */
    bool negative; /* some weights are below 0 */
    bool words;    /* classes are texts */
    bool zipmap;
    bool normalized; /* the scores, by L1 */
    test_trees_around_t around;
    uint32_t seed;
} test_trees_t;

/* The file; end it with vln_part_end(). */
vln_part_t test_trees_make(const test_trees_t *recipe);

/* Rows from the same grid. Yours, by free(). */
float *test_trees_rows(size_t rows, size_t features, uint32_t seed);

#endif
