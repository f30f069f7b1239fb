#include "registry_uploads_store.h"

#include <string.h>

#include "vln_event.h"
#include "vln_log.h"
#include "vln_text.h"

#include "registry_store_inside.h"

int64_t
registry_upload_held(const registry_upload_t *self)
{
    int64_t chunks = piece_count(self->size_bytes);
    int64_t held = 0;
    while (held < chunks && (size_t)held / 8 < self->chunks_size &&
           self->chunks[held / 8] & 1u << held % 8) {
        held++;
    }
    int64_t bytes = held * REGISTRY_UPLOAD_CHUNK;
    return bytes < self->size_bytes ? bytes : self->size_bytes;
}

vln_err_t
registry_uploads_count(registry_store_t *self, const char *author, int64_t *uploads, int64_t *bytes)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_text(&args, author);
    vln_err_t err = vln_pg_run(self->pg, COUNT_UPLOADS, &args, &result);
    if (err == VLN_OK) {
        *uploads = vln_pg_get_i64(result, 0, 0);
        *bytes = vln_pg_get_i64(result, 0, 1);
    }
    PQclear(result);
    return err;
}

static void
read_upload(const PGresult *result, vln_arena_t *arena, registry_upload_t *out)
{
    size_t size = 0;
    *out = (registry_upload_t){.size_bytes = vln_pg_get_i64(result, 0, 2),
                               .media_type = vln_arena_strdup(arena, vln_pg_get_text(result, 0, 3)),
                               .author = vln_arena_strdup(arena, vln_pg_get_text(result, 0, 4)),
                               .committing = vln_pg_get_bool(result, 0, 6)};
    memcpy(out->id.bytes, vln_pg_get_bytes(result, 0, 0, &size), VLN_ID_BYTES);
    memcpy(out->digest, vln_pg_get_bytes(result, 0, 1, &size), VLN_DIGEST_BYTES);
    const uint8_t *chunks = vln_pg_get_bytes(result, 0, 5, &out->chunks_size);
    out->chunks = vln_arena_memdup(arena, chunks, out->chunks_size);
}

static vln_err_t
run_for_upload(registry_store_t *self, size_t statement, const vln_pg_args_t *args,
               vln_arena_t *arena, registry_upload_t *out)
{
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, statement, args, &result);
    if (err == VLN_OK) {
        read_upload(result, arena, out);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_uploads_find_content(registry_store_t *self, vln_arena_t *arena, registry_upload_t *upload)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, upload->digest, VLN_DIGEST_BYTES);
    vln_pg_i64(&args, upload->size_bytes);
    return run_for_upload(self, FIND_UPLOAD_OF, &args, arena, upload);
}

vln_err_t
registry_uploads_begin(registry_store_t *self, vln_arena_t *arena, registry_upload_t *upload)
{
    vln_pg_args_t args = {0};
    size_t bits_size = (size_t)(piece_count(upload->size_bytes) + 7) / 8;
    vln_pg_bytes(&args, upload->id.bytes, VLN_ID_BYTES);
    vln_pg_bytes(&args, upload->digest, VLN_DIGEST_BYTES);
    vln_pg_i64(&args, upload->size_bytes);
    vln_pg_text(&args, upload->media_type);
    vln_pg_text(&args, upload->author);
    vln_pg_bytes(&args, vln_arena_alloc(arena, bits_size), bits_size);
    vln_err_t err = run_for_upload(self, BEGIN_UPLOAD, &args, arena, upload);
    if (err != VLN_NOT_FOUND) {
        return err;
    }
    return registry_uploads_find_content(self, arena, upload);
}

vln_err_t
registry_uploads_find(registry_store_t *self, vln_arena_t *arena, const vln_id_t *id,
                      registry_upload_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id->bytes, VLN_ID_BYTES);
    return run_for_upload(self, FIND_UPLOAD, &args, arena, out);
}

vln_err_t
registry_uploads_lock(registry_store_t *self, vln_arena_t *arena, const vln_id_t *id,
                      registry_upload_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id->bytes, VLN_ID_BYTES);
    return run_for_upload(self, LOCK_UPLOAD, &args, arena, out);
}

