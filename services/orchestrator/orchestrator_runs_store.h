/*
 * orchestrator_runs_store - pipelines, runs, steps and logs in PostgreSQL: the other half of
 * orchestrator_store.h, whose rules hold here.
 */
#ifndef ORCHESTRATOR_RUNS_STORE_H
#define ORCHESTRATOR_RUNS_STORE_H

#include "vln_digest.h"

#include "orchestrator_store.h"
#include "run.h"

/* ---- pipelines; texts and bytes of what is read are in the arena ---- */

typedef struct orchestrator_pipeline {
    const char *name;
    int64_t version;
    const uint8_t *body; /* packed */
    size_t body_size;
    uint8_t digest[VLN_DIGEST_BYTES];
    int64_t created_us;
    const char *created_by;
} orchestrator_pipeline_t;

/* Stores a version and sets created_us; ABORTED if that version is there. */
VLN_MUST_USE vln_err_t orchestrator_store_put_pipeline(orchestrator_store_t *self,
                                                       orchestrator_pipeline_t *pipeline);

/* `version` 0: the latest. NOT_FOUND. */
VLN_MUST_USE vln_err_t orchestrator_store_find_pipeline(orchestrator_store_t *self,
                                                        vln_arena_t *arena, const char *name,
                                                        int64_t version,
                                                        orchestrator_pipeline_t *out);

typedef struct orchestrator_pipeline_filter {
    const char *after; /* the page before ended with it; NULL: from the first */
    int limit;
    int64_t bytes_max; /* of what a reply shows of them: none that begins beyond */
} orchestrator_pipeline_filter_t;

/* The latest of each name, by name. */
VLN_MUST_USE vln_err_t orchestrator_store_list_pipelines(
    orchestrator_store_t *self, vln_arena_t *arena, const orchestrator_pipeline_filter_t *filter,
    orchestrator_pipeline_t **out, size_t *found);

/* ---- runs ---- */

typedef struct orchestrator_run {
    vln_id_t id;
    const char *pipeline;
    int64_t version;
    run_state_t state;
    run_stop_t stop;
    bool stop_all;
    const char *stop_why;
    int priority;
    const uint8_t *params; /* packed pairs */
    size_t params_size;
    const char *submitter;
    uint32_t submitter_roles;
    const char *trigger;
    bool is_rerun;
    vln_id_t rerun_of;
    int64_t submitted_us;
    int64_t started_us; /* 0: it waits for its turn */
    int64_t deadline_us;
    int64_t finished_us;
    const char *error;
    int64_t now_us; /* the record's clock when it was read */
} orchestrator_run_t;

/* A new run, pending, and its steps, in the order of `names`. */
VLN_MUST_USE vln_err_t orchestrator_store_insert_run(orchestrator_store_t *self, vln_arena_t *arena,
                                                     const orchestrator_run_t *run,
                                                     char *const *names, size_t count);

/* Steps of a new run end as they did in another run of the same pipeline and version. */
VLN_MUST_USE vln_err_t orchestrator_store_reuse_steps(orchestrator_store_t *self,
                                                      vln_arena_t *arena,
                                                      const orchestrator_run_t *run,
                                                      const size_t *positions, size_t count);

/* Runs of the pipeline that have not ended. */
VLN_MUST_USE vln_err_t orchestrator_store_count_open(orchestrator_store_t *self,
                                                     const char *pipeline, int64_t *out);

/* NOT_FOUND. */
VLN_MUST_USE vln_err_t orchestrator_store_find_run(orchestrator_store_t *self, vln_arena_t *arena,
                                                   const vln_id_t *id, orchestrator_run_t *out);

/* The same, locked until the transaction ends: before any of its tasks is. */
VLN_MUST_USE vln_err_t orchestrator_store_lock_run(orchestrator_store_t *self, vln_arena_t *arena,
                                                   const vln_id_t *id, orchestrator_run_t *out);

/* Locks the runs that these tasks are steps of: before the tasks are locked. */
VLN_MUST_USE vln_err_t orchestrator_store_lock_runs_of(orchestrator_store_t *self,
                                                       vln_arena_t *arena, const vln_id_t *tasks,
                                                       size_t count);

/* Locks those of these runs that nobody else has locked; `ids` become those. */
VLN_MUST_USE vln_err_t orchestrator_store_try_lock_runs(orchestrator_store_t *self,
                                                        vln_arena_t *arena, vln_id_t *ids,
                                                        size_t *count);

typedef struct orchestrator_run_filter {
    const char *pipeline;   /* NULL: any */
    int state;              /* 0: any */
    const vln_id_t *before; /* the page before ended with it; NULL: from the newest */
    int limit;
} orchestrator_run_filter_t;

VLN_MUST_USE vln_err_t orchestrator_store_list_runs(orchestrator_store_t *self, vln_arena_t *arena,
                                                    const orchestrator_run_filter_t *filter,
                                                    orchestrator_run_t **out, size_t *found);

/* Writes state, stop, stop_all, stop_why and error of a locked run. `begins`: its time starts, for
 * timeout_ms, if it has not. */
