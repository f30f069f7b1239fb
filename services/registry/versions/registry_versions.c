#include "registry_versions.h"

#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"
#include "vln_text.h"
#include "vln_time.h"

#include "registry_blobs.h"
#include "registry_change.h"
#include "registry_wire.h"
#include "registry_words.h"

/* ---- a batch under the locks of its models ---- */

typedef struct creator {
    registry_worker_t *worker;
    vln_arena_t *arena;
    vln_events_t *events;
    size_t model_count;
    const char *names[VLN_BATCH_MAX];
    registry_model_t models[VLN_BATCH_MAX]; /* latest and versions move on with each creation */
    bool changed[VLN_BATCH_MAX];
    Valion__V1__Version *latest[VLN_BATCH_MAX]; /* record of the latest, once somebody asked */
    const registry_rules_t *rules;              /* likewise */
    int64_t now_us;
    registry_batch_t batch;
} creator_t;

/* One call on its way. */
typedef struct creation {
    vln_call_t *call;
    size_t model; /* index in the creator */
    Valion__V1__Version *record;
    semver_t semver;
    const suggestion_t *suggestion; /* of BUMP_AUTO; NULL: it was not asked, or is the first */
} creation_t;

static size_t
model_index(creator_t *self, const char *name)
{
    for (size_t i = 0; i < self->model_count; i++) {
        if (strcmp(self->names[i], name) == 0) {
            return i;
        }
    }
    return self->model_count;
}

static bool
is_taken_in_batch(const creator_t *self, const char *model, const semver_t *version)
{
    for (size_t i = 0; i < self->batch.version_count; i++) {
        const registry_new_version_t *other = &self->batch.versions[i];
        if (strcmp(other->model, model) == 0 && semver_compare(&other->semver, version) == 0) {
            return true;
        }
    }
    return false;
}

/* The highest version of the line, of the record and of this batch; false if there is none. */
static vln_err_t
find_line_top(creator_t *self, const char *model, const semver_t *line, semver_t *top, bool *any)
{
    vln_err_t err = registry_store_find_line_top(self->worker->store, model, line, top);
    *any = err == VLN_OK;
    for (size_t i = 0; i < self->batch.version_count; i++) {
        const registry_new_version_t *other = &self->batch.versions[i];
        bool in_line = strcmp(other->model, model) == 0 && other->semver.major == line->major &&
                       other->semver.minor == line->minor;
        if (in_line && (!*any || semver_compare(&other->semver, top) > 0)) {
            *top = other->semver;
            *any = true;
        }
    }
    return err == VLN_NOT_FOUND ? VLN_OK : err;
}

/* A version that the caller gave: new by precedence, and above its line unless it is a backport. */
static vln_err_t
check_given(creator_t *self, vln_call_t *call, const semver_t *version, bool backport, bool *sound)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)call->request;
    semver_t top;
    bool any = false;
    bool taken = false;
    *sound = false;
    vln_err_t err =
        registry_store_has_version(self->worker->store, request->model, version, &taken);
    if (err == VLN_OK && (taken || is_taken_in_batch(self, request->model, version))) {
        vln_call_refuse(call, VLN_ALREADY_EXISTS, VALION__V1__REASON__REASON_EXISTS,
                        "%s has, or had, a version %s already (build metadata does not tell "
                        "versions apart); versions never change: choose the next",
                        request->model, request->version);
        return VLN_OK;
    }
    if (err == VLN_OK) {
        err = find_line_top(self, request->model, version, &top, &any);
    }
    if (err != VLN_OK) {
        return err;
    }
    if (any && !backport && semver_compare(version, &top) < 0) {
        char text[SEMVER_TEXT];
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "%s is below %s, the latest of its line: say backport if that is meant",
                        request->version, semver_format(&top, text));
        return VLN_OK;
    }
    *sound = true;
    return VLN_OK;
}

/* ---- the bump ---- */

