/*
 * search - random search: which hyperparameters a trial gets. Pure; the same seed gives the same
 * trials on every machine.
 *
 * Each trial draws from its own stream of splitmix64 (Steele, Lea, Flood, OOPSLA 2014), seeded by the
 * search's seed and its number, so trials can be added without changing those before them. The first
 * trial draws nothing: it is what was given, with the defaults.
 */
#ifndef SEARCH_H
#define SEARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <valion/v1/trainer.pb-c.h>

enum {
    SEARCH_RANGES_MAX = 32,
    SEARCH_TRIALS = 20,
    SEARCH_TRIALS_MAX = 1000,
    SEARCH_VALUE = 80,
    SEARCH_CHOICES_MAX = 64,
    SEARCH_WHY = 256
};

/* False, and `why` is a sentence, if a range makes no sense. */
bool search_check(const Valion__V1__Search *search, char why[SEARCH_WHY]);

/* How many trials there are, at least 1. */
uint32_t search_trials(const Valion__V1__Search *search);

/* The value of range `index` in trial `trial`, from 1. Returns `out`. */
const char *search_draw(const Valion__V1__Search *search, uint64_t seed, uint32_t trial,
                        size_t index, char out[SEARCH_VALUE]);

#endif
