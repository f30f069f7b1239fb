/*
 * truth - what the target column says of each row, and which rows a version can be judged by.
 *
 * Pure: what it makes lies in the arena. Any thread.
 */
#ifndef TRUTH_H
#define TRUTH_H

#include "check.h"

enum { TRUTH_WHY = 1024 };

/* Of every row of a table; one without a value in the target column is not `known`. */
typedef struct truth {
    vln_truth_t all;
    bool *known;
    size_t rows;
    size_t untold;
} truth_t;

/* INVALID_ARGUMENT: `why` says what is wrong with the column, and what to do. */
VLN_MUST_USE vln_err_t truth_read(const vln_table_t *table, const char *target,
                                  const Valion__V1__Signature *signature, vln_arena_t *arena,
                                  truth_t *out, char why[TRUTH_WHY]);

/* The answers are of the classes that the truth knows; INVALID_ARGUMENT: `why` says what is not. */
VLN_MUST_USE vln_err_t truth_fits(const truth_t *self, const vln_sandbox_result_t *answers,
                                  char why[TRUTH_WHY]);

/* One a row: true where the answer is finite and, of a classifier, a probability. */
bool *truth_usable(const truth_t *self, const vln_sandbox_result_t *answers, vln_arena_t *arena,
                   size_t *unusable);

/* Of the rows that are known, usable, and usable by the others too (NULL: nobody else is asked). */
check_predictions_t truth_judge(const truth_t *self, const vln_sandbox_result_t *answers,
                                const bool *others_usable, vln_arena_t *arena);

#endif
