#include "split.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

enum { ROWS = 1000 };

Test(split, gives_every_row_to_one_part)
{
    split_t split = split_make(ROWS, 0.8, 42, true);
    int seen[ROWS] = {0};
    cr_assert_eq(split.train, 800);
    cr_assert_eq(split.held, 200);
    for (size_t i = 0; i < ROWS; i++) {
        seen[split.rows[i]]++;
    }
    for (size_t i = 0; i < ROWS; i++) {
        cr_assert_eq(seen[i], 1);
    }
    free(split.rows);
}

Test(split, keeps_the_order_within_a_part)
{
    split_t split = split_make(ROWS, 0.7, 7, true);
    for (size_t i = 1; i < ROWS; i++) {
        cr_assert(i == split.train || split.rows[i] > split.rows[i - 1]);
    }
    free(split.rows);
}

Test(split, is_the_same_for_the_same_seed_and_another_for_another)
{
    split_t a = split_make(ROWS, 0.8, 42, true);
    split_t b = split_make(ROWS, 0.8, 42, true);
    split_t c = split_make(ROWS, 0.8, 43, true);
    cr_assert_arr_eq(a.rows, b.rows, ROWS * sizeof *a.rows);
    cr_assert_neq(memcmp(a.rows, c.rows, ROWS * sizeof *a.rows), 0);
    free(a.rows);
    free(b.rows);
    free(c.rows);
}

Test(split, holds_out_the_last_rows_without_shuffling)
{
    split_t split = split_make(10, 0.8, 42, false);
    for (size_t i = 0; i < 10; i++) {
        cr_assert_eq(split.rows[i], i);
    }
    cr_assert_eq(split.train, 8);
    free(split.rows);
}

Test(split, leaves_no_part_empty)
{
    split_t few = split_make(2, 0.99, 1, true);
    cr_assert_eq(few.train, 1);
    cr_assert_eq(few.held, 1);
    free(few.rows);
    split_t tiny = split_make(3, 0.0001, 1, true);
    cr_assert_eq(tiny.train, 1);
    free(tiny.rows);
}

/* ---- strata and times, at random ---- */

enum { ROUNDS = 300, MOST = 400 };

static uint64_t draw_state = 7;

static size_t
draw(size_t bound)
{
    draw_state = draw_state * UINT64_C(6364136223846793005) + 1442695040888963407;
    return (size_t)(draw_state >> 33) % bound;
}

static split_terms_t
draw_terms(void)
{
    return (split_terms_t){.count = 2 + draw(MOST - 2),
                           .train_share = (double)(1 + draw(99)) / 100,
                           .seed = draw(1000),
                           .shuffle = draw(2) == 0};
}

/* Every row is in one part, and each part in its order. */
static void
expect_parted(const split_t *split, size_t count)
{
    int seen[MOST] = {0};
    cr_assert_eq(split->train + split->held, count);
    for (size_t i = 0; i < count; i++) {
        cr_assert_lt(split->rows[i], count);
        cr_assert_eq(seen[split->rows[i]]++, 0);
        cr_assert(i == 0 || i == split->train || split->rows[i] > split->rows[i - 1]);
    }
}

