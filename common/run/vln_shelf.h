/*
 * vln_shelf - values that are made of bytes with a digest and only read from then on: parsed tables.
 * Whoever needs the same again takes the same.
 *
 * Bounded in bytes: those that were asked for last stay. What somebody holds is never let go, so a
 * value that alone is beyond the bound is there as long as it is used. Thread-safe; values are shared
 * between threads.
 */
#ifndef VLN_SHELF_H
#define VLN_SHELF_H

#include <stddef.h>
#include <stdint.h>

#include "vln_digest.h"

typedef struct vln_shelf vln_shelf_t;

/* What a value consists of and how it ends; taken over with it. */
typedef struct vln_shelf_value {
    void *value;
    size_t bytes;
    void (*end)(void *value);
} vln_shelf_value_t;

vln_shelf_t *vln_shelf_new(size_t max_bytes);

/* Nobody holds anything any more. */
void vln_shelf_destroy(vln_shelf_t **self_p);

/* The value under the key, held until vln_shelf_release(); NULL: there is none. */
void *vln_shelf_take(vln_shelf_t *self, const uint8_t key[VLN_DIGEST_BYTES]);

/* Puts it there and holds it. Where another thread was faster, theirs is given and ours ends. */
void *vln_shelf_put(vln_shelf_t *self, const uint8_t key[VLN_DIGEST_BYTES],
                    const vln_shelf_value_t *value);

void vln_shelf_release(vln_shelf_t *self, const void *value);

/* Of what is there, held or not. */
size_t vln_shelf_bytes(vln_shelf_t *self);

#endif
