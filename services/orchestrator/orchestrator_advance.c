#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"

#include "orchestrator_advance_inside.h"

/* ---- reading ---- */

vln_err_t
orchestrator_pipeline_read(const orchestrator_pipeline_t *stored, vln_arena_t *arena,
                           Valion__V1__Pipeline **out)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    vln_err_t err = vln_pb_unpack(&valion__v1__pipeline__descriptor, stored->body,
                                  stored->body_size, arena, &message, &scan);
    if (err != VLN_OK) {
        vln_error("pipeline.unreadable", kv_str("pipeline", stored->name),
                  kv_i64("version", stored->version), kv_str("why", scan.why));
        return VLN_DATA_LOSS;
    }
    *out = (Valion__V1__Pipeline *)message;
    (*out)->has_version = (*out)->has_created_us = 1;
    (*out)->version = (uint64_t)stored->version;
    (*out)->created_us = stored->created_us;
    (*out)->created_by = vln_arena_strdup(arena, stored->created_by);
    return VLN_OK;
}

static vln_err_t
read_plan(orchestrator_work_t *self)
{
    orchestrator_advance_t *shared = self->shared;
    orchestrator_pipeline_t stored;
    Valion__V1__Pipeline *pipeline = NULL;
    vln_err_t err = orchestrator_store_find_pipeline(
        shared->store, shared->arena, self->row->pipeline, self->row->version, &stored);
    if (err == VLN_OK) {
        err = orchestrator_pipeline_read(&stored, shared->arena, &pipeline);
    }
    if (err != VLN_OK) {
        return err == VLN_NOT_FOUND ? VLN_DATA_LOSS : err;
    }
    orchestrator_flaw_t flaw;
    self->pipeline = pipeline;
    err = orchestrator_plan_make(pipeline, shared->arena, &self->plan, &flaw);
    return err == VLN_OK ? VLN_OK : VLN_DATA_LOSS; /* it was checked when it was stored */
}

static vln_err_t
read_all(orchestrator_work_t *self)
{
    orchestrator_advance_t *shared = self->shared;
    size_t found = 0;
    vln_err_t err = read_plan(self);
    if (err == VLN_OK) {
        err = orchestrator_store_find_steps(shared->store, shared->arena, &self->row->id,
                                            &self->steps, &found);
    }
    if (err == VLN_OK && found != self->pipeline->n_steps) {
        err = VLN_DATA_LOSS;
    }
    if (err != VLN_OK) {
        return err;
    }
    self->run = (run_t){.state = self->row->state,
                        .stop = self->row->stop,
                        .stop_all = self->row->stop_all,
                        .begun = self->row->started_us != 0,
                        .deadline_us = self->row->deadline_us};
    for (size_t i = 0; i < found; i++) {
        self->run.steps[i] = self->steps[i].state;
        self->errors[i] = self->steps[i].error;
    }
    return VLN_OK;
}

/* ---- events ---- */

static void
add_run_event(orchestrator_work_t *self, const char *type, const run_rule_t *rule,
              const char *reason)
{
    char id[VLN_ID_TEXT];
    const vln_fact_t facts[] = {{"pipeline", self->row->pipeline},
                                {"state", run_state_name(self->run.state)},
                                {"why", rule->why},
                                {"error", self->row->error},
                                {"reason", reason},
                                {NULL, NULL}};
    vln_events_add(self->shared->events, type, vln_id_format(self->row->id.bytes, id),
                   self->shared->actor, facts);
}

/* ---- the run ends ---- */

/* A sentence about a run that did not end well; NULL for one that did. */
static const char *
error_of_end(const orchestrator_work_t *self, const run_action_t *action)
{
    if (action->event == RUN_ON_SUCCEEDED) {
        return NULL;
    }
    if (action->event != RUN_ON_STEP_FAILED) {
        return self->row->stop_why;
    }
    const char *error = self->errors[action->step_of_reason];
    bool cancelled = self->run.steps[action->step_of_reason] == STEP_CANCELLED;
    return vln_arena_printf(self->shared->arena, "the required step '%s' %s%s%s",
                            self->pipeline->steps[action->step_of_reason]->name,
                            cancelled ? "was cancelled" : "failed", error ? ": " : "",
                            error ? error : "");
}

