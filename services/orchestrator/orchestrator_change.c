#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vln_pb.h"

#include "orchestrator.h"
#include "valion/v1/event.pb-c.h"

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
        out->counters = (task_counters_t){.max_attempts = counters->max_attempts};
    }
    if (rule->effect == TASK_RETRY_LATER) {
        int64_t most = task_backoff_ms(counters);
        out->delay_ms = most / 2 + vln_random_below((uint32_t)(most / 2));
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
    char attempts[16];
    snprintf(attempts, sizeof attempts, "%d", change->counters.attempts);
    bool by_request = event == TASK_ON_CANCEL || event == TASK_ON_STOPPED;
    const char *reason = change->cancel_reason ? change->cancel_reason : task->cancel_reason;
    const vln_fact_t facts[] = {{"kind", task->kind},
                                {"state", task_state_name(change->state)},
                                {"why", rule->why},
                                {"error", change->error},
                                {"attempts", attempts},
                                {"reason", by_request ? reason : NULL},
                                {NULL, NULL}};
    vln_events_add(events, type, vln_id_format(task->id.bytes, id), actor, facts);
}

static ProtobufCBinaryData
wire_bytes(const uint8_t *bytes, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)bytes};
}

static char *
borrowed(const char *text)
{
    return (char *)(uintptr_t)text; /* protobuf-c has no const; packing only reads */
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
    job->job_id = wire_bytes(task->id.bytes, VLN_ID_BYTES);
    job->kind = borrowed(task->kind);
    job->state = (Valion__V1__TaskState)task->state;
    job->spec = wire_bytes(task->spec, task->spec_size);
    job->has_result = task->result != NULL;
    job->result = wire_bytes(task->result, task->result_size);
    job->error = borrowed(task->error);
    job->priority = (uint32_t)task->priority;
    job->has_attempts = job->has_crashes = job->has_cancel_requested = job->has_token = 1;
    job->attempts = (uint32_t)task->counters.attempts;
    job->crashes = (uint32_t)task->counters.crashes;
    job->cancel_requested = task->counters.cancel_requested;
    job->token = (uint64_t)task->token;
    job->submitter = borrowed(task->submitter);
    job->worker = borrowed(task->worker_instance ? task->worker_instance : task->worker);
    job->has_progress = task->has_progress;
    job->progress = task->progress;
    job->progress_text = borrowed(task->progress_text);
    job->cancel_reason = borrowed(task->cancel_reason);
    add_times(job, task);
    add_labels(job, arena, task);
    return job;
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
