#include "vln_ks.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "vln_mem.h"

static size_t
common_divisor(size_t a, size_t b)
{
    while (b) {
        size_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* Equal sizes: Gnedenko and Korolyuk's alternating sum, from its small end. */
static double
p_of_equal(size_t n, size_t h)
{
    double p = 0;
    for (size_t k = n / h; k > 0; k--) {
        size_t before = (k - 1) * h;
        double product = 1; /* of this term and the one before it */
        for (size_t j = 0; j < h; j++) {
            product *= (double)(n - before - j) / (double)(n + before + j + 1);
        }
        p = product * (1 - p);
    }
    return 2 * p;
}

typedef struct band {
    size_t larger; /* rows */
    size_t smaller;
    double step_larger; /* sizes over their greatest common divisor */
    double step_smaller;
    double h; /* paths that stay nearer than this to the diagonal are inside */
} band_t;

/* First place inside the band in column i, and the place after the last. */
static size_t
band_first(const band_t *band, size_t i)
{
    double first = floor((band->step_smaller * (double)i - band->h) / band->step_larger) + 1;
    return first <= 0 ? 0 : (size_t)fmin(first, (double)band->smaller);
}

static size_t
band_end(const band_t *band, size_t i)
{
    double end = ceil((band->step_smaller * (double)i + band->h) / band->step_larger);
    return (size_t)fmin(end, (double)band->smaller + 1);
}

/* 1 / k for k up to n. */
static double *
make_reciprocals(size_t n)
{
    double *out = vln_calloc(n + 1, sizeof *out);
    for (size_t k = 1; k <= n; k++) {
        out[k] = 1 / (double)k;
    }
    return out;
}

/* The share of lattice paths that leave the band, column by column; outside it is 1. Each place waits
 * for the one before it, so what does not depend on that is kept out of the way: no division. */
static double
p_of_band(const band_t *band)
{
    double *outside = vln_calloc(band->smaller + 1, sizeof *outside);
    double *reciprocals = make_reciprocals(band->larger + band->smaller);
    for (size_t j = band_end(band, 0); j <= band->smaller; j++) {
        outside[j] = 1;
    }
    double share = 1;
    for (size_t i = 1; i <= band->larger; i++) {
        size_t first = band_first(band, i);
        size_t end = band_end(band, i);
        if (end <= first) {
            share = 1;
            break;
        }
        share = first == 0 ? 0 : 1;
        for (size_t j = first; j < end; j++) {
            double part = (double)j * reciprocals[i + j];
            double taken = outside[j] * ((double)i * reciprocals[i + j]);
            share = taken + share * part;
            outside[j] = share;
        }
    }
    free(reciprocals);
    free(outside);
    return share;
}

bool
vln_ks_exact_p(size_t n1, size_t n2, double d, double *p)
{
    size_t larger = n1 > n2 ? n1 : n2;
    size_t smaller = n1 > n2 ? n2 : n1;
    size_t divisor = common_divisor(larger, smaller);
    size_t step_larger = larger / divisor;
    size_t step_smaller = smaller / divisor;
    double lattice = (double)step_larger * (double)smaller;
    if (lattice >= INT32_MAX) {
        return false;
    }
    double h = round(d * lattice);
    double effective = (double)larger * (double)smaller / (double)(larger + smaller);
    *p = 1;
    if (h <= 0) {
        return true;
    }
    if (2 * effective * d * d > 760) {
        *p = 0; /* below e exp(-2 n d^2), which no double holds; the band would take seconds */
        return true;
    }
    const band_t band = {.larger = larger,
                         .smaller = smaller,
                         .step_larger = (double)step_larger,
                         .step_smaller = (double)step_smaller,
                         .h = h};
    *p = larger == smaller ? p_of_equal(larger, (size_t)h) : p_of_band(&band);
    *p = fmin(1, fmax(0, *p));
    return true;
}
