/*
 * Policies: PutPolicy adds the next version of a name, GetPolicy tells one, by name or the one in
 * force. Which is in force says domain/policy.
 */
#include "registry_policies.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vln_page.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "registry_evidence.h"
#include "registry_handlers.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "stage.h"
#include "valion/v1/registry.pb-c.h"

enum { NAMES_MAX = 1000, ENVIRONMENT_MAX = 64 };

/* ---- as rows and messages ---- */

/* Left out, for a digest and a record that say what the policy is, not when it came. */
static Valion__V1__Policy
bare(const Valion__V1__Policy *policy, int64_t version)
{
    Valion__V1__Policy out = *policy;
    out.has_version = 1;
    out.version = (uint64_t)version;
    out.has_digest = out.has_created_us = out.has_withdrawn = 0;
    out.created_by = NULL;
    out.base.n_unknown_fields = 0;
    return out;
}

registry_new_policy_t
registry_policy_pack(vln_arena_t *arena, const Valion__V1__Policy *policy, int64_t version,
                     const char *created_by)
{
    registry_new_policy_t out = {.policy = {.name = policy->name,
                                            .version = version,
                                            .withdrawn = policy->withdrawn,
                                            .created_by = created_by},
                                 .scope = {.model = policy->model,
                                           .task = (int)policy->task,
                                           .stage = policy->stage,
                                           .environment = policy->environment},
                                 .min_status = (int)policy->min_status,
                                 .max_age_ms = policy->max_age_ms,
                                 .in_force_from_us = policy->in_force_from_us,
                                 .by_name_only = policy->by_name_only};
    Valion__V1__Policy record = bare(policy, version);
    out.policy.record = vln_pb_pack(&record.base, arena, &out.policy.record_size);
    uint8_t *digest = vln_arena_alloc(arena, VLN_DIGEST_BYTES);
    vln_digest(out.policy.record, out.policy.record_size, digest);
    out.policy.digest = digest;
    return out;
}

Valion__V1__Policy *
registry_policy_to_wire(vln_call_t *call, const registry_policy_t *policy)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(&valion__v1__policy__descriptor, policy->record, policy->record_size,
                      call->arena, &message, &scan) != VLN_OK) {
        vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                        "the record of the policy '%s' cannot be read: restore it from a backup",
                        policy->name);
        return NULL;
    }
    Valion__V1__Policy *wire = (Valion__V1__Policy *)message;
    wire->has_digest = wire->has_created_us = 1;
    wire->digest = registry_bytes(policy->digest, VLN_DIGEST_BYTES);
    wire->created_us = policy->created_us;
    wire->created_by = registry_borrowed(policy->created_by);
    wire->has_withdrawn = policy->withdrawn;
    wire->withdrawn = policy->withdrawn;
    return wire;
}

void
registry_policy_add_event(vln_events_t *events, const registry_new_policy_t *given,
                          const char *actor)
{
    const registry_policy_t *policy = &given->policy;
    char version[24];
    char digest[2 * VLN_DIGEST_BYTES + 1];
    snprintf(version, sizeof version, "%" PRId64, policy->version);
    const vln_fact_t facts[] = {
        {"policy", policy->name},
        {"version", version},
        {"digest", vln_hex_encode(policy->digest, VLN_DIGEST_BYTES, digest)},
        {"model", given->scope.model},
        {"stage", given->scope.stage},
        {"environment", given->scope.environment},
        {"withdrawn", policy->withdrawn ? "true" : NULL},
        {NULL, NULL}};
    vln_events_add(events, "policy.stored", policy->name, actor, facts);
}

/* ---- put ---- */

static void
answer_put(vln_call_t *call, const registry_policy_t *policy)
{
    NEW(call->arena, Valion__V1__PutPolicyReply, reply, valion__v1__put_policy_reply__init);
    reply->policy = registry_policy_to_wire(call, policy);
    if (reply->policy) {
        vln_call_reply(call, &reply->base);
    }
}

/* The same once more would make every report on the version before worthless, for nothing. */
bool
registry_policy_is_same(vln_arena_t *arena, const Valion__V1__Policy *given,
                        const registry_policy_t *newest)
{
    registry_new_policy_t again = registry_policy_pack(arena, given, newest->version, "");
    return memcmp(again.policy.digest, newest->digest, VLN_DIGEST_BYTES) == 0 &&
           again.policy.withdrawn == newest->withdrawn;
}

