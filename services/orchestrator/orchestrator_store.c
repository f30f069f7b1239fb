#include "orchestrator_store.h"

#include <stdlib.h>
#include <string.h>

#include "orchestrator_store_inside.h"

vln_err_t
orchestrator_store_open(orchestrator_store_t **out, const char *database)
{
    const vln_pg_config_t config = {.conninfo = database,
                                    .application = "valion-orchestrator",
                                    .search_path = "pipeline",
                                    .statements = orchestrator_statements,
                                    .statement_count = orchestrator_statement_count};
    *out = NULL;
    vln_pg_t *pg = NULL;
    vln_err_t err = vln_pg_open(&pg, &config);
    if (pg) {
        *out = vln_calloc(1, sizeof **out);
        (*out)->pg = pg;
    }
    return err;
}

void
orchestrator_store_close(orchestrator_store_t **self_p)
{
    orchestrator_store_t *self = *self_p;
    if (self) {
        vln_pg_close(&self->pg);
        free(self);
        *self_p = NULL;
    }
}

vln_err_t
orchestrator_store_ensure(orchestrator_store_t *self)
{
    return vln_pg_ensure(self->pg);
}

vln_err_t
orchestrator_store_begin(orchestrator_store_t *self)
{
    return vln_pg_begin(self->pg);
}

vln_err_t
orchestrator_store_commit(orchestrator_store_t *self)
{
    return vln_pg_commit(self->pg);
}

void
orchestrator_store_rollback(orchestrator_store_t *self)
{
    vln_pg_rollback(self->pg);
}

vln_once_t
orchestrator_store_once(orchestrator_store_t *self)
{
    return (vln_once_t){
        .pg = self->pg, .find = FIND_REQUESTS, .keep = KEEP_REQUESTS, .fence = FENCE};
}

vln_err_t
orchestrator_store_write_events(orchestrator_store_t *self, vln_events_t *events)
{
    return vln_events_flush(events, self->pg, INSERT_EVENTS);
}

vln_err_t
orchestrator_store_sweep_requests(orchestrator_store_t *self)
{
    return vln_pg_run(self->pg, SWEEP_REQUESTS, NULL, NULL);
}

/* ---- submitting ---- */

vln_err_t
orchestrator_store_insert(orchestrator_store_t *self, vln_arena_t *arena,
                          const orchestrator_new_task_t *tasks, size_t count)
{
    enum { COLUMNS = 10 };
    static const vln_pg_type_t types[COLUMNS] = {
        VLN_PG_BYTEA, VLN_PG_TEXT, VLN_PG_INT4, VLN_PG_BYTEA, VLN_PG_BYTEA,
        VLN_PG_TEXT,  VLN_PG_INT4, VLN_PG_INT4, VLN_PG_INT8,  VLN_PG_INT8,
    };
    vln_pg_array_t *columns[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        columns[i] = vln_pg_array_new(arena, types[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const orchestrator_new_task_t *task = &tasks[i];
        vln_pg_array_add_bytes(columns[0], task->id.bytes, VLN_ID_BYTES);
        vln_pg_array_add_text(columns[1], task->kind);
        vln_pg_array_add_i64(columns[2], task->priority);
        vln_pg_array_add_bytes(columns[3], task->spec, task->spec_size);
        vln_pg_array_add_bytes(columns[4], task->labels, task->labels_size);
        vln_pg_array_add_text(columns[5], task->submitter);
        vln_pg_array_add_i64(columns[6], (int64_t)task->submitter_roles);
        vln_pg_array_add_i64(columns[7], task->max_attempts);
        vln_pg_array_add_i64(columns[8], task->delay_ms);
        vln_pg_array_add_i64(columns[9], task->deadline_ms);
    }
    vln_pg_args_t args = {0};
    for (size_t i = 0; i < COLUMNS; i++) {
        vln_pg_array(&args, columns[i]);
    }
    return vln_pg_run(self->pg, INSERT_TASKS, &args, NULL);
}

vln_err_t
orchestrator_store_mark_step(orchestrator_store_t *self, const vln_id_t *id,
                             const orchestrator_step_task_t *step)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id->bytes, VLN_ID_BYTES);
    vln_pg_bytes(&args, step->run_id.bytes, VLN_ID_BYTES);
    vln_pg_text(&args, step->step);
    vln_pg_i32(&args, step->max_failures);
    vln_pg_i64(&args, step->retry.delay_ms);
    vln_pg_i64(&args, (int64_t)(step->retry.factor * 1e6));
    vln_pg_i64(&args, step->retry.max_ms);
    vln_pg_text(&args, step->non_retryable);
    return vln_pg_run(self->pg, MARK_STEP_TASK, &args, NULL);
}

