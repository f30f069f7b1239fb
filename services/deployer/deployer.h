/*
 * deployer - what the parts of valion-deployer share.
 *
 * Handlers check and record what people ask for; the tick (deployer_tick.c) looks at every rollout
 * that has not ended, asks domain/rollout what is next, records it with its reason, and recomputes
 * what each host is to run (deployer_refresh.c); runners make that true and report, also what servers
 * and HAProxy counted (deployer_telemetry.c). The tick also lets each watch rule look at that
 * (deployer_watch.c). Tasks `deploy` and `rollback` ask and wait, `watch` sets a rule
 * (deployer_tasks.c).
 */
#ifndef DEPLOYER_H
#define DEPLOYER_H

#include "vln_artifacts.h"
#include "vln_service.h"
#include "vln_worker.h"

#include "deployer_store.h"

typedef struct deployer_config {
    vln_worker_options_t worker;
    const char *database;
} deployer_config_t;

/* What calls park on; index in deployer_topics. */
enum { DEPLOYER_TOPIC_HOSTS, DEPLOYER_TOPIC_ROLLOUTS, DEPLOYER_TOPIC_COUNT };
extern const char *const deployer_topics[];

/* One for the process; read-only once the threads run. */
typedef struct deployer {
    const deployer_config_t *config;
    vln_service_t *service;
    vln_workers_t *workers;
} deployer_t;

/* Of one worker thread, and of the tick. */
typedef struct deployer_worker {
    deployer_t *deployer;
    deployer_store_t *store;
    vln_client_t *client;       /* opened when it is first needed */
    vln_artifacts_t *artifacts; /* likewise */
} deployer_worker_t;

extern const vln_method_t deployer_methods[];
extern const size_t deployer_method_count;

deployer_worker_t *deployer_worker_open(deployer_t *deployer);
void deployer_worker_close(deployer_worker_t **self_p);

/* The worker's connection to the bus, for the registry. */
vln_client_t *deployer_client(deployer_worker_t *self);

/* Artifacts by way of that connection. */
vln_artifacts_t *deployer_artifacts(deployer_worker_t *self);

/* A background thread of the service's; `context` is a deployer_t. */
void deployer_run_tick(void *context, vln_stop_t *stop);

/* Tasks. Each ends the task. */
void deployer_run_deploy(vln_worker_t *worker, vln_task_t *task);
void deployer_run_rollback(vln_worker_t *worker, vln_task_t *task);
void deployer_run_watch(vln_worker_t *worker, vln_task_t *task);

/* ---- handlers ---- */

void deployer_create_rollout(void *worker, vln_call_t **calls, size_t count);
void deployer_get_rollout(void *worker, vln_call_t **calls, size_t count);
void deployer_list_rollouts(void *worker, vln_call_t **calls, size_t count);
void deployer_change_rollout(void *worker, vln_call_t **calls, size_t count);
void deployer_rollback(void *worker, vln_call_t **calls, size_t count);
void deployer_watch_rollout(void *worker, vln_call_t **calls, size_t count);
void deployer_list_decisions(void *worker, vln_call_t **calls, size_t count);
void deployer_list_endpoints(void *worker, vln_call_t **calls, size_t count);
void deployer_list_revisions(void *worker, vln_call_t **calls, size_t count);
void deployer_list_environments(void *worker, vln_call_t **calls, size_t count);
void deployer_stop_serving(void *worker, vln_call_t **calls, size_t count);
void deployer_set_watch_rule(void *worker, vln_call_t **calls, size_t count);
void deployer_list_watch_rules(void *worker, vln_call_t **calls, size_t count);
void deployer_get_host_state(void *worker, vln_call_t **calls, size_t count);
void deployer_report_host_state(void *worker, vln_call_t **calls, size_t count);
void deployer_list_hosts(void *worker, vln_call_t **calls, size_t count);

#endif
