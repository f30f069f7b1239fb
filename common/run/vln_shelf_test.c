#include "vln_shelf.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static int ended;

static void
end(void *value)
{
    ended++;
    free(value);
}

static const uint8_t *
key_of(uint8_t number)
{
    static uint8_t key[VLN_DIGEST_BYTES];
    key[0] = number;
    return key;
}

static int *
put(vln_shelf_t *shelf, uint8_t number, size_t bytes)
{
    int *value = malloc(sizeof *value);
    *value = number;
    return vln_shelf_put(shelf, key_of(number), &(vln_shelf_value_t){value, bytes, end});
}

Test(vln_shelf, gives_the_same_again)
{
    vln_shelf_t *shelf = vln_shelf_new(100);
    cr_assert_null(vln_shelf_take(shelf, key_of(1)));
    int *one = put(shelf, 1, 40);
    cr_expect_eq(vln_shelf_take(shelf, key_of(1)), one);
    vln_shelf_release(shelf, one);
    vln_shelf_release(shelf, one);
    cr_expect_eq(put(shelf, 1, 40), one, "who came later has what is there");
    cr_expect_eq(ended, 1);
    cr_expect_eq(vln_shelf_bytes(shelf), 40);
    vln_shelf_release(shelf, one);
    vln_shelf_destroy(&shelf);
    vln_shelf_destroy(&shelf);
    cr_expect_eq(ended, 2);
}

Test(vln_shelf, lets_go_what_was_asked_for_longest_ago)
{
    vln_shelf_t *shelf = vln_shelf_new(100);
    for (uint8_t i = 1; i <= 2; i++) {
        vln_shelf_release(shelf, put(shelf, i, 40));
    }
    vln_shelf_release(shelf, vln_shelf_take(shelf, key_of(1)));
    vln_shelf_release(shelf, put(shelf, 3, 40));
    cr_expect_null(vln_shelf_take(shelf, key_of(2)));
    void *one = vln_shelf_take(shelf, key_of(1));
    cr_expect_not_null(one);
    vln_shelf_release(shelf, one);
    cr_expect_eq(vln_shelf_bytes(shelf), 80);
    vln_shelf_destroy(&shelf);
}

Test(vln_shelf, never_lets_go_what_is_held)
{
    vln_shelf_t *shelf = vln_shelf_new(100);
    int *large = put(shelf, 1, 1000);
    int *other = put(shelf, 2, 1000);
    cr_expect_eq(*large, 1);
    cr_expect_eq(ended, 0);
    vln_shelf_release(shelf, large);
    cr_expect_eq(ended, 1, "it was beyond the bound all the time");
    cr_expect_eq(*other, 2);
    vln_shelf_release(shelf, other);
    cr_expect_eq(ended, 2);
    cr_expect_eq(vln_shelf_bytes(shelf), 0);
    vln_shelf_destroy(&shelf);
}
