#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_pb.h"
#include "vln_text.h"
#include "vln_time.h"

#include "registry.h"
#include "registry_files.h"
#include "registry_uploads_store.h"
#include "registry_words.h"

enum {
    IDLE_MS = 50,     /* how long an event may wait for the relay */
    BUSY_MS = 10,     /* between small batches, so that they grow */
    STANDBY_MS = 500, /* another registry is the relay */
    SWEEP_UPLOADS = 100,
    KEEP_EVERY_MS = 60000, /* what came after the last head is not covered by one */
    RETRY_MS = 500,
    ARENA_BUDGET = 64 * 1024 * 1024,
    PATH_ROOM = 512,
    LINE_ROOM = 512,
};

static void
publish(vln_publisher_t *publisher, Valion__V1__Event **events, size_t count, vln_arena_t *arena)
{
    vln_publisher_refresh(publisher);
    for (size_t i = 0; i < count; i++) {
        size_t size = 0;
        const uint8_t *bytes = vln_pb_pack(&events[i]->base, arena, &size);
        vln_publisher_send(publisher, events[i]->type, bytes, size);
    }
}

/* One round; how long to wait before the next. */
static int64_t
relay_once(const registry_t *self, registry_log_t *log, vln_publisher_t *publisher,
           vln_arena_t *arena)
{
    if (registry_log_lock(log) != VLN_OK) {
        return STANDBY_MS;
    }
    Valion__V1__Event **events = NULL;
    size_t count = 0;
    vln_arena_reset(arena);
    if (registry_log_relay(log, arena, &events, &count) != VLN_OK) {
        return RETRY_MS;
    }
    if (count == 0) {
        return IDLE_MS;
    }
    publish(publisher, events, count, arena);
    vln_service_hint(self->service, REGISTRY_TOPIC_LOG);
    return count == REGISTRY_RELAY_BATCH ? 0 : BUSY_MS;
}

void
registry_run_relay(void *context, vln_stop_t *stop)
{
    const registry_t *self = context;
    registry_log_t *log = NULL;
    vln_err_t err = registry_log_open(&log, self->config->database);
    vln_assert(log || err == VLN_INTERNAL);
    vln_publisher_t *publisher = vln_service_publisher(self->service);
    vln_arena_t *arena = vln_arena_new(ARENA_BUDGET);
    int64_t wait_ms = 0;
    while (log && !vln_stop_wait(stop, wait_ms)) {
        wait_ms = relay_once(self, log, publisher, arena);
    }
    vln_arena_destroy(&arena);
    vln_publisher_destroy(&publisher);
    registry_log_close(&log);
}

/* A crash or a full disk amid an append leaves half a line: the next one must not be joined to it,
 * or a good head would be lost with the bad one. */
static bool
ends_amid_line(int fd)
{
    char last = '\n';
    off_t size = lseek(fd, 0, SEEK_END);
    return size > 0 && pread(fd, &last, 1, size - 1) == 1 && last != '\n';
}

/* False, with errno, if it is not on the disk as a whole. */
static bool
append_line(const char *path, const char *line)
{
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
    if (fd < 0) {
        return false;
    }
    /* One write, so that two registries that share the folder do not mix their lines. */
    const char *text = ends_amid_line(fd) ? line : line + 1;
    ssize_t len = (ssize_t)strlen(text);
    ssize_t written = write(fd, text, (size_t)len);
    if (written >= 0 && written < len) {
        errno = ENOSPC;
    }
    bool kept = written == len && fsync(fd) == 0;
    int reason = errno;
    close(fd);
    errno = reason;
    return kept;
}

void
registry_append_head(const registry_t *registry, const Valion__V1__LogHead *head)
{
    char path[PATH_ROOM];
    char hash[2 * VLN_DIGEST_BYTES + 1];
    char signature[2 * VLN_SIGNATURE + 1];
    char line[LINE_ROOM];
    snprintf(path, sizeof path, "%s/heads", registry->config->path);
    snprintf(line, sizeof line,
             "\n{\"position\":\"%" PRIu64 "\",\"time_us\":\"%" PRId64
             "\",\"hash\":\"%s\",\"signature\":\"%s\"}\n",
             head->position, head->time_us, vln_hex_encode(head->hash.data, head->hash.len, hash),
             vln_hex_encode(head->signature.data, head->signature.len, signature));
    if (!append_line(path, line)) {
        vln_error("head.not_kept", kv_str("file", path), kv_str("detail", strerror(errno)));
    }
}

