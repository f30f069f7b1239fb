/*
 * registry_store_inside - what the files of registry_store share: its statements and connection.
 */
#ifndef REGISTRY_STORE_INSIDE_H
#define REGISTRY_STORE_INSIDE_H

#include "registry_store.h"

/* Indexes of the statements, whose text is in registry_statements.c; their order is free. */
enum {
    FIND_REQUESTS,
    KEEP_REQUESTS,
    FENCE,
    SWEEP,
    INSERT_EVENTS,
    CREATE_MODEL,
    FIND_MODEL,
    FIND_MODELS,
    SAVE_MODEL,
    DELETE_MODEL,
    LOCK_MODELS,
    UPDATE_MODELS,
    INSERT_BLOBS,
    MEND_BLOBS,
    INSERT_VERSIONS,
    INSERT_ARTIFACTS,
    LINE_TOP,
    HAS_VERSION,
    FIND_VERSIONS,
    FIND_BY_TEXT,
    LOCK_VERSION,
    HOLD_VERSION,
    LOCK_PRODUCTION,
    SAVE_VERSION,
    DELETE_VERSION,
    RESET_LATEST,
    SET_ALIAS,
    REMOVE_ALIAS,
    FIND_ALIAS,
    ADD_STAGE_CHANGE,
    LIST_STAGE_CHANGES,
    FIND_WITHOUT_WORDS,
    FIND_CHILDREN,
    WEIGH_WORDS,
    SET_WORDS,
    LOCK_RULES,
    LIST_RULES,
    PUT_RULE,
    REMOVE_RULE,
    FIND_BLOB,
    FIND_STORED,
    MARK_CORRUPT,
    KEEP_BLOB,
    COUNT_UPLOADS,
    BEGIN_UPLOAD,
    FIND_UPLOAD,
    FIND_UPLOAD_OF,
    LOCK_UPLOAD,
    MARK_CHUNKS,
    TRY_UPLOAD,
    LEAVE_UPLOAD,
    CLOSE_UPLOAD,
    RESET_UPLOAD,
    DROP_UPLOAD,
    FIND_OLD_UPLOADS,
    CREATE_DATASET,
    FIND_DATASET,
    LIST_DATASETS,
    LOCK_POLICIES,
    SHARE_POLICIES,
    NEWEST_POLICY,
    FIND_POLICY,
    INSERT_POLICY,
    POLICIES_IN_FORCE,
    LIST_POLICIES,
    INSERT_REPORT,
    FIND_REPORT,
    LIST_REPORTS,
    FIND_EVIDENCE,
    FIND_GRANT,
    INSERT_GRANT,
    COUNT_GRANT,
    CLOSE_GRANT,
    LIST_SERVING,
    LIST_GRANTS,
    FIND_DATASETS_OF,
    COUNT_ALL,
};

extern const vln_pg_stmt_t registry_statements[];
extern const size_t registry_statement_count;

struct registry_store {
    vln_pg_t *pg;
};

/* Into the arena; NULL for a null. */
const char *registry_store_text(const PGresult *result, int row, int column, vln_arena_t *arena);
const uint8_t *registry_store_bytes(const PGresult *result, int row, int column, vln_arena_t *arena,
                                    size_t *size);

/* Columns of a list, and the functions that read a row of them. */
#define REGISTRY_MODEL_COLUMNS                                                           \
    "name, description, tags, author, algorithm, framework, latest, versions, revision," \
    " created, updated, highest, seq"
registry_model_t registry_store_read_model(const PGresult *result, int row, vln_arena_t *arena);
enum { REGISTRY_MODEL_COLUMN_COUNT = 13 };

#define REGISTRY_VERSION_COLUMNS                                                          \
    "v.version, v.stage, v.status, v.revision, v.created, v.updated, v.digest, v.record," \
    " v.signature, v.samples, v.profile, v.status_reason, v.description, v.tags,"         \
    " v.open_grants, nullif(array_to_string(ARRAY(SELECT a.alias FROM alias a"            \
    "   WHERE a.model = v.model AND a.version = v.version ORDER BY a.key), E'\\n'), '')"
registry_version_t registry_store_read_version(const PGresult *result, int row, vln_arena_t *arena);
enum { REGISTRY_VERSION_COLUMN_COUNT = 16 };

#define REGISTRY_RECORD_BYTES "(octet_length(record) + coalesce(octet_length(signature), 0))"

#endif
