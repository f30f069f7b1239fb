/*
 * registry_store - models, versions and small artifacts in PostgreSQL.
 *
 * The registry's SQL, but for the log's (registry_log). Knows nothing of messages: handlers
 * translate. Used by one thread; the functions that change something run in the transaction that
 * the caller opened.
 */
#ifndef REGISTRY_STORE_H
#define REGISTRY_STORE_H

#include <stdbool.h>
#include <stdint.h>

#include "vln_digest.h"
#include "vln_err.h"
#include "vln_event.h"
#include "vln_mem.h"
#include "vln_migrate.h"
#include "vln_once.h"
#include "vln_pg.h"

#include "semver.h"

enum { REGISTRY_NAME_MAX = 128 };

extern const vln_migration_t registry_migrations[];
extern const size_t registry_migrations_count;

typedef struct registry_store registry_store_t;

/* As vln_pg_open: UNAVAILABLE leaves a store that registry_store_ensure can connect later. */
VLN_MUST_USE vln_err_t registry_store_open(registry_store_t **out, const char *database);
void registry_store_close(registry_store_t **self_p);
VLN_MUST_USE vln_err_t registry_store_ensure(registry_store_t *self);

/* For vln_once_run, with `work` and `context` still to be set. */
vln_once_t registry_store_once(registry_store_t *self);

/* A transaction of one's own, where vln_once_run does not open one. */
VLN_MUST_USE vln_err_t registry_store_begin(registry_store_t *self);
VLN_MUST_USE vln_err_t registry_store_commit(registry_store_t *self);
/* Does nothing once it committed. */
void registry_store_rollback(registry_store_t *self);

VLN_MUST_USE vln_err_t registry_store_write_events(registry_store_t *self, vln_events_t *events);

/* Replies and fences whose time is over; `*swept` says how many replies went. */
VLN_MUST_USE vln_err_t registry_store_sweep(registry_store_t *self, int64_t *swept);

/* ---- models; texts are borrowed from the arena that was given ---- */

typedef struct registry_model {
    const char *name;
    const char *description;
    const char *tags; /* one a line, sorted */
    const char *author;
    const char *algorithm;
    const char *framework;
    const char *latest;  /* NULL when it has no version */
    const char *highest; /* of its deleted versions; NULL: none is above the others */
    int64_t versions;
    int64_t revision;
    int64_t created_us;
    int64_t updated_us;
    int64_t seq; /* the order in which models came */
} registry_model_t;

/* True in *created if it was not there; *model is what is there now. */
VLN_MUST_USE vln_err_t registry_store_create_model(registry_store_t *self, vln_arena_t *arena,
                                                   registry_model_t *model, bool *created);

/* NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_store_find_model(registry_store_t *self, vln_arena_t *arena,
                                                 const char *name, registry_model_t *out);

/* The models of these names; one that is missing has name NULL. */
VLN_MUST_USE vln_err_t registry_store_find_models(registry_store_t *self, vln_arena_t *arena,
                                                  const char *const *names, size_t count,
                                                  registry_model_t *out);

/* Description and tags as they are to be; its revision and time are read. It is locked. */
VLN_MUST_USE vln_err_t registry_store_save_model(registry_store_t *self, vln_arena_t *arena,
                                                 registry_model_t *model);

/* Of a model that has no versions. */
VLN_MUST_USE vln_err_t registry_store_delete_model(registry_store_t *self, const char *name);

/* ---- versions ---- */

/* The rows of these models (`count` of them), locked until the transaction ends, so that one
 * creator at a time chooses the next version. A model that is missing has name NULL. */
VLN_MUST_USE vln_err_t registry_store_lock_models(registry_store_t *self, vln_arena_t *arena,
                                                  const char *const *names, size_t count,
                                                  registry_model_t *out, int64_t *now_us);

typedef struct registry_new_version {
    const char *model;
    semver_t semver;
    uint8_t digest[VLN_DIGEST_BYTES];
    const uint8_t *record; /* valion.v1.Version */
    size_t record_size;
    int stage;
    int status;
    const uint8_t *samples; /* digests; NULL: none */
    const uint8_t *profile;
    const char *words; /* what it is found by, see registry_version_words */
    const char *facets;
} registry_new_version_t;

