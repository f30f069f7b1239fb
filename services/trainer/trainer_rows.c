#include "trainer_rows.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model.h"

enum { NUMBER_ROOM = 40 };

/* ---- the target ---- */

static const vln_column_t *
find_column(vln_task_t *task, const vln_table_t *table, const char *what, const char *name)
{
    const vln_column_t *column = name && name[0] ? vln_table_find(table, name) : NULL;
    if (!column && (!name || !name[0])) {
        vln_task_fail(task, false, "say which column is the %s", what);
    } else if (!column) {
        vln_task_fail(task, false, "%s: the data has no column '%.128s'", what, name);
    }
    return column;
}

static bool
check_whole(vln_task_t *task, const vln_table_t *table, const vln_column_t *column)
{
    size_t missing = vln_column_missing(column, vln_table_rows(table));
    if (missing > 0) {
        vln_task_fail(task, false,
                      "%zu rows have no value in the target column '%.128s': leave them out of "
                      "the data set",
                      missing, column->name);
    }
    return missing == 0;
}

/* The text that names a class; into `room` where the cell is no text. */
static const char *
class_text(const vln_column_t *column, size_t row, char room[NUMBER_ROOM])
{
    switch (column->type) {
    case VLN_TYPE_STRING:
        return vln_column_text(column, row);
    case VLN_TYPE_BOOL:
        return column->boolean[row] ? "true" : "false";
    case VLN_TYPE_I64:
        snprintf(room, NUMBER_ROOM, "%" PRId64, column->i64[row]);
        return room;
    default:
        snprintf(room, NUMBER_ROOM, "%.17g", column->f64[row]);
        return room;
    }
}

/* Numbers by their value, all else as text. */
static int
by_class(const void *left, const void *right)
{
    const char *a = *(char *const *)left;
    const char *b = *(char *const *)right;
    char *a_end = NULL;
    char *b_end = NULL;
    double a_number = strtod(a, &a_end);
    double b_number = strtod(b, &b_end);
    if (a != a_end && b != b_end && !*a_end && !*b_end && a_number != b_number) {
        return a_number < b_number ? -1 : 1;
    }
    return strcmp(a, b);
}

/* The code of a class that is known, or class_count. */
static size_t
find_class(const trainer_target_t *target, const char *text)
{
    size_t at = 0;
    while (at < target->class_count && strcmp(target->classes[at], text) != 0) {
        at++;
    }
    return at;
}

static bool
collect_classes(vln_task_t *task, const vln_table_t *table, const vln_column_t *column,
                trainer_target_t *out)
{
    char room[NUMBER_ROOM];
    out->classes = vln_arena_alloc(task->arena, TRAINER_CLASSES_MAX * sizeof(char *));
    for (size_t row = 0; row < vln_table_rows(table); row++) {
        const char *text = class_text(column, row, room);
        if (find_class(out, text) < out->class_count) {
            continue;
        }
        if (out->class_count == TRAINER_CLASSES_MAX) {
            vln_task_fail(
                task, false,
                "the target column '%.128s' has more than %d distinct values: it names no "
                "classes; say task TASK_TYPE_REGRESSION if it is a quantity",
                column->name, TRAINER_CLASSES_MAX);
            return false;
        }
        out->classes[out->class_count++] = vln_arena_strdup(task->arena, text);
    }
    qsort(out->classes, out->class_count, sizeof *out->classes, by_class);
    if (out->class_count < 2) {
        vln_task_fail(task, false, "the target column '%.128s' holds a single value", column->name);
        return false;
    }
    return true;
}

/* The positive class is the second. */
static bool
place_positive(vln_task_t *task, const char *positive, trainer_target_t *out)
{
    if (!positive || !positive[0]) {
        return true;
    }
    size_t at = find_class(out, positive);
    if (out->task != VLN_RECIPE_BINARY || at == out->class_count) {
        vln_task_fail(task, false, "positive_class: '%.64s' is not one of two classes", positive);
        return false;
    }
    if (at == 0) {
        char *first = out->classes[0];
        out->classes[0] = out->classes[1];
        out->classes[1] = first;
    }
    return true;
}

static bool
is_quantity(const Valion__V1__TrainSpec *spec, const vln_column_t *column)
{
    if (spec->task != VALION__V1__TASK_TYPE__TASK_TYPE_UNSPECIFIED) {
        return spec->task == VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION;
    }
    return column->type == VLN_TYPE_F64 || column->type == VLN_TYPE_I64;
}

