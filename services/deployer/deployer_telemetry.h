/*
 * deployer_telemetry - what hosts report of requests: kept, and added up.
 *
 * Servers and HAProxy count from zero at each start. What a start had counted when the next one was
 * first seen is kept for good, so that totals never go back; what it counted after its last report is
 * lost, a second of requests at most.
 */
#ifndef DEPLOYER_TELEMETRY_H
#define DEPLOYER_TELEMETRY_H

#include "deployer_store.h"

/* In a transaction with the lock. What belongs to no instance of the host, or is larger than it may be,
 * is left out. */
VLN_MUST_USE vln_err_t deployer_telemetry_keep(deployer_store_t *store, vln_arena_t *arena,
                                               const Valion__V1__ReportHostStateRequest *report);

/* Of an endpoint's stable instances and of its stable backends, all hosts and starts. Never NULL. */
VLN_MUST_USE vln_err_t deployer_telemetry_total(deployer_store_t *store, vln_arena_t *arena,
                                                const char *environment, const char *model,
                                                Valion__V1__Telemetry **servers,
                                                Valion__V1__ProxyCounters **proxy);

#endif
