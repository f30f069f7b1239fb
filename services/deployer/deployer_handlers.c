/*
 * Rollouts as people and tasks ask for them. What is asked for is checked, recorded and answered; the
 * tick does the rest.
 */
#include <stdio.h>
#include <string.h>

#include "vln_page.h"
#include "vln_pb.h"

#include "deployer_once.h"
#include "deployer_registry.h"
#include "deployer_rollouts.h"
#include "rollout.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000, REASON_MAX = 500 };

#define NEW(arena, type, name, init)                   \
    type *name = vln_arena_alloc(arena, sizeof *name); \
    init(name)

/* ---- the parts of every handler ---- */

static bool
check_id(vln_call_t *call, const char *field, const ProtobufCBinaryData *id)
{
    if (id->len != VLN_ID_BYTES) {
        vln_call_refuse_field(call, field, "an id has %d bytes", VLN_ID_BYTES);
    }
    return id->len == VLN_ID_BYTES;
}

/* False: the call has been refused. */
static bool
find_rollout(deployer_worker_t *self, vln_call_t *call, const ProtobufCBinaryData *id,
             deployer_rollout_t *out)
{
    if (!check_id(call, "rollout_id", id)) {
        return false;
    }
    vln_err_t err = deployer_store_find_rollout(self->store, call->arena, id->data, out);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no such rollout; ListRollouts lists them");
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    }
    return err == VLN_OK;
}

/* ---- create ---- */

static bool
may_serve(vln_call_t *call, const Valion__V1__Version *version)
{
    bool ready = version->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_READY ||
                 version->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_DEPLOYED;
    if (!ready || !version->signature || version->digest.len == 0) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "%s %s is not ready to serve: an imported version is inspected first "
                        "(valion version create does it), one that failed or is deprecated stays "
                        "where it is",
                        version->model, version->version);
        return false;
    }
    return true;
}

static Valion__V1__Rollout *
make_record(vln_call_t *call, const deployer_rollout_t *rollout, Valion__V1__RolloutSpec *spec)
{
    NEW(call->arena, Valion__V1__Rollout, record, valion__v1__rollout__init);
    record->has_rollout_id = record->has_state = record->has_created_us = 1;
    record->rollout_id =
        (ProtobufCBinaryData){VLN_ID_BYTES, vln_arena_memdup(call->arena, rollout->id.bytes, 16)};
    record->spec = spec;
    record->state = VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_PENDING;
    record->created_us = rollout->now_us;
    record->has_digest = record->has_sequence = 1;
    record->digest = rollout->version->digest;
    record->actor = vln_arena_strdup(call->arena, vln_call_actor(call));
    if (call->ticket) {
        record->has_task_id = 1;
        record->task_id = call->ticket->task_id;
    }
    deployer_spec_steps(record, call->arena);
    return record;
}

static vln_err_t
note_previous(deployer_store_t *store, vln_arena_t *arena, Valion__V1__Rollout *record)
{
    deployer_endpoint_t endpoint;
    deployer_rollout_t previous;
    vln_err_t err = deployer_store_get_endpoint(store, arena, record->spec->environment,
                                                record->spec->model, &endpoint);
    if (err != VLN_OK || !endpoint.has_stable) {
        return err;
    }
    err = deployer_store_find_rollout(store, arena, endpoint.stable.bytes, &previous);
    if (err == VLN_OK) {
        record->previous_version = previous.record->spec->version;
        record->has_previous_digest = 1;
        record->previous_digest = previous.record->digest;
    }
    return err;
}

/* What is recorded and answered is the same. `rollout` says whether it goes back. */
static vln_err_t
add_rollout(deployer_worker_t *self, vln_call_t *call, vln_events_t *events,
            Valion__V1__RolloutSpec *spec, Valion__V1__Version *version,
            deployer_rollout_t *rollout)
{
    Valion__V1__Decision decision = VALION__V1__DECISION__INIT;
    *rollout = (deployer_rollout_t){
        .id = vln_id_new(), .version = version, .goes_back = rollout->goes_back};
    vln_err_t err = deployer_store_lock(self->store, &rollout->now_us);
    spec->version = version->version;
    rollout->record = make_record(call, rollout, spec);
    decision.has_to_state = 1;
    decision.to_state = VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_PENDING;
    decision.rule = vln_arena_strdup(call->arena, "asked");
    decision.reason =
        vln_arena_strdup(call->arena, spec->reason && spec->reason[0] ? spec->reason : "asked for");
    if (err == VLN_OK) {
        err = note_previous(self->store, call->arena, rollout->record);
    }
    if (err == VLN_OK) {
        rollout->record->sequence = 1;
        err = deployer_store_add_rollout(self->store, rollout);
        rollout->record->sequence = 0;
    }
    if (err == VLN_OK) {
        err = deployer_rollout_record(self->store, events, rollout, &decision,
                                      rollout->record->actor);
    }
    return err == VLN_OK ? deployer_rollout_show(self->store, call->arena, rollout, 0) : err;
}

