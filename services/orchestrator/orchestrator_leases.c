/*
 * What workers call: lease, heartbeat, complete.
 *
 * None of them keeps a reply for its request id, because each can be repeated by what it names:
 * LeaseTasks finds what the same call got before, Heartbeat and CompleteTask go by the token.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"

#include "orchestrator.h"

enum {
    FREE_MAX = 64,
    KINDS_MAX = 32,
    BEATS_MAX = 256,
    RESULT_MAX = 16 * 1024,
    ERROR_MAX = 2000,
    PROGRESS_TEXT_MAX = 200,
    WORKER_MAX = 128,
    WAIT_JOBS_MAX = 64,
    DEFAULT_WAIT_MS = 60 * 60 * 1000,
    DAY_MS = 24 * 60 * 60 * 1000,
    LEASE_BYTES = 200 * 1024, /* of specs in one reply, which is one frame */
};

/* ---- lease ---- */

static bool
check_lease(vln_call_t *call, const Valion__V1__LeaseTasksRequest *request)
{
    if (request->n_kinds < 1 || request->n_kinds > KINDS_MAX) {
        vln_call_refuse_field(call, "kinds", "name 1 to %d kinds", KINDS_MAX);
        return false;
    }
    if (request->free < 1 || request->free > FREE_MAX) {
        vln_call_refuse_field(call, "free", "1 to %d free slots", FREE_MAX);
        return false;
    }
    if (request->worker && strlen(request->worker) > WORKER_MAX) {
        vln_call_refuse_field(call, "worker", "at most %d bytes", WORKER_MAX);
        return false;
    }
    for (size_t i = 0; i < request->n_kinds; i++) {
        if (!vln_kinds_allow((const char *const *)call->kinds, call->kind_count,
                             request->kinds[i])) {
            vln_call_refuse(call, VLN_PERMISSION_DENIED, VALION__V1__REASON__REASON_FORBIDDEN,
                            "the certificate of '%s' does not name tasks of kind '%s'; an "
                            "administrator gives kinds with 'valion keys'",
                            call->principal, request->kinds[i]);
            return false;
        }
    }
    return true;
}

/* The lease's proof, which the worker shows on the calls that it makes for the task. */
static Valion__V1__SignedTicket *
sign_ticket(const orchestrator_t *orchestrator, vln_call_t *call, orchestrator_task_t *task)
{
    Valion__V1__Ticket ticket = VALION__V1__TICKET__INIT;
    Valion__V1__Role roles[32];
    ticket.has_task_id = ticket.has_token = ticket.has_expires_us = 1;
    ticket.task_id = (ProtobufCBinaryData){VLN_ID_BYTES, task->id.bytes};
    ticket.token = (uint64_t)task->token;
    ticket.kind = (char *)(uintptr_t)task->kind;
    ticket.submitter = (char *)(uintptr_t)task->submitter;
    ticket.submitter_roles = roles;
    for (unsigned role = 1; role < 32; role++) {
        if (task->submitter_roles & 1u << role) {
            roles[ticket.n_submitter_roles++] = (Valion__V1__Role)role;
        }
    }
    ticket.expires_us = task->deadline_us;
    ticket.worker = (char *)(uintptr_t)call->principal;
    Valion__V1__SignedTicket *out = vln_arena_alloc(call->arena, sizeof *out);
    valion__v1__signed_ticket__init(out);
    out->has_ticket = out->has_signature = 1;
    out->ticket.data = vln_pb_pack(&ticket.base, call->arena, &out->ticket.len);
    out->signature =
        (ProtobufCBinaryData){VLN_SIGNATURE, vln_arena_alloc(call->arena, VLN_SIGNATURE)};
    vln_sign_make(orchestrator->ticket_key, out->ticket.data, out->ticket.len, out->signature.data);
    return out;
}

static Valion__V1__Lease *
lease_to_wire(const orchestrator_t *orchestrator, vln_call_t *call, orchestrator_task_t *task)
{
    Valion__V1__Lease *lease = vln_arena_alloc(call->arena, sizeof *lease);
    valion__v1__lease__init(lease);
    lease->has_task_id = lease->has_token = lease->has_spec = lease->has_lease_ms = 1;
    lease->task_id = (ProtobufCBinaryData){VLN_ID_BYTES, task->id.bytes};
    lease->token = (uint64_t)task->token;
    lease->kind = (char *)(uintptr_t)task->kind;
    lease->spec = (ProtobufCBinaryData){task->spec_size, (uint8_t *)(uintptr_t)task->spec};
    lease->lease_ms = (task->lease_until_us - task->now_us) / 1000;
    lease->has_deadline_ms = lease->has_attempt = 1;
    lease->deadline_ms = (task->deadline_us - task->now_us) / 1000;
    lease->attempt = (uint32_t)task->counters.attempts;
    lease->ticket = sign_ticket(orchestrator, call, task);
    lease->submitter = (char *)(uintptr_t)task->submitter;
    lease->has_resume = task->resume_size > 0;
    lease->resume = (ProtobufCBinaryData){task->resume_size, (uint8_t *)(uintptr_t)task->resume};
    return lease;
}

