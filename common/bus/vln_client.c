#include "vln_client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "vln_address.h"
#include "vln_log.h"
#include "vln_pb.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

#include "valion/v1/header.pb-c.h"

enum {
    DEFAULT_TIMEOUT_MS = 10000,
    DEFAULT_ATTEMPT_MS = 2500,
    REMAINING_MAX_MS = 60000,
    FIRST_BACKOFF_MS = 50,
    MAX_BACKOFF_MS = 2000,
    RESOLVE_EVERY_MS = 5000,
    POLL_SLICE_MS = 100, /* how often a wait looks whether it was told to stop */
    REPLY_BUDGET = 4 * VLN_PB_MAX_MEMORY,
};

/* One broker. */
typedef struct link {
    char endpoint[VLN_ADDRESS_TEXT];
    void *socket;
    void *monitor; /* tells of a lost connection at once */
} link_t;

struct vln_client {
    vln_client_config_t config;
    vln_addresses_t addresses;
    link_t links[VLN_ADDRESSES_MAX];
    size_t current;
    int64_t resolved_ms;
    unsigned monitor_serial;
    const volatile int *stop;
};

/* How an attempt ended, apart from the reply's own status. */
typedef enum attempt {
    ATTEMPT_REPLIED,
    ATTEMPT_NO_CONNECTION, /* nothing was sent */
    ATTEMPT_LOST,          /* sent; the connection ended */
    ATTEMPT_SILENT,        /* sent; no answer in time */
    ATTEMPT_STOPPED,
} attempt_t;

static void
link_open(vln_client_t *self, link_t *link)
{
    int one = 1;
    link->socket = vln_socket_new(ZMQ_DEALER);
    vln_assert(zmq_setsockopt(link->socket, ZMQ_IMMEDIATE, &one, sizeof one) == 0);
    vln_socket_secure_client(link->socket, &self->config.keys, self->config.bus_key);

    char address[64];
    snprintf(address, sizeof address, "inproc://client-%p-%u", (void *)self,
             self->monitor_serial++);
    vln_assert(zmq_socket_monitor(link->socket, address, ZMQ_EVENT_DISCONNECTED) == 0);
    link->monitor = vln_socket_new(ZMQ_PAIR);
    vln_assert(zmq_connect(link->monitor, address) == 0);
    if (zmq_connect(link->socket, link->endpoint) != 0) {
        vln_warn("client.bad_address", kv_str("endpoint", link->endpoint),
                 kv_str("detail", zmq_strerror(errno)));
    }
}

static void
link_close(link_t *link)
{
    if (link->socket) {
        zmq_socket_monitor(link->socket, NULL, 0);
    }
    vln_socket_close(&link->monitor);
    vln_socket_close(&link->socket);
}

static void
link_reopen(vln_client_t *self, link_t *link)
{
    link_close(link);
    link_open(self, link);
}

/* Connects to addresses that are new and leaves those that are gone. */
static void
apply_addresses(vln_client_t *self, const vln_addresses_t *now)
{
    for (size_t i = 0; i < self->addresses.count; i++) {
        link_close(&self->links[i]);
    }
    for (size_t i = 0; i < now->count; i++) {
        vln_text_copy(self->links[i].endpoint, sizeof self->links[i].endpoint, now->endpoint[i]);
        link_open(self, &self->links[i]);
    }
    self->addresses = *now;
    self->current = now->count ? vln_random_below((uint32_t)now->count) : 0;
}

static vln_err_t
resolve(vln_client_t *self)
{
    if (self->addresses.count && vln_mono_ms() - self->resolved_ms < RESOLVE_EVERY_MS) {
        return VLN_OK;
    }
    vln_addresses_t now = {0};
    vln_err_t err = vln_addresses_resolve(self->config.bus, &now);
    self->resolved_ms = vln_mono_ms();
    bool same = err == VLN_OK && now.count == self->addresses.count &&
                memcmp(now.endpoint, self->addresses.endpoint, sizeof now.endpoint) == 0;
    if (err == VLN_OK && !same) {
        apply_addresses(self, &now);
    }
    return self->addresses.count ? VLN_OK : err;
}

