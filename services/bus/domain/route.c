#include "route.h"

#include <stdlib.h>
#include <string.h>

#include "route_inside.h"

static void
fill_with_none(int *slots, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        slots[i] = ROUTE_NONE;
    }
}

route_t *
route_new(const route_limits_t *limits, int64_t now_ms)
{
    route_t *self = vln_calloc(1, sizeof *self);
    self->limits = *limits;
    self->wheel_at = now_ms / WHEEL_SLOT_MS;
    self->free_call = ROUTE_NONE;
    self->free_lane = ROUTE_NONE;
    self->ended = (list_t){ROUTE_NONE, ROUTE_NONE};
    fill_with_none(self->wheel, WHEEL_SLOTS);
    fill_with_none(self->service_buckets, BUCKETS);
    fill_with_none(self->lane_buckets, BUCKETS);
    return self;
}

void
route_destroy(route_t **self_p)
{
    route_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < ROUTE_SERVICES_MAX; i++) {
            free(self->services[i]);
        }
        free(self->calls);
        free(self->lanes);
        free(self);
        *self_p = NULL;
    }
}

/* ---- instances ---- */

static instance_t *
instance_at(route_t *self, int instance)
{
    vln_assert(instance >= 0 && instance < ROUTE_INSTANCES_MAX);
    vln_assert(self->instances[instance].used);
    return &self->instances[instance];
}

static int
bounded_credit(int64_t credit)
{
    return credit > ROUTE_CREDIT_MAX ? ROUTE_CREDIT_MAX : (int)credit;
}

static bool
names_service(const instance_t *instance, int service)
{
    for (int i = 0; i < instance->service_count; i++) {
        if (instance->services[i] == service) {
            return true;
        }
    }
    return false;
}

/* The services' numbers, each once; all or none of them are held. */
static bool
hold_services(route_t *self, instance_t *instance, const char *const *names, int count,
              int64_t now_ms)
{
    for (int i = 0; i < count; i++) {
        int service = route_service_get(self, names[i], now_ms);
        if (service == ROUTE_NONE) {
            while (instance->service_count > 0) {
                int held = instance->services[--instance->service_count];
                self->services[held]->holders--;
                route_service_release(self, held);
            }
            return false;
        }
        if (!names_service(instance, service)) {
            self->services[service]->holders++;
            instance->services[instance->service_count++] = service;
        }
    }
    return true;
}

static int
free_instance(const route_t *self)
{
    for (int i = 0; i < ROUTE_INSTANCES_MAX; i++) {
        if (!self->instances[i].used) {
            return i;
        }
    }
    return ROUTE_NONE;
}

int
route_instance_add(route_t *self, const char *const *services, int count, int credit,
                   int64_t now_ms)
{
    int added = free_instance(self);
    if (added == ROUTE_NONE) {
        return ROUTE_NONE;
    }
    vln_assert(count > 0 && count <= ROUTE_SERVICES_OF_INSTANCE && credit >= 0);
    instance_t *instance = &self->instances[added];
    *instance = (instance_t){.credit = bounded_credit(credit), .calls = {ROUTE_NONE, ROUTE_NONE}};
    if (!hold_services(self, instance, services, count, now_ms)) {
        return ROUTE_NONE;
    }
    for (int i = 0; i < instance->service_count; i++) {
        service_t *service = self->services[instance->services[i]];
        service->instances[service->instance_count++] = added;
    }
    instance->used = true;
    self->figures.instances++;
    return added;
}

/* It takes no calls of the service any more. */
static void
leave_service(service_t *service, int instance, int64_t now_ms)
{
    for (int i = 0; i < service->instance_count; i++) {
        if (service->instances[i] == instance) {
            service->instances[i] = service->instances[--service->instance_count];
            if (service->instance_count == 0) {
                service->nobody_since_ms = now_ms;
            }
            return;
        }
    }
}

void
route_instance_drain(route_t *self, int instance, int64_t now_ms)
{
    instance_t *drained = instance_at(self, instance);
    if (!drained->draining) {
        drained->draining = true;
        for (int i = 0; i < drained->service_count; i++) {
            leave_service(self->services[drained->services[i]], instance, now_ms);
        }
    }
}

