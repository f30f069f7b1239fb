#include "search.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static Valion__V1__SearchRange range;
static Valion__V1__SearchRange *ranges[] = {&range};
static Valion__V1__Search search;
static char why[SEARCH_WHY];

static void
setup(void)
{
    valion__v1__search__init(&search);
    valion__v1__search_range__init(&range);
    search.ranges = ranges;
    search.n_ranges = 1;
    range.name = (char *)"max_depth";
    range.has_low = range.has_high = 1;
    range.low = 2;
    range.high = 9;
}

TestSuite(search, .init = setup);

Test(search, draws_whole_numbers_evenly_with_both_ends)
{
    int seen[16] = {0};
    range.integer = range.has_integer = 1;
    for (uint32_t trial = 1; trial <= 8000; trial++) {
        char text[SEARCH_VALUE];
        long value = strtol(search_draw(&search, 42, trial, 0, text), NULL, 10);
        cr_assert(value >= 2 && value <= 9, "%ld", value);
        seen[value]++;
    }
    for (int i = 2; i <= 9; i++) {
        cr_expect(abs(seen[i] - 1000) < 150, "%d came %d times", i, seen[i]);
    }
}

Test(search, draws_logarithms_evenly)
{
    int low = 0;
    range.low = 1e-4;
    range.high = 1;
    range.logarithmic = range.has_logarithmic = 1;
    for (uint32_t trial = 1; trial <= 4000; trial++) {
        char text[SEARCH_VALUE];
        double value = strtod(search_draw(&search, 42, trial, 0, text), NULL);
        cr_assert(value >= 1e-4 && value <= 1);
        low += value < 1e-2;
    }
    cr_expect(abs(low - 2000) < 150, "%d", low);
}

Test(search, a_trial_does_not_depend_on_others)
{
    char first[SEARCH_VALUE];
    char again[SEARCH_VALUE];
    search_draw(&search, 7, 3, 0, first);
    search_draw(&search, 7, 4, 0, again);
    cr_expect_str_neq(first, again);
    cr_expect_str_eq(search_draw(&search, 7, 3, 0, again), first);
    cr_expect_str_neq(search_draw(&search, 8, 3, 0, again), first);
}

Test(search, takes_one_of_the_choices)
{
    static char *choices[] = {(char *)"1", (char *)"10", (char *)"100"};
    int seen[4] = {0};
    range.has_low = range.has_high = 0;
    range.choices = choices;
    range.n_choices = 3;
    cr_expect(search_check(&search, why), "%s", why);
    for (uint32_t trial = 1; trial <= 300; trial++) {
        char text[SEARCH_VALUE];
        seen[strlen(search_draw(&search, 42, trial, 0, text))]++;
    }
    cr_expect(seen[1] > 60 && seen[2] > 60 && seen[3] > 60);
}

Test(search, refuses_what_makes_no_sense)
{
    cr_expect(search_check(&search, why));
    range.low = 9;
    cr_expect_not(search_check(&search, why));
    range.low = NAN;
    cr_expect_not(search_check(&search, why));
    range.low = 0;
    range.logarithmic = range.has_logarithmic = 1;
    cr_expect_not(search_check(&search, why));
    cr_expect(strstr(why, "max_depth"));
    range.logarithmic = 0;
    range.name = NULL;
    cr_expect_not(search_check(&search, why));
    range.name = (char *)"max_depth";
    search.has_trials = 1;
    search.trials = 0;
    cr_expect_not(search_check(&search, why));
    search.trials = 1001;
    cr_expect_not(search_check(&search, why));
    search.n_ranges = 0;
    cr_expect_not(search_check(&search, why));
}

Test(search, counts_trials)
{
    cr_expect_eq(search_trials(NULL), 1);
    cr_expect_eq(search_trials(&search), SEARCH_TRIALS);
    search.has_trials = 1;
    search.trials = 3;
    cr_expect_eq(search_trials(&search), 3);
}