/* The model's latest version, as it is recorded or on its way in this batch; NULL, and the call
 * refused, if it cannot be read. */
static vln_err_t
find_latest(creator_t *self, const creation_t *it, Valion__V1__Version **out)
{
    const registry_model_t *model = &self->models[it->model];
    const registry_version_key_t key = {model->name, model->latest, NULL};
    registry_version_t found;
    *out = self->latest[it->model];
    if (*out) {
        return VLN_OK;
    }
    vln_err_t err =
        registry_store_find_versions(self->worker->store, it->call->arena, &key, 1, &found);
    if (err == VLN_OK) {
        vln_assert(found.version);
        self->latest[it->model] = *out = registry_version_to_wire(it->call, &found);
    }
    return err;
}

/* What the rules say of the difference to the latest; `*sound` false if the call was refused. */
static vln_err_t
judge(creator_t *self, creation_t *it, bool *sound)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)it->call->request;
    Valion__V1__Version *latest = NULL;
    vln_err_t err = find_latest(self, it, &latest);
    if (err == VLN_OK && !self->rules) {
        err = registry_rules_load(self->worker->store, self->arena, &self->rules);
    }
    *sound = latest != NULL;
    if (err != VLN_OK || !*sound) {
        return err;
    }
    vln_arena_t *arena = it->call->arena;
    const difference_t *difference =
        registry_change_find(arena, latest, it->record, "the new version");
    it->suggestion =
        &registry_change_judge(arena, self->rules, request->context, difference)->suggestion;
    return VLN_OK;
}

static semver_bump_t
bump_of(const creation_t *it)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)it->call->request;
    switch (request->bump) {
    case VALION__V1__BUMP__BUMP_MAJOR:
        return SEMVER_MAJOR;
    case VALION__V1__BUMP__BUMP_MINOR:
        return SEMVER_MINOR;
    case VALION__V1__BUMP__BUMP_PRERELEASE:
        return SEMVER_PRERELEASE;
    case VALION__V1__BUMP__BUMP_AUTO:
        return it->suggestion ? it->suggestion->bump : SEMVER_PATCH;
    default:
        return SEMVER_PATCH;
    }
}

/* The next one. Numbers of versions that were deleted are passed over: they lie at or below the
 * model's highest, so that nobody else has to look. */
static vln_err_t
bump_version(creator_t *self, creation_t *it, bool *sound)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)it->call->request;
    const registry_model_t *model = &self->models[it->model];
    semver_t latest;
    semver_t highest;
    it->semver = (semver_t){.major = 1};
    if (model->latest && request->bump == VALION__V1__BUMP__BUMP_AUTO) {
        vln_err_t err = judge(self, it, sound);
        if (err != VLN_OK || !*sound) {
            return err;
        }
    }
    if (model->latest && semver_parse(model->latest, &latest)) {
        it->semver = semver_next(&latest, bump_of(it));
    }
    bool taken = model->highest && semver_parse(model->highest, &highest);
    while (taken && semver_compare(&it->semver, &highest) <= 0) {
        vln_err_t err =
            registry_store_has_version(self->worker->store, request->model, &it->semver, &taken);
        if (err != VLN_OK) {
            return err;
        }
        it->semver = taken ? semver_next(&it->semver, bump_of(it)) : it->semver;
    }
    return VLN_OK;
}

/* The call's version; *sound false if the call was refused. */
static vln_err_t
choose_version(creator_t *self, creation_t *it, bool *sound)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)it->call->request;
    *sound = true;
    if (!request->version) {
        return bump_version(self, it, sound);
    }
    if (!semver_parse(request->version, &it->semver)) {
        *sound = false;
        vln_call_refuse_field(it->call, "version",
                              "'%s' is not a version as in semver.org: 1.2.3, 1.2.3-rc.1",
                              request->version);
        return VLN_OK;
    }
    return check_given(self, it->call, &it->semver, request->backport, sound);
}

