/*
 * deployer_place - the new instances of a rollout: what each is to be, and on which host.
 */
#ifndef DEPLOYER_PLACE_H
#define DEPLOYER_PLACE_H

#include "deployer_act.h"

/* Takes what is warm already, and puts the rest in turn on the hosts that have room: `taken` and
 * `placed`, or `no_room` if they have not enough. Saves nothing. */
VLN_MUST_USE vln_err_t deployer_place(deployer_store_t *store, vln_arena_t *arena,
                                      deployer_scene_t *scene);

#endif
