#include "validator_custom.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_pb.h"

#include "custom.h"
#include "validator_store.h"
#include "valion/v1/orchestrator.pb-c.h"

enum {
    CUSTOM_MAX = 64,
    TIMEOUT_MS = 60 * 1000,
    TIMEOUT_MAX_MS = 24 * 3600 * 1000,
    GRACE_MS = 5000, /* for the orchestrator to end what is late */
    ATTEMPTS = 3,
    PURPOSE_MAX = 160,
};

/* ---- what is told ---- */

/* "row,prediction", or "row,prediction_0,prediction_1" …; nothing where the model gave no number. */
static char *
write_predictions(const vln_sandbox_result_t *answers, size_t *size)
{
    char *text = NULL;
    FILE *out = open_memstream(&text, size);
    vln_assert(out);
    fputs("row", out);
    for (size_t i = 0; i < answers->width; i++) {
        if (answers->width == 1) {
            fputs(",prediction", out);
        } else {
            fprintf(out, ",prediction_%zu", i);
        }
    }
    fputc('\n', out);
    for (size_t row = 0; row < answers->rows; row++) {
        fprintf(out, "%zu", row);
        for (size_t i = 0; i < answers->width; i++) {
            double value = (double)answers->values[row * answers->width + i];
            fprintf(out, isfinite(value) ? ",%.9g" : ",", value);
        }
        fputc('\n', out);
    }
    vln_assert(fclose(out) == 0);
    return text;
}

static bool
store_predictions(vln_worker_t *worker, vln_task_t *task, const validator_custom_subject_t *subject,
                  uint8_t digest[VLN_DIGEST_BYTES])
{
    size_t size = 0;
    char why[VLN_ARTIFACTS_WHY];
    char *text = write_predictions(subject->answers, &size);
    const vln_artifact_t artifact = {text, size, "text/csv"};
    vln_err_t err = vln_artifacts_put(worker->artifacts, &artifact, task->ticket, digest, why);
    free(text);
    if (err != VLN_OK) {
        vln_worker_fail(task, err, "the predictions", why);
    }
    return err == VLN_OK;
}

static int64_t
timeout_of(const Valion__V1__CheckSpec *check)
{
    int64_t ms = check->has_timeout_ms && check->timeout_ms > 0 ? check->timeout_ms : TIMEOUT_MS;
    return ms < TIMEOUT_MAX_MS - GRACE_MS ? ms : TIMEOUT_MAX_MS - GRACE_MS;
}

static bool
submit(vln_worker_t *worker, vln_task_t *task, Valion__V1__CustomCheckSpec *spec,
       uint8_t id[VLN_ID_BYTES])
{
    Valion__V1__SubmitJobRequest request = VALION__V1__SUBMIT_JOB_REQUEST__INIT;
    char purpose[PURPOSE_MAX];
    size_t size = 0;
    const uint8_t *packed = vln_pb_pack(&spec->base, task->arena, &size);
    vln_reply_t reply;
    snprintf(purpose, sizeof purpose, "check %.128s", spec->check->name);
    request.kind = spec->check->kind;
    request.has_spec = request.has_deadline_ms = request.has_max_attempts = 1;
    request.spec = validator_borrow(packed, size);
    request.deadline_ms = timeout_of(spec->check) > 1000 ? timeout_of(spec->check) : 1000;
    request.max_attempts = ATTEMPTS;
    const vln_call_spec_t call = {.service = "orchestrator",
                                  .method = "SubmitJob",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__submit_job_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, purpose, call, &reply);
    const Valion__V1__SubmitJobReply *submitted = (const void *)reply.message;
    bool good = err == VLN_OK && submitted->job_id.len == VLN_ID_BYTES;
    if (good) {
        memcpy(id, submitted->job_id.data, VLN_ID_BYTES);
    } else {
        vln_worker_fail(task, err == VLN_OK ? VLN_INTERNAL : err, spec->check->kind,
                        err == VLN_OK ? "the orchestrator's answer has no job" : reply.why);
    }
    vln_reply_wipe(&reply);
    return good;
}

