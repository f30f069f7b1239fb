/*
 * Bytes as a version: refused, or written out as they came, with bumps that go up and a key that
 * sorts two of them as they compare. The two are parted by a line's end.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"

#include "semver.h"

static void
must_come_back(const char *text, const semver_t *version)
{
    char again[SEMVER_TEXT];
    vln_assert(strcmp(semver_format(version, again), text) == 0);
}

static void
must_go_up(const semver_t *version)
{
    bool last =
        version->major == INT64_MAX || version->minor == INT64_MAX || version->patch == INT64_MAX;
    for (semver_bump_t bump = SEMVER_MAJOR; bump <= SEMVER_PRERELEASE; bump++) {
        semver_t next = semver_next(version, bump);
        semver_t read;
        char text[SEMVER_TEXT];
        semver_format(&next, text);
        vln_assert(last || semver_compare(&next, version) > 0);
        vln_assert(!semver_parse(text, &read) || semver_compare(&read, &next) == 0);
    }
}

static void
must_sort(const semver_t *left, const semver_t *right)
{
    char left_key[SEMVER_KEY];
    char right_key[SEMVER_KEY];
    bool one_core =
        left->major == right->major && left->minor == right->minor && left->patch == right->patch;
    int order =
        strcmp(semver_prerelease_key(left, left_key), semver_prerelease_key(right, right_key));
    vln_assert(semver_compare(left, right) == -semver_compare(right, left));
    vln_assert(!one_core || (order > 0) - (order < 0) == semver_compare(left, right));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text = vln_calloc(1, size + 1);
    memcpy(text, data, size);
    char *other_text = strchr(text, '\n');
    if (other_text) {
        *other_text++ = '\0';
    }
    semver_t version;
    semver_t other;
    if (semver_parse(text, &version)) {
        must_come_back(text, &version);
        must_go_up(&version);
        if (other_text && semver_parse(other_text, &other)) {
            must_sort(&version, &other);
        }
    }
    free(text);
    return 0;
}