void
route_instance_remove(route_t *self, int instance, int64_t now_ms)
{
    route_instance_drain(self, instance, now_ms);
    instance_t *removed = instance_at(self, instance);
    while (removed->calls.first != ROUTE_NONE) {
        route_end_call(self, removed->calls.first, ROUTE_LOST);
    }
    for (int i = 0; i < removed->service_count; i++) {
        self->services[removed->services[i]]->holders--;
        route_service_release(self, removed->services[i]);
    }
    removed->used = false;
    self->figures.instances--;
}

void
route_instance_add_credit(route_t *self, int instance, int credit)
{
    instance_t *given = instance_at(self, instance);
    given->credit = bounded_credit((int64_t)given->credit + credit);
}

bool
route_instance_look(const route_t *self, int instance, route_instance_view_t *out)
{
    if (instance < 0 || instance >= ROUTE_INSTANCES_MAX || !self->instances[instance].used) {
        return false;
    }
    const instance_t *seen = &self->instances[instance];
    *out = (route_instance_view_t){.credit = seen->credit - seen->outstanding,
                                   .in_flight = seen->outstanding,
                                   .parked = seen->parked,
                                   .served = seen->served,
                                   .draining = seen->draining,
                                   .service_count = seen->service_count};
    for (int i = 0; i < seen->service_count; i++) {
        out->services[i] = self->services[seen->services[i]]->name;
    }
    return true;
}

/* ---- calls ---- */

/* In steps, so that a broker with little to do stays small. */
static void
grow_calls(route_t *self)
{
    int room = self->call_room ? self->call_room * 2 : 1024;
    if (room > self->limits.calls) {
        room = self->limits.calls;
    }
    self->calls = vln_realloc(self->calls, (size_t)room * sizeof *self->calls);
    for (int i = room - 1; i >= self->call_room; i--) {
        self->calls[i] = (call_t){.next = self->free_call};
        self->free_call = i;
    }
    self->call_room = room;
}

static int
make_call(route_t *self, const route_offer_t *offer, int64_t now_ms)
{
    if (self->free_call == ROUTE_NONE) {
        grow_calls(self);
    }
    int made = self->free_call;
    call_t *call = &self->calls[made];
    self->free_call = call->next;
    *call = (call_t){.generation = call->generation + 1,
                     .parks_apart = offer->parks_apart,
                     .principal = offer->principal,
                     .lane = ROUTE_NONE,
                     .instance = ROUTE_NONE,
                     .wheel_slot = ROUTE_NONE,
                     .bytes = offer->bytes,
                     .since_ms = now_ms};
    route_wheel_add(self, made, offer->deadline_ms);
    self->figures.calls++;
    self->principals[offer->principal].active++;
    return made;
}

/* Whose last use is longest ago, of those with credit. */
static int
least_recently_used(const route_t *self, const service_t *service)
{
    int best = ROUTE_NONE;
    for (int i = 0; i < service->instance_count; i++) {
        int each = service->instances[i];
        const instance_t *instance = &self->instances[each];
        if (instance->outstanding < instance->credit &&
            (best == ROUTE_NONE || instance->last_use < self->instances[best].last_use)) {
            best = each;
        }
    }
    return best;
}

static void
dispatch(route_t *self, int call, int instance)
{
    call_t *dispatched = &self->calls[call];
    instance_t *chosen = &self->instances[instance];
    dispatched->state = CALL_DISPATCHED;
    dispatched->instance = instance;
    route_list_push(self, &chosen->calls, call);
    chosen->outstanding++;
    chosen->last_use = ++self->uses;
}

static route_verdict_t
may_wait(const route_t *self, int service, const route_offer_t *offer)
{
    const service_t *asked = self->services[service];
    int64_t bytes = (int64_t)offer->bytes;
    if (route_lane_waiting(self, service, offer->principal) >= self->limits.waiting_per_principal) {
        return ROUTE_LANE_BUSY;
    }
    if (asked->waiting >= self->limits.waiting_per_service ||
        asked->waiting_bytes + bytes > self->limits.waiting_bytes_per_service) {
        return ROUTE_SERVICE_BUSY;
    }
    return self->figures.waiting_bytes + bytes > self->limits.waiting_bytes ? ROUTE_BUS_BUSY
                                                                            : ROUTE_TAKEN;
}

