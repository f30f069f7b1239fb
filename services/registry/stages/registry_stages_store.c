#include "registry_stages_store.h"

#include <string.h>

#include "registry_store_inside.h"

/* ---- versions ---- */

static vln_err_t
run_for_version(registry_store_t *self, size_t statement, const vln_pg_args_t *args,
                vln_arena_t *arena, registry_version_t *out)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, statement, args, &result);
    if (err == VLN_OK) {
        *out = registry_store_read_version(result, 0, arena);
    }
    PQclear(result);
    return err;
}

static vln_err_t
run_for_name(registry_store_t *self, size_t statement, vln_arena_t *arena, const char *model,
             const char *version, registry_version_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_text(&args, version);
    return run_for_version(self, statement, &args, arena, out);
}

vln_err_t
registry_stages_lock(registry_store_t *self, vln_arena_t *arena, const char *model,
                     const char *version, registry_version_t *out)
{
    return run_for_name(self, LOCK_VERSION, arena, model, version, out);
}

vln_err_t
registry_stages_hold(registry_store_t *self, vln_arena_t *arena, const char *model,
                     const char *version, registry_version_t *out)
{
    return run_for_name(self, HOLD_VERSION, arena, model, version, out);
}

vln_err_t
registry_stages_lock_production(registry_store_t *self, vln_arena_t *arena, const char *model,
                                registry_version_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    return run_for_version(self, LOCK_PRODUCTION, &args, arena, out);
}

static void
add_digest_or_null(vln_pg_args_t *args, const uint8_t *digest)
{
    vln_pg_bytes_or_null(args, digest, digest ? VLN_DIGEST_BYTES : 0);
}

vln_err_t
registry_stages_save(registry_store_t *self, const char *model, registry_version_t *version)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_text(&args, version->version);
    vln_pg_i32(&args, version->stage);
    vln_pg_i32(&args, version->status);
    vln_pg_bytes_or_null(&args, version->signature, version->signature_size);
    add_digest_or_null(&args, version->samples);
    add_digest_or_null(&args, version->profile);
    vln_pg_text(&args, version->status_reason);
    vln_pg_text(&args, version->description);
    vln_pg_text(&args, version->tags);
    vln_pg_text(&args, version->words);
    vln_pg_text(&args, version->facets);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, SAVE_VERSION, &args, &result);
    if (err == VLN_OK) {
        vln_assert(PQntuples(result) == 1); /* it is locked */
        version->revision = vln_pg_get_i64(result, 0, 0);
        version->updated_us = vln_pg_get_us(result, 0, 1);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_stages_delete(registry_store_t *self, const char *model, const char *version,
                       const char *deleted_by, const char *highest)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_text(&args, version);
    vln_pg_text(&args, deleted_by);
    vln_err_t err = vln_pg_run(self->pg, DELETE_VERSION, &args, NULL);
    if (err != VLN_OK) {
        return err;
    }
    vln_pg_args_t of_model = {0};
    vln_pg_text(&of_model, model);
    vln_pg_text(&of_model, highest);
    return vln_pg_run(self->pg, RESET_LATEST, &of_model, NULL);
}

/* ---- history ---- */

vln_err_t
registry_stages_add_change(registry_store_t *self, const char *model,
                           const registry_stage_change_t *change)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_text(&args, change->version);
    vln_pg_i32(&args, change->from);
    vln_pg_i32(&args, change->to);
    vln_pg_text(&args, change->actor);
    vln_pg_bytes_or_null(&args, change->report_id, change->report_id ? VLN_ID_BYTES : 0);
    vln_pg_text(&args, change->evidence);
    vln_pg_text(&args, change->reason);
    return vln_pg_run(self->pg, ADD_STAGE_CHANGE, &args, NULL);
}

static registry_stage_change_t
read_change(const PGresult *result, int row, vln_arena_t *arena)
{
    size_t size = 0;
    registry_stage_change_t out = {.seq = vln_pg_get_i64(result, row, 0),
                                   .version = registry_store_text(result, row, 1, arena),
                                   .from = (int)vln_pg_get_i64(result, row, 2),
                                   .to = (int)vln_pg_get_i64(result, row, 3),
                                   .actor = registry_store_text(result, row, 4, arena),
                                   .time_us = vln_pg_get_us(result, row, 5),
                                   .evidence = registry_store_text(result, row, 7, arena),
                                   .reason = registry_store_text(result, row, 8, arena),
                                   .position = vln_pg_get_i64(result, row, 9)};
    out.report_id = registry_store_bytes(result, row, 6, arena, &size);
    return out;
}

