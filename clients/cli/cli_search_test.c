#include "cli_search.h"

#include <criterion/criterion.h>
#include <string.h>

static cli_search_t search;

static const Valion__V1__SearchRange *
parse(const char *text)
{
    cr_assert(cli_search_parse(text, &search), "%s", text);
    return &search.range;
}

Test(cli_search, reads_bounds)
{
    const Valion__V1__SearchRange *range = parse("max_depth=2..8");
    cr_expect_str_eq(range->name, "max_depth");
    cr_expect(range->integer && !range->logarithmic);
    cr_expect(range->low == 2 && range->high == 8);
    range = parse("learning_rate=0.01..0.5:log");
    cr_expect(!range->integer && range->logarithmic);
    cr_expect(range->low == 0.01 && range->high == 0.5);
    range = parse("gamma=1e-3..1");
    cr_expect(!range->integer && range->low == 1e-3);
}

Test(cli_search, reads_choices)
{
    const Valion__V1__SearchRange *range = parse("subsample=0.6,0.8,1");
    cr_assert_eq(range->n_choices, 3);
    cr_expect_str_eq(range->choices[1], "0.8");
    cr_expect_not(range->has_low);
    cr_expect_eq(parse("max_depth=6")->n_choices, 1);
}

Test(cli_search, refuses_what_is_none)
{
    static const char *const texts[] = {"",      "=1..2", "a",      "a=",       "a=2..1",
                                        "a=1..", "a=..1", "a=x..y", "a=1..2:l", "a=1..2..3"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        cr_expect_not(cli_search_parse(texts[i], &search), "%s", texts[i]);
    }
    char many[200];
    char *at = stpcpy(many, "a=1");
    for (int i = 0; i < 64; i++) {
        at = stpcpy(at, ",1");
    }
    cr_expect_not(cli_search_parse(many, &search));
}
