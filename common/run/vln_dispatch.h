/*
 * vln_dispatch - the worker threads: check each call, run its handler, pack the answer.
 *
 * Roles, body size, protobuf, deadline and ticket are checked here, once for every method, before
 * a handler sees a call. Knows no sockets.
 */
#ifndef VLN_DISPATCH_H
#define VLN_DISPATCH_H

#include "vln_call.h"
#include "vln_keys.h"
#include "vln_metrics.h"
#include "vln_queue.h"
#include "vln_service.h"

typedef struct vln_dispatch vln_dispatch_t;

/* First parameter of the handlers that are the same for every service. */
typedef struct vln_builtin {
    void *service;
    void *worker; /* what the service's open_worker made for this thread */
} vln_builtin_t;

typedef struct vln_dispatch_config {
    const vln_service_config_t *service;
    vln_queue_t *queue;
    vln_outbox_t *outbox;
    vln_metrics_t *metrics;
    const uint8_t *ticket_key; /* VLN_SIGN_PUBLIC bytes, or NULL */
    vln_handler_fn *health;    /* GetHealth, GetStats: the same for every service */
    vln_handler_fn *stats;
    void *builtin; /* vln_builtin_t.service for them */
} vln_dispatch_config_t;

/* Starts the threads; `config` is copied, what it points to must outlive them. */
vln_dispatch_t *vln_dispatch_new(const vln_dispatch_config_t *config);

/* Joins them: the queue has to be closed first. */
void vln_dispatch_destroy(vln_dispatch_t **self_p);

/* Lane of a method: its row in the service's table, then GetHealth, GetStats; -1 if none. */
int vln_dispatch_lane(const vln_dispatch_t *self, const char *method);
size_t vln_dispatch_lanes(const vln_service_config_t *service);
void vln_dispatch_batches(const vln_service_config_t *service, size_t *batch_max);

/* Frame loop: answer without a handler. Packs as a worker would. */
void vln_dispatch_refuse_now(vln_call_t *call, vln_err_t err, int reason, const char *why);

#endif
