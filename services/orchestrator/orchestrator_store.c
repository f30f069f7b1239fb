#include "orchestrator_store.h"

#include <stdlib.h>
#include <string.h>

/* clang-format off */
/* All SQL of the orchestrator. Indexed by the enum, whose order is free. `state + 0` keeps the
 * planner from the partial indexes where rows are looked up by id: through them it would walk every
 * task in that state, for each id. */
enum {
    FIND_REQUESTS, KEEP_REQUESTS, FENCE, SWEEP_REQUESTS, INSERT_EVENTS,
    INSERT_TASKS, FIND_TASKS, LOCK_TASKS, LIST_TASKS, CLAIM, FIND_LEASED, EXTEND, COMPLETE,
    CHANGE, SET_WAIT, FIND_RUN_OUT, FIND_OVERDUE, FIND_WOKEN, REFRESH_MARKS, COUNT_READY,
};

#define TASK_COLUMNS                                                                              \
    "t.id, t.kind, t.state, t.priority, t.spec, t.labels, t.submitter, t.submitter_roles,"        \
    " t.submitted, t.not_before, t.deadline, t.attempts, t.max_attempts, t.crashes, t.run_outs,"  \
    " t.cancel_requested, t.token, t.lease_until, t.worker, t.worker_instance, t.started,"        \
    " t.finished, t.progress::float8, t.progress_text, t.result, t.error, t.resume, now(),"        \
    " t.cancel_reason"