static vln_err_t
create_one(deployer_worker_t *self, vln_call_t *call, vln_events_t *events, void *prepared)
{
    const Valion__V1__CreateRolloutRequest *request = (const void *)call->request;
    Valion__V1__RolloutSpec *spec = request->spec;
    deployer_rollout_t *blocking = NULL;
    deployer_rollout_t rollout = {0};
    vln_err_t err =
        deployer_find_blocking(self->store, call->arena, spec->environment, spec->model, &blocking);
    if (err != VLN_OK) {
        return err;
    }
    if (blocking && !spec->queue) {
        char id[VLN_ID_TEXT];
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "the rollout %s of %s %s is %s: wait for it, abort it, or ask with queue",
                        vln_id_format(blocking->id.bytes, id), spec->model,
                        blocking->record->spec->version,
                        rollout_state_name(blocking->record->state));
        return VLN_OK;
    }
    err = add_rollout(self, call, events, spec, prepared, &rollout);
    if (err == VLN_OK) {
        NEW(call->arena, Valion__V1__CreateRolloutReply, reply,
            valion__v1__create_rollout_reply__init);
        reply->rollout = rollout.record;
        vln_call_reply(call, &reply->base);
        vln_call_hint(call, DEPLOYER_TOPIC_ROLLOUTS);
    }
    return err;
}

/* Shows what would be done. */
static void
reply_dry(vln_call_t *call, Valion__V1__RolloutSpec *spec, Valion__V1__Version *version)
{
    deployer_rollout_t rollout = {.version = version};
    spec->version = version->version;
    NEW(call->arena, Valion__V1__CreateRolloutReply, reply, valion__v1__create_rollout_reply__init);
    reply->rollout = make_record(call, &rollout, spec);
    vln_call_reply(call, &reply->base);
}

static bool
check_port(deployer_worker_t *self, vln_call_t *call, const Valion__V1__RolloutSpec *spec)
{
    char *url = NULL;
    char port[16];
    if (!spec->has_target_port || spec->target_port == 0) {
        return true;
    }
    vln_err_t err =
        deployer_endpoint_url(self->store, call->arena, spec->environment, spec->model, &url);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return false;
    }
    snprintf(port, sizeof port, ":%u/", spec->target_port);
    if (!strstr(url, port)) {
        vln_call_refuse_field(call, "spec.target_port",
                              "%s does not answer at port %u%s%s; a port belongs to an environment",
                              spec->environment, spec->target_port, url[0] ? ", but at " : "", url);
        return false;
    }
    return true;
}

/* The version that is asked for, in the call's arena; NULL: the call has been refused. */
static Valion__V1__Version *
resolve_version(deployer_worker_t *self, vln_call_t *call, const char *model, const char *version)
{
    vln_reply_t reply;
    Valion__V1__Version *found = NULL;
    vln_err_t err =
        deployer_registry_version(deployer_client(self), model, version, &reply, &found);
    if (err != VLN_OK) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED, "%s",
                        reply.why[0] ? reply.why : "the registry gave no version");
        found = NULL;
    } else {
        /* Packed and unpacked: the reply's arena ends here. */
        size_t size = 0;
        ProtobufCMessage *copy = NULL;
        vln_pb_scan_t scan;
        const uint8_t *bytes = vln_pb_pack(&found->base, call->arena, &size);
        err =
            vln_pb_unpack(&valion__v1__version__descriptor, bytes, size, call->arena, &copy, &scan);
        found = err == VLN_OK ? (Valion__V1__Version *)copy : NULL;
        if (!found) {
            vln_call_refuse(call, VLN_INTERNAL, VALION__V1__REASON__REASON_UNSPECIFIED,
                            "the version's record is too large: %s", scan.why);
        }
    }
    vln_reply_wipe(&reply);
    return found;
}

