/*
 * What the rules say is done to a run's steps: their tasks are made, stopped, and ended with.
 */
#include <string.h>

#include "vln_json_form.h"
#include "vln_pb.h"

#include "orchestrator_advance_inside.h"
#include "orchestrator_context.h"
#include "orchestrator_kinds.h"
#include "valion/v1/validator.pb-c.h"

enum { ATTEMPTS_BEYOND_RETRIES = TASK_MAX_ATTEMPTS };

static void
add_step_event(orchestrator_work_t *self, size_t step, const char *type)
{
    const orchestrator_step_change_t *change = &self->changes[step];
    char id[VLN_ID_TEXT];
    char task[VLN_ID_TEXT] = "";
    if (change->task_id || self->steps[step].has_task) {
        vln_id_format((change->task_id ? change->task_id : &self->steps[step].task_id)->bytes,
                      task);
    }
    const vln_fact_t facts[] = {{"pipeline", self->row->pipeline},
                                {"step", self->pipeline->steps[step]->name},
                                {"state", step_state_name(change->state)},
                                {"task", *task ? task : NULL},
                                {"error", change->error},
                                {"why", change->why},
                                {NULL, NULL}};
    vln_events_add(self->shared->events, type, vln_id_format(self->row->id.bytes, id),
                   self->shared->actor, facts);
}

orchestrator_step_change_t *
orchestrator_step_change(orchestrator_work_t *self, size_t step)
{
    if (!self->changed[step]) {
        self->changes[step] = (orchestrator_step_change_t){.position = step};
        self->changed[step] = true;
    }
    self->changes[step].state = self->run.steps[step];
    return &self->changes[step];
}

static void
end_step(orchestrator_work_t *self, size_t step, step_end_t end, const char *error)
{
    self->run.steps[step] = run_step_end(&self->plan->steps[step], end);
    orchestrator_step_change_t *change = orchestrator_step_change(self, step);
    change->error = error;
    self->errors[step] = error;
    if (end == STEP_ENDED_BADLY && self->run.steps[step] == STEP_SKIPPED) {
        change->why = "it failed, and its pipeline takes that as a skip";
    } else if (end == STEP_ENDED_STOPPED) {
        change->why = "its task was cancelled";
    }
    add_step_event(self, step, "run.step_finished");
}

/* From the best verdict to the worst; a step wants at most one of these. FAIL is never good enough. */
static const struct {
    Valion__V1__CheckStatus verdict;
    Valion__V1__MinStatus wanted;
} verdicts[] = {
    {VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS, VALION__V1__MIN_STATUS__MIN_STATUS_PASS},
    {VALION__V1__CHECK_STATUS__CHECK_STATUS_WARN, VALION__V1__MIN_STATUS__MIN_STATUS_WARN},
    {VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE,
     VALION__V1__MIN_STATUS__MIN_STATUS_INCONCLUSIVE},
};

static bool
is_good_enough(int verdict, int wanted)
{
    for (size_t i = 0; i < VLN_COUNT(verdicts); i++) {
        if ((int)verdicts[i].verdict == verdict) {
            return (int)verdicts[i].wanted <= wanted;
        }
    }
    return false;
}

/* NULL, or why the verdict of a validation is not good enough. */
static const char *
judge_verdict(orchestrator_work_t *self, size_t step)
{
    const ProtobufCEnumDescriptor *statuses = &valion__v1__check_status__descriptor;
    const ProtobufCEnumDescriptor *least = &valion__v1__min_status__descriptor;
    const Valion__V1__Step *planned = self->pipeline->steps[step];
    const orchestrator_step_t *row = &self->steps[step];
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    if (vln_pb_unpack(&valion__v1__validate_result__descriptor, row->result, row->result_size,
                      self->shared->arena, &message, &scan) != VLN_OK) {
        return "the validation's result cannot be read";
    }
    const Valion__V1__ValidateResult *result = (const void *)message;
    int wanted = planned->min_verdict ? (int)planned->min_verdict
                                      : (int)VALION__V1__MIN_STATUS__MIN_STATUS_PASS;
    if (is_good_enough((int)result->verdict, wanted)) {
        return NULL;
    }
    const char *verdict = vln_form_enum_name(statuses, (int)result->verdict);
    return vln_arena_printf(self->shared->arena,
                            "the validation's verdict is %s, and %s is wanted%s%s",
                            verdict ? vln_form_enum_short(statuses, verdict) : "unknown",
                            vln_form_enum_short(least, vln_form_enum_name(least, wanted)),
                            result->sentence ? ": " : "", result->sentence ? result->sentence : "");
}

