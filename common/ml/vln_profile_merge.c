/*
 * One profile of several. Each column is merged by itself: texts by their counts, numbers by their
 * sketches. Parts may come from outside, so each column is checked before anything is made of it.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_bins.h"
#include "vln_profile.h"
#include "vln_stat.h"

/* Rows that a part may have: sums of all parts' stay exact, in whole numbers and in doubles. */
static const int64_t rows_max = INT64_C(1) << 46;

static vln_err_t refuse(char *why, const char *format, ...) VLN_PRINTF(2, 3);

static vln_err_t
refuse(char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VLN_PROFILE_WHY, format, args);
    va_end(args);
    return VLN_INVALID_ARGUMENT;
}

/* ---- what a part may say ---- */

static bool
is_count(int64_t count)
{
    return count >= 0 && count <= rows_max;
}

static bool
is_text(const Valion__V1__ColumnProfile *column)
{
    return column->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
}

/* Every row with a text is in `top` or in `other`. */
static bool
are_texts_sound(const Valion__V1__ColumnProfile *column)
{
    int64_t rows = column->other;
    if (!is_count(column->other) || column->n_top > VLN_PROFILE_TOP || column->top_error < 0 ||
        column->top_error > column->other) {
        return false;
    }
    for (size_t i = 0; i < column->n_top; i++) {
        if (!column->top[i]->category || !is_count(column->top[i]->count)) {
            return false;
        }
        rows += column->top[i]->count;
    }
    return rows == column->count;
}

static bool
is_column_sound(const Valion__V1__ColumnProfile *column)
{
    return column->name && is_count(column->count) && is_count(column->missing) &&
           is_count(column->infinite) && is_count(column->mixed_type) &&
           is_count(column->distinct) && column->distinct <= column->count &&
           (!is_text(column) || are_texts_sound(column));
}

/* ---- the column of all parts ---- */

typedef struct columns {
    const Valion__V1__ColumnProfile *list[VLN_PROFILE_PARTS_MAX]; /* of one name */
    vln_sketch_t sketches[VLN_PROFILE_PARTS_MAX];                 /* of numbers */
    size_t count;
    size_t parts; /* whether or not they have a value */
    vln_arena_t *arena;
} columns_t;

/* The type that all columns with a value have. */
static vln_err_t
settle_type(const columns_t *self, Valion__V1__ColumnProfile *out, char *why)
{
    const Valion__V1__ColumnProfile *first = NULL;
    out->type = self->list[0]->type;
    for (size_t i = 0; i < self->count; i++) {
        const Valion__V1__ColumnProfile *column = self->list[i];
        if (column->count == 0) {
            continue;
        }
        if (first && is_text(first) != is_text(column)) {
            return refuse(why, "column '%.80s' has texts in one part and numbers in another",
                          column->name);
        }
        out->type = first && out->type != column->type
                        ? VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64
                        : column->type;
        first = column;
    }
    return VLN_OK;
}

/* What has no value adds nothing but its count of rows, and is of any type. */
static void
keep_filled(columns_t *self)
{
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        if (self->list[i]->count > 0) {
            self->list[kept++] = self->list[i];
        }
    }
    self->count = kept;
}

static void
sum_counts(const columns_t *self, Valion__V1__ColumnProfile *out)
{
    for (size_t i = 0; i < self->count; i++) {
        const Valion__V1__ColumnProfile *column = self->list[i];
        out->count += column->count;
        out->missing += column->missing;
        out->infinite += column->infinite;
        out->mixed_type += column->mixed_type;
    }
    out->has_count = out->has_missing = 1;
    out->has_infinite = out->infinite > 0;
    out->has_mixed_type = out->mixed_type > 0;
}

/* Between the least and the most that is possible: near the most where a part's rows rarely share a
 * value, for then two parts' do so no more often. */
static void
estimate_distinct(const columns_t *self, int64_t least, int64_t most,
                  Valion__V1__ColumnProfile *out)
{
    double distinct = 0;
    for (size_t i = 0; i < self->count; i++) {
        distinct += (double)self->list[i]->distinct;
        least = least > self->list[i]->distinct ? least : self->list[i]->distinct;
    }
    most = most < out->count ? most : out->count;
    most = most > least ? most : least;
    out->has_distinct = out->has_distinct_estimated = out->distinct_estimated = 1;
    out->distinct = least + (int64_t)((double)(most - least) * distinct / (double)out->count);
}

