/*
 * stored_profile - a Profile that was stored as an artifact, read with bounds of its own: it has more
 * fields than a message of the bus may have.
 *
 * Pure. Any thread.
 */
#ifndef STORED_PROFILE_H
#define STORED_PROFILE_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_mem.h"

enum { STORED_PROFILE_BUDGET = 128 * 1024 * 1024 };

/* In the arena, whose budget bounds what the bytes may grow to; NULL if they are no profile. */
Valion__V1__Profile *stored_profile_read(const uint8_t *bytes, size_t size, vln_arena_t *arena);

#endif
