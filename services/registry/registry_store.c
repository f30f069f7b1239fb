#include <stdlib.h>
#include <string.h>

#include "registry_store_inside.h"

/* clang-format off */
/* All SQL of the registry but the log's. */
#define MODEL_COLUMNS                                                                       \
    "name, description, tags, author, algorithm, framework, latest, versions, revision,"    \
    " created, updated"
#define UPLOAD_COLUMNS                                                                      \
    "id, digest, size_bytes, media_type, author, chunks, committing"
#define VERSION_COLUMNS                                                                     \
    "v.version, v.stage, v.status, v.revision, v.created, v.updated, v.digest, v.record"

static const vln_pg_stmt_t statements[] = {
    [FIND_REQUESTS] = {"find_requests", VLN_ONCE_FIND_SQL},
    [KEEP_REQUESTS] = {"keep_requests", VLN_ONCE_KEEP_SQL},
    [FENCE]         = {"fence", VLN_ONCE_FENCE_SQL},
    [SWEEP]         = {"sweep", VLN_ONCE_SWEEP_SQL},
    [INSERT_EVENTS] = {"insert_events", VLN_EVENT_INSERT_SQL},
    [CREATE_MODEL] = {"create_model",
        "INSERT INTO model (name, description, tags, author, algorithm, framework)"
        " VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING RETURNING " MODEL_COLUMNS},
    [FIND_MODEL] = {"find_model", "SELECT " MODEL_COLUMNS " FROM model WHERE name = $1"},
    [LIST_MODELS] = {"list_models",
        "SELECT " MODEL_COLUMNS " FROM model m"
        " WHERE name > coalesce($1::text, '')"
        "   AND ($2::text IS NULL OR strpos(lower(name || ' ' || description || ' ' || tags),"
        "                                   lower($2)) > 0)"
        "   AND ($3::text IS NULL OR strpos(E'\\n' || tags || E'\\n', E'\\n' || $3 || E'\\n') > 0)"
        "   AND ($4::integer = 0 OR EXISTS (SELECT FROM version v"
        "                                    WHERE v.model = m.name AND v.stage = $4))"
        " ORDER BY name LIMIT $5::integer"},
    [LOCK_MODELS] = {"lock_models",
        "SELECT " MODEL_COLUMNS ", now() FROM model WHERE name = ANY ($1::text[])"
        " ORDER BY name FOR NO KEY UPDATE"},
    [UPDATE_MODELS] = {"update_models",
        "UPDATE model m SET latest = a.latest, versions = a.versions, updated = now(),"
        "       revision = m.revision + 1"
        "  FROM unnest($1::text[], $2::text[], $3::bigint[]) AS a (name, latest, versions)"
        " WHERE m.name = a.name"},
    [INSERT_BLOBS] = {"insert_blobs",
        "INSERT INTO blob (digest, size_bytes, media_type, bytes)"
        " SELECT DISTINCT ON (digest) * FROM"
        " unnest($1::bytea[], $2::bigint[], $3::text[], $4::bytea[])"
        "     AS a (digest, size_bytes, media_type, bytes) ORDER BY digest"
        " ON CONFLICT DO NOTHING"},
    [INSERT_VERSIONS] = {"insert_versions",
        "INSERT INTO version (model, version, major, minor, patch, prerelease, stage, status,"
        "                     digest, record)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::bigint[],"
        "                      $6::text[], $7::integer[], $8::integer[], $9::bytea[],"
        "                      $10::bytea[])"},
    [INSERT_ARTIFACTS] = {"insert_artifacts",
        "INSERT INTO artifact (model, version, role, digest)"
        " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])"},
    [LINE_TOP] = {"line_top",
        "SELECT version FROM version WHERE model = $1 AND major = $2::bigint"
        " AND minor = $3::bigint ORDER BY patch DESC, prerelease DESC LIMIT 1"},
    [HAS_VERSION] = {"has_version",
        "SELECT FROM version WHERE model = $1 AND major = $2::bigint AND minor = $3::bigint"
        " AND patch = $4::bigint AND prerelease = $5"},
    [FIND_VERSIONS] = {"find_versions",
        "SELECT " VERSION_COLUMNS ", a.at"
        "  FROM unnest($1::text[], $2::text[]) WITH ORDINALITY AS a (model, version, at)"
        "  JOIN model m ON m.name = a.model"
        "  JOIN version v ON v.model = a.model AND v.version = coalesce(a.version, m.latest)"},
    [LIST_VERSIONS] = {"list_versions",
        "SELECT " VERSION_COLUMNS " FROM ("
        " SELECT *, sum(octet_length(record)) OVER (ORDER BY major DESC, minor DESC, patch DESC,"
        "                                  prerelease DESC ROWS UNBOUNDED PRECEDING) AS total"
        "   FROM version WHERE model = $1"
        " AND ($2::bigint IS NULL OR (major, minor, patch, prerelease)"
        "      < ($2::bigint, $3::bigint, $4::bigint, $5::text))"
        " AND ($6::bigint IS NULL OR (major, minor, patch, prerelease)"
        "      >= ($6::bigint, $7::bigint, $8::bigint, $9::text))"
        " AND ($10::bigint IS NULL OR (major, minor, patch, prerelease)"
        "      <= ($10::bigint, $11::bigint, $12::bigint, $13::text))"
        " AND ($14::boolean OR prerelease = '2')"
        " AND ($15::integer = 0 OR stage = $15) AND ($16::integer = 0 OR status = $16)"
        " ORDER BY major DESC, minor DESC, patch DESC, prerelease DESC LIMIT $17::integer) AS v"
        " WHERE total - octet_length(record) < $18::bigint"
        " ORDER BY major DESC, minor DESC, patch DESC, prerelease DESC"},
    [FIND_BLOB] = {"find_blob",
        "SELECT size_bytes, media_type, created, 0::bigint, bytes FROM blob WHERE digest = $1::bytea"},
    [FIND_BLOB_INFO] = {"find_blob_info",
        "SELECT size_bytes, media_type, created,"
        "       (SELECT count(*) FROM artifact a WHERE a.digest = b.digest)"
        "  FROM blob b WHERE digest = $1::bytea"},
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
    [MARK_CHUNK] = {"mark_chunk",
        "UPDATE upload SET chunks = set_bit(chunks, $2::bigint, 1), touched = now()"
        " WHERE id = $1::bytea AND NOT committing AND $2::bigint < octet_length(chunks) * 8"
        " RETURNING " UPLOAD_COLUMNS},
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
};
/* clang-format on */

