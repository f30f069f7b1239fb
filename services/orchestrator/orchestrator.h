/*
 * orchestrator - what the parts of valion-orchestrator share: the config, and what a worker thread
 * holds.
 *
 * The path of a call: vln_service -> orchestrator_methods[] -> orchestrator_jobs.c, _pipelines.c and
 * _runs.c (what people call) or orchestrator_leases.c, _complete.c and _log.c (what workers call) ->
 * orchestrator_store. Whatever ends a task of a run lets the run go on in the same transaction
 * (orchestrator_advance.c). The sweep, a thread of its own, does what nobody asks for: leases that
 * ran out, deadlines, waits that came true, runs whose turn it is.
 */
#ifndef ORCHESTRATOR_H
#define ORCHESTRATOR_H

#include "vln_keys.h"
#include "vln_service.h"

#include "orchestrator_store.h"
#include "valion/v1/orchestrator.pb-c.h"

typedef struct orchestrator_config {
    vln_service_options_t service;
    const char *database;
    int64_t max_ready;
} orchestrator_config_t;

/* What calls park on; index in orchestrator_topics. */
enum {
    ORCHESTRATOR_TOPIC_READY,
    ORCHESTRATOR_TOPIC_JOB,
    ORCHESTRATOR_TOPIC_RUN,
    ORCHESTRATOR_TOPIC_LOG,
    ORCHESTRATOR_TOPIC_COUNT,
};
extern const char *const orchestrator_topics[];

/* One for the process; read-only once the threads run. */
typedef struct orchestrator {
    const orchestrator_config_t *config;
    vln_service_t *service;
    uint8_t ticket_key[VLN_SIGN_SECRET];
    size_t ready_gauge; /* counter of the ready tasks, as the sweep saw them last */
} orchestrator_t;

/* Of one worker thread. */
typedef struct orchestrator_worker {
    const orchestrator_t *orchestrator;
    orchestrator_store_t *store;
} orchestrator_worker_t;

/* The interface: a row a method, in orchestrator_methods.c. */
extern const vln_method_t orchestrator_methods[];
extern const size_t orchestrator_method_count;
extern const char *const orchestrator_planned[];
extern const size_t orchestrator_planned_count;

/* Handlers; `worker` is an orchestrator_worker_t. */
vln_handler_fn orchestrator_submit_job;
vln_handler_fn orchestrator_get_job;
vln_handler_fn orchestrator_list_jobs;
vln_handler_fn orchestrator_cancel_job;
vln_handler_fn orchestrator_requeue_job;
vln_handler_fn orchestrator_lease_tasks;
vln_handler_fn orchestrator_heartbeat;
vln_handler_fn orchestrator_complete_task;
vln_handler_fn orchestrator_complete_tasks;
vln_handler_fn orchestrator_apply_pipeline;
vln_handler_fn orchestrator_get_pipeline;
vln_handler_fn orchestrator_list_pipelines;
vln_handler_fn orchestrator_submit_run;
vln_handler_fn orchestrator_get_run;
vln_handler_fn orchestrator_list_runs;
vln_handler_fn orchestrator_change_run;
vln_handler_fn orchestrator_append_log;
vln_handler_fn orchestrator_read_log;

/* The sweep; `context` is an orchestrator_t. */
void orchestrator_run_sweep(void *context, vln_stop_t *stop);

/* Makes sure that the shipped pipeline is there; when the program starts. UNAVAILABLE. */
VLN_MUST_USE vln_err_t orchestrator_ship_pipelines(const char *database);

/* GetStats: the service's own numbers. */
size_t orchestrator_stats(void *worker, vln_service_number_t *out);

/* ---- what handlers and sweep share ---- */

/*
 * What the rule for this event makes of a task that is locked; false if the event means nothing in
 * its state. `counters` are those after the event; `error` may be NULL.
 */
bool orchestrator_decide(const orchestrator_task_t *task, task_event_t event,
                         const task_counters_t *counters, const char *error,
                         orchestrator_change_t *out);

/* The event that tells of the change, if people or programs may want to know: job.finished,
 * task.retried, … */
void orchestrator_add_event(vln_events_t *events, const orchestrator_task_t *task,
                            task_event_t event, const orchestrator_change_t *change,
                            const char *actor);

Valion__V1__Job *orchestrator_job_to_wire(vln_arena_t *arena, const orchestrator_task_t *task);

/* Who submits by this call: its principal, or who submitted the task that it is made for. */
const char *orchestrator_submitter(const vln_call_t *call);
uint32_t orchestrator_submitter_roles(const vln_call_t *call);

/* True, else the call is refused: there is room for more ready tasks. */
bool orchestrator_check_room(const orchestrator_t *self, vln_call_t *call);

/* True, else the call is refused: what is this submitter's may be changed by who calls. `what` is "job",
 * "run". */
bool orchestrator_check_owner(vln_call_t *call, const char *what, const char *submitter);

/* Page size, within bounds; else the call is refused. */
bool orchestrator_page_size(vln_call_t *call, const Valion__V1__Page *page, int *out);

/* protobuf-c has no const; packing only reads. */
char *orchestrator_borrowed(const char *text);
ProtobufCBinaryData orchestrator_borrowed_bytes(const uint8_t *bytes, size_t size);

/* True, else the call is refused: an id of 16 bytes. */
bool orchestrator_read_id(vln_call_t *call, const char *field, const ProtobufCBinaryData *bytes,
                          vln_id_t *out);

#endif
