/*
 * vln_address - "host:port[,host:port…]" to every address behind it.
 *
 * libzmq connects to the first address of a name only; `--scale bus=2` has two behind one.
 */
#ifndef VLN_ADDRESS_H
#define VLN_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>

#include "vln_err.h"

enum { VLN_ADDRESS_TEXT = 80, VLN_ADDRESSES_MAX = 32 };

typedef struct vln_addresses {
    size_t count;
    char endpoint[VLN_ADDRESSES_MAX][VLN_ADDRESS_TEXT]; /* "tcp://10.0.0.7:7001", sorted */
} vln_addresses_t;

/*
 * Resolve now. INVALID_ARGUMENT if the text is not of that form, UNAVAILABLE if no name could be
 * resolved; names that cannot be are left out while others can. `ipc://…` and `inproc://…` are
 * taken as they are.
 */
VLN_MUST_USE vln_err_t vln_addresses_resolve(const char *list, vln_addresses_t *out);

bool vln_addresses_have(const vln_addresses_t *self, const char *endpoint);

/* The endpoint whose port is `offset` above that of the client endpoint: 1 services, 2 publish, 3
 * subscribe. False if it has no such port. */
bool vln_address_above(const char *client_endpoint, int offset, char out[VLN_ADDRESS_TEXT]);

#endif
