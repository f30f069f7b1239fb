#include "registry_store.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "vln_text.h"

#include "registry_store_inside.h"

vln_err_t
registry_store_open(registry_store_t **out, const char *database)
{
    const vln_pg_config_t config = {.conninfo = database,
                                    .application = "valion-registry",
                                    .search_path = "registry",
                                    .statements = registry_statements,
                                    .statement_count = registry_statement_count};
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
registry_store_begin(registry_store_t *self)
{
    return vln_pg_begin(self->pg);
}

vln_err_t
registry_store_commit(registry_store_t *self)
{
    return vln_pg_commit(self->pg);
}

void
registry_store_rollback(registry_store_t *self)
{
    vln_pg_rollback(self->pg);
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

const char *
registry_store_text(const PGresult *result, int row, int column, vln_arena_t *arena)
{
    if (vln_pg_is_null(result, row, column)) {
        return NULL;
    }
    return vln_arena_strdup(arena, vln_pg_get_text(result, row, column));
}

const uint8_t *
registry_store_bytes(const PGresult *result, int row, int column, vln_arena_t *arena, size_t *size)
{
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, size);
    return vln_pg_is_null(result, row, column) ? NULL : vln_arena_memdup(arena, bytes, *size);
}

registry_model_t
registry_store_read_model(const PGresult *result, int row, vln_arena_t *arena)
{
    return (registry_model_t){.name = registry_store_text(result, row, 0, arena),
                              .description = registry_store_text(result, row, 1, arena),
                              .tags = registry_store_text(result, row, 2, arena),
                              .author = registry_store_text(result, row, 3, arena),
                              .algorithm = registry_store_text(result, row, 4, arena),
                              .framework = registry_store_text(result, row, 5, arena),
                              .latest = registry_store_text(result, row, 6, arena),
                              .versions = vln_pg_get_i64(result, row, 7),
                              .revision = vln_pg_get_i64(result, row, 8),
                              .created_us = vln_pg_get_us(result, row, 9),
                              .updated_us = vln_pg_get_us(result, row, 10),
                              .highest = registry_store_text(result, row, 11, arena),
                              .seq = vln_pg_get_i64(result, row, 12)};
}

vln_err_t
registry_store_find_model(registry_store_t *self, vln_arena_t *arena, const char *name,
                          registry_model_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, name);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, FIND_MODEL, &args, &result);
    if (err == VLN_OK) {
        *out = registry_store_read_model(result, 0, arena);
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
        *model = registry_store_read_model(result, 0, arena);
    }
    PQclear(result);
    if (err != VLN_OK || *created) {
        return err;
    }
    return registry_store_find_model(self, arena, model->name, model);
}

vln_err_t
registry_store_save_model(registry_store_t *self, vln_arena_t *arena, registry_model_t *model)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model->name);
    vln_pg_text(&args, model->description);
    vln_pg_text(&args, model->tags);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, SAVE_MODEL, &args, &result);
    if (err == VLN_OK) {
        *model = registry_store_read_model(result, 0, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_store_delete_model(registry_store_t *self, const char *name)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, name);
    return vln_pg_run(self->pg, DELETE_MODEL, &args, NULL);
}

/* ---- versions ---- */

typedef struct model_names {
    const char *const *names;
    size_t count;
} model_names_t;

/* The rows of these names, in the order of the names. With `now_us` they are locked. */
static vln_err_t
read_models(registry_store_t *self, vln_arena_t *arena, const model_names_t *names,
            registry_model_t *out, int64_t *now_us)
{
    vln_pg_array_t *array = vln_pg_array_new(arena, VLN_PG_TEXT);
    for (size_t i = 0; i < names->count; i++) {
        vln_pg_array_add_text(array, names->names[i]);
        out[i] = (registry_model_t){0};
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, array);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, now_us ? LOCK_MODELS : FIND_MODELS, &args, &result);
    for (int row = 0; err == VLN_OK && row < PQntuples(result); row++) {
        if (now_us) {
            *now_us = vln_pg_get_us(result, row, REGISTRY_MODEL_COLUMN_COUNT);
        }
        for (size_t i = 0; i < names->count; i++) {
            if (strcmp(names->names[i], vln_pg_get_text(result, row, 0)) == 0) {
                out[i] = registry_store_read_model(result, row, arena);
            }
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_store_find_models(registry_store_t *self, vln_arena_t *arena, const char *const *names,
                           size_t count, registry_model_t *out)
{
    const model_names_t wanted = {names, count};
    return read_models(self, arena, &wanted, out, NULL);
}

vln_err_t
registry_store_lock_models(registry_store_t *self, vln_arena_t *arena, const char *const *names,
                           size_t count, registry_model_t *out, int64_t *now_us)
{
    const model_names_t wanted = {names, count};
    return read_models(self, arena, &wanted, out, now_us);
}

static vln_err_t
tell_repairs(registry_store_t *self, vln_arena_t *arena, const PGresult *result)
{
    vln_events_t *events = vln_events_new(arena);
    for (int row = 0; row < PQntuples(result); row++) {
        char hex[2 * VLN_DIGEST_BYTES + 1];
        size_t size = 0;
        const uint8_t *digest = vln_pg_get_bytes(result, row, 0, &size);
        const vln_fact_t facts[] = {{"where", "record"}, {NULL, NULL}};
        vln_events_add(events, "artifact.repaired", vln_hex_encode(digest, size, hex), "valion",
                       facts);
    }
    return registry_store_write_events(self, events);
}

/* What was there and is damaged is what came now. */
static vln_err_t
mend_blobs(registry_store_t *self, vln_arena_t *arena, const vln_pg_args_t *args)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, MEND_BLOBS, args, &result);
    err = err == VLN_OK ? tell_repairs(self, arena, result) : err;
    PQclear(result);
    return err;
}

