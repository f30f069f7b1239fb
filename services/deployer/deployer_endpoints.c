/*
 * What serves at an endpoint, what did, and how it is taken out of service.
 */
#include <string.h>

#include "vln_page.h"

#include "deployer_once.h"
#include "deployer_refresh.h"
#include "deployer_rollouts.h"
#include "deployer_watch_store.h"
#include "rollout.h"

enum { PAGE_DEFAULT = 100, PAGE_MAX = 1000, REASON_MAX = 500, ACTIVE_MAX = 100 };

#define NEW(arena, type, name, init)                   \
    type *name = vln_arena_alloc(arena, sizeof *name); \
    init(name)

/* ---- endpoints ---- */

static void
count_instance(Valion__V1__ServedVersion *served, const deployer_instance_t *instance)
{
    served->replicas_wanted++;
    served->replicas_ready += instance->state == VALION__V1__INSTANCE_STATE__INSTANCE_STATE_READY;
}

static Valion__V1__ServedVersion *
begin_served(const deployer_instance_t *instance, vln_arena_t *arena)
{
    Valion__V1__ServedVersion *served = vln_arena_alloc(arena, sizeof *served);
    valion__v1__served_version__init(served);
    served->version = instance->wanted->version;
    served->has_digest = served->has_rollout_id = served->has_share_permille = 1;
    served->digest = instance->wanted->digest;
    served->rollout_id = (ProtobufCBinaryData){
        VLN_ID_BYTES, vln_arena_memdup(arena, instance->rollout_id.bytes, VLN_ID_BYTES)};
    served->share_permille = instance->part == DEPLOYER_STABLE ? 1000 : 0;
    served->has_replicas_wanted = served->has_replicas_ready = served->has_warm = 1;
    served->warm = instance->part == DEPLOYER_WARM;
    return served;
}

static Valion__V1__ServedVersion **
place_of(Valion__V1__Endpoint *endpoint, const deployer_instance_t *instance)
{
    if (instance->part == DEPLOYER_STABLE) {
        return &endpoint->stable;
    }
    if (instance->part == DEPLOYER_NEW) {
        return &endpoint->canary;
    }
    for (size_t i = 0; i < endpoint->n_others; i++) {
        if (memcmp(endpoint->others[i]->rollout_id.data, instance->rollout_id.bytes,
                   VLN_ID_BYTES) == 0) {
            return &endpoint->others[i];
        }
    }
    return &endpoint->others[endpoint->n_others++];
}

/* What is stopping is shown until it has gone. */
static vln_err_t
fill_versions(deployer_store_t *store, vln_arena_t *arena, Valion__V1__Endpoint *out)
{
    deployer_instance_t *instances = NULL;
    size_t count = 0;
    vln_err_t err = deployer_store_list_instances(
        store, arena, &(deployer_place_t){.environment = out->environment, .model = out->model},
        &instances, &count);
    out->others = vln_arena_alloc(arena, (count + 1) * sizeof(void *));
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        Valion__V1__ServedVersion **place = place_of(out, &instances[i]);
        if (!*place) {
            deployer_rollout_t rollout;
            *place = begin_served(&instances[i], arena);
            err =
                deployer_store_find_rollout(store, arena, instances[i].rollout_id.bytes, &rollout);
            (*place)->has_grant_id = err == VLN_OK && rollout.record->has_grant_id;
            (*place)->grant_id =
                err == VLN_OK ? rollout.record->grant_id : (ProtobufCBinaryData){0};
        }
        count_instance(*place, &instances[i]);
    }
    return err;
}

/* Since when its stable version is that: the last revision's time. */
static vln_err_t
fill_since(deployer_store_t *store, vln_arena_t *arena, Valion__V1__Endpoint *out)
{
    Valion__V1__Revision **revisions = NULL;
    size_t count = 0;
    const deployer_filter_t filter = {
        .environment = out->environment, .model = out->model, .limit = 1};
    vln_err_t err = deployer_store_list_revisions(store, arena, &filter, 0, &revisions, &count);
    if (out->stable && count > 0 && !revisions[0]->has_until_us) {
        out->stable->has_since_us = 1;
        out->stable->since_us = revisions[0]->from_us;
    }
    return err;
}

