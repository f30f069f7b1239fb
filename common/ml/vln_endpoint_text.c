#include "vln_endpoint_text.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "vln_mem.h"
#include "vln_text.h"

enum { OUTPUTS_MAX = 64, KEYS_MAX = 32, RANK_MAX = 2, NUMBER_ROOM = 32 };

static const double exact_max = 9007199254740992.0; /* whole numbers up to there are exact */

static vln_err_t refuse(char *why, const char *format, ...) VLN_PRINTF(2, 3);

static vln_err_t
refuse(char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VLN_MODEL_WHY, format, args);
    va_end(args);
    return VLN_FAILED_PRECONDITION;
}

/* ---- datatypes ---- */

typedef enum family { FRACTION, WHOLE, TRUTH, TEXT } family_t;

static const struct {
    const char *name;
    family_t family;
} datatypes[] = {
    {"FP32", FRACTION}, {"FP64", FRACTION}, {"INT8", WHOLE},  {"INT16", WHOLE},
    {"INT32", WHOLE},   {"INT64", WHOLE},   {"UINT8", WHOLE}, {"UINT16", WHOLE},
    {"UINT32", WHOLE},  {"UINT64", WHOLE},  {"BOOL", TRUTH},  {"BYTES", TEXT},
};

static bool
find_datatype(yyjson_val *value, size_t *out)
{
    const char *name = yyjson_get_str(value);
    for (size_t i = 0; name && i < VLN_COUNT(datatypes); i++) {
        if (strcmp(datatypes[i].name, name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* ---- texts of the server's ---- */

/* Printable and short, for it goes into reports; `out` is "" for what is not there. */
static bool
take_word(yyjson_val *value, char out[VLN_ENDPOINT_WORD])
{
    const char *text = yyjson_get_str(value);
    size_t len = yyjson_get_len(value);
    out[0] = '\0';
    if (!value || yyjson_is_null(value)) {
        return true;
    }
    if (!text || len >= VLN_ENDPOINT_WORD) {
        return false;
    }
    for (size_t i = 0; i < len; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            return false;
        }
    }
    memcpy(out, text, len);
    out[len] = '\0';
    return true;
}

/* The text is not written to: the flag for reading in place is not given. */
static yyjson_doc *
read_json(const char *body, size_t size, char *why)
{
    yyjson_read_err error;
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)body, size, 0, NULL, &error);
    if (!document) {
        refuse(why, "the server's answer is no JSON: %.100s at byte %zu", error.msg, error.pos);
        return NULL;
    }
    if (!yyjson_is_obj(yyjson_doc_get_root(document))) {
        refuse(why, "the server's answer is no JSON object");
        yyjson_doc_free(document);
        return NULL;
    }
    return document;
}

void
vln_endpoint_read_error(const char *body, size_t size, char out[VLN_ENDPOINT_ERROR])
{
    yyjson_doc *document = yyjson_read(body, size, 0);
    const char *text = yyjson_get_str(yyjson_obj_get(yyjson_doc_get_root(document), "error"));
    vln_text_copy(out, VLN_ENDPOINT_ERROR, text ? text : "");
    for (char *at = out; *at; at++) {
        *at = (char)(*at < ' ' || *at > '~' ? '?' : *at);
    }
    yyjson_doc_free(document);
}

/* ---- what the server says of its model ---- */

static yyjson_val *
find_tensor(yyjson_val *list, const char *name)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (yyjson_val *tensor; (tensor = yyjson_arr_iter_next(&iter));) {
        yyjson_val *is = yyjson_obj_get(tensor, "name");
        if (yyjson_equals_str(is, name)) {
            return tensor;
        }
    }
    return NULL;
}

static bool
is_text_input(const Valion__V1__Column *input)
{
    return input->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
}

static bool
has_text_input(const Valion__V1__Signature *signature)
{
    for (size_t i = 0; i < signature->n_inputs; i++) {
        if (is_text_input(signature->inputs[i])) {
            return true;
        }
    }
    return false;
}

