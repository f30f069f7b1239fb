/*
 * effect_worker - a worker of kind test.effect, for the kill test and the benchmarks.
 *
 * For each task it makes two effects and completes it. One effect is inside: a version of the model
 * that the spec names, by a call that carries the lease's ticket and an id derived from the task.
 * One is outside: a file in the effects folder, a resource that guards itself by the fencing token,
 * as a real one must. Tasks of kind test.noop are completed at once; those of kind test.slow last
 * as many milliseconds as their spec says, unless they are told to stop.
 */
#include <dirent.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "vln_client.h"
#include "vln_id.h"
#include "vln_log.h"
#include "vln_socket.h"
#include "vln_stop.h"
#include "vln_tasks.h"
#include "vln_text.h"
#include "vln_time.h"

#include "valion/v1/orchestrator.pb-c.h"
#include "valion/v1/registry.pb-c.h"

enum { CALL_MS = 20000, GRACE_MS = 4000, PATH_ROOM = 512, THREADS = 2 };

/* What every worker thread needs. */
typedef struct setting {
    vln_client_config_t client;
    const char *effects; /* folder; NULL: no outside effect */
} setting_t;

typedef struct worker {
    vln_client_t *client;
    const char *effects;
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
make_outside_effect(const worker_t *self, const vln_task_t *task)
{
    char id[VLN_ID_TEXT];
    char folder[PATH_ROOM];
    char path[PATH_ROOM + 128];
    vln_id_format(task->id.bytes, id);
    snprintf(folder, sizeof folder, "%s/%s", self->effects, id + VLN_ID_TEXT - 3);
    snprintf(path, sizeof path, "%s/lock", folder);
    int lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (lock < 0 || flock(lock, LOCK_EX) != 0) {
        return false;
    }
    bool done = has_effect(folder, id);
    if (!done) {
        snprintf(path, sizeof path, "%s/%s.%llu", folder, id, (unsigned long long)task->token);
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
make_inside_effect(worker_t *self, const vln_task_t *task)
{
    char model[129];
    snprintf(model, sizeof model, "%.*s", (int)task->spec_size, (const char *)task->spec);
    vln_id_t id = vln_id_derive(task->id.bytes, VLN_ID_BYTES, "version");
    char text[VLN_ID_TEXT];
    vln_id_t task_id = task->id;
    Valion__V1__Lineage lineage = VALION__V1__LINEAGE__INIT;
    lineage.has_task_id = 1;
    lineage.task_id = (ProtobufCBinaryData){VLN_ID_BYTES, task_id.bytes};
    Valion__V1__CreateVersionRequest request = VALION__V1__CREATE_VERSION_REQUEST__INIT;
    request.model = model;
    request.description = vln_id_format(task->id.bytes, text);
    request.lineage = &lineage;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "CreateVersion",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__create_version_reply__descriptor,
                                  .timeout_ms = CALL_MS,
                                  .request_id = &id,
                                  .ticket = task->ticket};
    vln_reply_t reply;
    vln_err_t err = vln_client_call(self->client, &spec, &reply);
    if (err != VLN_OK) {
        vln_warn("effect.refused", kv_err(err), kv_str("why", reply.why));
    }
    vln_reply_wipe(&reply);
    return err;
}

static void
run_slowly(vln_task_t *task)
{
    char text[16];
    int64_t length_ms = 0;
    snprintf(text, sizeof text, "%.*s", (int)task->spec_size, (const char *)task->spec);
    if (!vln_text_to_i64(text, 0, 600000, &length_ms)) {
        vln_task_fail(task, false, "the spec is not a number of milliseconds");
        return;
    }
    char id[VLN_ID_TEXT];
    vln_info("slow.begun", kv_str("task", vln_id_format(task->id.bytes, id)));
    for (int64_t start_ms = vln_mono_ms(); vln_mono_ms() < start_ms + length_ms;) {
        if (vln_task_is_stopped(task)) {
            return;
        }
        vln_task_progress(task, (double)(vln_mono_ms() - start_ms) / (double)length_ms);
        vln_sleep_ms(20);
    }
    vln_task_done(task, NULL, 0);
}

static void
run(void *worker, vln_task_t *task)
{
    worker_t *self = worker;
    if (strcmp(task->kind, "test.slow") == 0) {
        run_slowly(task);
        return;
    }
    vln_err_t err = VLN_OK;
    if (strcmp(task->kind, "test.effect") == 0) {
        err = make_inside_effect(self, task);
        if (err == VLN_OK && self->effects && !make_outside_effect(self, task)) {
            err = VLN_UNAVAILABLE;
        }
    }
    if (err == VLN_OK) {
        vln_task_done(task, task->id.bytes, VLN_ID_BYTES);
    } else {
        vln_task_fail(task, true, "%s", vln_err_text(err));
    }
}

static void *
open_worker(void *context)
{
    const setting_t *setting = context;
    worker_t *self = vln_calloc(1, sizeof *self);
    self->effects = setting->effects;
    vln_assert(vln_client_open(&self->client, &setting->client) == VLN_OK);
    return self;
}

static void
close_worker(void **worker_p)
{
    worker_t *self = *worker_p;
    vln_client_close(&self->client);
    free(self);
    *worker_p = NULL;
}

/* Until SIGTERM or SIGINT. */
static void
wait_for_signal(int signals)
{
    struct pollfd item = {.fd = signals, .events = POLLIN};
    while (poll(&item, 1, -1) < 0) {
        /* something else interrupted the wait */
    }
}

int
main(int argc, char **argv)
{
    static const char *const kinds[] = {"test.effect", "test.noop", "test.slow"};
    if (argc < 4) {
        fprintf(stderr, "usage: effect_worker BUS KEYS SLOTS [EFFECTS]\n");
        return 2;
    }
    vln_log_init("effect-worker", "", VLN_LOG_INFO);
    char path[PATH_ROOM];
    char bus_key[VLN_Z85_TEXT];
    char name[64];
    setting_t setting = {.client = {.bus = argv[1], .bus_key = bus_key},
                         .effects = argc > 4 ? argv[4] : NULL};
    snprintf(path, sizeof path, "%s/secret/worker.key_secret", argv[2]);
    vln_err_t err = vln_keys_load_pair(path, &setting.client.keys);
    snprintf(path, sizeof path, "%s/bus.key", argv[2]);
    err = err == VLN_OK ? vln_keys_load_public(path, bus_key) : err;
    snprintf(name, sizeof name, "effect-worker-%d", (int)getpid());
    int64_t slots = 0;
    int signals = vln_signals_open();
    if (err != VLN_OK || !vln_text_to_i64(argv[3], THREADS, VLN_TASKS_SLOTS_MAX, &slots)) {
        fprintf(stderr, "effect_worker: cannot use these keys or slots\n");
        return 2;
    }
    const vln_tasks_config_t config = {.client = setting.client,
                                       .instance = name,
                                       .kinds = kinds,
                                       .kind_count = VLN_COUNT(kinds),
                                       .threads = THREADS,
                                       .slots = (size_t)slots,
                                       .open_worker = open_worker,
                                       .close_worker = close_worker,
                                       .context = &setting,
                                       .run = run};
    vln_tasks_t *tasks = NULL;
    if (vln_tasks_start(&tasks, &config) != VLN_OK) {
        fprintf(stderr, "effect_worker: '%s' is not the address of a bus\n", argv[1]);
        return 2;
    }
    wait_for_signal(signals);
    vln_tasks_stop(&tasks, GRACE_MS);
    vln_socket_context_end();
    return 0;
}
