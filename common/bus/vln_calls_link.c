#include "vln_calls_link.h"

#include <errno.h>
#include <zmq.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_log.h"
#include "vln_monitor.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

enum { REFUSED_PAUSE_MS = 500 };

void
vln_calls_link_open(vln_calls_link_t *self, const char *endpoint, const vln_keypair_t *keys,
                    const char *bus_key)
{
    int one = 1;
    if (self->endpoint != endpoint) {
        vln_text_copy(self->endpoint, sizeof self->endpoint, endpoint);
    }
    self->serial = vln_random_u64();
    self->reopen_ms = 0;
    self->connected = false;
    self->socket = vln_socket_new(ZMQ_DEALER);
    vln_assert(zmq_setsockopt(self->socket, ZMQ_IMMEDIATE, &one, sizeof one) == 0);
    vln_socket_secure_client(self->socket, keys, bus_key);
    self->monitor = vln_monitor_new(self->socket);
    if (zmq_connect(self->socket, self->endpoint) != 0) {
        vln_warn("calls.bad_address", kv_str("endpoint", self->endpoint),
                 kv_str("detail", zmq_strerror(errno)));
    }
}

void
vln_calls_link_close(vln_calls_link_t *self)
{
    vln_monitor_close(&self->monitor, self->socket);
    vln_socket_close(&self->socket);
}

static void
reopen(vln_calls_link_t *self, const vln_keypair_t *keys, const char *bus_key)
{
    vln_calls_link_close(self);
    vln_calls_link_open(self, self->endpoint, keys, bus_key);
}

bool
vln_calls_link_check(vln_calls_link_t *self, const vln_keypair_t *keys, const char *bus_key)
{
    bool lost = false;
    vln_monitor_event_t event = vln_monitor_next(self->monitor);
    for (; event != VLN_MONITOR_NOTHING; event = vln_monitor_next(self->monitor)) {
        /* A handshake that was cut off is repeated by libzmq, with a pause. */
        lost = lost || (event == VLN_MONITOR_DISCONNECTED && self->connected);
        self->connected = event == VLN_MONITOR_CONNECTED;
        if (event == VLN_MONITOR_REFUSED) {
            self->reopen_ms = vln_mono_ms() + REFUSED_PAUSE_MS;
        }
    }
    if (self->reopen_ms && vln_mono_ms() >= self->reopen_ms) {
        reopen(self, keys, bus_key);
        return true;
    }
    if (lost && !self->reopen_ms) {
        reopen(self, keys, bus_key); /* half a message may lie there */
    }
    return lost;
}
