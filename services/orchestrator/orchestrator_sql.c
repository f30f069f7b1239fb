/*
 * All SQL of the orchestrator.
 *
 * Locks are taken in this order, so that nobody waits in a circle: a run, then its tasks. Who begins
 * with tasks (a batch of results, a cancelled job) locks their runs first (lock_runs_of); the sweep,
 * which finds tasks by time, does not wait for runs (try_lock_runs). Whoever gives turns to runs that
 * wait holds the pipeline's queue and takes only runs that nobody holds.
 *
 * `state + 0` keeps the planner from the partial indexes where rows are looked up by id: through them
 * it would walk every task in that state, for each id.
 */
#include "orchestrator_store_inside.h"

/* clang-format off */
#define TASK_COLUMNS                                                                              \
    "t.id, t.kind, t.state, t.priority, t.spec, t.labels, t.submitter, t.submitter_roles,"        \
    " t.submitted, t.not_before, t.deadline, t.attempts, t.max_attempts, t.crashes, t.run_outs,"  \
    " t.cancel_requested, t.token, t.lease_until, t.worker, t.worker_instance, t.started,"        \
    " t.finished, t.progress::float8, t.progress_text, t.result, t.error, t.resume, now(),"       \
    " t.cancel_reason, t.run_id, t.step, t.max_failures, t.retry_delay_ms, t.retry_factor,"       \
    " t.retry_max_ms, t.non_retryable"

#define RUN_COLUMNS                                                                               \
    "r.id, r.pipeline, r.version, r.state, r.stop, r.stop_all, r.stop_why, r.priority, r.params," \
    " r.submitter, r.submitter_roles, r.trigger, r.rerun_of, r.submitted, r.started, r.deadline," \
    " r.finished, r.error, now()"

/* Runs that hold a place among those of their pipeline that may run at once. */
#define RUN_IS_ACTIVE "state IN (2, 6) AND started IS NOT NULL"

