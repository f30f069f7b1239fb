#include "encoding.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static vln_arena_t *arena;
static encoding_t encoding;
static char why[ENCODING_WHY];

static void
setup(void)
{
    arena = vln_arena_new(1 << 20);
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(encoding, .init = setup, .fini = teardown, .timeout = 30);

static const encoding_word_t cities[] = {{"Rome", 4}, {"Oslo", 1}, {"\xc3\x89vora", 3},
                                         {"Lima", 1}, {"rome", 2}, {"gone", 0}};
static const encoding_word_t holes[] = {{"b", 3}, {"", 2}, {"a", 3}, {"", 1}};

static void
fit(const encoding_word_t *words, size_t count, encoding_terms_t terms)
{
    cr_assert(encoding_fit(words, count, &terms, arena, &encoding, why), "%s", why);
}

static void
expect_categories(const char *wanted)
{
    char found[256] = "";
    size_t size = 0;
    for (size_t i = 0; i < encoding.count; i++) {
        size += (size_t)snprintf(found + size, sizeof found - size, "%s,", encoding.categories[i]);
    }
    cr_expect_str_eq(found, wanted);
}

Test(encoding, sorts_what_is_seen_by_its_bytes)
{
    fit(cities, 6, (encoding_terms_t){0});
    expect_categories("Lima,Oslo,Rome,rome,\xc3\x89vora,");
    cr_expect_not(encoding.has_rest);
    cr_expect_eq(encoding_width(&encoding), 5);
    cr_expect_eq(encoding_code(&encoding, "Rome"), 2);
    cr_expect_eq(encoding_code(&encoding, "gone"), -1);
    cr_expect_eq(encoding_code(&encoding, ""), -1, "none was missing");
}

Test(encoding, does_not_depend_on_the_order_of_the_words)
{
    encoding_word_t turned[6];
    for (size_t i = 0; i < 6; i++) {
        turned[i] = cities[5 - i];
    }
    fit(turned, 6, (encoding_terms_t){.max = 3});
    expect_categories("Rome,\xc3\x89vora,");
    fit(cities, 6, (encoding_terms_t){.max = 3});
    expect_categories("Rome,\xc3\x89vora,");
}

Test(encoding, makes_what_is_missing_a_category_where_it_was_seen)
{
    fit(holes, 4, (encoding_terms_t){0});
    expect_categories(",a,b,");
    cr_expect_eq(encoding_code(&encoding, ""), 0);
    cr_expect_null(encoding.fill);
}

Test(encoding, fills_what_is_missing_with_the_least_of_the_most_frequent)
{
    fit(holes, 4, (encoding_terms_t){.fill = ENCODING_FILL_MOST_FREQUENT});
    expect_categories("a,b,");
    cr_expect_str_eq(encoding.fill, "a");
    cr_expect_eq(encoding_code(&encoding, ""), 0);
    const encoding_word_t nothing[] = {{"", 7}};
    fit(nothing, 1, (encoding_terms_t){.fill = ENCODING_FILL_MOST_FREQUENT});
    expect_categories(",");
}

Test(encoding, fills_what_is_missing_with_a_text)
{
    encoding_terms_t terms = {.fill = ENCODING_FILL_TEXT, .text = "none"};
    fit(holes, 4, terms);
    expect_categories("a,b,none,");
    cr_expect_eq(encoding_code(&encoding, ""), 2);
    fit(cities, 6, terms);
    cr_expect_eq(encoding_code(&encoding, ""), -1, "no row was filled, so it is no category");
    terms.text = "";
    fit(holes, 4, terms);
    expect_categories(",a,b,");
    terms.text = "b";
    fit(holes, 4, terms);
    expect_categories("a,b,");
    cr_expect_eq(encoding_code(&encoding, ""), 1);
}

Test(encoding, makes_the_rarest_one_category_that_takes_the_unknown_too)
{
    fit(cities, 6, (encoding_terms_t){.max = 4});
    expect_categories("Rome,rome,\xc3\x89vora,");
    cr_expect(encoding.has_rest);
    cr_expect_eq(encoding.rest, 2);
    cr_expect_eq(encoding_width(&encoding), 4);
    cr_expect_eq(encoding_code(&encoding, "Lima"), 3);
    cr_expect_eq(encoding_code(&encoding, "never seen"), 3);
    fit(cities, 6, (encoding_terms_t){.max = 5});
    cr_expect_not(encoding.has_rest, "all of them fit");
}

Test(encoding, keeps_the_greater_of_two_that_are_equally_frequent)
{
    fit(holes, 4, (encoding_terms_t){.max = 2});
    expect_categories("b,"); /* "", a and b stand in three rows each */
    cr_expect_eq(encoding_code(&encoding, ""), 1);
}

Test(encoding, refuses_more_categories_than_there_may_be)
{
    enum { MANY = ENCODING_CATEGORIES_MAX + 1 };
    static char texts[MANY][8];
    encoding_word_t words[MANY];
    for (size_t i = 0; i < MANY; i++) {
        snprintf(texts[i], sizeof texts[i], "t%03zu", i);
        words[i] = (encoding_word_t){texts[i], i + 1};
    }
    encoding_terms_t terms = {0};
    cr_expect_not(encoding_fit(words, MANY, &terms, arena, &encoding, why));
    cr_expect(strstr(why, "257 different texts") && strstr(why, "max_categories"), "%s", why);
    fit(words, MANY - 1, terms);
    terms.max = ENCODING_CATEGORIES_MAX;
    fit(words, MANY, terms);
    cr_expect_eq(encoding_width(&encoding), ENCODING_CATEGORIES_MAX);
    cr_expect_eq(encoding_code(&encoding, "t000"), ENCODING_CATEGORIES_MAX - 1);
    for (size_t i = 0; i < 2; i++) {
        terms.max = i == 0 ? 1 : MANY;
        cr_expect_not(encoding_fit(words, 3, &terms, arena, &encoding, why));
        cr_expect(strstr(why, "2 to 256"), "%s", why);
    }
}
