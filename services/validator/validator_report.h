/*
 * validator_report - a report within its bounds: what is too long for it goes into an appendix, which
 * is stored, and then the report is kept by the registry.
 */
#ifndef VALIDATOR_REPORT_H
#define VALIDATOR_REPORT_H

#include "validator.h"
#include "valion/v1/registry.pb-c.h"

/*
 * Stores the report, once for the task, and reads it back: *kept lies in *reply, which is to be wiped
 * in every case. `durations_ms` are the checks'. False: the task has been ended with a sentence.
 */
bool validator_report_keep(vln_worker_t *worker, vln_task_t *task, Valion__V1__Report *report,
                           const int64_t *durations_ms, const Valion__V1__Report **kept,
                           vln_reply_t *reply);

#endif
