/*
 * validator_baseline - other versions, asked for the rows that a candidate is judged by.
 */
#ifndef VALIDATOR_BASELINE_H
#define VALIDATOR_BASELINE_H

#include "truth.h"
#include "validator_version.h"

/* The candidate, with its answers. Borrowed for the call. */
typedef struct validator_candidate {
    const char *model;
    ProtobufCBinaryData digest;
    const Valion__V1__Signature *signature;
    const vln_table_t *table;
    const truth_t *truth;
    const vln_sandbox_result_t *answers;
} validator_candidate_t;

/*
 * Find the version, alias or stage `name`, and ask it. What is wrong with it is told in the baseline
 * itself; false only where the task has been ended, because something is away that will come back.
 */
bool validator_baseline_read(vln_worker_t *worker, vln_task_t *task,
                             const validator_candidate_t *candidate, const char *name,
                             check_baseline_t *out);

/* As the report has it: one entry for the metric, with what the check says of its significance, in
 * the arena. */
Valion__V1__BaselineResult *validator_baseline_report(const check_baseline_t *self,
                                                      const char *metric,
                                                      const Valion__V1__CheckResult *check,
                                                      vln_arena_t *arena);

#endif
