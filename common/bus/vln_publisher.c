#include "vln_publisher.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "vln_address.h"
#include "vln_mem.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

enum { RESOLVE_EVERY_MS = 5000, PUBLISH_PORT_OFFSET = 2 };

struct vln_publisher {
    char *bus;
    void *socket;
    vln_addresses_t connected;
    int64_t resolved_ms;
};

static bool
publish_endpoint(const char *client_endpoint, char out[VLN_ADDRESS_TEXT])
{
    const char *colon = strrchr(client_endpoint, ':');
    int64_t port = 0;
    if (!colon || !vln_text_to_i64(colon + 1, 1, 65535 - PUBLISH_PORT_OFFSET, &port)) {
        return false;
    }
    snprintf(out, VLN_ADDRESS_TEXT, "%.*s:%d", (int)(colon - client_endpoint), client_endpoint,
             (int)port + PUBLISH_PORT_OFFSET);
    return true;
}

static bool
contains(const vln_addresses_t *list, const char *endpoint)
{
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->endpoint[i], endpoint) == 0) {
            return true;
        }
    }
    return false;
}

/* Connects (or leaves) what is in `some` and not in `others`. */
static void
apply(vln_publisher_t *self, const vln_addresses_t *some, const vln_addresses_t *others,
      int (*change)(void *socket, const char *endpoint))
{
    for (size_t i = 0; i < some->count; i++) {
        char endpoint[VLN_ADDRESS_TEXT];
        if (!contains(others, some->endpoint[i]) && publish_endpoint(some->endpoint[i], endpoint)) {
            change(self->socket, endpoint);
        }
    }
}

void
vln_publisher_refresh(vln_publisher_t *self)
{
    vln_addresses_t now;
    if (self->resolved_ms && vln_mono_ms() - self->resolved_ms < RESOLVE_EVERY_MS) {
        return;
    }
    self->resolved_ms = vln_mono_ms();
    if (vln_addresses_resolve(self->bus, &now) != VLN_OK) {
        return;
    }
    apply(self, &now, &self->connected, zmq_connect);
    apply(self, &self->connected, &now, zmq_disconnect);
    self->connected = now;
}

vln_publisher_t *
vln_publisher_new(const char *bus, const vln_keypair_t *keys, const char *bus_key)
{
    vln_publisher_t *self = vln_calloc(1, sizeof *self);
    self->bus = vln_strdup(bus);
    self->socket = vln_socket_new(ZMQ_PUB);
    vln_socket_secure_client(self->socket, keys, bus_key);
    vln_publisher_refresh(self);
    return self;
}

void
vln_publisher_destroy(vln_publisher_t **self_p)
{
    vln_publisher_t *self = *self_p;
    if (self) {
        vln_socket_close(&self->socket);
        free(self->bus);
        free(self);
        *self_p = NULL;
    }
}

void
vln_publisher_send(vln_publisher_t *self, const char *topic, const void *bytes, size_t size)
{
    if (zmq_send(self->socket, topic, strlen(topic), ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0) {
        zmq_send(self->socket, bytes, size, ZMQ_DONTWAIT);
    }
}
