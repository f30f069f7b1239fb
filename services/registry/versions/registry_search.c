/*
 * Lists of models and versions: filters, orders, pages.
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_page.h"
#include "vln_text.h"

#include "registry_handlers.h"
#include "registry_models.h"
#include "registry_search_store.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum {
    WORD_MAX = 250,
    MODELS_AT_ONCE = 400,      /* a model has 11 fields: more of them fit no reply */
    RECORDS_MAX = 1024 * 1024, /* of versions in a list: far more bytes than a reply holds */
};

static bool
check_words(vln_call_t *call, const registry_words_t *words)
{
    return registry_check_text(call, "text", words->text, WORD_MAX) &&
           registry_check_text(call, "tag", words->tag, WORD_MAX) &&
           registry_check_text(call, "author", words->author, WORD_MAX) &&
           registry_check_text(call, "algorithm", words->algorithm, WORD_MAX) &&
           registry_check_text(call, "framework", words->framework, WORD_MAX);
}

/* ---- models ---- */

static bool
take_model_order(vln_call_t *call, const Valion__V1__ListModelsRequest *request,
                 registry_order_t *out)
{
    switch (request->order) {
    case VALION__V1__LIST_ORDER__LIST_ORDER_UNSPECIFIED:
    case VALION__V1__LIST_ORDER__LIST_ORDER_NAME:
        *out = REGISTRY_BY_NAME;
        return true;
    case VALION__V1__LIST_ORDER__LIST_ORDER_CREATED:
        *out = REGISTRY_BY_CREATED;
        return true;
    case VALION__V1__LIST_ORDER__LIST_ORDER_UPDATED:
        *out = REGISTRY_BY_UPDATED;
        return true;
    default:
        vln_call_refuse_field(call, "order", "models are listed by name, created or updated");
        return false;
    }
}

/* A token is the last model's name, and before it, where the order is by a number, that and a blank.
 */
static bool
take_model_token(vln_call_t *call, const Valion__V1__Page *page, registry_model_filter_t *filter)
{
    const char *token = NULL;
    if (!registry_page_token(call, page, &token)) {
        return false;
    }
    filter->after_name = token;
    if (!token || filter->order == REGISTRY_BY_NAME) {
        return true;
    }
    char number[32];
    const char *blank = strchr(token, ' ');
    size_t len = blank ? (size_t)(blank - token) : sizeof number;
    if (len < sizeof number) {
        memcpy(number, token, len);
        number[len] = '\0';
        filter->after_name = blank + 1;
        if (vln_text_to_i64(number, INT64_MIN, INT64_MAX, &filter->after_number)) {
            return true;
        }
    }
    registry_refuse_token(call);
    return false;
}

static ProtobufCBinaryData
model_token(vln_arena_t *arena, registry_order_t order, const registry_model_t *model)
{
    if (order == REGISTRY_BY_NAME) {
        return registry_token_of(model->name);
    }
    int64_t number = order == REGISTRY_BY_CREATED ? model->seq : model->updated_us;
    return registry_token_of(vln_arena_printf(arena, "%" PRId64 " %s", number, model->name));
}

static void
answer_models(vln_call_t *call, const registry_model_filter_t *filter,
              const registry_model_t *models, size_t count)
{
    NEW(call->arena, Valion__V1__ListModelsReply, reply, valion__v1__list_models_reply__init);
    reply->models = vln_arena_alloc(call->arena, (count + 1) * sizeof *reply->models);
    vln_page_t page = {0};
    for (size_t i = 0; i < count; i++) {
        Valion__V1__Model *wire = registry_model_to_wire(call->arena, &models[i]);
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->models[reply->n_models++] = wire;
    }
    if ((int)count == filter->limit || reply->n_models < count) {
        reply->has_next_token = 1;
        reply->next_token = model_token(call->arena, filter->order, &models[reply->n_models - 1]);
    }
    vln_call_reply(call, &reply->base);
}

