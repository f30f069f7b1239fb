#include "registry_handlers.h"

#include <strings.h>

#include "vln_page.h"

#include "range.h"
#include "registry.h"
#include "registry_rules_store.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum {
    DESCRIPTION_MAX = 5000,
    WORD_MAX = 250,
    MODELS_AT_ONCE = 400,      /* a model has 11 fields: more of them fit no reply */
    RECORDS_MAX = 1024 * 1024, /* of versions in a list: far more bytes than a reply holds */
    VERSIONS_AT_ONCE = 64,     /* records of at most 64 KiB, in the arena of one call */
};

static Valion__V1__Model *
model_to_wire(vln_arena_t *arena, const registry_model_t *model)
{
    NEW(arena, Valion__V1__Model, wire, valion__v1__model__init);
    wire->name = registry_borrowed(model->name);
    wire->description = registry_borrowed(model->description);
    registry_split_lines(arena, model->tags, &wire->tags, &wire->n_tags);
    wire->author = registry_borrowed(model->author);
    wire->algorithm = registry_borrowed(model->algorithm);
    wire->framework = registry_borrowed(model->framework);
    wire->latest_version = registry_borrowed(model->latest);
    wire->has_versions = wire->has_revision = wire->has_created_us = wire->has_updated_us = 1;
    wire->versions = (uint32_t)model->versions;
    wire->revision = (uint64_t)model->revision;
    wire->created_us = model->created_us;
    wire->updated_us = model->updated_us;
    return wire;
}

void
registry_run_once(registry_worker_t *self, vln_call_t **calls, size_t count,
                  vln_err_t (*work)(void *context, vln_call_t **calls, size_t count))
{
    vln_once_t once = registry_store_once(self->store);
    once.context = self;
    once.work = work;
    vln_once_run(&once, calls, count);
}

/* ---- models ---- */

static vln_err_t
create_one_model(registry_worker_t *worker, vln_call_t *call, vln_events_t *events)
{
    const Valion__V1__CreateModelRequest *request = (const void *)call->request;
    const char *tags = registry_join_tags(call, request->tags, request->n_tags);
    if (!tags || !registry_check_model_name(call, request->name) ||
        !registry_check_text(call, "description", request->description, DESCRIPTION_MAX) ||
        !registry_check_text(call, "algorithm", request->algorithm, WORD_MAX) ||
        !registry_check_text(call, "framework", request->framework, WORD_MAX)) {
        return VLN_OK;
    }
    registry_model_t model = {.name = request->name,
                              .description = request->description ? request->description : "",
                              .tags = tags,
                              .author = call->ticket ? call->ticket->submitter : call->principal,
                              .algorithm = request->algorithm ? request->algorithm : "",
                              .framework = request->framework ? request->framework : ""};
    bool created = false;
    vln_err_t err = registry_store_create_model(worker->store, call->arena, &model, &created);
    if (err != VLN_OK) {
        return err;
    }
    if (created) {
        const vln_fact_t facts[] = {{"model", model.name}, {NULL, NULL}};
        vln_events_add(events, "model.created", model.name, vln_call_actor(call), facts);
    }
    NEW(call->arena, Valion__V1__CreateModelReply, reply, valion__v1__create_model_reply__init);
    reply->model = model_to_wire(call->arena, &model);
    reply->has_created = 1;
    reply->created = created;
    vln_call_reply(call, &reply->base);
    return VLN_OK;
}

static vln_err_t
work_create_models(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *worker = context;
    vln_events_t *events = vln_events_new(calls[0]->arena);
    for (size_t i = 0; i < count; i++) {
        vln_err_t err = create_one_model(worker, calls[i], events);
        if (err != VLN_OK) {
            return err;
        }
    }
    return registry_store_write_events(worker->store, events);
}

void
registry_create_model(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_create_models);
}

void
registry_get_model(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__GetModelRequest *request = (const void *)calls[i]->request;
        registry_model_t model;
        if (!registry_check_model_name(calls[i], request->name)) {
            continue;
        }
        vln_err_t err =
            registry_store_find_model(self->store, calls[i]->arena, request->name, &model);
        if (err == VLN_NOT_FOUND) {
            registry_refuse_no_model(calls[i], request->name);
            continue;
        }
        if (err != VLN_OK) {
            vln_call_refuse_store(calls[i], err);
            continue;
        }
        NEW(calls[i]->arena, Valion__V1__GetModelReply, reply, valion__v1__get_model_reply__init);
        reply->model = model_to_wire(calls[i]->arena, &model);
        vln_call_reply(calls[i], &reply->base);
    }
}

void
registry_list_models(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListModelsRequest *request = (const void *)call->request;
    registry_model_filter_t filter = {.text = request->text,
                                      .tag = request->tag,
                                      .stage = request->has_stage ? (int)request->stage : 0};
    if (!registry_page_size(call, request->page, &filter.limit) ||
        !registry_page_token(call, request->page, &filter.after) ||
        !registry_check_text(call, "text", request->text, WORD_MAX)) {
        return;
    }
    filter.limit = filter.limit < MODELS_AT_ONCE ? filter.limit : MODELS_AT_ONCE;
    registry_model_t *models = NULL;
    size_t found = 0;
    vln_err_t err = registry_store_list_models(self->store, call->arena, &filter, &models, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListModelsReply, reply, valion__v1__list_models_reply__init);
    reply->models = vln_arena_alloc(call->arena, found * sizeof *reply->models);
    vln_page_t page = {0};
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Model *wire = model_to_wire(call->arena, &models[i]);
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->models[reply->n_models++] = wire;
    }
    if ((int)found == filter.limit || reply->n_models < found) {
        reply->has_next_token = 1;
        reply->next_token = registry_token_of(models[reply->n_models - 1].name);
    }
    vln_call_reply(call, &reply->base);
}

