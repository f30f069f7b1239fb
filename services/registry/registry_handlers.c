#include "registry_handlers.h"

#include "vln_pb.h"

#include "range.h"
#include "registry.h"
#include "registry_search_store.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum {
    VERSIONS_AT_ONCE = 64,         /* records of at most 64 KiB, in the arena of one call */
    GET_VERSION_REPLY_VERSION = 1, /* number of the field `version` of GetVersionReply */
};

void
registry_run_once(registry_worker_t *self, vln_call_t **calls, size_t count,
                  vln_err_t (*work)(void *context, vln_call_t **calls, size_t count))
{
    vln_once_t once = registry_store_once(self->store);
    once.context = self;
    once.work = work;
    vln_once_run(&once, calls, count);
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
    size_t size = 0;
    const uint8_t *packed = registry_version_pack(call, version, &size);
    if (packed) {
        size_t reply_size = 0;
        const uint8_t *reply =
            vln_pb_wrap(call->arena, GET_VERSION_REPLY_VERSION, packed, size, &reply_size);
        vln_call_reply_packed(call, reply, reply_size);
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
    vln_err_t err = registry_search_in_range(self->store, call->arena, request->model, &range, out);
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
        keys[ask_count] = registry_version_key(request->model, version, request->alias);
        asked[ask_count++] = calls[i];
    }
    for (size_t at = 0; at < ask_count; at += VERSIONS_AT_ONCE) {
        size_t left = ask_count - at;
        answer_versions(worker, &asked[at], &keys[at],
                        left < VERSIONS_AT_ONCE ? left : VERSIONS_AT_ONCE);
    }
}
