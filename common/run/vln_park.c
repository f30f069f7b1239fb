#include "vln_park.h"

#include <stdlib.h>

struct vln_park {
    size_t topics;
    size_t count;
    uint64_t hints;       /* all topics */
    uint64_t *last_hint;  /* of each topic: value of `hints` when its last one came */
    vln_item_t **waiting; /* of each topic, oldest first */
};

vln_park_t *
vln_park_new(size_t topics)
{
    vln_park_t *self = vln_calloc(1, sizeof *self);
    self->topics = topics;
    self->last_hint = vln_calloc(topics, sizeof *self->last_hint);
    self->waiting = vln_calloc(topics, sizeof *self->waiting);
    return self;
}

void
vln_park_destroy(vln_park_t **self_p)
{
    vln_park_t *self = *self_p;
    if (self) {
        vln_assert(self->count == 0);
        free(self->last_hint);
        free(self->waiting);
        free(self);
        *self_p = NULL;
    }
}

uint64_t
vln_park_seen(const vln_park_t *self)
{
    return self->hints;
}

size_t
vln_park_count(const vln_park_t *self)
{
    return self->count;
}

static vln_item_t **
end_of(vln_item_t **list)
{
    while (*list) {
        list = &(*list)->next;
    }
    return list;
}

vln_park_verdict_t
vln_park_add(vln_park_t *self, vln_call_t *call)
{
    vln_assert(call->park_topic < self->topics);
    if (self->last_hint[call->park_topic] > call->seen_hints) {
        return VLN_PARK_RUN_AGAIN;
    }
    if (self->count == VLN_PARKED_MAX) {
        return VLN_PARK_FULL;
    }
    /* Newest first would starve; the lists are short-lived, and appending walks at most MAX. */
    call->item.next = NULL;
    *end_of(&self->waiting[call->park_topic]) = &call->item;
    self->count++;
    return VLN_PARK_KEPT;
}

static size_t
length_of(const vln_item_t *list)
{
    size_t count = 0;
    for (; list; list = list->next) {
        count++;
    }
    return count;
}

vln_item_t *
vln_park_wake(vln_park_t *self, size_t topic)
{
    vln_assert(topic < self->topics);
    self->last_hint[topic] = ++self->hints;
    vln_item_t *woken = self->waiting[topic];
    self->waiting[topic] = NULL;
    self->count -= length_of(woken);
    return woken;
}

/* Moves the calls that `due` chooses to the end of `*out`; returns the new end. */
static vln_item_t **
take_due(vln_park_t *self, size_t topic, int64_t now_ms, vln_item_t **out)
{
    vln_item_t **at = &self->waiting[topic];
    while (*at) {
        vln_call_t *call = (vln_call_t *)*at;
        if (call->park_until_ms > now_ms) {
            at = &(*at)->next;
            continue;
        }
        *at = call->item.next;
        call->item.next = NULL;
        call->last_run = true;
        *out = &call->item;
        out = &call->item.next;
        self->count--;
    }
    return out;
}

vln_item_t *
vln_park_expire(vln_park_t *self, int64_t now_ms)
{
    vln_item_t *due = NULL;
    vln_item_t **end = &due;
    for (size_t topic = 0; topic < self->topics; topic++) {
        end = take_due(self, topic, now_ms, end);
    }
    return due;
}

vln_item_t *
vln_park_take_all(vln_park_t *self)
{
    return vln_park_expire(self, INT64_MAX);
}
