#include "probe.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

Test(probe, has_the_defaults_of_the_contract)
{
    probe_rule_t rule = probe_rule(NULL, "/v2/health/ready", 1000);
    cr_expect_str_eq(rule.path, "/v2/health/ready");
    cr_expect(rule.initial_delay_ms == 0 && rule.period_ms == 1000 && rule.timeout_ms == 1000);
    cr_expect(rule.success_threshold == 1 && rule.failure_threshold == 3);
}

Test(probe, takes_what_is_given_and_nothing_that_cannot_be)
{
    Valion__V1__Probe given = VALION__V1__PROBE__INIT;
    given.path = (char *)(uintptr_t)"no path";
    given.has_period_ms = given.has_timeout_ms = given.has_initial_delay_ms = 1;
    given.period_ms = -5;
    given.timeout_ms = 0;
    given.initial_delay_ms = -1;
    given.failure_threshold = 7;
    probe_rule_t rule = probe_rule(&given, "/health", 1000);
    cr_expect_str_eq(rule.path, "/health");
    cr_expect(rule.period_ms > 0 && rule.timeout_ms == 1000 && rule.initial_delay_ms == 0);
    cr_expect(rule.success_threshold == 1 && rule.failure_threshold == 7);
}

Test(probe, asks_after_its_delay_and_then_by_its_period)
{
    probe_t probe = {0};
    probe_rule_t rule = probe_rule(NULL, "/", 1000);
    rule.initial_delay_ms = 300;
    cr_expect(not(probe_is_due(&probe, &rule, 5000, 5299)));
    cr_expect(probe_is_due(&probe, &rule, 5000, 5300));
    probe_note(&probe, &rule, true, 5300);
    cr_expect(not(probe_is_due(&probe, &rule, 5000, 6299)));
    cr_expect(probe_is_due(&probe, &rule, 5000, 6300));
}

Test(probe, changes_its_mind_by_answers_in_a_row_alone)
{
    probe_t probe = {0};
    probe_rule_t rule = probe_rule(NULL, "/", 1000);
    rule.success_threshold = 2;
    static const struct {
        bool good;
        bool passes;
        bool failed;
    } answers[] = {{true, false, false}, {false, false, false}, {true, false, false},
                   {true, true, false},  {false, true, false},  {false, true, false},
                   {true, true, false},  {false, true, false},  {false, true, false},
                   {false, false, true}, {true, false, true},   {true, true, false}};
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        probe_note(&probe, &rule, answers[i].good, 1000 * (int64_t)(i + 1));
        cr_expect(probe.passes == answers[i].passes && probe.failed == answers[i].failed,
                  "answer %zu", i);
    }
}
