#include "trainer_register.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_pb.h"
#include "vln_profile.h"
#include "vln_samples.h"
#include "vln_text.h"

enum { SAMPLE_ROWS = 8, ARTIFACTS_MAX = 4, PROFILE_BUDGET = 64 * 1024 * 1024 };

void
trainer_registered_end(trainer_registered_t *self)
{
    vln_reply_wipe(&self->reply);
    *self = (trainer_registered_t){0};
}

static ProtobufCBinaryData
borrow(const uint8_t *bytes, size_t size)
{
    return (ProtobufCBinaryData){size, (uint8_t *)(uintptr_t)bytes};
}

void
trainer_registered_fill(const trainer_registered_t *self, Valion__V1__TrainResult *result)
{
    if (!self->version) {
        return;
    }
    result->version = self->version->version;
    result->has_version_digest = result->has_artifact_digest = result->has_profile_digest = 1;
    result->version_digest = self->version->digest;
    result->artifact_digest = borrow(self->model, VLN_DIGEST_BYTES);
    result->profile_digest = borrow(self->profile, VLN_DIGEST_BYTES);
}

/* ---- what travels with the version ---- */

static bool
store(vln_worker_t *worker, vln_task_t *task, const char *what, const vln_artifact_t *artifact,
      uint8_t digest[VLN_DIGEST_BYTES])
{
    char why[VLN_ARTIFACTS_WHY];
    vln_err_t err = vln_artifacts_put(worker->artifacts, artifact, task->ticket, digest, why);
    if (err != VLN_OK) {
        vln_worker_fail(task, err, what, why);
    }
    return err == VLN_OK;
}

static bool
store_message(vln_worker_t *worker, vln_task_t *task, const char *what,
              const ProtobufCMessage *message, uint8_t digest[VLN_DIGEST_BYTES])
{
    size_t size = protobuf_c_message_get_packed_size(message);
    uint8_t *bytes = vln_calloc(1, size + 1);
    protobuf_c_message_pack(message, bytes);
    const vln_artifact_t artifact = {bytes, size, "application/x-protobuf"};
    bool ok = store(worker, task, what, &artifact, digest);
    free(bytes);
    return ok;
}

/* Evenly over the rows that were trained on. */
static bool
store_samples(vln_worker_t *worker, vln_task_t *task, const trainer_version_t *version,
              uint8_t digest[VLN_DIGEST_BYTES])
{
    const trainer_choice_t *train = version->train;
    size_t rows[SAMPLE_ROWS];
    size_t count = train->count < SAMPLE_ROWS ? train->count : SAMPLE_ROWS;
    vln_outcome_t outcome;
    for (size_t i = 0; i < count; i++) {
        rows[i] = train->rows[i * train->count / count];
    }
    Valion__V1__Samples *samples =
        vln_samples_take(version->features->signature, train->table, rows, count, task->arena);
    vln_err_t err = vln_samples_answer(samples, version->predictor, task->arena, &outcome);
    if (err != VLN_OK) {
        trainer_fail_outcome(task, err, "sample rows", &outcome);
        return false;
    }
    return store_message(worker, task, "sample rows", &samples->base, digest);
}

/* Of one number a row: the prediction, or of two classes the positive one's probability. */
static vln_err_t
profile_predictions(const trainer_version_t *version, vln_arena_t *arena,
                    Valion__V1__Profile *profile, vln_outcome_t *outcome)
{
    const vln_dataset_t *data = version->data;
    vln_sandbox_result_t result = {0};
    vln_err_t err = vln_predictor_predict(version->predictor, data->table, data->first, data->rows,
                                          &result, outcome);
    if (err == VLN_OK && result.width == 1) {
        double *values = vln_calloc(result.rows + 1, sizeof *values);
        for (size_t i = 0; i < result.rows; i++) {
            values[i] = result.values[i];
        }
        profile->prediction =
            vln_profile_numbers(version->target->column, values, result.rows, arena);
        free(values);
    }
    vln_sandbox_result_end(&result);
    return err;
}