static bool
check_task(vln_task_t *task, const Valion__V1__TrainSpec *spec, const trainer_target_t *target)
{
    bool binary = spec->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    if (binary && target->class_count != 2) {
        vln_task_fail(task, false,
                      "the target column '%.128s' has %zu classes, and the task is binary",
                      target->column, target->class_count);
        return false;
    }
    return true;
}

bool
trainer_target_find(vln_task_t *task, const Valion__V1__TrainSpec *spec, const vln_table_t *table,
                    trainer_target_t *out)
{
    *out = (trainer_target_t){.column = spec->target};
    const vln_column_t *column = find_column(task, table, "target", spec->target);
    if (!column || !check_whole(task, table, column)) {
        return false;
    }
    if (is_quantity(spec, column)) {
        if (column->type == VLN_TYPE_STRING) {
            vln_task_fail(task, false, "the target column '%.128s' holds text, no quantity",
                          column->name);
        }
        return column->type != VLN_TYPE_STRING;
    }
    if (!collect_classes(task, table, column, out) || !check_task(task, spec, out)) {
        return false;
    }
    bool many = spec->task == VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS || out->class_count > 2;
    out->task = many ? VLN_RECIPE_MULTICLASS : VLN_RECIPE_BINARY;
    return place_positive(task, spec->positive_class, out);
}

/* ---- the signature ---- */

static Valion__V1__Column *
add_column(vln_arena_t *arena, Valion__V1__Column ***list, size_t *count, const char *name,
           Valion__V1__ColumnType type)
{
    Valion__V1__Column *self = vln_arena_alloc(arena, sizeof *self);
    valion__v1__column__init(self);
    self->name = vln_arena_strdup(arena, name);
    self->has_type = 1;
    self->type = type;
    (*list)[(*count)++] = self;
    return self;
}

/* What was never missing in training may not be missing in a request. */
static void
add_known(vln_arena_t *arena, Valion__V1__Signature *signature, const vln_table_t *table,
          const char *name, Valion__V1__ColumnType type)
{
    const vln_column_t *known = vln_table_find(table, name);
    Valion__V1__Column *column =
        add_column(arena, &signature->inputs, &signature->n_inputs, name, type);
    column->has_optional_input = 1;
    column->optional_input = known && vln_column_missing(known, vln_table_rows(table)) > 0;
}

/* Numbers are floats to a tree or a sum, whatever the file held; text it cannot take. */
static bool
add_input(vln_task_t *task, Valion__V1__Signature *signature, const vln_table_t *table,
          const vln_column_t *column)
{
    if (column->type == VLN_TYPE_STRING) {
        vln_task_fail(task, false,
                      "column '%.128s' holds text, and the model takes numbers: leave it out with "
                      "`features`, or encode it before",
                      column->name);
        return false;
    }
    add_known(task->arena, signature, table, column->name,
              VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64);
    return true;
}

static bool
is_feature(const Valion__V1__TrainSpec *spec, const char *name)
{
    bool is_weight = spec->weight_column && strcmp(spec->weight_column, name) == 0;
    return !is_weight && strcmp(spec->target, name) != 0;
}

static bool
add_inputs(vln_task_t *task, const Valion__V1__TrainSpec *spec, const vln_table_t *table,
           Valion__V1__Signature *signature)
{
    signature->inputs = vln_arena_alloc(task->arena, (vln_table_columns(table) + spec->n_features) *
                                                         sizeof(void *));
    for (size_t i = 0; i < spec->n_features; i++) {
        const vln_column_t *column = find_column(task, table, "features", spec->features[i]);
        if (!column || !add_input(task, signature, table, column)) {
            return false;
        }
    }
    for (size_t i = 0; spec->n_features == 0 && i < vln_table_columns(table); i++) {
        const vln_column_t *column = vln_table_at(table, i);
        if (is_feature(spec, column->name) && !add_input(task, signature, table, column)) {
            return false;
        }
    }
    if (signature->n_inputs == 0 || signature->n_inputs > VLN_MODEL_MAX_FEATURES) {
        vln_task_fail(task, false, "%zu feature columns; there are 1 to %d", signature->n_inputs,
                      VLN_MODEL_MAX_FEATURES);
        return false;
    }
    return true;
}

