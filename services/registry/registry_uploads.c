/*
 * Uploads: bytes too large for a call come in chunks, to any registry, in any order.
 *
 * A chunk is noted in the upload's row and written to its file in one transaction that holds the
 * row: once CommitUpload has closed the upload, no chunk can still be on its way to the file, so
 * what was checked is what is kept. All three calls can be repeated: they go by content and place.
 */
#include <string.h>

#include "vln_log.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_files.h"
#include "registry_handlers.h"
#include "registry_uploads_store.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum { UPLOADS_MAX = 64, MEDIA_TYPE_MAX = 128 };

/* Kept free beside what open uploads may still bring, for everything else on that disk. */
static const int64_t RESERVE_BYTES = 64LL * 1024 * 1024;

static int64_t
artifact_max(const registry_worker_t *self)
{
    return self->registry->config->max_artifact_mib * 1024 * 1024;
}

static bool
check_begin(registry_worker_t *self, vln_call_t *call,
            const Valion__V1__BeginUploadRequest *request)
{
    if (request->digest.len != VLN_DIGEST_BYTES) {
        vln_call_refuse_field(call, "digest", "a digest is the %d bytes of a SHA-256",
                              VLN_DIGEST_BYTES);
        return false;
    }
    if (request->size_bytes < 1 || request->size_bytes > artifact_max(self)) {
        vln_call_refuse_field(call, "size_bytes",
                              "an artifact has 1 to %lld bytes here (--max-artifact-mib)",
                              (long long)artifact_max(self));
        return false;
    }
    return registry_check_text(call, "media_type", request->media_type, MEDIA_TYPE_MAX);
}

/* True if there is room for one more; else the call is refused, or `*err` says why. */
static bool
has_room(registry_worker_t *self, vln_call_t *call, const char *author, int64_t size,
         vln_err_t *err)
{
    int64_t uploads = 0;
    int64_t announced = 0;
    *err = registry_uploads_count(self->store, author, &uploads, &announced);
    if (*err != VLN_OK) {
        return false;
    }
    if (uploads >= UPLOADS_MAX) {
        vln_call_refuse(call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_QUOTA,
                        "'%s' has %d uploads open: commit them, or wait a day until they go",
                        author, UPLOADS_MAX);
        return false;
    }
    int64_t left = registry_files_free(self->registry->config->path) - RESERVE_BYTES - announced;
    if (size > left) {
        vln_call_refuse(call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_QUOTA,
                        "the disk of the artifact folder has no room for %lld more bytes: free "
                        "some, or give the registry a larger one",
                        (long long)size);
        return false;
    }
    return true;
}

static vln_err_t
begin(registry_worker_t *self, vln_call_t *call, registry_upload_t *upload)
{
    vln_err_t err = registry_uploads_find_content(self->store, call->arena, upload);
    if (err == VLN_NOT_FOUND && has_room(self, call, upload->author, upload->size_bytes, &err)) {
        err = registry_uploads_begin(self->store, call->arena, upload);
    }
    return err;
}

void
registry_begin_upload(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__BeginUploadRequest *request = (const void *)call->request;
    registry_blob_t blob;
    if (!check_begin(self, call, request)) {
        return;
    }
    NEW(call->arena, Valion__V1__BeginUploadReply, reply, valion__v1__begin_upload_reply__init);
    vln_err_t err =
        registry_store_find_blob(self->store, call->arena, request->digest.data, false, &blob);
    registry_upload_t upload = {.id = vln_id_new(),
                                .size_bytes = request->size_bytes,
                                .media_type = request->media_type ? request->media_type : "",
                                .author = call->ticket ? call->ticket->submitter : call->principal};
    memcpy(upload.digest, request->digest.data, VLN_DIGEST_BYTES);
    if (err == VLN_NOT_FOUND) {
        err = begin(self, call, &upload);
        reply->has_upload_id = reply->has_offset = 1;
        reply->upload_id = (ProtobufCBinaryData){
            VLN_ID_BYTES, vln_arena_memdup(call->arena, upload.id.bytes, VLN_ID_BYTES)};
        reply->offset = err == VLN_OK && upload.chunks ? registry_upload_held(&upload) : 0;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else if (!vln_call_is_refused(call)) {
        vln_call_reply(call, &reply->base);
    }
}

static void
refuse_no_upload(vln_call_t *call)
{
    vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_STATE,
                    "this upload is not open: it was committed, or dropped after a day; "
                    "BeginUpload says what is there");
}

static bool
read_upload_id(vln_call_t *call, const ProtobufCBinaryData *bytes, vln_id_t *out)
{
    if (bytes->len != VLN_ID_BYTES) {
        vln_call_refuse_field(call, "upload_id", "as BeginUpload gave it: %d bytes", VLN_ID_BYTES);
        return false;
    }
    memcpy(out->bytes, bytes->data, VLN_ID_BYTES);
    return true;
}

