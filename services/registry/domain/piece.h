/*
 * piece - an artifact's content in pieces of 256 KiB, and the table that proves each of them.
 *
 * The table has an entry of 40 bytes a piece: the SHA-256 of its content, and where what is stored
 * of it ends in the file. One entry and the one before it are enough to read a piece. Knows no file
 * and no compression.
 */
#ifndef PIECE_H
#define PIECE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_digest.h"

enum {
    PIECE_BYTES = 256 * 1024, /* as long as a call's raw frame */
    PIECE_ENTRY = 40,
    PIECE_STORED_MAX = PIECE_BYTES + 4096, /* compressing random bytes adds a little */
    PIECES_MAX = 64 * 1024, /* content beyond 16 GiB has no table: it would be held in memory */
};

typedef struct piece {
    uint8_t digest[VLN_DIGEST_BYTES]; /* of its content */
    int64_t begin;                    /* in the file */
    size_t stored;                    /* bytes from there */
} piece_t;

/* Pieces that content of this size has. */
int64_t piece_count(int64_t size_bytes);

/* Bytes of content that piece `index` has; the last one is shorter. */
size_t piece_size(int64_t size_bytes, int64_t index);

/* Writes entry `index` of a table. */
void piece_put(uint8_t *table, int64_t index, const uint8_t digest[VLN_DIGEST_BYTES], int64_t end);

/*
 * Entry `index`, out of a part of the table that begins with entry `first`: with the one before
 * `index`, unless that is 0. False if the part does not hold it, or makes no sense.
 */
bool piece_get(const uint8_t *part, size_t size, int64_t first, int64_t index, piece_t *out);

#endif
