#include "stage.h"

#include <criterion/criterion.h>
#include <string.h>

static const stage_t stages[] = {STAGE_DEVELOPMENT, STAGE_STAGING, STAGE_PRODUCTION,
                                 STAGE_ARCHIVED};

/* Rows: from; columns: to. '.' is there already, '-' no such move, 'r' rises, 'l' lowers, 'R' must
 * be said to be meant. */
static const char *const moves[] = {
    /*             dev stg prd arc */
    /* development */ ".r-l",
    /* staging     */ "l.rl",
    /* production  */ "-l.l",
    /* archived    */ "-R-.",
};

static char
letter_of(stage_t from, stage_t to)
{
    const stage_rule_t *rule = stage_rule_find(from, to);
    if (!rule) {
        return from == to ? '.' : '-';
    }
    return rule->move == STAGE_RISES ? 'r' : rule->move == STAGE_LOWERS ? 'l' : 'R';
}

Test(stage, moves_are_those_of_the_matrix)
{
    for (size_t from = 0; from < 4; from++) {
        for (size_t to = 0; to < 4; to++) {
            cr_expect(letter_of(stages[from], stages[to]) == moves[from][to], "%s to %s",
                      stage_name(stages[from]), stage_name(stages[to]));
        }
    }
}

Test(stage, no_move_stands_there_twice_and_each_says_why)
{
    size_t count = 0;
    const stage_rule_t *rules = stage_rules(&count);
    cr_assert(count > 0);
    for (size_t i = 0; i < count; i++) {
        cr_expect(stage_rule_find(rules[i].from, rules[i].to) == &rules[i]);
        cr_expect(rules[i].from != rules[i].to && strlen(rules[i].why) > 8);
    }
}

Test(stage, every_stage_is_reached_from_development_and_none_is_an_end)
{
    bool reached[STAGE_COUNT] = {[STAGE_DEVELOPMENT] = true};
    bool left[STAGE_COUNT] = {false};
    size_t count = 0;
    const stage_rule_t *rules = stage_rules(&count);
    for (size_t round = 0; round < STAGE_COUNT; round++) {
        for (size_t i = 0; i < count; i++) {
            reached[rules[i].to] = reached[rules[i].to] || reached[rules[i].from];
            left[rules[i].from] = true;
        }
    }
    for (size_t i = 0; i < 4; i++) {
        cr_expect(reached[stages[i]] && left[stages[i]], "%s", stage_name(stages[i]));
    }
}

Test(stage, only_a_fit_version_rises_and_any_lowers)
{
    for (int fitness = FITNESS_NONE; fitness <= FITNESS_DEPRECATED + 1; fitness++) {
        bool fit = fitness == FITNESS_READY || fitness == FITNESS_DEPLOYED;
        stage_answer_t wanted = fit ? STAGE_MOVES : STAGE_UNFIT;
        cr_expect((stage_unfit((fitness_t)fitness) == NULL) == fit);
        cr_expect(stage_judge(STAGE_DEVELOPMENT, STAGE_STAGING, (fitness_t)fitness, false) ==
                  wanted);
        cr_expect(stage_judge(STAGE_ARCHIVED, STAGE_STAGING, (fitness_t)fitness, true) == wanted);
        cr_expect(stage_judge(STAGE_STAGING, STAGE_ARCHIVED, (fitness_t)fitness, false) ==
                  STAGE_MOVES);
    }
}

Test(stage, an_archived_version_comes_back_only_when_it_is_said)
{
    cr_expect(stage_judge(STAGE_ARCHIVED, STAGE_STAGING, FITNESS_READY, false) ==
              STAGE_SAY_RESTORE);
    cr_expect(stage_judge(STAGE_ARCHIVED, STAGE_STAGING, FITNESS_READY, true) == STAGE_MOVES);
    cr_expect(stage_judge(STAGE_ARCHIVED, STAGE_PRODUCTION, FITNESS_READY, true) ==
              STAGE_NO_SUCH_MOVE);
    cr_expect(stage_judge(STAGE_ARCHIVED, STAGE_ARCHIVED, FITNESS_FAILED, false) == STAGE_IS_THERE);
}

Test(stage, only_moves_that_rise_into_a_protected_stage_need_evidence)
{
    const uint32_t production = 1U << STAGE_PRODUCTION;
    const uint32_t both = production | 1U << STAGE_STAGING;
    cr_expect(stage_needs_evidence(STAGE_STAGING, STAGE_PRODUCTION, production));
    cr_expect_not(stage_needs_evidence(STAGE_DEVELOPMENT, STAGE_STAGING, production));
    cr_expect(stage_needs_evidence(STAGE_DEVELOPMENT, STAGE_STAGING, both));
    cr_expect(stage_needs_evidence(STAGE_ARCHIVED, STAGE_STAGING, both));
    cr_expect_not(stage_needs_evidence(STAGE_PRODUCTION, STAGE_STAGING, both));
    cr_expect_not(stage_needs_evidence(STAGE_STAGING, STAGE_PRODUCTION, 0));
}

Test(stage, names_are_read_as_they_are_written)
{
    for (size_t i = 0; i < 4; i++) {
        stage_t back = STAGE_NONE;
        cr_expect(stage_parse(stage_name(stages[i]), &back) && back == stages[i]);
    }
    stage_t none;
    cr_expect_not(stage_parse("none", &none));
    cr_expect_not(stage_parse("Production", &none));
    cr_expect_str_eq(stage_name((stage_t)77), "none");
}

Test(stage, lists_of_names_become_bits)
{
    uint32_t bits = 9;
    cr_expect(stage_parse_list("staging, production", &bits));
    cr_expect(bits == (1U << STAGE_STAGING | 1U << STAGE_PRODUCTION));
    cr_expect(stage_parse_list("", &bits) && bits == 0);
    cr_expect_not(stage_parse_list("production,live", &bits));
}

Test(stage, targets_are_told_as_a_list)
{
    char text[STAGE_TARGETS_TEXT];
    cr_expect_str_eq(stage_targets(STAGE_STAGING, text), "production, development or archived");
    cr_expect_str_eq(stage_targets(STAGE_ARCHIVED, text), "staging");
    cr_expect_str_eq(stage_targets(STAGE_NONE, text), "");
}

Test(stage, the_version_that_is_displaced_goes_where_a_rule_allows)
{
    cr_expect(stage_of_displaced(STAGE_DEMOTE) == STAGE_STAGING);
    cr_expect(stage_of_displaced(STAGE_ARCHIVE) == STAGE_ARCHIVED);
    cr_expect(stage_of_displaced(STAGE_REFUSE) == STAGE_NONE);
    for (int i = STAGE_DEMOTE; i < STAGE_REFUSE; i++) {
        stage_t to = stage_of_displaced((stage_conflict_t)i);
        cr_expect(stage_judge(STAGE_PRODUCTION, to, FITNESS_DEPRECATED, false) == STAGE_MOVES);
    }
}
