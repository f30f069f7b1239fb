/*
 * Watch rules as people and tasks set them; deployer_watch lets them look.
 */
#include <string.h>

#include "vln_page.h"
#include "vln_pb.h"

#include "deployer_once.h"
#include "deployer_watch_store.h"
#include "watch.h"

enum { LISTED_MAX = 1000 };

#define NEW(arena, type, name, init)                   \
    type *name = vln_arena_alloc(arena, sizeof *name); \
    init(name)

/* ---- set ---- */

static void
tell(vln_call_t *call, vln_events_t *events, const char *type, const Valion__V1__WatchRule *rule)
{
    const vln_fact_t facts[] = {
        {"environment", rule->environment},
        {"model", rule->model},
        {"rule", rule->name},
        {"metric", rule->metric ? watch_metric_name(rule->metric->kind) : NULL},
        {"column", rule->metric ? rule->metric->column : NULL},
        {NULL, NULL}};
    vln_events_add(events, type, rule->model, vln_call_actor(call), facts);
}

static bool
is_same(const Valion__V1__WatchRule *given, const Valion__V1__WatchRule *kept, vln_arena_t *arena)
{
    Valion__V1__WatchRule bare = *kept;
    size_t given_size = 0;
    size_t kept_size = 0;
    bare.has_last_fired_us = bare.has_last_look_us = 0;
    bare.last = NULL;
    const uint8_t *a = vln_pb_pack(&given->base, arena, &given_size);
    const uint8_t *b = vln_pb_pack(&bare.base, arena, &kept_size);
    return given_size == kept_size && memcmp(a, b, given_size) == 0;
}

/* A rule that is set again as it is goes on looking; another one of its name begins a new window, and
 * keeps the cooldown. */
static deployer_rule_t
replace(const deployer_rule_t *kept, Valion__V1__WatchRule *rule, int64_t now_us)
{
    deployer_rule_t out = {.record = rule, .due_us = now_us};
    if (kept) {
        rule->has_last_fired_us = kept->record->has_last_fired_us;
        rule->last_fired_us = kept->record->last_fired_us;
        out.has_gone = kept->has_gone;
        out.went_to = kept->went_to;
    }
    return out;
}

static void
reply_rule(vln_call_t *call, Valion__V1__WatchRule *rule)
{
    NEW(call->arena, Valion__V1__SetWatchRuleReply, reply, valion__v1__set_watch_rule_reply__init);
    reply->rule = rule;
    vln_call_reply(call, &reply->base);
}

static vln_err_t
remove_rule(deployer_worker_t *self, vln_call_t *call, vln_events_t *events,
            const deployer_rule_t *kept)
{
    if (!kept) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no such rule; ListWatchRules lists them");
        return VLN_OK;
    }
    const deployer_rule_key_t key = {kept->record->environment, kept->record->model,
                                     kept->record->name};
    tell(call, events, "watch.removed", kept->record);
    reply_rule(call, kept->record);
    return deployer_store_delete_rule(self->store, &key);
}

static vln_err_t
set_rule(deployer_worker_t *self, vln_call_t *call, vln_events_t *events,
         const deployer_rule_t *kept, Valion__V1__WatchRule *rule)
{
    int64_t now_us = 0;
    int64_t count = 0;
    if (kept && is_same(rule, kept->record, call->arena)) {
        reply_rule(call, kept->record);
        return VLN_OK;
    }
    vln_err_t err = deployer_store_count_rules(self->store, rule->environment, rule->model, &count);
    if (err == VLN_OK && !kept && count >= DEPLOYER_RULES_MAX) {
        vln_call_refuse(call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "an endpoint has at most %d rules: remove one", DEPLOYER_RULES_MAX);
        return VLN_OK;
    }
    if (err == VLN_OK) {
        err = deployer_store_lock(self->store, &now_us);
    }
    deployer_rule_t next = replace(kept, rule, now_us);
    if (err == VLN_OK) {
        err = deployer_store_save_rule(self->store, &next);
    }
    tell(call, events, "watch.set", rule);
    reply_rule(call, rule);
    return err;
}

static vln_err_t
change_one(deployer_worker_t *self, vln_call_t *call, vln_events_t *events, void *prepared)
{
    (void)prepared;
    const Valion__V1__SetWatchRuleRequest *request = (const void *)call->request;
    const deployer_rule_key_t key = {request->rule->environment, request->rule->model,
                                     request->rule->name};
    deployer_rule_t *kept = NULL;
    size_t count = 0;
    vln_err_t err = deployer_store_list_rules(self->store, call->arena, &key, 1, &kept, &count);
    if (err != VLN_OK) {
        return err;
    }
    kept = count > 0 ? kept : NULL;
    return request->remove ? remove_rule(self, call, events, kept)
                           : set_rule(self, call, events, kept, request->rule);
}

static bool
check_rule(vln_call_t *call, const Valion__V1__SetWatchRuleRequest *request)
{
    const char *field = NULL;
    const char *why = NULL;
    const Valion__V1__WatchRule *rule = request->rule;
    if (!rule || !rule->environment || !rule->model || !rule->name) {
        vln_call_refuse_field(call, "rule", "a rule has a name, an environment and a model");
        return false;
    }
    if (request->remove) {
        return true;
    }
    watch_rule_fill(request->rule, call->arena);
    if (!watch_rule_check(rule, &field, &why)) {
        vln_call_refuse_field(call, field, "%s", why);
        return false;
    }
    return true;
}

void
deployer_set_watch_rule(void *worker, vln_call_t **calls, size_t count)
{
    if (check_rule(calls[0], (const void *)calls[0]->request)) {
        deployer_once_run(worker, change_one, NULL, calls, count);
    }
}

/* ---- list ---- */

void
deployer_list_watch_rules(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ListWatchRulesRequest *request = (const void *)call->request;
    const deployer_rule_key_t key = {.environment = request->environment, .model = request->model};
    deployer_rule_t *rules = NULL;
    size_t found = 0;
    vln_page_t page = {0};
    vln_assert(count == 1);
    vln_err_t err =
        deployer_store_list_rules(self->store, call->arena, &key, LISTED_MAX, &rules, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListWatchRulesReply, reply,
        valion__v1__list_watch_rules_reply__init);
    reply->rules = vln_arena_alloc(call->arena, (found + 1) * sizeof(void *));
    while (reply->n_rules < found &&
           vln_page_take(&page, call->arena, &rules[reply->n_rules].record->base)) {
        reply->rules[reply->n_rules] = rules[reply->n_rules].record;
        reply->n_rules++;
    }
    if (reply->n_rules < found || found == LISTED_MAX) {
        vln_call_refuse(call, VLN_OUT_OF_RANGE, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there are more rules than one reply holds: name environment and model");
        return;
    }
    vln_call_reply(call, &reply->base);
}
