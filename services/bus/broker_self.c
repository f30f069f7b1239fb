/*
 * The service "bus": Ping, GetStatus, GetStats, answered by the broker that a call reaches. Open to
 * everybody who is known.
 */
#include <string.h>

#include "vln_opt.h"
#include "vln_pb.h"
#include "vln_time.h"

#include "broker_inside.h"

enum { INSTANCES_TOLD = 256, ROLES_MAX = 32, FIGURES = 7, INSTANCE_TEXT = 24 };

typedef struct asked {
    const origin_t *origin;
    int principal;
    request_view_t body;
} asked_t;

static void
refuse(broker_t *self, const origin_t *origin, Valion__V1__Status status, Valion__V1__Reason reason,
       const char *message)
{
    refusal_t refusal = {.status = status, .reason = reason, .message = message};
    reply_refuse(self, origin, &refusal);
}

/* The request, or NULL after a refusal. */
static ProtobufCMessage *
unpack(broker_t *self, const asked_t *asked, const ProtobufCMessageDescriptor *descriptor)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *request = NULL;
    if (vln_pb_unpack(descriptor, asked->body.bytes, asked->body.size, self->arena, &request,
                      &scan) != VLN_OK) {
        refuse(self, asked->origin, VALION__V1__STATUS__STATUS_INVALID_ARGUMENT,
               VALION__V1__REASON__REASON_MALFORMED, scan.why);
    }
    return request;
}

/* protobuf-c's structs hold texts that may be written; these are only packed. */
static char *
text(broker_t *self, const char *borrowed)
{
    return vln_arena_strdup(self->arena, borrowed);
}

static void
ping(broker_t *self, const asked_t *asked)
{
    ProtobufCMessage *body = unpack(self, asked, &valion__v1__ping_request__descriptor);
    if (!body) {
        return;
    }
    const Valion__V1__PingRequest *request = (const Valion__V1__PingRequest *)body;
    Valion__V1__PingReply reply = VALION__V1__PING_REPLY__INIT;
    reply.has_payload = request->has_payload;
    reply.payload = request->payload;
    reply.has_time_us = 1;
    reply.time_us = vln_wall_us();
    reply.version = text(self, vln_version());
    reply_message(self, asked->origin, &reply.base);
}

static Valion__V1__KeyNumber *
number(broker_t *self, const char *key, int64_t value)
{
    Valion__V1__KeyNumber *made = vln_arena_alloc(self->arena, sizeof *made);
    valion__v1__key_number__init(made);
    made->key = text(self, key);
    made->has_value = 1;
    made->value = (double)value;
    return made;
}

/* Counters and what is going on now; `*count` of them. */
static Valion__V1__KeyNumber **
all_numbers(broker_t *self, size_t *count)
{
    static const char *const names[] = {
#define X(name) #name,
        BROKER_COUNTER_MAP(X)
#undef X
    };
    Valion__V1__KeyNumber **list =
        vln_arena_alloc(self->arena, (BROKER_COUNTERS + FIGURES) * sizeof *list);
    size_t n = 0;
    for (; n < BROKER_COUNTERS; n++) {
        list[n] = number(self, names[n], self->counters[n]);
    }
    route_figures_t figures = route_figures(self->route);
    list[n++] = number(self, "calls_now", figures.calls);
    list[n++] = number(self, "waiting_now", figures.waiting);
    list[n++] = number(self, "waiting_bytes_now", figures.waiting_bytes);
    list[n++] = number(self, "parked_now", figures.parked);
    list[n++] = number(self, "instances_now", figures.instances);
    list[n++] = number(self, "services_now", figures.services);
    list[n++] = number(self, "principals_now", (int64_t)principals_count(self->principals));
    vln_assert(n == BROKER_COUNTERS + FIGURES);
    *count = n;
    return list;
}

static Valion__V1__Health *
health_of(broker_t *self, const peer_t *peer)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *health = NULL;
    if (peer->health_size == 0 ||
        vln_pb_unpack(&valion__v1__health__descriptor, peer->health, peer->health_size, self->arena,
                      &health, &scan) != VLN_OK) {
        return NULL;
    }
    return (Valion__V1__Health *)health;
}

static void
tell_figures(Valion__V1__Instance *told, const route_instance_view_t *view)
{
    told->has_credit = 1;
    told->credit = view->credit > 0 ? (uint32_t)view->credit : 0;
    told->has_in_flight = 1;
    told->in_flight = (uint32_t)view->in_flight;
    told->has_parked = 1;
    told->parked = (uint32_t)view->parked;
    told->has_served = 1;
    told->served = view->served;
    told->has_draining = 1;
    told->draining = view->draining;
}

