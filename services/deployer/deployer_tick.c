/*
 * The tick: every rollout that has not ended is looked at, several times a second. What the registry
 * is asked is asked before the transaction and can be asked again; what is decided is recorded with
 * its reason, its effects and the hosts' new states in one transaction.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_time.h"

#include "deployer_act.h"
#include "deployer_place.h"
#include "deployer_reference.h"
#include "deployer_refresh.h"
#include "deployer_registry.h"
#include "deployer_rollouts.h"
#include "deployer_watch.h"

enum {
    TICK_MS = 200,
    SWEEP_EVERY_MS = 60000,
    ARENA_BUDGET = 64 * 1024 * 1024,
    OPEN_MAX = 1000,
    WHY_ROOM = 512,
};

/* What the registry said of a rollout that waits for its grant. */
typedef struct answer {
    bool granted;
    bool refused;
    uint8_t grant[VLN_ID_BYTES];
    char why[WHY_ROOM];
} answer_t;

/* ---- the registry ---- */

static bool
is_older(const deployer_rollout_t *left, const deployer_rollout_t *right)
{
    return left->created_us != right->created_us
               ? left->created_us < right->created_us
               : memcmp(left->id.bytes, right->id.bytes, VLN_ID_BYTES) < 0;
}

static bool
is_same_endpoint(const deployer_rollout_t *left, const deployer_rollout_t *right)
{
    const Valion__V1__RolloutSpec *a = left->record->spec;
    const Valion__V1__RolloutSpec *b = right->record->spec;
    return strcmp(a->environment, b->environment) == 0 && strcmp(a->model, b->model) == 0;
}

/* Its turn comes when no older one of its endpoint is under way. */
static bool
has_turn(const deployer_rollout_t *self, const deployer_rollout_t *open, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rollout_blocks(open[i].record->state) && is_same_endpoint(&open[i], self) &&
            is_older(&open[i], self)) {
            return false;
        }
    }
    return true;
}

static void
ask_for_grant(deployer_worker_t *self, const deployer_rollout_t *rollout, answer_t *out)
{
    vln_reply_t reply;
    const Valion__V1__Grant *grant = NULL;
    vln_err_t err = deployer_registry_open_grant(deployer_client(self), rollout->version,
                                                 rollout->record->spec->environment, &rollout->id,
                                                 &reply, &grant);
    if (err == VLN_OK && grant->grant_id.len == VLN_ID_BYTES) {
        out->granted = true;
        memcpy(out->grant, grant->grant_id.data, VLN_ID_BYTES);
    } else if (err != VLN_OK && !vln_err_is_transient(err)) {
        out->refused = true;
        snprintf(out->why, sizeof out->why, "%s", reply.why[0] ? reply.why : vln_err_text(err));
    }
    vln_reply_wipe(&reply);
}

/* ---- what is known ---- */

static void
count_instances(const deployer_scene_t *scene, rollout_view_t *view)
{
    for (size_t i = 0; i < scene->instance_count; i++) {
        const deployer_instance_t *instance = &scene->instances[i];
        if (!deployer_scene_owns(scene, instance)) {
            continue;
        }
        view->wanted++;
        view->ready += instance->state == VALION__V1__INSTANCE_STATE__INSTANCE_STATE_READY;
        if (instance->state == VALION__V1__INSTANCE_STATE__INSTANCE_STATE_FAILED) {
            view->failed++;
            view->failure = view->failure      ? view->failure
                            : instance->report ? instance->report->error
                                               : NULL;
        }
    }
}

/* Of hosts that take part: the endpoint's instances, or the environment, are theirs. */
static bool
is_applied(const deployer_scene_t *scene)
{
    for (size_t i = 0; i < scene->host_count; i++) {
        if (scene->hosts[i].applied < scene->hosts[i].generation) {
            return false;
        }
    }
    return true;
}

static bool
is_superseded(const deployer_rollout_t *self, const deployer_rollout_t *open, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (rollout_blocks(open[i].record->state) && is_same_endpoint(&open[i], self) &&
            is_older(self, &open[i])) {
            return true;
        }
    }
    return false;
}

