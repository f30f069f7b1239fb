/*
 * semver - Semantic Versioning 2.0.0 (semver.org): parse, compare, bump, and a key that sorts.
 *
 * Pure. A version is a value; whoever has one has a valid one. Build metadata takes no part in
 * precedence, so two versions that differ in it alone are the same version to the registry.
 */
#ifndef SEMVER_H
#define SEMVER_H

#include <stdbool.h>
#include <stdint.h>

enum {
    SEMVER_MAX = 128,  /* bytes of a version's text */
    SEMVER_PART = 160, /* prerelease or build, with room for the next one */
    SEMVER_TEXT = 400, /* room for any that semver_format writes */
    SEMVER_KEY = 600,  /* of the prerelease, see semver_prerelease_key */
};

typedef struct semver {
    int64_t major; /* below 2^63: the record's bigint; higher numbers are refused */
    int64_t minor;
    int64_t patch;
    char prerelease[SEMVER_PART]; /* "" for a release */
    char build[SEMVER_PART];
} semver_t;

typedef enum semver_bump {
    SEMVER_MAJOR,
    SEMVER_MINOR,
    SEMVER_PATCH,
    SEMVER_PRERELEASE,
} semver_bump_t;

/* False, and *out untouched, if the text is not a version, or longer than SEMVER_MAX. */
bool semver_parse(const char *text, semver_t *out);

/* Into out, of SEMVER_TEXT bytes. Returns out. */
char *semver_format(const semver_t *version, char *out);

/* -1, 0, 1 by precedence. */
int semver_compare(const semver_t *left, const semver_t *right);

/*
 * The next version. A prerelease is finished by a bump that its core satisfies already: patch of
 * 1.0.1-alpha.1 is 1.0.1. The prerelease of a release is that of the next patch: 1.0.1-alpha.1.
 * Its text may come out longer than SEMVER_MAX, and the next of the largest number as -1: then
 * semver_parse refuses it.
 */
semver_t semver_next(const semver_t *version, semver_bump_t bump);

/*
 * Bytes that sort as the prerelease does (compared as memcmp, COLLATE "C"): a numeric identifier
 * is '0', the count of its digits and the digits, another '1' and its text, parted by a blank,
 * which is lower than any of their characters; a release is '2'. Into out, of SEMVER_KEY bytes.
 * Returns out.
 */
char *semver_prerelease_key(const semver_t *version, char *out);

#endif
