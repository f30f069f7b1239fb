/*
 * Services: they connect, say READY with the services they are and the calls they take at once,
 * and say something at least each second. What is said by somebody who is not known (after a
 * restart of the bus, or of nobody's) is answered with RESET: say READY again.
 *
 * A reply is passed on only to the call that this instance has in this life of the broker. Nothing
 * is ever given to a second instance: whoever called repeats it with the same request id.
 */
#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "broker_inside.h"
#include "broker_zap.h"
#include "domain/names.h"

enum { ENVELOPE_FRAME = 1, BODY_FRAME = 2, REPLY_FRAMES_MIN = 4, REPLY_FRAMES_MAX = 5 };

/* A message of a service, as far as it is understood. */
typedef struct said {
    message_t message;
    const Valion__V1__Envelope *envelope;
    const uint8_t *routing_id;
    int principal;
    int instance; /* ROUTE_NONE if it is not known */
} said_t;

/* ---- who is known ---- */

static int *
bucket_of(broker_t *self, const uint8_t *routing_id)
{
    uint32_t number = 0; /* counted up by ROUTER: spread enough */
    memcpy(&number, routing_id + 1, sizeof number);
    return &self->peer_buckets[(number ^ number >> 16 ^ number >> 24) % PEER_BUCKETS];
}

static int
find_peer(broker_t *self, const uint8_t *routing_id)
{
    for (int at = *bucket_of(self, routing_id); at != ROUTE_NONE;
         at = self->peers[at]->bucket_next) {
        if (memcmp(self->peers[at]->routing_id, routing_id, ROUTING_ID_BYTES) == 0) {
            return at;
        }
    }
    return ROUTE_NONE;
}

void
service_forget(broker_t *self, int instance, const char *why)
{
    peer_t *peer = self->peers[instance];
    vln_info("instance.gone", kv_str("gone", peer->instance), kv_str("host", peer->host),
             kv_i64("pid", peer->pid), kv_str("why", why));
    self->counters[COUNT_instances_gone]++;
    route_instance_remove(self->route, instance, self->now_ms);
    int *link = bucket_of(self, peer->routing_id);
    while (*link != instance) {
        link = &self->peers[*link]->bucket_next;
    }
    *link = peer->bucket_next;
    free(peer);
    self->peers[instance] = NULL;
}

void
service_pump(broker_t *self, int instance)
{
    int call = ROUTE_NONE;
    while (route_dispatch_next(self->route, instance, &call)) {
        held_t *held = broker_held(self, call);
        bool sent = send_request(self, call, instance, held->frame, held->frame_count);
        held->frame_count = 0;
        if (!sent) {
            service_forget(self, instance, "unreachable");
            return;
        }
    }
}

/* ---- what they say ---- */

static bool
may_be_ready(const vln_principal_t *principal, const Valion__V1__Ready *ready)
{
    if (ready->n_services < 1 || ready->n_services > ROUTE_SERVICES_OF_INSTANCE ||
        ready->credit < 1 || ready->credit > ROUTE_CREDIT_MAX) {
        return false;
    }
    for (size_t i = 0; i < ready->n_services; i++) {
        if (!names_may_serve(principal->roles, ready->services[i])) {
            return false;
        }
    }
    return true;
}

/* A process that connects again is known at once, not only after its silence. */
static void
forget_earlier_self(broker_t *self, const said_t *said, const char *instance)
{
    for (int i = 0; i < ROUTE_INSTANCES_MAX; i++) {
        const peer_t *peer = self->peers[i];
        if (peer && peer->principal == said->principal && instance[0] &&
            strcmp(peer->instance, instance) == 0) {
            service_forget(self, i, "connected again");
        }
    }
}

static void
add_peer(broker_t *self, const said_t *said, const Valion__V1__Ready *ready)
{
    const char *names[ROUTE_SERVICES_OF_INSTANCE] = {NULL};
    for (size_t i = 0; i < ready->n_services; i++) {
        names[i] = ready->services[i];
    }
    int instance = route_instance_add(self->route, names, (int)ready->n_services,
                                      (int)ready->credit, self->now_ms);
    if (instance == ROUTE_NONE) {
        vln_error("instance.no_room", kv_i64("limit", ROUTE_INSTANCES_MAX));
        return;
    }
    peer_t *peer = vln_calloc(1, sizeof *peer);
    int *bucket = bucket_of(self, said->routing_id);
    memcpy(peer->routing_id, said->routing_id, ROUTING_ID_BYTES);
    peer->bucket_next = *bucket;
    *bucket = instance;
    peer->principal = said->principal;
    peer->last_seen_ms = self->now_ms;
    peer->pid = ready->pid;
    vln_text_copy(peer->instance, sizeof peer->instance, ready->instance);
    vln_text_copy(peer->version, sizeof peer->version, ready->version);
    vln_text_copy(peer->host, sizeof peer->host, ready->host);
    self->peers[instance] = peer;
    vln_info("instance.ready", kv_str("ready", peer->instance), kv_str("serves", names[0]),
             kv_str("host", peer->host), kv_i64("pid", peer->pid),
             kv_i64("credit", (int64_t)ready->credit));
    send_control(self, peer->routing_id, VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_HEARTBEAT);
    service_pump(self, instance);
}

