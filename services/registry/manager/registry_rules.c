/*
 * The version manager's rules as rows that admins change, and ranges as questions.
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_pb.h"

#include "range.h"
#include "registry.h"
#include "registry_handlers.h"
#include "registry_rules_store.h"
#include "registry_wire.h"
#include "suggest.h"
#include "valion/v1/registry.pb-c.h"

enum { ORDER_MAX = 9999, VERSIONS_MAX = 1000 };

/* ---- as messages ---- */

static Valion__V1__VersionRule *
rule_to_wire(vln_arena_t *arena, const registry_rule_t *rule)
{
    NEW(arena, Valion__V1__VersionRule, wire, valion__v1__version_rule__init);
    wire->name = registry_borrowed(rule->name);
    wire->key = registry_borrowed(rule->key);
    wire->has_threshold = wire->has_bump = wire->has_order = wire->has_changed_us = 1;
    wire->threshold = rule->threshold;
    wire->bump = (Valion__V1__Bump)rule->bump;
    wire->order = (uint32_t)rule->order;
    wire->changed_by = registry_borrowed(rule->changed_by);
    wire->changed_us = rule->changed_us;
    return wire;
}

static void
answer_put(vln_call_t *call, const registry_rule_t *rule)
{
    NEW(call->arena, Valion__V1__PutVersionRuleReply, reply,
        valion__v1__put_version_rule_reply__init);
    reply->rule = rule_to_wire(call->arena, rule);
    vln_call_reply(call, &reply->base);
}

static void
add_event(vln_events_t *events, vln_call_t *call, const char *type, const registry_rule_t *rule)
{
    static const char *const bumps[] = {"", "major", "minor", "patch", "prerelease"};
    char threshold[32];
    char order[16];
    snprintf(threshold, sizeof threshold, "%.17g", rule->threshold);
    snprintf(order, sizeof order, "%d", rule->order);
    const vln_fact_t facts[] = {{"rule", rule->name},     {"key", rule->key},
                                {"threshold", threshold}, {"bump", bumps[rule->bump]},
                                {"order", order},         {NULL, NULL}};
    vln_events_add(events, type, rule->name, vln_call_actor(call), facts);
}

/* ---- put ---- */

static bool
check_threshold(vln_call_t *call, const Valion__V1__VersionRule *rule, suggest_key_t key)
{
    if (!isfinite(rule->threshold) || rule->threshold < 0) {
        vln_call_refuse_field(call, "rule.threshold", "a finite number, 0 or above: 0.1 is 10 %%");
        return false;
    }
    if (!suggest_key_is_number(key) && rule->threshold >= 1) {
        vln_call_refuse_field(call, "rule.threshold",
                              "%s is a yes or no, and a yes counts as 1: above %.6g it never is",
                              rule->key, rule->threshold);
        return false;
    }
    return true;
}

static bool
check_rule(vln_call_t *call, const Valion__V1__VersionRule *rule)
{
    suggest_key_t key;
    if (!rule->key || !suggest_key_parse(rule->key, &key)) {
        vln_call_refuse_field(call, "rule.key",
                              "'%.64s' is not a key of ChangeContext: breaking_change, "
                              "performance_improvement, input_removed …",
                              rule->key ? rule->key : "");
        return false;
    }
    if (rule->bump < VALION__V1__BUMP__BUMP_MAJOR ||
        rule->bump > VALION__V1__BUMP__BUMP_PRERELEASE) {
        vln_call_refuse_field(call, "rule.bump", "major, minor, patch or prerelease");
        return false;
    }
    if (rule->order < 1 || rule->order > ORDER_MAX) {
        vln_call_refuse_field(call, "rule.order", "1 to %d; the lowest that matches decides",
                              ORDER_MAX);
        return false;
    }
    return check_threshold(call, rule, key);
}

static bool
check_put(vln_call_t *call, const Valion__V1__PutVersionRuleRequest *request)
{
    if (!request->rule) {
        vln_call_refuse_field(call, "rule", "say which rule");
        return false;
    }
    return registry_check_name(call, "rule.name", "a version rule", request->rule->name) &&
           (request->remove || check_rule(call, request->rule));
}

static const registry_rule_t *
find_rule(const registry_rule_t *rules, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rules[i].name, name) == 0) {
            return &rules[i];
        }
    }
    return NULL;
}

static bool
is_same_rule(const registry_rule_t *rule, const Valion__V1__VersionRule *wire)
{
    bool same_threshold = rule->threshold <= wire->threshold && rule->threshold >= wire->threshold;
    return strcmp(rule->key, wire->key) == 0 && same_threshold && rule->bump == (int)wire->bump &&
           rule->order == (int)wire->order;
}

static vln_err_t
remove_rule(registry_worker_t *self, vln_call_t *call, const registry_rule_t *rule,
            vln_events_t *events)
{
    const Valion__V1__PutVersionRuleRequest *request = (const void *)call->request;
    if (!rule) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no version rule '%s'; ListVersionRules lists them",
                        request->rule->name);
        return VLN_OK;
    }
    vln_err_t err = registry_rules_remove(self->store, rule->name);
    if (err == VLN_OK) {
        add_event(events, call, "version_rule.removed", rule);
        err = registry_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        answer_put(call, rule);
    }
    return err;
}

