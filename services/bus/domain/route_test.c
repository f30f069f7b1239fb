#include "route.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

#include "vln_err.h"

#include "names.h"

TestSuite(route, .timeout = 60);
TestSuite(names, .timeout = 10);

static const route_limits_t wide = {.calls = 1000,
                                    .active_per_principal = 1000,
                                    .parked_per_principal = 1000,
                                    .waiting_per_principal = 1000,
                                    .waiting_per_service = 1000,
                                    .waiting_bytes_per_service = 1 << 20,
                                    .waiting_bytes = 1 << 20,
                                    .no_instance_ms = 2000};

static const char *const alpha[] = {"alpha"};
static const char *const both[] = {"alpha", "beta"};

static int
add(route_t *route, const char *const *services, int count, int credit)
{
    int instance = route_instance_add(route, services, count, credit, 0);
    cr_assert(instance != ROUTE_NONE);
    return instance;
}

static route_verdict_t
offer_to(route_t *route, const char *service, int principal, int *call, int *instance)
{
    route_offer_t offer = {
        .service = service, .principal = principal, .bytes = 100, .deadline_ms = 10000};
    return route_offer(route, &offer, 0, call, instance);
}

/* Taken, and where to. */
static int
take(route_t *route, int principal, int *call)
{
    int instance = ROUTE_NONE;
    cr_assert(offer_to(route, "alpha", principal, call, &instance) == ROUTE_TAKEN);
    return instance;
}

static bool
ends(route_t *route, int call, route_end_t why)
{
    int ended = ROUTE_NONE;
    route_end_t found = ROUTE_EXPIRED;
    bool good = route_next_ended(route, &ended, &found) && ended == call && found == why;
    if (good) {
        route_free(route, ended);
    }
    return good;
}

static bool
nothing_ended(route_t *route)
{
    int call = ROUTE_NONE;
    route_end_t why = ROUTE_EXPIRED;
    return !route_next_ended(route, &call, &why);
}

Test(route, gives_calls_to_the_least_recently_used_with_credit)
{
    route_t *route = route_new(&wide, 0);
    int first = add(route, alpha, 1, 2);
    int second = add(route, alpha, 1, 1);
    int call = 0;
    cr_expect(take(route, 0, &call) == first);
    cr_expect(take(route, 0, &call) == second);
    cr_expect(take(route, 0, &call) == first);
    cr_expect(take(route, 0, &call) == ROUTE_NONE);
    route_destroy(&route);
}

Test(route, serves_principals_in_turn_whatever_they_have_waiting)
{
    route_t *route = route_new(&wide, 0);
    int calls[6];
    static const int principals[] = {1, 1, 1, 1, 2, 3};
    for (int i = 0; i < 6; i++) {
        cr_expect(take(route, principals[i], &calls[i]) == ROUTE_NONE);
    }
    int instance = add(route, alpha, 1, 6);
    static const int order[] = {0, 4, 5, 1, 2, 3};
    for (int i = 0; i < 6; i++) {
        int call = ROUTE_NONE;
        cr_assert(route_dispatch_next(route, instance, &call));
        cr_expect(call == calls[order[i]], "%d", i);
    }
    route_destroy(&route);
}

Test(route, serves_the_services_of_an_instance_in_turn)
{
    route_t *route = route_new(&wide, 0);
    int call[4];
    int instance = ROUTE_NONE;
    static const char *const services[] = {"alpha", "alpha", "beta", "beta"};
    for (int i = 0; i < 4; i++) {
        cr_assert(offer_to(route, services[i], 0, &call[i], &instance) == ROUTE_TAKEN);
    }
    instance = add(route, both, 2, 4);
    static const int order[] = {0, 2, 1, 3};
    for (int i = 0; i < 4; i++) {
        int next = ROUTE_NONE;
        cr_assert(route_dispatch_next(route, instance, &next));
        cr_expect(next == call[order[i]], "%d", i);
    }
    route_destroy(&route);
}

