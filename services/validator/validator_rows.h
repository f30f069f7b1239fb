/*
 * validator_rows - the rows that a task is about: data sets, one after the other, as one table.
 */
#ifndef VALIDATOR_ROWS_H
#define VALIDATOR_ROWS_H

#include "vln_dataset.h"

#include "validator.h"

enum { VALIDATOR_DATA_MAX = 16 };

typedef struct validator_rows {
    vln_table_t *table;         /* every row of it is meant */
    Valion__V1__DataRef **refs; /* what was read, by digest; in the task's arena */
    size_t ref_count;
    bool cut; /* there are more than max_rows */
} validator_rows_t;

/* `refs` are 1 to 16; `max_rows` 0: all. False: the task has been ended with a sentence that names
 * what is wrong; `what` says what they are for: "data". */
bool validator_rows_read(vln_worker_t *worker, vln_task_t *task, const char *what,
                         Valion__V1__DataRef *const *refs, size_t count, int64_t max_rows,
                         validator_rows_t *out);
void validator_rows_end(validator_rows_t *self);

#endif
