#include "vln_service.h"

#include <czmq.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vln_address.h"
#include "vln_dispatch.h"
#include "vln_fan.h"
#include "vln_id.h"
#include "vln_keys.h"
#include "vln_link.h"
#include "vln_log.h"
#include "vln_park.h"
#include "vln_pb.h"
#include "vln_queue.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

#include "valion/v1/event.pb-c.h"

enum {
    FRAMES_A_TURN = 256,   /* messages read from one broker before the others get a turn */
    TICK_MS = 100,         /* parked calls' deadlines, the end of draining */
    POLL_PARKED_MS = 1000, /* a hint may be lost: parked calls look again this often */
    RESOLVE_MS = 5000,
    DEFAULT_REMAINING_MS = 5000,
    KEPT_BUDGET = 2 * VLN_PB_MAX_MEMORY,
    SCRATCH_BUDGET = 16 * VLN_PB_MAX_MEMORY,
    POOL_MAX = 1024, /* idle calls that are kept for reuse */
    DEPENDENCIES_MAX = 4,
    DETAIL_MAX = 160,
    PATH_ROOM = 512,
};

typedef struct dependency {
    char name[32];
    char detail[DETAIL_MAX];
    bool ok;
} dependency_t;

struct vln_service {
    vln_service_config_t config;
    char instance[VLN_ID_TEXT + 32];
    char host[64];
    vln_keypair_t keys;
    char bus_key[VLN_Z85_TEXT];
    uint8_t ticket_key[VLN_SIGN_PUBLIC];
    bool has_ticket_key;
    int64_t started_us;

    zloop_t *loop;
    int signal_fd;
    vln_addresses_t addresses;
    vln_link_t links[VLN_ADDRESSES_MAX];
    vln_publisher_t *publisher; /* hints to the other instances */
    vln_fan_t *subscriber;      /* their hints */
    vln_arena_t *scratch;

    vln_queue_t *queue;
    vln_outbox_t *outbox;
    vln_park_t *park;
    vln_dispatch_t *dispatch;
    vln_metrics_t *metrics;
    size_t dropped_counter;
    size_t outstanding; /* calls that are not answered */
    vln_call_t *pool;
    size_t pooled;
    int64_t polled_ms;
    bool draining;
    int64_t drain_until_ms;

    vln_stop_t *stop;
    size_t background_started;
    pthread_t background[VLN_BACKGROUND_MAX];

    pthread_mutex_t mutex; /* guards what follows */
    uint32_t hints;        /* topics that other threads want woken */
    size_t dependency_count;
    dependency_t dependencies[DEPENDENCIES_MAX];
    bool hint_queued;
    vln_item_t hint_item; /* wakes the loop through the outbox */
};

/* ---- health and statistics, the same in every service ---- */

void
vln_service_set_health(vln_service_t *self, const char *dependency, bool ok, const char *detail)
{
    pthread_mutex_lock(&self->mutex);
    size_t at = 0;
    while (at < self->dependency_count && strcmp(self->dependencies[at].name, dependency) != 0) {
        at++;
    }
    if (at < DEPENDENCIES_MAX) {
        dependency_t *entry = &self->dependencies[at];
        vln_text_copy(entry->name, sizeof entry->name, dependency);
        vln_text_copy(entry->detail, sizeof entry->detail, detail);
        entry->ok = ok;
        self->dependency_count = at == self->dependency_count ? at + 1 : self->dependency_count;
    }
    pthread_mutex_unlock(&self->mutex);
}

