/*
 * difference - what changed from one version of a model to the next, as facts for the rules, and
 * whether who calls the one can call the other.
 *
 * Pure. What a side does not say is not compared: a signature that nobody established, a target, a
 * digest, hyperparameters. A caller is one that names its inputs and reads outputs by their names.
 */
#ifndef DIFFERENCE_H
#define DIFFERENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "suggest.h"

/* As in valion.v1.ColumnType. */
typedef enum difference_type {
    DIFFERENCE_UNKNOWN,
    DIFFERENCE_BOOL,
    DIFFERENCE_INT64,
    DIFFERENCE_FLOAT32,
    DIFFERENCE_FLOAT64,
    DIFFERENCE_STRING,
} difference_type_t;

typedef struct difference_column {
    const char *name; /* first, as in the two below */
    difference_type_t type;
    const char *unit; /* NULL: not said */
    bool optional;
    size_t category_count; /* 0: any text */
    const char *const *categories;
} difference_column_t;

typedef struct difference_pair {
    const char *name;
    const char *value;
} difference_pair_t;

typedef struct difference_metric {
    const char *name;
    double value;
} difference_metric_t;

/* One of the two versions. Everything is borrowed; NULL or none is "not said". */
typedef struct difference_side {
    const char *title; /* for sentences: "1.2.0" */
    bool has_signature;
    size_t input_count;
    const difference_column_t *inputs;
    size_t output_count;
    const difference_column_t *outputs;
    int task; /* 0: not said */
    size_t class_count;
    const char *const *classes;
    const char *positive_class;
    const char *target;
    const char *algorithm;
    const char *framework;
    size_t hyperparameter_count;
    const difference_pair_t *hyperparameters;
    size_t metric_count;
    const difference_metric_t *metrics;
    const uint8_t *digest; /* of the artifacts */
    size_t digest_size;
} difference_side_t;

enum {
    DIFFERENCE_FACTS_MAX = 128,
    DIFFERENCE_FACTS_OF_KEY = 8, /* and one more that says how many were left out */
    DIFFERENCE_OBSTACLES_MAX = 16,
    DIFFERENCE_NOTES_MAX = 2,
};

typedef struct difference {
    suggest_context_t context;
    size_t fact_count;
    suggest_fact_t facts[DIFFERENCE_FACTS_MAX];
    bool callers_fit;      /* who calls the old one can call the new one unchanged */
    size_t obstacle_count; /* why not; the last one may say how many there are more */
    char obstacles[DIFFERENCE_OBSTACLES_MAX + 1][SUGGEST_SENTENCE];
    size_t note_count; /* what could not be compared */
    char notes[DIFFERENCE_NOTES_MAX][SUGGEST_SENTENCE];
    size_t seen[SUGGEST_KEY_COUNT]; /* facts of each key, also those left out */
    size_t obstacles_seen;
} difference_t;

/* From `old` to `new`. `out` is some 40 KiB: not for the stack of a thread. */
void difference_find(const difference_side_t *old, const difference_side_t *new, difference_t *out);

/* Both together: a yes of either is one; a metric that was computed goes before what is said of it. */
suggest_context_t difference_merge(const suggest_context_t *said,
                                   const suggest_context_t *computed);

#endif
