#include "orchestrator_runs_store.h"

#include <string.h>

#include "orchestrator_store_inside.h"

enum { STALLED_MAX = 200 };

/* ---- pipelines ---- */

vln_err_t
orchestrator_store_put_pipeline(orchestrator_store_t *self, orchestrator_pipeline_t *pipeline)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_text(&args, pipeline->name);
    vln_pg_i64(&args, pipeline->version);
    vln_pg_bytes(&args, pipeline->body, pipeline->body_size);
    vln_pg_bytes(&args, pipeline->digest, VLN_DIGEST_BYTES);
    vln_pg_text(&args, pipeline->created_by);
    vln_err_t err = vln_pg_run(self->pg, PUT_PIPELINE, &args, &result);
    if (err == VLN_OK && PQntuples(result) == 0) {
        err = VLN_ABORTED;
    }
    pipeline->created_us = err == VLN_OK ? vln_pg_get_us(result, 0, 0) : 0;
    PQclear(result);
    return err;
}

static orchestrator_pipeline_t
read_pipeline(const PGresult *result, int row, vln_arena_t *arena)
{
    orchestrator_pipeline_t out = {.name = orchestrator_store_text(result, row, 0, arena),
                                   .version = vln_pg_get_i64(result, row, 1),
                                   .created_us = vln_pg_get_us(result, row, 4),
                                   .created_by = orchestrator_store_text(result, row, 5, arena)};
    size_t size = 0;
    const uint8_t *digest = vln_pg_get_bytes(result, row, 3, &size);
    vln_assert(size == VLN_DIGEST_BYTES);
    memcpy(out.digest, digest, size);
    out.body = orchestrator_store_bytes(result, row, 2, arena, &out.body_size);
    return out;
}

vln_err_t
orchestrator_store_find_pipeline(orchestrator_store_t *self, vln_arena_t *arena, const char *name,
                                 int64_t version, orchestrator_pipeline_t *out)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_text(&args, name);
    vln_pg_i64(&args, version);
    vln_err_t err = vln_pg_run_one(self->pg, FIND_PIPELINE, &args, &result);
    if (err == VLN_OK) {
        *out = read_pipeline(result, 0, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
orchestrator_store_list_pipelines(orchestrator_store_t *self, vln_arena_t *arena,
                                  const orchestrator_pipeline_filter_t *filter,
                                  orchestrator_pipeline_t **out, size_t *found)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *found = 0;
    vln_pg_text(&args, filter->after);
    vln_pg_i32(&args, filter->limit);
    vln_pg_i64(&args, filter->bytes_max);
    vln_err_t err = vln_pg_run(self->pg, LIST_PIPELINES, &args, &result);
    if (err == VLN_OK) {
        *found = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*found + 1) * sizeof **out);
        for (size_t i = 0; i < *found; i++) {
            (*out)[i] = read_pipeline(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

/* ---- runs ---- */

vln_err_t
orchestrator_store_insert_run(orchestrator_store_t *self, vln_arena_t *arena,
                              const orchestrator_run_t *run, char *const *names, size_t count)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, run->id.bytes, VLN_ID_BYTES);
    vln_pg_text(&args, run->pipeline);
    vln_pg_i64(&args, run->version);
    vln_pg_i32(&args, run->priority);
    vln_pg_bytes(&args, run->params, run->params_size);
    vln_pg_text(&args, run->submitter);
    vln_pg_i32(&args, (int32_t)run->submitter_roles);
    vln_pg_text(&args, run->trigger);
    vln_pg_bytes_or_null(&args, run->rerun_of.bytes, run->is_rerun ? VLN_ID_BYTES : 0);
    vln_err_t err = vln_pg_run(self->pg, INSERT_RUN, &args, NULL);
    if (err != VLN_OK) {
        return err;
    }
    vln_pg_array_t *steps = vln_pg_array_new(arena, VLN_PG_TEXT);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_text(steps, names[i]);
    }
    vln_pg_args_t of_steps = {0};
    vln_pg_bytes(&of_steps, run->id.bytes, VLN_ID_BYTES);
    vln_pg_array(&of_steps, steps);
    return vln_pg_run(self->pg, INSERT_STEPS, &of_steps, NULL);
}

