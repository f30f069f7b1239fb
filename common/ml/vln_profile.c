#include "vln_profile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_bins.h"
#include "vln_log.h"
#include "vln_quantile.h"
#include "vln_sample.h"
#include "vln_stat.h"
#include "vln_types.h"

static void
set_moments(Valion__V1__ColumnProfile *self, const vln_sample_t *sample)
{
    vln_sum_t sum = {0};
    vln_sum_t squares = {0};
    for (size_t i = 0; i < sample->n; i++) {
        vln_sum_add(&sum, sample->sorted[i]);
    }
    double mean = vln_sum_total(&sum) / (double)sample->n;
    for (size_t i = 0; i < sample->n; i++) {
        vln_sum_add(&squares, (sample->sorted[i] - mean) * (sample->sorted[i] - mean));
    }
    self->has_min = self->has_max = self->has_mean = self->has_sum_squares = 1;
    self->min = sample->sorted[0];
    self->max = sample->sorted[sample->n - 1];
    self->mean = mean;
    self->sum_squares = vln_sum_total(&squares);
}

static void
set_quantiles(Valion__V1__ColumnProfile *self, const vln_sample_t *sample, vln_arena_t *arena)
{
    self->n_quantiles = VLN_PROFILE_QUANTILES + 1;
    self->quantiles = vln_arena_alloc(arena, self->n_quantiles * sizeof(double));
    for (size_t i = 0; i < self->n_quantiles; i++) {
        self->quantiles[i] =
            vln_quantile(sample->sorted, sample->n, (double)i / (double)VLN_PROFILE_QUANTILES)
                .value;
    }
    self->has_quantile_error = 1; /* exact: 0 */
}

static void
set_histogram(Valion__V1__ColumnProfile *self, const vln_sample_t *sample, vln_arena_t *arena)
{
    vln_bins_t bins = vln_bins_quantile(sample, VLN_PROFILE_BINS);
    self->n_edges = bins.count - 1;
    self->edges = vln_arena_memdup(arena, bins.edges, self->n_edges * sizeof(double));
    self->n_counts = bins.count;
    self->counts = vln_arena_alloc(arena, bins.count * sizeof(uint64_t));
    vln_bins_count(&bins, sample, self->counts);
}

static void
set_sketch(Valion__V1__ColumnProfile *self, const vln_sample_t *sample, vln_arena_t *arena)
{
    vln_sketch_t sketch;
    uint8_t bytes[VLN_SKETCH_BYTES_MAX];
    vln_sketch_make(sample->sorted, sample->n, &sketch);
    self->has_sketch = 1;
    self->sketch.len = vln_sketch_encode(&sketch, bytes);
    self->sketch.data = vln_arena_memdup(arena, bytes, self->sketch.len);
}

bool
vln_profile_sketch(const Valion__V1__ColumnProfile *column, vln_sketch_t *out)
{
    bool read = vln_sketch_decode(column->sketch.data, column->sketch.len, out) && out->n > 0 &&
                out->n == (uint64_t)column->count;
    if (!read) {
        *out = (vln_sketch_t){0};
    }
    return read;
}

static int64_t
count_distinct(const vln_sample_t *sample)
{
    int64_t distinct = sample->n > 0;
    for (size_t i = 1; i < sample->n; i++) {
        distinct += sample->sorted[i] != sample->sorted[i - 1];
    }
    return distinct;
}

static Valion__V1__ColumnProfile *
begin(const char *name, Valion__V1__ColumnType type, vln_arena_t *arena)
{
    Valion__V1__ColumnProfile *self = vln_arena_alloc(arena, sizeof *self);
    valion__v1__column_profile__init(self);
    self->name = vln_arena_strdup(arena, name);
    self->has_type = self->has_count = self->has_missing = self->has_distinct = 1;
    self->type = type;
    return self;
}

/* Infinities count as such, and are in no moment. */
static size_t
set_infinite_aside(double *values, size_t count)
{
    size_t infinite = 0;
    for (size_t i = 0; i < count; i++) {
        if (isinf(values[i])) {
            values[i] = NAN;
            infinite++;
        }
    }
    return infinite;
}

