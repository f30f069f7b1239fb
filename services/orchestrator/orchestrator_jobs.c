/*
 * What people and programs call about jobs: submit, get, list, cancel, requeue.
 */
#include <inttypes.h>
#include <string.h>

#include "vln_page.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "orchestrator.h"
#include "orchestrator_advance.h"
#include "orchestrator_kinds.h"
#include "valion/v1/event.pb-c.h"

enum {
    LABELS_MAX = 16,
    LABEL_KEY_MAX = 250,
    LABEL_VALUE_MAX = 5000,
    REASON_MAX = 500,
    DEFAULT_PRIORITY = 3,
    DEFAULT_DEADLINE_MS = 60 * 60 * 1000,
    MIN_DEADLINE_MS = 1000,
    DAY_MS = 24 * 60 * 60 * 1000,
    ATTEMPTS_LIMIT = 100,
    JOBS_AT_ONCE = 300,       /* a job has 14 fields: more of them fit no reply */
    LIST_BYTES = 1024 * 1024, /* of jobs in a list: far more than a reply holds */
};

/* ---- submit ---- */

static bool
check_labels(vln_call_t *call, const Valion__V1__SubmitJobRequest *request)
{
    bool sound = request->n_labels <= LABELS_MAX;
    for (size_t i = 0; sound && i < request->n_labels; i++) {
        const Valion__V1__KeyValue *label = request->labels[i];
        sound = label->key && *label->key && strlen(label->key) <= LABEL_KEY_MAX &&
                (!label->value || strlen(label->value) <= LABEL_VALUE_MAX);
    }
    if (!sound) {
        vln_call_refuse_field(call, "labels", "at most %d labels, each with a key of 1 to %d bytes",
                              LABELS_MAX, LABEL_KEY_MAX);
    }
    return sound;
}

static bool
check_numbers(vln_call_t *call, const Valion__V1__SubmitJobRequest *request)
{
    if (request->has_priority && (request->priority < 1 || request->priority > 5)) {
        vln_call_refuse_field(call, "priority", "a priority is 1 (first) to 5 (last)");
        return false;
    }
    if (request->has_deadline_ms &&
        (request->deadline_ms < MIN_DEADLINE_MS || request->deadline_ms > DAY_MS)) {
        vln_call_refuse_field(call, "deadline_ms", "a deadline is %d to %d ms from now",
                              MIN_DEADLINE_MS, DAY_MS);
        return false;
    }
    if (request->delay_ms < 0 || request->delay_ms > DAY_MS) {
        vln_call_refuse_field(call, "delay_ms", "a delay is 0 to %d ms", DAY_MS);
        return false;
    }
    if (request->has_max_attempts &&
        (request->max_attempts < 1 || request->max_attempts > ATTEMPTS_LIMIT)) {
        vln_call_refuse_field(call, "max_attempts", "1 to %d attempts", ATTEMPTS_LIMIT);
        return false;
    }
    return true;
}

static bool
check_submit(vln_call_t *call, const Valion__V1__SubmitJobRequest *request)
{
    if (!orchestrator_kind_is_name(request->kind)) {
        vln_call_refuse_field(call, "kind",
                              "'%s' is not a kind of task: 1 to %d of a-z 0-9 _ . : -",
                              request->kind ? request->kind : "", VLN_KIND_MAX);
        return false;
    }
    if (request->spec.len > ORCHESTRATOR_SPEC_MAX) {
        vln_call_refuse_field(call, "spec",
                              "the spec has %zu bytes; at most %d are kept: store the rest as an "
                              "artifact and name its digest",
                              request->spec.len, ORCHESTRATOR_SPEC_MAX);
        return false;
    }
    return check_numbers(call, request) && orchestrator_kind_check_roles(call, request->kind) &&
           check_labels(call, request);
}

static orchestrator_new_task_t
make_task(vln_call_t *call, const Valion__V1__SubmitJobRequest *request)
{
    orchestrator_new_task_t task = {
        .id = vln_id_new(),
        .kind = request->kind,
        .spec = request->spec.data,
        .spec_size = request->spec.len,
        .submitter = orchestrator_submitter(call),
        .submitter_roles = orchestrator_submitter_roles(call),
        .priority = request->has_priority ? (int)request->priority : DEFAULT_PRIORITY,
        .delay_ms = request->delay_ms,
        .deadline_ms = request->has_deadline_ms ? request->deadline_ms : DEFAULT_DEADLINE_MS,
        .max_attempts = request->has_max_attempts ? (int)request->max_attempts : TASK_MAX_ATTEMPTS};
    Valion__V1__EventPayload labels = VALION__V1__EVENT_PAYLOAD__INIT;
    labels.n_facts = request->n_labels;
    labels.facts = request->labels;
    task.labels = vln_pb_pack(&labels.base, call->arena, &task.labels_size);
    return task;
}

