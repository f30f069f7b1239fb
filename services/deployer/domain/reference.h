/*
 * reference - what a version's inputs and predictions looked like when it was made: read from its
 * profile, and made into the bins that its servers count by.
 *
 * A stored profile has up to 2000 columns and more fields than a message of the bus may have; what is
 * kept of it here fits a record and a host's state. Pure. Results lie in the arena.
 */
#ifndef REFERENCE_H
#define REFERENCE_H

#include <valion/v1/deployer.pb-c.h>

#include "vln_mem.h"

enum {
    REFERENCE_COLUMNS_MAX = 200,
    REFERENCE_EDGES_MAX = 64,
    REFERENCE_CATEGORIES_MAX = 64,
    REFERENCE_CATEGORY_BYTES = 128,
    REFERENCE_COST_MAX = 3600,           /* fields of the record, of the 4096 that one may have */
    REFERENCE_BYTES_MAX = 64 * 1024,     /* of its edges and categories */
    REFERENCE_PROFILE_MAX = 16 << 20,    /* bytes of a stored profile */
    REFERENCE_BUDGET = 32 * 1024 * 1024, /* of the arena that one is read into */
};

/* The prediction's profile and those of the signature's inputs, in its order, as many as fit; NULL if
 * the bytes are no profile. What cannot be counted by (no edges, no categories, names that are too
 * long) is left out. The arena's budget bounds what hostile bytes may grow to. */
Valion__V1__Profile *reference_read(const uint8_t *bytes, size_t size,
                                    const Valion__V1__Signature *signature, vln_arena_t *arena);

/* As the instance's bins, the prediction first. */
void reference_make_bins(const Valion__V1__Profile *reference, Valion__V1__WantedInstance *wanted,
                         vln_arena_t *arena);

/* "" is the prediction; NULL: it is not known. */
const Valion__V1__ColumnProfile *reference_find(const Valion__V1__Profile *reference,
                                                const char *column);

#endif
