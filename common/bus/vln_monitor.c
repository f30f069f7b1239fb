#include "vln_monitor.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_socket.h"

enum {
    EVENTS = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED |
             ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
};

void *
vln_monitor_new(void *socket)
{
    char address[64];
    snprintf(address, sizeof address, "inproc://monitor-%016llx",
             (unsigned long long)vln_random_u64());
    vln_assert(zmq_socket_monitor(socket, address, EVENTS) == 0);
    void *monitor = vln_socket_new(ZMQ_PAIR);
    vln_assert(zmq_connect(monitor, address) == 0);
    return monitor;
}

void
vln_monitor_close(void **monitor_p, void *socket)
{
    if (*monitor_p) {
        zmq_socket_monitor(socket, NULL, 0);
        vln_socket_close(monitor_p);
    }
}

static vln_monitor_event_t
meaning_of(uint16_t event)
{
    switch (event) {
    case ZMQ_EVENT_HANDSHAKE_SUCCEEDED:
        return VLN_MONITOR_CONNECTED;
    case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH:
    case ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL:
        return VLN_MONITOR_REFUSED;
    default:
        return VLN_MONITOR_DISCONNECTED;
    }
}

vln_monitor_event_t
vln_monitor_next(void *monitor)
{
    /* Frame one: 16 bits of event, 32 of value. Frame two: the endpoint. */
    char frame[8];
    char endpoint[256];
    uint16_t event = 0;
    int size = zmq_recv(monitor, frame, sizeof frame, ZMQ_DONTWAIT);
    if (size < (int)sizeof event || zmq_recv(monitor, endpoint, sizeof endpoint, 0) < 0) {
        return VLN_MONITOR_NOTHING;
    }
    memcpy(&event, frame, sizeof event);
    return meaning_of(event);
}