Test(route, gives_credit_back_with_a_reply_and_takes_it_once)
{
    route_t *route = route_new(&wide, 0);
    int instance = add(route, alpha, 1, 1);
    int call = 0;
    cr_assert(take(route, 0, &call) == instance);
    uint64_t handle = route_handle(route, call);
    int replied = ROUTE_NONE;
    cr_assert(route_reply(route, instance, handle, false, &replied));
    cr_expect(replied == call);
    cr_expect(not(route_reply(route, instance, handle, false, &replied)));
    route_free(route, call);
    cr_expect(not(route_reply(route, instance, handle, false, &replied)));

    route_instance_view_t view;
    cr_assert(route_instance_look(route, instance, &view));
    cr_expect(view.credit == 1);
    cr_expect(view.served == 1);
    cr_assert(take(route, 0, &call) == instance);
    cr_expect(route_handle(route, call) != handle);
    route_destroy(&route);
}

Test(route, takes_a_reply_from_the_instance_that_has_the_call_alone)
{
    route_t *route = route_new(&wide, 0);
    int first = add(route, alpha, 1, 1);
    int second = add(route, alpha, 1, 1);
    int call = 0;
    int replied = 0;
    cr_assert(take(route, 0, &call) == first);
    cr_expect(not(route_reply(route, second, route_handle(route, call), false, &replied)));
    cr_expect(not(route_park(route, second, route_handle(route, call))));
    cr_expect(route_reply(route, first, route_handle(route, call), false, &replied));
    route_destroy(&route);
}

Test(route, ends_a_call_at_its_deadline_and_keeps_its_credit_until_the_late_reply)
{
    route_t *route = route_new(&wide, 0);
    int instance = add(route, alpha, 1, 1);
    int call = 0;
    int next = 0;
    cr_assert(take(route, 0, &call) == instance);
    uint64_t handle = route_handle(route, call);
    route_tick(route, 9999);
    cr_expect(nothing_ended(route));
    route_tick(route, 10008);
    cr_expect(ends(route, call, ROUTE_EXPIRED));
    cr_expect(take(route, 0, &next) == ROUTE_NONE);
    cr_expect(not(route_dispatch_next(route, instance, &call)));
    cr_expect(not(route_reply(route, instance, handle, false, &call)));
    cr_expect(route_dispatch_next(route, instance, &call));
    cr_expect(call == next);
    route_destroy(&route);
}

Test(route, a_parked_call_holds_no_credit_and_can_still_be_answered)
{
    route_t *route = route_new(&wide, 0);
    int instance = add(route, alpha, 1, 1);
    int parked = 0;
    int call = 0;
    cr_assert(take(route, 0, &parked) == instance);
    cr_expect(route_park(route, instance, route_handle(route, parked)));
    cr_expect(take(route, 0, &call) == instance);
    cr_expect(route_reply(route, instance, route_handle(route, parked), true, &call));
    cr_expect(call == parked);
    route_instance_view_t view;
    cr_assert(route_instance_look(route, instance, &view));
    cr_expect(view.credit == 0);
    cr_expect(view.parked == 0);
    route_destroy(&route);
}

Test(route, counts_parked_calls_of_workers_apart_and_bounds_them)
{
    route_limits_t limits = wide;
    limits.active_per_principal = 1;
    limits.parked_per_principal = 2;
    route_t *route = route_new(&limits, 0);
    int instance = add(route, alpha, 1, 9);
    int calls[3];
    for (int i = 0; i < 3; i++) {
        route_offer_t offer = {.service = "alpha", .parks_apart = true, .deadline_ms = 1000};
        int to = ROUTE_NONE;
        cr_assert(route_offer(route, &offer, 0, &calls[i], &to) == ROUTE_TAKEN);
        cr_expect(route_park(route, instance, route_handle(route, calls[i])));
    }
    cr_expect(ends(route, calls[2], ROUTE_PARK_REFUSED));
    cr_expect(nothing_ended(route));
    route_destroy(&route);
}

Test(route, counts_parked_calls_of_people_as_in_flight)
{
    route_limits_t limits = wide;
    limits.active_per_principal = 1;
    route_t *route = route_new(&limits, 0);
    int instance = add(route, alpha, 1, 9);
    int call = 0;
    cr_assert(take(route, 0, &call) == instance);
    cr_expect(route_park(route, instance, route_handle(route, call)));
    cr_expect(offer_to(route, "alpha", 0, &call, &instance) == ROUTE_PRINCIPAL_BUSY);
    cr_expect(offer_to(route, "alpha", 1, &call, &instance) == ROUTE_TAKEN);
    route_destroy(&route);
}