/* What the preprocessor takes is what the version takes: numbers, and text where the file has it. */
static bool
copy_inputs(vln_task_t *task, const vln_predictor_t *predictor, const vln_table_t *table,
            const char *target, Valion__V1__Signature *signature)
{
    const Valion__V1__Signature *first = vln_predictor_signature(predictor);
    signature->inputs = vln_arena_alloc(task->arena, first->n_inputs * sizeof(void *) + 1);
    for (size_t i = 0; i < first->n_inputs; i++) {
        if (strcmp(first->inputs[i]->name, target) == 0) {
            vln_task_fail(task, false, "the preprocessor takes the target column '%.128s'", target);
            return false;
        }
        bool is_text = first->inputs[i]->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
        add_known(task->arena, signature, table, first->inputs[i]->name,
                  is_text ? VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING
                          : VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64);
    }
    return true;
}

static void
add_outputs(vln_arena_t *arena, const trainer_target_t *target, Valion__V1__Signature *signature)
{
    static const Valion__V1__TaskType tasks[] = {
        [VLN_RECIPE_REGRESSION] = VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION,
        [VLN_RECIPE_BINARY] = VALION__V1__TASK_TYPE__TASK_TYPE_BINARY,
        [VLN_RECIPE_MULTICLASS] = VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS};
    signature->outputs = vln_arena_alloc(arena, sizeof(void *));
    add_column(arena, &signature->outputs, &signature->n_outputs, target->column,
               VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32);
    signature->has_task = 1;
    signature->task = tasks[target->task];
    signature->classes = target->classes;
    signature->n_classes = target->class_count;
    if (target->task == VLN_RECIPE_BINARY) {
        signature->positive_class = target->classes[1];
    }
}

/* What the preprocessor gives is called as its file says. Where that says nothing, as many numbers as it
 * takes keep the inputs' names, and others have none. */
static void
name_columns(vln_arena_t *arena, size_t width, const trainer_preprocessor_t *preprocessor,
             trainer_features_t *self)
{
    const vln_model_t *file =
        preprocessor->predictor ? vln_predictor_model(preprocessor->predictor) : NULL;
    bool is_named = file && file->column_count == width;
    self->columns = width;
    self->names = vln_arena_alloc(arena, width * sizeof(char *) + 1);
    for (size_t i = 0; i < width; i++) {
        self->names[i] = is_named ? vln_arena_strdup(arena, file->columns[i])
                         : width == self->signature->n_inputs
                             ? self->signature->inputs[i]->name
                             : vln_arena_printf(arena, "prepared[%zu]", i);
    }
}

bool
trainer_features_find(vln_task_t *task, const Valion__V1__TrainSpec *spec, const vln_table_t *table,
                      const trainer_target_t *target, const trainer_preprocessor_t *preprocessor,
                      trainer_features_t *out)
{
    Valion__V1__Signature *signature = vln_arena_alloc(task->arena, sizeof *signature);
    valion__v1__signature__init(signature);
    *out = (trainer_features_t){.signature = signature};
    bool ok = preprocessor->predictor
                  ? copy_inputs(task, preprocessor->predictor, table, target->column, signature)
                  : add_inputs(task, spec, table, signature);
    if (!ok) {
        return false;
    }
    add_outputs(task->arena, target, signature);
    size_t width = preprocessor->predictor ? vln_predictor_model(preprocessor->predictor)->width
                                           : signature->n_inputs;
    if (width == 0 || width > VLN_MODEL_MAX_FEATURES) {
        vln_task_fail(task, false, "the preprocessor does not say how many numbers it gives");
        return false;
    }
    name_columns(task->arena, width, preprocessor, out);
    return !preprocessor->predictor || trainer_check_cells(task, vln_table_rows(table), width);
}

/* ---- numbers ---- */

static bool
put_label(const trainer_target_t *target, const vln_column_t *column, size_t row, float *out)
{
    char room[NUMBER_ROOM];
    if (!vln_column_has(column, row)) {
        return false;
    }
    if (target->task != VLN_RECIPE_REGRESSION) {
        size_t code = find_class(target, class_text(column, row, room));
        *out = (float)code;
        return code < target->class_count;
    }
    *out = column->type == VLN_TYPE_I64    ? (float)column->i64[row]
           : column->type == VLN_TYPE_BOOL ? (float)column->boolean[row]
                                           : (float)column->f64[row];
    return isfinite(*out);
}

