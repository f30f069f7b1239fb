/*
 * registry_stages_store - the rows of what changes about versions: stages, aliases, grants; a part of
 * registry_store.
 *
 * Used by one thread, in the caller's transaction but for the lists. Who changes stages, aliases or
 * the set of versions locks the model first (registry_store_lock_models), then the version.
 */
#ifndef REGISTRY_STAGES_STORE_H
#define REGISTRY_STAGES_STORE_H

#include "vln_id.h"

#include "registry_store.h"

/* ---- versions ---- */

/* Locked until the transaction ends. NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_stages_lock(registry_store_t *self, vln_arena_t *arena,
                                            const char *model, const char *version,
                                            registry_version_t *out);

/* It is there until the transaction ends; others may change and hold it meanwhile. NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_stages_hold(registry_store_t *self, vln_arena_t *arena,
                                            const char *model, const char *version,
                                            registry_version_t *out);

/* The version that holds production, locked; NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_stages_lock_production(registry_store_t *self, vln_arena_t *arena,
                                                       const char *model, registry_version_t *out);

/* Writes all that may change but the grants, and reads its new revision and time. */
VLN_MUST_USE vln_err_t registry_stages_save(registry_store_t *self, const char *model,
                                            registry_version_t *version);

/* The version's row goes, its number stays taken; `highest`: the model's highest deleted version
 * from now on, NULL: as it is. */
VLN_MUST_USE vln_err_t registry_stages_delete(registry_store_t *self, const char *model,
                                              const char *version, const char *deleted_by,
                                              const char *highest);

/* ---- history ---- */

typedef struct registry_stage_change {
    int64_t seq;
    const char *version;
    int from;
    int to;
    const char *actor;
    int64_t time_us;
    const uint8_t *report_id; /* NULL: none was needed */
    const char *evidence;
    const char *reason;
    int64_t position; /* 0: not in the log yet */
} registry_stage_change_t;

VLN_MUST_USE vln_err_t registry_stages_add_change(registry_store_t *self, const char *model,
                                                  const registry_stage_change_t *change);

typedef struct registry_change_filter {
    const char *model;
    const char *version; /* NULL: any */
    int64_t before;      /* seq that the page before ended with; 0: from the newest */
    int limit;
} registry_change_filter_t;

/* Newest first. */
VLN_MUST_USE vln_err_t registry_stages_list_changes(registry_store_t *self, vln_arena_t *arena,
                                                    const registry_change_filter_t *filter,
                                                    registry_stage_change_t **out, size_t *count);

/* ---- aliases ---- */

/* How many the model has, and the version that this one names, NULL: none. */
VLN_MUST_USE vln_err_t registry_aliases_find(registry_store_t *self, vln_arena_t *arena,
                                             const char *model, const char *alias, int64_t *count,
                                             const char **version);

/* version NULL removes it. */
VLN_MUST_USE vln_err_t registry_aliases_set(registry_store_t *self, const char *model,
                                            const char *alias, const char *version,
                                            const char *set_by);

/* ---- grants ---- */

typedef struct registry_grant {
    int64_t seq;
    vln_id_t id;
    const char *model;
    const char *version;
    const uint8_t *digest;
    const char *environment;
    vln_id_t rollout_id;
    const uint8_t *report_id; /* NULL: none was needed */
    const char *evidence;
    const char *actor;
    int64_t opened_us;
    int64_t closed_us; /* 0: open */
} registry_grant_t;

/* That rollout's grant of this version, open or closed; NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_grants_find(registry_store_t *self, vln_arena_t *arena,
                                            const vln_id_t *rollout_id, const char *model,
                                            const char *version, registry_grant_t *out);

/* Stores it and counts it with its version; *grant is what was stored. */
VLN_MUST_USE vln_err_t registry_grants_open(registry_store_t *self, vln_arena_t *arena,
                                            registry_grant_t *grant);

/* *was_open false: it was closed before, and nothing changed. NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_grants_close(registry_store_t *self, vln_arena_t *arena,
                                             const vln_id_t *id, registry_grant_t *out,
                                             bool *was_open);

/* All of a version, open and closed, newest first. */
VLN_MUST_USE vln_err_t registry_grants_of(registry_store_t *self, vln_arena_t *arena,
                                          const registry_version_key_t *version, int limit,
                                          registry_grant_t **out, size_t *count);

typedef struct registry_serving_query {
    const char *environment;
    int64_t time_us;   /* 0: now */
    const char *model; /* NULL: any */
    int64_t after;     /* seq that the page before ended with */
    int limit;
} registry_serving_query_t;

/* What was open at that time, in the order of opening. */
VLN_MUST_USE vln_err_t registry_grants_list(registry_store_t *self, vln_arena_t *arena,
                                            const registry_serving_query_t *query,
                                            registry_grant_t **out, size_t *count);

#endif