vln_err_t
registry_store_open(registry_store_t **out, const char *database)
{
    const vln_pg_config_t config = {.conninfo = database,
                                    .application = "valion-registry",
                                    .search_path = "registry",
                                    .statements = statements,
                                    .statement_count = VLN_COUNT(statements)};
    *out = NULL;
    vln_pg_t *pg = NULL;
    vln_err_t err = vln_pg_open(&pg, &config);
    if (pg) {
        registry_store_t *self = vln_calloc(1, sizeof *self);
        self->pg = pg;
        *out = self;
    }
    return err;
}

void
registry_store_close(registry_store_t **self_p)
{
    registry_store_t *self = *self_p;
    if (self) {
        vln_pg_close(&self->pg);
        free(self);
        *self_p = NULL;
    }
}

vln_err_t
registry_store_ensure(registry_store_t *self)
{
    return vln_pg_ensure(self->pg);
}

vln_once_t
registry_store_once(registry_store_t *self)
{
    return (vln_once_t){
        .pg = self->pg, .find = FIND_REQUESTS, .keep = KEEP_REQUESTS, .fence = FENCE};
}

vln_err_t
registry_store_write_events(registry_store_t *self, vln_events_t *events)
{
    return vln_events_flush(events, self->pg, INSERT_EVENTS);
}

vln_err_t
registry_store_sweep(registry_store_t *self, int64_t *swept)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, SWEEP, NULL, &result);
    *swept = err == VLN_OK ? vln_pg_changed(result) : 0;
    PQclear(result);
    return err;
}

/* ---- models ---- */

static const char *
copy_text(const PGresult *result, int row, int column, vln_arena_t *arena)
{
    if (vln_pg_is_null(result, row, column)) {
        return NULL;
    }
    return vln_arena_strdup(arena, vln_pg_get_text(result, row, column));
}

