/*
 * child - the life of a forked child: it confines itself, then loads a model and predicts as its
 * socket says, until that is closed.
 */
#ifndef SANDBOX_CHILD_H
#define SANDBOX_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "engines/engine.h"

enum { CHILD_ENGINES = 2 };

/* The engines that valion-sandbox started. */
typedef struct child_engines {
    const engine_t *engine[CHILD_ENGINES]; /* XGBoost, ONNX Runtime */
    void *state[CHILD_ENGINES];
} child_engines_t;

/* What came along with the order; all are the child's to close. */
typedef struct child_fds {
    int job;      /* stream socket */
    int texts;    /* pipe for what libraries print */
    int model;    /* its bytes */
    int exchange; /* of 2 * VLN_EXCHANGE_HALF bytes */
} child_fds_t;

typedef struct child_order {
    child_fds_t fds;
    size_t memory_bytes;
    unsigned cpu_seconds;
    pid_t parent;
} child_order_t;

/* In the child, right after the fork. Does not return. */
__attribute__((noreturn)) void child_live(const child_engines_t *engines,
                                          const child_order_t *order);

#endif
