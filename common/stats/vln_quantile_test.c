#include "vln_quantile.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"

#include "test_golden.h"

Test(vln_quantile, gives_the_golden_values)
{
    static const double list[] = {1, 1, 2, 2, 2, 3, 4, 5, 5, 5};
    must_be_stat("q 25", vln_quantile(list, 10, 0.25), 2.0, 1e-9);
    must_be_stat("q 50", vln_quantile(list, 10, 0.5), 2.5, 1e-9);
    must_be_stat("q 75", vln_quantile(list, 10, 0.75), 4.75, 1e-9);
}

Test(vln_quantile, never_falls_and_stays_inside)
{
    vln_sample_t sample = golden_sample(21, 137, -1);
    double before = sample.sorted[0];
    for (int i = 0; i <= 1000; i++) {
        double value = vln_quantile(sample.sorted, sample.n, i / 1000.0).value;
        cr_expect(value >= before && value <= sample.sorted[sample.n - 1]);
        before = value;
    }
    cr_expect(vln_quantile(sample.sorted, sample.n, 0).value == sample.sorted[0]);
    cr_expect(before == sample.sorted[sample.n - 1]);
    vln_sample_end(&sample);
}

Test(vln_quantile, one_row_is_every_quantile_and_none_has_none)
{
    static const double one[] = {4};
    cr_expect(vln_quantile(one, 1, 0.99).value == 4);
    cr_expect(vln_quantile(one, 0, 0.5).why == VLN_STAT_EMPTY);
}

Test(vln_quantile, outliers_lie_outside_the_fences_and_not_on_them)
{
    /* q1 2, q3 4, fences -1 and 7 */
    static const double values[] = {-1.5, -1, 2, 2, 3, 4, 4, 7, 7.5};
    vln_fences_t fences = vln_fences(values, 9);
    cr_expect(fences.low == -1 && fences.high == 7 && fences.median == 3);
    cr_expect(eq(u64, vln_fences_count_outside(&fences, values, 9), 2));
    fences = vln_fences(values, 0);
    cr_expect(not(fences.defined));
    cr_expect(eq(u64, vln_fences_count_outside(&fences, values, 0), 0));
    static const double huge[] = {-1.7e308, -1.7e308, 1.7e308, 1.7e308};
    cr_expect(vln_fences(huge, 4).why == VLN_STAT_NOT_FINITE);
}

static int
by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

Test(vln_quantile, the_radix_sort_sorts)
{
    static const size_t sizes[] = {0, 1, 2, 63, 64, 65, 1000, 30000};
    for (size_t i = 0; i < VLN_COUNT(sizes); i++) {
        size_t n = sizes[i];
        double *values = golden_numbers((uint32_t)i + 1, n, 1, -1.5);
        for (size_t k = 0; k < n; k += 7) {
            values[k] = ldexp(values[k], (int)(k % 2000) - 1000);
        }
        if (n > 3) {
            values[0] = INFINITY;
            values[1] = -INFINITY;
            values[2] = 0;
        }
        double *expected = vln_memdup(values, n * sizeof *values);
        qsort(expected, n, sizeof *expected, by_value);
        vln_sort(values, n);
        cr_expect(memcmp(values, expected, n * sizeof *values) == 0, "%zu values", n);
        free(values);
        free(expected);
    }
}

Test(vln_quantile, zero_has_one_order)
{
    double values[] = {0.0, -0.0, 0.0, -0.0};
    vln_sort(values, 4);
    cr_expect(signbit(values[0]) && signbit(values[1]) && !signbit(values[2]));
}

Test(vln_quantile, counts_are_below_and_up_to)
{
    static const double values[] = {1, 2, 2, 2, 5};
    cr_expect(eq(sz, vln_count_below(values, 5, 2), 1));
    cr_expect(eq(sz, vln_count_to(values, 5, 2), 4));
    cr_expect(eq(sz, vln_count_below(values, 5, 9), 5));
    cr_expect(eq(sz, vln_count_to(values, 5, 0), 0));
}
