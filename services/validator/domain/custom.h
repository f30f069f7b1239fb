/*
 * custom - the answer of a check of one's own: what a worker that nobody here knows sent, made into a
 * result that a report can hold. Pure.
 */
#ifndef CUSTOM_H
#define CUSTOM_H

#include <stdbool.h>
#include <valion/v1/evidence.pb-c.h>

#include "vln_err.h"
#include "vln_mem.h"

enum { CUSTOM_WHY = 256 };

/* True if a worker answers checks of this kind: "check:fairness". */
bool custom_is(const char *kind);

/*
 * The result in a packed CustomCheckResult. Who it is about (name, kind, severity, what it blocks) is
 * the spec's, whatever the worker says; numbers that are not finite are left out. Everything lies in
 * the arena. INVALID_ARGUMENT: it cannot be used, and `why` says what is wrong.
 */
VLN_MUST_USE vln_err_t custom_read(const Valion__V1__CheckSpec *spec, const uint8_t *bytes,
                                   size_t size, vln_arena_t *arena, Valion__V1__CheckResult **out,
                                   char why[CUSTOM_WHY]);

/* The result of a check that was not answered: INCONCLUSIVE, or FAIL where it blocks; `why` is a
 * sentence. */
Valion__V1__CheckResult *custom_break(const Valion__V1__CheckSpec *spec, const char *why,
                                      vln_arena_t *arena);

#endif