/* ---- reading ---- */

const char *
orchestrator_store_text(const PGresult *result, int row, int column, vln_arena_t *arena)
{
    if (vln_pg_is_null(result, row, column)) {
        return NULL;
    }
    return vln_arena_strdup(arena, vln_pg_get_text(result, row, column));
}

const uint8_t *
orchestrator_store_bytes(const PGresult *result, int row, int column, vln_arena_t *arena,
                         size_t *size)
{
    *size = 0;
    if (vln_pg_is_null(result, row, column)) {
        return NULL;
    }
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, size);
    return vln_arena_memdup(arena, bytes, *size);
}

vln_id_t
orchestrator_store_id(const PGresult *result, int row, int column)
{
    vln_id_t id = {{0}};
    size_t size = 0;
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, &size);
    vln_assert(size == VLN_ID_BYTES);
    memcpy(id.bytes, bytes, size);
    return id;
}

static orchestrator_task_t
read_task(const PGresult *result, int row, vln_arena_t *arena)
{
    orchestrator_task_t task = {.id = orchestrator_store_id(result, row, 0),
                                .kind = orchestrator_store_text(result, row, 1, arena),
                                .state = (task_state_t)vln_pg_get_i64(result, row, 2),
                                .priority = (int)vln_pg_get_i64(result, row, 3),
                                .submitter = orchestrator_store_text(result, row, 6, arena),
                                .submitter_roles = (uint32_t)vln_pg_get_i64(result, row, 7),
                                .submitted_us = vln_pg_get_us(result, row, 8),
                                .not_before_us = vln_pg_get_us(result, row, 9),
                                .deadline_us = vln_pg_get_us(result, row, 10),
                                .counters = {.attempts = (int)vln_pg_get_i64(result, row, 11),
                                             .max_attempts = (int)vln_pg_get_i64(result, row, 12),
                                             .crashes = (int)vln_pg_get_i64(result, row, 13),
                                             .run_outs = (int)vln_pg_get_i64(result, row, 14),
                                             .cancel_requested = vln_pg_get_bool(result, row, 15),
                                             .max_failures = (int)vln_pg_get_i64(result, row, 31)},
                                .token = vln_pg_get_i64(result, row, 16),
                                .lease_until_us = vln_pg_get_us(result, row, 17),
                                .worker = orchestrator_store_text(result, row, 18, arena),
                                .worker_instance = orchestrator_store_text(result, row, 19, arena),
                                .started_us = vln_pg_get_us(result, row, 20),
                                .finished_us = vln_pg_get_us(result, row, 21),
                                .has_progress = !vln_pg_is_null(result, row, 22),
                                .progress = vln_pg_get_double(result, row, 22),
                                .progress_text = orchestrator_store_text(result, row, 23, arena),
                                .error = orchestrator_store_text(result, row, 25, arena),
                                .now_us = vln_pg_get_us(result, row, 27),
                                .cancel_reason = orchestrator_store_text(result, row, 28, arena),
                                .in_run = !vln_pg_is_null(result, row, 29),
                                .step = orchestrator_store_text(result, row, 30, arena),
                                .retry = {.delay_ms = vln_pg_get_i64(result, row, 32),
                                          .factor = vln_pg_get_double(result, row, 33),
                                          .max_ms = vln_pg_get_i64(result, row, 34)},
                                .non_retryable = orchestrator_store_text(result, row, 35, arena)};
    if (task.in_run) {
        task.run_id = orchestrator_store_id(result, row, 29);
    }
    task.spec = orchestrator_store_bytes(result, row, 4, arena, &task.spec_size);
    task.labels = orchestrator_store_bytes(result, row, 5, arena, &task.labels_size);
    task.result = orchestrator_store_bytes(result, row, 24, arena, &task.result_size);
    task.resume = orchestrator_store_bytes(result, row, 26, arena, &task.resume_size);
    return task;
}

