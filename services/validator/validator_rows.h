/*
 * validator_rows - the rows that a task is about: data sets, one after the other, as one table.
 */
#ifndef VALIDATOR_ROWS_H
#define VALIDATOR_ROWS_H

#include "vln_dataset.h"

#include "validator.h"

enum { VALIDATOR_DATA_MAX = 16 };

typedef struct validator_rows {
    const vln_table_t *table;   /* every row of it is meant */
    Valion__V1__DataRef **refs; /* what was read, by digest; in the task's arena */
    size_t ref_count;
    bool cut; /* there are more than max_rows */
    /* Inside: where the table is from, one of the two. */
    vln_dataset_t set;
    vln_table_t *joined;
} validator_rows_t;

/* What is to be read. */
typedef struct validator_wanted {
    const char *what; /* that they are for, in sentences: "data" */
    Valion__V1__DataRef *const *refs;
    size_t count;     /* 1 to 16 */
    int64_t max_rows; /* 0: all */
} validator_wanted_t;

/* False: the task has been ended with a sentence that names what is wrong. */
bool validator_rows_read(vln_worker_t *worker, vln_task_t *task, const validator_wanted_t *wanted,
                         validator_rows_t *out);
void validator_rows_end(validator_rows_t *self);

#endif
