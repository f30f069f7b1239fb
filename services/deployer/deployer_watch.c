#include "deployer_watch.h"

#include <stdio.h>
#include <string.h>

#include "vln_log.h"

#include "deployer_rollouts.h"
#include "deployer_telemetry.h"
#include "deployer_watch_store.h"
#include "watch.h"

enum {
    AT_ONCE = 64, /* rules in one tick: rollouts go on */
    LOOK_BUDGET = 32 * 1024 * 1024,
    CALL_MS = 8000,
    ASK_US = 300 * 1000 * 1000, /* a rollback that nobody could be asked for this long is let go */
    NUMBER_ROOM = 32,
};

/* All that one look needs, in its arena. */
typedef struct look {
    deployer_store_t *store;
    vln_arena_t *arena;
    deployer_rule_t *rule;
    deployer_endpoint_t endpoint;
    const char *version; /* stable; NULL: none */
    const Valion__V1__Profile *reference;
    Valion__V1__Telemetry *servers; /* totals */
    Valion__V1__ProxyCounters *proxy;
    const char *obstacle;
    bool goes_back; /* a rollback of this rule's is under way */
    int64_t now_us;
} look_t;

/* ---- what is known ---- */

/* While traffic moves from one version to another nobody can tell whose it is. */
static vln_err_t
find_obstacle(look_t *self)
{
    const Valion__V1__WatchRule *record = self->rule->record;
    deployer_rollout_t *blocking = NULL;
    vln_err_t err = deployer_find_blocking(self->store, self->arena, record->environment,
                                           record->model, &blocking);
    self->goes_back = self->rule->asks ||
                      (blocking && self->rule->has_gone &&
                       memcmp(blocking->id.bytes, self->rule->went_to.bytes, VLN_ID_BYTES) == 0);
    if (!self->endpoint.has_stable) {
        self->obstacle = "nothing serves";
    } else if (blocking && blocking->promoted) {
        self->obstacle = "traffic is being moved to another version: the window begins after that";
    }
    return err;
}

static vln_err_t
read_stable(look_t *self)
{
    const Valion__V1__WatchRule *record = self->rule->record;
    deployer_instance_t *instances = NULL;
    Valion__V1__Profile *reference = NULL;
    size_t count = 0;
    const ProtobufCBinaryData *id = NULL;
    vln_err_t err = deployer_store_list_instances(
        self->store, self->arena,
        &(deployer_place_t){.environment = record->environment, .model = record->model}, &instances,
        &count);
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        if (instances[i].part == DEPLOYER_STABLE) {
            self->version = instances[i].wanted->version;
            id = instances[i].reference.len == VLN_DIGEST_BYTES ? &instances[i].reference : id;
        }
    }
    if (err == VLN_OK && id) {
        err = deployer_store_find_reference(self->store, self->arena, id->data, &reference);
        err = err == VLN_NOT_FOUND ? VLN_OK : err;
    }
    self->reference = reference;
    return err;
}

static vln_err_t
read_all(look_t *self)
{
    const Valion__V1__WatchRule *record = self->rule->record;
    vln_err_t err = deployer_store_get_endpoint(self->store, self->arena, record->environment,
                                                record->model, &self->endpoint);
    if (err == VLN_OK) {
        err = find_obstacle(self);
    }
    if (err == VLN_OK) {
        err = read_stable(self);
    }
    return err == VLN_OK ? deployer_telemetry_total(self->store, self->arena, record->environment,
                                                    record->model, &self->servers, &self->proxy)
                         : err;
}

/* ---- the window ---- */

static void
begin_window(look_t *self)
{
    deployer_rule_t *rule = self->rule;
    rule->has_stable = self->endpoint.has_stable && !self->obstacle;
    rule->stable = self->endpoint.stable;
    rule->since_us = rule->has_stable ? self->now_us : 0;
    rule->telemetry = rule->has_stable ? self->servers : NULL;
    rule->proxy = rule->has_stable ? self->proxy : NULL;
}

static bool
is_of_stable(const look_t *self)
{
    const deployer_rule_t *rule = self->rule;
    return rule->has_stable && rule->telemetry && rule->proxy && self->endpoint.has_stable &&
           memcmp(rule->stable.bytes, self->endpoint.stable.bytes, VLN_ID_BYTES) == 0;
}

