#include "vln_kolmogorov.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "vln_mem.h"
#include "vln_stat.h"

enum {
    TERMS_MAX = 32768, /* of Smirnov's sum; above, every stride-th term stands for its neighbours */
    SERIES_MAX = 100,
};

static double
clip(double p)
{
    return p < 0 ? 0 : p > 1 ? 1 : p;
}

/* log(k!) less Stirling's formula, k >= 1. */
static double
stirling_rest(double k)
{
    if (k < 16) {
        int sign = 0;
        return lgamma_r(k + 1, &sign) - (k + 0.5) * log(k) + k - 0.5 * log(2 * M_PI);
    }
    double square = k * k;
    return (1.0 / 12 - (1.0 / 360 - (1.0 / 1260 - 1.0 / 1680 / square) / square) / square) / k;
}

/* C(n, j) (d + j/n)^(j-1) (1 - d - j/n)^(n-j), as a binomial probability: no large logarithms. */
static double
smirnov_term(double n, double d, double j)
{
    double shift = n * d;
    double left = n - j;
    if (j == 0) {
        return exp(n * log1p(-d)) / d;
    }
    double deviance = j * log1p(shift / j) + left * log1p(-shift / left);
    double rest = stirling_rest(n) - stirling_rest(j) - stirling_rest(left);
    double front = sqrt(n / (2 * M_PI * j * left));
    return front * exp(deviance + rest) / (d + j / n);
}

double
vln_kolmogorov_one_sided(int64_t n, double d)
{
    if (d <= 0 || d >= 1) {
        return d <= 0 ? 1 : 0;
    }
    double count = (double)n;
    double last = floor(count * (1 - d));
    if (last >= count * (1 - d)) {
        last -= 1; /* the term at the very end is zero */
    }
    /* The terms are a smooth bump, flat at both ends: a sum of every stride-th is as exact. */
    int64_t stride = n > TERMS_MAX ? n / (TERMS_MAX / 2) : 1;
    vln_sum_t sum = {0};
    for (int64_t j = 0; (double)j <= last; j += stride) {
        vln_sum_add(&sum, smirnov_term(count, d, (double)j));
    }
    return clip(d * (double)stride * vln_sum_total(&sum));
}

/* ---- Marsaglia, Tsang & Wang ---- */

typedef struct matrix {
    double *cells; /* size * size */
    size_t size;
    int exponent; /* the cells are to be taken times 2^exponent */
} matrix_t;

static void
matrix_multiply(const matrix_t *a, const matrix_t *b, matrix_t *out)
{
    size_t size = a->size;
    double largest = 0;
    for (size_t row = 0; row < size; row++) {
        for (size_t column = 0; column < size; column++) {
            double sum = 0;
            for (size_t k = 0; k < size; k++) {
                sum += a->cells[row * size + k] * b->cells[k * size + column];
            }
            out->cells[row * size + column] = sum;
            largest = fmax(largest, sum);
        }
    }
    int shift = 0;
    frexp(largest, &shift);
    out->exponent = a->exponent + b->exponent + shift;
    for (size_t i = 0; i < size * size; i++) {
        out->cells[i] = ldexp(out->cells[i], -shift);
    }
}

static void
matrix_swap(matrix_t *a, matrix_t *b)
{
    matrix_t kept = *a;
    *a = *b;
    *b = kept;
}

/* A cell of the matrix in the paper's section 2, before it is divided; rest is k - n d. */
static double
matrix_cell(size_t size, size_t row, size_t column, double rest)
{
    double cell = 1;
    if (column == 0) {
        cell -= pow(rest, (double)(row + 1));
    }
    if (row == size - 1) {
        cell -= pow(rest, (double)(size - column));
    }
    if (column == 0 && row == size - 1 && 2 * rest > 1) {
        cell += pow(2 * rest - 1, (double)size);
    }
    return cell;
}

/* From the place right of the diagonal to the left end, over 0!, 1!, 2! …; the rest stays zero. */
static void
matrix_fill(matrix_t *self, double rest)
{
    size_t size = self->size;
    for (size_t row = 0; row < size; row++) {
        double factorial = 1;
        for (size_t back = 0; back <= row + 1; back++) {
            size_t column = row + 1 - back;
            factorial *= back > 0 ? (double)back : 1;
            if (column < size) {
                self->cells[row * size + column] = matrix_cell(size, row, column, rest) / factorial;
            }
        }
    }
}

