#include "semver.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "vln_text.h"

enum { DIGITS_MAX = 19 };

static bool
is_identifier_char(char c)
{
    return isalnum((unsigned char)c) || c == '-';
}

static bool
is_numeric(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        if (!isdigit((unsigned char)text[i])) {
            return false;
        }
    }
    return len > 0;
}

/* Reads a number without leading zero and moves on. */
static bool
read_number(const char **at, int64_t *out)
{
    size_t len = strspn(*at, "0123456789");
    if (len == 0 || len > DIGITS_MAX || (len > 1 && **at == '0')) {
        return false;
    }
    char digits[DIGITS_MAX + 1];
    memcpy(digits, *at, len);
    digits[len] = '\0';
    *at += len;
    return vln_text_to_i64(digits, 0, INT64_MAX, out);
}

/* Dot-separated identifiers up to `end` or the text's end, copied into out. */
static bool
read_identifiers(const char **at, char end, bool zeros_allowed, char out[SEMVER_PART])
{
    const char *start = *at;
    const char *from = start;
    while (true) {
        size_t len = 0;
        while (is_identifier_char(from[len])) {
            len++;
        }
        if (len == 0) {
            return false;
        }
        if (!zeros_allowed && len > 1 && from[0] == '0' && is_numeric(from, len)) {
            return false;
        }
        from += len;
        if (*from != '.') {
            break;
        }
        from++;
    }
    if (*from != '\0' && *from != end) {
        return false;
    }
    memcpy(out, start, (size_t)(from - start));
    out[from - start] = '\0';
    *at = from;
    return true;
}

static bool
read_dot(const char **at)
{
    bool found = **at == '.';
    *at += found ? 1 : 0;
    return found;
}

bool
semver_parse(const char *text, semver_t *out)
{
    if (strlen(text) > SEMVER_MAX) {
        return false;
    }
    semver_t version = {0};
    const char *at = text;
    bool core = read_number(&at, &version.major) && read_dot(&at) &&
                read_number(&at, &version.minor) && read_dot(&at) &&
                read_number(&at, &version.patch);
    if (!core) {
        return false;
    }
    if (*at == '-') {
        at++;
        if (!read_identifiers(&at, '+', false, version.prerelease)) {
            return false;
        }
    }
    if (*at == '+') {
        at++;
        if (!read_identifiers(&at, '\0', true, version.build)) {
            return false;
        }
    }
    if (*at != '\0') {
        return false;
    }
    *out = version;
    return true;
}

char *
semver_format(const semver_t *version, char *out)
{
    snprintf(out, SEMVER_TEXT, "%lld.%lld.%lld%s%s%s%s", (long long)version->major,
             (long long)version->minor, (long long)version->patch,
             version->prerelease[0] ? "-" : "", version->prerelease, version->build[0] ? "+" : "",
             version->build);
    return out;
}

static int
compare_numbers(int64_t left, int64_t right)
{
    return (left > right) - (left < right);
}

/* By length, then digits: numbers in identifiers have no bound. */
static int
compare_digits(const char *left, size_t left_len, const char *right, size_t right_len)
{
    if (left_len != right_len) {
        return left_len < right_len ? -1 : 1;
    }
    int order = memcmp(left, right, left_len);
    return (order > 0) - (order < 0);
}

static int
compare_texts(const char *left, size_t left_len, const char *right, size_t right_len)
{
    int order = memcmp(left, right, left_len < right_len ? left_len : right_len);
    if (order != 0) {
        return order < 0 ? -1 : 1;
    }
    return compare_numbers((int64_t)left_len, (int64_t)right_len);
}

static int
compare_identifiers(const char *left, size_t left_len, const char *right, size_t right_len)
{
    bool left_numeric = is_numeric(left, left_len);
    bool right_numeric = is_numeric(right, right_len);
    if (left_numeric && right_numeric) {
        return compare_digits(left, left_len, right, right_len);
    }
    if (left_numeric != right_numeric) {
        return left_numeric ? -1 : 1;
    }
    return compare_texts(left, left_len, right, right_len);
}

