/*
 * What workers call when a task has ended, or waits. No reply is kept for a request id: the token
 * tells a call that is repeated from one that comes too late.
 */
#include <string.h>

#include "vln_log.h"

#include "orchestrator.h"
#include "orchestrator_advance.h"
#include "orchestrator_kinds.h"

enum {
    ERROR_MAX = 2000,
    ERROR_CLASS_MAX = 128,
    WAIT_JOBS_MAX = 64,
    DEFAULT_WAIT_MS = 60 * 60 * 1000,
    DAY_MS = 24 * 60 * 60 * 1000,
    TOGETHER_MAX = 64, /* tasks of one CompleteTasks */
};

/* The calls of one transaction. */
typedef struct batch {
    orchestrator_worker_t *worker;
    vln_events_t *events;
    vln_id_t runs[VLN_BATCH_MAX]; /* of steps whose task has ended */
    size_t run_count;
} batch_t;

static bool
check_wait(vln_call_t *call, const Valion__V1__Wait *wait)
{
    vln_id_t id;
    if (!wait || wait->n_job_ids > WAIT_JOBS_MAX || (wait->n_job_ids == 0 && !wait->event_type)) {
        vln_call_refuse_field(call, "wait", "name 1 to %d jobs, or a type of event", WAIT_JOBS_MAX);
        return false;
    }
    for (size_t i = 0; i < wait->n_job_ids; i++) {
        if (!orchestrator_read_id(call, "wait.job_ids", &wait->job_ids[i], &id)) {
            return false;
        }
    }
    return true;
}

static bool
check_complete(vln_call_t *call, const Valion__V1__CompleteTaskRequest *request)
{
    vln_id_t id;
    if (!orchestrator_read_id(call, "task_id", &request->task_id, &id)) {
        return false;
    }
    if (request->outcome < VALION__V1__OUTCOME__OUTCOME_DONE ||
        request->outcome > VALION__V1__OUTCOME__OUTCOME_WAIT) {
        vln_call_refuse_field(call, "outcome", "say how the task ended");
        return false;
    }
    if (request->result.len > ORCHESTRATOR_RESULT_MAX ||
        request->resume.len > ORCHESTRATOR_RESULT_MAX) {
        vln_call_refuse_field(call, "result",
                              "at most %d bytes are kept: store larger results as an artifact and "
                              "name its digest",
                              ORCHESTRATOR_RESULT_MAX);
        return false;
    }
    if (request->error && strlen(request->error) > ERROR_MAX) {
        vln_call_refuse_field(call, "error", "at most %d bytes are kept", ERROR_MAX);
        return false;
    }
    if (request->error_class && strlen(request->error_class) > ERROR_CLASS_MAX) {
        vln_call_refuse_field(call, "error_class", "at most %d bytes", ERROR_CLASS_MAX);
        return false;
    }
    return request->outcome != VALION__V1__OUTCOME__OUTCOME_WAIT || check_wait(call, request->wait);
}

static void
answer_state(vln_call_t *call, task_state_t state)
{
    Valion__V1__CompleteTaskReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__complete_task_reply__init(reply);
    reply->has_state = 1;
    reply->state = (Valion__V1__TaskState)state;
    vln_call_reply(call, &reply->base);
    vln_call_hint(call, task_has_ended(state) ? ORCHESTRATOR_TOPIC_JOB : ORCHESTRATOR_TOPIC_READY);
}

static void
refuse_fenced(vln_call_t *call)
{
    vln_call_refuse(call, VLN_ABORTED, VALION__V1__REASON__REASON_FENCED,
                    "this lease is over: the task was given to another worker, or has ended; drop "
                    "its result");
}

static task_report_t
report_of(const Valion__V1__CompleteTaskRequest *request)
{
    switch (request->outcome) {
    case VALION__V1__OUTCOME__OUTCOME_DONE:
        return TASK_REPORT_DONE;
    case VALION__V1__OUTCOME__OUTCOME_CANCELLED:
        return TASK_REPORT_CANCELLED;
    case VALION__V1__OUTCOME__OUTCOME_CRASHED:
        return TASK_REPORT_CRASHED;
    case VALION__V1__OUTCOME__OUTCOME_HANDED_BACK:
        return TASK_REPORT_HANDED_BACK;
    case VALION__V1__OUTCOME__OUTCOME_WAIT:
        return TASK_REPORT_WAIT;
    default:
        return request->retryable ? TASK_REPORT_FAILED_RETRYABLE : TASK_REPORT_FAILED;
    }
}

