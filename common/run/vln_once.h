/*
 * vln_once - mutating calls, each done once, many in one transaction.
 *
 * The schema keeps, for 48 hours, the reply of every request id, scoped by principal, or by task
 * for calls that carry a ticket (then bodies are not compared: the first recorded result wins).
 * A ticket whose task's time is over, by the record's clock, or whose lease is not the last one is
 * refused. Replay, fence, effects, events and reply are one transaction, so a call is accepted exactly when
 * it committed. Used by worker threads, each with its own connection.
 */
#ifndef VLN_ONCE_H
#define VLN_ONCE_H

#include "vln_call.h"
#include "vln_pg.h"

/* Statements for the store's table; `request` and `fence` are tables of its schema:
 *   request (scope text, request_id bytea, method text, body_hash bytea, reply bytea,
 *            created timestamptz DEFAULT now(), PRIMARY KEY (scope, request_id))
 *   fence   (task_id bytea PRIMARY KEY, token bigint, seen timestamptz)                        */
#define VLN_ONCE_FIND_SQL                                                                 \
    "SELECT a.at, r.body_hash, r.method, r.reply"                                         \
    "  FROM unnest($1::text[], $2::bytea[]) WITH ORDINALITY AS a (scope, request_id, at)" \
    "  JOIN request r ON r.scope = a.scope AND r.request_id = a.request_id"
#define VLN_ONCE_KEEP_SQL                                                                  \
    "INSERT INTO request (scope, request_id, method, body_hash, reply)"                    \
    " SELECT * FROM unnest($1::text[], $2::bytea[], $3::text[], $4::bytea[], $5::bytea[])" \
    " ON CONFLICT DO NOTHING"
/* Gives the tasks whose token is not below one seen before, and those whose ticket is over. */
#define VLN_ONCE_FENCE_SQL                                                                     \
    "WITH shown AS MATERIALIZED ("                                                             \
    " SELECT task_id, token, to_timestamp(0) + expires_us * interval '1 microsecond' <= now()" \
    "     AS over FROM unnest($1::bytea[], $2::bigint[], $3::bigint[])"                        \
    "     AS a (task_id, token, expires_us)),"                                                 \
    " held AS (INSERT INTO fence (task_id, token, seen)"                                       \
    " SELECT task_id, token, now() FROM shown WHERE NOT over ORDER BY task_id"                 \
    " ON CONFLICT (task_id) DO UPDATE SET token = excluded.token, seen = now()"                \
    " WHERE fence.token <= excluded.token RETURNING task_id)"                                  \
    " SELECT task_id, over FROM shown WHERE over OR task_id IN (SELECT task_id FROM held)"
#define VLN_ONCE_SWEEP_SQL                                                   \
    "WITH old AS (DELETE FROM fence WHERE seen < now() - interval '7 days')" \
    " DELETE FROM request WHERE ctid = ANY (ARRAY("                          \
    " SELECT ctid FROM request WHERE created < now() - interval '48 hours' LIMIT 5000))"

typedef struct vln_once {
    vln_pg_t *pg;
    size_t find; /* indexes of the statements */
    size_t keep;
    size_t fence;
    void *context;
    /*
     * The effects of these calls, in a transaction that is open. Each call is refused or replied;
     * a call that is refused has written nothing. Not VLN_OK: all of it is rolled back, and each
     * call is tried by itself.
     */
    vln_err_t (*work)(void *context, vln_call_t **calls, size_t count);
} vln_once_t;

/* Every call is answered afterwards. */
void vln_once_run(const vln_once_t *self, vln_call_t **calls, size_t count);

#endif
