#include <string.h>
#include <unistd.h>

#include "vln_id.h"
#include "vln_log.h"
#include "vln_service_inside.h"
#include "vln_text.h"
#include "vln_time.h"

enum { OWN_NAME_MAX = 64 }; /* of a service, at the broker */

/* ---- frames from the brokers ---- */

/* "validator", and the name by which this very instance can be called: "validator.<instance>". */
static void
add_names(const vln_service_t *self, Valion__V1__Ready *ready, char *names[2])
{
    char *own = vln_arena_printf(self->scratch, "%s.%s", self->config.name, self->instance);
    bool usable = strlen(own) <= OWN_NAME_MAX && !strchr(self->config.name, '.') &&
                  vln_text_is_name(self->instance, OWN_NAME_MAX, "-_.");
    names[0] = (char *)(uintptr_t)self->config.name;
    names[1] = own;
    ready->n_services = usable ? 2 : 1;
    ready->services = names;
}

static void
say_ready(vln_service_t *self, vln_link_t *link)
{
    vln_arena_reset(self->scratch);
    Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
    envelope.has_kind = 1;
    envelope.kind = VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_READY;
    Valion__V1__Ready ready = VALION__V1__READY__INIT;
    char *names[2];
    add_names(self, &ready, names);
    ready.instance = self->instance;
    ready.version = vln_arena_strdup(self->scratch, vln_version());
    ready.host = self->host;
    ready.has_pid = 1;
    ready.pid = getpid();
    ready.has_credit = 1;
    ready.credit = (uint32_t)self->config.options->credit;
    size_t size = 0;
    const uint8_t *body = vln_pb_pack(&ready.base, self->scratch, &size);
    vln_link_send(link, &envelope, body, size);
}

static const char *
unknown_method_text(const vln_service_t *self, vln_call_t *call)
{
    const char *method = call->header->method ? call->header->method : "";
    for (size_t i = 0; i < self->config.planned_count; i++) {
        if (strcmp(self->config.planned[i], method) == 0) {
            return vln_arena_printf(call->arena, "%s.%s comes with a later release",
                                    self->config.name, method);
        }
    }
    return vln_arena_printf(call->arena, "%s has no method '%s'; 'valion methods %s' lists them",
                            self->config.name, method, self->config.name);
}

/* The call's own view of its frames: envelope, header, body[, raw]. */
static void
fill_call(vln_call_t *call, const Valion__V1__Envelope *envelope)
{
    vln_frames_t *frames = call->frames;
    call->principal = vln_arena_strdup(call->kept, envelope->principal ? envelope->principal : "");
    call->roles = envelope->roles;
    call->kind_count = envelope->n_kinds;
    call->kinds = vln_arena_alloc(call->kept, envelope->n_kinds * sizeof(char *));
    for (size_t i = 0; i < envelope->n_kinds; i++) {
        call->kinds[i] = vln_arena_strdup(call->kept, envelope->kinds[i]);
    }
    call->handle = envelope->call;
    call->body = zmq_msg_data(&frames->frame[2]);
    call->body_size = zmq_msg_size(&frames->frame[2]);
    if (frames->count > 3) {
        call->raw = zmq_msg_data(&frames->frame[3]);
        call->raw_size = zmq_msg_size(&frames->frame[3]);
    }
    int64_t remaining =
        call->header->has_remaining_ms ? call->header->remaining_ms : DEFAULT_REMAINING_MS;
    call->deadline_ms = vln_mono_ms() + remaining - envelope->waited_ms;
}

/* Takes over the frames. A header that the broker let through but cannot be read is a bug of the
 * broker: the call is dropped there by its deadline. */
static void
take_request(vln_service_t *self, vln_link_t *link, const Valion__V1__Envelope *envelope,
             vln_frames_t *frames)
{
    vln_call_t *call = vln_service_call_new(self);
    vln_frames_t *own = call->frames;
    vln_frames_move(own, frames);
    vln_pb_scan_t scan;
    ProtobufCMessage *header = NULL;
    if (vln_pb_unpack(&valion__v1__header__descriptor, zmq_msg_data(&own->frame[1]),
                      zmq_msg_size(&own->frame[1]), call->kept, &header, &scan) != VLN_OK) {
        vln_service_call_end(self, call);
        return;
    }
    call->header = (const Valion__V1__Header *)header;
    call->link = (size_t)(link - self->links);
    call->link_serial = link->serial;
    fill_call(call, envelope);
    if (self->draining) {
        vln_service_refuse_now(self, call, VLN_UNAVAILABLE, VALION__V1__REASON__REASON_DRAINING,
                               "this instance is leaving: repeat with the same request id");
        return;
    }
    if (!call->header->method || vln_dispatch_lane(self->dispatch, call->header->method) < 0) {
        vln_service_refuse_now(self, call, VLN_UNIMPLEMENTED,
                               VALION__V1__REASON__REASON_UNKNOWN_METHOD,
                               unknown_method_text(self, call));
        return;
    }
    vln_service_queue_call(self, call);
}

