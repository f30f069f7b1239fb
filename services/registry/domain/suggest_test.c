#include "suggest.h"

#include <criterion/criterion.h>
#include <string.h>

#include "vln_err.h"

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

/* The rules of the original, and some of the others, in no order. */
static const suggest_rule_t some_rules[] = {
    {"experimental", SUGGEST_EXPERIMENTAL, 0, SEMVER_PRERELEASE, 4010},
    {"bug_fix", SUGGEST_BUG_FIX, 0, SEMVER_PATCH, 3010},
    {"data_drift", SUGGEST_DATA_DRIFT, 0, SEMVER_PATCH, 3020},
    {"new_feature", SUGGEST_NEW_FEATURE, 0, SEMVER_MINOR, 2010},
    {"performance_improvement", SUGGEST_PERFORMANCE_IMPROVEMENT, 0.1, SEMVER_MINOR, 2020},
    {"breaking_change", SUGGEST_BREAKING_CHANGE, 0, SEMVER_MAJOR, 1010},
    {"architecture_change", SUGGEST_ARCHITECTURE_CHANGE, 0, SEMVER_MAJOR, 1020},
    {"input_removed", SUGGEST_INPUT_REMOVED, 0, SEMVER_MAJOR, 1030},
};

static suggestion_t
bump_of(suggest_context_t context)
{
    const suggest_question_t question = {
        .context = &context, .rules = some_rules, .rule_count = VLN_COUNT(some_rules)};
    suggestion_t out;
    suggest_bump(&question, &out);
    return out;
}

#define CONTEXT(...) ((suggest_context_t){.of = {__VA_ARGS__}})

Test(suggest, one_fact_gives_one_bump)
{
    static const struct {
        suggest_context_t context;
        semver_bump_t bump;
    } cases[] = {
        {{.of = {[SUGGEST_BREAKING_CHANGE] = 1}}, SEMVER_MAJOR},
        {{.of = {[SUGGEST_ARCHITECTURE_CHANGE] = 1}}, SEMVER_MAJOR},
        {{.of = {[SUGGEST_NEW_FEATURE] = 1}}, SEMVER_MINOR},
        {{.of = {[SUGGEST_PERFORMANCE_IMPROVEMENT] = 0.11}}, SEMVER_MINOR},
        {{.of = {[SUGGEST_PERFORMANCE_IMPROVEMENT] = 0.1}}, SEMVER_PATCH},
        {{.of = {[SUGGEST_PERFORMANCE_IMPROVEMENT] = -1}}, SEMVER_PATCH},
        {{.of = {[SUGGEST_BUG_FIX] = 1}}, SEMVER_PATCH},
        {{.of = {[SUGGEST_DATA_DRIFT] = 1}}, SEMVER_PATCH},
        {{.of = {[SUGGEST_EXPERIMENTAL] = 1}}, SEMVER_PRERELEASE},
        {{.of = {[SUGGEST_BUG_FIX] = 0}}, SEMVER_PATCH},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        suggestion_t found = bump_of(cases[i].context);
        cr_expect(found.bump == cases[i].bump && found.reason_count == 1, "case %zu", i);
    }
}

Test(suggest, the_larger_bump_wins_and_tells_all_its_reasons)
{
    suggestion_t found =
        bump_of(CONTEXT([SUGGEST_BREAKING_CHANGE] = 1, [SUGGEST_ARCHITECTURE_CHANGE] = 1,
                        [SUGGEST_BUG_FIX] = 1, [SUGGEST_EXPERIMENTAL] = 1));
    cr_expect(found.bump == SEMVER_MAJOR && found.reason_count == 2);
    cr_expect_str_eq(found.rule->name, "breaking_change");
    cr_expect(strstr(found.reasons[1], "architecture_change") != NULL);
    found = bump_of(
        CONTEXT([SUGGEST_DATA_DRIFT] = 1, [SUGGEST_BUG_FIX] = 1, [SUGGEST_EXPERIMENTAL] = 1));
    cr_expect(found.bump == SEMVER_PATCH);
}

Test(suggest, without_a_match_it_is_patch_and_no_rule)
{
    suggestion_t found = bump_of(CONTEXT([SUGGEST_TARGET_CHANGED] = 1));
    cr_expect(found.bump == SEMVER_PATCH && found.rule == NULL && found.reason_count == 1);
    const suggest_context_t all = CONTEXT([SUGGEST_BREAKING_CHANGE] = 1);
    const suggest_question_t nothing = {.context = &all};
    suggest_bump(&nothing, &found);
    cr_expect(found.bump == SEMVER_PATCH && found.rule == NULL && found.reason_count == 1);
}