static vln_err_t
fill_rollout(deployer_store_t *store, vln_arena_t *arena, Valion__V1__Endpoint *out)
{
    deployer_rollout_t *blocking = NULL;
    vln_err_t err = deployer_find_blocking(store, arena, out->environment, out->model, &blocking);
    if (blocking) {
        out->has_rollout_id = 1;
        out->rollout_id = blocking->record->rollout_id;
    }
    return err;
}

static vln_err_t
fill_rules(deployer_store_t *store, vln_arena_t *arena, Valion__V1__Endpoint *out)
{
    deployer_rule_t *rules = NULL;
    size_t count = 0;
    const deployer_rule_key_t key = {.environment = out->environment, .model = out->model};
    vln_err_t err =
        deployer_store_list_rules(store, arena, &key, DEPLOYER_RULES_MAX, &rules, &count);
    out->watch_rules = vln_arena_alloc(arena, (count + 1) * sizeof(void *));
    while (out->n_watch_rules < count) {
        out->watch_rules[out->n_watch_rules] = rules[out->n_watch_rules].record;
        out->n_watch_rules++;
    }
    return err;
}

static vln_err_t
fill_endpoint(deployer_store_t *store, vln_arena_t *arena, const deployer_endpoint_t *from,
              Valion__V1__Endpoint *out)
{
    static vln_err_t (*const parts[])(deployer_store_t *store, vln_arena_t *arena,
                                      Valion__V1__Endpoint *out) = {fill_versions, fill_since,
                                                                    fill_rollout, fill_rules};
    vln_err_t err = deployer_endpoint_url(store, arena, from->environment, from->model, &out->url);
    out->environment = vln_arena_strdup(arena, from->environment);
    out->model = vln_arena_strdup(arena, from->model);
    out->has_revision = out->has_updated_us = 1;
    out->revision = (uint64_t)from->revision;
    out->updated_us = from->updated_us;
    for (size_t i = 0; i < VLN_COUNT(parts) && err == VLN_OK; i++) {
        err = parts[i](store, arena, out);
    }
    return err;
}

/* ---- lists ---- */

static bool
page_limits(vln_call_t *call, const Valion__V1__Page *page, int *limit)
{
    uint32_t size = page && page->has_size ? page->size : PAGE_DEFAULT;
    if (size < 1 || size > PAGE_MAX) {
        vln_call_refuse_field(call, "page.size", "1 to %d; %u was asked", PAGE_MAX, size);
        return false;
    }
    *limit = (int)size;
    return true;
}

/* "environment/model" of the last one. */
static const char *
endpoint_token(vln_call_t *call, const Valion__V1__Page *page)
{
    if (!page || !page->has_token || page->token.len == 0) {
        return NULL;
    }
    char *text = vln_arena_alloc(call->arena, page->token.len + 1);
    memcpy(text, page->token.data, page->token.len);
    return text;
}

