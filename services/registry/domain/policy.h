/*
 * policy - which kinds of checks there are and what they take, and which policy is in force where.
 *
 * Pure. The table of parameters is the contract between who writes policies and the validator that
 * runs them (docs/policies.md shows it).
 */
#ifndef POLICY_H
#define POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* ---- kinds ---- */

/* A number parameter of a kind. */
typedef struct policy_parameter {
    const char *kind;
    const char *name;
    double fallback; /* when the policy does not say it; NAN: not looked at then */
    double min;
    double max;
    const char *meaning;
} policy_parameter_t;

const policy_parameter_t *policy_parameters(size_t *count);

/* NULL: this kind has no such parameter. */
const policy_parameter_t *policy_parameter_find(const char *kind, const char *name);

/* True for a built-in kind and for "check:<name>". */
bool policy_kind_is_known(const char *kind);

/* True if the kind defines its own number parameters: a custom check, an expression. */
bool policy_kind_is_free(const char *kind);

/* Names of the built-in kinds, for people: "performance, data_drift, …". */
const char *policy_kind_names(void);

/* ---- which is in force ---- */

/* What a policy is for. NULL and 0: any. */
typedef struct policy_scope {
    const char *model;
    int task;                /* valion.v1.TaskType */
    const char *stage;       /* promotions to it */
    const char *environment; /* grants of it */
} policy_scope_t;

/* What it is asked for: a promotion (stage), a grant (environment), or neither. */
typedef policy_scope_t policy_question_t;

/* A policy that names a stage or an environment is for these alone; one that names both is for
 * either. */
bool policy_applies(const policy_scope_t *scope, const policy_question_t *question);

/* One that could be in force: the newest version of its name. */
typedef struct policy_candidate {
    const char *name;
    int64_t version;
    policy_scope_t scope;
    bool shipped; /* came with the program */
    int64_t since_us;
} policy_candidate_t;

/*
 * The one in force, or NULL. Of those that apply, in this order: the most specific (a model counts
 * more than a stage or environment, these more than a task); one that was put here before one that
 * was shipped; the name `default` before others; the one in force for the shortest time; the first
 * name.
 */
const policy_candidate_t *policy_choose(const policy_candidate_t *candidates, size_t count,
                                        const policy_question_t *question);

/* What the scope names, for people: "the model and the stage", "all models". */
const char *policy_scope_text(const policy_scope_t *scope);

#endif