const vln_pg_stmt_t orchestrator_statements[] = {
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
    [MARK_STEP_TASK] = {"mark_step_task",
        "UPDATE task SET run_id = $2::bytea, step = $3::text, max_failures = $4::integer,"
        "       retry_delay_ms = $5::bigint, retry_factor = $6::bigint / 1e6,"
        "       retry_max_ms = $7::bigint, non_retryable = $8::text"
        " WHERE id = $1::bytea"},
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
        " RETURNING t.id, t.kind, t.attempts, t.run_id, t.step"},
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

    /* ---- pipelines ---- */
    [PUT_PIPELINE] = {"put_pipeline",
        "INSERT INTO pipeline (name, version, body, digest, created_by)"
        " VALUES ($1, $2::bigint, $3::bytea, $4::bytea, $5) ON CONFLICT DO NOTHING"
        " RETURNING created"},
    [FIND_PIPELINE] = {"find_pipeline",
        "SELECT name, version, body, digest, created, created_by FROM pipeline"
        " WHERE name = $1 AND ($2::bigint = 0 OR version = $2) ORDER BY version DESC LIMIT 1"},
    [LIST_PIPELINES] = {"list_pipelines",
        "SELECT name, version, body, digest, created, created_by FROM ("
        " SELECT *, sum(octet_length(body)) OVER (ORDER BY name ROWS UNBOUNDED PRECEDING)"
        "           - octet_length(body) AS before"
        "   FROM (SELECT DISTINCT ON (name) * FROM pipeline"
        "          WHERE $1::text IS NULL OR name > $1 ORDER BY name, version DESC"
        "          LIMIT $2::integer) AS latest) AS sized"
        " WHERE before < $3::bigint ORDER BY name"},

    /* ---- runs ---- */
    [INSERT_RUN] = {"insert_run",
        "INSERT INTO run (id, pipeline, version, priority, params, submitter, submitter_roles,"
        "                 trigger, rerun_of)"
        " VALUES ($1::bytea, $2, $3::bigint, $4::integer, $5::bytea, $6, $7::integer, $8,"
        "         $9::bytea)"},
    [INSERT_STEPS] = {"insert_steps",
        "INSERT INTO step (run_id, position, name)"
        " SELECT $1::bytea, at - 1, name FROM unnest($2::text[]) WITH ORDINALITY AS a (name, at)"},
    [REUSE_STEPS] = {"reuse_steps",
        "UPDATE step s SET state = old.state, reused = true, outputs = old.outputs,"
        "       why = 'its outputs are those of the run before', started = old.started,"
        "       finished = old.finished"
        "  FROM step old"
        " WHERE s.run_id = $1::bytea AND s.position = ANY ($3::integer[])"
        "   AND old.run_id = $2::bytea AND old.position = s.position"},
    [COUNT_QUEUED] = {"count_queued",
        "SELECT count(*) FROM run WHERE pipeline = $1 AND state IN (1, 2, 6)"},
    [FIND_RUN] = {"find_run", "SELECT " RUN_COLUMNS " FROM run r WHERE id = $1::bytea"},
    [LOCK_RUN] = {"lock_run",
        "SELECT " RUN_COLUMNS " FROM run r WHERE id = $1::bytea FOR UPDATE"},
    [LOCK_RUNS_OF] = {"lock_runs_of",
        "SELECT FROM run WHERE id IN (SELECT run_id FROM task"
        "                              WHERE id = ANY ($1::bytea[]) AND run_id IS NOT NULL)"
        " ORDER BY id FOR UPDATE"},
    [TRY_LOCK_RUNS] = {"try_lock_runs",
        "SELECT id FROM run WHERE id = ANY ($1::bytea[]) FOR UPDATE SKIP LOCKED"},
    [LIST_RUNS] = {"list_runs",
        "SELECT " RUN_COLUMNS " FROM run r"
        " WHERE ($1::bytea IS NULL OR id < $1) AND ($2::text IS NULL OR pipeline = $2)"
        "   AND ($3::integer = 0 OR state = $3) ORDER BY id DESC LIMIT $4::integer"},
    [CHANGE_RUN] = {"change_run",
        "UPDATE run SET state = $2::integer, stop = $3::integer, stop_all = $4::boolean,"
        "       stop_why = $5, error = $6,"
        "       started = CASE WHEN $7::boolean THEN coalesce(started, now()) ELSE started END,"
        "       deadline = CASE WHEN $7::boolean AND started IS NULL"
        "                       THEN now() + $8::bigint * interval '1 millisecond'"
        "                       ELSE deadline END,"
        "       finished = CASE WHEN $2 IN (3, 4, 5) THEN now() END"
        " WHERE id = $1::bytea"},
    [FIND_STEPS] = {"find_steps",
        "SELECT s.position, s.name, s.state, s.task_id, s.reused, s.error, s.why, s.started,"
        "       s.finished, t.state, t.attempts, t.started, t.error, t.cancel_requested,"
        "       CASE WHEN s.state = 2 AND t.state + 0 >= 4 THEN t.result END, s.outputs IS NOT NULL"
        "  FROM step s LEFT JOIN task t ON t.id = s.task_id"
        " WHERE s.run_id = $1::bytea ORDER BY s.position"},
    [FIND_OUTPUTS] = {"find_outputs",
        "SELECT position, outputs FROM ("
        " SELECT position, outputs, sum(octet_length(outputs))"
        "        OVER (ORDER BY position ROWS UNBOUNDED PRECEDING) AS total"
        "   FROM step WHERE run_id = $1::bytea AND outputs IS NOT NULL"
        "    AND ($2::integer[] IS NULL OR position = ANY ($2))) AS sized"
        " WHERE $3::bigint = 0 OR total <= $3 ORDER BY position"},
    [CHANGE_STEPS] = {"change_steps",
        "UPDATE step s SET state = a.state, task_id = coalesce(a.task_id, s.task_id),"
        "       outputs = coalesce(a.outputs, s.outputs), error = coalesce(a.error, s.error),"
        "       why = coalesce(a.why, s.why),"
        "       started = CASE WHEN a.task_id IS NULL THEN s.started ELSE now() END,"
        "       finished = CASE WHEN a.state >= 4 THEN now() END"
        "  FROM unnest($2::integer[], $3::integer[], $4::bytea[], $5::text[], $6::text[],"
        "              $7::text[]) AS a (position, state, task_id, outputs, error, why)"
        " WHERE s.run_id = $1::bytea AND s.position = a.position"},
    [LOCK_QUEUE] = {"lock_queue",
        "SELECT pg_advisory_xact_lock(x'56524e'::integer, hashtext($1::text))"},
    [PICK_QUEUED] = {"pick_queued",
        "SELECT " RUN_COLUMNS " FROM run r WHERE pipeline = $1 AND state = 1"
        " ORDER BY priority, id"
        " LIMIT greatest(0, $2::integer - (SELECT count(*) FROM run WHERE pipeline = $1"
        "                                    AND " RUN_IS_ACTIVE "))"
        " FOR UPDATE SKIP LOCKED"},
    [FIND_QUEUES] = {"find_queues",
        "SELECT DISTINCT pipeline FROM run WHERE state = 1 ORDER BY pipeline"},
    [FIND_STALLED] = {"find_stalled",
        "SELECT id FROM run r WHERE state IN (2, 6) AND ("
        "   (stop = 0 AND deadline < now())"
        "   OR EXISTS (SELECT FROM step s JOIN task t ON t.id = s.task_id"
        "               WHERE s.run_id = r.id AND s.state = 2 AND t.state + 0 >= 4)"
        "   OR (state = 2 AND NOT EXISTS (SELECT FROM step s"
        "                                  WHERE s.run_id = r.id AND s.state = 2)))"
        " ORDER BY id LIMIT $1::integer"},
    [COUNT_RUNS] = {"count_runs",
        "SELECT count(*) FILTER (WHERE " RUN_IS_ACTIVE "), count(*) FILTER (WHERE state = 3),"
        "       count(*) FILTER (WHERE state = 4), count(*) FILTER (WHERE state = 5),"
        "       count(*) FILTER (WHERE state = 1), count(*),"
        "       coalesce(avg(extract(epoch FROM finished - started) * 1000)"
        "                FILTER (WHERE state IN (3, 4)), 0)::float8"
        "  FROM run"},
    [COUNT_TASKS] = {"count_tasks", "SELECT state, count(*) FROM task GROUP BY state"},

    /* ---- what tasks write ---- */
    [LOCK_WRITER] = {"lock_writer",
        "SELECT FROM task WHERE id = $1::bytea AND token = $2::bigint AND state + 0 = 2"
        "   AND worker = $3 FOR UPDATE"},
    [LAST_LINE] = {"last_line",
        "SELECT coalesce(max(seq), 0) FROM log WHERE task_id = $1::bytea"},
    [APPEND_LOG] = {"append_log",
        "INSERT INTO log (task_id, seq, time, level, line)"
        " SELECT $1::bytea, $2::bigint + at,"
        "        timestamptz 'epoch' + time_us * interval '1 microsecond', level, line"
        "   FROM unnest($3::bigint[], $4::text[], $5::text[]) WITH ORDINALITY"
        "     AS a (time_us, level, line, at)"},
    [READ_LOG] = {"read_log",
        "SELECT seq, time, level, line FROM ("
        " SELECT *, sum(octet_length(line)) OVER (ORDER BY seq ROWS UNBOUNDED PRECEDING) AS total"
        "   FROM log WHERE task_id = $1::bytea AND seq > $2::bigint"
        "  ORDER BY seq LIMIT $3::integer) AS sized"
        " WHERE total <= $4::bigint OR total = octet_length(line) ORDER BY seq"},
};
const size_t orchestrator_statement_count = VLN_COUNT(orchestrator_statements);
/* clang-format on */
