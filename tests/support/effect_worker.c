/*
 * effect_worker - a worker of kind test.effect, for the kill test and the benchmarks.
 *
 * For each task it makes two effects and completes it. One effect is inside: a version of the model
 * that the spec names, by a call that carries the lease's ticket and an id derived from the task.
 * One is outside: a file in the effects folder, a resource that guards itself by the fencing token,
 * as a real one must. Tasks of kind test.noop are completed at once.
 */
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "vln_client.h"
#include "vln_id.h"
#include "vln_log.h"
#include "vln_socket.h"
#include "vln_text.h"

#include "valion/v1/orchestrator.pb-c.h"
#include "valion/v1/registry.pb-c.h"

enum { WAIT_MS = 5000, CALL_MS = 20000, PATH_ROOM = 512 };

static volatile int stopped;

static void
on_signal(int signal_number)
{
    (void)signal_number;
    stopped = 1;
}

typedef struct worker {
    vln_client_t *client;
    const char *effects; /* folder; NULL: no outside effect */
    char name[64];
    uint32_t free;
    int64_t done;
} worker_t;

/* True if there is a file of this task already: `<task>.<token>`. */
static bool
has_effect(const char *folder, const char *task)
{
    bool found = false;
    DIR *entries = opendir(folder);
    for (struct dirent *entry = entries ? readdir(entries) : NULL; entry && !found;
         entry = readdir(entries)) {
        found = strncmp(entry->d_name, task, strlen(task)) == 0;
    }
    if (entries) {
        closedir(entries);
    }
    return found;
}

/* The outside resource: keeps the highest token that it has seen of a task, refuses a lower one,
 * and does a task's effect once. A file for each task, in folders by the id's last byte so that
 * looking stays short; one lock a folder. */
static bool
make_outside_effect(const worker_t *self, const Valion__V1__Lease *lease)
{
    char task[VLN_ID_TEXT];
    char folder[PATH_ROOM];
    char path[PATH_ROOM + 128];
    vln_id_format(lease->task_id.data, task);
    snprintf(folder, sizeof folder, "%s/%s", self->effects, task + VLN_ID_TEXT - 3);
    snprintf(path, sizeof path, "%s/lock", folder);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        return false;
    }
    bool done = has_effect(folder, task);
    if (!done) {
        snprintf(path, sizeof path, "%s/%s.%llu", folder, task, (unsigned long long)lease->token);
        int file = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
        done = file >= 0;
        if (file >= 0) {
            close(file);
        }
    }
    close(lock);
    return done;
}

/* OK, or why the task cannot be completed now. */
static vln_err_t
make_inside_effect(worker_t *self, const Valion__V1__Lease *lease)
{
    char model[129];
    snprintf(model, sizeof model, "%.*s", (int)lease->spec.len, (const char *)lease->spec.data);
    vln_id_t id = vln_id_derive(lease->task_id.data, lease->task_id.len, "version");
    char task[VLN_ID_TEXT];
    Valion__V1__Lineage lineage = VALION__V1__LINEAGE__INIT;
    lineage.has_task_id = 1;
    lineage.task_id = lease->task_id;
    Valion__V1__CreateVersionRequest request = VALION__V1__CREATE_VERSION_REQUEST__INIT;
    request.model = model;
    request.description = vln_id_format(lease->task_id.data, task);
    request.lineage = &lineage;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "CreateVersion",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__create_version_reply__descriptor,
                                  .timeout_ms = CALL_MS,
                                  .request_id = &id,
                                  .ticket = lease->ticket};
    vln_reply_t reply;
    vln_err_t err = vln_client_call(self->client, &spec, &reply);
    if (err != VLN_OK) {
        vln_warn("effect.refused", kv_err(err), kv_str("why", reply.why));
    }
    vln_reply_wipe(&reply);
    return err;
}

static void
complete(worker_t *self, const Valion__V1__Lease *lease, vln_err_t outcome)
{
    Valion__V1__CompleteTaskRequest request = VALION__V1__COMPLETE_TASK_REQUEST__INIT;
    request.has_task_id = request.has_token = request.has_outcome = 1;
    request.task_id = lease->task_id;
    request.token = lease->token;
    request.outcome =
        outcome == VLN_OK ? VALION__V1__OUTCOME__OUTCOME_DONE : VALION__V1__OUTCOME__OUTCOME_FAILED;
    request.error = outcome == VLN_OK ? NULL : (char *)(uintptr_t)vln_err_text(outcome);
    request.has_retryable = request.retryable = outcome != VLN_OK;
    request.has_result = 1;
    request.result = lease->task_id;
    const vln_call_spec_t spec = {.service = "orchestrator",
                                  .method = "CompleteTask",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__complete_task_reply__descriptor,
                                  .timeout_ms = CALL_MS};
    vln_reply_t reply;
    vln_err_t err = vln_client_call(self->client, &spec, &reply);
    if (err == VLN_OK) {
        self->done++;
    } else {
        vln_warn("complete.refused", kv_err(err), kv_str("why", reply.why));
    }
    vln_reply_wipe(&reply);
}

