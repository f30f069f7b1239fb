#include "reference.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "vln_err.h"
#include "vln_pb.h"

enum {
    FIELD_COLUMNS = 2,
    FIELD_PREDICTION = 6,
    WIRE_VARINT = 0,
    WIRE_64 = 1,
    WIRE_BYTES = 2,
    WIRE_32 = 5,
    COLUMNS_LOOKED_AT = 2000,
    COST_COLUMN = 12,  /* fields that a kept column has */
    COST_CATEGORY = 3, /* and each of its categories */
};

/* ---- the bytes of a Profile, column by column ---- */

typedef struct walk {
    const uint8_t *at;
    const uint8_t *end;
} walk_t;

typedef struct piece {
    uint32_t field;
    const uint8_t *bytes; /* NULL: it is no message */
    size_t size;
} piece_t;

static bool
take_varint(walk_t *self, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && self->at < self->end; shift += 7) {
        uint8_t byte = *self->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

/* False: the bytes are no message. */
static bool
take_piece(walk_t *self, piece_t *out)
{
    uint64_t tag = 0;
    uint64_t size = 0;
    if (!take_varint(self, &tag)) {
        return false;
    }
    unsigned wire = tag & 7;
    *out = (piece_t){.field = (uint32_t)(tag >> 3)};
    switch (wire) {
    case WIRE_VARINT:
        return take_varint(self, &size);
    case WIRE_64:
        size = 8;
        break;
    case WIRE_32:
        size = 4;
        break;
    case WIRE_BYTES:
        if (take_varint(self, &size)) {
            break;
        }
        return false;
    default:
        return false;
    }
    if (size > (uint64_t)(self->end - self->at)) {
        return false;
    }
    out->bytes = wire == WIRE_BYTES ? self->at : NULL;
    out->size = (size_t)size;
    self->at += size;
    return true;
}

/* NULL: the bytes are no column, or more than the arena holds. A column has no message that could
 * occur twice and be merged. */
static Valion__V1__ColumnProfile *
read_column(const piece_t *piece, vln_arena_t *arena)
{
    ProtobufCAllocator allocator = vln_pb_allocator(arena);
    return valion__v1__column_profile__unpack(&allocator, piece->size, piece->bytes);
}

/* ---- what can be counted by ---- */

static bool
is_short(const char *text)
{
    return text && text[0] && strlen(text) <= REFERENCE_CATEGORY_BYTES;
}

static bool
has_rising_edges(const Valion__V1__ColumnProfile *column)
{
    if (column->n_edges == 0 || column->n_counts != column->n_edges + 1) {
        return false;
    }
    for (size_t i = 0; i < column->n_edges; i++) {
        if (!isfinite(column->edges[i]) || (i > 0 && column->edges[i] <= column->edges[i - 1])) {
            return false;
        }
    }
    return true;
}

/* Every other edge goes, and two bins become one, until there are few enough. */
static void
thin_edges(Valion__V1__ColumnProfile *column)
{
    while (column->n_edges > REFERENCE_EDGES_MAX) {
        size_t edges = 0;
        size_t bins = 0;
        for (size_t i = 1; i < column->n_edges; i += 2) {
            column->edges[edges++] = column->edges[i];
        }
        for (size_t i = 0; i < column->n_counts; i += 2) {
            uint64_t next = i + 1 < column->n_counts ? column->counts[i + 1] : 0;
            column->counts[bins++] = column->counts[i] + next;
        }
        column->n_edges = edges;
        column->n_counts = bins;
        vln_assert(bins == edges + 1);
    }
}

/* What is not kept by name is one of the others. */
static void
keep_categories(Valion__V1__ColumnProfile *column)
{
    size_t kept = 0;
    for (size_t i = 0; i < column->n_top; i++) {
        if (kept < REFERENCE_CATEGORIES_MAX && is_short(column->top[i]->category)) {
            column->top[kept++] = column->top[i];
        } else {
            column->other += column->top[i]->count;
        }
    }
    column->has_other = 1;
    column->n_top = kept;
}

/* False: nothing can be counted by it. */
static bool
trim(Valion__V1__ColumnProfile *column)
{
    column->n_quantiles = 0;
    column->quantiles = NULL;
    column->has_sketch = 0;
    column->sketch = (ProtobufCBinaryData){0};
    if (column->n_edges > 0) {
        column->n_top = 0;
        if (!has_rising_edges(column)) {
            return false;
        }
        thin_edges(column);
        return true;
    }
    column->n_counts = 0;
    keep_categories(column);
    return column->n_top > 0;
}

/* ---- what fits ---- */

typedef struct budget {
    size_t cost;
    size_t bytes;
} budget_t;

static bool
take_budget(budget_t *self, const Valion__V1__ColumnProfile *column)
{
    size_t cost = COST_COLUMN + COST_CATEGORY * column->n_top;
    size_t bytes = (column->name ? strlen(column->name) : 0) + column->n_edges * 2 * sizeof(double);
    for (size_t i = 0; i < column->n_top; i++) {
        bytes += strlen(column->top[i]->category) + 2 * sizeof(int64_t);
    }
    if (self->cost + cost > REFERENCE_COST_MAX || self->bytes + bytes > REFERENCE_BYTES_MAX) {
        return false;
    }
    self->cost += cost;
    self->bytes += bytes;
    return true;
}

/* ---- reading ---- */

/* All columns that could be read, the prediction aside. False: the bytes are no profile. */
static bool
read_columns(const uint8_t *bytes, size_t size, vln_arena_t *arena, Valion__V1__Profile *out)
{
    walk_t walk = {bytes, bytes + size};
    out->columns = vln_arena_alloc(arena, COLUMNS_LOOKED_AT * sizeof(void *));
    while (walk.at < walk.end) {
        piece_t piece;
        if (!take_piece(&walk, &piece)) {
            return false;
        }
        bool is_column = piece.field == FIELD_COLUMNS && out->n_columns < COLUMNS_LOOKED_AT;
        bool is_prediction = piece.field == FIELD_PREDICTION && !out->prediction;
        if (!piece.bytes || (!is_column && !is_prediction)) {
            continue;
        }
        Valion__V1__ColumnProfile *column = read_column(&piece, arena);
        if (!column) {
            return false;
        }
        if (is_prediction) {
            out->prediction = column;
        } else {
            out->columns[out->n_columns++] = column;
        }
    }
    return true;
}

/* NULL: the profile has no such column. */
static Valion__V1__ColumnProfile *
find_column(const Valion__V1__Profile *all, const char *name)
{
    for (size_t i = 0; i < all->n_columns; i++) {
        if (all->columns[i]->name && strcmp(all->columns[i]->name, name) == 0) {
            return all->columns[i];
        }
    }
    return NULL;
}

Valion__V1__Profile *
reference_read(const uint8_t *bytes, size_t size, const Valion__V1__Signature *signature,
               vln_arena_t *arena)
{
    Valion__V1__Profile all = VALION__V1__PROFILE__INIT;
    budget_t budget = {0};
    if (size > REFERENCE_PROFILE_MAX || !read_columns(bytes, size, arena, &all)) {
        return NULL;
    }
    Valion__V1__Profile *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__profile__init(out);
    out->columns = vln_arena_alloc(arena, REFERENCE_COLUMNS_MAX * sizeof(void *));
    if (all.prediction && trim(all.prediction) && take_budget(&budget, all.prediction)) {
        out->prediction = all.prediction;
    }
    for (size_t i = 0; i < signature->n_inputs && out->n_columns < REFERENCE_COLUMNS_MAX; i++) {
        const char *name = signature->inputs[i]->name;
        Valion__V1__ColumnProfile *column = is_short(name) ? find_column(&all, name) : NULL;
        if (column && trim(column) && take_budget(&budget, column)) {
            out->columns[out->n_columns++] = column;
        }
    }
    return out;
}

const Valion__V1__ColumnProfile *
reference_find(const Valion__V1__Profile *reference, const char *column)
{
    return column && column[0] ? find_column(reference, column) : reference->prediction;
}

/* ---- bins ---- */

static Valion__V1__TelemetryBins *
make_bins(const char *name, const Valion__V1__ColumnProfile *column, vln_arena_t *arena)
{
    Valion__V1__TelemetryBins *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__telemetry_bins__init(out);
    out->column = vln_arena_strdup(arena, name);
    out->n_edges = column->n_edges;
    out->edges = column->edges;
    out->categories = vln_arena_alloc(arena, (column->n_top + 1) * sizeof(char *));
    for (size_t i = 0; i < column->n_top; i++) {
        out->categories[out->n_categories++] = column->top[i]->category;
    }
    return out;
}

void
reference_make_bins(const Valion__V1__Profile *reference, Valion__V1__WantedInstance *wanted,
                    vln_arena_t *arena)
{
    wanted->bins = vln_arena_alloc(arena, (reference->n_columns + 1) * sizeof(void *));
    if (reference->prediction) {
        wanted->bins[wanted->n_bins++] = make_bins("", reference->prediction, arena);
    }
    for (size_t i = 0; i < reference->n_columns; i++) {
        const Valion__V1__ColumnProfile *column = reference->columns[i];
        wanted->bins[wanted->n_bins++] = make_bins(column->name, column, arena);
    }
}
