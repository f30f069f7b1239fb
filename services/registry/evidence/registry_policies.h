/*
 * registry_policies - policies as messages: checked, packed, read, and those that are shipped.
 */
#ifndef REGISTRY_POLICIES_H
#define REGISTRY_POLICIES_H

#include "registry.h"
#include "registry_evidence_store.h"
#include "valion/v1/evidence.pb-c.h"

/* False, and the call refused, unless the policy can be stored: names, kinds, numbers, sizes. */
bool registry_policy_check(vln_call_t *call, const Valion__V1__Policy *policy);

/* The policy as the next version of its name: record, digest and columns. Texts are borrowed. */
registry_new_policy_t registry_policy_pack(vln_arena_t *arena, const Valion__V1__Policy *policy,
                                           int64_t version, const char *created_by);

/* As a message; NULL, and the call refused, if the record cannot be read. */
Valion__V1__Policy *registry_policy_to_wire(vln_call_t *call, const registry_policy_t *policy);

/* Into the events of the transaction. */
void registry_policy_add_event(vln_events_t *events, const registry_new_policy_t *given,
                               const char *actor);

/* True if storing `given` after `newest` would change nothing. */
bool registry_policy_is_same(vln_arena_t *arena, const Valion__V1__Policy *given,
                             const registry_policy_t *newest);

/* Stores the policies that come with the program; at start. Those whose name is not there, and the
 * next version of those that an earlier program stored and nobody has changed. */
VLN_MUST_USE vln_err_t registry_policies_ship(const char *database);

#endif
