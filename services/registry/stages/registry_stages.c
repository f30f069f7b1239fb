/*
 * Stages: Promote and GetHistory. What moves are legal says domain/stage, which report allows one
 * domain/evidence; here rows are locked (model, then version), asked and changed, in one transaction.
 */
#include <inttypes.h>
#include <string.h>

#include "vln_page.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_changes.h"
#include "registry_evidence.h"
#include "registry_handlers.h"
#include "registry_record.h"
#include "registry_stages_store.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "stage.h"
#include "valion/v1/registry.pb-c.h"

enum { REASON_MAX = 1000 };

/* ---- promote ---- */

/* One Promote on its way. */
typedef struct promotion {
    registry_worker_t *worker;
    vln_call_t *call;
    const Valion__V1__PromoteRequest *request;
    vln_events_t *events;
    registry_version_t version; /* locked */
    registry_version_t holder;  /* of production, locked; version NULL: nobody's way */
    stage_t holder_to;
    registry_evidence_t evidence;
} promotion_t;

static bool
check_promote(vln_call_t *call, const Valion__V1__PromoteRequest *request)
{
    if ((unsigned)request->stage <= STAGE_NONE || (unsigned)request->stage >= STAGE_COUNT) {
        vln_call_refuse_field(call, "stage", "development, staging, production or archived");
        return false;
    }
    if ((unsigned)request->on_conflict > STAGE_REFUSE) {
        vln_call_refuse_field(call, "on_conflict", "demote, archive or refuse");
        return false;
    }
    if (request->report_id.len != 0 && request->report_id.len != VLN_ID_BYTES) {
        vln_call_refuse_field(call, "report_id", "an id has %d bytes", VLN_ID_BYTES);
        return false;
    }
    return registry_check_model_name(call, request->model) &&
           registry_check_version_text(call, request->version) &&
           registry_check_text(call, "reason", request->reason, REASON_MAX);
}

static void
refuse_state(promotion_t *self, const char *why)
{
    vln_call_refuse(self->call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                    "%s@%s %s", self->request->model, self->request->version, why);
}

static void
refuse_move(promotion_t *self, stage_t from, stage_t to)
{
    char targets[STAGE_TARGETS_TEXT];
    refuse_state(self, vln_arena_printf(
                           self->call->arena, "is in %s and cannot go to %s from there: only to %s",
                           stage_name(from), stage_name(to), stage_targets(from, targets)));
}

static void
refuse_unfit(promotion_t *self, fitness_t fitness)
{
    const char *reason = self->version.status_reason;
    refuse_state(self,
                 vln_arena_printf(self->call->arena, "%s%s%s: it cannot be promoted",
                                  stage_unfit(fitness), reason ? ": " : "", reason ? reason : ""));
}

/* True if there is a move to make; else the call is refused, or answered as it is. */
static bool
may_move(promotion_t *self)
{
    stage_t from = (stage_t)self->version.stage;
    stage_t to = (stage_t)self->request->stage;
    fitness_t fitness = (fitness_t)registry_version_status(&self->version);
    switch (stage_judge(from, to, fitness, self->request->restore)) {
    case STAGE_MOVES:
    case STAGE_IS_THERE:
        return true;
    case STAGE_NO_SUCH_MOVE:
        refuse_move(self, from, to);
        break;
    case STAGE_UNFIT:
        refuse_unfit(self, fitness);
        break;
    case STAGE_SAY_RESTORE:
        refuse_state(self, "is archived: say restore if it is meant to come back");
        break;
    }
    return false;
}

static bool
has_revision(promotion_t *self)
{
    return !self->request->has_expected_revision ||
           registry_check_revision(self->call, &self->version, self->request->expected_revision);
}

