/*
 * Uploads: bytes too large for a call come in chunks, to any registry, in any order.
 *
 * Chunks are written to the upload's file and noted in its row in one transaction that holds the
 * row: once CommitUpload has closed the upload, no chunk can still be on its way to the file, so
 * what was checked is what is kept. All three calls can be repeated: they go by content and place.
 *
 * Chunks that wait together are one transaction, and its commit does not wait for the disk. What a
 * crash of PostgreSQL forgets so is that some chunks came: CommitUpload then finds a gap and says
 * so, BeginUpload says where to go on. What a crash of the host loses of the file, CommitUpload
 * finds as well, because it reads all of it; only after it are bytes promised to be there.
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

enum { UPLOADS_MAX = 64, MEDIA_TYPE_MAX = 128, COMMIT_AGAIN_MS = 500 };

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
    vln_err_t err = registry_store_find_blob(self->store, call->arena, request->digest.data, &blob);
    registry_upload_t upload = {.id = vln_id_new(),
                                .size_bytes = request->size_bytes,
                                .media_type = request->media_type ? request->media_type : "",
                                .author = call->ticket ? call->ticket->submitter : call->principal};
    memcpy(upload.digest, request->digest.data, VLN_DIGEST_BYTES);
    bool mends = err == VLN_OK && blob.corrupt_us;
    if (err == VLN_NOT_FOUND || mends) {
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

/* Calls of one upload. */
typedef struct puts {
    registry_worker_t *worker;
    vln_id_t id;
    vln_call_t *calls[VLN_BATCH_MAX];
    size_t count;
    registry_upload_t upload;
} puts_t;

/* In the transaction that holds the upload. */
static vln_err_t
write_chunks(puts_t *self)
{
    registry_upload_t *upload = &self->upload;
    const char *folder = self->worker->registry->config->path;
    uint8_t *chunks = vln_arena_memdup(self->calls[0]->arena, upload->chunks, upload->chunks_size);
    upload->chunks = chunks;
    for (size_t i = 0; i < self->count; i++) {
        vln_call_t *call = self->calls[i];
        int64_t offset = ((const Valion__V1__PutChunkRequest *)(const void *)call->request)->offset;
        if (!check_place(call, upload, offset)) {
            continue;
        }
        vln_err_t err = registry_files_write(folder, &self->id, offset, call->raw, call->raw_size);
        if (err != VLN_OK) {
            return err;
        }
        int64_t chunk = offset / REGISTRY_UPLOAD_CHUNK;
        chunks[chunk / 8] |= (uint8_t)(1u << chunk % 8);
    }
    return registry_uploads_mark(self->worker->store, upload);
}

static vln_err_t
put(puts_t *self)
{
    registry_store_t *store = self->worker->store;
    vln_err_t err = registry_store_begin(store);
    err = err == VLN_OK
              ? registry_uploads_lock(store, self->calls[0]->arena, &self->id, &self->upload)
              : err;
    err = err == VLN_OK ? write_chunks(self) : err;
    err = err == VLN_OK ? registry_store_commit(store) : err;
    registry_store_rollback(store);
    return err;
}

static void
answer_put(vln_call_t *call, vln_err_t err, int64_t held)
{
    if (vln_call_is_refused(call)) {
        return;
    }
    if (err == VLN_NOT_FOUND) {
        refuse_no_upload(call);
    } else if (err == VLN_RESOURCE_EXHAUSTED) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_QUOTA,
                        "the disk of the artifact folder is full: nothing of this chunk was kept");
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else {
        NEW(call->arena, Valion__V1__PutChunkReply, reply, valion__v1__put_chunk_reply__init);
        reply->has_offset = 1;
        reply->offset = held;
        vln_call_reply(call, &reply->base);
    }
}

/* Takes the first call, and those of the same upload, out of `calls`; how many are left there. */
static size_t
take_puts(puts_t *self, vln_call_t **calls, size_t count)
{
    size_t left = 0;
    self->count = 0;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__PutChunkRequest *request = (const void *)calls[i]->request;
        vln_id_t id;
        if (!read_upload_id(calls[i], &request->upload_id, &id)) {
            continue;
        }
        if (self->count == 0) {
            self->id = id;
        }
        if (memcmp(id.bytes, self->id.bytes, VLN_ID_BYTES) == 0) {
            self->calls[self->count++] = calls[i];
        } else {
            calls[left++] = calls[i];
        }
    }
    return left;
}

