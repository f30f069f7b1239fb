/*
 * Reading artifacts. Nothing leaves that was not checked since it came from the disk or the record:
 * small content against its digest, a piece of a file against its entry in the table of pieces.
 * Content that was stored before there were such tables is checked by its reader alone, who has all
 * of it.
 *
 * What is found changed is noted in the row, once, and refused from then on by every registry,
 * until somebody uploads the content again. The row is read for each call, so that the chunks which
 * a registry still has in memory are refused as well.
 */
#include "registry_blobs.h"

#include <string.h>

#include "vln_log.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_blobs_store.h"
#include "registry_files.h"
#include "registry_handlers.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum {
    PACK_FROM = 512,       /* bytes: what is less is not worth a frame */
    FLIGHT_WAIT_MS = 2000, /* for a thread that is reading the same piece */
};

void
registry_blob_pack(registry_pack_t *pack, vln_arena_t *arena, registry_blob_t *blob)
{
    if (blob->size_bytes < PACK_FROM) {
        return;
    }
    size_t room = registry_pack_room((size_t)blob->size_bytes);
    uint8_t *frame = vln_arena_alloc(arena, room);
    blob->packed_size = registry_pack(pack, blob->bytes, (size_t)blob->size_bytes, frame, room);
    bool pays = registry_pack_pays(blob->size_bytes, (int64_t)blob->packed_size);
    blob->packed = pays ? frame : NULL;
}

void
registry_blob_refuse_corrupt(vln_call_t *call, const uint8_t digest[VLN_DIGEST_BYTES])
{
    char hex[2 * VLN_DIGEST_BYTES + 1];
    vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                    "the artifact %s is damaged, its stored bytes do not have that digest: 'valion "
                    "artifact put FILE' with a good copy mends it",
                    vln_hex_encode(digest, VLN_DIGEST_BYTES, hex));
}

static bool
check_digest(vln_call_t *call, const ProtobufCBinaryData *digest)
{
    if (digest->len == VLN_DIGEST_BYTES) {
        return true;
    }
    vln_call_refuse_field(call, "digest", "a digest is the %d bytes of a SHA-256",
                          VLN_DIGEST_BYTES);
    return false;
}

static void
refuse_find(vln_call_t *call, vln_err_t err)
{
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "no bytes of this digest are stored here; those of a version are its "
                        "artifacts', which 'valion version show MODEL@VERSION' lists");
    } else {
        vln_call_refuse_store(call, err);
    }
}

/* ---- reading ---- */

/* One call's. */
typedef struct reading {
    registry_worker_t *worker;
    vln_call_t *call;
    registry_stored_t blob;
} reading_t;

static bool
has_digest(const uint8_t *bytes, size_t size, const uint8_t *digest)
{
    uint8_t found[VLN_DIGEST_BYTES];
    vln_digest(bytes, size, found);
    return memcmp(found, digest, sizeof found) == 0;
}

/* The whole of what the row itself holds; NULL if it is not what was stored. */
static const uint8_t *
read_record(reading_t *self)
{
    const registry_stored_t *blob = &self->blob;
    size_t size = (size_t)blob->size_bytes;
    const uint8_t *bytes = blob->bytes;
    if (blob->packed) {
        uint8_t *content = vln_arena_alloc(self->call->arena, size + 1);
        bool ok = size <= REGISTRY_CHUNK_MAX && registry_unpack(self->worker->pack, blob->packed,
                                                                blob->packed_size, content, size);
        return ok && has_digest(content, size, blob->digest) ? content : NULL;
    }
    return blob->bytes_size == size && has_digest(bytes, size, blob->digest) ? bytes : NULL;
}

