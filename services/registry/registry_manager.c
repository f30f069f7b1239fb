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
#include "registry_handlers.h"
#include "registry_search_store.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "suggest.h"
#include "valion/v1/registry.pb-c.h"

enum {
    DIFFERENCES_MAX = 256,
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

/* Sentences on how two records differ. */
typedef struct differences {
    vln_arena_t *arena;
    size_t count;
    char *lines[DIFFERENCES_MAX];
} differences_t;

static void __attribute__((format(printf, 2, 3)))
add_difference(differences_t *self, const char *format, ...)
{
    char line[512];
    va_list args;
    va_start(args, format);
    vsnprintf(line, sizeof line, format, args);
    va_end(args);
    if (self->count < DIFFERENCES_MAX) {
        self->lines[self->count++] = vln_arena_strdup(self->arena, line);
    }
}

static const Valion__V1__KeyNumber *
find_number(Valion__V1__KeyNumber *const *list, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->key, key) == 0) {
            return list[i];
        }
    }
    return NULL;
}

static void
compare_metrics(differences_t *out, const Valion__V1__Version *old, const Valion__V1__Version *new)
{
    for (size_t i = 0; i < new->n_metrics; i++) {
        const Valion__V1__KeyNumber *now = new->metrics[i];
        const Valion__V1__KeyNumber *before = find_number(old->metrics, old->n_metrics, now->key);
        if (!before) {
            add_difference(out, "metric %s: new, %.6g", now->key, now->value);
        } else if (before->value < now->value || before->value > now->value) {
            add_difference(out, "metric %s: %.6g -> %.6g", now->key, before->value, now->value);
        }
    }
    for (size_t i = 0; i < old->n_metrics; i++) {
        if (!find_number(new->metrics, new->n_metrics, old->metrics[i]->key)) {
            add_difference(out, "metric %s: gone", old->metrics[i]->key);
        }
    }
}

static const char *
find_value(Valion__V1__KeyValue *const *list, size_t count, const char *key)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(list[i]->key, key) == 0) {
            return list[i]->value ? list[i]->value : "";
        }
    }
    return NULL;
}

static void
compare_hyperparameters(differences_t *out, const Valion__V1__Version *old,
                        const Valion__V1__Version *new)
{
    for (size_t i = 0; i < new->n_hyperparameters; i++) {
        const char *key = new->hyperparameters[i]->key;
        const char *now = find_value(new->hyperparameters, new->n_hyperparameters, key);
        const char *before = find_value(old->hyperparameters, old->n_hyperparameters, key);
        if (!before || strcmp(before, now) != 0) {
            add_difference(out, "hyperparameter %s: %s -> %s", key, before ? before : "(none)",
                           now);
        }
    }
    for (size_t i = 0; i < old->n_hyperparameters; i++) {
        const char *key = old->hyperparameters[i]->key;
        if (!find_value(new->hyperparameters, new->n_hyperparameters, key)) {
            add_difference(out, "hyperparameter %s: gone", key);
        }
    }
}

static const Valion__V1__Column *
find_input(const Valion__V1__Version *version, const char *name)
{
    const Valion__V1__Signature *signature = version->signature;
    for (size_t i = 0; signature && i < signature->n_inputs; i++) {
        if (signature->inputs[i]->name && strcmp(signature->inputs[i]->name, name) == 0) {
            return signature->inputs[i];
        }
    }
    return NULL;
}

static void
compare_input(differences_t *out, const Valion__V1__Version *old, const Valion__V1__Column *now)
{
    const Valion__V1__Column *before = find_input(old, now->name);
    if (!before) {
        add_difference(out, "feature %s: new%s", now->name,
                       now->optional_input ? ", optional" : "");
    } else if (before->type != now->type) {
        add_difference(out, "feature %s: another type", now->name);
    }
}

