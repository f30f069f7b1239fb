/*
 * deployer_watch_store - what was counted, what it is compared with, and the rules that watch, in
 * PostgreSQL.
 *
 * Part of deployer_store, and used as it is. Results lie in the arena.
 */
#ifndef DEPLOYER_WATCH_STORE_H
#define DEPLOYER_WATCH_STORE_H

#include "vln_digest.h"

#include "counts.h"
#include "deployer_store.h"

/* ---- counters ---- */

/* Of a server, or of a backend of HAProxy's on a host. The records are packed. */
typedef struct deployer_counted {
    vln_id_t instance;
    const char *environment;
    const char *model;
    bool canary;
    counts_kept_t kept;
    ProtobufCBinaryData record; /* since the start that is kept */
    ProtobufCBinaryData ended;  /* of all starts before it; empty: none */
} deployer_counted_t;

/* Those of these ids (16 bytes each) that are instances of the host; what has counted nothing yet has
 * no start. */
VLN_MUST_USE vln_err_t deployer_store_find_telemetry(deployer_store_t *self, vln_arena_t *arena,
                                                     const char *host, vln_pg_array_t *ids,
                                                     deployer_counted_t **out, size_t *count);
/* Nothing is written for an instance that has gone. */
VLN_MUST_USE vln_err_t deployer_store_save_telemetry(deployer_store_t *self,
                                                     const deployer_counted_t *counted);
/* Of the stable instances, all starts: to be added up. */
VLN_MUST_USE vln_err_t deployer_store_list_telemetry(deployer_store_t *self, vln_arena_t *arena,
                                                     const char *environment, const char *model,
                                                     Valion__V1__Telemetry ***out, size_t *count);

VLN_MUST_USE vln_err_t deployer_store_find_proxy(deployer_store_t *self, vln_arena_t *arena,
                                                 const char *host, deployer_counted_t **out,
                                                 size_t *count);
/* Nothing is written for a model that has no instance on the host. */
VLN_MUST_USE vln_err_t deployer_store_save_proxy(deployer_store_t *self, const char *host,
                                                 const deployer_counted_t *counted);
/* Of the stable backend on all hosts, all starts: to be added up. */
VLN_MUST_USE vln_err_t deployer_store_list_proxy(deployer_store_t *self, vln_arena_t *arena,
                                                 const char *environment, const char *model,
                                                 Valion__V1__ProxyCounters ***out, size_t *count);

/* ---- references ---- */

/* NOT_FOUND. */
VLN_MUST_USE vln_err_t deployer_store_find_reference(deployer_store_t *self, vln_arena_t *arena,
                                                     const uint8_t id[VLN_DIGEST_BYTES],
                                                     Valion__V1__Profile **out);
VLN_MUST_USE vln_err_t deployer_store_save_reference(deployer_store_t *self,
                                                     const uint8_t id[VLN_DIGEST_BYTES],
                                                     const Valion__V1__Profile *reference);

/* ---- rules ---- */

/* Of one endpoint. */
enum { DEPLOYER_RULES_MAX = 32 };

typedef struct deployer_rule {
    Valion__V1__WatchRule *record; /* with what it saw last */
    int64_t due_us;                /* of its next look */
    bool has_stable;
    vln_id_t stable;                  /* rollout that the window is about */
    int64_t since_us;                 /* when the window began */
    Valion__V1__Telemetry *telemetry; /* as they were then; NULL: no window yet */
    Valion__V1__ProxyCounters *proxy;
    bool asks; /* a rollback is still to be asked for */
    vln_id_t asked;
    int64_t asked_us;
    int64_t revision;
    const char *why;
    bool has_gone;
    vln_id_t went_to; /* rollout of its last rollback */
} deployer_rule_t;

typedef struct deployer_rule_key {
    const char *environment;
    const char *model;
    const char *name;
} deployer_rule_key_t;

/* By environment, model and name; what is NULL in the key is any. */
VLN_MUST_USE vln_err_t deployer_store_list_rules(deployer_store_t *self, vln_arena_t *arena,
                                                 const deployer_rule_key_t *key, int limit,
                                                 deployer_rule_t **out, size_t *count);
VLN_MUST_USE vln_err_t deployer_store_count_rules(deployer_store_t *self, const char *environment,
                                                  const char *model, int64_t *out);
VLN_MUST_USE vln_err_t deployer_store_save_rule(deployer_store_t *self,
                                                const deployer_rule_t *rule);
VLN_MUST_USE vln_err_t deployer_store_delete_rule(deployer_store_t *self,
                                                  const deployer_rule_key_t *key);
/* Whose time has come, or which have a rollback to ask for; the oldest first. */
VLN_MUST_USE vln_err_t deployer_store_list_due_rules(deployer_store_t *self, vln_arena_t *arena,
                                                     int limit, deployer_rule_key_t **out,
                                                     size_t *count);

#endif