bool
trainer_labels_make(vln_task_t *task, const trainer_choice_t *choice,
                    const trainer_target_t *target, float *out)
{
    const vln_column_t *column = find_column(task, choice->table, "target", target->column);
    bool fits =
        column && (column->type != VLN_TYPE_STRING || target->task != VLN_RECIPE_REGRESSION);
    for (size_t i = 0; fits && i < choice->count; i++) {
        if (!put_label(target, column, choice->rows[i], &out[i])) {
            vln_task_fail(task, false,
                          "row %zu: the target '%.128s' has no value that the model can learn",
                          choice->rows[i] + 1, target->column);
            return false;
        }
    }
    if (column && !fits) {
        vln_task_fail(task, false, "the target column '%.128s' holds text here", target->column);
    }
    return fits;
}

static void
fill_column(const trainer_choice_t *choice, const vln_column_t *column, size_t at, size_t columns,
            float *out)
{
    double *values = vln_calloc(vln_table_rows(choice->table) + 1, sizeof *values);
    vln_column_numbers(column, vln_table_rows(choice->table), values);
    for (size_t i = 0; i < choice->count; i++) {
        out[i * columns + at] = (float)values[choice->rows[i]];
    }
    free(values);
}

static bool
fill_cells(vln_task_t *task, const trainer_choice_t *choice, const trainer_features_t *features,
           float *out)
{
    for (size_t i = 0; i < features->columns; i++) {
        const vln_column_t *column =
            find_column(task, choice->table, "features", features->names[i]);
        if (!column) {
            return false;
        }
        if (column->type == VLN_TYPE_STRING) {
            vln_task_fail(task, false, "column '%.128s' holds text here", column->name);
            return false;
        }
        fill_column(choice, column, i, features->columns, out);
    }
    return true;
}

/* By the preprocessor, over the whole table: its rows are then chosen. */
static bool
prepare_cells(vln_task_t *task, const trainer_choice_t *choice, const trainer_features_t *features,
              vln_predictor_t *predictor, float *out)
{
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome;
    vln_err_t err = vln_predictor_predict(predictor, choice->table, 0,
                                          vln_table_rows(choice->table), &result, &outcome);
    if (err != VLN_OK) {
        trainer_fail_outcome(task, err, "preprocessor", &outcome);
    }
    for (size_t i = 0; err == VLN_OK && i < choice->count; i++) {
        memcpy(out + i * features->columns, result.values + choice->rows[i] * features->columns,
               features->columns * sizeof *out);
    }
    vln_sandbox_result_end(&result);
    return err == VLN_OK;
}

static bool
fill_weights(vln_task_t *task, const trainer_choice_t *choice, float *out)
{
    const vln_column_t *column = find_column(task, choice->table, "weight column", choice->weights);
    if (!column || column->type == VLN_TYPE_STRING) {
        if (column) {
            vln_task_fail(task, false, "the weight column '%.128s' holds text", column->name);
        }
        return false;
    }
    fill_column(choice, column, 0, 1, out);
    for (size_t i = 0; i < choice->count; i++) {
        if (!(out[i] >= 0) || !isfinite(out[i])) {
            vln_task_fail(task, false, "row %zu: a weight is a number from 0", choice->rows[i] + 1);
            return false;
        }
    }
    return true;
}

bool
trainer_numbers_make(vln_task_t *task, const trainer_choice_t *choice,
                     const trainer_target_t *target, const trainer_features_t *features,
                     const trainer_preprocessor_t *preprocessor, vln_fit_numbers_t *out)
{
    *out = (vln_fit_numbers_t){.cells =
                                   vln_calloc(choice->count * features->columns + 1, sizeof(float)),
                               .labels = vln_calloc(choice->count + 1, sizeof(float)),
                               .rows = choice->count};
    bool ok = trainer_labels_make(task, choice, target, out->labels) &&
              (preprocessor->predictor
                   ? prepare_cells(task, choice, features, preprocessor->predictor, out->cells)
                   : fill_cells(task, choice, features, out->cells));
    if (ok && choice->weights && choice->weights[0]) {
        out->weights = vln_calloc(choice->count + 1, sizeof(float));
        ok = fill_weights(task, choice, out->weights);
    }
    if (!ok) {
        vln_fit_numbers_end(out);
    }
    return ok;
}
