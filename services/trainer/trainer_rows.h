/*
 * trainer_rows - a table's rows as a fit wants them: which column is the target and what it means,
 * which are the features, all of it as numbers.
 */
#ifndef TRAINER_ROWS_H
#define TRAINER_ROWS_H

#include "vln_dataset.h"
#include "vln_fit.h"
#include "vln_predictor.h"

#include "trainer.h"
#include "valion/v1/trainer.pb-c.h"

enum { TRAINER_CLASSES_MAX = 256 };

/* What the target column means. Texts are in the task's arena. */
typedef struct trainer_target {
    const char *column;
    vln_recipe_task_t task;
    char **classes; /* in the order of their codes; the second is the positive one of two */
    size_t class_count;
} trainer_target_t;

/* What the model takes. Everything is in the task's arena. */
typedef struct trainer_features {
    Valion__V1__Signature *signature; /* of the version: inputs, outputs, classes */
    char **names;                     /* of the numbers of a row, as the model knows them */
    size_t columns;
} trainer_features_t;

/* Preprocessor that runs before the model; NULL where there is none. */
typedef struct trainer_preprocessor {
    vln_bytes_t bytes;
    vln_predictor_t *predictor;
} trainer_preprocessor_t;

/* Each of these: false, and the task ended with a sentence, where the data do not allow it. */

bool trainer_target_find(vln_task_t *task, const Valion__V1__TrainSpec *spec,
                         const vln_table_t *table, trainer_target_t *out);
bool trainer_features_find(vln_task_t *task, const Valion__V1__TrainSpec *spec,
                           const vln_table_t *table, const trainer_target_t *target,
                           const trainer_preprocessor_t *preprocessor, trainer_features_t *out);

/* These rows of the table, in this order. `weights` NULL: none. */
typedef struct trainer_choice {
    const vln_table_t *table;
    const size_t *rows;
    size_t count;
    const char *weights;
} trainer_choice_t;

bool trainer_numbers_make(vln_task_t *task, const trainer_choice_t *choice,
                          const trainer_target_t *target, const trainer_features_t *features,
                          const trainer_preprocessor_t *preprocessor, vln_fit_numbers_t *out);

/* The labels alone. */
bool trainer_labels_make(vln_task_t *task, const trainer_choice_t *choice,
                         const trainer_target_t *target, float *out);

#endif