static void
on_ready(broker_t *self, said_t *said)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *body = NULL;
    request_view_t frame = {0};
    if (said->message.count > BODY_FRAME) {
        frame = message_view(&said->message, BODY_FRAME);
    }
    const vln_principal_t *principal = principals_at(self->principals, said->principal);
    if (vln_pb_unpack(&valion__v1__ready__descriptor, frame.bytes, frame.size, self->arena, &body,
                      &scan) != VLN_OK ||
        !may_be_ready(principal, (const Valion__V1__Ready *)body)) {
        self->counters[COUNT_service_messages_wrong]++;
        vln_error("instance.refused", kv_str("principal", principal->name));
        return;
    }
    const Valion__V1__Ready *ready = (const Valion__V1__Ready *)body;
    if (said->instance != ROUTE_NONE) {
        service_forget(self, said->instance, "said ready again");
    }
    forget_earlier_self(self, said, ready->instance ? ready->instance : "");
    add_peer(self, said, ready);
}

static void
answer_broken_reply(broker_t *self, const origin_t *origin)
{
    refusal_t refusal = {.status = VALION__V1__STATUS__STATUS_INTERNAL,
                         .message = "the service answered with frames that are no reply; its log "
                                    "and the bus' have the time"};
    self->counters[COUNT_service_messages_wrong]++;
    vln_error("reply.broken");
    reply_refuse(self, origin, &refusal);
}

static void
on_reply(broker_t *self, said_t *said)
{
    int call = ROUTE_NONE;
    bool parked = said->envelope->has_parked && said->envelope->parked;
    if (said->envelope->epoch != self->epoch) {
        self->counters[COUNT_replies_other_epoch]++;
        return;
    }
    if (!route_reply(self->route, said->instance, said->envelope->call, parked, &call)) {
        self->counters[COUNT_replies_late]++;
        service_pump(self, said->instance);
        return;
    }
    message_t *message = &said->message;
    const origin_t *origin = &broker_held(self, call)->origin;
    if (message->too_many || message->count < REPLY_FRAMES_MIN ||
        message->count > REPLY_FRAMES_MAX ||
        zmq_msg_size(&message->frame[BODY_FRAME]) > VLN_HEADER_MAX) {
        answer_broken_reply(self, origin);
    } else {
        self->counters[COUNT_replies]++;
        reply_forward(self, origin, &message->frame[BODY_FRAME], message->count - BODY_FRAME);
        message->count = BODY_FRAME;
    }
    broker_release(self, call);
    service_pump(self, said->instance);
}

static void
on_credit(broker_t *self, said_t *said)
{
    uint32_t credit = said->envelope->credit;
    route_instance_add_credit(self->route, said->instance,
                              credit > ROUTE_CREDIT_MAX ? ROUTE_CREDIT_MAX : (int)credit);
    service_pump(self, said->instance);
}

static void
on_park(broker_t *self, said_t *said)
{
    if (said->envelope->epoch == self->epoch) {
        route_park(self->route, said->instance, said->envelope->call);
        service_pump(self, said->instance);
    }
}

static void
on_heartbeat(broker_t *self, said_t *said)
{
    vln_pb_scan_t scan;
    peer_t *peer = self->peers[said->instance];
    if (said->message.count <= BODY_FRAME) {
        return;
    }
    request_view_t health = message_view(&said->message, BODY_FRAME);
    if (health.size <= HEALTH_MAX &&
        vln_pb_scan(&valion__v1__health__descriptor, health.bytes, health.size, &scan) == VLN_OK) {
        memcpy(peer->health, health.bytes, health.size);
        peer->health_size = health.size;
    }
}

static void
on_drain(broker_t *self, said_t *said)
{
    vln_info("instance.draining", kv_str("draining", self->peers[said->instance]->instance));
    route_instance_drain(self->route, said->instance, self->now_ms);
}

static void
on_bye(broker_t *self, said_t *said)
{
    service_forget(self, said->instance, "said goodbye");
}

/* clang-format off */
static const struct {
    Valion__V1__EnvelopeKind kind;
    void (*handle)(broker_t *self, said_t *said);
    bool from_anybody; /* of an instance that is not known yet */
} kinds[] = {
    {VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_REPLY,     on_reply,     false},
    {VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_HEARTBEAT, on_heartbeat, false},
    {VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_PARK,      on_park,      false},
    {VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_CREDIT,    on_credit,    false},
    {VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_READY,     on_ready,     true},
    {VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_DRAIN,     on_drain,     false},
    {VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_BYE,       on_bye,       false},
};
/* clang-format on */

