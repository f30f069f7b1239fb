/*
 * vln_stat - a number and why it is what it is, and a sum that does not drift.
 *
 * The rule of this room: a result is never NaN or infinite. What cannot be computed says why and
 * holds zero; what is computed by a convention (R2 of a constant target) holds the convention's
 * value and says why, too. Nothing here does I/O, keeps state or uses threads: the same input gives
 * the same bits, whichever thread asks.
 */
#ifndef VLN_STAT_H
#define VLN_STAT_H

#include <stdbool.h>
#include <stddef.h>

/* clang-format off */
/*    name            text for people */
#define VLN_STAT_WHY_MAP(X)                                               \
    X(OK,             "computed")                                         \
    X(EMPTY,          "there are no rows")                                \
    X(ALL_MISSING,    "every value of one side is missing")               \
    X(TOO_FEW,        "there are too few rows")                           \
    X(TOO_MANY,       "there are more rows than the method allows")       \
    X(CONSTANT,       "all values are equal")                             \
    X(ONE_CLASS,      "only one class occurs")                            \
    X(NO_POSITIVE,    "no row is positive")                               \
    X(NO_PREDICTED,   "no row is predicted positive")                     \
    X(ZERO_TARGET,    "a target is zero")                                 \
    X(UNSEEN,         "a category has no row in the reference")           \
    X(SMALL_EXPECTED, "an expected count is below five")                  \
    X(NOT_FINITE,     "a value is not finite, or the result overflows")
/* clang-format on */

typedef enum vln_stat_why {
#define X(name, text) VLN_STAT_##name,
    VLN_STAT_WHY_MAP(X)
#undef X
} vln_stat_why_t;

typedef struct vln_stat {
    double value; /* finite; 0 unless defined */
    bool defined; /* false: there is no value */
    vln_stat_why_t why;
} vln_stat_t;

/* "ALL_MISSING", and a short text for people. Never NULL. */
const char *vln_stat_why_name(vln_stat_why_t why);
const char *vln_stat_why_text(vln_stat_why_t why);

/* A value, or NOT_FINITE if it is none. */
vln_stat_t vln_stat_of(double value);

/* A value that a convention gives, and which. */
vln_stat_t vln_stat_by(double value, vln_stat_why_t why);

/* No value. */
vln_stat_t vln_stat_none(vln_stat_why_t why);

/* True if each of the n values is finite. */
bool vln_stat_all_finite(const double *values, size_t n);

/*
 * Neumaier's sum (Z. angew. Math. Mech. 54, 1974) with Knuth's exact addition: the error does not
 * grow with n. Start with {0}; add in the order of the rows.
 */
typedef struct vln_sum {
    double sum;
    double rest;
} vln_sum_t;

static inline void
vln_sum_add(vln_sum_t *self, double value)
{
    double total = self->sum + value;
    double part = total - self->sum;
    self->rest += (self->sum - (total - part)) + (value - part);
    self->sum = total;
}

static inline double
vln_sum_total(const vln_sum_t *self)
{
    return self->sum + self->rest;
}

#endif