/* The leases of one call, as they are claimed. */
typedef struct grant {
    vln_call_t *call;
    orchestrator_task_t *tasks[FREE_MAX];
    size_t count;
} grant_t;

static void
answer_lease(const orchestrator_t *orchestrator, grant_t *grant)
{
    vln_call_t *call = grant->call;
    const Valion__V1__LeaseTasksRequest *request = (const void *)call->request;
    if (grant->count == 0 && request->wait_ms > 0 &&
        vln_call_park(call, ORCHESTRATOR_TOPIC_READY, request->wait_ms)) {
        return;
    }
    Valion__V1__LeaseTasksReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__lease_tasks_reply__init(reply);
    reply->leases = vln_arena_alloc(call->arena, (grant->count + 1) * sizeof *reply->leases);
    for (size_t i = 0; i < grant->count; i++) {
        reply->leases[reply->n_leases++] = lease_to_wire(orchestrator, call, grant->tasks[i]);
    }
    vln_call_reply(call, &reply->base);
}

static orchestrator_claim_t
claim_of(const grant_t *grant, const char *kind)
{
    const Valion__V1__LeaseTasksRequest *request = (const void *)grant->call->request;
    int bytes = LEASE_BYTES;
    for (size_t i = 0; i < grant->count; i++) {
        bytes -= (int)(grant->tasks[i]->spec_size + grant->tasks[i]->resume_size);
    }
    return (orchestrator_claim_t){.kind = kind,
                                  .limit = (int)(request->free - grant->count),
                                  .bytes_max = bytes > 0 ? bytes : 0,
                                  .worker = grant->call->principal,
                                  .worker_instance = request->worker ? request->worker : "",
                                  .request_id = grant->call->header->request_id.data};
}

static void
add_tasks(grant_t *grant, orchestrator_task_t *tasks, size_t count)
{
    for (size_t i = 0; i < count && grant->count < FREE_MAX; i++) {
        grant->tasks[grant->count++] = &tasks[i];
    }
}

/* Kinds that this batch has found empty: nobody asks for them again. */
typedef struct empties {
    size_t count;
    const char *kinds[VLN_BATCH_MAX];
} empties_t;

static bool
is_empty(const empties_t *empties, const char *kind)
{
    for (size_t i = 0; i < empties->count; i++) {
        if (strcmp(empties->kinds[i], kind) == 0) {
            return true;
        }
    }
    return false;
}

static vln_err_t
claim_kinds(orchestrator_worker_t *self, grant_t *grant, empties_t *empties)
{
    const Valion__V1__LeaseTasksRequest *request = (const void *)grant->call->request;
    for (size_t i = 0; i < request->n_kinds && grant->count < request->free; i++) {
        const char *kind = request->kinds[i];
        if (is_empty(empties, kind)) {
            continue;
        }
        orchestrator_claim_t claim = claim_of(grant, kind);
        if (claim.bytes_max == 0) {
            break; /* the reply is full: the statement gives one task whatever its size */
        }
        orchestrator_task_t *tasks = NULL;
        size_t found = 0;
        vln_err_t err =
            orchestrator_store_claim(self->store, grant->call->arena, &claim, &tasks, &found);
        if (err != VLN_OK) {
            return err;
        }
        add_tasks(grant, tasks, found);
        if (found == 0 && empties->count < VLN_BATCH_MAX) {
            empties->kinds[empties->count++] = kind;
        }
    }
    return VLN_OK;
}

/* A repeated call gets what it got before: the first reply may have been lost on its way. */
static vln_err_t
claim_for(orchestrator_worker_t *self, grant_t *grant, empties_t *empties)
{
    grant->count = 0;
    if (grant->call->header->attempt > 1) {
        orchestrator_claim_t claim = claim_of(grant, "");
        orchestrator_task_t *tasks = NULL;
        size_t found = 0;
        vln_err_t err =
            orchestrator_store_find_leased(self->store, grant->call->arena, &claim, &tasks, &found);
        if (err != VLN_OK) {
            return err;
        }
        add_tasks(grant, tasks, found);
    }
    return grant->count ? VLN_OK : claim_kinds(self, grant, empties);
}

