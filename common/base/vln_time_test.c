#include "vln_time.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vln_err.h"

Test(vln_time, is_written_in_utc_with_milliseconds)
{
    static const struct {
        int64_t us;
        const char *text;
    } times[] = {
        {0, "1970-01-01T00:00:00.000Z"},
        {999, "1970-01-01T00:00:00.000Z"},
        {1000, "1970-01-01T00:00:00.001Z"},
        {999999, "1970-01-01T00:00:00.999Z"},
        {-1, "1969-12-31T23:59:59.999Z"},
        {-1000000, "1969-12-31T23:59:59.000Z"},
        {-1000001, "1969-12-31T23:59:58.999Z"},
        {INT64_C(1795417194435999), "2026-11-23T06:59:54.435Z"},
        {INT64_C(951782400000000), "2000-02-29T00:00:00.000Z"},
        {INT64_C(2147483648000000), "2038-01-19T03:14:08.000Z"},
        {INT64_C(253402300799999999), "9999-12-31T23:59:59.999Z"},
    };
    setenv("TZ", "America/Sao_Paulo", 1); /* where people are says nothing about what is written */
    tzset();
    for (size_t i = 0; i < VLN_COUNT(times); i++) {
        char text[VLN_TIME_TEXT];
        cr_expect(eq(str, vln_time_format(times[i].us, text), (char *)times[i].text));
    }
}

/* Nothing that an int64 holds is longer than the room that callers have. */
Test(vln_time, the_ends_of_time_fit)
{
    static const int64_t ends[] = {INT64_MAX, INT64_MIN, INT64_MIN + 1};
    for (size_t i = 0; i < VLN_COUNT(ends); i++) {
        char text[VLN_TIME_TEXT + 1];
        memset(text, '#', sizeof text);
        vln_time_format(ends[i], text);
        cr_expect(eq(chr, text[VLN_TIME_TEXT], '#'));
        cr_expect(lt(sz, strlen(text), VLN_TIME_TEXT));
        cr_expect(eq(chr, text[strlen(text) - 1], 'Z'));
    }
}

Test(vln_time, monotonic_time_goes_forward)
{
    int64_t before = vln_mono_us();
    for (int i = 0; i < 1000; i++) {
        int64_t now = vln_mono_us();
        cr_assert(ge(i64, now, before));
        before = now;
    }
    cr_expect(ge(i64, vln_mono_ms(), before / 1000));
}

/* time() lags behind by up to a tick of the kernel; this does not. */
static int64_t
system_us(void)
{
    struct timespec now;
    cr_assert(clock_gettime(CLOCK_REALTIME, &now) == 0);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

Test(vln_time, wall_time_is_that_of_the_system)
{
    int64_t before = system_us();
    int64_t now = vln_wall_us();
    cr_expect(ge(i64, now, before));
    cr_expect(le(i64, now, system_us()));
}

Test(vln_time, a_sleep_lasts_as_long_as_it_was_told)
{
    static const int64_t lengths_ms[] = {0, 1, 30};
    for (size_t i = 0; i < VLN_COUNT(lengths_ms); i++) {
        int64_t start_us = vln_mono_us();
        vln_sleep_ms(lengths_ms[i]);
        cr_expect(ge(i64, vln_mono_us() - start_us, lengths_ms[i] * 1000));
    }
}
