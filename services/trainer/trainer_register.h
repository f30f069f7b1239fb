/*
 * trainer_register - a fitted model becomes a version: its files stored, its sample rows answered,
 * its profile made, and all of it recorded by one call that the task's rerun repeats.
 */
#ifndef TRAINER_REGISTER_H
#define TRAINER_REGISTER_H

#include "vln_scores.h"

#include "trainer_rows.h"

/* What is registered; borrowed for the call. */
typedef struct trainer_version {
    const Valion__V1__TrainSpec *spec;
    const vln_dataset_t *data;
    const trainer_choice_t *train;
    const trainer_target_t *target;
    const trainer_features_t *features;
    const trainer_preprocessor_t *preprocessor;
    vln_predictor_t *predictor;
    const vln_fit_model_t *model;
    const vln_recipe_t *recipe;
    uint32_t rounds;
    vln_recipe_algorithm_t algorithm;
    const vln_scores_t *scores;
    size_t held_out; /* rows */
} trainer_version_t;

typedef struct trainer_registered {
    uint8_t model[VLN_DIGEST_BYTES];
    uint8_t samples[VLN_DIGEST_BYTES];
    uint8_t profile[VLN_DIGEST_BYTES];
    Valion__V1__KeyValue **hyperparameters; /* in the task's arena */
    size_t hyperparameter_count;
    const Valion__V1__Version *version; /* NULL: a dry run */
    vln_reply_t reply;                  /* inside: what `version` lies in */
} trainer_registered_t;

/* False: the task has been ended with a sentence. Else end it with trainer_registered_end(). */
bool trainer_register(vln_worker_t *worker, vln_task_t *task, const trainer_version_t *version,
                      trainer_registered_t *out);
void trainer_registered_fill(const trainer_registered_t *self, Valion__V1__TrainResult *result);
void trainer_registered_end(trainer_registered_t *self);

#endif
