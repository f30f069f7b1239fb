/*
 * vln_csv_inside - what the files of vln_csv share; nobody else includes it.
 *
 *   vln_csv.c        the object: bytes come in, whole records go to the rows
 *   vln_csv_row.c    one record: fields, quotes, line ends; the hot loop
 *   vln_csv_cell.c   one field: of which type, which value, why not
 *   vln_csv_plan.c   the header, the declared columns, the inferred types
 *
 * Bytes are parsed in regions of whole records: each ends with a line end that is in no quotes. So
 * the hot loop needs no look at the end of the bytes: no field runs past a line end. When types are
 * to be inferred, all bytes are kept and gone through twice.
 */
#ifndef VLN_CSV_INSIDE_H
#define VLN_CSV_INSIDE_H

#include "vln_csv.h"
#include "vln_dict.h"

/* What a column's cells were, while its type is not known. */
typedef struct csv_tally {
    uint64_t wholes;
    uint64_t fractions;
    uint64_t booleans;
    uint64_t words; /* for missing numbers */
    uint64_t texts;
    bool loses_digits; /* a whole number that is no float to the last digit */
    int64_t text_line;
    char text[64]; /* the first one, fit to show */
} csv_tally_t;

typedef enum csv_action {
    CSV_READ,  /* into `column` */
    CSV_GUESS, /* into `tally` */
    CSV_SKIP,
} csv_action_t;

typedef struct csv_plan {
    csv_action_t action;
    vln_type_t type;
    vln_column_t *column;
    csv_tally_t *tally;
} csv_plan_t;

/* A field as it is, once it is known where it ends. */
typedef struct csv_field {
    const char *text; /* without quotes */
    size_t len;
    int64_t line;
} csv_field_t;

struct vln_csv {
    vln_csv_options_t options;
    unsigned char stops[256]; /* by byte: 1 ends a plain run, 2 is above ASCII */

    char *bytes; /* kept: the rest of a record, or, to infer, everything */
    size_t size;
    size_t room;
    size_t parsed; /* of `bytes` */
    size_t wanted; /* try again when `bytes` holds as many */
    size_t taken;  /* bytes given in all */
    bool started;  /* the first bytes were looked at */

    vln_dict_t *names; /* code: the column's place in the file */
    csv_plan_t *plans; /* one a column of the file; NULL before the header */
    size_t plan_count;
    size_t *ignored; /* places */
    size_t ignored_count;
    csv_tally_t *tallies; /* while types are to be inferred: one a column */
    size_t header_bytes;  /* then: what of `bytes` is before the first row */
    int64_t header_line;  /* and the first row's line */

    vln_table_t *table;
    size_t rows;
    int64_t line; /* of the next byte */
    size_t blank_lines;
    char *scratch; /* a quoted field without its quotes; VLN_CSV_FIELD_MAX bytes */

    vln_err_t err;
    vln_csv_refusal_t refusal;
};

/* Remembers why, the first time; returns false. `place` is the column's, from 0, or CSV_NO_PLACE. */
enum { CSV_NO_PLACE = -1 };
bool csv_refuse(vln_csv_t *self, vln_err_t err, int64_t line, int64_t place, const char *format,
                ...) VLN_PRINTF(5, 6);

/* At most out_size - 1 bytes of data, fit to show: whole UTF-8 characters, no control characters. */
void csv_show(const char *text, size_t len, char *out, size_t out_size);

/* The records of a region; false if refused. */
bool csv_rows_parse(vln_csv_t *self, const char *at, const char *end);

/* The field at `at`, quoted or not: the byte after it, or NULL if refused. */
const char *csv_field_scan(vln_csv_t *self, const char *at, const char *end, int64_t place,
                           csv_field_t *out);

/* True if a field can end before `at`: at the delimiter or the line's end. */
static inline bool
csv_is_end(const vln_csv_t *self, const char *at)
{
    return *at == self->options.delimiter || *at == '\n' || (*at == '\r' && at[1] == '\n');
}

/* A field into the row that is being read, or into the tally; false if refused. */
bool csv_cell_take(vln_csv_t *self, size_t place, const csv_field_t *field);

void csv_tally_whole(csv_tally_t *tally, int64_t whole);

/* The header's record: names, and what becomes of each column. The byte after it, or NULL. */
const char *csv_plan_header(vln_csv_t *self, const char *at, const char *end);

/* The rows have been counted: types for what was guessed, and the table. False if refused. */
bool csv_plan_settle(vln_csv_t *self);

#endif
