/*
 * vln_csv - a strict CSV reader: bytes become a table, or are refused with line, column and a
 * sentence. Nothing silently becomes something else.
 *
 * The format is RFC 4180: fields parted by one delimiter; a field that holds the delimiter, a quote
 * or a line end is quoted, a quote in it doubled; lines end with LF or CRLF, the last one may do
 * without. The first line names the columns. The text is UTF-8 without NUL; a byte order mark at
 * the start is skipped. Refused: a row with more or fewer fields than names, an empty, doubled or
 * overlong name, a name that is a number with a sign or a fraction (there is no header), a quote
 * inside or after a field, a lone CR, a file without rows. An empty line is skipped and counted,
 * but with a single column it is a missing value.
 *
 * What a cell becomes, quoted or not:
 *   - empty: missing;
 *   - NA, NaN, nan, null, NULL (or the caller's words) in a column of numbers or booleans: missing;
 *   - float64: a number of vln_number's grammar; int64: a whole one; bool: true, false, also with a
 *     capital or in capitals, 1 or 0;
 *   - string: itself, blanks and all, and those words, too;
 *   - anything else: refused, or, where the caller says so, missing and counted (`mixed` of the
 *     column, with the first line).
 * Infinity is no value. Blanks are never cut off.
 *
 * A column whose type is inferred is
 *   - int64, if all its values are whole numbers that fit;
 *   - float64, if all are numbers (and if there are none);
 *   - string, if a whole number is too long for either type to keep its digits: it is a name;
 *   - bool, if all are true or false in letters;
 *   - string, if fewer than nine of ten are numbers;
 *   - refused, if most are numbers and some are not, for then one side is wrong and the caller has
 *     to say which: by the column's type, or by taking what is not a number as missing.
 *
 * Memory is at most some ten times the bytes read. One thread per object.
 */
#ifndef VLN_CSV_H
#define VLN_CSV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_table.h"

enum {
    VLN_CSV_ROWS_MAX = 5000000,
    VLN_CSV_FIELD_MAX = 64 * 1024, /* bytes, as they stand in the file */
    VLN_CSV_TEXT = 320,
};

typedef struct vln_csv_column {
    const char *name;
    vln_type_t type;
    bool optional; /* else a file without it is refused */
} vln_csv_column_t;

typedef struct vln_csv_options {
    char delimiter;                  /* , ; | or tab; 0 is a comma */
    const vln_csv_column_t *columns; /* declared ones; the table has them first, in this order */
    size_t column_count;
    bool infer;          /* columns that are not declared are read, too; else they are ignored and
                            can be asked for */
    bool bad_is_missing; /* what is not of a column's type is missing and counted, not refused */
    const char *const *missing; /* words for a missing number, ended by NULL; NULL: those above */
    size_t max_bytes;           /* must be given */
    size_t max_rows;            /* 0: VLN_CSV_ROWS_MAX, which is also the most */
    size_t max_columns;         /* 0: VLN_TABLE_COLUMNS_MAX, likewise */
} vln_csv_options_t;

typedef struct vln_csv_refusal {
    int64_t line;  /* from 1; where the field begins. 0: of the file as a whole */
    size_t column; /* from 1; 0: of no single column */
    char name[VLN_TABLE_NAME_MAX + 1]; /* the column's, where it is known */
    char text[VLN_CSV_TEXT];           /* a sentence, UTF-8; may quote the data */
} vln_csv_refusal_t;

typedef struct vln_csv vln_csv_t;

/* What `options` points to is borrowed until the reader is destroyed. */
vln_csv_t *vln_csv_new(const vln_csv_options_t *options);
void vln_csv_destroy(vln_csv_t **self_p);

/*
 * The next bytes, as many as there are; how they are cut is nothing to the result.
 * INVALID_ARGUMENT: not such a file; OUT_OF_RANGE: beyond a bound. After a refusal the same comes
 * back whatever is added.
 */
VLN_MUST_USE vln_err_t vln_csv_add(vln_csv_t *self, const void *bytes, size_t size);

/* All that read(2) gives until it ends; INTERNAL (logged) when it fails. Blocks as fd does. */
VLN_MUST_USE vln_err_t vln_csv_add_fd(vln_csv_t *self, int fd);

/* No more bytes. `*out` is yours on OK, else NULL. Once. */
VLN_MUST_USE vln_err_t vln_csv_end(vln_csv_t *self, vln_table_t **out);

/* Why it was refused; zeros unless it was. Borrowed until the reader is destroyed. */
const vln_csv_refusal_t *vln_csv_refusal(const vln_csv_t *self);

/* "line 3, column \"age\": …" into out. Returns out. */
char *vln_csv_refusal_format(const vln_csv_refusal_t *refusal, char *out, size_t out_size);

/* Columns of the file that were neither declared nor inferred, in its order. */
size_t vln_csv_ignored_count(const vln_csv_t *self);
const char *vln_csv_ignored(const vln_csv_t *self, size_t index);

/* Empty lines that were skipped. */
size_t vln_csv_blank_lines(const vln_csv_t *self);

/* All at once. `refusal` may be NULL. */
VLN_MUST_USE vln_err_t vln_csv_read(const vln_csv_options_t *options, const void *bytes,
                                    size_t size, vln_table_t **out, vln_csv_refusal_t *refusal);

#endif
