/*
 * What changes of one version after it was made: description, tags, status, aliases; and its
 * deletion. Its signature is in registry_signature.c, its stage in registry_stages.c.
 */
#include "registry_changes.h"

#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "vln_pb.h"
#include "vln_text.h"

#include "registry_handlers.h"
#include "registry_models.h"
#include "registry_search_store.h"
#include "registry_stages_store.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "registry_words.h"
#include "stage.h"
#include "valion/v1/registry.pb-c.h"

enum {
    DESCRIPTION_MAX = 5000,
    ALIAS_MAX = 255,
    ALIASES_MAX = 64, /* a version may have all of them, and a list shows them */
};

/* ---- in common ---- */

static vln_err_t
refuse_unknown(vln_call_t *call, const char *model, const char *version, vln_err_t err, bool *found)
{
    *found = err == VLN_OK;
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no version '%s' of a model '%s'; ListVersions lists them",
                        version, model);
        return VLN_OK;
    }
    return err;
}

vln_err_t
registry_lock_version_alone(registry_worker_t *self, vln_call_t *call, const char *model,
                            const char *version, registry_version_t *out, bool *found)
{
    vln_err_t err = registry_stages_lock(self->store, call->arena, model, version, out);
    return refuse_unknown(call, model, version, err, found);
}

vln_err_t
registry_hold_version(registry_worker_t *self, vln_call_t *call, const char *model,
                      const char *version, registry_version_t *out, bool *found)
{
    vln_err_t err = registry_stages_hold(self->store, call->arena, model, version, out);
    return refuse_unknown(call, model, version, err, found);
}

vln_err_t
registry_lock_version(registry_worker_t *self, vln_call_t *call, const char *model,
                      const char *version, registry_version_t *out, bool *found)
{
    registry_model_t row;
    int64_t now_us = 0;
    *found = false;
    vln_err_t err = registry_store_lock_models(self->store, call->arena, &model, 1, &row, &now_us);
    return err == VLN_OK ? registry_lock_version_alone(self, call, model, version, out, found)
                         : err;
}

bool
registry_check_version_text(vln_call_t *call, const char *version)
{
    semver_t parsed;
    if (version && semver_parse(version, &parsed)) {
        return true;
    }
    vln_call_refuse_field(call, "version", "'%.64s' is not a version as in semver.org: 1.2.3",
                          version ? version : "");
    return false;
}

bool
registry_check_revision(vln_call_t *call, const registry_version_t *version, uint64_t expected)
{
    if ((uint64_t)version->revision == expected) {
        return true;
    }
    vln_call_refuse(call, VLN_ABORTED, VALION__V1__REASON__REASON_STATE,
                    "version %s has changed: it is at revision %" PRId64 ", not %" PRIu64
                    "; read it again, then decide",
                    version->version, version->revision, expected);
    return false;
}

void
registry_add_version_event(vln_events_t *events, vln_call_t *call, const char *type,
                           const char *model, const char *version, const vln_fact_t *facts)
{
    vln_events_add(events, type, vln_arena_printf(call->arena, "%s@%s", model, version),
                   vln_call_actor(call), facts);
}

/* ---- a version that changed ---- */

/* NULL is another text than "": the one is as in the record, the other is none. */
static bool
is_same_text(const char *left, const char *right)
{
    return left == right || (left && right && strcmp(left, right) == 0);
}

static bool
is_same_digest(const uint8_t *left, const uint8_t *right)
{
    return left == right || (left && right && memcmp(left, right, VLN_DIGEST_BYTES) == 0);
}

bool
registry_version_is_same(const registry_version_t *left, const registry_version_t *right)
{
    return left->status == right->status && left->signature_size == right->signature_size &&
           (left->signature_size == 0 ||
            memcmp(left->signature, right->signature, left->signature_size) == 0) &&
           is_same_digest(left->samples, right->samples) &&
           is_same_digest(left->profile, right->profile) &&
           is_same_text(left->status_reason, right->status_reason) &&
           is_same_text(left->description, right->description) &&
           is_same_text(left->tags, right->tags);
}