/* Each is looked through for each input of the version, so none may be long. */
static bool
are_tensors(yyjson_val *list)
{
    yyjson_arr_iter iter = yyjson_arr_iter_with(list);
    for (yyjson_val *tensor; (tensor = yyjson_arr_iter_next(&iter));) {
        if (!yyjson_is_obj(tensor) || yyjson_obj_size(tensor) > KEYS_MAX) {
            return false;
        }
    }
    return true;
}

static vln_err_t
take_named(yyjson_val *inputs, const Valion__V1__Signature *signature, vln_endpoint_form_t *out,
           char *why)
{
    out->count = signature->n_inputs;
    for (size_t i = 0; i < signature->n_inputs; i++) {
        const Valion__V1__Column *input = signature->inputs[i];
        yyjson_val *tensor = find_tensor(inputs, input->name);
        if (!tensor) {
            return refuse(why, "the server's model has no input \"%.64s\", which the version takes",
                          input->name);
        }
        if (!find_datatype(yyjson_obj_get(tensor, "datatype"), &out->datatypes[i]) ||
            (datatypes[out->datatypes[i]].family == TEXT) != is_text_input(input)) {
            return refuse(why, "the server's model takes \"%.64s\" in another datatype",
                          input->name);
        }
        out->names[i] = input->name;
    }
    return VLN_OK;
}

static bool
is_as_wide(yyjson_val *tensor, size_t columns)
{
    yyjson_val *shape = yyjson_obj_get(tensor, "shape");
    yyjson_val *width = yyjson_arr_get(shape, 1);
    return yyjson_arr_size(shape) == 2 && yyjson_is_int(width) &&
           (yyjson_get_sint(width) == (int64_t)columns || yyjson_get_sint(width) == -1);
}

static vln_err_t
take_matrix(yyjson_val *tensor, const Valion__V1__Signature *signature, vln_arena_t *arena,
            vln_endpoint_form_t *out, char *why)
{
    const char *name = yyjson_get_str(yyjson_obj_get(tensor, "name"));
    bool fits = name && yyjson_get_len(yyjson_obj_get(tensor, "name")) <= VLN_MODEL_MAX_NAME &&
                is_as_wide(tensor, signature->n_inputs) && !has_text_input(signature) &&
                find_datatype(yyjson_obj_get(tensor, "datatype"), &out->datatypes[0]) &&
                datatypes[out->datatypes[0]].family != TEXT;
    if (!fits) {
        return refuse(why,
                      "the server's model has one input, which does not take the version's %zu "
                      "columns",
                      signature->n_inputs);
    }
    out->is_matrix = true;
    out->count = 1;
    out->names[0] = vln_arena_strdup(arena, name);
    return VLN_OK;
}

static vln_err_t
read_inputs(yyjson_val *root, const Valion__V1__Signature *signature, vln_arena_t *arena,
            vln_endpoint_form_t *out, char *why)
{
    yyjson_val *inputs = yyjson_obj_get(root, "inputs");
    size_t count = yyjson_arr_size(inputs);
    *out = (vln_endpoint_form_t){
        .names = vln_arena_alloc(arena, (signature->n_inputs + 1) * sizeof *out->names),
        .datatypes = vln_arena_alloc(arena, (signature->n_inputs + 1) * sizeof *out->datatypes)};
    if (!yyjson_is_arr(inputs) || count == 0 || count > VLN_ENDPOINT_TENSORS_MAX ||
        !are_tensors(inputs)) {
        return refuse(why, "the server does not say what its model's inputs are");
    }
    yyjson_val *only = yyjson_arr_get_first(inputs);
    bool named =
        count > 1 || (signature->n_inputs == 1 && find_tensor(inputs, signature->inputs[0]->name));
    return named ? take_named(inputs, signature, out, why)
                 : take_matrix(only, signature, arena, out, why);
}

