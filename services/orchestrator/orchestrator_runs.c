/*
 * Runs as people see them: got, listed, paused, resumed, cancelled.
 */
#include <ctype.h>
#include <string.h>

#include "vln_json_form.h"
#include "vln_page.h"
#include "vln_pb.h"

#include "orchestrator.h"
#include "orchestrator_advance.h"
#include "orchestrator_pipelines.h"
#include "valion/v1/event.pb-c.h"

enum {
    REASON_MAX = 500,
    OUTPUT_BYTES = 100 * 1024, /* of a run's outputs in a reply; what is beyond is left out */
    TEXT_BYTES = 60 * 1024,    /* of its steps' errors and reasons; what is beyond is cut */
    CUT_TEXT = 120,
    RUNS_AT_ONCE = 100, /* in a page of a list */
};

/* ---- as messages ---- */

/* A text as long as the budget holds it, else its beginning. */
static char *
budget_text(vln_arena_t *arena, const char *text, size_t *budget)
{
    size_t len = text ? strlen(text) : 0;
    if (len <= CUT_TEXT || len <= *budget) {
        *budget -= len < *budget ? len : *budget;
        return orchestrator_borrowed(text);
    }
    size_t cut = CUT_TEXT;
    while (cut > 0 && ((unsigned char)text[cut] & 0xc0) == 0x80) {
        cut--; /* between characters, not within one */
    }
    return vln_arena_printf(arena, "%.*s…", (int)cut, text);
}

static step_state_t
shown_state(const orchestrator_step_t *step)
{
    bool waits_again = step->state == STEP_RUNNING && step->has_task &&
                       step->task_state == TASK_READY && step->attempts > 0;
    return waits_again ? STEP_RETRYING : step->state;
}

static const char *
shown_why(const orchestrator_step_t *step)
{
    if (step->state != STEP_RUNNING || !step->has_task) {
        return step->why;
    }
    switch (step->task_state) {
    case TASK_READY:
        return step->attempts ? "it is tried again" : "it waits for a worker of its kind";
    case TASK_WAITING:
        return "its task waits for something else";
    default:
        return step->why;
    }
}

static Valion__V1__StepRun *
step_to_wire(vln_arena_t *arena, const orchestrator_step_t *step, const char *outputs,
             size_t *budget)
{
    Valion__V1__StepRun *wire = vln_arena_alloc(arena, sizeof *wire);
    valion__v1__step_run__init(wire);
    const char *error = step->error ? step->error : step->task_error;
    wire->name = orchestrator_borrowed(step->name);
    wire->has_state = 1;
    wire->state = (Valion__V1__StepState)shown_state(step);
    wire->has_task_id = step->has_task;
    wire->task_id = orchestrator_borrowed_bytes(step->task_id.bytes, VLN_ID_BYTES);
    wire->has_attempts = step->has_task;
    wire->attempts = (uint32_t)step->attempts;
    wire->outputs_json = orchestrator_borrowed(outputs);
    wire->error = budget_text(arena, step->state == STEP_SUCCEEDED ? NULL : error, budget);
    wire->has_started_us = step->started_us != 0;
    wire->started_us = step->started_us;
    wire->has_finished_us = step->finished_us != 0;
    wire->finished_us = step->finished_us;
    wire->why = budget_text(arena, shown_why(step), budget);
    wire->has_reused = step->reused;
    wire->reused = step->reused;
    return wire;
}

/* Borrows from the run: it lives in the arena. */
static Valion__V1__Run *
run_to_wire(vln_arena_t *arena, const orchestrator_run_t *run)
{
    Valion__V1__Run *wire = vln_arena_alloc(arena, sizeof *wire);
    valion__v1__run__init(wire);
    wire->has_run_id = wire->has_pipeline_version = wire->has_state = wire->has_priority = 1;
    wire->run_id = orchestrator_borrowed_bytes(run->id.bytes, VLN_ID_BYTES);
    wire->pipeline = orchestrator_borrowed(run->pipeline);
    wire->pipeline_version = (uint64_t)run->version;
    wire->state = (Valion__V1__RunState)run->state;
    wire->priority = (uint32_t)run->priority;
    wire->submitter = orchestrator_borrowed(run->submitter);
    wire->has_submitted_us = 1;
    wire->submitted_us = run->submitted_us;
    wire->has_started_us = run->started_us != 0;
    wire->started_us = run->started_us;
    wire->has_finished_us = run->finished_us != 0;
    wire->finished_us = run->finished_us;
    wire->error = orchestrator_borrowed(run->error ? run->error : run->stop_why);
    wire->trigger = orchestrator_borrowed(run->trigger);
    wire->has_rerun_of = run->is_rerun;
    wire->rerun_of = orchestrator_borrowed_bytes(run->rerun_of.bytes, VLN_ID_BYTES);
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    if (vln_pb_unpack(&valion__v1__event_payload__descriptor, run->params, run->params_size, arena,
                      &message, &scan) == VLN_OK) {
        const Valion__V1__EventPayload *pairs = (const void *)message;
        wire->n_params = pairs->n_facts;
        wire->params = pairs->facts;
    }
    return wire;
}