Test(route, a_lost_instance_ends_its_calls_parked_ones_too)
{
    route_t *route = route_new(&wide, 0);
    int instance = add(route, alpha, 1, 2);
    int parked = 0;
    int working = 0;
    int waiting = 0;
    cr_assert(take(route, 0, &parked) == instance);
    cr_assert(route_park(route, instance, route_handle(route, parked)));
    cr_assert(take(route, 0, &working) == instance);
    cr_assert(take(route, 0, &waiting) == instance);
    route_instance_remove(route, instance, 5);
    cr_expect(ends(route, parked, ROUTE_LOST));
    cr_expect(ends(route, working, ROUTE_LOST));
    cr_expect(ends(route, waiting, ROUTE_LOST));
    cr_expect(route_figures(route).services == 0);
    cr_expect(route_principal_is_idle(route, 0));
    route_destroy(&route);
}

Test(route, a_draining_instance_gets_nothing_more_and_may_finish)
{
    route_t *route = route_new(&wide, 0);
    int instance = add(route, alpha, 1, 2);
    int begun = 0;
    int call = 0;
    cr_assert(take(route, 0, &begun) == instance);
    route_instance_drain(route, instance, 0);
    cr_expect(take(route, 0, &call) == ROUTE_NONE);
    cr_expect(not(route_dispatch_next(route, instance, &call)));
    cr_expect(route_reply(route, instance, route_handle(route, begun), false, &call));
    route_destroy(&route);
}

Test(route, waits_a_bounded_time_for_somebody_to_serve_it)
{
    route_t *route = route_new(&wide, 0);
    int call = 0;
    cr_assert(take(route, 0, &call) == ROUTE_NONE);
    route_tick(route, 1999);
    cr_expect(nothing_ended(route));
    route_tick(route, 2000);
    cr_expect(ends(route, call, ROUTE_NOBODY));
    cr_expect(route_figures(route).services == 0);
    route_destroy(&route);
}

Test(route, refuses_at_each_bound)
{
    int call = 0;
    int instance = 0;
    static const struct {
        route_verdict_t verdict;
        route_limits_t limits;
    } cases[] = {
        {ROUTE_PRINCIPAL_BUSY, {9, 1, 9, 9, 9, 9999, 9999, 9}},
        {ROUTE_LANE_BUSY, {9, 9, 9, 1, 9, 9999, 9999, 9}},
        {ROUTE_SERVICE_BUSY, {9, 9, 9, 9, 1, 9999, 9999, 9}},
        {ROUTE_SERVICE_BUSY, {9, 9, 9, 9, 9, 199, 9999, 9}},
        {ROUTE_BUS_BUSY, {9, 9, 9, 9, 9, 9999, 199, 9}},
        {ROUTE_BUS_BUSY, {1, 9, 9, 9, 9, 9999, 9999, 9}},
    };
    for (size_t i = 0; i < VLN_COUNT(cases); i++) {
        route_t *route = route_new(&cases[i].limits, 0);
        cr_assert(offer_to(route, "alpha", 0, &call, &instance) == ROUTE_TAKEN);
        cr_expect(offer_to(route, "alpha", 0, &call, &instance) == cases[i].verdict, "%zu", i);
        cr_expect(call == ROUTE_NONE);
        cr_expect(route_figures(route).calls == 1);
        route_destroy(&route);
    }
}

Test(route, survives_a_clock_that_jumps)
{
    route_t *route = route_new(&wide, 0);
    int call = 0;
    cr_assert(take(route, 0, &call) == ROUTE_NONE);
    route_tick(route, 86400000);
    cr_expect(ends(route, call, ROUTE_EXPIRED));
    route_offer_t offer = {.service = "alpha", .deadline_ms = 86400000 + 90000000};
    int instance = 0;
    cr_expect(route_offer(route, &offer, 86400000, &call, &instance) == ROUTE_TAKEN);
    route_destroy(&route);
}

