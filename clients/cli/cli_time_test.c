#include "cli_time.h"

#include <criterion/criterion.h>

static const int64_t NOW_US = INT64_C(1763892000000000); /* 2025-11-23T10:00:00Z */

static int64_t
time_of(const char *text)
{
    int64_t out = -1;
    cr_expect(cli_time_parse(text, NOW_US, &out), "%s", text);
    return out;
}

Test(cli_time, takes_times_with_and_without_a_zone)
{
    cr_expect(time_of("now") == NOW_US);
    cr_expect(time_of("2025-11-23T10:00:00Z") == NOW_US);
    cr_expect(time_of("2025-11-23 10:00") == NOW_US);
    cr_expect(time_of("2025-11-23T11:00+01:00") == NOW_US);
    cr_expect(time_of("2025-11-23T05:30:00-0430") == NOW_US);
    cr_expect(time_of("2025-11-23T10:00:00.25Z") == NOW_US + 250000);
    cr_expect(time_of("2025-11-23") == NOW_US - INT64_C(36000000000));
    cr_expect(time_of("2024-02-29") == INT64_C(1709164800000000));
}

Test(cli_time, takes_how_long_ago)
{
    cr_expect(time_of("90m ago") == NOW_US - INT64_C(5400000000));
    cr_expect(time_of("500ms ago") == NOW_US - 500000);
}

Test(cli_time, refuses_what_is_no_time)
{
    static const char *const texts[] = {"",
                                        "yesterday",
                                        "2025-13-01",
                                        "2025-02-30",
                                        "2025-11-23T",
                                        "2025-11-23T25:00",
                                        "2025-11-23T10:00:00.Z",
                                        "2025-11-23T10:00ZZ",
                                        "2025-11-23T10:00+1",
                                        "1969-12-31",
                                        "m ago",
                                        "2025-11-23x"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        int64_t out = 0;
        cr_expect(!cli_time_parse(texts[i], NOW_US, &out), "%s", texts[i]);
    }
}
