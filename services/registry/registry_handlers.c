#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_page.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_versions.h"
#include "valion/v1/registry.pb-c.h"

enum {
    DESCRIPTION_MAX = 5000,
    TAGS_MAX = 64,
    TAG_MAX = 250,
    WORD_MAX = 250,
    PAGE_DEFAULT = 100,
    PAGE_MAX = 1000,
    TOKEN_MAX = 400,
    MODELS_AT_ONCE = 400,      /* a model has 11 fields: more of them fit no reply */
    RECORDS_MAX = 1024 * 1024, /* of versions in a list: far more bytes than a reply holds */
    VERSIONS_AT_ONCE = 64,     /* records of at most 64 KiB, in the arena of one call */
    EVENT_TYPES_MAX = 16,
};

#define NEW(arena, type, name, init)                   \
    type *name = vln_arena_alloc(arena, sizeof *name); \
    init(name)

/* ---- from and to the wire ---- */

static int
compare_text(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

/* One a line, sorted, each once; NULL, and the call refused, if one is not a tag. */
static const char *
join_tags(vln_call_t *call, char *const *tags, size_t count)
{
    if (count > TAGS_MAX) {
        vln_call_refuse_field(call, "tags", "%zu tags; at most %d are kept", count, TAGS_MAX);
        return NULL;
    }
    char **sorted = vln_arena_memdup(call->arena, tags, count * sizeof *tags);
    qsort(sorted, count, sizeof *sorted, compare_text);
    const char *joined = "";
    for (size_t i = 0; i < count; i++) {
        size_t len = strlen(sorted[i]);
        if (len == 0 || len > TAG_MAX || strpbrk(sorted[i], "\n\r")) {
            vln_call_refuse_field(call, "tags", "a tag is one line of 1 to %d bytes", TAG_MAX);
            return NULL;
        }
        if (i == 0 || strcmp(sorted[i], sorted[i - 1]) != 0) {
            joined =
                vln_arena_printf(call->arena, "%s%s%s", joined, *joined ? "\n" : "", sorted[i]);
        }
    }
    return joined;
}

static void
split_tags(vln_arena_t *arena, const char *joined, char ***out, size_t *count)
{
    *out = vln_arena_alloc(arena, TAGS_MAX * sizeof **out);
    *count = 0;
    char tag[TAG_MAX + 1];
    while (*count < TAGS_MAX && vln_text_next(&joined, '\n', tag, sizeof tag)) {
        (*out)[(*count)++] = vln_arena_strdup(arena, tag);
    }
}

static char *
borrowed(const char *text)
{
    return (char *)(uintptr_t)text; /* protobuf-c has no const; packing only reads */
}

static Valion__V1__Model *
model_to_wire(vln_arena_t *arena, const registry_model_t *model)
{
    NEW(arena, Valion__V1__Model, wire, valion__v1__model__init);
    wire->name = borrowed(model->name);
    wire->description = borrowed(model->description);
    split_tags(arena, model->tags, &wire->tags, &wire->n_tags);
    wire->author = borrowed(model->author);
    wire->algorithm = borrowed(model->algorithm);
    wire->framework = borrowed(model->framework);
    wire->latest_version = borrowed(model->latest);
    wire->has_versions = wire->has_revision = wire->has_created_us = wire->has_updated_us = 1;
    wire->versions = (uint32_t)model->versions;
    wire->revision = (uint64_t)model->revision;
    wire->created_us = model->created_us;
    wire->updated_us = model->updated_us;
    return wire;
}

static bool
check_text(vln_call_t *call, const char *field, const char *text, size_t max)
{
    if (text && strlen(text) > max) {
        vln_call_refuse_field(call, field, "%s has %zu bytes; at most %zu are kept", field,
                              strlen(text), max);
        return false;
    }
    return true;
}

bool
registry_check_model_name(vln_call_t *call, const char *name)
{
    if (vln_text_is_name(name, REGISTRY_NAME_MAX, "_.-")) {
        return true;
    }
    vln_call_refuse_field(call, "name",
                          "'%s' cannot name a model: 1 to %d letters, digits, '_', '.', '-', "
                          "beginning with a letter or digit",
                          name ? name : "", REGISTRY_NAME_MAX);
    return false;
}

static void
refuse_no_model(vln_call_t *call, const char *name)
{
    vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                    "there is no model '%s'; ListModels lists them, CreateModel makes one", name);
}