/* "model_training": of the first step that runs or, of a run that failed, of the step that did. */
static char *
find_stage(vln_arena_t *arena, const Valion__V1__Pipeline *pipeline,
           const orchestrator_step_t *steps)
{
    const ProtobufCEnumDescriptor *type = &valion__v1__pipeline_stage__descriptor;
    for (size_t i = 0; i < pipeline->n_steps; i++) {
        const Valion__V1__Step *step = pipeline->steps[i];
        bool is_here = steps[i].state == STEP_RUNNING || steps[i].state == STEP_FAILED;
        const char *name = step->has_stage ? vln_form_enum_name(type, (int)step->stage) : NULL;
        if (!is_here || !name) {
            continue;
        }
        char *out = vln_arena_strdup(arena, vln_form_enum_short(type, name));
        for (char *at = out; *at; at++) {
            *at = (char)tolower((unsigned char)*at);
        }
        return out;
    }
    return NULL;
}

/* The run with its steps. */
static vln_err_t
whole_run(orchestrator_store_t *store, vln_arena_t *arena, const orchestrator_run_t *run,
          Valion__V1__Run **out)
{
    orchestrator_step_t *steps = NULL;
    const char *outputs[RUN_STEPS_MAX] = {NULL};
    orchestrator_pipeline_t stored;
    Valion__V1__Pipeline *pipeline = NULL;
    size_t found = 0;
    vln_err_t err = orchestrator_store_find_steps(store, arena, &run->id, &steps, &found);
    if (err == VLN_OK && found > RUN_STEPS_MAX) {
        err = VLN_DATA_LOSS;
    }
    if (err == VLN_OK) {
        const orchestrator_outputs_filter_t filter = {
            .run = &run->id, .count = found, .bytes_max = OUTPUT_BYTES};
        err = orchestrator_store_find_outputs(store, arena, &filter, outputs);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_find_pipeline(store, arena, run->pipeline, run->version, &stored);
    }
    if (err == VLN_OK) {
        err = orchestrator_pipeline_read(&stored, arena, &pipeline);
    }
    if (err != VLN_OK) {
        return err;
    }
    Valion__V1__Run *wire = run_to_wire(arena, run);
    size_t budget = TEXT_BYTES;
    wire->steps = vln_arena_alloc(arena, (found + 1) * sizeof *wire->steps);
    for (size_t i = 0; i < found; i++) {
        wire->steps[wire->n_steps++] = step_to_wire(arena, &steps[i], outputs[i], &budget);
    }
    wire->current_stage = pipeline->n_steps == found ? find_stage(arena, pipeline, steps) : NULL;
    *out = wire;
    return VLN_OK;
}

static void
refuse_no_run(vln_call_t *call, const vln_id_t *id)
{
    char text[VLN_ID_TEXT];
    vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                    "there is no run %s; ListRuns lists them", vln_id_format(id->bytes, text));
}

/* ---- get ---- */