vln_err_t
registry_version_save(registry_worker_t *self, vln_call_t *call, const char *model,
                      registry_version_t *version, vln_events_t *events, Valion__V1__Version **out)
{
    *out = registry_version_to_wire(call, version);
    if (!*out || !registry_version_check_size(call, *out)) {
        *out = NULL;
        return VLN_OK;
    }
    registry_words_of(call->arena, *out, &version->words, &version->facets);
    vln_err_t err = registry_stages_save(self->store, model, version);
    if (err == VLN_OK) {
        err = registry_store_write_events(self->store, events);
    }
    (*out)->revision = (uint64_t)version->revision;
    (*out)->updated_us = version->updated_us;
    return err;
}

/* ---- description, tags, status ---- */

static bool
check_update(vln_call_t *call, const Valion__V1__UpdateVersionRequest *request)
{
    bool sound = !request->has_status ||
                 request->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_DEPRECATED ||
                 request->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_READY;
    if (!sound) {
        vln_call_refuse_field(
            call, "status", "only deprecated and ready can be set: the others come of themselves");
        return false;
    }
    return registry_check_model_name(call, request->model) &&
           registry_check_version_text(call, request->version) &&
           registry_check_text(call, "description", request->description, DESCRIPTION_MAX);
}

static void
change_description(const Valion__V1__UpdateVersionRequest *request, const Valion__V1__Version *wire,
                   registry_version_t *version)
{
    const char *before = wire->description ? wire->description : "";
    if (request->description && strcmp(request->description, before) != 0) {
        version->description = request->description;
    }
}

/* Only a ready version can be deprecated, and only a deprecated one be ready again. */
static bool
change_status(vln_call_t *call, const Valion__V1__UpdateVersionRequest *request,
              registry_version_t *version)
{
    bool known = version->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_DEPRECATED ||
                 version->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_READY;
    if (request->has_status && !known) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "%s@%s %s: its status cannot be set", request->model, request->version,
                        stage_unfit((fitness_t)version->status));
        return false;
    }
    version->status = request->has_status ? (int)request->status : version->status;
    return true;
}

/* With what is new of it. */
static void
add_updated(vln_events_t *events, vln_call_t *call, const registry_version_t *before,
            const registry_version_t *after)
{
    const Valion__V1__UpdateVersionRequest *request = (const void *)call->request;
    bool ready = after->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_READY;
    const vln_fact_t facts[] = {
        {"model", request->model},
        {"version", request->version},
        {"description", after->description != before->description ? after->description : NULL},
        {"tags", after->tags != before->tags ? after->tags : NULL},
        {"status", after->status == before->status ? NULL
                   : ready                         ? "ready"
                                                   : "deprecated"},
        {NULL, NULL}};
    registry_add_version_event(events, call, "version.updated", request->model, request->version,
                               facts);
}

static vln_err_t
update(registry_worker_t *self, vln_call_t *call, const registry_version_t *version)
{
    const Valion__V1__UpdateVersionRequest *request = (const void *)call->request;
    Valion__V1__Version *wire = registry_version_to_wire(call, version);
    registry_version_t wanted = *version;
    if (!wire || !change_status(call, request, &wanted)) {
        return VLN_OK;
    }
    const registry_tag_change_t change = {request->add_tags, request->n_add_tags,
                                          request->remove_tags, request->n_remove_tags};
    const char *before = registry_join_tags(call, wire->tags, wire->n_tags);
    const char *tags = before;
    if (!tags || !registry_change_tags(call, &change, &tags)) {
        return VLN_OK;
    }
    wanted.tags = tags != before ? tags : wanted.tags;
    change_description(request, wire, &wanted);
    vln_err_t err = VLN_OK;
    if (!registry_version_is_same(&wanted, version)) {
        vln_events_t *events = vln_events_new(call->arena);
        add_updated(events, call, version, &wanted);
        err = registry_version_save(self, call, request->model, &wanted, events, &wire);
    }
    if (err != VLN_OK || !wire) {
        return err;
    }
    NEW(call->arena, Valion__V1__UpdateVersionReply, reply, valion__v1__update_version_reply__init);
    reply->version = wire;
    vln_call_reply(call, &reply->base);
    return VLN_OK;
}

