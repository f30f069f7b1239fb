/*
 * validator - what the parts of valion-validator share.
 *
 * The path of a task: vln_workers -> main.c's table of kinds -> validator_validate.c,
 * validator_inspect.c or validator_profile.c. Rows come from validator_rows.c, a version's files from
 * validator_version.c; checks/ says what is to be said of them, domain/ what follows from it, and
 * validator_report.c has it kept.
 */
#ifndef VALIDATOR_H
#define VALIDATOR_H

#include "vln_sandbox.h"
#include "vln_worker.h"

typedef struct validator_config {
    vln_worker_options_t worker;
    const char *sandbox;
    const char *fit;
    const char *endpoints;
    int64_t load_ms;
    int64_t predict_ms;
    int64_t memory_mib;
    int64_t model_cache_mib;
} validator_config_t;

/* Counters of GetStats. */
enum {
    VALIDATOR_TOTAL,
    VALIDATOR_PASSED,
    VALIDATOR_WARNED,
    VALIDATOR_FAILED,
    VALIDATOR_INCONCLUSIVE,
    VALIDATOR_DURATION_MS,
    VALIDATOR_ROWS,
    VALIDATOR_CRASHES,
    VALIDATOR_INSPECTIONS,
    VALIDATOR_PROFILES,
    VALIDATOR_COUNTERS,
};

/* One for the process; read-only once the threads run. */
typedef struct validator {
    const validator_config_t *config;
    vln_service_t *service;
    vln_workers_t *workers;
    size_t counters[VALIDATOR_COUNTERS];
} validator_t;

/* Of one slot: vln_worker_t.own. */
typedef struct validator_slot {
    const validator_t *validator;
    vln_sandbox_t *sandbox; /* opened when it is first needed */
    struct validator_models *models;
} validator_slot_t;

/* Tasks. Each ends the task. */
void validator_validate(vln_worker_t *worker, vln_task_t *task);
void validator_inspect(vln_worker_t *worker, vln_task_t *task);
void validator_profile(vln_worker_t *worker, vln_task_t *task);

void validator_count(const vln_worker_t *worker, size_t counter, int64_t amount);

/* The slot's sandbox; NULL, and the task ended, if there is none to be had. */
vln_sandbox_t *validator_sandbox(vln_worker_t *worker, vln_task_t *task);

/* Logs what the libraries printed, and counts a child that died or was killed. True if one did. */
bool validator_note_outcome(const vln_worker_t *worker, const vln_outcome_t *outcome);

#endif