static const vln_pg_stmt_t statements[] = {
    [FIND_REQUESTS]  = {"find_requests", VLN_ONCE_FIND_SQL},
    [KEEP_REQUESTS]  = {"keep_requests", VLN_ONCE_KEEP_SQL},
    [FENCE]          = {"fence", VLN_ONCE_FENCE_SQL},
    [SWEEP_REQUESTS] = {"sweep_requests", VLN_ONCE_SWEEP_SQL},
    [INSERT_EVENTS]  = {"insert_events", VLN_EVENT_INSERT_SQL},
    [INSERT_TASKS] = {"insert_tasks",
        "WITH kinds AS (INSERT INTO low_water (kind, seq)"
        "   SELECT DISTINCT kind, 0 FROM unnest($2::text[]) AS k (kind)"
        "    WHERE kind NOT IN (SELECT kind FROM low_water) ORDER BY kind ON CONFLICT DO NOTHING)"
        " INSERT INTO task (id, kind, priority, spec, labels, submitter, submitter_roles,"
        "                  max_attempts, not_before, deadline)"
        " SELECT id, kind, priority, spec, labels, submitter, submitter_roles, max_attempts,"
        "        now() + delay_ms * interval '1 millisecond',"
        "        now() + deadline_ms * interval '1 millisecond'"
        "   FROM unnest($1::bytea[], $2::text[], $3::integer[], $4::bytea[], $5::bytea[],"
        "               $6::text[], $7::integer[], $8::integer[], $9::bigint[], $10::bigint[])"
        "     AS a (id, kind, priority, spec, labels, submitter, submitter_roles, max_attempts,"
        "           delay_ms, deadline_ms)"},
    [FIND_TASKS] = {"find_tasks",
        "SELECT " TASK_COLUMNS " FROM task t WHERE id = ANY ($1::bytea[])"},
    [LOCK_TASKS] = {"lock_tasks",
        "SELECT " TASK_COLUMNS " FROM task t WHERE id = ANY ($1::bytea[]) ORDER BY id FOR UPDATE"},
    [LIST_TASKS] = {"list_tasks",
        "SELECT " TASK_COLUMNS " FROM ("
        " SELECT *, octet_length(spec) + octet_length(labels) + coalesce(octet_length(result), 0)"
        "           AS bytes, sum(octet_length(spec) + octet_length(labels)"
        "                         + coalesce(octet_length(result), 0))"
        "               OVER (ORDER BY id DESC ROWS UNBOUNDED PRECEDING) AS total"
        "   FROM task"
        "  WHERE ($1::bytea IS NULL OR id < $1) AND ($2::text IS NULL OR kind = $2)"
        "    AND ($3::text IS NULL OR submitter = $3) AND ($4::integer = 0 OR state = $4)"
        "  ORDER BY id DESC LIMIT $5::integer) AS t"
        " WHERE total - bytes < $6::bigint ORDER BY id DESC"},
    [CLAIM] = {"claim",
        "WITH found AS MATERIALIZED ("
        "  SELECT ready.id, ready.bytes FROM unnest('{1,2,3,4,5}'::smallint[]) AS p (priority)"
        "   CROSS JOIN LATERAL ("
        "     SELECT id, octet_length(spec) + coalesce(octet_length(resume), 0) AS bytes FROM task"
        "      WHERE state = 1 AND kind = $1 AND priority = p.priority"
        "        AND seq >= coalesce((SELECT seq FROM low_water WHERE kind = $1), 0)"
        "        AND not_before <= now() AND deadline > now()"
        "      ORDER BY seq LIMIT $2::integer FOR UPDATE SKIP LOCKED) AS ready"
        "   LIMIT $2::integer),"
        " claimed AS ("
        "  SELECT id FROM (SELECT id, bytes, sum(bytes) OVER (ROWS UNBOUNDED PRECEDING) AS total"
        "                    FROM found) AS sized"
        "   WHERE total <= $7::integer OR total = bytes)"
        " UPDATE task t"
        "    SET state = 2, token = token + 1, attempts = attempts + 1, started = now(),"
        "        lease_until = now() + $3::bigint * interval '1 millisecond', worker = $4,"
        "        worker_instance = $5, lease_request = $6::bytea, progress = NULL,"
        "        progress_text = NULL"
        "   FROM claimed WHERE t.id = claimed.id RETURNING " TASK_COLUMNS},
    [FIND_LEASED] = {"find_leased",
        "SELECT " TASK_COLUMNS " FROM task t"
        " WHERE state = 2 AND lease_until > now() AND lease_request = $1::bytea AND worker = $2"},
    [EXTEND] = {"extend",
        "UPDATE task t"
        "   SET lease_until = now() + $1::bigint * interval '1 millisecond',"
        "       progress = coalesce(a.progress, t.progress),"
        "       progress_text = coalesce(a.progress_text, t.progress_text)"
        "  FROM (SELECT id, token, progress_ppm / 1e6::real AS progress, progress_text"
        "          FROM unnest($2::bytea[], $3::bigint[], $4::bigint[], $5::text[])"
        "            AS b (id, token, progress_ppm, progress_text) ORDER BY id) AS a"
        " WHERE t.id = a.id AND t.token = a.token AND t.state + 0 = 2 AND t.worker = $6::text"
        " RETURNING t.id, t.cancel_requested"},
    [COMPLETE] = {"complete",
        "UPDATE task t SET state = 4, result = a.result, finished = now(), lease_until = NULL"
        "  FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::text[])"
        "    AS a (id, token, result, worker)"
        " WHERE t.id = a.id AND t.token = a.token AND t.state + 0 = 2 AND t.worker = a.worker"
        " RETURNING t.id, t.kind, t.attempts"},
    [CHANGE] = {"change",
        "UPDATE task t"
        "   SET state = a.state, attempts = a.attempts, crashes = a.crashes,"
        "       run_outs = a.run_outs, cancel_requested = a.cancel,"
        "       not_before = now() + a.delay_ms * interval '1 millisecond',"
        "       finished = CASE WHEN a.state >= 4 THEN now() END,"
        "       lease_until = CASE WHEN a.state = 2 THEN t.lease_until END,"
        "       error = coalesce(a.error, t.error), resume = coalesce(a.resume, t.resume),"
        "       deadline = CASE WHEN t.state >= 4 AND a.state = 1"
        "                       THEN now() + least(t.deadline - t.submitted, interval '24 hours')"
        "                       ELSE t.deadline END,"
        "       cancel_reason = CASE WHEN a.state <> 1 OR a.cancel"
        "                            THEN coalesce(a.cancel_reason, t.cancel_reason) END"
        "  FROM unnest($1::bytea[], $2::integer[], $3::integer[], $4::integer[], $5::integer[],"
        "              $6::integer[], $7::bigint[], $8::text[], $9::bytea[], $10::text[])"
        "    AS b (id, state, attempts, crashes, run_outs, cancelled, delay_ms, error, resume,"
        "          cancel_reason)"
        "  CROSS JOIN LATERAL (SELECT b.*, b.cancelled <> 0 AS cancel) AS a"
        " WHERE t.id = a.id"},
    [SET_WAIT] = {"set_wait",
        "UPDATE task"
        "   SET wait_jobs = $2::bytea[], wait_type = $3, wait_subject = $4,"
        "       wait_until = now() + $5::bigint * interval '1 millisecond',"
        "       wait_after = (SELECT coalesce(max(position), 0) FROM event.log)"
        " WHERE id = $1::bytea"},
    [FIND_RUN_OUT] = {"find_run_out",
        "SELECT " TASK_COLUMNS " FROM task t WHERE state = 2 AND lease_until < now()"
        " ORDER BY lease_until LIMIT $1::integer FOR UPDATE SKIP LOCKED"},
    [FIND_OVERDUE] = {"find_overdue",
        "SELECT " TASK_COLUMNS " FROM task t WHERE state < 4 AND deadline < now()"
        " ORDER BY deadline LIMIT $1::integer FOR UPDATE SKIP LOCKED"},
    [FIND_WOKEN] = {"find_woken",
        "SELECT " TASK_COLUMNS " FROM task t WHERE state = 3 AND ("
        "   wait_until < now()"
        "   OR (cardinality(wait_jobs) > 0 AND NOT EXISTS ("
        "         SELECT FROM unnest(t.wait_jobs) AS w (id) JOIN task j ON j.id = w.id"
        "          WHERE j.state < 4))"
        "   OR (wait_type IS NOT NULL AND EXISTS ("
        "         SELECT FROM event.log e WHERE e.position > t.wait_after AND e.type = t.wait_type"
        "            AND (t.wait_subject IS NULL OR e.subject = t.wait_subject))))"
        " LIMIT $1::integer FOR UPDATE SKIP LOCKED"},
    [REFRESH_MARKS] = {"refresh_marks",
        "UPDATE low_water w SET seq = lowest.seq FROM ("
        "   SELECT k.kind, coalesce(min(found.seq), (SELECT last_value FROM task_seq_seq)) AS seq"
        "     FROM low_water AS k"
        "    CROSS JOIN unnest('{1,2,3,4,5}'::smallint[]) AS p (priority)"
        "     LEFT JOIN LATERAL (SELECT seq FROM task WHERE state = 1 AND kind = k.kind"
        "       AND priority = p.priority ORDER BY seq LIMIT 1) AS found ON true"
        "    GROUP BY k.kind ORDER BY k.kind) AS lowest"
        " WHERE w.kind = lowest.kind AND w.seq <> lowest.seq"},
    [COUNT_READY] = {"count_ready",
        "SELECT count(*) FROM (SELECT FROM task WHERE state = 1 LIMIT $1::bigint) AS ready"},
};
/* clang-format on */