/* The state that a task of this outcome is in once it has ended; READY where it goes on. */
static task_state_t
end_of(const Valion__V1__CompleteTaskRequest *request)
{
    switch (request->outcome) {
    case VALION__V1__OUTCOME__OUTCOME_DONE:
        return TASK_DONE;
    case VALION__V1__OUTCOME__OUTCOME_FAILED:
        return TASK_FAILED;
    case VALION__V1__OUTCOME__OUTCOME_CANCELLED:
        return TASK_CANCELLED;
    case VALION__V1__OUTCOME__OUTCOME_CRASHED:
        return TASK_POISONED;
    default:
        return TASK_READY;
    }
}

/* Tokens are small numbers that anybody can guess: a lease is the principal's that got it, too. */
static bool
holds_lease(const vln_call_t *call, const orchestrator_task_t *task)
{
    const Valion__V1__CompleteTaskRequest *request = (const void *)call->request;
    return task->token == (int64_t)request->token && task->worker &&
           strcmp(task->worker, call->principal) == 0;
}

/* A call whose token holds no lease: repeated after its reply was lost, or truly too late. */
static void
answer_late(vln_call_t *call, const orchestrator_task_t *task)
{
    const Valion__V1__CompleteTaskRequest *request = (const void *)call->request;
    bool same_lease = holds_lease(call, task);
    bool went_on = task->state == TASK_READY || task->state == TASK_WAITING;
    bool repeated = same_lease && (task->state == end_of(request) ||
                                   (went_on && !task_has_ended(end_of(request))));
    if (repeated && (task->state != TASK_DONE ||
                     (task->result_size == request->result.len &&
                      (task->result_size == 0 ||
                       memcmp(task->result, request->result.data, task->result_size) == 0)))) {
        answer_state(call, task->state);
        return;
    }
    refuse_fenced(call);
}

static vln_err_t
set_wait(orchestrator_worker_t *self, vln_call_t *call, const vln_id_t *id)
{
    const Valion__V1__CompleteTaskRequest *request = (const void *)call->request;
    vln_id_t jobs[WAIT_JOBS_MAX];
    orchestrator_wait_t wait = {
        .id = *id,
        .jobs = jobs,
        .job_count = request->wait->n_job_ids,
        .type = request->wait->event_type,
        .subject = request->wait->event_subject,
        .timeout_ms = request->wait->has_timeout_ms ? request->wait->timeout_ms : DEFAULT_WAIT_MS};
    if (wait.timeout_ms < 0 || wait.timeout_ms > DAY_MS) {
        wait.timeout_ms = DAY_MS;
    }
    for (size_t i = 0; i < wait.job_count; i++) {
        memcpy(jobs[i].bytes, request->wait->job_ids[i].data, VLN_ID_BYTES);
    }
    return orchestrator_store_set_wait(self->store, call->arena, &wait);
}

/* One line of the step's list? */
static bool
is_non_retryable(const orchestrator_task_t *task, const char *error_class)
{
    const char *rest = task->non_retryable ? task->non_retryable : "";
    size_t len = error_class ? strlen(error_class) : 0;
    for (const char *line = rest; len && *line;) {
        size_t size = strcspn(line, "\n");
        if (size == len && memcmp(line, error_class, len) == 0) {
            return true;
        }
        line += size + (line[size] == '\n');
    }
    return false;
}

/* What the rules make of it; false if the call comes too late. `*event` is what happened. */
static bool
decide_end(const vln_call_t *call, const orchestrator_task_t *task, task_event_t *event,
           orchestrator_change_t *change)
{
    const Valion__V1__CompleteTaskRequest *request = (const void *)call->request;
    task_counters_t counters = task->counters;
    task_report_t report = report_of(request);
    if (report == TASK_REPORT_FAILED_RETRYABLE && is_non_retryable(task, request->error_class)) {
        report = TASK_REPORT_FAILED;
    }
    *event = task_event_of(report, &counters);
    if (task->state != TASK_RUNNING || !holds_lease(call, task) ||
        !orchestrator_decide(task, *event, &counters, request->error, change)) {
        return false;
    }
    /* A retry that cannot begin within the task's time is none: its own error says more than that
     * the time is over. */
    if (*event == TASK_ON_FAILED_ONCE &&
        task->now_us + change->delay_ms * 1000 >= task->deadline_us) {
        *event = TASK_ON_FAILED;
        return orchestrator_decide(task, *event, &counters, request->error, change);
    }
    return true;
}

/* Any outcome but DONE, of a task that is locked. */
static vln_err_t
end_lease(batch_t *batch, vln_call_t *call, orchestrator_task_t *task)
{
    orchestrator_worker_t *self = batch->worker;
    const Valion__V1__CompleteTaskRequest *request = (const void *)call->request;
    task_event_t event;
    orchestrator_change_t change;
    if (!decide_end(call, task, &event, &change)) {
        answer_late(call, task);
        return VLN_OK;
    }
    change.resume = request->resume.data;
    change.resume_size = request->resume.len;
    vln_err_t err = orchestrator_store_change(self->store, call->arena, &change, 1);
    if (err == VLN_OK && event == TASK_ON_WAIT) {
        err = set_wait(self, call, &task->id);
    }
    if (err == VLN_OK) {
        orchestrator_add_event(batch->events, task, event, &change, vln_call_actor(call));
        answer_state(call, change.state);
    }
    if (err == VLN_OK && task->in_run && change.ended) {
        batch->runs[batch->run_count++] = task->run_id;
    }
    return err;
}

