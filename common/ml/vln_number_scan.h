/*
 * vln_number_scan - the number at the start of a text that does not say where it ends: the inner
 * loop of reading data, so it is inline. Only vln_number.c and who has measured it include this.
 *
 * Digit by digit: on data of tables, whose numbers are short, that is faster than taking eight at
 * once, because the processor guesses the length and goes on to the next field meanwhile.
 */
#ifndef VLN_NUMBER_SCAN_H
#define VLN_NUMBER_SCAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    VLN_NUMBER_DIGITS = 19,      /* always fit 64 bits */
    VLN_NUMBER_EXACT_POWER = 22, /* powers of ten up to this are floats */
};

/* Whole numbers up to this are floats. */
#define VLN_NUMBER_EXACT_WHOLE (UINT64_C(1) << 53)

extern const double vln_number_powers[VLN_NUMBER_EXACT_POWER + 1];

/* whole / 10^power where a plain division would round twice or not at all; false if not easy. */
bool vln_number_scale(uint64_t whole, int power, double *out);

/* After an exponent, which is taken off the power; NULL if there is none, or a large one. */
const char *vln_number_scan_exponent(const char *at, int *power);

static inline unsigned
vln_number_digit(char byte)
{
    return (unsigned)(unsigned char)byte - '0';
}

/* After the digits; `whole` is of use while there are at most 19. */
static inline const char *
vln_number_scan_digits(const char *at, uint64_t *whole)
{
    uint64_t value = *whole;
    for (unsigned digit = vln_number_digit(*at); digit <= 9; digit = vln_number_digit(*++at)) {
        value = value * 10 + digit;
    }
    *whole = value;
    return at;
}

/*
 * The byte after the number; NULL unless it is one of vln_number's grammar and an easy one: at most
 * 19 digits, a small exponent. The text must hold a byte that is no part of a number.
 */
static inline const char *
vln_number_scan_f64(const char *text, double *out)
{
    bool negative = *text == '-';
    const char *start = text + negative;
    uint64_t whole = 0;
    const char *at = vln_number_scan_digits(start, &whole);
    ptrdiff_t digits = at - start;
    ptrdiff_t fraction = 0;
    int power = 0;
    if (digits > 1 && *start == '0') {
        return NULL;
    }
    if (*at == '.') {
        const char *after = at + 1;
        at = vln_number_scan_digits(after, &whole);
        fraction = at - after;
        digits += fraction;
    }
    if (digits == 0 || digits > VLN_NUMBER_DIGITS) {
        return NULL;
    }
    power = (int)fraction;
    if ((*at | 0x20) == 'e') {
        at = vln_number_scan_exponent(at + 1, &power);
    }
    double value = 0;
    if (at && whole <= VLN_NUMBER_EXACT_WHOLE && power >= 0 && power <= VLN_NUMBER_EXACT_POWER) {
        value = (double)whole / vln_number_powers[power]; /* both exact: rounded once */
    } else if (!at || !vln_number_scale(whole, power, &value)) {
        return NULL;
    }
    *out = negative ? -value : value;
    return at;
}

/* Likewise, for a whole number that fits. */
static inline const char *
vln_number_scan_i64(const char *text, int64_t *out)
{
    bool negative = *text == '-';
    const char *start = text + negative;
    uint64_t whole = 0;
    const char *at = vln_number_scan_digits(start, &whole);
    ptrdiff_t digits = at - start;
    if (digits == 0 || digits > VLN_NUMBER_DIGITS || (digits > 1 && *start == '0') ||
        whole > (uint64_t)INT64_MAX + negative) {
        return NULL;
    }
    *out = negative ? (int64_t)(0 - whole) : (int64_t)whole;
    return at;
}

#endif