/* One transaction an upload: several at once could wait for each other. */
void
registry_put_chunk(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *left[VLN_BATCH_MAX];
    memcpy(left, calls, count * sizeof *calls);
    while (count > 0) {
        puts_t puts = {.worker = worker};
        count = take_puts(&puts, left, count);
        if (puts.count == 0) {
            continue;
        }
        vln_err_t err = put(&puts);
        int64_t held = err == VLN_OK ? registry_upload_held(&puts.upload) : 0;
        for (size_t i = 0; i < puts.count; i++) {
            answer_put(puts.calls[i], err, held);
        }
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
    const char *folder = self->registry->config->path;
    registry_kept_t kept;
    registry_kept_as_t as = REGISTRY_KEPT_NOTHING;
    const registry_arrived_t arrived = {&upload->id, upload->digest, upload->size_bytes};
    vln_err_t err = registry_files_keep(folder, self->pack, &arrived, call->arena, &kept);
    if (err == VLN_DATA_LOSS) {
        refuse_corrupt(self, call, upload);
        return;
    }
    if (err == VLN_OK) {
        err = registry_uploads_keep(self->store, call->arena, upload, &kept, vln_call_actor(call),
                                    &as);
    }
    if (err == VLN_NOT_FOUND) {
        err =
            VLN_OK; /* a registry that lost its connection to the record, or is older, came first */
    }
    if (err == VLN_RESOURCE_EXHAUSTED) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_QUOTA,
                        "the disk of the artifact folder is full: make room and commit again");
        return;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    registry_files_drop(folder, &upload->id);
    if (as != REGISTRY_KEPT_NOTHING) {
        registry_files_drop_other(folder, upload->digest, kept.framed);
    }
    answer_commit(call, upload->digest, upload->size_bytes);
}

/* The upload is over: the same call may have ended it. */
static void
answer_again(registry_worker_t *self, vln_call_t *call, const ProtobufCBinaryData *digest)
{
    registry_blob_t blob;
    vln_err_t err = digest->len == VLN_DIGEST_BYTES
                        ? registry_store_find_blob(self->store, call->arena, digest->data, &blob)
                        : VLN_NOT_FOUND;
    if (err == VLN_NOT_FOUND || (err == VLN_OK && blob.corrupt_us)) {
        refuse_no_upload(call);
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else {
        answer_commit(call, digest->data, blob.size_bytes);
    }
}

/* By the one that has it to itself. */
static void
commit(registry_worker_t *self, vln_call_t *call, const vln_id_t *id)
{
    const Valion__V1__CommitUploadRequest *request = (const void *)call->request;
    registry_upload_t upload;
    vln_err_t err = registry_uploads_find(self->store, call->arena, id, &upload);
    if (err == VLN_OK && registry_upload_held(&upload) < upload.size_bytes) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "%lld of %lld bytes came without a gap: put the others first",
                        (long long)registry_upload_held(&upload), (long long)upload.size_bytes);
        return;
    }
    err = err == VLN_OK ? registry_uploads_close(self->store, id) : err;
    if (err == VLN_NOT_FOUND) {
        answer_again(self, call, &request->digest);
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else {
        keep(self, call, &upload);
    }
}

/* One call at a time reads the bytes: who repeats it meanwhile is told to come back. */
void
registry_commit_upload(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__CommitUploadRequest *request = (const void *)call->request;
    vln_id_t id;
    if (!read_upload_id(call, &request->upload_id, &id)) {
        return;
    }
    vln_err_t err = registry_uploads_try(self->store, &id);
    if (err == VLN_ABORTED) {
        vln_call_refuse(call, VLN_UNAVAILABLE, VALION__V1__REASON__REASON_BUSY,
                        "this upload is being checked: ask again in a moment");
        call->retry_after_ms = COMMIT_AGAIN_MS;
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    } else {
        commit(self, call, &id);
        registry_uploads_leave(self->store, &id);
    }
}
