#include "encoding.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int
by_text(const void *left, const void *right)
{
    const encoding_word_t *a = left;
    const encoding_word_t *b = right;
    return strcmp(a->text, b->text);
}

/* The rarest first; of equally rare ones the lesser text. */
static int
by_rows(const void *left, const void *right)
{
    const encoding_word_t *a = left;
    const encoding_word_t *b = right;
    if (a->rows != b->rows) {
        return a->rows < b->rows ? -1 : 1;
    }
    return by_text(left, right);
}

/* ---- what is missing ---- */

static const char *
most_frequent(const encoding_word_t *words, size_t count)
{
    const encoding_word_t *best = NULL;
    for (size_t i = 0; i < count; i++) {
        bool more = !best || words[i].rows > best->rows ||
                    (words[i].rows == best->rows && by_text(&words[i], best) < 0);
        best = more ? &words[i] : best;
    }
    return best ? best->text : "";
}

/* NULL: a missing cell is what it is. */
static const char *
fill_of(const encoding_word_t *words, size_t count, const encoding_terms_t *terms)
{
    const char *fill = terms->fill == ENCODING_FILL_MOST_FREQUENT ? most_frequent(words, count)
                       : terms->fill == ENCODING_FILL_TEXT        ? terms->text
                                                                  : "";
    return fill[0] != '\0' ? fill : NULL;
}

static void
add_rows(encoding_word_t *words, size_t *count, const char *text, size_t rows)
{
    size_t at = 0;
    while (at < *count && strcmp(words[at].text, text) != 0) {
        at++;
    }
    if (at == *count) {
        words[(*count)++] = (encoding_word_t){.text = text};
    }
    words[at].rows += rows;
}

/* The words that are seen, in `out`, which has room for one more; missing cells as what fills them. */
static size_t
settle_words(const encoding_word_t *words, size_t count, const encoding_terms_t *terms,
             encoding_word_t *out, const char **fill)
{
    size_t kept = 0;
    size_t missing = 0;
    for (size_t i = 0; i < count; i++) {
        if (words[i].text[0] == '\0') {
            missing += words[i].rows;
        } else if (words[i].rows > 0) {
            out[kept++] = words[i];
        }
    }
    *fill = fill_of(out, kept, terms);
    if (missing > 0) {
        add_rows(out, &kept, *fill ? *fill : "", missing);
    }
    return kept;
}

/* ---- fitting ---- */

/* Leaves the most frequent ones, as many as fit beside the rest. */
static size_t
cut(encoding_word_t *words, size_t count, size_t max, encoding_t *out)
{
    if (max == 0 || count <= max) {
        return count;
    }
    qsort(words, count, sizeof *words, by_rows);
    out->has_rest = true;
    out->rest = count - (max - 1);
    memmove(words, words + out->rest, (max - 1) * sizeof *words);
    return max - 1;
}

static bool
check(const encoding_terms_t *terms, size_t count, char why[ENCODING_WHY])
{
    if (terms->max > ENCODING_CATEGORIES_MAX || terms->max == 1) {
        snprintf(why, ENCODING_WHY, "max_categories is 2 to %d, or 0 for no rest",
                 ENCODING_CATEGORIES_MAX);
        return false;
    }
    if (terms->max == 0 && count > ENCODING_CATEGORIES_MAX) {
        snprintf(why, ENCODING_WHY,
                 "it holds %zu different texts, and at most %d can be categories: say "
                 "max_categories, so that the rarest become one, or drop it",
                 count, ENCODING_CATEGORIES_MAX);
        return false;
    }
    return true;
}

bool
encoding_fit(const encoding_word_t *words, size_t count, const encoding_terms_t *terms,
             vln_arena_t *arena, encoding_t *out, char why[ENCODING_WHY])
{
    *out = (encoding_t){0};
    encoding_word_t *kept = vln_calloc(count + 1, sizeof *kept);
    size_t found = settle_words(words, count, terms, kept, &out->fill);
    bool good = check(terms, found, why);
    if (good) {
        out->count = cut(kept, found, terms->max, out);
        qsort(kept, out->count, sizeof *kept, by_text);
        out->categories = vln_arena_alloc(arena, (out->count + 1) * sizeof *out->categories);
        for (size_t i = 0; i < out->count; i++) {
            out->categories[i] = kept[i].text;
        }
    }
    free(kept);
    return good;
}

/* ---- */

long
encoding_code(const encoding_t *self, const char *text)
{
    const char *meant = text[0] == '\0' && self->fill ? self->fill : text;
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->categories[i], meant) == 0) {
            return (long)i;
        }
    }
    return self->has_rest ? (long)self->count : -1;
}

size_t
encoding_width(const encoding_t *self)
{
    return self->count + self->has_rest;
}
