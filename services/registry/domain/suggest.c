#include "suggest.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "vln_text.h"

enum { FACTS = 7, NUMBER_OF_DAY_MAX = 999999999 };

static const double IMPROVEMENT_OF_A_FEATURE = 0.1;

/* A row a condition. The first bump with one that holds wins; all its reasons are told. */
typedef struct rule {
    semver_bump_t bump;
    const char *reason;
    bool (*holds)(const suggest_context_t *context);
} rule_t;

static bool
is_breaking(const suggest_context_t *context)
{
    return context->breaking_change;
}

static bool
is_new_architecture(const suggest_context_t *context)
{
    return context->architecture_change;
}

static bool
has_feature(const suggest_context_t *context)
{
    return context->new_feature;
}

static bool
is_much_better(const suggest_context_t *context)
{
    return context->performance_improvement > IMPROVEMENT_OF_A_FEATURE;
}

static bool
is_fix(const suggest_context_t *context)
{
    return context->bug_fix;
}

static bool
is_drift(const suggest_context_t *context)
{
    return context->data_drift;
}

static bool
is_experiment(const suggest_context_t *context)
{
    return context->experimental;
}

static const rule_t rules[FACTS] = {
    {SEMVER_MAJOR, "breaking_change: callers have to change", is_breaking},
    {SEMVER_MAJOR, "architecture_change: it is another kind of model", is_new_architecture},
    {SEMVER_MINOR, "new_feature: it can do more than before", has_feature},
    {SEMVER_MINOR, "performance_improvement: above 10 %", is_much_better},
    {SEMVER_PATCH, "bug_fix: the same, put right", is_fix},
    {SEMVER_PATCH, "data_drift: fitted anew to data that moved", is_drift},
    {SEMVER_PRERELEASE, "experimental: not for use yet", is_experiment},
};

static void
add_reason(suggestion_t *self, const char *reason)
{
    if (self->reason_count < SUGGEST_REASONS_MAX) {
        snprintf(self->reasons[self->reason_count++], SUGGEST_REASON, "%s", reason);
    }
}

suggestion_t
suggest_bump(const suggest_context_t *context)
{
    suggestion_t out = {.bump = SEMVER_PATCH};
    for (size_t i = 0; i < FACTS; i++) {
        bool other = out.reason_count > 0 && rules[i].bump != out.bump;
        if (!other && rules[i].holds(context)) {
            out.bump = rules[i].bump;
            add_reason(&out, rules[i].reason);
        }
    }
    if (out.reason_count == 0) {
        add_reason(&out, "nothing that was said of the change asks for more than a patch");
    }
    return out;
}

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
