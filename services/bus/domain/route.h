/*
 * route - who gets which call: services, their instances, credit, queues, fairness, deadlines.
 *
 * Pure: no sockets, no clock, no frames. The broker names what it holds by small numbers: a call
 * has an index (0 ..) under which the broker keeps the frames and the way back, an instance and a
 * principal likewise. Every call that was taken ends exactly once: by route_reply(), or by
 * route_next_ended(); then its index is given back with route_free().
 *
 *     offer ──► waiting ──► dispatched ──► replied
 *                  │  ▲        │ │  park ──► parked ──► replied
 *                  │  └no      │ └ deadline, instance lost, too many parked
 *                  └ deadline, nobody serves it
 *
 * Credit: an instance never holds more calls than it gave credit for. A parked call holds none. A
 * call whose deadline passed with the instance still holds one, until its late reply.
 */
#ifndef ROUTE_H
#define ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ROUTE_NONE = -1,
    ROUTE_NAME_MAX = 64,
    ROUTE_SERVICES_OF_INSTANCE = 8,
    ROUTE_SERVICES_MAX = 512,
    ROUTE_INSTANCES_MAX = 1024,
    ROUTE_PRINCIPALS_MAX = 4096,
    ROUTE_CREDIT_MAX = 4096,
    ROUTE_DEADLINE_MAX_MS = 60000,
};

typedef struct route route_t;

/* Bounds. All of them at least 1. */
typedef struct route_limits {
    int calls;                 /* known at once, of everybody */
    int active_per_principal;  /* waiting, dispatched */
    int parked_per_principal;  /* of services and workers; of others they count as active */
    int waiting_per_principal; /* of one service */
    int waiting_per_service;
    int64_t waiting_bytes_per_service;
    int64_t waiting_bytes;
    int64_t no_instance_ms; /* how long a call waits where nobody serves it */
} route_limits_t;

route_t *route_new(const route_limits_t *limits, int64_t now_ms);
void route_destroy(route_t **self_p);

/* ---- instances ---- */

/*
 * An instance of these services. ROUTE_NONE if there are too many instances or services. Waiting
 * calls are fetched with route_dispatch_next().
 */
int route_instance_add(route_t *self, const char *const *services, int count, int credit,
                       int64_t now_ms);

/* Gone: its calls end as ROUTE_LOST. */
void route_instance_remove(route_t *self, int instance, int64_t now_ms);

/* No more calls to it. */
void route_instance_drain(route_t *self, int instance, int64_t now_ms);

/* So many calls more at once; in all at most ROUTE_CREDIT_MAX. */
void route_instance_add_credit(route_t *self, int instance, int credit);

typedef struct route_instance_view {
    int credit; /* free */
    int in_flight;
    int parked;
    int64_t served; /* replies */
    bool draining;
    int service_count;
    const char *services[ROUTE_SERVICES_OF_INSTANCE]; /* borrowed until the next change */
} route_instance_view_t;

/* False if there is no such instance. */
bool route_instance_look(const route_t *self, int instance, route_instance_view_t *out);

/* ---- calls ---- */

typedef struct route_offer {
    const char *service;
    int principal;
    bool parks_apart; /* of a service or a worker: parked calls have a bound of their own */
    size_t bytes;     /* that waiting costs */
    int64_t deadline_ms;
} route_offer_t;

typedef enum route_verdict {
    ROUTE_TAKEN,
    ROUTE_PRINCIPAL_BUSY, /* active_per_principal */
    ROUTE_LANE_BUSY,      /* waiting_per_principal */
    ROUTE_SERVICE_BUSY,   /* waiting_per_service, waiting_bytes_per_service */
    ROUTE_BUS_BUSY,       /* calls, waiting_bytes, ROUTE_SERVICES_MAX */
} route_verdict_t;

/*
 * If ROUTE_TAKEN, *call is its index, and *instance where it is to be sent at once, or ROUTE_NONE
 * if it waits.
 */
route_verdict_t route_offer(route_t *self, const route_offer_t *offer, int64_t now_ms, int *call,
                            int *instance);

/* The bound that a verdict is about. */
int64_t route_limit_of(const route_t *self, route_verdict_t verdict);

/* The next call for this instance, if it has credit and something waits: true, and *call. */
bool route_dispatch_next(route_t *self, int instance, int *call);

/* A number that no other call of this broker's life has: index and generation. Never 0. */
uint64_t route_handle(const route_t *self, int call);

/* How long ago it was offered. */
int64_t route_waited_ms(const route_t *self, int call, int64_t now_ms);

/*
 * A reply. True if the instance has this call: *call is its index and it has ended. Else it is
 * late, or not the instance's: to be dropped. Credit comes back in both cases as it is due.
 */
bool route_reply(route_t *self, int instance, uint64_t handle, bool parked, int *call);

/* The instance parks a call and gives its credit back. False if the call is not known. */
bool route_park(route_t *self, int instance, uint64_t handle);

typedef enum route_end {
    ROUTE_EXPIRED,      /* its deadline passed while it waited or was worked on */
    ROUTE_NOBODY,       /* no instance for too long */
    ROUTE_LOST,         /* the instance is gone */
    ROUTE_PARK_REFUSED, /* parked_per_principal */
} route_end_t;

/* Deadlines and waits up to now; what ends is fetched with route_next_ended(). */
void route_tick(route_t *self, int64_t now_ms);

/* A call that ended without a reply: true, and which, and why. To be answered and freed. */
bool route_next_ended(route_t *self, int *call, route_end_t *why);

/* The index of a call that has ended may be used again. */
void route_free(route_t *self, int call);

/* ---- figures ---- */

typedef struct route_figures {
    int calls; /* waiting, dispatched, parked, or ended and not freed */
    int waiting;
    int parked;
    int instances;
    int services;
    int64_t waiting_bytes;
} route_figures_t;

route_figures_t route_figures(const route_t *self);

/* True if nothing is counted for the principal, so that its number may mean another. */
bool route_principal_is_idle(const route_t *self, int principal);

#endif
