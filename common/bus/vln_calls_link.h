/*
 * vln_calls_link - the connection of vln_calls to one broker. Inside of vln_calls.
 */
#ifndef VLN_CALLS_LINK_H
#define VLN_CALLS_LINK_H

#include <stdbool.h>
#include <stdint.h>

#include "vln_address.h"
#include "vln_keys.h"

typedef struct vln_calls_link {
    char endpoint[VLN_ADDRESS_TEXT];
    void *socket;
    void *monitor;
    bool connected;    /* the handshake was accepted */
    uint64_t serial;   /* a new one with each socket: what was sent on another is lost */
    int64_t heard_ms;  /* monotonic, of the last message */
    int64_t reopen_ms; /* when to make a new socket, after a refusal; 0: no need */
} vln_calls_link_t;

void vln_calls_link_open(vln_calls_link_t *self, const char *endpoint, const vln_keypair_t *keys,
                         const char *bus_key);
void vln_calls_link_close(vln_calls_link_t *self);

/* Looks at what happened to the connection. True if what was sent on it is lost; then there is a
 * new socket already, or will be when the refusal has been waited out. */
bool vln_calls_link_check(vln_calls_link_t *self, const vln_keypair_t *keys, const char *bus_key);

#endif
