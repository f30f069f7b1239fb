/*
 * vln_task - a leased task, as the function that works on it sees it.
 *
 * The function runs on a worker thread, reads top to bottom, and says how the task ended by one of
 * vln_task_done() … vln_task_wait() before it returns. Its effects may be made twice, by another
 * worker, when a lease runs out: calls on behalf of the task show `ticket` and use ids derived from
 * `id`, and whatever else it changes checks `token`.
 */
#ifndef VLN_TASK_H
#define VLN_TASK_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "vln_id.h"
#include "vln_mem.h"
#include "vln_queue.h"

#include "valion/v1/orchestrator.pb-c.h"

typedef struct vln_task {
    vln_item_t item; /* of the queues; not of the function */

    vln_id_t id;
    uint64_t token;
    const char *kind;
    const uint8_t *spec; /* packed, of the kind's own message */
    size_t spec_size;
    const uint8_t *resume; /* what an earlier vln_task_wait() asked to be given back */
    size_t resume_size;
    uint32_t attempt;    /* 1 at first */
    int64_t deadline_ms; /* monotonic, of the task as a whole */
    const char *submitter;
    const Valion__V1__SignedTicket *ticket;
    vln_arena_t *arena; /* for the function's use; ends with the task */

    /* ---- how it ended, set by the functions below ---- */
    Valion__V1__CompleteTaskRequest end;

    /* ---- shared by the leasing thread and the worker thread ---- */
    atomic_bool stopped;
    atomic_int progress_ppm; /* -1: nothing said */

    /* ---- of the leasing thread ---- */
    void *tasks;
    bool fenced;
    bool completing;
} vln_task_t;

/* The spec as this message, in the task's arena; NULL: it is none, and the task has failed. */
void *vln_task_spec(vln_task_t *self, const ProtobufCMessageDescriptor *descriptor);

/* `result` is kept with the task: at most 16 KiB, copied; larger ones are artifacts. */
void vln_task_done(vln_task_t *self, const void *result, size_t size);

/* A sentence of at most 2000 bytes. Retryable: again with backoff, as attempts allow. */
void vln_task_fail(vln_task_t *self, bool retryable, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The task's sandboxed child died or hit a limit: the second time it is given up as poison. */
void vln_task_crash(vln_task_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

/* Not done, and nobody's fault: another worker takes it at once. */
void vln_task_hand_back(vln_task_t *self);

/* Frees the slot until `wait` comes true; then the function runs again, with `resume` (at most
 * 16 KiB, copied). `wait` lives in the task's arena. */
void vln_task_wait(vln_task_t *self, Valion__V1__Wait *wait, const void *resume, size_t size);

/* True when the work is of no more use: cancelled, the lease lost, or the process leaves and its
 * grace time is over. Ask often; then return, without saying an end. */
bool vln_task_is_stopped(const vln_task_t *self);

/* 0 to 1; shown to who watches the job, with the next heartbeat. */
void vln_task_progress(vln_task_t *self, double fraction);

#endif