static Valion__V1__Instance *
tell_instance(broker_t *self, const peer_t *peer, const route_instance_view_t *view)
{
    const vln_principal_t *principal = principals_at(self->principals, peer->principal);
    Valion__V1__Instance *told = vln_arena_alloc(self->arena, sizeof *told);
    valion__v1__instance__init(told);
    told->n_services = (size_t)view->service_count;
    told->services = vln_arena_alloc(self->arena, told->n_services * sizeof *told->services);
    for (size_t i = 0; i < told->n_services; i++) {
        told->services[i] = text(self, view->services[i]);
    }
    told->instance = text(self, peer->instance);
    told->version = text(self, peer->version);
    told->host = text(self, peer->host);
    told->has_pid = 1;
    told->pid = peer->pid;
    told->has_last_seen_ms = 1;
    told->last_seen_ms = self->now_ms - peer->last_seen_ms;
    told->principal = text(self, principal ? principal->name : "");
    told->health = health_of(self, peer);
    tell_figures(told, view);
    return told;
}

static void
tell_instances(broker_t *self, Valion__V1__GetBusStatusReply *reply)
{
    reply->instances = vln_arena_alloc(self->arena, INSTANCES_TOLD * sizeof *reply->instances);
    for (int i = 0; i < ROUTE_INSTANCES_MAX && reply->n_instances < INSTANCES_TOLD; i++) {
        route_instance_view_t view;
        if (self->peers[i] && route_instance_look(self->route, i, &view)) {
            reply->instances[reply->n_instances++] = tell_instance(self, self->peers[i], &view);
        }
    }
}

static void
get_status(broker_t *self, const asked_t *asked)
{
    Valion__V1__Role roles[ROLES_MAX];
    Valion__V1__GetBusStatusReply reply = VALION__V1__GET_BUS_STATUS_REPLY__INIT;
    const vln_principal_t *principal = principals_at(self->principals, asked->principal);
    if (!unpack(self, asked, &valion__v1__get_bus_status_request__descriptor)) {
        return;
    }
    reply.has_epoch = 1;
    reply.epoch = self->epoch;
    reply.version = text(self, vln_version());
    reply.has_uptime_ms = 1;
    reply.uptime_ms = self->now_ms - self->started_ms;
    reply.counters = all_numbers(self, &reply.n_counters);
    reply.principal = text(self, principal->name);
    reply.roles = roles;
    for (unsigned bit = 0; bit < ROLES_MAX; bit++) {
        if (principal->roles & 1U << bit) {
            roles[reply.n_roles++] = (Valion__V1__Role)bit;
        }
    }
    tell_instances(self, &reply);
    reply_message(self, asked->origin, &reply.base);
}

static void
get_stats(broker_t *self, const asked_t *asked)
{
    Valion__V1__GetStatsReply reply = VALION__V1__GET_STATS_REPLY__INIT;
    if (!unpack(self, asked, &valion__v1__get_stats_request__descriptor)) {
        return;
    }
    char instance[INSTANCE_TEXT];
    snprintf(instance, sizeof instance, "%016llx", (unsigned long long)self->epoch);
    reply.numbers = all_numbers(self, &reply.n_numbers);
    reply.instance = instance;
    reply.has_started_us = 1;
    reply.started_us = vln_wall_us() - (self->now_ms - self->started_ms) * 1000;
    reply_message(self, asked->origin, &reply.base);
}

/* clang-format off */
static const struct {
    const char *method;
    void (*answer)(broker_t *self, const asked_t *asked);
} methods[] = {
    {"Ping",      ping},
    {"GetStatus", get_status},
    {"GetStats",  get_stats},
};
/* clang-format on */

void
self_answer(broker_t *self, const origin_t *origin, int principal, const Valion__V1__Header *header,
            request_view_t body)
{
    asked_t asked = {.origin = origin, .principal = principal, .body = body};
    for (size_t i = 0; i < VLN_COUNT(methods); i++) {
        if (strcmp(methods[i].method, header->method) == 0) {
            methods[i].answer(self, &asked);
            return;
        }
    }
    refuse(self, origin, VALION__V1__STATUS__STATUS_UNIMPLEMENTED,
           VALION__V1__REASON__REASON_UNKNOWN_METHOD,
           "bus has no such method; it has Ping, GetStatus and GetStats");
}