/* ---- numbers ---- */

static vln_err_t
read_sketches(columns_t *self, char *why)
{
    for (size_t i = 0; i < self->count; i++) {
        const Valion__V1__ColumnProfile *column = self->list[i];
        if (column->sketch.len == 0) {
            return refuse(why, "column '%.80s' has no sketch in one part: profile its data again",
                          column->name);
        }
        if (!vln_profile_sketch(column, &self->sketches[i])) {
            return refuse(why, "column '%.80s' has a sketch in one part that is none of its rows",
                          column->name);
        }
    }
    return VLN_OK;
}

static void
merge_sketches(const columns_t *self, vln_sketch_t *out)
{
    const vln_sketch_t *parts[VLN_PROFILE_PARTS_MAX];
    for (size_t i = 0; i < self->count; i++) {
        parts[i] = &self->sketches[i];
    }
    bool ok = vln_sketch_merge(parts, self->count, out);
    vln_assert(ok); /* rows_max is far below */
}

static bool
has_moments(const Valion__V1__ColumnProfile *column)
{
    return column->has_mean && isfinite(column->mean) && column->has_sum_squares &&
           isfinite(column->sum_squares) && column->sum_squares >= 0;
}

/* Chan, Golub & LeVeque, Am. Stat. 37 (1983), for any number of parts. Not there if a part's are not,
 * or if they do not fit into a double. */
static void
merge_moments(const columns_t *self, Valion__V1__ColumnProfile *out)
{
    vln_sum_t mean = {0};
    vln_sum_t squares = {0};
    for (size_t i = 0; i < self->count; i++) {
        const Valion__V1__ColumnProfile *column = self->list[i];
        if (!has_moments(column)) {
            return;
        }
        vln_sum_add(&mean, column->mean * ((double)column->count / (double)out->count));
    }
    double all = vln_sum_total(&mean);
    for (size_t i = 0; i < self->count; i++) {
        const Valion__V1__ColumnProfile *column = self->list[i];
        double apart = column->mean - all;
        vln_sum_add(&squares, column->sum_squares);
        vln_sum_add(&squares, (double)column->count * apart * apart);
    }
    if (isfinite(all) && isfinite(vln_sum_total(&squares))) {
        out->has_mean = out->has_sum_squares = 1;
        out->mean = fmin(out->max, fmax(out->min, all)); /* which rounding may leave */
        out->sum_squares = vln_sum_total(&squares);
    }
}

static bool
has_histogram(const Valion__V1__ColumnProfile *column)
{
    uint64_t rows = 0;
    if (column->n_counts != column->n_edges + 1 || column->n_counts > VLN_BINS_MAX) {
        return false;
    }
    for (size_t i = 1; i < column->n_edges; i++) {
        if (!(column->edges[i - 1] < column->edges[i])) {
            return false;
        }
    }
    for (size_t i = 0; i < column->n_counts; i++) {
        if (column->counts[i] > (uint64_t)column->count - rows) {
            return false;
        }
        rows += column->counts[i];
    }
    return rows == (uint64_t)column->count;
}

/* True if the columns have histograms of the very same edges. */
static bool
have_same_edges(const columns_t *self)
{
    const Valion__V1__ColumnProfile *first = self->list[0];
    for (size_t i = 0; i < self->count; i++) {
        const Valion__V1__ColumnProfile *column = self->list[i];
        if (!has_histogram(column) || column->n_edges != first->n_edges ||
            (column->n_edges > 0 &&
             memcmp(column->edges, first->edges, column->n_edges * sizeof(double)) != 0)) {
            return false;
        }
    }
    return true;
}

