/*
 * vln_worker - the life of a service that does tasks: trainer, validator, deployer.
 *
 * It is a vln_service (on the bus, GetHealth, GetStats, a clean end) whose work comes from the
 * orchestrator by vln_tasks: each slot is a thread that runs one task at a time with a connection
 * of its own. SIGTERM: no new tasks, what runs may end within the grace time, the rest is handed
 * back.
 */
#ifndef VLN_WORKER_H
#define VLN_WORKER_H

#include "vln_artifacts.h"
#include "vln_service.h"
#include "vln_shelf.h"
#include "vln_tasks.h"

typedef struct vln_worker_options {
    vln_service_options_t service;
    vln_cache_options_t cache;
    int64_t slots;
    int64_t table_cache_mib; /* of those that read data sets */
} vln_worker_options_t;

/* clang-format off */
#define VLN_WORKER_OPTIONS(type, field, default_threads)                                           \
    VLN_SERVICE_OPTIONS(type, field.service, default_threads),                                     \
    VLN_CACHE_OPTIONS(type, field.cache),                                                          \
    VLN_OPT_ROW_INT(type, field.slots, "slots", "0", 0, 64,                                        \
        "tasks at once; 0: as many as this process may use processors")
/* clang-format on */

/* clang-format off */
#define VLN_TABLE_CACHE_OPTIONS(type, field)                                                       \
    VLN_OPT_ROW_INT(type, field.table_cache_mib, "table-cache-mib", "256", 0, 65536,               \
        "memory for data sets that were read, for tasks that need them again")
/* clang-format on */

/* Of one slot's thread. */
typedef struct vln_worker {
    vln_client_t *client;
    vln_artifacts_t *artifacts;
    vln_service_t *service;
    vln_shelf_t *tables; /* of the process: data sets that were read */
    void *own;           /* what config.open made */
} vln_worker_t;

/* A kind of task that is done here. */
typedef struct vln_worker_kind {
    const char *name;
    void (*run)(vln_worker_t *worker, vln_task_t *task);
} vln_worker_kind_t;

typedef struct vln_worker_config {
    const vln_worker_options_t *options;
    const vln_worker_kind_t *kinds; /* at most VLN_TASKS_KINDS_MAX */
    size_t kind_count;
    void *context;
    void *(*open)(void *context); /* once in each slot's thread; may be NULL */
    void (*close)(void **own_p);
} vln_worker_config_t;

typedef struct vln_workers vln_workers_t;

/*
 * Before the service is opened, beside which it runs: vln_workers_run is one of its background
 * threads, with the workers as the context.
 */
vln_workers_t *vln_workers_new(const vln_worker_config_t *config);
void vln_workers_destroy(vln_workers_t **self_p);

/* Between vln_service_open() and vln_service_run(). */
void vln_workers_serve(vln_workers_t *self, vln_service_t *service);

/* A vln_background_t's function. */
void vln_workers_run(void *context, vln_stop_t *stop);

/* ---- calls of a task ---- */

/* A call on behalf of the task: with its ticket, and the id that (task, purpose) always has, so that
 * a rerun of the task makes no second effect. `purpose` NULL: a read. */
vln_err_t vln_worker_call(vln_worker_t *self, const vln_task_t *task, const char *purpose,
                          vln_call_spec_t spec, vln_reply_t *reply);

/* The task ends as FAILED with this sentence; it is tried again if the error may pass. */
void vln_worker_fail(vln_task_t *task, vln_err_t err, const char *what, const char *why);

#endif
