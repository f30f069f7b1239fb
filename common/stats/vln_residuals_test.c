#include "vln_residuals.h"

#include <criterion/criterion.h>

#include "test_golden.h"

enum { ROWS = 200 };

Test(vln_residuals, are_the_golden_ones)
{
    double *target = golden_numbers(9, ROWS, 100, 0);
    double *predicted = golden_numbers(10, ROWS, 5, 0);
    vln_residuals_t found;
    for (size_t i = 0; i < ROWS; i++) {
        predicted[i] += 0.95 * target[i];
    }
    vln_residuals(target, predicted, ROWS, &found);
    must_be_stat("explained", found.explained_variance, 0.9949907032116079, 1e-13);
    must_be_stat("pearson", found.pearson, 0.9985682293443487, 1e-13);
    must_be_stat("spearman", found.spearman, 0.9980289507237681, 1e-13);
    must_be_stat("mean", found.mean, -0.11943720476701855, 1e-11);
    must_be_stat("low", found.mean_low, -0.6087896387803352, 1e-10);
    must_be_stat("high", found.mean_high, 0.36991522924629816, 1e-10);
    must_be_stat("p of the mean", found.mean_p, 0.6308326065154428, 1e-10);
    must_be_stat("p of normality", found.shapiro_p, 0.96070820093154907, 1e-4);
    must_be_stat("p of one spread", found.spread_p, 0.6915541678275742, 1e-10);
    free(target);
    free(predicted);
}

Test(vln_residuals, ties_share_their_rank)
{
    static const double left[] = {1, 1, 2, 2, 2, 3, 4, 5, 5, 5};
    static const double right[] = {1, 2, 3, 3, 3, 4, 4, 5, 6, 6};
    vln_residuals_t found;
    vln_residuals(left, right, 10, &found);
    must_be_stat("spearman", found.spearman, 0.984171618772635, 1e-13);
}

Test(vln_residuals, what_cannot_be_told_says_why)
{
    static const double target[] = {1, 2, INFINITY};
    static const double off[] = {2, 3, 4};
    vln_residuals_t found;
    vln_residuals(target, off, 2, &found); /* all are -1 */
    cr_expect(found.mean_p.why == VLN_STAT_CONSTANT && !found.mean_p.defined);
    cr_expect(!found.shapiro_p.defined && !found.spread_p.defined);
    cr_expect(found.explained_variance.value == 1 && found.mean_low.value == -1);
    vln_residuals(target, off, 3, &found);
    cr_expect(found.pearson.why == VLN_STAT_NOT_FINITE && !found.mean.defined);
    vln_residuals(target, off, 1, &found);
    cr_expect(found.mean.defined && found.mean_low.why == VLN_STAT_TOO_FEW);
}
