#include "stage.h"

#include <stdio.h>
#include <string.h>

#include "vln_err.h"
#include "vln_text.h"

/* clang-format off */
static const stage_rule_t rules[] = {
    /* from             to                 move            because                                  */
    {STAGE_DEVELOPMENT, STAGE_STAGING,     STAGE_RISES,    "it is to be tried"},
    {STAGE_STAGING,     STAGE_PRODUCTION,  STAGE_RISES,    "it has proved itself"},

    {STAGE_STAGING,     STAGE_DEVELOPMENT, STAGE_LOWERS,   "it is not ready to be tried"},
    {STAGE_PRODUCTION,  STAGE_STAGING,     STAGE_LOWERS,   "another one takes its place"},

    {STAGE_DEVELOPMENT, STAGE_ARCHIVED,    STAGE_LOWERS,   "nobody needs it"},
    {STAGE_STAGING,     STAGE_ARCHIVED,    STAGE_LOWERS,   "nobody needs it"},
    {STAGE_PRODUCTION,  STAGE_ARCHIVED,    STAGE_LOWERS,   "its time is over"},

    {STAGE_ARCHIVED,    STAGE_STAGING,     STAGE_RESTORES, "it is needed after all"},
};

static const char *const names[STAGE_COUNT] = {
    "none", "development", "staging", "production", "archived",
};

static const char *const unfit[] = {
    [FITNESS_NONE]       = "has no status",
    [FITNESS_TRAINING]   = "is not inspected yet: its signature is still to come",
    [FITNESS_READY]      = NULL,
    [FITNESS_DEPLOYED]   = NULL,
    [FITNESS_FAILED]     = "has failed its inspection",
    [FITNESS_DEPRECATED] = "is deprecated",
};
/* clang-format on */

const stage_rule_t *
stage_rule_find(stage_t from, stage_t to)
{
    for (size_t i = 0; i < VLN_COUNT(rules); i++) {
        if (rules[i].from == from && rules[i].to == to) {
            return &rules[i];
        }
    }
    return NULL;
}

const stage_rule_t *
stage_rules(size_t *count)
{
    *count = VLN_COUNT(rules);
    return rules;
}

const char *
stage_name(stage_t stage)
{
    return (size_t)stage < VLN_COUNT(names) ? names[stage] : names[STAGE_NONE];
}

bool
stage_parse(const char *name, stage_t *out)
{
    for (int i = STAGE_DEVELOPMENT; i < STAGE_COUNT; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (stage_t)i;
            return true;
        }
    }
    return false;
}

bool
stage_parse_list(const char *list, uint32_t *out)
{
    char name[32];
    *out = 0;
    while (vln_text_next(&list, ',', name, sizeof name)) {
        stage_t stage;
        if (!stage_parse(name, &stage)) {
            return false;
        }
        *out |= 1U << stage;
    }
    return true;
}

const char *
stage_unfit(fitness_t fitness)
{
    return (size_t)fitness < VLN_COUNT(unfit) ? unfit[fitness] : unfit[FITNESS_NONE];
}

stage_answer_t
stage_judge(stage_t from, stage_t to, fitness_t fitness, bool restore)
{
    if (from == to) {
        return STAGE_IS_THERE;
    }
    const stage_rule_t *rule = stage_rule_find(from, to);
    if (!rule) {
        return STAGE_NO_SUCH_MOVE;
    }
    if (rule->move == STAGE_LOWERS) {
        return STAGE_MOVES;
    }
    if (stage_unfit(fitness)) {
        return STAGE_UNFIT;
    }
    return rule->move == STAGE_RESTORES && !restore ? STAGE_SAY_RESTORE : STAGE_MOVES;
}

bool
stage_needs_evidence(stage_t from, stage_t to, uint32_t protected_stages)
{
    const stage_rule_t *rule = stage_rule_find(from, to);
    return rule && rule->move != STAGE_LOWERS && (protected_stages & (1U << to));
}

char *
stage_targets(stage_t from, char out[STAGE_TARGETS_TEXT])
{
    const char *targets[STAGE_COUNT];
    size_t count = 0;
    size_t len = 0;
    for (size_t i = 0; i < VLN_COUNT(rules); i++) {
        if (rules[i].from == from) {
            targets[count++] = names[rules[i].to];
        }
    }
    out[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        const char *comma = i + 1 == count ? " or " : ", ";
        int written =
            snprintf(out + len, STAGE_TARGETS_TEXT - len, "%s%s", i ? comma : "", targets[i]);
        len += (size_t)written;
    }
    return out;
}

stage_t
stage_of_displaced(stage_conflict_t conflict)
{
    switch (conflict) {
    case STAGE_DEMOTE:
        return STAGE_STAGING;
    case STAGE_ARCHIVE:
        return STAGE_ARCHIVED;
    case STAGE_REFUSE:
        break;
    }
    return STAGE_NONE;
}
