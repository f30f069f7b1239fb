#include "vln_calls.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_address.h"
#include "vln_calls_link.h"
#include "vln_pb.h"
#include "vln_socket.h"
#include "vln_time.h"

#include "valion/v1/header.pb-c.h"

enum {
    DEFAULT_TIMEOUT_MS = 10000,
    DEFAULT_ATTEMPT_MS = 2500,
    REMAINING_MAX_MS = 60000,
    FIRST_BACKOFF_MS = 50,
    MAX_BACKOFF_MS = 2000,
    RESOLVE_EVERY_MS = 5000,
    REPLY_BUDGET = 4 * VLN_PB_MAX_MEMORY,
    ITEMS_MAX = 8,
    RECEIVE_MAX = 256, /* of one link in one poll, so that the others have their turn */
    FRAMES_MAX = 3,
};

typedef enum stage {
    STAGE_WAITING, /* for its pause to end, then for a connection */
    STAGE_SENT,
} stage_t;

typedef struct call {
    vln_call_spec_t spec;
    vln_calls_fn ended;
    void *context;
    vln_id_t id;
    vln_reply_t reply;
    uint8_t *body;
    size_t body_size;
    stage_t stage;
    size_t link; /* where it was sent */
    uint64_t link_serial;
    int64_t sent_ms;
    int64_t start_ms; /* of the next attempt */
    int64_t until_ms; /* end of this attempt */
    int64_t deadline_ms;
    bool ever_sent;
    bool answered; /* the last attempt brought this status */
    vln_err_t status;
} call_t;

struct vln_calls {
    vln_client_config_t config;
    vln_addresses_t addresses;
    vln_calls_link_t links[VLN_ADDRESSES_MAX];
    size_t current;
    int64_t resolved_ms;
    vln_arena_t *scratch; /* one message while it is read */
    size_t count;
    call_t *calls[VLN_CALLS_MAX];
};

void
vln_reply_wipe(vln_reply_t *reply)
{
    vln_arena_destroy(&reply->arena);
    *reply = (vln_reply_t){0};
}

/* ---- connections ---- */

static void
open_link(vln_calls_t *self, size_t index, const char *endpoint)
{
    vln_calls_link_open(&self->links[index], endpoint, &self->config.keys, self->config.bus_key);
}

/* Connects to addresses that are new, leaves those that are gone, keeps the others. */
static void
apply_addresses(vln_calls_t *self, const vln_addresses_t *now)
{
    vln_calls_link_t before[VLN_ADDRESSES_MAX];
    size_t before_count = self->addresses.count;
    memcpy(before, self->links, sizeof before);
    memset(self->links, 0, sizeof self->links);
    for (size_t i = 0; i < now->count; i++) {
        for (size_t old = 0; old < before_count; old++) {
            if (before[old].socket && strcmp(before[old].endpoint, now->endpoint[i]) == 0) {
                self->links[i] = before[old];
                before[old].socket = before[old].monitor = NULL;
            }
        }
        if (!self->links[i].socket) {
            open_link(self, i, now->endpoint[i]);
        }
    }
    for (size_t old = 0; old < before_count; old++) {
        vln_calls_link_close(&before[old]);
    }
    self->addresses = *now;
    self->current = now->count ? vln_random_below((uint32_t)now->count) : 0;
}

static vln_err_t
resolve(vln_calls_t *self)
{
    if (self->resolved_ms && vln_mono_ms() - self->resolved_ms < RESOLVE_EVERY_MS) {
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
    return err;
}

vln_err_t
vln_calls_open(vln_calls_t **out, const vln_client_config_t *config)
{
    *out = NULL;
    vln_calls_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    self->config.bus = vln_strdup(config->bus);
    self->config.bus_key = vln_strdup(config->bus_key);
    self->scratch = vln_arena_new(REPLY_BUDGET);
    if (resolve(self) == VLN_INVALID_ARGUMENT) {
        vln_calls_close(&self);
        return VLN_INVALID_ARGUMENT;
    }
    *out = self;
    return VLN_OK;
}

static void
destroy_call(call_t *call)
{
    vln_reply_wipe(&call->reply);
    free(call);
}

void
vln_calls_close(vln_calls_t **self_p)
{
    vln_calls_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->count; i++) {
        destroy_call(self->calls[i]);
    }
    for (size_t i = 0; i < self->addresses.count; i++) {
        vln_calls_link_close(&self->links[i]);
    }
    vln_arena_destroy(&self->scratch);
    free((void *)(uintptr_t)self->config.bus);
    free((void *)(uintptr_t)self->config.bus_key);
    vln_keypair_wipe(&self->config.keys);
    free(self);
    *self_p = NULL;
}

/* ---- beginning and end of a call ---- */