/* DATA_LOSS if the file does not have the piece that was stored. */
static vln_err_t
read_piece_from_file(reading_t *self, int64_t index, uint8_t *out, size_t size)
{
    const registry_stored_t *blob = &self->blob;
    const char *folder = self->worker->registry->config->path;
    piece_t piece;
    if (!piece_get(blob->pieces, blob->pieces_size, blob->first, index, &piece) ||
        (!blob->framed && piece.stored != size)) {
        return VLN_DATA_LOSS;
    }
    uint8_t *stored = blob->framed ? vln_arena_alloc(self->call->arena, piece.stored) : out;
    vln_err_t err =
        registry_files_read(folder, blob->digest, blob->framed, piece.begin, stored, piece.stored);
    if (err == VLN_OK && blob->framed &&
        !registry_unpack(self->worker->pack, stored, piece.stored, out, size)) {
        err = VLN_DATA_LOSS;
    }
    return err == VLN_OK && !has_digest(out, size, piece.digest) ? VLN_DATA_LOSS : err;
}

/* Piece `index`, `size` bytes; another thread may be reading it, or may just have. */
static vln_err_t
read_piece(reading_t *self, int64_t index, uint8_t *out, size_t size)
{
    vln_flight_t *flight = self->worker->registry->flight;
    const uint8_t *digest = self->blob.digest;
    if (vln_flight_get(flight, digest, index, out, size, FLIGHT_WAIT_MS)) {
        return VLN_OK;
    }
    vln_err_t err = read_piece_from_file(self, index, out, size);
    if (err == VLN_OK) {
        vln_flight_put(flight, digest, index, out, size);
    } else {
        vln_flight_fail(flight, digest, index);
    }
    return err;
}

/* The range out of the one or two pieces that it touches. `*bad` is the piece that failed. */
static vln_err_t
read_pieces(reading_t *self, int64_t offset, int64_t size, const uint8_t **out, int64_t *bad)
{
    int64_t first = offset / PIECE_BYTES;
    int64_t last = size > 0 ? (offset + size - 1) / PIECE_BYTES : first;
    vln_err_t err = VLN_OK;
    uint8_t *content = vln_arena_alloc(self->call->arena, (size_t)(last - first + 1) * PIECE_BYTES);
    for (int64_t i = first; i <= last && size > 0 && err == VLN_OK; i++) {
        *bad = i;
        err = read_piece(self, i, content + (i - first) * PIECE_BYTES,
                         piece_size(self->blob.size_bytes, i));
    }
    *out = content + (offset - first * PIECE_BYTES);
    return err;
}

static vln_err_t
read_unproved(reading_t *self, int64_t offset, int64_t size, const uint8_t **out)
{
    uint8_t *bytes = vln_arena_alloc(self->call->arena, (size_t)size + 1);
    *out = bytes;
    return registry_files_read(self->worker->registry->config->path, self->blob.digest,
                               self->blob.framed, offset, bytes, (size_t)size);
}

/* ---- what is damaged ---- */

static void
note_corrupt(reading_t *self, int64_t index, const char *where)
{
    char hex[2 * VLN_DIGEST_BYTES + 1];
    bool noted = false;
    vln_err_t err = registry_blobs_note_corrupt(self->worker->store, self->call->arena, &self->blob,
                                                index, where, &noted);
    if (err == VLN_ABORTED) {
        vln_call_refuse(self->call, VLN_UNAVAILABLE, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "the artifact was mended while it was read: read it again");
        return;
    }
    if (noted) {
        vln_error("artifact.corrupt",
                  kv_str("digest", vln_hex_encode(self->blob.digest, VLN_DIGEST_BYTES, hex)),
                  kv_str("where", where), kv_i64("chunk", index));
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(self->call, err);
        return;
    }
    registry_blob_refuse_corrupt(self->call, self->blob.digest);
}

/* NULL, and the call refused. */
static const uint8_t *
read_range(reading_t *self, int64_t offset, int64_t size)
{
    const registry_stored_t *blob = &self->blob;
    int64_t bad = offset / PIECE_BYTES;
    const uint8_t *out = NULL;
    if (blob->bytes || blob->packed) {
        const uint8_t *content = read_record(self);
        if (!content) {
            note_corrupt(self, 0, "record");
        }
        return content ? content + offset : NULL;
    }
    vln_err_t err = blob->has_pieces ? read_pieces(self, offset, size, &out, &bad)
                                     : read_unproved(self, offset, size, &out);
    if (err == VLN_DATA_LOSS) {
        note_corrupt(self, bad, "file");
    } else if (err == VLN_UNAVAILABLE) {
        vln_call_refuse(self->call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "this registry does not see the artifact folder: is its disk there?");
    } else if (err != VLN_OK) {
        vln_call_refuse_store(self->call, err);
    }
    return err == VLN_OK ? out : NULL;
}

