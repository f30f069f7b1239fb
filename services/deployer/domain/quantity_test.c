#include "quantity.h"

#include <criterion/criterion.h>

Test(quantity, reads_processors)
{
    int64_t millis = 0;
    cr_assert(quantity_read_cpu("500m", &millis));
    cr_assert_eq(millis, 500);
    cr_assert(quantity_read_cpu("2", &millis));
    cr_assert_eq(millis, 2000);
    cr_assert(quantity_read_cpu("0.25", &millis));
    cr_assert_eq(millis, 250);
}

Test(quantity, reads_memory)
{
    int64_t bytes = 0;
    cr_assert(quantity_read_memory("512Mi", &bytes));
    cr_assert_eq(bytes, 536870912);
    cr_assert(quantity_read_memory("1.5G", &bytes));
    cr_assert_eq(bytes, 1500000000);
    cr_assert(quantity_read_memory("2097152", &bytes));
    cr_assert_eq(bytes, 2097152);
}

Test(quantity, refuses_what_is_none)
{
    static const char *const wrong[] = {"",    "m",   "-1",   "0",   "0m",   "1 m", "1mm",
                                        "nan", "inf", "0x10", "1e9", "1025", "+1"};
    static const char *const no_memory[] = {"",    "Mi",  "-1Mi", "1",         "1Ki",
                                            "2Ti", "5mi", "1e30", "0x7fffffff"};
    int64_t out = 0;
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        cr_assert_not(quantity_read_cpu(wrong[i], &out), "%s", wrong[i]);
    }
    for (size_t i = 0; i < sizeof no_memory / sizeof *no_memory; i++) {
        cr_assert_not(quantity_read_memory(no_memory[i], &out), "%s", no_memory[i]);
    }
}
