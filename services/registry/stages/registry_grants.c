/*
 * Grants: a rollout may serve a version in an environment from OpenGrant to CloseGrant. In between the
 * version is deployed and is not deleted; what served when is read from the same rows.
 */
#include <string.h>

#include "vln_page.h"
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

enum { ENVIRONMENT_MAX = 64, GRANTS_AT_ONCE = 300 };
static const int64_t YEAR_2100_US = 4102444800000000;

Valion__V1__Grant *
registry_grant_to_wire(vln_arena_t *arena, const registry_grant_t *grant)
{
    NEW(arena, Valion__V1__Grant, wire, valion__v1__grant__init);
    wire->has_grant_id = wire->has_digest = wire->has_rollout_id = wire->has_opened_us = 1;
    wire->grant_id =
        registry_bytes(vln_arena_memdup(arena, grant->id.bytes, VLN_ID_BYTES), VLN_ID_BYTES);
    wire->model = registry_borrowed(grant->model);
    wire->version = registry_borrowed(grant->version);
    wire->digest = registry_bytes(grant->digest, VLN_DIGEST_BYTES);
    wire->environment = registry_borrowed(grant->environment);
    wire->rollout_id = registry_bytes(
        vln_arena_memdup(arena, grant->rollout_id.bytes, VLN_ID_BYTES), VLN_ID_BYTES);
    wire->has_report_id = grant->report_id != NULL;
    wire->report_id = registry_bytes(grant->report_id, grant->report_id ? VLN_ID_BYTES : 0);
    wire->evidence = registry_borrowed(grant->evidence);
    wire->opened_us = grant->opened_us;
    wire->has_closed_us = grant->closed_us != 0;
    wire->closed_us = grant->closed_us;
    return wire;
}

static bool
check_environment(vln_call_t *call, const char *environment)
{
    if (vln_text_is_name(environment, ENVIRONMENT_MAX, "_.-")) {
        return true;
    }
    vln_call_refuse_field(call, "environment",
                          "'%.64s' cannot name an environment: 1 to %d letters, digits, '_', '.', "
                          "'-'",
                          environment ? environment : "", ENVIRONMENT_MAX);
    return false;
}

static bool
check_id(vln_call_t *call, const char *field, const ProtobufCBinaryData *id)
{
    if (id->len == VLN_ID_BYTES) {
        return true;
    }
    vln_call_refuse_field(call, field, "an id has %d bytes", VLN_ID_BYTES);
    return false;
}

/* ---- open ---- */

static bool
is_protected(const registry_t *registry, const char *environment)
{
    const char *list = registry->config->protected_environments;
    char name[ENVIRONMENT_MAX + 1];
    while (vln_text_next(&list, ',', name, sizeof name)) {
        if (strcmp(name, environment) == 0) {
            return true;
        }
    }
    return false;
}

static void
answer_open(vln_call_t *call, const registry_grant_t *grant)
{
    NEW(call->arena, Valion__V1__OpenGrantReply, reply, valion__v1__open_grant_reply__init);
    reply->grant = registry_grant_to_wire(call->arena, grant);
    vln_call_reply(call, &reply->base);
}

static void
refuse_state(vln_call_t *call, const char *why)
{
    const Valion__V1__OpenGrantRequest *request = (const void *)call->request;
    vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE, "%s@%s %s",
                    request->model, request->version, why);
}

/* The rollout has asked before. A grant that it gave back is not given again: a call that comes late
 * would otherwise serve what has ended. */
static void
answer_again(vln_call_t *call, const registry_grant_t *grant)
{
    const Valion__V1__OpenGrantRequest *request = (const void *)call->request;
    if (strcmp(grant->environment, request->environment) != 0) {
        refuse_state(call, vln_arena_printf(call->arena,
                                            "was granted to this rollout for the environment %s: "
                                            "another environment is another rollout",
                                            grant->environment));
        return;
    }
    if (grant->closed_us) {
        refuse_state(call, "was granted to this rollout, which gave it back: begin a new rollout");
        return;
    }
    answer_open(call, grant);
}

/* False, and the call refused, if no environment may serve it. */
static bool
may_serve(vln_call_t *call, const registry_version_t *version)
{
    const char *unfit = stage_unfit((fitness_t)registry_version_status(version));
    if (unfit) {
        refuse_state(call, vln_arena_printf(call->arena, "%s: it cannot serve", unfit));
        return false;
    }
    if (version->stage == STAGE_ARCHIVED) {
        refuse_state(call, "is archived and cannot serve: restore it to staging first");
        return false;
    }
    return true;
}

/* Leaves the call refused if the environment is protected and there is no evidence. */
static vln_err_t
find_evidence(registry_worker_t *self, vln_call_t *call, const registry_version_t *version,
              registry_evidence_t *out)
{
    const Valion__V1__OpenGrantRequest *request = (const void *)call->request;
    if (!is_protected(self->registry, request->environment)) {
        return VLN_OK;
    }
    const Valion__V1__Version *wire = registry_version_to_wire(call, version);
    if (!wire) {
        return VLN_OK;
    }
    const registry_evidence_ask_t ask = {
        .model = request->model,
        .version = version,
        .question = {.model = request->model,
                     .task = wire->signature ? (int)wire->signature->task : 0,
                     .environment = request->environment}};
    return registry_evidence_find(self, call, &ask, out);
}