struct orchestrator_store {
    vln_pg_t *pg;
};

vln_err_t
orchestrator_store_open(orchestrator_store_t **out, const char *database)
{
    const vln_pg_config_t config = {.conninfo = database,
                                    .application = "valion-orchestrator",
                                    .search_path = "pipeline",
                                    .statements = statements,
                                    .statement_count = VLN_COUNT(statements)};
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

/* ---- reading ---- */

static const char *
copy_text(const PGresult *result, int row, int column, vln_arena_t *arena)
{
    if (vln_pg_is_null(result, row, column)) {
        return NULL;
    }
    return vln_arena_strdup(arena, vln_pg_get_text(result, row, column));
}

static const uint8_t *
copy_bytes(const PGresult *result, int row, int column, vln_arena_t *arena, size_t *size)
{
    *size = 0;
    if (vln_pg_is_null(result, row, column)) {
        return NULL;
    }
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, size);
    return vln_arena_memdup(arena, bytes, *size);
}

static vln_id_t
read_id(const PGresult *result, int row)
{
    vln_id_t id = {{0}};
    size_t size = 0;
    const uint8_t *bytes = vln_pg_get_bytes(result, row, 0, &size);
    vln_assert(size == VLN_ID_BYTES);
    memcpy(id.bytes, bytes, size);
    return id;
}