/* Runs a statement that gives tasks, and reads them all. */
static vln_err_t
run_for_tasks(orchestrator_store_t *self, size_t statement, const vln_pg_args_t *args,
              vln_arena_t *arena, orchestrator_task_t **out, size_t *found)
{
    PGresult *result = NULL;
    *found = 0;
    *out = NULL;
    vln_err_t err = vln_pg_run(self->pg, statement, args, &result);
    if (err == VLN_OK) {
        *found = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, *found * sizeof **out);
        for (size_t i = 0; i < *found; i++) {
            (*out)[i] = read_task(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

vln_pg_array_t *
orchestrator_store_ids(vln_arena_t *arena, const vln_id_t *ids, size_t count)
{
    vln_pg_array_t *array = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_bytes(array, ids[i].bytes, VLN_ID_BYTES);
    }
    return array;
}

vln_err_t
orchestrator_store_find(orchestrator_store_t *self, vln_arena_t *arena, const vln_id_t *ids,
                        size_t count, orchestrator_task_t **out, size_t *found)
{
    vln_pg_args_t args = {0};
    vln_pg_array(&args, orchestrator_store_ids(arena, ids, count));
    return run_for_tasks(self, FIND_TASKS, &args, arena, out, found);
}

vln_err_t
orchestrator_store_lock(orchestrator_store_t *self, vln_arena_t *arena, const vln_id_t *id,
                        orchestrator_task_t **out)
{
    size_t found = 0;
    vln_pg_args_t args = {0};
    vln_pg_array(&args, orchestrator_store_ids(arena, id, 1));
    vln_err_t err = run_for_tasks(self, LOCK_TASKS, &args, arena, out, &found);
    return err == VLN_OK && found == 0 ? VLN_NOT_FOUND : err;
}

vln_err_t
orchestrator_store_list(orchestrator_store_t *self, vln_arena_t *arena,
                        const orchestrator_filter_t *filter, orchestrator_task_t **out,
                        size_t *found)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes_or_null(&args, filter->before ? filter->before->bytes : NULL,
                         filter->before ? VLN_ID_BYTES : 0);
    vln_pg_text(&args, filter->kind);
    vln_pg_text(&args, filter->submitter);
    vln_pg_i32(&args, filter->state);
    vln_pg_i32(&args, filter->limit);
    vln_pg_i64(&args, filter->bytes_max);
    return run_for_tasks(self, LIST_TASKS, &args, arena, out, found);
}

/* ---- leases ---- */

vln_err_t
orchestrator_store_claim(orchestrator_store_t *self, vln_arena_t *arena,
                         const orchestrator_claim_t *claim, orchestrator_task_t **out,
                         size_t *found)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, claim->kind);
    vln_pg_i32(&args, claim->limit);
    vln_pg_i64(&args, ORCHESTRATOR_LEASE_MS);
    vln_pg_text(&args, claim->worker);
    vln_pg_text(&args, claim->worker_instance);
    vln_pg_bytes(&args, claim->request_id, VLN_ID_BYTES);
    vln_pg_i32(&args, claim->bytes_max);
    return run_for_tasks(self, CLAIM, &args, arena, out, found);
}