/* Page size within bounds; false, and the call refused, if it is not. */
static bool
page_size(vln_call_t *call, const Valion__V1__Page *page, int *out)
{
    uint32_t size = page && page->has_size ? page->size : PAGE_DEFAULT;
    if (size == 0 || size > PAGE_MAX) {
        vln_call_refuse_field(call, "page.size", "a page has 1 to %d items", PAGE_MAX);
        return false;
    }
    *out = (int)size;
    return true;
}

static void
refuse_token(vln_call_t *call)
{
    vln_call_refuse_field(call, "page.token",
                          "not a token of this list: repeat next_token as it came, or leave it out "
                          "to begin anew");
}

/* The page's token as text, NULL at the start; false, and the call refused, if no list of ours has
 * such a token. */
static bool
page_token(vln_call_t *call, const Valion__V1__Page *page, const char **out)
{
    *out = NULL;
    if (!page || page->token.len == 0) {
        return true;
    }
    const char *bytes = (const char *)page->token.data;
    if (page->token.len > TOKEN_MAX || !vln_text_is_utf8(bytes, page->token.len)) {
        refuse_token(call);
        return false;
    }
    char *text = vln_arena_alloc(call->arena, page->token.len + 1);
    memcpy(text, bytes, page->token.len);
    *out = text;
    return true;
}

static ProtobufCBinaryData
token_of(const char *text)
{
    return (ProtobufCBinaryData){strlen(text), (uint8_t *)(uintptr_t)text};
}

/* ---- models ---- */

static vln_err_t
create_one_model(registry_worker_t *worker, vln_call_t *call, vln_events_t *events)
{
    const Valion__V1__CreateModelRequest *request = (const void *)call->request;
    const char *tags = join_tags(call, request->tags, request->n_tags);
    if (!tags || !registry_check_model_name(call, request->name) ||
        !check_text(call, "description", request->description, DESCRIPTION_MAX) ||
        !check_text(call, "algorithm", request->algorithm, WORD_MAX) ||
        !check_text(call, "framework", request->framework, WORD_MAX)) {
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

static void
create_model(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_once_t once = registry_store_once(self->store);
    once.context = self;
    once.work = work_create_models;
    vln_once_run(&once, calls, count);
}

static void
get_model(void *worker, vln_call_t **calls, size_t count)
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
            refuse_no_model(calls[i], request->name);
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

static void
list_models(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListModelsRequest *request = (const void *)call->request;
    registry_model_filter_t filter = {.text = request->text,
                                      .tag = request->tag,
                                      .stage = request->has_stage ? (int)request->stage : 0};
    if (!page_size(call, request->page, &filter.limit) ||
        !page_token(call, request->page, &filter.after) ||
        !check_text(call, "text", request->text, WORD_MAX)) {
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
        reply->next_token = token_of(models[reply->n_models - 1].name);
    }
    vln_call_reply(call, &reply->base);
}

/* ---- versions ---- */

static void
create_version(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_once_t once = registry_store_once(self->store);
    once.context = self;
    once.work = registry_create_versions;
    vln_once_run(&once, calls, count);
}

static void
answer_version(vln_call_t *call, const registry_version_key_t *key,
               const registry_version_t *version)
{
    if (!version->version) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no version '%s' of a model '%s'; ListVersions lists them",
                        key->version ? key->version : "(latest)", key->model);
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

static void
get_version(void *worker, vln_call_t **calls, size_t count)
{
    registry_version_key_t keys[VLN_BATCH_MAX];
    vln_call_t *asked[VLN_BATCH_MAX];
    size_t ask_count = 0;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__GetVersionRequest *request = (const void *)calls[i]->request;
        if (request->alias) {
            vln_call_refuse(calls[i], VLN_UNIMPLEMENTED, VALION__V1__REASON__REASON_FIELD,
                            "aliases come with a later release: ask by version");
        } else if (registry_check_model_name(calls[i], request->model)) {
            keys[ask_count] = (registry_version_key_t){request->model, request->version};
            asked[ask_count++] = calls[i];
        }
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

static void
list_versions(void *worker, vln_call_t **calls, size_t count)
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
        !page_size(call, request->page, &filter.limit) ||
        !page_token(call, request->page, &token) ||
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
        reply->next_token = token_of(versions[reply->n_versions - 1].version);
    }
    vln_call_reply(call, &reply->base);
}

/* ---- artifacts ---- */

/* False, and the call refused, unless there are bytes of this digest. */
static bool
find_blob(registry_worker_t *self, vln_call_t *call, const ProtobufCBinaryData *digest,
          bool with_bytes, registry_blob_t *out)
{
    if (digest->len != VLN_DIGEST_BYTES) {
        vln_call_refuse_field(call, "digest", "a digest is the %d bytes of a SHA-256",
                              VLN_DIGEST_BYTES);
        return false;
    }
    vln_err_t err =
        registry_store_find_blob(self->store, call->arena, digest->data, with_bytes, out);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "no bytes of this digest are stored here");
    } else if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
    }
    return err == VLN_OK;
}

