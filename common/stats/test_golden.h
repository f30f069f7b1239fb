/*
 * test_golden - the made-up data behind the golden values, and how a value is compared with one.
 *
 * The values themselves come from scipy 1.10.1, scikit-learn 1.2.1 and numpy 1.24.2, on the same
 * numbers: a generator so small that any language has it.
 */
#ifndef TEST_GOLDEN_H
#define TEST_GOLDEN_H

#include <criterion/criterion.h>
#include <criterion/logging.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>

#include "vln_mem.h"
#include "vln_sample.h"
#include "vln_stat.h"

/* n values, each the sum of three uniform ones; end with free(). */
static inline double *
golden_numbers(uint32_t seed, size_t n, double factor, double shift)
{
    double *values = vln_calloc(n, sizeof *values);
    uint32_t state = seed;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < 3; k++) {
            state = (1103515245u * state + 12345u) & 0x7fffffffu;
            sum += state / 2147483648.0;
        }
        values[i] = factor * sum + shift;
    }
    return values;
}

static inline vln_sample_t
golden_sample(uint32_t seed, size_t n, double shift)
{
    double *values = golden_numbers(seed, n, 1, shift);
    vln_sample_t sample = vln_sample_make(values, n);
    free(values);
    return sample;
}

/* How far off, relative to the golden value; each is logged, so that --verbose shows them all. */
static inline void
must_be(const char *what, double value, double golden, double tolerance)
{
    double off = fabs(value - golden) / (golden != 0 ? fabs(golden) : 1);
    cr_log(CR_LOG_INFO, "golden %-40s %.3g", what, off);
    cr_expect(off <= tolerance, "%s is %.17g instead of %.17g, off by %.3g", what, value, golden,
              off);
}

static inline void
must_be_stat(const char *what, vln_stat_t stat, double golden, double tolerance)
{
    cr_expect(stat.defined, "%s has no value: %s", what, vln_stat_why_text(stat.why));
    must_be(what, stat.value, golden, tolerance);
}

#endif
