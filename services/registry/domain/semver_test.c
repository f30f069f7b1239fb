#include "semver.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "vln_err.h"

/* Each precedes the next: the chain of semver.org, and what text order gets wrong. */
static const char *const chain[] = {
    "0.0.0",
    "0.9.9",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.9",
    "1.0.0-alpha.10",
    "1.0.0-alpha.beta",
    "1.0.0-alpha-",
    "1.0.0-alphabet",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.9",
    "1.0.10",
    "1.1.0-1",
    "1.1.0-2.x",
    "1.1.0-18446744073709551616",
    "1.1.0-a",
    "1.1.0",
    "2.0.0",
    "10.0.0",
};

static semver_t
parsed(const char *text)
{
    semver_t version = {0};
    cr_assert(semver_parse(text, &version), "%s", text);
    return version;
}

Test(semver, orders_by_precedence)
{
    for (size_t i = 0; i < VLN_COUNT(chain); i++) {
        for (size_t j = 0; j < VLN_COUNT(chain); j++) {
            semver_t left = parsed(chain[i]);
            semver_t right = parsed(chain[j]);
            int expected = (i > j) - (i < j);
            cr_expect(semver_compare(&left, &right) == expected, "%s %s", chain[i], chain[j]);
        }
    }
}

Test(semver, sorts_by_its_key_as_it_compares)
{
    for (size_t i = 0; i < VLN_COUNT(chain); i++) {
        for (size_t j = 0; j < VLN_COUNT(chain); j++) {
            semver_t left = parsed(chain[i]);
            semver_t right = parsed(chain[j]);
            if (left.major != right.major || left.minor != right.minor ||
                left.patch != right.patch) {
                continue;
            }
            char left_key[SEMVER_KEY];
            char right_key[SEMVER_KEY];
            int order = strcmp(semver_prerelease_key(&left, left_key),
                               semver_prerelease_key(&right, right_key));
            int expected = (i > j) - (i < j);
            cr_expect((order > 0) - (order < 0) == expected, "%s %s", chain[i], chain[j]);
        }
    }
}

Test(semver, ignores_build_metadata_in_precedence)
{
    semver_t left = parsed("1.0.0+a");
    semver_t right = parsed("1.0.0+b");
    cr_expect(semver_compare(&left, &right) == 0);
}

Test(semver, refuses_what_is_none)
{
    static const char *const wrong[] = {
        "",           "1",         "1.2",    "1.2.3.4",   "01.2.3",
        "1.02.3",     "1.2.03",    "1.2.3-", "1.2.3+",    "1.2.3-01",
        "1.2.3-a..b", "1.2.3-a_b", "v1.2.3", " 1.2.3",    "1.2.3 ",
        "1.2.3-+",    "a.b.c",     "-1.2.3", "1.2.3+a+b", "9223372036854775808.0.0",
    };
    for (size_t i = 0; i < VLN_COUNT(wrong); i++) {
        semver_t version;
        cr_expect(!semver_parse(wrong[i], &version), "%s", wrong[i]);
    }
}

Test(semver, formats_what_it_parsed)
{
    static const char *const texts[] = {"1.2.3", "1.2.3-rc.1+build.007", "1.0.0-x-y-z.--",
                                        "1.0.0+001", "9223372036854775807.0.0"};
    for (size_t i = 0; i < VLN_COUNT(texts); i++) {
        semver_t version = parsed(texts[i]);
        char text[SEMVER_TEXT];
        cr_expect_str_eq(semver_format(&version, text), texts[i]);
    }
}

