/*
 * Bytes as a CSV file: refused with a sentence, or a table whose every cell is sound. How the bytes
 * are cut must not matter, and the table, written out again, must be read as the same table. The
 * first byte picks the options and the size of the pieces.
 */
#include <inttypes.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_csv.h"
#include "vln_err.h"
#include "vln_mem.h"
#include "vln_text.h"

enum { INFER = 1, LENIENT = 2, SEMICOLON = 4, DECLARED = 8, PIECE_SHIFT = 4 };

static const vln_csv_column_t columns[] = {
    {.name = "a", .type = VLN_TYPE_F64, .optional = true},
    {.name = "b", .type = VLN_TYPE_STRING, .optional = true},
    {.name = "c", .type = VLN_TYPE_I64, .optional = true},
    {.name = "d", .type = VLN_TYPE_BOOL, .optional = true},
};

static vln_csv_options_t
options_of(uint8_t flags, size_t size)
{
    return (vln_csv_options_t){
        .delimiter = flags & SEMICOLON ? ';' : ',',
        .columns = columns,
        .column_count = flags & DECLARED ? VLN_COUNT(columns) : 0,
        .infer = flags & INFER,
        .bad_is_missing = flags & LENIENT,
        .max_bytes = size,
        .max_rows = 1000,
        .max_columns = 64,
    };
}

static vln_err_t
read_pieces(const vln_csv_options_t *options, const uint8_t *data, size_t size, size_t piece,
            vln_table_t **out, vln_csv_refusal_t *refusal)
{
    vln_csv_t *csv = vln_csv_new(options);
    vln_err_t err = VLN_OK;
    *out = NULL;
    for (size_t at = 0; at < size && err == VLN_OK; at += piece) {
        err = vln_csv_add(csv, data + at, size - at < piece ? size - at : piece);
    }
    if (err == VLN_OK) {
        err = vln_csv_end(csv, out);
    }
    *refusal = *vln_csv_refusal(csv);
    vln_csv_destroy(&csv);
    return err;
}

static bool
cells_are_equal(const vln_column_t *a, const vln_column_t *b, size_t row)
{
    if (vln_column_has(a, row) != vln_column_has(b, row)) {
        return false;
    }
    if (!vln_column_has(a, row)) {
        return true;
    }
    if (a->type == VLN_TYPE_STRING) {
        return strcmp(vln_column_text(a, row), vln_column_text(b, row)) == 0;
    }
    if (a->type == VLN_TYPE_F64) {
        return memcmp(&a->f64[row], &b->f64[row], sizeof(double)) == 0;
    }
    return a->type == VLN_TYPE_I64 ? a->i64[row] == b->i64[row]
                                   : a->boolean[row] == b->boolean[row];
}

static void
must_be_equal(const vln_table_t *one, const vln_table_t *other)
{
    vln_assert(vln_table_rows(one) == vln_table_rows(other));
    vln_assert(vln_table_columns(one) == vln_table_columns(other));
    for (size_t i = 0; i < vln_table_columns(one); i++) {
        const vln_column_t *a = vln_table_at(one, i);
        const vln_column_t *b = vln_table_at(other, i);
        vln_assert(a->type == b->type && strcmp(a->name, b->name) == 0);
        for (size_t row = 0; row < vln_table_rows(one); row++) {
            vln_assert(cells_are_equal(a, b, row));
        }
    }
}

static void
must_be_sound(const vln_table_t *table)
{
    vln_assert(vln_table_rows(table) > 0 && vln_table_rows(table) <= 1000);
    for (size_t i = 0; i < vln_table_columns(table); i++) {
        const vln_column_t *column = vln_table_at(table, i);
        for (size_t row = 0; row < vln_table_rows(table); row++) {
            bool has = vln_column_has(column, row);
            if (column->type == VLN_TYPE_F64) {
                vln_assert(has ? isfinite(column->f64[row]) != 0 : isnan(column->f64[row]) != 0);
            } else if (column->type == VLN_TYPE_STRING && has) {
                const char *text = vln_column_text(column, row);
                vln_assert(text[0] && vln_text_is_utf8(text, strlen(text)));
            }
        }
    }
    vln_assert(vln_table_count_duplicates(table) < vln_table_rows(table));
}