static bool
check_next(vln_call_t *call, const Valion__V1__Policy *given, int64_t next, int64_t names)
{
    if (next == 1 && names >= NAMES_MAX) {
        vln_call_refuse(call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_QUOTA,
                        "there are %d policies: add a version to one of them", NAMES_MAX);
        call->limit = NAMES_MAX;
        return false;
    }
    if (given->has_version && given->version != (uint64_t)next) {
        vln_call_refuse(call, VLN_ABORTED, VALION__V1__REASON__REASON_STATE,
                        "the next version of the policy '%s' is %" PRId64 ", not %" PRIu64
                        ": read it again, then decide, or leave the version out",
                        given->name, next, given->version);
        return false;
    }
    return true;
}

static vln_err_t
insert(registry_worker_t *self, vln_call_t *call, const Valion__V1__Policy *given, int64_t version)
{
    const char *author = call->ticket ? call->ticket->submitter : call->principal;
    registry_new_policy_t row = registry_policy_pack(call->arena, given, version, author);
    registry_policy_t stored;
    vln_err_t err = registry_policies_insert(self->store, call->arena, &row, &stored);
    if (err == VLN_OK) {
        vln_events_t *events = vln_events_new(call->arena);
        registry_policy_add_event(events, &row, vln_call_actor(call));
        err = registry_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        answer_put(call, &stored);
    }
    return err;
}

static vln_err_t
work_put(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__Policy *given =
        ((const Valion__V1__PutPolicyRequest *)(const void *)call->request)->policy;
    if (!registry_policy_check(call, given)) {
        return VLN_OK;
    }
    registry_policy_t newest = {0};
    int64_t names = 0;
    vln_err_t err = registry_policies_lock(self->store);
    if (err == VLN_OK) {
        err = registry_policies_newest(self->store, call->arena, given->name, &newest, &names);
    }
    if (err == VLN_OK && !given->has_version &&
        registry_policy_is_same(call->arena, given, &newest)) {
        answer_put(call, &newest);
        return VLN_OK;
    }
    if (err != VLN_OK && err != VLN_NOT_FOUND) {
        return err;
    }
    if (!check_next(call, given, newest.version + 1, names)) {
        return VLN_OK;
    }
    return insert(self, call, given, newest.version + 1);
}

void
registry_put_policy(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_put);
}

/* ---- get ---- */

static void
answer_get(vln_call_t *call, const registry_policy_t *policy, const char *why)
{
    NEW(call->arena, Valion__V1__GetPolicyReply, reply, valion__v1__get_policy_reply__init);
    reply->policy = registry_policy_to_wire(call, policy);
    reply->why = registry_borrowed(why);
    if (reply->policy) {
        vln_call_reply(call, &reply->base);
    }
}

static void
get_by_name(registry_worker_t *self, vln_call_t *call)
{
    const Valion__V1__GetPolicyRequest *request = (const void *)call->request;
    registry_policy_t policy;
    if (!registry_check_name(call, "name", "a policy", request->name)) {
        return;
    }
    vln_err_t err = request->version > (uint64_t)INT64_MAX
                        ? VLN_NOT_FOUND
                        : registry_policies_find(self->store, call->arena, request->name,
                                                 (int64_t)request->version, &policy);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no such version of a policy '%s'; ListPolicies lists them",
                        request->name);
        return;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    answer_get(call, &policy, NULL);
}

static bool
check_question(vln_call_t *call, const Valion__V1__GetPolicyRequest *request)
{
    stage_t stage;
    if (request->has_version) {
        vln_call_refuse_field(call, "version", "a version is one of a name: say which");
        return false;
    }
    if (request->stage && request->environment) {
        vln_call_refuse_field(call, "environment",
                              "ask for a stage or for an environment, not for both at once");
        return false;
    }
    if (request->stage && !stage_parse(request->stage, &stage)) {
        vln_call_refuse_field(call, "stage", "'%.64s' is no stage", request->stage);
        return false;
    }
    if (!vln_pb_enum_knows(&valion__v1__task_type__descriptor, (int)request->task)) {
        vln_call_refuse_field(call, "task", "regression, binary or multiclass");
        return false;
    }
    if (request->model_version && !request->model) {
        vln_call_refuse_field(call, "model_version", "a version is one of a model: say which");
        return false;
    }
    return (!request->model || registry_check_model_name(call, request->model)) &&
           registry_check_text(call, "environment", request->environment, ENVIRONMENT_MAX);
}

