#include "vln_number.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_number_scan.h"

static uint64_t random_state = 7;

static uint64_t
random_bits(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    uint64_t bits = random_state ^ random_state >> 31;
    return bits * UINT64_C(0x9e3779b97f4a7c15) ^ bits >> 27;
}

/* The C library's strtod rounds right; ours must give the same bits. */
static void
must_be_as_strtod(const char *text)
{
    double value = NAN;
    double expected = strtod(text, NULL);
    cr_assert(vln_number_f64(text, strlen(text), &value) == VLN_NUMBER_OK, "%s", text);
    cr_assert(memcmp(&value, &expected, sizeof value) == 0, "%s is %.17g, not %.17g", text, value,
              expected);
}

Test(vln_number, floats_have_the_bits_of_strtod)
{
    char text[64];
    for (int i = 0; i < 200000; i++) {
        uint64_t whole = random_bits() >> (random_bits() % 64);
        snprintf(text, sizeof text, "%llu", (unsigned long long)whole);
        must_be_as_strtod(text);
        int zeros = (int)(random_bits() % 6);
        snprintf(text, sizeof text, "-%llu.%.*s%llu", (unsigned long long)(random_bits() % 1000),
                 zeros, "00000", (unsigned long long)(whole >> random_bits() % 64));
        must_be_as_strtod(text);
        snprintf(text, sizeof text, "%llu.%llue%d", (unsigned long long)whole,
                 (unsigned long long)(random_bits() % 1000), (int)(random_bits() % 60) - 30);
        must_be_as_strtod(text);
    }
}

Test(vln_number, every_float_comes_back_from_its_shortest_texts)
{
    char text[64];
    for (int i = 0; i < 100000; i++) {
        uint64_t bits = random_bits();
        double value;
        memcpy(&value, &bits, sizeof value);
        if (!isfinite(value)) {
            continue;
        }
        snprintf(text, sizeof text, "%.17g", value);
        double back = NAN;
        const char *plus = strchr(text, '+');
        cr_assert(plus == NULL || plus[-1] == 'e');
        cr_assert(vln_number_f64(text, strlen(text), &back) == VLN_NUMBER_OK);
        cr_assert(memcmp(&back, &value, sizeof back) == 0, "%s", text);
    }
}

Test(vln_number, halves_are_rounded_to_even)
{
    must_be_as_strtod("9007199254740993");
    must_be_as_strtod("9007199254740995");
    must_be_as_strtod("900719925474099.3");
    must_be_as_strtod("9007199254740993.0");
    must_be_as_strtod("0.000000000000000001");
    must_be_as_strtod("9999999999999999999");
    must_be_as_strtod("0.9999999999999999999");
    must_be_as_strtod("1e-320");
    must_be_as_strtod("5e-324");
    must_be_as_strtod("1.7976931348623157e308");
    must_be_as_strtod("-0");
    must_be_as_strtod("0.1");
    must_be_as_strtod("5.");
    must_be_as_strtod(".5");
    must_be_as_strtod("-.5e-3");
    must_be_as_strtod("0e999999");
}

Test(vln_number, what_is_no_number_is_none)
{
    static const char *const texts[] = {
        "",      "-",   ".",        "-.",    "e5",    "1e",  "1e+", "+5",    " 7",
        "7 ",    "007", "-01.5",    "0x1F",  "1_000", "1,5", "inf", "nan",   "-inf",
        "1.2.3", "--3", "1e5.5",    "12a",   "\t1",   "1\n", "１",  "1e5e5", "0b11",
        "1f",    "NaN", "Infinity", "1 000", "00",    "-00"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double number = 0;
        int64_t whole = 0;
        cr_expect(vln_number_f64(texts[i], strlen(texts[i]), &number) == VLN_NUMBER_NOT, "%s",
                  texts[i]);
        cr_expect(vln_number_i64(texts[i], strlen(texts[i]), &whole) == VLN_NUMBER_NOT, "%s",
                  texts[i]);
    }
}

Test(vln_number, what_a_float_does_not_hold_is_out_of_range)
{
    static const char *const texts[] = {"1e999",    "-1e400",        "1e-400",
                                        "0.1e-323", "1e99999999999", "123e-99999999999"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double number = 0;
        cr_expect(vln_number_f64(texts[i], strlen(texts[i]), &number) == VLN_NUMBER_RANGE, "%s",
                  texts[i]);
    }
}

Test(vln_number, a_very_long_number_is_none)
{
    char text[2000];
    memset(text, '1', sizeof text);
    double number = 0;
    cr_expect(vln_number_f64(text, 1025, &number) == VLN_NUMBER_NOT);
    cr_expect(vln_number_f64(text, 1024, &number) == VLN_NUMBER_RANGE);
    cr_expect(vln_number_f64(text, 300, &number) == VLN_NUMBER_OK);
}

Test(vln_number, whole_numbers_reach_to_both_ends)
{
    int64_t whole = 0;
    cr_expect(vln_number_i64("9223372036854775807", 19, &whole) == VLN_NUMBER_OK);
    cr_expect(eq(i64, whole, INT64_MAX));
    cr_expect(vln_number_i64("-9223372036854775808", 20, &whole) == VLN_NUMBER_OK);
    cr_expect(eq(i64, whole, INT64_MIN));
    cr_expect(vln_number_i64("9223372036854775808", 19, &whole) == VLN_NUMBER_RANGE);
    cr_expect(vln_number_i64("-9223372036854775809", 20, &whole) == VLN_NUMBER_RANGE);
    cr_expect(vln_number_i64("99999999999999999999", 20, &whole) == VLN_NUMBER_RANGE);
    cr_expect(vln_number_i64("-0", 2, &whole) == VLN_NUMBER_OK);
    cr_expect(eq(i64, whole, 0));
    cr_expect(vln_number_i64("1.0", 3, &whole) == VLN_NUMBER_NOT);
    cr_expect(vln_number_i64("1e3", 3, &whole) == VLN_NUMBER_NOT);
}

Test(vln_number, a_scan_stops_after_the_number)
{
    double number = 0;
    int64_t whole = 0;
    char text[32] = "-12.5e1,7\n";
    cr_expect(eq(str, (char *)vln_number_scan_f64(text, &number), ",7\n"));
    cr_expect(number == -125);
    char more[32] = "42\r\n";
    cr_expect(eq(str, (char *)vln_number_scan_i64(more, &whole), "\r\n"));
    cr_expect(eq(i64, whole, 42));
    char none[32] = "x,";
    cr_expect(eq(ptr, (void *)vln_number_scan_f64(none, &number), NULL));
    cr_expect(eq(ptr, (void *)vln_number_scan_i64(none + 1, &whole), NULL));
}
