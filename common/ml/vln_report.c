#include "vln_report.h"

vln_verdict_t
vln_report_verdict(const Valion__V1__Policy *policy, const Valion__V1__Report *report,
                   vln_arena_t *arena)
{
    vln_check_t *checks = vln_arena_alloc(arena, (report->n_checks + 1) * sizeof *checks);
    for (size_t i = 0; i < report->n_checks; i++) {
        const Valion__V1__CheckSpec *asked = policy->checks[i];
        checks[i] = (vln_check_t){.status = (vln_check_status_t)report->checks[i]->status,
                                  .severity = (vln_severity_t)asked->severity,
                                  .blocking = asked->blocking,
                                  .required = asked->required,
                                  .dry_run = asked->dry_run};
    }
    const vln_verdict_rule_t rule = {.severe_fails =
                                         !policy->has_severe_fails || policy->severe_fails,
                                     .rows = report->rows,
                                     .min_rows = (int64_t)policy->min_rows};
    return vln_verdict_of(&rule, checks, report->n_checks);
}