/* The task that was said, or that of the version's signature; false, and the call answered, if the
 * version cannot be read. */
static bool
find_task(registry_worker_t *self, vln_call_t *call, int *task)
{
    const Valion__V1__GetPolicyRequest *request = (const void *)call->request;
    const registry_version_key_t key = {request->model, request->model_version, NULL};
    registry_version_t found;
    *task = (int)request->task;
    if (*task || !request->model_version) {
        return true;
    }
    vln_err_t err = registry_store_find_versions(self->store, call->arena, &key, 1, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return false;
    }
    if (!found.version) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no version '%.64s' of a model '%s'; ListVersions lists them",
                        key.version, key.model);
        return false;
    }
    const Valion__V1__Version *wire = registry_version_to_wire(call, &found);
    *task = wire && wire->signature ? (int)wire->signature->task : 0;
    return wire != NULL;
}

static void
get_in_force(registry_worker_t *self, vln_call_t *call)
{
    const Valion__V1__GetPolicyRequest *request = (const void *)call->request;
    policy_question_t question = {
        .model = request->model, .stage = request->stage, .environment = request->environment};
    const policy_candidate_t *candidate = NULL;
    const evidence_policy_t *rule = NULL;
    registry_policy_t policy;
    if (!check_question(call, request) || !find_task(self, call, &question.task)) {
        return;
    }
    vln_err_t err =
        registry_policy_in_force(self->store, call->arena, &question, &candidate, &rule);
    if (err == VLN_OK) {
        err = registry_policies_find(self->store, call->arena, rule->name, rule->version, &policy);
    }
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "no policy is in force for that; ListPolicies lists what there is");
        return;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    answer_get(call, &policy,
               vln_arena_printf(call->arena, "of those in force it names the most: %s",
                                policy_scope_text(&candidate->scope)));
}

void
registry_get_policy(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetPolicyRequest *request = (const void *)call->request;
    if (request->name) {
        get_by_name(worker, call);
    } else {
        get_in_force(worker, call);
    }
}

/* ---- list ---- */

/* "name@12": behind it the page goes on. */
static bool
read_token(vln_call_t *call, const Valion__V1__Page *page, registry_policy_page_t *out)
{
    const char *token = NULL;
    if (!registry_page_token(call, page, &token) || !token) {
        return !vln_call_is_refused(call);
    }
    char text[REGISTRY_NAME_MAX + 2];
    if (!vln_text_next(&token, '@', text, sizeof text) ||
        !vln_text_is_name(text, REGISTRY_NAME_MAX, "_.-") ||
        !vln_text_to_i64(token, 1, INT64_MAX, &out->after_version)) {
        registry_refuse_token(call);
        return false;
    }
    out->after = vln_arena_strdup(call->arena, text);
    return true;
}

void
registry_list_policies(void *worker, vln_call_t **calls, size_t count)
{
    enum { AT_ONCE = 32 }; /* of at most 120 KiB each, in the arena of one call */
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListPoliciesRequest *request = (const void *)call->request;
    registry_policy_page_t wanted = {0};
    if (!registry_page_size(call, request->page, &wanted.limit) ||
        !read_token(call, request->page, &wanted)) {
        return;
    }
    wanted.limit = wanted.limit < AT_ONCE ? wanted.limit : AT_ONCE;
    registry_policy_t *policies = NULL;
    size_t found = 0;
    vln_err_t err = registry_policies_list(self->store, call->arena, &wanted, &policies, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListPoliciesReply, reply, valion__v1__list_policies_reply__init);
    reply->policies = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->policies);
    vln_page_t page = {0};
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Policy *wire = registry_policy_to_wire(call, &policies[i]);
        if (!wire) {
            return;
        }
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->policies[reply->n_policies++] = wire;
    }
    if (reply->n_policies && ((int)found == wanted.limit || reply->n_policies < found)) {
        const registry_policy_t *last = &policies[reply->n_policies - 1];
        reply->has_next_token = 1;
        reply->next_token = registry_token_of(
            vln_arena_printf(call->arena, "%s@%" PRId64, last->name, last->version));
    }
    vln_call_reply(call, &reply->base);
}
