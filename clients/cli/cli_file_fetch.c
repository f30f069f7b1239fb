#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <valion/v1/registry.pb-c.h>

#include "cli_file_inside.h"

enum { PATH_ROOM = 4096 };

typedef struct fetching fetching_t;

/* A call in flight, or a chunk that waits for those before it. */
typedef struct get {
    fetching_t *fetching;
    size_t size; /* 0: free */
    bool came;
    vln_reply_t reply;
} get_t;

struct fetching {
    cli_t *cli;
    const uint8_t *digest;
    const char *path;
    int fd;
    vln_digest_t *sum; /* of what is written */
    int64_t total;
    int64_t asked; /* bytes, from the start */
    int64_t written;
    size_t in_flight;
    cli_exit_t code;
    get_t gets[CLI_WINDOW]; /* chunk i has place i modulo the window */
};

static cli_exit_t
find_size(fetching_t *self)
{
    Valion__V1__GetArtifactInfoRequest message = VALION__V1__GET_ARTIFACT_INFO_REQUEST__INIT;
    message.has_digest = 1;
    message.digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES, (uint8_t *)(uintptr_t)self->digest};
    const cli_request_t request = {
        .service = "registry", .method = "GetArtifactInfo", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(self->cli, &request, &reply);
    if (code == CLI_OK) {
        self->total =
            ((const Valion__V1__GetArtifactInfoReply *)(const void *)reply.message)->size_bytes;
    }
    vln_reply_wipe(&reply);
    return code;
}

static void
end_get(void *context, vln_err_t err, vln_reply_t *reply)
{
    get_t *get = context;
    fetching_t *self = get->fetching;
    self->in_flight--;
    get->came = true;
    if (err != VLN_OK && self->code == CLI_OK) {
        self->code = cli_fail_with(self->cli, err, reply->why, NULL);
    } else if (err == VLN_OK && reply->raw_size != get->size && self->code == CLI_OK) {
        self->code = cli_fail(CLI_FAILED, "the registry gave fewer bytes than the artifact has");
    }
    get->reply = *reply;
    *reply = (vln_reply_t){0};
}

static void
start_get(fetching_t *self, get_t *get)
{
    int64_t left = self->total - self->asked;
    Valion__V1__GetChunkRequest message = VALION__V1__GET_CHUNK_REQUEST__INIT;
    message.has_digest = message.has_offset = 1;
    message.digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES, (uint8_t *)(uintptr_t)self->digest};
    message.offset = self->asked;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "GetChunk",
                                  .request = &message.base,
                                  .reply_type = &valion__v1__get_chunk_reply__descriptor,
                                  .timeout_ms = self->cli->timeout_ms};
    vln_err_t err = vln_calls_start(vln_client_calls(self->cli->client), &spec, end_get, get);
    vln_assert(err == VLN_OK); /* far fewer than VLN_CALLS_MAX */
    get->came = false;
    get->size = (size_t)(left < CLI_CHUNK ? left : CLI_CHUNK);
    self->asked += (int64_t)get->size;
    self->in_flight++;
}

static get_t *
place_of(fetching_t *self, int64_t offset)
{
    return &self->gets[offset / CLI_CHUNK % CLI_WINDOW];
}

/* Writes what came without a gap; its places are free then. */
static void
write_in_order(fetching_t *self)
{
    get_t *get = place_of(self, self->written);
    while (get->size > 0 && get->came && self->code == CLI_OK) {
        if (pwrite(self->fd, get->reply.raw, get->size, (off_t)self->written) !=
            (ssize_t)get->size) {
            self->code =
                cli_fail(CLI_FAILED, "%s: cannot be written: %s", self->path, strerror(errno));
            return;
        }
        vln_digest_add(self->sum, get->reply.raw, get->size);
        self->written += (int64_t)get->size;
        cli_file_show_progress(self->path, self->written, self->total);
        vln_reply_wipe(&get->reply);
        get->size = 0;
        get = place_of(self, self->written);
    }
}

static void
get_chunks(fetching_t *self)
{
    vln_calls_t *calls = vln_client_calls(self->cli->client);
    while (self->in_flight > 0 || (self->code == CLI_OK && self->written < self->total)) {
        if (*self->cli->stop && self->code == CLI_OK) {
            self->code = CLI_INTERRUPTED;
        }
        if (self->code != CLI_OK) {
            vln_calls_cancel(calls);
        }
        while (self->code == CLI_OK && self->asked < self->total &&
               place_of(self, self->asked)->size == 0) {
            start_get(self, place_of(self, self->asked));
        }
        vln_calls_poll(calls, CLI_POLL_MS, NULL, 0);
        write_in_order(self);
    }
    for (size_t i = 0; i < CLI_WINDOW; i++) {
        vln_reply_wipe(&self->gets[i].reply);
        self->gets[i].size = 0;
    }
}