void
orchestrator_get_run(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__GetRunRequest *request = (const void *)call->request;
    vln_assert(count == 1);
    vln_id_t id;
    orchestrator_run_t *run = vln_arena_alloc(call->arena, sizeof *run);
    if (!orchestrator_read_id(call, "run_id", &request->run_id, &id)) {
        return;
    }
    vln_err_t err = orchestrator_store_find_run(self->store, call->arena, &id, run);
    if (err == VLN_NOT_FOUND) {
        refuse_no_run(call, &id);
        return;
    }
    if (err == VLN_OK && request->has_wait_while && (int)request->wait_while == (int)run->state &&
        !run_has_ended(run->state) &&
        vln_call_park(call, ORCHESTRATOR_TOPIC_RUN, VLN_PARK_MAX_MS)) {
        return;
    }
    Valion__V1__GetRunReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__get_run_reply__init(reply);
    if (err == VLN_OK) {
        err = whole_run(self->store, call->arena, run, &reply->run);
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    vln_call_reply(call, &reply->base);
}

/* ---- list ---- */

static void
fill_list(vln_call_t *call, const orchestrator_run_t *runs, size_t found, bool more,
          Valion__V1__ListRunsReply *reply)
{
    vln_page_t page = {0};
    reply->runs = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->runs);
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Run *run = run_to_wire(call->arena, &runs[i]);
        if (!vln_page_take(&page, call->arena, &run->base)) {
            more = true;
            break;
        }
        reply->runs[reply->n_runs++] = run;
    }
    if (more && reply->n_runs) {
        reply->has_next_token = 1;
        reply->next_token =
            orchestrator_borrowed_bytes(runs[reply->n_runs - 1].id.bytes, VLN_ID_BYTES);
    }
}

void
orchestrator_list_runs(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ListRunsRequest *request = (const void *)call->request;
    vln_assert(count == 1);
    int size = 0;
    vln_id_t before;
    bool goes_on = request->page && request->page->token.len > 0;
    if (!orchestrator_page_size(call, request->page, &size) ||
        (goes_on && !orchestrator_read_id(call, "page.token", &request->page->token, &before))) {
        return;
    }
    const orchestrator_run_filter_t filter = {.pipeline =
                                                  orchestrator_pipeline_name(request->pipeline),
                                              .state = request->has_state ? (int)request->state : 0,
                                              .before = goes_on ? &before : NULL,
                                              .limit = size < RUNS_AT_ONCE ? size : RUNS_AT_ONCE};
    orchestrator_run_t *runs = NULL;
    size_t found = 0;
    vln_err_t err = orchestrator_store_list_runs(self->store, call->arena, &filter, &runs, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    Valion__V1__ListRunsReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__list_runs_reply__init(reply);
    fill_list(call, runs, found, (int)found == filter.limit, reply);
    vln_call_reply(call, &reply->base);
}

/* ---- change ---- */

/* What the work of the transaction sees, and leaves for after it. */
typedef struct changing {
    orchestrator_worker_t *worker;
    orchestrator_advance_t advance;
} changing_t;

/* What is asked for; false, and the call refused, if nothing is. */
static bool
read_change(vln_call_t *call, orchestrator_change_of_run_t *out)
{
    const Valion__V1__ChangeRunRequest *request = (const void *)call->request;
    static const struct {
        Valion__V1__RunChange change;
        run_wish_t wish;
    } wishes[] = {
        {VALION__V1__RUN_CHANGE__RUN_CHANGE_PAUSE, RUN_WISH_PAUSE},
        {VALION__V1__RUN_CHANGE__RUN_CHANGE_RESUME, RUN_WISH_RESUME},
        {VALION__V1__RUN_CHANGE__RUN_CHANGE_CANCEL, RUN_WISH_CANCEL},
    };
    if (request->reason && strlen(request->reason) > REASON_MAX) {
        vln_call_refuse_field(call, "reason", "at most %d bytes are kept", REASON_MAX);
        return false;
    }
    for (size_t i = 0; i < VLN_COUNT(wishes); i++) {
        if (request->change == wishes[i].change) {
            *out = (orchestrator_change_of_run_t){
                .is_wish = true,
                .wish = wishes[i].wish,
                .reason = request->reason && *request->reason ? request->reason : NULL};
            return true;
        }
    }
    vln_call_refuse_field(call, "change", "say what to do: pause, resume or cancel");
    return false;
}

static void
refuse_state(vln_call_t *call, const orchestrator_run_t *run, run_wish_t wish)
{
    static const char *const words[] = {
        [RUN_WISH_PAUSE] = "pause", [RUN_WISH_RESUME] = "resume", [RUN_WISH_CANCEL] = "cancel"};
    vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                    "the run is %s%s: '%s' means nothing to it then", run_state_name(run->state),
                    run->stop != RUN_STOP_NONE && !run_has_ended(run->state) ? ", and stops" : "",
                    words[wish]);
}

