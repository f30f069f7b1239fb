#include "piece.h"

#include <criterion/criterion.h>
#include <string.h>

static const uint8_t some_digest[VLN_DIGEST_BYTES] = {1, 2, 3};

Test(piece, the_last_one_is_what_is_left)
{
    cr_assert_eq(piece_count(1), 1);
    cr_assert_eq(piece_count(PIECE_BYTES), 1);
    cr_assert_eq(piece_count(PIECE_BYTES + 1), 2);
    cr_assert_eq(piece_size(PIECE_BYTES + 1, 0), PIECE_BYTES);
    cr_assert_eq(piece_size(PIECE_BYTES + 1, 1), 1);
    cr_assert_eq(piece_size(PIECE_BYTES + 1, 2), 0);
}

Test(piece, an_entry_says_where_its_piece_is)
{
    uint8_t table[3 * PIECE_ENTRY];
    const uint8_t other[VLN_DIGEST_BYTES] = {9};
    piece_t found;
    piece_put(table, 0, some_digest, 100);
    piece_put(table, 1, other, 250);
    piece_put(table, 2, some_digest, 251);
    cr_assert(piece_get(table, sizeof table, 0, 0, &found));
    cr_assert(found.begin == 0 && found.stored == 100);
    cr_assert_arr_eq(found.digest, some_digest, sizeof some_digest);
    cr_assert(piece_get(table, sizeof table, 0, 2, &found));
    cr_assert(found.begin == 250 && found.stored == 1);
}

Test(piece, is_read_out_of_a_part_of_the_table)
{
    uint8_t table[4 * PIECE_ENTRY];
    piece_t found;
    for (int64_t i = 0; i < 4; i++) {
        piece_put(table, i, some_digest, ((int64_t)1 << 40) + 10 * i);
    }
    cr_assert(piece_get(table + PIECE_ENTRY, 2 * PIECE_ENTRY, 1, 2, &found));
    cr_assert(found.begin == ((int64_t)1 << 40) + 10 && found.stored == 10);
    cr_assert_not(piece_get(table + PIECE_ENTRY, 2 * PIECE_ENTRY, 1, 1, &found),
                  "the entry before it is missing");
    cr_assert_not(piece_get(table + PIECE_ENTRY, 2 * PIECE_ENTRY, 1, 3, &found));
    cr_assert_not(piece_get(table, 0, 0, 0, &found));
}

Test(piece, refuses_a_table_that_makes_no_sense)
{
    uint8_t table[2 * PIECE_ENTRY];
    piece_t found;
    const int64_t ends[][2] = {{100, 100}, {100, 99}, {0, 10 + PIECE_STORED_MAX}, {-1, 5}};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        piece_put(table, 0, some_digest, ends[i][0]);
        piece_put(table, 1, some_digest, ends[i][1]);
        cr_assert_not(piece_get(table, sizeof table, 0, 1, &found), "case %zu", i);
    }
    piece_put(table, 0, some_digest, -5);
    cr_assert_not(piece_get(table, sizeof table, 0, 0, &found));
}