static Valion__V1__Health *
make_health(vln_service_t *self, vln_arena_t *arena)
{
    Valion__V1__Health *health = vln_arena_alloc(arena, sizeof *health);
    valion__v1__health__init(health);
    health->has_ready = 1;
    health->ready = !self->draining;
    health->version = vln_arena_strdup(arena, vln_version());
    health->instance = self->instance;
    health->has_uptime_ms = 1;
    health->uptime_ms = (vln_mono_us() - self->started_us) / 1000;

    pthread_mutex_lock(&self->mutex);
    health->n_dependencies = self->dependency_count;
    health->dependencies = vln_arena_alloc(arena, DEPENDENCIES_MAX * sizeof(void *));
    for (size_t i = 0; i < self->dependency_count; i++) {
        Valion__V1__Dependency *entry = vln_arena_alloc(arena, sizeof *entry);
        valion__v1__dependency__init(entry);
        entry->name = vln_arena_strdup(arena, self->dependencies[i].name);
        entry->has_ok = 1;
        entry->ok = self->dependencies[i].ok;
        entry->detail = vln_arena_strdup(arena, self->dependencies[i].detail);
        health->ready = health->ready && entry->ok;
        health->dependencies[i] = entry;
    }
    pthread_mutex_unlock(&self->mutex);
    return health;
}

static void
get_health(void *worker, vln_call_t **calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        vln_call_reply(calls[i], &make_health(worker, calls[i]->arena)->base);
    }
}

static void
get_stats(void *worker, vln_call_t **calls, size_t count)
{
    vln_service_t *self = worker;
    for (size_t i = 0; i < count; i++) {
        vln_arena_t *arena = calls[i]->arena;
        Valion__V1__GetStatsReply *reply = vln_arena_alloc(arena, sizeof *reply);
        valion__v1__get_stats_reply__init(reply);
        size_t counters = vln_metrics_count(self->metrics);
        reply->numbers = vln_arena_alloc(arena, counters * sizeof(void *));
        for (size_t at = 0; at < counters; at++) {
            Valion__V1__KeyNumber *number = vln_arena_alloc(arena, sizeof *number);
            valion__v1__key_number__init(number);
            number->key = vln_arena_strdup(arena, vln_metrics_name(self->metrics, at));
            number->has_value = 1;
            number->value = (double)vln_metrics_value(self->metrics, at);
            reply->numbers[at] = number;
        }
        reply->n_numbers = counters;
        reply->instance = self->instance;
        vln_call_reply(calls[i], &reply->base);
    }
}

/* ---- calls: from the pool and back ---- */

static vln_call_t *
call_new(vln_service_t *self)
{
    vln_call_t *call = self->pool;
    if (call) {
        self->pool = (vln_call_t *)call->item.next;
        self->pooled--;
    } else {
        call = vln_calloc(1, sizeof *call);
        call->kept = vln_arena_new(KEPT_BUDGET);
        call->arena = vln_arena_new(SCRATCH_BUDGET);
        call->frames = vln_calloc(1, sizeof(vln_frames_t));
    }
    self->outstanding++;
    return call;
}

static void
call_free(vln_call_t *call)
{
    vln_frames_close(call->frames);
    free(call->frames);
    vln_arena_destroy(&call->kept);
    vln_arena_destroy(&call->arena);
    free(call);
}

static void
call_end(vln_service_t *self, vln_call_t *call)
{
    self->outstanding--;
    if (self->pooled == POOL_MAX) {
        call_free(call);
        return;
    }
    vln_arena_t *kept = call->kept;
    vln_arena_t *arena = call->arena;
    vln_frames_t *frames = call->frames;
    vln_frames_close(frames);
    vln_arena_reset(kept);
    vln_arena_reset(arena);
    *call = (vln_call_t){.kept = kept, .arena = arena, .frames = frames};
    call->item.next = (vln_item_t *)self->pool;
    self->pool = call;
    self->pooled++;
}

static void
send_answer(vln_service_t *self, vln_call_t *call)
{
    vln_link_t *link = &self->links[call->link];
    vln_link_reply_t reply = {.call = call->handle,
                              .parked = call->was_parked,
                              .header = call->reply_header,
                              .header_size = call->reply_header_size,
                              .body = call->reply_body,
                              .body_size = call->reply_body_size,
                              .raw = call->reply_raw,
                              .raw_size = call->reply_raw_size};
    if (link->serial != call->link_serial || !vln_link_reply(link, &reply)) {
        vln_metrics_add(self->metrics, self->dropped_counter, 1); /* the caller asks again */
    }
    call_end(self, call);
}

