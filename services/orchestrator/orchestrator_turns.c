/*
 * Turns: runs of a pipeline begin, as many as may run at once, the most urgent and then the oldest
 * first. In transactions of their own, after whatever made room: losing one loses time, as the sweep
 * looks for runs that wait.
 */
#include <string.h>

#include "vln_log.h"

#include "orchestrator_advance.h"

enum { TURNS_MAX = 16 };

/* Gives turns in one transaction; `*again`: a run that began has ended, too. */
static vln_err_t
give_turns_once(orchestrator_advance_t *self, const char *pipeline, bool *again)
{
    orchestrator_pipeline_t stored;
    Valion__V1__Pipeline *message = NULL;
    orchestrator_run_t *runs = NULL;
    size_t count = 0;
    vln_err_t err = orchestrator_store_begin(self->store);
    if (err == VLN_OK) {
        err = orchestrator_store_lock_queue(self->store, pipeline);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_find_pipeline(self->store, self->arena, pipeline, 0, &stored);
    }
    if (err == VLN_OK) {
        err = orchestrator_pipeline_read(&stored, self->arena, &message);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_pick_queued(self->store, self->arena, pipeline,
                                             orchestrator_runs_at_once(message), &runs, &count);
    }
    const orchestrator_change_of_run_t turn = {.is_turn = true};
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        err = orchestrator_advance_run(self, &runs[i], &turn);
    }
    if (err == VLN_OK && count) {
        err = orchestrator_store_write_events(self->store, self->events);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_commit(self->store);
    }
    orchestrator_store_rollback(self->store);
    *again = err == VLN_OK && self->freed_count > 0;
    return err;
}

static void
hint(const orchestrator_advance_t *self, const orchestrator_t *service)
{
    if (self->tasks_made) {
        vln_service_hint(service->service, ORCHESTRATOR_TOPIC_READY);
    }
    if (self->tasks_ended) {
        vln_service_hint(service->service, ORCHESTRATOR_TOPIC_JOB);
    }
    if (self->runs_changed) {
        vln_service_hint(service->service, ORCHESTRATOR_TOPIC_RUN);
    }
}

void
orchestrator_give_turns(const orchestrator_t *service, orchestrator_store_t *store,
                        vln_arena_t *arena, const char *pipeline)
{
    bool again = true;
    for (size_t i = 0; i < TURNS_MAX && again; i++) {
        orchestrator_advance_t advance = {
            .store = store, .arena = arena, .events = vln_events_new(arena), .actor = "valion"};
        vln_err_t err = give_turns_once(&advance, pipeline, &again);
        if (err == VLN_OK) {
            hint(&advance, service);
        } else {
            vln_warn("turns.not_given", kv_str("pipeline", pipeline), kv_err(err));
        }
    }
}

void
orchestrator_advance_committed(orchestrator_advance_t *self, const orchestrator_t *service)
{
    hint(self, service);
    for (size_t i = 0; i < self->freed_count; i++) {
        orchestrator_give_turns(service, self->store, self->arena, self->freed[i]);
    }
}
