#include "vln_dist.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "test_golden.h"

Test(vln_dist, chi_square_gives_the_golden_quantile)
{
    must_be("chi2 quantile", vln_chi2_quantile(0.95, 9), 16.918977604620448, 1e-9);
}

Test(vln_dist, quantiles_undo_distributions)
{
    for (double p = 0.001; p < 1; p += 0.037) {
        must_be("normal", vln_normal_cdf(vln_normal_quantile(p)), p, 1e-13);
        for (double dof = 1; dof < 300; dof *= 3) {
            must_be("chi-square", 1 - vln_chi2_sf(vln_chi2_quantile(p, dof), dof), p, 1e-11);
            double t = vln_student_quantile(p, dof);
            double outside = vln_student_two_sided(t, dof);
            must_be("student", t < 0 ? outside / 2 : 1 - outside / 2, p, 1e-11);
        }
    }
    must_be("far tail", vln_normal_cdf(vln_normal_quantile(1e-300)), 1e-300, 1e-10);
}

/* Closed forms: chi-square of 2 is exponential, of 4 nearly; t of 1 is Cauchy's, of 2 algebraic. */
Test(vln_dist, special_cases_have_closed_forms)
{
    for (double x = 0.1; x < 600; x *= 1.7) {
        must_be("chi-square 2", vln_chi2_sf(x, 2), exp(-x / 2), 1e-12);
        must_be("chi-square 4", vln_chi2_sf(x, 4), exp(-x / 2) * (1 + x / 2), 1e-12);
        must_be("chi-square 1", vln_chi2_sf(x, 1), 2 * vln_normal_sf(sqrt(x)), 1e-12);
        must_be("t 1", vln_student_two_sided(x, 1), 2 / M_PI * atan(1 / x), 1e-12);
        must_be("t 2", vln_student_two_sided(x, 2), 1 - x / sqrt(2 + x * x), 1e-9);
        must_be("p and q", vln_gamma_p(3.5, x) + vln_gamma_q(3.5, x), 1, 1e-14);
    }
    for (double x = 0.05; x < 1; x += 0.1) {
        must_be("beta 2 3", vln_beta_inc(2, 3, x), x * x * (6 + x * (3 * x - 8)), 1e-12);
        must_be("beta mirrored", vln_beta_inc(2.5, 7, x) + vln_beta_inc(7, 2.5, 1 - x), 1, 1e-13);
    }
}

Test(vln_dist, known_values_of_the_normal)
{
    must_be("5 percent", vln_normal_quantile(0.975), 1.959963984540054, 1e-14);
    must_be("sf 6", vln_normal_sf(6), 9.865876450376981e-10, 1e-13);
    cr_expect(vln_normal_quantile(0.5) == 0 || fabs(vln_normal_quantile(0.5)) < 1e-15);
    must_be("t .975 of 10", vln_student_quantile(0.975, 10), 2.2281388519862735, 1e-12);
}