static vln_err_t
work_update(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__UpdateVersionRequest *request = (const void *)call->request;
    registry_version_t version;
    bool found = false;
    if (!check_update(call, request)) {
        return VLN_OK;
    }
    vln_err_t err =
        registry_lock_version_alone(self, call, request->model, request->version, &version, &found);
    if (err != VLN_OK || !found ||
        (request->has_expected_revision &&
         !registry_check_revision(call, &version, request->expected_revision))) {
        return err;
    }
    return update(self, call, &version);
}

void
registry_update_version(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_update);
}

/* ---- deletion ---- */

/* NULL: it may go. */
static const char *
why_kept(const registry_worker_t *self, const registry_version_t *version)
{
    if (version->open_grants > 0) {
        return "serves, or is kept warm, by an open grant: end its rollout first";
    }
    if (version->stage == STAGE_PRODUCTION ||
        (self->registry->protected_stages & (1U << version->stage))) {
        return "is in a protected stage: demote or archive it first";
    }
    if (version->aliases) {
        return "has an alias: remove it or set it to another version first";
    }
    return NULL;
}

/* Text of the deleted version if it is above all that the model lost before; NULL: it is not. */
static const char *
highest_deleted(const registry_model_t *model, const char *version)
{
    semver_t highest;
    semver_t gone;
    vln_assert(semver_parse(version, &gone));
    bool is_higher = !model->highest || !semver_parse(model->highest, &highest) ||
                     semver_compare(&gone, &highest) > 0;
    return is_higher ? version : NULL;
}

/* True, and the call refused, if another version says that it came of this one. */
static bool
has_children(registry_worker_t *self, vln_call_t *call, const char *model, const char *version,
             vln_err_t *err)
{
    const char **children = NULL;
    size_t count = 0;
    *err = registry_search_children(self->store, call->arena, model, version, &children, &count);
    if (count > 0) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "%s@%s is the parent of %s: delete that first", model, version,
                        children[0]);
    }
    return count > 0;
}

static vln_err_t
delete_version(registry_worker_t *self, vln_call_t *call, const registry_model_t *model,
               const registry_version_t *version)
{
    const char *kept = why_kept(self, version);
    if (kept) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE, "%s@%s %s",
                        model->name, version->version, kept);
        return VLN_OK;
    }
    vln_err_t err = VLN_OK;
    if (has_children(self, call, model->name, version->version, &err) || err != VLN_OK) {
        return err;
    }
    char digest[2 * VLN_DIGEST_BYTES + 1];
    const vln_fact_t facts[] = {
        {"model", model->name},
        {"version", version->version},
        {"digest", vln_hex_encode(version->digest, VLN_DIGEST_BYTES, digest)},
        {"stage", stage_name((stage_t)version->stage)},
        {NULL, NULL}};
    vln_events_t *events = vln_events_new(call->arena);
    registry_add_version_event(events, call, "version.deleted", model->name, version->version,
                               facts);
    err = registry_stages_delete(self->store, model->name, version->version, vln_call_actor(call),
                                 highest_deleted(model, version->version));
    if (err == VLN_OK) {
        err = registry_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        NEW(call->arena, Valion__V1__DeleteVersionReply, reply,
            valion__v1__delete_version_reply__init);
        vln_call_reply(call, &reply->base);
    }
    return err;
}

