#include "vln_worker.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_processors.h"
#include "vln_text.h"

enum { TASK_CALL_MS = 30000, STOP_LOOK_MS = 1000, MIB = 1024 * 1024 };

struct vln_workers {
    vln_worker_config_t config;
    vln_service_t *service;
    vln_shelf_t *tables;
    size_t hits; /* counters */
    size_t misses;
};

vln_workers_t *
vln_workers_new(const vln_worker_config_t *config)
{
    vln_workers_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    self->tables = vln_shelf_new((size_t)config->options->table_cache_mib * MIB);
    return self;
}

void
vln_workers_destroy(vln_workers_t **self_p)
{
    vln_workers_t *self = *self_p;
    if (self) {
        vln_shelf_destroy(&self->tables);
        free(self);
        *self_p = NULL;
    }
}

void
vln_workers_serve(vln_workers_t *self, vln_service_t *service)
{
    vln_metrics_t *metrics = vln_service_metrics(service);
    self->service = service;
    self->hits = vln_metrics_counter(metrics, "cache", "hits");
    self->misses = vln_metrics_counter(metrics, "cache", "misses");
}

/* ---- a slot ---- */

typedef struct slot {
    vln_worker_t worker;
    vln_workers_t *workers;
    vln_cache_counts_t counted;
} slot_t;

static void *
open_slot(void *context)
{
    vln_workers_t *workers = context;
    slot_t *slot = vln_calloc(1, sizeof *slot);
    vln_client_config_t client;
    vln_service_client_config(workers->service, &client);
    slot->workers = workers;
    slot->worker.service = workers->service;
    slot->worker.tables = workers->tables;
    /* The service reads the same address, and would not have opened with one that cannot be. */
    vln_assert(vln_client_open(&slot->worker.client, &client) == VLN_OK);
    slot->worker.artifacts =
        vln_artifacts_open(slot->worker.client, &workers->config.options->cache);
    if (workers->config.open) {
        slot->worker.own = workers->config.open(workers->config.context);
    }
    return slot;
}

static void
close_slot(void **slot_p)
{
    slot_t *slot = *slot_p;
    if (slot->worker.own) {
        slot->workers->config.close(&slot->worker.own);
    }
    vln_artifacts_close(&slot->worker.artifacts);
    vln_client_close(&slot->worker.client);
    free(slot);
    *slot_p = NULL;
}

static void
run_kind(const vln_worker_config_t *config, vln_worker_t *worker, vln_task_t *task)
{
    for (size_t i = 0; i < config->kind_count; i++) {
        if (strcmp(config->kinds[i].name, task->kind) == 0) {
            config->kinds[i].run(worker, task);
            return;
        }
    }
    vln_task_fail(task, false, "tasks of kind '%.64s' are not done here", task->kind);
}

static void
run_task(void *own, vln_task_t *task)
{
    slot_t *slot = own;
    vln_workers_t *workers = slot->workers;
    run_kind(&workers->config, &slot->worker, task);
    vln_metrics_t *metrics = vln_service_metrics(workers->service);
    vln_cache_counts_t now = vln_artifacts_counts(slot->worker.artifacts);
    vln_metrics_add(metrics, workers->hits, now.hits - slot->counted.hits);
    vln_metrics_add(metrics, workers->misses, now.misses - slot->counted.misses);
    slot->counted = now;
}

void
vln_workers_run(void *context, vln_stop_t *stop)
{
    vln_workers_t *self = context;
    const vln_worker_options_t *options = self->config.options;
    size_t slots = options->slots > 0 ? (size_t)options->slots : vln_processors();
    slots = slots < VLN_TASKS_SLOTS_MAX ? slots : VLN_TASKS_SLOTS_MAX;
    const char *names[VLN_TASKS_KINDS_MAX];
    vln_assert(self->config.kind_count <= VLN_COUNT(names));
    for (size_t i = 0; i < self->config.kind_count; i++) {
        names[i] = self->config.kinds[i].name;
    }
    vln_tasks_config_t config = {.instance = vln_service_instance(self->service),
                                 .kinds = names,
                                 .kind_count = self->config.kind_count,
                                 .threads = slots,
                                 .slots = slots,
                                 .open_worker = open_slot,
                                 .close_worker = close_slot,
                                 .context = self,
                                 .run = run_task};
    vln_service_client_config(self->service, &config.client);
    vln_tasks_t *tasks = NULL;
    vln_assert(vln_tasks_start(&tasks, &config) == VLN_OK);
    vln_info("worker.started", kv_i64("slots", (int64_t)slots));
    while (!vln_stop_wait(stop, STOP_LOOK_MS)) {
        /* nothing to look at: the tasks have threads of their own */
    }
    vln_tasks_stop(&tasks, options->service.grace_ms);
}

/* ---- calls of a task ---- */

vln_err_t
vln_worker_call(vln_worker_t *self, const vln_task_t *task, const char *purpose,
                vln_call_spec_t spec, vln_reply_t *reply)
{
    vln_id_t id;
    if (purpose) {
        id = vln_id_derive(task->id.bytes, VLN_ID_BYTES, purpose);
        spec.request_id = &id;
        spec.ticket = task->ticket;
    }
    spec.timeout_ms = spec.timeout_ms ? spec.timeout_ms : TASK_CALL_MS;
    return vln_client_call(self->client, &spec, reply);
}

void
vln_worker_fail(vln_task_t *task, vln_err_t err, const char *what, const char *why)
{
    vln_task_fail(task, vln_err_is_transient(err), "%s: %s", what,
                  why && why[0] ? why : vln_err_text(err));
}