static void
refuse_now(vln_service_t *self, vln_call_t *call, vln_err_t err, int reason, const char *why)
{
    vln_dispatch_refuse_now(call, err, reason, why);
    send_answer(self, call);
}

static void
queue_call(vln_service_t *self, vln_call_t *call)
{
    int lane = vln_dispatch_lane(self->dispatch, call->header->method);
    vln_assert(lane >= 0);
    call->seen_hints = vln_park_seen(self->park);
    vln_queue_put(self->queue, (size_t)lane, &call->item);
}

/* Calls that waited. One whose broker is gone is dropped: its caller has asked again elsewhere, and
 * what is done for this one, such as a lease, would be done for nobody. */
static void
queue_list(vln_service_t *self, vln_item_t *list)
{
    for (size_t i = 0; i < self->addresses.count && list; i++) {
        vln_link_check(&self->links[i]);
    }
    while (list) {
        vln_item_t *next = list->next;
        vln_call_t *call = (vln_call_t *)list;
        if (self->links[call->link].serial == call->link_serial) {
            queue_call(self, call);
        } else {
            vln_metrics_add(self->metrics, self->dropped_counter, 1);
            call_end(self, call);
        }
        list = next;
    }
}

/* ---- hints ---- */

static void
wake_topics(vln_service_t *self, uint32_t topics, bool tell_others)
{
    for (size_t topic = 0; topic < self->config.topic_count; topic++) {
        if (!(topics & 1u << topic)) {
            continue;
        }
        queue_list(self, vln_park_wake(self->park, topic));
        if (tell_others) {
            char name[128];
            snprintf(name, sizeof name, "hint.%s.%s", self->config.name,
                     self->config.topics[topic]);
            vln_publisher_send(self->publisher, name, self->instance, strlen(self->instance));
        }
    }
}

void
vln_service_hint(vln_service_t *self, size_t topic)
{
    pthread_mutex_lock(&self->mutex);
    self->hints |= 1u << topic;
    bool queued = self->hint_queued;
    self->hint_queued = true;
    pthread_mutex_unlock(&self->mutex);
    if (!queued) {
        vln_outbox_put(self->outbox, &self->hint_item);
    }
}

static uint32_t
take_hints(vln_service_t *self)
{
    pthread_mutex_lock(&self->mutex);
    uint32_t hints = self->hints;
    self->hints = 0;
    self->hint_queued = false;
    pthread_mutex_unlock(&self->mutex);
    return hints;
}

/* One frame as text, cut to fit; false if nothing waits. */
static bool
receive_text(void *socket, char *out, size_t size)
{
    int len = zmq_recv(socket, out, size - 1, ZMQ_DONTWAIT);
    if (len < 0) {
        out[0] = '\0';
        return false;
    }
    out[(size_t)len < size ? (size_t)len : size - 1] = '\0';
    return true;
}

static bool
has_more(void *socket)
{
    int more = 0;
    size_t size = sizeof more;
    return zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size) == 0 && more;
}

/* The bit of the topic that `name`, "hint.<service>.<topic>", means; 0 if it is none of ours. */
static uint32_t
topic_bit(const vln_service_t *self, const char *name)
{
    size_t prefix = strlen("hint.") + strlen(self->config.name) + 1;
    for (size_t topic = 0; topic < self->config.topic_count && strlen(name) > prefix; topic++) {
        if (strcmp(name + prefix, self->config.topics[topic]) == 0) {
            return 1u << topic;
        }
    }
    return 0;
}