vln_err_t
vln_endpoint_read_model(const char *body, size_t size, const Valion__V1__Signature *signature,
                        vln_arena_t *arena, vln_endpoint_form_t *out, char why[VLN_MODEL_WHY])
{
    yyjson_doc *document = read_json(body, size, why);
    if (!document) {
        return VLN_FAILED_PRECONDITION;
    }
    vln_err_t err = read_inputs(yyjson_doc_get_root(document), signature, arena, out, why);
    yyjson_doc_free(document);
    return err;
}

/* ---- rows as a request ---- */

typedef struct writer {
    const vln_endpoint_form_t *form;
    const vln_predictor_rows_t *rows;
    yyjson_mut_doc *document;
    char *why;
} writer_t;

static yyjson_mut_val *
refuse_cell(const writer_t *self, const vln_column_t *column, size_t row, const char *what)
{
    refuse(self->why, "row %zu of \"%.64s\" %s", row + 1, column->name, what);
    return NULL;
}

static double
number_of(const vln_column_t *column, size_t row)
{
    return column->type == VLN_TYPE_F64   ? column->f64[row]
           : column->type == VLN_TYPE_I64 ? (double)column->i64[row]
                                          : (double)column->boolean[row];
}

/* Whole numbers as they are; fractions in the fewest digits that give them back. */
static yyjson_mut_val *
write_number(const writer_t *self, const vln_column_t *column, size_t row, size_t datatype)
{
    family_t family = datatypes[datatype].family;
    double number = number_of(column, row);
    if (!isfinite(number)) {
        return refuse_cell(self, column, row, "is infinite, which JSON cannot say");
    }
    if (family == FRACTION) {
        return yyjson_mut_real(self->document, number);
    }
    if (family == TRUTH) {
        return number == 0 || number == 1
                   ? yyjson_mut_bool(self->document, number == 1)
                   : refuse_cell(self, column, row, "is neither 0 nor 1; the server wants BOOL");
    }
    if (column->type == VLN_TYPE_I64) {
        return yyjson_mut_sint(self->document, column->i64[row]);
    }
    return number == floor(number) && fabs(number) <= exact_max
               ? yyjson_mut_sint(self->document, (int64_t)number)
               : refuse_cell(self, column, row,
                             "is a fraction, and the server wants whole numbers");
}

static yyjson_mut_val *
write_cell(const writer_t *self, const vln_column_t *column, size_t row, size_t datatype)
{
    if (!vln_column_has(column, row)) {
        return yyjson_mut_null(self->document);
    }
    if (column->type != VLN_TYPE_STRING) {
        return datatypes[datatype].family == TEXT
                   ? refuse_cell(self, column, row, "is a number; the server wants BYTES")
                   : write_number(self, column, row, datatype);
    }
    if (datatypes[datatype].family != TEXT) {
        return refuse_cell(self, column, row, "is a text; the server wants numbers");
    }
    size_t len = 0;
    const char *text = vln_dict_text(column->words, column->codes[row], &len);
    return yyjson_mut_strn(self->document, text, len);
}

/* Columns from `first` on as one tensor, row by row. */
static bool
write_tensor(const writer_t *self, yyjson_mut_val *list, size_t tensor, size_t columns)
{
    const vln_predictor_rows_t *rows = self->rows;
    size_t datatype = self->form->datatypes[tensor];
    yyjson_mut_val *object = yyjson_mut_arr_add_obj(self->document, list);
    yyjson_mut_obj_add_str(self->document, object, "name", self->form->names[tensor]);
    yyjson_mut_val *shape = yyjson_mut_obj_add_arr(self->document, object, "shape");
    yyjson_mut_arr_add_uint(self->document, shape, rows->rows);
    if (self->form->is_matrix) {
        yyjson_mut_arr_add_uint(self->document, shape, columns);
    }
    yyjson_mut_obj_add_str(self->document, object, "datatype", datatypes[datatype].name);
    yyjson_mut_val *data = yyjson_mut_obj_add_arr(self->document, object, "data");
    for (size_t row = rows->first; row < rows->first + rows->rows; row++) {
        for (size_t i = 0; i < columns; i++) {
            size_t column = rows->binding->columns[self->form->is_matrix ? i : tensor];
            yyjson_mut_val *cell =
                write_cell(self, vln_table_at(rows->table, column), row, datatype);
            if (!cell) {
                return false;
            }
            yyjson_mut_arr_append(data, cell);
        }
    }
    return true;
}

