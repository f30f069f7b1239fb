/*
 * vln_link - a service's connection to one broker: READY, heartbeats, frames in and out. Used by
 * the frame loop's thread.
 *
 * libzmq does not reconnect after an authentication error, and a broker that hangs keeps its
 * connection; a link that is silent for four heartbeats is therefore closed and made anew.
 */
#ifndef VLN_LINK_H
#define VLN_LINK_H

#include <stdbool.h>
#include <stdint.h>
#include <zmq.h>

#include "vln_address.h"
#include "vln_keys.h"
#include "vln_mem.h"

#include "valion/v1/header.pb-c.h"

enum { VLN_HEARTBEAT_MS = 1000, VLN_LIVENESS_MS = 4000 };

typedef struct vln_link {
    char endpoint[VLN_ADDRESS_TEXT]; /* of the broker's client port, as configured */
    void *socket;                    /* DEALER to its service port */
    void *monitor;
    bool connected;
    uint64_t serial; /* of this socket and broker: a reply never goes to a later one */
    uint64_t epoch;  /* of the broker, from its last frame */
    int64_t heard_ms;
} vln_link_t;

void vln_link_open(vln_link_t *self, const char *client_endpoint, const vln_keypair_t *keys,
                   const char *bus_key);
void vln_link_close(vln_link_t *self);

/* Looks at what happened to the connection: after it broke the link has another serial, because the
 * broker has forgotten every call that it carried. */
void vln_link_check(vln_link_t *self);

/* An envelope and at most one body frame; false if the broker's queue is full or gone. */
bool vln_link_send(vln_link_t *self, const Valion__V1__Envelope *envelope, const uint8_t *body,
                   size_t body_size);

/* A reply: envelope, header, body, and raw if raw_size > 0. */
typedef struct vln_link_reply {
    uint64_t call;
    bool parked;
    const uint8_t *header;
    size_t header_size;
    const uint8_t *body;
    size_t body_size;
    const uint8_t *raw;
    size_t raw_size;
} vln_link_reply_t;
bool vln_link_reply(vln_link_t *self, const vln_link_reply_t *reply);

/* The frames of one message, at most 4; closed by vln_frames_close. */
typedef struct vln_frames {
    size_t count;
    zmq_msg_t frame[4];
} vln_frames_t;

/* False when nothing waits. Superfluous frames are dropped and the count says 0. */
bool vln_link_receive(vln_link_t *self, vln_frames_t *out);
void vln_frames_close(vln_frames_t *self);
/* `self`, which is empty, takes over the frames of `from`. */
void vln_frames_move(vln_frames_t *self, vln_frames_t *from);

#endif
