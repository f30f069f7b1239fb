/*
 * Calls come in. Every one is answered: by its service, or here with an error that says what to do.
 */
#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"

#include "broker_inside.h"
#include "broker_zap.h"
#include "domain/names.h"

enum {
    CLIENT_RCVHWM = 256,  /* messages of one connection that libzmq holds before this reads them */
    CLIENT_SNDHWM = 4096, /* above what one principal may have in flight, or replies would drop */
    RETRY_BUSY_MS = 100,
};

/* What a client is told by each bound. */
static const struct {
    const char *message;
} busy_texts[] = {
    [ROUTE_PRINCIPAL_BUSY] = {"too many calls of this principal are in flight; wait for replies, "
                              "then repeat with the same request_id"},
    [ROUTE_LANE_BUSY] = {"too many calls of this principal wait for this service; repeat later "
                         "with the same request_id"},
    [ROUTE_SERVICE_BUSY] = {"too much waits for this service; repeat later with the same "
                            "request_id"},
    [ROUTE_BUS_BUSY] = {"the bus is full; repeat later with the same request_id"},
};

/* What has been found out about a message. */
typedef struct incoming {
    message_t message;
    request_shape_t shape;
    origin_t origin;
    int principal;
    Valion__V1__Header *header;
} incoming_t;

static bool
is_named_by_peer(message_t *message)
{
    request_view_t id = message_view(message, 0);
    return id.size != ROUTING_ID_BYTES || id.bytes[0] != 0;
}

static void
fill_origin(broker_t *self, incoming_t *in)
{
    origin_t *origin = &in->origin;
    *origin = (origin_t){.socket_serial = self->client_serial,
                         .prefixes = (uint8_t)in->shape.prefixes,
                         .delimiter = (uint8_t)in->shape.delimiter};
    memcpy(origin->routing_id, message_view(&in->message, 0).bytes, ROUTING_ID_BYTES);
    for (int i = 0; i < in->shape.prefixes; i++) {
        request_view_t prefix = message_view(&in->message, 1 + i);
        origin->prefix_size[i] = (uint8_t)prefix.size;
        memcpy(origin->prefix[i], prefix.bytes, prefix.size);
    }
}

static void
note_request_id(incoming_t *in)
{
    if (in->header && in->header->has_request_id &&
        in->header->request_id.len == REQUEST_ID_BYTES) {
        memcpy(in->origin.request_id, in->header->request_id.data, REQUEST_ID_BYTES);
        in->origin.request_id_size = REQUEST_ID_BYTES;
    }
}

/* True if it is a call, from somebody; else *refusal is what to answer. */
static bool
check(broker_t *self, incoming_t *in, refusal_t *refusal)
{
    request_view_t frames[MESSAGE_FRAMES];
    int count = in->message.count - 1;
    for (int i = 0; i < count; i++) {
        frames[i] = message_view(&in->message, 1 + i);
    }
    bool good = request_shape(frames, count, in->message.too_many, &in->shape, refusal);
    fill_origin(self, in);
    if (good) {
        good = request_check(frames[in->shape.header], self->arena, &in->header, refusal);
        note_request_id(in);
    }
    if (in->header) {
        self->counters[COUNT_unknown_fields] += in->header->base.n_unknown_fields;
    }
    in->principal = message_principal(self, &in->message);
    if (in->principal < 0) {
        self->counters[COUNT_refused_unauthenticated]++;
        *refusal = (refusal_t){.status = VALION__V1__STATUS__STATUS_UNAUTHENTICATED,
                               .message = "the certificate of this connection is not, or no "
                                          "longer, known here; have a new one made and connect "
                                          "again"};
        return false;
    }
    self->counters[COUNT_refused_malformed] += !good;
    return good;
}

static refusal_t
busy(broker_t *self, route_verdict_t verdict)
{
    self->counters[COUNT_refused_busy]++;
    return (refusal_t){.status = VALION__V1__STATUS__STATUS_RESOURCE_EXHAUSTED,
                       .reason = VALION__V1__REASON__REASON_BUSY,
                       .message = busy_texts[verdict].message,
                       .limit = route_limit_of(self->route, verdict),
                       .retry_after_ms = RETRY_BUSY_MS};
}

static void
refuse_unknown(broker_t *self, const incoming_t *in)
{
    self->counters[COUNT_refused_unknown]++;
    refusal_t refusal = {
        .status = VALION__V1__STATUS__STATUS_UNIMPLEMENTED,
        .reason = VALION__V1__REASON__REASON_UNKNOWN_SERVICE,
        .message = "there is no service of this name; there are registry, validator, trainer, "
                   "deployer, runner.<host>, orchestrator, gateway and bus",
        .subject = in->header->service};
    reply_refuse(self, &in->origin, &refusal);
}

static bool
parks_apart(const vln_principal_t *principal)
{
    uint32_t roles = names_service_roles() | 1U << VALION__V1__ROLE__ROLE_WORKER;
    return (principal->roles & roles) != 0;
}

/* Header, body and raw of the message; after this they are not the message's any more. */
static void
hold(incoming_t *in, held_t *held)
{
    zmq_msg_t *frames = &in->message.frame[1 + in->shape.header];
    held->frame_count = in->shape.payload_frames;
    for (int i = 0; i < held->frame_count; i++) {
        zmq_msg_init(&held->frame[i]);
        zmq_msg_move(&held->frame[i], &frames[i]);
    }
}