static int
compare_prereleases(const char *left, const char *right)
{
    if (!*left || !*right) {
        return (*left == '\0') - (*right == '\0'); /* a release is higher */
    }
    while (*left && *right) {
        size_t left_len = strcspn(left, ".");
        size_t right_len = strcspn(right, ".");
        int order = compare_identifiers(left, left_len, right, right_len);
        if (order != 0) {
            return order;
        }
        left += left_len + (left[left_len] == '.');
        right += right_len + (right[right_len] == '.');
    }
    return (*left != '\0') - (*right != '\0'); /* more identifiers are higher */
}

int
semver_compare(const semver_t *left, const semver_t *right)
{
    int order = compare_numbers(left->major, right->major);
    order = order ? order : compare_numbers(left->minor, right->minor);
    order = order ? order : compare_numbers(left->patch, right->patch);
    return order ? order : compare_prereleases(left->prerelease, right->prerelease);
}

/* "alpha.1" -> "alpha.2", "rc" -> "rc.1", "rc.-0" -> "rc.-0.1": a hyphen is a letter there. */
static void
next_prerelease(semver_t *version)
{
    char *last = strrchr(version->prerelease, '.');
    const char *number = last ? last + 1 : NULL;
    int64_t value = 0;
    if (number && is_numeric(number, strlen(number)) &&
        vln_text_to_i64(number, 0, INT64_MAX - 1, &value)) {
        size_t stem = (size_t)(number - version->prerelease);
        snprintf(version->prerelease + stem, sizeof version->prerelease - stem, "%lld",
                 (long long)value + 1);
        return;
    }
    size_t len = strlen(version->prerelease);
    snprintf(version->prerelease + len, sizeof version->prerelease - len, ".1");
}

static int64_t
next_number(int64_t number)
{
    return number < INT64_MAX ? number + 1 : -1;
}

semver_t
semver_next(const semver_t *version, semver_bump_t bump)
{
    semver_t next = *version;
    bool is_prerelease = version->prerelease[0] != '\0';
    next.build[0] = '\0';
    if (bump == SEMVER_PRERELEASE && is_prerelease) {
        next_prerelease(&next);
        return next;
    }
    next.prerelease[0] = '\0';
    bool finishes =
        is_prerelease && (bump == SEMVER_PATCH || (bump == SEMVER_MINOR && !next.patch) ||
                          (bump == SEMVER_MAJOR && !next.patch && !next.minor));
    if (finishes) {
        return next;
    }
    if (bump == SEMVER_MAJOR) {
        next.major = next_number(next.major);
        next.minor = next.patch = 0;
    } else if (bump == SEMVER_MINOR) {
        next.minor = next_number(next.minor);
        next.patch = 0;
    } else {
        next.patch = next_number(next.patch);
    }
    if (bump == SEMVER_PRERELEASE) {
        vln_text_copy(next.prerelease, sizeof next.prerelease, "alpha.1");
    }
    return next;
}

char *
semver_prerelease_key(const semver_t *version, char *out)
{
    if (!version->prerelease[0]) {
        vln_text_copy(out, SEMVER_KEY, "2");
        return out;
    }
    size_t used = 0;
    const char *at = version->prerelease;
    while (*at) {
        size_t len = strcspn(at, ".");
        const char *space = used ? " " : "";
        bool numeric = is_numeric(at, len);
        /* A number is prefixed by the count of its digits, which makes it sort at any length. */
        int wrote =
            numeric
                ? snprintf(out + used, SEMVER_KEY - used, "%s0%03zu%.*s", space, len, (int)len, at)
                : snprintf(out + used, SEMVER_KEY - used, "%s1%.*s", space, (int)len, at);
        used += (size_t)wrote;
        at += len + (at[len] == '.');
    }
    return out;
}
