/*
 * deployer_refresh - what each host is to run, computed anew from the rows, in the transaction that
 * changed them: a host whose state became another one gets the next generation.
 */
#ifndef DEPLOYER_REFRESH_H
#define DEPLOYER_REFRESH_H

#include "deployer_store.h"

/* `*changed` is set if any host got a new generation; else it stays. */
VLN_MUST_USE vln_err_t deployer_refresh_hosts(deployer_store_t *store, vln_arena_t *arena,
                                              bool *changed);

#endif