static int
on_hint(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    (void)item;
    vln_service_t *self = arg;
    void *socket = vln_fan_socket(self->subscriber);
    uint32_t topics = 0;
    char name[128];
    for (int i = 0; i < FRAMES_A_TURN; i++) {
        char from[128] = "";
        if (!receive_text(socket, name, sizeof name)) {
            break;
        }
        while (has_more(socket)) {
            receive_text(socket, from, sizeof from);
        }
        if (strcmp(from, self->instance) != 0) {
            topics |= topic_bit(self, name);
        }
    }
    wake_topics(self, topics, false);
    return 0;
}

/* ---- answers from the workers ---- */

static void
park_call(vln_service_t *self, vln_call_t *call)
{
    if (self->draining) {
        call->last_run = true;
        queue_call(self, call);
        return;
    }
    vln_park_verdict_t verdict = vln_park_add(self->park, call);
    if (verdict == VLN_PARK_RUN_AGAIN) {
        queue_call(self, call);
        return;
    }
    if (verdict == VLN_PARK_FULL) {
        refuse_now(self, call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_BUSY,
                   "too many calls wait here: wait a little and repeat");
        return;
    }
    vln_link_t *link = &self->links[call->link];
    if (!call->was_parked && link->serial == call->link_serial) {
        Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
        envelope.has_kind = 1;
        envelope.kind = VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_PARK;
        envelope.has_epoch = 1;
        envelope.epoch = link->epoch;
        envelope.has_call = 1;
        envelope.call = call->handle;
        call->was_parked = vln_link_send(link, &envelope, NULL, 0);
    }
}

static int
on_answers(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    (void)item;
    vln_service_t *self = arg;
    uint32_t hints = 0;
    vln_item_t *list = vln_outbox_take_all(self->outbox);
    while (list) {
        vln_item_t *next = list->next;
        if (list == &self->hint_item) {
            hints |= take_hints(self);
        } else {
            vln_call_t *call = (vln_call_t *)list;
            hints |= call->hints;
            if (call->outcome == VLN_OUTCOME_PARK) {
                park_call(self, call);
            } else {
                send_answer(self, call);
            }
        }
        list = next;
    }
    wake_topics(self, hints, true);
    return 0;
}

/* ---- frames from the brokers ---- */