vln_err_t
orchestrator_store_reuse_steps(orchestrator_store_t *self, vln_arena_t *arena,
                               const orchestrator_run_t *run, const size_t *positions, size_t count)
{
    vln_pg_array_t *array = vln_pg_array_new(arena, VLN_PG_INT4);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_i64(array, (int64_t)positions[i]);
    }
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, run->id.bytes, VLN_ID_BYTES);
    vln_pg_bytes(&args, run->rerun_of.bytes, VLN_ID_BYTES);
    vln_pg_array(&args, array);
    return vln_pg_run(self->pg, REUSE_STEPS, &args, NULL);
}

vln_err_t
orchestrator_store_count_open(orchestrator_store_t *self, const char *pipeline, int64_t *out)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_text(&args, pipeline);
    vln_err_t err = vln_pg_run(self->pg, COUNT_QUEUED, &args, &result);
    *out = err == VLN_OK ? vln_pg_get_i64(result, 0, 0) : 0;
    PQclear(result);
    return err;
}

static orchestrator_run_t
read_run(const PGresult *result, int row, vln_arena_t *arena)
{
    orchestrator_run_t run = {.id = orchestrator_store_id(result, row, 0),
                              .pipeline = orchestrator_store_text(result, row, 1, arena),
                              .version = vln_pg_get_i64(result, row, 2),
                              .state = (run_state_t)vln_pg_get_i64(result, row, 3),
                              .stop = (run_stop_t)vln_pg_get_i64(result, row, 4),
                              .stop_all = vln_pg_get_bool(result, row, 5),
                              .stop_why = orchestrator_store_text(result, row, 6, arena),
                              .priority = (int)vln_pg_get_i64(result, row, 7),
                              .submitter = orchestrator_store_text(result, row, 9, arena),
                              .submitter_roles = (uint32_t)vln_pg_get_i64(result, row, 10),
                              .trigger = orchestrator_store_text(result, row, 11, arena),
                              .is_rerun = !vln_pg_is_null(result, row, 12),
                              .submitted_us = vln_pg_get_us(result, row, 13),
                              .started_us = vln_pg_get_us(result, row, 14),
                              .deadline_us = vln_pg_get_us(result, row, 15),
                              .finished_us = vln_pg_get_us(result, row, 16),
                              .error = orchestrator_store_text(result, row, 17, arena),
                              .now_us = vln_pg_get_us(result, row, 18)};
    run.params = orchestrator_store_bytes(result, row, 8, arena, &run.params_size);
    if (run.is_rerun) {
        run.rerun_of = orchestrator_store_id(result, row, 12);
    }
    return run;
}

