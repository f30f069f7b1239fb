/*
 * vln_report - the verdict of a report under a policy, as messages of the contract.
 *
 * The validator finds it, and the registry finds it again before it keeps the report: by this one piece.
 */
#ifndef VLN_REPORT_H
#define VLN_REPORT_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_mem.h"
#include "vln_verdict.h"

/* The report's checks are the policy's first ones, in its order. The arena holds scratch. */
vln_verdict_t vln_report_verdict(const Valion__V1__Policy *policy, const Valion__V1__Report *report,
                                 vln_arena_t *arena);

#endif
