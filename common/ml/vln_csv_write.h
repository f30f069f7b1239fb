/*
 * vln_csv_write - a table as the CSV that vln_csv reads back to the same values: comma, LF, a header,
 * quotes only where they are needed, each number in the fewest digits that give it back.
 */
#ifndef VLN_CSV_WRITE_H
#define VLN_CSV_WRITE_H

#include "vln_table.h"

/* Bytes of the file; end with free(). */
typedef struct vln_csv_text {
    char *bytes;
    size_t size;
} vln_csv_text_t;

/* These rows, by their numbers and in this order. Missing cells are empty. */
vln_csv_text_t vln_csv_write(const vln_table_t *table, const size_t *rows, size_t count);

#endif
