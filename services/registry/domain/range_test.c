#include "range.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "vln_err.h"

static semver_t
version_of(const char *text)
{
    semver_t version = {0};
    cr_assert(semver_parse(text, &version), "%s", text);
    return version;
}

static range_t
range_of(const char *text, bool prereleases)
{
    range_t range = {0};
    char why[RANGE_WHY] = "";
    cr_assert(range_parse(text, prereleases, &range, why), "%s: %s", text, why);
    return range;
}

static bool
holds(const char *range, const char *version)
{
    range_t parsed = range_of(range, false);
    semver_t asked = version_of(version);
    return range_contains(&parsed, &asked);
}

/* What is in and what is not, at both ends. */
static const struct {
    const char *range;
    const char *in[4];
    const char *out[4];
} cases[] = {
    {"^1.2.3", {"1.2.3", "1.2.4", "1.99.0"}, {"1.2.2", "2.0.0", "2.0.0-0", "1.2.3-rc.1"}},
    {"^1.2", {"1.2.0", "1.3.0"}, {"1.1.9", "2.0.0"}},
    {"^1", {"1.0.0", "1.9.9"}, {"0.9.9", "2.0.0"}},
    {"^0.2.3", {"0.2.3", "0.2.9"}, {"0.2.2", "0.3.0"}},
    {"^0.0.3", {"0.0.3"}, {"0.0.4", "0.0.2"}},
    {"^0.0", {"0.0.0", "0.0.9"}, {"0.1.0"}},
    {"^0.x", {"0.0.0", "0.9.0"}, {"1.0.0"}},
    {"^1.2.3-beta.2",
     {"1.2.3-beta.2", "1.2.3-beta.10", "1.2.3", "1.9.0"},
     {"1.2.3-beta.1", "1.2.4-beta.2", "2.0.0"}},
    {"~1.2.3", {"1.2.3", "1.2.10"}, {"1.2.2", "1.3.0", "1.2.3-rc.1"}},
    {"~1.2", {"1.2.0", "1.2.9"}, {"1.1.9", "1.3.0"}},
    {"~1", {"1.0.0", "1.9.9"}, {"2.0.0", "0.9.9"}},
    {"~0.2.3", {"0.2.3"}, {"0.3.0"}},
    {">=1.2 <2", {"1.2.0", "1.99.99"}, {"1.1.9", "2.0.0", "2.0.0-alpha"}},
    {">1.2", {"1.3.0", "2.0.0"}, {"1.2.9", "1.3.0-rc.1"}},
    {">1", {"2.0.0"}, {"1.9.9"}},
    {"<=1.2", {"1.2.9", "0.0.0"}, {"1.3.0", "1.3.0-0"}},
    {"<1.2", {"1.1.9"}, {"1.2.0", "1.2.0-alpha"}},
    {"<=1.2.3", {"1.2.3"}, {"1.2.4"}},
    {">1.2.3", {"1.2.4"}, {"1.2.3"}},
    {"1.x", {"1.0.0", "1.9.0"}, {"2.0.0", "0.9.0", "1.0.0-rc.1"}},
    {"1.2.X", {"1.2.0", "1.2.9"}, {"1.3.0"}},
    {"1.2.*", {"1.2.0"}, {"1.3.0"}},
    {"*", {"0.0.0", "99.0.0"}, {"1.0.0-rc.1"}},
    {"x", {"0.0.0"}, {"1.0.0-rc.1"}},
    {"1.2", {"1.2.0", "1.2.7"}, {"1.3.0", "1.1.0"}},
    {"1", {"1.0.0"}, {"2.0.0"}},
    {"1.2.3", {"1.2.3", "1.2.3+build"}, {"1.2.4", "1.2.3-rc.1"}},
    {"=1.2.3", {"1.2.3"}, {"1.2.2"}},
    {"= 1.2", {"1.2.5"}, {"1.3.0"}},
    {"1.2.3 - 2.3.4", {"1.2.3", "2.3.4", "2.0.0"}, {"2.3.5", "1.2.2"}},
    {"1.2 - 2.3", {"1.2.0", "2.3.9"}, {"2.4.0", "1.1.9"}},
    {"1.2.3 - 2", {"2.9.9"}, {"3.0.0"}},
    {"1.2 || ^3.1", {"1.2.3", "3.1.0", "3.9.0"}, {"2.0.0", "3.0.0", "4.0.0"}},
    {"<1||>=2", {"0.9.0", "2.0.0"}, {"1.5.0"}},
    {">1.2.3-alpha.3", {"1.2.3-alpha.7", "3.4.5", "1.2.3"}, {"3.4.5-alpha.9", "1.2.3-alpha.3"}},
    {"<2.0.0-beta.3", {"2.0.0-beta.2", "1.0.0"}, {"2.0.0", "1.5.0-beta.1", "2.0.0-beta.10"}},
    {">=1.0.0-rc.1 <1.0.0", {"1.0.0-rc.1", "1.0.0-rc.2"}, {"1.0.0", "0.9.0"}},
    {">2 <1", {NULL}, {"0.5.0", "1.5.0", "3.0.0"}},
    {">*", {NULL}, {"0.0.0", "1.0.0"}},
    {"<*", {NULL}, {"0.0.0", "0.0.0-0"}},
    {">=*", {"0.0.0"}, {"1.0.0-rc.1"}},
    {"\t >= 1.2.3\t< 2 ", {"1.5.0"}, {"2.0.0"}},
};

