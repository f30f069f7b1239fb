/*
 * validator_custom - checks of one's own: each is a task of its kind for whoever leases it, and the
 * validation waits for them without holding a slot.
 */
#ifndef VALIDATOR_CUSTOM_H
#define VALIDATOR_CUSTOM_H

#include "validator.h"
#include "valion/v1/registry.pb-c.h"
#include "valion/v1/validator.pb-c.h"

/* What the checks are told; borrowed. */
typedef struct validator_custom_subject {
    const Valion__V1__Policy *policy;
    const Valion__V1__Version *record;
    Valion__V1__DataRef **data;
    size_t data_count;
    Valion__V1__DataRef *reference;      /* NULL: none */
    const char *target;                  /* NULL: none */
    const vln_sandbox_result_t *answers; /* NULL: no model was asked */
    uint64_t seed;
} validator_custom_subject_t;

/* Results by the place of their check in the policy; NULL where it is not of one's own. In the
 * task's arena. */
typedef struct validator_custom {
    Valion__V1__CheckResult **results;
} validator_custom_t;

/*
 * The results, if the task comes back from waiting for them or there is none to wait for. False: the
 * task has ended for now: it waits, or failed with a sentence.
 */
bool validator_custom_read(vln_worker_t *worker, vln_task_t *task,
                           const validator_custom_subject_t *subject, validator_custom_t *out);

#endif
