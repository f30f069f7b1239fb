/*
 * validator_endpoint - predictions of a version by way of a server that says it serves it, instead of its
 * files: only where whoever runs the validator has allowed the address.
 */
#ifndef VALIDATOR_ENDPOINT_H
#define VALIDATOR_ENDPOINT_H

#include "validator_version.h"
#include "valion/v1/validator.pb-c.h"

/* Opens version->opened.predictor, which is not kept for other tasks. False: the task has been ended with
 * a sentence, or was stopped. */
bool validator_endpoint_open(vln_worker_t *worker, vln_task_t *task,
                             const Valion__V1__ValidateSpec *spec, validator_version_t *version);

/* What of the spec's engine and endpoint_url does not go together; NULL: nothing. */
const char *validator_endpoint_wrong(const Valion__V1__ValidateSpec *spec);

/* A warning where the server says that it served another model or version; in the arena; NULL: none. */
char *validator_endpoint_warning(const validator_version_t *version, vln_arena_t *arena);

/* Of the version's files, which are not fetched. */
size_t validator_endpoint_bytes(const Valion__V1__Version *record);

#endif
