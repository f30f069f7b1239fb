/*
 * check_test_support - rows, predictions and policies for tests of checks.
 */
#ifndef CHECK_TEST_SUPPORT_H
#define CHECK_TEST_SUPPORT_H

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "check_say.h"

enum { SUPPORT_THRESHOLDS_MAX = 8 };

/* The golden vectors' generator: each value is the sum of three uniform ones. */
static inline double *
support_numbers(uint32_t seed, size_t n, double factor, double shift)
{
    double *values = vln_calloc(n + 1, sizeof *values);
    uint32_t state = seed;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < 3; k++) {
            state = (1103515245U * state + 12345U) & 0x7fffffffU;
            sum += state / 2147483648.0;
        }
        values[i] = factor * sum + shift;
    }
    return values;
}

/* A check of the kind, with pairs of threshold name and number, ended by NULL. */
typedef struct support_spec {
    Valion__V1__CheckSpec spec;
    Valion__V1__KeyNumber numbers[SUPPORT_THRESHOLDS_MAX];
    Valion__V1__KeyNumber *list[SUPPORT_THRESHOLDS_MAX];
} support_spec_t;

static inline void
support_begin(support_spec_t *self, const char *kind)
{
    valion__v1__check_spec__init(&self->spec);
    self->spec.name = self->spec.kind = (char *)(uintptr_t)kind;
    self->spec.thresholds = self->list;
}

static inline void
support_threshold(support_spec_t *self, const char *name, double value)
{
    size_t at = self->spec.n_thresholds++;
    cr_assert_lt(at, SUPPORT_THRESHOLDS_MAX);
    valion__v1__key_number__init(&self->numbers[at]);
    self->numbers[at].key = (char *)(uintptr_t)name;
    self->numbers[at].has_value = 1;
    self->numbers[at].value = value;
    self->list[at] = &self->numbers[at];
}

static inline double
support_number(const Valion__V1__CheckResult *result, const char *name)
{
    for (size_t i = 0; i < result->n_numbers; i++) {
        if (strcmp(result->numbers[i]->key, name) == 0) {
            return result->numbers[i]->value;
        }
    }
    cr_assert_fail("the check tells no '%s'", name);
    return NAN;
}

static inline void
support_near(const char *what, double value, double golden, double tolerance)
{
    cr_expect(fabs(value - golden) <= tolerance * fmax(1, fabs(golden)),
              "%s is %.17g instead of %.17g", what, value, golden);
}

/* A column of numbers; NaN is missing. */
static inline void
support_column(vln_table_t *table, const char *name, const double *values)
{
    vln_column_t *column = vln_table_add(table, name, VLN_TYPE_F64);
    cr_assert(column);
    for (size_t row = 0; row < vln_table_rows(table); row++) {
        if (!isnan(values[row])) {
            vln_column_set_f64(column, row, values[row]);
        }
    }
}

/* Texts; NULL is missing. Row i has text i mod count. */
static inline void
support_texts(vln_table_t *table, const char *name, const char *const *texts, size_t count)
{
    vln_column_t *column = vln_table_add(table, name, VLN_TYPE_STRING);
    cr_assert(column);
    for (size_t row = 0; row < vln_table_rows(table); row++) {
        const char *text = texts[row % count];
        if (text) {
            vln_column_set_text(column, row, text, strlen(text));
        }
    }
}

#endif