vln_err_t
registry_stages_list_changes(registry_store_t *self, vln_arena_t *arena,
                             const registry_change_filter_t *filter, registry_stage_change_t **out,
                             size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, filter->model);
    vln_pg_i64(&args, filter->before);
    vln_pg_i32(&args, filter->limit);
    vln_pg_text(&args, filter->version);
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, LIST_STAGE_CHANGES, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_change(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

/* ---- aliases ---- */

vln_err_t
registry_aliases_find(registry_store_t *self, vln_arena_t *arena, const char *model,
                      const char *alias, int64_t *count, const char **version)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_text(&args, alias);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, FIND_ALIAS, &args, &result);
    if (err == VLN_OK) {
        *count = vln_pg_get_i64(result, 0, 0);
        *version = registry_store_text(result, 0, 1, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_aliases_set(registry_store_t *self, const char *model, const char *alias,
                     const char *version, const char *set_by)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    vln_pg_text(&args, alias);
    if (!version) {
        return vln_pg_run(self->pg, REMOVE_ALIAS, &args, NULL);
    }
    vln_pg_text(&args, version);
    vln_pg_text(&args, set_by);
    return vln_pg_run(self->pg, SET_ALIAS, &args, NULL);
}

/* ---- grants ---- */

static vln_id_t
read_id(const PGresult *result, int row, int column)
{
    vln_id_t out;
    size_t size = 0;
    const uint8_t *bytes = vln_pg_get_bytes(result, row, column, &size);
    vln_assert(size == VLN_ID_BYTES);
    memcpy(out.bytes, bytes, VLN_ID_BYTES);
    return out;
}

static registry_grant_t
read_grant(const PGresult *result, int row, vln_arena_t *arena)
{
    size_t size = 0;
    registry_grant_t out = {.seq = vln_pg_get_i64(result, row, 0),
                            .id = read_id(result, row, 1),
                            .model = registry_store_text(result, row, 2, arena),
                            .version = registry_store_text(result, row, 3, arena),
                            .environment = registry_store_text(result, row, 5, arena),
                            .rollout_id = read_id(result, row, 6),
                            .evidence = registry_store_text(result, row, 8, arena),
                            .actor = registry_store_text(result, row, 9, arena),
                            .opened_us = vln_pg_get_us(result, row, 10),
                            .closed_us = vln_pg_get_us(result, row, 11)};
    out.digest = registry_store_bytes(result, row, 4, arena, &size);
    out.report_id = registry_store_bytes(result, row, 7, arena, &size);
    return out;
}

enum { GRANT_COLUMNS_COUNT = 12 };

vln_err_t
registry_grants_find(registry_store_t *self, vln_arena_t *arena, const vln_id_t *rollout_id,
                     const char *model, const char *version, registry_grant_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, rollout_id->bytes, VLN_ID_BYTES);
    vln_pg_text(&args, model);
    vln_pg_text(&args, version);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, FIND_GRANT, &args, &result);
    if (err == VLN_OK) {
        *out = read_grant(result, 0, arena);
    }
    PQclear(result);
    return err;
}

/* The version shows itself as deployed while the count is above zero. */
static vln_err_t
count_grant(registry_store_t *self, const registry_grant_t *grant, int change)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, grant->model);
    vln_pg_text(&args, grant->version);
    vln_pg_i32(&args, change);
    return vln_pg_run(self->pg, COUNT_GRANT, &args, NULL);
}

vln_err_t
registry_grants_open(registry_store_t *self, vln_arena_t *arena, registry_grant_t *grant)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, grant->id.bytes, VLN_ID_BYTES);
    vln_pg_text(&args, grant->model);
    vln_pg_text(&args, grant->version);
    vln_pg_bytes(&args, grant->digest, VLN_DIGEST_BYTES);
    vln_pg_text(&args, grant->environment);
    vln_pg_bytes(&args, grant->rollout_id.bytes, VLN_ID_BYTES);
    vln_pg_bytes_or_null(&args, grant->report_id, grant->report_id ? VLN_ID_BYTES : 0);
    vln_pg_text(&args, grant->evidence);
    vln_pg_text(&args, grant->actor);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, INSERT_GRANT, &args, &result);
    if (err == VLN_OK) {
        *grant = read_grant(result, 0, arena);
        err = count_grant(self, grant, 1);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_grants_close(registry_store_t *self, vln_arena_t *arena, const vln_id_t *id,
                      registry_grant_t *out, bool *was_open)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id->bytes, VLN_ID_BYTES);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, CLOSE_GRANT, &args, &result);
    if (err == VLN_OK) {
        *out = read_grant(result, 0, arena);
        *was_open = vln_pg_get_bool(result, 0, GRANT_COLUMNS_COUNT);
        err = *was_open ? count_grant(self, out, -1) : VLN_OK;
    }
    PQclear(result);
    return err;
}

static vln_err_t
list_grants(registry_store_t *self, vln_arena_t *arena, size_t statement, const vln_pg_args_t *args,
            registry_grant_t **out, size_t *count)
{
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, statement, args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_grant(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_grants_of(registry_store_t *self, vln_arena_t *arena,
                   const registry_version_key_t *version, int limit, registry_grant_t **out,
                   size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, version->model);
    vln_pg_text(&args, version->version);
    vln_pg_i32(&args, limit);
    return list_grants(self, arena, LIST_GRANTS, &args, out, count);
}

vln_err_t
registry_grants_list(registry_store_t *self, vln_arena_t *arena,
                     const registry_serving_query_t *query, registry_grant_t **out, size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, query->environment);
    if (query->time_us) {
        vln_pg_i64(&args, query->time_us);
    } else {
        vln_pg_null(&args);
    }
    vln_pg_text(&args, query->model);
    vln_pg_i64(&args, query->after);
    vln_pg_i32(&args, query->limit);
    return list_grants(self, arena, LIST_SERVING, &args, out, count);
}
