/*
 * What goes out: replies and refusals to clients, calls and envelopes to instances.
 *
 * ROUTER tells whether a peer can be reached when it takes the first frame (the routing id), and
 * not after it: a message is given up there or sent whole. Nothing here ever waits.
 */
#include <string.h>

#include "vln_pb.h"

#include "broker_inside.h"

enum { REFUSAL_ROOM = 1024, REFUSAL_TEXT = 640, REFUSAL_SUBJECT = 128 };

/* ---- messages in ---- */

bool
message_receive(void *socket, message_t *out)
{
    int more = 1;
    out->count = 0;
    out->too_many = false;
    while (more) {
        zmq_msg_t spare;
        bool fits = out->count < MESSAGE_FRAMES;
        zmq_msg_t *frame = fits ? &out->frame[out->count] : &spare;
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            message_close(out);
            return false;
        }
        more = zmq_msg_more(frame);
        if (fits) {
            out->count++;
        } else {
            out->too_many = true;
            zmq_msg_close(frame);
        }
    }
    return true;
}

void
message_close(message_t *self)
{
    for (int i = 0; i < self->count; i++) {
        zmq_msg_close(&self->frame[i]);
    }
    self->count = 0;
}

int
message_principal(const broker_t *self, message_t *message)
{
    const char *user_id = message->count > 1 ? zmq_msg_gets(&message->frame[1], "User-Id") : NULL;
    return user_id ? principals_find(self->principals, user_id) : ROUTE_NONE;
}

request_view_t
message_view(message_t *message, int frame)
{
    return (request_view_t){.bytes = zmq_msg_data(&message->frame[frame]),
                            .size = zmq_msg_size(&message->frame[frame])};
}

/* ---- what is held of a call ---- */

held_t *
broker_held(broker_t *self, int call)
{
    held_t **chunk = &self->held[call / HELD_CHUNK];
    if (!*chunk) {
        *chunk = vln_calloc(HELD_CHUNK, sizeof **chunk);
    }
    return &(*chunk)[call % HELD_CHUNK];
}

void
broker_release(broker_t *self, int call)
{
    held_t *held = broker_held(self, call);
    for (int i = 0; i < held->frame_count; i++) {
        zmq_msg_close(&held->frame[i]);
    }
    held->frame_count = 0;
    route_free(self->route, call);
}

/* ---- to clients ---- */

static bool
send_bytes(void *socket, const void *bytes, size_t size, int flags)
{
    return zmq_send(socket, bytes, size, ZMQ_DONTWAIT | flags) >= 0;
}

static bool
send_origin(broker_t *self, const origin_t *origin)
{
    if (origin->socket_serial != self->client_serial || !self->client ||
        !send_bytes(self->client, origin->routing_id, ROUTING_ID_BYTES, ZMQ_SNDMORE)) {
        self->counters[COUNT_replies_undelivered]++;
        return false;
    }
    for (int i = 0; i < origin->prefixes; i++) {
        send_bytes(self->client, origin->prefix[i], origin->prefix_size[i], ZMQ_SNDMORE);
    }
    if (origin->delimiter) {
        send_bytes(self->client, "", 0, ZMQ_SNDMORE);
    }
    return true;
}

/* Texts may hold what a client sent; they are cut to what a reply has room for. */
static size_t
pack_refusal(const origin_t *origin, const refusal_t *refusal, uint8_t out[REFUSAL_ROOM])
{
    char text[REFUSAL_TEXT];
    char subject[REFUSAL_SUBJECT];
    uint8_t request_id[REQUEST_ID_BYTES];
    Valion__V1__ErrorDetail detail = VALION__V1__ERROR_DETAIL__INIT;
    Valion__V1__ErrorDetail *details[] = {&detail};
    Valion__V1__Header header = VALION__V1__HEADER__INIT;

    snprintf(text, sizeof text, "%s", refusal->message);
    snprintf(subject, sizeof subject, "%s", refusal->subject ? refusal->subject : "");
    memcpy(request_id, origin->request_id, sizeof request_id);
    detail.has_reason = refusal->reason != VALION__V1__REASON__REASON_UNSPECIFIED;
    detail.reason = refusal->reason;
    detail.subject = refusal->subject ? subject : NULL;
    detail.has_limit = refusal->limit != 0;
    detail.limit = refusal->limit;
    detail.has_retry_after_ms = refusal->retry_after_ms != 0;
    detail.retry_after_ms = refusal->retry_after_ms;
    header.has_request_id = origin->request_id_size != 0;
    header.request_id = (ProtobufCBinaryData){origin->request_id_size, request_id};
    header.has_status = 1;
    header.status = refusal->status;
    header.message = text;
    header.n_details = detail.has_reason ? 1 : 0;
    header.details = details;
    vln_assert(valion__v1__header__get_packed_size(&header) <= REFUSAL_ROOM);
    return valion__v1__header__pack(&header, out);
}

void
reply_refuse(broker_t *self, const origin_t *origin, const refusal_t *refusal)
{
    uint8_t header[REFUSAL_ROOM];
    size_t size = pack_refusal(origin, refusal, header);
    if (send_origin(self, origin)) {
        send_bytes(self->client, header, size, ZMQ_SNDMORE);
        send_bytes(self->client, "", 0, 0);
    }
}