typedef struct registry_new_artifact {
    const char *model;
    const char *version;
    const char *role;
    uint8_t digest[VLN_DIGEST_BYTES];
} registry_new_artifact_t;

typedef struct registry_blob {
    uint8_t digest[VLN_DIGEST_BYTES];
    const char *media_type;
    const uint8_t *bytes;  /* to be stored; NULL in what is found */
    const uint8_t *packed; /* stored instead of `bytes`; NULL: that does not pay */
    size_t packed_size;
    int64_t size_bytes;
    int64_t stored_bytes;
    int64_t created_us;
    int64_t corrupt_us; /* 0: as far as anybody knows it is whole */
    int64_t references;
} registry_blob_t;

/* What a batch of CreateVersion writes. */
typedef struct registry_batch {
    size_t version_count;
    registry_new_version_t *versions;
    size_t artifact_count;
    registry_new_artifact_t *artifacts;
    size_t blob_count;
    registry_blob_t *blobs;
    size_t model_count; /* whose latest and count change */
    const registry_model_t *models;
} registry_batch_t;

/* ALREADY_EXISTS if a version has the precedence of one that is there. Bytes of a digest whose
 * stored ones are damaged take their place, and an event tells. */
VLN_MUST_USE vln_err_t registry_store_insert(registry_store_t *self, vln_arena_t *arena,
                                             const registry_batch_t *batch);

/* Highest version of a model's major.minor line; NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_store_find_line_top(registry_store_t *self, const char *model,
                                                    const semver_t *line, semver_t *out);

/* True if a version of this precedence is there, or was and is deleted. */
VLN_MUST_USE vln_err_t registry_store_has_version(registry_store_t *self, const char *model,
                                                  const semver_t *version, bool *out);

/* The record, and what changed since. Texts and bytes that are NULL are as in the record. */
typedef struct registry_version {
    const char *version;
    int stage;
    int status; /* as stored: never DEPLOYED, see registry_version_status */
    int64_t revision;
    int64_t created_us;
    int64_t updated_us;
    const uint8_t *digest;
    const uint8_t *record;
    size_t record_size;
    const uint8_t *signature; /* valion.v1.Signature */
    size_t signature_size;
    const uint8_t *samples; /* digests */
    const uint8_t *profile;
    const char *status_reason;
    const char *description;
    const char *tags;    /* one a line, sorted */
    const char *aliases; /* one a line; NULL: none */
    int64_t open_grants;
    int64_t seq;       /* the order in which versions came; in lists only */
    const char *words; /* to write: what it is found by from now on; NULL: as it was */
    const char *facets;
} registry_version_t;

/* As everybody sees it: a ready version that holds an open grant is deployed. */
int registry_version_status(const registry_version_t *version);

typedef struct registry_version_key {
    const char *model;
    const char *version; /* NULL: the latest */
    const char *alias;   /* instead of the version; NULL: none */
} registry_version_key_t;

/* As a request names one: the alias "latest", in any case, is the latest. */
registry_version_key_t registry_version_key(const char *model, const char *version,
                                            const char *alias);

/* One answer a key, in order; `version` NULL where there is none. */
VLN_MUST_USE vln_err_t registry_store_find_versions(registry_store_t *self, vln_arena_t *arena,
                                                    const registry_version_key_t *keys,
                                                    size_t count, registry_version_t *out);

/* ---- counts ---- */

typedef struct registry_counts {
    int64_t models;
    int64_t versions;
    int64_t of_stage[5]; /* index: valion.v1.Stage */
    int64_t blob_bytes;
} registry_counts_t;

VLN_MUST_USE vln_err_t registry_store_count(registry_store_t *self, registry_counts_t *out);

/* ---- small artifacts ---- */

/*
 * In the caller's transaction: bytes that are kept in the record. What is there already stays, and is
 * mended if it is damaged. The same content may occur twice.
 */
VLN_MUST_USE vln_err_t registry_store_insert_blobs(registry_store_t *self, vln_arena_t *arena,
                                                   const registry_blob_t *blobs, size_t count);

/* Without its bytes. NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_store_find_blob(registry_store_t *self, vln_arena_t *arena,
                                                const uint8_t *digest, registry_blob_t *out);

#endif