static void
say_ready(vln_service_t *self, vln_link_t *link)
{
    vln_arena_reset(self->scratch);
    Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
    envelope.has_kind = 1;
    envelope.kind = VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_READY;
    Valion__V1__Ready ready = VALION__V1__READY__INIT;
    char *services[] = {(char *)(uintptr_t)self->config.name};
    ready.n_services = 1;
    ready.services = services;
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
    vln_call_t *call = call_new(self);
    vln_frames_t *own = call->frames;
    vln_frames_move(own, frames);
    vln_pb_scan_t scan;
    ProtobufCMessage *header = NULL;
    if (vln_pb_unpack(&valion__v1__header__descriptor, zmq_msg_data(&own->frame[1]),
                      zmq_msg_size(&own->frame[1]), call->kept, &header, &scan) != VLN_OK) {
        call_end(self, call);
        return;
    }
    call->header = (const Valion__V1__Header *)header;
    call->link = (size_t)(link - self->links);
    call->link_serial = link->serial;
    fill_call(call, envelope);
    if (self->draining) {
        refuse_now(self, call, VLN_UNAVAILABLE, VALION__V1__REASON__REASON_DRAINING,
                   "this instance is leaving: repeat with the same request id");
        return;
    }
    if (!call->header->method || vln_dispatch_lane(self->dispatch, call->header->method) < 0) {
        refuse_now(self, call, VLN_UNIMPLEMENTED, VALION__V1__REASON__REASON_UNKNOWN_METHOD,
                   unknown_method_text(self, call));
        return;
    }
    queue_call(self, call);
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

static void
watch(vln_service_t *self, void *socket, int fd, zloop_fn *handler)
{
    zmq_pollitem_t item = {.socket = socket, .fd = fd, .events = ZMQ_POLLIN};
    vln_assert(zloop_poller(self->loop, &item, handler, self) == 0);
}

static void
open_link(vln_service_t *self, size_t at, const char *endpoint)
{
    vln_link_open(&self->links[at], endpoint, &self->keys, self->bus_key);
    watch(self, self->links[at].socket, 0, on_frames);
    say_ready(self, &self->links[at]);
}

static void
close_link(vln_service_t *self, size_t at)
{
    zmq_pollitem_t item = {.socket = self->links[at].socket, .events = ZMQ_POLLIN};
    zloop_poller_end(self->loop, &item);
    vln_link_close(&self->links[at]);
}

static bool
has_endpoint(const vln_addresses_t *addresses, const char *endpoint)
{
    for (size_t i = 0; i < addresses->count; i++) {
        if (strcmp(addresses->endpoint[i], endpoint) == 0) {
            return true;
        }
    }
    return false;
}

/* Brokers that came and went since the last look. A slot keeps its place while it is used, because
 * calls name it by index. */
static void
resolve(vln_service_t *self)
{
    vln_addresses_t now;
    if (vln_addresses_resolve(self->config.options->bus, &now) != VLN_OK) {
        return;
    }
    for (size_t i = 0; i < self->addresses.count; i++) {
        if (self->links[i].socket && !has_endpoint(&now, self->addresses.endpoint[i])) {
            vln_info("bus.left", kv_str("endpoint", self->addresses.endpoint[i]));
            close_link(self, i);
            self->addresses.endpoint[i][0] = '\0';
        }
    }
    for (size_t i = 0; i < now.count; i++) {
        if (has_endpoint(&self->addresses, now.endpoint[i])) {
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
        watch(self, vln_fan_socket(self->subscriber), 0, on_hint);
    }
}

static int
on_resolve(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    vln_service_t *self = arg;
    if (!self->draining) {
        resolve(self);
        refresh_hints(self);
    }
    return 0;
}

static int
on_heartbeat(zloop_t *loop, int timer, void *arg)
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
        vln_pb_pack(&make_health(self, self->scratch)->base, self->scratch, &size);
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

/* ---- time and the end ---- */

static int
on_tick(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    vln_service_t *self = arg;
    int64_t now = vln_mono_ms();
    queue_list(self, vln_park_expire(self->park, now));
    if (now - self->polled_ms > POLL_PARKED_MS) {
        self->polled_ms = now;
        wake_topics(self, UINT32_MAX, false);
    }
    if (self->draining && (self->outstanding == 0 || now > self->drain_until_ms)) {
        return -1; /* ends the loop */
    }
    return 0;
}

static void
tell_brokers(vln_service_t *self, Valion__V1__EnvelopeKind kind)
{
    Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
    envelope.has_kind = 1;
    envelope.kind = kind;
    for (size_t i = 0; i < self->addresses.count; i++) {
        if (self->links[i].socket) {
            vln_link_send(&self->links[i], &envelope, NULL, 0);
        }
    }
}

static int
on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    vln_service_t *self = arg;
    struct signalfd_siginfo info;
    if (read(item->fd, &info, sizeof info) != sizeof info) {
        return 0;
    }
    if (self->draining) {
        self->drain_until_ms = 0; /* asked twice: now */
        return 0;
    }
    vln_info("service.stopping", kv_i64("signal", info.ssi_signo),
             kv_i64("outstanding", (int64_t)self->outstanding));
    self->draining = true;
    self->drain_until_ms = vln_mono_ms() + self->config.options->grace_ms;
    tell_brokers(self, VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_DRAIN);
    queue_list(self, vln_park_take_all(self->park));
    return 0;
}

/* ---- life ---- */

static vln_err_t
load_keys(vln_service_t *self)
{
    const vln_service_options_t *options = self->config.options;
    const char *name = options->key_name ? options->key_name : self->config.name;
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/secret/%s.key_secret", options->keys, name);
    vln_err_t err = vln_keys_load_pair(path, &self->keys);
    if (err == VLN_OK) {
        snprintf(path, sizeof path, "%s/bus.key", options->keys);
        err = vln_keys_load_public(path, self->bus_key);
    }
    if (err != VLN_OK) {
        vln_error("keys.missing", kv_str("file", path), kv_err(err),
                  kv_str("detail", "make them with 'valion keys init', or name their folder with "
                                   "--keys"));
        return VLN_FAILED_PRECONDITION;
    }
    snprintf(path, sizeof path, "%s/ticket.pub", options->keys);
    self->has_ticket_key = vln_sign_load_public(path, self->ticket_key) == VLN_OK;
    return VLN_OK;
}

static void
open_hints(vln_service_t *self)
{
    const char *bus = self->config.options->bus;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "hint.%s.", self->config.name);
    self->publisher = vln_publisher_new(bus, &self->keys, self->bus_key);
    self->subscriber = vln_fan_new(VLN_FAN_SUBSCRIBE, bus, &self->keys, self->bus_key, prefix);
}

