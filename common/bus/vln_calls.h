/*
 * vln_calls - calls over the bus, many in flight at once, from one thread.
 *
 * A DEALER to each broker address (all addresses of every name: libzmq would take one). A call goes
 * to one broker; when that disconnects, stays silent, or answers with a transient status, the same
 * call (the same request id) goes to the next, until its deadline. A broker that refused the
 * certificate gets a new socket now and then, because libzmq does not try again by itself.
 *
 * Nothing happens between calls of vln_calls_poll(). For one call at a time: vln_client.
 */
#ifndef VLN_CALLS_H
#define VLN_CALLS_H

#include <protobuf-c/protobuf-c.h>
#include <stddef.h>
#include <stdint.h>
#include <zmq.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_keys.h"
#include "vln_mem.h"

enum { VLN_CALLS_MAX = 1024 };

typedef struct vln_calls vln_calls_t;

typedef struct vln_client_config {
    const char *bus;     /* "host:port[,host:port…]"; copied */
    const char *bus_key; /* public key of the brokers, Z85; copied */
    vln_keypair_t keys;  /* of the caller */
} vln_client_config_t;

/* A call. Zeroed fields have the defaults that are named. All pointers but `request` are used until
 * the call has ended. */
typedef struct vln_call_spec {
    const char *service;
    const char *method;
    const ProtobufCMessage *request;
    const ProtobufCMessageDescriptor *reply_type;
    int64_t timeout_ms;         /* in all, retries included; default 10 s */
    int64_t attempt_ms;         /* one attempt; default 2.5 s; longer for calls that park */
    int max_attempts;           /* default: as many as fit */
    const vln_id_t *request_id; /* default: a new one */
    const void *ticket;         /* Valion__V1__SignedTicket; default none */
    const void *raw;            /* frame `raw`; default none */
    size_t raw_size;
} vln_call_spec_t;

/* What came back. Everything lives in `arena`; end it with vln_reply_wipe(). */
typedef struct vln_reply {
    vln_arena_t *arena;
    ProtobufCMessage *message; /* of reply_type; NULL unless VLN_OK */
    const char *why;           /* the reply's message, or our own sentence; "" on VLN_OK */
    int reason;                /* valion.v1.Reason of the first detail; 0 if there is none */
    int64_t retry_after_ms;
    const uint8_t *raw;
    size_t raw_size;
    int attempts;
} vln_reply_t;

void vln_reply_wipe(vln_reply_t *reply);

/*
 * The end of a call: the reply's status, or what went wrong here. The reply is wiped after the
 * function returns, unless it moves it away: `*mine = *reply; *reply = (vln_reply_t){0}`. It may
 * start other calls, and must not poll or close.
 */
typedef void (*vln_calls_fn)(void *context, vln_err_t err, vln_reply_t *reply);

/* INVALID_ARGUMENT if `bus` has no address that can be read; a name that cannot be resolved now is
 * tried again while calls wait. */
VLN_MUST_USE vln_err_t vln_calls_open(vln_calls_t **out, const vln_client_config_t *config);

/* Calls that have not ended do so without a word to their functions. */
void vln_calls_close(vln_calls_t **self_p);

/* RESOURCE_EXHAUSTED, and nothing done, when VLN_CALLS_MAX are in flight. */
VLN_MUST_USE vln_err_t vln_calls_start(vln_calls_t *self, const vln_call_spec_t *spec,
                                       vln_calls_fn ended, void *context);

size_t vln_calls_in_flight(const vln_calls_t *self);

/*
 * Sends, receives, retries and ends calls; waits at most `wait_ms` for something to do. Returns
 * when something arrived, also on one of the caller's own `items` (their revents are set), which
 * may be NULL. At most 8 items.
 */
void vln_calls_poll(vln_calls_t *self, int64_t wait_ms, zmq_pollitem_t *items, size_t count);

/* Ends every call with CANCELLED; what was sent may still be done. */
void vln_calls_cancel(vln_calls_t *self);

#endif