static vln_err_t
work_submit(void *context, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = context;
    orchestrator_new_task_t tasks[VLN_BATCH_MAX];
    size_t task_count = 0;
    vln_arena_t *arena = calls[0]->arena;
    vln_events_t *events = vln_events_new(arena);
    for (size_t i = 0; i < count; i++) {
        vln_call_t *call = calls[i];
        const Valion__V1__SubmitJobRequest *request = (const void *)call->request;
        if (!check_submit(call, request)) {
            continue;
        }
        orchestrator_new_task_t *task = &tasks[task_count++];
        *task = make_task(call, request);
        char id[VLN_ID_TEXT];
        const vln_fact_t facts[] = {{"kind", task->kind}, {NULL, NULL}};
        vln_events_add(events, "job.submitted", vln_id_format(task->id.bytes, id),
                       vln_call_actor(call), facts);
        Valion__V1__SubmitJobReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
        valion__v1__submit_job_reply__init(reply);
        reply->has_job_id = 1;
        reply->job_id = (ProtobufCBinaryData){
            VLN_ID_BYTES, vln_arena_memdup(call->arena, task->id.bytes, VLN_ID_BYTES)};
        vln_call_reply(call, &reply->base);
        vln_call_hint(call, ORCHESTRATOR_TOPIC_READY);
    }
    if (task_count == 0) {
        return VLN_OK;
    }
    vln_err_t err = orchestrator_store_insert(self->store, arena, tasks, task_count);
    return err == VLN_OK ? orchestrator_store_write_events(self->store, events) : err;
}

void
orchestrator_submit_job(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_call_t *taken[VLN_BATCH_MAX];
    size_t taken_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (orchestrator_check_room(self->orchestrator, calls[i])) {
            taken[taken_count++] = calls[i];
        }
    }
    if (taken_count == 0) {
        return;
    }
    vln_once_t once = orchestrator_store_once(self->store);
    once.context = self;
    once.work = work_submit;
    vln_once_run(&once, taken, taken_count);
}

/* ---- get, list ---- */

static const orchestrator_task_t *
find_in(const orchestrator_task_t *tasks, size_t count, const vln_id_t *id)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(tasks[i].id.bytes, id->bytes, VLN_ID_BYTES) == 0) {
            return &tasks[i];
        }
    }
    return NULL;
}

static void
refuse_no_job(vln_call_t *call, const vln_id_t *id)
{
    char text[VLN_ID_TEXT];
    vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                    "there is no job %s; ListJobs lists them", vln_id_format(id->bytes, text));
}

static void
answer_job(vln_call_t *call, const orchestrator_task_t *task)
{
    const Valion__V1__GetJobRequest *request = (const void *)call->request;
    if (request->has_wait_while && (int)request->wait_while == (int)task->state &&
        !task_has_ended(task->state) &&
        vln_call_park(call, ORCHESTRATOR_TOPIC_JOB, VLN_PARK_MAX_MS)) {
        return;
    }
    Valion__V1__GetJobReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__get_job_reply__init(reply);
    reply->job = orchestrator_job_to_wire(call->arena, task);
    vln_call_reply(call, &reply->base);
}

void
orchestrator_get_job(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_id_t ids[VLN_BATCH_MAX];
    vln_call_t *asked[VLN_BATCH_MAX];
    size_t ask_count = 0;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__GetJobRequest *request = (const void *)calls[i]->request;
        if (orchestrator_read_id(calls[i], "job_id", &request->job_id, &ids[ask_count])) {
            asked[ask_count++] = calls[i];
        }
    }
    if (ask_count == 0) {
        return;
    }
    orchestrator_task_t *tasks = NULL;
    size_t found = 0;
    vln_err_t err =
        orchestrator_store_find(self->store, asked[0]->arena, ids, ask_count, &tasks, &found);
    for (size_t i = 0; i < ask_count; i++) {
        const orchestrator_task_t *task = err == VLN_OK ? find_in(tasks, found, &ids[i]) : NULL;
        if (err != VLN_OK) {
            vln_call_refuse_store(asked[i], err);
        } else if (!task) {
            refuse_no_job(asked[i], &ids[i]);
        } else {
            answer_job(asked[i], task);
        }
    }
}

