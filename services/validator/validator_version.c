#include "validator_version.h"

#include <stdio.h>
#include <string.h>

#include "vln_pb.h"
#include "vln_text.h"

#include "validator_models.h"

enum { SIGNATURE_BUDGET = 4 * 1024 * 1024 };

void
validator_opened_end(validator_opened_t *self)
{
    vln_predictor_close(&self->predictor);
    vln_bytes_end(&self->model);
    vln_bytes_end(&self->preprocessor);
    vln_arena_destroy(&self->arena);
    *self = (validator_opened_t){0};
}

size_t
validator_opened_bytes(const validator_opened_t *self)
{
    return self->model.size + self->preprocessor.size;
}

void
validator_version_distrust(validator_version_t *self)
{
    self->models = NULL;
}

void
validator_version_end(validator_version_t *self)
{
    if (self->models && self->opened.predictor) {
        validator_models_put(self->models, &self->opened);
    } else {
        validator_opened_end(&self->opened);
    }
    vln_reply_wipe(&self->reply);
    *self = (validator_version_t){0};
}

vln_err_t
validator_version_find(vln_worker_t *worker, vln_task_t *task, const validator_version_key_t *key,
                       validator_version_t *out)
{
    Valion__V1__GetVersionRequest request = VALION__V1__GET_VERSION_REQUEST__INIT;
    *out = (validator_version_t){0};
    request.model = (char *)(uintptr_t)key->model;
    request.version = (char *)(uintptr_t)(key->version && key->version[0] ? key->version : NULL);
    request.alias = (char *)(uintptr_t)(key->alias && key->alias[0] ? key->alias : NULL);
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "GetVersion",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_version_reply__descriptor};
    vln_err_t err = vln_worker_call(worker, task, NULL, spec, &out->reply);
    if (err != VLN_OK) {
        return err;
    }
    out->record = ((const Valion__V1__GetVersionReply *)(const void *)out->reply.message)->version;
    if (!out->record || !out->record->version || out->record->digest.len != VLN_DIGEST_BYTES) {
        out->reply.why = "the registry's answer has no version";
        return VLN_INTERNAL;
    }
    return VLN_OK;
}

const Valion__V1__Artifact *
validator_version_artifact(const Valion__V1__Version *record, const char *role)
{
    for (size_t i = 0; i < record->n_artifacts; i++) {
        const Valion__V1__Artifact *artifact = record->artifacts[i];
        if (artifact->role && strcmp(artifact->role, role) == 0 &&
            artifact->digest.len == VLN_DIGEST_BYTES) {
            return artifact;
        }
    }
    return NULL;
}

vln_err_t
validator_version_fetch(vln_worker_t *worker, validator_version_t *self,
                        char why[VLN_ARTIFACTS_WHY])
{
    const Valion__V1__Artifact *model = validator_version_artifact(self->record, "model");
    const Valion__V1__Artifact *before = validator_version_artifact(self->record, "preprocessor");
    if (!model) {
        vln_text_copy(why, VLN_ARTIFACTS_WHY, "the version has no artifact of the role 'model'");
        return VLN_NOT_FOUND;
    }
    vln_err_t err = vln_artifacts_get(worker->artifacts, model->digest.data,
                                      (int64_t)VLN_MODEL_MAX_BYTES, &self->opened.model, why);
    if (err == VLN_OK && before) {
        err = vln_artifacts_get(worker->artifacts, before->digest.data,
                                (int64_t)VLN_MODEL_MAX_BYTES, &self->opened.preprocessor, why);
    }
    return err;
}

vln_err_t
validator_version_open(vln_sandbox_t *sandbox, const Valion__V1__Signature *signature,
                       Valion__V1__Engine engine, validator_version_t *self, vln_outcome_t *outcome)
{
    const vln_predictor_files_t files = {.model = self->opened.model.data,
                                         .model_size = self->opened.model.size,
                                         .preprocessor = self->opened.preprocessor.data,
                                         .preprocessor_size = self->opened.preprocessor.size,
                                         .engine = engine};
    return vln_predictor_open(sandbox, &files, signature, &self->opened.predictor, outcome);
}

/* The predictor borrows its signature for longer than the reply that it came in. */
static const Valion__V1__Signature *
copy_signature(validator_opened_t *self, const Valion__V1__Signature *signature)
{
    size_t size = 0;
    self->arena = vln_arena_new(SIGNATURE_BUDGET);
    const uint8_t *packed = vln_pb_pack(&signature->base, self->arena, &size);
    ProtobufCMessage *copy = NULL;
    vln_pb_scan_t scan;
    vln_err_t err =
        vln_pb_unpack(signature->base.descriptor, packed, size, self->arena, &copy, &scan);
    return err == VLN_OK ? (const Valion__V1__Signature *)copy : NULL;
}

vln_err_t
validator_version_ready(vln_worker_t *worker, vln_sandbox_t *sandbox, Valion__V1__Engine engine,
                        validator_version_t *self, vln_outcome_t *outcome,
                        char why[VLN_ARTIFACTS_WHY])
{
    const validator_slot_t *slot = worker->own;
    uint8_t key[VLN_DIGEST_BYTES];
    const Valion__V1__Signature *signature = self->record->signature;
    *outcome = (vln_outcome_t){0};
    why[0] = '\0';
    validator_models_key(self->record, engine, key);
    if (validator_models_take(slot->models, key, &self->opened)) {
        self->models = slot->models;
        return VLN_OK;
    }
    vln_err_t err = validator_version_fetch(worker, self, why);
    if (err != VLN_OK) {
        return err;
    }
    const Valion__V1__Signature *copy = copy_signature(&self->opened, signature);
    err = validator_version_open(sandbox, copy ? copy : signature, engine, self, outcome);
    if (err == VLN_OK && copy) {
        memcpy(self->opened.key, key, sizeof key);
        self->models = slot->models;
    }
    return err;
}