Test(route, forgets_services_that_nobody_needs)
{
    route_t *route = route_new(&wide, 0);
    char name[32];
    for (int i = 0; i < 3 * ROUTE_SERVICES_MAX; i++) {
        int call = 0;
        int instance = 0;
        snprintf(name, sizeof name, "runner.%d", i);
        route_verdict_t verdict = offer_to(route, name, 0, &call, &instance);
        cr_expect(verdict == (i % 600 < ROUTE_SERVICES_MAX ? ROUTE_TAKEN : ROUTE_BUS_BUSY));
        if (i % 600 == 599) {
            int ended = 0;
            route_end_t why = ROUTE_EXPIRED;
            route_tick(route, 2000 * (i + 1));
            while (route_next_ended(route, &ended, &why)) {
                route_free(route, ended);
            }
        }
    }
    route_destroy(&route);
}

/* ---- against a model ---- */

/* Criterion's own costs too much for hundreds of thousands of checks. */
static void
must_at(bool good, const char *what, int line)
{
    if (!good) {
        cr_fatal("line %d: %s", line, what);
    }
}
#define must(condition) must_at((condition), #condition, __LINE__)

/*
 * The same, by searching through everything: calls in the order of their offers, credit counted
 * from scratch, turns as a list of principals.
 */
enum { M_CALLS = 4000, M_INSTANCES = 4, M_PRINCIPALS = 3, M_SERVICES = 2, M_STEPS = 3000 };

typedef enum m_state { M_WAITING, M_DISPATCHED, M_PARKED, M_LATE, M_DONE } m_state_t;

typedef struct m_call {
    m_state_t state; /* M_LATE: ended here, its credit is still held */
    int index;
    uint64_t handle;
    int service;
    int principal;
    int instance;
    int64_t since_ms;
    int64_t deadline_ms;
} m_call_t;

typedef struct m_instance {
    int id; /* ROUTE_NONE: not there */
    bool draining;
    int credit;
    uint64_t last_use;
    bool serves[M_SERVICES];
} m_instance_t;

typedef struct model {
    route_t *route;
    int64_t now_ms;
    uint64_t random;
    uint64_t uses;
    int count;
    m_call_t calls[M_CALLS];
    m_instance_t instances[M_INSTANCES];
    int turn_count[M_SERVICES];
    int turns[M_SERVICES][M_PRINCIPALS]; /* who has something waiting, whose turn is first */
    int64_t nobody_since_ms[M_SERVICES];
    int dispatched, replied, ended;
} model_t;

static const char *const m_names[M_SERVICES] = {"alpha", "beta"};

static int
below(model_t *self, int n)
{
    self->random = self->random * 6364136223846793005U + 1442695040888963407U;
    return (int)((self->random >> 33) % (uint64_t)n);
}

static int
m_held(const model_t *self, int instance)
{
    int held = 0;
    for (int i = 0; i < self->count; i++) {
        const m_call_t *call = &self->calls[i];
        held +=
            call->instance == instance && (call->state == M_DISPATCHED || call->state == M_LATE);
    }
    return held;
}

static bool
m_is_free(const model_t *self, int instance)
{
    const m_instance_t *seen = &self->instances[instance];
    return seen->id != ROUTE_NONE && !seen->draining && m_held(self, instance) < seen->credit;
}

static bool
m_somebody_serves(const model_t *self, int service)
{
    for (int i = 0; i < M_INSTANCES; i++) {
        if (self->instances[i].id != ROUTE_NONE && !self->instances[i].draining &&
            self->instances[i].serves[service]) {
            return true;
        }
    }
    return false;
}

static bool
m_exists(const model_t *self, int service)
{
    for (int i = 0; i < M_INSTANCES; i++) {
        if (self->instances[i].id != ROUTE_NONE && self->instances[i].serves[service]) {
            return true;
        }
    }
    return self->turn_count[service] > 0;
}

/* The first of the principal's that waits; NULL if none. */
static m_call_t *
m_first(model_t *self, int service, int principal)
{
    for (int i = 0; i < self->count; i++) {
        m_call_t *call = &self->calls[i];
        if (call->state == M_WAITING && call->service == service && call->principal == principal) {
            return call;
        }
    }
    return NULL;
}

/* Those without anything waiting lose their turn. */
static void
m_tidy_turns(model_t *self)
{
    for (int s = 0; s < M_SERVICES; s++) {
        int kept = 0;
        for (int i = 0; i < self->turn_count[s]; i++) {
            if (m_first(self, s, self->turns[s][i])) {
                self->turns[s][kept++] = self->turns[s][i];
            }
        }
        self->turn_count[s] = kept;
    }
}

