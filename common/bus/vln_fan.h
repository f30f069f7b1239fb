/*
 * vln_fan - one PUB or SUB socket, connected to the same port of every broker.
 *
 * Lossy by contract: whoever misses a message reads the log. Used by one thread.
 */
#ifndef VLN_FAN_H
#define VLN_FAN_H

#include <stdbool.h>

#include "vln_keys.h"

typedef struct vln_fan vln_fan_t;

typedef enum vln_fan_side {
    VLN_FAN_PUBLISH,   /* ZMQ_PUB, to the brokers' publish port */
    VLN_FAN_SUBSCRIBE, /* ZMQ_SUB, to their subscribe port */
} vln_fan_side_t;

/* `bus`: host:port of the brokers' client ports; `keys` of a built-in service; `prefix`: what is
 * subscribed to, else NULL. All copied. */
vln_fan_t *vln_fan_new(vln_fan_side_t side, const char *bus, const vln_keypair_t *keys,
                       const char *bus_key, const char *prefix);
void vln_fan_destroy(vln_fan_t **self_p);

/* Borrowed until vln_fan_refresh() returns true. */
void *vln_fan_socket(const vln_fan_t *self);

/* Follows brokers that come and go: call it now and then. True if the socket was made anew,
 * because a broker had refused the certificate. */
bool vln_fan_refresh(vln_fan_t *self);

#endif
