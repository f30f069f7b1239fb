#include "vln_artifacts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_text.h"

#include "valion/v1/registry.pb-c.h"

enum { CALL_MS = 30000 };

struct vln_artifacts {
    vln_client_t *client;
    vln_cache_t *cache;
};

void
vln_bytes_end(vln_bytes_t *self)
{
    free(self->data);
    *self = (vln_bytes_t){0};
}

vln_artifacts_t *
vln_artifacts_open(vln_client_t *client, const vln_cache_options_t *cache)
{
    vln_artifacts_t *self = vln_calloc(1, sizeof *self);
    self->client = client;
    self->cache = vln_cache_open(cache);
    return self;
}

void
vln_artifacts_close(vln_artifacts_t **self_p)
{
    if (*self_p) {
        vln_cache_close(&(*self_p)->cache);
        free(*self_p);
        *self_p = NULL;
    }
}

vln_cache_counts_t
vln_artifacts_counts(const vln_artifacts_t *self)
{
    return vln_cache_counts(self->cache);
}

static vln_err_t
say(char why[VLN_ARTIFACTS_WHY], vln_err_t err, const char *text)
{
    vln_text_copy(why, VLN_ARTIFACTS_WHY, text);
    return err;
}

static ProtobufCBinaryData
borrow(const uint8_t *bytes, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)bytes};
}

/* A call of the registry; `why` says why not. */
static vln_err_t
ask(vln_artifacts_t *self, vln_call_spec_t spec, vln_reply_t *reply, char why[VLN_ARTIFACTS_WHY])
{
    spec.service = "registry";
    spec.timeout_ms = CALL_MS;
    vln_err_t err = vln_client_call(self->client, &spec, reply);
    return err == VLN_OK ? err : say(why, err, reply->why);
}

/* ---- reading ---- */

static vln_err_t
find_size(vln_artifacts_t *self, const uint8_t *digest, int64_t max_bytes, size_t *size,
          char why[VLN_ARTIFACTS_WHY])
{
    Valion__V1__GetArtifactInfoRequest request = VALION__V1__GET_ARTIFACT_INFO_REQUEST__INIT;
    request.has_digest = 1;
    request.digest = borrow(digest, VLN_DIGEST_BYTES);
    const vln_call_spec_t spec = {.method = "GetArtifactInfo",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_artifact_info_reply__descriptor};
    vln_reply_t reply;
    vln_err_t err = ask(self, spec, &reply, why);
    if (err == VLN_OK) {
        int64_t bytes =
            ((const Valion__V1__GetArtifactInfoReply *)(const void *)reply.message)->size_bytes;
        if (bytes < 0 || bytes > max_bytes) {
            snprintf(why, VLN_ARTIFACTS_WHY,
                     "the artifact has %lld bytes, and at most %lld are "
                     "taken here",
                     (long long)bytes, (long long)max_bytes);
            err = VLN_RESOURCE_EXHAUSTED;
        }
        *size = (size_t)bytes;
    }
    vln_reply_wipe(&reply);
    return err;
}

static vln_err_t
get_chunk(vln_artifacts_t *self, const uint8_t *digest, size_t offset, uint8_t *out, size_t size,
          char why[VLN_ARTIFACTS_WHY])
{
    Valion__V1__GetChunkRequest request = VALION__V1__GET_CHUNK_REQUEST__INIT;
    request.has_digest = request.has_offset = request.has_size_bytes = 1;
    request.digest = borrow(digest, VLN_DIGEST_BYTES);
    request.offset = (int64_t)offset;
    request.size_bytes = (uint32_t)size;
    const vln_call_spec_t spec = {.method = "GetChunk",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_chunk_reply__descriptor};
    vln_reply_t reply;
    vln_err_t err = ask(self, spec, &reply, why);
    if (err == VLN_OK && reply.raw_size != size) {
        err = say(why, VLN_DATA_LOSS, "the registry gave fewer bytes than the artifact has");
    }
    if (err == VLN_OK) {
        memcpy(out, reply.raw, size);
    }
    vln_reply_wipe(&reply);
    return err;
}

/* All chunks; from the cache where `cached` and there. */
static vln_err_t
get_all(vln_artifacts_t *self, const uint8_t *digest, const vln_bytes_t *out, bool cached,
        char why[VLN_ARTIFACTS_WHY])
{
    vln_err_t err = VLN_OK;
    for (size_t at = 0; at < out->size && err == VLN_OK; at += VLN_CACHE_CHUNK) {
        size_t left = out->size - at;
        size_t size = left < VLN_CACHE_CHUNK ? left : VLN_CACHE_CHUNK;
        int64_t index = (int64_t)(at / VLN_CACHE_CHUNK);
        if (!cached || !vln_cache_get(self->cache, digest, index, out->data + at, size)) {
            err = get_chunk(self, digest, at, out->data + at, size, why);
        }
    }
    return err;
}

static bool
has_digest(const vln_bytes_t *bytes, const uint8_t *digest)
{
    uint8_t found[VLN_DIGEST_BYTES];
    vln_digest(bytes->data, bytes->size, found);
    return memcmp(found, digest, sizeof found) == 0;
}

