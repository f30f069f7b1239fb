/*
 * vln_event - events into the outbox, in the transaction that changes the state.
 *
 * Knows the outbox only; the relay, which makes the log of it, is the registry's. Used by one
 * thread.
 */
#ifndef VLN_EVENT_H
#define VLN_EVENT_H

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_migrate.h"
#include "vln_pg.h"

/* The statement that a store has in its table for vln_events_flush. */
#define VLN_EVENT_INSERT_SQL                                   \
    "INSERT INTO event.outbox (type, subject, actor, payload)" \
    " SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::bytea[])"

/* The schema `event`: the registry applies it; other services check for it. */
extern const vln_migration_t vln_event_migrations[];
extern const size_t vln_event_migrations_count;
enum { VLN_EVENT_MAJOR = 1, VLN_EVENT_MINOR = 1 };

typedef struct vln_fact {
    const char *key; /* NULL ends a list */
    const char *value;
} vln_fact_t;

/* Events of one transaction, collected, then written by one statement. Lives in the arena. */
typedef struct vln_events vln_events_t;

vln_events_t *vln_events_new(vln_arena_t *arena);

/* All text is copied. `facts` ends with a row whose key is NULL; facts with value NULL are left
 * out. */
void vln_events_add(vln_events_t *self, const char *type, const char *subject, const char *actor,
                    const vln_fact_t *facts);

/* Writes what was collected, in order, with the statement at this index; nothing to do is OK. */
VLN_MUST_USE vln_err_t vln_events_flush(vln_events_t *self, vln_pg_t *pg, size_t statement);

#endif