Test(suggest, the_lowest_order_decides_and_then_the_name)
{
    static const suggest_rule_t rules[] = {
        {"b", SUGGEST_BUG_FIX, 0, SEMVER_MINOR, 7},
        {"a", SUGGEST_BUG_FIX, 0, SEMVER_PRERELEASE, 7},
        {"c", SUGGEST_NEW_FEATURE, 0, SEMVER_MAJOR, 6},
    };
    suggest_context_t context = CONTEXT([SUGGEST_BUG_FIX] = 1);
    const suggest_question_t question = {.context = &context, .rules = rules, .rule_count = 3};
    suggestion_t found;
    suggest_bump(&question, &found);
    cr_expect(found.bump == SEMVER_PRERELEASE && found.rule == &rules[1]);
    context.of[SUGGEST_NEW_FEATURE] = 1;
    suggest_bump(&question, &found);
    cr_expect(found.bump == SEMVER_MAJOR && found.rule == &rules[2]);
}

Test(suggest, reasons_are_what_is_known_of_the_key)
{
    static const suggest_fact_t facts[] = {
        {SUGGEST_INPUT_REMOVED, "the input 'age' is gone"},
        {SUGGEST_BUG_FIX, "not of the rule"},
        {SUGGEST_INPUT_REMOVED, "the input 'rooms' is gone"},
    };
    const suggest_context_t context = CONTEXT([SUGGEST_INPUT_REMOVED] = 1, [SUGGEST_BUG_FIX] = 1);
    const suggest_question_t question = {&context, facts, VLN_COUNT(facts), some_rules,
                                         VLN_COUNT(some_rules)};
    suggestion_t found;
    suggest_bump(&question, &found);
    cr_assert(found.reason_count == 2);
    cr_expect_str_eq(found.reasons[0], "input_removed: the input 'age' is gone");
    cr_expect_str_eq(found.reasons[1], "input_removed: the input 'rooms' is gone");
    suggestion_t better = bump_of(CONTEXT([SUGGEST_PERFORMANCE_IMPROVEMENT] = 0.25));
    cr_expect_str_eq(better.reasons[0], "performance_improvement: 0.25 is above 0.1");
}

Test(suggest, a_key_of_two_rules_is_told_once_and_reasons_end)
{
    suggest_rule_t rules[SUGGEST_RULES_MAX];
    suggest_fact_t facts[2 * SUGGEST_REASONS_MAX];
    for (size_t i = 0; i < SUGGEST_RULES_MAX; i++) {
        rules[i] = (suggest_rule_t){"r", SUGGEST_BUG_FIX, 0, SEMVER_PATCH, (int)i};
    }
    for (size_t i = 0; i < VLN_COUNT(facts); i++) {
        facts[i] = (suggest_fact_t){SUGGEST_BUG_FIX, "one more"};
    }
    const suggest_context_t context = CONTEXT([SUGGEST_BUG_FIX] = 1);
    suggest_question_t question = {&context, NULL, 0, rules, SUGGEST_RULES_MAX};
    suggestion_t found;
    suggest_bump(&question, &found);
    cr_expect(found.reason_count == 1);
    question.facts = facts;
    question.fact_count = VLN_COUNT(facts);
    suggest_bump(&question, &found);
    cr_expect(found.reason_count == SUGGEST_REASONS_MAX);
}

Test(suggest, keys_are_read_as_they_are_written)
{
    for (suggest_key_t key = 0; key < SUGGEST_KEY_COUNT; key++) {
        suggest_key_t back = SUGGEST_KEY_COUNT;
        cr_expect(suggest_key_parse(suggest_key_name(key), &back) && back == key);
        bool number = strncmp(suggest_key_name(key), "performance", 11) == 0;
        cr_expect(suggest_key_is_number(key) == number);
    }
    suggest_key_t none;
    cr_expect_not(suggest_key_parse("__import__('os')", &none));
    cr_expect_not(suggest_key_parse("", &none));
    cr_expect(suggest_key_name(SUGGEST_KEY_COUNT) == NULL);
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

Test(suggest, nothing_comes_after_the_largest_number)
{
    static const suggest_scheme_t schemes[] = {SUGGEST_SEMANTIC, SUGGEST_SEQUENTIAL,
                                               SUGGEST_HYBRID};
    for (size_t i = 0; i < VLN_COUNT(schemes); i++) {
        cr_expect_str_eq(next_of(schemes[i], "9223372036854775807.0.0", SEMVER_MAJOR), "none");
    }
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