char *
vln_endpoint_write_rows(const vln_endpoint_form_t *form, const vln_predictor_rows_t *rows,
                        size_t *size, char why[VLN_MODEL_WHY])
{
    writer_t self = {form, rows, yyjson_mut_doc_new(NULL), why};
    vln_assert(self.document);
    vln_assert(form->is_matrix || form->count == rows->binding->count);
    yyjson_mut_val *root = yyjson_mut_obj(self.document);
    yyjson_mut_doc_set_root(self.document, root);
    yyjson_mut_val *list = yyjson_mut_obj_add_arr(self.document, root, "inputs");
    size_t columns = form->is_matrix ? rows->binding->count : 1;
    bool good = true;
    for (size_t i = 0; i < form->count && good; i++) {
        good = write_tensor(&self, list, i, columns);
    }
    char *text = good ? yyjson_mut_write(self.document, 0, size) : NULL;
    vln_assert(text || !good);
    yyjson_mut_doc_free(self.document);
    return text;
}

/* ---- an answer ---- */

typedef struct tensor {
    const char *name;
    size_t datatype;
    size_t columns;
    yyjson_val *data;
} tensor_t;

static vln_err_t
read_shape(yyjson_val *shape, size_t rows, tensor_t *out, char *why)
{
    size_t rank = yyjson_arr_size(shape);
    yyjson_val *first = yyjson_arr_get_first(shape);
    yyjson_val *second = yyjson_arr_get(shape, 1);
    if (!yyjson_is_arr(shape) || rank < 1 || rank > RANK_MAX || !yyjson_is_uint(first) ||
        yyjson_get_uint(first) != rows) {
        return refuse(why, "the server's output \"%.64s\" is not of the %zu rows that were asked",
                      out->name, rows);
    }
    if (rank == RANK_MAX && (!yyjson_is_uint(second) || yyjson_get_uint(second) < 1 ||
                             yyjson_get_uint(second) > VLN_MODEL_MAX_CLASSES)) {
        return refuse(why, "the server's output \"%.64s\" has not 1 to %d columns", out->name,
                      VLN_MODEL_MAX_CLASSES);
    }
    out->columns = rank == RANK_MAX ? (size_t)yyjson_get_uint(second) : 1;
    return VLN_OK;
}

static vln_err_t
read_tensor(yyjson_val *value, size_t rows, tensor_t *out, char *why)
{
    *out = (tensor_t){.name = yyjson_get_str(yyjson_obj_get(value, "name")),
                      .data = yyjson_obj_get(value, "data")};
    if (!out->name || !yyjson_is_arr(out->data)) {
        return refuse(why, "each of the server's outputs is to have a name and a list of data");
    }
    if (!find_datatype(yyjson_obj_get(value, "datatype"), &out->datatype)) {
        return refuse(why, "the server's output \"%.64s\" has a datatype that is not known",
                      out->name);
    }
    vln_err_t err = read_shape(yyjson_obj_get(value, "shape"), rows, out, why);
    if (err != VLN_OK) {
        return err;
    }
    bool nested = yyjson_is_arr(yyjson_arr_get_first(out->data));
    size_t wanted = nested ? rows : rows * out->columns;
    if (yyjson_arr_size(out->data) != wanted) {
        return refuse(why, "the server's output \"%.64s\" has %zu values; its shape says %zu",
                      out->name, yyjson_arr_size(out->data), wanted);
    }
    return VLN_OK;
}

