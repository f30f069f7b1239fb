/*
 * registry_store_inside - what the files of registry_store share: its statements and connection.
 */
#ifndef REGISTRY_STORE_INSIDE_H
#define REGISTRY_STORE_INSIDE_H

#include "registry_store.h"

/* Indexes of the statements, whose text is in registry_store.c; their order is free. */
enum {
    FIND_REQUESTS,
    KEEP_REQUESTS,
    FENCE,
    SWEEP,
    INSERT_EVENTS,
    CREATE_MODEL,
    FIND_MODEL,
    LIST_MODELS,
    LOCK_MODELS,
    UPDATE_MODELS,
    INSERT_BLOBS,
    INSERT_VERSIONS,
    INSERT_ARTIFACTS,
    LINE_TOP,
    HAS_VERSION,
    FIND_VERSIONS,
    LIST_VERSIONS,
    FIND_BLOB,
    FIND_BLOB_INFO,
    COUNT_UPLOADS,
    BEGIN_UPLOAD,
    FIND_UPLOAD,
    FIND_UPLOAD_OF,
    MARK_CHUNK,
    CLOSE_UPLOAD,
    RESET_UPLOAD,
    DROP_UPLOAD,
    FIND_OLD_UPLOADS,
    CREATE_DATASET,
    FIND_DATASET,
    LIST_DATASETS,
};

struct registry_store {
    vln_pg_t *pg;
};

#endif
