/*
 * split - which rows are for training and which are held out. Pure; the same seed gives the same
 * rows on every machine.
 */
#ifndef SPLIT_H
#define SPLIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct split {
    size_t *rows; /* all of them: first those for training, then those held out; end with free() */
    size_t train;
    size_t held;
} split_t;

/*
 * Parts rows 0 .. count - 1. `train_share` is above 0 and below 1; both parts get at least one row,
 * so count is at least 2. Shuffled by Fisher and Yates with splitmix64 (Steele, Lea, Flood, OOPSLA
 * 2014); each part then keeps the rows' order. Not shuffled: the last rows are held out.
 */
split_t split_make(size_t count, double train_share, uint64_t seed, bool shuffle);

#endif
