/*
 * vln_table - data in columns: 64-bit floats, 64-bit whole numbers, booleans, and texts as codes of
 * a dictionary; each cell has a bit that says whether it holds a value.
 *
 * The arrays are there to be read directly. It knows no file format. One thread fills it; then any
 * number may read.
 */
#ifndef VLN_TABLE_H
#define VLN_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_dict.h"

enum {
    VLN_TABLE_COLUMNS_MAX = 4096,
    VLN_TABLE_NAME_MAX = 250, /* bytes, as the contract has it */
};

typedef enum vln_type {
    VLN_TYPE_F64,
    VLN_TYPE_I64,
    VLN_TYPE_BOOL,
    VLN_TYPE_STRING,
} vln_type_t;

/* "float64", "int64", "bool", "string". */
const char *vln_type_name(vln_type_t type);
bool vln_type_parse(const char *name, vln_type_t *out);

/* Owned by its table. A cell without a value holds NaN, 0, 0 or -1. */
typedef struct vln_column {
    char *name;
    vln_type_t type;
    union {
        double *f64;
        int64_t *i64;
        uint8_t *boolean; /* 0 or 1 */
        int32_t *codes;   /* of `words` */
    };
    uint64_t *valid;    /* bit row % 64 of word row / 64 */
    vln_dict_t *words;  /* of VLN_TYPE_STRING, else NULL */
    uint64_t mixed;     /* cells that are missing because what stood there was not of the type */
    int64_t mixed_line; /* the first one's line in the file, or 0 */
} vln_column_t;

typedef struct vln_table vln_table_t;

vln_table_t *vln_table_new(void);
void vln_table_destroy(vln_table_t **self_p);

size_t vln_table_rows(const vln_table_t *self);
size_t vln_table_columns(const vln_table_t *self);

/* Column `index`, from 0; the pointer holds as long as the table. */
const vln_column_t *vln_table_at(const vln_table_t *self, size_t index);
vln_column_t *vln_table_edit(vln_table_t *self, size_t index);

/* The column of that name, or NULL. */
const vln_column_t *vln_table_find(const vln_table_t *self, const char *name);

/* A new last column without values. NULL if the name is empty, too long or taken, or there are 4096
 * columns. */
vln_column_t *vln_table_add(vln_table_t *self, const char *name, vln_type_t type);

/* Grows, with cells without values, or cuts. Arrays of columns may move. */
void vln_table_set_rows(vln_table_t *self, size_t rows);

/* Rows for which there is memory: set_rows up to this moves nothing. */
size_t vln_table_capacity(const vln_table_t *self);

/* A cell as a number; NaN if it is missing, or a text. */
double vln_column_number(const vln_column_t *self, size_t row);

static inline bool
vln_column_has(const vln_column_t *self, size_t row)
{
    return self->valid[row / 64] >> (row % 64) & 1;
}

static inline void
vln_column_mark(vln_column_t *self, size_t row)
{
    self->valid[row / 64] |= UINT64_C(1) << (row % 64);
}

/* Each sets one cell of a column of its type. */
static inline void
vln_column_set_f64(vln_column_t *self, size_t row, double value)
{
    self->f64[row] = value;
    vln_column_mark(self, row);
}

static inline void
vln_column_set_i64(vln_column_t *self, size_t row, int64_t value)
{
    self->i64[row] = value;
    vln_column_mark(self, row);
}

static inline void
vln_column_set_bool(vln_column_t *self, size_t row, bool value)
{
    self->boolean[row] = value;
    vln_column_mark(self, row);
}

/* `text` is UTF-8 without NUL. */
static inline void
vln_column_set_text(vln_column_t *self, size_t row, const char *text, size_t len)
{
    self->codes[row] = vln_dict_add(self->words, text, len);
    vln_column_mark(self, row);
}

/* The cell's text, ended by NUL, or NULL if it has none; of VLN_TYPE_STRING. */
const char *vln_column_text(const vln_column_t *self, size_t row);

/* Cells without a value among the first `rows`. */
size_t vln_column_missing(const vln_column_t *self, size_t rows);

/*
 * The first `rows` cells as floats: NaN for a missing one, 0 and 1 for booleans; whole numbers
 * beyond 2^53 are rounded to the nearest float. False, and nothing, for texts.
 */
bool vln_column_numbers(const vln_column_t *self, size_t rows, double *out);

/* Memory that it takes, about. */
size_t vln_table_bytes(const vln_table_t *self);

/* Rows that equal an earlier row in every column; a missing cell equals a missing cell. */
size_t vln_table_count_duplicates(const vln_table_t *self);

#endif
