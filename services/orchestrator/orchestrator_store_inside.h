/*
 * orchestrator_store_inside - what the files of the store share: its statements and connection.
 */
#ifndef ORCHESTRATOR_STORE_INSIDE_H
#define ORCHESTRATOR_STORE_INSIDE_H

#include "orchestrator_store.h"

/* Indexes of the statements, whose text is in orchestrator_sql.c; their order is free. */
enum {
    FIND_REQUESTS,
    KEEP_REQUESTS,
    FENCE,
    SWEEP_REQUESTS,
    INSERT_EVENTS,
    INSERT_TASKS,
    MARK_STEP_TASK,
    FIND_TASKS,
    LOCK_TASKS,
    LIST_TASKS,
    CLAIM,
    FIND_LEASED,
    EXTEND,
    COMPLETE,
    CHANGE,
    SET_WAIT,
    FIND_RUN_OUT,
    FIND_OVERDUE,
    FIND_WOKEN,
    REFRESH_MARKS,
    COUNT_READY,
    PUT_PIPELINE,
    FIND_PIPELINE,
    LIST_PIPELINES,
    INSERT_RUN,
    INSERT_STEPS,
    REUSE_STEPS,
    COUNT_QUEUED,
    FIND_RUN,
    LOCK_RUN,
    LOCK_RUNS_OF,
    TRY_LOCK_RUNS,
    LIST_RUNS,
    CHANGE_RUN,
    FIND_STEPS,
    FIND_OUTPUTS,
    CHANGE_STEPS,
    LOCK_QUEUE,
    PICK_QUEUED,
    FIND_QUEUES,
    FIND_STALLED,
    COUNT_RUNS,
    COUNT_TASKS,
    LOCK_WRITER,
    LAST_LINE,
    APPEND_LOG,
    READ_LOG,
};
extern const vln_pg_stmt_t orchestrator_statements[];
extern const size_t orchestrator_statement_count;

struct orchestrator_store {
    vln_pg_t *pg;
};

/* Columns of a result, copied into the arena; NULL where the column is. */
const char *orchestrator_store_text(const PGresult *result, int row, int column,
                                    vln_arena_t *arena);
const uint8_t *orchestrator_store_bytes(const PGresult *result, int row, int column,
                                        vln_arena_t *arena, size_t *size);

/* An id, which must be there. */
vln_id_t orchestrator_store_id(const PGresult *result, int row, int column);

vln_pg_array_t *orchestrator_store_ids(vln_arena_t *arena, const vln_id_t *ids, size_t count);

#endif
