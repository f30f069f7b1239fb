/*
 * vln_verdict - what the checks of a report say together.
 *
 * One rule for who makes a report and for who keeps it, so that neither has to believe the other:
 * the validator computes the verdict with it, the registry computes it again. The numbers of status
 * and severity are those of valion.v1.CheckStatus and Severity. Pure.
 */
#ifndef VLN_VERDICT_H
#define VLN_VERDICT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* In the order of badness, which is not that of the numbers: PASS, WARN, INCONCLUSIVE, FAIL. */
typedef enum vln_check_status {
    VLN_CHECK_NOT_SAID = 0,
    VLN_CHECK_PASS = 1,
    VLN_CHECK_WARN = 2,
    VLN_CHECK_FAIL = 3,
    VLN_CHECK_INCONCLUSIVE = 4,
} vln_check_status_t;

typedef enum vln_severity {
    VLN_SEVERITY_NOT_SAID = 0, /* counts as MEDIUM */
    VLN_SEVERITY_LOW = 1,
    VLN_SEVERITY_MEDIUM = 2,
    VLN_SEVERITY_HIGH = 3,
    VLN_SEVERITY_CRITICAL = 4,
} vln_severity_t;

/* One check: what it found, and how much the policy makes of it. */
typedef struct vln_check {
    vln_check_status_t status;
    vln_severity_t severity;
    bool blocking; /* its failure fails the report */
    bool required; /* must not be INCONCLUSIVE */
    bool dry_run;  /* found and shown, never counted */
} vln_check_t;

/* Of the policy and the data as a whole. */
typedef struct vln_verdict_rule {
    bool severe_fails; /* a failed check of HIGH or CRITICAL fails the report though not blocking */
    int64_t rows;      /* that were judged */
    int64_t min_rows;  /* fewer: INCONCLUSIVE at best */
} vln_verdict_rule_t;

typedef struct vln_verdict {
    vln_check_status_t status;
    size_t decided_by; /* index of the check that decided; `count` when none of them did */
    const char *why;   /* part of a sentence: "a blocking check failed"; static */
    size_t counted;    /* checks that are no dry run; of them: */
    size_t passed;
    size_t warned;
    size_t failed;
    size_t inconclusive;
} vln_verdict_t;

/*
 * The first of these that holds:
 *   FAIL          no check was counted; a failed check is blocking; a failed check is HIGH or
 *                 CRITICAL and severe_fails; a required check is INCONCLUSIVE
 *   INCONCLUSIVE  any check is; or fewer rows than min_rows
 *   WARN          any other check failed; any check warns
 *   PASS
 * A check that said nothing counts as INCONCLUSIVE.
 */
vln_verdict_t vln_verdict_of(const vln_verdict_rule_t *rule, const vln_check_t *checks,
                             size_t count);

#endif
