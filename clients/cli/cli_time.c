#include "cli_time.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli_args.h"

enum { DURATION_ROOM = 32, MINUTE_S = 60, HOUR_S = 3600 };

static const int64_t SECOND_US = 1000000;

/* `count` digits as a number; *at moves on. */
static bool
read_digits(const char **at, int count, int *out)
{
    *out = 0;
    for (int i = 0; i < count; i++) {
        if (!isdigit((unsigned char)**at)) {
            return false;
        }
        *out = *out * 10 + (**at - '0');
        (*at)++;
    }
    return true;
}

static bool
read_char(const char **at, char wanted)
{
    bool found = **at == wanted;
    *at += found ? 1 : 0;
    return found;
}

static bool
read_date(const char **at, struct tm *out)
{
    bool read = read_digits(at, 4, &out->tm_year) && read_char(at, '-') &&
                read_digits(at, 2, &out->tm_mon) && read_char(at, '-') &&
                read_digits(at, 2, &out->tm_mday);
    out->tm_year -= 1900;
    out->tm_mon -= 1;
    return read && out->tm_year >= 70 && out->tm_mon >= 0 && out->tm_mon < 12 &&
           out->tm_mday >= 1 && out->tm_mday <= 31;
}

/* ".5" as 500000. */
static bool
read_fraction(const char **at, int64_t *out_us)
{
    int64_t unit = SECOND_US / 10;
    *out_us = 0;
    if (!read_char(at, '.')) {
        return true;
    }
    size_t digits = strspn(*at, "0123456789");
    for (size_t i = 0; i < digits; i++, unit /= 10) {
        *out_us += unit * (**at - '0');
        (*at)++;
    }
    return digits > 0;
}

/* 10:00, 10:00:30, 10:00:30.5 */
static bool
read_clock(const char **at, struct tm *out, int64_t *fraction_us)
{
    *fraction_us = 0;
    if (!read_digits(at, 2, &out->tm_hour) || !read_char(at, ':') ||
        !read_digits(at, 2, &out->tm_min)) {
        return false;
    }
    if (read_char(at, ':') &&
        (!read_digits(at, 2, &out->tm_sec) || !read_fraction(at, fraction_us))) {
        return false;
    }
    return out->tm_hour <= 23 && out->tm_min <= 59 && out->tm_sec <= 60;
}

/* "", "Z", "+01:00": seconds to take off. */
static bool
read_zone(const char **at, int64_t *out_s)
{
    int hours = 0;
    int minutes = 0;
    *out_s = 0;
    if (**at == '\0' || read_char(at, 'Z') || read_char(at, 'z')) {
        return **at == '\0';
    }
    int sign = **at == '-' ? -1 : 1;
    if (!(read_char(at, '+') || read_char(at, '-')) || !read_digits(at, 2, &hours)) {
        return false;
    }
    read_char(at, ':');
    if (!read_digits(at, 2, &minutes) || hours > 23 || minutes > 59) {
        return false;
    }
    *out_s = sign * ((int64_t)hours * HOUR_S + (int64_t)minutes * MINUTE_S);
    return **at == '\0';
}

static bool
parse_ago(const char *text, int64_t now_us, int64_t *out_us)
{
    char duration[DURATION_ROOM];
    const char *ago = strstr(text, " ago");
    int64_t ms = 0;
    if (!ago || ago[4] || (size_t)(ago - text) >= sizeof duration) {
        return false;
    }
    snprintf(duration, sizeof duration, "%.*s", (int)(ago - text), text);
    if (!cli_duration_parse(duration, &ms)) {
        return false;
    }
    *out_us = now_us - ms * 1000;
    return true;
}

bool
cli_time_parse(const char *text, int64_t now_us, int64_t *out_us)
{
    struct tm utc = {0};
    int64_t fraction_us = 0;
    int64_t zone_s = 0;
    const char *at = text;
    if (strcmp(text, "now") == 0) {
        *out_us = now_us;
        return true;
    }
    if (parse_ago(text, now_us, out_us)) {
        return true;
    }
    if (!read_date(&at, &utc)) {
        return false;
    }
    bool has_clock = read_char(&at, 'T') || read_char(&at, ' ');
    if ((has_clock && !read_clock(&at, &utc, &fraction_us)) || !read_zone(&at, &zone_s)) {
        return false;
    }
    int day = utc.tm_mday;
    time_t seconds = timegm(&utc);
    if (utc.tm_mday != day) {
        return false; /* 2026-02-30 */
    }
    *out_us = ((int64_t)seconds - zone_s) * SECOND_US + fraction_us;
    return true;
}
