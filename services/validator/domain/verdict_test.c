#include "verdict.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { CHECKS = 3 };

#define STATUS(name) VALION__V1__CHECK_STATUS__CHECK_STATUS_##name

static vln_arena_t *arena;
static Valion__V1__Policy policy;
static Valion__V1__Report report;
static Valion__V1__CheckSpec specs[CHECKS];
static Valion__V1__CheckSpec *spec_list[CHECKS];
static Valion__V1__CheckResult results[CHECKS];
static Valion__V1__CheckResult *result_list[CHECKS];
static char names[CHECKS][8];
static char model[] = "houses";
static char version[] = "1.0.0";
static char sentence[] = "R2 is 0.4 and should be at least 0.7.";

static void
setup(void)
{
    arena = vln_arena_new(1 << 20);
    valion__v1__policy__init(&policy);
    valion__v1__report__init(&report);
    for (size_t i = 0; i < CHECKS; i++) {
        valion__v1__check_spec__init(&specs[i]);
        valion__v1__check_result__init(&results[i]);
        snprintf(names[i], sizeof names[i], "c%zu", i);
        specs[i].name = results[i].name = names[i];
        results[i].status = STATUS(PASS);
        results[i].sentence = sentence;
        spec_list[i] = &specs[i];
        result_list[i] = &results[i];
    }
    policy.name = model;
    policy.version = 3;
    policy.checks = spec_list;
    report.model = model;
    report.version = version;
    report.rows = 10;
    report.checks = result_list;
    policy.n_checks = report.n_checks = CHECKS;
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(verdict, .init = setup, .fini = teardown);

Test(verdict, passes_when_every_check_does)
{
    verdict_conclude(&policy, &report, arena);
    cr_expect_eq(report.verdict, STATUS(PASS));
    cr_expect(report.pass_rate == 1 && report.failure_rate == 0);
    cr_expect_not(report.has_average_score);
    cr_expect_str_eq(report.sentence, "houses@1.0.0 passes the policy 'houses' version 3 on 10 "
                                      "rows: every check passed.");
}

Test(verdict, names_the_check_that_decided)
{
    results[1].status = STATUS(FAIL);
    results[1].has_score = results[2].has_score = 1;
    results[1].score = 0.4;
    results[2].score = 0.6;
    results[1].recommendation = sentence;
    results[1].error = sentence;
    specs[1].blocking = 1;
    verdict_conclude(&policy, &report, arena);
    cr_expect_eq(report.verdict, STATUS(FAIL));
    cr_expect(strstr(report.sentence, "fails the policy"), "%s", report.sentence);
    cr_expect(strstr(report.sentence, "a blocking check failed, 'c1'. R2 is 0.4"), "%s",
              report.sentence);
    cr_expect(report.average_score == 0.5);
    cr_expect(report.failure_rate == 1.0 / 3);
    cr_expect_eq(report.n_recommendations, 1);
    cr_assert_eq(report.n_errors, 1);
    cr_expect_str_eq(report.errors[0], "c1: R2 is 0.4 and should be at least 0.7.");
}

Test(verdict, a_dry_run_is_shown_and_never_counted)
{
    Valion__V1__KeyValue mark = VALION__V1__KEY_VALUE__INIT;
    Valion__V1__KeyValue *marks[] = {&mark};
    mark.key = (char *)(uintptr_t)"dry_run";
    results[0].status = STATUS(FAIL);
    results[0].details = marks;
    results[0].n_details = 1;
    specs[0].blocking = specs[0].dry_run = 1;
    verdict_conclude(&policy, &report, arena);
    cr_expect_eq(report.verdict, STATUS(PASS));
    cr_expect_eq(verdict_count(&report).checks, 2);
    cr_expect_eq(verdict_count(&report).failed, 0);
}

Test(verdict, fewer_rows_than_the_policy_asks_for_say_nothing)
{
    policy.min_rows = 11;
    verdict_conclude(&policy, &report, arena);
    cr_expect_eq(report.verdict, STATUS(INCONCLUSIVE));
    cr_expect(strstr(report.sentence, "cannot be judged under the policy"), "%s", report.sentence);
}

Test(verdict, severe_failures_fail_unless_the_policy_says_not)
{
    results[2].status = STATUS(FAIL);
    specs[2].severity = VALION__V1__SEVERITY__SEVERITY_HIGH;
    verdict_conclude(&policy, &report, arena);
    cr_expect_eq(report.verdict, STATUS(FAIL));
    policy.has_severe_fails = 1;
    policy.severe_fails = 0;
    verdict_conclude(&policy, &report, arena);
    cr_expect_eq(report.verdict, STATUS(WARN));
}
