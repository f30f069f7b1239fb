/*
 * broker_principals - who is known: the certificates of VALION_KEYS/public, found by their key.
 *
 * A principal has a slot, a small number that stays its own while the process lives and while
 * routing counts something for it. Used by the broker's one thread.
 */
#ifndef BROKER_PRINCIPALS_H
#define BROKER_PRINCIPALS_H

#include <stdbool.h>
#include <stddef.h>

#include "vln_keys.h"

typedef struct principals principals_t;

/* True if nothing is counted any more for this slot, so that it may be another's. */
typedef bool(principals_idle_fn)(const void *arg, int slot);

/* Empty until the first refresh. `folder` is borrowed, `is_idle` and `arg` as well. */
principals_t *principals_new(const char *folder, principals_idle_fn *is_idle, const void *arg);
void principals_destroy(principals_t **self_p);

typedef struct principals_change {
    bool changed; /* the folder was read again */
    bool revoked; /* somebody is gone, or has another key or other roles */
} principals_change_t;

/*
 * Read the folder again if anything in it changed. What was known stays known when the folder
 * cannot be read.
 */
VLN_MUST_USE vln_err_t principals_refresh(principals_t *self, principals_change_t *out);

/* The slot of the principal with this key (Z85); -1 if there is none. */
int principals_find(const principals_t *self, const char *public_key);

/* What the slot's principal is; NULL if it is no longer known. Borrowed until the next refresh. */
const vln_principal_t *principals_at(const principals_t *self, int slot);

size_t principals_count(const principals_t *self);

#endif