static void
handle(broker_t *self, said_t *said)
{
    for (size_t i = 0; i < VLN_COUNT(kinds); i++) {
        if (kinds[i].kind != said->envelope->kind) {
            continue;
        }
        if (said->instance != ROUTE_NONE) {
            self->peers[said->instance]->last_seen_ms = self->now_ms;
        }
        if (said->instance != ROUTE_NONE || kinds[i].from_anybody) {
            kinds[i].handle(self, said);
            return;
        }
        if (kinds[i].kind != VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_BYE) {
            self->counters[COUNT_resets]++;
            send_control(self, said->routing_id, VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_RESET);
        }
        return;
    }
    self->counters[COUNT_service_messages_wrong]++;
}

/* False if it is nothing that a service of ours says: counted and dropped. */
static bool
understand(broker_t *self, said_t *said)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *envelope = NULL;
    request_view_t routing_id = message_view(&said->message, 0);
    if (said->message.count <= ENVELOPE_FRAME || routing_id.size != ROUTING_ID_BYTES ||
        routing_id.bytes[0] != 0) {
        return false;
    }
    request_view_t frame = message_view(&said->message, ENVELOPE_FRAME);
    if (frame.size > VLN_ENVELOPE_MAX ||
        vln_pb_unpack(&valion__v1__envelope__descriptor, frame.bytes, frame.size, self->arena,
                      &envelope, &scan) != VLN_OK) {
        return false;
    }
    said->routing_id = routing_id.bytes;
    said->envelope = (const Valion__V1__Envelope *)envelope;
    said->principal = message_principal(self, &said->message);
    said->instance = find_peer(self, said->routing_id);
    if (said->principal < 0) {
        self->counters[COUNT_refused_unauthenticated]++;
        return false;
    }
    return said->instance == ROUTE_NONE ||
           self->peers[said->instance]->principal == said->principal;
}

static int
on_service(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    broker_t *self = arg;
    (void)loop;
    (void)item;
    broker_clock(self);
    said_t said;
    for (int i = 0; i < DRAIN_MAX && message_receive(self->service, &said.message); i++) {
        vln_arena_reset(self->arena);
        if (understand(self, &said)) {
            handle(self, &said);
        } else {
            self->counters[COUNT_service_messages_wrong]++;
        }
        message_close(&said.message);
    }
    broker_finish_ended(self);
    return 0;
}

/* ---- each second ---- */

static bool
is_still_allowed(broker_t *self, int instance)
{
    route_instance_view_t view;
    const vln_principal_t *principal =
        principals_at(self->principals, self->peers[instance]->principal);
    if (!principal || !route_instance_look(self->route, instance, &view)) {
        return false;
    }
    for (int i = 0; i < view.service_count; i++) {
        if (!names_may_serve(principal->roles, view.services[i])) {
            return false;
        }
    }
    return true;
}

void
service_second(broker_t *self)
{
    /* After a stop of this process everybody seems silent, and is not. */
    bool was_away = self->now_ms - self->second_ms > (int64_t)2 * HEARTBEAT_MS;
    for (int i = 0; i < ROUTE_INSTANCES_MAX; i++) {
        peer_t *peer = self->peers[i];
        if (!peer) {
            continue;
        }
        if (was_away) {
            peer->last_seen_ms = self->now_ms;
        }
        if (!is_still_allowed(self, i)) {
            service_forget(self, i, "certificate revoked");
        } else if (self->now_ms - peer->last_seen_ms > LIVENESS_MS) {
            service_forget(self, i, "silent");
        } else if (!send_control(self, peer->routing_id,
                                 VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_HEARTBEAT)) {
            service_forget(self, i, "unreachable");
        }
    }
}

vln_err_t
service_open(broker_t *self)
{
    static const int one = 1;
    for (size_t i = 0; i < PEER_BUCKETS; i++) {
        self->peer_buckets[i] = ROUTE_NONE;
    }
    self->service = broker_socket_new(ZMQ_ROUTER, IO_SERVICES);
    zmq_setsockopt(self->service, ZMQ_ROUTER_MANDATORY, &one, sizeof one);
    vln_err_t err = vln_socket_secure_server(self->service, &self->keys, ZAP_DOMAIN_SERVICE);
    if (err) {
        vln_error("bus.socket_not_secure", kv_str("socket", "service"));
        return err;
    }
    if (zmq_bind(self->service, self->config->service_endpoint) != 0) {
        vln_error("bus.bind_failed", kv_str("endpoint", self->config->service_endpoint),
                  kv_str("why", zmq_strerror(zmq_errno())));
        return VLN_UNAVAILABLE;
    }
    zmq_pollitem_t item = {.socket = self->service, .events = ZMQ_POLLIN};
    zloop_poller(self->loop, &item, on_service, self);
    return VLN_OK;
}
