#include "trainer_split.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"

#include "moment.h"

enum { STRATA_MAX = 1024, DEFAULT_SEED = 42 };

#define DEFAULT_SHARE 0.8

static bool
is_set(const char *text)
{
    return text && text[0] != '\0';
}

bool
trainer_split_check(vln_task_t *task, const Valion__V1__Split *spec)
{
    if (!spec) {
        return true;
    }
    if (spec->has_train_share && !(spec->train_share > 0 && spec->train_share < 1)) {
        vln_task_fail(task, false, "split.train_share lies between 0 and 1; it is %g",
                      spec->train_share);
        return false;
    }
    if (is_set(spec->stratify) && is_set(spec->time_column)) {
        vln_task_fail(task, false, "split: by stratify or by time_column, not both");
        return false;
    }
    if (is_set(spec->time_column) && spec->has_shuffle && spec->shuffle) {
        vln_task_fail(task, false, "split: what is parted by time_column is not shuffled");
        return false;
    }
    return true;
}

/* What is being parted. */
typedef struct parting {
    vln_task_t *task;
    const vln_dataset_t *data;
    trainer_notes_t *notes;
    split_terms_t terms;
} parting_t;

static const vln_column_t *
find_column(const parting_t *self, const char *option, const char *name)
{
    const vln_column_t *column = vln_table_find(self->data->table, name);
    if (!column) {
        vln_task_fail(self->task, false, "split.%s: the data has no column '%.128s'", option, name);
    }
    return column;
}

static bool
check_held(const parting_t *self, const char *why, split_t *split)
{
    if (split->held == 0) {
        vln_task_fail(self->task, false, "%s", why);
        free(split->rows);
        split->rows = NULL;
    }
    return split->rows != NULL;
}

/* ---- strata ---- */

static int
by_value(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static size_t
keep_distinct(double *sorted, size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        if (kept == 0 || sorted[i] != sorted[kept - 1]) {
            sorted[kept++] = sorted[i];
        }
    }
    return kept;
}

/* A cell as a number that is equal for equal cells alone; a missing one is infinite. */
static double
cell_value(const vln_column_t *column, size_t row)
{
    if (!vln_column_has(column, row)) {
        return INFINITY;
    }
    return column->type == VLN_TYPE_STRING ? (double)column->codes[row]
                                           : vln_column_number(column, row);
}

/* A number for each different value, which are at most STRATA_MAX; 0 if they are more. */
static size_t
number_strata(const parting_t *self, const vln_column_t *column, size_t *strata)
{
    size_t count = self->terms.count;
    double *values = vln_calloc(count, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        values[i] = cell_value(column, self->data->first + i);
    }
    qsort(values, count, sizeof *values, by_value);
    size_t distinct = keep_distinct(values, count);
    for (size_t i = 0; i < count && distinct <= STRATA_MAX; i++) {
        double value = cell_value(column, self->data->first + i);
        const double *found = bsearch(&value, values, distinct, sizeof value, by_value);
        strata[i] = (size_t)(found - values);
    }
    free(values);
    return distinct <= STRATA_MAX ? distinct : 0;
}

static void
note_single(const parting_t *self, const vln_column_t *column, const size_t *strata, size_t count)
{
    size_t *rows = vln_calloc(count + 1, sizeof *rows);
    size_t single = 0;
    for (size_t i = 0; i < self->terms.count; i++) {
        rows[strata[i]]++;
    }
    for (size_t i = 0; i < count; i++) {
        single += rows[i] == 1;
    }
    free(rows);
    if (single > 0) {
        trainer_note(self->task->arena, self->notes,
                     "column '%.128s': values that one row alone has, which is for training: %zu",
                     column->name, single);
    }
}

static bool
part_by_strata(const parting_t *self, const char *name, split_t *out)
{
    const vln_column_t *column = find_column(self, "stratify", name);
    if (!column) {
        return false;
    }
    size_t *strata = vln_calloc(self->terms.count, sizeof *strata);
    size_t count = number_strata(self, column, strata);
    if (count == 0) {
        vln_task_fail(self->task, false,
                      "split.stratify: column '%.128s' has more than %d different values; it is "
                      "for classes",
                      column->name, STRATA_MAX);
    } else {
        note_single(self, column, strata, count);
        *out = split_stratified(&self->terms, strata, count);
    }
    free(strata);
    return count > 0 &&
           check_held(self,
                      "split.stratify: no two rows have the same value, so none can be held "
                      "out",
                      out);
}

/* ---- time ---- */

static bool
take_time(const parting_t *self, const vln_column_t *column, size_t row, double *out)
{
    if (!vln_column_has(column, row)) {
        vln_task_fail(self->task, false,
                      "split.time_column: row %zu has no value in column '%.128s'", row + 1,
                      column->name);
        return false;
    }
    if (column->type != VLN_TYPE_STRING) {
        *out = vln_column_number(column, row);
        return true;
    }
    if (!moment_parse(vln_column_text(column, row), out)) {
        vln_task_fail(self->task, false,
                      "split.time_column: row %zu of column '%.128s' holds no time, such as "
                      "2026-03-01 or 2026-03-01T09:30:00Z: it holds '%.64s'",
                      row + 1, column->name, vln_column_text(column, row));
        return false;
    }
    return true;
}

static bool
part_by_time(const parting_t *self, const char *name, split_t *out)
{
    const vln_column_t *column = find_column(self, "time_column", name);
    bool good = column != NULL;
    if (good && column->type == VLN_TYPE_BOOL) {
        vln_task_fail(self->task, false, "split.time_column: column '%.128s' holds yes and no",
                      column->name);
        good = false;
    }
    double *times = vln_calloc(self->terms.count, sizeof *times);
    for (size_t i = 0; i < self->terms.count && good; i++) {
        good = take_time(self, column, self->data->first + i, &times[i]);
    }
    if (good) {
        *out = split_by_time(&self->terms, times);
    }
    free(times);
    return good && check_held(self,
                              "split.time_column: all rows have the same time, so none can "
                              "be held out",
                              out);
}

/* ---- */

bool
trainer_split_make(vln_task_t *task, const Valion__V1__Split *spec, const vln_dataset_t *data,
                   trainer_notes_t *notes, split_t *out)
{
    const parting_t self = {
        .task = task,
        .data = data,
        .notes = notes,
        .terms = {.count = data->rows,
                  .train_share = spec && spec->has_train_share ? spec->train_share : DEFAULT_SHARE,
                  .seed = spec && spec->has_seed ? spec->seed : DEFAULT_SEED,
                  .shuffle = !spec || !spec->has_shuffle || spec->shuffle}};
    *out = (split_t){0};
    if (data->rows < 2) {
        vln_task_fail(task, false, "one row cannot be parted into train and held-out rows");
        return false;
    }
    if (spec && is_set(spec->stratify)) {
        return part_by_strata(&self, spec->stratify, out);
    }
    if (spec && is_set(spec->time_column)) {
        return part_by_time(&self, spec->time_column, out);
    }
    const split_terms_t *terms = &self.terms;
    *out = split_make(terms->count, terms->train_share, terms->seed, terms->shuffle);
    return true;
}
