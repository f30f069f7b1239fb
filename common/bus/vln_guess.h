/*
 * vln_guess - the word that was probably meant. Pure.
 */
#ifndef VLN_GUESS_H
#define VLN_GUESS_H

#include <stddef.h>

enum { VLN_GUESS_WORD_MAX = 64 };

/* Letters to put in, take out or change to get from one to the other; longer words count as far
 * apart. */
size_t vln_guess_distance(const char *left, const char *right);

/* Looks at one candidate after the other; zeroed but for `typed`. */
typedef struct vln_guess {
    const char *typed;
    const char *best; /* borrowed from the candidates; NULL while none is near enough */
    size_t distance;  /* of `best` */
} vln_guess_t;

void vln_guess_offer(vln_guess_t *self, const char *candidate);

#endif
