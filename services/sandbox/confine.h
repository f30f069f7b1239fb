/*
 * confine - takes from this process all that a model does not need to compute: files, network,
 * other processes, executable memory; and bounds memory and CPU time. For good. Linux only.
 */
#ifndef SANDBOX_CONFINE_H
#define SANDBOX_CONFINE_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct confine_limits {
    size_t memory_bytes;  /* address space beyond what is mapped now */
    unsigned cpu_seconds; /* beyond what is used now; whoever may can raise it from outside */
    int socket;           /* the one that may still be read and written, beside 1 and 2 */
} confine_limits_t;

/* Ends this process when its parent ends. False if the parent is gone already. */
bool confine_to_life_of(pid_t parent);

/* False if any part of it failed: then run no foreign code. `why` says which part, static text. */
bool confine(const confine_limits_t *limits, const char **why);

#endif