/* A step whose task has ended ends, too. */
static void
end_step_by_task(orchestrator_work_t *self, size_t step)
{
    const orchestrator_step_t *row = &self->steps[step];
    const char *kind = self->pipeline->steps[step]->kind;
    if (row->task_state == TASK_CANCELLED) {
        end_step(self, step, STEP_ENDED_STOPPED, row->task_error);
        return;
    }
    if (row->task_state != TASK_DONE) {
        end_step(self, step, STEP_ENDED_BADLY, row->task_error);
        return;
    }
    const char *outputs =
        orchestrator_kind_outputs(kind, row->result, row->result_size, self->shared->arena);
    self->outputs[step] = outputs;
    self->outputs_read[step] = true;
    orchestrator_step_change(self, step)->outputs = outputs;
    const char *flaw = strcmp(kind, "validate") == 0 ? judge_verdict(self, step) : NULL;
    end_step(self, step, flaw ? STEP_ENDED_BADLY : STEP_ENDED_WELL, flaw);
}

void
orchestrator_steps_end(orchestrator_work_t *self)
{
    for (size_t i = 0; i < self->plan->run.count; i++) {
        if (self->run.steps[i] == STEP_RUNNING && self->steps[i].has_task &&
            task_has_ended(self->steps[i].task_state)) {
            end_step_by_task(self, i);
        }
    }
}

/* ---- starting a step ---- */

/* Outputs of the steps that are marked and were not read yet. */
static vln_err_t
read_outputs(orchestrator_work_t *self, const bool *wanted)
{
    bool missing[RUN_STEPS_MAX];
    bool any = false;
    for (size_t i = 0; i < self->plan->run.count; i++) {
        missing[i] = wanted[i] && !self->outputs_read[i] && self->steps[i].has_outputs;
        any = any || missing[i];
    }
    if (!any) {
        return VLN_OK;
    }
    const char *found[RUN_STEPS_MAX];
    const orchestrator_outputs_filter_t filter = {
        .run = &self->row->id, .wanted = missing, .count = self->plan->run.count};
    vln_err_t err =
        orchestrator_store_find_outputs(self->shared->store, self->shared->arena, &filter, found);
    for (size_t i = 0; err == VLN_OK && i < self->plan->run.count; i++) {
        if (missing[i]) {
            self->outputs[i] = found[i];
            self->outputs_read[i] = true;
        }
    }
    return err;
}

/* The step's parameters with every placeholder filled in, as its task's spec. INVALID_ARGUMENT with
 * a sentence. */
static vln_err_t
make_spec(orchestrator_work_t *self, size_t step, ProtobufCBinaryData *spec,
          template_error_t *error)
{
    const Valion__V1__Step *planned = self->pipeline->steps[step];
    orchestrator_context_t context = {.pipeline = self->pipeline,
                                      .run = self->row,
                                      .states = self->run.steps,
                                      .outputs = self->outputs,
                                      .errors = self->errors};
    bool wanted[RUN_STEPS_MAX] = {false};
    error->why[0] = '\0';
    orchestrator_context_mark(&context, planned, wanted);
    vln_err_t err = read_outputs(self, wanted);
    if (err != VLN_OK) {
        return err;
    }
    const char *json = NULL;
    err = orchestrator_context_render(&context, planned, wanted, self->shared->arena, &json, error);
    return err == VLN_OK
               ? orchestrator_kind_make_spec(planned->kind, json, self->shared->arena, spec, error)
               : err;
}

static const char *
join_classes(vln_arena_t *arena, const Valion__V1__Step *step)
{
    const char *joined = NULL;
    for (size_t i = 0; i < step->n_non_retryable; i++) {
        joined = joined ? vln_arena_printf(arena, "%s\n%s", joined, step->non_retryable[i])
                        : step->non_retryable[i];
    }
    return joined;
}

