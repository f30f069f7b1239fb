#include "vln_normal.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <stdlib.h>

#include "vln_err.h"
#include "vln_fold.h"

#include "test_golden.h"

Test(vln_normal, shapiro_and_wilk_give_the_golden_values)
{
    double *y = golden_numbers(9, 200, 100, 0);
    double *noise = golden_numbers(10, 200, 5, 0);
    double residuals[200];
    for (size_t i = 0; i < 200; i++) {
        residuals[i] = y[i] - (0.95 * y[i] + noise[i]);
    }
    vln_shapiro_t many = vln_shapiro(residuals, 200);
    must_be_stat("W 200", many.w, 0.9968792200088501, 1e-6);
    must_be("p 200", many.p, 0.96070820093154907, 1e-4); /* of a single-precision 1 - W */
    double *few = golden_numbers(11, 20, 1, 0);
    vln_shapiro_t twenty = vln_shapiro(few, 20);
    must_be_stat("W 20", twenty.w, 0.979182363, 1e-6);
    must_be("p 20", twenty.p, 0.923108995, 1e-5);
    free(y);
    free(noise);
    free(few);
}

Test(vln_normal, shapiro_and_wilk_know_what_is_not_normal)
{
    double values[100];
    for (int i = 0; i < 100; i++) {
        values[i] = exp(i / 20.0);
    }
    vln_shapiro_t skewed = vln_shapiro(values, 100);
    cr_expect(skewed.p < 1e-6);
    double scaled[100];
    for (int i = 0; i < 100; i++) {
        scaled[99 - i] = 3 - 1000 * values[i];
    }
    must_be("W moves with nothing", vln_shapiro(scaled, 100).w.value, skewed.w.value, 1e-10);
    for (size_t n = 3; n <= 12; n++) {
        vln_shapiro_t small = vln_shapiro(values, n);
        cr_expect(small.w.defined && small.p > 0 && small.p <= 1, "n %zu: p %g", n, small.p);
    }
}

Test(vln_normal, shapiro_and_wilk_refuse_with_a_reason)
{
    static const double same[] = {2, 2, 2, 2};
    static const double wild[] = {1, 2, NAN, 3};
    double *many = vln_calloc(5001, sizeof *many);
    cr_expect(vln_shapiro(same, 2).w.why == VLN_STAT_TOO_FEW);
    cr_expect(vln_shapiro(same, 4).w.why == VLN_STAT_CONSTANT);
    cr_expect(vln_shapiro(wild, 4).w.why == VLN_STAT_NOT_FINITE);
    cr_expect(vln_shapiro(many, 5001).w.why == VLN_STAT_TOO_MANY);
    cr_expect(not(vln_shapiro(same, 4).w.defined));
    free(many);
}

Test(vln_normal, spread_gives_the_golden_values)
{
    static const double scores[] = {.8, .82, .79, .85, .7};
    must_be_stat("std0", vln_std(scores, 5, 0), 0.050358713248056693, 1e-9);
    must_be_stat("variation", vln_variation(scores, 5), 0.063584233899061482, 1e-9);
}

Test(vln_normal, spread_survives_a_far_mean)
{
    static const double near[] = {1, 2, 3, 4};
    double far[4];
    for (size_t i = 0; i < 4; i++) {
        far[i] = near[i] + 1e15;
    }
    must_be_stat("far", vln_std(far, 4, 1), vln_std(near, 4, 1).value, 1e-15);
    static const double same[] = {0.1, 0.1, 0.1};
    cr_expect(vln_std(same, 3, 0).value == 0);
}

Test(vln_normal, degenerate_spreads_say_why)
{
    static const double one[] = {5};
    static const double around[] = {-1, 1};
    static const double huge[] = {1e308, -1e308, 1e308};
    static const double lost[] = {1, NAN};
    cr_expect(vln_mean(one, 0).why == VLN_STAT_EMPTY);
    cr_expect(vln_std(one, 1, 1).why == VLN_STAT_TOO_FEW);
    cr_expect(vln_std(one, 1, 0).defined);
    cr_expect(vln_variation(around, 2).why == VLN_STAT_NOT_FINITE);
    cr_expect(vln_variation(one, 1).why == VLN_STAT_CONSTANT);
    cr_expect(vln_std(huge, 3, 0).why == VLN_STAT_NOT_FINITE);
    cr_expect(vln_mean(lost, 2).why == VLN_STAT_NOT_FINITE);
    cr_expect(vln_std(lost, 2, 0).why == VLN_STAT_NOT_FINITE);
}

Test(vln_normal, sums_do_not_drift)
{
    vln_sum_t sum = {0};
    for (int i = 0; i < 1000000; i++) {
        vln_sum_add(&sum, 0.1);
    }
    must_be("a million tenths", vln_sum_total(&sum), 100000.00000000000555, 1e-16);
    vln_sum_t cancel = {0};
    vln_sum_add(&cancel, 1);
    vln_sum_add(&cancel, 1e100);
    vln_sum_add(&cancel, 1);
    vln_sum_add(&cancel, -1e100);
    cr_expect(vln_sum_total(&cancel) == 2);
}

Test(vln_normal, correlation_knows_lines_and_constants)
{
    static const double x[] = {1, 2, 3, 4, 5};
    static const double up[] = {3, 5, 7, 9, 11};
    static const double down[] = {5, 4, 3, 2, 1};
    static const double same[] = {1, 1, 1, 1, 1};
    must_be_stat("up", vln_pearson(x, up, 5), 1, 1e-15);
    must_be_stat("down", vln_pearson(x, down, 5), -1, 1e-15);
    cr_expect(vln_pearson(x, same, 5).why == VLN_STAT_CONSTANT);
    cr_expect(vln_pearson(x, up, 1).why == VLN_STAT_TOO_FEW);
    cr_expect(not(vln_pearson(x, same, 5).defined));
}

Test(vln_normal, benjamini_and_hochberg_adjust_and_keep_the_order)
{
    /* their own example of 1995: 15 p-values, of which 4 are significant at 0.05 */
    static const double p[] = {0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344,
                               0.0459, 0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0};
    double adjusted[15];
    vln_benjamini_hochberg(p, 15, adjusted);
    int significant = 0;
    for (size_t i = 0; i < 15; i++) {
        significant += adjusted[i] <= 0.05;
        cr_expect(adjusted[i] >= p[i] && adjusted[i] <= 1);
        cr_expect(i == 0 || adjusted[i] >= adjusted[i - 1]);
    }
    cr_expect(eq(int, significant, 4));
    must_be("the fourth", adjusted[3], 0.0095 * 15 / 4, 1e-12);
}

Test(vln_normal, a_test_that_was_not_made_does_not_count)
{
    static const double p[] = {0.04, -1, 0.01};
    double adjusted[3];
    vln_benjamini_hochberg(p, 3, adjusted);
    cr_expect(eq(dbl, adjusted[0], 0.04));
    cr_expect(eq(dbl, adjusted[1], -1));
    cr_expect(eq(dbl, adjusted[2], 0.02));
}

Test(vln_normal, folds_are_scikit_learns)
{
    static const size_t rows[] = {5, 5, 5, 4, 4};
    static const size_t starts[] = {0, 5, 10, 15, 19};
    for (size_t i = 0; i < 5; i++) {
        vln_fold_t fold = vln_fold(23, 5, i);
        cr_expect(eq(sz, fold.rows, rows[i]));
        cr_expect(eq(sz, fold.start, starts[i]));
    }
}