static bool
store_profile(vln_worker_t *worker, vln_task_t *task, const trainer_version_t *version,
              uint8_t digest[VLN_DIGEST_BYTES])
{
    const vln_dataset_t *data = version->data;
    vln_arena_t *arena = vln_arena_new(PROFILE_BUDGET);
    vln_outcome_t outcome;
    Valion__V1__Profile *profile = vln_profile_make(data->table, data->first, data->rows, arena);
    profile->has_data_digest = 1;
    profile->data_digest = data->record->digest;
    vln_err_t err = profile_predictions(version, arena, profile, &outcome);
    if (err != VLN_OK) {
        trainer_fail_outcome(task, err, "profile", &outcome);
    }
    bool ok = err == VLN_OK && store_message(worker, task, "profile", &profile->base, digest);
    vln_arena_destroy(&arena);
    return ok;
}

/* ---- the record ---- */

static void
add_pair(Valion__V1__KeyValue ***list, size_t *count, vln_arena_t *arena, const char *key,
         const char *value)
{
    Valion__V1__KeyValue *pair = vln_arena_alloc(arena, sizeof *pair);
    valion__v1__key_value__init(pair);
    pair->key = vln_arena_strdup(arena, key);
    pair->value = vln_arena_strdup(arena, value);
    (*list)[(*count)++] = pair;
}

/* All that the fit was done with, so that it can be done again. */
static void
list_hyperparameters(const trainer_version_t *version, vln_arena_t *arena,
                     trainer_registered_t *out)
{
    const vln_recipe_t *recipe = version->recipe;
    out->hyperparameters = vln_arena_alloc(arena, (recipe->count + 1) * sizeof(void *));
    for (size_t i = 0; i < recipe->count; i++) {
        add_pair(&out->hyperparameters, &out->hyperparameter_count, arena,
                 recipe->parameters[i].name, recipe->parameters[i].value);
    }
    add_pair(&out->hyperparameters, &out->hyperparameter_count, arena, "rounds",
             vln_arena_printf(arena, "%u", version->rounds));
}

static void
add_artifact(Valion__V1__CreateVersionRequest *request, vln_arena_t *arena, const char *role,
             ProtobufCBinaryData digest, const char *filename)
{
    Valion__V1__Artifact *artifact = vln_arena_alloc(arena, sizeof *artifact);
    valion__v1__artifact__init(artifact);
    artifact->role = vln_arena_strdup(arena, role);
    artifact->has_digest = 1;
    artifact->digest = digest;
    artifact->filename = vln_arena_strdup(arena, filename);
    request->artifacts[request->n_artifacts++] = artifact;
}

static void
add_artifacts(const trainer_version_t *version, const trainer_registered_t *registered,
              vln_arena_t *arena, Valion__V1__CreateVersionRequest *request)
{
    request->artifacts = vln_arena_alloc(arena, ARTIFACTS_MAX * sizeof(void *));
    add_artifact(request, arena, "model", borrow(registered->model, VLN_DIGEST_BYTES), "model.ubj");
    if (version->preprocessor->predictor) {
        add_artifact(request, arena, "preprocessor", version->spec->preprocessor_digest,
                     "preprocessor.onnx");
    }
    add_artifact(request, arena, "samples", borrow(registered->samples, VLN_DIGEST_BYTES),
                 "samples.pb");
    add_artifact(request, arena, "profile", borrow(registered->profile, VLN_DIGEST_BYTES),
                 "profile.pb");
}

static Valion__V1__Lineage *
make_lineage(const vln_task_t *task, const trainer_version_t *version)
{
    Valion__V1__Lineage *self = vln_arena_alloc(task->arena, sizeof *self);
    valion__v1__lineage__init(self);
    self->dataset_digests = vln_arena_alloc(task->arena, sizeof *self->dataset_digests);
    self->dataset_digests[0] = version->data->record->digest;
    self->n_dataset_digests = 1;
    self->has_task_id = 1;
    self->task_id = borrow(task->id.bytes, VLN_ID_BYTES);
    return self;
}

