/*
 * deployer_store_inside - what the files of deployer_store share: its statements, its connection, and
 * how records go in and come out.
 */
#ifndef DEPLOYER_STORE_INSIDE_H
#define DEPLOYER_STORE_INSIDE_H

#include "deployer_store.h"

/* Indexes of the statements, whose text is in deployer_statements.c; their order is free. */
enum {
    FIND_REQUESTS,
    KEEP_REQUESTS,
    FENCE,
    SWEEP_REQUESTS,
    INSERT_EVENTS,
    TAKE_LOCK,
    FIND_ROLLOUT,
    ADD_ROLLOUT,
    SAVE_ROLLOUT,
    LIST_ROLLOUTS,
    LIST_OPEN,
    ADD_DECISION,
    LIST_DECISIONS,
    ADD_ENDPOINT,
    FIND_ENDPOINT,
    SAVE_ENDPOINT,
    LIST_ENDPOINTS,
    END_REVISION,
    ADD_REVISION,
    LIST_REVISIONS,
    LIST_INSTANCES,
    SAVE_INSTANCE,
    REPORT_INSTANCE,
    DELETE_INSTANCE,
    COOL,
    REMOVE,
    LIST_HOSTS,
    SEE_HOST,
    REPORT_HOST,
    SAVE_HOST,
    COUNT,
    FIND_TELEMETRY,
    SAVE_TELEMETRY,
    LIST_TELEMETRY,
    FIND_PROXY,
    SAVE_PROXY,
    LIST_PROXY,
    SWEEP_PROXY,
    FIND_REFERENCE,
    SAVE_REFERENCE,
    SWEEP_REFERENCES,
    FIND_RULES,
    COUNT_RULES,
    SAVE_RULE,
    DELETE_RULE,
    LIST_DUE_RULES,
    END_SERVING,
};

extern const vln_pg_stmt_t deployer_statements[];
extern const size_t deployer_statement_count;

/* A record is bounded when it comes in. */
enum { DEPLOYER_RECORD_BUDGET = 4 * 1024 * 1024 };

struct deployer_store {
    vln_pg_t *pg;
};

/* Packed into the arena, which outlives the statement. */
void deployer_store_put(vln_pg_args_t *args, vln_arena_t *arena, const ProtobufCMessage *message);

/* In the arena. NULL only if the record itself was changed: what is stored was checked when it came in. */
void *deployer_store_message(const PGresult *result, int row, int column, vln_arena_t *arena,
                             const ProtobufCMessageDescriptor *type);

void deployer_store_id(const PGresult *result, int row, int column, vln_id_t *out);

/* In the arena; NULL for a null. */
char *deployer_store_text(const PGresult *result, int row, int column, vln_arena_t *arena);
ProtobufCBinaryData deployer_store_bytes(const PGresult *result, int row, int column,
                                         vln_arena_t *arena);

/* Runs what gives no rows. */
VLN_MUST_USE vln_err_t deployer_store_change(deployer_store_t *self, size_t statement,
                                             const vln_pg_args_t *args);

#endif