static void
sum_histograms(const columns_t *self, Valion__V1__ColumnProfile *out)
{
    const Valion__V1__ColumnProfile *first = self->list[0];
    out->n_edges = first->n_edges;
    out->n_counts = first->n_counts;
    for (size_t i = 0; i < out->n_edges; i++) {
        out->edges[i] = first->edges[i];
    }
    for (size_t i = 0; i < self->count; i++) {
        const Valion__V1__ColumnProfile *column = self->list[i];
        for (size_t j = 0; j < out->n_counts; j++) {
            out->counts[j] += column->counts[j];
        }
        out->histogram_estimated |= column->histogram_estimated;
    }
}

/* As vln_bins_quantile, of the sketch's quantiles. */
static void
choose_edges(const vln_sketch_t *sketch, Valion__V1__ColumnProfile *out)
{
    double previous = sketch->min;
    for (int i = 1; i < VLN_PROFILE_BINS; i++) {
        double edge = vln_sketch_quantile(sketch, (double)i / (double)VLN_PROFILE_BINS);
        if (edge > previous && edge < sketch->max) {
            out->edges[out->n_edges++] = previous = edge;
        }
    }
    if (out->n_edges == 0) {
        double median = vln_sketch_quantile(sketch, 0.5);
        out->edges[out->n_edges++] = nextafter(median, -INFINITY);
        out->edges[out->n_edges++] = median;
    }
}

static void
count_histogram(const vln_sketch_t *sketch, Valion__V1__ColumnProfile *out)
{
    uint64_t before = 0;
    for (size_t i = 0; i < out->n_edges; i++) {
        uint64_t to = vln_sketch_rows_to(sketch, out->edges[i]);
        out->counts[i] = to - before;
        before = to;
    }
    out->n_counts = out->n_edges + 1;
    out->counts[out->n_edges] = sketch->n - before;
    out->histogram_estimated = sketch->error > 0;
}

static void
merge_histograms(const columns_t *self, const vln_sketch_t *sketch, Valion__V1__ColumnProfile *out)
{
    out->edges = vln_arena_alloc(self->arena, VLN_BINS_MAX * sizeof(double));
    out->counts = vln_arena_alloc(self->arena, VLN_BINS_MAX * sizeof(uint64_t));
    if (have_same_edges(self)) {
        sum_histograms(self, out);
    } else {
        choose_edges(sketch, out);
        count_histogram(sketch, out);
    }
    out->has_histogram_estimated = out->histogram_estimated;
}

static void
take_sketch(const vln_sketch_t *sketch, vln_arena_t *arena, Valion__V1__ColumnProfile *out)
{
    uint8_t bytes[VLN_SKETCH_BYTES_MAX];
    out->n_quantiles = VLN_PROFILE_QUANTILES + 1;
    out->quantiles = vln_arena_alloc(arena, out->n_quantiles * sizeof(double));
    for (size_t i = 0; i < out->n_quantiles; i++) {
        out->quantiles[i] = vln_sketch_quantile(sketch, (double)i / (double)VLN_PROFILE_QUANTILES);
    }
    out->has_quantile_error = out->has_min = out->has_max = out->has_sketch = 1;
    out->quantile_error = vln_sketch_error(sketch);
    out->min = sketch->min;
    out->max = sketch->max;
    out->sketch.len = vln_sketch_encode(sketch, bytes);
    out->sketch.data = vln_arena_memdup(arena, bytes, out->sketch.len);
}

/* Each value is a point of its own where the sketch has no error. */
static void
count_distinct(const columns_t *self, const vln_sketch_t *sketch, Valion__V1__ColumnProfile *out)
{
    int64_t most = 0;
    for (size_t i = 0; i < self->count; i++) {
        most += self->list[i]->distinct;
    }
    if (sketch->error > 0) {
        estimate_distinct(self, (int64_t)sketch->count, most, out);
        return;
    }
    out->has_distinct = 1;
    out->distinct = (int64_t)sketch->count;
}

static vln_err_t
merge_numbers(columns_t *self, Valion__V1__ColumnProfile *out, char *why)
{
    vln_sketch_t sketch;
    vln_err_t err = read_sketches(self, why);
    if (err != VLN_OK) {
        return err;
    }
    merge_sketches(self, &sketch);
    take_sketch(&sketch, self->arena, out);
    merge_moments(self, out);
    merge_histograms(self, &sketch, out);
    count_distinct(self, &sketch, out);
    return VLN_OK;
}

/* ---- texts ---- */

