/*
 * drift_method - how a check of the kind data_drift compares one column: which test or distance a
 * method takes, and what is drift by it.
 *
 * Pure: on samples and counts. Any thread.
 */
#ifndef DRIFT_METHOD_H
#define DRIFT_METHOD_H

#include "vln_drift.h"

#include "check.h"
#include "counts.h"

typedef enum drift_method {
    DRIFT_AUTO, /* a test, and an effect that is large enough besides */
    DRIFT_ORIGINAL,
    DRIFT_EVIDENTLY, /* tests up to 1000 rows, distances above */
    DRIFT_PSI,
    DRIFT_KS,
    DRIFT_JENSEN_SHANNON,
    DRIFT_WASSERSTEIN,
    DRIFT_CHI2,
} drift_method_t;

typedef enum drift_by {
    DRIFT_BY_P,
    DRIFT_BY_P_AND_EFFECT,
    DRIFT_BY_SIZE, /* the statistic itself reaches the rule's effect */
} drift_by_t;

/* What a check says of its columns, read once. */
typedef struct drift_rule {
    drift_method_t method;
    vln_psi_rule_t psi;
    double alpha;
    double effect; /* least that is drift */
    Valion__V1__Correction correction;
    uint64_t seed;
} drift_rule_t;

/* False: `why` says which parameter means nothing; it lies in the arena. */
bool drift_rule_read(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                     drift_rule_t *out, const char **why);

/* What was found of a column. */
typedef struct drift_finding {
    const char *name; /* of the test or distance; NULL: none could be made, and `why` says so */
    const char *why;
    vln_drift_t test;
    drift_by_t by;
    const char *effect_name; /* NULL: none */
    double effect;
    bool certain;     /* drift whatever p says */
    const char *note; /* beside a result that stands; NULL: nothing */
} drift_finding_t;

/* Rows with a value that either side needs. */
size_t drift_least_rows(const drift_rule_t *rule, bool profile);

/* True if the method looks at the columns' missing values by themselves, and at target and
 * predictions. */
bool drift_is_whole(const drift_rule_t *rule);

drift_finding_t drift_of_numbers(const drift_rule_t *rule, const vln_sample_t *reference,
                                 const vln_sample_t *current);
drift_finding_t drift_of_categories(const drift_rule_t *rule, const counts_t *counts);

/* Of a reference of which a sketch is left: `ks` alone. */
drift_finding_t drift_of_sketch(const drift_rule_t *rule, const vln_sketch_t *reference,
                                const vln_sample_t *current);

/* Numbers in the bins of a profile. */
drift_finding_t drift_of_bins(const drift_rule_t *rule, const counts_t *counts);

/* Rows without a value, of all rows. */
drift_finding_t drift_of_missing(const drift_rule_t *rule, vln_proportion_t reference,
                                 vln_proportion_t current);

#endif
