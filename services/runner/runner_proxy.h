/*
 * runner_proxy - HAProxy on this host: its configuration written, checked, loaded, its counters read.
 *
 * HAProxy is not the runner's child; a supervisor starts it with ROOT/haproxy.cfg, and a reload (its
 * master's SIGUSR2) loses no request. Used by one thread.
 */
#ifndef RUNNER_PROXY_H
#define RUNNER_PROXY_H

#include "proxy_config.h"
#include "runner.h"

enum { RUNNER_PROXY_ERROR = 500 };

typedef struct runner_proxy {
    char config[RUNNER_PATH];                /* haproxy.cfg */
    char admin[108];                         /* its socket */
    uint32_t bound[RUNNER_ENVIRONMENTS_MAX]; /* ports that are ours by now */
    size_t bound_count;
    char error[RUNNER_PROXY_ERROR]; /* why what is wanted is not true; empty: it is */
    char pid[32];                   /* of the worker that answers */
} runner_proxy_t;

void runner_proxy_init(runner_proxy_t *self, const runner_t *runner);

/* Make the configuration what the state and these servers say; nothing, if it is that already. False:
 * `error` says why not. */
bool runner_proxy_apply(runner_proxy_t *self, const runner_t *runner,
                        const Valion__V1__HostState *state, const proxy_server_t *servers,
                        size_t count);

/* Counters of every endpoint's backends, in the arena; NULL: HAProxy does not answer. */
Valion__V1__ProxyCounters **runner_proxy_count(runner_proxy_t *self,
                                               const Valion__V1__HostState *state,
                                               vln_arena_t *arena, size_t *count);

#endif