void
reply_refuse_named(broker_t *self, message_t *message, const refusal_t *refusal)
{
    uint8_t header[REFUSAL_ROOM];
    origin_t nothing = {0};
    size_t size = pack_refusal(&nothing, refusal, header);
    request_view_t routing_id = message_view(message, 0);
    if (send_bytes(self->client, routing_id.bytes, routing_id.size, ZMQ_SNDMORE)) {
        send_bytes(self->client, header, size, ZMQ_SNDMORE);
        send_bytes(self->client, "", 0, 0);
    }
}

/* Frames in order, the last without a successor. What cannot be sent is closed. */
static void
send_frames(void *socket, zmq_msg_t *frames, int count)
{
    for (int i = 0; i < count; i++) {
        int more = i + 1 < count ? ZMQ_SNDMORE : 0;
        if (zmq_msg_send(&frames[i], socket, ZMQ_DONTWAIT | more) < 0) {
            zmq_msg_close(&frames[i]);
        }
    }
}

static void
close_frames(zmq_msg_t *frames, int count)
{
    for (int i = 0; i < count; i++) {
        zmq_msg_close(&frames[i]);
    }
}

void
reply_forward(broker_t *self, const origin_t *origin, zmq_msg_t *frames, int count)
{
    if (send_origin(self, origin)) {
        send_frames(self->client, frames, count);
    } else {
        close_frames(frames, count);
    }
}

void
reply_message(broker_t *self, const origin_t *origin, const ProtobufCMessage *body)
{
    uint8_t request_id[REQUEST_ID_BYTES];
    uint8_t header_bytes[64];
    size_t body_size = 0;
    uint8_t *body_bytes = vln_pb_pack(body, self->arena, &body_size);
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    memcpy(request_id, origin->request_id, sizeof request_id);
    header.has_request_id = 1;
    header.request_id = (ProtobufCBinaryData){origin->request_id_size, request_id};
    header.has_status = 1;
    header.status = VALION__V1__STATUS__STATUS_OK;
    vln_assert(valion__v1__header__get_packed_size(&header) <= sizeof header_bytes);
    size_t header_size = valion__v1__header__pack(&header, header_bytes);
    if (send_origin(self, origin)) {
        send_bytes(self->client, header_bytes, header_size, ZMQ_SNDMORE);
        send_bytes(self->client, body_bytes, body_size, 0);
    }
}

/* ---- to instances ---- */

static size_t
pack_request(broker_t *self, int call, const vln_principal_t *principal,
             uint8_t out[VLN_ENVELOPE_MAX])
{
    Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
    char name[VLN_PRINCIPAL_MAX + 1];
    char kind[VLN_KINDS_MAX][VLN_KIND_MAX + 1];
    char *kinds[VLN_KINDS_MAX];
    memcpy(name, principal->name, sizeof name);
    for (size_t i = 0; i < principal->kind_count; i++) {
        memcpy(kind[i], principal->kinds[i], sizeof kind[i]);
        kinds[i] = kind[i];
    }
    envelope.has_kind = 1;
    envelope.kind = VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_REQUEST;
    envelope.has_epoch = 1;
    envelope.epoch = self->epoch;
    envelope.has_call = 1;
    envelope.call = route_handle(self->route, call);
    envelope.principal = name;
    envelope.has_roles = 1;
    envelope.roles = principal->roles;
    envelope.has_waited_ms = 1;
    envelope.waited_ms = (uint32_t)route_waited_ms(self->route, call, self->now_ms);
    envelope.n_kinds = principal->kind_count;
    envelope.kinds = kinds;
    vln_assert(valion__v1__envelope__get_packed_size(&envelope) <= VLN_ENVELOPE_MAX);
    return valion__v1__envelope__pack(&envelope, out);
}

bool
send_request(broker_t *self, int call, int instance, zmq_msg_t *frames, int count)
{
    uint8_t envelope[VLN_ENVELOPE_MAX];
    const vln_principal_t *principal =
        principals_at(self->principals, broker_held(self, call)->principal);
    const uint8_t *routing_id = self->peers[instance]->routing_id;
    /* A principal that was revoked while its call waited is a caller of no name and no role. */
    static const vln_principal_t nobody = {.name = ""};
    size_t size = pack_request(self, call, principal ? principal : &nobody, envelope);
    if (!send_bytes(self->service, routing_id, ROUTING_ID_BYTES, ZMQ_SNDMORE)) {
        close_frames(frames, count);
        return false;
    }
    send_bytes(self->service, envelope, size, ZMQ_SNDMORE);
    send_frames(self->service, frames, count);
    return true;
}

bool
send_control(broker_t *self, const uint8_t *routing_id, Valion__V1__EnvelopeKind kind)
{
    uint8_t bytes[64];
    Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
    envelope.has_kind = 1;
    envelope.kind = kind;
    envelope.has_epoch = 1;
    envelope.epoch = self->epoch;
    size_t size = valion__v1__envelope__pack(&envelope, bytes);
    return send_bytes(self->service, routing_id, ROUTING_ID_BYTES, ZMQ_SNDMORE) &&
           send_bytes(self->service, bytes, size, 0);
}
