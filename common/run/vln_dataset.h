/*
 * vln_dataset - a data set that a task names, as a table: looked up in the registry, fetched by way
 * of the cache, read by the options that were recorded with it.
 *
 * For trainer and validator. Belongs to the worker's thread.
 */
#ifndef VLN_DATASET_H
#define VLN_DATASET_H

#include "vln_table.h"
#include "vln_worker.h"

#include "valion/v1/evidence.pb-c.h"
#include "valion/v1/registry.pb-c.h"

enum { VLN_DATASET_WHY = 600 };

/* Larger ones are refused: a worker holds the file and the table, some ten times its bytes. */
#define VLN_DATASET_MAX_BYTES ((int64_t)512 * 1024 * 1024)

typedef struct vln_dataset {
    const vln_table_t *table; /* may be others' as well */
    size_t first;             /* the rows that the task wants */
    size_t rows;
    const Valion__V1__Dataset *record; /* as the registry has it, with its digest */
    vln_reply_t reply;                 /* inside: what `record` lies in */
    vln_shelf_t *shelf;                /* inside: what the table is taken from */
} vln_dataset_t;

/*
 * Read it. On failure the task has been ended with a sentence that names the data set, and false
 * comes back. `what` says what it is for: "data", "reference".
 */
bool vln_dataset_read(vln_worker_t *worker, vln_task_t *task, const char *what,
                      const Valion__V1__DataRef *ref, vln_dataset_t *out);
void vln_dataset_end(vln_dataset_t *self);

#endif
