/*
 * The sweep: what happens to tasks and runs by time alone. Every orchestrator does it, each second,
 * and skips rows that another one has locked.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_time.h"

#include "orchestrator.h"
#include "orchestrator_advance.h"

enum {
    SWEEP_EVERY_MS = 1000,
    REQUESTS_EVERY_MS = 60000,
    ARENA_BUDGET = 64 * 1024 * 1024,
};

typedef vln_err_t(find_fn)(orchestrator_store_t *store, vln_arena_t *arena,
                           orchestrator_task_t **out, size_t *found);

/* Which tasks the sweep looks for, and what has happened to them. */
static const struct {
    const char *name;
    find_fn *find;
    task_event_t event; /* TASK_EVENT_COUNT: by the report below */
    task_report_t report;
} sweeps[] = {
    /* name             find                             event              report */
    {"tasks.overdue", orchestrator_store_find_overdue, TASK_ON_DEADLINE, TASK_REPORT_FAILED},
    {"leases.run_out", orchestrator_store_find_run_out, TASK_EVENT_COUNT, TASK_REPORT_LEASE_OUT},
    {"tasks.woken", orchestrator_store_find_woken, TASK_ON_WOKEN, TASK_REPORT_FAILED},
};

/*
 * Leaves those tasks that belong to no run, or to one that nobody else holds, which is locked then.
 * The tasks are locked already, and to wait for a run now could be to wait in a circle; the others
 * have their turn in a second.
 */
static vln_err_t
keep_free(orchestrator_store_t *store, vln_arena_t *arena, orchestrator_task_t *tasks,
          size_t *count)
{
    vln_id_t *runs = vln_arena_alloc(arena, (*count + 1) * sizeof *runs);
    size_t run_count = 0;
    for (size_t i = 0; i < *count; i++) {
        if (tasks[i].in_run) {
            runs[run_count++] = tasks[i].run_id;
        }
    }
    if (run_count == 0) {
        return VLN_OK;
    }
    vln_err_t err = orchestrator_store_try_lock_runs(store, arena, runs, &run_count);
    size_t kept = 0;
    for (size_t i = 0; i < *count; i++) {
        bool is_free = !tasks[i].in_run;
        for (size_t r = 0; r < run_count && !is_free; r++) {
            is_free = memcmp(runs[r].bytes, tasks[i].run_id.bytes, VLN_ID_BYTES) == 0;
        }
        if (is_free) {
            tasks[kept++] = tasks[i];
        }
    }
    *count = kept;
    return err;
}

static vln_err_t
change_all(orchestrator_advance_t *advance, size_t sweep, const orchestrator_task_t *tasks,
           size_t count)
{
    orchestrator_change_t *changes = vln_arena_alloc(advance->arena, count * sizeof *changes);
    vln_id_t *runs = vln_arena_alloc(advance->arena, count * sizeof *runs);
    size_t change_count = 0;
    size_t run_count = 0;
    for (size_t i = 0; i < count; i++) {
        task_counters_t counters = tasks[i].counters;
        task_event_t event = sweeps[sweep].event;
        if (event == TASK_EVENT_COUNT) {
            event = task_event_of(sweeps[sweep].report, &counters);
        }
        orchestrator_change_t *change = &changes[change_count];
        if (orchestrator_decide(&tasks[i], event, &counters, NULL, change)) {
            orchestrator_add_event(advance->events, &tasks[i], event, change, advance->actor);
            change_count++;
            if (change->ended && tasks[i].in_run) {
                runs[run_count++] = tasks[i].run_id;
            }
        }
    }
    vln_err_t err =
        orchestrator_store_change(advance->store, advance->arena, changes, change_count);
    if (err == VLN_OK) {
        err = orchestrator_advance_runs(advance, runs, run_count);
    }
    return err == VLN_OK ? orchestrator_store_write_events(advance->store, advance->events) : err;
}

/* One kind of sweep in one transaction; how many tasks it changed. */
static size_t
sweep_once(const orchestrator_t *self, orchestrator_store_t *store, vln_arena_t *arena,
           size_t sweep)
{
    orchestrator_task_t *tasks = NULL;
    size_t found = 0;
    vln_arena_reset(arena);
    orchestrator_advance_t advance = {
        .store = store, .arena = arena, .events = vln_events_new(arena), .actor = "valion"};
    vln_err_t err = orchestrator_store_begin(store);
    if (err == VLN_OK) {
        err = sweeps[sweep].find(store, arena, &tasks, &found);
    }
    if (err == VLN_OK) {
        err = keep_free(store, arena, tasks, &found);
    }
    if (err == VLN_OK && found > 0) {
        err = change_all(&advance, sweep, tasks, found);
    }
    if (err == VLN_OK && found > 0) {
        err = orchestrator_store_commit(store);
    }
    orchestrator_store_rollback(store);
    if (err != VLN_OK || found == 0) {
        return 0;
    }
    vln_info("sweep.done", kv_str("what", sweeps[sweep].name), kv_i64("tasks", (int64_t)found));
    vln_service_hint(self->service, ORCHESTRATOR_TOPIC_READY);
    vln_service_hint(self->service, ORCHESTRATOR_TOPIC_JOB);
    orchestrator_advance_committed(&advance, self);
    return found;
}