/* False, and the call refused, if it asks for what no list has. `before` holds the page's token. */
static bool
read_filter(vln_call_t *call, vln_id_t *before, orchestrator_filter_t *out)
{
    const Valion__V1__ListJobsRequest *request = (const void *)call->request;
    const Valion__V1__Page *page = request->page;
    int size = 0;
    if (!orchestrator_page_size(call, page, &size)) {
        return false;
    }
    *out = (orchestrator_filter_t){.kind = request->kind,
                                   .submitter = request->submitter,
                                   .state = request->has_state ? (int)request->state : 0,
                                   .limit = size < JOBS_AT_ONCE ? size : JOBS_AT_ONCE,
                                   .bytes_max = LIST_BYTES};
    if (!page || page->token.len == 0) {
        return true;
    }
    out->before = before;
    return orchestrator_read_id(call, "page.token", &page->token, before);
}

void
orchestrator_list_jobs(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    vln_id_t before;
    orchestrator_filter_t filter;
    if (!read_filter(call, &before, &filter)) {
        return;
    }
    orchestrator_task_t *tasks = NULL;
    size_t found = 0;
    vln_err_t err = orchestrator_store_list(self->store, call->arena, &filter, &tasks, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    Valion__V1__ListJobsReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__list_jobs_reply__init(reply);
    reply->jobs = vln_arena_alloc(call->arena, found * sizeof *reply->jobs);
    vln_page_t page = {0};
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Job *job = orchestrator_job_to_wire(call->arena, &tasks[i]);
        if (!vln_page_take(&page, call->arena, &job->base)) {
            break;
        }
        reply->jobs[reply->n_jobs++] = job;
    }
    if (reply->n_jobs && ((int)found == filter.limit || reply->n_jobs < found)) {
        reply->has_next_token = 1;
        reply->next_token = (ProtobufCBinaryData){VLN_ID_BYTES, tasks[reply->n_jobs - 1].id.bytes};
    }
    vln_call_reply(call, &reply->base);
}

/* ---- cancel, requeue ---- */

static Valion__V1__Job *
changed_job(vln_call_t *call, const orchestrator_task_t *task, const orchestrator_change_t *change)
{
    Valion__V1__Job *job = orchestrator_job_to_wire(call->arena, task);
    job->state = (Valion__V1__TaskState)change->state;
    job->cancel_requested = change->counters.cancel_requested;
    job->attempts = (uint32_t)change->counters.attempts;
    job->crashes = (uint32_t)change->counters.crashes;
    if (change->cancel_reason) {
        job->cancel_reason = (char *)(uintptr_t)change->cancel_reason; /* packing only reads */
    }
    return job;
}

/* What a person asked for: `event`, and why if it is to be kept. */
typedef struct wish {
    const ProtobufCBinaryData *job_id;
    task_event_t event;
    const char *reason;
    orchestrator_advance_t *advance; /* of the run that a job is a step of */
} wish_t;

/* What the work of a transaction sees. */
typedef struct changing {
    orchestrator_worker_t *worker;
    orchestrator_advance_t advance;
} changing_t;

/* The job, locked, if it may be changed so; NULL and the call refused, if not. Its run is locked
 * first. */
static vln_err_t
lock_job(orchestrator_worker_t *self, vln_call_t *call, const wish_t *wish,
         orchestrator_task_t **out)
{
    vln_id_t id;
    orchestrator_task_t *task = NULL;
    *out = NULL;
    if (!orchestrator_read_id(call, "job_id", wish->job_id, &id)) {
        return VLN_OK;
    }
    vln_err_t err = orchestrator_store_lock_runs_of(self->store, call->arena, &id, 1);
    if (err == VLN_OK) {
        err = orchestrator_store_lock(self->store, call->arena, &id, &task);
    }
    if (err == VLN_NOT_FOUND) {
        refuse_no_job(call, &id);
        return VLN_OK;
    }
    if (err != VLN_OK || !orchestrator_check_owner(call, "job", task->submitter)) {
        return err;
    }
    if (task->in_run && wish->event == TASK_ON_REQUEUED) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "the job is step '%s' of a run: submit the run again with rerun_of",
                        task->step);
        return VLN_OK;
    }
    *out = task;
    return VLN_OK;
}

