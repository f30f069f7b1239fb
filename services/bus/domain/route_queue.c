/*
 * The queues of route: lists of calls, the wheel of deadlines, lanes and services.
 */
#include <stdlib.h>
#include <string.h>

#include "route_inside.h"

/* ---- lists ---- */

void
route_list_push(route_t *self, list_t *list, int call)
{
    call_t *added = &self->calls[call];
    added->next = ROUTE_NONE;
    added->prev = list->last;
    if (list->last == ROUTE_NONE) {
        list->first = call;
    } else {
        self->calls[list->last].next = call;
    }
    list->last = call;
}

void
route_list_remove(route_t *self, list_t *list, int call)
{
    const call_t *removed = &self->calls[call];
    if (removed->prev == ROUTE_NONE) {
        list->first = removed->next;
    } else {
        self->calls[removed->prev].next = removed->next;
    }
    if (removed->next == ROUTE_NONE) {
        list->last = removed->prev;
    } else {
        self->calls[removed->next].prev = removed->prev;
    }
}

/* ---- the wheel ---- */

void
route_wheel_add(route_t *self, int call, int64_t deadline_ms)
{
    int64_t at = (deadline_ms + WHEEL_SLOT_MS - 1) / WHEEL_SLOT_MS;
    if (at <= self->wheel_at) {
        at = self->wheel_at + 1;
    }
    if (at >= self->wheel_at + WHEEL_SLOTS) {
        at = self->wheel_at + WHEEL_SLOTS - 1; /* too far ahead: the wheel was not turned */
    }
    int slot = (int)(at % WHEEL_SLOTS);
    call_t *added = &self->calls[call];
    added->wheel_slot = slot;
    added->wheel_prev = ROUTE_NONE;
    added->wheel_next = self->wheel[slot];
    if (added->wheel_next != ROUTE_NONE) {
        self->calls[added->wheel_next].wheel_prev = call;
    }
    self->wheel[slot] = call;
}

void
route_wheel_remove(route_t *self, int call)
{
    call_t *removed = &self->calls[call];
    if (removed->wheel_slot == ROUTE_NONE) {
        return;
    }
    if (removed->wheel_prev == ROUTE_NONE) {
        self->wheel[removed->wheel_slot] = removed->wheel_next;
    } else {
        self->calls[removed->wheel_prev].wheel_next = removed->wheel_next;
    }
    if (removed->wheel_next != ROUTE_NONE) {
        self->calls[removed->wheel_next].wheel_prev = removed->wheel_prev;
    }
    removed->wheel_slot = ROUTE_NONE;
}

/* ---- services ---- */

static int *
service_bucket(route_t *self, const char *name)
{
    uint32_t hash = 2166136261U; /* FNV-1a */
    for (const char *at = name; *at; at++) {
        hash = (hash ^ (uint8_t)*at) * 16777619U;
    }
    return &self->service_buckets[hash % BUCKETS];
}

int
route_service_get(route_t *self, const char *name, int64_t now_ms)
{
    int *bucket = service_bucket(self, name);
    for (int at = *bucket; at != ROUTE_NONE; at = self->services[at]->bucket_next) {
        if (strcmp(self->services[at]->name, name) == 0) {
            return at;
        }
    }
    if (self->figures.services == ROUTE_SERVICES_MAX) {
        return ROUTE_NONE;
    }
    int free_slot = 0;
    while (self->services[free_slot]) {
        free_slot++;
    }
    service_t *made = vln_calloc(1, sizeof *made);
    size_t len = strlen(name);
    vln_assert(len > 0 && len <= ROUTE_NAME_MAX);
    memcpy(made->name, name, len + 1);
    made->turn = ROUTE_NONE;
    made->nobody_since_ms = now_ms;
    made->bucket_next = *bucket;
    *bucket = free_slot;
    self->services[free_slot] = made;
    self->figures.services++;
    return free_slot;
}

void
route_service_release(route_t *self, int service)
{
    service_t *released = self->services[service];
    if (released->holders > 0 || released->waiting > 0) {
        return;
    }
    int *link = service_bucket(self, released->name);
    while (*link != service) {
        link = &self->services[*link]->bucket_next;
    }
    *link = released->bucket_next;
    free(released);
    self->services[service] = NULL;
    self->figures.services--;
}

/* ---- lanes ---- */

static int *
lane_bucket(route_t *self, int service, int principal)
{
    uint32_t hash = ((uint32_t)service * ROUTE_PRINCIPALS_MAX + (uint32_t)principal) * 2654435761U;
    return &self->lane_buckets[(hash >> 16) % BUCKETS];
}

