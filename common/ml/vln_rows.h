/*
 * vln_rows - tables made of the rows of others: one after the other, or some columns alone.
 *
 * Pure. Any thread.
 */
#ifndef VLN_ROWS_H
#define VLN_ROWS_H

#include "vln_err.h"
#include "vln_table.h"

enum { VLN_ROWS_WHY = 1024 };

/* Rows `first` .. `first + rows - 1` of a table. */
typedef struct vln_rows_part {
    const vln_table_t *table;
    size_t first;
    size_t rows;
    const char *name; /* for people */
} vln_rows_part_t;

/*
 * All rows of the parts, one after the other, at most `max_rows`; yours. The columns are the first
 * part's; each other has the same ones, in any order. Whole numbers, floats and booleans go
 * together, as floats where they differ. INVALID_ARGUMENT: `why` names the part and the column.
 */
VLN_MUST_USE vln_err_t vln_rows_join(const vln_rows_part_t *parts, size_t count, size_t max_rows,
                                     vln_table_t **out, char why[VLN_ROWS_WHY]);

/* These columns of a table, which are of one table and named once; yours. */
vln_table_t *vln_rows_select(const vln_column_t *const *columns, size_t count, size_t rows);

/* Likewise, but row i of the column of that name is row order[i] of it. */
vln_table_t *vln_rows_select_permuted(const vln_column_t *const *columns, size_t count, size_t rows,
                                      const char *permuted, const size_t *order);

#endif