/* ---- calls ---- */

/* The next reader finds a whole chunk in the cache. What was wrong there is replaced so. */
static void
keep_chunk(const reading_t *self, int64_t offset, const uint8_t *bytes, int64_t size)
{
    const registry_stored_t *blob = &self->blob;
    int64_t left = blob->size_bytes - offset;
    int64_t whole = left < VLN_CACHE_CHUNK ? left : VLN_CACHE_CHUNK;
    if (blob->size_bytes <= VLN_CACHE_MAX_BYTES && offset % VLN_CACHE_CHUNK == 0 && size == whole) {
        vln_cache_put(self->worker->cache, blob->digest, offset / VLN_CACHE_CHUNK, bytes,
                      (size_t)size);
    }
}

/* False, and the call refused, unless there are bytes that may be read from there. */
static bool
find_stored(reading_t *self, const ProtobufCBinaryData *digest, int64_t offset)
{
    vln_call_t *call = self->call;
    if (!check_digest(call, digest)) {
        return false;
    }
    vln_err_t err = registry_blobs_find(self->worker->store, call->arena, digest->data,
                                        offset / PIECE_BYTES, &self->blob);
    if (err != VLN_OK) {
        refuse_find(call, err);
        return false;
    }
    if (offset < 0 || offset > self->blob.size_bytes) {
        vln_call_refuse(call, VLN_OUT_OF_RANGE, VALION__V1__REASON__REASON_FIELD,
                        "the artifact has %lld bytes; offset %lld is past its end",
                        (long long)self->blob.size_bytes, (long long)offset);
        return false;
    }
    if (self->blob.is_corrupt) {
        registry_blob_refuse_corrupt(call, digest->data);
        return false;
    }
    return true;
}

void
registry_get_chunk(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetChunkRequest *request = (const void *)call->request;
    reading_t reading = {.worker = worker, .call = call};
    if (!find_stored(&reading, &request->digest, request->offset)) {
        return;
    }
    int64_t left = reading.blob.size_bytes - request->offset;
    int64_t size = request->has_size_bytes ? request->size_bytes : REGISTRY_CHUNK_MAX;
    size = size < left ? size : left;
    size = size < REGISTRY_CHUNK_MAX ? size : REGISTRY_CHUNK_MAX;
    const uint8_t *bytes = read_range(&reading, request->offset, size);
    if (bytes) {
        NEW(call->arena, Valion__V1__GetChunkReply, reply, valion__v1__get_chunk_reply__init);
        reply->has_total_bytes = 1;
        reply->total_bytes = reading.blob.size_bytes;
        keep_chunk(&reading, request->offset, bytes, size);
        vln_call_reply(call, &reply->base);
        vln_call_reply_raw(call, bytes, (size_t)size);
    }
}

void
registry_get_artifact_info(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetArtifactInfoRequest *request = (const void *)call->request;
    registry_blob_t blob;
    if (!check_digest(call, &request->digest)) {
        return;
    }
    vln_err_t err = registry_store_find_blob(self->store, call->arena, request->digest.data, &blob);
    if (err != VLN_OK) {
        refuse_find(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__GetArtifactInfoReply, reply,
        valion__v1__get_artifact_info_reply__init);
    reply->has_size_bytes = reply->has_created_us = reply->has_references = 1;
    reply->has_stored_bytes = 1;
    reply->size_bytes = blob.size_bytes;
    reply->stored_bytes = blob.stored_bytes;
    reply->media_type = registry_borrowed(blob.media_type);
    reply->created_us = blob.created_us;
    reply->references = blob.references;
    reply->has_corrupt_us = blob.corrupt_us != 0;
    reply->corrupt_us = blob.corrupt_us;
    vln_call_reply(call, &reply->base);
}