static registry_model_t
read_model(const PGresult *result, int row, vln_arena_t *arena)
{
    return (registry_model_t){.name = copy_text(result, row, 0, arena),
                              .description = copy_text(result, row, 1, arena),
                              .tags = copy_text(result, row, 2, arena),
                              .author = copy_text(result, row, 3, arena),
                              .algorithm = copy_text(result, row, 4, arena),
                              .framework = copy_text(result, row, 5, arena),
                              .latest = copy_text(result, row, 6, arena),
                              .versions = vln_pg_get_i64(result, row, 7),
                              .revision = vln_pg_get_i64(result, row, 8),
                              .created_us = vln_pg_get_us(result, row, 9),
                              .updated_us = vln_pg_get_us(result, row, 10)};
}

vln_err_t
registry_store_find_model(registry_store_t *self, vln_arena_t *arena, const char *name,
                          registry_model_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, name);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, FIND_MODEL, &args, &result);
    if (err == VLN_OK && PQntuples(result) == 0) {
        err = VLN_NOT_FOUND;
    }
    if (err == VLN_OK) {
        *out = read_model(result, 0, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_store_create_model(registry_store_t *self, vln_arena_t *arena, registry_model_t *model,
                            bool *created)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model->name);
    vln_pg_text(&args, model->description);
    vln_pg_text(&args, model->tags);
    vln_pg_text(&args, model->author);
    vln_pg_text(&args, model->algorithm);
    vln_pg_text(&args, model->framework);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, CREATE_MODEL, &args, &result);
    *created = err == VLN_OK && PQntuples(result) == 1;
    if (*created) {
        *model = read_model(result, 0, arena);
    }
    PQclear(result);
    if (err != VLN_OK || *created) {
        return err;
    }
    return registry_store_find_model(self, arena, model->name, model);
}

vln_err_t
registry_store_list_models(registry_store_t *self, vln_arena_t *arena,
                           const registry_model_filter_t *filter, registry_model_t **out,
                           size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, filter->after);
    vln_pg_text(&args, filter->text);
    vln_pg_text(&args, filter->tag);
    vln_pg_i32(&args, filter->stage);
    vln_pg_i32(&args, filter->limit);
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, LIST_MODELS, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, *count * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_model(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

/* ---- versions ---- */

vln_err_t
registry_store_lock_models(registry_store_t *self, vln_arena_t *arena, const char *const *names,
                           size_t count, registry_model_t *out, int64_t *now_us)
{
    vln_pg_array_t *array = vln_pg_array_new(arena, VLN_PG_TEXT);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_text(array, names[i]);
        out[i] = (registry_model_t){0};
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, array);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, LOCK_MODELS, &args, &result);
    for (int row = 0; err == VLN_OK && row < PQntuples(result); row++) {
        *now_us = vln_pg_get_us(result, row, 11);
        for (size_t i = 0; i < count; i++) {
            if (strcmp(names[i], vln_pg_get_text(result, row, 0)) == 0) {
                out[i] = read_model(result, row, arena);
            }
        }
    }
    PQclear(result);
    return err;
}

static vln_err_t
insert_blobs(registry_store_t *self, vln_arena_t *arena, const registry_batch_t *batch)
{
    if (batch->blob_count == 0) {
        return VLN_OK;
    }
    vln_pg_array_t *digests = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *sizes = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *types = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *bytes = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < batch->blob_count; i++) {
        const registry_blob_t *blob = &batch->blobs[i];
        vln_pg_array_add_bytes(digests, blob->digest, VLN_DIGEST_BYTES);
        vln_pg_array_add_i64(sizes, blob->size_bytes);
        vln_pg_array_add_text(types, blob->media_type);
        vln_pg_array_add_bytes(bytes, blob->bytes, (size_t)blob->size_bytes);
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, digests);
    vln_pg_array(&args, sizes);
    vln_pg_array(&args, types);
    vln_pg_array(&args, bytes);
    return vln_pg_run(self->pg, INSERT_BLOBS, &args, NULL);
}

