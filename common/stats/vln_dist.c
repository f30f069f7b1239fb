#include "vln_dist.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>

#include "vln_err.h"

enum { STEPS_MAX = 100000, HALVINGS = 200 };

static const double TINY = 1e-300; /* keeps Lentz's fractions from dividing by zero */

static double
log_gamma(double x)
{
    int sign = 0;
    return lgamma_r(x, &sign); /* lgamma() writes a global */
}

double
vln_normal_cdf(double x)
{
    return 0.5 * erfc(-x / M_SQRT2);
}

double
vln_normal_sf(double x)
{
    return 0.5 * erfc(x / M_SQRT2);
}

/* For p <= 1/2, the negative x; off by less than 4.5e-4. */
static double
rough_quantile(double p)
{
    double t = sqrt(-2 * log(p));
    double above = 2.515517 + t * (0.802853 + t * 0.010328);
    double below = 1 + t * (1.432788 + t * (0.189269 + t * 0.001308));
    return above / below - t;
}

double
vln_normal_quantile(double p)
{
    vln_assert(p > 0 && p < 1);
    double tail = p <= 0.5 ? p : 1 - p;
    double x = rough_quantile(tail);
    for (int i = 0; i < 4; i++) {
        double step = (vln_normal_cdf(x) - tail) * sqrt(2 * M_PI) * exp(x * x / 2);
        x -= step / (1 + x * step / 2);
    }
    return p <= 0.5 ? x : -x;
}

/* x^a e^-x / gamma(a + 1) */
static double
gamma_front(double a, double x)
{
    return exp(a * log(x) - x - log_gamma(a + 1));
}

static double
gamma_series(double a, double x)
{
    double term = 1;
    double sum = 1;
    for (int i = 1; i < STEPS_MAX && term > sum * DBL_EPSILON / 4; i++) {
        term *= x / (a + i);
        sum += term;
    }
    return sum * gamma_front(a, x);
}

static double
gamma_fraction(double a, double x)
{
    double b = x + 1 - a;
    double c = 1 / TINY;
    double d = 1 / b;
    double result = d;
    for (int i = 1; i < STEPS_MAX; i++) {
        double numerator = -i * (i - a);
        b += 2;
        d = numerator * d + b;
        d = 1 / (fabs(d) < TINY ? TINY : d);
        c = b + numerator / c;
        c = fabs(c) < TINY ? TINY : c;
        result *= d * c;
        if (fabs(d * c - 1) < DBL_EPSILON) {
            break;
        }
    }
    return result * gamma_front(a, x) * a;
}

double
vln_gamma_p(double a, double x)
{
    vln_assert(a > 0 && x >= 0);
    if (x == 0) {
        return 0;
    }
    return fmin(1, x < a + 1 ? gamma_series(a, x) : 1 - gamma_fraction(a, x));
}

double
vln_gamma_q(double a, double x)
{
    vln_assert(a > 0 && x >= 0);
    if (x == 0) {
        return 1;
    }
    return fmin(1, fmax(0, x < a + 1 ? 1 - gamma_series(a, x) : gamma_fraction(a, x)));
}

/* One step of Lentz's method, with the fraction's next numerator. */
static double
lentz(double numerator, double *c, double *d)
{
    *d = 1 + numerator * *d;
    *d = 1 / (fabs(*d) < TINY ? TINY : *d);
    *c = 1 + numerator / *c;
    *c = fabs(*c) < TINY ? TINY : *c;
    return *c * *d;
}

static double
beta_fraction(double a, double b, double x)
{
    double c = 1;
    double d = 0;
    double result = 1;
    for (int m = 0; m < STEPS_MAX; m++) {
        double odd = -(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1));
        double k = m + 1;
        double even = k * (b - k) * x / ((a + 2 * k - 1) * (a + 2 * k));
        result *= lentz(odd, &c, &d);
        double change = lentz(even, &c, &d);
        result *= change;
        if (fabs(change - 1) < DBL_EPSILON) {
            break;
        }
    }
    return 1 / result;
}

double
vln_beta_inc(double a, double b, double x)
{
    vln_assert(a > 0 && b > 0 && x >= 0 && x <= 1);
    if (x == 0 || x == 1) {
        return x;
    }
    double front = exp(log_gamma(a + b) - log_gamma(a) - log_gamma(b) + a * log(x) + b * log1p(-x));
    bool swapped = x > (a + 1) / (a + b + 2); /* the fraction converges fast below this */
    double part =
        swapped ? front * beta_fraction(b, a, 1 - x) / b : front * beta_fraction(a, b, x) / a;
    return fmin(1, fmax(0, swapped ? 1 - part : part));
}

double
vln_chi2_sf(double x, double dof)
{
    return vln_gamma_q(dof / 2, x / 2);
}

double
vln_chi2_quantile(double p, double dof)
{
    vln_assert(p > 0 && p < 1 && dof > 0);
    double low = 0;
    double high = dof;
    while (vln_chi2_sf(high, dof) > 1 - p) {
        high *= 2;
    }
    for (int i = 0; i < HALVINGS && high - low > high * DBL_EPSILON; i++) {
        double middle = low + (high - low) / 2;
        if (vln_chi2_sf(middle, dof) > 1 - p) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return low + (high - low) / 2;
}

double
vln_student_two_sided(double t, double dof)
{
    vln_assert(dof > 0);
    double square = t * t;
    if (square > dof) {
        return vln_beta_inc(dof / 2, 0.5, dof / (dof + square));
    }
    return 1 - vln_beta_inc(0.5, dof / 2, square / (dof + square));
}

double
vln_student_quantile(double p, double dof)
{
    vln_assert(p > 0 && p < 1);
    double outside = 2 * (p <= 0.5 ? p : 1 - p);
    double low = 0;
    double high = 1;
    while (vln_student_two_sided(high, dof) > outside && high < DBL_MAX / 4) {
        high *= 2;
    }
    for (int i = 0; i < HALVINGS && high - low > high * DBL_EPSILON; i++) {
        double middle = low + (high - low) / 2;
        if (vln_student_two_sided(middle, dof) > outside) {
            low = middle;
        } else {
            high = middle;
        }
    }
    double t = low + (high - low) / 2;
    return p <= 0.5 ? -t : t;
}
