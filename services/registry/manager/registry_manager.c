/*
 * The version manager: what comes next, how two versions differ, what changed over time.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vln_text.h"
#include "vln_time.h"

#include "registry.h"
#include "registry_change.h"
#include "registry_differences.h"
#include "registry_handlers.h"
#include "registry_search_store.h"
#include "registry_text.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "suggest.h"
#include "valion/v1/registry.pb-c.h"

enum {
    CHANGELOG_VERSIONS = 200,
    CHANGELOG_BYTES = 128 * 1024,
    RECORDS_BYTES = 1024 * 1024,
};

/* ---- records ---- */

/* Both records of the model, as messages; false, and the call answered. */
static bool
find_both(registry_worker_t *self, vln_call_t *call, const char *model, const char *const texts[2],
          Valion__V1__Version *out[2])
{
    const registry_version_key_t keys[] = {{model, texts[0], NULL}, {model, texts[1], NULL}};
    registry_version_t found[2];
    if (!registry_check_model_name(call, model)) {
        return false;
    }
    vln_err_t err = registry_store_find_versions(self->store, call->arena, keys, 2, found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return false;
    }
    for (size_t i = 0; i < 2; i++) {
        if (!found[i].version) {
            vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                            "there is no version '%s' of a model '%s'; ListVersions lists them",
                            texts[i] ? texts[i] : "(latest)", model);
            return false;
        }
        out[i] = registry_version_to_wire(call, &found[i]);
        if (!out[i]) {
            return false;
        }
    }
    return true;
}

/* ---- suggest ---- */

static bool
parse_version(vln_call_t *call, const char *field, const char *text, semver_t *out)
{
    if (text && semver_parse(text, out)) {
        return true;
    }
    vln_call_refuse_field(call, field, "'%s' is not a version as in semver.org", text ? text : "");
    return false;
}

/* The version to go on from: given, or the latest of the model; `*has` false if it has none. */
static bool
find_current(registry_worker_t *self, vln_call_t *call,
             const Valion__V1__SuggestVersionRequest *request, semver_t *out, bool *has)
{
    *has = true;
    if (request->current) {
        return parse_version(call, "current", request->current, out);
    }
    if (!request->model) {
        vln_call_refuse_field(call, "current", "name the version to go on from, or a model");
        return false;
    }
    registry_model_t model;
    if (!registry_check_model_name(call, request->model)) {
        return false;
    }
    vln_err_t err = registry_store_find_model(self->store, call->arena, request->model, &model);
    if (err == VLN_NOT_FOUND) {
        registry_refuse_no_model(call, request->model);
        return false;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return false;
    }
    *has = model.latest && semver_parse(model.latest, out);
    return true;
}

static bool
check_suggest(vln_call_t *call, const Valion__V1__SuggestVersionRequest *request)
{
    semver_t version;
    if ((unsigned)request->scheme > VALION__V1__VERSION_SCHEME__VERSION_SCHEME_HYBRID) {
        vln_call_refuse_field(call, "scheme", "semantic, timestamp, sequential or hybrid");
        return false;
    }
    if (request->compare_with && !request->model) {
        vln_call_refuse_field(call, "model",
                              "a version to compare with is one of a model: say "
                              "which");
        return false;
    }
    return registry_check_context(call, request->context) &&
           (!request->compare_with ||
            parse_version(call, "compare_with", request->compare_with, &version));
}

/* What changed from the one to the other; false, and the call answered. NULL if nothing was asked. */
static bool
find_difference(registry_worker_t *self, vln_call_t *call, const difference_t **out)
{
    const Valion__V1__SuggestVersionRequest *request = (const void *)call->request;
    const char *const texts[] = {request->current, request->compare_with};
    Valion__V1__Version *records[2] = {NULL, NULL};
    *out = NULL;
    if (!request->compare_with) {
        return true;
    }
    if (!find_both(self, call, request->model, texts, records)) {
        return false;
    }
    *out = registry_change_find(call->arena, records[0], records[1], NULL);
    return true;
}

static void
answer_suggestion(vln_call_t *call, const registry_verdict_t *verdict, const semver_t *next)
{
    char text[SEMVER_TEXT];
    const suggestion_t *found = &verdict->suggestion;
    NEW(call->arena, Valion__V1__SuggestVersionReply, reply,
        valion__v1__suggest_version_reply__init);
    reply->version = vln_arena_strdup(call->arena, semver_format(next, text));
    reply->has_bump = 1;
    reply->bump = (Valion__V1__Bump)(found->bump + 1); /* in the same order, one up */
    reply->reasons = registry_change_reasons(call->arena, found, &reply->n_reasons);
    reply->context = registry_context_to_wire(call->arena, &verdict->context);
    reply->rule = found->rule ? registry_borrowed(found->rule->name) : NULL;
    vln_call_reply(call, &reply->base);
}