/* The run that the job was a step of goes on without it. */
static vln_err_t
advance_run_of(const wish_t *wish, vln_call_t *call, const orchestrator_task_t *task,
               vln_events_t *events)
{
    wish->advance->arena = call->arena;
    wish->advance->events = events;
    wish->advance->actor = vln_call_actor(call);
    return orchestrator_advance_runs(wish->advance, &task->run_id, 1);
}

/* Does to one job what is wished; *job is what it became, NULL if the call was refused. */
static vln_err_t
change_job(orchestrator_worker_t *self, vln_call_t *call, const wish_t *wish, Valion__V1__Job **job)
{
    orchestrator_task_t *task = NULL;
    orchestrator_change_t change;
    *job = NULL;
    vln_err_t err = lock_job(self, call, wish, &task);
    if (err != VLN_OK || !task) {
        return err;
    }
    if (!orchestrator_decide(task, wish->event, &task->counters, NULL, &change)) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "the job is %s: '%s' means nothing to it then",
                        task_state_name(task->state), task_event_name(wish->event));
        return VLN_OK;
    }
    change.cancel_reason = wish->reason;
    vln_events_t *events = vln_events_new(call->arena);
    orchestrator_add_event(events, task, wish->event, &change, vln_call_actor(call));
    err = orchestrator_store_change(self->store, call->arena, &change, 1);
    *job = err == VLN_OK ? changed_job(call, task, &change) : NULL;
    if (err == VLN_OK && task->in_run && change.ended) {
        err = advance_run_of(wish, call, task, events);
    }
    return err == VLN_OK ? orchestrator_store_write_events(self->store, events) : err;
}

static vln_err_t
work_cancel(void *context, vln_call_t **calls, size_t count)
{
    changing_t *changing = context;
    changing->advance = (orchestrator_advance_t){.store = changing->worker->store};
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        const Valion__V1__CancelJobRequest *request = (const void *)calls[i]->request;
        if (request->reason && strlen(request->reason) > REASON_MAX) {
            vln_call_refuse_field(calls[i], "reason", "at most %d bytes are kept", REASON_MAX);
            continue;
        }
        Valion__V1__CancelJobReply *reply = vln_arena_alloc(calls[i]->arena, sizeof *reply);
        valion__v1__cancel_job_reply__init(reply);
        const wish_t wish = {&request->job_id, TASK_ON_CANCEL,
                             request->reason && *request->reason ? request->reason : NULL,
                             &changing->advance};
        err = change_job(changing->worker, calls[i], &wish, &reply->job);
        if (reply->job) {
            vln_call_reply(calls[i], &reply->base);
            vln_call_hint(calls[i], ORCHESTRATOR_TOPIC_JOB);
        }
    }
    return err;
}

static vln_err_t
work_requeue(void *context, vln_call_t **calls, size_t count)
{
    changing_t *changing = context;
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        const Valion__V1__RequeueJobRequest *request = (const void *)calls[i]->request;
        Valion__V1__RequeueJobReply *reply = vln_arena_alloc(calls[i]->arena, sizeof *reply);
        valion__v1__requeue_job_reply__init(reply);
        const wish_t wish = {&request->job_id, TASK_ON_REQUEUED, NULL, &changing->advance};
        err = change_job(changing->worker, calls[i], &wish, &reply->job);
        if (reply->job) {
            vln_call_reply(calls[i], &reply->base);
            vln_call_hint(calls[i], ORCHESTRATOR_TOPIC_READY);
        }
    }
    return err;
}

/* Runs that a cancelled job was a step of go on once it is committed. */
static void
change_jobs(orchestrator_worker_t *self, vln_call_t **calls, size_t count,
            vln_err_t (*work)(void *context, vln_call_t **calls, size_t count))
{
    changing_t changing = {.worker = self, .advance = {.store = self->store}};
    vln_once_t once = orchestrator_store_once(self->store);
    once.context = &changing;
    once.work = work;
    vln_once_run(&once, calls, count);
    orchestrator_advance_committed(&changing.advance, self->orchestrator);
}

void
orchestrator_cancel_job(void *worker, vln_call_t **calls, size_t count)
{
    change_jobs(worker, calls, count, work_cancel);
}

void
orchestrator_requeue_job(void *worker, vln_call_t **calls, size_t count)
{
    change_jobs(worker, calls, count, work_requeue);
}
