#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_queue.h"
#include "vln_service_inside.h"

/* ---- calls: from the pool and back ---- */

vln_call_t *
vln_service_call_new(vln_service_t *self)
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

void
vln_service_call_free(vln_call_t *call)
{
    vln_frames_close(call->frames);
    free(call->frames);
    vln_arena_destroy(&call->kept);
    vln_arena_destroy(&call->arena);
    free(call);
}

void
vln_service_call_end(vln_service_t *self, vln_call_t *call)
{
    self->outstanding--;
    if (self->pooled == POOL_MAX) {
        vln_service_call_free(call);
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

void
vln_service_send_answer(vln_service_t *self, vln_call_t *call)
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
    vln_service_call_end(self, call);
}

void
vln_service_refuse_now(vln_service_t *self, vln_call_t *call, vln_err_t err, int reason,
                       const char *why)
{
    vln_dispatch_refuse_now(call, err, reason, why);
    vln_service_send_answer(self, call);
}

void
vln_service_queue_call(vln_service_t *self, vln_call_t *call)
{
    int lane = vln_dispatch_lane(self->dispatch, call->header->method);
    vln_assert(lane >= 0);
    call->seen_hints = vln_park_seen(self->park);
    vln_queue_put(self->queue, (size_t)lane, &call->item);
}

/* Calls that waited. One whose broker is gone is dropped: its caller has asked again elsewhere, and
 * what is done for this one, such as a lease, would be done for nobody. */
void
vln_service_queue_list(vln_service_t *self, vln_item_t *list)
{
    for (size_t i = 0; i < self->addresses.count && list; i++) {
        vln_link_check(&self->links[i]);
    }
    while (list) {
        vln_item_t *next = list->next;
        vln_call_t *call = (vln_call_t *)list;
        if (self->links[call->link].serial == call->link_serial) {
            vln_service_queue_call(self, call);
        } else {
            vln_metrics_add(self->metrics, self->dropped_counter, 1);
            vln_service_call_end(self, call);
        }
        list = next;
    }
}

/* ---- hints ---- */

void
vln_service_wake_topics(vln_service_t *self, uint32_t topics, bool tell_others)
{
    for (size_t topic = 0; topic < self->config.topic_count; topic++) {
        if (!(topics & 1u << topic)) {
            continue;
        }
        vln_service_queue_list(self, vln_park_wake(self->park, topic));
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

int
vln_service_on_hint(zloop_t *loop, zmq_pollitem_t *item, void *arg)
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
    vln_service_wake_topics(self, topics, false);
    return 0;
}

/* ---- answers from the workers ---- */

static void
park_call(vln_service_t *self, vln_call_t *call)
{
    if (self->draining) {
        call->last_run = true;
        vln_service_queue_call(self, call);
        return;
    }
    vln_park_verdict_t verdict = vln_park_add(self->park, call);
    if (verdict == VLN_PARK_RUN_AGAIN) {
        vln_service_queue_call(self, call);
        return;
    }
    if (verdict == VLN_PARK_FULL) {
        vln_service_refuse_now(self, call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_BUSY,
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

int
vln_service_on_answers(zloop_t *loop, zmq_pollitem_t *item, void *arg)
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
                vln_service_send_answer(self, call);
            }
        }
        list = next;
    }
    vln_service_wake_topics(self, hints, true);
    return 0;
}
