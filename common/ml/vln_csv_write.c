#include "vln_csv_write.h"

#include <math.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"

enum { NUMBER_ROOM = 40, FIRST_ROOM = 4096 };

typedef struct writer {
    vln_csv_text_t text;
    size_t room;
} writer_t;

static void
put(writer_t *self, const char *bytes, size_t size)
{
    while (self->text.size + size > self->room) {
        self->room *= 2;
        self->text.bytes = vln_realloc(self->text.bytes, self->room);
    }
    memcpy(self->text.bytes + self->text.size, bytes, size);
    self->text.size += size;
}

static void
put_text(writer_t *self, const char *text)
{
    if (text[0] != '\0' && !strpbrk(text, ",\"\r\n")) {
        put(self, text, strlen(text));
        return;
    }
    put(self, "\"", 1);
    for (const char *at = text; *at; at++) {
        put(self, *at == '"' ? "\"\"" : at, *at == '"' ? 2 : 1);
    }
    put(self, "\"", 1);
}

/* A whole number that 15 digits hold: they are what "%.15g" writes. */
static bool
is_short_whole(double value)
{
    return fabs(value) < 1e15 && value == (double)(int64_t)value && (value != 0 || !signbit(value));
}

static void
put_whole(writer_t *self, int64_t value)
{
    char text[NUMBER_ROOM];
    char *at = text + sizeof text;
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;
    do {
        *--at = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest > 0);
    if (value < 0) {
        *--at = '-';
    }
    put(self, at, (size_t)(text + sizeof text - at));
}

static void
put_float(writer_t *self, double value)
{
    char text[NUMBER_ROOM];
    if (is_short_whole(value)) {
        put_whole(self, (int64_t)value);
        return;
    }
    for (int digits = 15; digits <= 17; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, value);
        if (strtod(text, NULL) == value) {
            break;
        }
    }
    put(self, text, strlen(text));
}

static void
put_cell(writer_t *self, const vln_column_t *column, size_t row)
{
    if (!vln_column_has(column, row)) {
        return;
    }
    switch (column->type) {
    case VLN_TYPE_F64:
        put_float(self, column->f64[row]);
        break;
    case VLN_TYPE_I64:
        put_whole(self, column->i64[row]);
        break;
    case VLN_TYPE_BOOL:
        put_text(self, column->boolean[row] ? "true" : "false");
        break;
    case VLN_TYPE_STRING:
        put_text(self, vln_column_text(column, row));
        break;
    }
}

vln_csv_text_t
vln_csv_write(const vln_table_t *table, const size_t *rows, size_t count)
{
    writer_t self = {.room = FIRST_ROOM, .text.bytes = vln_calloc(1, FIRST_ROOM)};
    size_t columns = vln_table_columns(table);
    for (size_t i = 0; i < columns; i++) {
        put(&self, ",", i > 0);
        put_text(&self, vln_table_at(table, i)->name);
    }
    put(&self, "\n", 1);
    for (size_t row = 0; row < count; row++) {
        for (size_t i = 0; i < columns; i++) {
            put(&self, ",", i > 0);
            put_cell(&self, vln_table_at(table, i), rows[row]);
        }
        put(&self, "\n", 1);
    }
    return self.text;
}
