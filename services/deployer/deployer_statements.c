#include "deployer_store_inside.h"

/* clang-format off */
#define ROLLOUT_COLUMNS                                                                             \
    "id, record, version_record, asked, promoted, grant_closed, progress, created, now()"
#define US(parameter) "to_timestamp(0) + " parameter "::bigint * interval '1 microsecond'"

const vln_pg_stmt_t deployer_statements[] = {
    [FIND_REQUESTS]  = {"find_requests", VLN_ONCE_FIND_SQL},
    [KEEP_REQUESTS]  = {"keep_requests", VLN_ONCE_KEEP_SQL},
    [FENCE]          = {"fence", VLN_ONCE_FENCE_SQL},
    [SWEEP_REQUESTS] = {"sweep_requests", VLN_ONCE_SWEEP_SQL},
    [INSERT_EVENTS]  = {"insert_events", VLN_EVENT_INSERT_SQL},
    [TAKE_LOCK] = {"take_lock",
        "WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock($1::bigint))"
        " SELECT clock_timestamp() FROM held"},
    [FIND_ROLLOUT] = {"find_rollout",
        "SELECT " ROLLOUT_COLUMNS " FROM rollout WHERE id = $1::bytea"},
    [ADD_ROLLOUT] = {"add_rollout",
        "INSERT INTO rollout (id, environment, model, state, sequence, record, version_record,"
        "                     goes_back)"
        " VALUES ($1::bytea, $2::text, $3::text, $4::integer, $5::bigint, $6::bytea, $7::bytea,"
        "         $8::boolean)"},
    [SAVE_ROLLOUT] = {"save_rollout",
        "UPDATE rollout SET state = $2::integer, sequence = $3::bigint, record = $4::bytea,"
        "       asked = $5::text, promoted = $6::boolean, grant_closed = $7::boolean,"
        "       progress = CASE WHEN $8::boolean THEN now() ELSE progress END"
        " WHERE id = $1::bytea"},
    [LIST_ROLLOUTS] = {"list_rollouts",
        "SELECT " ROLLOUT_COLUMNS " FROM rollout"
        " WHERE ($1::text IS NULL OR environment = $1) AND ($2::text IS NULL OR model = $2)"
        "   AND ($3::integer = 0 OR state = $3)"
        "   AND (NOT $4::boolean OR state NOT IN (8, 10, 11))"
        "   AND ($5::bytea IS NULL OR id < $5)"
        " ORDER BY id DESC LIMIT $6::integer"},
    [LIST_OPEN] = {"list_open",
        "SELECT " ROLLOUT_COLUMNS " FROM rollout"
        " WHERE state NOT IN (8, 10, 11) OR NOT grant_closed ORDER BY created LIMIT $1::integer"},
    [ADD_DECISION] = {"add_decision",
        "INSERT INTO decision (rollout_id, sequence, record)"
        " VALUES ($1::bytea, $2::bigint, $3::bytea)"},
    [LIST_DECISIONS] = {"list_decisions",
        "SELECT record FROM decision WHERE rollout_id = $1::bytea AND sequence > $2::bigint"
        "   AND ($3::bigint = 0 OR sequence < $3) ORDER BY sequence DESC LIMIT $4::integer"},
    [ADD_ENDPOINT] = {"add_endpoint",
        "INSERT INTO endpoint (environment, model) VALUES ($1::text, $2::text)"
        " ON CONFLICT DO NOTHING"},
    [FIND_ENDPOINT] = {"find_endpoint",
        "SELECT environment, model, stable, revision, updated FROM endpoint"
        " WHERE environment = $1::text AND model = $2::text"},
    [SAVE_ENDPOINT] = {"save_endpoint",
        "UPDATE endpoint SET stable = $3::bytea, revision = $4::bigint, updated = now()"
        " WHERE environment = $1::text AND model = $2::text"},
    [LIST_ENDPOINTS] = {"list_endpoints",
        "SELECT environment, model, stable, revision, updated FROM endpoint"
        " WHERE ($1::text IS NULL OR environment = $1) AND ($2::text IS NULL OR model = $2)"
        "   AND ($3::text IS NULL OR environment || '/' || model > $3 COLLATE \"C\")"
        " ORDER BY (environment || '/' || model) COLLATE \"C\" LIMIT $4::integer"},
    [END_REVISION] = {"end_revision",
        "UPDATE revision SET until = now()"
        " WHERE environment = $1::text AND model = $2::text AND until IS NULL"},
    [ADD_REVISION] = {"add_revision",
        "INSERT INTO revision (environment, model, number, version, digest, rollout_id, actor, why)"
        " VALUES ($1::text, $2::text, $3::bigint, $4::text, $5::bytea, $6::bytea, $7::text,"
        "         $8::text)"},
    [LIST_REVISIONS] = {"list_revisions",
        "SELECT number, version, digest, rollout_id, since, until, actor, why FROM revision"
        " WHERE environment = $1::text AND model = $2::text"
        "   AND ($3::bigint = 0 OR number < $3) ORDER BY number DESC LIMIT $4::integer"},
    [LIST_INSTANCES] = {"list_instances",
        "SELECT id, rollout_id, host, part, wanted, report, warm_until, state, reference FROM instance"
        " WHERE ($1::text IS NULL OR environment = $1) AND ($2::text IS NULL OR model = $2)"
        "   AND ($3::text IS NULL OR host = $3) ORDER BY id"},
    [SAVE_INSTANCE] = {"save_instance",
        "INSERT INTO instance (id, rollout_id, environment, model, version, host, part, wanted,"
        "                      warm_until, reference)"
        " VALUES ($1::bytea, $2::bytea, $3::text, $4::text, $5::text, $6::text, $7::integer,"
        "         $8::bytea, CASE WHEN $9::bigint = 0 THEN NULL ELSE " US("$9") " END, $10::bytea)"
        " ON CONFLICT (id) DO UPDATE SET rollout_id = excluded.rollout_id, part = excluded.part,"
        "    warm_until = excluded.warm_until, wanted = excluded.wanted"},
    [REPORT_INSTANCE] = {"report_instance",
        "UPDATE instance SET state = $3::integer, report = $4::bytea"
        " WHERE id = $1::bytea AND host = $2::text"},
    [DELETE_INSTANCE] = {"delete_instance", "DELETE FROM instance WHERE id = $1::bytea"},
    [COOL] = {"cool",
        "UPDATE instance SET part = 4 WHERE part = 3 AND warm_until <= now()"},
    /* 6: STOPPED. A host that was told to stop it and no longer reports it has stopped it too. */
    [REMOVE] = {"remove", "DELETE FROM instance WHERE part = 4 AND state = 6"},
    [LIST_HOSTS] = {"list_hosts",
        "SELECT name, generation, applied, state, environments, error, isolation, seen, now()"
        "  FROM host WHERE $1::text IS NULL OR name = $1 ORDER BY name"},
    [SEE_HOST] = {"see_host",
        "INSERT INTO host (name, state, environments, isolation)"
        " VALUES ($1::text, '', $2::bytea, $3::text)"
        " ON CONFLICT (name) DO UPDATE SET environments = excluded.environments,"
        "    isolation = excluded.isolation, seen = now()"},
    [REPORT_HOST] = {"report_host",
        "UPDATE host SET applied = greatest(applied, $2::bigint), error = $3::text, seen = now()"
        " WHERE name = $1::text"},
    [SAVE_HOST] = {"save_host",
        "UPDATE host SET generation = $2::bigint, state = $3::bytea WHERE name = $1::text"},
    [COUNT] = {"count",
        "SELECT count(*), count(*) FILTER (WHERE state IN (6, 7, 8)),"
        "       count(*) FILTER (WHERE state = 11),"
        "       count(*) FILTER (WHERE state = 10 OR goes_back),"
        "       count(*) FILTER (WHERE state NOT IN (6, 7, 8, 10, 11)),"
        "       (SELECT count(*) FROM endpoint WHERE stable IS NOT NULL),"
        "       coalesce(avg(extract(epoch FROM promoted_at - created) * 1000), 0)::float8"
        "  FROM (SELECT r.state, r.created, r.goes_back,"
        "               (SELECT min(since) FROM revision v WHERE v.rollout_id = r.id) AS promoted_at"
        "          FROM rollout r) AS r"},
    /* An instance that has counted nothing yet is a row too, with nulls; what is no instance of the
     * host is none. */
    [FIND_TELEMETRY] = {"find_telemetry",
        "SELECT i.id, t.start_id, t.start_ended, t.amount, t.record, t.ended"
        "  FROM instance i LEFT JOIN telemetry t ON t.instance_id = i.id"
        " WHERE i.id = ANY ($1::bytea[]) AND i.host = $2::text"},
    [SAVE_TELEMETRY] = {"save_telemetry",
        "INSERT INTO telemetry (instance_id, start_id, start_ended, amount, record, ended)"
        " SELECT id, $2::text, $3::text, $4::bigint, $5::bytea, $6::bytea"
        "   FROM instance WHERE id = $1::bytea"
        " ON CONFLICT (instance_id) DO UPDATE SET start_id = excluded.start_id,"
        "    start_ended = excluded.start_ended, amount = excluded.amount,"
        "    record = excluded.record, ended = excluded.ended, seen = now()"},
    [LIST_TELEMETRY] = {"list_telemetry",
        "SELECT t.record, t.ended FROM telemetry t JOIN instance i ON i.id = t.instance_id"
        " WHERE i.environment = $1::text AND i.model = $2::text AND i.part = 2 ORDER BY i.id"},
    [FIND_PROXY] = {"find_proxy",
        "SELECT environment, model, canary, start_id, start_ended, amount, record, ended"
        "  FROM proxy_count WHERE host = $1::text"},
    [SAVE_PROXY] = {"save_proxy",
        "INSERT INTO proxy_count (host, environment, model, canary, start_id, start_ended, amount,"
        "                         record, ended)"
        " SELECT $1::text, $2::text, $3::text, $4::boolean, $5::text, $6::text, $7::bigint, $8::bytea,"
        "        $9::bytea"
        "  WHERE EXISTS (SELECT 1 FROM instance"
        "                 WHERE host = $1 AND environment = $2 AND model = $3)"
        " ON CONFLICT (host, environment, model, canary) DO UPDATE SET"
        "    start_id = excluded.start_id, start_ended = excluded.start_ended,"
        "    amount = excluded.amount, record = excluded.record, ended = excluded.ended,"
        "    seen = now()"},
    [LIST_PROXY] = {"list_proxy",
        "SELECT record, ended FROM proxy_count"
        " WHERE environment = $1::text AND model = $2::text AND NOT canary ORDER BY host"},
    [SWEEP_PROXY] = {"sweep_proxy",
        "DELETE FROM proxy_count p WHERE NOT EXISTS (SELECT 1 FROM instance i"
        " WHERE i.host = p.host AND i.environment = p.environment AND i.model = p.model)"},
    [FIND_REFERENCE] = {"find_reference", "SELECT record FROM reference WHERE id = $1::bytea"},
    [SAVE_REFERENCE] = {"save_reference",
        "INSERT INTO reference (id, record) VALUES ($1::bytea, $2::bytea)"
        " ON CONFLICT (id) DO UPDATE SET made = now() WHERE reference.made < now() - interval '1 hour'"},
    /* Young ones belong to a rollout that is about to start. */
    [SWEEP_REFERENCES] = {"sweep_references",
        "DELETE FROM reference r WHERE made < now() - interval '1 day'"
        "   AND NOT EXISTS (SELECT 1 FROM instance i WHERE i.reference = r.id)"},
    [FIND_RULES] = {"find_rules",
        "SELECT record, due, stable, since, telemetry, proxy, asked, asked_at, revision, why, went_to"
        "  FROM watch_rule"
        " WHERE ($1::text IS NULL OR environment = $1) AND ($2::text IS NULL OR model = $2)"
        "   AND ($3::text IS NULL OR name = $3)"
        " ORDER BY environment, model, name LIMIT $4::integer"},
    [COUNT_RULES] = {"count_rules",
        "SELECT count(*) FROM watch_rule WHERE environment = $1::text AND model = $2::text"},
    [SAVE_RULE] = {"save_rule",
        "INSERT INTO watch_rule (environment, model, name, record, due, stable, since, telemetry,"
        "                        proxy, asked, asked_at, revision, why, went_to)"
        " VALUES ($1::text, $2::text, $3::text, $4::bytea, " US("$5") ", $6::bytea, " US("$7") ","
        "         $8::bytea, $9::bytea, $10::bytea, " US("$11") ", $12::bigint, $13::text,"
        "         $14::bytea)"
        " ON CONFLICT (environment, model, name) DO UPDATE SET record = excluded.record,"
        "    due = excluded.due, stable = excluded.stable, since = excluded.since,"
        "    telemetry = excluded.telemetry, proxy = excluded.proxy, asked = excluded.asked,"
        "    asked_at = excluded.asked_at, revision = excluded.revision, why = excluded.why,"
        "    went_to = excluded.went_to"},
    [DELETE_RULE] = {"delete_rule",
        "DELETE FROM watch_rule"
        " WHERE environment = $1::text AND model = $2::text AND name = $3::text"},
    [LIST_DUE_RULES] = {"list_due_rules",
        "SELECT environment, model, name FROM watch_rule WHERE due <= now() OR asked IS NOT NULL"
        " ORDER BY due LIMIT $1::integer"},
    [END_SERVING] = {"end_serving",
        "WITH ended AS (UPDATE revision SET until = now()"
        "  WHERE environment = $1::text AND model = $2::text AND until IS NULL)"
        " UPDATE endpoint SET stable = NULL, updated = now()"
        "  WHERE environment = $1::text AND model = $2::text"},
};
/* clang-format on */
const size_t deployer_statement_count = VLN_COUNT(deployer_statements);
