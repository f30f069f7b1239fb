/*
 * registry - what the parts of valion-registry share: the config, and what a worker thread holds.
 *
 * The path of a call: vln_service -> registry_methods[] -> registry_handlers.c -> registry_store.
 */
#ifndef REGISTRY_H
#define REGISTRY_H

#include "vln_flight.h"
#include "vln_service.h"
#include "vln_worker.h"

#include "registry_log.h"
#include "registry_pack.h"
#include "registry_store.h"

typedef struct registry_config {
    vln_worker_options_t worker;
    const char *database;
    const char *path;
    int64_t max_artifact_mib;
    const char *protected_stages;
    const char *protected_environments;
} registry_config_t;

/* What calls park on; index in registry_topics. */
enum { REGISTRY_TOPIC_LOG, REGISTRY_TOPIC_COUNT };
extern const char *const registry_topics[];

/* One for the process; read-only once the threads run, but for the flight, which is thread-safe. */
typedef struct registry {
    const registry_config_t *config;
    vln_service_t *service;
    vln_workers_t *workers; /* for tasks `promote` */
    vln_flight_t *flight;   /* chunks on their way from the disk */
    uint8_t audit_key[VLN_SIGN_SECRET];
    bool has_audit_key;
    uint32_t protected_stages; /* bits 1 << stage */
} registry_t;

/* Of one worker thread. */
typedef struct registry_worker {
    const registry_t *registry;
    registry_store_t *store;
    registry_log_t *log;
    vln_cache_t *cache; /* readers' chunks */
    registry_pack_t *pack;
} registry_worker_t;

/* A mutating call by itself, once, in one transaction; `work` as in vln_once_t. */
void registry_run_once(registry_worker_t *self, vln_call_t **calls, size_t count,
                       vln_err_t (*work)(void *context, vln_call_t **calls, size_t count));

/* The interface: a row a method, in registry_handlers.c. */
extern const vln_method_t registry_methods[];
extern const size_t registry_method_count;
extern const char *const registry_planned[];
extern const size_t registry_planned_count;

/* Threads of the registry's own, in registry_background.c: the relay, and the keeper that signs
 * heads and sweeps old replies. `context` is a registry_t. */
void registry_run_relay(void *context, vln_stop_t *stop);
void registry_run_keeper(void *context, vln_stop_t *stop);

/* Tasks `promote`: the steps of pipelines that promote. */
void registry_run_promotion(vln_worker_t *worker, vln_task_t *task);

/* Appends the head to the file `heads` in the artifact folder, and syncs it. */
void registry_append_head(const registry_t *registry, const Valion__V1__LogHead *head);

#endif
