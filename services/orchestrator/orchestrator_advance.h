/*
 * orchestrator_advance - runs go on: the shell around the rules of domain/run.h.
 *
 * Everything here happens within a transaction of the caller's, which is the one that ended a task,
 * gave a run its turn or changed it: so what a run is, and which tasks it has, is never apart. The
 * run is locked first (see orchestrator_sql.c). Used by one thread at a time.
 */
#ifndef ORCHESTRATOR_ADVANCE_H
#define ORCHESTRATOR_ADVANCE_H

#include "orchestrator.h"
#include "orchestrator_plan.h"
#include "orchestrator_runs_store.h"

enum { ORCHESTRATOR_FREED_MAX = 64 };

typedef struct orchestrator_advance {
    orchestrator_store_t *store;
    vln_arena_t *arena;   /* of everything that is read and made */
    vln_events_t *events; /* of the transaction */
    const char *actor;    /* who is named in them */

    /* ---- what was done, for who commits it ---- */
    bool tasks_made;
    bool tasks_ended;
    bool runs_changed;
    const char *freed[ORCHESTRATOR_FREED_MAX]; /* pipelines where a run may have its turn now */
    size_t freed_count;
} orchestrator_advance_t;

/* What happens to a run besides that its tasks have ended. */
typedef struct orchestrator_change_of_run {
    bool is_turn; /* it begins */
    bool is_wish; /* `wish` of a person's */
    run_wish_t wish;
    const char *reason; /* of a cancel; NULL: none was given */
} orchestrator_change_of_run_t;

/*
 * A locked run goes as far as it can. `change` may be NULL. `*run` becomes what is stored.
 * FAILED_PRECONDITION: the change means nothing to the run in its state, nothing was done.
 */
VLN_MUST_USE vln_err_t orchestrator_advance_run(orchestrator_advance_t *self,
                                                orchestrator_run_t *run,
                                                const orchestrator_change_of_run_t *change);

/* Locks these runs and advances each; one that is in the list twice does so once. */
VLN_MUST_USE vln_err_t orchestrator_advance_runs(orchestrator_advance_t *self, const vln_id_t *ids,
                                                 size_t count);

/* Once the transaction has committed: wakes who waits, and gives turns to runs that waited. */
void orchestrator_advance_committed(orchestrator_advance_t *self, const orchestrator_t *service);

/* Runs of the pipeline begin, as many as may run at once. In transactions of its own. What does not
 * come about now the sweep does within a second. */
void orchestrator_give_turns(const orchestrator_t *service, orchestrator_store_t *store,
                             vln_arena_t *arena, const char *pipeline);

/* A stored pipeline as its message, version and times set; DATA_LOSS, logged, if it cannot be
 * read. */
VLN_MUST_USE vln_err_t orchestrator_pipeline_read(const orchestrator_pipeline_t *stored,
                                                  vln_arena_t *arena, Valion__V1__Pipeline **out);

#endif
