#include "deployer_once.h"

typedef struct once_context {
    deployer_worker_t *worker;
    deployer_once_fn *one;
    void *prepared;
} once_context_t;

static vln_err_t
work_once(void *context, vln_call_t **calls, size_t count)
{
    const once_context_t *self = context;
    deployer_store_t *store = self->worker->store;
    vln_events_t *events = vln_events_new(calls[0]->arena);
    vln_assert(count == 1);
    vln_err_t err = deployer_store_lock(store, NULL);
    if (err == VLN_OK) {
        err = self->one(self->worker, calls[0], events, self->prepared);
    }
    return err == VLN_OK ? deployer_store_write_events(store, events) : err;
}

void
deployer_once_run(deployer_worker_t *worker, deployer_once_fn *one, void *prepared,
                  vln_call_t **calls, size_t count)
{
    once_context_t context = {worker, one, prepared};
    vln_once_t once = deployer_store_once(worker->store);
    once.context = &context;
    once.work = work_once;
    vln_once_run(&once, calls, count);
}
