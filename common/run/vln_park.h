/*
 * vln_park - the calls that wait, by topic, in the frame loop. Used by one thread.
 *
 * Bounded: beyond VLN_PARKED_MAX a call is refused, not kept. A hint that comes between a
 * handler's look at the record and its call's arrival here is not lost: each topic counts its
 * hints, and a call that has seen fewer does not wait.
 */
#ifndef VLN_PARK_H
#define VLN_PARK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_call.h"

enum { VLN_PARKED_MAX = 4096 };

typedef struct vln_park vln_park_t;

vln_park_t *vln_park_new(size_t topics);
void vln_park_destroy(vln_park_t **self_p); /* it must be empty */

/* Hints so far on all topics together: what a call has seen when it is queued. */
uint64_t vln_park_seen(const vln_park_t *self);

typedef enum vln_park_verdict {
    VLN_PARK_KEPT,
    VLN_PARK_RUN_AGAIN, /* a hint came meanwhile */
    VLN_PARK_FULL,
} vln_park_verdict_t;

vln_park_verdict_t vln_park_add(vln_park_t *self, vln_call_t *call);

/* A hint: the calls that wait for the topic, linked, oldest first; NULL if none. */
vln_item_t *vln_park_wake(vln_park_t *self, size_t topic);

/* The calls whose time has come, with last_run set. */
vln_item_t *vln_park_expire(vln_park_t *self, int64_t now_ms);

/* All of them, with last_run set: the service ends. */
vln_item_t *vln_park_take_all(vln_park_t *self);

size_t vln_park_count(const vln_park_t *self);

#endif
