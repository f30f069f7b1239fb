/*
 * All SQL of the registry but the log's. Rows of tables are read by the functions of registry_store,
 * registry_blobs_store, registry_datasets_store, registry_uploads_store, registry_evidence_store,
 * registry_rules_store and registry_stages_store; lists with filters put theirs together in
 * registry_search_store.
 */
#include "registry_store_inside.h"

/* clang-format off */
#define MODEL_COLUMNS   REGISTRY_MODEL_COLUMNS
#define VERSION_COLUMNS REGISTRY_VERSION_COLUMNS
#define UPLOAD_COLUMNS                                                                      \
    "id, digest, size_bytes, media_type, author, chunks, committing"
#define POLICY_COLUMNS                                                                      \
    "name, version, digest, record, withdrawn, created_by, created, shipped"
#define GRANT_COLUMNS                                                                       \
    "seq, grant_id, model, version, digest, environment, rollout_id, report_id, evidence,"  \
    " actor, opened, closed"

const vln_pg_stmt_t registry_statements[] = {
    [FIND_REQUESTS] = {"find_requests", VLN_ONCE_FIND_SQL},
    [KEEP_REQUESTS] = {"keep_requests", VLN_ONCE_KEEP_SQL},
    [FENCE]         = {"fence", VLN_ONCE_FENCE_SQL},
    [SWEEP]         = {"sweep", VLN_ONCE_SWEEP_SQL},
    [INSERT_EVENTS] = {"insert_events", VLN_EVENT_INSERT_SQL},
    [CREATE_MODEL] = {"create_model",
        "INSERT INTO model (name, description, tags, author, algorithm, framework, highest)"
        " VALUES ($1, $2, $3, $4, $5, $6,"
        "         (SELECT version FROM deleted_version WHERE model = $1 ORDER BY major DESC,"
        "                 minor DESC, patch DESC, prerelease DESC LIMIT 1))"
        " ON CONFLICT DO NOTHING RETURNING " MODEL_COLUMNS},
    [FIND_MODEL] = {"find_model", "SELECT " MODEL_COLUMNS " FROM model WHERE name = $1"},
    [FIND_MODELS] = {"find_models",
        "SELECT " MODEL_COLUMNS " FROM model WHERE name = ANY ($1::text[])"},
    [SAVE_MODEL] = {"save_model",
        "UPDATE model SET description = $2, tags = $3, revision = revision + 1, updated = now()"
        " WHERE name = $1 RETURNING " MODEL_COLUMNS},
    [DELETE_MODEL] = {"delete_model", "DELETE FROM model WHERE name = $1 AND versions = 0"},
    [LOCK_MODELS] = {"lock_models",
        "SELECT " MODEL_COLUMNS ", now() FROM model WHERE name = ANY ($1::text[])"
        " ORDER BY name FOR NO KEY UPDATE"},
    [UPDATE_MODELS] = {"update_models",
        "UPDATE model m SET latest = a.latest, versions = a.versions, updated = now(),"
        "       revision = m.revision + 1"
        "  FROM unnest($1::text[], $2::text[], $3::bigint[]) AS a (name, latest, versions)"
        " WHERE m.name = a.name"},
    [INSERT_BLOBS] = {"insert_blobs",
        "INSERT INTO blob (digest, size_bytes, media_type, bytes, packed, stored_bytes)"
        " SELECT *, octet_length(packed) FROM"
        "   unnest($1::bytea[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[])"
        "     AS a (digest, size_bytes, media_type, bytes, packed) ON CONFLICT DO NOTHING"},
    [MEND_BLOBS] = {"mend_blobs",
        "UPDATE blob b SET bytes = given.bytes, packed = given.packed, framed = false,"
        "       stored_bytes = octet_length(given.packed), pieces = NULL, corrupt = NULL,"
        "       generation = generation + 1"
        "  FROM unnest($1::bytea[], $2::bigint[], $3::text[], $4::bytea[], $5::bytea[])"
        "       AS given (digest, size_bytes, media_type, bytes, packed)"
        " WHERE b.digest = given.digest AND b.corrupt IS NOT NULL RETURNING b.digest"},
    [INSERT_VERSIONS] = {"insert_versions",
        "INSERT INTO version (model, version, major, minor, patch, prerelease, stage, status,"
        "                     digest, record, samples, profile, words)"
        " SELECT model, version, major, minor, patch, prerelease, stage, status, digest, record,"
        "        samples, profile, registry.words(words, facets)"
        "   FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[],"
        "               $6::text[], $7::integer[], $8::integer[], $9::bytea[], $10::bytea[],"
        "               $11::bytea[], $12::bytea[], $13::text[], $14::text[])"
        "        AS a (model, version, major, minor, patch, prerelease, stage, status, digest,"
        "              record, samples, profile, words, facets)"},
    [INSERT_ARTIFACTS] = {"insert_artifacts",
        "INSERT INTO artifact (model, version, role, digest)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])"},
    [LINE_TOP] = {"line_top",
        "SELECT version FROM version WHERE model = $1 AND major = $2::bigint"
        " AND minor = $3::bigint ORDER BY patch DESC, prerelease DESC LIMIT 1"},
    [HAS_VERSION] = {"has_version",
        "SELECT FROM version WHERE model = $1 AND major = $2::bigint AND minor = $3::bigint"
        " AND patch = $4::bigint AND prerelease = $5"
        " UNION ALL"
        " SELECT FROM deleted_version WHERE model = $1 AND major = $2::bigint"
        " AND minor = $3::bigint AND patch = $4::bigint AND prerelease = $5"},
    [FIND_VERSIONS] = {"find_versions",
        "SELECT " VERSION_COLUMNS ", k.at"
        "  FROM unnest($1::text[], $2::text[], $3::text[])"
        "       WITH ORDINALITY AS k (model, version, alias, at)"
        "  JOIN model m ON m.name = k.model"
        "  LEFT JOIN alias n ON n.model = k.model AND n.key = lower(k.alias COLLATE \"C\")"
        "  JOIN version v ON v.model = k.model AND v.version ="
        "       CASE WHEN k.alias IS NULL THEN coalesce(k.version, m.latest) ELSE n.version END"},
    [FIND_BY_TEXT] = {"find_by_text",
        "SELECT " VERSION_COLUMNS ", k.at"
        "  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS k (model, version, at)"
        "  JOIN version v ON v.model = k.model AND v.version = k.version"},
    [LOCK_VERSION] = {"lock_version",
        "SELECT " VERSION_COLUMNS " FROM version v WHERE model = $1 AND version = $2"
        " FOR NO KEY UPDATE"},
    [HOLD_VERSION] = {"hold_version",
        "SELECT " VERSION_COLUMNS " FROM version v WHERE model = $1 AND version = $2"
        " FOR KEY SHARE"},
    [LOCK_PRODUCTION] = {"lock_production",
        "SELECT " VERSION_COLUMNS " FROM version v WHERE model = $1 AND stage = 3"
        " FOR NO KEY UPDATE"},
    [SAVE_VERSION] = {"save_version",
        "UPDATE version SET stage = $3::integer, status = $4::integer, signature = $5::bytea,"
        "       samples = $6::bytea, profile = $7::bytea, status_reason = $8, description = $9,"
        "       tags = $10, revision = revision + 1, updated = now(),"
        "       words = CASE WHEN $11::text IS NULL THEN words"
        "                    ELSE registry.words($11, $12) END"
        " WHERE model = $1 AND version = $2 RETURNING revision, updated"},
    [DELETE_VERSION] = {"delete_version",
        "WITH gone AS (DELETE FROM version WHERE model = $1 AND version = $2"
        "              RETURNING model, version, major, minor, patch, prerelease, digest),"
        " parts AS (DELETE FROM artifact WHERE model = $1 AND version = $2)"
        " INSERT INTO deleted_version"
        "        (model, version, major, minor, patch, prerelease, digest, deleted_by)"
        " SELECT *, $3::text FROM gone"},
    [RESET_LATEST] = {"reset_latest",
        "UPDATE model SET highest = coalesce($2, highest), versions = versions - 1,"
        "       revision = revision + 1, updated = now(),"
        "       latest = (SELECT version FROM version WHERE model = $1 ORDER BY major DESC,"
        "                 minor DESC, patch DESC, prerelease DESC LIMIT 1)"
        " WHERE name = $1"},
    [SET_ALIAS] = {"set_alias",
        "INSERT INTO alias (model, key, alias, version, set_by)"
        " VALUES ($1, lower($2 COLLATE \"C\"), $2, $3, $4)"
        " ON CONFLICT (model, key) DO UPDATE SET alias = excluded.alias,"
        "    version = excluded.version, set_by = excluded.set_by, changed = now()"},
    [REMOVE_ALIAS] = {"remove_alias",
        "DELETE FROM alias WHERE model = $1 AND key = lower($2 COLLATE \"C\")"},
    [FIND_ALIAS] = {"find_alias",
        "SELECT count(*), min(version) FILTER (WHERE key = lower($2 COLLATE \"C\"))"
        "  FROM alias WHERE model = $1"},
    [ADD_STAGE_CHANGE] = {"add_stage_change",
        "INSERT INTO stage_change"
        "       (model, version, from_stage, to_stage, actor, report_id, evidence, reason)"
        " VALUES ($1, $2, $3::integer, $4::integer, $5, $6::bytea, $7, $8)"},
    [LIST_STAGE_CHANGES] = {"list_stage_changes",
        "SELECT seq, version, from_stage, to_stage, actor, changed, report_id, evidence, reason,"
        "       (SELECT position FROM event.log l WHERE l.subject = c.model || '@' || c.version"
        "           AND l.type = 'version.stage_changed' AND l.time = c.changed LIMIT 1)"
        "  FROM stage_change c WHERE model = $1 AND ($2::bigint = 0 OR seq < $2)"
        "   AND ($4::text IS NULL OR version = $4)"
        " ORDER BY seq DESC LIMIT $3::integer"},
    [FIND_WITHOUT_WORDS] = {"find_without_words",
        "SELECT " VERSION_COLUMNS ", v.seq, v.model FROM version v WHERE words IS NULL"
        " ORDER BY seq LIMIT $1::integer"},
    [WEIGH_WORDS] =
        {"weigh_words",
         "SELECT word.at, coalesce((SELECT sum(common.share)"
         " FROM pg_stats AS s, unnest(s.most_common_elems::text::text[], s.most_common_elem_freqs)"
         " AS common(word, share) WHERE s.schemaname = 'registry' AND s.tablename = $1::text"
         " AND s.attname = 'words' AND starts_with(common.word, word.text)), 0)::float8 AS share"
         " FROM unnest(string_to_array(lower($2::text), ' ')) WITH ORDINALITY AS word(text, at)"
         " ORDER BY share, at"},
    [FIND_CHILDREN] = {"find_children",
        "SELECT version FROM version WHERE model = $1 AND words @@ $2::text::tsquery"
        " ORDER BY seq LIMIT $3::integer"},
    [SET_WORDS] = {"set_words",
        "UPDATE version SET words = registry.words($3, $4) WHERE model = $1 AND version = $2"
        " AND words IS NULL"},
    [LOCK_RULES] = {"lock_rules",
        "SELECT pg_advisory_xact_lock(hashtextextended('registry.version_rule', 0))"},
    [LIST_RULES] = {"list_rules",
        "SELECT name, key, threshold, bump, position, changed_by, changed FROM version_rule"
        " ORDER BY position, name LIMIT 64"},
    [PUT_RULE] = {"put_rule",
        "INSERT INTO version_rule (name, key, threshold, bump, position, changed_by)"
        " VALUES ($1, $2, $3::double precision, $4::integer, $5::integer, $6)"
        " ON CONFLICT (name) DO UPDATE SET key = excluded.key, threshold = excluded.threshold,"
        "    bump = excluded.bump, position = excluded.position,"
        "    changed_by = excluded.changed_by, changed = now() RETURNING changed"},
    [REMOVE_RULE] = {"remove_rule", "DELETE FROM version_rule WHERE name = $1"},
    [FIND_BLOB] = {"find_blob",
        "SELECT size_bytes, media_type, created, coalesce(stored_bytes, size_bytes), corrupt,"
        "       (SELECT count(*) FROM artifact a WHERE a.digest = b.digest)"
        "       + (SELECT count(*) FROM version v WHERE v.samples = b.digest)"
        "       + (SELECT count(*) FROM version v WHERE v.profile = b.digest)"
        "       + (SELECT count(*) FROM report r WHERE r.appendix = b.digest)"
        "  FROM blob b WHERE digest = $1::bytea"},
    /* Three entries of 40 bytes: substring() takes what there is of a part that begins before 1. */
    [FIND_STORED] = {"find_stored",
        "SELECT size_bytes, bytes, packed, framed, corrupt IS NOT NULL, generation,"
        "       substring(pieces FROM ($2::integer - 1) * 40 + 1 FOR 120)"
        "  FROM blob WHERE digest = $1::bytea"},
    [MARK_CORRUPT] = {"mark_corrupt",
        "WITH was AS (SELECT corrupt IS NULL AS whole FROM blob"
        "              WHERE digest = $1::bytea AND generation = $2::integer FOR NO KEY UPDATE)"
        " UPDATE blob b SET corrupt = coalesce(b.corrupt, now()) FROM was WHERE b.digest = $1::bytea"
        " RETURNING was.whole, (SELECT count(*) FROM artifact a WHERE a.digest = $1::bytea)"},
    [KEEP_BLOB] = {"keep_blob",
        "INSERT INTO blob AS b (digest, size_bytes, media_type, framed, stored_bytes, pieces)"
        " VALUES ($1::bytea, $2::bigint, $3, $4::boolean, $5::bigint, $6::bytea)"
        " ON CONFLICT (digest) DO UPDATE SET bytes = NULL, packed = NULL,"
        "    framed = excluded.framed, stored_bytes = excluded.stored_bytes,"
        "    pieces = excluded.pieces, corrupt = NULL, generation = b.generation + 1"
        "  WHERE b.corrupt IS NOT NULL"
        " RETURNING generation"},
    [COUNT_UPLOADS] = {"count_uploads",
        "SELECT count(*) FILTER (WHERE author = $1), coalesce(sum(size_bytes), 0)::bigint"
        "  FROM upload"},
    [BEGIN_UPLOAD] = {"begin_upload",
        "INSERT INTO upload (id, digest, size_bytes, media_type, author, chunks)"
        " VALUES ($1::bytea, $2::bytea, $3::bigint, $4, $5, $6::bytea)"
        " ON CONFLICT (digest, size_bytes) DO NOTHING RETURNING " UPLOAD_COLUMNS},
    [FIND_UPLOAD] = {"find_upload", "SELECT " UPLOAD_COLUMNS " FROM upload WHERE id = $1::bytea"},
    [FIND_UPLOAD_OF] = {"find_upload_of",
        "SELECT " UPLOAD_COLUMNS " FROM upload WHERE digest = $1::bytea AND size_bytes = $2::bigint"},
    /* Not waiting for the disk: what a crash forgets of it is sent again (registry_uploads.c). */
    [LOCK_UPLOAD] = {"lock_upload",
        "SELECT " UPLOAD_COLUMNS " FROM upload, set_config('synchronous_commit', 'off', true)"
        " WHERE id = $1::bytea AND NOT committing FOR NO KEY UPDATE OF upload"},
    [MARK_CHUNKS] = {"mark_chunks",
        "UPDATE upload SET chunks = $2::bytea, touched = now() WHERE id = $1::bytea"},
    [TRY_UPLOAD] = {"try_upload",
        "SELECT pg_try_advisory_lock(hashtextextended('registry.upload', 0)"
        "                            # hashtextextended(encode($1::bytea, 'hex'), 0))"},
    [LEAVE_UPLOAD] = {"leave_upload",
        "SELECT pg_advisory_unlock(hashtextextended('registry.upload', 0)"
        "                          # hashtextextended(encode($1::bytea, 'hex'), 0))"},
    [CLOSE_UPLOAD] = {"close_upload",
        "UPDATE upload SET committing = true, touched = now() WHERE id = $1::bytea"},
    [RESET_UPLOAD] = {"reset_upload",
        "UPDATE upload SET committing = false, touched = now(),"
        "       chunks = decode(repeat('00', octet_length(chunks)), 'hex') WHERE id = $1::bytea"},
    [DROP_UPLOAD] = {"drop_upload", "DELETE FROM upload WHERE id = $1::bytea"},
    [FIND_OLD_UPLOADS] = {"find_old_uploads",
        "DELETE FROM upload WHERE id = ANY (ARRAY(SELECT id FROM upload"
        "  WHERE touched < now() - interval '24 hours' LIMIT $1::integer FOR UPDATE SKIP LOCKED))"
        " RETURNING id"},
    [CREATE_DATASET] = {"create_dataset",
        "INSERT INTO dataset (name, digest, record) VALUES ($1, $2::bytea, $3::bytea)"
        " ON CONFLICT (name, digest) DO NOTHING RETURNING name, record, created"},
    [FIND_DATASET] = {"find_dataset",
        "SELECT name, record, created FROM dataset"
        " WHERE name = $1 AND ($2::bytea IS NULL OR digest = $2) ORDER BY seq DESC LIMIT 1"},
    [LIST_DATASETS] = {"list_datasets",
        "SELECT name, record, created FROM ("
        " SELECT *, sum(octet_length(record)) OVER (ORDER BY name ROWS UNBOUNDED PRECEDING) AS total"
        "   FROM (SELECT DISTINCT ON (name) name, record, created FROM dataset"
        "          WHERE name > coalesce($1::text, '')"
        "            AND ($2::text IS NULL OR strpos(lower(name), lower($2)) > 0)"
        "          ORDER BY name, seq DESC LIMIT $3::integer) AS newest) AS d"
        " WHERE total - octet_length(record) < $4::bigint ORDER BY name"},
    [LOCK_POLICIES] = {"lock_policies",
        "SELECT pg_advisory_xact_lock(hashtextextended('registry.policy', 0))"},
    [SHARE_POLICIES] = {"share_policies",
        "SELECT pg_advisory_xact_lock_shared(hashtextextended('registry.policy', 0))"},
    [NEWEST_POLICY] = {"newest_policy",
        "SELECT " POLICY_COLUMNS ", (SELECT count(DISTINCT name) FROM policy)"
        "  FROM (VALUES (1)) AS one"
        "  LEFT JOIN (SELECT * FROM policy WHERE name = $1 ORDER BY version DESC LIMIT 1) AS p"
        "    ON true"},
    [FIND_POLICY] = {"find_policy",
        "SELECT " POLICY_COLUMNS " FROM policy WHERE name = $1"
        " AND CASE WHEN $2::bigint = 0 THEN in_force_from <= now() ELSE version = $2 END"
        " ORDER BY version DESC LIMIT 1"},
    [INSERT_POLICY] = {"insert_policy",
        "INSERT INTO policy (name, version, model, task, stage, environment, min_status,"
        "       max_age_ms, in_force_from, withdrawn, by_name_only, shipped, digest, record,"
        "       created_by)"
        " VALUES ($1, $2::bigint, $3, $4::integer, $5, $6, $7::integer, $8::bigint,"
        "       coalesce(to_timestamp(0) + $9::bigint * interval '1 microsecond', now()),"
        "       $10::boolean, $11::boolean, $12::boolean, $13::bytea, $14::bytea, $15)"
        " ON CONFLICT (name, version) DO NOTHING RETURNING " POLICY_COLUMNS},
    [POLICIES_IN_FORCE] = {"policies_in_force",
        "SELECT name, version, model, task, stage, environment, shipped, in_force_from,"
        "       min_status, max_age_ms"
        "  FROM (SELECT DISTINCT ON (name) * FROM policy WHERE in_force_from <= now()"
        "         ORDER BY name, version DESC) AS newest"
        " WHERE NOT withdrawn AND NOT by_name_only ORDER BY name"},
    [LIST_POLICIES] = {"list_policies",
        "SELECT " POLICY_COLUMNS " FROM policy"
        " WHERE $1::text IS NULL OR name > $1 OR (name = $1 AND version < $2::bigint)"
        " ORDER BY name, version DESC LIMIT $3::integer"},
    [INSERT_REPORT] = {"insert_report",
        "INSERT INTO report (report_id, model, version, digest, policy, policy_version, verdict,"
        "       appendix, record, summary, of_server)"
        " VALUES ($1::bytea, $2, $3, $4::bytea, $5, $6::bigint, $7::integer, $8::bytea,"
        "       $9::bytea, $10::bytea, $11::boolean) ON CONFLICT (report_id) DO NOTHING"},
    [FIND_REPORT] = {"find_report", "SELECT record FROM report WHERE report_id = $1::bytea"},
    [LIST_REPORTS] = {"list_reports",
        "SELECT seq, summary FROM report WHERE model = $1 AND ($2::text IS NULL OR version = $2)"
        " AND ($3::bigint = 0 OR seq < $3) ORDER BY seq DESC LIMIT $4::integer"},
    [FIND_EVIDENCE] = {"find_evidence",
        "SELECT report_id, digest, policy, policy_version, verdict, created, now(), of_server"
        "  FROM report"
        " WHERE model = $1 AND version = $2 AND ($3::bytea IS NULL OR report_id = $3)"
        " ORDER BY of_server,"
        "          (digest = $4::bytea AND policy = $5 AND policy_version = $6::bigint"
        "           AND ($7::integer >> verdict) & 1 = 1) DESC,"
        "          (digest = $4::bytea AND policy = $5 AND policy_version = $6::bigint) DESC,"
        "          seq DESC LIMIT $8::integer"},
    [FIND_GRANT] = {"find_grant",
        "SELECT " GRANT_COLUMNS " FROM serving_grant"
        " WHERE rollout_id = $1::bytea AND model = $2 AND version = $3"},
    [INSERT_GRANT] = {"insert_grant",
        "INSERT INTO serving_grant (grant_id, model, version, digest, environment, rollout_id,"
        "       report_id, evidence, actor)"
        " VALUES ($1::bytea, $2, $3, $4::bytea, $5, $6::bytea, $7::bytea, $8, $9)"
        " RETURNING " GRANT_COLUMNS},
    [COUNT_GRANT] = {"count_grant",
        "UPDATE version SET open_grants = open_grants + $3::integer, updated = now()"
        " WHERE model = $1 AND version = $2"},
    [CLOSE_GRANT] = {"close_grant",
        "WITH was AS (SELECT closed IS NULL AS open FROM serving_grant"
        "              WHERE grant_id = $1::bytea FOR UPDATE)"
        " UPDATE serving_grant g SET closed = coalesce(g.closed, now()) FROM was"
        "  WHERE g.grant_id = $1::bytea RETURNING " GRANT_COLUMNS ", was.open"},
    [LIST_GRANTS] = {"list_grants",
        "SELECT " GRANT_COLUMNS " FROM serving_grant WHERE model = $1 AND version = $2"
        " ORDER BY seq DESC LIMIT $3::integer"},
    [FIND_DATASETS_OF] = {"find_datasets_of",
        "SELECT name, record, created FROM dataset WHERE digest = ANY ($1::bytea[])"
        " ORDER BY name, seq LIMIT $2::integer"},
    [LIST_SERVING] = {"list_serving",
        "SELECT " GRANT_COLUMNS " FROM serving_grant, (SELECT coalesce("
        "         to_timestamp(0) + $2::bigint * interval '1 microsecond', now()) AS at) AS t"
        " WHERE environment = $1 AND opened <= t.at AND (closed IS NULL OR closed > t.at)"
        "   AND ($3::text IS NULL OR model = $3) AND seq > $4::bigint"
        " ORDER BY seq LIMIT $5::integer"},
    /* Stages but the first are few, and have an index. */
    [COUNT_ALL] = {"count_all",
        "SELECT models, versions, versions - staging - production - archived, staging, production,"
        "       archived, bytes"
        "  FROM (SELECT count(*), coalesce(sum(versions), 0)::bigint FROM model)"
        "           AS m (models, versions),"
        "       (SELECT (SELECT count(*) FROM version WHERE stage = 2),"
        "               (SELECT count(*) FROM version WHERE stage = 3),"
        "               (SELECT count(*) FROM version WHERE stage = 4))"
        "           AS s (staging, production, archived),"
        "       (SELECT coalesce(sum(size_bytes), 0)::bigint FROM blob) AS b (bytes)"},
};
/* clang-format on */

const size_t registry_statement_count = VLN_COUNT(registry_statements);
