/*
 * What workers call to get tasks and keep them; orchestrator_complete.c ends them.
 *
 * Neither keeps a reply for its request id, because each can be repeated by what it names:
 * LeaseTasks finds what the same call got before, Heartbeat goes by the token.
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
    PROGRESS_TEXT_MAX = 200,
    WORKER_MAX = 128,
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
    if (grant->count > 0) {
        vln_call_hint(call, ORCHESTRATOR_TOPIC_JOB); /* who waits for them to begin */
    }
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
