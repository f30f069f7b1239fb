/*
 * validator_report - a report within its bounds: what is too long for it, and what it can be drawn
 * from, goes into an appendix, which is stored, and then the report is kept by the registry.
 */
#ifndef VALIDATOR_REPORT_H
#define VALIDATOR_REPORT_H

#include "plots.h"
#include "validator.h"
#include "valion/v1/registry.pb-c.h"

/* What a report does not hold itself: how long each check took, its plots, importance. */
typedef struct validator_beside {
    const int64_t *durations_ms;
    plots_t *plots;
    const check_importance_t *importance;
} validator_beside_t;

/*
 * Stores the report, once for the task. *kept is `report` with its id and digest, or what an earlier
 * run of the task has stored, which lies in *reply; this is to be wiped in every case. False: the task
 * has been ended with a sentence.
 */
bool validator_report_keep(vln_worker_t *worker, vln_task_t *task, Valion__V1__Report *report,
                           const validator_beside_t *beside, const Valion__V1__Report **kept,
                           vln_reply_t *reply);

#endif