static int
compare_digests(const void *left, const void *right)
{
    const registry_blob_t *const *a = left;
    const registry_blob_t *const *b = right;
    return memcmp((*a)->digest, (*b)->digest, VLN_DIGEST_BYTES);
}

/* Each content once, in the order of the digests: all who insert take them in the same one. */
static const registry_blob_t **
sort_blobs(vln_arena_t *arena, const registry_blob_t *blobs, size_t *count)
{
    size_t given = *count;
    const registry_blob_t **sorted = vln_arena_alloc(arena, (given + 1) * sizeof *sorted);
    for (size_t i = 0; i < given; i++) {
        sorted[i] = &blobs[i];
    }
    qsort(sorted, given, sizeof *sorted, compare_digests);
    *count = 0;
    for (size_t i = 0; i < given; i++) {
        if (i == 0 || compare_digests(&sorted[i], &sorted[*count - 1]) != 0) {
            sorted[(*count)++] = sorted[i];
        }
    }
    return sorted;
}

vln_err_t
registry_store_insert_blobs(registry_store_t *self, vln_arena_t *arena,
                            const registry_blob_t *given, size_t count)
{
    const registry_blob_t **blobs = sort_blobs(arena, given, &count);
    if (count == 0) {
        return VLN_OK;
    }
    vln_pg_array_t *digests = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *sizes = vln_pg_array_new(arena, VLN_PG_INT8);
    vln_pg_array_t *types = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *bytes = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *packed = vln_pg_array_new(arena, VLN_PG_BYTEA);
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_bytes(digests, blobs[i]->digest, VLN_DIGEST_BYTES);
        vln_pg_array_add_i64(sizes, blobs[i]->size_bytes);
        vln_pg_array_add_text(types, blobs[i]->media_type);
        if (blobs[i]->packed) {
            vln_pg_array_add_null(bytes);
            vln_pg_array_add_bytes(packed, blobs[i]->packed, blobs[i]->packed_size);
        } else {
            vln_pg_array_add_bytes(bytes, blobs[i]->bytes, (size_t)blobs[i]->size_bytes);
            vln_pg_array_add_null(packed);
        }
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, digests);
    vln_pg_array(&args, sizes);
    vln_pg_array(&args, types);
    vln_pg_array(&args, bytes);
    vln_pg_array(&args, packed);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, INSERT_BLOBS, &args, &result);
    bool all_new = err == VLN_OK && vln_pg_changed(result) == (int64_t)count;
    PQclear(result);
    return err != VLN_OK || all_new ? err : mend_blobs(self, arena, &args);
}

