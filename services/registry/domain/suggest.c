#include "suggest.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vln_err.h"
#include "vln_text.h"

enum { NUMBER_OF_DAY_MAX = 999999999 };

/* clang-format off */
static const struct {
    const char *name;
    bool number;
    const char *meaning; /* when nothing better is known */
} keys[SUGGEST_KEY_COUNT] = {
    /* key                              name                       number  meaning */
    [SUGGEST_PERFORMANCE_IMPROVEMENT] = {"performance_improvement", true,  "it is better"},
    [SUGGEST_BREAKING_CHANGE]         = {"breaking_change",         false, "callers have to change"},
    [SUGGEST_NEW_FEATURE]             = {"new_feature",             false, "it can do more than before"},
    [SUGGEST_BUG_FIX]                 = {"bug_fix",                 false, "the same, put right"},
    [SUGGEST_DATA_DRIFT]              = {"data_drift",              false, "fitted anew to data that moved"},
    [SUGGEST_ARCHITECTURE_CHANGE]     = {"architecture_change",     false, "it is another kind of model"},
    [SUGGEST_EXPERIMENTAL]            = {"experimental",            false, "not for use yet"},
    [SUGGEST_PERFORMANCE_REGRESSION]  = {"performance_regression",  true,  "it is worse"},
    [SUGGEST_INPUT_REMOVED]           = {"input_removed",           false, "an input is gone"},
    [SUGGEST_INPUT_ADDED]             = {"input_added",             false, "callers have to give more"},
    [SUGGEST_OPTIONAL_INPUT_ADDED]    = {"optional_input_added",    false, "callers may give more"},
    [SUGGEST_INPUT_RETYPED]           = {"input_retyped",           false, "an input takes less than before"},
    [SUGGEST_INPUT_WIDENED]           = {"input_widened",           false, "an input takes more than before"},
    [SUGGEST_UNIT_CHANGED]            = {"unit_changed",            false, "a number has another unit"},
    [SUGGEST_CATEGORY_REMOVED]        = {"category_removed",        false, "a category is no longer known"},
    [SUGGEST_CATEGORY_ADDED]          = {"category_added",          false, "one more category is known"},
    [SUGGEST_OUTPUT_CHANGED]          = {"output_changed",          false, "it answers otherwise"},
    [SUGGEST_TARGET_CHANGED]          = {"target_changed",          false, "it predicts something else"},
    [SUGGEST_ALGORITHM_CHANGED]       = {"algorithm_changed",       false, "made by another algorithm or framework"},
    [SUGGEST_HYPERPARAMETER_CHANGED]  = {"hyperparameter_changed",  false, "fitted with other settings"},
    [SUGGEST_ARTIFACT_CHANGED]        = {"artifact_changed",        false, "its files have other bytes"},
};
/* clang-format on */

const char *
suggest_key_name(suggest_key_t key)
{
    return (size_t)key < SUGGEST_KEY_COUNT ? keys[key].name : NULL;
}

bool
suggest_key_parse(const char *name, suggest_key_t *out)
{
    for (size_t i = 0; i < SUGGEST_KEY_COUNT; i++) {
        if (strcmp(keys[i].name, name) == 0) {
            *out = (suggest_key_t)i;
            return true;
        }
    }
    return false;
}

bool
suggest_key_is_number(suggest_key_t key)
{
    return keys[key].number;
}

/* ---- bump ---- */

void
suggest_add_reason(suggestion_t *self, const char *sentence)
{
    if (self->reason_count < SUGGEST_REASONS_MAX) {
        vln_text_copy(self->reasons[self->reason_count++], sizeof *self->reasons, sentence);
    }
}

static bool
matches(const suggest_rule_t *rule, const suggest_context_t *context)
{
    return context->of[rule->key] > rule->threshold;
}

static bool
is_before(const suggest_rule_t *left, const suggest_rule_t *right)
{
    return left->order != right->order ? left->order < right->order
                                       : strcmp(left->name, right->name) < 0;
}

/* What is said of the key, or else what it means; of a number also what it was compared with. */
static void
explain(const suggest_question_t *question, const suggest_rule_t *rule, suggestion_t *out)
{
    char line[sizeof *out->reasons];
    bool explained = false;
    for (size_t i = 0; i < question->fact_count; i++) {
        const suggest_fact_t *fact = &question->facts[i];
        if (fact->key == rule->key) {
            snprintf(line, sizeof line, "%s: %s", keys[rule->key].name, fact->sentence);
            suggest_add_reason(out, line);
            explained = true;
        }
    }
    if (explained) {
        return;
    }
    if (keys[rule->key].number) {
        snprintf(line, sizeof line, "%s: %.6g is above %.6g", keys[rule->key].name,
                 question->context->of[rule->key], rule->threshold);
    } else {
        snprintf(line, sizeof line, "%s: %s", keys[rule->key].name, keys[rule->key].meaning);
    }
    suggest_add_reason(out, line);
}