static int64_t
earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* The next attempt begins at start_ms; its time runs from there, connected or not. */
static void
plan_attempt(call_t *call, int64_t start_ms)
{
    int64_t attempt_ms = call->spec.attempt_ms ? call->spec.attempt_ms : DEFAULT_ATTEMPT_MS;
    call->stage = STAGE_WAITING;
    call->start_ms = start_ms;
    call->until_ms = earlier(start_ms + attempt_ms, call->deadline_ms);
    call->reply.attempts++;
}

vln_err_t
vln_calls_start(vln_calls_t *self, const vln_call_spec_t *spec, vln_calls_fn ended, void *context)
{
    if (self->count == VLN_CALLS_MAX) {
        return VLN_RESOURCE_EXHAUSTED;
    }
    int64_t now = vln_mono_ms();
    call_t *call = vln_calloc(1, sizeof *call);
    call->spec = *spec;
    call->ended = ended;
    call->context = context;
    call->reply = (vln_reply_t){.arena = vln_arena_new(REPLY_BUDGET), .why = ""};
    call->id = spec->request_id ? *spec->request_id : vln_id_new();
    call->deadline_ms = now + (spec->timeout_ms ? spec->timeout_ms : DEFAULT_TIMEOUT_MS);
    call->body = vln_pb_pack(spec->request, call->reply.arena, &call->body_size);
    call->spec.request = NULL; /* only borrowed for now */
    plan_attempt(call, now);
    self->calls[self->count++] = call;
    return VLN_OK;
}

size_t
vln_calls_in_flight(const vln_calls_t *self)
{
    return self->count;
}

/* Takes the call out of the table and tells its owner. */
static void
end_call(vln_calls_t *self, size_t index, vln_err_t err)
{
    call_t *call = self->calls[index];
    self->calls[index] = self->calls[--self->count];
    if (call->ended) {
        call->ended(call->context, err, &call->reply);
    }
    destroy_call(call);
}

/* The call is over without a final answer: what its owner is told. */
static vln_err_t
explain(const vln_calls_t *self, call_t *call)
{
    vln_reply_t *reply = &call->reply;
    if (call->answered) {
        return call->status;
    }
    if (call->ever_sent) {
        reply->why = "no reply in time; repeat with the same request id to learn what became of it";
        return VLN_DEADLINE_EXCEEDED;
    }
    bool refused = false;
    for (size_t i = 0; i < self->addresses.count; i++) {
        refused = refused || self->links[i].reopen_ms != 0;
    }
    reply->why = vln_arena_printf(
        reply->arena,
        refused ? "the bus at %s refused this certificate: an administrator makes it known with "
                  "'valion keys', and the key of the bus must be the one that it runs with"
                : "no connection to the bus at %s: is it running there, and is this certificate "
                  "one that it knows?",
        self->config.bus);
    return VLN_UNAVAILABLE;
}

/* Random, so that callers that failed together do not come back together. */
static int64_t
pause_after(const vln_reply_t *reply)
{
    int64_t most = FIRST_BACKOFF_MS << (reply->attempts < 6 ? reply->attempts : 6);
    most = most < MAX_BACKOFF_MS ? most : MAX_BACKOFF_MS;
    int64_t pause = most / 2 + vln_random_below((uint32_t)(most / 2));
    return reply->retry_after_ms > pause ? reply->retry_after_ms : pause;
}

/* After an attempt that brought nothing final. True if the call has ended. */
static bool
try_again(vln_calls_t *self, size_t index)
{
    call_t *call = self->calls[index];
    int64_t now = vln_mono_ms();
    int64_t start = now + pause_after(&call->reply);
    bool last = call->spec.max_attempts && call->reply.attempts >= call->spec.max_attempts;
    if (last || start >= call->deadline_ms) {
        end_call(self, index, explain(self, call));
        return true;
    }
    plan_attempt(call, start);
    return false;
}

/* ---- sending ---- */

static bool
send_on(vln_calls_t *self, call_t *call, size_t link, int64_t now)
{
    const vln_call_spec_t *spec = &call->spec;
    vln_arena_reset(self->scratch);
    int64_t left = call->deadline_ms - now;
    left = left < 1 ? 1 : earlier(left, REMAINING_MAX_MS);
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = header.has_remaining_ms = header.has_attempt = 1;
    header.request_id = (ProtobufCBinaryData){VLN_ID_BYTES, call->id.bytes};
    header.service = (char *)(uintptr_t)spec->service;
    header.method = (char *)(uintptr_t)spec->method;
    header.remaining_ms = (uint32_t)left;
    header.attempt = (uint32_t)call->reply.attempts;
    header.ticket = (Valion__V1__SignedTicket *)(uintptr_t)spec->ticket;

    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&header.base, self->scratch, &size);
    void *socket = self->links[link].socket;
    int more = spec->raw ? ZMQ_SNDMORE : 0;
    if (zmq_send(socket, bytes, size, ZMQ_DONTWAIT | ZMQ_SNDMORE) < 0) {
        return false;
    }
    bool whole = zmq_send(socket, call->body, call->body_size, ZMQ_DONTWAIT | more) >= 0 &&
                 (!spec->raw || zmq_send(socket, spec->raw, spec->raw_size, ZMQ_DONTWAIT) >= 0);
    if (!whole) {
        self->links[link].reopen_ms = now; /* half a message lies there */
    }
    return whole;
}

