#include "evidence.h"

#include <criterion/criterion.h>
#include <string.h>

enum { PASS = 1, WARN = 2, FAIL = 3, INCONCLUSIVE = 4 };
enum { ASK_PASS = 1, ASK_WARN = 2, ASK_INCONCLUSIVE = 3 };

static const int64_t NOW_US = 1700000000000000;
static const int64_t HOUR_US = 3600000000;
static const uint8_t bytes[EVIDENCE_DIGEST] = {1, 2, 3};
static const evidence_policy_t usual = {.name = "regression", .version = 2};

static evidence_report_t
report_of(const char *policy, int64_t version, int verdict, int64_t age_us)
{
    evidence_report_t out = {.policy = policy,
                             .policy_version = version,
                             .verdict = verdict,
                             .recorded_us = NOW_US - age_us};
    memcpy(out.digest, bytes, sizeof bytes);
    return out;
}

static evidence_why_t
why_of(const evidence_policy_t *policy, const evidence_report_t *report)
{
    return evidence_choose(policy, bytes, NOW_US, report, 1).why;
}

Test(evidence, one_report_fits_or_lacks_what_the_table_says)
{
    static const struct {
        const char *policy;
        int64_t version;
        int verdict;
        int64_t age_us;
        int min_status;
        int64_t max_age_ms;
        evidence_why_t why;
    } cases[] = {
        /* the report's:  version verdict age   the policy's: min, max age    so             */
        {"regression", 2, PASS, 0, 0, 0, EVIDENCE_FITS},
        {"regression", 2, PASS, 0, ASK_PASS, 0, EVIDENCE_FITS},
        {"regression", 2, WARN, 0, 0, 0, EVIDENCE_NOT_GOOD_ENOUGH},
        {"regression", 2, WARN, 0, ASK_PASS, 0, EVIDENCE_NOT_GOOD_ENOUGH},
        {"regression", 2, WARN, 0, ASK_WARN, 0, EVIDENCE_FITS},
        {"regression", 2, INCONCLUSIVE, 0, ASK_WARN, 0, EVIDENCE_NOT_GOOD_ENOUGH},
        {"regression", 2, INCONCLUSIVE, 0, ASK_INCONCLUSIVE, 0, EVIDENCE_FITS},
        {"regression", 2, FAIL, 0, ASK_INCONCLUSIVE, 0, EVIDENCE_NOT_GOOD_ENOUGH},
        {"regression", 2, 0, 0, ASK_INCONCLUSIVE, 0, EVIDENCE_NOT_GOOD_ENOUGH},
        {"regression", 2, 77, 0, ASK_INCONCLUSIVE, 0, EVIDENCE_NOT_GOOD_ENOUGH},
        {"regression", 2, -1, 0, ASK_INCONCLUSIVE, 0, EVIDENCE_NOT_GOOD_ENOUGH},
        {"regression", 2, WARN, 0, 99, 0, EVIDENCE_NOT_GOOD_ENOUGH},
        {"regression", 1, PASS, 0, 0, 0, EVIDENCE_OTHER_POLICY_VERSION},
        {"regression", 3, PASS, 0, 0, 0, EVIDENCE_OTHER_POLICY_VERSION},
        {"original", 2, PASS, 0, 0, 0, EVIDENCE_OTHER_POLICY},
        {"regression", 2, PASS, HOUR_US, 0, 3600000, EVIDENCE_FITS},
        {"regression", 2, PASS, HOUR_US + 1000, 0, 3600000, EVIDENCE_TOO_OLD},
        {"regression", 2, PASS, 1000 * HOUR_US, 0, 0, EVIDENCE_FITS},
        {"regression", 2, FAIL, 9 * HOUR_US, 0, 3600000, EVIDENCE_NOT_GOOD_ENOUGH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const evidence_policy_t policy = {.name = "regression",
                                          .version = 2,
                                          .min_status = cases[i].min_status,
                                          .max_age_ms = cases[i].max_age_ms};
        evidence_report_t report =
            report_of(cases[i].policy, cases[i].version, cases[i].verdict, cases[i].age_us);
        cr_expect(why_of(&policy, &report) == cases[i].why, "case %zu: %d", i,
                  (int)why_of(&policy, &report));
    }
}

Test(evidence, about_other_bytes_is_none)
{
    evidence_report_t report = report_of("regression", 2, PASS, 0);
    report.digest[31] ^= 1;
    cr_expect(why_of(&usual, &report) == EVIDENCE_OTHER_BYTES);
}

Test(evidence, of_what_a_server_answered_there_is_none)
{
    evidence_report_t report = report_of("regression", 2, PASS, 0);
    report.of_server = true;
    cr_expect(why_of(&usual, &report) == EVIDENCE_OF_SERVER);
}

Test(evidence, without_a_report_there_is_none)
{
    evidence_choice_t found = evidence_choose(&usual, bytes, NOW_US, NULL, 0);
    cr_expect(found.why == EVIDENCE_NONE && found.report == NULL);
}

Test(evidence, the_newest_that_fits_is_used_though_a_newer_one_does_not)
{
    const evidence_report_t reports[] = {
        report_of("regression", 2, FAIL, 1), report_of("original", 2, PASS, 2),
        report_of("regression", 2, PASS, 3), report_of("regression", 2, PASS, 4)};
    evidence_choice_t found = evidence_choose(&usual, bytes, NOW_US, reports, 4);
    cr_expect(found.why == EVIDENCE_FITS && found.report == &reports[2]);
}

Test(evidence, of_those_that_do_not_fit_the_nearest_is_told)
{
    evidence_report_t reports[] = {
        report_of("regression", 2, PASS, 1), report_of("original", 2, PASS, 2),
        report_of("regression", 2, WARN, 3), report_of("regression", 2, FAIL, 4),
        report_of("regression", 1, PASS, 5)};
    reports[0].digest[0] ^= 1;
    evidence_choice_t found = evidence_choose(&usual, bytes, NOW_US, reports, 5);
    cr_expect(found.why == EVIDENCE_NOT_GOOD_ENOUGH && found.report == &reports[2]);
}

Test(evidence, names_are_for_people)
{
    cr_expect_str_eq(evidence_verdict_name(PASS), "PASS");
    cr_expect_str_eq(evidence_verdict_name(INCONCLUSIVE), "INCONCLUSIVE");
    cr_expect_str_eq(evidence_verdict_name(-5), "nothing");
    cr_expect_str_eq(evidence_min_status_name(ASK_WARN), "PASS or WARN");
    cr_expect_str_eq(evidence_min_status_name(99), "PASS");
}