/* Runs a statement that gives runs, and reads them all. */
static vln_err_t
run_for_runs(orchestrator_store_t *self, size_t statement, const vln_pg_args_t *args,
             vln_arena_t *arena, orchestrator_run_t **out, size_t *found)
{
    PGresult *result = NULL;
    *found = 0;
    vln_err_t err = vln_pg_run(self->pg, statement, args, &result);
    if (err == VLN_OK) {
        *found = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*found + 1) * sizeof **out);
        for (size_t i = 0; i < *found; i++) {
            (*out)[i] = read_run(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

static vln_err_t
run_for_run(orchestrator_store_t *self, size_t statement, vln_arena_t *arena, const vln_id_t *id,
            orchestrator_run_t *out)
{
    vln_pg_args_t args = {0};
    orchestrator_run_t *runs = NULL;
    size_t found = 0;
    vln_pg_bytes(&args, id->bytes, VLN_ID_BYTES);
    vln_err_t err = run_for_runs(self, statement, &args, arena, &runs, &found);
    if (err == VLN_OK && found == 1) {
        *out = runs[0];
    }
    return err == VLN_OK && found == 0 ? VLN_NOT_FOUND : err;
}

vln_err_t
orchestrator_store_find_run(orchestrator_store_t *self, vln_arena_t *arena, const vln_id_t *id,
                            orchestrator_run_t *out)
{
    return run_for_run(self, FIND_RUN, arena, id, out);
}

vln_err_t
orchestrator_store_lock_run(orchestrator_store_t *self, vln_arena_t *arena, const vln_id_t *id,
                            orchestrator_run_t *out)
{
    return run_for_run(self, LOCK_RUN, arena, id, out);
}

vln_err_t
orchestrator_store_lock_runs_of(orchestrator_store_t *self, vln_arena_t *arena,
                                const vln_id_t *tasks, size_t count)
{
    vln_pg_args_t args = {0};
    vln_pg_array(&args, orchestrator_store_ids(arena, tasks, count));
    return vln_pg_run(self->pg, LOCK_RUNS_OF, &args, NULL);
}

vln_err_t
orchestrator_store_try_lock_runs(orchestrator_store_t *self, vln_arena_t *arena, vln_id_t *ids,
                                 size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_array(&args, orchestrator_store_ids(arena, ids, *count));
    vln_err_t err = vln_pg_run(self->pg, TRY_LOCK_RUNS, &args, &result);
    *count = 0;
    for (int row = 0; err == VLN_OK && row < PQntuples(result); row++) {
        ids[(*count)++] = orchestrator_store_id(result, row, 0);
    }
    PQclear(result);
    return err;
}

vln_err_t
orchestrator_store_list_runs(orchestrator_store_t *self, vln_arena_t *arena,
                             const orchestrator_run_filter_t *filter, orchestrator_run_t **out,
                             size_t *found)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes_or_null(&args, filter->before ? filter->before->bytes : NULL,
                         filter->before ? VLN_ID_BYTES : 0);
    vln_pg_text(&args, filter->pipeline);
    vln_pg_i32(&args, filter->state);
    vln_pg_i32(&args, filter->limit);
    return run_for_runs(self, LIST_RUNS, &args, arena, out, found);
}

vln_err_t
orchestrator_store_change_run(orchestrator_store_t *self, const orchestrator_run_t *run,
                              bool begins, int64_t timeout_ms)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, run->id.bytes, VLN_ID_BYTES);
    vln_pg_i32(&args, (int32_t)run->state);
    vln_pg_i32(&args, (int32_t)run->stop);
    vln_pg_bool(&args, run->stop_all);
    vln_pg_text(&args, run->stop_why);
    vln_pg_text(&args, run->error);
    vln_pg_bool(&args, begins);
    vln_pg_i64(&args, timeout_ms);
    return vln_pg_run(self->pg, CHANGE_RUN, &args, NULL);
}

/* ---- turns ---- */

vln_err_t
orchestrator_store_lock_queue(orchestrator_store_t *self, const char *pipeline)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, pipeline);
    return vln_pg_run(self->pg, LOCK_QUEUE, &args, NULL);
}

vln_err_t
orchestrator_store_pick_queued(orchestrator_store_t *self, vln_arena_t *arena, const char *pipeline,
                               int most, orchestrator_run_t **out, size_t *found)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, pipeline);
    vln_pg_i32(&args, most);
    return run_for_runs(self, PICK_QUEUED, &args, arena, out, found);
}