/* False: a window begins now, and there is nothing in it yet. */
static bool
cut_window(look_t *self, watch_view_t *view)
{
    const deployer_rule_t *rule = self->rule;
    if (!self->obstacle && is_of_stable(self)) {
        view->servers = counts_telemetry_since(rule->telemetry, self->servers, self->arena);
        view->proxy = counts_proxy_since(rule->proxy, self->proxy, self->arena);
    }
    if (view->servers && view->proxy) {
        return true;
    }
    view->obstacle = self->obstacle
                         ? self->obstacle
                         : "the window begins now: it is the first look at this stable version";
    return false;
}

static watch_finding_t
find(look_t *self)
{
    watch_finding_t finding;
    watch_view_t view = {.rule = self->rule->record,
                         .now_us = self->now_us,
                         .since_us = self->rule->since_us,
                         .reference = self->reference};
    bool open = cut_window(self, &view);
    watch_look(&view, &finding);
    if (!open || finding.verdict != VALION__V1__ROLLOUT_VERDICT__ROLLOUT_VERDICT_HOLD) {
        begin_window(self);
    }
    return finding;
}

/* ---- what comes of it ---- */

static void
note(look_t *self, const watch_finding_t *finding)
{
    Valion__V1__WatchRule *record = self->rule->record;
    Valion__V1__Measurement *last = vln_arena_alloc(self->arena, sizeof *last);
    valion__v1__measurement__init(last);
    last->has_kind = last->has_verdict = last->has_canary = last->has_stable = 1;
    last->has_difference = last->has_margin = last->has_statistic = last->has_threshold = 1;
    last->has_n_canary = last->has_n_needed = last->has_dry_run = 1;
    last->kind = record->metric->kind;
    last->column = record->metric->column;
    last->verdict = finding->verdict;
    last->canary = finding->value;
    last->stable = finding->reference;
    last->difference = finding->effect;
    last->margin = finding->chance;
    last->statistic = finding->statistic;
    last->threshold = finding->threshold;
    last->n_canary = finding->n;
    last->n_needed = finding->needed;
    last->dry_run = record->metric->dry_run;
    last->sentence = vln_arena_strdup(self->arena, finding->sentence);
    record->last = last;
    record->has_last_look_us = 1;
    record->last_look_us = self->now_us;
    self->rule->due_us = self->now_us + record->interval_ms * 1000;
}

/* What is done, in words; a rollback is written down, to be asked for. */
static const char *
choose_action(look_t *self, const watch_finding_t *finding)
{
    deployer_rule_t *rule = self->rule;
    bool came_back = rule->has_gone &&
                     memcmp(rule->went_to.bytes, self->endpoint.stable.bytes, VLN_ID_BYTES) == 0;
    if (rule->record->action != VALION__V1__WATCH_ACTION__WATCH_ACTION_ROLLBACK) {
        return "event";
    }
    if (self->goes_back) {
        return "none: its rollback is under way";
    }
    if (came_back) {
        return "none: this version is what the rule rolled back to";
    }
    if (self->endpoint.revision < 2) {
        return "none: there is no revision to go back to";
    }
    rule->asks = true;
    rule->asked = vln_id_new();
    rule->asked_us = self->now_us;
    rule->revision = self->endpoint.revision - 1;
    rule->why =
        vln_arena_printf(self->arena, "watch rule %s: %s", rule->record->name, finding->sentence);
    return "rollback";
}

static void
add_event(vln_events_t *events, const look_t *self, const watch_finding_t *finding,
          const char *action)
{
    const Valion__V1__WatchRule *record = self->rule->record;
    char statistic[NUMBER_ROOM];
    char threshold[NUMBER_ROOM];
    char n[NUMBER_ROOM];
    snprintf(statistic, sizeof statistic, "%.6g", finding->statistic);
    snprintf(threshold, sizeof threshold, "%.6g", finding->threshold);
    snprintf(n, sizeof n, "%llu", (unsigned long long)finding->n);
    const vln_fact_t facts[] = {{"environment", record->environment},
                                {"model", record->model},
                                {"version", self->version},
                                {"rule", record->name},
                                {"metric", watch_metric_name(record->metric->kind)},
                                {"column", record->metric->column},
                                {"statistic", statistic},
                                {"threshold", threshold},
                                {"n", n},
                                {"sentence", finding->sentence},
                                {"action", action},
                                {NULL, NULL}};
    vln_events_add(events, "watch.fired", record->model, "valion", facts);
    vln_info("watch.fired", kv_str("rule", record->name), kv_str("model", record->model),
             kv_str("why", finding->sentence), kv_str("action", action));
}