static void
add_freed(orchestrator_advance_t *self, const char *pipeline)
{
    for (size_t i = 0; i < self->freed_count; i++) {
        if (strcmp(self->freed[i], pipeline) == 0) {
            return;
        }
    }
    if (self->freed_count < ORCHESTRATOR_FREED_MAX) {
        self->freed[self->freed_count++] = pipeline;
    }
}

static void
finish_run(orchestrator_work_t *self, const run_action_t *action)
{
    self->row->error = error_of_end(self, action);
    add_run_event(self, "run.finished", run_rule_find(RUN_RUNNING, action->event), NULL);
    add_freed(self->shared, self->row->pipeline);
}

/* ---- going on ---- */

/* A stop by time is found by the rules: people are told of it here. */
static void
note_timeout(orchestrator_work_t *self)
{
    if (self->run.stop == RUN_STOP_TIMEOUT && self->row->stop == RUN_STOP_NONE) {
        self->row->stop = RUN_STOP_TIMEOUT;
        self->row->stop_why =
            vln_arena_printf(self->shared->arena, "the run's time, %lld ms, is over",
                             (long long)orchestrator_run_timeout_ms(self->pipeline));
        add_run_event(self, "run.timed_out", run_rule_find(RUN_RUNNING, RUN_ON_TIMEOUT), NULL);
    }
}

/* Again when a step ended by what was to be done: each time there is at least one step less. */
static vln_err_t
go_on(orchestrator_work_t *self)
{
    vln_err_t err = VLN_OK;
    run_action_t *actions =
        vln_arena_alloc(self->shared->arena, (RUN_STEPS_MAX + 1) * sizeof *actions);
    bool again = true;
    while (again && err == VLN_OK) {
        again = false;
        size_t count = run_advance(&self->plan->run, &self->run, self->row->now_us, actions);
        note_timeout(self);
        for (size_t i = 0; i < count && err == VLN_OK; i++) {
            if (actions[i].kind == RUN_FINISH) {
                finish_run(self, &actions[i]);
            } else {
                err = orchestrator_step_perform(self, &actions[i], &again);
            }
        }
    }
    return err;
}

static vln_err_t
store_steps(orchestrator_work_t *self)
{
    orchestrator_advance_t *shared = self->shared;
    orchestrator_step_change_t *changes =
        vln_arena_alloc(shared->arena, RUN_STEPS_MAX * sizeof *changes);
    size_t count = 0;
    for (size_t i = 0; i < self->plan->run.count; i++) {
        if (self->changed[i]) {
            changes[count++] = self->changes[i];
        }
    }
    vln_err_t err = VLN_OK;
    if (self->task_count) {
        err =
            orchestrator_store_insert(shared->store, shared->arena, self->tasks, self->task_count);
        shared->tasks_made = true;
    }
    for (size_t i = 0; i < self->task_count && err == VLN_OK; i++) {
        err = orchestrator_store_mark_step(shared->store, &self->tasks[i].id, &self->marks[i]);
    }
    return err == VLN_OK ? orchestrator_store_change_steps(shared->store, shared->arena,
                                                           &self->row->id, changes, count)
                         : err;
}

/* Of most steps that end only the steps' rows change. */
static bool
has_changed(const orchestrator_work_t *self)
{
    const orchestrator_run_t *now = self->row;
    const orchestrator_run_t *before = &self->read;
    return self->begins || now->state != before->state || now->stop != before->stop ||
           now->stop_all != before->stop_all || now->stop_why != before->stop_why ||
           now->error != before->error;
}

static vln_err_t
store_all(orchestrator_work_t *self)
{
    vln_err_t err = store_steps(self);
    self->row->state = self->run.state;
    self->row->stop = self->run.stop;
    self->row->stop_all = self->run.stop_all;
    self->shared->runs_changed = true;
    if (err != VLN_OK || !has_changed(self)) {
        return err;
    }
    return orchestrator_store_change_run(self->shared->store, self->row, self->begins,
                                         orchestrator_run_timeout_ms(self->pipeline));
}

