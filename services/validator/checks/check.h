/*
 * check - one check of a policy: what it sees of a validation, what it says of it, and the table of
 * the kinds that there are.
 *
 * Pure: no I/O, no clock, no randomness; the same input gives the same bytes. What it returns lies in
 * the context's arena. Any thread.
 */
#ifndef CHECK_H
#define CHECK_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_mem.h"
#include "vln_scores.h"
#include "vln_table.h"

#include "samples.h"

/* What a version said of the rows that can be judged: they have a target and a usable answer. */
typedef struct check_predictions {
    size_t rows;     /* that were asked */
    size_t untold;   /* of them without a value in the target column */
    size_t unusable; /* of them without finite numbers, or with numbers that are no probabilities */
    vln_truth_t truth;
    vln_sandbox_result_t result; /* one a judged row, in their order */
    vln_scores_t scores;
} check_predictions_t;

/* What drift is measured against: rows, or else a profile of rows, or neither. */
typedef struct check_reference {
    const vln_table_t *table;
    const Valion__V1__Profile *profile;
} check_reference_t;

/* Another version, asked for the same rows. */
typedef struct check_baseline {
    const char *asked;   /* as policy or spec name it: a version, an alias or a stage */
    const char *version; /* NULL: there is none to compare with, and `why` says so */
    const char *why;
    ProtobufCBinaryData digest;
    bool same; /* it has the candidate's own bytes */
    /* Both on the rows that both can be judged by; zeros where `same`. */
    check_predictions_t candidate;
    check_predictions_t other;
} check_baseline_t;

/* Predictions of the judged rows by fits that did not see them. */
typedef struct check_refit {
    size_t folds;
    bool has_recipe; /* the version records how it was fitted */
    bool done;
    double *predicted; /* `rows` of them, in the order of the judged rows, if it was done */
    size_t rows;
    const char *why; /* it was not done */
} check_refit_t;

/* What permuting a column costs the model. */
typedef struct check_loss {
    const char *column;
    double loss; /* of the metric; negative: it did better by chance */
} check_loss_t;

typedef struct check_importance {
    check_loss_t *losses;
    size_t count;
    const char *metric_name; /* lower is better */
    double metric;           /* of the rows as they are */
    size_t rows;
} check_importance_t;

/* What the model costs. */
typedef struct check_cost {
    size_t bytes; /* of its files */
    int64_t predict_us;
    size_t rows;
} check_cost_t;

/* All of it is borrowed. */
typedef struct check_context {
    vln_arena_t *arena;
    samples_t *samples; /* of both tables' columns, for all checks; NULL: each sorts its own */
    const vln_table_t *table;  /* every row of it is judged */
    const char *target;        /* NULL: none is known */
    const char *const *inputs; /* columns that the model takes; none: every one but the target */
    size_t input_count;
    const check_predictions_t *predictions; /* NULL: no model was asked, or there is no target */
    const check_refit_t *refit;             /* NULL: nobody asked for it */
    const check_importance_t *importance;   /* likewise */
    const check_cost_t *cost;               /* NULL: no model was asked */
    const vln_sandbox_result_t *answers;    /* of all rows; NULL: no model was asked */
    const vln_sandbox_result_t *reference_answers; /* of the reference's; NULL: not asked */
    uint64_t seed;                                 /* of everything that is drawn */
    check_reference_t reference;
    const char *baseline; /* over the checks' own; NULL: theirs */
    const check_baseline_t *baselines;
    size_t baseline_count;
    Valion__V1__CheckResult *const *checks; /* that have been made before this one */
    size_t check_count;
} check_context_t;

/* True if a check of this kind compares predictions with the target. */
bool check_needs_target(const char *kind);

/* Folds of the stability check, if it wants fits of its own; 0: it does not. */
size_t check_refit_folds(const Valion__V1__CheckSpec *spec);

/* The version, alias or stage that the check compares with; NULL: none. */
const char *check_baseline_name(const check_context_t *context, const Valion__V1__CheckSpec *spec);

/* Never NULL; has a status, a sentence, and, unless it passed, a recommendation. Its columns are all
 * there, the worst first. */
Valion__V1__CheckResult *check_run(const check_context_t *context,
                                   const Valion__V1__CheckSpec *spec);

#endif
