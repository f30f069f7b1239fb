#include "vln_dict.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdio.h>
#include <string.h>

Test(vln_dict, codes_count_up_in_the_order_of_first_sight)
{
    vln_dict_t *dict = vln_dict_new();
    cr_expect(eq(i32, vln_dict_add(dict, "b", 1), 0));
    cr_expect(eq(i32, vln_dict_add(dict, "a", 1), 1));
    cr_expect(eq(i32, vln_dict_add(dict, "b", 1), 0));
    cr_expect(eq(i32, vln_dict_add(dict, "", 0), 2));
    cr_expect(eq(sz, vln_dict_count(dict), 3));
    cr_expect(eq(i32, vln_dict_find(dict, "a", 1), 1));
    cr_expect(eq(i32, vln_dict_find(dict, "c", 1), -1));
    vln_dict_destroy(&dict);
    vln_dict_destroy(&dict);
    cr_expect(eq(ptr, dict, NULL));
}

Test(vln_dict, a_hundred_thousand_texts_keep_their_codes)
{
    enum { TEXTS = 100000 };
    vln_dict_t *dict = vln_dict_new();
    char text[64];
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < TEXTS; i++) {
            int len = snprintf(text, sizeof text, "%.*s%d", i % 40,
                               "the same beginning of many of the texts", i);
            cr_assert(eq(i32, vln_dict_add(dict, text, (size_t)len), i));
        }
    }
    for (int i = 0; i < TEXTS; i += 997) {
        size_t len = 0;
        snprintf(text, sizeof text, "%.*s%d", i % 40, "the same beginning of many of the texts", i);
        cr_expect(strcmp(vln_dict_text(dict, i, &len), text) == 0);
        cr_expect(eq(sz, len, strlen(text)));
    }
    cr_expect(eq(sz, vln_dict_count(dict), TEXTS));
    vln_dict_destroy(&dict);
}
