/*
 * trainer_choose - fits with each algorithm and each trial of the search, and keeps the best: by its
 * metric on the held-out rows, or, with cross-validation, by the mean over the folds of the training
 * rows; then it is fitted once more with all of them.
 */
#ifndef TRAINER_CHOOSE_H
#define TRAINER_CHOOSE_H

#include "trainer_fit.h"
#include "trainer_rows.h"

/* Borrowed. */
typedef struct trainer_contest {
    const Valion__V1__TrainSpec *spec;
    const trainer_target_t *target;
    const trainer_features_t *features;
    const vln_fit_numbers_t *train;
    const vln_fit_numbers_t *held;
} trainer_contest_t;

typedef struct trainer_chosen {
    vln_recipe_algorithm_t algorithm;
    vln_recipe_t recipe;
    vln_fitted_t fitted;        /* end with vln_fitted_end() */
    Valion__V1__Trial **trials; /* the best first; none where there was nothing to choose; in the
                                     task's arena */
    size_t trial_count;
    const char *metric; /* that it was chosen by: "rmse", "r2" */
    double *cv_scores;  /* of the best, a fold each */
    size_t cv_count;
} trainer_chosen_t;

/* False, and the task failed, if the spec cannot be followed. */
bool trainer_check_contest(vln_task_t *task, const Valion__V1__TrainSpec *spec);

/* False: the task has been ended, or is of no more use; `out` is to be ended all the same. */
bool trainer_choose(vln_worker_t *worker, vln_task_t *task, const trainer_contest_t *contest,
                    trainer_chosen_t *out);

#endif
