/*
 * split - which rows are for training and which are held out. Pure; the same seed gives the same
 * rows on every machine.
 */
#ifndef SPLIT_H
#define SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct split {
    size_t *rows; /* all of them: first those for training, then those held out; end with free() */
    size_t train;
    size_t held;
} split_t;

/*
 * Parts rows 0 .. count - 1. `train_share` is above 0 and below 1; both parts get at least one row,
 * so count is at least 2. Shuffled by Fisher and Yates with splitmix64 (Steele, Lea, Flood, OOPSLA
 * 2014); each part then keeps the rows' order. Not shuffled: the last rows are held out.
 */
split_t split_make(size_t count, double train_share, uint64_t seed, bool shuffle);

/* What split_stratified() and split_by_time() are about. Rows 0 .. count - 1, at least 2. */
typedef struct split_terms {
    size_t count;
    double train_share; /* above 0 and below 1 */
    uint64_t seed;
    bool shuffle;
} split_terms_t;

/*
 * Parts the rows of each stratum by the same share: of one with n rows, n times the share, rounded, are
 * for training, but one at least is in each part. A stratum of one row is for training; if all are,
 * nothing is held out. `strata` has a number below `stratum_count` for each row. Otherwise as
 * split_make(): with one stratum it gives the same rows.
 */
split_t split_stratified(const split_terms_t *terms, const size_t *strata, size_t stratum_count);

/*
 * The earliest rows are for training, the latest are held out, and those of the same time are in the
 * same part: the one that leaves the shares nearest to what is asked, and if both do the held-out one.
 * If all rows have the same time, nothing is held out. No time is a NaN. Each part keeps the rows'
 * order; nothing is random.
 */
split_t split_by_time(const split_terms_t *terms, const double *times);

#endif