vln_err_t
orchestrator_store_find_queues(orchestrator_store_t *self, vln_arena_t *arena, const char ***out,
                               size_t *found)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, FIND_QUEUES, NULL, &result);
    *found = err == VLN_OK ? (size_t)PQntuples(result) : 0;
    *out = vln_arena_alloc(arena, (*found + 1) * sizeof **out);
    for (size_t i = 0; i < *found; i++) {
        (*out)[i] = orchestrator_store_text(result, (int)i, 0, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
orchestrator_store_find_stalled(orchestrator_store_t *self, vln_arena_t *arena, vln_id_t **out,
                                size_t *found)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_i32(&args, STALLED_MAX);
    vln_err_t err = vln_pg_run(self->pg, FIND_STALLED, &args, &result);
    *found = err == VLN_OK ? (size_t)PQntuples(result) : 0;
    *out = vln_arena_alloc(arena, (*found + 1) * sizeof **out);
    for (size_t i = 0; i < *found; i++) {
        (*out)[i] = orchestrator_store_id(result, (int)i, 0);
    }
    PQclear(result);
    return err;
}

/* ---- steps ---- */

static orchestrator_step_t
read_step(const PGresult *result, int row, vln_arena_t *arena)
{
    orchestrator_step_t step = {.name = orchestrator_store_text(result, row, 1, arena),
                                .state = (step_state_t)vln_pg_get_i64(result, row, 2),
                                .has_task = !vln_pg_is_null(result, row, 3),
                                .reused = vln_pg_get_bool(result, row, 4),
                                .error = orchestrator_store_text(result, row, 5, arena),
                                .why = orchestrator_store_text(result, row, 6, arena),
                                .started_us = vln_pg_get_us(result, row, 7),
                                .finished_us = vln_pg_get_us(result, row, 8),
                                .task_state = (task_state_t)vln_pg_get_i64(result, row, 9),
                                .attempts = (int)vln_pg_get_i64(result, row, 10),
                                .task_started_us = vln_pg_get_us(result, row, 11),
                                .task_error = orchestrator_store_text(result, row, 12, arena),
                                .cancel_requested = vln_pg_get_bool(result, row, 13),
                                .has_outputs = vln_pg_get_bool(result, row, 15)};
    step.result = orchestrator_store_bytes(result, row, 14, arena, &step.result_size);
    if (step.has_task) {
        step.task_id = orchestrator_store_id(result, row, 3);
    }
    return step;
}

vln_err_t
orchestrator_store_find_steps(orchestrator_store_t *self, vln_arena_t *arena, const vln_id_t *run,
                              orchestrator_step_t **out, size_t *found)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_bytes(&args, run->bytes, VLN_ID_BYTES);
    vln_err_t err = vln_pg_run(self->pg, FIND_STEPS, &args, &result);
    *found = err == VLN_OK ? (size_t)PQntuples(result) : 0;
    *out = vln_arena_alloc(arena, (*found + 1) * sizeof **out);
    for (size_t i = 0; i < *found; i++) {
        (*out)[i] = read_step(result, (int)i, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
orchestrator_store_find_outputs(orchestrator_store_t *self, vln_arena_t *arena,
                                const orchestrator_outputs_filter_t *filter, const char **outputs)
{
    vln_pg_array_t *positions = vln_pg_array_new(arena, VLN_PG_INT4);
    for (size_t i = 0; i < filter->count; i++) {
        outputs[i] = NULL;
        if (!filter->wanted || filter->wanted[i]) {
            vln_pg_array_add_i64(positions, (int64_t)i);
        }
    }
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_bytes(&args, filter->run->bytes, VLN_ID_BYTES);
    vln_pg_array(&args, positions);
    vln_pg_i64(&args, filter->bytes_max);
    vln_err_t err = vln_pg_run(self->pg, FIND_OUTPUTS, &args, &result);
    for (int row = 0; err == VLN_OK && row < PQntuples(result); row++) {
        outputs[vln_pg_get_i64(result, row, 0)] = orchestrator_store_text(result, row, 1, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
orchestrator_store_change_steps(orchestrator_store_t *self, vln_arena_t *arena, const vln_id_t *run,
                                const orchestrator_step_change_t *changes, size_t count)
{
    enum { COLUMNS = 6 };
    static const vln_pg_type_t types[COLUMNS] = {VLN_PG_INT4, VLN_PG_INT4, VLN_PG_BYTEA,
                                                 VLN_PG_TEXT, VLN_PG_TEXT, VLN_PG_TEXT};
    vln_pg_array_t *columns[COLUMNS];
    for (size_t i = 0; i < COLUMNS; i++) {
        columns[i] = vln_pg_array_new(arena, types[i]);
    }
    for (size_t i = 0; i < count; i++) {
        const orchestrator_step_change_t *change = &changes[i];
        vln_pg_array_add_i64(columns[0], (int64_t)change->position);
        vln_pg_array_add_i64(columns[1], change->state);
        if (change->task_id) {
            vln_pg_array_add_bytes(columns[2], change->task_id->bytes, VLN_ID_BYTES);
        } else {
            vln_pg_array_add_null(columns[2]);
        }
        vln_pg_array_add_text(columns[3], change->outputs);
        vln_pg_array_add_text(columns[4], change->error);
        vln_pg_array_add_text(columns[5], change->why);
    }
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, run->bytes, VLN_ID_BYTES);
    for (size_t i = 0; i < COLUMNS; i++) {
        vln_pg_array(&args, columns[i]);
    }
    return count ? vln_pg_run(self->pg, CHANGE_STEPS, &args, NULL) : VLN_OK;
}

/* ---- numbers ---- */

static vln_err_t
count_tasks(orchestrator_store_t *self, orchestrator_numbers_t *out)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, COUNT_TASKS, NULL, &result);
    for (int row = 0; err == VLN_OK && row < PQntuples(result); row++) {
        size_t state = (size_t)vln_pg_get_i64(result, row, 0);
        if (state < TASK_STATE_COUNT) {
            out->tasks[state] = vln_pg_get_i64(result, row, 1);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
orchestrator_store_count(orchestrator_store_t *self, orchestrator_numbers_t *out)
{
    PGresult *result = NULL;
    *out = (orchestrator_numbers_t){0};
    vln_err_t err = vln_pg_run(self->pg, COUNT_RUNS, NULL, &result);
    if (err == VLN_OK) {
        out->active = vln_pg_get_i64(result, 0, 0);
        out->completed = vln_pg_get_i64(result, 0, 1);
        out->failed = vln_pg_get_i64(result, 0, 2);
        out->cancelled = vln_pg_get_i64(result, 0, 3);
        out->queued = vln_pg_get_i64(result, 0, 4);
        out->total = vln_pg_get_i64(result, 0, 5);
        out->average_ms = vln_pg_get_double(result, 0, 6);
    }
    PQclear(result);
    return err == VLN_OK ? count_tasks(self, out) : err;
}

/* ---- what tasks write ---- */

vln_err_t
orchestrator_store_lock_writer(orchestrator_store_t *self, const vln_id_t *task, int64_t token,
                               const char *worker, int64_t *last)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_bytes(&args, task->bytes, VLN_ID_BYTES);
    vln_pg_i64(&args, token);
    vln_pg_text(&args, worker);
    *last = 0;
    vln_err_t err = vln_pg_run(self->pg, LOCK_WRITER, &args, &result);
    if (err == VLN_OK && PQntuples(result) == 0) {
        err = VLN_ABORTED;
    }
    PQclear(result);
    if (err != VLN_OK) {
        return err;
    }
    /* A statement of its own: one that waited for the lock would not see the lines written since. */
    vln_pg_args_t of_lines = {0};
    vln_pg_bytes(&of_lines, task->bytes, VLN_ID_BYTES);
    result = NULL;
    err = vln_pg_run(self->pg, LAST_LINE, &of_lines, &result);
    *last = err == VLN_OK ? vln_pg_get_i64(result, 0, 0) : 0;
    PQclear(result);
    return err;
}

vln_err_t
orchestrator_store_append_log(orchestrator_store_t *self, vln_arena_t *arena, const vln_id_t *task,
                              int64_t last, const orchestrator_line_t *lines, size_t count)
{
    vln_pg_array_t *times = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *levels = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *texts = vln_pg_array_new(arena, VLN_PG_TEXT);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_i64(times, lines[i].time_us);
        vln_pg_array_add_text(levels, lines[i].level);
        vln_pg_array_add_text(texts, lines[i].text);
    }
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, task->bytes, VLN_ID_BYTES);
    vln_pg_i64(&args, last);
    vln_pg_array(&args, times);
    vln_pg_array(&args, levels);
    vln_pg_array(&args, texts);
    return vln_pg_run(self->pg, APPEND_LOG, &args, NULL);
}

vln_err_t
orchestrator_store_read_log(orchestrator_store_t *self, vln_arena_t *arena,
                            const orchestrator_line_filter_t *filter, orchestrator_line_t **out,
                            size_t *found)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_bytes(&args, filter->task.bytes, VLN_ID_BYTES);
    vln_pg_i64(&args, filter->after);
    vln_pg_i32(&args, filter->limit);
    vln_pg_i64(&args, filter->bytes_max);
    vln_err_t err = vln_pg_run(self->pg, READ_LOG, &args, &result);
    *found = err == VLN_OK ? (size_t)PQntuples(result) : 0;
    *out = vln_arena_alloc(arena, (*found + 1) * sizeof **out);
    for (size_t i = 0; i < *found; i++) {
        (*out)[i] =
            (orchestrator_line_t){.seq = vln_pg_get_i64(result, (int)i, 0),
                                  .time_us = vln_pg_get_us(result, (int)i, 1),
                                  .level = orchestrator_store_text(result, (int)i, 2, arena),
                                  .text = orchestrator_store_text(result, (int)i, 3, arena)};
    }
    PQclear(result);
    return err;
}
