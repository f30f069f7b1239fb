/*
 * Tasks `deploy` and `rollback`: ask the deployer for a rollout, as anyone would, then wait without a
 * lease until it is live or has ended. Task `watch`: sets a rule, and is done.
 */
#include <string.h>

#include "vln_pb.h"

#include "deployer.h"
#include "rollout.h"

enum { WAIT_MS = 1000 };

static vln_err_t
create(vln_worker_t *worker, vln_task_t *task, ProtobufCMessage *spec, vln_reply_t *reply,
       const Valion__V1__Rollout **out)
{
    Valion__V1__CreateRolloutRequest request = VALION__V1__CREATE_ROLLOUT_REQUEST__INIT;
    request.spec = (Valion__V1__RolloutSpec *)spec;
    const vln_call_spec_t call = {.service = "deployer",
                                  .method = "CreateRollout",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__create_rollout_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, "rollout", call, reply);
    *out =
        err == VLN_OK ? ((Valion__V1__CreateRolloutReply *)(void *)reply->message)->rollout : NULL;
    return err;
}

static vln_err_t
roll_back(vln_worker_t *worker, vln_task_t *task, ProtobufCMessage *spec, vln_reply_t *reply,
          const Valion__V1__Rollout **out)
{
    const vln_call_spec_t call = {.service = "deployer",
                                  .method = "Rollback",
                                  .request = spec,
                                  .reply_type = &valion__v1__rollback_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, "rollback", call, reply);
    *out = err == VLN_OK ? ((Valion__V1__RollbackReply *)(void *)reply->message)->rollout : NULL;
    return err;
}

/* Frees the slot until the model has a live rollout, or a while has passed: what else may become of it
 * is seen then. The rollout's id comes back with the next lease. */
static void
wait_for(vln_task_t *task, const char *model, const uint8_t *id)
{
    Valion__V1__Wait *wait = vln_arena_alloc(task->arena, sizeof *wait);
    valion__v1__wait__init(wait);
    wait->event_type = vln_arena_strdup(task->arena, "rollout.live");
    wait->event_subject = vln_arena_strdup(task->arena, model);
    wait->has_timeout_ms = 1;
    wait->timeout_ms = WAIT_MS;
    vln_task_wait(task, wait, id, VLN_ID_BYTES);
}

static void
end(vln_task_t *task, const Valion__V1__Rollout *rollout)
{
    bool serves = rollout->state == VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_LIVE ||
                  rollout->state == VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_WATCHING ||
                  rollout->state == VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_DONE;
    if (!serves && !rollout_is_end(rollout->state)) {
        wait_for(task, rollout->spec->model, task->resume);
        return;
    }
    if (!serves) {
        vln_task_fail(task, false, "the rollout %s: %s", rollout_state_name(rollout->state),
                      rollout->end_reason ? rollout->end_reason : "");
        return;
    }
    Valion__V1__DeployResult result = VALION__V1__DEPLOY_RESULT__INIT;
    size_t size = 0;
    result.has_rollout_id = result.has_state = 1;
    result.rollout_id = rollout->rollout_id;
    result.state = rollout->state;
    result.endpoint = rollout->endpoint;
    result.version = rollout->spec ? rollout->spec->version : NULL;
    result.end_reason = rollout->end_reason;
    const uint8_t *bytes = vln_pb_pack(&result.base, task->arena, &size);
    vln_task_done(task, bytes, size);
}

static void
look(vln_worker_t *worker, vln_task_t *task)
{
    Valion__V1__GetRolloutRequest request = VALION__V1__GET_ROLLOUT_REQUEST__INIT;
    request.has_rollout_id = 1;
    request.rollout_id =
        (ProtobufCBinaryData){task->resume_size, (uint8_t *)(uintptr_t)task->resume};
    const vln_call_spec_t call = {.service = "deployer",
                                  .method = "GetRollout",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_rollout_reply__descriptor};
    vln_reply_t reply;
    vln_err_t err = vln_worker_call(worker, task, NULL, call, &reply);
    const Valion__V1__Rollout *rollout =
        err == VLN_OK ? ((Valion__V1__GetRolloutReply *)(void *)reply.message)->rollout : NULL;
    if (!rollout || !rollout->spec) {
        vln_worker_fail(task, err == VLN_OK ? VLN_INTERNAL : err, "rollout", reply.why);
    } else {
        end(task, rollout);
    }
    vln_reply_wipe(&reply);
}

/* The two that make a rollout: asked for at first, looked at whenever the task comes again. */
static void
ask(vln_worker_t *worker, vln_task_t *task, const ProtobufCMessageDescriptor *descriptor,
    vln_err_t (*call)(vln_worker_t *worker, vln_task_t *task, ProtobufCMessage *spec,
                      vln_reply_t *reply, const Valion__V1__Rollout **out))
{
    vln_reply_t reply;
    const Valion__V1__Rollout *rollout = NULL;
    if (task->resume_size == VLN_ID_BYTES) {
        look(worker, task);
        return;
    }
    ProtobufCMessage *spec = vln_task_spec(task, descriptor);
    if (!spec) {
        return;
    }
    vln_err_t err = call(worker, task, spec, &reply, &rollout);
    if (err != VLN_OK) {
        vln_worker_fail(task, err, task->kind, reply.why);
    } else if (!rollout || !rollout->spec || rollout->rollout_id.len != VLN_ID_BYTES) {
        vln_task_fail(task, true, "the deployer's answer has no rollout");
    } else {
        wait_for(task, rollout->spec->model, rollout->rollout_id.data);
    }
    vln_reply_wipe(&reply);
}

void
deployer_run_deploy(vln_worker_t *worker, vln_task_t *task)
{
    ask(worker, task, &valion__v1__rollout_spec__descriptor, create);
}

void
deployer_run_rollback(vln_worker_t *worker, vln_task_t *task)
{
    ask(worker, task, &valion__v1__rollback_request__descriptor, roll_back);
}

void
deployer_run_watch(vln_worker_t *worker, vln_task_t *task)
{
    vln_reply_t reply;
    Valion__V1__SetWatchRuleRequest request = VALION__V1__SET_WATCH_RULE_REQUEST__INIT;
    const Valion__V1__MonitorSpec *spec =
        vln_task_spec(task, &valion__v1__monitor_spec__descriptor);
    if (!spec) {
        return;
    }
    request.rule = spec->rule;
    const vln_call_spec_t call = {.service = "deployer",
                                  .method = "SetWatchRule",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__set_watch_rule_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, "watch", call, &reply);
    if (err == VLN_OK) {
        vln_task_done(task, NULL, 0);
    } else {
        vln_worker_fail(task, err, "watch", reply.why);
    }
    vln_reply_wipe(&reply);
}
