/*
 * validator_version - a version as the registry has it, its files, and the predictor that they are.
 */
#ifndef VALIDATOR_VERSION_H
#define VALIDATOR_VERSION_H

#include "vln_predictor.h"

#include "validator.h"
#include "valion/v1/registry.pb-c.h"

/* A version's files and what was made of them. A value; what it points at moves with it. */
typedef struct validator_opened {
    vln_bytes_t model;
    vln_bytes_t preprocessor; /* without bytes where there is none */
    vln_predictor_t *predictor;
    /* Of what is kept for other tasks. */
    uint8_t key[VLN_DIGEST_BYTES];
    vln_arena_t *arena; /* of the signature that the predictor borrows */
} validator_opened_t;

void validator_opened_end(validator_opened_t *self);

/* Of its files. */
size_t validator_opened_bytes(const validator_opened_t *self);

typedef struct validator_version {
    const Valion__V1__Version *record; /* in `reply` */
    vln_reply_t reply;                 /* inside */
    validator_opened_t opened;
    struct validator_models *models; /* where `opened` goes at the end; NULL: nowhere */
} validator_version_t;

/* Which one. `version` and `alias` NULL: the latest. */
typedef struct validator_version_key {
    const char *model;
    const char *version;
    const char *alias;
} validator_version_key_t;

/* The record. Else out->reply.why is a sentence. End `out` in every case. */
VLN_MUST_USE vln_err_t validator_version_find(vln_worker_t *worker, vln_task_t *task,
                                              const validator_version_key_t *key,
                                              validator_version_t *out);

/* The files. NOT_FOUND where there is no artifact of the role `model`. Else `why` is a sentence. */
VLN_MUST_USE vln_err_t validator_version_fetch(vln_worker_t *worker, validator_version_t *self,
                                               char why[VLN_ARTIFACTS_WHY]);

/* The predictor, which borrows the signature, on that engine. As vln_predictor_open(). */
VLN_MUST_USE vln_err_t validator_version_open(vln_sandbox_t *sandbox,
                                              const Valion__V1__Signature *signature,
                                              Valion__V1__Engine engine, validator_version_t *self,
                                              vln_outcome_t *outcome);

/*
 * Both, for a version that is ready: opened before, or now, and kept for the next task of the slot. On
 * failure `why` is a sentence if the outcome has none.
 */
VLN_MUST_USE vln_err_t validator_version_ready(vln_worker_t *worker, vln_sandbox_t *sandbox,
                                               Valion__V1__Engine engine, validator_version_t *self,
                                               vln_outcome_t *outcome, char why[VLN_ARTIFACTS_WHY]);

/* It is not kept: its child died. */
void validator_version_distrust(validator_version_t *self);

void validator_version_end(validator_version_t *self);

/* The artifact of that role, or NULL. */
const Valion__V1__Artifact *validator_version_artifact(const Valion__V1__Version *record,
                                                       const char *role);

#endif