void
registry_list_models(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListModelsRequest *request = (const void *)call->request;
    registry_model_filter_t filter = {.words = {request->text, request->tag, request->author,
                                                request->algorithm, request->framework},
                                      .stage = request->has_stage ? (int)request->stage : 0,
                                      .descending = request->descending};
    if (!take_model_order(call, request, &filter.order) ||
        !registry_page_size(call, request->page, &filter.limit) ||
        !take_model_token(call, request->page, &filter) || !check_words(call, &filter.words)) {
        return;
    }
    filter.limit = filter.limit < MODELS_AT_ONCE ? filter.limit : MODELS_AT_ONCE;
    registry_model_t *models = NULL;
    size_t found = 0;
    vln_err_t err = registry_search_models(self->store, call->arena, &filter, &models, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    answer_models(call, &filter, models, found);
}

/* ---- versions ---- */

/* What a request asks for; its semvers are what the filter points to. */
typedef struct version_query {
    registry_version_filter_t filter;
    bool has_range; /* each row is asked too: the filter's bounds hold all of it, and more */
    range_t range;
    bool is_empty; /* no version can be in the range */
    semver_t after;
    semver_t minimum;
    semver_t maximum;
} version_query_t;

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

static bool
take_version_order(vln_call_t *call, const Valion__V1__ListVersionsRequest *request,
                   registry_order_t *out)
{
    bool by_created = request->order == VALION__V1__LIST_ORDER__LIST_ORDER_CREATED ||
                      (!request->order && !request->model);
    bool known = by_created || !request->order ||
                 request->order == VALION__V1__LIST_ORDER__LIST_ORDER_PRECEDENCE;
    *out = by_created ? REGISTRY_BY_CREATED : REGISTRY_BY_PRECEDENCE;
    if (!known || (!by_created && !request->model)) {
        vln_call_refuse_field(call, "order",
                              "versions are listed by precedence, which is of one model, or by "
                              "created");
        return false;
    }
    return true;
}

/* The range as bounds of the list. */
static bool
take_range(vln_call_t *call, const Valion__V1__ListVersionsRequest *request, version_query_t *out)
{
    char why[RANGE_WHY];
    range_hull_t hull = {0};
    out->has_range = request->range != NULL;
    if (!request->range) {
        return true;
    }
    if (request->minimum || request->maximum) {
        vln_call_refuse_field(call, "range", "ask by a range, or by minimum and maximum");
        return false;
    }
    if (!range_parse(request->range, request->include_prerelease, &out->range, why)) {
        vln_call_refuse_field(call, "range", "%s", why);
        return false;
    }
    out->is_empty = !range_bounds(&out->range, &hull);
    out->filter.minimum = hull.low;
    out->filter.maximum = hull.high;
    out->filter.prereleases = hull.prereleases;
    return true;
}

/* Precedence is of one model: so are its bounds. */
static bool
take_bounds(vln_call_t *call, const Valion__V1__ListVersionsRequest *request, version_query_t *out)
{
    if (!request->model && (request->minimum || request->maximum || request->range)) {
        vln_call_refuse_field(call, "model",
                              "minimum, maximum and range are of one model: name it");
        return false;
    }
    return parse_bound(call, "minimum", request->minimum, &out->minimum, &out->filter.minimum) &&
           parse_bound(call, "maximum", request->maximum, &out->maximum, &out->filter.maximum) &&
           take_range(call, request, out);
}

static bool
take_version_token(vln_call_t *call, const Valion__V1__Page *page, version_query_t *out)
{
    const char *token = NULL;
    if (out->filter.order == REGISTRY_BY_CREATED) {
        return registry_page_number(call, page, &out->filter.after_seq);
    }
    return registry_page_token(call, page, &token) &&
           parse_bound(call, "page.token", token, &out->after, &out->filter.after);
}

static bool
take_version_query(vln_call_t *call, const Valion__V1__ListVersionsRequest *request,
                   version_query_t *out)
{
    registry_version_filter_t *filter = &out->filter;
    *filter = (registry_version_filter_t){.model = request->model,
                                          .words = {request->text, request->tag, request->author,
                                                    request->algorithm, request->framework},
                                          .prereleases = request->include_prerelease,
                                          .stage = request->has_stage ? (int)request->stage : 0,
                                          .status = request->has_status ? (int)request->status : 0,
                                          .ascending = request->ascending,
                                          .bytes_max = RECORDS_MAX};
    return (!request->model || registry_check_model_name(call, request->model)) &&
           take_version_order(call, request, &filter->order) &&
           registry_page_size(call, request->page, &filter->limit) &&
           take_version_token(call, request->page, out) && take_bounds(call, request, out) &&
           check_words(call, &filter->words);
}

static bool
is_in_range(const version_query_t *query, const registry_version_t *version)
{
    semver_t semver;
    vln_assert(semver_parse(version->version, &semver));
    return !query->has_range || range_contains(&query->range, &semver);
}

static void
answer_versions(vln_call_t *call, const version_query_t *query, const registry_version_t *versions,
                size_t count)
{
    const registry_version_filter_t *filter = &query->filter;
    size_t looked_at = 0;
    NEW(call->arena, Valion__V1__ListVersionsReply, reply, valion__v1__list_versions_reply__init);
    reply->versions = vln_arena_alloc(call->arena, (count + 1) * sizeof *reply->versions);
    vln_page_t page = {0};
    for (; looked_at < count; looked_at++) {
        if (!is_in_range(query, &versions[looked_at])) {
            continue;
        }
        Valion__V1__Version *wire = registry_version_to_wire(call, &versions[looked_at]);
        if (!wire) {
            return;
        }
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->versions[reply->n_versions++] = wire;
    }
    if (count > 0 && ((int)count == filter->limit || looked_at < count)) {
        const registry_version_t *last = &versions[looked_at - 1];
        reply->has_next_token = 1;
        reply->next_token = filter->order == REGISTRY_BY_CREATED
                                ? registry_token_of_number(call->arena, last->seq)
                                : registry_token_of(last->version);
    }
    vln_call_reply(call, &reply->base);
}

void
registry_list_versions(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    version_query_t query = {0};
    if (!take_version_query(call, (const void *)call->request, &query)) {
        return;
    }
    registry_version_t *versions = NULL;
    size_t found = 0;
    vln_err_t err = query.is_empty ? VLN_OK
                                   : registry_search_versions(self->store, call->arena,
                                                              &query.filter, &versions, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    answer_versions(call, &query, versions, found);
}