static void
fill_request(const vln_task_t *task, const trainer_version_t *version,
             const trainer_registered_t *registered, Valion__V1__CreateVersionRequest *request)
{
    const Valion__V1__TrainSpec *spec = version->spec;
    vln_arena_t *arena = task->arena;
    request->model = spec->model;
    request->version = spec->version && spec->version[0] ? spec->version : NULL;
    request->has_bump = spec->has_bump;
    request->bump = spec->bump;
    request->algorithm = vln_arena_strdup(arena, vln_recipe_name(version->algorithm));
    request->framework = vln_arena_strdup(arena, "xgboost");
    request->description = spec->description;
    request->tags = spec->tags;
    request->n_tags = spec->n_tags;
    request->hyperparameters = registered->hyperparameters;
    request->n_hyperparameters = registered->hyperparameter_count;
    request->signature = version->features->signature;
    request->target = vln_arena_strdup(arena, version->target->column);
    request->dataset_info = vln_arena_alloc(arena, 3 * sizeof(void *));
    add_pair(&request->dataset_info, &request->n_dataset_info, arena, "dataset",
             version->data->record->name);
    add_pair(&request->dataset_info, &request->n_dataset_info, arena, "train_size",
             vln_arena_printf(arena, "%zu", version->train->count));
    add_pair(&request->dataset_info, &request->n_dataset_info, arena, "test_size",
             vln_arena_printf(arena, "%zu", version->held_out));
    request->metrics = version->scores->numbers;
    request->n_metrics = version->scores->count;
    request->lineage = make_lineage(task, version);
    add_artifacts(version, registered, arena, request);
}

static bool
create_model(vln_worker_t *worker, vln_task_t *task, const char *name)
{
    Valion__V1__CreateModelRequest request = VALION__V1__CREATE_MODEL_REQUEST__INIT;
    request.name = (char *)(uintptr_t)name;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "CreateModel",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__create_model_reply__descriptor};
    vln_reply_t reply;
    vln_err_t err = vln_worker_call(worker, task, "model", spec, &reply);
    if (err != VLN_OK) {
        vln_worker_fail(task, err, "the model cannot be registered", reply.why);
    }
    vln_reply_wipe(&reply);
    return err == VLN_OK;
}

static bool
create_version(vln_worker_t *worker, vln_task_t *task, const trainer_version_t *version,
               trainer_registered_t *out)
{
    Valion__V1__CreateVersionRequest request = VALION__V1__CREATE_VERSION_REQUEST__INIT;
    fill_request(task, version, out, &request);
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "CreateVersion",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__create_version_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, "version", spec, &out->reply);
    if (err != VLN_OK) {
        vln_worker_fail(task, err, "the version cannot be registered", out->reply.why);
        return false;
    }
    out->version =
        ((const Valion__V1__CreateVersionReply *)(const void *)out->reply.message)->version;
    if (!out->version) {
        vln_worker_fail(task, VLN_INTERNAL, "the version cannot be registered",
                        "the registry's answer has no version");
    }
    return out->version != NULL;
}

bool
trainer_register(vln_worker_t *worker, vln_task_t *task, const trainer_version_t *version,
                 trainer_registered_t *out)
{
    *out = (trainer_registered_t){0};
    list_hyperparameters(version, task->arena, out);
    if (version->spec->dry_run) {
        return true;
    }
    const vln_artifact_t model = {version->model->data, version->model->size,
                                  "application/x-xgboost"};
    bool ok = store(worker, task, "model", &model, out->model) &&
              store_samples(worker, task, version, out->samples) &&
              store_profile(worker, task, version, out->profile) &&
              create_model(worker, task, version->spec->model) &&
              create_version(worker, task, version, out);
    if (!ok) {
        trainer_registered_end(out);
    }
    return ok;
}
