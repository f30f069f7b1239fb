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
    int64_t step_larger; /* sizes over their greatest common divisor */
    int64_t step_smaller;
    int64_t h; /* paths that stay nearer than this to the line between the corners are inside */
} band_t;

/* The places of a diagonal, where i + j is `sum`, that are inside: j from `first`, before `end`. */
typedef struct inside {
    size_t first;
    size_t end;
} inside_t;

/* From the line: positive below it. */
static int64_t
height(const band_t *band, size_t sum, size_t j)
{
    return band->step_smaller * (int64_t)(sum - j) - band->step_larger * (int64_t)j;
}

/* Of the next diagonal, from those of the one before it: neither bound ever goes back. */
static void
move_inside(const band_t *band, size_t sum, inside_t *self)
{
    if (sum > band->larger && self->first < sum - band->larger) {
        self->first = sum - band->larger;
    }
    while (self->first <= sum && height(band, sum, self->first) >= band->h) {
        self->first++;
    }
    while (self->end <= sum && self->end <= band->smaller &&
           height(band, sum, self->end) > -band->h) {
        self->end++;
    }
}

/* Shares of the places of one diagonal, that of place j at j + 1, from those of the one before it: each
 * from two of them, none from another of its own, so that the processor has many in hand at once.
 * Nothing is contracted: the same bits, however many those are. */
static inline __attribute__((always_inline)) void
step(const double *restrict before, const double *restrict places, double *restrict after,
     size_t sum, inside_t inside)
{
    double share = 1 / (double)sum;
    for (size_t j = inside.first; j < inside.end; j++) {
        double across = before[j + 1] * (((double)sum - places[j]) * share);
        after[j + 1] = across + before[j] * (places[j] * share);
    }
}

typedef void step_fn(const double *restrict before, const double *restrict places,
                     double *restrict after, size_t sum, inside_t inside);

static void
step_plain(const double *restrict before, const double *restrict places, double *restrict after,
           size_t sum, inside_t inside)
{
    step(before, places, after, sum, inside);
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) static void
step_wide(const double *restrict before, const double *restrict places, double *restrict after,
          size_t sum, inside_t inside)
{
    step(before, places, after, sum, inside);
}
#endif

static step_fn *
find_step(void)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2")) {
        return step_wide;
    }
#endif
    return step_plain;
}

/*
 * The share of lattice paths from (0, 0) to (larger, smaller) that leave the band. Diagonal by
 * diagonal: a path to (i, j) came from (i - 1, j) with probability i / (i + j), else from (i, j - 1).
 * Outside the band the share is 1.
 */
static double
p_of_band(const band_t *band)
{
    size_t width = band->smaller + 3; /* places -1 .. smaller + 1 */
    double *memory = vln_calloc(3 * width, sizeof *memory);
    double *before = memory;
    double *after = memory + width;
    double *places = memory + 2 * width;
    for (size_t j = 0; j <= band->smaller; j++) {
        places[j] = (double)j;
        before[j + 1] = after[j + 1] = 1;
    }
    before[1] = 0;
    step_fn *take_step = find_step();
    inside_t inside = {0, 1};
    for (size_t sum = 1; sum <= band->larger + band->smaller; sum++) {
        move_inside(band, sum, &inside);
        if (inside.end <= inside.first) {
            before[band->smaller + 1] =
                1; /* nothing of the band is here, where each path crosses */
            break;
        }
        take_step(before, places, after, sum, inside);
        if (inside.first > 0) {
            after[inside.first] = 1;
        }
        after[inside.end + 1] = 1;
        double *other = before;
        before = after;
        after = other;
    }
    double share = before[band->smaller + 1];
    free(memory);
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
                         .step_larger = (int64_t)step_larger,
                         .step_smaller = (int64_t)step_smaller,
                         .h = (int64_t)h};
    *p = larger == smaller ? p_of_equal(larger, (size_t)h) : p_of_band(&band);
    *p = fmin(1, fmax(0, *p));
    return true;
}
