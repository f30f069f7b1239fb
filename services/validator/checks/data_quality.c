/*
 * data_quality: missing cells, outlier cells, repeated rows, each against its threshold; and where the
 * policy has a threshold for it: a column's missing cells, columns of one value, cells of another
 * type, texts that the reference does not have, numbers beyond its range. No issue is fine, one is a
 * warning, two or more are a failure.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_quantile.h"
#include "vln_rows.h"
#include "vln_sample.h"

#include "check_say.h"
#include "counts.h"

typedef struct quality {
    const check_context_t *context;
    size_t rows;
    size_t columns;
    double missing_threshold;
    double outlier_threshold;
    double duplicate_threshold;
    uint64_t missing; /* cells */
    uint64_t outliers;
    size_t duplicates; /* rows */
    double *weights;   /* of each column, to sort them by */
    const Valion__V1__CheckSpec *spec;
    size_t constants;     /* columns of one value */
    uint64_t mixed;       /* cells that are not of their column's type */
    size_t compared;      /* columns that the reference has, too */
    double worst_missing; /* shares of the rows, each of the column that has most */
    double worst_new;     /* texts that the reference does not have */
    double worst_outside; /* numbers beyond the reference's least and greatest */
    uint64_t new_cells;
    uint64_t outside_cells;
    int issues;
} quality_t;

enum { NEW_SHOWN = 16 };

/* ---- against the reference ---- */

static const Valion__V1__ColumnProfile *
find_profile(const check_context_t *context, const char *name)
{
    const Valion__V1__Profile *profile = context->reference.profile;
    for (size_t i = 0; profile && i < profile->n_columns; i++) {
        if (profile->columns[i]->name && strcmp(profile->columns[i]->name, name) == 0) {
            return profile->columns[i];
        }
    }
    return NULL;
}

static void
note_new(quality_t *self, const counts_t *counts, Valion__V1__ColumnResult *found)
{
    vln_arena_t *arena = self->context->arena;
    self->compared++;
    self->new_cells += counts->new_rows;
    self->worst_new = fmax(self->worst_new, (double)counts->new_rows / (double)self->rows);
    found->new_categories = vln_arena_alloc(arena, NEW_SHOWN * sizeof(char *));
    for (size_t i = 0; i < counts->new_count && i < NEW_SHOWN; i++) {
        found->new_categories[found->n_new_categories++] =
            check_text(self->context, CHECK_NOTE_MAX, "%s", counts->new_texts[i]);
    }
}

/* Cells below `low` or above `high`. */
static void
note_outside(quality_t *self, const vln_column_t *column, double low, double high)
{
    if (!(low <= high)) {
        return; /* the reference has no number */
    }
    const vln_sample_t *sample = samples_hold(self->context->samples, column, self->rows);
    uint64_t outside = vln_count_below(sample->sorted, sample->n, low) + sample->n -
                       vln_count_to(sample->sorted, sample->n, high);
    samples_release(self->context->samples, sample);
    self->compared++;
    self->outside_cells += outside;
    self->worst_outside = fmax(self->worst_outside, (double)outside / (double)self->rows);
}

static void
compare_with_rows(quality_t *self, const vln_column_t *column, Valion__V1__ColumnResult *found)
{
    const vln_table_t *table = self->context->reference.table;
    const vln_column_t *then = vln_table_find(table, column->name);
    bool text = column->type == VLN_TYPE_STRING;
    if (!then || (then->type == VLN_TYPE_STRING) != text) {
        return;
    }
    if (text) {
        counts_t counts =
            counts_of_texts(then, vln_table_rows(table), column, self->rows, self->context->arena);
        note_new(self, &counts, found);
        return;
    }
    const vln_sample_t *sample = samples_hold(self->context->samples, then, vln_table_rows(table));
    if (sample->n > 0) {
        note_outside(self, column, sample->sorted[0], sample->sorted[sample->n - 1]);
    }
    samples_release(self->context->samples, sample);
}

static void
compare_with_profile(quality_t *self, const vln_column_t *column, Valion__V1__ColumnResult *found)
{
    const Valion__V1__ColumnProfile *then = find_profile(self->context, column->name);
    bool text = column->type == VLN_TYPE_STRING;
    if (!then || (then->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING) != text) {
        return;
    }
    if (!text) {
        note_outside(self, column, then->has_min ? then->min : INFINITY,
                     then->has_max ? then->max : -INFINITY);
    } else if (then->other == 0) { /* else one that is not among the most frequent may be old */
        counts_t counts = counts_of_top(then, column, self->rows, self->context->arena);
        note_new(self, &counts, found);
    }
}

