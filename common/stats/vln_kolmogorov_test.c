#include "vln_kolmogorov.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "test_golden.h"

Test(vln_kolmogorov, one_sample_gives_the_golden_values)
{
    must_be("kstwo 0.1 100", vln_kolmogorov_sf(100, 0.1), 0.25269275700638738, 1e-9);
    must_be("kstwo 0.05 500", vln_kolmogorov_sf(500, 0.05), 0.15866260223815365, 1e-9);
    must_be("kstwo 0.02 5143", vln_kolmogorov_sf(5143, 0.02), 0.032232510852154839, 1e-9);
}

/* n = 1: D is the larger of u and 1 - u. n = 2 by its known form. */
Test(vln_kolmogorov, one_and_two_values_are_known_by_hand)
{
    for (double d = 0.51; d < 1; d += 0.07) {
        must_be("n 1", vln_kolmogorov_sf(1, d), 2 * (1 - d), 1e-12);
    }
    for (double d = 0.26; d <= 0.5; d += 0.06) {
        must_be("n 2, low", vln_kolmogorov_sf(2, d), 1 - 2 * (2 * d - 0.5) * (2 * d - 0.5), 1e-12);
    }
    for (double d = 0.51; d < 1; d += 0.07) {
        must_be("n 2, high", vln_kolmogorov_sf(2, d), 2 * (1 - d) * (1 - d), 1e-12);
    }
}

Test(vln_kolmogorov, the_one_sided_sum_is_known_by_hand_for_two)
{
    for (double d = 0.05; d < 1; d += 0.1) {
        double p = (1 - d) * (1 - d) + (d < 0.5 ? 2 * d * (0.5 - d) : 0);
        must_be("n 2, one side", vln_kolmogorov_one_sided(2, d), p, 1e-12);
    }
}

/* From one method to the next there is no step, and it never rises. */
Test(vln_kolmogorov, falls_with_the_distance_across_all_methods)
{
    static const int64_t sizes[] = {3, 20, 140, 141, 1000, 40000, 100000, 100001, 2000000};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        double before = 1;
        for (double x = 0.05; x < 5; x += 0.05) {
            double p = vln_kolmogorov_sf(sizes[i], x / sqrt((double)sizes[i]));
            cr_expect(p <= before + 1e-9, "n %ld x %g: %.17g after %.17g", (long)sizes[i], x, p,
                      before);
            cr_expect(p >= 0 && p <= 1);
            before = p;
        }
    }
}

/* Where one method ends and the next begins, both say nearly the same: Pelz and Good's expansion is
 * some 2e-5 off at 141 values, and better by the square of n; twice one side counts the paths that
 * reach both sides twice, which is 2e-6 of all where it begins. */
Test(vln_kolmogorov, methods_agree_where_they_meet)
{
    static const int64_t sizes[] = {141, 1000, 5000};
    for (size_t i = 0; i < 3; i++) {
        double n = (double)sizes[i];
        double tail = sqrt(2.2 / n);
        double above = vln_kolmogorov_sf(sizes[i], tail * (1 + 1e-9));
        double below = vln_kolmogorov_sf(sizes[i], tail * (1 - 1e-9));
        cr_expect(fabs(above - below) < (5e-5 * (141 / n) * (141 / n) + 3e-6) * above,
                  "n %g: %.12g %.12g", n, above, below);
        double matrix = pow(1.4 / n, 2.0 / 3);
        above = vln_kolmogorov_sf(sizes[i], matrix * (1 + 1e-9));
        below = vln_kolmogorov_sf(sizes[i], matrix * (1 - 1e-9));
        cr_expect(fabs(above - below) < 1e-5 * (141 / n), "n %g: %.12g %.12g", n, above, below);
    }
    double up = vln_kolmogorov_sf(140, sqrt(4.0 / 140) * (1 + 1e-9));
    double down = vln_kolmogorov_sf(140, sqrt(4.0 / 140) * (1 - 1e-9));
    cr_expect(fabs(up - down) < 1e-7 * up, "%.12g %.12g", up, down);
}

Test(vln_kolmogorov, a_thinned_sum_is_as_good_as_the_whole)
{
    /* 32768 values are summed term by term, 32769 by strides of two. */
    for (double x = 1.5; x < 8; x += 0.5) {
        double whole = vln_kolmogorov_one_sided(32768, x / sqrt(32768));
        double thin = vln_kolmogorov_one_sided(32769, x / sqrt(32769));
        cr_expect(fabs(whole - thin) < 1e-5 * whole, "x %g: %.15g %.15g", x, whole, thin);
    }
}

Test(vln_kolmogorov, many_values_come_near_the_limit)
{
    for (double x = 0.3; x < 2.5; x += 0.2) {
        double limit = vln_kolmogorov_limit(x);
        cr_expect(fabs(vln_kolmogorov_sf(4000000, x / 2000) - limit) < 1e-3 * limit);
    }
    /* Smirnov's table of 1948 */
    cr_expect(fabs(vln_kolmogorov_limit(1.0) - 0.270000) < 5e-7);
    cr_expect(fabs(vln_kolmogorov_limit(0.5) - (1 - 0.036055)) < 5e-7);
    cr_expect(fabs(vln_kolmogorov_limit(1.5) - (1 - 0.977782)) < 5e-7);
    must_be("both series at 1", vln_kolmogorov_limit(1 - 1e-12), vln_kolmogorov_limit(1 + 1e-12),
            1e-10);
}