route_verdict_t
route_offer(route_t *self, const route_offer_t *offer, int64_t now_ms, int *call, int *instance)
{
    vln_assert(offer->principal >= 0 && offer->principal < ROUTE_PRINCIPALS_MAX);
    *call = ROUTE_NONE;
    *instance = ROUTE_NONE;
    if (self->principals[offer->principal].active >= self->limits.active_per_principal) {
        return ROUTE_PRINCIPAL_BUSY;
    }
    int service = ROUTE_NONE;
    if (self->figures.calls < self->limits.calls) {
        service = route_service_get(self, offer->service, now_ms);
    }
    if (service == ROUTE_NONE) {
        return ROUTE_BUS_BUSY;
    }
    /* What waits goes first, even if this instance came free in between. */
    if (self->services[service]->waiting == 0) {
        *instance = least_recently_used(self, self->services[service]);
    }
    if (*instance != ROUTE_NONE) {
        *call = make_call(self, offer, now_ms);
        dispatch(self, *call, *instance);
        return ROUTE_TAKEN;
    }
    route_verdict_t verdict = may_wait(self, service, offer);
    if (verdict == ROUTE_TAKEN) {
        *call = make_call(self, offer, now_ms);
        route_lane_push(self, service, *call);
    }
    route_service_release(self, service);
    return verdict;
}

int64_t
route_limit_of(const route_t *self, route_verdict_t verdict)
{
    switch (verdict) {
    case ROUTE_PRINCIPAL_BUSY:
        return self->limits.active_per_principal;
    case ROUTE_LANE_BUSY:
        return self->limits.waiting_per_principal;
    case ROUTE_SERVICE_BUSY:
        return self->limits.waiting_per_service;
    case ROUTE_BUS_BUSY:
        return self->limits.calls;
    case ROUTE_TAKEN:
        break;
    }
    return 0;
}

bool
route_dispatch_next(route_t *self, int instance, int *call)
{
    instance_t *asked = instance_at(self, instance);
    *call = ROUTE_NONE;
    if (asked->draining || asked->outstanding >= asked->credit) {
        return false;
    }
    for (int i = 0; i < asked->service_count && *call == ROUTE_NONE; i++) {
        int service = asked->services[asked->turn];
        asked->turn = (asked->turn + 1) % asked->service_count;
        *call = route_lane_pop(self, service);
    }
    if (*call == ROUTE_NONE) {
        return false;
    }
    dispatch(self, *call, instance);
    return true;
}

uint64_t
route_handle(const route_t *self, int call)
{
    return (uint64_t)self->calls[call].generation << 32 | ((uint32_t)call + 1);
}

int64_t
route_waited_ms(const route_t *self, int call, int64_t now_ms)
{
    int64_t waited = now_ms - self->calls[call].since_ms;
    return waited > 0 ? waited : 0;
}

/* The instance's call of this handle; ROUTE_NONE if it has none. */
static int
find_call(const route_t *self, int instance, uint64_t handle)
{
    uint64_t index = (handle & UINT32_MAX) - 1;
    if (index >= (uint64_t)self->call_room) {
        return ROUTE_NONE;
    }
    const call_t *found = &self->calls[index];
    bool held = found->state == CALL_DISPATCHED || found->state == CALL_PARKED;
    return held && found->instance == instance && found->generation == (uint32_t)(handle >> 32)
               ? (int)index
               : ROUTE_NONE;
}

static void
release_principal(route_t *self, const call_t *call)
{
    principal_t *principal = &self->principals[call->principal];
    if (call->state == CALL_PARKED && call->parks_apart) {
        principal->parked--;
    } else {
        principal->active--;
    }
}

/* Out of the instance's list. A dispatched call's credit is the caller's to give back. */
static void
leave_instance(route_t *self, int call)
{
    call_t *left = &self->calls[call];
    instance_t *instance = &self->instances[left->instance];
    route_list_remove(self, &instance->calls, call);
    if (left->state == CALL_PARKED) {
        instance->parked--;
        self->figures.parked--;
    }
}

void
route_end_call(route_t *self, int call, route_end_t why)
{
    call_t *ended = &self->calls[call];
    route_wheel_remove(self, call);
    release_principal(self, ended);
    if (ended->state == CALL_WAITING) {
        int service = self->lanes[ended->lane].service;
        route_lane_remove(self, call);
        route_service_release(self, service);
    } else {
        leave_instance(self, call);
        if (ended->state == CALL_DISPATCHED) {
            self->instances[ended->instance].late++;
        }
    }
    ended->state = CALL_ENDED;
    ended->why = why;
    route_list_push(self, &self->ended, call);
}