static void
compare(quality_t *self, const vln_column_t *column, Valion__V1__ColumnResult *found)
{
    if (self->context->reference.table) {
        compare_with_rows(self, column, found);
    } else {
        compare_with_profile(self, column, found);
    }
}

/* ---- a column ---- */

/* True if it has values, and all are the same text or truth value. */
static bool
is_one_text(const vln_column_t *column, size_t rows)
{
    size_t first = 0;
    while (first < rows && !vln_column_has(column, first)) {
        first++;
    }
    bool same = first < rows;
    for (size_t row = first; same && row < rows; row++) {
        bool other = column->type == VLN_TYPE_STRING
                         ? column->codes[row] != column->codes[first]
                         : vln_column_number(column, row) != vln_column_number(column, first);
        same = !vln_column_has(column, row) || !other;
    }
    return same;
}

/* Cells beyond Tukey's fences; none in texts and booleans. */
static uint64_t
count_outliers(const quality_t *self, const vln_column_t *column, bool *constant)
{
    size_t rows = self->rows;
    *constant = false;
    if (column->type == VLN_TYPE_STRING || column->type == VLN_TYPE_BOOL) {
        *constant = is_one_text(column, rows) && rows > 1;
        return 0;
    }
    const vln_sample_t *sample = samples_hold(self->context->samples, column, rows);
    vln_fences_t fences = vln_fences(sample->sorted, sample->n);
    uint64_t outside = vln_fences_count_outside(&fences, sample->sorted, sample->n);
    *constant = sample->n > 1 && sample->sorted[0] >= sample->sorted[sample->n - 1];
    samples_release(self->context->samples, sample);
    return outside;
}

static void
look(quality_t *self, const vln_column_t *column, Valion__V1__CheckResult *out)
{
    bool constant = false;
    size_t missing = vln_column_missing(column, self->rows);
    uint64_t outliers = count_outliers(self, column, &constant);
    double missing_share = (double)missing / (double)self->rows;
    double outlier_share = (double)outliers / (double)self->rows;
    size_t at = out->n_columns;
    Valion__V1__ColumnResult *found =
        check_add_column(self->context, out, column->name, self->columns);
    found->method = vln_arena_strdup(self->context->arena, "iqr");
    found->has_statistic = found->has_n_current = found->has_missing_current = 1;
    found->statistic = outlier_share;
    found->n_current = (int64_t)(self->rows - missing);
    found->missing_current = missing_share;
    bool bad = missing_share > self->missing_threshold || outlier_share > self->outlier_threshold;
    found->status = bad ? CHECK_WARN : CHECK_PASS;
    if (missing == self->rows) {
        found->note = vln_arena_strdup(self->context->arena, "every value is missing");
    } else if (constant) {
        found->note = vln_arena_strdup(self->context->arena, "all values are equal");
    } else if (column->mixed > 0) {
        found->note = vln_arena_printf(self->context->arena, "%llu cells are not of its type",
                                       (unsigned long long)column->mixed);
    }
    self->weights[at] = missing_share + outlier_share;
    self->missing += missing;
    self->outliers += outliers;
    self->constants += constant;
    self->mixed += column->mixed;
    self->worst_missing = fmax(self->worst_missing, missing_share);
    compare(self, column, found);
    out->columns_flagged += bad;
}

/* Of the columns that are looked at: all of them, or a table made of some. */
static size_t
count_duplicates(const quality_t *self, const vln_column_t *const *columns)
{
    if (self->columns == vln_table_columns(self->context->table)) {
        return vln_table_count_duplicates(self->context->table);
    }
    vln_table_t *part = vln_rows_select(columns, self->columns, self->rows);
    size_t count = vln_table_count_duplicates(part);
    vln_table_destroy(&part);
    return count;
}

/* One that the policy has a threshold for; else it is told and decides nothing. */
static const char *
look_optional(quality_t *self, Valion__V1__CheckResult *out, const char *number, double value,
              const char *threshold)
{
    double most = check_threshold(self->spec, threshold, NAN);
    check_add(self->context, out, number, value);
    if (!isfinite(most)) {
        return "";
    }
    check_add(self->context, out, threshold, most);
    self->issues += value > most;
    return check_text(self->context, CHECK_NOTE_MAX, ", %s is %.3g (at most %g)", number, value,
                      most);
}