/* True while the lease is ours; a batch is worked off one by one, and the last must not run out. */
static bool
beat(worker_t *self, const Valion__V1__Lease *lease)
{
    Valion__V1__Beat row = VALION__V1__BEAT__INIT;
    Valion__V1__Beat *rows[] = {&row};
    Valion__V1__HeartbeatRequest request = VALION__V1__HEARTBEAT_REQUEST__INIT;
    row.has_task_id = row.has_token = 1;
    row.task_id = lease->task_id;
    row.token = lease->token;
    request.n_beats = 1;
    request.beats = rows;
    const vln_call_spec_t spec = {.service = "orchestrator",
                                  .method = "Heartbeat",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__heartbeat_reply__descriptor,
                                  .timeout_ms = CALL_MS};
    vln_reply_t reply;
    vln_err_t err = vln_client_call(self->client, &spec, &reply);
    const Valion__V1__HeartbeatReply *answer = (const void *)reply.message;
    bool ours = err == VLN_OK && answer->n_answers == 1 &&
                answer->answers[0]->verdict == VALION__V1__BEAT_VERDICT__BEAT_VERDICT_CONTINUE;
    vln_reply_wipe(&reply);
    return ours;
}

static void
work_on(worker_t *self, const Valion__V1__Lease *lease)
{
    vln_err_t err = VLN_OK;
    if (strcmp(lease->kind, "test.effect") == 0) {
        if (!beat(self, lease)) {
            return; /* somebody else has it */
        }
        err = make_inside_effect(self, lease);
        if (err == VLN_OK && self->effects && !make_outside_effect(self, lease)) {
            err = VLN_UNAVAILABLE;
        }
    }
    if (err != VLN_ABORTED) {
        complete(self, lease, err);
    }
}

static void
lease_and_work(worker_t *self)
{
    char effect[] = "test.effect";
    char noop[] = "test.noop";
    char *kinds[] = {effect, noop};
    Valion__V1__LeaseTasksRequest request = VALION__V1__LEASE_TASKS_REQUEST__INIT;
    request.n_kinds = VLN_COUNT(kinds);
    request.kinds = kinds;
    request.has_free = request.has_wait_ms = 1;
    request.free = self->free;
    request.wait_ms = WAIT_MS;
    request.worker = self->name;
    const vln_call_spec_t spec = {.service = "orchestrator",
                                  .method = "LeaseTasks",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__lease_tasks_reply__descriptor,
                                  .timeout_ms = 2 * WAIT_MS,
                                  .attempt_ms = WAIT_MS + 2500};
    vln_reply_t reply;
    if (vln_client_call(self->client, &spec, &reply) == VLN_OK) {
        const Valion__V1__LeaseTasksReply *leases = (const void *)reply.message;
        for (size_t i = 0; i < leases->n_leases && !stopped; i++) {
            work_on(self, leases->leases[i]);
        }
    }
    vln_reply_wipe(&reply);
}

int
main(int argc, char **argv)
{
    if (argc < 4) {
        fprintf(stderr, "usage: effect_worker BUS KEYS FREE [EFFECTS]\n");
        return 2;
    }
    vln_log_init("effect-worker", "", VLN_LOG_INFO);
    char path[PATH_ROOM];
    char bus_key[VLN_Z85_TEXT];
    vln_client_config_t config = {.bus = argv[1], .bus_key = bus_key};
    snprintf(path, sizeof path, "%s/secret/worker.key_secret", argv[2]);
    vln_err_t err = vln_keys_load_pair(path, &config.keys);
    snprintf(path, sizeof path, "%s/bus.key", argv[2]);
    err = err == VLN_OK ? vln_keys_load_public(path, bus_key) : err;
    worker_t worker = {.effects = argc > 4 ? argv[4] : NULL};
    int64_t free_slots = 0;
    snprintf(worker.name, sizeof worker.name, "effect-worker-%d", (int)getpid());
    if (err != VLN_OK || !vln_text_to_i64(argv[3], 1, 64, &free_slots) ||
        vln_client_open(&worker.client, &config) != VLN_OK) {
        fprintf(stderr, "effect_worker: cannot use these keys, slots or bus\n");
        return 2;
    }
    worker.free = (uint32_t)free_slots;
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    vln_client_stop_on(worker.client, &stopped);
    while (!stopped) {
        lease_and_work(&worker);
    }
    vln_client_close(&worker.client);
    vln_socket_context_end();
    return 0;
}
