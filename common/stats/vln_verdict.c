#include "vln_verdict.h"

/* What one check alone makes of the report, and which of two reasons is told first. */
typedef enum weight {
    WEIGHT_NONE,
    WEIGHT_WARNS,
    WEIGHT_FAILED_LIGHTLY,
    WEIGHT_INCONCLUSIVE,
    WEIGHT_REQUIRED,
    WEIGHT_SEVERE,
    WEIGHT_BLOCKING,
    WEIGHT_COUNT,
} weight_t;

/* clang-format off */
static const struct {
    vln_check_status_t status;
    const char *why;
} verdicts[WEIGHT_COUNT] = {
    /* of the heaviest check    the report is           because                                     */
    [WEIGHT_NONE]           = {VLN_CHECK_PASS,         "every check passed"},
    [WEIGHT_WARNS]          = {VLN_CHECK_WARN,         "a check warns"},
    [WEIGHT_FAILED_LIGHTLY] = {VLN_CHECK_WARN,         "a check failed that is neither blocking nor severe"},
    [WEIGHT_INCONCLUSIVE]   = {VLN_CHECK_INCONCLUSIVE, "a check could say nothing"},
    [WEIGHT_REQUIRED]       = {VLN_CHECK_FAIL,         "a required check could say nothing"},
    [WEIGHT_SEVERE]         = {VLN_CHECK_FAIL,         "a check of high severity failed"},
    [WEIGHT_BLOCKING]       = {VLN_CHECK_FAIL,         "a blocking check failed"},
};
/* clang-format on */

static weight_t
weight_of_failure(const vln_verdict_rule_t *rule, const vln_check_t *check)
{
    if (check->blocking) {
        return WEIGHT_BLOCKING;
    }
    return rule->severe_fails && check->severity >= VLN_SEVERITY_HIGH ? WEIGHT_SEVERE
                                                                      : WEIGHT_FAILED_LIGHTLY;
}

static weight_t
weight_of(const vln_verdict_rule_t *rule, const vln_check_t *check)
{
    switch (check->status) {
    case VLN_CHECK_PASS:
        return WEIGHT_NONE;
    case VLN_CHECK_WARN:
        return WEIGHT_WARNS;
    case VLN_CHECK_FAIL:
        return weight_of_failure(rule, check);
    case VLN_CHECK_INCONCLUSIVE:
    case VLN_CHECK_NOT_SAID:
        break;
    }
    return check->required ? WEIGHT_REQUIRED : WEIGHT_INCONCLUSIVE;
}

static void
count_check(vln_verdict_t *out, vln_check_status_t status)
{
    out->counted++;
    out->passed += status == VLN_CHECK_PASS;
    out->warned += status == VLN_CHECK_WARN;
    out->failed += status == VLN_CHECK_FAIL;
    out->inconclusive += status == VLN_CHECK_INCONCLUSIVE || status == VLN_CHECK_NOT_SAID;
}

vln_verdict_t
vln_verdict_of(const vln_verdict_rule_t *rule, const vln_check_t *checks, size_t count)
{
    vln_verdict_t out = {.decided_by = count};
    weight_t heaviest = WEIGHT_NONE;
    for (size_t i = 0; i < count; i++) {
        if (checks[i].dry_run) {
            continue;
        }
        count_check(&out, checks[i].status);
        weight_t weight = weight_of(rule, &checks[i]);
        if (weight > heaviest) {
            heaviest = weight;
            out.decided_by = i;
        }
    }
    out.status = verdicts[heaviest].status;
    out.why = verdicts[heaviest].why;
    if (out.counted == 0) {
        out.status = VLN_CHECK_FAIL;
        out.why = "no check was counted";
    } else if (rule->rows < rule->min_rows && heaviest < WEIGHT_INCONCLUSIVE) {
        out.status = VLN_CHECK_INCONCLUSIVE;
        out.decided_by = count;
        out.why = "there are fewer rows than the policy asks for";
    }
    return out;
}