static vln_err_t
insert_versions(registry_store_t *self, vln_arena_t *arena, const registry_batch_t *batch)
{
    vln_pg_array_t *texts[3];   /* model, version, prerelease */
    vln_pg_array_t *numbers[3]; /* major, minor, patch */
    for (size_t i = 0; i < 3; i++) {
        texts[i] = vln_pg_array_new(arena, VLN_PG_TEXT);
        numbers[i] = vln_pg_array_new(arena, VLN_PG_INT8);
    }
    vln_pg_array_t *stages = vln_pg_array_new(arena, VLN_PG_INT4);
    vln_pg_array_t *statuses = vln_pg_array_new(arena, VLN_PG_INT4);
    vln_pg_array_t *digests = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *records = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < batch->version_count; i++) {
        const registry_new_version_t *version = &batch->versions[i];
        char text[SEMVER_TEXT];
        char key[SEMVER_KEY];
        vln_pg_array_add_text(texts[0], version->model);
        vln_pg_array_add_text(texts[1], semver_format(&version->semver, text));
        vln_pg_array_add_text(texts[2], semver_prerelease_key(&version->semver, key));
        vln_pg_array_add_i64(numbers[0], version->semver.major);
        vln_pg_array_add_i64(numbers[1], version->semver.minor);
        vln_pg_array_add_i64(numbers[2], version->semver.patch);
        vln_pg_array_add_i64(stages, version->stage);
        vln_pg_array_add_i64(statuses, version->status);
        vln_pg_array_add_bytes(digests, version->digest, VLN_DIGEST_BYTES);
        vln_pg_array_add_bytes(records, version->record, version->record_size);
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, texts[0]);
    vln_pg_array(&args, texts[1]);
    vln_pg_array(&args, numbers[0]);
    vln_pg_array(&args, numbers[1]);
    vln_pg_array(&args, numbers[2]);
    vln_pg_array(&args, texts[2]);
    vln_pg_array(&args, stages);
    vln_pg_array(&args, statuses);
    vln_pg_array(&args, digests);
    vln_pg_array(&args, records);
    return vln_pg_run(self->pg, INSERT_VERSIONS, &args, NULL);
}

static vln_err_t
insert_artifacts(registry_store_t *self, vln_arena_t *arena, const registry_batch_t *batch)
{
    if (batch->artifact_count == 0) {
        return VLN_OK;
    }
    vln_pg_array_t *models = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *versions = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *roles = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *digests = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < batch->artifact_count; i++) {
        const registry_new_artifact_t *artifact = &batch->artifacts[i];
        vln_pg_array_add_text(models, artifact->model);
        vln_pg_array_add_text(versions, artifact->version);
        vln_pg_array_add_text(roles, artifact->role);
        vln_pg_array_add_bytes(digests, artifact->digest, VLN_DIGEST_BYTES);
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, models);
    vln_pg_array(&args, versions);
    vln_pg_array(&args, roles);
    vln_pg_array(&args, digests);
    return vln_pg_run(self->pg, INSERT_ARTIFACTS, &args, NULL);
}

static vln_err_t
update_models(registry_store_t *self, vln_arena_t *arena, const registry_batch_t *batch)
{
    vln_pg_array_t *names = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *latest = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *versions = vln_pg_array_new(arena, VLN_PG_INT8);
    for (size_t i = 0; i < batch->model_count; i++) {
        vln_pg_array_add_text(names, batch->models[i].name);
        vln_pg_array_add_text(latest, batch->models[i].latest);
        vln_pg_array_add_i64(versions, batch->models[i].versions);
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, names);
    vln_pg_array(&args, latest);
    vln_pg_array(&args, versions);
    return vln_pg_run(self->pg, UPDATE_MODELS, &args, NULL);
}

vln_err_t
registry_store_insert(registry_store_t *self, vln_arena_t *arena, const registry_batch_t *batch)
{
    vln_err_t err = insert_blobs(self, arena, batch);
    if (err == VLN_OK) {
        err = insert_versions(self, arena, batch);
    }
    if (err == VLN_OK) {
        err = insert_artifacts(self, arena, batch);
    }
    return err == VLN_OK ? update_models(self, arena, batch) : err;
}

vln_err_t
registry_store_find_line_top(registry_store_t *self, const char *model, const semver_t *line,
                             semver_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_i64(&args, line->major);
    vln_pg_i64(&args, line->minor);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, LINE_TOP, &args, &result);
    if (err == VLN_OK && PQntuples(result) == 0) {
        err = VLN_NOT_FOUND;
    }
    if (err == VLN_OK) {
        vln_assert(semver_parse(vln_pg_get_text(result, 0, 0), out));
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_store_has_version(registry_store_t *self, const char *model, const semver_t *version,
                           bool *out)
{
    char key[SEMVER_KEY];
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_i64(&args, version->major);
    vln_pg_i64(&args, version->minor);
    vln_pg_i64(&args, version->patch);
    vln_pg_text(&args, semver_prerelease_key(version, key));
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, HAS_VERSION, &args, &result);
    *out = err == VLN_OK && PQntuples(result) > 0;
    PQclear(result);
    return err;
}

