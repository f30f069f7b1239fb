#include "vln_rows.h"

#include <stdio.h>
#include <string.h>

static void
copy_cell(const vln_column_t *from, size_t row, vln_column_t *to, size_t at)
{
    const char *text = NULL;
    if (!vln_column_has(from, row)) {
        return;
    }
    switch (from->type) {
    case VLN_TYPE_F64:
        vln_column_set_f64(to, at, from->f64[row]);
        break;
    case VLN_TYPE_I64:
        vln_column_set_i64(to, at, from->i64[row]);
        break;
    case VLN_TYPE_BOOL:
        vln_column_set_bool(to, at, from->boolean[row] != 0);
        break;
    case VLN_TYPE_STRING:
        text = vln_column_text(from, row);
        vln_column_set_text(to, at, text, strlen(text));
        break;
    }
}

/* Into a column of floats, whatever the numbers were. */
static void
copy_number(const vln_column_t *from, size_t row, vln_column_t *to, size_t at)
{
    if (!vln_column_has(from, row)) {
        return;
    }
    vln_column_set_f64(to, at, vln_column_number(from, row));
}

static void
copy_rows(const vln_column_t *from, const vln_rows_part_t *part, size_t rows, vln_column_t *to,
          size_t at)
{
    for (size_t i = 0; i < rows; i++) {
        if (from->type == to->type) {
            copy_cell(from, part->first + i, to, at + i);
        } else {
            copy_number(from, part->first + i, to, at + i);
        }
    }
    to->mixed += from->mixed;
}

/* The type that holds the column of every part. */
static vln_err_t
join_type(const vln_rows_part_t *parts, size_t count, const vln_column_t *first, vln_type_t *out,
          char why[VLN_ROWS_WHY])
{
    *out = first->type;
    for (size_t i = 1; i < count; i++) {
        const vln_column_t *column = vln_table_find(parts[i].table, first->name);
        if (!column) {
            snprintf(why, VLN_ROWS_WHY,
                     "the data sets do not have the same columns: '%s' has '%s', and '%s' does not",
                     parts[0].name, first->name, parts[i].name);
            return VLN_INVALID_ARGUMENT;
        }
        if ((column->type == VLN_TYPE_STRING) != (first->type == VLN_TYPE_STRING)) {
            snprintf(why, VLN_ROWS_WHY, "column '%s' holds text in '%s' and numbers in '%s'",
                     first->name, column->type == VLN_TYPE_STRING ? parts[i].name : parts[0].name,
                     column->type == VLN_TYPE_STRING ? parts[0].name : parts[i].name);
            return VLN_INVALID_ARGUMENT;
        }
        *out = column->type == *out ? *out : VLN_TYPE_F64;
    }
    return VLN_OK;
}

static vln_err_t
check_widths(const vln_rows_part_t *parts, size_t count, char why[VLN_ROWS_WHY])
{
    for (size_t i = 1; i < count; i++) {
        for (size_t at = 0; at < vln_table_columns(parts[i].table); at++) {
            const char *name = vln_table_at(parts[i].table, at)->name;
            if (!vln_table_find(parts[0].table, name)) {
                snprintf(why, VLN_ROWS_WHY,
                         "the data sets do not have the same columns: '%s' has '%s', and '%s' "
                         "does not",
                         parts[i].name, name, parts[0].name);
                return VLN_INVALID_ARGUMENT;
            }
        }
    }
    return VLN_OK;
}

static vln_err_t
join_column(const vln_rows_part_t *parts, size_t count, size_t index, vln_table_t *out,
            char why[VLN_ROWS_WHY])
{
    const vln_column_t *first = vln_table_at(parts[0].table, index);
    vln_type_t type;
    vln_err_t err = join_type(parts, count, first, &type, why);
    if (err != VLN_OK) {
        return err;
    }
    vln_column_t *to = vln_table_add(out, first->name, type);
    vln_assert(to);
    size_t total = vln_table_rows(out);
    for (size_t i = 0, at = 0; i < count && at < total; i++) {
        size_t rows = parts[i].rows < total - at ? parts[i].rows : total - at;
        copy_rows(vln_table_find(parts[i].table, first->name), &parts[i], rows, to, at);
        at += rows;
    }
    return VLN_OK;
}

vln_err_t
vln_rows_join(const vln_rows_part_t *parts, size_t count, size_t max_rows, vln_table_t **out,
              char why[VLN_ROWS_WHY])
{
    size_t total = 0;
    *out = NULL;
    for (size_t i = 0; i < count; i++) {
        total += parts[i].rows;
    }
    vln_table_t *table = vln_table_new();
    vln_table_set_rows(table, total < max_rows ? total : max_rows);
    vln_err_t err = check_widths(parts, count, why);
    for (size_t i = 0; err == VLN_OK && i < vln_table_columns(parts[0].table); i++) {
        err = join_column(parts, count, i, table, why);
    }
    if (err != VLN_OK) {
        vln_table_destroy(&table);
    }
    *out = table;
    return err;
}

vln_table_t *
vln_rows_select_permuted(const vln_column_t *const *columns, size_t count, size_t rows,
                         const char *permuted, const size_t *order)
{
    vln_table_t *table = vln_table_new();
    vln_table_set_rows(table, rows);
    for (size_t i = 0; i < count; i++) {
        vln_column_t *to = vln_table_add(table, columns[i]->name, columns[i]->type);
        vln_assert(to);
        bool moves = permuted && strcmp(columns[i]->name, permuted) == 0;
        for (size_t row = 0; row < rows; row++) {
            copy_cell(columns[i], moves ? order[row] : row, to, row);
        }
    }
    return table;
}

vln_table_t *
vln_rows_select(const vln_column_t *const *columns, size_t count, size_t rows)
{
    return vln_rows_select_permuted(columns, count, rows, NULL, NULL);
}