static vln_err_t
store_rule(registry_worker_t *self, vln_call_t *call, const Valion__V1__VersionRule *wire,
           vln_events_t *events)
{
    registry_rule_t rule = {.name = wire->name,
                            .key = wire->key,
                            .threshold = wire->threshold,
                            .bump = (int)wire->bump,
                            .order = (int)wire->order,
                            .changed_by = call->ticket ? call->ticket->submitter : call->principal};
    vln_err_t err = registry_rules_put(self->store, &rule);
    if (err == VLN_OK) {
        add_event(events, call, "version_rule.stored", &rule);
        err = registry_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        answer_put(call, &rule);
    }
    return err;
}

static vln_err_t
work_put(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__PutVersionRuleRequest *request = (const void *)call->request;
    registry_rule_t *rules = NULL;
    size_t rule_count = 0;
    if (!check_put(call, request)) {
        return VLN_OK;
    }
    vln_err_t err = registry_rules_lock(self->store);
    if (err == VLN_OK) {
        err = registry_rules_list(self->store, call->arena, &rules, &rule_count);
    }
    if (err != VLN_OK) {
        return err;
    }
    const registry_rule_t *old = find_rule(rules, rule_count, request->rule->name);
    vln_events_t *events = vln_events_new(call->arena);
    if (request->remove) {
        return remove_rule(self, call, old, events);
    }
    if (old && is_same_rule(old, request->rule)) {
        answer_put(call, old);
        return VLN_OK;
    }
    if (!old && rule_count >= REGISTRY_RULES_MAX) {
        vln_call_refuse(call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_QUOTA,
                        "there are %d version rules: change or remove one of them",
                        REGISTRY_RULES_MAX);
        call->limit = REGISTRY_RULES_MAX;
        return VLN_OK;
    }
    return store_rule(self, call, request->rule, events);
}

void
registry_put_version_rule(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_put);
}

/* ---- list ---- */

void
registry_list_version_rules(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    registry_rule_t *rules = NULL;
    size_t found = 0;
    vln_err_t err = registry_rules_list(self->store, call->arena, &rules, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListVersionRulesReply, reply,
        valion__v1__list_version_rules_reply__init);
    reply->rules = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->rules);
    for (size_t i = 0; i < found; i++) {
        reply->rules[reply->n_rules++] = rule_to_wire(call->arena, &rules[i]);
    }
    vln_call_reply(call, &reply->base);
}

/* ---- ranges ---- */

typedef struct candidate {
    char *text;
    semver_t version;
} candidate_t;

static int
compare_candidates(const void *left, const void *right)
{
    const candidate_t *a = left;
    const candidate_t *b = right;
    int order = semver_compare(&a->version, &b->version);
    return order ? order : strcmp(a->text, b->text);
}

static void
sort_out(const Valion__V1__CheckRangeRequest *request, const range_t *range,
         Valion__V1__CheckRangeReply *reply, vln_arena_t *arena)
{
    size_t count = 0;
    candidate_t *in = vln_arena_alloc(arena, (request->n_versions + 1) * sizeof *in);
    reply->versions = vln_arena_alloc(arena, (request->n_versions + 1) * sizeof *reply->versions);
    reply->invalid = vln_arena_alloc(arena, (request->n_versions + 1) * sizeof *reply->invalid);
    for (size_t i = 0; i < request->n_versions; i++) {
        char *text = request->versions[i];
        if (!semver_parse(text, &in[count].version)) {
            reply->invalid[reply->n_invalid++] = text;
        } else if (range_contains(range, &in[count].version)) {
            in[count++].text = text;
        }
    }
    qsort(in, count, sizeof *in, compare_candidates);
    for (size_t i = 0; i < count; i++) {
        reply->versions[reply->n_versions++] = in[i].text;
    }
    reply->minimum = count ? in[0].text : NULL;
    reply->maximum = count ? in[count - 1].text : NULL;
}

void
registry_check_range(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    (void)worker;
    vln_assert(count == 1);
    const Valion__V1__CheckRangeRequest *request = (const void *)call->request;
    range_t range;
    char why[RANGE_WHY];
    if (request->n_versions > VERSIONS_MAX) {
        vln_call_refuse_field(call, "versions", "%zu versions; at most %d are looked at at once",
                              request->n_versions, VERSIONS_MAX);
        return;
    }
    if (!range_parse(request->range ? request->range : "", request->include_prerelease, &range,
                     why)) {
        vln_call_refuse_field(call, "range", "%s", why);
        return;
    }
    NEW(call->arena, Valion__V1__CheckRangeReply, reply, valion__v1__check_range_reply__init);
    sort_out(request, &range, reply, call->arena);
    vln_call_reply(call, &reply->base);
}