void
deployer_list_endpoints(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ListEndpointsRequest *request = (const void *)call->request;
    deployer_filter_t filter = {.environment = request->environment, .model = request->model};
    deployer_endpoint_t *endpoints = NULL;
    size_t found = 0;
    vln_assert(count == 1);
    if (!page_limits(call, request->page, &filter.limit)) {
        return;
    }
    vln_err_t err = deployer_store_list_endpoints(
        self->store, call->arena, &filter, endpoint_token(call, request->page), &endpoints, &found);
    NEW(call->arena, Valion__V1__ListEndpointsReply, reply, valion__v1__list_endpoints_reply__init);
    vln_page_t page = {0};
    reply->endpoints = vln_arena_alloc(call->arena, (found + 1) * sizeof(void *));
    while (err == VLN_OK && reply->n_endpoints < found) {
        NEW(call->arena, Valion__V1__Endpoint, endpoint, valion__v1__endpoint__init);
        err = fill_endpoint(self->store, call->arena, &endpoints[reply->n_endpoints], endpoint);
        if (err != VLN_OK || !vln_page_take(&page, call->arena, &endpoint->base)) {
            break;
        }
        reply->endpoints[reply->n_endpoints++] = endpoint;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    if (reply->n_endpoints < found || found == (size_t)filter.limit) {
        const Valion__V1__Endpoint *last = reply->endpoints[reply->n_endpoints - 1];
        char *token = vln_arena_printf(call->arena, "%s/%s", last->environment, last->model);
        reply->has_next_token = 1;
        reply->next_token = (ProtobufCBinaryData){strlen(token), (uint8_t *)token};
    }
    vln_call_reply(call, &reply->base);
}

void
deployer_list_revisions(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ListRevisionsRequest *request = (const void *)call->request;
    deployer_filter_t filter = {.environment = request->environment, .model = request->model};
    size_t found = 0;
    int64_t before = 0;
    vln_assert(count == 1);
    if (!request->environment || !request->model) {
        vln_call_refuse_field(call, "environment", "environment and model are needed");
        return;
    }
    if (!page_limits(call, request->page, &filter.limit)) {
        return;
    }
    if (request->page && request->page->token.len == sizeof before) {
        memcpy(&before, request->page->token.data, sizeof before);
    }
    NEW(call->arena, Valion__V1__ListRevisionsReply, reply, valion__v1__list_revisions_reply__init);
    vln_err_t err = deployer_store_list_revisions(self->store, call->arena, &filter, before,
                                                  &reply->revisions, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    vln_page_t page = {0};
    while (reply->n_revisions < found &&
           vln_page_take(&page, call->arena, &reply->revisions[reply->n_revisions]->base)) {
        reply->n_revisions++;
    }
    if (reply->n_revisions < found || found == (size_t)filter.limit) {
        before = (int64_t)reply->revisions[reply->n_revisions - 1]->number;
        reply->has_next_token = 1;
        reply->next_token = (ProtobufCBinaryData){
            sizeof before, vln_arena_memdup(call->arena, &before, sizeof before)};
    }
    vln_call_reply(call, &reply->base);
}

/* ---- out of service ---- */

static bool
is_meant(const Valion__V1__StopServingRequest *request, const char *version)
{
    return !request->version || !request->version[0] || strcmp(request->version, version) == 0;
}

static bool
stops_all(const Valion__V1__StopServingRequest *request)
{
    return is_meant(request, "");
}

/* False: the call has been refused. */
static bool
check_stop(vln_call_t *call, const deployer_instance_t *instances, size_t count)
{
    const Valion__V1__StopServingRequest *request = (const void *)call->request;
    bool found = false;
    for (size_t i = 0; i < count; i++) {
        bool meant = is_meant(request, instances[i].wanted->version) &&
                     instances[i].part != DEPLOYER_STOPPING;
        found = found || meant;
        if (meant && !stops_all(request) && instances[i].part == DEPLOYER_STABLE) {
            vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                            "%s is the stable version of %s in %s: roll out another one, or stop "
                            "the whole model by leaving the version out",
                            request->version, request->model, request->environment);
            return false;
        }
    }
    if (!found) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "nothing of this runs in %s; ListEndpoints lists what does",
                        request->environment);
    }
    return found;
}

/* A rollout that brings what is stopped is told to end; one that was watched ends by itself. */
static vln_err_t
abort_rollouts(deployer_store_t *store, vln_call_t *call, const char *why)
{
    const Valion__V1__StopServingRequest *request = (const void *)call->request;
    deployer_rollout_t *active = NULL;
    size_t count = 0;
    const deployer_filter_t filter = {.environment = request->environment,
                                      .model = request->model,
                                      .active = true,
                                      .limit = ACTIVE_MAX};
    vln_err_t err = deployer_store_list_rollouts(store, call->arena, &filter, &active, &count);
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        deployer_rollout_t *rollout = &active[i];
        if (rollout_blocks(rollout->record->state) && !rollout->asked &&
            is_meant(request, rollout->record->spec->version)) {
            rollout->asked = vln_arena_strdup(call->arena, why);
            err = deployer_store_save_rollout(store, rollout, false);
        }
    }
    return err;
}

