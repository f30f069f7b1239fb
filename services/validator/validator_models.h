/*
 * validator_models - opened versions of one slot that no task is using, for the next that needs the
 * same files with the same signature on the same engine. The one that was used longest ago goes first.
 *
 * A task takes a version out and gives it back, so two never share one. Belongs to the slot's thread.
 */
#ifndef VALIDATOR_MODELS_H
#define VALIDATOR_MODELS_H

#include "validator_version.h"

typedef struct validator_models validator_models_t;

/* Bounded by the bytes of the files, and by their number, because some have a process. */
validator_models_t *validator_models_new(size_t max_bytes);
void validator_models_destroy(validator_models_t **self_p);

/* What opens this version: files, signature, engine. */
void validator_models_key(const Valion__V1__Version *record, Valion__V1__Engine engine,
                          uint8_t key[VLN_DIGEST_BYTES]);

/* True: `out` is an opened version, yours. */
bool validator_models_take(validator_models_t *self, const uint8_t key[VLN_DIGEST_BYTES],
                           validator_opened_t *out);

/* Gives it back, or for the first time. */
void validator_models_put(validator_models_t *self, const validator_opened_t *opened);

#endif
