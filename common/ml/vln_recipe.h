/*
 * vln_recipe - what an algorithm is to libxgboost: its parameters, its defaults, and which of them the
 * user may set.
 *
 * A random forest is one round of many trees side by side, each on a part of the rows and columns;
 * boosting is many rounds of one tree; an elastic net is XGBoost's linear booster. Pure.
 */
#ifndef VLN_RECIPE_H
#define VLN_RECIPE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VLN_RECIPE_PARAMETERS_MAX = 96, VLN_RECIPE_TEXT = 80, VLN_RECIPE_WHY = 256 };

typedef enum vln_recipe_algorithm {
    VLN_RECIPE_GRADIENT_BOOSTING,
    VLN_RECIPE_RANDOM_FOREST,
    VLN_RECIPE_ELASTIC_NET,
    VLN_RECIPE_ALGORITHMS,
} vln_recipe_algorithm_t;

typedef enum vln_recipe_task {
    VLN_RECIPE_REGRESSION,
    VLN_RECIPE_BINARY,
    VLN_RECIPE_MULTICLASS,
} vln_recipe_task_t;

typedef struct vln_recipe_parameter {
    char name[VLN_RECIPE_TEXT];
    char value[VLN_RECIPE_TEXT];
} vln_recipe_parameter_t;

/* Everything that a fit needs beside the rows. A value. */
typedef struct vln_recipe {
    vln_recipe_parameter_t
        parameters[VLN_RECIPE_PARAMETERS_MAX]; /* of the library, by order of setting */
    size_t count;
    uint32_t rounds;    /* at most */
    bool stops_early;   /* it makes sense to */
    const char *metric; /* of held-out rows: the library's name; lower is better */
} vln_recipe_t;

/* What the fit is for. */
typedef struct vln_recipe_terms {
    vln_recipe_algorithm_t algorithm;
    vln_recipe_task_t task;
    size_t classes; /* MULTICLASS */
    uint64_t seed;
    uint32_t threads;
} vln_recipe_terms_t;

/* "random_forest". */
const char *vln_recipe_name(vln_recipe_algorithm_t algorithm);

/* The algorithm's defaults for these terms. */
void vln_recipe_begin(vln_recipe_t *self, const vln_recipe_terms_t *terms);

/* True if the user may set it. */
bool vln_recipe_knows(vln_recipe_algorithm_t algorithm, const char *name);

/*
 * A hyperparameter of the user's, over the default. False, and `why` is a sentence that names what
 * may be set, if it is not one of this algorithm or its value is out of range.
 */
bool vln_recipe_set(vln_recipe_t *self, vln_recipe_algorithm_t algorithm, const char *name,
                    const char *value, char why[VLN_RECIPE_WHY]);

/* The algorithm of that name; false: it is none of these. */
bool vln_recipe_find(const char *name, vln_recipe_algorithm_t *out);

/*
 * A parameter as it was recorded with a version, over the default of the same terms; how many threads
 * there were does not matter. False, with a sentence, if it is not what this program would fit with.
 */
bool vln_recipe_recall(vln_recipe_t *self, vln_recipe_algorithm_t algorithm, const char *name,
                       const char *value, char why[VLN_RECIPE_WHY]);

#endif