/* ---- versions ---- */

void
registry_create_version(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, registry_create_versions);
}

static void
answer_version(vln_call_t *call, const registry_version_key_t *key,
               const registry_version_t *version)
{
    if (!version->version) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no %s '%s' of a model '%s'; ListVersions lists them",
                        key->alias ? "alias" : "version",
                        key->alias     ? key->alias
                        : key->version ? key->version
                                       : "(latest)",
                        key->model);
        return;
    }
    NEW(call->arena, Valion__V1__GetVersionReply, reply, valion__v1__get_version_reply__init);
    reply->version = registry_version_to_wire(call, version);
    if (reply->version) {
        vln_call_reply(call, &reply->base);
    }
}

static void
answer_versions(registry_worker_t *self, vln_call_t **asked, const registry_version_key_t *keys,
                size_t count)
{
    registry_version_t found[VERSIONS_AT_ONCE];
    vln_err_t err = registry_store_find_versions(self->store, asked[0]->arena, keys, count, found);
    for (size_t i = 0; i < count; i++) {
        if (err != VLN_OK) {
            vln_call_refuse_store(asked[i], err);
        } else {
            answer_version(asked[i], &keys[i], &found[i]);
        }
    }
}

/* The version that the range means; false, and the call answered, if there is none. */
static bool
resolve_range(registry_worker_t *self, vln_call_t *call, const char **out)
{
    const Valion__V1__GetVersionRequest *request = (const void *)call->request;
    range_t range;
    char why[RANGE_WHY];
    if (request->version || request->alias) {
        vln_call_refuse_field(call, "range", "ask by range, or by version, or by alias");
        return false;
    }
    if (!range_parse(request->range, false, &range, why)) {
        vln_call_refuse_field(call, "range", "%s", why);
        return false;
    }
    vln_err_t err =
        registry_rules_find_in_range(self->store, call->arena, request->model, &range, out);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "no version of a model '%s' is in the range '%s'; ListVersions lists them",
                        request->model, request->range);
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    }
    return err == VLN_OK;
}

void
registry_get_version(void *worker, vln_call_t **calls, size_t count)
{
    registry_version_key_t keys[VLN_BATCH_MAX];
    vln_call_t *asked[VLN_BATCH_MAX];
    size_t ask_count = 0;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__GetVersionRequest *request = (const void *)calls[i]->request;
        const char *version = request->version;
        if (!registry_check_model_name(calls[i], request->model) ||
            (request->range && !resolve_range(worker, calls[i], &version))) {
            continue;
        }
        if (request->alias && version) {
            vln_call_refuse_field(calls[i], "alias", "ask by version or by alias, not by both");
            continue;
        }
        bool latest = request->alias && strcasecmp(request->alias, "latest") == 0;
        keys[ask_count] =
            (registry_version_key_t){request->model, version, latest ? NULL : request->alias};
        asked[ask_count++] = calls[i];
    }
    for (size_t at = 0; at < ask_count; at += VERSIONS_AT_ONCE) {
        size_t left = ask_count - at;
        answer_versions(worker, &asked[at], &keys[at],
                        left < VERSIONS_AT_ONCE ? left : VERSIONS_AT_ONCE);
    }
}

/* A version given as text in a list's filter; false, and the call refused, if it is none. */
static bool
parse_bound(vln_call_t *call, const char *field, const char *text, semver_t *out,
            const semver_t **bound)
{
    *bound = NULL;
    if (!text) {
        return true;
    }
    if (!semver_parse(text, out)) {
        vln_call_refuse_field(call, field, "'%s' is not a version as in semver.org", text);
        return false;
    }
    *bound = out;
    return true;
}

void
registry_list_versions(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListVersionsRequest *request = (const void *)call->request;
    registry_version_filter_t filter = {.model = request->model,
                                        .prereleases = request->include_prerelease,
                                        .stage = request->has_stage ? (int)request->stage : 0,
                                        .status = request->has_status ? (int)request->status : 0,
                                        .bytes_max = RECORDS_MAX};
    const char *token = NULL;
    semver_t below;
    semver_t minimum;
    semver_t maximum;
    if (!registry_check_model_name(call, request->model) ||
        !registry_page_size(call, request->page, &filter.limit) ||
        !registry_page_token(call, request->page, &token) ||
        !parse_bound(call, "page.token", token, &below, &filter.below) ||
        !parse_bound(call, "minimum", request->minimum, &minimum, &filter.minimum) ||
        !parse_bound(call, "maximum", request->maximum, &maximum, &filter.maximum)) {
        return;
    }
    registry_version_t *versions = NULL;
    size_t found = 0;
    vln_err_t err =
        registry_store_list_versions(self->store, call->arena, &filter, &versions, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListVersionsReply, reply, valion__v1__list_versions_reply__init);
    reply->versions = vln_arena_alloc(call->arena, found * sizeof *reply->versions);
    vln_page_t page = {0};
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Version *wire = registry_version_to_wire(call, &versions[i]);
        if (!wire) {
            return;
        }
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->versions[reply->n_versions++] = wire;
    }
    if ((int)found == filter.limit || reply->n_versions < found) {
        reply->has_next_token = 1;
        reply->next_token = registry_token_of(versions[reply->n_versions - 1].version);
    }
    vln_call_reply(call, &reply->base);
}