/* Signs the log's end if it moved since this thread looked last. */
static void
sign_if_moved(const registry_t *self, registry_log_t *log, vln_arena_t *arena, uint64_t *signed_at)
{
    Valion__V1__LogHead **newest = NULL;
    size_t count = 0;
    const registry_log_query_t peek = {.after = *signed_at, .limit = 1};
    registry_log_page_t page;
    if (registry_log_read(log, arena, &peek, &page) != VLN_OK || page.end == *signed_at) {
        return;
    }
    /* Another registry may have signed this end already. */
    if (registry_log_list_heads(log, arena, NULL, 1, &newest, &count) == VLN_OK && count == 1 &&
        newest[0]->position == page.end) {
        *signed_at = page.end;
        return;
    }
    Valion__V1__LogHead *head = NULL;
    if (registry_log_sign(log, arena, self->audit_key, &head) == VLN_OK) {
        registry_append_head(self, head);
        *signed_at = head->position;
    }
}

static void
sweep(registry_store_t *store)
{
    int64_t swept = 0;
    if (registry_store_ensure(store) == VLN_OK && registry_store_sweep(store, &swept) == VLN_OK &&
        swept > 0) {
        vln_info("requests.swept", kv_i64("count", swept));
    }
}

/* Bytes that nobody sent on for a day. */
static void
sweep_uploads(const registry_t *self, registry_store_t *store, vln_arena_t *arena)
{
    vln_id_t *ids = NULL;
    size_t count = 0;
    if (registry_store_ensure(store) != VLN_OK ||
        registry_uploads_sweep(store, arena, SWEEP_UPLOADS, &ids, &count) != VLN_OK) {
        return;
    }
    for (size_t i = 0; i < count; i++) {
        registry_files_drop(self->config->path, &ids[i]);
    }
    int64_t files = registry_files_sweep(self->config->path);
    if (count > 0 || files > 0) {
        vln_info("uploads.swept", kv_i64("count", (int64_t)count), kv_i64("files", files));
    }
}

/* Versions of an older release, until all can be found by words. */
static void
fill_words(registry_store_t *store, vln_arena_t *arena, vln_stop_t *stop)
{
    size_t filled = 0;
    size_t total = 0;
    do {
        vln_arena_reset(arena);
        if (registry_store_ensure(store) != VLN_OK ||
            registry_words_fill(store, arena, &filled) != VLN_OK) {
            return;
        }
        total += filled;
    } while (filled > 0 && !vln_stop_wait(stop, 0));
    if (total > 0) {
        vln_info("versions.words_filled", kv_i64("count", (int64_t)total));
    }
}

void
registry_run_keeper(void *context, vln_stop_t *stop)
{
    const registry_t *self = context;
    registry_log_t *log = NULL;
    registry_store_t *store = NULL;
    vln_err_t log_err = registry_log_open(&log, self->config->database);
    vln_err_t store_err = registry_store_open(&store, self->config->database);
    vln_assert((log || log_err == VLN_INTERNAL) && (store || store_err == VLN_INTERNAL));
    vln_arena_t *arena = vln_arena_new(ARENA_BUDGET);
    uint64_t signed_at = 0;
    if (store) {
        fill_words(store, arena, stop);
    }
    while (log && store && !vln_stop_wait(stop, KEEP_EVERY_MS)) {
        vln_arena_reset(arena);
        if (self->has_audit_key && registry_log_ensure(log) == VLN_OK) {
            sign_if_moved(self, log, arena, &signed_at);
        }
        sweep(store);
        sweep_uploads(self, store, arena);
        fill_words(store, arena, stop);
    }
    vln_arena_destroy(&arena);
    registry_store_close(&store);
    registry_log_close(&log);
}
