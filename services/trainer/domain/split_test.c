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