static void
add_event(vln_events_t *events, vln_call_t *call, const char *type, const registry_grant_t *grant)
{
    char id[VLN_ID_TEXT];
    char rollout[VLN_ID_TEXT];
    char report[VLN_ID_TEXT];
    char digest[2 * VLN_DIGEST_BYTES + 1];
    const vln_fact_t facts[] = {
        {"grant", vln_id_format(grant->id.bytes, id)},
        {"model", grant->model},
        {"version", grant->version},
        {"digest", vln_hex_encode(grant->digest, VLN_DIGEST_BYTES, digest)},
        {"environment", grant->environment},
        {"rollout", vln_id_format(grant->rollout_id.bytes, rollout)},
        {"report", grant->report_id ? vln_id_format(grant->report_id, report) : NULL},
        {"evidence", grant->evidence},
        {NULL, NULL}};
    registry_add_version_event(events, call, type, grant->model, grant->version, facts);
}

static vln_err_t
open_new(registry_worker_t *self, vln_call_t *call, const registry_version_t *version,
         const vln_id_t *rollout)
{
    const Valion__V1__OpenGrantRequest *request = (const void *)call->request;
    registry_evidence_t evidence = {0};
    if (!may_serve(call, version)) {
        return VLN_OK;
    }
    vln_err_t err = find_evidence(self, call, version, &evidence);
    if (err != VLN_OK || vln_call_is_refused(call)) {
        return err;
    }
    const char *purpose =
        vln_arena_printf(call->arena, "grant %s@%s", request->model, request->version);
    registry_grant_t grant = {.id = vln_id_derive(rollout->bytes, VLN_ID_BYTES, purpose),
                              .model = request->model,
                              .version = request->version,
                              .digest = version->digest,
                              .environment = request->environment,
                              .rollout_id = *rollout,
                              .report_id = evidence.report_id,
                              .evidence = evidence.sentence,
                              .actor = vln_call_actor(call)};
    err = registry_grants_open(self->store, call->arena, &grant);
    if (err == VLN_OK) {
        vln_events_t *events = vln_events_new(call->arena);
        add_event(events, call, "grant.opened", &grant);
        err = registry_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        answer_open(call, &grant);
    }
    return err;
}

static vln_err_t
work_open(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__OpenGrantRequest *request = (const void *)call->request;
    if (!registry_check_model_name(call, request->model) ||
        !registry_check_version_text(call, request->version) ||
        !check_environment(call, request->environment) ||
        !check_id(call, "rollout_id", &request->rollout_id)) {
        return VLN_OK;
    }
    registry_version_t version;
    registry_grant_t grant;
    vln_id_t rollout;
    bool found = false;
    memcpy(rollout.bytes, request->rollout_id.data, VLN_ID_BYTES);
    vln_err_t err =
        registry_lock_version_alone(self, call, request->model, request->version, &version, &found);
    if (err != VLN_OK || !found) {
        return err;
    }
    err = registry_grants_find(self->store, call->arena, &rollout, request->model, request->version,
                               &grant);
    if (err == VLN_OK) {
        answer_again(call, &grant);
        return VLN_OK;
    }
    return err == VLN_NOT_FOUND ? open_new(self, call, &version, &rollout) : err;
}

void
registry_open_grant(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_open);
}

/* ---- close ---- */

static vln_err_t
work_close(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__CloseGrantRequest *request = (const void *)call->request;
    if (!check_id(call, "grant_id", &request->grant_id)) {
        return VLN_OK;
    }
    registry_grant_t grant;
    vln_id_t id;
    bool was_open = false;
    memcpy(id.bytes, request->grant_id.data, VLN_ID_BYTES);
    vln_err_t err = registry_grants_close(self->store, call->arena, &id, &grant, &was_open);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no such grant; GetServingAt lists those that are open");
        return VLN_OK;
    }
    if (err == VLN_OK && was_open) {
        vln_events_t *events = vln_events_new(call->arena);
        add_event(events, call, "grant.closed", &grant);
        err = registry_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        NEW(call->arena, Valion__V1__CloseGrantReply, reply, valion__v1__close_grant_reply__init);
        vln_call_reply(call, &reply->base);
    }
    return err;
}

void
registry_close_grant(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_close);
}

/* ---- what served ---- */

static bool
check_serving(vln_call_t *call, const Valion__V1__GetServingAtRequest *request,
              registry_serving_query_t *query)
{
    if (request->has_time_us && (request->time_us <= 0 || request->time_us > YEAR_2100_US)) {
        vln_call_refuse_field(call, "time_us", "microseconds since 1970, before the year 2100");
        return false;
    }
    query->environment = request->environment;
    query->time_us = request->time_us;
    query->model = request->model;
    return check_environment(call, request->environment) &&
           (!request->model || registry_check_model_name(call, request->model)) &&
           registry_page_size(call, request->page, &query->limit) &&
           registry_page_number(call, request->page, &query->after);
}

void
registry_get_serving_at(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetServingAtRequest *request = (const void *)call->request;
    registry_serving_query_t query = {0};
    registry_grant_t *grants = NULL;
    size_t found = 0;
    if (!check_serving(call, request, &query)) {
        return;
    }
    query.limit = query.limit < GRANTS_AT_ONCE ? query.limit : GRANTS_AT_ONCE;
    vln_err_t err = registry_grants_list(self->store, call->arena, &query, &grants, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__GetServingAtReply, reply, valion__v1__get_serving_at_reply__init);
    reply->grants = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->grants);
    reply->actors = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->actors);
    vln_page_t page = {0};
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Grant *wire = registry_grant_to_wire(call->arena, &grants[i]);
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->actors[reply->n_actors++] = registry_borrowed(grants[i].actor);
        reply->grants[reply->n_grants++] = wire;
    }
    if (reply->n_grants && ((int)found == query.limit || reply->n_grants < found)) {
        reply->has_next_token = 1;
        reply->next_token = registry_token_of_number(call->arena, grants[reply->n_grants - 1].seq);
    }
    vln_call_reply(call, &reply->base);
}