/* Leaves the call refused if the move needs evidence and there is none. */
static vln_err_t
find_evidence(promotion_t *self)
{
    stage_t to = (stage_t)self->request->stage;
    if (!stage_needs_evidence((stage_t)self->version.stage, to,
                              self->worker->registry->protected_stages)) {
        return VLN_OK;
    }
    const Valion__V1__Version *wire = registry_version_to_wire(self->call, &self->version);
    if (!wire) {
        return VLN_OK;
    }
    const registry_evidence_ask_t ask = {
        .model = self->request->model,
        .version = &self->version,
        .question = {.model = self->request->model,
                     .task = wire->signature ? (int)wire->signature->task : 0,
                     .stage = stage_name(to)},
        .report_id = self->request->report_id.len ? self->request->report_id.data : NULL};
    return registry_evidence_find(self->worker, self->call, &ask, &self->evidence);
}

/* The version that holds production and has to leave; the call is refused if it may not. */
static vln_err_t
find_holder(promotion_t *self)
{
    if (self->request->stage != VALION__V1__STAGE__STAGE_PRODUCTION) {
        return VLN_OK;
    }
    vln_err_t err = registry_stages_lock_production(self->worker->store, self->call->arena,
                                                    self->request->model, &self->holder);
    if (err == VLN_NOT_FOUND) {
        return VLN_OK;
    }
    stage_conflict_t conflict =
        self->request->on_conflict ? (stage_conflict_t)self->request->on_conflict : STAGE_DEMOTE;
    self->holder_to = stage_of_displaced(conflict);
    if (err == VLN_OK && self->holder_to == STAGE_NONE) {
        refuse_state(self, vln_arena_printf(self->call->arena,
                                            "cannot take production: version %s holds it, and "
                                            "'refuse' was asked for then",
                                            self->holder.version));
    }
    return err;
}

/* Writes one version's new stage, its row of the history, and its event. */
static vln_err_t
move(promotion_t *self, registry_version_t *version, stage_t to,
     const registry_stage_change_t *change)
{
    registry_store_t *store = self->worker->store;
    const char *model = self->request->model;
    char id[VLN_ID_TEXT];
    const vln_fact_t facts[] = {
        {"model", model},
        {"version", version->version},
        {"from", stage_name((stage_t)change->from)},
        {"to", stage_name(to)},
        {"reason", change->reason},
        {"report", change->report_id ? vln_id_format(change->report_id, id) : NULL},
        {"evidence", change->evidence},
        {NULL, NULL}};
    registry_add_version_event(self->events, self->call, "version.stage_changed", model,
                               version->version, facts);
    version->stage = (int)to;
    vln_err_t err = registry_stages_save(store, model, version);
    return err == VLN_OK ? registry_stages_add_change(store, model, change) : err;
}

/* The holder first: a model has one version in production at any instant. */
static vln_err_t
move_both(promotion_t *self)
{
    const char *actor = vln_call_actor(self->call);
    const char *model = self->request->model;
    vln_err_t err = VLN_OK;
    if (self->holder.version) {
        const registry_stage_change_t change = {
            .version = self->holder.version,
            .from = self->holder.stage,
            .to = (int)self->holder_to,
            .actor = actor,
            .reason = vln_arena_printf(self->call->arena, "%s@%s takes its place", model,
                                       self->version.version)};
        err = move(self, &self->holder, self->holder_to, &change);
    }
    const char *reason = self->request->reason;
    const registry_stage_change_t change = {.version = self->version.version,
                                            .from = self->version.stage,
                                            .to = (int)self->request->stage,
                                            .actor = actor,
                                            .report_id = self->evidence.report_id,
                                            .evidence = self->evidence.sentence,
                                            .reason = reason && *reason ? reason : NULL};
    return err == VLN_OK ? move(self, &self->version, (stage_t)self->request->stage, &change) : err;
}

static void
answer(promotion_t *self)
{
    vln_arena_t *arena = self->call->arena;
    NEW(arena, Valion__V1__PromoteReply, reply, valion__v1__promote_reply__init);
    reply->version = registry_version_to_wire(self->call, &self->version);
    if (!reply->version) {
        return;
    }
    if (self->holder.version) {
        reply->displaced = vln_arena_alloc(arena, sizeof *reply->displaced);
        reply->displaced[reply->n_displaced++] = registry_borrowed(self->holder.version);
    }
    if (self->evidence.report_id) {
        reply->has_report_id = 1;
        reply->report_id = registry_bytes(self->evidence.report_id, VLN_ID_BYTES);
        reply->evidence = registry_borrowed(self->evidence.sentence);
    }
    vln_call_reply(self->call, &reply->base);
}

