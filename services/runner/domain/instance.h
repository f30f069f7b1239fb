/*
 * instance - what becomes of one server, from what is seen of it. Pure.
 */
#ifndef INSTANCE_H
#define INSTANCE_H

#include <stdbool.h>
#include <valion/v1/deployer.pb-c.h>

enum { INSTANCE_EXITS_MAX = 3, INSTANCE_SETTLED_MS = 30000 };

/* What is seen. Times are monotonic. */
typedef struct instance_view {
    Valion__V1__InstanceState state;
    bool draining;
    bool healthy;    /* answers that it is ready */
    bool supervised; /* its supervisor runs it */
    uint32_t exits;  /* since it was healthy for INSTANCE_SETTLED_MS, or began */
    int64_t age_ms;  /* since its start was asked for */
    int64_t ready_timeout_ms;
    bool was_ready;      /* once */
    int64_t draining_ms; /* since it gets no more requests; -1: it still may */
    int64_t settle_ms;   /* how long requests that are under way are waited for */
} instance_view_t;

/* What to do about it. */
typedef enum instance_action {
    INSTANCE_NOTHING,
    INSTANCE_STOP,    /* let the supervisor end it */
    INSTANCE_REMOVE,  /* it has ended: take it from the supervisor */
    INSTANCE_GIVE_UP, /* end it and say that it failed */
} instance_action_t;

/* The next state, and what to do. */
Valion__V1__InstanceState instance_next(const instance_view_t *view, instance_action_t *action);

#endif