/* Chunks have their places; the last one is what is left. */
static bool
check_place(vln_call_t *call, const registry_upload_t *upload, int64_t offset)
{
    int64_t left = upload->size_bytes - offset;
    int64_t size = left < REGISTRY_UPLOAD_CHUNK ? left : REGISTRY_UPLOAD_CHUNK;
    if (offset >= 0 && offset < upload->size_bytes && offset % REGISTRY_UPLOAD_CHUNK == 0 &&
        (int64_t)call->raw_size == size) {
        return true;
    }
    vln_call_refuse_field(call, "offset",
                          "chunks begin at multiples of %d and are that long, but for the last; "
                          "this upload has %lld bytes",
                          REGISTRY_UPLOAD_CHUNK, (long long)upload->size_bytes);
    return false;
}

static vln_err_t
put(registry_worker_t *self, vln_call_t *call, const vln_id_t *id, int64_t offset,
    registry_upload_t *upload)
{
    vln_err_t err = registry_uploads_find(self->store, call->arena, id, upload);
    if (err != VLN_OK || !check_place(call, upload, offset)) {
        return err;
    }
    err = registry_store_begin(self->store);
    if (err == VLN_OK) {
        err = registry_uploads_mark(self->store, call->arena, id, offset / REGISTRY_UPLOAD_CHUNK,
                                    upload);
    }
    if (err == VLN_OK) {
        err = registry_files_write(self->registry->config->path, id, offset, call->raw,
                                   call->raw_size);
    }
    err = err == VLN_OK ? registry_store_commit(self->store) : err;
    registry_store_rollback(self->store);
    return err;
}

void
registry_put_chunk(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__PutChunkRequest *request = (const void *)call->request;
    registry_upload_t upload;
    vln_id_t id;
    if (!read_upload_id(call, &request->upload_id, &id)) {
        return;
    }
    vln_err_t err = put(worker, call, &id, request->offset, &upload);
    if (err == VLN_NOT_FOUND) {
        refuse_no_upload(call);
    } else if (err == VLN_RESOURCE_EXHAUSTED) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_QUOTA,
                        "the disk of the artifact folder is full: nothing of this chunk was kept");
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else if (!vln_call_is_refused(call)) {
        NEW(call->arena, Valion__V1__PutChunkReply, reply, valion__v1__put_chunk_reply__init);
        reply->has_offset = 1;
        reply->offset = registry_upload_held(&upload);
        vln_call_reply(call, &reply->base);
    }
}

static void
answer_commit(vln_call_t *call, const uint8_t *digest, int64_t size_bytes)
{
    NEW(call->arena, Valion__V1__CommitUploadReply, reply, valion__v1__commit_upload_reply__init);
    reply->has_digest = reply->has_size_bytes = 1;
    reply->digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES,
                                          vln_arena_memdup(call->arena, digest, VLN_DIGEST_BYTES)};
    reply->size_bytes = size_bytes;
    vln_call_reply(call, &reply->base);
}

static void
refuse_corrupt(registry_worker_t *self, vln_call_t *call, const registry_upload_t *upload)
{
    registry_files_drop(self->registry->config->path, &upload->id);
    vln_err_t err = registry_uploads_reset(self->store, &upload->id);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                    "the bytes that came do not have the digest that was announced: send them "
                    "again from the start");
}

/* Checked without a transaction: that takes seconds for gigabytes. */
static void
keep(registry_worker_t *self, vln_call_t *call, const registry_upload_t *upload)
{
    vln_err_t err = registry_files_keep(self->registry->config->path, &upload->id,
                                        upload->size_bytes, upload->digest);
    if (err == VLN_DATA_LOSS) {
        refuse_corrupt(self, call, upload);
        return;
    }
    if (err == VLN_OK) {
        err = registry_uploads_keep(self->store, call->arena, upload, vln_call_actor(call));
    }
    if (err == VLN_NOT_FOUND) {
        err = VLN_OK; /* the same call, at another registry, came first */
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    answer_commit(call, upload->digest, upload->size_bytes);
}

/* The upload is over: the same call may have ended it. */
static void
answer_again(registry_worker_t *self, vln_call_t *call, const ProtobufCBinaryData *digest)
{
    registry_blob_t blob;
    vln_err_t err =
        digest->len == VLN_DIGEST_BYTES
            ? registry_store_find_blob(self->store, call->arena, digest->data, false, &blob)
            : VLN_NOT_FOUND;
    if (err == VLN_NOT_FOUND) {
        refuse_no_upload(call);
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else {
        answer_commit(call, digest->data, blob.size_bytes);
    }
}

void
registry_commit_upload(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__CommitUploadRequest *request = (const void *)call->request;
    registry_upload_t upload;
    vln_id_t id;
    if (!read_upload_id(call, &request->upload_id, &id)) {
        return;
    }
    vln_err_t err = registry_uploads_find(self->store, call->arena, &id, &upload);
    if (err == VLN_OK && registry_upload_held(&upload) < upload.size_bytes) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "%lld of %lld bytes came without a gap: put the others first",
                        (long long)registry_upload_held(&upload), (long long)upload.size_bytes);
        return;
    }
    err = err == VLN_OK ? registry_uploads_close(self->store, &id) : err;
    if (err == VLN_NOT_FOUND) {
        answer_again(self, call, &request->digest);
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else {
        keep(self, call, &upload);
    }
}