/* Walks the cells row by row, nested or flat. */
typedef struct walk {
    const tensor_t *tensor;
    bool nested;
    size_t left; /* of this row */
    yyjson_arr_iter rows;
    yyjson_arr_iter cells;
} walk_t;

static walk_t
begin_walk(const tensor_t *tensor)
{
    walk_t self = {.tensor = tensor, .nested = yyjson_is_arr(yyjson_arr_get_first(tensor->data))};
    yyjson_arr_iter_init(tensor->data, self.nested ? &self.rows : &self.cells);
    return self;
}

/* NULL where a row has not as many cells as the shape says. */
static yyjson_val *
next_cell(walk_t *self)
{
    if (self->nested && self->left == 0) {
        yyjson_val *row = yyjson_arr_iter_next(&self->rows);
        if (yyjson_arr_size(row) != self->tensor->columns) {
            return NULL;
        }
        yyjson_arr_iter_init(row, &self->cells);
        self->left = self->tensor->columns;
    }
    self->left -= self->nested ? 1 : 0;
    return yyjson_arr_iter_next(&self->cells);
}

static vln_err_t
read_scores(const tensor_t *tensor, vln_endpoint_answer_t *out, char *why)
{
    size_t count = out->rows * tensor->columns;
    walk_t walk = begin_walk(tensor);
    out->width = tensor->columns;
    out->scores = vln_calloc(count + 1, sizeof *out->scores);
    for (size_t i = 0; i < count; i++) {
        yyjson_val *cell = next_cell(&walk);
        if (!yyjson_is_num(cell) && !yyjson_is_null(cell)) {
            return refuse(why, "the server's output \"%.64s\" has no number in row %zu",
                          tensor->name, i / tensor->columns + 1);
        }
        out->scores[i] = yyjson_is_null(cell) ? NAN : (float)yyjson_get_num(cell);
    }
    return VLN_OK;
}

/* The class that the text names, or -1. */
static int32_t
find_class(const Valion__V1__Signature *signature, const char *text, size_t len)
{
    for (size_t i = 0; i < signature->n_classes; i++) {
        if (strlen(signature->classes[i]) == len && memcmp(signature->classes[i], text, len) == 0) {
            return (int32_t)i;
        }
    }
    return -1;
}

static int32_t
class_of(const Valion__V1__Signature *signature, yyjson_val *cell)
{
    char number[NUMBER_ROOM];
    if (yyjson_is_str(cell)) {
        return find_class(signature, yyjson_get_str(cell), yyjson_get_len(cell));
    }
    if (!yyjson_is_int(cell)) {
        return -1;
    }
    int len =
        yyjson_is_uint(cell)
            ? snprintf(number, sizeof number, "%llu", (unsigned long long)yyjson_get_uint(cell))
            : snprintf(number, sizeof number, "%lld", (long long)yyjson_get_sint(cell));
    return find_class(signature, number, (size_t)len);
}

static vln_err_t
read_labels(const tensor_t *tensor, const Valion__V1__Signature *signature,
            vln_endpoint_answer_t *out, char *why)
{
    walk_t walk = begin_walk(tensor);
    if (tensor->columns != 1) {
        return refuse(why, "the server's output \"%.64s\" has more than one label a row",
                      tensor->name);
    }
    out->labels = vln_calloc(out->rows + 1, sizeof *out->labels);
    for (size_t i = 0; i < out->rows; i++) {
        out->labels[i] = class_of(signature, next_cell(&walk));
        if (out->labels[i] < 0) {
            return refuse(why,
                          "the server's output \"%.64s\" has a label in row %zu that is none of "
                          "the version's classes",
                          tensor->name, i + 1);
        }
    }
    return VLN_OK;
}

static bool
is_classifier(const Valion__V1__Signature *signature)
{
    return signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY ||
           signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS;
}

