/*
 * deployer_store - hosts, endpoints, rollouts, instances, revisions and decisions in PostgreSQL.
 *
 * All SQL of the deployer. Records are packed messages of the contract; what is searched, or
 * changes on its own, is a column. Used by one thread. What changes something runs in a transaction
 * that the caller opened and that begins with deployer_store_lock().
 */
#ifndef DEPLOYER_STORE_H
#define DEPLOYER_STORE_H

#include <valion/v1/deployer.pb-c.h>
#include <valion/v1/registry.pb-c.h>

#include "vln_event.h"
#include "vln_id.h"
#include "vln_mem.h"
#include "vln_once.h"
#include "vln_pg.h"

extern const vln_migration_t deployment_migrations[];
extern const size_t deployment_migrations_count;

typedef struct deployer_store deployer_store_t;

/* As vln_pg_open. */
VLN_MUST_USE vln_err_t deployer_store_open(deployer_store_t **out, const char *database);
void deployer_store_close(deployer_store_t **self_p);
VLN_MUST_USE vln_err_t deployer_store_ensure(deployer_store_t *self);
vln_once_t deployer_store_once(deployer_store_t *self);
VLN_MUST_USE vln_err_t deployer_store_write_events(deployer_store_t *self, vln_events_t *events);
/* Old replies, fences, counters and references that nothing needs. */
VLN_MUST_USE vln_err_t deployer_store_sweep(deployer_store_t *self);

VLN_MUST_USE vln_err_t deployer_store_begin(deployer_store_t *self); /* with the lock */
VLN_MUST_USE vln_err_t deployer_store_commit(deployer_store_t *self);
void deployer_store_rollback(deployer_store_t *self);

/* Whoever changes anything is alone, until its transaction ends. `now_us` may be NULL. */
VLN_MUST_USE vln_err_t deployer_store_lock(deployer_store_t *self, int64_t *now_us);

/* ---- rollouts ---- */

/* Messages lie in the arena that was given. */
typedef struct deployer_rollout {
    vln_id_t id;
    Valion__V1__Rollout *record;
    Valion__V1__Version *version; /* of the registry */
    char *asked;                  /* to abort: why; NULL */
    bool promoted;
    bool grant_closed;
    bool goes_back; /* made by Rollback; written when it is added, never read */
    int64_t progress_us;
    int64_t created_us;
    int64_t now_us;
} deployer_rollout_t;

/* NOT_FOUND. */
VLN_MUST_USE vln_err_t deployer_store_find_rollout(deployer_store_t *self, vln_arena_t *arena,
                                                   const uint8_t id[VLN_ID_BYTES],
                                                   deployer_rollout_t *out);
VLN_MUST_USE vln_err_t deployer_store_add_rollout(deployer_store_t *self,
                                                  const deployer_rollout_t *rollout);
/* `progress`: its clock begins anew. */
VLN_MUST_USE vln_err_t deployer_store_save_rollout(deployer_store_t *self,
                                                   const deployer_rollout_t *rollout,
                                                   bool progress);

typedef struct deployer_filter {
    const char *environment; /* NULL: all */
    const char *model;
    int state;             /* 0: all */
    bool active;           /* not ended */
    bool open;             /* not ended, or holding a grant */
    const uint8_t *before; /* id that the page before ended with; NULL: none */
    int limit;
} deployer_filter_t;

/* Newest first; `open` ones the oldest first. */
VLN_MUST_USE vln_err_t deployer_store_list_rollouts(deployer_store_t *self, vln_arena_t *arena,
                                                    const deployer_filter_t *filter,
                                                    deployer_rollout_t **out, size_t *count);

VLN_MUST_USE vln_err_t deployer_store_add_decision(deployer_store_t *self,
                                                   const uint8_t id[VLN_ID_BYTES],
                                                   const Valion__V1__Decision *decision);
/* Sequences above `after` and below `before` (0: no bound), at most so many. */
typedef struct deployer_range {
    int64_t after;
    int64_t before;
    int limit;
} deployer_range_t;

/* Newest first. */
VLN_MUST_USE vln_err_t deployer_store_list_decisions(deployer_store_t *self, vln_arena_t *arena,
                                                     const uint8_t id[VLN_ID_BYTES],
                                                     const deployer_range_t *range,
                                                     Valion__V1__Decision ***out, size_t *count);

/* ---- endpoints ---- */

typedef struct deployer_endpoint {
    const char *environment;
    const char *model;
    vln_id_t stable; /* rollout */
    bool has_stable;
    int64_t revision;
    int64_t updated_us;
} deployer_endpoint_t;

/* Made when it is not there. */
VLN_MUST_USE vln_err_t deployer_store_get_endpoint(deployer_store_t *self, vln_arena_t *arena,
                                                   const char *environment, const char *model,
                                                   deployer_endpoint_t *out);
VLN_MUST_USE vln_err_t deployer_store_save_endpoint(deployer_store_t *self,
                                                    const deployer_endpoint_t *endpoint);
