/*
 * trainer_fit - one fit in a process of its own (valion-fit), with limits and a clock.
 *
 * Blocks its thread until the fit has ended, was killed by the clock, or its task is of no more use.
 */
#ifndef TRAINER_FIT_H
#define TRAINER_FIT_H

#include "recipe.h"
#include "trainer.h"

/* Rows as numbers, row by row; NaN is a missing one. */
typedef struct trainer_numbers {
    float *cells; /* rows * columns; end with free() */
    float *labels;
    float *weights; /* NULL: all alike */
    size_t rows;
} trainer_numbers_t;

typedef struct trainer_fit {
    const recipe_t *recipe;
    size_t columns;
    const char *const *names; /* of the columns */
    const trainer_numbers_t *train;
    const trainer_numbers_t *held; /* NULL: none */
    uint32_t stop_after;           /* rounds; 0: all of them */
    int64_t max_ms;
} trainer_fit_t;

typedef struct trainer_fitted {
    vln_bytes_t model;  /* UBJ; end with vln_bytes_end() */
    double *importance; /* total gain of each column; end with free() */
    uint32_t rounds;
    bool has_metric;
    double metric; /* of the held-out rows */
} trainer_fitted_t;

/* True: `out` is yours, by trainer_fitted_end(). False: the task has been ended, or is of no use. */
bool trainer_fit_run(vln_worker_t *worker, vln_task_t *task, const trainer_fit_t *fit,
                     trainer_fitted_t *out);
void trainer_fitted_end(trainer_fitted_t *self);

void trainer_numbers_end(trainer_numbers_t *self);

#endif