/* Calls whose task was not simply done, each looked at by itself. */
static vln_err_t
complete_slowly(batch_t *batch, vln_call_t *call)
{
    const Valion__V1__CompleteTaskRequest *request = (const void *)call->request;
    vln_id_t id;
    memcpy(id.bytes, request->task_id.data, VLN_ID_BYTES);
    orchestrator_task_t *task = NULL;
    vln_err_t err = orchestrator_store_lock(batch->worker->store, call->arena, &id, &task);
    if (err == VLN_NOT_FOUND) {
        char text[VLN_ID_TEXT];
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no task %s", vln_id_format(id.bytes, text));
        return VLN_OK;
    }
    if (err != VLN_OK) {
        return err;
    }
    if (request->outcome == VALION__V1__OUTCOME__OUTCOME_DONE) {
        answer_late(call, task);
        return VLN_OK;
    }
    return end_lease(batch, call, task);
}

static void
add_done_event(vln_events_t *events, vln_call_t *call, const orchestrator_done_t *done)
{
    orchestrator_task_t task = {.id = done->id,
                                .kind = done->kind,
                                .state = TASK_RUNNING,
                                .in_run = done->in_run,
                                .run_id = done->run_id,
                                .step = done->step};
    task_counters_t counters = {.attempts = (int)done->attempts};
    orchestrator_change_t change;
    vln_assert(orchestrator_decide(&task, TASK_ON_DONE, &counters, NULL, &change));
    orchestrator_add_event(events, &task, TASK_ON_DONE, &change, call->principal);
}

/* The common case in one statement: the tasks of this batch that are done, each id once. Those it
 * recorded are answered. */
static vln_err_t
complete_done(batch_t *batch, vln_call_t **calls, size_t count)
{
    orchestrator_done_t done[VLN_BATCH_MAX];
    vln_call_t *of[VLN_BATCH_MAX];
    size_t done_count = 0;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__CompleteTaskRequest *request = (const void *)calls[i]->request;
        bool again = request->outcome != VALION__V1__OUTCOME__OUTCOME_DONE;
        for (size_t other = 0; other < done_count && !again; other++) {
            again = memcmp(done[other].id.bytes, request->task_id.data, VLN_ID_BYTES) == 0;
        }
        if (again) {
            continue;
        }
        done[done_count] = (orchestrator_done_t){.token = (int64_t)request->token,
                                                 .worker = calls[i]->principal,
                                                 .result = request->result.data,
                                                 .result_size = request->result.len};
        memcpy(done[done_count].id.bytes, request->task_id.data, VLN_ID_BYTES);
        of[done_count++] = calls[i];
    }
    if (done_count == 0) {
        return VLN_OK;
    }
    vln_err_t err =
        orchestrator_store_complete(batch->worker->store, of[0]->arena, done, done_count);
    for (size_t i = 0; i < done_count && err == VLN_OK; i++) {
        if (done[i].recorded) {
            add_done_event(batch->events, of[i], &done[i]);
            answer_state(of[i], TASK_DONE);
        }
        if (done[i].recorded && done[i].in_run) {
            batch->runs[batch->run_count++] = done[i].run_id;
        }
    }
    return err;
}

/* Runs before tasks: the order of locks. */
static vln_err_t
lock_runs(const batch_t *batch, vln_call_t **calls, size_t count)
{
    vln_id_t ids[VLN_BATCH_MAX];
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__CompleteTaskRequest *request = (const void *)calls[i]->request;
        memcpy(ids[i].bytes, request->task_id.data, VLN_ID_BYTES);
    }
    return orchestrator_store_lock_runs_of(batch->worker->store, calls[0]->arena, ids, count);
}

static vln_err_t
complete_tasks(batch_t *batch, vln_call_t **calls, size_t count)
{
    vln_err_t err = lock_runs(batch, calls, count);
    if (err == VLN_OK) {
        err = complete_done(batch, calls, count);
    }
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        if (calls[i]->outcome == VLN_OUTCOME_NONE) {
            err = complete_slowly(batch, calls[i]);
        }
    }
    return err;
}

