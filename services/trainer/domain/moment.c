#include "moment.h"

#include <stddef.h>
#include <stdint.h>

enum {
    FRACTION_DIGITS = 6, /* of a second, that count */
    MINUTE_S = 60,
    HOUR_S = 3600,
    DAY_S = 86400,
};

#define SECOND_US INT64_C(1000000)

static bool
is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* So many digits, as a number from `min` to `max`. */
static bool
take_number(const char **text, size_t digits, int min, int max, int *out)
{
    *out = 0;
    for (size_t i = 0; i < digits; i++) {
        if (!is_digit(**text)) {
            return false;
        }
        *out = *out * 10 + (*(*text)++ - '0');
    }
    return *out >= min && *out <= max;
}

static bool
take(const char **text, char wanted)
{
    bool is_there = **text == wanted;
    *text += is_there;
    return is_there;
}

static bool
is_leap(int year)
{
    return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static int
days_of(int year, int month)
{
    static const int days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
    return days[month - 1] + (month == 2 && is_leap(year));
}

/* Since 1970, in the calendar of today. */
static int64_t
count_days(int year, int month, int day)
{
    int64_t before = year - 1;
    int64_t days = 365 * before + before / 4 - before / 100 + before / 400 - 719162;
    for (int i = 1; i < month; i++) {
        days += days_of(year, i);
    }
    return days + day - 1;
}

static bool
take_date(const char **text, int64_t *days)
{
    int year = 0;
    int month = 0;
    int day = 0;
    bool good = take_number(text, 4, 1, 9999, &year) && take(text, '-') &&
                take_number(text, 2, 1, 12, &month) && take(text, '-') &&
                take_number(text, 2, 1, days_of(year, month), &day);
    *days = good ? count_days(year, month, day) : 0;
    return good;
}

static bool
take_fraction(const char **text, int64_t *us)
{
    int64_t unit = SECOND_US;
    size_t digits = 0;
    for (; is_digit(**text); (*text)++, digits++) {
        unit = digits < FRACTION_DIGITS ? unit / 10 : 0;
        *us += unit * (**text - '0');
    }
    return digits > 0;
}

static bool
take_time(const char **text, int64_t *us)
{
    int hour = 0;
    int minute = 0;
    int second = 0;
    if (!take_number(text, 2, 0, 23, &hour) || !take(text, ':') ||
        !take_number(text, 2, 0, 59, &minute)) {
        return false;
    }
    if (take(text, ':') && (!take_number(text, 2, 0, 60, &second) || /* 60: a leap second */
                            (take(text, '.') && !take_fraction(text, us)))) {
        return false;
    }
    *us += (hour * HOUR_S + minute * MINUTE_S + second) * SECOND_US;
    return true;
}

static bool
take_zone(const char **text, int64_t *us)
{
    int hour = 0;
    int minute = 0;
    bool east = **text == '+';
    if (take(text, 'Z') || (!take(text, '+') && !take(text, '-'))) {
        return true;
    }
    if (!take_number(text, 2, 0, 23, &hour)) {
        return false;
    }
    take(text, ':');
    if (!take_number(text, 2, 0, 59, &minute)) {
        return false;
    }
    int64_t offset = (hour * HOUR_S + minute * MINUTE_S) * SECOND_US;
    *us += east ? -offset : offset;
    return true;
}

bool
moment_parse(const char *text, double *out)
{
    int64_t days = 0;
    int64_t us = 0;
    const char *rest = text;
    *out = 0;
    if (!take_date(&rest, &days)) {
        return false;
    }
    if (*rest != '\0' && ((!take(&rest, 'T') && !take(&rest, ' ')) || !take_time(&rest, &us) ||
                          !take_zone(&rest, &us))) {
        return false;
    }
    *out = (double)(days * DAY_S * SECOND_US + us);
    return *rest == '\0';
}