static const char *
look_optionals(quality_t *self, Valion__V1__CheckResult *out)
{
    double cells = (double)self->rows * (double)self->columns;
    const char *parts[] = {
        look_optional(self, out, "column_missing_ratio", self->worst_missing,
                      "column_missing_threshold"),
        look_optional(self, out, "constant_columns", (double)self->constants, "constant_threshold"),
        look_optional(self, out, "mixed_ratio", (double)self->mixed / cells, "mixed_threshold"),
        look_optional(self, out, "new_category_ratio", self->worst_new, "new_category_threshold"),
        look_optional(self, out, "out_of_range_ratio", self->worst_outside,
                      "out_of_range_threshold"),
    };
    check_add(self->context, out, "mixed_cells", (double)self->mixed);
    check_add(self->context, out, "new_category_cells", (double)self->new_cells);
    check_add(self->context, out, "out_of_range_cells", (double)self->outside_cells);
    check_add(self->context, out, "compared_columns", (double)self->compared);
    check_add(self->context, out, "duplicate_rows", (double)self->duplicates);
    return check_text(self->context, CHECK_SENTENCE_MAX, "%s%s%s%s%s", parts[0], parts[1], parts[2],
                      parts[3], parts[4]);
}

static const char *
count_issues(const quality_t *self)
{
    static const char *const words[] = {"No issue", "One issue", "Two issues", "Three issues"};
    return self->issues < (int)VLN_COUNT(words)
               ? words[self->issues]
               : vln_arena_printf(self->context->arena, "%d issues", self->issues);
}

static void
decide(quality_t *self, Valion__V1__CheckResult *out)
{
    double rows = (double)self->rows;
    double missing = (double)self->missing / (rows * (double)self->columns);
    double outliers = (double)self->outliers / rows;
    double duplicates = (double)self->duplicates / rows;
    self->issues = (missing > self->missing_threshold) + (outliers > self->outlier_threshold) +
                   (duplicates > self->duplicate_threshold);
    check_set_score(out, 1 - (missing + outliers + duplicates) / 3);
    check_add(self->context, out, "missing_ratio", missing);
    check_add(self->context, out, "outlier_ratio", outliers);
    check_add(self->context, out, "outlier_cell_ratio", outliers / (double)self->columns);
    check_add(self->context, out, "duplicate_ratio", duplicates);
    check_add(self->context, out, "total_rows", rows);
    check_add(self->context, out, "total_columns", (double)self->columns);
    check_add(self->context, out, "missing_threshold", self->missing_threshold);
    check_add(self->context, out, "outlier_threshold", self->outlier_threshold);
    check_add(self->context, out, "duplicate_threshold", self->duplicate_threshold);
    const char *optional = look_optionals(self, out);
    check_set(out, "issues", self->issues, 0, self->rows);
    check_end(self->context, out,
              self->issues == 0   ? CHECK_PASS
              : self->issues == 1 ? CHECK_WARN
                                  : CHECK_FAIL,
              "%s in %zu rows of %zu columns: %.3g %% of the cells are missing (at most %g %%), "
              "there are %.3g outlier cells for each row (at most %g), and %.3g %% of the rows "
              "repeat another (at most %g %%)%s.",
              count_issues(self), self->rows, self->columns, 100 * missing,
              100 * self->missing_threshold, outliers, self->outlier_threshold, 100 * duplicates,
              100 * self->duplicate_threshold, optional);
}

void
check_data_quality(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                   Valion__V1__CheckResult *out)
{
    const char *missing = NULL;
    quality_t self = {.context = context,
                      .spec = spec,
                      .rows = vln_table_rows(context->table),
                      .missing_threshold = check_threshold(spec, "missing_threshold", 0.05),
                      .outlier_threshold = check_threshold(spec, "outlier_threshold", 0.10),
                      .duplicate_threshold = check_threshold(spec, "duplicate_threshold", 0.01)};
    const vln_column_t **columns = check_columns(context, spec, false, &self.columns, &missing);
    if (missing) {
        check_break(context, spec, out, "The data has no column '%s', which the check names",
                    missing);
        return;
    }
    self.weights = vln_arena_alloc(context->arena, (self.columns + 1) * sizeof(double));
    for (size_t i = 0; i < self.columns; i++) {
        look(&self, columns[i], out);
    }
    self.duplicates = count_duplicates(&self, columns);
    out->has_columns_tested = out->has_columns_flagged = 1;
    out->columns_tested = (uint32_t)self.columns;
    check_sort_columns(context, out, self.weights);
    decide(&self, out);
}
