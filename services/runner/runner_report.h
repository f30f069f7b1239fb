/*
 * runner_report - tells the deployer what is true on this host: every server, what it counted, what
 * HAProxy counted. In one message or, where that would be too large, in several.
 */
#ifndef RUNNER_REPORT_H
#define RUNNER_REPORT_H

#include "vln_client.h"

#include "runner_http.h"
#include "runner_proxy.h"
#include "runner_server.h"

/* All borrowed. */
typedef struct runner_report {
    runner_t *runner;
    vln_client_t *client;
    runner_http_t *http;
    runner_proxy_t *proxy;
    runner_server_t *const *servers;
    size_t server_count;
    uint64_t applied; /* generation that is true */
    const char *boot_id;
} runner_report_t;

void runner_report(const runner_report_t *self, const Valion__V1__HostState *state,
                   vln_arena_t *arena);

#endif
