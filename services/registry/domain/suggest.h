/*
 * suggest - which version comes next, and why: the version manager's rules.
 *
 * Pure. The rules and their order are those of the original system: bumps in alphabetical order of
 * their names, the first that matches wins, patch when none does.
 */
#ifndef SUGGEST_H
#define SUGGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "semver.h"

/* What is known of a change. */
typedef struct suggest_context {
    double performance_improvement; /* 0.1 is 10 % */
    bool breaking_change;
    bool new_feature;
    bool bug_fix;
    bool data_drift;
    bool architecture_change;
    bool experimental;
} suggest_context_t;

enum { SUGGEST_REASONS_MAX = 4, SUGGEST_REASON = 96 };

typedef struct suggestion {
    semver_bump_t bump;
    size_t reason_count;
    char reasons[SUGGEST_REASONS_MAX][SUGGEST_REASON]; /* sentences, at least one */
} suggestion_t;

suggestion_t suggest_bump(const suggest_context_t *context);

/* Version schemes beside semver: all of them give a valid semantic version that is above `current`
 * (NULL: there is none). `now_us` is UTC; `number` counts the versions of a day from 1. */
typedef enum suggest_scheme {
    SUGGEST_SEMANTIC,   /* by the bump */
    SUGGEST_TIMESTAMP,  /* YYYY.MMDD.HHMMSS, leading zeros left out */
    SUGGEST_SEQUENTIAL, /* 1.0.0, 2.0.0, 3.0.0 … */
    SUGGEST_HYBRID,     /* the bump, then -YYYYMMDD.number */
} suggest_scheme_t;

/* False if no version of the scheme is above `current`, such as a timestamp of the past. */
bool suggest_next(suggest_scheme_t scheme, const semver_t *current, semver_bump_t bump,
                  int64_t now_us, semver_t *out);

typedef enum suggest_level {
    SUGGEST_SAME_MAJOR,
    SUGGEST_SAME_MINOR,
    SUGGEST_SAME_PATCH
} suggest_level_t;

/* True if the cores agree down to this level. */
bool suggest_is_compatible(const semver_t *left, const semver_t *right, suggest_level_t level);

#endif
