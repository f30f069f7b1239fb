#include "vln_fan.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "vln_address.h"
#include "vln_mem.h"
#include "vln_monitor.h"
#include "vln_socket.h"
#include "vln_time.h"

enum { RESOLVE_EVERY_MS = 5000, REFUSED_PAUSE_MS = 1000 };

struct vln_fan {
    vln_fan_side_t side;
    char *bus;
    char *bus_key;
    char *prefix;
    vln_keypair_t keys;
    void *socket;
    void *monitor;
    vln_addresses_t connected;
    int64_t resolved_ms;
    int64_t reopen_ms; /* after a refusal; 0: no need */
};

/* Connects (or leaves) what is in `some` and not in `others`. */
static void
apply(vln_fan_t *self, const vln_addresses_t *some, const vln_addresses_t *others,
      int (*change)(void *socket, const char *endpoint))
{
    const int offset = self->side == VLN_FAN_PUBLISH ? 2 : 3;
    for (size_t i = 0; i < some->count; i++) {
        char endpoint[VLN_ADDRESS_TEXT];
        if (!vln_addresses_have(others, some->endpoint[i]) &&
            vln_address_above(some->endpoint[i], offset, endpoint)) {
            change(self->socket, endpoint);
        }
    }
}

static void
open_socket(vln_fan_t *self)
{
    const vln_addresses_t none = {0};
    self->socket = vln_socket_new(self->side == VLN_FAN_PUBLISH ? ZMQ_PUB : ZMQ_SUB);
    vln_socket_secure_client(self->socket, &self->keys, self->bus_key);
    if (self->prefix) {
        zmq_setsockopt(self->socket, ZMQ_SUBSCRIBE, self->prefix, strlen(self->prefix));
    }
    self->monitor = vln_monitor_new(self->socket);
    apply(self, &self->connected, &none, zmq_connect);
}

static void
close_socket(vln_fan_t *self)
{
    vln_monitor_close(&self->monitor, self->socket);
    vln_socket_close(&self->socket);
}

static void
follow(vln_fan_t *self)
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

bool
vln_fan_refresh(vln_fan_t *self)
{
    follow(self);
    vln_monitor_event_t event = vln_monitor_next(self->monitor);
    for (; event != VLN_MONITOR_NOTHING; event = vln_monitor_next(self->monitor)) {
        if (event == VLN_MONITOR_REFUSED && !self->reopen_ms) {
            self->reopen_ms = vln_mono_ms() + REFUSED_PAUSE_MS;
        }
    }
    if (!self->reopen_ms || vln_mono_ms() < self->reopen_ms) {
        return false;
    }
    self->reopen_ms = 0;
    close_socket(self);
    open_socket(self);
    return true;
}

vln_fan_t *
vln_fan_new(vln_fan_side_t side, const char *bus, const vln_keypair_t *keys, const char *bus_key,
            const char *prefix)
{
    vln_fan_t *self = vln_calloc(1, sizeof *self);
    self->side = side;
    self->bus = vln_strdup(bus);
    self->bus_key = vln_strdup(bus_key);
    self->prefix = vln_strdup(prefix);
    self->keys = *keys;
    open_socket(self);
    follow(self);
    return self;
}

void
vln_fan_destroy(vln_fan_t **self_p)
{
    vln_fan_t *self = *self_p;
    if (self) {
        close_socket(self);
        vln_keypair_wipe(&self->keys);
        free(self->bus);
        free(self->bus_key);
        free(self->prefix);
        free(self);
        *self_p = NULL;
    }
}

void *
vln_fan_socket(const vln_fan_t *self)
{
    return self->socket;
}