vln_err_t
orchestrator_store_find_leased(orchestrator_store_t *self, vln_arena_t *arena,
                               const orchestrator_claim_t *claim, orchestrator_task_t **out,
                               size_t *found)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, claim->request_id, VLN_ID_BYTES);
    vln_pg_text(&args, claim->worker);
    return run_for_tasks(self, FIND_LEASED, &args, arena, out, found);
}

static void
mark_alive(orchestrator_beat_t *beats, size_t count, const PGresult *result)
{
    for (int row = 0; row < PQntuples(result); row++) {
        vln_id_t id = orchestrator_store_id(result, row, 0);
        for (size_t i = 0; i < count; i++) {
            if (memcmp(beats[i].id.bytes, id.bytes, VLN_ID_BYTES) == 0) {
                beats[i].alive = true;
                beats[i].cancel = vln_pg_get_bool(result, row, 1);
            }
        }
    }
}

vln_err_t
orchestrator_store_extend(orchestrator_store_t *self, vln_arena_t *arena, const char *worker,
                          orchestrator_beat_t *beats, size_t count)
{
    vln_pg_array_t *ids = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *tokens = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *progress = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *texts = vln_pg_array_new(arena, VLN_PG_TEXT);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_bytes(ids, beats[i].id.bytes, VLN_ID_BYTES);
        vln_pg_array_add_i64(tokens, beats[i].token);
        if (beats[i].progress < 0) {
            vln_pg_array_add_null(progress);
        } else {
            vln_pg_array_add_i64(progress, (int64_t)(beats[i].progress * 1e6));
        }
        vln_pg_array_add_text(texts, beats[i].progress_text);
    }
    vln_pg_args_t args = {0};
    vln_pg_i64(&args, ORCHESTRATOR_LEASE_MS);
    vln_pg_array(&args, ids);
    vln_pg_array(&args, tokens);
    vln_pg_array(&args, progress);
    vln_pg_array(&args, texts);
    vln_pg_text(&args, worker);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, EXTEND, &args, &result);
    if (err == VLN_OK) {
        mark_alive(beats, count, result);
    }
    PQclear(result);
    return err;
}

static void
read_recorded(orchestrator_done_t *done, const PGresult *result, int row, vln_arena_t *arena)
{
    done->recorded = true;
    done->kind = orchestrator_store_text(result, row, 1, arena);
    done->attempts = vln_pg_get_i64(result, row, 2);
    done->in_run = !vln_pg_is_null(result, row, 3);
    done->step = orchestrator_store_text(result, row, 4, arena);
    if (done->in_run) {
        done->run_id = orchestrator_store_id(result, row, 3);
    }
}

static void
mark_recorded(orchestrator_done_t *done, size_t count, const PGresult *result, vln_arena_t *arena)
{
    for (int row = 0; row < PQntuples(result); row++) {
        vln_id_t id = orchestrator_store_id(result, row, 0);
        for (size_t i = 0; i < count; i++) {
            if (memcmp(done[i].id.bytes, id.bytes, VLN_ID_BYTES) == 0) {
                read_recorded(&done[i], result, row, arena);
            }
        }
    }
}