static void
add_digest(vln_pg_array_t *array, const uint8_t *digest)
{
    if (digest) {
        vln_pg_array_add_bytes(array, digest, VLN_DIGEST_BYTES);
    } else {
        vln_pg_array_add_null(array);
    }
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
    vln_pg_array_t *samples = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *profiles = vln_pg_array_new(arena, VLN_PG_BYTEA);
    vln_pg_array_t *words = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *facets = vln_pg_array_new(arena, VLN_PG_TEXT);
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
        add_digest(samples, version->samples);
        add_digest(profiles, version->profile);
        vln_pg_array_add_text(words, version->words);
        vln_pg_array_add_text(facets, version->facets);
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
    vln_pg_array(&args, samples);
    vln_pg_array(&args, profiles);
    vln_pg_array(&args, words);
    vln_pg_array(&args, facets);
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
    vln_err_t err = registry_store_insert_blobs(self, arena, batch->blobs, batch->blob_count);
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
    vln_err_t err = vln_pg_run_one(self->pg, LINE_TOP, &args, &result);
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

int
registry_version_status(const registry_version_t *version)
{
    enum { READY = 2, DEPLOYED = 3 }; /* valion.v1.VersionStatus; SQL says the same */
    return version->status == READY && version->open_grants > 0 ? DEPLOYED : version->status;
}

registry_version_t
registry_store_read_version(const PGresult *result, int row, vln_arena_t *arena)
{
    size_t size = 0;
    registry_version_t out = {.version = registry_store_text(result, row, 0, arena),
                              .stage = (int)vln_pg_get_i64(result, row, 1),
                              .status = (int)vln_pg_get_i64(result, row, 2),
                              .revision = vln_pg_get_i64(result, row, 3),
                              .created_us = vln_pg_get_us(result, row, 4),
                              .updated_us = vln_pg_get_us(result, row, 5),
                              .status_reason = registry_store_text(result, row, 11, arena),
                              .description = registry_store_text(result, row, 12, arena),
                              .tags = registry_store_text(result, row, 13, arena),
                              .open_grants = vln_pg_get_i64(result, row, 14),
                              .aliases = registry_store_text(result, row, 15, arena)};
    out.digest = registry_store_bytes(result, row, 6, arena, &size);
    out.record = registry_store_bytes(result, row, 7, arena, &out.record_size);
    out.signature = registry_store_bytes(result, row, 8, arena, &out.signature_size);
    out.samples = registry_store_bytes(result, row, 9, arena, &size);
    out.profile = registry_store_bytes(result, row, 10, arena, &size);
    return out;
}

registry_version_key_t
registry_version_key(const char *model, const char *version, const char *alias)
{
    bool latest = alias && strcasecmp(alias, "latest") == 0;
    return (registry_version_key_t){model, version, latest ? NULL : alias};
}

vln_err_t
registry_store_find_versions(registry_store_t *self, vln_arena_t *arena,
                             const registry_version_key_t *keys, size_t count,
                             registry_version_t *out)
{
    vln_pg_array_t *models = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *versions = vln_pg_array_new(arena, VLN_PG_TEXT);
    vln_pg_array_t *aliases = vln_pg_array_new(arena, VLN_PG_TEXT);
    bool by_text = true; /* the common case needs neither models nor aliases */
    for (size_t i = 0; i < count; i++) {
        vln_pg_array_add_text(models, keys[i].model);
        vln_pg_array_add_text(versions, keys[i].version);
        vln_pg_array_add_text(aliases, keys[i].alias);
        by_text = by_text && keys[i].version && !keys[i].alias;
        out[i] = (registry_version_t){0};
    }
    vln_pg_args_t args = {0};
    vln_pg_array(&args, models);
    vln_pg_array(&args, versions);
    if (!by_text) {
        vln_pg_array(&args, aliases);
    }
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, by_text ? FIND_BY_TEXT : FIND_VERSIONS, &args, &result);
    for (int row = 0; err == VLN_OK && row < PQntuples(result); row++) {
        size_t at = (size_t)vln_pg_get_i64(result, row, REGISTRY_VERSION_COLUMN_COUNT) - 1;
        out[at] = registry_store_read_version(result, row, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_store_find_blob(registry_store_t *self, vln_arena_t *arena, const uint8_t *digest,
                         registry_blob_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, digest, VLN_DIGEST_BYTES);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, FIND_BLOB, &args, &result);
    if (err == VLN_OK) {
        *out = (registry_blob_t){.size_bytes = vln_pg_get_i64(result, 0, 0),
                                 .media_type = registry_store_text(result, 0, 1, arena),
                                 .created_us = vln_pg_get_us(result, 0, 2),
                                 .stored_bytes = vln_pg_get_i64(result, 0, 3),
                                 .references = vln_pg_get_i64(result, 0, 5)};
        out->corrupt_us = vln_pg_is_null(result, 0, 4) ? 0 : vln_pg_get_us(result, 0, 4);
        memcpy(out->digest, digest, VLN_DIGEST_BYTES);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_store_count(registry_store_t *self, registry_counts_t *out)
{
    *out = (registry_counts_t){0};
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, COUNT_ALL, NULL, &result);
    if (err == VLN_OK) {
        out->models = vln_pg_get_i64(result, 0, 0);
        out->versions = vln_pg_get_i64(result, 0, 1);
        for (int stage = 1; stage <= 4; stage++) {
            out->of_stage[stage] = vln_pg_get_i64(result, 0, 1 + stage);
        }
        out->blob_bytes = vln_pg_get_i64(result, 0, 6);
    }
    PQclear(result);
    return err;
}
