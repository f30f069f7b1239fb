/*
 * data_quality: missing cells, outlier cells, repeated rows, each against its threshold. No issue is
 * fine, one is a warning, two or more are a failure.
 */
#include <stdlib.h>

#include "vln_quantile.h"
#include "vln_sample.h"

#include "check_say.h"
#include "rows.h"

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
} quality_t;

/* Cells beyond Tukey's fences; none in texts and booleans. */
static uint64_t
count_outliers(const vln_column_t *column, size_t rows, bool *constant)
{
    *constant = false;
    if (column->type == VLN_TYPE_STRING || column->type == VLN_TYPE_BOOL) {
        return 0;
    }
    double *values = vln_calloc(rows + 1, sizeof *values);
    vln_column_numbers(column, rows, values);
    vln_sample_t sample = vln_sample_make(values, rows);
    vln_fences_t fences = vln_fences(sample.sorted, sample.n);
    uint64_t outside = vln_fences_count_outside(&fences, sample.sorted, sample.n);
    *constant = sample.n > 1 && sample.sorted[0] >= sample.sorted[sample.n - 1];
    vln_sample_end(&sample);
    free(values);
    return outside;
}

static void
look(quality_t *self, const vln_column_t *column, Valion__V1__CheckResult *out)
{
    bool constant = false;
    size_t missing = vln_column_missing(column, self->rows);
    uint64_t outliers = count_outliers(column, self->rows, &constant);
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
    out->columns_flagged += bad;
}

/* Of the columns that are looked at: all of them, or a table made of some. */
static size_t
count_duplicates(const quality_t *self, const vln_column_t *const *columns)
{
    if (self->columns == vln_table_columns(self->context->table)) {
        return vln_table_count_duplicates(self->context->table);
    }
    vln_table_t *part = rows_select(columns, self->columns, self->rows);
    size_t count = vln_table_count_duplicates(part);
    vln_table_destroy(&part);
    return count;
}

static void
decide(const quality_t *self, Valion__V1__CheckResult *out)
{
    double rows = (double)self->rows;
    double missing = (double)self->missing / (rows * (double)self->columns);
    double outliers = (double)self->outliers / rows;
    double duplicates = (double)self->duplicates / rows;
    int issues = (missing > self->missing_threshold) + (outliers > self->outlier_threshold) +
                 (duplicates > self->duplicate_threshold);
    static const char *const words[] = {"No issue", "One issue", "Two issues", "Three issues"};
    check_set(out, "issues", issues, 0, self->rows);
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
    check_end(self->context, out,
              issues == 0   ? CHECK_PASS
              : issues == 1 ? CHECK_WARN
                            : CHECK_FAIL,
              "%s in %zu rows of %zu columns: %.3g %% of the cells are missing (at most %g %%), "
              "there are %.3g outlier cells for each row (at most %g), and %.3g %% of the rows "
              "repeat another (at most %g %%).",
              words[issues], self->rows, self->columns, 100 * missing,
              100 * self->missing_threshold, outliers, self->outlier_threshold, 100 * duplicates,
              100 * self->duplicate_threshold);
}

void
check_data_quality(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                   Valion__V1__CheckResult *out)
{
    const char *missing = NULL;
    quality_t self = {.context = context,
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