/* True if it was stable, and somebody told all of its instances to stop. */
static bool
is_stopped(const deployer_scene_t *scene)
{
    for (size_t i = 0; i < scene->instance_count; i++) {
        if (deployer_scene_owns(scene, &scene->instances[i]) &&
            scene->instances[i].part != DEPLOYER_STOPPING) {
            return false;
        }
    }
    return scene->rollout->promoted;
}

static rollout_view_t
look(const deployer_scene_t *scene, const answer_t *answer, const deployer_rollout_t *open,
     size_t count)
{
    const deployer_rollout_t *rollout = scene->rollout;
    const Valion__V1__Rollout *record = rollout->record;
    const Valion__V1__RolloutSpec *spec = record->spec;
    int64_t since_ms = (rollout->now_us - rollout->progress_us) / 1000;
    bool turn = has_turn(rollout, open, count);
    rollout_view_t view = {.state = record->state,
                           .asked_to_abort = rollout->asked,
                           .paused = record->paused,
                           .superseded = is_superseded(rollout, open, count),
                           .granted = turn && (answer->granted || record->has_grant_id),
                           .refusal = turn && answer->refused ? answer->why : NULL,
                           .has_hosts = scene->host_count > 0,
                           .no_room = scene->no_room,
                           .applied = is_applied(scene),
                           .promoted = rollout->promoted,
                           .past_deadline = turn && since_ms > spec->progress_deadline_ms,
                           .watched = since_ms >= spec->watch->duration_ms,
                           .stopped = is_stopped(scene),
                           .nothing_serves = !scene->endpoint.has_stable,
                           .rolls_back = spec->auto_rollback,
                           .version = rollout->version->version,
                           .previous = record->previous_version};
    count_instances(scene, &view);
    return view;
}

/* ---- one rollout ---- */

static void
say(const deployer_rollout_t *rollout, const rollout_decision_t *decision)
{
    char id[VLN_ID_TEXT];
    vln_info("rollout.decided", kv_str("rollout", vln_id_format(rollout->id.bytes, id)),
             kv_str("model", rollout->record->spec->model),
             kv_str("version", rollout->version->version),
             kv_str("state", rollout_state_name(decision->to)), kv_str("why", decision->reason));
}

static void
apply_decision(deployer_rollout_t *rollout, const rollout_decision_t *decision,
               const rollout_view_t *view, vln_arena_t *arena, Valion__V1__Decision *out)
{
    Valion__V1__Rollout *record = rollout->record;
    out->has_from_state = out->has_to_state = out->has_verdict = 1;
    out->from_state = record->state;
    out->to_state = decision->to;
    out->verdict = decision->verdict;
    out->rule = vln_arena_strdup(arena, decision->rule);
    out->reason = vln_arena_strdup(arena, decision->reason);
    record->state = decision->to;
    record->has_replicas = 1;
    record->replicas = (uint32_t)view->ready;
    if (decision->verdict == VALION__V1__ROLLOUT_VERDICT__ROLLOUT_VERDICT_ABORT && !record->error) {
        record->error = out->reason;
    }
    if (rollout_is_end(decision->to)) {
        record->has_finished_us = 1;
        record->finished_us = rollout->now_us;
        record->end_reason = record->error ? record->error : out->reason;
    }
}

