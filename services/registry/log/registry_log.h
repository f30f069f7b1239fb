/*
 * registry_log - the event log: the relay that makes it, its signed heads, and reading it.
 *
 * The relay moves rows from event.outbox into event.log in the order in which they were written,
 * gives each a dense position and its place in the hash chain, commits, then publishes. One
 * registry at a time does it, by an advisory lock that ends with its connection. A row is moved
 * when its transaction is visible: whatever committed before another transaction began has the
 * lower position. Each object here is used by one thread.
 */
#ifndef REGISTRY_LOG_H
#define REGISTRY_LOG_H

#include <stdint.h>

#include "vln_err.h"
#include "vln_keys.h"
#include "vln_mem.h"
#include "vln_service.h"

#include "valion/v1/event.pb-c.h"

typedef struct registry_log registry_log_t;

/* As vln_pg_open. */
VLN_MUST_USE vln_err_t registry_log_open(registry_log_t **out, const char *database);
void registry_log_close(registry_log_t **self_p);
VLN_MUST_USE vln_err_t registry_log_ensure(registry_log_t *self);

typedef struct registry_log_query {
    uint64_t after;
    const char *const *types; /* "version.created", "version.*"; count 0 is all */
    size_t type_count;
    const char *subject; /* NULL: any */
    int limit;
} registry_log_query_t;

typedef struct registry_log_page {
    Valion__V1__Event **events; /* in the arena, by position */
    size_t count;
    uint64_t last; /* positions up to it were looked at */
    uint64_t end;  /* of the log */
} registry_log_page_t;

/* At most `limit` events, and what fits one reply (vln_page). */
VLN_MUST_USE vln_err_t registry_log_read(registry_log_t *self, vln_arena_t *arena,
                                         const registry_log_query_t *query,
                                         registry_log_page_t *out);

/* Signs the log's end with this key and keeps the head; NOT_FOUND while the log is empty. */
VLN_MUST_USE vln_err_t registry_log_sign(registry_log_t *self, vln_arena_t *arena,
                                         const uint8_t secret[VLN_SIGN_SECRET],
                                         Valion__V1__LogHead **out);

/* Newest first, those before this head, of which position and time are read (NULL: all). */
VLN_MUST_USE vln_err_t registry_log_list_heads(registry_log_t *self, vln_arena_t *arena,
                                               const Valion__V1__LogHead *before, int limit,
                                               Valion__V1__LogHead ***out, size_t *count);

/* Become the relay, or stay it. UNAVAILABLE while another registry is. */
VLN_MUST_USE vln_err_t registry_log_lock(registry_log_t *self);

enum { REGISTRY_RELAY_BATCH = 2000 };

/* Moves at most REGISTRY_RELAY_BATCH rows in one transaction; the events that were moved, with
 * position and hash, in the arena. Only for the relay. */
VLN_MUST_USE vln_err_t registry_log_relay(registry_log_t *self, vln_arena_t *arena,
                                          Valion__V1__Event ***out, size_t *count);

#endif
