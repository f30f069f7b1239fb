/*
 * recipe - what an algorithm is to libxgboost: its parameters, its defaults, and which of them the
 * user may set.
 *
 * A random forest is one round of many trees side by side, each on a part of the rows and columns;
 * boosting is many rounds of one tree; an elastic net is XGBoost's linear booster. Pure.
 */
#ifndef RECIPE_H
#define RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { RECIPE_PARAMETERS_MAX = 96, RECIPE_TEXT = 80, RECIPE_WHY = 256 };

typedef enum recipe_algorithm {
    RECIPE_GRADIENT_BOOSTING,
    RECIPE_RANDOM_FOREST,
    RECIPE_ELASTIC_NET,
    RECIPE_ALGORITHMS,
} recipe_algorithm_t;

typedef enum recipe_task {
    RECIPE_REGRESSION,
    RECIPE_BINARY,
    RECIPE_MULTICLASS,
} recipe_task_t;

typedef struct recipe_parameter {
    char name[RECIPE_TEXT];
    char value[RECIPE_TEXT];
} recipe_parameter_t;

/* Everything that a fit needs beside the rows. A value. */
typedef struct recipe {
    recipe_parameter_t parameters[RECIPE_PARAMETERS_MAX]; /* of the library, by order of setting */
    size_t count;
    uint32_t rounds;    /* at most */
    bool stops_early;   /* it makes sense to */
    const char *metric; /* of held-out rows: the library's name; lower is better */
} recipe_t;

/* What the fit is for. */
typedef struct recipe_terms {
    recipe_algorithm_t algorithm;
    recipe_task_t task;
    size_t classes; /* MULTICLASS */
    uint64_t seed;
    uint32_t threads;
} recipe_terms_t;

/* "random_forest". */
const char *recipe_name(recipe_algorithm_t algorithm);

/* The algorithm's defaults for these terms. */
void recipe_begin(recipe_t *self, const recipe_terms_t *terms);

/*
 * A hyperparameter of the user's, over the default. False, and `why` is a sentence that names what
 * may be set, if it is not one of this algorithm or its value is out of range.
 */
bool recipe_set(recipe_t *self, recipe_algorithm_t algorithm, const char *name, const char *value,
                char why[RECIPE_WHY]);

#endif
