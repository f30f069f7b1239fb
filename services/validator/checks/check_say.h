/*
 * check_say - how the kinds of checks write down what they find.
 */
#ifndef CHECK_SAY_H
#define CHECK_SAY_H

#include <math.h>

#include "check.h"

enum { CHECK_SENTENCE_MAX = 1000, CHECK_NOTE_MAX = 250, CHECK_NUMBERS_MAX = 64 };

#define CHECK_PASS         VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS
#define CHECK_WARN         VALION__V1__CHECK_STATUS__CHECK_STATUS_WARN
#define CHECK_FAIL         VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL
#define CHECK_INCONCLUSIVE VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE

/* The check's own number of that name, else `otherwise`. */
double check_threshold(const Valion__V1__CheckSpec *spec, const char *name, double otherwise);

/* A number beside the verdict; one that is not finite is left out. */
void check_add(const check_context_t *context, Valion__V1__CheckResult *out, const char *name,
               double value);

/* What is compared, with what, and how many rows or columns are behind it. */
void check_set(Valion__V1__CheckResult *out, const char *name, double statistic, double threshold,
               size_t n);

void check_set_score(Valion__V1__CheckResult *out, double score);

/* The status and its sentence, which is cut to its bound at a character's end. */
void check_end(const check_context_t *context, Valion__V1__CheckResult *out,
               Valion__V1__CheckStatus status, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* The check could not be made: INCONCLUSIVE, or FAIL where it blocks. */
void check_break(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                 Valion__V1__CheckResult *out, const char *format, ...)
    __attribute__((format(printf, 4, 5)));

/* Text in the arena, at most `max` bytes of valid UTF-8. */
char *check_text(const check_context_t *context, size_t max, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* ---- columns ---- */

/* Those that the check looks at, by the policy's list, else all that the context allows; in their
 * order, in the arena. A name of the policy's list that the data does not have is told by
 * `*missing`. */
const vln_column_t **check_columns(const check_context_t *context,
                                   const Valion__V1__CheckSpec *spec, bool inputs_only,
                                   size_t *count, const char **missing);

Valion__V1__ColumnResult *check_add_column(const check_context_t *context,
                                           Valion__V1__CheckResult *out, const char *name,
                                           size_t room);

/* Flagged ones first, then by `weight` downwards, then as they came. */
void check_sort_columns(const check_context_t *context, Valion__V1__CheckResult *out,
                        const double *weights);

/* ---- the kinds ---- */

typedef void check_fn(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                      Valion__V1__CheckResult *out);

check_fn check_performance;
check_fn check_data_drift;
check_fn check_stability;
check_fn check_bias;
check_fn check_data_quality;
check_fn check_metric_threshold;
check_fn check_importance;
check_fn check_budget;
check_fn check_expression;
check_fn check_absent;

#endif