typedef struct word {
    const char *text;
    int64_t count;
} word_t;

static int
by_text(const void *left, const void *right)
{
    return strcmp(((const word_t *)left)->text, ((const word_t *)right)->text);
}

/* Most frequent first; of equal ones by their bytes, so that the order of the parts is nothing. */
static int
by_count(const void *left, const void *right)
{
    const word_t *a = left;
    const word_t *b = right;
    if (a->count != b->count) {
        return a->count > b->count ? -1 : 1;
    }
    return strcmp(a->text, b->text);
}

/* The texts that any part names, each once; how many. */
static size_t
gather_words(const columns_t *self, word_t *words)
{
    size_t count = 0;
    size_t kept = 0;
    for (size_t i = 0; i < self->count; i++) {
        for (size_t j = 0; j < self->list[i]->n_top; j++) {
            const Valion__V1__CategoryCount *entry = self->list[i]->top[j];
            words[count] = (word_t){entry->category, entry->count};
            count += entry->count > 0;
        }
    }
    qsort(words, count, sizeof *words, by_text);
    for (size_t i = 0; i < count; i++) {
        if (kept > 0 && strcmp(words[kept - 1].text, words[i].text) == 0) {
            words[kept - 1].count += words[i].count;
        } else {
            words[kept++] = words[i];
        }
    }
    qsort(words, kept, sizeof *words, by_count);
    return kept;
}

/*
 * How many rows a text may have in a part beyond those that `top` says. One in `top` by the part's own
 * error. One that is not has at most as many as the last in `top`, or it would be there, and again that
 * error; and none that are not in `other`.
 */
static int64_t
unseen_in(const Valion__V1__ColumnProfile *column)
{
    int64_t least = column->other;
    for (size_t i = 0; i < column->n_top; i++) {
        least = column->top[i]->count < least ? column->top[i]->count : least;
    }
    int64_t unseen = least + column->top_error;
    return unseen < column->other ? unseen : column->other;
}

static void
keep_words(const columns_t *self, const word_t *words, size_t count, Valion__V1__ColumnProfile *out)
{
    int64_t kept = 0;
    out->top = vln_arena_alloc(self->arena, VLN_PROFILE_TOP * sizeof(void *));
    for (size_t i = 0; i < count && i < VLN_PROFILE_TOP; i++) {
        Valion__V1__CategoryCount *entry = vln_arena_alloc(self->arena, sizeof *entry);
        valion__v1__category_count__init(entry);
        entry->category = vln_arena_strdup(self->arena, words[i].text);
        entry->has_count = 1;
        entry->count = words[i].count;
        out->top[out->n_top++] = entry;
        kept += words[i].count;
    }
    out->has_other = 1;
    out->other = out->count - kept;
}

/* A part's texts beyond its `top` may be any, of those that are named or not. */
static void
count_texts(const columns_t *self, size_t named, Valion__V1__ColumnProfile *out)
{
    int64_t most = (int64_t)named;
    bool lost = false;
    for (size_t i = 0; i < self->count; i++) {
        const Valion__V1__ColumnProfile *column = self->list[i];
        int64_t beyond = column->distinct - (int64_t)column->n_top;
        most += beyond > 0 ? beyond : 0;
        lost |= column->other > 0;
        out->top_error += unseen_in(column);
    }
    out->has_top_error = out->top_error > 0;
    out->has_distinct = 1;
    out->distinct = (int64_t)named;
    if (lost) {
        estimate_distinct(self, (int64_t)named, most, out);
    }
}

static void
merge_texts(const columns_t *self, Valion__V1__ColumnProfile *out)
{
    word_t *words = vln_calloc(self->count * VLN_PROFILE_TOP + 1, sizeof *words);
    size_t named = gather_words(self, words);
    keep_words(self, words, named, out);
    count_texts(self, named, out);
    free(words);
}

/* ---- a column ---- */