/* ---- the record ---- */

static int
compare_roles(const void *left, const void *right)
{
    const Valion__V1__Artifact *const *a = left;
    const Valion__V1__Artifact *const *b = right;
    return strcmp((*a)->role, (*b)->role);
}

/* The artifact as it is recorded: with digest and size, without bytes. Its bytes join the batch. */
static vln_err_t
take_artifact(creator_t *self, vln_call_t *call, const Valion__V1__Artifact *given,
              Valion__V1__Artifact **out)
{
    Valion__V1__Artifact *kept = vln_arena_alloc(call->arena, sizeof *kept);
    *kept = *given;
    kept->has_inline_bytes = 0;
    kept->inline_bytes = (ProtobufCBinaryData){0};
    kept->has_digest = kept->has_size_bytes = 1;
    registry_blob_t *blob = &self->batch.blobs[self->batch.blob_count];
    if (given->has_inline_bytes) {
        *blob = (registry_blob_t){.media_type = given->media_type ? given->media_type : "",
                                  .bytes = given->inline_bytes.data,
                                  .size_bytes = (int64_t)given->inline_bytes.len};
        vln_digest(given->inline_bytes.data, given->inline_bytes.len, blob->digest);
        registry_blob_pack(self->worker->pack, call->arena, blob);
        kept->size_bytes = blob->size_bytes;
        kept->digest = (ProtobufCBinaryData){
            VLN_DIGEST_BYTES, vln_arena_memdup(call->arena, blob->digest, VLN_DIGEST_BYTES)};
        if (given->has_digest &&
            (given->digest.len != VLN_DIGEST_BYTES ||
             memcmp(given->digest.data, blob->digest, VLN_DIGEST_BYTES) != 0)) {
            vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                            "the bytes of '%s' do not have the digest that came with them: send "
                            "them again",
                            given->role);
            return VLN_OK;
        }
        self->batch.blob_count++;
        *out = kept;
        return VLN_OK;
    }
    registry_blob_t stored;
    vln_err_t err =
        registry_store_find_blob(self->worker->store, call->arena, given->digest.data, &stored);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_FIELD,
                        "no bytes are stored for the digest of '%s': upload them first",
                        given->role);
        return VLN_OK;
    }
    if (err == VLN_OK && stored.corrupt_us) {
        registry_blob_refuse_corrupt(call, given->digest.data);
        return VLN_OK;
    }
    kept->size_bytes = err == VLN_OK ? stored.size_bytes : 0;
    *out = err == VLN_OK ? kept : NULL;
    return err;
}

/* In the order of the roles; `*sound` false if the call was refused, and then nothing of it stays
 * in the batch. */
static vln_err_t
take_artifacts(creator_t *self, vln_call_t *call, Valion__V1__Version *record, bool *sound)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)call->request;
    size_t blobs_before = self->batch.blob_count;
    const Valion__V1__Artifact **sorted = vln_arena_memdup(
        call->arena, request->artifacts, request->n_artifacts * sizeof *request->artifacts);
    qsort(sorted, request->n_artifacts, sizeof *sorted, compare_roles);
    record->artifacts = vln_arena_alloc(call->arena, (request->n_artifacts + 1) * sizeof(void *));
    record->has_size_bytes = 1;
    vln_digest_t *digest = vln_digest_begin();
    vln_err_t err = VLN_OK;
    *sound = true;
    for (size_t i = 0; i < request->n_artifacts && err == VLN_OK && *sound; i++) {
        Valion__V1__Artifact *kept = NULL;
        err = take_artifact(self, call, sorted[i], &kept);
        *sound = kept != NULL;
        if (kept) {
            record->artifacts[record->n_artifacts++] = kept;
            record->size_bytes += kept->size_bytes;
            vln_digest_add(digest, kept->role, strlen(kept->role) + 1);
            vln_digest_add(digest, kept->digest.data, kept->digest.len);
        }
    }
    record->has_digest = 1;
    record->digest =
        (ProtobufCBinaryData){VLN_DIGEST_BYTES, vln_arena_alloc(call->arena, VLN_DIGEST_BYTES)};
    vln_digest_end(&digest, record->digest.data);
    if (!*sound || err != VLN_OK) {
        self->batch.blob_count = blobs_before;
    }
    return err;
}

