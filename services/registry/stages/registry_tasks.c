/*
 * Tasks `promote`: the registry asks itself, as anyone would, with the task's ticket, so that the
 * submitter's roles and the evidence count as they do for a call.
 */
#include "vln_pb.h"

#include "registry.h"
#include "valion/v1/registry.pb-c.h"

/* What the next steps may want to know; all of the version would not fit a result. */
static void
end_done(vln_task_t *task, Valion__V1__PromoteReply *answer)
{
    Valion__V1__Version brief = VALION__V1__VERSION__INIT;
    size_t size = 0;
    if (answer->version) {
        brief.model = answer->version->model;
        brief.version = answer->version->version;
        brief.has_stage = brief.has_digest = 1;
        brief.stage = answer->version->stage;
        brief.digest = answer->version->digest;
        answer->version = &brief;
    }
    const uint8_t *bytes = vln_pb_pack(&answer->base, task->arena, &size);
    answer->version = NULL;
    vln_task_done(task, bytes, size);
}

void
registry_run_promotion(vln_worker_t *worker, vln_task_t *task)
{
    ProtobufCMessage *request = vln_task_spec(task, &valion__v1__promote_request__descriptor);
    vln_reply_t reply;
    if (!request) {
        return;
    }
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "Promote",
                                  .request = request,
                                  .reply_type = &valion__v1__promote_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, "promote", spec, &reply);
    if (err != VLN_OK) {
        vln_worker_fail(task, err, "promote", reply.why);
    } else {
        end_done(task, (Valion__V1__PromoteReply *)reply.message);
    }
    vln_reply_wipe(&reply);
}