void
registry_suggest_version(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__SuggestVersionRequest *request = (const void *)call->request;
    const registry_rules_t *rules = NULL;
    const difference_t *difference = NULL;
    semver_t current;
    semver_t next;
    bool has_current = false;
    if (!check_suggest(call, request) ||
        !find_current(self, call, request, &current, &has_current) ||
        !find_difference(self, call, &difference)) {
        return;
    }
    vln_err_t err = registry_rules_load(self->store, call->arena, &rules);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    const registry_verdict_t *verdict =
        registry_change_judge(call->arena, rules, request->context, difference);
    /* The wire's schemes are in the same order, one up: none is semantic. */
    suggest_scheme_t scheme =
        request->scheme ? (suggest_scheme_t)(request->scheme - 1) : SUGGEST_SEMANTIC;
    if (!suggest_next(scheme, has_current ? &current : NULL, verdict->suggestion.bump,
                      vln_wall_us(), &next)) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "no version of this scheme is above the current one: choose another "
                        "scheme, or give the version yourself");
        return;
    }
    answer_suggestion(call, verdict, &next);
}

/* ---- compare ---- */

static bool
check_compare(vln_call_t *call, const Valion__V1__CompareVersionsRequest *request, semver_t *left,
              semver_t *right)
{
    if ((unsigned)request->level > VALION__V1__COMPATIBILITY_LEVEL__COMPATIBILITY_LEVEL_PATCH) {
        vln_call_refuse_field(call, "level", "major, minor or patch");
        return false;
    }
    return parse_version(call, "left", request->left, left) &&
           parse_version(call, "right", request->right, right);
}

static void
add_fit(vln_arena_t *arena, Valion__V1__CompareVersionsReply *reply, const difference_t *difference)
{
    reply->has_callers_fit = 1;
    reply->callers_fit = difference->callers_fit;
    reply->obstacles = vln_arena_alloc(arena, (difference->obstacle_count + 1) * sizeof(char *));
    for (size_t i = 0; i < difference->obstacle_count; i++) {
        reply->obstacles[reply->n_obstacles++] = registry_borrowed(difference->obstacles[i]);
    }
    reply->context = registry_context_to_wire(arena, &difference->context);
}

void
registry_compare_versions(void *worker, vln_call_t **calls, size_t count)
{
    static const suggest_level_t levels[] = {SUGGEST_SAME_MINOR, SUGGEST_SAME_MAJOR,
                                             SUGGEST_SAME_MINOR, SUGGEST_SAME_PATCH};
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__CompareVersionsRequest *request = (const void *)call->request;
    semver_t left;
    semver_t right;
    Valion__V1__Version *records[2] = {NULL, NULL};
    if (!check_compare(call, request, &left, &right) ||
        (request->model &&
         !find_both(worker, call, request->model,
                    (const char *const[]){request->left, request->right}, records))) {
        return;
    }
    NEW(call->arena, Valion__V1__CompareVersionsReply, reply,
        valion__v1__compare_versions_reply__init);
    if (request->model) {
        reply->differences =
            registry_differences(call->arena, records[0], records[1], &reply->n_differences);
        add_fit(call->arena, reply,
                registry_change_find(call->arena, records[0], records[1], NULL));
    }
    reply->has_order = reply->has_compatible = 1;
    reply->order = semver_compare(&left, &right);
    reply->compatible = suggest_is_compatible(&left, &right, levels[request->level]);
    vln_call_reply(call, &reply->base);
}

/* ---- changelog ---- */

static void
write_version(registry_text_t *page, vln_arena_t *arena, const Valion__V1__Version *version,
              const Valion__V1__Version *before)
{
    char date[VLN_TIME_TEXT];
    vln_time_format(version->created_us, date);
    registry_text_put(page, "## %s - %.10s\n\n", version->version, date);
    size_t begin = page->len;
    if (version->description && *version->description) {
        registry_text_put(page, "- %s\n", version->description);
    }
    if (before) {
        size_t count = 0;
        char **differences = registry_differences(arena, before, version, &count);
        for (size_t i = 0; i < count; i++) {
            registry_text_put(page, "- %s\n", differences[i]);
        }
    }
    registry_text_put(page, page->len == begin ? "- No changes recorded\n\n" : "\n");
}

void
registry_get_changelog(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetChangelogRequest *request = (const void *)call->request;
    const registry_version_filter_t filter = {.model = request->model,
                                              .prereleases = true,
                                              .order = REGISTRY_BY_PRECEDENCE,
                                              .limit = CHANGELOG_VERSIONS,
                                              .bytes_max = RECORDS_BYTES};
    registry_model_t model;
    if (!registry_check_model_name(call, request->model)) {
        return;
    }
    vln_err_t err = registry_store_find_model(self->store, call->arena, request->model, &model);
    if (err == VLN_NOT_FOUND) {
        registry_refuse_no_model(call, request->model);
        return;
    }
    registry_version_t *versions = NULL;
    size_t found = 0;
    if (err == VLN_OK) {
        err = registry_search_versions(self->store, call->arena, &filter, &versions, &found);
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    registry_text_t page = registry_text_new(call->arena, CHANGELOG_BYTES);
    registry_text_put(&page, "# Changelog\n\n");
    Valion__V1__Version *newer = NULL;
    for (size_t i = 0; i < found && !page.full; i++) {
        Valion__V1__Version *version = registry_version_to_wire(call, &versions[i]);
        if (!version) {
            return;
        }
        if (newer) {
            write_version(&page, call->arena, newer, version);
        }
        newer = version;
    }
    if (newer && !page.full) {
        write_version(&page, call->arena, newer, NULL);
    }
    NEW(call->arena, Valion__V1__GetChangelogReply, reply, valion__v1__get_changelog_reply__init);
    reply->markdown = page.text;
    vln_call_reply(call, &reply->base);
}