vln_err_t
vln_artifacts_get(vln_artifacts_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t max_bytes,
                  vln_bytes_t *out, char why[VLN_ARTIFACTS_WHY])
{
    *out = (vln_bytes_t){0};
    vln_err_t err = find_size(self, digest, max_bytes, &out->size, why);
    if (err != VLN_OK) {
        out->size = 0;
        return err;
    }
    bool cached = (int64_t)out->size <= VLN_CACHE_MAX_BYTES;
    out->data = vln_calloc(1, out->size + 1);
    err = get_all(self, digest, out, cached, why);
    /* What the registry then gives replaces what is wrong in the cache. */
    if (err == VLN_OK && cached && !has_digest(out, digest)) {
        vln_warn("cache.corrupt", kv_str("detail", "asking the registry for the whole artifact"));
        err = get_all(self, digest, out, false, why);
    }
    if (err == VLN_OK && !has_digest(out, digest)) {
        err = say(why, VLN_DATA_LOSS,
                  "the bytes that came do not have their digest: the registry's file is damaged; "
                  "restore it from a backup");
    }
    if (err != VLN_OK) {
        vln_bytes_end(out);
    }
    return err;
}

/* ---- storing ---- */

typedef struct upload {
    vln_artifacts_t *artifacts;
    const uint8_t *bytes;
    size_t size;
    const void *ticket;
    uint8_t digest[VLN_DIGEST_BYTES];
    vln_id_t id;
    size_t offset; /* the registry holds what is before it */
    bool stored;
} upload_t;

static vln_err_t
begin(upload_t *self, const char *media_type, char why[VLN_ARTIFACTS_WHY])
{
    Valion__V1__BeginUploadRequest request = VALION__V1__BEGIN_UPLOAD_REQUEST__INIT;
    request.has_digest = request.has_size_bytes = 1;
    request.digest = borrow(self->digest, sizeof self->digest);
    request.size_bytes = (int64_t)self->size;
    request.media_type = (char *)(uintptr_t)media_type;
    const vln_call_spec_t spec = {.method = "BeginUpload",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__begin_upload_reply__descriptor,
                                  .ticket = self->ticket};
    vln_reply_t reply;
    vln_err_t err = ask(self->artifacts, spec, &reply, why);
    if (err == VLN_OK) {
        const Valion__V1__BeginUploadReply *begun = (const void *)reply.message;
        self->stored = begun->upload_id.len != VLN_ID_BYTES;
        if (!self->stored) {
            memcpy(self->id.bytes, begun->upload_id.data, VLN_ID_BYTES);
            self->offset = (size_t)begun->offset;
        }
    }
    vln_reply_wipe(&reply);
    return err;
}

static vln_err_t
put_chunk(upload_t *self, char why[VLN_ARTIFACTS_WHY])
{
    size_t left = self->size - self->offset;
    Valion__V1__PutChunkRequest request = VALION__V1__PUT_CHUNK_REQUEST__INIT;
    request.has_upload_id = request.has_offset = 1;
    request.upload_id = borrow(self->id.bytes, VLN_ID_BYTES);
    request.offset = (int64_t)self->offset;
    const vln_call_spec_t spec = {.method = "PutChunk",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__put_chunk_reply__descriptor,
                                  .ticket = self->ticket,
                                  .raw = self->bytes + self->offset,
                                  .raw_size = left < VLN_CACHE_CHUNK ? left : VLN_CACHE_CHUNK};
    vln_reply_t reply;
    vln_err_t err = ask(self->artifacts, spec, &reply, why);
    if (err == VLN_OK) {
        int64_t held = ((const Valion__V1__PutChunkReply *)(const void *)reply.message)->offset;
        bool moved = held > (int64_t)self->offset && held <= (int64_t)self->size;
        err = moved ? VLN_OK : say(why, VLN_INTERNAL, "the registry takes no more of the upload");
        self->offset = (size_t)held;
    }
    vln_reply_wipe(&reply);
    return err;
}

static vln_err_t
commit(upload_t *self, char why[VLN_ARTIFACTS_WHY])
{
    Valion__V1__CommitUploadRequest request = VALION__V1__COMMIT_UPLOAD_REQUEST__INIT;
    request.has_upload_id = request.has_digest = 1;
    request.upload_id = borrow(self->id.bytes, VLN_ID_BYTES);
    request.digest = borrow(self->digest, sizeof self->digest);
    const vln_call_spec_t spec = {.method = "CommitUpload",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__commit_upload_reply__descriptor,
                                  .ticket = self->ticket};
    vln_reply_t reply;
    vln_err_t err = ask(self->artifacts, spec, &reply, why);
    vln_reply_wipe(&reply);
    return err;
}

vln_err_t
vln_artifacts_put(vln_artifacts_t *self, const vln_artifact_t *artifact, const void *ticket,
                  uint8_t digest[VLN_DIGEST_BYTES], char why[VLN_ARTIFACTS_WHY])
{
    upload_t upload = {
        .artifacts = self, .bytes = artifact->bytes, .size = artifact->size, .ticket = ticket};
    vln_digest(artifact->bytes, artifact->size, upload.digest);
    memcpy(digest, upload.digest, VLN_DIGEST_BYTES);
    vln_err_t err = begin(&upload, artifact->media_type, why);
    while (err == VLN_OK && !upload.stored && upload.offset < upload.size) {
        err = put_chunk(&upload, why);
    }
    return err == VLN_OK && !upload.stored ? commit(&upload, why) : err;
}
