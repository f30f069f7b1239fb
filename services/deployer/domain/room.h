/*
 * room - how many instances a host can be told of, and by how many columns they count: what it is
 * told, and what it reports, are messages of the bus and have bounds.
 *
 * Both are counted from above, so that what fits here fits there. Columns that are left out are no
 * loss of traffic, only of telemetry: they go first. Pure.
 */
#ifndef ROOM_H
#define ROOM_H

#include <stdbool.h>
#include <valion/v1/deployer.pb-c.h>

#include "vln_mem.h"

/* What is taken so far; one that is zeroed is empty. */
typedef struct room {
    size_t instances;
    size_t bytes;
    size_t fields;
    size_t memory;
    size_t counted_bytes; /* of columns, in the report */
    size_t counted_fields;
} room_t;

/* An instance that the host has, without its bins. */
void room_add_bare(room_t *self, const Valion__V1__WantedInstance *wanted, vln_arena_t *arena);

/* A new one, without its bins. False, and nothing taken: the host cannot be told of it (256
 * instances, and the bounds of a message), whatever columns it gives up. */
bool room_take(room_t *self, const Valion__V1__WantedInstance *wanted, vln_arena_t *arena);

/* An instance that the host has, with its bins. */
void room_add(room_t *self, const Valion__V1__WantedInstance *wanted, vln_arena_t *arena);

/* A new one, with as many of its bins as fit; the rest is cut off its end. False: some were. */
bool room_fit(room_t *self, Valion__V1__WantedInstance *wanted, vln_arena_t *arena);

/* Cuts bins until the state can be sent, of the last instances first: whatever came later has to be
 * told to the host, and who runs has read its bins already. */
void room_cut(Valion__V1__HostState *state, vln_arena_t *arena);

#endif
