/*
 * validator_version - a version as the registry has it, its files, and the predictor that they are.
 */
#ifndef VALIDATOR_VERSION_H
#define VALIDATOR_VERSION_H

#include "vln_predictor.h"

#include "validator.h"
#include "valion/v1/registry.pb-c.h"

typedef struct validator_version {
    const Valion__V1__Version *record; /* in `reply` */
    vln_reply_t reply;                 /* inside */
    vln_bytes_t model;
    vln_bytes_t preprocessor; /* without bytes where there is none */
    vln_predictor_t *predictor;
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

void validator_version_end(validator_version_t *self);

/* The artifact of that role, or NULL. */
const Valion__V1__Artifact *validator_version_artifact(const Valion__V1__Version *record,
                                                       const char *role);

#endif