static void
make_loop(vln_service_t *self)
{
    self->loop = zloop_new();
    zloop_set_nonstop(self->loop, true); /* signals come through their descriptor */
    watch(self, NULL, self->signal_fd, on_signal);
    watch(self, NULL, vln_outbox_fd(self->outbox), on_answers);
    watch(self, vln_fan_socket(self->subscriber), 0, on_hint);
    zloop_timer(self->loop, TICK_MS, 0, on_tick, self);
    zloop_timer(self->loop, VLN_HEARTBEAT_MS, 0, on_heartbeat, self);
    zloop_timer(self->loop, RESOLVE_MS, 0, on_resolve, self);
}

static void
start_dispatch(vln_service_t *self)
{
    size_t lanes = vln_dispatch_lanes(&self->config);
    size_t *batches = vln_calloc(lanes, sizeof *batches);
    vln_dispatch_batches(&self->config, batches);
    self->queue = vln_queue_new(lanes, batches);
    free(batches);
    const vln_dispatch_config_t config = {.service = &self->config,
                                          .queue = self->queue,
                                          .outbox = self->outbox,
                                          .metrics = self->metrics,
                                          .ticket_key =
                                              self->has_ticket_key ? self->ticket_key : NULL,
                                          .health = get_health,
                                          .stats = get_stats,
                                          .builtin = self};
    self->dispatch = vln_dispatch_new(&config);
}

vln_err_t
vln_service_open(vln_service_t **out, const vln_service_config_t *config)
{
    *out = NULL;
    vln_service_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    self->started_us = vln_mono_us();
    pthread_mutex_init(&self->mutex, NULL);
    self->signal_fd = vln_signals_open();
    vln_id_t id = vln_id_new();
    vln_id_format(id.bytes, self->instance);
    if (config->options->instance) {
        vln_text_copy(self->instance, sizeof self->instance, config->options->instance);
    }
    gethostname(self->host, sizeof self->host - 1);
    vln_err_t err = load_keys(self);
    if (err != VLN_OK) {
        vln_service_close(&self);
        return err;
    }
    self->metrics = vln_metrics_new();
    self->dropped_counter = vln_metrics_counter(self->metrics, "replies", "dropped");
    self->scratch = vln_arena_new(VLN_PB_MAX_MEMORY);
    self->stop = vln_stop_new();
    self->outbox = vln_outbox_new();
    self->park = vln_park_new(config->topic_count);
    open_hints(self);
    make_loop(self);
    *out = self;
    return VLN_OK;
}

typedef struct background_start {
    const vln_background_t *job;
    void *context;
    vln_stop_t *stop;
} background_start_t;

static void *
background_thread(void *arg)
{
    background_start_t start = *(background_start_t *)arg;
    free(arg);
    start.job->run(start.context, start.stop);
    return NULL;
}

