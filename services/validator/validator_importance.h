/*
 * validator_importance - what the model's metric loses when one column after the other is permuted.
 */
#ifndef VALIDATOR_IMPORTANCE_H
#define VALIDATOR_IMPORTANCE_H

#include "truth.h"
#include "validator_version.h"

/* Borrowed. */
typedef struct validator_importance_subject {
    vln_predictor_t *predictor;
    const vln_table_t *table;
    const truth_t *truth;
    const vln_sandbox_result_t *answers; /* of the table as it is */
    const char *const *inputs;
    size_t input_count;
    uint64_t seed;
} validator_importance_subject_t;

/*
 * By mean squared error, or of classes by the share of wrong ones, of the first rows; each column's
 * permutation follows from the seed and its name. In the task's arena. VLN_OK, or as
 * vln_predictor_predict(), with its outcome.
 */
VLN_MUST_USE vln_err_t validator_importance(vln_task_t *task,
                                            const validator_importance_subject_t *subject,
                                            check_importance_t *out, vln_outcome_t *outcome);

#endif