static vln_err_t
work_delete(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__DeleteVersionRequest *request = (const void *)call->request;
    if (!registry_check_model_name(call, request->model) ||
        !registry_check_version_text(call, request->version)) {
        return VLN_OK;
    }
    const char *name = request->model;
    registry_model_t model;
    registry_version_t version;
    int64_t now_us = 0;
    bool found = false;
    vln_err_t err = registry_store_lock_models(self->store, call->arena, &name, 1, &model, &now_us);
    if (err == VLN_OK) {
        err = registry_lock_version_alone(self, call, name, request->version, &version, &found);
    }
    return err == VLN_OK && found ? delete_version(self, call, &model, &version) : err;
}

void
registry_delete_version(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_delete);
}

/* ---- aliases ---- */

/* v1, V22: would read as a version. */
static bool
is_like_a_version(const char *alias)
{
    return (alias[0] == 'v' || alias[0] == 'V') && alias[1] &&
           strspn(alias + 1, "0123456789") == strlen(alias + 1);
}

static bool
check_alias(vln_call_t *call, const char *alias)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_";
    size_t len = alias ? strlen(alias) : 0;
    bool sound = len > 0 && len <= ALIAS_MAX && strchr(letters, alias[0]) &&
                 strspn(alias, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                               "0123456789_-") == len;
    if (!sound) {
        vln_call_refuse_field(
            call, "alias",
            "'%.64s' is no alias: 1 to %d letters, digits, '_' and '-', beginning "
            "with a letter or '_'",
            alias ? alias : "", ALIAS_MAX);
        return false;
    }
    if (strcasecmp(alias, "latest") == 0 || is_like_a_version(alias)) {
        vln_call_refuse_field(
            call, "alias", "'%s' is taken: 'latest' is the latest version, v1 reads as a version",
            alias);
        return false;
    }
    return true;
}

/* Writes it if it changes; *previous as it was. */
static vln_err_t
change_alias(registry_worker_t *self, vln_call_t *call, const char **previous)
{
    const Valion__V1__SetAliasRequest *request = (const void *)call->request;
    int64_t count = 0;
    vln_err_t err = registry_aliases_find(self->store, call->arena, request->model, request->alias,
                                          &count, previous);
    if (err != VLN_OK || is_same_text(*previous, request->version)) {
        return err;
    }
    if (!*previous && count >= ALIASES_MAX) {
        vln_call_refuse(call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_QUOTA,
                        "%s has %d aliases: remove one first", request->model, ALIASES_MAX);
        call->limit = ALIASES_MAX;
        return VLN_OK;
    }
    const vln_fact_t facts[] = {{"model", request->model},
                                {"alias", request->alias},
                                {"version", request->version},
                                {"previous", *previous},
                                {NULL, NULL}};
    vln_events_t *events = vln_events_new(call->arena);
    vln_events_add(events, request->version ? "alias.set" : "alias.removed", request->model,
                   vln_call_actor(call), facts);
    err = registry_aliases_set(self->store, request->model, request->alias, request->version,
                               vln_call_actor(call));
    return err == VLN_OK ? registry_store_write_events(self->store, events) : err;
}

static vln_err_t
work_alias(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__SetAliasRequest *request = (const void *)call->request;
    if (!registry_check_model_name(call, request->model) || !check_alias(call, request->alias) ||
        (request->version && !registry_check_version_text(call, request->version))) {
        return VLN_OK;
    }
    const char *name = request->model;
    registry_model_t model;
    bool found = true;
    vln_err_t err = VLN_OK;
    if (!registry_lock_model(self, call, name, &model, &err)) {
        return err;
    }
    if (request->version) {
        registry_version_t version;
        err = registry_lock_version_alone(self, call, name, request->version, &version, &found);
    }
    const char *previous = NULL;
    if (err == VLN_OK && found) {
        err = change_alias(self, call, &previous);
    }
    if (err != VLN_OK || !found || vln_call_is_refused(call)) {
        return err;
    }
    NEW(call->arena, Valion__V1__SetAliasReply, reply, valion__v1__set_alias_reply__init);
    reply->previous = registry_borrowed(previous);
    vln_call_reply(call, &reply->base);
    return VLN_OK;
}

void
registry_set_alias(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_alias);
}