static Valion__V1__Version *
make_record(vln_call_t *call, const registry_model_t *model)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)call->request;
    Valion__V1__Version *record = vln_arena_alloc(call->arena, sizeof *record);
    valion__v1__version__init(record);
    record->model = request->model;
    record->algorithm =
        request->algorithm ? request->algorithm : vln_arena_strdup(call->arena, model->algorithm);
    record->framework =
        request->framework ? request->framework : vln_arena_strdup(call->arena, model->framework);
    record->author =
        vln_arena_strdup(call->arena, call->ticket ? call->ticket->submitter : call->principal);
    record->description = request->description;
    record->tags = request->tags;
    record->n_tags = request->n_tags;
    record->hyperparameters = request->hyperparameters;
    record->n_hyperparameters = request->n_hyperparameters;
    record->signature = request->signature;
    record->target = request->target;
    record->dataset_info = request->dataset_info;
    record->n_dataset_info = request->n_dataset_info;
    record->metrics = request->metrics;
    record->n_metrics = request->n_metrics;
    record->lineage = request->lineage;
    return record;
}

static const uint8_t *
find_digest(const Valion__V1__Version *record, const char *role)
{
    for (size_t i = 0; i < record->n_artifacts; i++) {
        if (strcmp(record->artifacts[i]->role, role) == 0) {
            return record->artifacts[i]->digest.data;
        }
    }
    return NULL;
}

/* Signature, samples and profile of the trainer are established: it made the model. Those of
 * anybody else are claims, until the validator has opened the file. */
static bool
is_established(const vln_call_t *call, const Valion__V1__Version *record)
{
    return (call->roles & VLN_ROLE(TRAINER)) && record->signature &&
           find_digest(record, "samples") && find_digest(record, "profile");
}

static void
add_to_batch(creator_t *self, vln_call_t *call, const semver_t *semver, Valion__V1__Version *record)
{
    registry_new_version_t *row = &self->batch.versions[self->batch.version_count++];
    *row = (registry_new_version_t){.model = record->model,
                                    .semver = *semver,
                                    .stage = VALION__V1__STAGE__STAGE_DEVELOPMENT,
                                    .status = VALION__V1__VERSION_STATUS__VERSION_STATUS_TRAINING};
    if (is_established(call, record)) {
        row->status = VALION__V1__VERSION_STATUS__VERSION_STATUS_READY;
        row->samples = find_digest(record, "samples");
        row->profile = find_digest(record, "profile");
    }
    registry_words_of(call->arena, record, &row->words, &row->facets);
    row->record = vln_pb_pack(&record->base, call->arena, &row->record_size);
    memcpy(row->digest, record->digest.data, VLN_DIGEST_BYTES);
    for (size_t i = 0; i < record->n_artifacts; i++) {
        registry_new_artifact_t *artifact = &self->batch.artifacts[self->batch.artifact_count++];
        *artifact = (registry_new_artifact_t){
            .model = record->model, .version = record->version, .role = record->artifacts[i]->role};
        vln_assert(record->artifacts[i]->digest.data);
        memcpy(artifact->digest, record->artifacts[i]->digest.data, VLN_DIGEST_BYTES);
    }
    char digest[2 * VLN_DIGEST_BYTES + 1];
    const vln_fact_t facts[] = {{"model", record->model},
                                {"version", record->version},
                                {"digest", vln_hex_encode(row->digest, VLN_DIGEST_BYTES, digest)},
                                {"status", row->samples ? "ready" : "training"},
                                {NULL, NULL}};
    const char *subject = vln_arena_printf(call->arena, "%s@%s", record->model, record->version);
    vln_events_add(self->events, "version.created", subject, vln_call_actor(call), facts);
}

