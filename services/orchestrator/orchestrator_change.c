#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vln_pb.h"

#include "orchestrator.h"
#include "valion/v1/event.pb-c.h"

enum { QUOTA_RETRY_MS = 1000, PAGE_DEFAULT = 100, PAGE_MAX = 1000 };

/* The type of event that a transition is told as; NULL for what only costs time. */
static const char *
event_type(task_event_t event, task_state_t to)
{
    switch (event) {
    case TASK_ON_REQUEUED:
        return "job.requeued";
    case TASK_ON_CANCEL:
        return to == TASK_CANCELLED ? "job.finished" : "job.cancelled";
    case TASK_ON_FAILED_ONCE:
    case TASK_ON_CRASHED_ONCE:
    case TASK_ON_LEASE_OUT:
    case TASK_ON_LEASE_OUT_OFTEN:
    case TASK_ON_HANDED_BACK:
        return "task.retried";
    case TASK_ON_CRASHED_AGAIN:
        return "task.poisoned";
    case TASK_ON_WAIT:
        return "task.waiting";
    case TASK_ON_WOKEN:
        return "task.woken";
    default:
        return task_has_ended(to) ? "job.finished" : NULL;
    }
}

bool
orchestrator_decide(const orchestrator_task_t *task, task_event_t event,
                    const task_counters_t *counters, const char *error, orchestrator_change_t *out)
{
    const task_rule_t *rule = task_rule_find(task->state, event);
    if (!rule) {
        return false;
    }
    *out = (orchestrator_change_t){.id = task->id,
                                   .state = rule->to,
                                   .counters = *counters,
                                   .ended = rule->effect == TASK_END,
                                   .error = error};
    if (rule->effect == TASK_ASK_WORKER) {
        out->counters.cancel_requested = true;
    }
    if (rule->effect == TASK_RESET) {
        out->counters = (task_counters_t){.max_attempts = counters->max_attempts,
                                          .max_failures = counters->max_failures};
    }
    if (rule->effect == TASK_RETRY_LATER) {
        int64_t most = task_backoff_ms(counters, &task->retry);
        out->delay_ms = most / 2 + vln_random_below((uint32_t)(most / 2) + 1);
    }
    if (rule->effect == TASK_END && rule->to != TASK_DONE && !error) {
        out->error = rule->why;
    }
    return true;
}

void
orchestrator_add_event(vln_events_t *events, const orchestrator_task_t *task, task_event_t event,
                       const orchestrator_change_t *change, const char *actor)
{
    const char *type = event_type(event, change->state);
    if (!type) {
        return;
    }
    const task_rule_t *rule = task_rule_find(task->state, event);
    char id[VLN_ID_TEXT];
    char run[VLN_ID_TEXT];
    char attempts[16];
    snprintf(attempts, sizeof attempts, "%d", change->counters.attempts);
    bool by_request = event == TASK_ON_CANCEL || event == TASK_ON_STOPPED;
    const char *reason = change->cancel_reason ? change->cancel_reason : task->cancel_reason;
    const vln_fact_t facts[] = {
        {"kind", task->kind},
        {"state", task_state_name(change->state)},
        {"why", rule->why},
        {"error", change->error},
        {"attempts", attempts},
        {"reason", by_request ? reason : NULL},
        {"run", task->in_run ? vln_id_format(task->run_id.bytes, run) : NULL},
        {"step", task->step},
        {NULL, NULL}};
    vln_events_add(events, type, vln_id_format(task->id.bytes, id), actor, facts);
}

ProtobufCBinaryData
orchestrator_borrowed_bytes(const uint8_t *bytes, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)bytes};
}

char *
orchestrator_borrowed(const char *text)
{
    return (char *)(uintptr_t)text;
}

/* Labels are kept as a packed EventPayload, which is a list of pairs. */
static void
add_labels(Valion__V1__Job *job, vln_arena_t *arena, const orchestrator_task_t *task)
{
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    if (task->labels_size && vln_pb_unpack(&valion__v1__event_payload__descriptor, task->labels,
                                           task->labels_size, arena, &message, &scan) == VLN_OK) {
        const Valion__V1__EventPayload *payload = (const void *)message;
        job->n_labels = payload->n_facts;
        job->labels = payload->facts;
    }
}

static void
add_times(Valion__V1__Job *job, const orchestrator_task_t *task)
{
    job->has_submitted_us = job->has_deadline_us = job->has_not_before_us = 1;
    job->submitted_us = task->submitted_us;
    job->deadline_us = task->deadline_us;
    job->not_before_us = task->not_before_us;
    job->has_started_us = task->started_us != 0;
    job->started_us = task->started_us;
    job->has_finished_us = task->finished_us != 0;
    job->finished_us = task->finished_us;
    job->has_lease_until_us = task->lease_until_us != 0;
    job->lease_until_us = task->lease_until_us;
}