static vln_err_t
complete_batch(orchestrator_worker_t *self, vln_call_t **calls, size_t count)
{
    vln_arena_t *arena = calls[0]->arena;
    batch_t batch = {.worker = self, .events = vln_events_new(arena)};
    orchestrator_advance_t advance = {.store = self->store,
                                      .arena = arena,
                                      .events = batch.events,
                                      .actor = vln_call_actor(calls[0])};
    for (size_t i = 0; i < count; i++) {
        vln_call_unanswer(calls[i]);
    }
    vln_err_t err = orchestrator_store_begin(self->store);
    if (err == VLN_OK) {
        err = complete_tasks(&batch, calls, count);
    }
    if (err == VLN_OK) {
        err = orchestrator_advance_runs(&advance, batch.runs, batch.run_count);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_write_events(self->store, batch.events);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_commit(self->store);
    }
    orchestrator_store_rollback(self->store);
    if (err == VLN_OK) {
        orchestrator_advance_committed(&advance, self->orchestrator);
    }
    return err;
}

void
orchestrator_complete_task(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_call_t *sound[VLN_BATCH_MAX];
    size_t sound_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (check_complete(calls[i], (const void *)calls[i]->request)) {
            sound[sound_count++] = calls[i];
        }
    }
    vln_err_t err = sound_count ? complete_batch(self, sound, sound_count) : VLN_OK;
    if (err == VLN_OK) {
        return;
    }
    /* One bad call must not fail its neighbours: each by itself. */
    for (size_t i = 0; i < sound_count; i++) {
        err = sound_count > 1 ? complete_batch(self, &sound[i], 1) : err;
        if (err != VLN_OK) {
            vln_call_refuse_store(sound[i], err);
        }
    }
}

/* ---- many in one call ---- */

/* A task of CompleteTasks as the call that it would be alone. */
static vln_call_t *
call_of(const vln_call_t *whole, const Valion__V1__CompleteTaskRequest *task)
{
    vln_call_t *call = vln_arena_memdup(whole->arena, whole, sizeof *whole);
    vln_call_unanswer(call);
    call->request = &task->base;
    return call;
}

static Valion__V1__CompleteTasksAnswer *
answer_of(vln_arena_t *arena, const vln_call_t *call)
{
    Valion__V1__CompleteTasksAnswer *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__complete_tasks_answer__init(out);
    out->has_status = 1;
    out->status = (Valion__V1__Status)vln_err_to_wire(call->status);
    if (call->status != VLN_OK) {
        out->message = (char *)(uintptr_t)(call->why ? call->why : vln_err_text(call->status));
        return out;
    }
    out->has_state = 1;
    out->state = ((const Valion__V1__CompleteTaskReply *)(const void *)call->reply)->state;
    return out;
}

static void
answer_together(vln_call_t *whole, vln_call_t *const *calls, size_t count)
{
    Valion__V1__CompleteTasksReply *reply = vln_arena_alloc(whole->arena, sizeof *reply);
    valion__v1__complete_tasks_reply__init(reply);
    reply->answers = vln_arena_alloc(whole->arena, count * sizeof *reply->answers);
    for (size_t i = 0; i < count; i++) {
        reply->answers[reply->n_answers++] = answer_of(whole->arena, calls[i]);
    }
    vln_call_reply(whole, &reply->base);
    for (size_t i = 0; i < count; i++) {
        whole->hints |= calls[i]->hints;
    }
}

static bool
check_together(vln_call_t *call, const Valion__V1__CompleteTasksRequest *request)
{
    if (request->n_tasks < 1 || request->n_tasks > TOGETHER_MAX) {
        vln_call_refuse_field(call, "tasks", "1 to %d tasks", TOGETHER_MAX);
        return false;
    }
    return true;
}

void
orchestrator_complete_tasks(void *worker, vln_call_t **calls, size_t count)
{
    size_t most = count * TOGETHER_MAX;
    vln_call_t **tasks = vln_arena_alloc(calls[0]->arena, most * sizeof *tasks);
    size_t task_count = 0;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__CompleteTasksRequest *request = (const void *)calls[i]->request;
        size_t wanted = check_together(calls[i], request) ? request->n_tasks : 0;
        for (size_t t = 0; t < wanted; t++) {
            tasks[task_count++] = call_of(calls[i], request->tasks[t]);
        }
    }
    for (size_t at = 0; at < task_count; at += VLN_BATCH_MAX) {
        size_t left = task_count - at;
        orchestrator_complete_task(worker, &tasks[at], left < VLN_BATCH_MAX ? left : VLN_BATCH_MAX);
    }
    size_t done = 0;
    for (size_t i = 0; i < count; i++) {
        if (!vln_call_is_refused(calls[i])) {
            const Valion__V1__CompleteTasksRequest *request = (const void *)calls[i]->request;
            answer_together(calls[i], &tasks[done], request->n_tasks);
            done += request->n_tasks;
        }
    }
}
