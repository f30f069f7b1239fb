/*
 * orchestrator_store - tasks in PostgreSQL: all SQL of the orchestrator.
 *
 * Knows nothing of messages. Used by one thread; functions that change something run in the
 * transaction that the caller opened with orchestrator_store_begin, unless they say otherwise.
 */
#ifndef ORCHESTRATOR_STORE_H
#define ORCHESTRATOR_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_event.h"
#include "vln_id.h"
#include "vln_mem.h"
#include "vln_migrate.h"
#include "vln_once.h"
#include "vln_pg.h"

#include "task.h"

extern const vln_migration_t pipeline_migrations[];
extern const size_t pipeline_migrations_count;

enum { ORCHESTRATOR_LEASE_MS = 15000, ORCHESTRATOR_SWEEP_MAX = 500 };

typedef struct orchestrator_store orchestrator_store_t;

/* As vln_pg_open. */
VLN_MUST_USE vln_err_t orchestrator_store_open(orchestrator_store_t **out, const char *database);
void orchestrator_store_close(orchestrator_store_t **self_p);
VLN_MUST_USE vln_err_t orchestrator_store_ensure(orchestrator_store_t *self);

VLN_MUST_USE vln_err_t orchestrator_store_begin(orchestrator_store_t *self);
VLN_MUST_USE vln_err_t orchestrator_store_commit(orchestrator_store_t *self);
void orchestrator_store_rollback(orchestrator_store_t *self);

/* For vln_once_run, with `work` and `context` still to be set. */
vln_once_t orchestrator_store_once(orchestrator_store_t *self);
VLN_MUST_USE vln_err_t orchestrator_store_write_events(orchestrator_store_t *self,
                                                       vln_events_t *events);

/* ---- submitting ---- */

typedef struct orchestrator_new_task {
    vln_id_t id;
    const char *kind;
    const uint8_t *spec;
    size_t spec_size;
    const uint8_t *labels; /* packed pairs */
    size_t labels_size;
    const char *submitter;
    uint32_t submitter_roles;
    int priority;
    int64_t delay_ms;
    int64_t deadline_ms;
    int max_attempts;
} orchestrator_new_task_t;

/* What the task of a run's step has beside that. */
typedef struct orchestrator_step_task {
    vln_id_t run_id;
    const char *step;
    int max_failures; /* attempts that may fail */
    task_retry_t retry;
    const char *non_retryable; /* classes of errors, one a line; NULL: none */
} orchestrator_step_task_t;

VLN_MUST_USE vln_err_t orchestrator_store_insert(orchestrator_store_t *self, vln_arena_t *arena,
                                                 const orchestrator_new_task_t *tasks,
                                                 size_t count);

/* Makes a task that was just inserted a step's. */
VLN_MUST_USE vln_err_t orchestrator_store_mark_step(orchestrator_store_t *self, const vln_id_t *id,
                                                    const orchestrator_step_task_t *step);

/* ---- a task as it is; texts and bytes are in the arena, NULL where there is none ---- */

typedef struct orchestrator_task {
    vln_id_t id;
    const char *kind;
    task_state_t state;
    int priority;
    const uint8_t *spec;
    size_t spec_size;
    const uint8_t *labels;
    size_t labels_size;
    const char *submitter;
    uint32_t submitter_roles;
    int64_t submitted_us;
    int64_t not_before_us;
    int64_t deadline_us;
    task_counters_t counters;
    int64_t token;
    int64_t lease_until_us;
    const char *worker;
    const char *worker_instance;
    int64_t started_us;
    int64_t finished_us;
    double progress;
    bool has_progress;
    const char *progress_text;
    const uint8_t *result;
    size_t result_size;
    const char *error;
    const uint8_t *resume;
    size_t resume_size;
    const char *cancel_reason;
    bool in_run; /* it is a step's: `run_id`, and what follows, is set */
    vln_id_t run_id;
    const char *step;
    task_retry_t retry;
    const char *non_retryable; /* classes of errors, one a line */
    int64_t now_us;            /* the record's clock when it was read */
} orchestrator_task_t;

/* Those of these ids that there are, in any order. */
VLN_MUST_USE vln_err_t orchestrator_store_find(orchestrator_store_t *self, vln_arena_t *arena,
                                               const vln_id_t *ids, size_t count,
                                               orchestrator_task_t **out, size_t *found);

/* One task, locked until the transaction ends; NOT_FOUND. */
VLN_MUST_USE vln_err_t orchestrator_store_lock(orchestrator_store_t *self, vln_arena_t *arena,
                                               const vln_id_t *id, orchestrator_task_t **out);

typedef struct orchestrator_filter {
    const char *kind; /* NULL: any */
    const char *submitter;
    int state;              /* 0: any */
    const vln_id_t *before; /* the page before ended with it; NULL: from the newest */
    int limit;
    int64_t bytes_max; /* of what a reply shows of them: none that begins beyond */
} orchestrator_filter_t;

