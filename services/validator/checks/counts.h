/*
 * counts - rows of two sides, counted in the same categories or bins: what tests of counts compare.
 * A missing value is a category of its own wherever one occurs. Everything lies in the arena. Pure.
 */
#ifndef COUNTS_H
#define COUNTS_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_mem.h"
#include "vln_sample.h"
#include "vln_table.h"

typedef struct counts {
    uint64_t *reference; /* `count` entries each */
    uint64_t *current;
    size_t count;
    size_t n_reference; /* rows with a value */
    size_t n_current;
    size_t missing_reference;
    size_t missing_current;
    const char **new_texts; /* that the reference does not have, as they first came */
    size_t new_count;
    size_t new_rows; /* that hold one of them */
} counts_t;

/* Two columns of texts. */
counts_t counts_of_texts(const vln_column_t *reference, size_t reference_rows,
                         const vln_column_t *current, size_t current_rows, vln_arena_t *arena);

/* A column of texts and the most frequent ones of a profile; all others are one category. */
counts_t counts_of_top(const Valion__V1__ColumnProfile *reference, const vln_column_t *current,
                       size_t current_rows, vln_arena_t *arena);

/* Numbers in the bins of a profile; false if these make no sense. */
bool counts_of_bins(const Valion__V1__ColumnProfile *reference, const vln_sample_t *current,
                    vln_arena_t *arena, counts_t *out);

#endif