static bool
check_spec(vln_call_t *call, Valion__V1__RolloutSpec *spec)
{
    const char *field = NULL;
    const char *why = NULL;
    if (!spec) {
        vln_call_refuse_field(call, "spec", "say what is to be rolled out");
        return false;
    }
    deployer_spec_fill(spec, call->arena);
    if (!deployer_spec_check(spec, &field, &why)) {
        vln_call_refuse_field(call, field, "%s", why);
        return false;
    }
    return true;
}

void
deployer_create_rollout(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__CreateRolloutRequest *request = (const void *)call->request;
    if (!check_spec(call, request->spec) || !check_port(self, call, request->spec)) {
        return;
    }
    Valion__V1__Version *version =
        resolve_version(self, call, request->spec->model, request->spec->version);
    if (!version || !may_serve(call, version)) {
        return;
    }
    if (request->dry_run) {
        reply_dry(call, request->spec, version);
        return;
    }
    deployer_once_run(self, create_one, version, calls, count);
}

/* ---- rollback ---- */

typedef struct rollback {
    Valion__V1__RolloutSpec *spec;
    Valion__V1__Version *version;
} rollback_t;

static vln_err_t
rollback_one(deployer_worker_t *self, vln_call_t *call, vln_events_t *events, void *prepared)
{
    const rollback_t *rollback = prepared;
    deployer_rollout_t *blocking = NULL;
    deployer_rollout_t rollout = {.goes_back = true};
    vln_err_t err = deployer_find_blocking(self->store, call->arena, rollback->spec->environment,
                                           rollback->spec->model, &blocking);
    /* What is under way gives way: it is told to end, and this one waits for that. */
    if (err == VLN_OK && blocking && !blocking->asked) {
        blocking->asked = vln_arena_strdup(call->arena, "a rollback was asked for");
        err = deployer_store_save_rollout(self->store, blocking, false);
    }
    if (err == VLN_OK) {
        err = add_rollout(self, call, events, rollback->spec, rollback->version, &rollout);
    }
    if (err == VLN_OK) {
        NEW(call->arena, Valion__V1__RollbackReply, reply, valion__v1__rollback_reply__init);
        reply->rollout = rollout.record;
        vln_call_reply(call, &reply->base);
        vln_call_hint(call, DEPLOYER_TOPIC_ROLLOUTS);
    }
    return err;
}

/* The revision that is to serve again; NULL: the call has been refused. */
static Valion__V1__Revision *
find_revision(deployer_worker_t *self, vln_call_t *call, const Valion__V1__RollbackRequest *request)
{
    Valion__V1__Revision **revisions = NULL;
    size_t count = 0;
    int64_t below = request->revision > 0 ? (int64_t)request->revision + 1 : 0;
    const deployer_filter_t filter = {
        .environment = request->environment, .model = request->model, .limit = 2};
    vln_err_t err =
        deployer_store_list_revisions(self->store, call->arena, &filter, below, &revisions, &count);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return NULL;
    }
    size_t at = request->revision > 0 ? 0 : 1; /* the one before the one that serves */
    bool found =
        count > at && (request->revision == 0 || revisions[at]->number == request->revision);
    if (!found) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "%s in %s has no %s to go back to; ListRevisions lists them",
                        request->model, request->environment,
                        request->revision > 0 ? "such revision" : "revision before this one");
        return NULL;
    }
    return revisions[at];
}

void
deployer_rollback(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__RollbackRequest *request = (const void *)call->request;
    deployer_rollout_t before;
    if (!request->environment || !request->model) {
        vln_call_refuse_field(call, "environment", "environment and model are needed");
        return;
    }
    Valion__V1__Revision *revision = find_revision(self, call, request);
    if (!revision || !find_rollout(self, call, &revision->rollout_id, &before)) {
        return;
    }
    Valion__V1__Version *version = resolve_version(self, call, request->model, revision->version);
    if (!version || !may_serve(call, version)) {
        return;
    }
    rollback_t rollback = {.spec = before.record->spec, .version = version};
    rollback.spec->reason = vln_arena_printf(
        call->arena, "rollback to revision %llu%s%s", (unsigned long long)revision->number,
        request->reason && request->reason[0] ? ": " : "", request->reason ? request->reason : "");
    deployer_once_run(self, rollback_one, &rollback, calls, count);
}

/* ---- change ---- */