Valion__V1__Job *
orchestrator_job_to_wire(vln_arena_t *arena, const orchestrator_task_t *task)
{
    Valion__V1__Job *job = vln_arena_alloc(arena, sizeof *job);
    valion__v1__job__init(job);
    job->has_job_id = job->has_state = job->has_spec = job->has_priority = 1;
    job->job_id = orchestrator_borrowed_bytes(task->id.bytes, VLN_ID_BYTES);
    job->kind = orchestrator_borrowed(task->kind);
    job->state = (Valion__V1__TaskState)task->state;
    job->spec = orchestrator_borrowed_bytes(task->spec, task->spec_size);
    job->has_result = task->result != NULL;
    job->result = orchestrator_borrowed_bytes(task->result, task->result_size);
    job->error = orchestrator_borrowed(task->error);
    job->priority = (uint32_t)task->priority;
    job->has_attempts = job->has_crashes = job->has_cancel_requested = job->has_token = 1;
    job->attempts = (uint32_t)task->counters.attempts;
    job->crashes = (uint32_t)task->counters.crashes;
    job->cancel_requested = task->counters.cancel_requested;
    job->token = (uint64_t)task->token;
    job->submitter = orchestrator_borrowed(task->submitter);
    job->worker =
        orchestrator_borrowed(task->worker_instance ? task->worker_instance : task->worker);
    job->has_progress = task->has_progress;
    job->progress = task->progress;
    job->progress_text = orchestrator_borrowed(task->progress_text);
    job->cancel_reason = orchestrator_borrowed(task->cancel_reason);
    job->has_run_id = task->in_run;
    job->run_id = orchestrator_borrowed_bytes(task->run_id.bytes, VLN_ID_BYTES);
    job->step = orchestrator_borrowed(task->step);
    add_times(job, task);
    add_labels(job, arena, task);
    return job;
}

const char *
orchestrator_submitter(const vln_call_t *call)
{
    return call->ticket ? call->ticket->submitter : call->principal;
}

uint32_t
orchestrator_submitter_roles(const vln_call_t *call)
{
    uint32_t roles = call->ticket ? 0 : call->roles;
    for (size_t i = 0; call->ticket && i < call->ticket->n_submitter_roles; i++) {
        unsigned role = (unsigned)call->ticket->submitter_roles[i];
        roles |= role < 32 ? 1u << role : 0;
    }
    return roles;
}

bool
orchestrator_check_room(const orchestrator_t *self, vln_call_t *call)
{
    int64_t ready = vln_metrics_value(vln_service_metrics(self->service), self->ready_gauge);
    if (ready < self->config->max_ready) {
        return true;
    }
    vln_call_refuse(call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_QUOTA,
                    "%" PRId64 " tasks wait for workers, which is the bound: start more workers, "
                    "or submit later",
                    ready);
    call->limit = self->config->max_ready;
    call->retry_after_ms = QUOTA_RETRY_MS;
    return false;
}

bool
orchestrator_check_owner(vln_call_t *call, const char *what, const char *submitter)
{
    if ((call->roles & (VLN_ROLE(OPERATOR) | VLN_ROLE(ADMIN))) ||
        strcmp(call->principal, submitter) == 0) {
        return true;
    }
    vln_call_refuse(call, VLN_PERMISSION_DENIED, VALION__V1__REASON__REASON_FORBIDDEN,
                    "the %s is %s's: only its submitter or an operator may change it", what,
                    submitter);
    return false;
}

bool
orchestrator_page_size(vln_call_t *call, const Valion__V1__Page *page, int *out)
{
    uint32_t size = page && page->has_size ? page->size : PAGE_DEFAULT;
    if (size < 1 || size > PAGE_MAX) {
        vln_call_refuse_field(call, "page.size", "a page has 1 to %d items", PAGE_MAX);
        return false;
    }
    *out = (int)size;
    return true;
}

bool
orchestrator_read_id(vln_call_t *call, const char *field, const ProtobufCBinaryData *bytes,
                     vln_id_t *out)
{
    if (bytes->len != VLN_ID_BYTES) {
        vln_call_refuse_field(call, field, "an id has %d bytes, this one has %zu", VLN_ID_BYTES,
                              bytes->len);
        return false;
    }
    memcpy(out->bytes, bytes->data, VLN_ID_BYTES);
    return true;
}
