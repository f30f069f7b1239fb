#include "evidence.h"

#include <stdbool.h>
#include <string.h>

#include "vln_err.h"

enum { PASS = 1, WARN = 2, FAIL = 3, INCONCLUSIVE = 4 }; /* valion.v1.CheckStatus */

/* clang-format off */
static const struct {
    uint32_t verdicts;
    const char *name;
} good[] = {
    /* MinStatus        will do                                           for people              */
    /* not said     */ {1U << PASS,                                      "PASS"},
    /* PASS         */ {1U << PASS,                                      "PASS"},
    /* WARN         */ {1U << PASS | 1U << WARN,                         "PASS or WARN"},
    /* INCONCLUSIVE */ {1U << PASS | 1U << WARN | 1U << INCONCLUSIVE,    "anything but FAIL"},
};
static const char *const verdict_names[] = {"nothing", "PASS", "WARN", "FAIL", "INCONCLUSIVE"};
/* clang-format on */

/* What nobody here knows is the strictest. */
static size_t
row_of(int min_status)
{
    return (size_t)min_status < VLN_COUNT(good) ? (size_t)min_status : 0;
}

uint32_t
evidence_good_verdicts(int min_status)
{
    return good[row_of(min_status)].verdicts;
}

const char *
evidence_min_status_name(int min_status)
{
    return good[row_of(min_status)].name;
}

const char *
evidence_verdict_name(int verdict)
{
    return verdict_names[(size_t)verdict < VLN_COUNT(verdict_names) ? verdict : 0];
}

static evidence_why_t
judge(const evidence_policy_t *policy, const uint8_t *digest, int64_t now_us,
      const evidence_report_t *report)
{
    if (memcmp(report->digest, digest, EVIDENCE_DIGEST) != 0) {
        return EVIDENCE_OTHER_BYTES;
    }
    if (report->of_server) {
        return EVIDENCE_OF_SERVER;
    }
    if (strcmp(report->policy, policy->name) != 0) {
        return EVIDENCE_OTHER_POLICY;
    }
    if (report->policy_version != policy->version) {
        return EVIDENCE_OTHER_POLICY_VERSION;
    }
    bool good_enough = (unsigned)report->verdict < 32 &&
                       (evidence_good_verdicts(policy->min_status) & 1U << report->verdict);
    if (!good_enough) {
        return EVIDENCE_NOT_GOOD_ENOUGH;
    }
    bool too_old =
        policy->max_age_ms > 0 && (now_us - report->recorded_us) / 1000 > policy->max_age_ms;
    return too_old ? EVIDENCE_TOO_OLD : EVIDENCE_FITS;
}

evidence_choice_t
evidence_choose(const evidence_policy_t *policy, const uint8_t digest[EVIDENCE_DIGEST],
                int64_t now_us, const evidence_report_t *reports, size_t count)
{
    evidence_choice_t out = {.why = EVIDENCE_NONE};
    for (size_t i = 0; i < count; i++) {
        evidence_why_t why = judge(policy, digest, now_us, &reports[i]);
        if (why > out.why) {
            out = (evidence_choice_t){.why = why, .report = &reports[i]};
        }
    }
    return out;
}