static void
move_model_on(creator_t *self, const creation_t *it)
{
    registry_model_t *model = &self->models[it->model];
    semver_t latest;
    bool higher = !model->latest || !semver_parse(model->latest, &latest) ||
                  semver_compare(&it->semver, &latest) > 0;
    if (higher) {
        model->latest = it->record->version;
        self->latest[it->model] = it->record;
    }
    model->versions++;
    self->changed[it->model] = true;
}

/* Why the version is this one, where the registry chose the bump. */
static void
add_reasons(const creation_t *it, Valion__V1__CreateVersionReply *reply)
{
    static const char *const first[] = {"it is the model's first version"};
    const Valion__V1__CreateVersionRequest *request = (const void *)it->call->request;
    vln_arena_t *arena = it->call->arena;
    if (it->suggestion) {
        reply->reasons = registry_change_reasons(arena, it->suggestion, &reply->n_reasons);
    } else if (!request->version && request->bump == VALION__V1__BUMP__BUMP_AUTO) {
        reply->reasons = vln_arena_memdup(arena, first, sizeof first);
        reply->n_reasons = 1;
    }
}

static void
answer(creator_t *self, const creation_t *it)
{
    vln_call_t *call = it->call;
    Valion__V1__Version *record = it->record;
    const registry_new_version_t *row = &self->batch.versions[self->batch.version_count - 1];
    record->has_stage = record->has_status = record->has_revision = 1;
    record->stage = (Valion__V1__Stage)row->stage;
    record->status = (Valion__V1__VersionStatus)row->status;
    record->revision = 1;
    registry_set_digest(&record->samples_digest, &record->has_samples_digest, row->samples);
    registry_set_digest(&record->profile_digest, &record->has_profile_digest, row->profile);
    record->has_created_us = record->has_updated_us = 1;
    record->created_us = record->updated_us = self->now_us;
    Valion__V1__CreateVersionReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__create_version_reply__init(reply);
    reply->version = record;
    add_reasons(it, reply);
    vln_call_reply(call, &reply->base);
}

/* The version's text into the record; false, and the call refused, if it cannot be stored. */
static bool
settle(creator_t *self, creation_t *it)
{
    char text[SEMVER_TEXT];
    semver_t again;
    if (!semver_parse(semver_format(&it->semver, text), &again)) {
        vln_call_refuse_field(it->call, "bump", "there is no version after %s that fits: give one",
                              self->models[it->model].latest);
        return false;
    }
    it->record->version = vln_arena_strdup(it->call->arena, text);
    return registry_version_check_size(it->call, it->record);
}

/* A parent that is not there could never be shown, and its number may be somebody else's later. */
static vln_err_t
check_parent(creator_t *self, vln_call_t *call, bool *sound)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)call->request;
    const char *parent = request->lineage ? request->lineage->parent_version : NULL;
    *sound = true;
    for (size_t i = 0; parent && i < self->batch.version_count; i++) {
        char text[SEMVER_TEXT];
        const registry_new_version_t *other = &self->batch.versions[i];
        if (strcmp(other->model, request->model) == 0 &&
            strcmp(semver_format(&other->semver, text), parent) == 0) {
            return VLN_OK;
        }
    }
    if (!parent) {
        return VLN_OK;
    }
    const registry_version_key_t key = {.model = request->model, .version = parent};
    registry_version_t found;
    vln_err_t err = registry_store_find_versions(self->worker->store, call->arena, &key, 1, &found);
    *sound = err == VLN_OK && found.version;
    if (err == VLN_OK && !found.version) {
        vln_call_refuse_field(call, "lineage.parent_version",
                              "there is no version '%.64s' of %s: name one that there is, or none",
                              parent, request->model);
    }
    return err;
}

