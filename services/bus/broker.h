/*
 * broker - valion-bus: carries calls to services by name, and events between services. Holds
 * nothing that is missed: calls are repeated with the same id, services say READY again.
 *
 * One thread, one loop, raw ZeroMQ messages. How the files share the work:
 *
 *     broker.c             opens and closes, the loop, the clock, what happens each second
 *     broker_client.c      calls come in           broker_request.c    are they calls?
 *     broker_service.c     services: READY, replies, heartbeats
 *     broker_reply.c       what clients get back, and what services are sent
 *     broker_self.c        the service "bus", answered here
 *     broker_events.c      published events, to subscribers
 *     broker_zap.c         who may connect         broker_principals.c who is known
 *     broker_guard.c       bounds that libzmq does not have: memory, connections
 *     domain/              routing and names, pure
 *
 * Bounds. Everything that waits here is counted in messages and bytes (domain/route.h). What
 * libzmq holds before it shows it is not: an unfinished multipart message grows without limit, and
 * its sender cannot be found. Therefore this process watches its own memory: at 70 % of
 * --memory-limit it closes the client socket, which drops every connection and every half message,
 * and listens anew; clients connect again within a second and repeat their calls with the same id.
 * Connections: at 80 % of the file descriptors new ones are no longer taken, until 60 %.
 */
#ifndef BROKER_H
#define BROKER_H

#include <stdint.h>

#include "vln_err.h"

typedef struct broker_config {
    const char *client_endpoint;
    const char *service_endpoint;
    const char *publish_endpoint;
    const char *subscribe_endpoint;
    const char *keys; /* folder */
    int64_t max_calls;
    int64_t max_calls_per_principal;
    int64_t max_parked_per_principal;
    int64_t max_waiting_per_principal;
    int64_t max_waiting_per_service;
    int64_t max_waiting_mib_per_service;
    int64_t max_waiting_mib;
    int64_t max_refusals_per_second;
    int64_t no_instance_ms;
    int64_t memory_limit_mib;
} broker_config_t;

typedef struct broker broker_t;

/* `config` is borrowed until broker_close(). What is wrong was logged. */
VLN_MUST_USE vln_err_t broker_open(broker_t **out, const broker_config_t *config);

/* Until SIGTERM or SIGINT. */
void broker_run(broker_t *self);

void broker_close(broker_t **self_p);

#endif
