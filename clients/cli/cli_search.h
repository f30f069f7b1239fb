/*
 * cli_search - a range of a hyperparameter as people write it: max_depth=2..8, learning_rate=0.01..0.5:log,
 * subsample=0.6,0.8,1. Pure.
 */
#ifndef CLI_SEARCH_H
#define CLI_SEARCH_H

#include <stdbool.h>
#include <valion/v1/trainer.pb-c.h>

enum { CLI_SEARCH_TEXT = 600, CLI_SEARCH_CHOICES = 64 };

typedef struct cli_search {
    Valion__V1__SearchRange range;
    char text[CLI_SEARCH_TEXT]; /* what it points into */
    char *choices[CLI_SEARCH_CHOICES];
} cli_search_t;

/* False if it is none. Bounds without a point are of whole numbers. */
bool cli_search_parse(const char *text, cli_search_t *out);

#endif
