#include "vln_verdict.h"

#include <criterion/criterion.h>
#include <string.h>

#define P VLN_CHECK_PASS
#define W VLN_CHECK_WARN
#define F VLN_CHECK_FAIL
#define I VLN_CHECK_INCONCLUSIVE

static const vln_verdict_rule_t usual = {.severe_fails = true};

static vln_check_status_t
status_of(const vln_verdict_rule_t *rule, const vln_check_t *checks, size_t count)
{
    return vln_verdict_of(rule, checks, count).status;
}

/* Two checks beside a third that passes. */
static const struct {
    vln_check_t first;
    vln_check_t second;
    vln_check_status_t verdict;
    size_t decided_by;
} cases[] = {
    /* first                        second                      the report, and which of them decided */
    {{.status = P}, {.status = P}, P, 3},
    {{.status = W}, {.status = P}, W, 0},
    {{.status = P}, {.status = I}, I, 1},
    {{.status = W}, {.status = I}, I, 1},
    {{.status = F}, {.status = W}, W, 0},
    {{.status = F, .severity = VLN_SEVERITY_LOW}, {.status = P}, W, 0},
    {{.status = F, .severity = VLN_SEVERITY_MEDIUM}, {.status = I}, I, 1},
    {{.status = F, .severity = VLN_SEVERITY_HIGH}, {.status = I}, F, 0},
    {{.status = W}, {.status = F, .severity = VLN_SEVERITY_CRITICAL}, F, 1},
    {{.status = F, .severity = VLN_SEVERITY_LOW, .blocking = true}, {.status = P}, F, 0},
    {{.status = F, .severity = VLN_SEVERITY_HIGH}, {.status = F, .blocking = true}, F, 1},
    {{.status = I, .required = true}, {.status = P}, F, 0},
    {{.status = I, .blocking = true}, {.status = P}, I, 0},
    {{.status = W, .blocking = true, .severity = VLN_SEVERITY_CRITICAL}, {.status = P}, W, 0},
    {{.status = F, .blocking = true, .dry_run = true}, {.status = W}, W, 1},
    {{.status = I, .required = true, .dry_run = true}, {.status = P}, P, 3},
    {{.status = VLN_CHECK_NOT_SAID}, {.status = P}, I, 0},
    {{.status = VLN_CHECK_NOT_SAID, .required = true}, {.status = P}, F, 0},
};

Test(vln_verdict, of_two_checks_is_as_the_table_says)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const vln_check_t checks[] = {cases[i].first, cases[i].second, {.status = P}};
        vln_verdict_t found = vln_verdict_of(&usual, checks, 3);
        cr_expect(found.status == cases[i].verdict, "case %zu: %d", i, (int)found.status);
        cr_expect(found.decided_by == cases[i].decided_by, "case %zu: %zu", i, found.decided_by);
        cr_expect(strlen(found.why) > 8);
    }
}

Test(vln_verdict, does_not_depend_on_the_order_of_checks)
{
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const vln_check_t checks[] = {{.status = P}, cases[i].second, cases[i].first};
        cr_expect(status_of(&usual, checks, 3) == cases[i].verdict, "case %zu", i);
    }
}

Test(vln_verdict, without_a_check_that_counts_is_fail)
{
    const vln_check_t dry = {.status = P, .dry_run = true};
    cr_expect(status_of(&usual, NULL, 0) == F);
    cr_expect(status_of(&usual, &dry, 1) == F);
    cr_expect(vln_verdict_of(&usual, &dry, 1).decided_by == 1);
}

Test(vln_verdict, severity_weighs_only_where_the_policy_says_so)
{
    const vln_check_t severe = {.status = F, .severity = VLN_SEVERITY_CRITICAL};
    const vln_verdict_rule_t lenient = {.severe_fails = false};
    cr_expect(status_of(&usual, &severe, 1) == F);
    cr_expect(status_of(&lenient, &severe, 1) == W);
}

Test(vln_verdict, of_too_few_rows_is_inconclusive_at_best)
{
    const vln_verdict_rule_t rule = {.severe_fails = true, .rows = 99, .min_rows = 100};
    const vln_verdict_rule_t enough = {.severe_fails = true, .rows = 100, .min_rows = 100};
    const vln_check_t pass = {.status = P};
    const vln_check_t warn = {.status = W};
    const vln_check_t fail = {.status = F, .blocking = true};
    cr_expect(status_of(&rule, &pass, 1) == I);
    cr_expect(status_of(&rule, &warn, 1) == I);
    cr_expect(status_of(&rule, &fail, 1) == F);
    cr_expect(vln_verdict_of(&rule, &warn, 1).decided_by == 1);
    cr_expect(status_of(&enough, &pass, 1) == P);
}

Test(vln_verdict, counts_what_is_no_dry_run)
{
    const vln_check_t checks[] = {{.status = P}, {.status = P}, {.status = W},
                                  {.status = F}, {.status = I}, {.status = F, .dry_run = true}};
    vln_verdict_t found = vln_verdict_of(&usual, checks, 6);
    cr_expect(found.counted == 5 && found.passed == 2 && found.warned == 1);
    cr_expect(found.failed == 1 && found.inconclusive == 1);
}