vln_err_t
orchestrator_store_complete(orchestrator_store_t *self, vln_arena_t *arena,
                            orchestrator_done_t *done, size_t count)
{
    vln_pg_array_t *ids = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *tokens = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *results = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *workers = vln_pg_array_new(arena, VLN_PG_TEXT);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_text(workers, done[i].worker);
        vln_pg_array_add_bytes(ids, done[i].id.bytes, VLN_ID_BYTES);
        vln_pg_array_add_i64(tokens, done[i].token);
        vln_pg_array_add_bytes(results, done[i].result, done[i].result_size);
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, ids);
    vln_pg_array(&args, tokens);
    vln_pg_array(&args, results);
    vln_pg_array(&args, workers);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, COMPLETE, &args, &result);
    if (err == VLN_OK) {
        mark_recorded(done, count, result, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
orchestrator_store_change(orchestrator_store_t *self, vln_arena_t *arena,
                          const orchestrator_change_t *changes, size_t count)
{
    enum { COLUMNS = 10 };
    static const vln_pg_type_t types[COLUMNS] = {
        VLN_PG_BYTEA, VLN_PG_INT4, VLN_PG_INT4, VLN_PG_INT4,  VLN_PG_INT4,
        VLN_PG_INT4,  VLN_PG_INT8, VLN_PG_TEXT, VLN_PG_BYTEA, VLN_PG_TEXT,
    };
    vln_pg_array_t *columns[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        columns[i] = vln_pg_array_new(arena, types[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const orchestrator_change_t *change = &changes[i];
        vln_pg_array_add_bytes(columns[0], change->id.bytes, VLN_ID_BYTES);
        vln_pg_array_add_i64(columns[1], change->state);
        vln_pg_array_add_i64(columns[2], change->counters.attempts);
        vln_pg_array_add_i64(columns[3], change->counters.crashes);
        vln_pg_array_add_i64(columns[4], change->counters.run_outs);
        vln_pg_array_add_i64(columns[5], change->counters.cancel_requested);
        vln_pg_array_add_i64(columns[6], change->delay_ms);
        vln_pg_array_add_text(columns[7], change->error);
        if (change->resume_size) {
            vln_pg_array_add_bytes(columns[8], change->resume, change->resume_size);
        } else {
            vln_pg_array_add_null(columns[8]);
        }
        vln_pg_array_add_text(columns[9], change->cancel_reason);
    }
    vln_pg_args_t args = {0};
    for (size_t i = 0; i < COLUMNS; i++) {
        vln_pg_array(&args, columns[i]);
    }
    return vln_pg_run(self->pg, CHANGE, &args, NULL);
}

vln_err_t
orchestrator_store_set_wait(orchestrator_store_t *self, vln_arena_t *arena,
                            const orchestrator_wait_t *wait)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, wait->id.bytes, VLN_ID_BYTES);
    vln_pg_array(&args, orchestrator_store_ids(arena, wait->jobs, wait->job_count));
    vln_pg_text(&args, wait->type);
    vln_pg_text(&args, wait->subject);
    vln_pg_i64(&args, wait->timeout_ms);
    return vln_pg_run(self->pg, SET_WAIT, &args, NULL);
}

/* ---- the sweep ---- */

static vln_err_t
find_for_sweep(orchestrator_store_t *self, size_t statement, vln_arena_t *arena,
               orchestrator_task_t **out, size_t *found)
{
    vln_pg_args_t args = {0};
    vln_pg_i32(&args, ORCHESTRATOR_SWEEP_MAX);
    return run_for_tasks(self, statement, &args, arena, out, found);
}

vln_err_t
orchestrator_store_find_run_out(orchestrator_store_t *self, vln_arena_t *arena,
                                orchestrator_task_t **out, size_t *found)
{
    return find_for_sweep(self, FIND_RUN_OUT, arena, out, found);
}

vln_err_t
orchestrator_store_find_overdue(orchestrator_store_t *self, vln_arena_t *arena,
                                orchestrator_task_t **out, size_t *found)
{
    return find_for_sweep(self, FIND_OVERDUE, arena, out, found);
}

vln_err_t
orchestrator_store_find_woken(orchestrator_store_t *self, vln_arena_t *arena,
                              orchestrator_task_t **out, size_t *found)
{
    return find_for_sweep(self, FIND_WOKEN, arena, out, found);
}

vln_err_t
orchestrator_store_refresh_marks(orchestrator_store_t *self)
{
    return vln_pg_run(self->pg, REFRESH_MARKS, NULL, NULL);
}

vln_err_t
orchestrator_store_count_ready(orchestrator_store_t *self, int64_t limit, int64_t *ready)
{
    vln_pg_args_t args = {0};
    vln_pg_i64(&args, limit);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, COUNT_READY, &args, &result);
    *ready = err == VLN_OK ? vln_pg_get_i64(result, 0, 0) : 0;
    PQclear(result);
    return err;
}