static m_call_t *
m_by_index(model_t *self, int index)
{
    for (int i = self->count - 1; i >= 0; i--) {
        if (self->calls[i].index == index && self->calls[i].state != M_DONE &&
            self->calls[i].state != M_LATE) {
            return &self->calls[i];
        }
    }
    return NULL;
}

static void
m_use(model_t *self, m_call_t *call, int instance)
{
    call->state = M_DISPATCHED;
    call->instance = instance;
    self->instances[instance].last_use = ++self->uses;
    self->dispatched++;
}

/* Of those that are used least recently; instances that were never used are all alike. */
static int
m_chosen_instance(const model_t *self, int service, int id)
{
    int chosen = ROUTE_NONE;
    int best = ROUTE_NONE;
    for (int i = 0; i < M_INSTANCES && self->turn_count[service] == 0; i++) {
        if (!m_is_free(self, i) || !self->instances[i].serves[service]) {
            continue;
        }
        if (best == ROUTE_NONE || self->instances[i].last_use < self->instances[best].last_use) {
            best = i;
        }
        if (self->instances[i].id == id) {
            chosen = i;
        }
    }
    must((best == ROUTE_NONE) == (id == ROUTE_NONE));
    must((chosen == ROUTE_NONE) == (id == ROUTE_NONE));
    must(chosen == ROUTE_NONE ||
         self->instances[chosen].last_use == self->instances[best].last_use);
    return chosen;
}

static void
m_offer(model_t *self)
{
    if (self->count == M_CALLS) {
        return;
    }
    int service = below(self, M_SERVICES);
    int principal = below(self, M_PRINCIPALS);
    route_offer_t offer = {.service = m_names[service],
                           .principal = principal,
                           .bytes = 10,
                           .deadline_ms = self->now_ms + 1 + below(self, 3000)};
    if (!m_exists(self, service)) {
        self->nobody_since_ms[service] = self->now_ms;
    }
    int index = ROUTE_NONE;
    int to = ROUTE_NONE;
    must(route_offer(self->route, &offer, self->now_ms, &index, &to) == ROUTE_TAKEN);
    int chosen = m_chosen_instance(self, service, to);
    m_call_t *call = &self->calls[self->count++];
    *call = (m_call_t){.index = index,
                       .handle = route_handle(self->route, index),
                       .service = service,
                       .principal = principal,
                       .instance = ROUTE_NONE,
                       .since_ms = self->now_ms,
                       .deadline_ms = offer.deadline_ms};
    if (chosen == ROUTE_NONE) {
        bool has_turn = false;
        for (int i = 0; i < self->turn_count[service]; i++) {
            has_turn = has_turn || self->turns[service][i] == principal;
        }
        if (!has_turn) {
            self->turns[service][self->turn_count[service]++] = principal;
        }
    } else {
        m_use(self, call, chosen);
    }
}

/* Everything that can go to this instance goes, in turn and in order, and not more than credit. */
static void
m_pump(model_t *self, int instance)
{
    int index = ROUTE_NONE;
    while (route_dispatch_next(self->route, self->instances[instance].id, &index)) {
        must(m_is_free(self, instance));
        m_call_t *call = m_by_index(self, index);
        must(call != NULL && call->state == M_WAITING);
        int service = call->service;
        must(self->instances[instance].serves[service]);
        must(self->turns[service][0] == call->principal);
        must(m_first(self, service, call->principal) == call);
        m_use(self, call, instance);
        int served = self->turns[service][0];
        memmove(&self->turns[service][0], &self->turns[service][1],
                sizeof(int) * (size_t)(self->turn_count[service] - 1));
        self->turns[service][self->turn_count[service] - 1] = served;
        m_tidy_turns(self);
    }
    for (int s = 0; s < M_SERVICES; s++) {
        must(!m_is_free(self, instance) || !self->instances[instance].serves[s] ||
             self->turn_count[s] == 0);
    }
}

/* A call that an instance has, or now and then one that it had; NULL if there is none. */
static m_call_t *
m_some_call(model_t *self, int instance)
{
    bool had = below(self, 4) == 0;
    int start = self->count ? below(self, self->count) : 0;
    for (int i = 0; i < self->count; i++) {
        m_call_t *call = &self->calls[(start + i) % self->count];
        bool has = call->state == M_DISPATCHED || call->state == M_PARKED;
        if (call->instance == instance && (has || (had && call->state != M_WAITING))) {
            return call;
        }
    }
    return NULL;
}