static bool
verify_blob(vln_call_t *call, const registry_blob_t *blob)
{
    uint8_t digest[VLN_DIGEST_BYTES];
    vln_digest(blob->bytes, (size_t)blob->size_bytes, digest);
    if (memcmp(digest, blob->digest, sizeof digest) == 0) {
        return true;
    }
    char hex[2 * VLN_DIGEST_BYTES + 1];
    vln_error("artifact.corrupt",
              kv_str("digest", vln_hex_encode(blob->digest, sizeof digest, hex)));
    vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                    "the stored bytes do not have the digest %s: restore them from a backup", hex);
    return false;
}

static void
get_chunk(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetChunkRequest *request = (const void *)call->request;
    registry_blob_t blob;
    if (!find_blob(worker, call, &request->digest, true, &blob) || !verify_blob(call, &blob)) {
        return;
    }
    if (request->offset < 0 || request->offset > blob.size_bytes) {
        vln_call_refuse(call, VLN_OUT_OF_RANGE, VALION__V1__REASON__REASON_FIELD,
                        "the artifact has %lld bytes; offset %lld is past its end",
                        (long long)blob.size_bytes, (long long)request->offset);
        return;
    }
    int64_t left = blob.size_bytes - request->offset;
    int64_t size = request->has_size_bytes ? request->size_bytes : REGISTRY_CHUNK_MAX;
    size = size < left ? size : left;
    size = size < REGISTRY_CHUNK_MAX ? size : REGISTRY_CHUNK_MAX;
    NEW(call->arena, Valion__V1__GetChunkReply, reply, valion__v1__get_chunk_reply__init);
    reply->has_total_bytes = 1;
    reply->total_bytes = blob.size_bytes;
    vln_call_reply(call, &reply->base);
    vln_call_reply_raw(call, blob.bytes + request->offset, (size_t)size);
}

static void
get_artifact_info(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetArtifactInfoRequest *request = (const void *)call->request;
    registry_blob_t blob;
    if (!find_blob(worker, call, &request->digest, false, &blob)) {
        return;
    }
    NEW(call->arena, Valion__V1__GetArtifactInfoReply, reply,
        valion__v1__get_artifact_info_reply__init);
    reply->has_size_bytes = reply->has_created_us = reply->has_references = 1;
    reply->size_bytes = blob.size_bytes;
    reply->media_type = borrowed(blob.media_type);
    reply->created_us = blob.created_us;
    reply->references = blob.references;
    vln_call_reply(call, &reply->base);
}