VLN_MUST_USE vln_err_t orchestrator_store_change_run(orchestrator_store_t *self,
                                                     const orchestrator_run_t *run, bool begins,
                                                     int64_t timeout_ms);

/* ---- turns ---- */

/* Nobody else gives turns to this pipeline's runs until the transaction ends. Taken before any run
 * is locked. */
VLN_MUST_USE vln_err_t orchestrator_store_lock_queue(orchestrator_store_t *self,
                                                     const char *pipeline);

/* Runs whose turn it is when `most` may run at once, locked. */
VLN_MUST_USE vln_err_t orchestrator_store_pick_queued(orchestrator_store_t *self,
                                                      vln_arena_t *arena, const char *pipeline,
                                                      int most, orchestrator_run_t **out,
                                                      size_t *found);

/* Names of pipelines with runs that wait for their turn. */
VLN_MUST_USE vln_err_t orchestrator_store_find_queues(orchestrator_store_t *self,
                                                      vln_arena_t *arena, const char ***out,
                                                      size_t *found);

/* Runs that should go on: their time is over, a task of theirs has ended, or nothing is under way. */
VLN_MUST_USE vln_err_t orchestrator_store_find_stalled(orchestrator_store_t *self,
                                                       vln_arena_t *arena, vln_id_t **out,
                                                       size_t *found);

/* ---- steps ---- */

typedef struct orchestrator_step {
    const char *name;
    step_state_t state;
    bool has_task;
    vln_id_t task_id;
    bool reused;
    bool has_outputs;
    const char *error;
    const char *why;
    int64_t started_us;
    int64_t finished_us;

    /* ---- of its task ---- */
    task_state_t task_state;
    int attempts;
    int64_t task_started_us;
    const char *task_error;
    bool cancel_requested;
    const uint8_t *result; /* if the task has ended and the step does not know it yet */
    size_t result_size;
} orchestrator_step_t;

/* All steps of a run by their position, without outputs. */
VLN_MUST_USE vln_err_t orchestrator_store_find_steps(orchestrator_store_t *self, vln_arena_t *arena,
                                                     const vln_id_t *run, orchestrator_step_t **out,
                                                     size_t *found);

typedef struct orchestrator_outputs_filter {
    const vln_id_t *run;
    const bool *wanted; /* by position; NULL: all */
    size_t count;       /* of the run's steps */
    int64_t bytes_max;  /* of outputs together; 0: any */
} orchestrator_outputs_filter_t;

/* Outputs into outputs[count], by position, NULL where there are none or they were not wanted. */
VLN_MUST_USE vln_err_t orchestrator_store_find_outputs(orchestrator_store_t *self,
                                                       vln_arena_t *arena,
                                                       const orchestrator_outputs_filter_t *filter,
                                                       const char **outputs);

typedef struct orchestrator_step_change {
    size_t position;
    step_state_t state;
    const vln_id_t *task_id; /* NULL: stays, as what follows */
    const char *outputs;
    const char *error;
    const char *why;
} orchestrator_step_change_t;

VLN_MUST_USE vln_err_t orchestrator_store_change_steps(orchestrator_store_t *self,
                                                       vln_arena_t *arena, const vln_id_t *run,
                                                       const orchestrator_step_change_t *changes,
                                                       size_t count);

/* ---- numbers ---- */

typedef struct orchestrator_numbers {
    int64_t active; /* runs that have begun and not ended */
    int64_t completed;
    int64_t failed;
    int64_t cancelled;
    int64_t queued;
    int64_t total;
    double average_ms; /* of completed and failed ones */
    int64_t tasks[TASK_STATE_COUNT];
} orchestrator_numbers_t;

VLN_MUST_USE vln_err_t orchestrator_store_count(orchestrator_store_t *self,
                                                orchestrator_numbers_t *out);

/* ---- what tasks write ---- */

typedef struct orchestrator_line {
    int64_t seq;
    int64_t time_us;
    const char *level;
    const char *text;
} orchestrator_line_t;

/* How many lines the task has, which stays locked; ABORTED if `worker` does not hold this lease. */
VLN_MUST_USE vln_err_t orchestrator_store_lock_writer(orchestrator_store_t *self,
                                                      const vln_id_t *task, int64_t token,
                                                      const char *worker, int64_t *last);

/* After `last`. */
VLN_MUST_USE vln_err_t orchestrator_store_append_log(orchestrator_store_t *self, vln_arena_t *arena,
                                                     const vln_id_t *task, int64_t last,
                                                     const orchestrator_line_t *lines,
                                                     size_t count);

typedef struct orchestrator_line_filter {
    vln_id_t task;
    int64_t after; /* number of a line */
    int limit;
    int64_t bytes_max; /* of texts together; one line is given whatever its size */
} orchestrator_line_filter_t;

VLN_MUST_USE vln_err_t orchestrator_store_read_log(orchestrator_store_t *self, vln_arena_t *arena,
                                                   const orchestrator_line_filter_t *filter,
                                                   orchestrator_line_t **out, size_t *found);

#endif