static vln_err_t
look_locked(look_t *self)
{
    watch_finding_t finding;
    vln_events_t *events = vln_events_new(self->arena);
    vln_err_t err = read_all(self);
    if (err != VLN_OK) {
        return err;
    }
    finding = find(self);
    note(self, &finding);
    if (finding.fires) {
        add_event(events, self, &finding, choose_action(self, &finding));
        self->rule->record->has_last_fired_us = 1;
        self->rule->record->last_fired_us = self->now_us;
    }
    err = deployer_store_save_rule(self->store, self->rule);
    return err == VLN_OK ? deployer_store_write_events(self->store, events) : err;
}

/* A paused rule makes room for those that look. */
static vln_err_t
put_off(look_t *self)
{
    self->rule->due_us = self->now_us + self->rule->record->interval_ms * 1000;
    return deployer_store_save_rule(self->store, self->rule);
}

/* The rule as it is now, under the lock: another instance may have looked, or somebody removed it. NULL:
 * nothing is to be done. */
static vln_err_t
find_due(deployer_worker_t *self, vln_arena_t *arena, const deployer_rule_key_t *key,
         int64_t *now_us, deployer_rule_t **out)
{
    deployer_rule_t *rules = NULL;
    size_t count = 0;
    vln_err_t err = deployer_store_lock(self->store, now_us);
    if (err == VLN_OK) {
        err = deployer_store_list_rules(self->store, arena, key, 1, &rules, &count);
    }
    bool due = count == 1 && rules[0].due_us <= *now_us;
    *out = err == VLN_OK && due ? &rules[0] : NULL;
    return err;
}

static vln_err_t
look(deployer_worker_t *self, vln_arena_t *arena, const deployer_rule_key_t *key)
{
    look_t state = {.store = self->store, .arena = arena};
    vln_err_t err = deployer_store_begin(self->store);
    if (err == VLN_OK) {
        err = find_due(self, arena, key, &state.now_us, &state.rule);
    }
    if (err == VLN_OK && state.rule) {
        err = state.rule->record->paused ? put_off(&state) : look_locked(&state);
    }
    if (err == VLN_OK) {
        return deployer_store_commit(self->store);
    }
    deployer_store_rollback(self->store);
    return err;
}

/* ---- rollbacks ---- */

/* The answer is to be wiped in every case. */
static vln_err_t
ask_for_rollback(deployer_worker_t *self, const deployer_rule_t *rule, vln_reply_t *reply)
{
    Valion__V1__RollbackRequest request = VALION__V1__ROLLBACK_REQUEST__INIT;
    request.environment = rule->record->environment;
    request.model = rule->record->model;
    request.has_revision = 1;
    request.revision = (uint64_t)rule->revision;
    request.reason = (char *)(uintptr_t)rule->why;
    const vln_call_spec_t spec = {.service = "deployer",
                                  .method = "Rollback",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__rollback_reply__descriptor,
                                  .timeout_ms = CALL_MS,
                                  .request_id = &rule->asked};
    return vln_client_call(deployer_client(self), &spec, reply);
}

static void
tell_refused(vln_events_t *events, const Valion__V1__WatchRule *record, const char *why)
{
    const vln_fact_t facts[] = {{"environment", record->environment},
                                {"model", record->model},
                                {"rule", record->name},
                                {"error", why},
                                {NULL, NULL}};
    vln_events_add(events, "watch.rollback_refused", record->model, "valion", facts);
    vln_warn("watch.rollback_refused", kv_str("rule", record->name), kv_str("why", why));
}

/* What became of the rollback that was asked for by this id. `went_to` NULL: it was refused. */
static vln_err_t
save_answer(deployer_worker_t *self, vln_arena_t *arena, const deployer_rule_t *asked,
            const vln_id_t *went_to, const char *why)
{
    deployer_rule_t *rules = NULL;
    size_t count = 0;
    vln_events_t *events = vln_events_new(arena);
    const deployer_rule_key_t key = {asked->record->environment, asked->record->model,
                                     asked->record->name};
    vln_err_t err = deployer_store_list_rules(self->store, arena, &key, 1, &rules, &count);
    if (err != VLN_OK || count == 0 || !rules[0].asks ||
        memcmp(rules[0].asked.bytes, asked->asked.bytes, VLN_ID_BYTES) != 0) {
        return err;
    }
    rules[0].asks = false;
    rules[0].asked_us = 0;
    rules[0].has_gone = rules[0].has_gone || went_to;
    rules[0].went_to = went_to ? *went_to : rules[0].went_to;
    if (!went_to) {
        tell_refused(events, rules[0].record, why);
    }
    err = deployer_store_save_rule(self->store, &rules[0]);
    return err == VLN_OK ? deployer_store_write_events(self->store, events) : err;
}