static void
start_background(vln_service_t *self)
{
    vln_assert(self->config.background_count <= VLN_BACKGROUND_MAX);
    for (size_t i = 0; i < self->config.background_count; i++) {
        background_start_t *start = vln_calloc(1, sizeof *start);
        *start =
            (background_start_t){&self->config.background[i], self->config.context, self->stop};
        vln_assert(pthread_create(&self->background[i], NULL, background_thread, start) == 0);
        self->background_started++;
    }
}

static void
stop_threads(vln_service_t *self)
{
    vln_stop_set(self->stop);
    for (size_t i = 0; i < self->background_started; i++) {
        pthread_join(self->background[i], NULL);
    }
    self->background_started = 0;
    vln_queue_close(self->queue);
    vln_dispatch_destroy(&self->dispatch);
}

/* What is left after the grace time is sent if it is an answer; callers repeat the rest. */
static void
send_leftovers(vln_service_t *self)
{
    vln_item_t *list = vln_outbox_take_all(self->outbox);
    while (list) {
        vln_item_t *next = list->next;
        vln_call_t *call = (vln_call_t *)list;
        if (list != &self->hint_item && call->outcome == VLN_OUTCOME_REPLY) {
            send_answer(self, call);
        } else if (list != &self->hint_item) {
            call_end(self, call);
        }
        list = next;
    }
}

vln_err_t
vln_service_run(vln_service_t *self)
{
    start_dispatch(self);
    resolve(self);
    start_background(self);
    vln_info("service.ready", kv_str("bus", self->config.options->bus),
             kv_i64("us", vln_mono_us() - self->started_us));
    vln_service_notify_ready();
    zloop_start(self->loop);
    stop_threads(self);
    send_leftovers(self);
    tell_brokers(self, VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_BYE);
    for (size_t i = 0; i < self->addresses.count; i++) {
        int linger_ms = 500; /* the last replies and BYE leave before the socket does */
        if (self->links[i].socket) {
            zmq_setsockopt(self->links[i].socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        }
    }
    return VLN_OK;
}

static void
close_sockets(vln_service_t *self)
{
    for (size_t i = 0; i < self->addresses.count; i++) {
        vln_link_close(&self->links[i]);
    }
    vln_publisher_destroy(&self->publisher);
    vln_fan_destroy(&self->subscriber);
}

void
vln_service_close(vln_service_t **self_p)
{
    vln_service_t *self = *self_p;
    if (!self) {
        return;
    }
    zloop_destroy(&self->loop);
    close_sockets(self);
    while (self->pool) {
        vln_call_t *call = self->pool;
        self->pool = (vln_call_t *)call->item.next;
        call_free(call);
    }
    vln_queue_destroy(&self->queue);
    if (self->outbox) {
        vln_outbox_destroy(&self->outbox);
    }
    vln_park_destroy(&self->park);
    vln_metrics_destroy(&self->metrics);
    vln_arena_destroy(&self->scratch);
    vln_stop_destroy(&self->stop);
    vln_keypair_wipe(&self->keys);
    close(self->signal_fd);
    pthread_mutex_destroy(&self->mutex);
    free(self);
    *self_p = NULL;
    vln_socket_context_end();
}

vln_publisher_t *
vln_service_publisher(vln_service_t *self)
{
    return vln_publisher_new(self->config.options->bus, &self->keys, self->bus_key);
}

vln_metrics_t *
vln_service_metrics(vln_service_t *self)
{
    return self->metrics;
}

void
vln_service_notify_ready(void)
{
    const char *text = getenv("VALION_NOTIFY_FD");
    int64_t fd = 0;
    if (!vln_text_to_i64(text, 3, 1023, &fd)) {
        return;
    }
    ssize_t written = write((int)fd, "\n", 1);
    (void)written; /* nobody waits then */
    close((int)fd);
    unsetenv("VALION_NOTIFY_FD");
}