VLN_MUST_USE vln_err_t orchestrator_store_list(orchestrator_store_t *self, vln_arena_t *arena,
                                               const orchestrator_filter_t *filter,
                                               orchestrator_task_t **out, size_t *found);

/* ---- leases ---- */

typedef struct orchestrator_claim {
    const char *kind;
    int limit;
    int bytes_max; /* of specs together; one task is given whatever its size */
    const char *worker;
    const char *worker_instance;
    const uint8_t *request_id; /* of the call, VLN_ID_BYTES */
} orchestrator_claim_t;

/* Leases ready tasks of the kind, most urgent and oldest first. */
VLN_MUST_USE vln_err_t orchestrator_store_claim(orchestrator_store_t *self, vln_arena_t *arena,
                                                const orchestrator_claim_t *claim,
                                                orchestrator_task_t **out, size_t *found);

/* What an earlier LeaseTasks call of this id got and still holds. */
VLN_MUST_USE vln_err_t orchestrator_store_find_leased(orchestrator_store_t *self,
                                                      vln_arena_t *arena,
                                                      const orchestrator_claim_t *claim,
                                                      orchestrator_task_t **out, size_t *found);

typedef struct orchestrator_beat {
    vln_id_t id;
    int64_t token;
    double progress; /* below 0: none */
    const char *progress_text;
    bool alive;  /* out: the lease is held, and was extended */
    bool cancel; /* out */
} orchestrator_beat_t;

/* Of leases that this principal holds. One statement, committed by itself. */
VLN_MUST_USE vln_err_t orchestrator_store_extend(orchestrator_store_t *self, vln_arena_t *arena,
                                                 const char *worker, orchestrator_beat_t *beats,
                                                 size_t count);

typedef struct orchestrator_done {
    vln_id_t id;
    int64_t token;
    const char *worker; /* principal that says so */
    const uint8_t *result;
    size_t result_size;
    bool recorded;    /* out */
    const char *kind; /* out, if recorded, as what follows */
    int64_t attempts;
    bool in_run;
    vln_id_t run_id;
    const char *step;
} orchestrator_done_t;

/* Records the results of tasks that run under these tokens, in the hands of these principals; each
 * id at most once. */
VLN_MUST_USE vln_err_t orchestrator_store_complete(orchestrator_store_t *self, vln_arena_t *arena,
                                                   orchestrator_done_t *done, size_t count);

/* What a rule makes of a task that is locked. */
typedef struct orchestrator_change {
    vln_id_t id;
    task_state_t state;
    task_counters_t counters;
    int64_t delay_ms; /* READY: not before */
    bool ended;
    const char *error;         /* NULL: stays */
    const char *cancel_reason; /* NULL: stays, until the task is requeued */
    const uint8_t *resume;
    size_t resume_size;
} orchestrator_change_t;

VLN_MUST_USE vln_err_t orchestrator_store_change(orchestrator_store_t *self, vln_arena_t *arena,
                                                 const orchestrator_change_t *changes,
                                                 size_t count);

typedef struct orchestrator_wait {
    vln_id_t id;
    const vln_id_t *jobs;
    size_t job_count;
    const char *type;
    const char *subject;
    int64_t timeout_ms;
} orchestrator_wait_t;

VLN_MUST_USE vln_err_t orchestrator_store_set_wait(orchestrator_store_t *self, vln_arena_t *arena,
                                                   const orchestrator_wait_t *wait);

/* ---- the sweep: tasks that need an event, locked, skipping what others have locked ---- */

VLN_MUST_USE vln_err_t orchestrator_store_find_run_out(orchestrator_store_t *self,
                                                       vln_arena_t *arena,
                                                       orchestrator_task_t **out, size_t *found);
VLN_MUST_USE vln_err_t orchestrator_store_find_overdue(orchestrator_store_t *self,
                                                       vln_arena_t *arena,
                                                       orchestrator_task_t **out, size_t *found);
VLN_MUST_USE vln_err_t orchestrator_store_find_woken(orchestrator_store_t *self, vln_arena_t *arena,
                                                     orchestrator_task_t **out, size_t *found);

/* Refreshes the low-water marks; one statement by itself. */
VLN_MUST_USE vln_err_t orchestrator_store_refresh_marks(orchestrator_store_t *self);

/* Ready tasks, counted up to `limit`; and whether one is due now. */
VLN_MUST_USE vln_err_t orchestrator_store_count_ready(orchestrator_store_t *self, int64_t limit,
                                                      int64_t *ready);

/* Replies and fences whose time is over. */
VLN_MUST_USE vln_err_t orchestrator_store_sweep_requests(orchestrator_store_t *self);

#endif
