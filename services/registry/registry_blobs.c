#include <string.h>

#include "vln_log.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_files.h"
#include "registry_handlers.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

/* False, and the call refused, unless there are bytes of this digest. */
static bool
find_blob(registry_worker_t *self, vln_call_t *call, const ProtobufCBinaryData *digest,
          bool with_bytes, registry_blob_t *out)
{
    if (digest->len != VLN_DIGEST_BYTES) {
        vln_call_refuse_field(call, "digest", "a digest is the %d bytes of a SHA-256",
                              VLN_DIGEST_BYTES);
        return false;
    }
    vln_err_t err =
        registry_store_find_blob(self->store, call->arena, digest->data, with_bytes, out);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "no bytes of this digest are stored here; those of a version are its "
                        "artifacts', which 'valion version show MODEL@VERSION' lists");
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    }
    return err == VLN_OK;
}

static bool
verify_blob(vln_call_t *call, const registry_blob_t *blob)
{
    uint8_t digest[VLN_DIGEST_BYTES];
    vln_digest(blob->bytes, (size_t)blob->size_bytes, digest);
    if (memcmp(digest, blob->digest, sizeof digest) == 0) {
        return true;
    }
    char hex[2 * VLN_DIGEST_BYTES + 1];
    vln_error("artifact.corrupt",
              kv_str("digest", vln_hex_encode(blob->digest, sizeof digest, hex)));
    vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                    "the stored bytes do not have the digest %s: restore them from a backup", hex);
    return false;
}

/* A piece of a file; the reader, who has all of them, checks the digest. NULL, and the call refused,
 * if the file is not what was kept. */
static const uint8_t *
read_file(const registry_worker_t *self, vln_call_t *call, const registry_blob_t *blob,
          int64_t offset, int64_t size)
{
    uint8_t *bytes = vln_arena_alloc(call->arena, (size_t)size + 1);
    vln_err_t err = registry_files_read(self->registry->config->path, blob->digest, offset, bytes,
                                        (size_t)size);
    if (err == VLN_DATA_LOSS) {
        char hex[2 * VLN_DIGEST_BYTES + 1];
        vln_hex_encode(blob->digest, VLN_DIGEST_BYTES, hex);
        vln_error("artifact.corrupt", kv_str("digest", hex));
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_CORRUPT,
                        "the file of the artifact %s is gone or too short: restore it from a "
                        "backup",
                        hex);
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    }
    return err == VLN_OK ? bytes : NULL;
}

/* The next reader finds a whole chunk in the cache. What was wrong there is replaced so. */
static void
keep_chunk(registry_worker_t *self, const registry_blob_t *blob, int64_t offset,
           const uint8_t *bytes, int64_t size)
{
    int64_t left = blob->size_bytes - offset;
    int64_t whole = left < VLN_CACHE_CHUNK ? left : VLN_CACHE_CHUNK;
    if (blob->size_bytes <= VLN_CACHE_MAX_BYTES && offset % VLN_CACHE_CHUNK == 0 && size == whole) {
        vln_cache_put(self->cache, blob->digest, offset / VLN_CACHE_CHUNK, bytes, (size_t)size);
    }
}

void
registry_get_chunk(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetChunkRequest *request = (const void *)call->request;
    registry_worker_t *self = worker;
    registry_blob_t blob;
    if (!find_blob(self, call, &request->digest, true, &blob) ||
        (blob.bytes && !verify_blob(call, &blob))) {
        return;
    }
    if (request->offset < 0 || request->offset > blob.size_bytes) {
        vln_call_refuse(call, VLN_OUT_OF_RANGE, VALION__V1__REASON__REASON_FIELD,
                        "the artifact has %lld bytes; offset %lld is past its end",
                        (long long)blob.size_bytes, (long long)request->offset);
        return;
    }
    int64_t left = blob.size_bytes - request->offset;
    int64_t size = request->has_size_bytes ? request->size_bytes : REGISTRY_CHUNK_MAX;
    size = size < left ? size : left;
    size = size < REGISTRY_CHUNK_MAX ? size : REGISTRY_CHUNK_MAX;
    NEW(call->arena, Valion__V1__GetChunkReply, reply, valion__v1__get_chunk_reply__init);
    reply->has_total_bytes = 1;
    reply->total_bytes = blob.size_bytes;
    const uint8_t *bytes = blob.bytes ? blob.bytes + request->offset
                                      : read_file(self, call, &blob, request->offset, size);
    if (bytes) {
        keep_chunk(self, &blob, request->offset, bytes, size);
        vln_call_reply(call, &reply->base);
        vln_call_reply_raw(call, bytes, (size_t)size);
    }
}

void
registry_get_artifact_info(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetArtifactInfoRequest *request = (const void *)call->request;
    registry_blob_t blob;
    if (!find_blob(worker, call, &request->digest, false, &blob)) {
        return;
    }
    NEW(call->arena, Valion__V1__GetArtifactInfoReply, reply,
        valion__v1__get_artifact_info_reply__init);
    reply->has_size_bytes = reply->has_created_us = reply->has_references = 1;
    reply->size_bytes = blob.size_bytes;
    reply->media_type = registry_borrowed(blob.media_type);
    reply->created_us = blob.created_us;
    reply->references = blob.references;
    vln_call_reply(call, &reply->base);
}
