/*
 * Bytes as a range of versions: refused with a sentence, or a range that holds what lies within its
 * hull alone, whatever is asked of it. The first byte says whether prereleases count; what stands
 * behind a line's end is a version to ask for.
 */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"

#include "range.h"

static void
must_be_within(const range_t *range, const semver_t *version)
{
    range_hull_t hull;
    bool any = range_bounds(range, &hull);
    bool inside = range_contains(range, version);
    bool within = any && (!hull.low || semver_compare(hull.low, version) <= 0) &&
                  (!hull.high || semver_compare(version, hull.high) <= 0) &&
                  (hull.prereleases || !version->prerelease[0]);
    vln_assert(!inside || within);
}

/* The ends of each set, which are the versions that matter most. */
static void
ask_ends(const range_t *range)
{
    for (size_t i = 0; i < range->set_count; i++) {
        range_hull_t set = range_set_bounds(range, i);
        vln_assert(!set.low || !set.high || semver_compare(set.low, set.high) <= 0);
        if (set.low) {
            must_be_within(range, set.low);
        }
        if (set.high) {
            must_be_within(range, set.high);
        }
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    char *text = vln_calloc(1, size);
    memcpy(text, data + 1, size - 1);
    char *version_text = strchr(text, '\n');
    if (version_text) {
        *version_text++ = '\0';
    }
    range_t range;
    char why[RANGE_WHY] = "";
    semver_t version;
    if (!range_parse(text, data[0] & 1, &range, why)) {
        vln_assert(strlen(why) > 8);
    } else {
        vln_assert(range.set_count <= RANGE_SETS_MAX);
        ask_ends(&range);
        if (version_text && semver_parse(version_text, &version)) {
            must_be_within(&range, &version);
        }
    }
    free(text);
    return 0;
}
