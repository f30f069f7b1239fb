#include "vln_sample.h"

#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"

enum { DIGIT_BITS = 11, DIGITS = 6, BUCKETS = 1 << DIGIT_BITS, SMALL = 64 };

/* Bits whose order as unsigned numbers is the order of the values. */
static uint64_t
key_of(double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits >> 63 ? ~bits : bits | UINT64_C(1) << 63;
}

static double
value_of(uint64_t key)
{
    uint64_t bits = key >> 63 ? key & ~(UINT64_C(1) << 63) : ~key;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static void
insertion_sort(double *values, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        double value = values[i];
        uint64_t key = key_of(value);
        size_t at = i;
        for (; at > 0 && key_of(values[at - 1]) > key; at--) {
            values[at] = values[at - 1];
        }
        values[at] = value;
    }
}

/* How many keys have each digit becomes where the first of them goes; false if all n of them have
 * the first one's, and can stay. */
static bool
start_buckets(uint32_t *counts, size_t first, size_t n)
{
    if (counts[first] == n) {
        return false;
    }
    uint32_t start = 0;
    for (int i = 0; i < BUCKETS; i++) {
        uint32_t count = counts[i];
        counts[i] = start;
        start += count;
    }
    return true;
}

/* Moves the keys into the order of one digit; false if they all have the same, and stay. */
static bool
sort_by_digit(const uint64_t *from, uint64_t *to, size_t n, uint32_t *counts, int shift)
{
    if (!start_buckets(counts, from[0] >> shift & (BUCKETS - 1), n)) {
        return false;
    }
    for (size_t i = 0; i < n; i++) {
        to[counts[from[i] >> shift & (BUCKETS - 1)]++] = from[i];
    }
    return true;
}

/* Counters of 32 bits: those of all digits are in the cache next to the processor. */
static void
radix_sort(double *values, size_t n)
{
    vln_assert(n <= UINT32_MAX);
    uint64_t *from = vln_calloc(2 * n, sizeof *from);
    uint64_t *to = from + n;
    uint64_t *both = from;
    uint32_t(*counts)[BUCKETS] = vln_calloc(DIGITS, sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        uint64_t key = key_of(values[i]);
        from[i] = key;
        for (int digit = 0; digit < DIGITS; digit++) {
            counts[digit][key >> (digit * DIGIT_BITS) & (BUCKETS - 1)]++;
        }
    }
    for (int digit = 0; digit < DIGITS; digit++) {
        if (sort_by_digit(from, to, n, counts[digit], digit * DIGIT_BITS)) {
            uint64_t *other = from;
            from = to;
            to = other;
        }
    }
    for (size_t i = 0; i < n; i++) {
        values[i] = value_of(from[i]);
    }
    free(counts);
    free(both);
}

void
vln_sort(double *values, size_t n)
{
    if (n <= SMALL) {
        insertion_sort(values, n);
        return;
    }
    radix_sort(values, n);
}

typedef struct placed {
    uint64_t key;
    uint32_t at;
} placed_t;

void
vln_sort_order(const double *values, size_t n, uint32_t *order)
{
    vln_assert(n <= UINT32_MAX);
    placed_t *both = vln_calloc(2 * n, sizeof *both);
    placed_t *from = both;
    placed_t *to = both + n;
    uint32_t(*counts)[BUCKETS] = vln_calloc(DIGITS, sizeof *counts);
    for (size_t i = 0; i < n; i++) {
        from[i] = (placed_t){key_of(values[i]), (uint32_t)i};
        for (int digit = 0; digit < DIGITS; digit++) {
            counts[digit][from[i].key >> (digit * DIGIT_BITS) & (BUCKETS - 1)]++;
        }
    }
    for (int digit = 0; digit < DIGITS && n > 0; digit++) {
        int shift = digit * DIGIT_BITS;
        if (!start_buckets(counts[digit], from[0].key >> shift & (BUCKETS - 1), n)) {
            continue;
        }
        for (size_t i = 0; i < n; i++) {
            to[counts[digit][from[i].key >> shift & (BUCKETS - 1)]++] = from[i];
        }
        placed_t *other = from;
        from = to;
        to = other;
    }
    for (size_t i = 0; i < n; i++) {
        order[i] = from[i].at;
    }
    free(counts);
    free(both);
}

vln_sample_t
vln_sample_make(const double *values, size_t count)
{
    vln_sample_t self = {.sorted = vln_calloc(count, sizeof *values), .finite = true};
    for (size_t i = 0; i < count; i++) {
        if (isnan(values[i])) {
            self.missing++;
            continue;
        }
        self.finite &= isfinite(values[i]) != 0;
        self.sorted[self.n++] = values[i];
    }
    vln_sort(self.sorted, self.n);
    return self;
}

void
vln_sample_end(vln_sample_t *self)
{
    free(self->sorted);
    *self = (vln_sample_t){.finite = true};
}
