#include "vln_guess.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>

static size_t
least(size_t a, size_t b, size_t c)
{
    size_t ab = a < b ? a : b;
    return ab < c ? ab : c;
}

size_t
vln_guess_distance(const char *left, const char *right)
{
    size_t left_len = strlen(left);
    size_t right_len = strlen(right);
    if (left_len > VLN_GUESS_WORD_MAX || right_len > VLN_GUESS_WORD_MAX) {
        return SIZE_MAX;
    }
    size_t row[VLN_GUESS_WORD_MAX + 1];
    for (size_t j = 0; j <= right_len; j++) {
        row[j] = j;
    }
    for (size_t i = 1; i <= left_len; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= right_len; j++) {
            size_t above = row[j];
            int differ =
                tolower((unsigned char)left[i - 1]) != tolower((unsigned char)right[j - 1]);
            row[j] = least(above + 1, row[j - 1] + 1, diagonal + (size_t)differ);
            diagonal = above;
        }
    }
    return row[right_len];
}

void
vln_guess_offer(vln_guess_t *self, const char *candidate)
{
    size_t bound = strlen(self->typed) / 3 + 1;
    size_t distance = vln_guess_distance(self->typed, candidate);
    if (distance <= bound && (!self->best || distance < self->distance)) {
        self->best = candidate;
        self->distance = distance;
    }
}
