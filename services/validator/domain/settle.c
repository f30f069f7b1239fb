#include "settle.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vln_text.h"
#include "vln_types.h"

enum { NOTE_MAX = 600 };

/* What is being made. */
typedef struct settling {
    const settle_question_t *question;
    vln_arena_t *arena;
    Valion__V1__Signature *signature;
    settle_notes_t *notes;
    char *why;
} settling_t;

static vln_err_t refuse(settling_t *self, vln_err_t err, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

static vln_err_t
refuse(settling_t *self, vln_err_t err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->why, SETTLE_WHY, format, args);
    va_end(args);
    return err;
}

void
settle_note(settle_notes_t *notes, vln_arena_t *arena, const char *format, ...)
{
    char text[NOTE_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bool whole = size >= 0 && (size_t)size < sizeof text; /* a name cut in two would be no text */
    if (whole && notes->count < SETTLE_NOTES_MAX) {
        notes->texts[notes->count++] = vln_arena_strdup(arena, text);
    }
}

/* ---- columns ---- */

/* The columns of a signature or of data, as vln_model_bind() wants them. */
typedef struct columns {
    vln_model_column_t *list;
    size_t count;
} columns_t;

/* A type that is not said is the file's. */
static columns_t
columns_of_signature(const settling_t *self, const Valion__V1__Signature *from)
{
    const Valion__V1__Signature *file = self->signature;
    columns_t out = {.list = vln_arena_alloc(self->arena, (from->n_inputs + 1) * sizeof *out.list),
                     .count = from->n_inputs};
    for (size_t i = 0; i < from->n_inputs; i++) {
        Valion__V1__ColumnType type = from->inputs[i]->type;
        out.list[i] = (vln_model_column_t){
            .name = from->inputs[i]->name ? from->inputs[i]->name : "",
            .type = type                 ? type
                    : i < file->n_inputs ? file->inputs[i]->type
                                         : VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64};
    }
    return out;
}

static columns_t
columns_of_data(const settling_t *self)
{
    const vln_table_t *data = self->question->data;
    const char *target = self->question->target;
    size_t room = vln_table_columns(data);
    columns_t out = {.list = vln_arena_alloc(self->arena, (room + 1) * sizeof *out.list)};
    for (size_t i = 0; i < room; i++) {
        const vln_column_t *column = vln_table_at(data, i);
        if (!target || strcmp(target, column->name) != 0) {
            out.list[out.count++] =
                (vln_model_column_t){column->name, vln_type_to_contract(column->type)};
        }
    }
    return out;
}

/* ---- inputs ---- */

/* A file whose input may have any number of columns takes as many as are named. */
static vln_err_t
open_inputs(settling_t *self)
{
    const settle_question_t *question = self->question;
    Valion__V1__Signature *signature = self->signature;
    size_t count =
        question->expected && question->expected->n_inputs > 0   ? question->expected->n_inputs
        : question->recorded && question->recorded->n_inputs > 0 ? question->recorded->n_inputs
        : question->data                                         ? columns_of_data(self).count
                                                                 : 0;
    if (count == 0 || count > VLN_MODEL_MAX_FEATURES) {
        return refuse(self, VLN_INVALID_ARGUMENT,
                      "the file does not say how many columns it takes: inspect it with rows "
                      "(`data`), or say what it takes (`expected`)");
    }
    signature->inputs = vln_arena_alloc(self->arena, count * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        Valion__V1__Column *column = vln_arena_alloc(self->arena, sizeof *column);
        valion__v1__column__init(column);
        column->name = vln_arena_printf(self->arena, "input[%zu]", i);
        column->has_type = 1;
        column->type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32;
        signature->inputs[signature->n_inputs++] = column;
    }
    settle_note(self->notes, self->arena,
                "the file takes any number of columns; %zu were taken for it", count);
    return VLN_OK;
}

static void
adopt_names(settling_t *self, const columns_t *columns, const vln_model_binding_t *binding)
{
    for (size_t i = 0; i < binding->count; i++) {
        Valion__V1__Column *input = self->signature->inputs[i];
        const char *name = columns->list[binding->columns[i]].name;
        if (!binding->order_assumed && strcmp(input->name, name) != 0) {
            settle_note(self->notes, self->arena, "the file calls the column '%s' '%s'", name,
                        input->name);
        }
        input->name = vln_arena_strdup(self->arena, name);
    }
}

/* What somebody said of the inputs: as many, and each found. */
static vln_err_t
take_said(settling_t *self, const Valion__V1__Signature *said, const char *what)
{
    vln_model_binding_t binding;
    char why[VLN_MODEL_WHY];
    size_t inputs = self->signature->n_inputs;
    if (!said || said->n_inputs == 0) {
        return VLN_OK;
    }
    if (said->n_inputs != inputs) {
        return refuse(self, VLN_FAILED_PRECONDITION,
                      "the file takes %zu columns, and the %s signature has %zu inputs", inputs,
                      what, said->n_inputs);
    }
    columns_t columns = columns_of_signature(self, said);
    vln_err_t err =
        vln_model_bind(self->signature, columns.list, columns.count, self->arena, &binding, why);
    if (err != VLN_OK) {
        return refuse(self, VLN_FAILED_PRECONDITION,
                      "the file is not what the %s signature says: %s", what, why);
    }
    adopt_names(self, &columns, &binding);
    for (size_t i = 0; i < inputs; i++) {
        const Valion__V1__Column *from = said->inputs[binding.columns[i]];
        Valion__V1__Column *input = self->signature->inputs[i];
        input->has_optional_input = from->has_optional_input;
        input->optional_input = from->optional_input;
        input->unit = from->unit;
        input->categories = from->categories;
        input->n_categories = from->n_categories;
    }
    return VLN_OK;
}

/* Names as the data has them; what is missing in it may be missing in a request. */
static vln_err_t
take_data(settling_t *self)
{
    const vln_table_t *data = self->question->data;
    vln_model_binding_t binding;
    char why[VLN_MODEL_WHY];
    columns_t columns = columns_of_data(self);
    vln_err_t err =
        vln_model_bind(self->signature, columns.list, columns.count, self->arena, &binding, why);
    if (err != VLN_OK) {
        return refuse(self, VLN_INVALID_ARGUMENT, "the data does not fit the model: %s%s", why,
                      self->question->target ? "" : "; say which column is the target, if one is");
    }
    adopt_names(self, &columns, &binding);
    for (size_t i = 0; i < self->signature->n_inputs; i++) {
        Valion__V1__Column *input = self->signature->inputs[i];
        const vln_column_t *column = vln_table_find(data, input->name);
        if (!input->has_optional_input) {
            input->has_optional_input = 1;
            input->optional_input = vln_column_missing(column, vln_table_rows(data)) > 0;
        }
    }
    if (binding.order_assumed) {
        settle_note(self->notes, self->arena,
                    "order assumed: the file names no columns, so those of the data were taken in "
                    "their order");
    }
    if (binding.ignored > 0) {
        settle_note(self->notes, self->arena, "%zu columns of the data are no inputs of the model",
                    binding.ignored);
    }
    return VLN_OK;
}

static bool
has_names(const vln_model_t *model)
{
    for (size_t i = 0; i < model->feature_count; i++) {
        if (model->features[i].named) {
            return true;
        }
    }
    return false;
}

static vln_err_t
settle_inputs(settling_t *self)
{
    const settle_question_t *question = self->question;
    const Valion__V1__Signature *said = question->expected && question->expected->n_inputs > 0
                                            ? question->expected
                                            : question->recorded;
    bool named = has_names(question->first) || (said && said->n_inputs > 0);
    vln_err_t err = self->signature->n_inputs == 0 ? open_inputs(self) : VLN_OK;
    if (err == VLN_OK) {
        err = take_said(self, said, said == question->expected ? "expected" : "recorded");
    }
    if (err != VLN_OK) {
        return err;
    }
    if (question->data) {
        return take_data(self);
    }
    return named ? VLN_OK
                 : refuse(self, VLN_INVALID_ARGUMENT,
                          "the file names none of its %zu columns: inspect it with rows (`data`), "
                          "whose columns are then taken in their order, or say the names "
                          "(`expected`)",
                          self->signature->n_inputs);
}

/* ---- the task and the classes ---- */

static const char *
task_name(Valion__V1__TaskType task)
{
    static const char *const names[] = {"not said", "regression", "binary", "multiclass"};
    return (unsigned)task < VLN_COUNT(names) ? names[task] : "unknown";
}

static vln_err_t
settle_task(settling_t *self, const Valion__V1__Signature *said)
{
    Valion__V1__Signature *signature = self->signature;
    Valion__V1__TaskType asked = said ? said->task : VALION__V1__TASK_TYPE__TASK_TYPE_UNSPECIFIED;
    if (signature->task && asked && signature->task != asked) {
        return refuse(self, VLN_FAILED_PRECONDITION,
                      "the file is a model for the task %s, and %s was expected",
                      task_name(signature->task), task_name(asked));
    }
    signature->task = signature->task ? signature->task : asked;
    signature->has_task = signature->task != VALION__V1__TASK_TYPE__TASK_TYPE_UNSPECIFIED;
    if (!signature->has_task) {
        return refuse(self, VLN_INVALID_ARGUMENT,
                      "the file does not say whether it is for regression, binary or multiclass: "
                      "say so (`expected`)");
    }
    return VLN_OK;
}

static bool
are_same_classes(const Valion__V1__Signature *left, const Valion__V1__Signature *right)
{
    for (size_t i = 0; i < left->n_classes; i++) {
        if (strcmp(left->classes[i], right->classes[i]) != 0) {
            return false;
        }
    }
    return true;
}

/* Names, and not the numbers by which a trainer called what somebody else has names for. */
static bool
are_names(const Valion__V1__Signature *signature)
{
    int64_t number = 0;
    for (size_t i = 0; i < signature->n_classes; i++) {
        if (!vln_text_to_i64(signature->classes[i], INT64_MIN, INT64_MAX, &number)) {
            return true;
        }
    }
    return false;
}

/* Classes that the file has names for are these. */
static vln_err_t
settle_classes(settling_t *self, const Valion__V1__Signature *said)
{
    Valion__V1__Signature *signature = self->signature;
    bool named = are_names(signature);
    if (signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION) {
        signature->n_classes = 0;
        signature->positive_class = NULL;
        return VLN_OK;
    }
    if (said && said->n_classes > 0) {
        if (signature->n_classes > 0 && said->n_classes != signature->n_classes) {
            return refuse(self, VLN_FAILED_PRECONDITION,
                          "the file has %zu classes, and %zu were expected", signature->n_classes,
                          said->n_classes);
        }
        if (named && !are_same_classes(signature, said)) {
            return refuse(self, VLN_FAILED_PRECONDITION,
                          "the file's classes are not the expected ones, in their order; its first "
                          "is '%.200s'",
                          signature->classes[0]);
        }
        signature->classes = said->classes;
        signature->n_classes = said->n_classes;
    } else if (!named && signature->n_classes > 0) {
        settle_note(self->notes, self->arena,
                    "the file does not name its %zu classes; they are called by their numbers",
                    signature->n_classes);
    }
    bool binary = signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    signature->positive_class = binary && signature->n_classes == 2 ? signature->classes[1] : NULL;
    return VLN_OK;
}

/* Rows are tables, whose columns have names of their own. */
static vln_err_t
check_names(settling_t *self)
{
    const Valion__V1__Signature *signature = self->signature;
    for (size_t i = 0; i < signature->n_inputs; i++) {
        const char *name = signature->inputs[i]->name;
        if (!name[0] || strlen(name) > VLN_TABLE_NAME_MAX) {
            return refuse(self, VLN_INVALID_ARGUMENT, "a column has a name of 1 to %d bytes",
                          (int)VLN_TABLE_NAME_MAX);
        }
        for (size_t at = 0; at < i; at++) {
            if (strcmp(signature->inputs[at]->name, name) == 0) {
                return refuse(self, VLN_INVALID_ARGUMENT, "two columns are called '%s'", name);
            }
        }
    }
    return VLN_OK;
}

vln_err_t
settle_signature(const settle_question_t *question, vln_arena_t *arena, Valion__V1__Signature **out,
                 settle_notes_t *notes, char why[SETTLE_WHY])
{
    settling_t self = {.question = question,
                       .arena = arena,
                       .signature = vln_model_signature(question->model, arena),
                       .notes = notes,
                       .why = why};
    if (question->first != question->model) {
        const Valion__V1__Signature *first = vln_model_signature(question->first, arena);
        self.signature->inputs = first->inputs;
        self.signature->n_inputs = first->n_inputs;
    }
    const Valion__V1__Signature *said =
        question->expected ? question->expected : question->recorded;
    vln_err_t err = settle_task(&self, said);
    if (err == VLN_OK) {
        err = settle_classes(&self, said);
    }
    if (err == VLN_OK) {
        err = settle_inputs(&self);
    }
    if (err == VLN_OK) {
        err = check_names(&self);
    }
    *out = err == VLN_OK ? self.signature : NULL;
    return err;
}