/* ---- the log ---- */

static bool
check_types(vln_call_t *call, const Valion__V1__ReadEventsRequest *request)
{
    bool sound = request->n_types <= EVENT_TYPES_MAX;
    for (size_t i = 0; sound && i < request->n_types; i++) {
        size_t len = strlen(request->types[i]);
        sound = len > 0 && len <= WORD_MAX;
    }
    if (!sound) {
        vln_call_refuse_field(call, "types", "at most %d types, such as version.created or job.*",
                              EVENT_TYPES_MAX);
    }
    return sound;
}

static void
read_events(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    for (size_t i = 0; i < count; i++) {
        vln_call_t *call = calls[i];
        const Valion__V1__ReadEventsRequest *request = (const void *)call->request;
        registry_log_query_t query = {.after = request->after,
                                      .types = (const char *const *)request->types,
                                      .type_count = request->n_types,
                                      .subject = request->subject,
                                      .limit = PAGE_DEFAULT};
        if (request->has_limit && request->limit >= 1 && request->limit <= PAGE_MAX) {
            query.limit = (int)request->limit;
        }
        if (request->after > INT64_MAX || !check_types(call, request)) {
            if (request->after > INT64_MAX) {
                vln_call_refuse_field(call, "after", "no log has that many positions");
            }
            continue;
        }
        registry_log_page_t page;
        vln_err_t err = registry_log_read(self->log, call->arena, &query, &page);
        if (err != VLN_OK) {
            vln_call_refuse_store(call, err);
            continue;
        }
        /* Nothing of these types yet: the positions that were looked at are told in any case. */
        if (page.count == 0 && request->wait_ms > 0 &&
            vln_call_park(call, REGISTRY_TOPIC_LOG, request->wait_ms)) {
            continue;
        }
        NEW(call->arena, Valion__V1__ReadEventsReply, reply, valion__v1__read_events_reply__init);
        reply->n_events = page.count;
        reply->events = page.events;
        reply->has_last = reply->has_end = 1;
        reply->last = page.last;
        reply->end = page.end;
        vln_call_reply(call, &reply->base);
    }
}

static void
sign_head(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    if (!self->registry->has_audit_key) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "this registry has no audit key: give it the file secret/audit.key");
        return;
    }
    Valion__V1__LogHead *head = NULL;
    vln_err_t err = registry_log_sign(self->log, call->arena, self->registry->audit_key, &head);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "the log is empty: there is nothing to sign yet");
        return;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    registry_append_head(self->registry, head);
    NEW(call->arena, Valion__V1__SignHeadReply, reply, valion__v1__sign_head_reply__init);
    reply->head = head;
    vln_call_reply(call, &reply->base);
}

/* An end that does not move may be signed several times: position and time tell heads apart. */
static ProtobufCBinaryData
token_of_head(vln_arena_t *arena, const Valion__V1__LogHead *head)
{
    return token_of(vln_arena_printf(arena, "%" PRIu64 ".%" PRId64, head->position, head->time_us));
}

static bool
head_of_token(vln_call_t *call, const Valion__V1__Page *page, Valion__V1__LogHead *out)
{
    const char *token = NULL;
    if (!page_token(call, page, &token)) {
        return false;
    }
    char part[32] = "";
    int64_t position = 0;
    bool sound = vln_text_next(&token, '.', part, sizeof part) &&
                 vln_text_to_i64(part, 1, INT64_MAX, &position) &&
                 vln_text_to_i64(token, 0, INT64_MAX, &out->time_us);
    out->position = (uint64_t)position;
    if (!sound) {
        refuse_token(call);
    }
    return sound;
}