static bool
check_change(vln_call_t *call, const Valion__V1__ChangeRolloutRequest *request,
             const deployer_rollout_t *rollout)
{
    bool abort = request->change == VALION__V1__ROLLOUT_CHANGE__ROLLOUT_CHANGE_ABORT;
    const char *why = NULL;
    if (request->has_expected_sequence && request->expected_sequence != rollout->record->sequence) {
        vln_call_refuse(call, VLN_ABORTED, VALION__V1__REASON__REASON_STATE,
                        "the rollout is at sequence %llu: look again",
                        (unsigned long long)rollout->record->sequence);
        return false;
    }
    if (rollout_is_end(rollout->record->state)) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "the rollout has ended: it is %s",
                        rollout_state_name(rollout->record->state));
        return false;
    }
    why = abort && (!request->reason || !request->reason[0]) ? "an abort needs a reason"
          : request->reason && strlen(request->reason) > REASON_MAX
              ? "a reason has at most 500 bytes"
              : NULL;
    if (why) {
        vln_call_refuse_field(call, "reason", "%s", why);
    }
    return !why;
}

/* False: this release has no such change. */
static bool
apply_change(vln_call_t *call, const Valion__V1__ChangeRolloutRequest *request,
             deployer_rollout_t *rollout)
{
    switch (request->change) {
    case VALION__V1__ROLLOUT_CHANGE__ROLLOUT_CHANGE_PAUSE:
    case VALION__V1__ROLLOUT_CHANGE__ROLLOUT_CHANGE_RESUME:
        rollout->record->has_paused = 1;
        rollout->record->paused =
            request->change == VALION__V1__ROLLOUT_CHANGE__ROLLOUT_CHANGE_PAUSE;
        return true;
    case VALION__V1__ROLLOUT_CHANGE__ROLLOUT_CHANGE_ABORT:
        rollout->asked = vln_arena_strdup(call->arena, request->reason);
        return true;
    default:
        vln_call_refuse_field(call, "change",
                              "PAUSE, RESUME and ABORT: a blue-green rollout has no steps that "
                              "could be promoted by hand");
        return false;
    }
}

static vln_err_t
change_one(deployer_worker_t *self, vln_call_t *call, vln_events_t *events, void *prepared)
{
    (void)prepared;
    const Valion__V1__ChangeRolloutRequest *request = (const void *)call->request;
    deployer_rollout_t rollout;
    Valion__V1__Decision decision = VALION__V1__DECISION__INIT;
    if (!find_rollout(self, call, &request->rollout_id, &rollout) ||
        !check_change(call, request, &rollout) || !apply_change(call, request, &rollout)) {
        return VLN_OK;
    }
    const char *what = rollout.asked            ? "abort asked for: "
                       : rollout.record->paused ? "paused"
                                                : "resumed";
    decision.has_from_state = decision.has_to_state = 1;
    decision.from_state = decision.to_state = rollout.record->state;
    decision.rule = vln_arena_strdup(call->arena, "asked");
    decision.reason =
        vln_arena_printf(call->arena, "%s%s", what, request->reason ? request->reason : "");
    vln_err_t err =
        deployer_rollout_record(self->store, events, &rollout, &decision, vln_call_actor(call));
    if (err == VLN_OK) {
        err = deployer_store_save_rollout(self->store, &rollout, true);
    }
    if (err == VLN_OK) {
        err = deployer_rollout_show(self->store, call->arena, &rollout, 0);
    }
    if (err == VLN_OK) {
        NEW(call->arena, Valion__V1__ChangeRolloutReply, reply,
            valion__v1__change_rollout_reply__init);
        reply->rollout = rollout.record;
        vln_call_reply(call, &reply->base);
        vln_call_hint(call, DEPLOYER_TOPIC_ROLLOUTS);
    }
    return err;
}

void
deployer_change_rollout(void *worker, vln_call_t **calls, size_t count)
{
    deployer_once_run(worker, change_one, NULL, calls, count);
}

/* ---- read ---- */

void
deployer_get_rollout(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__GetRolloutRequest *request = (const void *)call->request;
    deployer_rollout_t rollout;
    vln_assert(count == 1);
    if (!find_rollout(self, call, &request->rollout_id, &rollout)) {
        return;
    }
    vln_err_t err = deployer_rollout_show(self->store, call->arena, &rollout, 0);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__GetRolloutReply, reply, valion__v1__get_rollout_reply__init);
    reply->rollout = rollout.record;
    vln_call_reply(call, &reply->base);
}