/* ---- changes from outside ---- */

static vln_err_t
begin_run(orchestrator_work_t *self)
{
    const run_rule_t *rule = run_apply(&self->run, RUN_ON_TURN);
    if (!rule) {
        return VLN_FAILED_PRECONDITION;
    }
    self->begins = true;
    self->row->started_us = self->row->now_us;
    self->run.deadline_us = self->row->now_us + orchestrator_run_timeout_ms(self->pipeline) * 1000;
    self->row->deadline_us = self->run.deadline_us;
    add_run_event(self, "run.started", rule, NULL);
    return VLN_OK;
}

/* A run that never began: its steps end with it, and no rule looks at it again. */
static void
end_unbegun(orchestrator_work_t *self, const run_rule_t *rule, const char *reason)
{
    for (size_t i = 0; i < self->plan->run.count; i++) {
        if (self->steps[i].state == STEP_PENDING) {
            orchestrator_step_change(self, i)->why = self->row->stop_why;
        }
    }
    self->row->error = self->row->stop_why;
    add_run_event(self, "run.finished", rule, reason);
}

static vln_err_t
apply_wish(orchestrator_work_t *self, const orchestrator_change_of_run_t *change)
{
    static const char *const types[] = {[RUN_WISH_PAUSE] = "run.paused",
                                        [RUN_WISH_RESUME] = "run.resumed",
                                        [RUN_WISH_CANCEL] = "run.cancelled"};
    const run_rule_t *rule = run_apply(&self->run, run_event_of(&self->run, change->wish));
    if (!rule) {
        return VLN_FAILED_PRECONDITION;
    }
    if (change->wish == RUN_WISH_CANCEL && self->run.stop != RUN_STOP_TIMEOUT) {
        self->row->stop_why = vln_arena_printf(
            self->shared->arena, "the run was cancelled by %s%s%s", self->shared->actor,
            change->reason ? ": " : "", change->reason ? change->reason : "");
    }
    if (rule->effect == RUN_END) {
        end_unbegun(self, rule, change->reason);
    } else {
        add_run_event(self, types[change->wish], rule, change->reason);
    }
    add_freed(self->shared, self->row->pipeline);
    return VLN_OK;
}

vln_err_t
orchestrator_advance_run(orchestrator_advance_t *self, orchestrator_run_t *run,
                         const orchestrator_change_of_run_t *change)
{
    orchestrator_work_t *work = vln_arena_alloc(self->arena, sizeof *work);
    *work = (orchestrator_work_t){.shared = self, .row = run, .read = *run};
    vln_err_t err = read_all(work);
    if (err == VLN_OK && change && change->is_turn) {
        err = begin_run(work);
    }
    if (err == VLN_OK && change && change->is_wish) {
        err = apply_wish(work, change);
    }
    if (err == VLN_OK) {
        orchestrator_steps_end(work);
        err = go_on(work);
    }
    return err == VLN_OK ? store_all(work) : err;
}

static int
compare_ids(const void *left, const void *right)
{
    return memcmp(left, right, sizeof(vln_id_t));
}

vln_err_t
orchestrator_advance_runs(orchestrator_advance_t *self, const vln_id_t *ids, size_t count)
{
    vln_id_t *sorted = vln_arena_memdup(self->arena, ids, count * sizeof *ids);
    qsort(sorted, count, sizeof *sorted, compare_ids);
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        orchestrator_run_t run;
        if (i > 0 && compare_ids(&sorted[i - 1], &sorted[i]) == 0) {
            continue;
        }
        err = orchestrator_store_lock_run(self->store, self->arena, &sorted[i], &run);
        if (err == VLN_OK && !run_has_ended(run.state)) {
            err = orchestrator_advance_run(self, &run, NULL);
        }
        if (err == VLN_DATA_LOSS) { /* said in the log; what ended its task is kept all the same */
            vln_error("run.stuck", kv_str("pipeline", run.pipeline),
                      kv_i64("version", run.version));
        }
        err = err == VLN_NOT_FOUND || err == VLN_DATA_LOSS ? VLN_OK : err;
    }
    return err;
}