Test(semver, bumps_finish_a_prerelease)
{
    static const struct {
        const char *from;
        semver_bump_t bump;
        const char *to;
    } cases[] = {
        {"1.0.0", SEMVER_PATCH, "1.0.1"},
        {"1.0.9", SEMVER_PATCH, "1.0.10"},
        {"1.0.1", SEMVER_MINOR, "1.1.0"},
        {"1.1.1", SEMVER_MAJOR, "2.0.0"},
        {"1.0.1-alpha.1", SEMVER_PATCH, "1.0.1"},
        {"1.1.0-rc.1", SEMVER_MINOR, "1.1.0"},
        {"2.0.0-beta", SEMVER_MAJOR, "2.0.0"},
        {"1.0.1-alpha.1", SEMVER_MINOR, "1.1.0"},
        {"1.0.0", SEMVER_PRERELEASE, "1.0.1-alpha.1"},
        {"1.0.1-alpha.1", SEMVER_PRERELEASE, "1.0.1-alpha.2"},
        {"1.0.1-rc", SEMVER_PRERELEASE, "1.0.1-rc.1"},
        {"1.0.0-rc.-0", SEMVER_PRERELEASE, "1.0.0-rc.-0.1"},
        {"1.0.0+7", SEMVER_PATCH, "1.0.1"},
    };
    for (size_t i = 0; i < VLN_COUNT(cases); i++) {
        semver_t version = parsed(cases[i].from);
        semver_t next = semver_next(&version, cases[i].bump);
        char text[SEMVER_TEXT];
        cr_expect_str_eq(semver_format(&next, text), cases[i].to);
        cr_expect(semver_compare(&next, &version) > 0, "%s", cases[i].from);
    }
}

/* ---- the lists of semver.org ---- */

Test(semver, takes_every_version_of_the_public_list)
{
    static const char *const valid[] = {
        "0.0.4",
        "1.2.3",
        "10.20.30",
        "1.1.2-prerelease+meta",
        "1.1.2+meta",
        "1.1.2+meta-valid",
        "1.0.0-alpha",
        "1.0.0-beta",
        "1.0.0-alpha.beta",
        "1.0.0-alpha.beta.1",
        "1.0.0-alpha.1",
        "1.0.0-alpha0.valid",
        "1.0.0-alpha.0valid",
        "1.0.0-alpha-a.b-c-somethinglong+build.1-aef.1-its-okay",
        "1.0.0-rc.1+build.1",
        "2.0.0-rc.1+build.123",
        "1.2.3-beta",
        "10.2.3-DEV-SNAPSHOT",
        "1.2.3-SNAPSHOT-123",
        "1.0.0",
        "2.0.0",
        "1.1.7",
        "2.0.0+build.1848",
        "2.0.1-alpha.1227",
        "1.0.0-alpha+beta",
        "1.2.3----RC-SNAPSHOT.12.9.1--.12+788",
        "1.2.3----R-S.12.9.1--.12+meta",
        "1.2.3----RC-SNAPSHOT.12.9.1--.12",
        "1.0.0+0.build.1-rc.10000aaa-kk-0.1",
        "1.0.0-0A.is.legal",
    };
    for (size_t i = 0; i < VLN_COUNT(valid); i++) {
        semver_t version = parsed(valid[i]);
        char text[SEMVER_TEXT];
        cr_expect_str_eq(semver_format(&version, text), valid[i]);
    }
}

/* The list has one valid version that is none here: numbers end at 2^63 - 1, by contract. */
Test(semver, refuses_a_number_that_the_record_cannot_hold)
{
    semver_t version;
    cr_expect_not(
        semver_parse("99999999999999999999999.999999999999999999.99999999999999999", &version));
    cr_expect_not(semver_parse("1.9223372036854775808.0", &version));
    cr_expect_not(semver_parse("1.0.10000000000000000000", &version));
    cr_expect(semver_parse("1.0.9223372036854775807", &version));
}