/* P(D_n < d) */
static double
matrix_cdf(int64_t n, double d)
{
    size_t k = (size_t)((double)n * d) + 1;
    size_t size = 2 * k - 1;
    double *cells = vln_calloc(3 * size * size, sizeof *cells);
    matrix_t base = {.cells = cells, .size = size};
    matrix_t power = {.cells = cells + size * size, .size = size};
    matrix_t scratch = {.cells = cells + 2 * size * size, .size = size};
    matrix_fill(&base, (double)k - (double)n * d);
    for (size_t i = 0; i < size; i++) {
        power.cells[i * size + i] = 1;
    }
    for (int64_t left = n; left > 0; left /= 2) {
        if (left % 2) {
            matrix_multiply(&power, &base, &scratch);
            matrix_swap(&power, &scratch);
        }
        matrix_multiply(&base, &base, &scratch);
        matrix_swap(&base, &scratch);
    }
    double result = power.cells[(k - 1) * size + k - 1];
    int exponent = power.exponent;
    for (int64_t i = 1; i <= n; i++) {
        int shift = 0;
        result = frexp(result * (double)i / (double)n, &shift);
        exponent += shift;
    }
    free(cells);
    return ldexp(result, exponent);
}

/* ---- Pelz & Good, as Simard & L'Ecuyer write it: K0 + K1/sqrt(n) + K2/n + K3/n^1.5 ---- */

/* The sums over odd numbers; h is (k + 1/2)^2. */
static void
add_odd_terms(double z, double h, double sums[4])
{
    double pi2 = M_PI * M_PI;
    double z2 = z * z;
    double z4 = z2 * z2;
    double z6 = z4 * z2;
    double weight = exp(-pi2 * h / (2 * z2));
    double a = pi2 * h;
    sums[0] += weight;
    sums[1] += weight * (a - z2);
    sums[2] += weight * (6 * z6 + 2 * z4 + a * (2 * z4 - 5 * z2) + a * a * (1 - 2 * z2));
    sums[3] += weight * (a * a * a * (5 - 30 * z2) + a * a * (212 * z4 - 60 * z2) +
                         a * (135 * z4 - 96 * z6) - 30 * z6 - 90 * z4 * z4);
}

static double
pelz_good_cdf(int64_t n, double d)
{
    double root = sqrt((double)n);
    double z = root * d;
    double z3 = z * z * z;
    double sums[4] = {0};
    double even2 = 0;
    double even3 = 0;
    for (int k = SERIES_MAX; k >= 0; k--) {
        double b = M_PI * M_PI * k * k;
        double weight = exp(-b / (2 * z * z));
        even2 += weight * b;
        even3 += weight * b * (3 * z * z - b);
        add_odd_terms(z, (k + 0.5) * (k + 0.5), sums);
    }
    double front = sqrt(2 * M_PI); /* each sum of the paper runs over k and -k alike */
    double k0 = front / z * sums[0];
    double k1 = front / (6 * z3 * z) * sums[1];
    double k2 = front / (72 * z3 * z3 * z) * sums[2] - front / (36 * z3) * even2;
    double k3 = front / (6480 * z3 * z3 * z3 * z) * sums[3] + front / (216 * z3 * z3) * even3;
    return k0 + (k1 + (k2 + k3 / root) / root) / root;
}

/* ---- the plan ---- */

/* n! (2d - 1/n)^n, for 1/2 < n d <= 1 */
static double
lower_end_cdf(int64_t n, double d)
{
    double log_cdf = 0;
    double width = 2 * d - 1 / (double)n;
    for (int64_t i = 1; i <= n && log_cdf > -745; i++) {
        log_cdf += log((double)i * width);
    }
    return exp(log_cdf);
}

double
vln_kolmogorov_sf(int64_t n, double d)
{
    double count = (double)n;
    double t = count * d;
    double square = t * d;
    if (t <= 0.5 || d >= 1) {
        return d >= 1 ? 0 : 1;
    }
    if (t <= 1) {
        return clip(1 - lower_end_cdf(n, d));
    }
    if (t >= count - 1) {
        return clip(2 * pow(1 - d, count));
    }
    if (d >= 0.5 || square > (n <= 140 ? 4 : 2.2)) {
        return square >= 370 ? 0 : clip(2 * vln_kolmogorov_one_sided(n, d));
    }
    bool small = n <= 140 || (n <= 100000 && t * sqrt(d) <= 1.4);
    return clip(1 - (small ? matrix_cdf(n, d) : pelz_good_cdf(n, d)));
}

double
vln_kolmogorov_limit(double x)
{
    if (x <= 0) {
        return 1;
    }
    double sum = 0;
    if (x < 1) { /* Jacobi's form converges where the other does not */
        for (int k = 9; k >= 1; k -= 2) {
            sum += exp(-M_PI * M_PI * k * k / (8 * x * x));
        }
        return clip(1 - sqrt(2 * M_PI) / x * sum);
    }
    for (int k = 9; k >= 1; k--) {
        sum += (k % 2 ? 2 : -2) * exp(-2.0 * k * k * x * x);
    }
    return clip(sum);
}
