#include "policy.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

enum { REGRESSION = 1, BINARY = 2 };

static const policy_candidate_t candidates[] = {
    {.name = "regression", .scope = {.task = REGRESSION}, .shipped = true, .since_us = 100},
    {.name = "binary", .scope = {.task = BINARY}, .shipped = true, .since_us = 100},
    {.name = "production", .scope = {.stage = "production"}, .since_us = 200},
    {.name = "edge", .scope = {.environment = "edge"}, .since_us = 200},
    {.name = "both", .scope = {.stage = "canary", .environment = "canary"}, .since_us = 200},
    {.name = "houses", .scope = {.model = "houses"}, .since_us = 200},
    {.name = "houses-live", .scope = {.model = "houses", .stage = "production"}, .since_us = 200},
};

static const char *
chosen(const policy_candidate_t *list, size_t count, policy_question_t question)
{
    const policy_candidate_t *found = policy_choose(list, count, &question);
    return found ? found->name : "none";
}

Test(policy, the_most_specific_is_in_force)
{
    static const struct {
        policy_question_t question;
        const char *name;
    } cases[] = {
        {{.model = "cars", .task = REGRESSION}, "regression"},
        {{.model = "cars", .task = BINARY}, "binary"},
        {{.model = "cars", .task = REGRESSION, .stage = "production"}, "production"},
        {{.model = "cars", .task = REGRESSION, .stage = "staging"}, "regression"},
        {{.model = "cars", .task = REGRESSION, .environment = "edge"}, "edge"},
        {{.model = "cars", .task = REGRESSION, .environment = "production"}, "regression"},
        {{.model = "cars", .task = REGRESSION, .stage = "edge"}, "regression"},
        {{.model = "cars", .stage = "canary"}, "both"},
        {{.model = "cars", .environment = "canary"}, "both"},
        {{.model = "houses", .task = REGRESSION}, "houses"},
        {{.model = "houses", .task = REGRESSION, .environment = "edge"}, "houses"},
        {{.model = "houses", .task = REGRESSION, .stage = "production"}, "houses-live"},
        {{.model = "cars", .task = 3}, "none"},
        {{.model = "cars"}, "none"},
        {{.task = 0}, "none"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const char *found =
            chosen(candidates, sizeof candidates / sizeof *candidates, cases[i].question);
        cr_expect_str_eq(found, cases[i].name, "case %zu: %s", i, found);
    }
}

Test(policy, of_equal_scope_the_order_is_put_here_default_newest_name)
{
    policy_candidate_t list[] = {
        {.name = "default", .shipped = true, .since_us = 900},
        {.name = "b", .since_us = 100},
        {.name = "a", .since_us = 100},
        {.name = "c", .since_us = 200},
        {.name = "default", .since_us = 50},
    };
    const policy_question_t any = {.model = "cars"};
    cr_expect_str_eq(chosen(list, 1, any), "default");
    cr_expect_str_eq(chosen(list, 2, any), "b");
    cr_expect_str_eq(chosen(list, 3, any), "a");
    cr_expect_str_eq(chosen(list, 4, any), "c");
    cr_expect(policy_choose(list, 5, &any) == &list[4]);
}

Test(policy, the_choice_does_not_depend_on_the_order_given)
{
    enum { COUNT = sizeof candidates / sizeof *candidates };
    policy_candidate_t turned[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        turned[i] = candidates[COUNT - 1 - i];
    }
    const policy_question_t question = {
        .model = "houses", .task = REGRESSION, .stage = "production"};
    cr_expect_str_eq(chosen(turned, COUNT, question), chosen(candidates, COUNT, question));
}

Test(policy, kinds_are_those_of_the_list_and_custom_ones)
{
    static const char *const known[] = {"performance",  "data_drift",       "stability",  "bias",
                                        "data_quality", "metric_threshold", "importance", "budget",
                                        "expression",   "check:my-checks.1"};
    static const char *const unknown[] = {
        "", "Performance", "drift", "check:", "check:.hidden", "check:a b", "check:a/b"};
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        cr_expect(policy_kind_is_known(known[i]), "%s", known[i]);
    }
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        cr_expect_not(policy_kind_is_known(unknown[i]), "%s", unknown[i]);
    }
    cr_expect(policy_kind_is_free("check:x") && policy_kind_is_free("expression"));
    cr_expect_not(policy_kind_is_free("performance") || policy_kind_is_free("metric_threshold"));
}

Test(policy, every_parameter_is_of_a_kind_that_there_is_and_its_default_is_in_range)
{
    size_t count = 0;
    const policy_parameter_t *rows = policy_parameters(&count);
    cr_assert(count == 46);
    for (size_t i = 0; i < count; i++) {
        cr_expect(policy_kind_is_known(rows[i].kind) && strlen(rows[i].meaning) > 4);
        cr_expect(policy_parameter_find(rows[i].kind, rows[i].name) == &rows[i], "%s twice",
                  rows[i].name);
        cr_expect(isfinite(rows[i].min) && isfinite(rows[i].max) && rows[i].min < rows[i].max);
        cr_expect(isnan(rows[i].fallback) ||
                      (rows[i].fallback >= rows[i].min && rows[i].fallback <= rows[i].max),
                  "%s", rows[i].name);
    }
    cr_expect(policy_parameter_find("performance", "r2_treshold") == NULL);
    cr_expect(policy_parameter_find("bias", "r2_threshold") == NULL);
}

Test(policy, scopes_are_told_in_words)
{
    cr_expect_str_eq(policy_scope_text(&(policy_scope_t){.task = 1}), "the task");
    cr_expect_str_eq(policy_scope_text(&(policy_scope_t){.model = "m", .environment = "e"}),
                     "the model and the stage or environment");
    cr_expect_str_eq(policy_scope_text(&(policy_scope_t){.task = 0}), "all models");
}
