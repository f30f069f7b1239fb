#include "range.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "vln_text.h"

/* A word that is cut is longer than any version. */
enum { PARTS = 3, WORD_MAX = SEMVER_MAX + 2 };

typedef enum operator_kind {
    SAME,
    LESS,
    LESS_OR_SAME,
    GREATER,
    GREATER_OR_SAME,
    CARET,
    TILDE,
} operator_t;

/* A version of which only the first parts may be said: 1, 1.2, 1.x, 1.2.3-rc.1. */
typedef struct partial {
    int parts;        /* 0 (*) to 3 */
    semver_t version; /* what is not said is 0 */
} partial_t;

typedef struct reader {
    const char *at;
    bool prereleases;
    range_set_t *set; /* narrowed by each comparator */
    char *why;
} reader_t;

static bool __attribute__((format(printf, 2, 3)))
refuse(const reader_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->why, RANGE_WHY, format, args);
    va_end(args);
    return false;
}

/* ---- words ---- */

static void
skip_blanks(reader_t *self)
{
    self->at += strspn(self->at, " \t");
}

static bool
is_end_of_set(const char *at)
{
    return *at == '\0' || (at[0] == '|' && at[1] == '|');
}

static operator_t
read_operator(reader_t *self)
{
    static const struct {
        const char *text;
        operator_t kind;
    } operators[] = {{"<=", LESS_OR_SAME}, {">=", GREATER_OR_SAME},
                     {"<", LESS},          {">", GREATER},
                     {"=", SAME},          {"^", CARET},
                     {"~", TILDE}};
    for (size_t i = 0; i < sizeof operators / sizeof *operators; i++) {
        size_t len = strlen(operators[i].text);
        if (strncmp(self->at, operators[i].text, len) == 0) {
            self->at += len;
            return operators[i].kind;
        }
    }
    return SAME;
}

/* Up to a blank or "||", into `out`; what does not fit is cut, and no version then. */
static void
read_word(reader_t *self, char out[WORD_MAX])
{
    size_t len = 0;
    while (self->at[len] && !isspace((unsigned char)self->at[len]) &&
           !is_end_of_set(self->at + len)) {
        len++;
    }
    size_t kept = len < WORD_MAX - 1 ? len : WORD_MAX - 1;
    memcpy(out, self->at, kept);
    out[kept] = '\0';
    self->at += len;
}

static bool
is_any(const char *part)
{
    return strcmp(part, "*") == 0 || strcmp(part, "x") == 0 || strcmp(part, "X") == 0;
}

/* Fewer than three numbers, or x in the place of the last ones. The largest number is refused, for
 * none comes after it. */
static bool
parse_partial(const char *word, partial_t *out)
{
    int64_t *const numbers[PARTS] = {&out->version.major, &out->version.minor, &out->version.patch};
    const char *rest = word;
    char part[WORD_MAX];
    bool any = false;
    int count = 0;
    *out = (partial_t){0};
    if (strspn(word, "0123456789.xX*") != strlen(word) || strstr(word, "..") || word[0] == '.' ||
        word[strlen(word) - 1] == '.') {
        return false;
    }
    while (vln_text_next(&rest, '.', part, sizeof part)) {
        bool number = count < PARTS && !any && (part[0] != '0' || part[1] == '\0') &&
                      vln_text_to_i64(part, 0, INT64_MAX - 1, numbers[count < PARTS ? count : 0]);
        any = any || is_any(part);
        out->parts += number ? 1 : 0;
        count++;
        if (count > PARTS || (!number && !is_any(part))) {
            return false;
        }
    }
    return count > 0;
}

static bool
has_next(const semver_t *version)
{
    return version->major < INT64_MAX && version->minor < INT64_MAX && version->patch < INT64_MAX;
}

static bool
read_partial(reader_t *self, partial_t *out)
{
    char word[WORD_MAX];
    skip_blanks(self);
    read_word(self, word);
    if (!word[0]) {
        return refuse(self, "a version is missing in the range: ^1.2, >=1.2 <2, 1.x, *");
    }
    *out = (partial_t){.parts = PARTS};
    if (semver_parse(word, &out->version)) {
        return has_next(&out->version) || refuse(self, "'%.64s' has no next version", word);
    }
    if (parse_partial(word, out)) {
        return true;
    }
    return refuse(self, "'%.64s' is neither a version nor the beginning of one: 1.2.3, 1.2, 1.x, *",
                  word);
}

/* ---- bounds ---- */