static vln_err_t
end_asking(deployer_worker_t *self, vln_arena_t *arena, const deployer_rule_t *rule,
           const vln_id_t *went_to, const char *why)
{
    vln_err_t err = deployer_store_begin(self->store);
    if (err == VLN_OK) {
        err = save_answer(self, arena, rule, went_to, why);
    }
    if (err == VLN_OK) {
        return deployer_store_commit(self->store);
    }
    deployer_store_rollback(self->store);
    return err;
}

/* Why there is no asking any more; NULL: there is. */
static const char *
find_reason_not_to_ask(const deployer_rule_t *rule, const deployer_endpoint_t *endpoint,
                       int64_t now_us)
{
    bool same = endpoint->has_stable && endpoint->revision == rule->revision + 1;
    if (!same) {
        return "another version serves by now";
    }
    return now_us - rule->asked_us > ASK_US ? "nobody answered in time" : NULL;
}

static vln_err_t
ask(deployer_worker_t *self, vln_arena_t *arena, const deployer_rule_t *rule)
{
    vln_reply_t reply;
    vln_err_t err = ask_for_rollback(self, rule, &reply);
    const Valion__V1__Rollout *rollout =
        err == VLN_OK ? ((Valion__V1__RollbackReply *)(void *)reply.message)->rollout : NULL;
    if (rollout && rollout->rollout_id.len == VLN_ID_BYTES) {
        vln_id_t id = {0};
        memcpy(id.bytes, rollout->rollout_id.data, VLN_ID_BYTES);
        err = end_asking(self, arena, rule, &id, NULL);
    } else if (!vln_err_is_transient(err)) {
        err = end_asking(self, arena, rule, NULL, reply.why[0] ? reply.why : vln_err_text(err));
    } else {
        err = VLN_OK; /* the next tick asks again */
    }
    vln_reply_wipe(&reply);
    return err;
}

static vln_err_t
roll_back(deployer_worker_t *self, vln_arena_t *arena, const deployer_rule_key_t *key)
{
    deployer_rule_t *rules = NULL;
    deployer_endpoint_t endpoint;
    size_t count = 0;
    int64_t now_us = 0;
    vln_err_t err = deployer_store_list_rules(self->store, arena, key, 1, &rules, &count);
    if (err != VLN_OK || count == 0 || !rules[0].asks) {
        return err;
    }
    err = deployer_store_lock(self->store, &now_us); /* for its clock */
    if (err != VLN_OK) {
        return err;
    }
    err = deployer_store_get_endpoint(self->store, arena, key->environment, key->model, &endpoint);
    if (err != VLN_OK) {
        return err;
    }
    const char *why = find_reason_not_to_ask(&rules[0], &endpoint, now_us);
    return why ? end_asking(self, arena, &rules[0], NULL, why) : ask(self, arena, &rules[0]);
}

vln_err_t
deployer_watch_tick(deployer_worker_t *self, vln_arena_t *arena)
{
    deployer_rule_key_t *keys = NULL;
    size_t count = 0;
    vln_err_t err = deployer_store_list_due_rules(self->store, arena, AT_ONCE, &keys, &count);
    vln_arena_t *own = count > 0 ? vln_arena_new(LOOK_BUDGET) : NULL;
    for (size_t i = 0; i < count && err != VLN_UNAVAILABLE; i++) {
        vln_arena_reset(own);
        err = look(self, own, &keys[i]);
        if (err == VLN_OK) {
            err = roll_back(self, own, &keys[i]);
        }
        /* One rule that cannot be looked at does not keep the others from looking. */
        if (err != VLN_OK && err != VLN_UNAVAILABLE) {
            vln_warn("watch.failed", kv_str("rule", keys[i].name), kv_err(err));
            err = VLN_OK;
        }
    }
    vln_arena_destroy(&own);
    return err;
}