/* The first output of one of two families, by its name if one has it; NULL: none. */
static const tensor_t *
choose(const tensor_t *tensors, size_t count, const char *name, family_t one, family_t other)
{
    const tensor_t *found = NULL;
    for (size_t i = 0; i < count; i++) {
        family_t family = datatypes[tensors[i].datatype].family;
        if (family != one && family != other) {
            continue;
        }
        if (name && strcmp(tensors[i].name, name) == 0) {
            return &tensors[i];
        }
        found = found ? found : &tensors[i];
    }
    return found;
}

/* Of a classifier: a probability of the second class, of both, or of each. */
static vln_err_t
check_width(const Valion__V1__Signature *signature, const tensor_t *scores, char *why)
{
    size_t classes = signature->n_classes;
    bool binary = signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
    if (!is_classifier(signature) || scores->columns == classes ||
        (binary && scores->columns <= 2)) {
        return VLN_OK;
    }
    return refuse(why, "the server's output \"%.64s\" has %zu columns for %zu classes",
                  scores->name, scores->columns, classes);
}

static vln_err_t
take_outputs(const tensor_t *tensors, size_t count, const Valion__V1__Signature *signature,
             vln_endpoint_answer_t *out, char *why)
{
    bool classifier = is_classifier(signature);
    const char *name = signature->n_outputs > 0 ? signature->outputs[0]->name : NULL;
    const tensor_t *scores = choose(tensors, count, name, FRACTION, classifier ? FRACTION : WHOLE);
    const tensor_t *labels = classifier ? choose(tensors, count, "label", TEXT, WHOLE) : NULL;
    if (!scores && !labels) {
        return refuse(why, "none of the server's outputs has predictions for this task");
    }
    vln_err_t err = scores ? check_width(signature, scores, why) : VLN_OK;
    err = err == VLN_OK && scores ? read_scores(scores, out, why) : err;
    return err == VLN_OK && labels ? read_labels(labels, signature, out, why) : err;
}

static vln_err_t
read_outputs(yyjson_val *root, const Valion__V1__Signature *signature, vln_endpoint_answer_t *out,
             char *why)
{
    tensor_t tensors[OUTPUTS_MAX];
    yyjson_val *outputs = yyjson_obj_get(root, "outputs");
    size_t count = yyjson_arr_size(outputs);
    vln_err_t err = VLN_OK;
    if (!take_word(yyjson_obj_get(root, "model_name"), out->model) ||
        !take_word(yyjson_obj_get(root, "model_version"), out->version)) {
        return refuse(why, "the server's model has a name or version that is none");
    }
    if (!yyjson_is_arr(outputs) || count < 1 || count > OUTPUTS_MAX) {
        return refuse(why, "the server's answer has no outputs");
    }
    yyjson_arr_iter iter = yyjson_arr_iter_with(outputs);
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        err = read_tensor(yyjson_arr_iter_next(&iter), out->rows, &tensors[i], why);
    }
    return err == VLN_OK ? take_outputs(tensors, count, signature, out, why) : err;
}

void
vln_endpoint_answer_end(vln_endpoint_answer_t *self)
{
    free(self->scores);
    free(self->labels);
    *self = (vln_endpoint_answer_t){0};
}

vln_err_t
vln_endpoint_read_answer(const char *body, size_t size, const Valion__V1__Signature *signature,
                         size_t rows, vln_endpoint_answer_t *out, char why[VLN_MODEL_WHY])
{
    *out = (vln_endpoint_answer_t){.rows = rows};
    yyjson_doc *document = read_json(body, size, why);
    if (!document) {
        *out = (vln_endpoint_answer_t){0};
        return VLN_FAILED_PRECONDITION;
    }
    vln_err_t err = read_outputs(yyjson_doc_get_root(document), signature, out, why);
    yyjson_doc_free(document);
    if (err != VLN_OK) {
        vln_endpoint_answer_end(out);
    }
    return err;
}
