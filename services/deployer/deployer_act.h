/*
 * deployer_act - what a rollout's decision does to the rows: instances, endpoint, revisions.
 */
#ifndef DEPLOYER_ACT_H
#define DEPLOYER_ACT_H

#include "deployer_store.h"
#include "rollout.h"

/* All that concerns a rollout, as the rows have it. In the arena. */
typedef struct deployer_scene {
    deployer_rollout_t *rollout;
    deployer_endpoint_t endpoint;
    deployer_instance_t *instances; /* of the endpoint */
    size_t instance_count;
    deployer_host_t *hosts; /* that offer the environment */
    size_t host_count;
    deployer_instance_t *
        *taken; /* of `instances`, that the rollout takes over; see deployer_place */
    size_t taken_count;
    deployer_instance_t *placed; /* that it starts */
    size_t placed_count;
    const char *no_room; /* sentence; NULL: all have a place */
    const char *why;     /* of what is done, for the revision */
} deployer_scene_t;

VLN_MUST_USE vln_err_t deployer_scene_read(deployer_store_t *store, vln_arena_t *arena,
                                           deployer_rollout_t *rollout, deployer_scene_t *out);

/* True if the instance is of the scene's rollout. */
bool deployer_scene_owns(const deployer_scene_t *self, const deployer_instance_t *instance);

VLN_MUST_USE vln_err_t deployer_act(deployer_store_t *store, vln_arena_t *arena,
                                    deployer_scene_t *scene, rollout_action_t action);

#endif