/* Counts whole chunks that an earlier attempt left into the digest. */
static void
take_what_is_there(fetching_t *self)
{
    struct stat about;
    uint8_t *block = vln_calloc(1, CLI_CHUNK);
    bool fits = fstat(self->fd, &about) == 0 && about.st_size <= self->total;
    while (fits && self->written + CLI_CHUNK <= about.st_size &&
           pread(self->fd, block, CLI_CHUNK, (off_t)self->written) == CLI_CHUNK) {
        vln_digest_add(self->sum, block, CLI_CHUNK);
        self->written += CLI_CHUNK;
    }
    self->asked = self->written;
    free(block);
}

/* True if the file has these bytes, now or with what came. False with or without a failure. */
static bool
fetch_once(fetching_t *self, bool resume)
{
    uint8_t found[VLN_DIGEST_BYTES];
    self->sum = vln_digest_begin();
    self->asked = self->written = 0;
    if (resume) {
        take_what_is_there(self);
    }
    get_chunks(self);
    vln_digest_end(&self->sum, found);
    if (self->code == CLI_OK && ftruncate(self->fd, (off_t)self->total) != 0) {
        self->code = cli_fail(CLI_FAILED, "%s: %s", self->path, strerror(errno));
    }
    return self->code == CLI_OK && memcmp(found, self->digest, sizeof found) == 0;
}

/* What an earlier attempt left may be of something else: then all of it comes again. */
static cli_exit_t
fetch_into(fetching_t *self)
{
    self->code = find_size(self);
    for (size_t i = 0; i < CLI_WINDOW; i++) {
        self->gets[i].fetching = self;
    }
    if (self->code != CLI_OK) {
        return self->code;
    }
    bool good = fetch_once(self, true) || (self->code == CLI_OK && fetch_once(self, false));
    if (!good && self->code == CLI_OK) {
        self->code = cli_fail(CLI_FAILED, "the bytes that came do not have their digest: a good "
                                          "copy, given to 'valion artifact put', mends the "
                                          "registry's");
    }
    return self->code;
}

static cli_exit_t
read_chunk(cli_t *cli, const uint8_t *digest, uint8_t *out, int64_t offset, int64_t left)
{
    Valion__V1__GetChunkRequest message = VALION__V1__GET_CHUNK_REQUEST__INIT;
    message.has_digest = message.has_offset = 1;
    message.digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES, (uint8_t *)(uintptr_t)digest};
    message.offset = offset;
    const cli_request_t request = {
        .service = "registry", .method = "GetChunk", .message = &message.base};
    vln_reply_t reply;
    cli_exit_t code = cli_call(cli, &request, &reply);
    if (code == CLI_OK && reply.raw_size != (size_t)(left < CLI_CHUNK ? left : CLI_CHUNK)) {
        code = cli_fail(CLI_FAILED, "the registry gave fewer bytes than the artifact has");
    }
    if (code == CLI_OK) {
        memcpy(out + offset, reply.raw, reply.raw_size);
    }
    vln_reply_wipe(&reply);
    return code;
}

cli_exit_t
cli_file_read(cli_t *cli, const uint8_t digest[VLN_DIGEST_BYTES], size_t max, uint8_t **out,
              size_t *size)
{
    fetching_t fetching = {.cli = cli, .digest = digest};
    uint8_t found[VLN_DIGEST_BYTES];
    *out = NULL;
    *size = 0;
    cli_exit_t code = find_size(&fetching);
    if (code == CLI_OK && (fetching.total < 0 || (size_t)fetching.total > max)) {
        code = cli_fail(CLI_FAILED, "the artifact has more than %zu bytes", max);
    }
    uint8_t *bytes = code == CLI_OK ? vln_calloc(1, (size_t)fetching.total + 1) : NULL;
    for (int64_t at = 0; code == CLI_OK && at < fetching.total; at += CLI_CHUNK) {
        code = read_chunk(cli, digest, bytes, at, fetching.total - at);
    }
    if (code == CLI_OK) {
        vln_digest(bytes, (size_t)fetching.total, found);
        bool good = memcmp(found, digest, sizeof found) == 0;
        code = good ? CLI_OK : cli_fail(CLI_FAILED, "the bytes that came do not have their digest");
    }
    if (code != CLI_OK) {
        free(bytes);
        return code;
    }
    *out = bytes;
    *size = (size_t)fetching.total;
    return CLI_OK;
}

cli_exit_t
cli_file_fetch(cli_t *cli, const uint8_t digest[VLN_DIGEST_BYTES], const char *path)
{
    char part[PATH_ROOM];
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part) {
        return cli_fail(CLI_USAGE, "%.64s…: the name is too long", path);
    }
    fetching_t fetching = {.cli = cli, .digest = digest, .path = path};
    fetching.fd = open(part, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (fetching.fd < 0) {
        return cli_fail(CLI_USAGE, "%s: %s", part, strerror(errno));
    }
    cli_exit_t code = fetch_into(&fetching);
    bool written = close(fetching.fd) == 0;
    if (code == CLI_OK && (!written || rename(part, path) != 0)) {
        code = cli_fail(CLI_FAILED, "%s: %s", path, strerror(errno));
    }
    bool goes_on = code == CLI_UNAVAILABLE || code == CLI_INTERRUPTED;
    if (code != CLI_OK && (!goes_on || fetching.written == 0)) {
        unlink(part);
    }
    return code;
}
