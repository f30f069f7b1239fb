#include "split.h"

#include <stdlib.h>

#include "vln_err.h"
#include "vln_mem.h"

static uint64_t
next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Uniform in 0 .. bound - 1, without bias. */
static uint64_t
below(uint64_t *state, uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value = next(state);
    while (value >= limit) {
        value = next(state);
    }
    return value % bound;
}

static int
by_number(const void *left, const void *right)
{
    size_t a = *(const size_t *)left;
    size_t b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

/* All rows, in their order or shuffled. */
static size_t *
list_rows(size_t count, uint64_t seed, bool shuffle)
{
    size_t *rows = vln_calloc(count, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        rows[i] = i;
    }
    for (size_t left = count; shuffle && left > 1; left--) {
        size_t other = (size_t)below(&seed, left);
        size_t kept = rows[left - 1];
        rows[left - 1] = rows[other];
        rows[other] = kept;
    }
    return rows;
}

static size_t
train_rows(size_t count, double train_share)
{
    size_t train = (size_t)((double)count * train_share + 0.5);
    train = train < 1 ? 1 : train;
    return train > count - 1 ? count - 1 : train;
}

/* The first `train` of the rows are for training. */
static split_t
part(size_t *rows, size_t count, size_t train)
{
    qsort(rows, train, sizeof *rows, by_number);
    qsort(rows + train, count - train, sizeof *rows, by_number);
    return (split_t){.rows = rows, .train = train, .held = count - train};
}

split_t
split_make(size_t count, double train_share, uint64_t seed, bool shuffle)
{
    vln_assert(count >= 2 && train_share > 0 && train_share < 1);
    return part(list_rows(count, seed, shuffle), count, train_rows(count, train_share));
}

/* ---- strata ---- */

/* How many rows of each stratum are for training. Yours. */
static size_t *
train_rows_of_strata(const split_terms_t *terms, const size_t *strata, size_t stratum_count)
{
    size_t *rows = vln_calloc(stratum_count + 1, sizeof *rows);
    for (size_t i = 0; i < terms->count; i++) {
        vln_assert(strata[i] < stratum_count);
        rows[strata[i]]++;
    }
    for (size_t i = 0; i < stratum_count; i++) {
        rows[i] = rows[i] > 1 ? train_rows(rows[i], terms->train_share) : rows[i];
    }
    return rows;
}

split_t
split_stratified(const split_terms_t *terms, const size_t *strata, size_t stratum_count)
{
    size_t count = terms->count;
    vln_assert(count >= 2 && terms->train_share > 0 && terms->train_share < 1);
    size_t *listed = list_rows(count, terms->seed, terms->shuffle);
    size_t *left = train_rows_of_strata(terms, strata, stratum_count);
    size_t *rows = vln_calloc(count, sizeof *rows);
    size_t train = 0;
    size_t held = 0;
    for (size_t i = 0; i < count; i++) {
        size_t *of_stratum = &left[strata[listed[i]]];
        if (*of_stratum > 0) {
            (*of_stratum)--;
            rows[train++] = listed[i];
        } else {
            rows[count - ++held] = listed[i];
        }
    }
    free(left);
    free(listed);
    return part(rows, count, train);
}

/* ---- time ---- */

typedef struct dated {
    double time;
    size_t row;
} dated_t;

static int
by_time(const void *left, const void *right)
{
    const dated_t *a = left;
    const dated_t *b = right;
    if (a->time != b->time) {
        return a->time < b->time ? -1 : 1;
    }
    return a->row < b->row ? -1 : a->row > b->row;
}

/* Where to part so that those of one time stay together: before or behind the ones at `wanted`. */
static size_t
part_between(const dated_t *rows, size_t count, size_t wanted)
{
    size_t before = wanted;
    size_t behind = wanted;
    while (before > 0 && rows[before - 1].time == rows[wanted].time) {
        before--;
    }
    if (before == wanted) {
        return wanted;
    }
    while (behind < count && rows[behind].time == rows[wanted].time) {
        behind++;
    }
    bool is_nearer = wanted - before <= behind - wanted;
    return before > 0 && (is_nearer || behind == count) ? before : behind;
}

split_t
split_by_time(const split_terms_t *terms, const double *times)
{
    size_t count = terms->count;
    vln_assert(count >= 2 && terms->train_share > 0 && terms->train_share < 1);
    dated_t *dated = vln_calloc(count, sizeof *dated);
    size_t *rows = vln_calloc(count, sizeof *rows);
    for (size_t i = 0; i < count; i++) {
        dated[i] = (dated_t){times[i], i};
    }
    qsort(dated, count, sizeof *dated, by_time);
    for (size_t i = 0; i < count; i++) {
        rows[i] = dated[i].row;
    }
    size_t train = part_between(dated, count, train_rows(count, terms->train_share));
    free(dated);
    return part(rows, count, train);
}
