/*
 * vln_client - calls from a thread that can wait: blocking, with deadline, retries, and every
 * broker.
 *
 * One DEALER to each broker address (all addresses of every name: libzmq would take one). A call
 * goes to one broker; when that disconnects, does not answer in time, or answers with a transient
 * status, the same call (the same request id) goes to the next, until the deadline. A broker that
 * stays silent gets a new socket, because libzmq does not reconnect after an authentication error.
 * Used by one thread.
 */
#ifndef VLN_CLIENT_H
#define VLN_CLIENT_H

#include <protobuf-c/protobuf-c.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_keys.h"
#include "vln_mem.h"

typedef struct vln_client vln_client_t;

typedef struct vln_client_config {
    const char *bus;     /* "host:port[,host:port…]"; copied */
    const char *bus_key; /* public key of the brokers, Z85; copied */
    vln_keypair_t keys;  /* of the caller */
} vln_client_config_t;

/* A call. Zeroed fields have the defaults that are named. */
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

/* INVALID_ARGUMENT if `bus` has no address that can be read; a name that cannot be resolved now is
 * tried again with each call. */
VLN_MUST_USE vln_err_t vln_client_open(vln_client_t **out, const vln_client_config_t *config);
void vln_client_close(vln_client_t **self_p);

/* The reply's status, or what went wrong here. `*reply` must be wiped in every case. */
vln_err_t vln_client_call(vln_client_t *self, const vln_call_spec_t *spec, vln_reply_t *reply);
void vln_reply_wipe(vln_reply_t *reply);

/* Ends waits of this thread's call soon: set from a signal handler. NULL is never. */
void vln_client_stop_on(vln_client_t *self, const volatile int *stop);

#endif