static void
write_text(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        if (*text == '"') {
            fputc('"', out);
        }
        fputc(*text, out);
    }
    fputc('"', out);
}

static void
write_cell(FILE *out, const vln_column_t *column, size_t row)
{
    if (!vln_column_has(column, row)) {
        return;
    }
    switch (column->type) {
    case VLN_TYPE_F64:
        fprintf(out, "%.17g", column->f64[row]);
        break;
    case VLN_TYPE_I64:
        fprintf(out, "%" PRId64, column->i64[row]);
        break;
    case VLN_TYPE_BOOL:
        fputs(column->boolean[row] ? "true" : "false", out);
        break;
    case VLN_TYPE_STRING:
        write_text(out, vln_column_text(column, row));
        break;
    }
}

static char *
write_table(const vln_table_t *table, size_t *size)
{
    char *bytes = NULL;
    FILE *out = open_memstream(&bytes, size);
    size_t last = vln_table_columns(table) - 1;
    for (size_t i = 0; i <= last; i++) {
        write_text(out, vln_table_at(table, i)->name);
        fputs(i == last ? "\r\n" : ",", out);
    }
    for (size_t row = 0; row < vln_table_rows(table); row++) {
        for (size_t i = 0; i <= last; i++) {
            write_cell(out, vln_table_at(table, i), row);
            fputs(i == last ? "\n" : ",", out);
        }
    }
    fclose(out);
    return bytes;
}

static void
must_come_back(const vln_table_t *table)
{
    size_t count = vln_table_columns(table);
    if (count < 2) {
        return; /* a missing value of a single column is an empty line, which is another test */
    }
    vln_csv_column_t *all = vln_calloc(count, sizeof *all);
    for (size_t i = 0; i < count; i++) {
        const vln_column_t *column = vln_table_at(table, i);
        all[i] = (vln_csv_column_t){.name = column->name, .type = column->type};
    }
    size_t size = 0;
    char *bytes = write_table(table, &size);
    vln_csv_options_t options = {.columns = all, .column_count = count, .max_bytes = size};
    vln_table_t *again = NULL;
    vln_err_t err = vln_csv_read(&options, bytes, size, &again, NULL);
    vln_assert(err == VLN_OK);
    must_be_equal(table, again);
    vln_table_destroy(&again);
    free(bytes);
    free(all);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1) {
        return 0;
    }
    vln_csv_options_t options = options_of(data[0], size);
    size_t piece = (size_t)(data[0] >> PIECE_SHIFT) * 5 + 1;
    vln_table_t *table = NULL;
    vln_table_t *other = NULL;
    vln_csv_refusal_t refusal;
    vln_csv_refusal_t other_refusal;
    vln_err_t err = vln_csv_read(&options, data + 1, size - 1, &table, &refusal);
    vln_err_t other_err = read_pieces(&options, data + 1, size - 1, piece, &other, &other_refusal);
    vln_assert(err == other_err && (err == VLN_OK) == (table != NULL));
    if (table) {
        must_be_equal(table, other);
        must_be_sound(table);
        must_come_back(table);
    } else {
        vln_assert(refusal.text[0] && strcmp(refusal.text, other_refusal.text) == 0);
        vln_assert(refusal.line == other_refusal.line && refusal.column == other_refusal.column);
        vln_assert(vln_text_is_utf8(refusal.text, strlen(refusal.text)));
        vln_assert(vln_text_is_utf8(refusal.name, strlen(refusal.name)));
    }
    vln_table_destroy(&table);
    vln_table_destroy(&other);
    return 0;
}