/* To the broker that serves now, else to the next that is connected. */
static bool
send_call(vln_calls_t *self, call_t *call, int64_t now)
{
    for (size_t i = 0; i < self->addresses.count; i++) {
        size_t link = (self->current + i) % self->addresses.count;
        if (!send_on(self, call, link, now)) {
            continue;
        }
        self->current = link;
        call->stage = STAGE_SENT;
        call->ever_sent = true;
        call->answered = false;
        call->link = link;
        call->link_serial = self->links[link].serial;
        call->sent_ms = now;
        return true;
    }
    return false;
}

/* True while some call waits for a connection. */
static bool
send_waiting(vln_calls_t *self)
{
    int64_t now = vln_mono_ms();
    for (size_t i = 0; i < self->count; i++) {
        call_t *call = self->calls[i];
        if (call->stage == STAGE_WAITING && call->start_ms <= now && !send_call(self, call, now)) {
            return true;
        }
    }
    return false;
}

/* ---- receiving ---- */

typedef struct message {
    uint8_t *frame[FRAMES_MAX];
    size_t size[FRAMES_MAX];
    size_t count;
} message_t;

/* One message into the scratch arena; more frames than fit are read and dropped. */
static bool
receive(vln_calls_t *self, void *socket, message_t *out)
{
    vln_arena_reset(self->scratch);
    *out = (message_t){0};
    bool more = true;
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return false;
        }
        if (out->count < FRAMES_MAX) {
            size_t size = zmq_msg_size(&frame);
            out->frame[out->count] = vln_arena_memdup(self->scratch, zmq_msg_data(&frame), size);
            out->size[out->count++] = size;
        }
        more = zmq_msg_more(&frame) != 0;
        zmq_msg_close(&frame);
    }
    return true;
}

static bool
find_call(const vln_calls_t *self, const Valion__V1__Header *header, size_t *index)
{
    if (header->request_id.len != VLN_ID_BYTES) {
        return false;
    }
    for (size_t i = 0; i < self->count; i++) {
        if (memcmp(self->calls[i]->id.bytes, header->request_id.data, VLN_ID_BYTES) == 0) {
            *index = i;
            return true;
        }
    }
    return false; /* of a call that has ended */
}

static vln_err_t
read_body(call_t *call, const message_t *message)
{
    vln_reply_t *reply = &call->reply;
    vln_pb_scan_t scan;
    if (vln_pb_unpack(call->spec.reply_type, message->frame[1], message->size[1], reply->arena,
                      &reply->message, &scan) != VLN_OK) {
        reply->why = vln_arena_printf(reply->arena, "the reply cannot be read: %s", scan.why);
        return VLN_INTERNAL;
    }
    if (message->count > 2) {
        reply->raw = vln_arena_memdup(reply->arena, message->frame[2], message->size[2]);
        reply->raw_size = message->size[2];
    }
    return VLN_OK;
}

static void
read_status(call_t *call, const Valion__V1__Header *header)
{
    vln_reply_t *reply = &call->reply;
    call->answered = true;
    call->status = vln_err_from_wire(header->has_status ? (int)header->status : 0);
    reply->why = header->message ? vln_arena_strdup(reply->arena, header->message) : "";
    reply->reason = header->n_details ? (int)header->details[0]->reason : 0;
    reply->retry_after_ms = header->n_details ? header->details[0]->retry_after_ms : 0;
}

static void
take_message(vln_calls_t *self, const message_t *message)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *base = NULL;
    size_t index = 0;
    if (message->count < 2 ||
        vln_pb_unpack(&valion__v1__header__descriptor, message->frame[0], message->size[0],
                      self->scratch, &base, &scan) != VLN_OK ||
        !find_call(self, (const Valion__V1__Header *)base, &index)) {
        return;
    }
    call_t *call = self->calls[index];
    read_status(call, (const Valion__V1__Header *)base);
    if (call->status == VLN_OK) {
        end_call(self, index, read_body(call, message));
    } else if (!vln_err_is_transient(call->status)) {
        end_call(self, index, call->status);
    } else {
        self->current = (call->link + 1) % self->addresses.count;
        try_again(self, index);
    }
}