vln_err_t
vln_client_open(vln_client_t **out, const vln_client_config_t *config)
{
    *out = NULL;
    vln_client_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    self->config.bus = vln_strdup(config->bus);
    self->config.bus_key = vln_strdup(config->bus_key);
    if (resolve(self) == VLN_INVALID_ARGUMENT) {
        vln_client_close(&self);
        return VLN_INVALID_ARGUMENT;
    }
    *out = self;
    return VLN_OK;
}

void
vln_client_close(vln_client_t **self_p)
{
    vln_client_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < self->addresses.count; i++) {
            link_close(&self->links[i]);
        }
        free((void *)(uintptr_t)self->config.bus);
        free((void *)(uintptr_t)self->config.bus_key);
        vln_keypair_wipe(&self->config.keys);
        free(self);
        *self_p = NULL;
    }
}

void
vln_client_stop_on(vln_client_t *self, const volatile int *stop)
{
    self->stop = stop;
}

static bool
must_stop(const vln_client_t *self)
{
    return self->stop && *self->stop;
}

/* ---- one attempt ---- */

typedef struct exchange {
    const vln_call_spec_t *spec;
    const vln_id_t *id;
    vln_reply_t *reply;
    vln_err_t status; /* of the reply */
    uint8_t *body;
    size_t body_size;
    int64_t deadline_ms; /* monotonic */
} exchange_t;

static void
drain(void *socket)
{
    char scratch[256];
    while (zmq_recv(socket, scratch, sizeof scratch, ZMQ_DONTWAIT) >= 0) {
        /* what an earlier call left behind */
    }
}

/* Waits until a message can be sent; moves on to a broker that is connected. */
static bool
find_connected(vln_client_t *self, int64_t until_ms)
{
    while (!must_stop(self)) {
        zmq_pollitem_t items[VLN_ADDRESSES_MAX];
        for (size_t i = 0; i < self->addresses.count; i++) {
            items[i] = (zmq_pollitem_t){.socket = self->links[i].socket, .events = ZMQ_POLLOUT};
        }
        int64_t left = until_ms - vln_mono_ms();
        int64_t slice = left < POLL_SLICE_MS ? left : POLL_SLICE_MS;
        zmq_poll(items, (int)self->addresses.count, slice > 0 ? (long)slice : 0);
        for (size_t i = 0; i < self->addresses.count; i++) {
            size_t at = (self->current + i) % self->addresses.count;
            if (items[at].revents & ZMQ_POLLOUT) {
                self->current = at;
                return true;
            }
        }
        if (left <= 0) {
            return false;
        }
    }
    return false;
}

static bool
send_call(vln_client_t *self, exchange_t *exchange)
{
    const vln_call_spec_t *spec = exchange->spec;
    vln_arena_t *arena = exchange->reply->arena;
    int64_t left = exchange->deadline_ms - vln_mono_ms();
    vln_id_t id = *exchange->id;

    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = 1;
    header.request_id = (ProtobufCBinaryData){sizeof id.bytes, id.bytes};
    header.service = vln_arena_strdup(arena, spec->service);
    header.method = vln_arena_strdup(arena, spec->method);
    header.has_remaining_ms = 1;
    header.remaining_ms = (uint32_t)(left < 1                  ? 1
                                     : left > REMAINING_MAX_MS ? REMAINING_MAX_MS
                                                               : left);
    header.has_attempt = 1;
    header.attempt = (uint32_t)exchange->reply->attempts;
    header.ticket = (Valion__V1__SignedTicket *)(uintptr_t)spec->ticket;

    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&header.base, arena, &size);
    void *socket = self->links[self->current].socket;
    int more = spec->raw ? ZMQ_SNDMORE : 0;
    return zmq_send(socket, bytes, size, ZMQ_DONTWAIT | ZMQ_SNDMORE) >= 0 &&
           zmq_send(socket, exchange->body, exchange->body_size, ZMQ_DONTWAIT | more) >= 0 &&
           (!spec->raw || zmq_send(socket, spec->raw, spec->raw_size, ZMQ_DONTWAIT) >= 0);
}

