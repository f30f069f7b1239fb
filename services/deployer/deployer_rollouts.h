/*
 * deployer_rollouts - rollouts as they are asked for, recorded and shown: what handlers, tick and
 * tasks have in common.
 */
#ifndef DEPLOYER_ROLLOUTS_H
#define DEPLOYER_ROLLOUTS_H

#include "deployer.h"

enum { DEPLOYER_DECISIONS_SHOWN = 64 };

/* Defaults of the contract where the spec says nothing; its messages lie in the arena. */
void deployer_spec_fill(Valion__V1__RolloutSpec *spec, vln_arena_t *arena);

/* False: `why` is a sentence about the field `*field`. */
bool deployer_spec_check(const Valion__V1__RolloutSpec *spec, const char **field, const char **why);

/* The steps that the strategy makes. */
void deployer_spec_steps(Valion__V1__Rollout *rollout, vln_arena_t *arena);

/* A decision and the event that tells of it; the rollout's sequence counts up. */
VLN_MUST_USE vln_err_t deployer_rollout_record(deployer_store_t *store, vln_events_t *events,
                                               deployer_rollout_t *rollout,
                                               Valion__V1__Decision *decision, const char *actor);

/* Fill what is shown and not stored: status, endpoint, decisions after `after`. */
VLN_MUST_USE vln_err_t deployer_rollout_show(deployer_store_t *store, vln_arena_t *arena,
                                             deployer_rollout_t *rollout, uint64_t after);

/* A rollout of the endpoint that the next one has to wait for, in the arena; NULL: none. */
VLN_MUST_USE vln_err_t deployer_find_blocking(deployer_store_t *store, vln_arena_t *arena,
                                              const char *environment, const char *model,
                                              deployer_rollout_t **out);

/* "http://127.0.0.1:8081/v2/models/houses", or "" if no host offers the environment. */
VLN_MUST_USE vln_err_t deployer_endpoint_url(deployer_store_t *store, vln_arena_t *arena,
                                             const char *environment, const char *model,
                                             char **out);

#endif
