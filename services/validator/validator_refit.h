/*
 * validator_refit - cross-validation: the version's recorded recipe, fitted anew without each part of
 * the rows, and asked for that part.
 */
#ifndef VALIDATOR_REFIT_H
#define VALIDATOR_REFIT_H

#include "truth.h"
#include "validator_version.h"

/* What is refitted; borrowed. */
typedef struct validator_refit_subject {
    const validator_version_t *version; /* with its predictor */
    const vln_table_t *table;
    const truth_t *truth;
    const vln_sandbox_result_t *answers; /* which rows can be judged */
    size_t folds;
} validator_refit_subject_t;

/*
 * Predictions of the judged rows by fits that did not see them, or why there are none: the version
 * records no recipe that is known here, or its fit failed. Lies in the task's arena. False: the task
 * has been ended, or is of no more use.
 */
bool validator_refit(vln_worker_t *worker, vln_task_t *task,
                     const validator_refit_subject_t *subject, check_refit_t *out);

#endif