static vln_err_t
create_one(creator_t *self, vln_call_t *call)
{
    const Valion__V1__CreateVersionRequest *request = (const void *)call->request;
    creation_t it = {.call = call, .model = model_index(self, request->model)};
    size_t blobs_before = self->batch.blob_count;
    bool sound = false;
    if (!self->models[it.model].name) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no model '%s': make it with CreateModel first", request->model);
        return VLN_OK;
    }
    vln_err_t err = check_parent(self, call, &sound);
    if (err != VLN_OK || !sound) {
        return err;
    }
    it.record = make_record(call, &self->models[it.model]);
    /* First the bytes: their digest is part of what the bump is computed from. */
    err = take_artifacts(self, call, it.record, &sound);
    if (err == VLN_OK && sound) {
        err = choose_version(self, &it, &sound);
    }
    if (err != VLN_OK || !sound || !settle(self, &it)) {
        self->batch.blob_count = blobs_before;
        return err;
    }
    add_to_batch(self, call, &it.semver, it.record);
    move_model_on(self, &it);
    answer(self, &it);
    return VLN_OK;
}

static void
make_room(creator_t *self, vln_call_t **calls, size_t count)
{
    size_t artifacts = 0;
    for (size_t i = 0; i < count; i++) {
        artifacts += ((const Valion__V1__CreateVersionRequest *)(const void *)calls[i]->request)
                         ->n_artifacts;
    }
    artifacts++;
    registry_batch_t *batch = &self->batch;
    batch->versions = vln_arena_alloc(self->arena, count * sizeof *batch->versions);
    batch->artifacts = vln_arena_alloc(self->arena, artifacts * sizeof *batch->artifacts);
    batch->blobs = vln_arena_alloc(self->arena, artifacts * sizeof *batch->blobs);
}

static vln_err_t
lock_models(creator_t *self, vln_call_t **calls, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__CreateVersionRequest *request = (const void *)calls[i]->request;
        if (model_index(self, request->model) == self->model_count) {
            self->names[self->model_count++] = request->model;
        }
    }
    return registry_store_lock_models(self->worker->store, self->arena, self->names,
                                      self->model_count, self->models, &self->now_us);
}

static vln_err_t
write_batch(creator_t *self)
{
    registry_model_t *changed = vln_arena_alloc(self->arena, self->model_count * sizeof *changed);
    for (size_t i = 0; i < self->model_count; i++) {
        if (self->changed[i]) {
            changed[self->batch.model_count++] = self->models[i];
        }
    }
    self->batch.models = changed;
    if (self->batch.version_count == 0) {
        return VLN_OK;
    }
    vln_err_t err = registry_store_insert(self->worker->store, self->arena, &self->batch);
    return err == VLN_OK ? registry_store_write_events(self->worker->store, self->events) : err;
}

vln_err_t
registry_create_versions(void *context, vln_call_t **calls, size_t count)
{
    vln_call_t *sound[VLN_BATCH_MAX];
    size_t sound_count = 0;
    for (size_t i = 0; i < count; i++) {
        if (registry_version_check_request(calls[i], (const void *)calls[i]->request)) {
            sound[sound_count++] = calls[i];
        }
    }
    if (sound_count == 0) {
        return VLN_OK;
    }
    vln_arena_t *arena = sound[0]->arena;
    creator_t *self = vln_arena_alloc(arena, sizeof *self);
    self->worker = context;
    self->arena = arena;
    self->events = vln_events_new(arena);
    make_room(self, sound, sound_count);
    vln_err_t err = lock_models(self, sound, sound_count);
    for (size_t i = 0; i < sound_count && err == VLN_OK; i++) {
        err = create_one(self, sound[i]);
    }
    return err == VLN_OK ? write_batch(self) : err;
}
