#include "moment.h"

#include <criterion/criterion.h>

static void
expect(const char *text, double wanted)
{
    double found = 0;
    cr_expect(moment_parse(text, &found), "%s", text);
    cr_expect_eq(found, wanted, "%s: %.0f, not %.0f", text, found, wanted);
}

Test(moment, is_counted_from_1970)
{
    const double day = 86400e6;
    expect("1970-01-01", 0);
    expect("1969-12-31", -day);
    expect("1970-01-01T00:00:01Z", 1e6);
    expect("2000-02-29", 11016 * day);
    expect("2000-03-01", 11017 * day);
    expect("2026-03-01", 20513 * day);
    expect("0001-01-01", -719162 * day);
    expect("9999-12-31", 2932896 * day);
}

Test(moment, takes_a_time_and_an_offset)
{
    const double noon = 43200e6;
    expect("1970-01-01T12:00", noon);
    expect("1970-01-01 12:00:00", noon);
    expect("1970-01-01T14:00:00+02:00", noon);
    expect("1970-01-01T08:30-0330", noon);
    expect("1970-01-01 12:00:00.5Z", noon + 5e5);
    expect("1970-01-01 12:00:00.1234569", noon + 123456);
    expect("1970-01-01 23:59:60", 86400e6);
}

Test(moment, refuses_what_is_none)
{
    static const char *const texts[] = {
        "",
        "now",
        "2026",
        "2026-13-01",
        "2026-02-29",
        "2026-00-10",
        "2026-04-31",
        "01/02/2026",
        "2026-1-2",
        "2026-01-01T",
        "2026-01-01T24:00",
        "2026-01-01T9:00",
        "2026-01-01T09:60",
        "2026-01-01T09:00:61",
        "2026-01-01T09:00:00.",
        "2026-01-01T09:00+1",
        "2026-01-01T09:00+24:00",
        "2026-01-01Z",
        "2026-01-01 09:00 ",
        "2026-01-01T09:00Zx",
        " 2026-01-01",
        "0000-01-01",
        "20260101",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        double found = 0;
        cr_expect_not(moment_parse(texts[i], &found), "%s", texts[i]);
    }
}
