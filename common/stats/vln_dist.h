/*
 * vln_dist - distributions: normal, Student's t, chi-square, and the incomplete gamma and beta
 * functions behind them.
 *
 * Arguments are finite; probabilities come back within 0..1. Errors are some 1e-14 relative in the
 * middle, 1e-12 in far tails: enough for p-values of any use.
 */
#ifndef VLN_DIST_H
#define VLN_DIST_H

/* P(X <= x), P(X > x) of the standard normal, by the C library's erfc. */
double vln_normal_cdf(double x);
double vln_normal_sf(double x);

/* x with P(X <= x) = p, 0 < p < 1: Abramowitz & Stegun 26.2.23, then Halley's steps to the end. */
double vln_normal_quantile(double p);

/* Regularised incomplete gamma P(a, x) and Q = 1 - P; a > 0, x >= 0. A&S 6.5.29 (series) and 6.5.31
 * (continued fraction). */
double vln_gamma_p(double a, double x);
double vln_gamma_q(double a, double x);

/* Regularised incomplete beta I_x(a, b); a, b > 0, 0 <= x <= 1. DLMF 8.17.22 (continued fraction). */
double vln_beta_inc(double a, double b, double x);

/* P(X > x) of chi-square; dof > 0, x >= 0. */
double vln_chi2_sf(double x, double dof);

/* x with P(X <= x) = p; 0 < p < 1. */
double vln_chi2_quantile(double p, double dof);

/* P(|T| > |t|) of Student's t. */
double vln_student_two_sided(double t, double dof);

/* t with P(T <= t) = p; 0 < p < 1, dof > 0. */
double vln_student_quantile(double p, double dof);

#endif
