#include "cli_file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_socket.h"
#include "vln_text.h"

enum { CHUNK = VLN_RAW_MAX, PATH_ROOM = 4096 };

/* ---- up ---- */

static bool
hash_file(cli_file_t *self)
{
    uint8_t *block = vln_calloc(1, CHUNK);
    vln_digest_t *digest = vln_digest_begin();
    self->size_bytes = 0;
    for (size_t got; (got = fread(block, 1, CHUNK, self->stream)) > 0;) {
        vln_digest_add(digest, block, got);
        self->size_bytes += (int64_t)got;
    }
    vln_digest_end(&digest, self->digest);
    free(block);
    return !ferror(self->stream) && fseek(self->stream, 0, SEEK_SET) == 0;
}

bool
cli_file_open(const char *path, cli_file_t *out)
{
    struct stat about;
    *out = (cli_file_t){.path = path, .stream = fopen(path, "rb")};
    if (!out->stream) {
        cli_fail(CLI_USAGE, "%s: %s", path, strerror(errno));
        return false;
    }
    bool is_file = fstat(fileno(out->stream), &about) == 0 && S_ISREG(about.st_mode);
    if (!is_file || !hash_file(out)) {
        cli_fail(CLI_USAGE, "%s: %s", path, is_file ? strerror(errno) : "is no file");
        return false;
    }
    return true;
}

void
cli_file_close(cli_file_t *self)
{
    if (self->stream) {
        fclose(self->stream);
        self->stream = NULL;
    }
}

/* A line that is written over, where somebody looks. */
static void
show_progress(const char *path, int64_t done, int64_t total)
{
    if (isatty(STDERR_FILENO) && total > CHUNK) {
        fprintf(stderr, "\r%s: %d %%%s", path, (int)(done * 100 / total),
                done == total ? "\n" : "");
    }
}

static cli_exit_t
begin_upload(cli_t *cli, cli_file_t *file, uint8_t id[VLN_ID_BYTES], bool *stored, int64_t *offset)
{
    Valion__V1__BeginUploadRequest message = VALION__V1__BEGIN_UPLOAD_REQUEST__INIT;
    message.has_digest = message.has_size_bytes = 1;
    message.digest = (ProtobufCBinaryData){.len = sizeof file->digest, .data = file->digest};
    message.size_bytes = file->size_bytes;
    const cli_request_t request = {
        .service = "registry", .method = "BeginUpload", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        const Valion__V1__BeginUploadReply *begun = (const void *)reply.message;
        *stored = begun->upload_id.len != VLN_ID_BYTES;
        *offset = begun->offset;
        if (!*stored) {
            memcpy(id, begun->upload_id.data, VLN_ID_BYTES);
        }
    }
    vln_reply_wipe(&reply);
    return code;
}

/* One chunk from `*offset`, which moves to what the registry holds. */
static cli_exit_t
put_chunk(cli_t *cli, cli_file_t *file, ProtobufCBinaryData id, int64_t *offset, uint8_t *block)
{
    if (fseek(file->stream, (long)*offset, SEEK_SET) != 0) {
        return cli_fail(CLI_FAILED, "%s: %s", file->path, strerror(errno));
    }
    size_t size = fread(block, 1, CHUNK, file->stream);
    if (size == 0) {
        return cli_fail(CLI_FAILED, "%s: changed while it was sent", file->path);
    }
    Valion__V1__PutChunkRequest message = VALION__V1__PUT_CHUNK_REQUEST__INIT;
    message.has_upload_id = message.has_offset = 1;
    message.upload_id = id;
    message.offset = *offset;
    const cli_request_t request = {.service = "registry",
                                   .method = "PutChunk",
                                   .message = &message.base,
                                   .raw = block,
                                   .raw_size = size};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        int64_t held = ((const Valion__V1__PutChunkReply *)(const void *)reply.message)->offset;
        bool moved = held > *offset && held <= file->size_bytes;
        code = moved
                   ? CLI_OK
                   : cli_fail(CLI_FAILED, "%s: the registry does not take what follows %lld bytes",
                              file->path, (long long)held);
        *offset = held;
        show_progress(file->path, held, file->size_bytes);
    }
    vln_reply_wipe(&reply);
    return code;
}