static void
take_frames(vln_service_t *self, vln_link_t *link, vln_frames_t *frames)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    vln_arena_reset(self->scratch);
    if (frames->count == 0 ||
        vln_pb_unpack(&valion__v1__envelope__descriptor, zmq_msg_data(&frames->frame[0]),
                      zmq_msg_size(&frames->frame[0]), self->scratch, &message, &scan) != VLN_OK) {
        return;
    }
    const Valion__V1__Envelope *envelope = (const Valion__V1__Envelope *)message;
    if (envelope->has_epoch && envelope->epoch != link->epoch) {
        link->epoch = envelope->epoch;
        link->serial = vln_random_u64();
    }
    if (envelope->kind == VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_REQUEST && frames->count >= 3) {
        take_request(self, link, envelope, frames);
    } else if (envelope->kind == VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_RESET) {
        say_ready(self, link);
    }
}

static int
on_frames(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    vln_service_t *self = arg;
    for (size_t i = 0; i < self->addresses.count; i++) {
        vln_link_t *link = &self->links[i];
        if (link->socket != item->socket) {
            continue;
        }
        vln_frames_t frames;
        link->heard_ms = vln_mono_ms();
        for (int turn = 0; turn < FRAMES_A_TURN && vln_link_receive(link, &frames); turn++) {
            take_frames(self, link, &frames);
            vln_frames_close(&frames);
        }
        break;
    }
    return 0;
}

/* ---- connections ---- */

void
vln_service_watch(vln_service_t *self, void *socket, int fd, zloop_fn *handler)
{
    zmq_pollitem_t item = {.socket = socket, .fd = fd, .events = ZMQ_POLLIN};
    vln_assert(zloop_poller(self->loop, &item, handler, self) == 0);
}

static void
open_link(vln_service_t *self, size_t at, const char *endpoint)
{
    vln_link_open(&self->links[at], endpoint, &self->keys, self->bus_key);
    vln_service_watch(self, self->links[at].socket, 0, on_frames);
    say_ready(self, &self->links[at]);
}

static void
close_link(vln_service_t *self, size_t at)
{
    zmq_pollitem_t item = {.socket = self->links[at].socket, .events = ZMQ_POLLIN};
    zloop_poller_end(self->loop, &item);
    vln_link_close(&self->links[at]);
}

/* Brokers that came and went since the last look. A slot keeps its place while it is used, because
 * calls name it by index. */
void
vln_service_resolve(vln_service_t *self)
{
    vln_addresses_t now;
    if (vln_addresses_resolve(self->config.options->bus, &now) != VLN_OK) {
        return;
    }
    for (size_t i = 0; i < self->addresses.count; i++) {
        if (self->links[i].socket && !vln_addresses_have(&now, self->addresses.endpoint[i])) {
            vln_info("bus.left", kv_str("endpoint", self->addresses.endpoint[i]));
            close_link(self, i);
            self->addresses.endpoint[i][0] = '\0';
        }
    }
    for (size_t i = 0; i < now.count; i++) {
        if (vln_addresses_have(&self->addresses, now.endpoint[i])) {
            continue;
        }
        size_t at = 0;
        while (at < self->addresses.count && self->addresses.endpoint[at][0]) {
            at++;
        }
        if (at == VLN_ADDRESSES_MAX) {
            break;
        }
        vln_text_copy(self->addresses.endpoint[at], VLN_ADDRESS_TEXT, now.endpoint[i]);
        self->addresses.count = at == self->addresses.count ? at + 1 : self->addresses.count;
        open_link(self, at, now.endpoint[i]);
        vln_info("bus.joined", kv_str("endpoint", now.endpoint[i]));
    }
}

static void
refresh_hints(vln_service_t *self)
{
    zmq_pollitem_t before = {.socket = vln_fan_socket(self->subscriber), .events = ZMQ_POLLIN};
    vln_publisher_refresh(self->publisher);
    if (vln_fan_refresh(self->subscriber)) {
        zloop_poller_end(self->loop, &before);
        vln_service_watch(self, vln_fan_socket(self->subscriber), 0, vln_service_on_hint);
    }
}

int
vln_service_on_resolve(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    vln_service_t *self = arg;
    if (!self->draining) {
        vln_service_resolve(self);
        refresh_hints(self);
    }
    return 0;
}

int
vln_service_on_heartbeat(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    vln_service_t *self = arg;
    vln_arena_reset(self->scratch);
    Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
    envelope.has_kind = 1;
    envelope.kind = VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_HEARTBEAT;
    size_t size = 0;
    const uint8_t *health =
        vln_pb_pack(&vln_service_make_health(self, self->scratch)->base, self->scratch, &size);
    for (size_t i = 0; i < self->addresses.count; i++) {
        vln_link_t *link = &self->links[i];
        if (!link->socket) {
            continue;
        }
        if (vln_mono_ms() - link->heard_ms > VLN_LIVENESS_MS) {
            vln_warn("bus.silent", kv_str("endpoint", link->endpoint));
            close_link(self, i);
            open_link(self, i, self->addresses.endpoint[i]);
            continue;
        }
        vln_link_send(link, &envelope, health, size);
    }
    return 0;
}