/* ---- runs ---- */

static void
advance_stalled(const orchestrator_t *self, orchestrator_store_t *store, vln_arena_t *arena,
                vln_id_t id)
{
    orchestrator_advance_t advance = {
        .store = store, .arena = arena, .events = vln_events_new(arena), .actor = "valion"};
    size_t count = 1;
    vln_err_t err = orchestrator_store_begin(store);
    if (err == VLN_OK) {
        err = orchestrator_store_try_lock_runs(store, arena, &id, &count);
    }
    if (err == VLN_OK && count) {
        err = orchestrator_advance_runs(&advance, &id, 1);
    }
    if (err == VLN_OK && count) {
        err = orchestrator_store_write_events(store, advance.events);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_commit(store);
    }
    orchestrator_store_rollback(store);
    if (err == VLN_OK) {
        orchestrator_advance_committed(&advance, self);
    }
}

/* Runs whose time is over, and those that an orchestrator left when it died: each by itself. */
static void
sweep_runs(const orchestrator_t *self, orchestrator_store_t *store, vln_arena_t *arena)
{
    vln_id_t *runs = NULL;
    const char **queues = NULL;
    size_t found = 0;
    vln_arena_reset(arena);
    if (orchestrator_store_find_stalled(store, arena, &runs, &found) != VLN_OK) {
        return;
    }
    for (size_t i = 0; i < found; i++) {
        advance_stalled(self, store, arena, runs[i]);
    }
    vln_arena_reset(arena);
    if (orchestrator_store_find_queues(store, arena, &queues, &found) != VLN_OK) {
        return;
    }
    for (size_t i = 0; i < found; i++) {
        orchestrator_give_turns(self, store, arena, queues[i]);
    }
}

static void
set_gauge(const orchestrator_t *self, orchestrator_store_t *store)
{
    int64_t ready = 0;
    vln_metrics_t *metrics = vln_service_metrics(self->service);
    if (orchestrator_store_count_ready(store, self->config->max_ready, &ready) == VLN_OK) {
        vln_metrics_add(metrics, self->ready_gauge,
                        ready - vln_metrics_value(metrics, self->ready_gauge));
    }
}

static void
sweep_all(const orchestrator_t *self, orchestrator_store_t *store, vln_arena_t *arena)
{
    for (size_t i = 0; i < VLN_COUNT(sweeps); i++) {
        size_t done = ORCHESTRATOR_SWEEP_MAX;
        while (done == ORCHESTRATOR_SWEEP_MAX) {
            done = sweep_once(self, store, arena, i);
        }
    }
    sweep_runs(self, store, arena);
    if (orchestrator_store_refresh_marks(store) != VLN_OK) {
        vln_debug("marks.not_refreshed", kv_str("detail", "tried again in a second"));
    }
    set_gauge(self, store);
}

void
orchestrator_run_sweep(void *context, vln_stop_t *stop)
{
    const orchestrator_t *self = context;
    orchestrator_store_t *store = NULL;
    vln_err_t err = orchestrator_store_open(&store, self->config->database);
    vln_assert(store || err == VLN_INTERNAL);
    vln_arena_t *arena = vln_arena_new(ARENA_BUDGET);
    int64_t requests_ms = vln_mono_ms();
    /* Jitter keeps several orchestrators from sweeping in step. */
    while (store && !vln_stop_wait(stop, SWEEP_EVERY_MS - 100 + vln_random_below(200))) {
        if (orchestrator_store_ensure(store) != VLN_OK) {
            continue;
        }
        sweep_all(self, store, arena);
        if (vln_mono_ms() - requests_ms > REQUESTS_EVERY_MS) {
            requests_ms = vln_mono_ms();
            if (orchestrator_store_sweep_requests(store) != VLN_OK) {
                vln_debug("requests.not_swept", kv_str("detail", "tried again in a minute"));
            }
        }
    }
    vln_arena_destroy(&arena);
    orchestrator_store_close(&store);
}