Test(range, holds_what_npm_says)
{
    for (size_t i = 0; i < VLN_COUNT(cases); i++) {
        for (size_t j = 0; j < 4; j++) {
            if (cases[i].in[j]) {
                cr_expect(holds(cases[i].range, cases[i].in[j]), "%s in %s", cases[i].in[j],
                          cases[i].range);
            }
            if (cases[i].out[j]) {
                cr_expect_not(holds(cases[i].range, cases[i].out[j]), "%s not in %s",
                              cases[i].out[j], cases[i].range);
            }
        }
    }
}

Test(range, counts_prereleases_like_any_version_when_it_is_told_to)
{
    static const struct {
        const char *range;
        const char *version;
        bool in;
    } wanted[] = {
        {"^1.2", "1.2.0-alpha", true},    {"^1.2", "1.9.0-alpha", true},
        {"^1.2", "2.0.0-alpha", false},   {"1.x", "1.0.0-0", true},
        {"*", "0.0.0-0", true},           {"^1.2.3", "1.2.3-alpha", false},
        {">1", "2.0.0-alpha", true},      {"<2", "2.0.0-alpha", false},
        {"<=1.2.3", "1.2.3-alpha", true}, {"~1.2", "1.2.0-alpha", true},
    };
    for (size_t i = 0; i < VLN_COUNT(wanted); i++) {
        range_t range = range_of(wanted[i].range, true);
        semver_t version = version_of(wanted[i].version);
        cr_expect(range_contains(&range, &version) == wanted[i].in, "%s %s", wanted[i].range,
                  wanted[i].version);
    }
}

Test(range, refuses_what_is_none_with_a_sentence)
{
    char long_word[SEMVER_MAX + 3] = "1.2.3-";
    memset(long_word + 6, 'a', sizeof long_word - 7);
    const char *const wrong[] = {
        "",
        " ",
        "||",
        "1.x ||",
        "|| 1",
        "1 | 2",
        "a",
        "1.2.3.4",
        "1.x.2",
        "x.1",
        "01",
        "1.02",
        "1.2.3-",
        "v1.2.3",
        "^",
        ">=",
        ">= <2",
        ">=1.2<2",
        "^^1",
        "=>1",
        "~>1",
        "!1",
        "1.",
        ".1",
        "1..2",
        "1.2 -",
        "1.2 - ",
        "1.2 - 2 <3",
        ">1 - 2",
        "1.x-rc.1",
        "1.2-rc.1",
        "1.2+b",
        "9223372036854775807",
        "1.2.9223372036854775807",
        "9223372036854775808.0.0",
        "1,2",
        "1.2\n",
        "xx",
        long_word,
        "1||2||3||4||5||6||7||8||9",
        "1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1 1",
    };
    for (size_t i = 0; i < VLN_COUNT(wrong); i++) {
        range_t range = {.set_count = 77};
        char why[RANGE_WHY] = "";
        cr_expect_not(range_parse(wrong[i], false, &range, why), "'%s'", wrong[i]);
        cr_expect(range.set_count == 77 && strlen(why) > 12, "'%s': %s", wrong[i], why);
    }
    char text[RANGE_MAX + 2];
    memset(text, ' ', sizeof text - 1);
    text[0] = '1';
    text[sizeof text - 1] = '\0';
    range_t range;
    char why[RANGE_WHY];
    cr_expect_not(range_parse(text, false, &range, why));
    text[RANGE_MAX] = '\0';
    cr_expect(range_parse(text, false, &range, why));
}