static vln_err_t
claim_all(orchestrator_worker_t *self, grant_t *grants, size_t count)
{
    empties_t empties = {0};
    vln_err_t err = orchestrator_store_begin(self->store);
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        err = claim_for(self, &grants[i], &empties);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_commit(self->store);
    }
    orchestrator_store_rollback(self->store);
    return err;
}

void
orchestrator_lease_tasks(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    grant_t *grants = vln_arena_alloc(calls[0]->arena, count * sizeof *grants);
    size_t grant_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (calls[i]->header->request_id.len != VLN_ID_BYTES) {
            vln_call_refuse(calls[i], VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_MALFORMED,
                            "LeaseTasks needs a request id of 16 bytes");
        } else if (check_lease(calls[i], (const void *)calls[i]->request)) {
            grants[grant_count++].call = calls[i];
        }
    }
    if (grant_count == 0) {
        return;
    }
    vln_err_t err = claim_all(self, grants, grant_count);
    for (size_t i = 0; i < grant_count; i++) {
        if (err != VLN_OK) {
            vln_call_refuse_store(grants[i].call, err);
        } else {
            answer_lease(self->orchestrator, &grants[i]);
        }
    }
}

/* ---- heartbeat ---- */

static bool
read_beats(vln_call_t *call, orchestrator_beat_t **out)
{
    const Valion__V1__HeartbeatRequest *request = (const void *)call->request;
    if (request->n_beats < 1 || request->n_beats > BEATS_MAX) {
        vln_call_refuse_field(call, "beats", "1 to %d beats", BEATS_MAX);
        return false;
    }
    *out = vln_arena_alloc(call->arena, request->n_beats * sizeof **out);
    for (size_t i = 0; i < request->n_beats; i++) {
        const Valion__V1__Beat *beat = request->beats[i];
        orchestrator_beat_t *row = &(*out)[i];
        if (!orchestrator_read_id(call, "beats.task_id", &beat->task_id, &row->id)) {
            return false;
        }
        bool sane = !beat->has_progress || (beat->progress >= 0 && beat->progress <= 1);
        if (!sane || (beat->progress_text && strlen(beat->progress_text) > PROGRESS_TEXT_MAX)) {
            vln_call_refuse_field(call, "beats.progress",
                                  "progress is 0 to 1, its text at most %d bytes",
                                  PROGRESS_TEXT_MAX);
            return false;
        }
        row->token = (int64_t)beat->token;
        row->progress = beat->has_progress ? beat->progress : -1;
        row->progress_text = beat->progress_text;
    }
    return true;
}

static void
answer_beats(vln_call_t *call, orchestrator_beat_t *beats)
{
    const Valion__V1__HeartbeatRequest *request = (const void *)call->request;
    Valion__V1__HeartbeatReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__heartbeat_reply__init(reply);
    reply->answers = vln_arena_alloc(call->arena, request->n_beats * sizeof *reply->answers);
    for (size_t i = 0; i < request->n_beats; i++) {
        Valion__V1__BeatAnswer *answer = vln_arena_alloc(call->arena, sizeof *answer);
        valion__v1__beat_answer__init(answer);
        answer->has_task_id = answer->has_verdict = 1;
        answer->task_id = (ProtobufCBinaryData){VLN_ID_BYTES, beats[i].id.bytes};
        answer->verdict = !beats[i].alive   ? VALION__V1__BEAT_VERDICT__BEAT_VERDICT_FENCED
                          : beats[i].cancel ? VALION__V1__BEAT_VERDICT__BEAT_VERDICT_CANCEL
                                            : VALION__V1__BEAT_VERDICT__BEAT_VERDICT_CONTINUE;
        answer->has_lease_ms = beats[i].alive;
        answer->lease_ms = ORCHESTRATOR_LEASE_MS;
        reply->answers[reply->n_answers++] = answer;
    }
    vln_call_reply(call, &reply->base);
}

void
orchestrator_heartbeat(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__HeartbeatRequest *request = (const void *)calls[i]->request;
        orchestrator_beat_t *beats = NULL;
        if (!read_beats(calls[i], &beats)) {
            continue;
        }
        vln_err_t err = orchestrator_store_extend(self->store, calls[i]->arena, calls[i]->principal,
                                                  beats, request->n_beats);
        if (err != VLN_OK) {
            vln_call_refuse_store(calls[i], err);
        } else {
            answer_beats(calls[i], beats);
        }
    }
}

