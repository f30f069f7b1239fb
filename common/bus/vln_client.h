/*
 * vln_client - one call at a time, for a thread that can wait: vln_calls with a blocking face.
 *
 * The same deadline, retries and brokers as there. Used by one thread.
 */
#ifndef VLN_CLIENT_H
#define VLN_CLIENT_H

#include "vln_calls.h"

typedef struct vln_client vln_client_t;

/* INVALID_ARGUMENT if `bus` has no address that can be read; a name that cannot be resolved now is
 * tried again with each call. */
VLN_MUST_USE vln_err_t vln_client_open(vln_client_t **out, const vln_client_config_t *config);
void vln_client_close(vln_client_t **self_p);

/* The reply's status, or what went wrong here. `*reply` must be wiped in every case. */
vln_err_t vln_client_call(vln_client_t *self, const vln_call_spec_t *spec, vln_reply_t *reply);

/* Ends waits of this thread's call soon: set from a signal handler. NULL is never. */
void vln_client_stop_on(vln_client_t *self, const volatile int *stop);

/* The calls below it, for a thread that wants many in flight for a while: borrowed until the close,
 * and idle again before the next vln_client_call(). */
vln_calls_t *vln_client_calls(vln_client_t *self);

#endif