/* The next one after `last`, or the first, that matches and gives `bump` (NULL: any). */
static const suggest_rule_t *
next_match(const suggest_question_t *question, const suggest_rule_t *last,
           const semver_bump_t *bump)
{
    const suggest_rule_t *best = NULL;
    for (size_t i = 0; i < question->rule_count; i++) {
        const suggest_rule_t *rule = &question->rules[i];
        bool wanted = matches(rule, question->context) && (!bump || rule->bump == *bump) &&
                      (!last || is_before(last, rule));
        if (wanted && (!best || is_before(rule, best))) {
            best = rule;
        }
    }
    return best;
}

void
suggest_bump(const suggest_question_t *question, suggestion_t *out)
{
    bool told[SUGGEST_KEY_COUNT] = {false};
    *out = (suggestion_t){.bump = SEMVER_PATCH};
    vln_assert(question->rule_count <= SUGGEST_RULES_MAX);
    out->rule = next_match(question, NULL, NULL);
    if (!out->rule) {
        suggest_add_reason(out, "none of the rules matches what is known of the change: patch");
        return;
    }
    out->bump = out->rule->bump;
    for (const suggest_rule_t *rule = out->rule; rule;
         rule = next_match(question, rule, &out->bump)) {
        if (!told[rule->key]) {
            explain(question, rule, out);
        }
        told[rule->key] = true;
    }
}

/* ---- schemes ---- */

static semver_t
first_version(void)
{
    return (semver_t){.major = 1};
}

static struct tm
utc_of(int64_t now_us)
{
    time_t seconds = (time_t)(now_us / 1000000);
    struct tm utc;
    gmtime_r(&seconds, &utc);
    return utc;
}

static semver_t
timestamp_version(int64_t now_us)
{
    struct tm utc = utc_of(now_us);
    return (semver_t){.major = utc.tm_year + 1900,
                      .minor = (utc.tm_mon + 1) * 100 + utc.tm_mday,
                      .patch = utc.tm_hour * 10000 + utc.tm_min * 100 + utc.tm_sec};
}

/* The number after today's date in a prerelease such as 20240101.3; 0 if it is of another day. */
static int64_t
number_of_day(const semver_t *version, const char *day)
{
    int64_t number = 0;
    size_t len = strlen(day);
    bool is_of_day = strncmp(version->prerelease, day, len) == 0 &&
                     version->prerelease[len] == '.' &&
                     vln_text_to_i64(version->prerelease + len + 1, 0, NUMBER_OF_DAY_MAX, &number);
    return is_of_day ? number : 0;
}

/* Dated builds of one core, until that core is released: 1.0.1-20240101.1, then .2. */
static semver_t
hybrid_version(const semver_t *current, semver_bump_t bump, int64_t now_us)
{
    struct tm utc = utc_of(now_us);
    char day[16];
    snprintf(day, sizeof day, "%04d%02d%02d", (utc.tm_year + 1900) % 10000, (utc.tm_mon + 1) % 100,
             utc.tm_mday % 100);
    semver_t next = !current                    ? first_version()
                    : current->prerelease[0]    ? *current
                    : bump == SEMVER_PRERELEASE ? semver_next(current, SEMVER_PATCH)
                                                : semver_next(current, bump);
    int64_t number = current ? number_of_day(current, day) + 1 : 1;
    next.build[0] = '\0';
    snprintf(next.prerelease, sizeof next.prerelease, "%s.%lld", day, (long long)number);
    return next;
}

bool
suggest_next(suggest_scheme_t scheme, const semver_t *current, semver_bump_t bump, int64_t now_us,
             semver_t *out)
{
    switch (scheme) {
    case SUGGEST_SEMANTIC:
        *out = current ? semver_next(current, bump) : first_version();
        break;
    case SUGGEST_TIMESTAMP:
        *out = timestamp_version(now_us);
        break;
    case SUGGEST_SEQUENTIAL:
        *out = current ? semver_next(current, SEMVER_MAJOR) : first_version();
        break;
    case SUGGEST_HYBRID:
        *out = hybrid_version(current, bump, now_us);
        break;
    }
    return !current || semver_compare(out, current) > 0;
}

bool
suggest_is_compatible(const semver_t *left, const semver_t *right, suggest_level_t level)
{
    return left->major == right->major &&
           (level < SUGGEST_SAME_MINOR || left->minor == right->minor) &&
           (level < SUGGEST_SAME_PATCH || left->patch == right->patch);
}