static vln_err_t
decide(deployer_worker_t *self, vln_arena_t *arena, deployer_scene_t *scene,
       const rollout_view_t *view, bool *changed)
{
    rollout_decision_t decision;
    Valion__V1__Decision record = VALION__V1__DECISION__INIT;
    deployer_rollout_t *rollout = scene->rollout;
    if (!rollout_decide(view, &decision)) {
        return VLN_OK;
    }
    vln_events_t *events = vln_events_new(arena);
    scene->why = rollout->record->spec->reason && rollout->record->spec->reason[0] &&
                         decision.action == ROLLOUT_SWITCH
                     ? rollout->record->spec->reason
                     : decision.reason;
    apply_decision(rollout, &decision, view, arena, &record);
    vln_err_t err = deployer_act(self->store, arena, scene, decision.action);
    if (err == VLN_OK) {
        err = deployer_rollout_record(self->store, events, rollout, &record, "valion");
    }
    if (err == VLN_OK) {
        err = deployer_store_save_rollout(self->store, rollout, true);
    }
    if (err == VLN_OK) {
        err = deployer_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        err = deployer_refresh_hosts(self->store, arena, changed);
    }
    if (err == VLN_OK) {
        say(rollout, &decision);
    }
    return err;
}

static vln_err_t
advance_locked(deployer_worker_t *self, vln_arena_t *arena, const vln_id_t *id,
               const answer_t *answer, bool *changed)
{
    deployer_rollout_t rollout;
    deployer_rollout_t *open = NULL;
    deployer_scene_t scene;
    size_t count = 0;
    const deployer_filter_t filter = {.open = true, .limit = OPEN_MAX};
    vln_err_t err = deployer_store_find_rollout(self->store, arena, id->bytes, &rollout);
    if (err == VLN_OK) {
        err = deployer_store_list_rollouts(self->store, arena, &filter, &open, &count);
    }
    if (err == VLN_OK) {
        err = deployer_scene_read(self->store, arena, &rollout, &scene);
    }
    if (err != VLN_OK || rollout_is_end(rollout.record->state)) {
        return err;
    }
    if (answer->granted) {
        rollout.record->has_grant_id = 1;
        rollout.record->grant_id =
            (ProtobufCBinaryData){VLN_ID_BYTES, (uint8_t *)(uintptr_t)answer->grant};
    }
    if (rollout.record->state == VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_PENDING &&
        rollout.record->has_grant_id) {
        err = deployer_place(self->store, arena, &scene);
    }
    if (err != VLN_OK) {
        return err;
    }
    rollout_view_t view = look(&scene, answer, open, count);
    return decide(self, arena, &scene, &view, changed);
}

static vln_err_t
advance(deployer_worker_t *self, vln_arena_t *arena, const vln_id_t *id, const answer_t *answer)
{
    bool changed = false;
    vln_err_t err = deployer_store_begin(self->store);
    if (err == VLN_OK) {
        err = advance_locked(self, arena, id, answer, &changed);
    }
    if (err != VLN_OK) {
        deployer_store_rollback(self->store);
        return err;
    }
    err = deployer_store_commit(self->store);
    vln_service_hint(self->deployer->service, DEPLOYER_TOPIC_ROLLOUTS);
    if (changed) {
        vln_service_hint(self->deployer->service, DEPLOYER_TOPIC_HOSTS);
    }
    return err;
}

/* ---- what is over ---- */