static void
m_reply(model_t *self, int instance)
{
    m_call_t *call = m_some_call(self, instance);
    if (!call) {
        return;
    }
    int index = ROUTE_NONE;
    /* An honest service answers once: what is done here was answered, or its instance is gone. */
    bool known = call->state == M_DISPATCHED || call->state == M_PARKED;
    bool parked = call->state == M_PARKED || call->state == M_DONE;
    bool taken =
        route_reply(self->route, self->instances[instance].id, call->handle, parked, &index);
    must(taken == known);
    if (taken) {
        must(index == call->index);
        route_free(self->route, index);
        self->replied++;
    }
    call->state = M_DONE;
    m_pump(self, instance);
}

static void
m_park(model_t *self, int instance)
{
    m_call_t *call = m_some_call(self, instance);
    if (call && call->state != M_DONE) {
        bool known = call->state == M_DISPATCHED || call->state == M_PARKED;
        must(route_park(self->route, self->instances[instance].id, call->handle) == known);
        call->state = known ? M_PARKED : M_DONE;
        m_pump(self, instance);
    }
}

static void
m_start(model_t *self, int instance)
{
    m_instance_t *made = &self->instances[instance];
    const char *names[M_SERVICES];
    int count = 0;
    int which = 1 + below(self, 3);
    for (int s = 0; s < M_SERVICES; s++) {
        if (which & 1 << s) {
            if (!m_exists(self, s)) {
                self->nobody_since_ms[s] = self->now_ms;
            }
            names[count++] = m_names[s];
        }
    }
    *made = (m_instance_t){.credit = 1 + below(self, 4)};
    made->serves[0] = (which & 1) != 0;
    made->serves[1] = (which & 2) != 0;
    made->id = route_instance_add(self->route, names, count, made->credit, self->now_ms);
    must(made->id != ROUTE_NONE);
    m_pump(self, instance);
}

/* Each call that should end does, for the right reason, and no other. */
static void
m_drain_ended(model_t *self, int lost_instance)
{
    int index = ROUTE_NONE;
    route_end_t why = ROUTE_EXPIRED;
    while (route_next_ended(self->route, &index, &why)) {
        m_call_t *call = m_by_index(self, index);
        must(call != NULL);
        if (why == ROUTE_LOST) {
            must(call->instance == lost_instance && call->state != M_WAITING);
        } else if (why == ROUTE_EXPIRED) {
            must((call->deadline_ms + 7) / 8 <= self->now_ms / 8);
        } else {
            must(why == ROUTE_NOBODY && call->state == M_WAITING);
            must(!m_somebody_serves(self, call->service));
            must(call->since_ms <= self->now_ms - wide.no_instance_ms);
        }
        call->state = why == ROUTE_EXPIRED && call->state == M_DISPATCHED ? M_LATE : M_DONE;
        self->ended++;
        route_free(self->route, index);
    }
}

static void
m_leave(model_t *self, int instance, bool drain)
{
    m_instance_t *left = &self->instances[instance];
    bool served[M_SERVICES];
    for (int s = 0; s < M_SERVICES; s++) {
        served[s] = m_somebody_serves(self, s);
    }
    if (drain) {
        route_instance_drain(self->route, left->id, self->now_ms);
        left->draining = true;
    } else {
        route_instance_remove(self->route, left->id, self->now_ms);
        m_drain_ended(self, instance);
        left->id = ROUTE_NONE;
        for (int i = 0; i < self->count; i++) {
            m_call_t *call = &self->calls[i];
            must(call->instance != instance || call->state == M_DONE || call->state == M_LATE);
            if (call->instance == instance) {
                call->state = M_DONE;
                call->instance = ROUTE_NONE;
            }
        }
    }
    for (int s = 0; s < M_SERVICES; s++) {
        if (served[s] && !m_somebody_serves(self, s)) {
            self->nobody_since_ms[s] = self->now_ms;
        }
    }
}