static vln_err_t
merge_columns(columns_t *self, Valion__V1__ColumnProfile **out, char *why)
{
    Valion__V1__ColumnProfile *merged = vln_arena_alloc(self->arena, sizeof *merged);
    valion__v1__column_profile__init(merged);
    for (size_t i = 0; i < self->count; i++) {
        vln_assert(self->list[i]);
        if (!is_column_sound(self->list[i])) {
            return refuse(why, "column '%.80s' of a part is at odds with itself",
                          self->list[i]->name ? self->list[i]->name : "");
        }
    }
    vln_err_t err = settle_type(self, merged, why);
    if (err != VLN_OK) {
        return err;
    }
    merged->name = vln_arena_strdup(self->arena, self->list[0]->name);
    merged->has_type = merged->has_distinct = 1;
    sum_counts(self, merged);
    *out = merged;
    keep_filled(self);
    if (merged->count > 0 && !is_text(merged)) {
        return merge_numbers(self, merged, why);
    }
    if (is_text(merged)) {
        merge_texts(self, merged);
    }
    return VLN_OK;
}

/* ---- profiles ---- */

/* The column of this name, which is mostly at the same place. */
static const Valion__V1__ColumnProfile *
find_column(const Valion__V1__Profile *part, const char *name, size_t place)
{
    for (size_t i = 0; i < part->n_columns; i++) {
        const Valion__V1__ColumnProfile *column = part->columns[(place + i) % part->n_columns];
        if (column->name && strcmp(column->name, name) == 0) {
            return column;
        }
    }
    return NULL;
}

static vln_err_t
gather_columns(const Valion__V1__Profile *const *parts, size_t place, columns_t *self, char *why)
{
    const char *name = parts[0]->columns[place]->name;
    self->count = self->parts;
    for (size_t i = 0; i < self->count; i++) {
        self->list[i] = name ? find_column(parts[i], name, place) : NULL;
        if (!self->list[i]) {
            return refuse(why, "column '%.80s' is not in part %zu", name ? name : "", i + 1);
        }
    }
    return VLN_OK;
}

static vln_err_t
check_parts(const Valion__V1__Profile *const *parts, size_t count, Valion__V1__Profile *out,
            char *why)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_count(parts[i]->rows)) {
            return refuse(why, "part %zu has %lld rows", i + 1, (long long)parts[i]->rows);
        }
        if (parts[i]->n_columns != parts[0]->n_columns ||
            parts[i]->n_columns > VLN_PROFILE_COLUMNS_MAX) {
            return refuse(why, "part %zu has %zu columns, the first %zu", i + 1,
                          parts[i]->n_columns, parts[0]->n_columns);
        }
        out->rows += parts[i]->rows;
    }
    out->has_rows = out->has_format = 1;
    out->format = 1;
    return VLN_OK;
}

/* Those of the parts; none where one has none. */
static vln_err_t
merge_predictions(const Valion__V1__Profile *const *parts, columns_t *columns,
                  Valion__V1__Profile *out, char *why)
{
    columns->count = columns->parts;
    for (size_t i = 0; i < columns->count; i++) {
        columns->list[i] = parts[i]->prediction;
        if (!columns->list[i]) {
            return VLN_OK;
        }
    }
    return merge_columns(columns, &out->prediction, why);
}

vln_err_t
vln_profile_merge(const Valion__V1__Profile *const *parts, size_t count, vln_arena_t *arena,
                  Valion__V1__Profile **out, char why[VLN_PROFILE_WHY])
{
    vln_assert(count >= 1 && count <= VLN_PROFILE_PARTS_MAX);
    Valion__V1__Profile *merged = vln_arena_alloc(arena, sizeof *merged);
    valion__v1__profile__init(merged);
    columns_t *columns = vln_calloc(1, sizeof *columns);
    columns->parts = count;
    columns->arena = arena;
    vln_err_t err = check_parts(parts, count, merged, why);
    merged->columns = vln_arena_alloc(arena, (parts[0]->n_columns + 1) * sizeof(void *));
    for (size_t i = 0; err == VLN_OK && i < parts[0]->n_columns; i++) {
        err = gather_columns(parts, i, columns, why);
        err = err == VLN_OK ? merge_columns(columns, &merged->columns[i], why) : err;
        merged->n_columns = i + 1;
    }
    err = err == VLN_OK ? merge_predictions(parts, columns, merged, why) : err;
    free(columns);
    *out = err == VLN_OK ? merged : NULL;
    return err;
}