static int
find_lane(const route_t *self, int first, int service, int principal)
{
    for (int at = first; at != ROUTE_NONE; at = self->lanes[at].bucket_next) {
        if (self->lanes[at].service == service && self->lanes[at].principal == principal) {
            return at;
        }
    }
    return ROUTE_NONE;
}

static void
grow_lanes(route_t *self)
{
    int room = self->lane_room ? self->lane_room * 2 : 64;
    self->lanes = vln_realloc(self->lanes, (size_t)room * sizeof *self->lanes);
    for (int i = room - 1; i >= self->lane_room; i--) {
        self->lanes[i] = (lane_t){.service = ROUTE_NONE, .next = self->free_lane};
        self->free_lane = i;
    }
    self->lane_room = room;
}

/* A new lane is served last: it stands before the lane whose turn it is. */
static int
make_lane(route_t *self, int service, int principal)
{
    if (self->free_lane == ROUTE_NONE) {
        grow_lanes(self);
    }
    int made = self->free_lane;
    lane_t *lane = &self->lanes[made];
    self->free_lane = lane->next;
    int *bucket = lane_bucket(self, service, principal);
    *lane = (lane_t){.service = service,
                     .principal = principal,
                     .calls = {ROUTE_NONE, ROUTE_NONE},
                     .next = made,
                     .prev = made,
                     .bucket_next = *bucket};
    *bucket = made;
    int turn = self->services[service]->turn;
    if (turn == ROUTE_NONE) {
        self->services[service]->turn = made;
        return made;
    }
    lane->next = turn;
    lane->prev = self->lanes[turn].prev;
    self->lanes[lane->prev].next = made;
    self->lanes[turn].prev = made;
    return made;
}

static void
end_lane(route_t *self, int ended)
{
    lane_t *lane = &self->lanes[ended];
    service_t *service = self->services[lane->service];
    if (service->turn == ended) {
        service->turn = lane->next == ended ? ROUTE_NONE : lane->next;
    }
    self->lanes[lane->prev].next = lane->next;
    self->lanes[lane->next].prev = lane->prev;
    int *link = lane_bucket(self, lane->service, lane->principal);
    while (*link != ended) {
        link = &self->lanes[*link].bucket_next;
    }
    *link = lane->bucket_next;
    lane->service = ROUTE_NONE;
    lane->next = self->free_lane;
    self->free_lane = ended;
}

int
route_lane_waiting(const route_t *self, int service, int principal)
{
    uint32_t hash = ((uint32_t)service * ROUTE_PRINCIPALS_MAX + (uint32_t)principal) * 2654435761U;
    int lane = find_lane(self, self->lane_buckets[(hash >> 16) % BUCKETS], service, principal);
    return lane == ROUTE_NONE ? 0 : self->lanes[lane].count;
}

void
route_lane_push(route_t *self, int service, int call)
{
    call_t *pushed = &self->calls[call];
    int principal = pushed->principal;
    int lane = find_lane(self, *lane_bucket(self, service, principal), service, principal);
    if (lane == ROUTE_NONE) {
        lane = make_lane(self, service, principal);
    }
    pushed->lane = lane;
    pushed->state = CALL_WAITING;
    route_list_push(self, &self->lanes[lane].calls, call);
    self->lanes[lane].count++;
    self->services[service]->waiting++;
    self->services[service]->waiting_bytes += (int64_t)pushed->bytes;
    self->figures.waiting++;
    self->figures.waiting_bytes += (int64_t)pushed->bytes;
}

void
route_lane_remove(route_t *self, int call)
{
    const call_t *removed = &self->calls[call];
    lane_t *lane = &self->lanes[removed->lane];
    service_t *service = self->services[lane->service];
    route_list_remove(self, &lane->calls, call);
    service->waiting--;
    service->waiting_bytes -= (int64_t)removed->bytes;
    self->figures.waiting--;
    self->figures.waiting_bytes -= (int64_t)removed->bytes;
    if (--lane->count == 0) {
        end_lane(self, removed->lane);
    }
}

int
route_lane_pop(route_t *self, int service)
{
    int lane = self->services[service]->turn;
    if (lane == ROUTE_NONE) {
        return ROUTE_NONE;
    }
    self->services[service]->turn = self->lanes[lane].next;
    int call = self->lanes[lane].calls.first;
    route_lane_remove(self, call);
    return call;
}
