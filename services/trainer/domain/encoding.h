/*
 * encoding - the categories of a column of text: which texts are one, in which order, and what a
 * missing cell counts as. Pure; the same texts give the same categories in whatever order they come.
 */
#ifndef ENCODING_H
#define ENCODING_H

#include <stdbool.h>
#include <stddef.h>

#include "vln_mem.h"

enum {
    ENCODING_CATEGORIES_MAX = 256,
    ENCODING_WHY = 512,
};

/* A text of the column, and in how many rows it stands. */
typedef struct encoding_word {
    const char *text; /* "" counts as missing */
    size_t rows;
} encoding_word_t;

typedef enum encoding_fill {
    ENCODING_FILL_NOTHING, /* missing is a category of its own, where it was seen */
    ENCODING_FILL_MOST_FREQUENT,
    ENCODING_FILL_TEXT,
} encoding_fill_t;

typedef struct encoding_terms {
    encoding_fill_t fill;
    const char *text; /* of ENCODING_FILL_TEXT */
    size_t max;       /* categories, the rest among them; 0: more than fit are refused */
} encoding_terms_t;

/*
 * A category's code is its place. Whatever is none of them is the last one where there is a rest, and
 * else unknown: no column of a one-hot row, or -1.
 */
typedef struct encoding {
    const char **categories; /* sorted by their bytes; "" is the missing cell; in the arena */
    size_t count;
    bool has_rest;    /* one more category, for all other texts */
    size_t rest;      /* of the texts that were seen, how many it holds */
    const char *fill; /* stands for a missing cell; NULL: nothing does */
} encoding_t;

/*
 * From the words that it is fitted on; each text may stand once. The texts stay the caller's. Of the
 * most frequent ones the least by its bytes fills; of those that are equally rare the lesser go to the
 * rest. False, and `why` goes on after the column's name, if there are more categories than fit.
 */
bool encoding_fit(const encoding_word_t *words, size_t count, const encoding_terms_t *terms,
                  vln_arena_t *arena, encoding_t *out, char why[ENCODING_WHY]);

/* The code of a text, "" for a missing cell; -1: unknown. */
long encoding_code(const encoding_t *self, const char *text);

/* Codes that there are. */
size_t encoding_width(const encoding_t *self);

#endif