/* For a call that has ended here the instance still held credit; never more than that. */
static void
take_late_credit(instance_t *instance)
{
    if (instance->late > 0) {
        instance->late--;
        instance->outstanding--;
    }
}

bool
route_reply(route_t *self, int instance, uint64_t handle, bool parked, int *call)
{
    instance_t *from = instance_at(self, instance);
    *call = find_call(self, instance, handle);
    if (*call == ROUTE_NONE) {
        if (!parked) {
            take_late_credit(from);
        }
        return false;
    }
    call_t *replied = &self->calls[*call];
    route_wheel_remove(self, *call);
    release_principal(self, replied);
    leave_instance(self, *call);
    if (replied->state == CALL_DISPATCHED) {
        from->outstanding--;
    }
    from->served++;
    replied->state = CALL_OVER;
    return true;
}

bool
route_park(route_t *self, int instance, uint64_t handle)
{
    instance_t *from = instance_at(self, instance);
    int call = find_call(self, instance, handle);
    if (call == ROUTE_NONE) {
        take_late_credit(from);
        return false;
    }
    call_t *parked = &self->calls[call];
    if (parked->state == CALL_PARKED) {
        return true;
    }
    principal_t *principal = &self->principals[parked->principal];
    from->outstanding--;
    from->parked++;
    self->figures.parked++;
    parked->state = CALL_PARKED;
    if (!parked->parks_apart) {
        return true;
    }
    principal->active--;
    principal->parked++;
    if (principal->parked > self->limits.parked_per_principal) {
        route_end_call(self, call, ROUTE_PARK_REFUSED);
    }
    return true;
}

/* ---- time ---- */

static void
expire_slot(route_t *self, int slot)
{
    while (self->wheel[slot] != ROUTE_NONE) {
        route_end_call(self, self->wheel[slot], ROUTE_EXPIRED);
    }
}

/* In each lane the oldest call is first. */
static void
end_oldest_of_lane(route_t *self, int lane, int64_t too_long_ago)
{
    int call = self->lanes[lane].calls.first;
    while (call != ROUTE_NONE && self->calls[call].since_ms <= too_long_ago) {
        int next = self->calls[call].next; /* read before the call goes to another list */
        route_end_call(self, call, ROUTE_NOBODY);
        call = next;
    }
}

static void
end_what_nobody_serves(route_t *self, int service, int64_t now_ms)
{
    int64_t too_long_ago = now_ms - self->limits.no_instance_ms;
    if (self->services[service]->nobody_since_ms > too_long_ago) {
        return;
    }
    for (int lane = 0; lane < self->lane_room; lane++) {
        if (self->lanes[lane].service == service) {
            end_oldest_of_lane(self, lane, too_long_ago);
        }
    }
}

void
route_tick(route_t *self, int64_t now_ms)
{
    int64_t until = now_ms / WHEEL_SLOT_MS;
    if (until - self->wheel_at > WHEEL_SLOTS) {
        self->wheel_at = until - WHEEL_SLOTS; /* a whole turn: each slot once */
    }
    while (self->wheel_at < until) {
        self->wheel_at++;
        expire_slot(self, (int)(self->wheel_at % WHEEL_SLOTS));
    }
    for (int i = 0; i < ROUTE_SERVICES_MAX; i++) {
        const service_t *service = self->services[i];
        if (service && service->instance_count == 0 && service->waiting > 0) {
            end_what_nobody_serves(self, i, now_ms);
        }
    }
}

bool
route_next_ended(route_t *self, int *call, route_end_t *why)
{
    *call = self->ended.first;
    if (*call == ROUTE_NONE) {
        return false;
    }
    *why = self->calls[*call].why;
    route_list_remove(self, &self->ended, *call);
    self->calls[*call].state = CALL_OVER;
    return true;
}

void
route_free(route_t *self, int call)
{
    vln_assert(self->calls[call].state == CALL_OVER);
    self->calls[call].state = CALL_FREE;
    self->calls[call].next = self->free_call;
    self->free_call = call;
    self->figures.calls--;
}

/* ---- figures ---- */

route_figures_t
route_figures(const route_t *self)
{
    return self->figures;
}

bool
route_principal_is_idle(const route_t *self, int principal)
{
    return self->principals[principal].active == 0 && self->principals[principal].parked == 0;
}