/* The frames of one message, copied into the arena; more than fit are read and dropped. */
static size_t
receive_frames(void *socket, vln_arena_t *arena, const uint8_t **frames, size_t *sizes, size_t most)
{
    size_t count = 0;
    int more = 1;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return 0;
        }
        if (count < most) {
            sizes[count] = zmq_msg_size(&frame);
            frames[count] = vln_arena_memdup(arena, zmq_msg_data(&frame), sizes[count]);
        }
        count++;
        more = zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
    return count;
}

static vln_err_t
read_error(const Valion__V1__Header *header, vln_reply_t *reply)
{
    reply->why = header->message ? header->message : "";
    if (header->n_details) {
        reply->reason = (int)header->details[0]->reason;
        reply->retry_after_ms = header->details[0]->retry_after_ms;
    }
    vln_err_t status = vln_err_from_wire(header->has_status ? (int)header->status : 0);
    return status;
}

/* True if this message answers the call; the reply is filled in then. */
static bool
read_reply(exchange_t *exchange, const uint8_t **frames, const size_t *sizes, size_t count)
{
    vln_reply_t *reply = exchange->reply;
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (count < 2 || vln_pb_unpack(&valion__v1__header__descriptor, frames[0], sizes[0],
                                   reply->arena, &message, &scan) != VLN_OK) {
        return false;
    }
    const Valion__V1__Header *header = (const Valion__V1__Header *)message;
    if (header->request_id.len != VLN_ID_BYTES ||
        memcmp(header->request_id.data, exchange->id->bytes, VLN_ID_BYTES) != 0) {
        return false;
    }
    exchange->status = read_error(header, reply);
    if (exchange->status != VLN_OK) {
        return true;
    }
    if (vln_pb_unpack(exchange->spec->reply_type, frames[1], sizes[1], reply->arena,
                      &reply->message, &scan) != VLN_OK) {
        exchange->status = VLN_INTERNAL;
        reply->why = vln_arena_printf(reply->arena, "the reply cannot be read: %s", scan.why);
    }
    if (count > 2) {
        reply->raw = frames[2];
        reply->raw_size = sizes[2];
    }
    return true;
}

static attempt_t
await_reply(vln_client_t *self, exchange_t *exchange, int64_t until_ms)
{
    link_t *link = &self->links[self->current];
    while (!must_stop(self)) {
        zmq_pollitem_t items[] = {{.socket = link->socket, .events = ZMQ_POLLIN},
                                  {.socket = link->monitor, .events = ZMQ_POLLIN}};
        int64_t left = until_ms - vln_mono_ms();
        int64_t slice = left < POLL_SLICE_MS ? left : POLL_SLICE_MS;
        zmq_poll(items, 2, slice > 0 ? (long)slice : 0);
        if (items[0].revents & ZMQ_POLLIN) {
            const uint8_t *frames[3] = {0};
            size_t sizes[3] = {0};
            size_t count = receive_frames(link->socket, exchange->reply->arena, frames, sizes, 3);
            if (read_reply(exchange, frames, sizes, count)) {
                return ATTEMPT_REPLIED;
            }
            continue;
        }
        if (items[1].revents & ZMQ_POLLIN) {
            return ATTEMPT_LOST;
        }
        if (left <= 0) {
            return ATTEMPT_SILENT;
        }
    }
    return ATTEMPT_STOPPED;
}

static attempt_t
try_once(vln_client_t *self, exchange_t *exchange)
{
    int64_t now = vln_mono_ms();
    int64_t attempt_ms =
        exchange->spec->attempt_ms ? exchange->spec->attempt_ms : DEFAULT_ATTEMPT_MS;
    int64_t until =
        now + attempt_ms < exchange->deadline_ms ? now + attempt_ms : exchange->deadline_ms;
    if (!find_connected(self, until)) {
        return must_stop(self) ? ATTEMPT_STOPPED : ATTEMPT_NO_CONNECTION;
    }
    drain(self->links[self->current].monitor);
    if (!send_call(self, exchange)) {
        link_reopen(self, &self->links[self->current]); /* half a message may lie there */
        return ATTEMPT_NO_CONNECTION;
    }
    attempt_t attempt = await_reply(self, exchange, until);
    if (attempt == ATTEMPT_SILENT || attempt == ATTEMPT_LOST || attempt == ATTEMPT_STOPPED) {
        link_reopen(self, &self->links[self->current]);
    }
    return attempt;
}

