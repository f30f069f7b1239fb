#include "split.h"

#include <stdlib.h>

#include "vln_err.h"
#include "vln_mem.h"

static uint64_t
next(uint64_t *state)
{
    uint64_t z = (*state += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

/* Uniform in 0 .. bound - 1, without bias. */
static uint64_t
below(uint64_t *state, uint64_t bound)
{
    uint64_t limit = UINT64_MAX - UINT64_MAX % bound;
    uint64_t value = next(state);
    while (value >= limit) {
        value = next(state);
    }
    return value % bound;
}

static int
by_number(const void *left, const void *right)
{
    size_t a = *(const size_t *)left;
    size_t b = *(const size_t *)right;
    return a < b ? -1 : a > b;
}

split_t
split_make(size_t count, double train_share, uint64_t seed, bool shuffle)
{
    vln_assert(count >= 2 && train_share > 0 && train_share < 1);
    split_t self = {.rows = vln_calloc(count, sizeof *self.rows)};
    for (size_t i = 0; i < count; i++) {
        self.rows[i] = i;
    }
    for (size_t i = count - 1; shuffle && i > 0; i--) {
        size_t other = (size_t)below(&seed, i + 1);
        size_t kept = self.rows[i];
        self.rows[i] = self.rows[other];
        self.rows[other] = kept;
    }
    self.train = (size_t)((double)count * train_share + 0.5);
    self.train = self.train < 1 ? 1 : self.train;
    self.train = self.train > count - 1 ? count - 1 : self.train;
    self.held = count - self.train;
    qsort(self.rows, self.train, sizeof *self.rows, by_number);
    qsort(self.rows + self.train, self.held, sizeof *self.rows, by_number);
    return self;
}