static void
m_pass_time(model_t *self)
{
    self->now_ms += below(self, 700);
    route_tick(self->route, self->now_ms);
    m_drain_ended(self, ROUTE_NONE);
    m_tidy_turns(self);
    for (int i = 0; i < self->count; i++) {
        const m_call_t *call = &self->calls[i];
        bool open = call->state != M_DONE && call->state != M_LATE;
        must(!open || (call->deadline_ms + 7) / 8 > self->now_ms / 8);
        int64_t too_long_ago = self->now_ms - wide.no_instance_ms;
        must(call->state != M_WAITING || m_somebody_serves(self, call->service) ||
             call->since_ms > too_long_ago || self->nobody_since_ms[call->service] > too_long_ago);
    }
}

static void
m_compare_figures(model_t *self)
{
    int open = 0;
    int waiting = 0;
    int parked = 0;
    for (int i = 0; i < self->count; i++) {
        m_state_t state = self->calls[i].state;
        open += state == M_WAITING || state == M_DISPATCHED || state == M_PARKED;
        waiting += state == M_WAITING;
        parked += state == M_PARKED;
    }
    route_figures_t figures = route_figures(self->route);
    must(figures.calls == open);
    must(figures.waiting == waiting);
    must(figures.waiting_bytes == waiting * 10);
    must(figures.parked == parked);
    for (int i = 0; i < M_INSTANCES; i++) {
        route_instance_view_t view;
        if (route_instance_look(self->route, self->instances[i].id, &view)) {
            must(view.in_flight == m_held(self, i));
            must(view.credit == self->instances[i].credit - view.in_flight);
            must(view.credit >= 0);
        }
    }
}

static void
m_step(model_t *self)
{
    int instance = below(self, M_INSTANCES);
    bool there = self->instances[instance].id != ROUTE_NONE;
    int what = below(self, 100);
    if (what < 40) {
        m_offer(self);
    } else if (what < 50) {
        m_pass_time(self);
    } else if (!there) {
        m_start(self, instance);
    } else if (what < 80) {
        m_reply(self, instance);
    } else if (what < 93) {
        m_park(self, instance);
    } else if (what < 96) {
        int more = below(self, 3);
        route_instance_add_credit(self->route, self->instances[instance].id, more);
        self->instances[instance].credit += more;
        m_pump(self, instance);
    } else {
        m_leave(self, instance, what < 98 && !self->instances[instance].draining);
    }
    m_compare_figures(self);
}

Test(route, does_what_a_naive_model_does_for_random_histories)
{
    static model_t self;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        memset(&self, 0, sizeof self);
        self.random = seed;
        self.now_ms = 1000;
        self.route = route_new(&wide, self.now_ms);
        for (int i = 0; i < M_INSTANCES; i++) {
            self.instances[i].id = ROUTE_NONE;
        }
        for (int step = 0; step < M_STEPS; step++) {
            m_step(&self);
        }
        for (int i = 0; i < 400; i++) {
            m_pass_time(&self);
        }
        /* Everything that was taken ended once, and nothing is left. */
        must(self.replied + self.ended == self.count);
        must(route_figures(self.route).calls == 0);
        cr_expect(self.dispatched > 100 && self.replied > 100 && self.ended > 100, "%d %d %d",
                  self.dispatched, self.replied, self.ended);
        route_destroy(&self.route);
    }
}

/* ---- names ---- */

Test(names, a_service_is_served_by_its_own_role_alone)
{
    static const struct {
        const char *service;
        int role;
    } cases[] = {{"registry", 16},  {"validator", 17},    {"trainer", 18}, {"deployer", 19},
                 {"runner.h1", 20}, {"orchestrator", 21}, {"gateway", 22}};
    for (size_t i = 0; i < VLN_COUNT(cases); i++) {
        cr_expect(names_service_exists(cases[i].service));
        for (int role = 0; role < 32; role++) {
            cr_expect(names_may_serve(1U << role, cases[i].service) == (role == cases[i].role));
        }
    }
}

Test(names, nobody_serves_what_is_not_there)
{
    static const char *const names[] = {"",        "bus",      "registry2", "runner",
                                        "runner.", "runner./", "Registry",  "reg istry"};
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        cr_expect(not(names_service_exists(names[i])), "%s", names[i]);
        cr_expect(not(names_may_serve(UINT32_MAX, names[i])));
    }
}

Test(names, people_and_workers_have_no_service_role)
{
    cr_expect(names_service_roles() == 0x7f0000);
}