static route_offer_t
offer_of(broker_t *self, incoming_t *in)
{
    size_t bytes = sizeof(held_t);
    for (int i = 0; i < in->shape.payload_frames; i++) {
        bytes += zmq_msg_size(&in->message.frame[1 + in->shape.header + i]);
    }
    uint32_t remaining_ms =
        in->header->has_remaining_ms ? in->header->remaining_ms : REQUEST_DEFAULT_MS;
    return (route_offer_t){.service = in->header->service,
                           .principal = in->principal,
                           .parks_apart =
                               parks_apart(principals_at(self->principals, in->principal)),
                           .bytes = bytes,
                           .deadline_ms = self->now_ms + remaining_ms};
}

static void
take_call(broker_t *self, incoming_t *in)
{
    int call = ROUTE_NONE;
    int instance = ROUTE_NONE;
    route_offer_t offer = offer_of(self, in);
    route_verdict_t verdict = route_offer(self->route, &offer, self->now_ms, &call, &instance);
    if (verdict != ROUTE_TAKEN) {
        refusal_t refusal = busy(self, verdict);
        reply_refuse(self, &in->origin, &refusal);
        return;
    }
    self->counters[COUNT_calls]++;
    held_t *held = broker_held(self, call);
    held->origin = in->origin;
    held->principal = in->principal;
    if (instance == ROUTE_NONE) {
        hold(in, held);
        return;
    }
    int kept = 1 + in->shape.header; /* frames that stay the message's, to be closed */
    bool sent =
        send_request(self, call, instance, &in->message.frame[kept], in->shape.payload_frames);
    in->message.count = kept;
    if (!sent) {
        service_forget(self, instance, "unreachable");
    }
}

static void
handle(broker_t *self, incoming_t *in)
{
    refusal_t refusal = {0};
    if (is_named_by_peer(&in->message)) {
        refusal.status = VALION__V1__STATUS__STATUS_INVALID_ARGUMENT;
        refusal.reason = VALION__V1__REASON__REASON_MALFORMED;
        refusal.message = "leave the socket's ZMQ_ROUTING_ID unset: the bus gives out its own";
        self->counters[COUNT_refused_malformed]++;
        reply_refuse_named(self, &in->message, &refusal);
        return;
    }
    if (!check(self, in, &refusal)) {
        reply_refuse(self, &in->origin, &refusal);
        return;
    }
    const char *service = in->header->service;
    if (strcmp(service, "bus") == 0) {
        self_answer(self, &in->origin, in->principal, in->header,
                    message_view(&in->message, 2 + in->shape.header));
    } else if (names_service_exists(service)) {
        take_call(self, in);
    } else {
        refuse_unknown(self, in);
    }
}

static int on_client(zloop_t *loop, zmq_pollitem_t *item, void *arg);

static void
watch_client(broker_t *self, bool watch)
{
    zmq_pollitem_t item = {.socket = self->client, .events = ZMQ_POLLIN};
    if (watch) {
        zloop_poller(self->loop, &item, on_client, self);
    } else {
        zloop_poller_end(self->loop, &item);
    }
}

/*
 * A refusal costs about as much as passing a call on: many times too many calls would leave no
 * processor for those that were accepted. So beyond a number of refusals the client socket is not
 * read until the next tick, and what comes waits with its senders, as TCP does it. Who sends little
 * is hardly held up: libzmq takes one message of each connection in turn.
 */
static void
rest_if_too_many(broker_t *self)
{
    int64_t refused = self->counters[COUNT_refused_busy] - self->busy_at_last_tick;
    if (refused * 1000 >= self->config->max_refusals_per_second * TICK_MS && self->client) {
        self->client_rests = true;
        self->counters[COUNT_refusal_pauses]++;
        watch_client(self, false);
    }
}

void
client_tick(broker_t *self)
{
    self->busy_at_last_tick = self->counters[COUNT_refused_busy];
    if (self->client_rests && self->client) {
        watch_client(self, true);
    }
    self->client_rests = false;
}

static int
on_client(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    broker_t *self = arg;
    (void)loop;
    (void)item;
    broker_clock(self);
    incoming_t in;
    for (int i = 0; i < DRAIN_MAX && message_receive(self->client, &in.message); i++) {
        in.header = NULL;
        vln_arena_reset(self->arena);
        handle(self, &in);
        message_close(&in.message);
    }
    broker_finish_ended(self);
    rest_if_too_many(self);
    return 0;
}

/* ---- the socket ---- */

vln_err_t
client_open(broker_t *self)
{
    static const int one = 1;
    static const int receive_mark = CLIENT_RCVHWM;
    static const int send_mark = CLIENT_SNDHWM;
    self->client = broker_socket_new(ZMQ_ROUTER, IO_CLIENTS);
    self->client_serial++;
    self->client_bound = false;
    zmq_setsockopt(self->client, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    zmq_setsockopt(self->client, ZMQ_RCVHWM, &receive_mark, sizeof receive_mark);
    zmq_setsockopt(self->client, ZMQ_SNDHWM, &send_mark, sizeof send_mark);
    vln_err_t err = vln_socket_secure_server(self->client, &self->keys, ZAP_DOMAIN_CLIENT);
    if (err) {
        vln_error("bus.socket_not_secure", kv_str("socket", "client"));
        return err;
    }
    guard_watch_client(self);
    watch_client(self, true);
    self->client_rests = false;
    client_try_bind(self);
    return VLN_OK;
}

void
client_try_bind(broker_t *self)
{
    if (!self->client_bound && self->client) {
        self->client_bound = zmq_bind(self->client, self->config->client_endpoint) == 0;
    }
}

void
client_close(broker_t *self)
{
    if (self->client) {
        watch_client(self, false);
        guard_unwatch_client(self);
        vln_socket_close(&self->client);
    }
}
