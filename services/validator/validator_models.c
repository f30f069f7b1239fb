#include "validator_models.h"

#include <stdlib.h>
#include <string.h>

enum { MODELS_MAX = 16 };

struct validator_models {
    size_t max_bytes;
    size_t bytes;
    size_t count;
    validator_opened_t list[MODELS_MAX]; /* the one that was used last at the end */
};

validator_models_t *
validator_models_new(size_t max_bytes)
{
    validator_models_t *self = vln_calloc(1, sizeof *self);
    self->max_bytes = max_bytes;
    return self;
}

static validator_opened_t
remove_at(validator_models_t *self, size_t index)
{
    validator_opened_t opened = self->list[index];
    memmove(&self->list[index], &self->list[index + 1],
            (self->count - index - 1) * sizeof *self->list);
    self->count--;
    self->bytes -= validator_opened_bytes(&opened);
    return opened;
}

void
validator_models_destroy(validator_models_t **self_p)
{
    validator_models_t *self = *self_p;
    if (self) {
        while (self->count > 0) {
            validator_opened_t opened = remove_at(self, 0);
            validator_opened_end(&opened);
        }
        free(self);
        *self_p = NULL;
    }
}

static void
add_artifact(vln_digest_t *sum, const Valion__V1__Version *record, const char *role)
{
    static const uint8_t none[VLN_DIGEST_BYTES];
    const Valion__V1__Artifact *artifact = validator_version_artifact(record, role);
    vln_digest_add(sum, artifact ? artifact->digest.data : none, VLN_DIGEST_BYTES);
}

void
validator_models_key(const Valion__V1__Version *record, Valion__V1__Engine engine,
                     uint8_t key[VLN_DIGEST_BYTES])
{
    const ProtobufCMessage *signature = &record->signature->base;
    const uint8_t chosen = (uint8_t)engine;
    size_t size = protobuf_c_message_get_packed_size(signature);
    uint8_t *packed = vln_calloc(1, size + 1);
    protobuf_c_message_pack(signature, packed);
    vln_digest_t *sum = vln_digest_begin();
    add_artifact(sum, record, "model");
    add_artifact(sum, record, "preprocessor");
    vln_digest_add(sum, &chosen, 1);
    vln_digest_add(sum, packed, size);
    vln_digest_end(&sum, key);
    free(packed);
}

bool
validator_models_take(validator_models_t *self, const uint8_t key[VLN_DIGEST_BYTES],
                      validator_opened_t *out)
{
    for (size_t i = 0; i < self->count; i++) {
        if (memcmp(self->list[i].key, key, VLN_DIGEST_BYTES) == 0) {
            *out = remove_at(self, i);
            return true;
        }
    }
    return false;
}

void
validator_models_put(validator_models_t *self, const validator_opened_t *opened)
{
    if (self->count == MODELS_MAX) {
        validator_opened_t oldest = remove_at(self, 0);
        validator_opened_end(&oldest);
    }
    self->list[self->count++] = *opened;
    self->bytes += validator_opened_bytes(opened);
    while (self->bytes > self->max_bytes) {
        validator_opened_t oldest = remove_at(self, 0);
        validator_opened_end(&oldest);
    }
}
