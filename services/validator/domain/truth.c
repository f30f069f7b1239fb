#include "truth.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

enum { NUMBER_ROOM = 40, SHOWN_CLASSES = 8, LIST_ROOM = 400 };

/* Of a model of two classes that have no names. */
static char zero_text[] = "0";
static char one_text[] = "1";
static char *two_classes[] = {zero_text, one_text};

typedef struct classes {
    char *const *names;
    size_t count;
} classes_t;

/* ---- classes ---- */

static classes_t
classes_of(const Valion__V1__Signature *signature)
{
    bool binary = signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    if (binary && signature->n_classes == 0) {
        return (classes_t){two_classes, 2};
    }
    return (classes_t){signature->classes, signature->n_classes};
}

static int32_t
find_class(const classes_t *classes, const char *text)
{
    for (size_t i = 0; i < classes->count; i++) {
        if (strcmp(classes->names[i], text) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

/* A truth value may stand as a word or as a digit. */
static int32_t
class_of_bool(const classes_t *classes, bool value)
{
    int32_t code = find_class(classes, value ? "true" : "false");
    return code >= 0 ? code : find_class(classes, value ? "1" : "0");
}

/* The row's class, or -1; *shown is what stands in the cell, in `room` unless it is a text. */
static int32_t
class_of(const vln_column_t *column, size_t row, const classes_t *classes, char room[NUMBER_ROOM],
         const char **shown)
{
    *shown = room;
    switch (column->type) {
    case VLN_TYPE_STRING:
        *shown = vln_column_text(column, row);
        break;
    case VLN_TYPE_BOOL:
        *shown = column->boolean[row] ? "true" : "false";
        return class_of_bool(classes, column->boolean[row] != 0);
    case VLN_TYPE_I64:
        snprintf(room, NUMBER_ROOM, "%" PRId64, column->i64[row]);
        break;
    case VLN_TYPE_F64:
        snprintf(room, NUMBER_ROOM, "%.17g", column->f64[row]);
        break;
    }
    return find_class(classes, *shown);
}

/* "low, middle, high" */
static const char *
list_classes(const classes_t *classes, char room[LIST_ROOM])
{
    size_t used = 0;
    room[0] = '\0';
    for (size_t i = 0; i < classes->count && i < SHOWN_CLASSES; i++) {
        size_t size = strlen(classes->names[i]) + 2;
        if (used + size + 8 > LIST_ROOM) {
            break;
        }
        used += (size_t)snprintf(room + used, LIST_ROOM - used, "%s%s", i > 0 ? ", " : "",
                                 classes->names[i]);
    }
    if (classes->count > SHOWN_CLASSES) {
        snprintf(room + used, LIST_ROOM - used, " …");
    }
    return room;
}

static vln_err_t
read_classes(const vln_column_t *column, const classes_t *classes, truth_t *self, int32_t *codes,
             char why[TRUTH_WHY])
{
    char room[NUMBER_ROOM];
    char list[LIST_ROOM];
    const char *shown = NULL;
    for (size_t row = 0; row < self->rows; row++) {
        if (!self->known[row]) {
            continue;
        }
        codes[row] = class_of(column, row, classes, room, &shown);
        if (codes[row] < 0) {
            snprintf(why, TRUTH_WHY,
                     "row %zu: '%s' in the target column '%s' is none of the version's classes "
                     "(%s): leave such rows out, or validate a version that knows them",
                     row + 1, strlen(shown) < 200 ? shown : "a long text", column->name,
                     list_classes(classes, list));
            return VLN_INVALID_ARGUMENT;
        }
    }
    return VLN_OK;
}

/* ---- reading ---- */

static vln_err_t
refuse(char why[TRUTH_WHY], const char *format, const char *name)
{
    char sentence[TRUTH_WHY];
    snprintf(sentence, sizeof sentence, "the target column '%s' %s", name, format);
    memcpy(why, sentence, TRUTH_WHY);
    return VLN_INVALID_ARGUMENT;
}

static void
mark_known(truth_t *self, const vln_column_t *column)
{
    for (size_t row = 0; row < self->rows; row++) {
        self->known[row] = vln_column_has(column, row);
        self->untold += !self->known[row];
    }
}

static vln_err_t
read_values(const vln_column_t *column, truth_t *self, double *values, char why[TRUTH_WHY])
{
    if (!vln_column_numbers(column, self->rows, values)) {
        return refuse(why, "holds text, and the model predicts a number", column->name);
    }
    return VLN_OK;
}

vln_err_t
truth_read(const vln_table_t *table, const char *target, const Valion__V1__Signature *signature,
           vln_arena_t *arena, truth_t *out, char why[TRUTH_WHY])
{
    const vln_column_t *column = vln_table_find(table, target);
    size_t rows = vln_table_rows(table);
    classes_t classes = classes_of(signature);
    *out = (truth_t){.rows = rows, .all = {.task = signature->task, .classes = classes.count}};
    if (!column) {
        return refuse(why, "is not among the columns of the data", target);
    }
    out->known = vln_arena_alloc(arena, rows * sizeof *out->known + 1);
    mark_known(out, column);
    if (out->untold == rows) {
        return refuse(why, "has no value in any row", target);
    }
    if (signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION) {
        double *values = vln_arena_alloc(arena, rows * sizeof *values + 1);
        out->all.values = values;
        return read_values(column, out, values, why);
    }
    if (classes.count < 2) {
        return refuse(why, "names classes, and the version's signature names none", target);
    }
    int32_t *codes = vln_arena_alloc(arena, rows * sizeof *codes + 1);
    out->all.codes = codes;
    return read_classes(column, &classes, out, codes, why);
}

vln_err_t
truth_fits(const truth_t *self, const vln_sandbox_result_t *answers, char why[TRUTH_WHY])
{
    bool regression = self->all.task == VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION;
    if (regression && answers->width != 1) {
        snprintf(why, TRUTH_WHY,
                 "the model gives %zu numbers a row, and one is compared with a target",
                 answers->width);
        return VLN_INVALID_ARGUMENT;
    }
    if (!regression && answers->width > 1 && answers->width != self->all.classes) {
        snprintf(why, TRUTH_WHY,
                 "the model gives %zu probabilities a row, and the version names %zu classes",
                 answers->width, self->all.classes);
        return VLN_INVALID_ARGUMENT;
    }
    for (size_t row = 0; !regression && answers->labels && row < answers->rows; row++) {
        if (answers->labels[row] < 0 || (size_t)answers->labels[row] >= self->all.classes) {
            snprintf(why, TRUTH_WHY,
                     "row %zu: the model says class %d, and the version names %zu classes", row + 1,
                     (int)answers->labels[row], self->all.classes);
            return VLN_INVALID_ARGUMENT;
        }
    }
    return VLN_OK;
}

/* ---- judging ---- */

static bool
is_usable(const float *values, size_t width, bool probabilities)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++) {
        if (!isfinite(values[i])) {
            return false;
        }
        if (probabilities && (values[i] < -1e-6F || values[i] > 1.0F + 1e-6F)) {
            return false;
        }
        sum += (double)values[i];
    }
    return !probabilities || width < 2 || fabs(sum - 1) <= 1e-3;
}

bool *
truth_usable(const truth_t *self, const vln_sandbox_result_t *answers, vln_arena_t *arena,
             size_t *unusable)
{
    /* Whether numbers are meant as probabilities is known where the model was asked; it counted. */
    bool probabilities = answers->not_probability > 0;
    bool *usable = vln_arena_alloc(arena, self->rows * sizeof *usable + 1);
    vln_assert(answers->rows == self->rows);
    *unusable = 0;
    for (size_t row = 0; row < self->rows; row++) {
        usable[row] = answers->width == 0 || is_usable(answers->values + row * answers->width,
                                                       answers->width, probabilities);
        *unusable += !usable[row];
    }
    return usable;
}

/* Arrays of the rows that are kept. */
typedef struct kept {
    double *values;
    int32_t *codes;
    float *scores;
    int32_t *labels;
    size_t count;
} kept_t;

static kept_t
kept_new(const truth_t *self, const vln_sandbox_result_t *answers, vln_arena_t *arena)
{
    return (kept_t){
        .values = vln_arena_alloc(arena, self->rows * sizeof(double) + 1),
        .codes = vln_arena_alloc(arena, self->rows * sizeof(int32_t) + 1),
        .scores = vln_arena_alloc(arena, self->rows * answers->width * sizeof(float) + 1),
        .labels =
            answers->labels ? vln_arena_alloc(arena, self->rows * sizeof(int32_t) + 1) : NULL};
}

static void
keep(const truth_t *self, const vln_sandbox_result_t *answers, size_t row, kept_t *out)
{
    size_t width = answers->width;
    if (self->all.values) {
        out->values[out->count] = self->all.values[row];
    } else {
        out->codes[out->count] = self->all.codes[row];
    }
    if (width > 0) {
        memcpy(out->scores + out->count * width, answers->values + row * width,
               width * sizeof(float));
    }
    if (answers->labels) {
        out->labels[out->count] = answers->labels[row];
    }
    out->count++;
}

check_predictions_t
truth_judge(const truth_t *self, const vln_sandbox_result_t *answers, const bool *others_usable,
            vln_arena_t *arena)
{
    check_predictions_t out = {.rows = self->rows, .untold = self->untold, .truth = self->all};
    const bool *usable = truth_usable(self, answers, arena, &out.unusable);
    kept_t kept = kept_new(self, answers, arena);
    for (size_t row = 0; row < self->rows; row++) {
        if (self->known[row] && usable[row] && (!others_usable || others_usable[row])) {
            keep(self, answers, row, &kept);
        }
    }
    out.truth.values = self->all.values ? kept.values : NULL;
    out.truth.codes = self->all.codes ? kept.codes : NULL;
    out.result = (vln_sandbox_result_t){
        .rows = kept.count, .width = answers->width, .values = kept.scores, .labels = kept.labels};
    if (kept.count > 0) {
        out.scores = vln_scores_make(&out.truth, &out.result, arena);
    }
    return out;
}