static vln_err_t
stop_instances(deployer_store_t *store, const Valion__V1__StopServingRequest *request,
               deployer_instance_t *instances, size_t count)
{
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        if (is_meant(request, instances[i].wanted->version) &&
            instances[i].part != DEPLOYER_STOPPING) {
            instances[i].part = DEPLOYER_STOPPING;
            err = deployer_store_save_instance(store, &instances[i]);
        }
    }
    return err == VLN_OK && stops_all(request)
               ? deployer_store_end_serving(store, request->environment, request->model)
               : err;
}

static void
tell_stop(vln_call_t *call, vln_events_t *events, const char *why)
{
    const Valion__V1__StopServingRequest *request = (const void *)call->request;
    const vln_fact_t facts[] = {{"environment", request->environment},
                                {"model", request->model},
                                {"version", stops_all(request) ? NULL : request->version},
                                {"reason", why},
                                {NULL, NULL}};
    vln_events_add(events, "endpoint.stopped", request->model, vln_call_actor(call), facts);
}

static vln_err_t
reply_stopped(deployer_store_t *store, vln_call_t *call)
{
    const Valion__V1__StopServingRequest *request = (const void *)call->request;
    deployer_endpoint_t endpoint;
    NEW(call->arena, Valion__V1__StopServingReply, reply, valion__v1__stop_serving_reply__init);
    NEW(call->arena, Valion__V1__Endpoint, shown, valion__v1__endpoint__init);
    vln_err_t err = deployer_store_get_endpoint(store, call->arena, request->environment,
                                                request->model, &endpoint);
    if (err == VLN_OK) {
        err = fill_endpoint(store, call->arena, &endpoint, shown);
    }
    reply->endpoint = shown;
    vln_call_reply(call, &reply->base);
    vln_call_hint(call, DEPLOYER_TOPIC_ROLLOUTS);
    vln_call_hint(call, DEPLOYER_TOPIC_HOSTS);
    return err;
}

static vln_err_t
stop_one(deployer_worker_t *self, vln_call_t *call, vln_events_t *events, void *prepared)
{
    (void)prepared;
    const Valion__V1__StopServingRequest *request = (const void *)call->request;
    deployer_instance_t *instances = NULL;
    size_t count = 0;
    bool changed = false;
    const char *why = vln_arena_printf(call->arena, "taken out of service%s%s",
                                       request->reason && request->reason[0] ? ": " : "",
                                       request->reason ? request->reason : "");
    vln_err_t err = deployer_store_list_instances(
        self->store, call->arena,
        &(deployer_place_t){.environment = request->environment, .model = request->model},
        &instances, &count);
    if (err != VLN_OK || !check_stop(call, instances, count)) {
        return err;
    }
    err = abort_rollouts(self->store, call, why);
    if (err == VLN_OK) {
        err = stop_instances(self->store, request, instances, count);
    }
    if (err == VLN_OK) {
        err = deployer_refresh_hosts(self->store, call->arena, &changed);
    }
    tell_stop(call, events, why);
    return err == VLN_OK ? reply_stopped(self->store, call) : err;
}

void
deployer_stop_serving(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    const Valion__V1__StopServingRequest *request = (const void *)call->request;
    if (!request->environment || !request->model) {
        vln_call_refuse_field(call, "environment", "environment and model are needed");
        return;
    }
    if (request->reason && strlen(request->reason) > REASON_MAX) {
        vln_call_refuse_field(call, "reason", "a reason has at most %d bytes", REASON_MAX);
        return;
    }
    deployer_once_run(worker, stop_one, NULL, calls, count);
}
