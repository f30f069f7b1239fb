#include "vln_publisher.h"

#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "vln_fan.h"
#include "vln_mem.h"

struct vln_publisher {
    vln_fan_t *fan;
};

vln_publisher_t *
vln_publisher_new(const char *bus, const vln_keypair_t *keys, const char *bus_key)
{
    vln_publisher_t *self = vln_calloc(1, sizeof *self);
    self->fan = vln_fan_new(VLN_FAN_PUBLISH, bus, keys, bus_key, NULL);
    return self;
}

void
vln_publisher_destroy(vln_publisher_t **self_p)
{
    vln_publisher_t *self = *self_p;
    if (self) {
        vln_fan_destroy(&self->fan);
        free(self);
        *self_p = NULL;
    }
}

void
vln_publisher_refresh(vln_publisher_t *self)
{
    vln_fan_refresh(self->fan);
}

void
vln_publisher_send(vln_publisher_t *self, const char *topic, const void *bytes, size_t size)
{
    void *socket = vln_fan_socket(self->fan);
    if (zmq_send(socket, topic, strlen(topic), ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0) {
        zmq_send(socket, bytes, size, ZMQ_DONTWAIT);
    }
}
