/*
 * suggest - which version comes next, and why: the version manager's rules.
 *
 * Pure. What is known of a change is a number for each key (a yes is 1); a rule is a key, a
 * threshold and a bump. Rules are asked in their order, the first that matches decides, and patch
 * it is when none does. Knows neither where rules are kept nor how a context was computed.
 */
#ifndef SUGGEST_H
#define SUGGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "semver.h"

/* The fields of valion.v1.ChangeContext, in their order. */
typedef enum suggest_key {
    SUGGEST_PERFORMANCE_IMPROVEMENT, /* 0.1 is 10 % */
    SUGGEST_BREAKING_CHANGE,
    SUGGEST_NEW_FEATURE,
    SUGGEST_BUG_FIX,
    SUGGEST_DATA_DRIFT,
    SUGGEST_ARCHITECTURE_CHANGE,
    SUGGEST_EXPERIMENTAL,
    SUGGEST_PERFORMANCE_REGRESSION, /* 0.1 is 10 % */
    SUGGEST_INPUT_REMOVED,
    SUGGEST_INPUT_ADDED,
    SUGGEST_OPTIONAL_INPUT_ADDED,
    SUGGEST_INPUT_RETYPED,
    SUGGEST_INPUT_WIDENED,
    SUGGEST_UNIT_CHANGED,
    SUGGEST_CATEGORY_REMOVED,
    SUGGEST_CATEGORY_ADDED,
    SUGGEST_OUTPUT_CHANGED,
    SUGGEST_TARGET_CHANGED,
    SUGGEST_ALGORITHM_CHANGED,
    SUGGEST_HYPERPARAMETER_CHANGED,
    SUGGEST_ARTIFACT_CHANGED,
    SUGGEST_KEY_COUNT,
} suggest_key_t;

/* As in the contract; NULL beyond the last. */
const char *suggest_key_name(suggest_key_t key);
bool suggest_key_parse(const char *name, suggest_key_t *out);
/* False: a yes or no. */
bool suggest_key_is_number(suggest_key_t key);

/* What is known of a change. */
typedef struct suggest_context {
    double of[SUGGEST_KEY_COUNT];
} suggest_context_t;

enum {
    SUGGEST_SENTENCE = 256,
    SUGGEST_REASONS_MAX = 24,
    SUGGEST_RULES_MAX = 64,
    SUGGEST_NAME = 129
};

/* Why a key has its value, for people. */
typedef struct suggest_fact {
    suggest_key_t key;
    char sentence[SUGGEST_SENTENCE];
} suggest_fact_t;

typedef struct suggest_rule {
    char name[SUGGEST_NAME];
    suggest_key_t key;
    double threshold; /* matches above it */
    semver_bump_t bump;
    int order;
} suggest_rule_t;

typedef struct suggestion {
    semver_bump_t bump;
    const suggest_rule_t *rule; /* that decided, of the list that was given; NULL: none matched */
    size_t reason_count;
    char reasons[SUGGEST_REASONS_MAX][SUGGEST_SENTENCE + 32]; /* "key: sentence", at least one */
} suggestion_t;

/* What is asked: the context, why it is so (facts may be none), and the rules, in any order. */
typedef struct suggest_question {
    const suggest_context_t *context;
    const suggest_fact_t *facts;
    size_t fact_count;
    const suggest_rule_t *rules;
    size_t rule_count; /* at most SUGGEST_RULES_MAX */
} suggest_question_t;

/* The first rule that matches, by (order, name), gives the bump; whatever else matches with the same
 * bump is told too. */
void suggest_bump(const suggest_question_t *question, suggestion_t *out);

/* One more sentence behind the others, unless there is no room. */
void suggest_add_reason(suggestion_t *self, const char *sentence);

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