/* With model and version locked. What is refused has written nothing. */
static vln_err_t
promote(promotion_t *self)
{
    if (!has_revision(self) || !may_move(self)) {
        return VLN_OK;
    }
    if (self->version.stage == (int)self->request->stage) {
        answer(self);
        return VLN_OK;
    }
    vln_err_t err = find_evidence(self);
    if (err == VLN_OK && !vln_call_is_refused(self->call)) {
        err = find_holder(self);
    }
    if (err != VLN_OK || vln_call_is_refused(self->call)) {
        return err;
    }
    err = move_both(self);
    if (err == VLN_OK) {
        err = registry_store_write_events(self->worker->store, self->events);
    }
    if (err == VLN_OK) {
        answer(self);
    }
    return err;
}

static vln_err_t
work_promote(void *context, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    promotion_t self = {.worker = context,
                        .call = call,
                        .request = (const void *)call->request,
                        .events = vln_events_new(call->arena)};
    if (!check_promote(call, self.request)) {
        return VLN_OK;
    }
    bool found = false;
    vln_err_t err = registry_lock_version(self.worker, call, self.request->model,
                                          self.request->version, &self.version, &found);
    return err == VLN_OK && found ? promote(&self) : err;
}

void
registry_promote(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_promote);
}

/* ---- history ---- */

Valion__V1__StageChange *
registry_change_to_wire(vln_arena_t *arena, const char *model,
                        const registry_stage_change_t *change)
{
    NEW(arena, Valion__V1__StageChange, wire, valion__v1__stage_change__init);
    wire->model = registry_borrowed(model);
    wire->version = registry_borrowed(change->version);
    wire->has_from = wire->has_to = wire->has_time_us = 1;
    wire->from = (Valion__V1__Stage)change->from;
    wire->to = (Valion__V1__Stage)change->to;
    wire->actor = registry_borrowed(change->actor);
    wire->time_us = change->time_us;
    wire->has_report_id = change->report_id != NULL;
    wire->report_id = registry_bytes(change->report_id, change->report_id ? VLN_ID_BYTES : 0);
    wire->evidence = registry_borrowed(change->evidence);
    wire->reason = registry_borrowed(change->reason);
    wire->has_position = change->position != 0;
    wire->position = (uint64_t)change->position;
    return wire;
}

/* False, and the call answered, if the model is not there. */
static bool
has_model(registry_worker_t *self, vln_call_t *call, const char *name)
{
    registry_model_t model;
    vln_err_t err = registry_store_find_model(self->store, call->arena, name, &model);
    if (err == VLN_NOT_FOUND) {
        registry_refuse_no_model(call, name);
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    }
    return err == VLN_OK;
}

void
registry_get_history(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetHistoryRequest *request = (const void *)call->request;
    registry_change_filter_t filter = {.model = request->model};
    if (!registry_check_model_name(call, request->model) ||
        !registry_page_size(call, request->page, &filter.limit) ||
        !registry_page_number(call, request->page, &filter.before) ||
        !has_model(self, call, request->model)) {
        return;
    }
    registry_stage_change_t *changes = NULL;
    size_t found = 0;
    vln_err_t err =
        registry_stages_list_changes(self->store, call->arena, &filter, &changes, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__GetHistoryReply, reply, valion__v1__get_history_reply__init);
    reply->changes = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->changes);
    vln_page_t page = {0};
    for (size_t i = 0; i < found; i++) {
        Valion__V1__StageChange *wire =
            registry_change_to_wire(call->arena, request->model, &changes[i]);
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->changes[reply->n_changes++] = wire;
    }
    if (reply->n_changes && ((int)found == filter.limit || reply->n_changes < found)) {
        reply->has_next_token = 1;
        reply->next_token =
            registry_token_of_number(call->arena, changes[reply->n_changes - 1].seq);
    }
    vln_call_reply(call, &reply->base);
}