Test(range, its_hull_is_as_wide_as_its_sets)
{
    static const struct {
        const char *range;
        const char *low;
        const char *high;
        bool prereleases;
    } wanted[] = {
        {"^1.2", "1.2.0", "2.0.0-0", false},
        {"1.x || 3.x", "1.0.0", "4.0.0-0", false},
        {"3.x || 1.x", "1.0.0", "4.0.0-0", false},
        {"*", NULL, NULL, false},
        {">=1 || 0.5.0", "0.5.0", NULL, false},
        {"<1 || 0.5.0", NULL, "1.0.0-0", false},
        {">2 <1 || 5.0.0", "5.0.0", "5.0.0", false},
        {">=1.0.0-rc.1", "1.0.0-rc.1", NULL, true},
        {"1.x || <2.0.0-rc.1", NULL, "2.0.0-rc.1", true},
        {"1.0.0-0", "1.0.0-0", "1.0.0-0", true},
    };
    for (size_t i = 0; i < VLN_COUNT(wanted); i++) {
        range_t range = range_of(wanted[i].range, false);
        range_hull_t hull;
        char text[SEMVER_TEXT];
        cr_assert(range_bounds(&range, &hull), "%s", wanted[i].range);
        cr_expect((hull.low == NULL) == (wanted[i].low == NULL), "%s", wanted[i].range);
        cr_expect((hull.high == NULL) == (wanted[i].high == NULL), "%s", wanted[i].range);
        cr_expect(hull.prereleases == wanted[i].prereleases, "%s", wanted[i].range);
        if (hull.low && wanted[i].low) {
            cr_expect_str_eq(semver_format(hull.low, text), wanted[i].low);
        }
        if (hull.high && wanted[i].high) {
            cr_expect_str_eq(semver_format(hull.high, text), wanted[i].high);
        }
    }
    range_t none = range_of(">2 <1 || <*", false);
    range_hull_t hull;
    cr_expect_not(range_bounds(&none, &hull));
    range_t some = range_of("^1.2", true);
    cr_assert(range_bounds(&some, &hull) && hull.prereleases);
    cr_expect_str_eq(hull.low->prerelease, "0");
}

/* ---- against what its words say one by one ---- */

enum { ROUNDS = 20000, WORDS = 4, SETS = 3, PROBES = 12 };

static uint64_t state;

static unsigned
draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

/* Few numbers, so that versions meet. */
static semver_t
draw_version(void)
{
    static const char *const prereleases[] = {"", "", "", "0", "alpha", "alpha.1", "beta", "rc.10"};
    semver_t version = {.major = draw(3), .minor = draw(3), .patch = draw(3)};
    snprintf(version.prerelease, sizeof version.prerelease, "%s",
             prereleases[draw(VLN_COUNT(prereleases))]);
    return version;
}

typedef struct word {
    unsigned kind;
    semver_t version;
} word_t;

static const char *const kinds[] = {"<", "<=", ">", ">=", "="};

static bool
word_holds(const word_t *word, const semver_t *version)
{
    int order = semver_compare(version, &word->version);
    switch (word->kind) {
    case 0:
        return order < 0;
    case 1:
        return order <= 0;
    case 2:
        return order > 0;
    case 3:
        return order >= 0;
    default:
        return order == 0;
    }
}

/* The definition: all comparators hold, and a prerelease is meant by one of the same core. */
static bool
words_hold(const word_t *words, size_t count, bool prereleases, const semver_t *version)
{
    bool meant = !version->prerelease[0] || prereleases;
    for (size_t i = 0; i < count; i++) {
        const semver_t *of = &words[i].version;
        if (!word_holds(&words[i], version)) {
            return false;
        }
        meant = meant || (of->prerelease[0] && of->major == version->major &&
                          of->minor == version->minor && of->patch == version->patch);
    }
    return meant;
}

