/*
 * route_inside - what the files of route share: tables of plain structs that name each other by
 * index, so that tables can grow and a wrong index is seen. No one else includes it.
 */
#ifndef ROUTE_INSIDE_H
#define ROUTE_INSIDE_H

#include "vln_err.h"
#include "vln_mem.h"

#include "route.h"

enum {
    WHEEL_SLOTS = 8192,
    WHEEL_SLOT_MS = 8, /* 65 s around: above ROUTE_DEADLINE_MAX_MS */
    BUCKETS = 4096,    /* of the tables of services and of lanes */
};

typedef enum call_state {
    CALL_FREE,
    CALL_WAITING,    /* in its lane */
    CALL_DISPATCHED, /* in its instance's list, holds credit */
    CALL_PARKED,     /* in its instance's list */
    CALL_ENDED,      /* in the list of ended calls, until it is fetched */
    CALL_OVER,       /* replied or fetched, until it is freed */
} call_state_t;

typedef struct call {
    uint32_t generation;
    call_state_t state;
    route_end_t why;
    bool parks_apart;
    int principal;
    int lane;
    int instance;
    int next; /* in the lane, the instance's list, the list of ended or of free calls */
    int prev;
    int wheel_next;
    int wheel_prev;
    int wheel_slot; /* ROUTE_NONE if not in the wheel */
    size_t bytes;
    int64_t since_ms; /* offered */
} call_t;

/* First and last call of a list. */
typedef struct list {
    int first;
    int last;
} list_t;

/* The waiting calls of a principal for a service, in the ring of the service's lanes. */
typedef struct lane {
    int service; /* ROUTE_NONE if the slot is free */
    int principal;
    list_t calls;
    int count;
    int next; /* in the ring; of a free slot: the next free one */
    int prev;
    int bucket_next;
} lane_t;

typedef struct service {
    char name[ROUTE_NAME_MAX + 1]; /* "" if the slot is free */
    int instances[ROUTE_INSTANCES_MAX];
    int instance_count; /* that take calls: draining ones are not among them */
    int holders;        /* instances that name it, draining ones too */
    int turn;           /* lane that is served next; ROUTE_NONE if nothing waits */
    int waiting;
    int64_t waiting_bytes;
    int64_t nobody_since_ms;
    int bucket_next;
} service_t;

typedef struct instance {
    bool used;
    bool draining;
    int credit;      /* given in all */
    int outstanding; /* of it, held by calls */
    int late;        /* of these, for calls that have ended here */
    int parked;
    int64_t served;
    uint64_t last_use;
    int services[ROUTE_SERVICES_OF_INSTANCE];
    int service_count;
    int turn; /* of its services, which is asked first */
    list_t calls;
} instance_t;

typedef struct principal {
    int active;
    int parked;
} principal_t;

struct route {
    route_limits_t limits;
    route_figures_t figures;
    uint64_t uses;
    int64_t wheel_at; /* slots up to this one are done; in units of WHEEL_SLOT_MS */
    int wheel[WHEEL_SLOTS];
    int free_call;
    int call_room;
    call_t *calls;
    list_t ended;
    int free_lane;
    int lane_room;
    lane_t *lanes;
    int service_buckets[BUCKETS];
    int lane_buckets[BUCKETS];
    service_t *services[ROUTE_SERVICES_MAX]; /* NULL if the slot is free */
    instance_t instances[ROUTE_INSTANCES_MAX];
    principal_t principals[ROUTE_PRINCIPALS_MAX];
};

/* ---- lists of calls ---- */

void route_list_push(route_t *self, list_t *list, int call);
void route_list_remove(route_t *self, list_t *list, int call);

/* ---- the wheel of deadlines ---- */

void route_wheel_add(route_t *self, int call, int64_t deadline_ms);
void route_wheel_remove(route_t *self, int call);

/* ---- services and lanes ---- */

/* The service of this name; made if it is not there. ROUTE_NONE if there are too many. */
int route_service_get(route_t *self, const char *name, int64_t now_ms);

/* Forget it if nothing waits and no instance names it. */
void route_service_release(route_t *self, int service);

/* How many calls the principal has waiting there. */
int route_lane_waiting(const route_t *self, int service, int principal);

/* Append to its lane, which is made if need be. */
void route_lane_push(route_t *self, int service, int call);

/* The next call in turn; ROUTE_NONE if none waits. */
int route_lane_pop(route_t *self, int service);

/* Take a waiting call out of its lane. */
void route_lane_remove(route_t *self, int call);

/* ---- ends ---- */

/* The call, in whatever list it is, ends without a reply. */
void route_end_call(route_t *self, int call, route_end_t why);

#endif
