/*
 * drift_columns - the columns of two tables, compared by a drift_method: what the model takes, and the
 * target and the predictions where both sides have them. Pure.
 */
#ifndef DRIFT_COLUMNS_H
#define DRIFT_COLUMNS_H

#include "drift_method.h"

/* One test of a column. */
typedef struct drift_test {
    const check_context_t *context;
    const drift_rule_t *rule;
    Valion__V1__ColumnResult *out;
    drift_finding_t finding;
    bool tested;
    bool gone; /* every value is missing on one side alone: no test is needed */
    double p;
    size_t column; /* which one: two tests may be of the same */
} drift_test_t;

/* All of them. */
typedef struct drift_comparison {
    const check_context_t *context;
    const drift_rule_t *rule;
    Valion__V1__CheckResult *out;
    drift_test_t *tests;
    size_t count;
    size_t room;
    size_t columns;
} drift_comparison_t;

/*
 * Compare the columns, and, unless they are `named` by the policy, target and predictions. Context,
 * rule and out are the caller's; the tests are added, and lie in the arena.
 */
void drift_compare_columns(drift_comparison_t *self, const vln_column_t *const *columns,
                           size_t count, bool named);

#endif
