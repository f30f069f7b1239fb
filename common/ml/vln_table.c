#include "vln_table.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_mem.h"

enum { FIRST_ROWS = 64 };

struct vln_table {
    vln_column_t **columns; /* pointers, so that they hold when there come more */
    size_t column_count;
    size_t column_room;
    size_t rows;
    size_t capacity;   /* a multiple of 64 */
    vln_dict_t *names; /* code: index of the column */
};

/* clang-format off */
static const struct {
    const char *name;
    size_t cell_bytes;
} types[] = {
    [VLN_TYPE_F64]    = {"float64", sizeof(double)},
    [VLN_TYPE_I64]    = {"int64",   sizeof(int64_t)},
    [VLN_TYPE_BOOL]   = {"bool",    sizeof(uint8_t)},
    [VLN_TYPE_STRING] = {"string",  sizeof(int32_t)},
};
/* clang-format on */

const char *
vln_type_name(vln_type_t type)
{
    vln_assert((size_t)type < VLN_COUNT(types));
    return types[type].name;
}

bool
vln_type_parse(const char *name, vln_type_t *out)
{
    for (size_t i = 0; i < VLN_COUNT(types); i++) {
        if (strcmp(name, types[i].name) == 0) {
            *out = (vln_type_t)i;
            return true;
        }
    }
    return false;
}

vln_table_t *
vln_table_new(void)
{
    vln_table_t *self = vln_calloc(1, sizeof *self);
    self->names = vln_dict_new();
    return self;
}

size_t
vln_table_bytes(const vln_table_t *self)
{
    size_t bytes = sizeof *self;
    for (size_t i = 0; i < self->column_count; i++) {
        const vln_column_t *column = self->columns[i];
        bytes += sizeof *column + self->capacity * types[column->type].cell_bytes +
                 self->capacity / 8 + (column->words ? vln_dict_bytes(column->words) : 0);
    }
    return bytes;
}

static void
column_destroy(vln_column_t *column)
{
    free(column->name);
    free(column->f64); /* whichever array it is */
    free(column->valid);
    vln_dict_destroy(&column->words);
    free(column);
}

void
vln_table_destroy(vln_table_t **self_p)
{
    vln_table_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < self->column_count; i++) {
            column_destroy(self->columns[i]);
        }
        free(self->columns);
        vln_dict_destroy(&self->names);
        free(self);
        *self_p = NULL;
    }
}

size_t
vln_table_rows(const vln_table_t *self)
{
    return self->rows;
}

size_t
vln_table_columns(const vln_table_t *self)
{
    return self->column_count;
}

size_t
vln_table_capacity(const vln_table_t *self)
{
    return self->capacity;
}

vln_column_t *
vln_table_edit(vln_table_t *self, size_t index)
{
    vln_assert(index < self->column_count);
    return self->columns[index];
}

const vln_column_t *
vln_table_at(const vln_table_t *self, size_t index)
{
    vln_assert(index < self->column_count);
    return self->columns[index];
}

const vln_column_t *
vln_table_find(const vln_table_t *self, const char *name)
{
    int32_t code = vln_dict_find(self->names, name, strlen(name));
    return code < 0 ? NULL : self->columns[code];
}

static void
set_missing(vln_column_t *column, size_t from, size_t to)
{
    for (size_t row = from; row < to; row++) {
        switch (column->type) {
        case VLN_TYPE_F64:
            column->f64[row] = NAN;
            break;
        case VLN_TYPE_I64:
            column->i64[row] = 0;
            break;
        case VLN_TYPE_BOOL:
            column->boolean[row] = 0;
            break;
        case VLN_TYPE_STRING:
            column->codes[row] = -1;
            break;
        }
    }
}

static void
column_grow(vln_column_t *column, size_t from, size_t to)
{
    column->f64 = vln_realloc(column->f64, to * types[column->type].cell_bytes);
    column->valid = vln_realloc(column->valid, to / 64 * sizeof *column->valid);
    memset(column->valid + from / 64, 0, (to - from) / 64 * sizeof *column->valid);
    set_missing(column, from, to);
}

vln_column_t *
vln_table_add(vln_table_t *self, const char *name, vln_type_t type)
{
    size_t len = strlen(name);
    if (len == 0 || len > VLN_TABLE_NAME_MAX || self->column_count == VLN_TABLE_COLUMNS_MAX ||
        vln_dict_find(self->names, name, len) >= 0) {
        return NULL;
    }
    if (self->column_count == self->column_room) {
        self->column_room = self->column_room ? 2 * self->column_room : 16;
        self->columns = vln_realloc(self->columns, self->column_room * sizeof(vln_column_t *));
    }
    vln_column_t *column = vln_calloc(1, sizeof *column);
    column->name = vln_strdup(name);
    column->type = type;
    column->words = type == VLN_TYPE_STRING ? vln_dict_new() : NULL;
    column_grow(column, 0, self->capacity);
    vln_dict_add(self->names, name, len);
    self->columns[self->column_count++] = column;
    return column;
}