/* ---- the call ---- */

static vln_err_t
explain(const exchange_t *exchange, attempt_t attempt, const char *bus)
{
    vln_reply_t *reply = exchange->reply;
    switch (attempt) {
    case ATTEMPT_REPLIED:
        return exchange->status;
    case ATTEMPT_STOPPED:
        reply->why = "stopped while waiting for the reply; the call may still be done";
        return VLN_CANCELLED;
    case ATTEMPT_NO_CONNECTION:
        reply->why = vln_arena_printf(reply->arena,
                                      "no connection to the bus at %s: is it running there, and is "
                                      "this certificate one that it knows?",
                                      bus);
        return VLN_UNAVAILABLE;
    case ATTEMPT_LOST:
    case ATTEMPT_SILENT:
        break;
    }
    reply->why = "no reply in time; repeat with the same request id to learn what became of it";
    return VLN_DEADLINE_EXCEEDED;
}

/* Sleeps before the next attempt; false if there is no time for one. */
static bool
back_off(vln_client_t *self, const exchange_t *exchange)
{
    int attempts = exchange->reply->attempts;
    int64_t most = FIRST_BACKOFF_MS << (attempts < 6 ? attempts : 6);
    most = most < MAX_BACKOFF_MS ? most : MAX_BACKOFF_MS;
    int64_t pause = most / 2 + vln_random_below((uint32_t)(most / 2));
    if (exchange->reply->retry_after_ms > pause) {
        pause = exchange->reply->retry_after_ms;
    }
    int64_t until = vln_mono_ms() + pause;
    if (until >= exchange->deadline_ms) {
        return false;
    }
    while (!must_stop(self) && vln_mono_ms() < until) {
        int64_t left = until - vln_mono_ms();
        vln_sleep_ms(left < POLL_SLICE_MS ? left : POLL_SLICE_MS);
    }
    return !must_stop(self);
}

static bool
is_last(const exchange_t *exchange)
{
    int most = exchange->spec->max_attempts;
    return (most && exchange->reply->attempts >= most) || vln_mono_ms() >= exchange->deadline_ms;
}

vln_err_t
vln_client_call(vln_client_t *self, const vln_call_spec_t *spec, vln_reply_t *reply)
{
    *reply = (vln_reply_t){.arena = vln_arena_new(REPLY_BUDGET), .why = ""};
    vln_id_t fresh = vln_id_new();
    exchange_t exchange = {.spec = spec, .reply = reply};
    exchange.id = spec->request_id ? spec->request_id : &fresh;
    exchange.deadline_ms =
        vln_mono_ms() + (spec->timeout_ms ? spec->timeout_ms : DEFAULT_TIMEOUT_MS);
    exchange.body = vln_pb_pack(spec->request, reply->arena, &exchange.body_size);

    while (true) {
        vln_err_t err = resolve(self);
        attempt_t attempt = ATTEMPT_NO_CONNECTION;
        reply->attempts++;
        if (err == VLN_OK) {
            attempt = try_once(self, &exchange);
        }
        bool done = attempt == ATTEMPT_STOPPED ||
                    (attempt == ATTEMPT_REPLIED && !vln_err_is_transient(exchange.status));
        if (done || is_last(&exchange) || !back_off(self, &exchange)) {
            return explain(&exchange, must_stop(self) && !done ? ATTEMPT_STOPPED : attempt,
                           self->config.bus);
        }
        self->current = (self->current + 1) % (self->addresses.count ? self->addresses.count : 1);
    }
}

void
vln_reply_wipe(vln_reply_t *reply)
{
    vln_arena_destroy(&reply->arena);
    *reply = (vln_reply_t){0};
}