Test(semver, refuses_every_text_of_the_public_list)
{
    static const char *const invalid[] = {
        "1",
        "1.2",
        "1.2.3-0123",
        "1.2.3-0123.0123",
        "1.1.2+.123",
        "+invalid",
        "-invalid",
        "-invalid+invalid",
        "-invalid.01",
        "alpha",
        "alpha.beta",
        "alpha.beta.1",
        "alpha.1",
        "alpha+beta",
        "alpha_beta",
        "alpha.",
        "alpha..",
        "beta",
        "1.0.0-alpha_beta",
        "-alpha.",
        "1.0.0-alpha..",
        "1.0.0-alpha..1",
        "1.0.0-alpha...1",
        "1.0.0-alpha....1",
        "1.0.0-alpha.....1",
        "1.0.0-alpha......1",
        "1.0.0-alpha.......1",
        "01.1.1",
        "1.01.1",
        "1.1.01",
        "1.2.3.DEV",
        "1.2-SNAPSHOT",
        "1.2.31.2.3----RC-SNAPSHOT.12.09.1--..12+788",
        "1.2-RC-SNAPSHOT",
        "-1.0.3-gamma+b7718",
        "+justmeta",
        "9.8.7+meta+meta",
        "9.8.7-whatever+meta+meta",
        ("99999999999999999999999.999999999999999999.99999999999999999----RC-SNAPSHOT.12.09.1---"
         "-----------------------------..12"),
    };
    for (size_t i = 0; i < VLN_COUNT(invalid); i++) {
        semver_t version;
        cr_expect_not(semver_parse(invalid[i], &version), "%s", invalid[i]);
    }
}

Test(semver, orders_the_chain_of_the_specification)
{
    static const char *const spec[] = {"1.0.0-alpha", "1.0.0-alpha.1", "1.0.0-alpha.beta",
                                       "1.0.0-beta",  "1.0.0-beta.2",  "1.0.0-beta.11",
                                       "1.0.0-rc.1",  "1.0.0",         "2.0.0",
                                       "2.1.0",       "2.1.1"};
    for (size_t i = 0; i + 1 < VLN_COUNT(spec); i++) {
        semver_t lower = parsed(spec[i]);
        semver_t higher = parsed(spec[i + 1]);
        cr_expect(semver_compare(&lower, &higher) == -1, "%s < %s", spec[i], spec[i + 1]);
        cr_expect(semver_compare(&higher, &lower) == 1, "%s > %s", spec[i + 1], spec[i]);
    }
}

/* What is compared as text goes wrong here: 10 is below 9. */
Test(semver, counts_where_text_would_not)
{
    semver_t nine = parsed("1.0.9");
    semver_t ten = parsed("1.0.10");
    semver_t alpha_nine = parsed("1.0.0-alpha.9");
    semver_t alpha_ten = parsed("1.0.0-alpha.10");
    cr_expect(semver_compare(&nine, &ten) == -1);
    cr_expect(semver_compare(&alpha_nine, &alpha_ten) == -1);
    semver_t next = semver_next(&nine, SEMVER_PATCH);
    cr_expect(semver_compare(&next, &ten) == 0);
    next = semver_next(&alpha_nine, SEMVER_PRERELEASE);
    cr_expect(semver_compare(&next, &alpha_ten) == 0);
}

Test(semver, has_no_next_version_beyond_the_largest_number)
{
    static const char *const last[] = {"9223372036854775807.1.1", "1.9223372036854775807.1",
                                       "1.1.9223372036854775807"};
    static const semver_bump_t bumps[] = {SEMVER_MAJOR, SEMVER_MINOR, SEMVER_PATCH};
    for (size_t i = 0; i < VLN_COUNT(last); i++) {
        semver_t version = parsed(last[i]);
        semver_t next = semver_next(&version, bumps[i]);
        char text[SEMVER_TEXT];
        cr_expect_not(semver_parse(semver_format(&next, text), &version), "%s", text);
    }
}

/* ---- for any versions ---- */

enum { ROUNDS = 50000 };

static uint64_t state;

static unsigned
draw(unsigned below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (unsigned)(state >> 33) % below;
}

/* Few different ones, so that versions share beginnings; some numbers are beyond any integer. */
static void
draw_identifiers(unsigned most, char *out, size_t size)
{
    static const char *const identifiers[] = {"0",
                                              "1",
                                              "9",
                                              "10",
                                              "alpha",
                                              "alph",
                                              "-",
                                              "-0",
                                              "a-b",
                                              "A",
                                              "0a",
                                              "1-",
                                              "9223372036854775807",
                                              "18446744073709551616"};
    size_t used = 0;
    for (unsigned left = 1 + draw(most); left > 0; left--) {
        used += (size_t)snprintf(out + used, size - used, "%s%s", used ? "." : "",
                                 identifiers[draw(VLN_COUNT(identifiers))]);
    }
}

