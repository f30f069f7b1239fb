/*
 * stage - what a version is allowed to be: the legal moves between stages, as a table.
 *
 * Pure. A move that rises needs a version that is fit, and evidence if its target is protected; a
 * move that lowers a version is always allowed. What serves is not decided here: stages say what a
 * version may be, environments what serves.
 */
#ifndef STAGE_H
#define STAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are valion.v1.Stage's. */
typedef enum stage {
    STAGE_NONE = 0,
    STAGE_DEVELOPMENT = 1,
    STAGE_STAGING = 2,
    STAGE_PRODUCTION = 3,
    STAGE_ARCHIVED = 4,
    STAGE_COUNT = 5,
} stage_t;

/* The numbers are valion.v1.VersionStatus's. */
typedef enum fitness {
    FITNESS_NONE = 0,
    FITNESS_TRAINING = 1, /* its signature is still to come */
    FITNESS_READY = 2,
    FITNESS_DEPLOYED = 3, /* ready, and holds an open grant */
    FITNESS_FAILED = 4,
    FITNESS_DEPRECATED = 5,
} fitness_t;

typedef enum stage_move {
    STAGE_RISES,    /* allowed to be more than before: needs a fit version, evidence if protected */
    STAGE_LOWERS,   /* allowed to be less */
    STAGE_RESTORES, /* rises, and only when it is said that it is meant */
} stage_move_t;

typedef struct stage_rule {
    stage_t from;
    stage_t to;
    stage_move_t move;
    const char *why; /* one would do it */
} stage_rule_t;

/* NULL: no such move. */
const stage_rule_t *stage_rule_find(stage_t from, stage_t to);
const stage_rule_t *stage_rules(size_t *count);

/* "development" …; "none" for what is no stage. */
const char *stage_name(stage_t stage);
/* False if there is no stage of this name. */
bool stage_parse(const char *name, stage_t *out);

/* Bits 1 << stage of a list such as "staging,production"; false if one of them is no stage. */
bool stage_parse_list(const char *list, uint32_t *out);

/* What is wrong with it, for people: "is deprecated"; NULL if it may rise and serve. */
const char *stage_unfit(fitness_t fitness);

typedef enum stage_answer {
    STAGE_IS_THERE, /* nothing to do */
    STAGE_MOVES,
    STAGE_NO_SUCH_MOVE,
    STAGE_UNFIT,
    STAGE_SAY_RESTORE,
} stage_answer_t;

/* `restore`: it was said that an archived version is meant to come back. */
stage_answer_t stage_judge(stage_t from, stage_t to, fitness_t fitness, bool restore);

/* True if the move needs evidence, given the stages (bits 1 << stage) that are protected. */
bool stage_needs_evidence(stage_t from, stage_t to, uint32_t protected_stages);

/* Stages that a version can go to from this one: "production, development or archived". Into out.
 * Returns out. */
enum { STAGE_TARGETS_TEXT = 80 };
char *stage_targets(stage_t from, char out[STAGE_TARGETS_TEXT]);

/* What becomes of the version that holds production when another one comes. */
typedef enum stage_conflict {
    STAGE_DEMOTE = 1, /* the numbers are valion.v1.OnConflict's */
    STAGE_ARCHIVE = 2,
    STAGE_REFUSE = 3,
} stage_conflict_t;

/* STAGE_NONE: the newcomer is refused. */
stage_t stage_of_displaced(stage_conflict_t conflict);

#endif
