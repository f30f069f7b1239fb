/*
 * registry_differences - how two records of versions differ, as sentences for people. What follows
 * from it for the next number is registry_change.
 */
#ifndef REGISTRY_DIFFERENCES_H
#define REGISTRY_DIFFERENCES_H

#include "vln_mem.h"

#include "valion/v1/registry.pb-c.h"

/* From `old` to `new`, at most 256, in the arena. */
char **registry_differences(vln_arena_t *arena, const Valion__V1__Version *old,
                            const Valion__V1__Version *new, size_t *count);

#endif
