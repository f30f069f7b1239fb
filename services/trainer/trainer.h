/*
 * trainer - what the parts of valion-trainer share.
 *
 * The path of a task: vln_workers -> main.c's table of kinds -> trainer_train.c or
 * trainer_transform.c. Rows become numbers in trainer_rows.c, a model in valion-fit
 * (trainer_fit.c), and a version in trainer_register.c.
 */
#ifndef TRAINER_H
#define TRAINER_H

#include "vln_sandbox.h"
#include "vln_worker.h"

#include "valion/v1/trainer.pb-c.h"

typedef struct trainer_config {
    vln_worker_options_t worker;
    const char *sandbox;
    const char *fit;
    int64_t memory_mib;
    int64_t max_fit_s;
} trainer_config_t;

/* Counters of GetStats. */
enum {
    TRAINER_TRAININGS,
    TRAINER_TRAININGS_FAILED,
    TRAINER_TRANSFORMS,
    TRAINER_ROWS,
    TRAINER_DURATION_MS,
    TRAINER_CRASHES,
    TRAINER_COUNTERS,
};

/* One for the process; read-only once the threads run. */
typedef struct trainer {
    const trainer_config_t *config;
    vln_service_t *service;
    vln_workers_t *workers;
    size_t counters[TRAINER_COUNTERS];
} trainer_t;

/* Of one slot: vln_worker_t.own. */
typedef struct trainer_slot {
    const trainer_t *trainer;
    vln_sandbox_t *sandbox; /* opened when it is first needed */
} trainer_slot_t;

/* What a result tells people beside its numbers. Texts are in the task's arena. */
enum { TRAINER_NOTES_MAX = 32 };
typedef struct trainer_notes {
    char *texts[TRAINER_NOTES_MAX];
    size_t count;
} trainer_notes_t;

/* One more; what is beyond TRAINER_NOTES_MAX is left out. */
void trainer_note(vln_arena_t *arena, trainer_notes_t *notes, const char *format, ...)
    VLN_PRINTF(3, 4);

/* A table with more cells is not prepared: no file of VLN_DATASET_MAX_BYTES has as many by itself, but
 * its categories may become as many. */
#define TRAINER_CELLS_MAX ((size_t)1 << 28)

/* False, and the task ended with a sentence, if so many rows of so many columns are too much. */
bool trainer_check_cells(vln_task_t *task, size_t rows, size_t columns);

/* Tasks. Each ends the task. */
void trainer_train(vln_worker_t *worker, vln_task_t *task);
void trainer_transform(vln_worker_t *worker, vln_task_t *task);

void trainer_count(const vln_worker_t *worker, size_t counter, int64_t amount);

/* The slot's sandbox; NULL, and the task ended, if there is none to be had. */
vln_sandbox_t *trainer_sandbox(vln_worker_t *worker, vln_task_t *task);

/* The task ends as what the sandbox said: retried where it was not the model's fault. */
void trainer_fail_outcome(vln_task_t *task, vln_err_t err, const char *what,
                          const vln_outcome_t *outcome);

#endif
