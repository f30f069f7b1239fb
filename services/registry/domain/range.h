/*
 * range - sets of versions as people write them: ^1.2, ~1.2.3, >=1.2 <2, 1.x, *, 1.2 || 3.x.
 *
 * Pure. The notation and what it means are those of npm's node-semver (docs/versions.md has the
 * differences). Whatever is between two `||` is a set, and all its comparators together are one
 * interval of versions: so a range is a handful of intervals, and a list can be narrowed by them.
 */
#ifndef RANGE_H
#define RANGE_H

#include <stdbool.h>
#include <stddef.h>

#include "semver.h"

enum {
    RANGE_MAX = 512,      /* bytes of a range's text */
    RANGE_SETS_MAX = 8,   /* parted by || */
    RANGE_WORDS_MAX = 16, /* comparators of a set */
    RANGE_WHY = 256,
};

typedef struct range_bound {
    semver_t version;
    bool given; /* false: no bound on this side */
    bool inclusive;
} range_bound_t;

typedef struct range_set {
    range_bound_t low;
    range_bound_t high;
} range_set_t;

typedef struct range {
    bool prereleases; /* of every core, as the caller asked */
    size_t set_count; /* 0: no version is in it, such as >2 <1 */
    range_set_t sets[RANGE_SETS_MAX];
} range_t;

/* False, `*out` untouched and `why` a sentence, if the text is no range. With `prereleases` they
 * count like any version: the lower ends of 1.x and ^1.2 are then their first prereleases. */
bool range_parse(const char *text, bool prereleases, range_t *out, char why[RANGE_WHY]);

/* A prerelease is in a set only if `prereleases` was said or if one of the set's own bounds is a
 * prerelease of the same major.minor.patch: >1.2.3-alpha holds 1.2.3-beta and not 3.4.5-beta. */
bool range_contains(const range_t *self, const semver_t *version);

/* The ends of a list that holds all of the range, and more: NULL where it is open. Both are as
 * alive as `self`, and inclusive: who lists between them asks range_contains for each. */
typedef struct range_hull {
    const semver_t *low;
    const semver_t *high;
    bool prereleases; /* false: only releases can be in it */
} range_hull_t;

/* Of the whole range; false if no version is in it. */
bool range_bounds(const range_t *self, range_hull_t *out);

/* Of one of its sets. */
range_hull_t range_set_bounds(const range_t *self, size_t set);

#endif