/* A bound replaces one that is weaker. */
static void
raise_low(range_set_t *set, const semver_t *version, bool inclusive)
{
    int order = set->low.given ? semver_compare(version, &set->low.version) : 1;
    if (order > 0 || (order == 0 && !inclusive)) {
        set->low = (range_bound_t){*version, true, inclusive};
    }
}

static void
lower_high(range_set_t *set, const semver_t *version, bool inclusive)
{
    int order = set->high.given ? semver_compare(version, &set->high.version) : -1;
    if (order < 0 || (order == 0 && !inclusive)) {
        set->high = (range_bound_t){*version, true, inclusive};
    }
}

/* The lowest of all versions of this core. */
static semver_t
first_of(semver_t core)
{
    vln_text_copy(core.prerelease, sizeof core.prerelease, "0");
    core.build[0] = '\0';
    return core;
}

/* Its core with the part counted up that stands at `part`, 1 to 3, and the later ones 0. */
static semver_t
next_core(const semver_t *version, int part)
{
    semver_t core = {.major = version->major, .minor = version->minor, .patch = version->patch};
    core.major += part == 1 ? 1 : 0;
    core.minor = part == 1 ? 0 : core.minor + (part == 2 ? 1 : 0);
    core.patch = part < 3 ? 0 : core.patch + 1;
    return core;
}

static void
from_first(reader_t *self, const semver_t *core)
{
    const semver_t low = self->prereleases ? first_of(*core) : *core;
    raise_low(self->set, &low, true);
}

static void
below_first(reader_t *self, const semver_t *core)
{
    const semver_t high = first_of(*core);
    lower_high(self->set, &high, false);
}

static void
from_partial(reader_t *self, const partial_t *given)
{
    if (given->parts == PARTS) {
        raise_low(self->set, &given->version, true);
    } else if (given->parts > 0 || self->prereleases) {
        from_first(self, &given->version);
    }
}

/* Up to the last version that begins so. */
static void
up_to_partial(reader_t *self, const partial_t *given)
{
    if (given->parts == PARTS) {
        lower_high(self->set, &given->version, true);
    } else if (given->parts > 0) {
        const semver_t end = next_core(&given->version, given->parts);
        below_first(self, &end);
    }
}

static void
nothing(reader_t *self)
{
    static const semver_t zero;
    below_first(self, &zero);
}

static void
above_partial(reader_t *self, const partial_t *given)
{
    if (given->parts == PARTS) {
        raise_low(self->set, &given->version, false);
        return;
    }
    if (given->parts == 0) {
        nothing(self);
        return;
    }
    const semver_t next = next_core(&given->version, given->parts);
    from_first(self, &next);
}

static void
below_partial(reader_t *self, const partial_t *given)
{
    if (given->parts == PARTS) {
        lower_high(self->set, &given->version, false);
        return;
    }
    below_first(self, &given->version); /* <* is nothing: below 0.0.0-0 */
}

/* From it up to where a part changes: that at `part`, or the last that is said. */
static void
within(reader_t *self, const partial_t *given, int part)
{
    from_partial(self, given);
    if (given->parts > 0) {
        const semver_t end = next_core(&given->version, part < given->parts ? part : given->parts);
        below_first(self, &end);
    }
}

/* The leftmost part that is not 0 may not change. */
static int
part_of_caret(const partial_t *given)
{
    if (given->version.major > 0 || given->parts < 2) {
        return 1;
    }
    return given->version.minor > 0 || given->parts < 3 ? 2 : 3;
}

static void
apply(reader_t *self, operator_t kind, const partial_t *given)
{
    switch (kind) {
    case SAME:
        from_partial(self, given);
        up_to_partial(self, given);
        break;
    case LESS:
        below_partial(self, given);
        break;
    case LESS_OR_SAME:
        up_to_partial(self, given);
        break;
    case GREATER:
        above_partial(self, given);
        break;
    case GREATER_OR_SAME:
        from_partial(self, given);
        break;
    case CARET:
        within(self, given, part_of_caret(given));
        break;
    case TILDE:
        within(self, given, 2);
        break;
    }
}

/* ---- sets ---- */

/* " - " between two versions. */
static bool
read_hyphen(reader_t *self)
{
    size_t blanks = strspn(self->at, " \t");
    const char *hyphen = self->at + blanks;
    bool found = blanks > 0 && hyphen[0] == '-' && (hyphen[1] == ' ' || hyphen[1] == '\t');
    self->at = found ? hyphen + 1 : self->at;
    return found;
}

static bool
read_from_to(reader_t *self, const partial_t *from)
{
    partial_t to = {0};
    if (!read_partial(self, &to)) {
        return false;
    }
    from_partial(self, from);
    up_to_partial(self, &to);
    skip_blanks(self);
    return is_end_of_set(self->at) || refuse(self, "nothing may follow after 'A - B'");
}

