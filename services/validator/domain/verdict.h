/*
 * verdict - what the checks of a report say together: the verdict by the rule that the registry
 * computes again, the sentence for people, the rates and recommendations.
 *
 * Pure: what it makes lies in the arena. Any thread.
 */
#ifndef VERDICT_H
#define VERDICT_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_mem.h"

/* The report has its checks, in the policy's order, its data and its rows. */
void verdict_conclude(const Valion__V1__Policy *policy, Valion__V1__Report *report,
                      vln_arena_t *arena);

/* How many of the counted checks have each status. */
typedef struct verdict_counts {
    uint32_t checks;
    uint32_t warned;
    uint32_t failed;
    uint32_t inconclusive;
} verdict_counts_t;

verdict_counts_t verdict_count(const Valion__V1__Report *report);

#endif
