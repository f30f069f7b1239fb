/*
 * Events: services publish to an XSUB, subscribe at an XPUB, and this forwards both ways. Lossy by
 * contract: whoever needs all reads the log. libzmq does not bound subscriptions, so only built-in
 * services may connect here; one that is revoked is dropped by making both sockets anew.
 */
#include "vln_log.h"

#include "broker_inside.h"
#include "broker_zap.h"

enum {
    TOPIC_MAX = 256,
    EVENT_MAX = 64 * 1024,
    SUBSCRIBER_MARK = 1024, /* events that wait for a slow subscriber; more are lost to it */
    EVENT_FRAMES = 2,
};

/* At most two frames of bounded size, from somebody who is still a service. */
static bool
is_event(const broker_t *self, message_t *message)
{
    if (message->too_many || message->count > EVENT_FRAMES ||
        zmq_msg_size(&message->frame[0]) > TOPIC_MAX ||
        zmq_msg_size(&message->frame[message->count - 1]) > EVENT_MAX) {
        return false;
    }
    const char *user_id = zmq_msg_gets(&message->frame[message->count - 1], "User-Id");
    return user_id && principals_find(self->principals, user_id) >= 0;
}

static void
forward(void *to, message_t *message)
{
    for (int i = 0; i < message->count; i++) {
        int more = i + 1 < message->count ? ZMQ_SNDMORE : 0;
        if (zmq_msg_send(&message->frame[i], to, ZMQ_DONTWAIT | more) < 0) {
            zmq_msg_close(&message->frame[i]);
        }
    }
    message->count = 0;
}

static int
on_publish(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    broker_t *self = arg;
    (void)loop;
    (void)item;
    message_t message;
    for (int i = 0; i < DRAIN_MAX && message_receive(self->publish, &message); i++) {
        if (is_event(self, &message)) {
            self->counters[COUNT_events]++;
            forward(self->subscribe, &message);
        } else {
            self->counters[COUNT_events_refused]++;
        }
        message_close(&message);
    }
    return 0;
}

/* A subscription is one frame: 1 or 0, and the topic. It goes on to the publishers. */
static int
on_subscribe(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    broker_t *self = arg;
    (void)loop;
    (void)item;
    message_t message;
    for (int i = 0; i < DRAIN_MAX && message_receive(self->subscribe, &message); i++) {
        if (message.count == 1 && zmq_msg_size(&message.frame[0]) <= TOPIC_MAX + 1) {
            forward(self->publish, &message);
        }
        message_close(&message);
    }
    return 0;
}

static vln_err_t
open_socket(broker_t *self, int type, zloop_fn *handler, void **out)
{
    static const int mark = SUBSCRIBER_MARK;
    *out = broker_socket_new(type, IO_SERVICES);
    zmq_setsockopt(*out, ZMQ_SNDHWM, &mark, sizeof mark);
    vln_err_t err = vln_socket_secure_server(*out, &self->keys, ZAP_DOMAIN_EVENT);
    if (err) {
        vln_error("bus.socket_not_secure", kv_str("socket", "event"));
        return err;
    }
    zmq_pollitem_t item = {.socket = *out, .events = ZMQ_POLLIN};
    zloop_poller(self->loop, &item, handler, self);
    return VLN_OK;
}

vln_err_t
events_open(broker_t *self)
{
    vln_err_t err = open_socket(self, ZMQ_XSUB, on_publish, &self->publish);
    if (!err) {
        err = open_socket(self, ZMQ_XPUB, on_subscribe, &self->subscribe);
    }
    self->events_bound = false;
    if (!err) {
        events_try_bind(self);
    }
    return err;
}

/* Both or none: a port that is not free yet is tried again. */
void
events_try_bind(broker_t *self)
{
    if (self->events_bound) {
        return;
    }
    if (zmq_bind(self->publish, self->config->publish_endpoint) != 0) {
        return;
    }
    if (zmq_bind(self->subscribe, self->config->subscribe_endpoint) != 0) {
        zmq_unbind(self->publish, self->config->publish_endpoint);
        return;
    }
    self->events_bound = true;
}

static void
close_socket(broker_t *self, void **socket_p)
{
    if (*socket_p) {
        zmq_pollitem_t item = {.socket = *socket_p, .events = ZMQ_POLLIN};
        zloop_poller_end(self->loop, &item);
        vln_socket_close(socket_p);
    }
}

void
events_close(broker_t *self)
{
    close_socket(self, &self->publish);
    close_socket(self, &self->subscribe);
}

void
events_restart(broker_t *self)
{
    events_close(self);
    if (events_open(self) != VLN_OK) {
        events_close(self);
    }
}