Test(split, parts_each_stratum_by_the_same_share)
{
    for (int round = 0; round < ROUNDS; round++) {
        split_terms_t terms = draw_terms();
        size_t kinds = 1 + draw(9);
        size_t strata[MOST];
        size_t rows[10] = {0};
        size_t train[10] = {0};
        for (size_t i = 0; i < terms.count; i++) {
            strata[i] = draw(kinds) * draw(kinds) / kinds; /* of different sizes */
            rows[strata[i]]++;
        }
        split_t split = split_stratified(&terms, strata, kinds);
        expect_parted(&split, terms.count);
        for (size_t i = 0; i < split.train; i++) {
            train[strata[split.rows[i]]]++;
        }
        for (size_t i = 0; i < kinds; i++) {
            double off = (double)train[i] - (double)rows[i] * terms.train_share;
            bool is_clamped = rows[i] > 0 && (train[i] == 1 || train[i] == rows[i] - 1);
            cr_assert(rows[i] < 2 || (train[i] > 0 && train[i] < rows[i]));
            cr_assert(rows[i] != 1 || train[i] == 1);
            cr_assert(is_clamped || (off <= 0.5 + 1e-9 && off >= -0.5 - 1e-9), "%g of %zu rows",
                      off, rows[i]);
        }
        split_t again = split_stratified(&terms, strata, kinds);
        cr_assert_arr_eq(again.rows, split.rows, terms.count * sizeof *split.rows);
        free(again.rows);
        free(split.rows);
    }
}

Test(split, with_one_stratum_is_the_plain_one)
{
    static const size_t one[MOST];
    for (int round = 0; round < ROUNDS; round++) {
        split_terms_t terms = draw_terms();
        split_t split = split_stratified(&terms, one, 1);
        split_t plain = split_make(terms.count, terms.train_share, terms.seed, terms.shuffle);
        cr_assert_eq(split.train, plain.train);
        cr_assert_arr_eq(split.rows, plain.rows, terms.count * sizeof *split.rows);
        free(plain.rows);
        free(split.rows);
    }
}

Test(split, leaves_strata_of_one_row_for_training)
{
    const size_t strata[] = {3, 0, 1, 2};
    const split_terms_t terms = {.count = 4, .train_share = 0.1, .shuffle = true};
    split_t split = split_stratified(&terms, strata, 4);
    cr_assert_eq(split.train, 4);
    cr_assert_eq(split.held, 0);
    free(split.rows);
}

static double
ends_at(const split_t *split, const double *times, bool train)
{
    size_t first = train ? 0 : split->train;
    double end = times[split->rows[first]];
    for (size_t i = first; i < (train ? split->train : split->train + split->held); i++) {
        double time = times[split->rows[i]];
        end = train == (time > end) ? time : end;
    }
    return end;
}

Test(split, holds_out_the_latest_rows_and_parts_no_time)
{
    for (int round = 0; round < ROUNDS; round++) {
        split_terms_t terms = draw_terms();
        size_t kinds = 1 + draw(round % 2 == 0 ? 8 : 1000);
        double times[MOST];
        for (size_t i = 0; i < terms.count; i++) {
            times[i] = (double)draw(kinds) - 3;
        }
        split_t split = split_by_time(&terms, times);
        expect_parted(&split, terms.count);
        cr_assert_gt(split.train, 0);
        if (split.held == 0) {
            for (size_t i = 1; i < terms.count; i++) {
                cr_assert_eq(times[i], times[0], "there was a time to part at");
            }
        } else {
            cr_assert_lt(ends_at(&split, times, true), ends_at(&split, times, false));
        }
        free(split.rows);
    }
}

Test(split, parts_where_the_share_is_nearest)
{
    static const struct {
        double times[6];
        double share;
        size_t train;
    } cases[] = {
        {{6, 5, 4, 3, 2, 1}, 0.5, 3}, {{1, 1, 1, 2, 2, 2}, 0.7, 3}, {{1, 1, 1, 1, 2, 2}, 0.5, 4},
        {{1, 2, 2, 2, 2, 3}, 0.5, 1}, {{1, 2, 2, 2, 2, 3}, 0.6, 5}, {{1, 1, 1, 1, 1, 2}, 0.1, 5},
        {{1, 2, 2, 2, 2, 2}, 0.9, 1}, {{1, 1, 1, 1, 1, 1}, 0.5, 6},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const split_terms_t terms = {.count = 6, .train_share = cases[i].share};
        split_t split = split_by_time(&terms, cases[i].times);
        cr_expect_eq(split.train, cases[i].train, "case %zu: %zu", i, split.train);
        free(split.rows);
    }
}