static registry_version_t
read_version(const PGresult *result, int row, vln_arena_t *arena)
{
    size_t digest_size = 0;
    size_t record_size = 0;
    const uint8_t *digest = vln_pg_get_bytes(result, row, 6, &digest_size);
    const uint8_t *record = vln_pg_get_bytes(result, row, 7, &record_size);
    return (registry_version_t){.version = copy_text(result, row, 0, arena),
                                .stage = (int)vln_pg_get_i64(result, row, 1),
                                .status = (int)vln_pg_get_i64(result, row, 2),
                                .revision = vln_pg_get_i64(result, row, 3),
                                .created_us = vln_pg_get_us(result, row, 4),
                                .updated_us = vln_pg_get_us(result, row, 5),
                                .digest = vln_arena_memdup(arena, digest, digest_size),
                                .record = vln_arena_memdup(arena, record, record_size),
                                .record_size = record_size};
}

vln_err_t
registry_store_find_versions(registry_store_t *self, vln_arena_t *arena,
                             const registry_version_key_t *keys, size_t count,
                             registry_version_t *out)
{
    vln_pg_array_t *models = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *versions = vln_pg_array_new(arena, VLN_PG_TEXT);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_text(models, keys[i].model);
        vln_pg_array_add_text(versions, keys[i].version);
        out[i] = (registry_version_t){0};
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, models);
    vln_pg_array(&args, versions);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, FIND_VERSIONS, &args, &result);
    for (int row = 0; err == VLN_OK && row < PQntuples(result); row++) {
        size_t at = (size_t)vln_pg_get_i64(result, row, 8) - 1;
        out[at] = read_version(result, row, arena);
    }
    PQclear(result);
    return err;
}

static void
add_key(vln_pg_args_t *args, const semver_t *version, char *key)
{
    if (!version) {
        for (int i = 0; i < 4; i++) {
            vln_pg_null(args);
        }
        return;
    }
    vln_pg_i64(args, version->major);
    vln_pg_i64(args, version->minor);
    vln_pg_i64(args, version->patch);
    vln_pg_text(args, semver_prerelease_key(version, key));
}

vln_err_t
registry_store_list_versions(registry_store_t *self, vln_arena_t *arena,
                             const registry_version_filter_t *filter, registry_version_t **out,
                             size_t *count)
{
    char keys[3][SEMVER_KEY];
    vln_pg_args_t args = {0};
    vln_pg_text(&args, filter->model);
    add_key(&args, filter->below, keys[0]);
    add_key(&args, filter->minimum, keys[1]);
    add_key(&args, filter->maximum, keys[2]);
    vln_pg_bool(&args, filter->prereleases);
    vln_pg_i32(&args, filter->stage);
    vln_pg_i32(&args, filter->status);
    vln_pg_i32(&args, filter->limit);
    vln_pg_i64(&args, filter->bytes_max);
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, LIST_VERSIONS, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, *count * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_version(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_store_find_blob(registry_store_t *self, vln_arena_t *arena, const uint8_t *digest,
                         bool with_bytes, registry_blob_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, digest, VLN_DIGEST_BYTES);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, with_bytes ? FIND_BLOB : FIND_BLOB_INFO, &args, &result);
    if (err == VLN_OK && PQntuples(result) == 0) {
        err = VLN_NOT_FOUND;
    }
    if (err == VLN_OK) {
        *out = (registry_blob_t){.size_bytes = vln_pg_get_i64(result, 0, 0),
                                 .media_type = copy_text(result, 0, 1, arena),
                                 .created_us = vln_pg_get_us(result, 0, 2),
                                 .references = vln_pg_get_i64(result, 0, 3)};
        memcpy(out->digest, digest, VLN_DIGEST_BYTES);
        size_t size = 0;
        const uint8_t *bytes = with_bytes ? vln_pg_get_bytes(result, 0, 4, &size) : NULL;
        out->bytes = with_bytes && !vln_pg_is_null(result, 0, 4)
                         ? vln_arena_memdup(arena, bytes, size)
                         : NULL;
    }
    PQclear(result);
    return err;
}