static bool
read_set(reader_t *self)
{
    skip_blanks(self);
    for (int words = 0; words == 0 || !is_end_of_set(self->at); words++) {
        const char *start = self->at;
        operator_t kind = read_operator(self);
        bool plain = self->at == start;
        partial_t given = {0};
        if (words == RANGE_WORDS_MAX) {
            return refuse(self, "at most %d comparators stand together", RANGE_WORDS_MAX);
        }
        if (!read_partial(self, &given)) {
            return false;
        }
        if (words == 0 && plain && read_hyphen(self)) {
            return read_from_to(self, &given);
        }
        apply(self, kind, &given);
        skip_blanks(self);
    }
    return true;
}

static bool
is_empty(const range_set_t *set)
{
    static const semver_t lowest = {.prerelease = "0"};
    const semver_t *low = set->low.given ? &set->low.version : &lowest;
    bool low_in = !set->low.given || set->low.inclusive;
    int order = set->high.given ? semver_compare(low, &set->high.version) : -1;
    return order > 0 || (order == 0 && !(low_in && set->high.inclusive));
}

bool
range_parse(const char *text, bool prereleases, range_t *out, char why[RANGE_WHY])
{
    range_t range = {.prereleases = prereleases};
    reader_t reader = {.at = text, .prereleases = prereleases, .why = why};
    if (strlen(text) > RANGE_MAX) {
        return refuse(&reader, "a range has at most %d bytes", RANGE_MAX);
    }
    for (int sets = 0; sets == 0 || *reader.at; sets++) {
        range_set_t set = {.low = {.given = false}};
        reader.set = &set;
        reader.at += sets > 0 ? 2 : 0;
        if (sets == RANGE_SETS_MAX) {
            return refuse(&reader, "at most %d alternatives are parted by ||", RANGE_SETS_MAX);
        }
        if (!read_set(&reader)) {
            return false;
        }
        if (!is_empty(&set)) {
            range.sets[range.set_count++] = set;
        }
    }
    *out = range;
    return true;
}

/* ---- questions ---- */

static bool
is_of_core(const semver_t *version, const range_bound_t *bound)
{
    return bound->given && bound->version.prerelease[0] && version->major == bound->version.major &&
           version->minor == bound->version.minor && version->patch == bound->version.patch;
}

static bool
set_contains(const range_set_t *set, bool prereleases, const semver_t *version)
{
    int low = set->low.given ? semver_compare(version, &set->low.version) : 1;
    int high = set->high.given ? semver_compare(version, &set->high.version) : -1;
    bool inside = (low > 0 || (low == 0 && set->low.inclusive)) &&
                  (high < 0 || (high == 0 && set->high.inclusive));
    return inside && (!version->prerelease[0] || prereleases || is_of_core(version, &set->low) ||
                      is_of_core(version, &set->high));
}

bool
range_contains(const range_t *self, const semver_t *version)
{
    for (size_t i = 0; i < self->set_count; i++) {
        if (set_contains(&self->sets[i], self->prereleases, version)) {
            return true;
        }
    }
    return false;
}

/* Below 2.0.0-0 there is no prerelease of 2.0.0. */
static bool
holds_prereleases(const range_set_t *set)
{
    bool low = set->low.given && set->low.version.prerelease[0];
    bool high = set->high.given && set->high.version.prerelease[0];
    bool is_end = !set->high.inclusive && strcmp(set->high.version.prerelease, "0") == 0;
    return low || (high && !is_end);
}

range_hull_t
range_set_bounds(const range_t *self, size_t set)
{
    const range_set_t *it = &self->sets[set];
    return (range_hull_t){.low = it->low.given ? &it->low.version : NULL,
                          .high = it->high.given ? &it->high.version : NULL,
                          .prereleases = self->prereleases || holds_prereleases(it)};
}

bool
range_bounds(const range_t *self, range_hull_t *out)
{
    *out = (range_hull_t){0};
    for (size_t i = 0; i < self->set_count; i++) {
        range_hull_t set = range_set_bounds(self, i);
        bool lower = i == 0 || !set.low || (out->low && semver_compare(set.low, out->low) < 0);
        bool higher = i == 0 || !set.high || (out->high && semver_compare(set.high, out->high) > 0);
        out->low = lower ? set.low : out->low;
        out->high = higher ? set.high : out->high;
        out->prereleases = out->prereleases || set.prereleases;
    }
    return self->set_count > 0;
}