typedef struct drawn {
    char text[RANGE_MAX + 1];
    size_t sets;
    size_t counts[SETS];
    word_t words[SETS][WORDS];
} drawn_t;

static void
draw_range(drawn_t *out)
{
    size_t used = 0;
    out->sets = 1 + draw(SETS);
    for (size_t i = 0; i < out->sets; i++) {
        out->counts[i] = 1 + draw(WORDS);
        used += (size_t)snprintf(out->text + used, sizeof out->text - used, "%s", i ? "||" : "");
        for (size_t j = 0; j < out->counts[i]; j++) {
            char text[SEMVER_TEXT];
            word_t *word = &out->words[i][j];
            *word = (word_t){draw(VLN_COUNT(kinds)), draw_version()};
            used += (size_t)snprintf(out->text + used, sizeof out->text - used, " %s%s",
                                     kinds[word->kind], semver_format(&word->version, text));
        }
    }
}

Test(range, contains_what_its_comparators_say_and_lies_within_its_hull)
{
    state = 1;
    size_t inside = 0;
    for (int round = 0; round < ROUNDS; round++) {
        drawn_t drawn;
        draw_range(&drawn);
        bool prereleases = draw(4) == 0;
        range_t range = range_of(drawn.text, prereleases);
        range_hull_t hull;
        bool any = range_bounds(&range, &hull);
        for (int probe = 0; probe < PROBES; probe++) {
            semver_t version = draw_version();
            bool wanted = false;
            for (size_t i = 0; i < drawn.sets; i++) {
                wanted =
                    wanted || words_hold(drawn.words[i], drawn.counts[i], prereleases, &version);
            }
            char text[SEMVER_TEXT];
            cr_assert(range_contains(&range, &version) == wanted, "%s in '%s'",
                      semver_format(&version, text), drawn.text);
            inside += wanted;
            bool within = any && (!hull.low || semver_compare(hull.low, &version) <= 0) &&
                          (!hull.high || semver_compare(&version, hull.high) <= 0) &&
                          (hull.prereleases || !version.prerelease[0]);
            cr_assert(!wanted || within, "%s outside the hull of '%s'", text, drawn.text);
        }
    }
    cr_expect(inside > ROUNDS, "the probes hit too little: %zu", inside);
}

static bool
is_wider(const range_hull_t *wide, const range_hull_t *narrow)
{
    bool low = !wide->low || (narrow->low && semver_compare(wide->low, narrow->low) <= 0);
    bool high = !wide->high || (narrow->high && semver_compare(wide->high, narrow->high) >= 0);
    return low && high;
}

Test(range, an_alternative_never_narrows_its_hull_and_a_comparator_never_widens_it)
{
    static const char *const more[] = {"^1.1", "~0.2",  "1.x",        "<=1.2",
                                       ">1",   "0.1.2", "=2.0.0-rc.1"};
    state = 2;
    for (int round = 0; round < ROUNDS; round++) {
        drawn_t drawn;
        char text[RANGE_MAX + 1];
        draw_range(&drawn);
        const char *word = more[draw(VLN_COUNT(more))];
        range_t first = range_of(drawn.text, false);
        snprintf(text, sizeof text, "%.400s || %s", drawn.text, word);
        range_t wider = range_of(text, false);
        range_t alone = range_of(word, false);
        range_hull_t of_first;
        range_hull_t of_wider;
        range_hull_t of_alone;
        cr_assert(range_bounds(&wider, &of_wider) && range_bounds(&alone, &of_alone));
        cr_assert(is_wider(&of_wider, &of_alone), "%s", text);
        cr_assert(!range_bounds(&first, &of_first) || is_wider(&of_wider, &of_first), "%s", text);
        snprintf(text, sizeof text, "%s %s%s", word, kinds[drawn.words[0][0].kind], "1.1.1");
        range_t narrower = range_of(text, false);
        range_hull_t of_narrower;
        cr_assert(!range_bounds(&narrower, &of_narrower) || is_wider(&of_alone, &of_narrower), "%s",
                  text);
    }
}
