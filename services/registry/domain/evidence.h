/*
 * evidence - which report allows a version to rise or to serve, or why none does.
 *
 * Pure: given are the reports on a version, the policy that is in force, and the time. A report is
 * evidence if it judged exactly these bytes, under exactly that version of that policy, good
 * enough, and not too old.
 */
#ifndef EVIDENCE_H
#define EVIDENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { EVIDENCE_ID = 16, EVIDENCE_DIGEST = 32 };

/* What counts of a report. The numbers of `verdict` are valion.v1.CheckStatus's. */
typedef struct evidence_report {
    uint8_t id[EVIDENCE_ID];
    uint8_t digest[EVIDENCE_DIGEST]; /* of the artifacts that were judged */
    const char *policy;
    int64_t policy_version;
    int verdict;
    int64_t recorded_us;
    bool of_server; /* it judged what a server answered, which may run other bytes */
} evidence_report_t;

/* What counts of a policy. */
typedef struct evidence_policy {
    const char *name;
    int64_t version;
    int min_status;     /* valion.v1.MinStatus; 0 counts as PASS */
    int64_t max_age_ms; /* 0: any age */
} evidence_policy_t;

/* How near a report comes, the nearest last. */
typedef enum evidence_why {
    EVIDENCE_NONE, /* there is no report at all */
    EVIDENCE_OTHER_BYTES,
    EVIDENCE_OF_SERVER,
    EVIDENCE_OTHER_POLICY,
    EVIDENCE_OTHER_POLICY_VERSION,
    EVIDENCE_NOT_GOOD_ENOUGH,
    EVIDENCE_TOO_OLD,
    EVIDENCE_FITS,
} evidence_why_t;

typedef struct evidence_choice {
    evidence_why_t why;
    const evidence_report_t *report; /* that fits, or came nearest; NULL for NONE */
} evidence_choice_t;

/* `reports` newest first: the newest that fits, else the newest of those that come nearest. */
evidence_choice_t evidence_choose(const evidence_policy_t *policy,
                                  const uint8_t digest[EVIDENCE_DIGEST], int64_t now_us,
                                  const evidence_report_t *reports, size_t count);

/* Bits 1 << verdict of the verdicts that will do. */
uint32_t evidence_good_verdicts(int min_status);

/* "PASS" …, "WARN or PASS" …: for people. */
const char *evidence_verdict_name(int verdict);
const char *evidence_min_status_name(int min_status);

#endif