static void
compare_inputs(differences_t *out, const Valion__V1__Version *old, const Valion__V1__Version *new)
{
    for (size_t i = 0; new->signature &&i < new->signature->n_inputs; i++) {
        if (new->signature->inputs[i]->name) {
            compare_input(out, old, new->signature->inputs[i]);
        }
    }
    for (size_t i = 0; old->signature && i < old->signature->n_inputs; i++) {
        const char *name = old->signature->inputs[i]->name;
        if (name && !find_input(new, name)) {
            add_difference(out, "feature %s: gone", name);
        }
    }
}

static const char *
text_or_none(const char *text)
{
    return text && *text ? text : "(none)";
}

static void
compare_text_field(differences_t *out, const char *what, const char *old, const char *new)
{
    if (strcmp(text_or_none(old), text_or_none(new)) != 0) {
        add_difference(out, "%s: %.200s -> %.200s", what, text_or_none(old), text_or_none(new));
    }
}

/* From `old` to `new`. */
static void
compare_records(differences_t *out, const Valion__V1__Version *old, const Valion__V1__Version *new)
{
    compare_text_field(out, "algorithm", old->algorithm, new->algorithm);
    compare_text_field(out, "framework", old->framework, new->framework);
    compare_text_field(out, "target", old->target, new->target);
    compare_inputs(out, old, new);
    compare_hyperparameters(out, old, new);
    compare_metrics(out, old, new);
    bool same_bytes =
        old->digest.len ==
        new->digest.len &&memcmp(old->digest.data, new->digest.data, old->digest.len) == 0;
    if (!same_bytes) {
        add_difference(out, "artifacts: other bytes (%lld -> %lld)", (long long)old->size_bytes,
                       (long long)new->size_bytes);
    }
}

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
    differences_t *differences = vln_arena_alloc(call->arena, sizeof *differences);
    differences->arena = call->arena;
    if (request->model) {
        compare_records(differences, records[0], records[1]);
        add_fit(call->arena, reply,
                registry_change_find(call->arena, records[0], records[1], NULL));
    }
    reply->has_order = reply->has_compatible = 1;
    reply->order = semver_compare(&left, &right);
    reply->compatible = suggest_is_compatible(&left, &right, levels[request->level]);
    reply->n_differences = differences->count;
    reply->differences = differences->lines;
    vln_call_reply(call, &reply->base);
}

/* ---- changelog ---- */

/* Text that grows to a bound; what does not fit is left out, and `full` says so. */
typedef struct page {
    char *text;
    size_t len;
    bool full;
} page_t;

static void __attribute__((format(printf, 2, 3)))
write_line(page_t *self, const char *format, ...)
{
    size_t left = CHANGELOG_BYTES - self->len;
    va_list args;
    va_start(args, format);
    int len = vsnprintf(self->text + self->len, left, format, args);
    va_end(args);
    if (len < 0 || (size_t)len >= left) {
        self->text[self->len] = '\0';
        self->full = true;
        return;
    }
    self->len += (size_t)len;
}

static void
write_version(page_t *page, vln_arena_t *arena, const Valion__V1__Version *version,
              const Valion__V1__Version *before)
{
    char date[VLN_TIME_TEXT];
    vln_time_format(version->created_us, date);
    write_line(page, "## %s - %.10s\n\n", version->version, date);
    size_t begin = page->len;
    if (version->description && *version->description) {
        write_line(page, "- %s\n", version->description);
    }
    if (before) {
        differences_t *differences = vln_arena_alloc(arena, sizeof *differences);
        differences->arena = arena;
        compare_records(differences, before, version);
        for (size_t i = 0; i < differences->count; i++) {
            write_line(page, "- %s\n", differences->lines[i]);
        }
    }
    write_line(page, page->len == begin ? "- No changes recorded\n\n" : "\n");
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
    page_t page = {.text = vln_arena_alloc(call->arena, CHANGELOG_BYTES)};
    write_line(&page, "# Changelog\n\n");
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
