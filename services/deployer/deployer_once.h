/*
 * deployer_once - a mutating call: done once, alone, with its events in the same transaction.
 */
#ifndef DEPLOYER_ONCE_H
#define DEPLOYER_ONCE_H

#include "deployer.h"

/* The call's effects, in a transaction with the lock; the call is replied or refused afterwards.
 * `prepared` is what was asked of others before the transaction. */
typedef vln_err_t deployer_once_fn(deployer_worker_t *worker, vln_call_t *call,
                                   vln_events_t *events, void *prepared);

/* One call, which is answered afterwards. */
void deployer_once_run(deployer_worker_t *worker, deployer_once_fn *one, void *prepared,
                       vln_call_t **calls, size_t count);

#endif