static void
make_task(orchestrator_work_t *self, size_t step, const ProtobufCBinaryData *spec)
{
    const Valion__V1__Step *planned = self->pipeline->steps[step];
    int retries = orchestrator_step_retries(self->pipeline, planned);
    orchestrator_new_task_t *task = &self->tasks[self->task_count];
    *task = (orchestrator_new_task_t){.id = vln_id_new(),
                                      .kind = planned->kind,
                                      .spec = spec->data,
                                      .spec_size = spec->len,
                                      .submitter = self->row->submitter,
                                      .submitter_roles = self->row->submitter_roles,
                                      .priority = planned->has_priority ? (int)planned->priority
                                                                        : self->row->priority,
                                      .deadline_ms = orchestrator_step_timeout_ms(planned),
                                      .max_attempts = retries + ATTEMPTS_BEYOND_RETRIES};
    self->marks[self->task_count++] =
        (orchestrator_step_task_t){.run_id = self->row->id,
                                   .step = planned->name,
                                   .max_failures = retries + 1,
                                   .retry = orchestrator_step_retry(planned),
                                   .non_retryable = join_classes(self->shared->arena, planned)};
    orchestrator_step_change_t *change = orchestrator_step_change(self, step);
    change->task_id = &task->id;
}

static const char *
why_started(const orchestrator_work_t *self, const run_action_t *action)
{
    if (action->reason == RUN_BECAUSE_NOTHING) {
        return "it waits for no other step";
    }
    return vln_arena_printf(self->shared->arena, "its rule %s came true",
                            trigger_name(self->plan->steps[action->step].trigger));
}

/* `*failed`: it could not, and has ended so. */
static vln_err_t
start_step(orchestrator_work_t *self, const run_action_t *action, bool *failed)
{
    ProtobufCBinaryData spec = {0};
    template_error_t error;
    vln_err_t err = make_spec(self, action->step, &spec, &error);
    if (err == VLN_INVALID_ARGUMENT) {
        *failed = true;
        end_step(self, action->step, STEP_ENDED_BADLY,
                 vln_arena_printf(self->shared->arena, "its parameters: %s", error.why));
        return VLN_OK;
    }
    if (err == VLN_OK) {
        make_task(self, action->step, &spec);
        self->changes[action->step].why = why_started(self, action);
        add_step_event(self, action->step, "run.step_started");
    }
    return err;
}

/* ---- ending and stopping a step ---- */

static const char *
why_ended(const orchestrator_work_t *self, const run_action_t *action)
{
    vln_arena_t *arena = self->shared->arena;
    const char *rule = trigger_name(self->plan->steps[action->step].trigger);
    if (action->reason == RUN_BECAUSE_STOP) {
        return self->row->stop_why;
    }
    if (action->step_of_reason == self->plan->run.count) {
        return vln_arena_printf(arena, "its rule %s cannot come true", rule);
    }
    const char *name = self->pipeline->steps[action->step_of_reason]->name;
    if (action->reason == RUN_BECAUSE_FAILED) {
        return vln_arena_printf(arena, "the required step '%s' failed", name);
    }
    step_state_t state = self->run.steps[action->step_of_reason];
    return vln_arena_printf(arena, "its rule is %s, and step '%s' %s%s", rule, name,
                            state == STEP_FAILED ? "" : "was ", step_state_name(state));
}

/* `*ended`: its task had not begun, and the step ended with it. */
static vln_err_t
stop_task(orchestrator_work_t *self, size_t step, bool *ended)
{
    orchestrator_advance_t *shared = self->shared;
    orchestrator_step_t *row = &self->steps[step];
    orchestrator_task_t *task = NULL;
    if (!row->has_task || row->cancel_requested || task_has_ended(row->task_state)) {
        return VLN_OK;
    }
    vln_err_t err = orchestrator_store_lock(shared->store, shared->arena, &row->task_id, &task);
    orchestrator_change_t change;
    if (err != VLN_OK ||
        !orchestrator_decide(task, TASK_ON_CANCEL, &task->counters, NULL, &change)) {
        return err;
    }
    row->cancel_requested = true;
    change.cancel_reason = self->row->stop_why;
    orchestrator_add_event(shared->events, task, TASK_ON_CANCEL, &change, shared->actor);
    if (change.ended) {
        *ended = true;
        row->task_state = change.state;
        end_step(self, step, STEP_ENDED_STOPPED, NULL);
        self->changes[step].why = self->row->stop_why;
    }
    shared->tasks_ended = true;
    return orchestrator_store_change(shared->store, shared->arena, &change, 1);
}

vln_err_t
orchestrator_step_perform(orchestrator_work_t *self, const run_action_t *action, bool *again)
{
    if (action->kind == RUN_START_STEP) {
        return start_step(self, action, again);
    }
    if (action->kind == RUN_STOP_TASK) {
        return stop_task(self, action->step, again);
    }
    orchestrator_step_change(self, action->step)->why = why_ended(self, action);
    add_step_event(self, action->step, "run.step_finished");
    return VLN_OK;
}