/* ---- complete ---- */

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
    if (request->result.len > RESULT_MAX || request->resume.len > RESULT_MAX) {
        vln_call_refuse_field(call, "result",
                              "at most %d bytes are kept: store larger results as an artifact and "
                              "name its digest",
                              RESULT_MAX);
        return false;
    }
    if (request->error && strlen(request->error) > ERROR_MAX) {
        vln_call_refuse_field(call, "error", "at most %d bytes are kept", ERROR_MAX);
        return false;
    }
    if (request->outcome == VALION__V1__OUTCOME__OUTCOME_WAIT &&
        (!request->wait || request->wait->n_job_ids > WAIT_JOBS_MAX ||
         (request->wait->n_job_ids == 0 && !request->wait->event_type))) {
        vln_call_refuse_field(call, "wait", "name 1 to %d jobs, or a type of event", WAIT_JOBS_MAX);
        return false;
    }
    for (size_t i = 0; request->wait && i < request->wait->n_job_ids; i++) {
        if (!orchestrator_read_id(call, "wait.job_ids", &request->wait->job_ids[i], &id)) {
            return false;
        }
    }
    return true;
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

/* Any outcome but DONE, of a task that is locked. */
static vln_err_t
end_lease(orchestrator_worker_t *self, vln_call_t *call, orchestrator_task_t *task,
          vln_events_t *events)
{
    const Valion__V1__CompleteTaskRequest *request = (const void *)call->request;
    task_counters_t counters = task->counters;
    task_event_t event = task_event_of(report_of(request), &counters);
    orchestrator_change_t change;
    if (task->state != TASK_RUNNING || !holds_lease(call, task) ||
        !orchestrator_decide(task, event, &counters, request->error, &change)) {
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
        orchestrator_add_event(events, task, event, &change, vln_call_actor(call));
        answer_state(call, change.state);
    }
    return err;
}

/* Calls whose task was not simply done, each looked at by itself. */
static vln_err_t
complete_slowly(orchestrator_worker_t *self, vln_call_t *call, vln_events_t *events)
{
    const Valion__V1__CompleteTaskRequest *request = (const void *)call->request;
    vln_id_t id;
    memcpy(id.bytes, request->task_id.data, VLN_ID_BYTES);
    orchestrator_task_t *task = NULL;
    vln_err_t err = orchestrator_store_lock(self->store, call->arena, &id, &task);
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
    return end_lease(self, call, task, events);
}

static void
add_done_event(vln_events_t *events, vln_call_t *call, const orchestrator_done_t *done)
{
    orchestrator_task_t task = {.id = done->id, .kind = done->kind, .state = TASK_RUNNING};
    task_counters_t counters = {.attempts = (int)done->attempts};
    orchestrator_change_t change;
    vln_assert(orchestrator_decide(&task, TASK_ON_DONE, &counters, NULL, &change));
    orchestrator_add_event(events, &task, TASK_ON_DONE, &change, call->principal);
}

/* The common case in one statement: the tasks of this batch that are done, each id once. Those it
 * recorded are answered. */
static vln_err_t
complete_done(orchestrator_worker_t *self, vln_call_t **calls, size_t count, vln_events_t *events)
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
    vln_err_t err = orchestrator_store_complete(self->store, of[0]->arena, done, done_count);
    for (size_t i = 0; i < done_count && err == VLN_OK; i++) {
        if (done[i].recorded) {
            add_done_event(events, of[i], &done[i]);
            answer_state(of[i], TASK_DONE);
        }
    }
    return err;
}

static vln_err_t
complete_batch(orchestrator_worker_t *self, vln_call_t **calls, size_t count)
{
    vln_events_t *events = vln_events_new(calls[0]->arena);
    for (size_t i = 0; i < count; i++) {
        vln_call_unanswer(calls[i]);
    }
    vln_err_t err = orchestrator_store_begin(self->store);
    if (err == VLN_OK) {
        err = complete_done(self, calls, count, events);
    }
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        if (calls[i]->outcome == VLN_OUTCOME_NONE) {
            err = complete_slowly(self, calls[i], events);
        }
    }
    if (err == VLN_OK) {
        err = orchestrator_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_commit(self->store);
    }
    orchestrator_store_rollback(self->store);
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