static semver_t
draw_version(void)
{
    static const int64_t numbers[] = {0, 1, 9, 10, 99, 100, INT64_MAX - 1};
    semver_t version = {.major = numbers[draw(VLN_COUNT(numbers))],
                        .minor = numbers[draw(3)],
                        .patch = numbers[draw(4)]};
    if (draw(3) != 0) {
        draw_identifiers(4, version.prerelease, sizeof version.prerelease);
    }
    if (draw(4) == 0) {
        draw_identifiers(1, version.build, sizeof version.build);
    }
    return version;
}

Test(semver, order_is_one_order)
{
    state = 1;
    for (int round = 0; round < ROUNDS; round++) {
        semver_t a = draw_version();
        semver_t b = draw_version();
        semver_t c = draw_version();
        /* The cores alike, most of the time: else prereleases would seldom be asked. */
        if (draw(4) != 0) {
            b.major = c.major = a.major;
            b.minor = c.minor = a.minor;
            b.patch = c.patch = a.patch;
        }
        int ab = semver_compare(&a, &b);
        int bc = semver_compare(&b, &c);
        int ac = semver_compare(&a, &c);
        char of_a[SEMVER_TEXT];
        char of_b[SEMVER_TEXT];
        char of_c[SEMVER_TEXT];
        semver_format(&a, of_a);
        semver_format(&b, of_b);
        semver_format(&c, of_c);
        cr_assert(semver_compare(&a, &a) == 0, "%s", of_a);
        cr_assert(semver_compare(&b, &a) == -ab, "%s %s", of_a, of_b);
        cr_assert(ab > 0 || bc > 0 || ac <= 0, "%s %s %s", of_a, of_b, of_c);
        cr_assert(ab > 0 || bc > 0 || ac != 0 || (ab == 0 && bc == 0), "%s %s %s", of_a, of_b,
                  of_c);
    }
}

Test(semver, key_sorts_any_two_as_they_compare)
{
    state = 2;
    for (int round = 0; round < ROUNDS; round++) {
        semver_t a = draw_version();
        semver_t b = draw_version();
        b.major = a.major;
        b.minor = a.minor;
        b.patch = a.patch;
        char of_a[SEMVER_KEY];
        char of_b[SEMVER_KEY];
        int order = strcmp(semver_prerelease_key(&a, of_a), semver_prerelease_key(&b, of_b));
        cr_assert((order > 0) - (order < 0) == semver_compare(&a, &b), "%s %s", a.prerelease,
                  b.prerelease);
    }
}

Test(semver, every_bump_goes_up_and_can_be_read)
{
    state = 3;
    for (int round = 0; round < ROUNDS; round++) {
        semver_t version = draw_version();
        for (semver_bump_t bump = SEMVER_MAJOR; bump <= SEMVER_PRERELEASE; bump++) {
            semver_t next = semver_next(&version, bump);
            semver_t read = {0};
            char from[SEMVER_TEXT];
            char to[SEMVER_TEXT];
            semver_format(&version, from);
            cr_assert(semver_parse(semver_format(&next, to), &read), "%s -> %s", from, to);
            cr_assert(semver_compare(&next, &version) > 0, "%s -> %s", from, to);
            cr_assert(semver_compare(&next, &read) == 0, "%s", to);
            cr_assert((next.prerelease[0] != '\0') == (bump == SEMVER_PRERELEASE), "%s", to);
            cr_assert(next.build[0] == '\0', "%s", to);
        }
    }
}

Test(semver, reads_back_what_it_formats)
{
    state = 4;
    for (int round = 0; round < ROUNDS; round++) {
        semver_t version = draw_version();
        semver_t again = {0};
        char text[SEMVER_TEXT];
        cr_assert(semver_parse(semver_format(&version, text), &again), "%s", text);
        cr_assert(again.major == version.major && again.minor == version.minor &&
                  again.patch == version.patch);
        cr_assert_str_eq(again.prerelease, version.prerelease);
        cr_assert_str_eq(again.build, version.build);
    }
}
