/*
 * vln_exchange - how rows and predictions lie in the memory that a program shares with the child
 * that runs its model. One half is written by the program, the other by the child; whoever reads
 * the other's half copies first and believes nothing.
 *
 *   in   float32 numbers[rows][numbers a row], row by row; NaN: missing
 *        uint32 texts[rows][texts a row]: where in this half a text begins; then the texts, each
 *        ended by a NUL
 *   out  float32 scores[rows][width]; then int32 labels[rows]
 */
#ifndef VLN_EXCHANGE_H
#define VLN_EXCHANGE_H

#include <stddef.h>

enum {
    VLN_EXCHANGE_HALF = 4 * 1024 * 1024, /* bytes; a row of 4096 numbers takes 16 KiB */
    VLN_EXCHANGE_ROWS = 1024,            /* at once */
};

#endif
