/*
 * What CreateVersion takes: each part of a request against its bounds, before anything is locked.
 */
#include <string.h>

#include "vln_text.h"

#include "registry_change.h"
#include "registry_versions.h"
#include "registry_wire.h"

enum {
    INLINE_MAX = 64 * 1024,
    INLINE_TOTAL_MAX = 160 * 1024,
    ARTIFACTS_MAX = 32,
    PAIRS_MAX = 256,
    DESCRIPTION_MAX = 5000,
    KEY_MAX = 250,
    VALUE_MAX = 5000,
    ROLE_MAX = 64,
    FILENAME_MAX_BYTES = 255,
};

static bool
check_pairs(vln_call_t *call, const char *field, Valion__V1__KeyValue **pairs, size_t count)
{
    if (count > PAIRS_MAX) {
        vln_call_refuse_field(call, field, "%zu entries; at most %d are kept", count, PAIRS_MAX);
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        size_t key = pairs[i]->key ? strlen(pairs[i]->key) : 0;
        size_t value = pairs[i]->value ? strlen(pairs[i]->value) : 0;
        if (key == 0 || key > KEY_MAX || value > VALUE_MAX) {
            vln_call_refuse_field(call, field, "a key has 1 to %d bytes, a value at most %d",
                                  KEY_MAX, VALUE_MAX);
            return false;
        }
        for (size_t other = 0; other < i; other++) {
            if (strcmp(pairs[other]->key, pairs[i]->key) == 0) {
                vln_call_refuse_field(call, field, "the key '%s' stands there twice",
                                      pairs[i]->key);
                return false;
            }
        }
    }
    return true;
}

static bool
check_metrics(vln_call_t *call, const Valion__V1__CreateVersionRequest *request)
{
    if (request->n_metrics > PAIRS_MAX) {
        vln_call_refuse_field(call, "metrics", "%zu metrics; at most %d are kept",
                              request->n_metrics, PAIRS_MAX);
        return false;
    }
    for (size_t i = 0; i < request->n_metrics; i++) {
        const Valion__V1__KeyNumber *metric = request->metrics[i];
        if (!metric->key || !*metric->key || strlen(metric->key) > KEY_MAX || !metric->has_value) {
            vln_call_refuse_field(call, "metrics",
                                  "a metric has a name of 1 to %d bytes and a "
                                  "value",
                                  KEY_MAX);
            return false;
        }
    }
    return true;
}

static bool
check_artifact(vln_call_t *call, const Valion__V1__Artifact *artifact)
{
    if (!vln_text_is_name(artifact->role, ROLE_MAX, "_.-")) {
        vln_call_refuse_field(call, "artifacts.role",
                              "'%s' is not a role: 'model', 'preprocessor', 'notes' …",
                              artifact->role ? artifact->role : "");
        return false;
    }
    if (artifact->filename &&
        (strlen(artifact->filename) > FILENAME_MAX_BYTES || strchr(artifact->filename, '/'))) {
        vln_call_refuse_field(call, "artifacts.filename",
                              "a file name of at most %d bytes, without folders",
                              FILENAME_MAX_BYTES);
        return false;
    }
    if (!artifact->has_inline_bytes && artifact->digest.len != VLN_DIGEST_BYTES) {
        vln_call_refuse_field(call, "artifacts",
                              "the artifact '%s' has neither bytes nor the digest of stored ones",
                              artifact->role);
        return false;
    }
    if (artifact->inline_bytes.len > INLINE_MAX) {
        vln_call_refuse_field(call, "artifacts.inline_bytes",
                              "'%s' has %zu bytes; at most %d travel inside the call: upload it",
                              artifact->role, artifact->inline_bytes.len, INLINE_MAX);
        return false;
    }
    return true;
}

static bool
check_artifacts(vln_call_t *call, const Valion__V1__CreateVersionRequest *request)
{
    size_t total = 0;
    if (request->n_artifacts > ARTIFACTS_MAX) {
        vln_call_refuse_field(call, "artifacts", "%zu artifacts; at most %d are kept",
                              request->n_artifacts, ARTIFACTS_MAX);
        return false;
    }
    for (size_t i = 0; i < request->n_artifacts; i++) {
        if (!check_artifact(call, request->artifacts[i])) {
            return false;
        }
        total += request->artifacts[i]->inline_bytes.len;
        for (size_t other = 0; other < i; other++) {
            if (strcmp(request->artifacts[other]->role, request->artifacts[i]->role) == 0) {
                vln_call_refuse_field(call, "artifacts.role", "the role '%s' stands there twice",
                                      request->artifacts[i]->role);
                return false;
            }
        }
    }
    if (total > INLINE_TOTAL_MAX) {
        vln_call_refuse_field(call, "artifacts.inline_bytes",
                              "%zu bytes together; at most %d travel inside a call: upload them",
                              total, INLINE_TOTAL_MAX);
        return false;
    }
    return true;
}

/* A value of a newer release: some other part of the version than the one that is meant would be
 * counted up in its stead, for ever. */
static bool
check_bump(vln_call_t *call, const Valion__V1__CreateVersionRequest *request)
{
    if (request->version || (uint32_t)request->bump < VALION__V1__BUMP__BUMP_BUILD ||
        request->bump == VALION__V1__BUMP__BUMP_AUTO) {
        return true;
    }
    if (request->bump == VALION__V1__BUMP__BUMP_BUILD) {
        vln_call_refuse_field(call, "bump",
                              "build metadata takes no part in precedence, so it makes no version "
                              "of its own: choose patch, or give the version with its +build");
        return false;
    }
    vln_call_refuse_field(call, "bump", "a bump of kind %d is not known here; give the version",
                          (int)request->bump);
    return false;
}

bool
registry_version_check_request(vln_call_t *call, const Valion__V1__CreateVersionRequest *request)
{
    if (request->description && strlen(request->description) > DESCRIPTION_MAX) {
        vln_call_refuse_field(call, "description", "at most %d bytes are kept", DESCRIPTION_MAX);
        return false;
    }
    return registry_check_model_name(call, request->model) &&
           registry_join_tags(call, request->tags, request->n_tags) &&
           check_pairs(call, "hyperparameters", request->hyperparameters,
                       request->n_hyperparameters) &&
           check_pairs(call, "dataset_info", request->dataset_info, request->n_dataset_info) &&
           check_metrics(call, request) && check_bump(call, request) &&
           registry_check_context(call, request->context) && check_artifacts(call, request);
}