/* It has no stable version any more, and its last revision ends. */
VLN_MUST_USE vln_err_t deployer_store_end_serving(deployer_store_t *self, const char *environment,
                                                  const char *model);
/* By environment and model, after this one; NULL texts: all of them. */
VLN_MUST_USE vln_err_t deployer_store_list_endpoints(deployer_store_t *self, vln_arena_t *arena,
                                                     const deployer_filter_t *filter,
                                                     const char *after, deployer_endpoint_t **out,
                                                     size_t *count);

/* Ends the one before. Of the message: environment and model aside, number, version, digest,
 * rollout_id, actor, why. */
VLN_MUST_USE vln_err_t deployer_store_add_revision(deployer_store_t *self, const char *environment,
                                                   const char *model,
                                                   const Valion__V1__Revision *revision);
/* Newest first, below number `before` (0: all). */
VLN_MUST_USE vln_err_t deployer_store_list_revisions(deployer_store_t *self, vln_arena_t *arena,
                                                     const deployer_filter_t *filter,
                                                     int64_t before, Valion__V1__Revision ***out,
                                                     size_t *count);

/* ---- instances ---- */

typedef enum deployer_part {
    DEPLOYER_NEW = 1,
    DEPLOYER_STABLE = 2,
    DEPLOYER_WARM = 3,
    DEPLOYER_STOPPING = 4,
} deployer_part_t;

typedef struct deployer_instance {
    vln_id_t id;
    vln_id_t rollout_id;
    const char *host;
    deployer_part_t part;
    Valion__V1__WantedInstance *wanted;
    Valion__V1__InstanceReport *report; /* NULL: none yet */
    int64_t warm_until_us;              /* 0: for good */
    Valion__V1__InstanceState state;
    ProtobufCBinaryData reference; /* id of what its bins are made of; empty: it has none */
} deployer_instance_t;

/* Of an endpoint, or of a host; what is NULL is any. By id. */
typedef struct deployer_place {
    const char *environment;
    const char *model;
    const char *host;
} deployer_place_t;
VLN_MUST_USE vln_err_t deployer_store_list_instances(deployer_store_t *self, vln_arena_t *arena,
                                                     const deployer_place_t *place,
                                                     deployer_instance_t **out, size_t *count);
/* Adds it, or changes rollout, part, wanted and warm_until. */
VLN_MUST_USE vln_err_t deployer_store_save_instance(deployer_store_t *self,
                                                    const deployer_instance_t *instance);
VLN_MUST_USE vln_err_t deployer_store_report_instance(deployer_store_t *self, const char *host,
                                                      const Valion__V1__InstanceReport *report);
VLN_MUST_USE vln_err_t deployer_store_delete_instance(deployer_store_t *self,
                                                      const uint8_t id[VLN_ID_BYTES]);
/* Warm ones whose time is over become stopping. */
VLN_MUST_USE vln_err_t deployer_store_cool_instances(deployer_store_t *self, int64_t *cooled);
/* Stopping ones that have stopped, or whose host forgot them, go. */
VLN_MUST_USE vln_err_t deployer_store_remove_stopped(deployer_store_t *self, int64_t *removed);

/* ---- hosts ---- */

typedef struct deployer_host {
    const char *name;
    int64_t generation;
    int64_t applied;
    Valion__V1__HostState *state;
    Valion__V1__Environment **environments;
    size_t environment_count;
    const char *error;
    const char *isolation;
    int64_t seen_us;
    int64_t now_us;
} deployer_host_t;

VLN_MUST_USE vln_err_t deployer_store_list_hosts(deployer_store_t *self, vln_arena_t *arena,
                                                 deployer_host_t **out, size_t *count);
VLN_MUST_USE vln_err_t deployer_store_find_host(deployer_store_t *self, vln_arena_t *arena,
                                                const char *name, deployer_host_t *out);
/* What a runner says of its host; it is added when it is new. */
VLN_MUST_USE vln_err_t deployer_store_see_host(deployer_store_t *self,
                                               const Valion__V1__GetHostStateRequest *request);
VLN_MUST_USE vln_err_t deployer_store_report_host(
    deployer_store_t *self, const Valion__V1__ReportHostStateRequest *request);
/* The state's own generation counts. */
VLN_MUST_USE vln_err_t deployer_store_save_host_state(deployer_store_t *self,
                                                      const Valion__V1__HostState *state);

/* Numbers for GetStats: by state of rollouts, and their mean time to live in ms. */
typedef struct deployer_numbers {
    int64_t total;
    int64_t successful;
    int64_t failed;
    int64_t rolled_back; /* by themselves, or because somebody asked for a rollback */
    int64_t under_way;
    int64_t serving; /* endpoints */
    double average_ms;
} deployer_numbers_t;
VLN_MUST_USE vln_err_t deployer_store_count(deployer_store_t *self, deployer_numbers_t *out);

#endif