static bool
has_instances(const deployer_rollout_t *rollout, const deployer_instance_t *instances, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(instances[i].rollout_id.bytes, rollout->id.bytes, VLN_ID_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

static vln_err_t
save_closed(deployer_worker_t *self, vln_arena_t *arena, const vln_id_t *id)
{
    deployer_rollout_t rollout;
    vln_err_t err = deployer_store_begin(self->store);
    if (err == VLN_OK) {
        err = deployer_store_find_rollout(self->store, arena, id->bytes, &rollout);
    }
    if (err == VLN_OK) {
        rollout.grant_closed = true;
        err = deployer_store_save_rollout(self->store, &rollout, false);
    }
    if (err == VLN_OK) {
        return deployer_store_commit(self->store);
    }
    deployer_store_rollback(self->store);
    return err;
}

/* A version that neither serves nor is kept warm gives its grant back. */
static vln_err_t
return_grant(deployer_worker_t *self, vln_arena_t *arena, const deployer_rollout_t *rollout)
{
    const Valion__V1__RolloutSpec *spec = rollout->record->spec;
    deployer_instance_t *instances = NULL;
    size_t count = 0;
    vln_err_t err = deployer_store_list_instances(
        self->store, arena,
        &(deployer_place_t){.environment = spec->environment, .model = spec->model}, &instances,
        &count);
    if (err != VLN_OK || has_instances(rollout, instances, count)) {
        return err;
    }
    if (rollout->record->has_grant_id) {
        vln_reply_t reply;
        err = deployer_registry_close_grant(deployer_client(self), rollout->record->grant_id,
                                            &rollout->id, &reply);
        if (err == VLN_NOT_FOUND) {
            err = VLN_OK;
        }
        vln_reply_wipe(&reply);
    }
    return err == VLN_OK ? save_closed(self, arena, &rollout->id) : err;
}

/* Warm instances whose time is over stop, and those that have stopped are forgotten. */
static vln_err_t
clean_up(deployer_worker_t *self, vln_arena_t *arena)
{
    int64_t cooled = 0;
    int64_t removed = 0;
    bool changed = false;
    vln_err_t err = deployer_store_begin(self->store);
    if (err == VLN_OK) {
        err = deployer_store_cool_instances(self->store, &cooled);
    }
    if (err == VLN_OK) {
        err = deployer_store_remove_stopped(self->store, &removed);
    }
    if (err == VLN_OK && cooled + removed > 0) {
        err = deployer_refresh_hosts(self->store, arena, &changed);
    }
    if (err != VLN_OK) {
        deployer_store_rollback(self->store);
        return err;
    }
    err = deployer_store_commit(self->store);
    if (changed) {
        vln_service_hint(self->deployer->service, DEPLOYER_TOPIC_HOSTS);
    }
    return err;
}

/* ---- the loop ---- */

static vln_err_t
look_at(deployer_worker_t *self, vln_arena_t *arena, const deployer_rollout_t *rollout,
        const deployer_rollout_t *open, size_t count)
{
    answer_t answer = {0};
    if (rollout_is_end(rollout->record->state)) {
        return return_grant(self, arena, rollout);
    }
    bool asks = rollout->record->state == VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_PENDING &&
                !rollout->record->has_grant_id && !rollout->asked;
    if (asks && has_turn(rollout, open, count)) {
        ask_for_grant(self, rollout, &answer);
    }
    /* What its servers are to count by is read first; while that cannot be had, it waits as for its
     * grant, until its deadline. */
    if (answer.granted && deployer_reference_fetch(self->store, deployer_artifacts(self),
                                                   rollout->version) != VLN_OK) {
        answer.granted = false;
    }
    return advance(self, arena, &rollout->id, &answer);
}

static vln_err_t
tick(deployer_worker_t *self, vln_arena_t *arena)
{
    deployer_rollout_t *open = NULL;
    size_t count = 0;
    const deployer_filter_t filter = {.open = true, .limit = OPEN_MAX};
    vln_err_t err = clean_up(self, arena);
    if (err == VLN_OK) {
        err = deployer_store_list_rollouts(self->store, arena, &filter, &open, &count);
    }
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        err = look_at(self, arena, &open[i], open, count);
    }
    return err == VLN_OK ? deployer_watch_tick(self, arena) : err;
}

void
deployer_run_tick(void *context, vln_stop_t *stop)
{
    deployer_worker_t *self = deployer_worker_open(context);
    vln_arena_t *arena = vln_arena_new(ARENA_BUDGET);
    int64_t swept_ms = vln_mono_ms();
    while (!vln_stop_wait(stop, TICK_MS)) {
        vln_err_t err = deployer_store_ensure(self->store);
        if (err == VLN_OK) {
            vln_arena_reset(arena);
            err = tick(self, arena);
        }
        if (err == VLN_OK && vln_mono_ms() - swept_ms > SWEEP_EVERY_MS) {
            swept_ms = vln_mono_ms();
            err = deployer_store_sweep(self->store);
        }
        if (err != VLN_OK && err != VLN_UNAVAILABLE) {
            vln_warn("tick.failed", kv_err(err));
        }
    }
    vln_arena_destroy(&arena);
    deployer_worker_close(&self);
}