/* Changes a run that is locked. */
static vln_err_t
change_run(changing_t *self, vln_call_t *call, orchestrator_run_t *run,
           const orchestrator_change_of_run_t *change)
{
    orchestrator_store_t *store = self->worker->store;
    self->advance = (orchestrator_advance_t){.store = store,
                                             .arena = call->arena,
                                             .events = vln_events_new(call->arena),
                                             .actor = vln_call_actor(call)};
    vln_err_t err = orchestrator_advance_run(&self->advance, run, change);
    if (err == VLN_FAILED_PRECONDITION) {
        refuse_state(call, run, change->wish);
        return VLN_OK;
    }
    if (err == VLN_OK) {
        err = orchestrator_store_write_events(store, self->advance.events);
    }
    orchestrator_run_t *stored = vln_arena_alloc(call->arena, sizeof *stored);
    Valion__V1__ChangeRunReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__change_run_reply__init(reply);
    if (err == VLN_OK) {
        err = orchestrator_store_find_run(store, call->arena, &run->id, stored);
    }
    if (err == VLN_OK) {
        err = whole_run(store, call->arena, stored, &reply->run);
    }
    if (err == VLN_OK) {
        vln_call_reply(call, &reply->base);
    }
    return err;
}

static vln_err_t
work_change(void *context, vln_call_t **calls, size_t count)
{
    changing_t *self = context;
    vln_call_t *call = calls[0];
    const Valion__V1__ChangeRunRequest *request = (const void *)call->request;
    vln_assert(count == 1);
    vln_id_t id;
    orchestrator_run_t run;
    orchestrator_change_of_run_t change;
    if (!orchestrator_read_id(call, "run_id", &request->run_id, &id) ||
        !read_change(call, &change)) {
        return VLN_OK;
    }
    vln_err_t err = orchestrator_store_lock_run(self->worker->store, call->arena, &id, &run);
    if (err == VLN_NOT_FOUND) {
        refuse_no_run(call, &id);
        return VLN_OK;
    }
    if (err != VLN_OK || !orchestrator_check_owner(call, "run", run.submitter)) {
        return err;
    }
    return change_run(self, call, &run, &change);
}

void
orchestrator_change_run(void *worker, vln_call_t **calls, size_t count)
{
    changing_t changing = {.worker = worker};
    vln_once_t once = orchestrator_store_once(changing.worker->store);
    once.context = &changing;
    once.work = work_change;
    vln_once_run(&once, calls, count);
    if (!vln_call_is_refused(calls[0])) {
        orchestrator_advance_committed(&changing.advance, changing.worker->orchestrator);
    }
}

/* ---- numbers ---- */

size_t
orchestrator_stats(void *worker, vln_service_number_t *out)
{
    orchestrator_worker_t *self = worker;
    orchestrator_numbers_t numbers;
    if (orchestrator_store_count(self->store, &numbers) != VLN_OK) {
        return 0;
    }
    double ended = (double)(numbers.completed + numbers.failed);
    const vln_service_number_t rows[] = {
        {"total_executions", (double)numbers.total},
        {"completed_executions", (double)numbers.completed},
        {"failed_executions", (double)numbers.failed},
        {"cancelled_executions", (double)numbers.cancelled},
        {"success_rate", ended > 0 ? (double)numbers.completed / ended : 0},
        {"average_duration_ms", numbers.average_ms},
        {"active_executions", (double)numbers.active},
        {"queued_executions", (double)numbers.queued},
        {"jobs_ready", (double)numbers.tasks[TASK_READY]},
        {"jobs_running", (double)numbers.tasks[TASK_RUNNING]},
        {"jobs_waiting", (double)numbers.tasks[TASK_WAITING]},
        {"jobs_done", (double)numbers.tasks[TASK_DONE]},
        {"jobs_failed", (double)numbers.tasks[TASK_FAILED]},
        {"jobs_cancelled", (double)numbers.tasks[TASK_CANCELLED]},
        {"jobs_poisoned", (double)numbers.tasks[TASK_POISONED]},
    };
    memcpy(out, rows, sizeof rows);
    return VLN_COUNT(rows);
}
