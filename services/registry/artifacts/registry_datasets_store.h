/*
 * registry_datasets_store - the rows of data sets; a part of registry_store. Used by one thread.
 */
#ifndef REGISTRY_DATASETS_STORE_H
#define REGISTRY_DATASETS_STORE_H

#include "registry_store.h"

typedef struct registry_dataset {
    const char *name;
    const uint8_t *record; /* valion.v1.Dataset, without created_us */
    size_t record_size;
    int64_t created_us;
} registry_dataset_t;

/* The data set of this name and content, made if it is not there; *created says which. In the
 * caller's transaction. */
VLN_MUST_USE vln_err_t registry_datasets_create(registry_store_t *self, vln_arena_t *arena,
                                                const uint8_t digest[VLN_DIGEST_BYTES],
                                                registry_dataset_t *dataset, bool *created);

/* Of this content, or with digest NULL the newest of the name. NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_datasets_find(registry_store_t *self, vln_arena_t *arena,
                                              const char *name, const uint8_t *digest,
                                              registry_dataset_t *out);

typedef struct registry_dataset_filter {
    const char *after; /* name that the page before ended with; NULL: from the start */
    const char *text;  /* in the name; NULL: any */
    int limit;
    int64_t bytes_max; /* of records: none that begins beyond */
} registry_dataset_filter_t;

/* The newest of each name, by name. */
VLN_MUST_USE vln_err_t registry_datasets_list(registry_store_t *self, vln_arena_t *arena,
                                              const registry_dataset_filter_t *filter,
                                              registry_dataset_t **out, size_t *count);

enum { REGISTRY_DATASETS_OF_MAX = 64 };

/* Data sets that have, or had, one of these contents, by name; at most REGISTRY_DATASETS_OF_MAX. */
VLN_MUST_USE vln_err_t registry_datasets_of(registry_store_t *self, vln_arena_t *arena,
                                            const uint8_t *const *digests, size_t digest_count,
                                            registry_dataset_t **out, size_t *count);

#endif