/* `values` may be changed. */
static void
fill_numbers(Valion__V1__ColumnProfile *self, double *values, size_t count, vln_arena_t *arena)
{
    size_t infinite = set_infinite_aside(values, count);
    vln_sample_t sample = vln_sample_make(values, count);
    self->count = (int64_t)sample.n;
    self->missing = (int64_t)(sample.missing - infinite);
    self->has_infinite = infinite > 0;
    self->infinite = (int64_t)infinite;
    self->distinct = count_distinct(&sample);
    if (sample.n > 0) {
        set_moments(self, &sample);
        set_quantiles(self, &sample, arena);
        set_histogram(self, &sample, arena);
        set_sketch(self, &sample, arena);
    }
    vln_sample_end(&sample);
}

Valion__V1__ColumnProfile *
vln_profile_numbers(const char *name, const double *values, size_t count, vln_arena_t *arena)
{
    Valion__V1__ColumnProfile *self =
        begin(name, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64, arena);
    double *copy = vln_memdup(values, count * sizeof *copy);
    fill_numbers(self, copy, count, arena);
    free(copy);
    return self;
}

/* ---- texts ---- */

typedef struct word {
    int32_t code;
    int64_t count;
} word_t;

/* Most frequent first; of equal ones, the one that came first. */
static int
by_count(const void *left, const void *right)
{
    const word_t *a = left;
    const word_t *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return a->code < b->code ? -1 : a->code > b->code;
}

static void
fill_texts(Valion__V1__ColumnProfile *self, const vln_column_t *column, size_t first, size_t rows,
           vln_arena_t *arena)
{
    size_t words = vln_dict_count(column->words);
    word_t *counts = vln_calloc(words + 1, sizeof *counts);
    for (size_t i = 0; i < words; i++) {
        counts[i].code = (int32_t)i;
    }
    for (size_t row = first; row < first + rows; row++) {
        if (column->codes[row] >= 0) {
            counts[column->codes[row]].count++;
            self->count++;
        }
    }
    self->missing = (int64_t)rows - self->count;
    qsort(counts, words, sizeof *counts, by_count);
    int64_t top = 0;
    self->top = vln_arena_alloc(arena, VLN_PROFILE_TOP * sizeof(void *));
    for (size_t i = 0; i < words && counts[i].count > 0; i++, self->distinct++) {
        if (i < VLN_PROFILE_TOP) {
            Valion__V1__CategoryCount *entry = vln_arena_alloc(arena, sizeof *entry);
            valion__v1__category_count__init(entry);
            entry->category =
                vln_arena_strdup(arena, vln_dict_text(column->words, counts[i].code, NULL));
            entry->has_count = 1;
            entry->count = counts[i].count;
            self->top[self->n_top++] = entry;
            top += counts[i].count;
        }
    }
    self->has_other = 1;
    self->other = self->count - top;
    free(counts);
}

/* ---- tables ---- */

static Valion__V1__ColumnProfile *
profile_column(const vln_column_t *column, size_t first, size_t rows, vln_arena_t *arena)
{
    Valion__V1__ColumnProfile *self =
        begin(column->name, vln_type_to_contract(column->type), arena);
    if (column->type == VLN_TYPE_STRING) {
        fill_texts(self, column, first, rows, arena);
    } else {
        double *values = vln_calloc(first + rows + 1, sizeof *values);
        vln_column_numbers(column, first + rows, values);
        fill_numbers(self, values + first, rows, arena);
        free(values);
    }
    self->has_mixed_type = column->mixed > 0;
    self->mixed_type = (int64_t)column->mixed;
    return self;
}

Valion__V1__Profile *
vln_profile_make(const vln_table_t *table, size_t first, size_t rows, vln_arena_t *arena)
{
    vln_assert(first + rows <= vln_table_rows(table));
    size_t columns = vln_table_columns(table);
    columns = columns < VLN_PROFILE_COLUMNS_MAX ? columns : VLN_PROFILE_COLUMNS_MAX;
    Valion__V1__Profile *self = vln_arena_alloc(arena, sizeof *self);
    valion__v1__profile__init(self);
    self->has_rows = self->has_format = 1;
    self->rows = (int64_t)rows;
    self->format = 1;
    self->columns = vln_arena_alloc(arena, columns * sizeof(void *) + 1);
    for (size_t i = 0; i < columns; i++) {
        self->columns[self->n_columns++] =
            profile_column(vln_table_at(table, i), first, rows, arena);
    }
    if (first == 0 && rows == vln_table_rows(table)) {
        self->has_duplicate_rows = 1;
        self->duplicate_rows = (int64_t)vln_table_count_duplicates(table);
    }
    return self;
}