vln_err_t
registry_uploads_mark(registry_store_t *self, const registry_upload_t *upload)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, upload->id.bytes, VLN_ID_BYTES);
    vln_pg_bytes(&args, upload->chunks, upload->chunks_size);
    return vln_pg_run(self->pg, MARK_CHUNKS, &args, NULL);
}

vln_err_t
registry_uploads_try(registry_store_t *self, const vln_id_t *id)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_bytes(&args, id->bytes, VLN_ID_BYTES);
    vln_err_t err = vln_pg_run_one(self->pg, TRY_UPLOAD, &args, &result);
    if (err == VLN_OK && !vln_pg_get_bool(result, 0, 0)) {
        err = VLN_ABORTED;
    }
    PQclear(result);
    return err;
}

void
registry_uploads_leave(registry_store_t *self, const vln_id_t *id)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id->bytes, VLN_ID_BYTES);
    /* Where it fails the connection is gone, and the lock with it. */
    vln_err_t err = vln_pg_run(self->pg, LEAVE_UPLOAD, &args, NULL);
    if (err != VLN_OK) {
        vln_warn("upload.not_left", kv_err(err));
    }
}

static vln_err_t
change_upload(registry_store_t *self, size_t statement, const vln_id_t *id)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_bytes(&args, id->bytes, VLN_ID_BYTES);
    vln_err_t err = vln_pg_run(self->pg, statement, &args, &result);
    if (err == VLN_OK && vln_pg_changed(result) == 0) {
        err = VLN_NOT_FOUND;
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_uploads_close(registry_store_t *self, const vln_id_t *id)
{
    return change_upload(self, CLOSE_UPLOAD, id);
}

vln_err_t
registry_uploads_reset(registry_store_t *self, const vln_id_t *id)
{
    return change_upload(self, RESET_UPLOAD, id);
}

static vln_err_t
tell(registry_store_t *self, vln_arena_t *arena, const registry_upload_t *upload,
     const registry_kept_t *kept, registry_kept_as_t as, const char *actor)
{
    char hex[2 * VLN_DIGEST_BYTES + 1];
    vln_hex_encode(upload->digest, VLN_DIGEST_BYTES, hex);
    const vln_fact_t facts[] = {
        {"size_bytes", vln_arena_printf(arena, "%lld", (long long)upload->size_bytes)},
        {"stored_bytes", vln_arena_printf(arena, "%lld", (long long)kept->stored_bytes)},
        {"media_type", upload->media_type},
        {NULL, NULL}};
    vln_events_t *events = vln_events_new(arena);
    const char *type = as == REGISTRY_KEPT_REPAIRED ? "artifact.repaired" : "artifact.stored";
    vln_events_add(events, type, hex, actor, facts);
    return registry_store_write_events(self, events);
}

vln_err_t
registry_uploads_keep(registry_store_t *self, vln_arena_t *arena, const registry_upload_t *upload,
                      const registry_kept_t *kept, const char *actor, registry_kept_as_t *as)
{
    vln_err_t err = registry_store_begin(self);
    err = err == VLN_OK ? change_upload(self, DROP_UPLOAD, &upload->id) : err;
    err = err == VLN_OK ? registry_blobs_keep(self, upload->digest, upload->size_bytes,
                                              upload->media_type, kept, as)
                        : err;
    err = err == VLN_OK ? tell(self, arena, upload, kept, *as, actor) : err;
    err = err == VLN_OK ? registry_store_commit(self) : err;
    registry_store_rollback(self);
    return err;
}

vln_err_t
registry_uploads_sweep(registry_store_t *self, vln_arena_t *arena, int limit, vln_id_t **out,
                       size_t *count)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    *count = 0;
    vln_pg_i32(&args, limit);
    vln_err_t err = vln_pg_run(self->pg, FIND_OLD_UPLOADS, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            size_t size = 0;
            memcpy((*out)[i].bytes, vln_pg_get_bytes(result, (int)i, 0, &size), VLN_ID_BYTES);
        }
    }
    PQclear(result);
    return err;
}
