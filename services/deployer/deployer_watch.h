/*
 * deployer_watch - watch rules at work: part of the tick.
 *
 * A rule looks when it is due: at what was counted since the last look that had its sample, of the
 * version that is stable since then. What it found is kept with the rule; a firing is an event in the
 * same transaction. A rollback is written down there too, asked for afterwards by its own request id,
 * and asked for again after a crash.
 */
#ifndef DEPLOYER_WATCH_H
#define DEPLOYER_WATCH_H

#include "deployer.h"

/* Every rule whose time has come. */
VLN_MUST_USE vln_err_t deployer_watch_tick(deployer_worker_t *self, vln_arena_t *arena);

#endif