static orchestrator_task_t
read_task(const PGresult *result, int row, vln_arena_t *arena)
{
    orchestrator_task_t task = {.id = read_id(result, row),
                                .kind = copy_text(result, row, 1, arena),
                                .state = (task_state_t)vln_pg_get_i64(result, row, 2),
                                .priority = (int)vln_pg_get_i64(result, row, 3),
                                .submitter = copy_text(result, row, 6, arena),
                                .submitter_roles = (uint32_t)vln_pg_get_i64(result, row, 7),
                                .submitted_us = vln_pg_get_us(result, row, 8),
                                .not_before_us = vln_pg_get_us(result, row, 9),
                                .deadline_us = vln_pg_get_us(result, row, 10),
                                .counters = {.attempts = (int)vln_pg_get_i64(result, row, 11),
                                             .max_attempts = (int)vln_pg_get_i64(result, row, 12),
                                             .crashes = (int)vln_pg_get_i64(result, row, 13),
                                             .run_outs = (int)vln_pg_get_i64(result, row, 14),
                                             .cancel_requested = vln_pg_get_bool(result, row, 15)},
                                .token = vln_pg_get_i64(result, row, 16),
                                .lease_until_us = vln_pg_get_us(result, row, 17),
                                .worker = copy_text(result, row, 18, arena),
                                .worker_instance = copy_text(result, row, 19, arena),
                                .started_us = vln_pg_get_us(result, row, 20),
                                .finished_us = vln_pg_get_us(result, row, 21),
                                .has_progress = !vln_pg_is_null(result, row, 22),
                                .progress = vln_pg_get_double(result, row, 22),
                                .progress_text = copy_text(result, row, 23, arena),
                                .error = copy_text(result, row, 25, arena),
                                .now_us = vln_pg_get_us(result, row, 27),
                                .cancel_reason = copy_text(result, row, 28, arena)};
    task.spec = copy_bytes(result, row, 4, arena, &task.spec_size);
    task.labels = copy_bytes(result, row, 5, arena, &task.labels_size);
    task.result = copy_bytes(result, row, 24, arena, &task.result_size);
    task.resume = copy_bytes(result, row, 26, arena, &task.resume_size);
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

static vln_pg_array_t *
id_array(vln_arena_t *arena, const vln_id_t *ids, size_t count)
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
    vln_pg_array(&args, id_array(arena, ids, count));
    return run_for_tasks(self, FIND_TASKS, &args, arena, out, found);
}

vln_err_t
orchestrator_store_lock(orchestrator_store_t *self, vln_arena_t *arena, const vln_id_t *id,
                        orchestrator_task_t **out)
{
    size_t found = 0;
    vln_pg_args_t args = {0};
    vln_pg_array(&args, id_array(arena, id, 1));
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
        vln_id_t id = read_id(result, row);
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
    for (int row = 0; err == VLN_OK && row < PQntuples(result); row++) {
        vln_id_t id = read_id(result, row);
        for (size_t i = 0; i < count; i++) {
            if (memcmp(done[i].id.bytes, id.bytes, VLN_ID_BYTES) == 0) {
                done[i].recorded = true;
                done[i].kind = copy_text(result, row, 1, arena);
                done[i].attempts = vln_pg_get_i64(result, row, 2);
            }
        }
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
    vln_pg_array(&args, id_array(arena, wait->jobs, wait->job_count));
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
