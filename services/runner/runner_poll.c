#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "vln_client.h"
#include "vln_log.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "runner.h"

enum {
    WAIT_MS = 2000,
    ATTEMPT_MS = 6000,
    RETRY_MS = 500,
    STATE_MAX = 1024 * 1024,
    STATE_BUDGET = 8 * 1024 * 1024
};

/* ---- the disk ---- */

static bool
write_all(int fd, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t wrote = write(fd, bytes, size);
        if (wrote < 0 && errno == EINTR) {
            continue;
        }
        if (wrote <= 0) {
            return false;
        }
        bytes += wrote;
        size -= (size_t)wrote;
    }
    return true;
}

static void
sync_folder(const char *path)
{
    char folder[RUNNER_PATH];
    vln_text_copy(folder, sizeof folder, path);
    char *slash = strrchr(folder, '/');
    if (slash) {
        *slash = '\0';
        int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (fd >= 0) {
            fsync(fd);
            close(fd);
        }
    }
}

bool
runner_write_file(const char *path, const void *bytes, size_t size)
{
    char aside[RUNNER_PATH];
    snprintf(aside, sizeof aside, "%.4080s.new", path);
    int fd = open(aside, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    bool ok = fd >= 0 && write_all(fd, bytes, size) && fsync(fd) == 0;
    int number = errno;
    if (fd >= 0) {
        close(fd);
    }
    if (ok && rename(aside, path) == 0) {
        sync_folder(path);
        return true;
    }
    number = ok ? errno : number;
    vln_error("file.not_written", kv_str("path", path), kv_str("why", strerror(number)),
              kv_str("detail", "is the disk full, or the folder not writable?"));
    unlink(aside);
    return false;
}

static void
state_path(const runner_t *self, char out[RUNNER_PATH])
{
    snprintf(out, RUNNER_PATH, "%.4000s/state.pb", self->root);
}

/* ---- what is wanted ---- */

void
runner_set_keeper(runner_t *self, vln_stop_t *stop)
{
    pthread_mutex_lock(&self->mutex);
    self->keeper = stop;
    pthread_mutex_unlock(&self->mutex);
}

Valion__V1__HostState *
runner_wanted(runner_t *self, vln_arena_t *arena)
{
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    pthread_mutex_lock(&self->mutex);
    size_t size = self->wanted_size;
    const uint8_t *bytes = self->wanted ? vln_arena_memdup(arena, self->wanted, size) : NULL;
    pthread_mutex_unlock(&self->mutex);
    if (bytes && vln_pb_unpack(&valion__v1__host_state__descriptor, bytes, size, arena, &message,
                               &scan) != VLN_OK) {
        return NULL;
    }
    return (Valion__V1__HostState *)message;
}

static void
take(runner_t *self, const uint8_t *bytes, size_t size, uint64_t generation)
{
    pthread_mutex_lock(&self->mutex);
    free(self->wanted);
    self->wanted = vln_memdup(bytes, size);
    self->wanted_size = size;
    self->generation = generation;
    if (self->keeper) {
        vln_stop_nudge(self->keeper);
    }
    pthread_mutex_unlock(&self->mutex);
}

void
runner_restore(runner_t *self)
{
    char path[RUNNER_PATH];
    char *bytes = NULL;
    size_t size = 0;
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    vln_arena_t *arena = vln_arena_new(STATE_BUDGET);
    state_path(self, path);
    vln_err_t err = vln_text_read_file(path, STATE_MAX, &bytes, &size);
    if (err == VLN_OK) {
        err = vln_pb_unpack(&valion__v1__host_state__descriptor, (uint8_t *)bytes, size, arena,
                            &message, &scan);
    }
    if (err == VLN_OK) {
        uint64_t generation = ((Valion__V1__HostState *)message)->generation;
        take(self, (uint8_t *)bytes, size, generation);
        vln_info("state.restored", kv_i64("generation", (int64_t)generation));
    } else if (err != VLN_NOT_FOUND) {
        vln_error("state.not_read", kv_str("path", path), kv_err(err),
                  kv_str("detail", "the deployer's will be fetched; nothing is lost"));
    }
    free(bytes);
    vln_arena_destroy(&arena);
}

static void
accept_state(runner_t *self, const Valion__V1__HostState *state)
{
    char path[RUNNER_PATH];
    if (!state->host || strcmp(state->host, self->config->host) != 0 ||
        state->generation < self->generation) {
        vln_error("state.refused", kv_i64("generation", (int64_t)state->generation),
                  kv_i64("seen", (int64_t)self->generation),
                  kv_str("detail", "another host's, or older than one that was given before: was "
                                   "the deployer's database restored from a backup?"));
        return;
    }
    vln_arena_t *arena = vln_arena_new(STATE_BUDGET);
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&state->base, arena, &size);
    state_path(self, path);
    /* What is not on disk is not made true: it would be forgotten with the next restart. */
    if (runner_write_file(path, bytes, size)) {
        take(self, bytes, size, state->generation);
        vln_info("state.wanted", kv_i64("generation", (int64_t)state->generation),
                 kv_i64("instances", (int64_t)state->n_instances));
    }
    vln_arena_destroy(&arena);
}

/* False: nobody answered. */
static bool
ask(runner_t *self, vln_client_t *client)
{
    Valion__V1__GetHostStateRequest request = VALION__V1__GET_HOST_STATE_REQUEST__INIT;
    vln_reply_t reply;
    request.host = (char *)(uintptr_t)self->config->host;
    request.has_after = request.has_wait_ms = 1;
    request.after = self->generation;
    request.wait_ms = WAIT_MS;
    request.environments = self->offered;
    request.n_environments = self->environment_count;
    request.isolation = (char *)(uintptr_t)"sandbox";
    const vln_call_spec_t spec = {.service = "deployer",
                                  .method = "GetHostState",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_host_state_reply__descriptor,
                                  .timeout_ms = ATTEMPT_MS,
                                  .attempt_ms = ATTEMPT_MS};
    vln_err_t err = vln_client_call(client, &spec, &reply);
    if (err == VLN_OK) {
        const Valion__V1__GetHostStateReply *answer = (const void *)reply.message;
        if (answer->state) {
            accept_state(self, answer->state);
        }
    }
    vln_service_set_health(self->service, "deployer", err == VLN_OK,
                           err == VLN_OK ? "" : "does not answer; what runs goes on");
    vln_reply_wipe(&reply);
    return err == VLN_OK;
}

void
runner_run_poll(void *context, vln_stop_t *stop)
{
    runner_t *self = context;
    vln_client_config_t config;
    vln_client_t *client = NULL;
    vln_service_client_config(self->service, &config);
    vln_assert(vln_client_open(&client, &config) == VLN_OK);
    while (!vln_stop_wait(stop, 0)) {
        if (!ask(self, client)) {
            vln_stop_wait(stop, RETRY_MS);
        }
    }
    vln_client_close(&client);
}
