#include "vln_link.h"

#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_log.h"
#include "vln_monitor.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

enum { FRAMES_MAX = 4, ENVELOPE_ROOM = 256 };

void
vln_link_open(vln_link_t *self, const char *client_endpoint, const vln_keypair_t *keys,
              const char *bus_key)
{
    char endpoint[VLN_ADDRESS_TEXT];
    *self = (vln_link_t){.serial = vln_random_u64(), .heard_ms = vln_mono_ms()};
    vln_text_copy(self->endpoint, sizeof self->endpoint, client_endpoint);
    self->socket = vln_socket_new(ZMQ_DEALER);
    vln_socket_secure_client(self->socket, keys, bus_key);
    self->monitor = vln_monitor_new(self->socket);
    bool has_port = vln_address_above(client_endpoint, 1, endpoint);
    vln_assert(has_port); /* vln_addresses_resolve made it */
    if (zmq_connect(self->socket, endpoint) != 0) {
        vln_error("link.bad_address", kv_str("endpoint", endpoint),
                  kv_str("detail", zmq_strerror(zmq_errno())));
    }
}

void
vln_link_close(vln_link_t *self)
{
    vln_monitor_close(&self->monitor, self->socket);
    vln_socket_close(&self->socket);
}

void
vln_link_check(vln_link_t *self)
{
    vln_monitor_event_t event =
        self->monitor ? vln_monitor_next(self->monitor) : VLN_MONITOR_NOTHING;
    for (; event != VLN_MONITOR_NOTHING; event = vln_monitor_next(self->monitor)) {
        if (self->connected && event != VLN_MONITOR_CONNECTED) {
            self->serial = vln_random_u64();
        }
        self->connected = event == VLN_MONITOR_CONNECTED;
    }
}

static bool
send_bytes(vln_link_t *self, const void *bytes, size_t size, bool more)
{
    return zmq_send(self->socket, bytes, size, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) >= 0;
}

static bool
send_envelope(vln_link_t *self, const Valion__V1__Envelope *envelope, bool more)
{
    uint8_t bytes[ENVELOPE_ROOM] = {0};
    vln_assert(valion__v1__envelope__get_packed_size(envelope) <= sizeof bytes);
    return send_bytes(self, bytes, valion__v1__envelope__pack(envelope, bytes), more);
}

bool
vln_link_send(vln_link_t *self, const Valion__V1__Envelope *envelope, const uint8_t *body,
              size_t body_size)
{
    return send_envelope(self, envelope, body != NULL) &&
           (!body || send_bytes(self, body, body_size, false));
}

bool
vln_link_reply(vln_link_t *self, const vln_link_reply_t *reply)
{
    Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
    envelope.has_kind = 1;
    envelope.kind = VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_REPLY;
    envelope.has_epoch = 1;
    envelope.epoch = self->epoch;
    envelope.has_call = 1;
    envelope.call = reply->call;
    envelope.has_parked = reply->parked;
    envelope.parked = reply->parked;
    bool has_raw = reply->raw_size > 0;
    return send_envelope(self, &envelope, true) &&
           send_bytes(self, reply->header, reply->header_size, true) &&
           send_bytes(self, reply->body ? reply->body : reply->header, reply->body_size, has_raw) &&
           (!has_raw || send_bytes(self, reply->raw, reply->raw_size, false));
}

bool
vln_link_receive(vln_link_t *self, vln_frames_t *out)
{
    bool more = true;
    bool fits = true;
    out->count = 0;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, self->socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            vln_frames_close(out);
            return false;
        }
        more = zmq_msg_more(&frame) != 0;
        if (out->count < FRAMES_MAX) {
            zmq_msg_init(&out->frame[out->count]);
            zmq_msg_move(&out->frame[out->count], &frame);
            out->count++;
        } else {
            fits = false;
        }
        zmq_msg_close(&frame);
    }
    if (!fits) {
        vln_frames_close(out);
    }
    return true;
}

void
vln_frames_close(vln_frames_t *self)
{
    for (size_t i = 0; i < self->count; i++) {
        zmq_msg_close(&self->frame[i]);
    }
    self->count = 0;
}

void
vln_frames_move(vln_frames_t *self, vln_frames_t *from)
{
    for (size_t i = 0; i < from->count; i++) {
        zmq_msg_init(&self->frame[i]);
        zmq_msg_move(&self->frame[i], &from->frame[i]);
    }
    self->count = from->count;
    vln_frames_close(from);
}
