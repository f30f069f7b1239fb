#include "registry_blobs_store.h"

#include <string.h>

#include "vln_event.h"
#include "vln_text.h"

#include "registry_store_inside.h"

vln_err_t
registry_blobs_find(registry_store_t *self, vln_arena_t *arena,
                    const uint8_t digest[VLN_DIGEST_BYTES], int64_t index, registry_stored_t *out)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    index = index < 0 ? 0 : index > PIECES_MAX ? PIECES_MAX : index;
    vln_pg_bytes(&args, digest, VLN_DIGEST_BYTES);
    vln_pg_i32(&args, (int32_t)index);
    vln_err_t err = vln_pg_run_one(self->pg, FIND_STORED, &args, &result);
    if (err == VLN_OK) {
        *out = (registry_stored_t){.size_bytes = vln_pg_get_i64(result, 0, 0),
                                   .framed = vln_pg_get_bool(result, 0, 3),
                                   .is_corrupt = vln_pg_get_bool(result, 0, 4),
                                   .generation = vln_pg_get_i64(result, 0, 5),
                                   .has_pieces = !vln_pg_is_null(result, 0, 6),
                                   .first = index > 0 ? index - 1 : 0};
        memcpy(out->digest, digest, VLN_DIGEST_BYTES);
        out->bytes = registry_store_bytes(result, 0, 1, arena, &out->bytes_size);
        out->packed = registry_store_bytes(result, 0, 2, arena, &out->packed_size);
        out->pieces = registry_store_bytes(result, 0, 6, arena, &out->pieces_size);
    }
    PQclear(result);
    return err;
}

/* ABORTED unless it is marked by somebody, now or before, as what was read. */
static vln_err_t
mark(registry_store_t *self, const registry_stored_t *blob, int64_t *references, bool *noted)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_bytes(&args, blob->digest, VLN_DIGEST_BYTES);
    vln_pg_i32(&args, (int32_t)blob->generation);
    vln_err_t err = vln_pg_run_one(self->pg, MARK_CORRUPT, &args, &result);
    if (err == VLN_OK) {
        *noted = vln_pg_get_bool(result, 0, 0);
        *references = vln_pg_get_i64(result, 0, 1);
    }
    PQclear(result);
    return err == VLN_NOT_FOUND ? VLN_ABORTED : err;
}

vln_err_t
registry_blobs_note_corrupt(registry_store_t *self, vln_arena_t *arena,
                            const registry_stored_t *blob, int64_t index, const char *where,
                            bool *noted)
{
    char hex[2 * VLN_DIGEST_BYTES + 1];
    int64_t references = 0;
    *noted = false;
    vln_err_t err = registry_store_begin(self);
    err = err == VLN_OK ? mark(self, blob, &references, noted) : err;
    if (err == VLN_OK && *noted) {
        const vln_fact_t facts[] = {
            {"where", where},
            {"chunk", vln_arena_printf(arena, "%lld", (long long)index)},
            {"size_bytes", vln_arena_printf(arena, "%lld", (long long)blob->size_bytes)},
            {"references", vln_arena_printf(arena, "%lld", (long long)references)},
            {NULL, NULL}};
        vln_events_t *events = vln_events_new(arena);
        vln_hex_encode(blob->digest, VLN_DIGEST_BYTES, hex);
        vln_events_add(events, "artifact.corrupt", hex, "valion", facts);
        err = registry_store_write_events(self, events);
    }
    err = err == VLN_OK ? registry_store_commit(self) : err;
    registry_store_rollback(self);
    return err;
}

vln_err_t
registry_blobs_keep(registry_store_t *self, const uint8_t digest[VLN_DIGEST_BYTES],
                    int64_t size_bytes, const char *media_type, const registry_kept_t *kept,
                    registry_kept_as_t *out)
{
    vln_pg_args_t args = {0};
    PGresult *result = NULL;
    vln_pg_bytes(&args, digest, VLN_DIGEST_BYTES);
    vln_pg_i64(&args, size_bytes);
    vln_pg_text(&args, media_type);
    vln_pg_bool(&args, kept->framed);
    vln_pg_i64(&args, kept->stored_bytes);
    vln_pg_bytes_or_null(&args, kept->pieces, kept->pieces_size);
    vln_err_t err = vln_pg_run(self->pg, KEEP_BLOB, &args, &result);
    *out = REGISTRY_KEPT_NOTHING;
    if (err == VLN_OK && PQntuples(result) == 1) {
        *out = vln_pg_get_i64(result, 0, 0) > 0 ? REGISTRY_KEPT_REPAIRED : REGISTRY_KEPT_NEW;
    }
    PQclear(result);
    return err;
}
