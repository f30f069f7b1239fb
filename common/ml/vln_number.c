#include "vln_number.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_number_scan.h"

enum {
    NUMBER_MAX = 1024,
    WIDE_POWER = 19, /* powers of ten up to this are 64-bit whole numbers */
};

__extension__ typedef unsigned __int128 wide_t;

const double vln_number_powers[VLN_NUMBER_EXACT_POWER + 1] = {
    1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,  1e8,  1e9,  1e10, 1e11,
    1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};

static const uint64_t whole_powers[WIDE_POWER + 1] = {UINT64_C(1),
                                                      UINT64_C(10),
                                                      UINT64_C(100),
                                                      UINT64_C(1000),
                                                      UINT64_C(10000),
                                                      UINT64_C(100000),
                                                      UINT64_C(1000000),
                                                      UINT64_C(10000000),
                                                      UINT64_C(100000000),
                                                      UINT64_C(1000000000),
                                                      UINT64_C(10000000000),
                                                      UINT64_C(100000000000),
                                                      UINT64_C(1000000000000),
                                                      UINT64_C(10000000000000),
                                                      UINT64_C(100000000000000),
                                                      UINT64_C(1000000000000000),
                                                      UINT64_C(10000000000000000),
                                                      UINT64_C(100000000000000000),
                                                      UINT64_C(1000000000000000000),
                                                      UINT64_C(10000000000000000000)};

/* whole / 10^power, rounded once: the quotient has more bits than a float, and the rest is known. */
static double
divide(uint64_t whole, int power)
{
    int up = __builtin_clzll(whole);
    wide_t shifted = (wide_t)(whole << up) << 63;
    uint64_t by = whole_powers[power];
    wide_t quotient = shifted / by;
    bool rest = shifted % by != 0;
    int bits = quotient >> 64 ? 128 - __builtin_clzll((uint64_t)(quotient >> 64))
                              : 64 - __builtin_clzll((uint64_t)quotient);
    int drop = bits - DBL_MANT_DIG;
    uint64_t kept = (uint64_t)(quotient >> drop);
    wide_t lost = quotient & (((wide_t)1 << drop) - 1);
    wide_t half = (wide_t)1 << (drop - 1);
    if (lost > half || (lost == half && (rest || kept & 1))) {
        kept++;
    }
    return ldexp((double)kept, drop - up - 63);
}

bool
vln_number_scale(uint64_t whole, int power, double *out)
{
    if (whole <= VLN_NUMBER_EXACT_WHOLE && power < 0 && power >= -VLN_NUMBER_EXACT_POWER) {
        *out = (double)whole * vln_number_powers[-power];
        return true;
    }
    if (whole > VLN_NUMBER_EXACT_WHOLE && power >= 0 && power <= WIDE_POWER) {
        *out = divide(whole, power);
        return true;
    }
    return false;
}

const char *
vln_number_scan_exponent(const char *at, int *power)
{
    bool negative = *at == '-';
    at += *at == '-' || *at == '+';
    int exponent = 0;
    int digits = 0;
    for (; vln_number_digit(*at) <= 9 && digits < 4; digits++) {
        exponent = exponent * 10 + (int)vln_number_digit(*at++);
    }
    if (digits == 0 || digits == 4) {
        return NULL;
    }
    *power += negative ? exponent : -exponent;
    return at;
}

static size_t
count_digits(const char *text, size_t len, size_t at)
{
    size_t start = at;
    while (at < len && vln_number_digit(text[at]) <= 9) {
        at++;
    }
    return at - start;
}

/* After the sign and the digits before the full stop; false if these are none. */
static bool
take_whole(const char *text, size_t len, size_t *at, size_t *digits)
{
    *at = len > 0 && text[0] == '-' ? 1 : 0;
    *digits = count_digits(text, len, *at);
    bool padded = *digits > 1 && text[*at] == '0';
    *at += *digits;
    return !padded;
}

static bool
is_number(const char *text, size_t len)
{
    size_t at = 0;
    size_t digits = 0;
    if (!take_whole(text, len, &at, &digits)) {
        return false;
    }
    if (at < len && text[at] == '.') {
        size_t more = count_digits(text, len, at + 1);
        digits += more;
        at += 1 + more;
    }
    if (digits > 0 && at < len && (text[at] | 0x20) == 'e') {
        at++;
        at += at < len && (text[at] == '+' || text[at] == '-');
        digits = count_digits(text, len, at);
        at += digits;
    }
    return digits > 0 && at == len;
}

/* A digit that is not zero, before the exponent. */
static bool
has_value(const char *text, size_t len)
{
    for (size_t i = 0; i < len && (text[i] | 0x20) != 'e'; i++) {
        if (text[i] >= '1' && text[i] <= '9') {
            return true;
        }
    }
    return false;
}

vln_number_t
vln_number_f64(const char *text, size_t len, double *out)
{
    if (len == 0 || len > NUMBER_MAX || !is_number(text, len)) {
        return VLN_NUMBER_NOT;
    }
    char copy[NUMBER_MAX + 1];
    memcpy(copy, text, len);
    copy[len] = '\0';
    double value = 0;
    if (!vln_number_scan_f64(copy, &value)) {
        value = strtod(copy, NULL); /* the suite never leaves the C locale */
    }
    if (!isfinite(value) || (value == 0 && has_value(copy, len))) {
        return VLN_NUMBER_RANGE;
    }
    *out = value;
    return VLN_NUMBER_OK;
}

vln_number_t
vln_number_i64(const char *text, size_t len, int64_t *out)
{
    size_t at = 0;
    size_t digits = 0;
    if (len > NUMBER_MAX || !take_whole(text, len, &at, &digits) || digits == 0 || at != len) {
        return VLN_NUMBER_NOT;
    }
    char copy[VLN_NUMBER_DIGITS + 2] = {0};
    if (digits > VLN_NUMBER_DIGITS) {
        return VLN_NUMBER_RANGE;
    }
    memcpy(copy, text, len);
    return vln_number_scan_i64(copy, out) ? VLN_NUMBER_OK : VLN_NUMBER_RANGE;
}
