#include "semver.h"

#include <criterion/criterion.h>
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