static cli_exit_t
commit_upload(cli_t *cli, cli_file_t *file, ProtobufCBinaryData id)
{
    Valion__V1__CommitUploadRequest message = VALION__V1__COMMIT_UPLOAD_REQUEST__INIT;
    message.has_upload_id = message.has_digest = 1;
    message.upload_id = id;
    message.digest = (ProtobufCBinaryData){.len = sizeof file->digest, .data = file->digest};
    const cli_request_t request = {
        .service = "registry", .method = "CommitUpload", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    vln_reply_wipe(&reply);
    return code;
}

cli_exit_t
cli_file_send(cli_t *cli, cli_file_t *file)
{
    uint8_t id[VLN_ID_BYTES];
    bool stored = false;
    int64_t offset = 0;
    cli_exit_t code = begin_upload(cli, file, id, &stored, &offset);
    if (code != CLI_OK || stored) {
        return code;
    }
    const ProtobufCBinaryData upload_id = {.len = sizeof id, .data = id};
    uint8_t *block = vln_calloc(1, CHUNK);
    while (code == CLI_OK && offset < file->size_bytes) {
        code = *cli->stop ? CLI_INTERRUPTED : put_chunk(cli, file, upload_id, &offset, block);
    }
    free(block);
    return code == CLI_OK ? commit_upload(cli, file, upload_id) : code;
}

/* ---- down ---- */

/* The next bytes of an artifact, written and counted into the digest. */
static cli_exit_t
get_chunk(cli_t *cli, const uint8_t *digest, FILE *out, vln_digest_t *sum, int64_t *offset,
          int64_t *total)
{
    Valion__V1__GetChunkRequest message = VALION__V1__GET_CHUNK_REQUEST__INIT;
    message.has_digest = message.has_offset = 1;
    message.digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES, (uint8_t *)(uintptr_t)digest};
    message.offset = *offset;
    const cli_request_t request = {
        .service = "registry", .method = "GetChunk", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK) {
        *total = ((const Valion__V1__GetChunkReply *)(const void *)reply.message)->total_bytes;
        bool sane = reply.raw_size > 0 && *offset + (int64_t)reply.raw_size <= *total;
        if (!sane && *offset < *total) {
            code = cli_fail(CLI_FAILED, "the registry gave no bytes at %lld of %lld",
                            (long long)*offset, (long long)*total);
        } else if (fwrite(reply.raw, 1, reply.raw_size, out) != reply.raw_size) {
            code = cli_fail(CLI_FAILED, "cannot write: %s", strerror(errno));
        }
        vln_digest_add(sum, reply.raw, reply.raw_size);
        *offset += (int64_t)reply.raw_size;
    }
    vln_reply_wipe(&reply);
    return code;
}

static cli_exit_t
fetch_into(cli_t *cli, const uint8_t *digest, const char *path, FILE *out)
{
    uint8_t found[VLN_DIGEST_BYTES];
    vln_digest_t *sum = vln_digest_begin();
    int64_t offset = 0;
    int64_t total = 1;
    cli_exit_t code = CLI_OK;
    while (code == CLI_OK && offset < total) {
        code = *cli->stop ? CLI_INTERRUPTED : get_chunk(cli, digest, out, sum, &offset, &total);
        if (code == CLI_OK) {
            show_progress(path, offset, total);
        }
    }
    vln_digest_end(&sum, found);
    if (code == CLI_OK && memcmp(found, digest, sizeof found) != 0) {
        code = cli_fail(CLI_FAILED, "the bytes that came do not have their digest: the registry's "
                                    "file is damaged; restore it from a backup");
    }
    return code;
}

cli_exit_t
cli_file_fetch(cli_t *cli, const uint8_t digest[VLN_DIGEST_BYTES], const char *path)
{
    char part[PATH_ROOM];
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part) {
        return cli_fail(CLI_USAGE, "%.64s…: the name is too long", path);
    }
    FILE *out = fopen(part, "wb");
    if (!out) {
        return cli_fail(CLI_USAGE, "%s: %s", part, strerror(errno));
    }
    cli_exit_t code = fetch_into(cli, digest, path, out);
    bool written = fclose(out) == 0;
    if (code == CLI_OK && (!written || rename(part, path) != 0)) {
        code = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
    }
    if (code != CLI_OK) {
        unlink(part);
    }
    return code;
}