void
deployer_watch_rollout(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__WatchRolloutRequest *request = (const void *)call->request;
    deployer_rollout_t rollout;
    vln_assert(count == 1);
    if (!find_rollout(self, call, &request->rollout_id, &rollout)) {
        return;
    }
    bool newer = rollout.record->sequence > request->after;
    if (!newer && vln_call_park(call, DEPLOYER_TOPIC_ROLLOUTS, request->wait_ms)) {
        return;
    }
    vln_err_t err = deployer_rollout_show(self->store, call->arena, &rollout, request->after);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__WatchRolloutReply, reply, valion__v1__watch_rollout_reply__init);
    reply->rollout = rollout.record;
    vln_call_reply(call, &reply->base);
}

static bool
page_size(vln_call_t *call, const Valion__V1__Page *page, int *out)
{
    uint32_t size = page && page->has_size ? page->size : PAGE_DEFAULT;
    if (size < 1 || size > PAGE_MAX) {
        vln_call_refuse_field(call, "page.size", "1 to %d; %u was asked", PAGE_MAX, size);
        return false;
    }
    *out = (int)size;
    return true;
}

/* A token that this method has made, of `size` bytes; NULL in *out at the start. */
static bool
page_token(vln_call_t *call, const Valion__V1__Page *page, size_t size, const uint8_t **out)
{
    *out = NULL;
    if (!page || !page->has_token || page->token.len == 0) {
        return true;
    }
    if (page->token.len != size) {
        vln_call_refuse_field(call, "page.token", "this is no token of this list");
        return false;
    }
    *out = page->token.data;
    return true;
}

void
deployer_list_rollouts(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ListRolloutsRequest *request = (const void *)call->request;
    deployer_filter_t filter = {.environment = request->environment,
                                .model = request->model,
                                .state = (int)request->state,
                                .active = request->active};
    deployer_rollout_t *rollouts = NULL;
    size_t found = 0;
    vln_assert(count == 1);
    if (!page_size(call, request->page, &filter.limit) ||
        !page_token(call, request->page, VLN_ID_BYTES, &filter.before)) {
        return;
    }
    vln_err_t err =
        deployer_store_list_rollouts(self->store, call->arena, &filter, &rollouts, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListRolloutsReply, reply, valion__v1__list_rollouts_reply__init);
    vln_page_t page = {0};
    reply->rollouts = vln_arena_alloc(call->arena, (found + 1) * sizeof(void *));
    while (reply->n_rollouts < found) {
        Valion__V1__Rollout *record = rollouts[reply->n_rollouts].record;
        record->has_status = 1;
        record->status = rollout_status(record->state);
        if (!vln_page_take(&page, call->arena, &record->base)) {
            break;
        }
        reply->rollouts[reply->n_rollouts++] = record;
    }
    if (reply->n_rollouts < found || found == (size_t)filter.limit) {
        reply->has_next_token = 1;
        reply->next_token = reply->rollouts[reply->n_rollouts - 1]->rollout_id;
    }
    vln_call_reply(call, &reply->base);
}

void
deployer_list_decisions(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ListDecisionsRequest *request = (const void *)call->request;
    deployer_rollout_t rollout;
    Valion__V1__Decision **decisions = NULL;
    const uint8_t *token = NULL;
    size_t found = 0;
    int limit = 0;
    int64_t before = 0;
    vln_assert(count == 1);
    if (!page_size(call, request->page, &limit) ||
        !page_token(call, request->page, sizeof before, &token) ||
        !find_rollout(self, call, &request->rollout_id, &rollout)) {
        return;
    }
    if (token) {
        memcpy(&before, token, sizeof before);
    }
    vln_err_t err = deployer_store_list_decisions(
        self->store, call->arena, rollout.id.bytes,
        &(deployer_range_t){.before = before, .limit = limit}, &decisions, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListDecisionsReply, reply, valion__v1__list_decisions_reply__init);
    vln_page_t page = {0};
    reply->decisions = decisions;
    while (reply->n_decisions < found &&
           vln_page_take(&page, call->arena, &decisions[reply->n_decisions]->base)) {
        reply->n_decisions++;
    }
    if (reply->n_decisions < found || found == (size_t)limit) {
        before = (int64_t)decisions[reply->n_decisions - 1]->sequence;
        reply->has_next_token = 1;
        reply->next_token = (ProtobufCBinaryData){
            sizeof before, vln_arena_memdup(call->arena, &before, sizeof before)};
    }
    vln_call_reply(call, &reply->base);
}
