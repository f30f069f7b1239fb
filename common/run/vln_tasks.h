/*
 * vln_tasks - a worker's life: leases tasks of its kinds, runs them on threads, keeps their leases,
 * completes them, many at once.
 *
 * A thread of its own talks to the bus; it alone touches the connection. Worker threads run one
 * task each. Thread-safe where it says so.
 */
#ifndef VLN_TASKS_H
#define VLN_TASKS_H

#include "vln_calls.h"
#include "vln_task.h"

enum { VLN_TASKS_SLOTS_MAX = 256, VLN_TASKS_KINDS_MAX = 32 };

typedef struct vln_tasks vln_tasks_t;

typedef struct vln_tasks_config {
    vln_client_config_t client; /* copied */
    const char *instance;       /* shown as the lease's holder; copied */
    const char *const *kinds;   /* copied by pointer: static */
    size_t kind_count;
    size_t threads;
    size_t slots; /* leased at once; at least `threads`, more where tasks are short */

    /* Each worker thread's own: opened and closed on it; may be NULL. */
    void *(*open_worker)(void *context);
    void (*close_worker)(void **worker_p);
    void *context;

    void (*run)(void *worker, vln_task_t *task);
} vln_tasks_config_t;

/* Begins to lease at once. INVALID_ARGUMENT if the address of the bus cannot be read. */
VLN_MUST_USE vln_err_t vln_tasks_start(vln_tasks_t **out, const vln_tasks_config_t *config);

/* Leases no more, waits for what runs, hands back the rest, and ends. What still runs after
 * `grace_ms` is told to stop, and handed back if it does not end well. */
void vln_tasks_stop(vln_tasks_t **self_p, int64_t grace_ms);

/* Tasks whose completion was recorded since the start, whatever the outcome. Thread-safe. */
int64_t vln_tasks_completed(const vln_tasks_t *self);

#endif
