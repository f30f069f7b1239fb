/*
 * vln_publisher - messages to every broker's publish port, for subscribers of all of them.
 *
 * Lossy by contract: a subscriber that misses one reads the log. Used by one thread.
 */
#ifndef VLN_PUBLISHER_H
#define VLN_PUBLISHER_H

#include <stddef.h>

#include "vln_err.h"
#include "vln_keys.h"

typedef struct vln_publisher vln_publisher_t;

/* `bus`: host:port of the brokers' client ports; `keys` of a built-in service. Copied. */
vln_publisher_t *vln_publisher_new(const char *bus, const vln_keypair_t *keys, const char *bus_key);
void vln_publisher_destroy(vln_publisher_t **self_p);

/* Follows brokers that come and go: call it now and then. */
void vln_publisher_refresh(vln_publisher_t *self);

void vln_publisher_send(vln_publisher_t *self, const char *topic, const void *bytes, size_t size);

#endif