static void
receive_from(vln_calls_t *self, vln_calls_link_t *link)
{
    message_t message;
    for (int i = 0; i < RECEIVE_MAX && receive(self, link->socket, &message); i++) {
        link->heard_ms = vln_mono_ms();
        take_message(self, &message);
    }
}

/* ---- time ---- */

/* Everything that was sent on a socket that is no more. */
static void
retry_lost(vln_calls_t *self)
{
    for (size_t i = 0; i < self->count;) {
        call_t *call = self->calls[i];
        bool lost =
            call->stage == STAGE_SENT && (call->link >= self->addresses.count ||
                                          self->links[call->link].serial != call->link_serial);
        i += lost && try_again(self, i) ? 0 : 1;
    }
}

static void
check_links(vln_calls_t *self)
{
    bool lost = false;
    for (size_t i = 0; i < self->addresses.count; i++) {
        if (vln_calls_link_check(&self->links[i], &self->config.keys, self->config.bus_key)) {
            lost = true;
            if (self->current == i) {
                self->current = (i + 1) % self->addresses.count;
            }
        }
    }
    if (lost) {
        retry_lost(self);
    }
}

/* Attempts whose time is over. A broker from which nothing came since is not asked again on the
 * same socket: its machine may have gone without a word. */
static void
check_time(vln_calls_t *self)
{
    int64_t now = vln_mono_ms();
    bool lost = false;
    for (size_t i = 0; i < self->count;) {
        call_t *call = self->calls[i];
        if (call->until_ms > now) {
            i++;
            continue;
        }
        vln_calls_link_t *link = &self->links[call->link];
        if (call->stage == STAGE_SENT && link->serial == call->link_serial) {
            self->current = (call->link + 1) % self->addresses.count;
            if (link->heard_ms < call->sent_ms) {
                vln_calls_link_close(link);
                open_link(self, call->link, link->endpoint);
                lost = true;
            }
        }
        i += try_again(self, i) ? 0 : 1;
    }
    if (lost) {
        retry_lost(self);
    }
}

/* How long nothing has to be done, but at most `wait_ms`. */
static long
time_left(const vln_calls_t *self, int64_t wait_ms)
{
    int64_t now = vln_mono_ms();
    int64_t next = now + wait_ms;
    for (size_t i = 0; i < self->count; i++) {
        const call_t *call = self->calls[i];
        next = earlier(next, call->until_ms);
        if (call->stage == STAGE_WAITING && call->start_ms > now) {
            next = earlier(next, call->start_ms);
        }
    }
    for (size_t i = 0; i < self->addresses.count && self->count; i++) {
        next = self->links[i].reopen_ms ? earlier(next, self->links[i].reopen_ms) : next;
    }
    return next > now ? (long)(next - now) : 0;
}

void
vln_calls_poll(vln_calls_t *self, int64_t wait_ms, zmq_pollitem_t *items, size_t count)
{
    zmq_pollitem_t all[2 * VLN_ADDRESSES_MAX + ITEMS_MAX];
    vln_assert(count <= ITEMS_MAX);
    if (self->count && resolve(self) != VLN_OK && self->addresses.count == 0) {
        wait_ms = earlier(wait_ms, FIRST_BACKOFF_MS);
    }
    bool wants_connection = send_waiting(self);
    size_t links = self->addresses.count;
    for (size_t i = 0; i < links; i++) {
        short events = (short)(ZMQ_POLLIN | (wants_connection ? ZMQ_POLLOUT : 0));
        all[2 * i] = (zmq_pollitem_t){.socket = self->links[i].socket, .events = events};
        all[2 * i + 1] = (zmq_pollitem_t){.socket = self->links[i].monitor, .events = ZMQ_POLLIN};
    }
    for (size_t i = 0; i < count; i++) {
        all[2 * links + i] = items[i];
    }
    if (zmq_poll(all, (int)(2 * links + count), time_left(self, wait_ms)) < 0) {
        return; /* a signal; the caller looks at what it means */
    }
    for (size_t i = 0; i < count; i++) {
        items[i].revents = all[2 * links + i].revents;
    }
    for (size_t i = 0; i < links; i++) {
        if (all[2 * i].revents & ZMQ_POLLIN) {
            receive_from(self, &self->links[i]);
        }
    }
    check_links(self);
    check_time(self);
    send_waiting(self);
}

void
vln_calls_cancel(vln_calls_t *self)
{
    while (self->count) {
        self->calls[0]->reply.why = "stopped while waiting for the reply; the call may still be "
                                    "done";
        end_call(self, 0, VLN_CANCELLED);
    }
}