/* What is cut off holds nothing if the table grows again. */
static void
cut(vln_table_t *self, size_t rows)
{
    for (size_t i = 0; i < self->column_count; i++) {
        vln_column_t *column = self->columns[i];
        set_missing(column, rows, self->rows);
        for (size_t row = rows; row < self->rows; row++) {
            column->valid[row / 64] &= ~(UINT64_C(1) << (row % 64));
        }
    }
}

void
vln_table_set_rows(vln_table_t *self, size_t rows)
{
    if (rows < self->rows) {
        cut(self, rows);
    }
    if (rows > self->capacity) {
        size_t wanted = 2 * self->capacity > rows ? 2 * self->capacity : rows;
        wanted = wanted < FIRST_ROWS ? FIRST_ROWS : (wanted + 63) / 64 * 64;
        for (size_t i = 0; i < self->column_count; i++) {
            column_grow(self->columns[i], self->capacity, wanted);
        }
        self->capacity = wanted;
    }
    self->rows = rows;
}

const char *
vln_column_text(const vln_column_t *self, size_t row)
{
    vln_assert(self->type == VLN_TYPE_STRING);
    return vln_column_has(self, row) ? vln_dict_text(self->words, self->codes[row], NULL) : NULL;
}

size_t
vln_column_missing(const vln_column_t *self, size_t rows)
{
    size_t held = 0;
    for (size_t word = 0; word < (rows + 63) / 64; word++) {
        held += (size_t)__builtin_popcountll(self->valid[word]);
    }
    return rows - held;
}

double
vln_column_number(const vln_column_t *self, size_t row)
{
    if (!vln_column_has(self, row)) {
        return NAN;
    }
    switch (self->type) {
    case VLN_TYPE_F64:
        return self->f64[row];
    case VLN_TYPE_I64:
        return (double)self->i64[row];
    case VLN_TYPE_BOOL:
        return self->boolean[row];
    default:
        return NAN;
    }
}

bool
vln_column_numbers(const vln_column_t *self, size_t rows, double *out)
{
    if (self->type == VLN_TYPE_STRING) {
        return false;
    }
    if (self->type == VLN_TYPE_F64) {
        memcpy(out, self->f64, rows * sizeof *out); /* missing cells hold NaN already */
        return true;
    }
    for (size_t row = 0; row < rows; row++) {
        out[row] = vln_column_number(self, row);
    }
    return true;
}

/* ---- duplicates ---- */

/* Bits that are equal where the cells are. */
static uint64_t
cell_bits(const vln_column_t *column, size_t row)
{
    double number = 0;
    uint64_t bits = 0;
    switch (column->type) {
    case VLN_TYPE_F64:
        number = vln_column_has(column, row) ? column->f64[row] + 0.0 : 0; /* -0 becomes 0 */
        memcpy(&bits, &number, sizeof bits);
        break;
    case VLN_TYPE_I64:
        bits = (uint64_t)column->i64[row];
        break;
    case VLN_TYPE_BOOL:
        bits = column->boolean[row];
        break;
    case VLN_TYPE_STRING:
        bits = (uint64_t)column->codes[row];
        break;
    }
    return bits;
}

static bool
rows_are_equal(const vln_table_t *self, size_t a, size_t b)
{
    for (size_t i = 0; i < self->column_count; i++) {
        const vln_column_t *column = self->columns[i];
        if (vln_column_has(column, a) != vln_column_has(column, b) ||
            cell_bits(column, a) != cell_bits(column, b)) {
            return false;
        }
    }
    return true;
}

static void
hash_column(const vln_column_t *column, size_t rows, uint64_t seed, uint64_t *hashes)
{
    for (size_t row = 0; row < rows; row++) {
        uint64_t bits = cell_bits(column, row) + (vln_column_has(column, row) ? seed : 0);
        uint64_t hash = (hashes[row] ^ bits) * UINT64_C(0x9e3779b97f4a7c15);
        hashes[row] = hash ^ hash >> 29;
    }
}

static size_t
count_equal(const vln_table_t *self, const uint64_t *hashes)
{
    size_t slots = 16;
    while (slots < 2 * self->rows) {
        slots *= 2;
    }
    size_t *first = vln_calloc(slots, sizeof *first); /* row + 1 */
    size_t found = 0;
    for (size_t row = 0; row < self->rows; row++) {
        size_t slot = (hashes[row] >> 20) & (slots - 1);
        bool equal = false;
        while (first[slot] && !equal) {
            size_t other = first[slot] - 1;
            equal = hashes[other] == hashes[row] && rows_are_equal(self, other, row);
            slot = equal ? slot : (slot + 1) & (slots - 1);
        }
        found += equal;
        first[slot] = equal ? first[slot] : row + 1;
    }
    free(first);
    return found;
}

size_t
vln_table_count_duplicates(const vln_table_t *self)
{
    if (self->column_count == 0) {
        return 0;
    }
    uint64_t *hashes = vln_calloc(self->rows, sizeof *hashes);
    uint64_t seed = vln_random_u64(); /* nobody can make rows that collide */
    for (size_t i = 0; i < self->column_count; i++) {
        hash_column(self->columns[i], self->rows, seed, hashes);
    }
    size_t found = count_equal(self, hashes);
    free(hashes);
    return found;
}