/* A job for each, then the task waits for all of them. */
static void
begin(vln_worker_t *worker, vln_task_t *task, const validator_custom_subject_t *subject,
      size_t count)
{
    uint8_t predictions[VLN_DIGEST_BYTES];
    uint8_t *ids = vln_arena_alloc(task->arena, count * VLN_ID_BYTES);
    Valion__V1__Wait *wait = vln_arena_alloc(task->arena, sizeof *wait);
    Valion__V1__CustomCheckSpec spec = VALION__V1__CUSTOM_CHECK_SPEC__INIT;
    valion__v1__wait__init(wait);
    wait->job_ids = vln_arena_alloc(task->arena, count * sizeof *wait->job_ids);
    if (subject->answers && !store_predictions(worker, task, subject, predictions)) {
        return;
    }
    spec.model = subject->record->model;
    spec.version = subject->record->version;
    spec.has_artifact_digest = spec.has_seed = 1;
    spec.artifact_digest = subject->record->digest;
    spec.data = subject->data;
    spec.n_data = subject->data_count;
    spec.reference = subject->reference;
    spec.has_predictions_digest = subject->answers != NULL;
    spec.predictions_digest = validator_borrow(predictions, sizeof predictions);
    spec.target = (char *)(uintptr_t)subject->target;
    spec.seed = subject->seed;
    for (size_t i = 0; i < subject->policy->n_checks; i++) {
        spec.check = subject->policy->checks[i];
        if (!custom_is(spec.check->kind)) {
            continue;
        }
        uint8_t *id = ids + wait->n_job_ids * VLN_ID_BYTES;
        if (!submit(worker, task, &spec, id)) {
            return;
        }
        wait->job_ids[wait->n_job_ids++] = validator_borrow(id, VLN_ID_BYTES);
        int64_t timeout_ms = timeout_of(spec.check) + GRACE_MS;
        wait->has_timeout_ms = 1;
        wait->timeout_ms = timeout_ms > wait->timeout_ms ? timeout_ms : wait->timeout_ms;
    }
    vln_task_wait(task, wait, ids, count * VLN_ID_BYTES);
}

/* ---- what came of it ---- */

static Valion__V1__CheckResult *
read_job(vln_task_t *task, const Valion__V1__CheckSpec *spec, const Valion__V1__Job *job)
{
    char why[CUSTOM_WHY];
    Valion__V1__CheckResult *result = NULL;
    vln_arena_t *arena = task->arena;
    switch (job->state) {
    case VALION__V1__TASK_STATE__TASK_STATE_DONE:
        if (custom_read(spec, job->result.data, job->result.len, arena, &result, why) != VLN_OK) {
            result =
                custom_break(spec,
                             vln_arena_printf(arena, "The answer of '%.64s' cannot be used: %s.",
                                              spec->kind, why),
                             arena);
        }
        return result;
    case VALION__V1__TASK_STATE__TASK_STATE_READY:
    case VALION__V1__TASK_STATE__TASK_STATE_RUNNING:
    case VALION__V1__TASK_STATE__TASK_STATE_WAITING:
        return custom_break(spec,
                            vln_arena_printf(arena, "'%.64s' has not answered in %lld ms.",
                                             spec->kind, (long long)timeout_of(spec)),
                            arena);
    default:
        return custom_break(
            spec,
            vln_arena_printf(arena, "'%.64s' failed: %.600s", spec->kind,
                             job->error && job->error[0] ? job->error : "nobody said why"),
            arena);
    }
}

static bool
read_result(vln_worker_t *worker, vln_task_t *task, const Valion__V1__CheckSpec *spec,
            const uint8_t *id, Valion__V1__CheckResult **out)
{
    Valion__V1__GetJobRequest request = VALION__V1__GET_JOB_REQUEST__INIT;
    vln_reply_t reply;
    request.has_job_id = 1;
    request.job_id = validator_borrow(id, VLN_ID_BYTES);
    const vln_call_spec_t call = {.service = "orchestrator",
                                  .method = "GetJob",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_job_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, NULL, call, &reply);
    const Valion__V1__GetJobReply *found = (const void *)reply.message;
    bool good = err == VLN_OK && found->job;
    if (good) {
        *out = read_job(task, spec, found->job);
    } else {
        vln_worker_fail(task, err == VLN_OK ? VLN_INTERNAL : err, spec->kind,
                        err == VLN_OK ? "the orchestrator's answer has no job" : reply.why);
    }
    vln_reply_wipe(&reply);
    return good;
}

bool
validator_custom_read(vln_worker_t *worker, vln_task_t *task,
                      const validator_custom_subject_t *subject, validator_custom_t *out)
{
    const Valion__V1__Policy *policy = subject->policy;
    size_t count = 0;
    for (size_t i = 0; i < policy->n_checks; i++) {
        count += custom_is(policy->checks[i]->kind);
    }
    out->results = vln_arena_alloc(task->arena, (policy->n_checks + 1) * sizeof(void *));
    if (count > 0 && task->resume_size != count * VLN_ID_BYTES) {
        begin(worker, task, subject, count);
        return false;
    }
    const uint8_t *id = task->resume;
    for (size_t i = 0; i < policy->n_checks; i++) {
        if (custom_is(policy->checks[i]->kind)) {
            if (!read_result(worker, task, policy->checks[i], id, &out->results[i])) {
                return false;
            }
            id += VLN_ID_BYTES;
        }
    }
    return true;
}