static void
list_heads(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListHeadsRequest *request = (const void *)call->request;
    int limit = 0;
    Valion__V1__LogHead before = VALION__V1__LOG_HEAD__INIT;
    bool from_start = !request->page || request->page->token.len == 0;
    if (!page_size(call, request->page, &limit) ||
        !(from_start || head_of_token(call, request->page, &before))) {
        return;
    }
    NEW(call->arena, Valion__V1__ListHeadsReply, reply, valion__v1__list_heads_reply__init);
    size_t found = 0;
    vln_err_t err = registry_log_list_heads(self->log, call->arena, from_start ? NULL : &before,
                                            limit, &reply->heads, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    vln_page_t page = {0};
    while (reply->n_heads < found &&
           vln_page_take(&page, call->arena, &reply->heads[reply->n_heads]->base)) {
        reply->n_heads++;
    }
    if ((int)found == limit || reply->n_heads < found) {
        reply->has_next_token = 1;
        reply->next_token = token_of_head(call->arena, reply->heads[reply->n_heads - 1]);
    }
    vln_call_reply(call, &reply->base);
}

/* ---- the interface ---- */

#define READERS                                                                         \
    (VLN_ROLE(VIEWER) | VLN_ROLE(PUBLISHER) | VLN_ROLE(DEPLOYER) | VLN_ROLE(OPERATOR) | \
     VLN_ROLE(APPROVER) | VLN_ROLE(ADMIN) | SERVICES)
#define SERVICES                                                                                 \
    (VLN_ROLE(REGISTRY) | VLN_ROLE(VALIDATOR) | VLN_ROLE(TRAINER) | VLN_ROLE(DEPLOYER_SERVICE) | \
     VLN_ROLE(RUNNER) | VLN_ROLE(ORCHESTRATOR) | VLN_ROLE(GATEWAY) | VLN_ROLE(WORKER))
#define WRITERS (VLN_ROLE(PUBLISHER) | VLN_ROLE(ADMIN) | VLN_ROLE(TRAINER))

/* clang-format off */
const vln_method_t registry_methods[] = {
    /* method           handler            roles              flags                     body_max */
    {"CreateModel",     create_model,      WRITERS,           VLN_MUTATES | VLN_BATCHES, 65536},
    {"GetModel",        get_model,         READERS,           VLN_BATCHES,               4096},
    {"ListModels",      list_models,       READERS,           0,                         4096},
    {"CreateVersion",   create_version,    WRITERS,           VLN_MUTATES | VLN_BATCHES, 262144},
    {"GetVersion",      get_version,       READERS,           VLN_BATCHES,               4096},
    {"ListVersions",    list_versions,     READERS,           0,                         4096},
    {"GetChunk",        get_chunk,         READERS,           0,                         1024},
    {"GetArtifactInfo", get_artifact_info, READERS,           0,                         1024},
    {"ReadEvents",      read_events,       READERS,           VLN_BATCHES | VLN_PARKS,   8192},
    {"SignHead",        sign_head,         VLN_ROLE(ADMIN) | VLN_ROLE(OPERATOR), 0,      1024},
    {"ListHeads",       list_heads,        READERS,           0,                         1024},
};
/* clang-format on */
const size_t registry_method_count = VLN_COUNT(registry_methods);

const char *const registry_planned[] = {
    "UpdateVersion",    "DeleteVersion",  "SetAlias",        "SetSignature", "BeginUpload",
    "PutChunk",         "CommitUpload",   "CreateDataset",   "GetDataset",   "ListDatasets",
    "Promote",          "GetHistory",     "OpenGrant",       "CloseGrant",   "GetServingAt",
    "PutReport",        "GetReport",      "ListReports",     "PutPolicy",    "GetPolicy",
    "ListPolicies",     "SuggestVersion", "CompareVersions", "GetChangelog", "PutVersionRule",
    "ListVersionRules",
};
const size_t registry_planned_count = VLN_COUNT(registry_planned);
