#include "suggest.h"

#include <criterion/criterion.h>
#include <string.h>

static const int64_t NOON_US = 1704110400000000; /* 2024-01-01 12:00:00 UTC */

static const char *
next_of(suggest_scheme_t scheme, const char *current, semver_bump_t bump)
{
    static char text[SEMVER_TEXT];
    semver_t from;
    semver_t next;
    cr_assert(!current || semver_parse(current, &from));
    if (!suggest_next(scheme, current ? &from : NULL, bump, NOON_US, &next)) {
        return "none";
    }
    semver_t again;
    cr_assert(semver_parse(semver_format(&next, text), &again), "%s is no version", text);
    return text;
}

Test(suggest, one_fact_gives_one_bump)
{
    static const struct {
        suggest_context_t context;
        semver_bump_t bump;
    } cases[] = {
        {{.breaking_change = true}, SEMVER_MAJOR},
        {{.architecture_change = true}, SEMVER_MAJOR},
        {{.new_feature = true}, SEMVER_MINOR},
        {{.performance_improvement = 0.11}, SEMVER_MINOR},
        {{.performance_improvement = 0.1}, SEMVER_PATCH},
        {{.performance_improvement = -1}, SEMVER_PATCH},
        {{.bug_fix = true}, SEMVER_PATCH},
        {{.data_drift = true}, SEMVER_PATCH},
        {{.experimental = true}, SEMVER_PRERELEASE},
        {{.bug_fix = false}, SEMVER_PATCH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        suggestion_t found = suggest_bump(&cases[i].context);
        cr_expect(found.bump == cases[i].bump && found.reason_count == 1, "case %zu", i);
    }
}

Test(suggest, the_larger_bump_wins_and_tells_all_its_reasons)
{
    const suggest_context_t context = {.breaking_change = true,
                                       .architecture_change = true,
                                       .bug_fix = true,
                                       .experimental = true};
    suggestion_t found = suggest_bump(&context);
    cr_expect(found.bump == SEMVER_MAJOR && found.reason_count == 2);
    cr_expect(strstr(found.reasons[1], "architecture_change") != NULL);
    const suggest_context_t fix = {.data_drift = true, .bug_fix = true, .experimental = true};
    cr_expect(suggest_bump(&fix).bump == SEMVER_PATCH);
}

Test(suggest, the_three_of_the_main_job)
{
    cr_expect_str_eq(next_of(SUGGEST_SEMANTIC, "1.0.0", SEMVER_PATCH), "1.0.1");
    cr_expect_str_eq(next_of(SUGGEST_SEMANTIC, "1.0.0", SEMVER_MINOR), "1.1.0");
    cr_expect_str_eq(next_of(SUGGEST_SEMANTIC, "1.0.0", SEMVER_MAJOR), "2.0.0");
}

Test(suggest, every_scheme_goes_up)
{
    cr_expect_str_eq(next_of(SUGGEST_SEMANTIC, NULL, SEMVER_MINOR), "1.0.0");
    cr_expect_str_eq(next_of(SUGGEST_TIMESTAMP, NULL, SEMVER_PATCH), "2024.101.120000");
    cr_expect_str_eq(next_of(SUGGEST_TIMESTAMP, "2023.1231.235959", SEMVER_PATCH),
                     "2024.101.120000");
    cr_expect_str_eq(next_of(SUGGEST_TIMESTAMP, "2024.101.120000", SEMVER_PATCH), "none");
    cr_expect_str_eq(next_of(SUGGEST_SEQUENTIAL, NULL, SEMVER_PATCH), "1.0.0");
    cr_expect_str_eq(next_of(SUGGEST_SEQUENTIAL, "41.0.0", SEMVER_PATCH), "42.0.0");
    cr_expect_str_eq(next_of(SUGGEST_HYBRID, NULL, SEMVER_PATCH), "1.0.0-20240101.1");
    cr_expect_str_eq(next_of(SUGGEST_HYBRID, "1.0.0-20240101.1", SEMVER_PATCH), "1.0.0-20240101.2");
    cr_expect_str_eq(next_of(SUGGEST_HYBRID, "1.0.0-20231231.7", SEMVER_PATCH), "1.0.0-20240101.1");
    cr_expect_str_eq(next_of(SUGGEST_HYBRID, "1.0.0", SEMVER_PATCH), "1.0.1-20240101.1");
    cr_expect_str_eq(next_of(SUGGEST_HYBRID, "1.0.0-rc.1", SEMVER_PATCH), "none");
}

Test(suggest, versions_are_compatible_down_to_a_level)
{
    semver_t one;
    semver_t two;
    cr_assert(semver_parse("1.0.0", &one) && semver_parse("1.2.0", &two));
    cr_expect(semver_compare(&one, &two) == -1);
    cr_expect(suggest_is_compatible(&one, &two, SUGGEST_SAME_MAJOR));
    cr_expect_not(suggest_is_compatible(&one, &two, SUGGEST_SAME_MINOR));
    cr_expect_not(suggest_is_compatible(&one, &two, SUGGEST_SAME_PATCH));
    cr_expect(suggest_is_compatible(&two, &two, SUGGEST_SAME_PATCH));
}
