#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <valion/v1/registry.pb-c.h>

#include "cli_file_inside.h"

enum {
    ROUNDS = 3, /* a record that crashed forgets chunks that came last: they are sent again */
    COMMIT_MS = 600 * 1000,
    COMMIT_ATTEMPT_MS = 60 * 1000, /* gigabytes are read before the reply */
};

typedef struct sending sending_t;

/* A call in flight. */
typedef struct put {
    sending_t *sending;
    uint8_t *block;
    size_t size; /* 0: free */
} put_t;

struct sending {
    cli_t *cli;
    cli_file_t *file;
    uint8_t id[VLN_ID_BYTES];
    int64_t next;    /* of the file, to be sent */
    int64_t arrived; /* bytes */
    size_t in_flight;
    cli_exit_t code;
    put_t puts[CLI_WINDOW];
};

static cli_exit_t
begin_upload(sending_t *self, bool *stored)
{
    Valion__V1__BeginUploadRequest message = VALION__V1__BEGIN_UPLOAD_REQUEST__INIT;
    cli_file_t *file = self->file;
    message.has_digest = message.has_size_bytes = 1;
    message.digest = (ProtobufCBinaryData){.len = sizeof file->digest, .data = file->digest};
    message.size_bytes = file->size_bytes;
    message.media_type = (char *)(uintptr_t)file->media_type;
    const cli_request_t request = {
        .service = "registry", .method = "BeginUpload", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(self->cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__BeginUploadReply *begun = (const void *)reply.message;
        *stored = begun->upload_id.len != VLN_ID_BYTES;
        self->next = self->arrived = begun->offset;
        if (!*stored) {
            memcpy(self->id, begun->upload_id.data, VLN_ID_BYTES);
        }
    }
    vln_reply_wipe(&reply);
    return code;
}

static void
end_put(void *context, vln_err_t err, vln_reply_t *reply)
{
    put_t *put = context;
    sending_t *self = put->sending;
    self->in_flight--;
    if (err == VLN_OK) {
        self->arrived += (int64_t)put->size;
        cli_file_show_progress(self->file->path, self->arrived, self->file->size_bytes);
    } else if (self->code == CLI_OK) {
        self->code = cli_fail_with(self->cli, err, reply->why, NULL);
    }
    put->size = 0;
}

static void
start_put(sending_t *self, put_t *put)
{
    int64_t left = self->file->size_bytes - self->next;
    size_t size = (size_t)(left < CLI_CHUNK ? left : CLI_CHUNK);
    if (pread(fileno(self->file->stream), put->block, size, (off_t)self->next) != (ssize_t)size) {
        self->code = cli_fail(CLI_FAILED, "%s: changed while it was sent", self->file->path);
        return;
    }
    Valion__V1__PutChunkRequest message = VALION__V1__PUT_CHUNK_REQUEST__INIT;
    message.has_upload_id = message.has_offset = 1;
    message.upload_id = (ProtobufCBinaryData){.len = sizeof self->id, .data = self->id};
    message.offset = self->next;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "PutChunk",
                                  .request = &message.base,
                                  .reply_type = &valion__v1__put_chunk_reply__descriptor,
                                  .timeout_ms = self->cli->timeout_ms,
                                  .raw = put->block,
                                  .raw_size = size};
    vln_err_t err = vln_calls_start(vln_client_calls(self->cli->client), &spec, end_put, put);
    vln_assert(err == VLN_OK); /* far fewer than VLN_CALLS_MAX */
    put->size = size;
    self->next += (int64_t)size;
    self->in_flight++;
}

/* What follows `next`, as many chunks at once as the window has. */
static cli_exit_t
put_chunks(sending_t *self)
{
    vln_calls_t *calls = vln_client_calls(self->cli->client);
    while (self->in_flight > 0 || (self->code == CLI_OK && self->next < self->file->size_bytes)) {
        if (*self->cli->stop && self->code == CLI_OK) {
            self->code = CLI_INTERRUPTED;
        }
        if (self->code != CLI_OK) {
            vln_calls_cancel(calls);
        }
        for (size_t i = 0; i < CLI_WINDOW && self->code == CLI_OK; i++) {
            if (self->puts[i].size == 0 && self->next < self->file->size_bytes) {
                start_put(self, &self->puts[i]);
            }
        }
        vln_calls_poll(calls, CLI_POLL_MS, NULL, 0);
    }
    return self->code;
}

/* `*again`: chunks are missing after all. */
static cli_exit_t
commit_upload(sending_t *self, bool *again)
{
    cli_file_t *file = self->file;
    Valion__V1__CommitUploadRequest message = VALION__V1__COMMIT_UPLOAD_REQUEST__INIT;
    message.has_upload_id = message.has_digest = 1;
    message.upload_id = (ProtobufCBinaryData){.len = sizeof self->id, .data = self->id};
    message.digest = (ProtobufCBinaryData){.len = sizeof file->digest, .data = file->digest};
    const cli_request_t request = {.service = "registry",
                                   .method = "CommitUpload",
                                   .message = &message.base,
                                   .timeout_ms = COMMIT_MS,
                                   .attempt_ms = COMMIT_ATTEMPT_MS};
    vln_reply_t reply;
    vln_err_t err = cli_try(self->cli, &request, &reply);
    *again = *again && err == VLN_FAILED_PRECONDITION;
    cli_exit_t code =
        err == VLN_OK || *again ? CLI_OK : cli_fail_with(self->cli, err, reply.why, NULL);
    vln_reply_wipe(&reply);
    return code;
}

cli_exit_t
cli_file_send(cli_t *cli, cli_file_t *file)
{
    bool stored = false;
    bool again = true;
    sending_t sending = {.cli = cli, .file = file};
    uint8_t *blocks = vln_calloc(CLI_WINDOW, CLI_CHUNK);
    for (size_t i = 0; i < CLI_WINDOW; i++) {
        sending.puts[i] = (put_t){.sending = &sending, .block = blocks + i * CLI_CHUNK};
    }
    for (int round = 1; again && !stored && sending.code == CLI_OK; round++) {
        again = round < ROUNDS;
        sending.code = begin_upload(&sending, &stored);
        if (sending.code == CLI_OK && !stored) {
            put_chunks(&sending);
        }
        if (sending.code == CLI_OK && !stored) {
            sending.code = commit_upload(&sending, &again);
        }
    }
    free(blocks);
    return sending.code;
}
