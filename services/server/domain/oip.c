#include "oip.h"

#include <float.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "vln_mem.h"
#include "vln_text.h"
#include "vln_types.h"

typedef struct reader {
    const oip_model_t *model;
    char *why;
} reader_t;

__attribute__((format(printf, 2, 3))) static vln_err_t
refuse(const reader_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->why, OIP_WHY, format, args);
    va_end(args);
    return VLN_INVALID_ARGUMENT;
}

/* ---- datatypes ---- */

typedef enum family { WHOLE, FRACTION, TRUTH, TEXT } family_t;

/* clang-format off */
static const struct {
    const char *name;
    family_t family;
    double low;
    double high;
} datatypes[] = {
    /* name     family     low              high */
    {"FP32",   FRACTION,  -3.5e38,         3.5e38},
    {"FP64",   FRACTION,  -DBL_MAX,        DBL_MAX},
    {"INT8",   WHOLE,     -128,            127},
    {"INT16",  WHOLE,     -32768,          32767},
    {"INT32",  WHOLE,     -2147483648.0,   2147483647},
    {"INT64",  WHOLE,     -9.3e18,         9.3e18},
    {"UINT8",  WHOLE,     0,               255},
    {"UINT16", WHOLE,     0,               65535},
    {"UINT32", WHOLE,     0,               4294967295.0},
    {"UINT64", WHOLE,     0,               1.9e19},
    {"BOOL",   TRUTH,     0,               1},
    {"BYTES",  TEXT,      0,               0},
};
/* clang-format on */

static bool
find_datatype(const char *name, size_t *out)
{
    for (size_t i = 0; name && i < VLN_COUNT(datatypes); i++) {
        if (strcmp(datatypes[i].name, name) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

/* ---- a tensor ---- */

typedef struct tensor {
    const char *name;
    size_t datatype;
    size_t rows;
    size_t columns;
    size_t rank;
    yyjson_val *data;
} tensor_t;

static vln_err_t
read_shape(const reader_t *self, yyjson_val *shape, tensor_t *out)
{
    size_t dims[2] = {0, 1};
    out->rank = yyjson_arr_size(shape);
    if (!yyjson_is_arr(shape) || out->rank < 1 || out->rank > 2) {
        return refuse(self, "tensor \"%.64s\": its shape has one or two dimensions", out->name);
    }
    for (size_t i = 0; i < out->rank; i++) {
        yyjson_val *dim = yyjson_arr_get(shape, i);
        if (!yyjson_is_uint(dim) || yyjson_get_uint(dim) > OIP_ROWS_MAX) {
            return refuse(self, "tensor \"%.64s\": a dimension is 1 to %d", out->name,
                          OIP_ROWS_MAX);
        }
        dims[i] = (size_t)yyjson_get_uint(dim);
    }
    out->rows = dims[0];
    out->columns = dims[1];
    if (out->rows < 1 || out->columns < 1) {
        return refuse(self, "tensor \"%.64s\": a dimension is 1 to %d", out->name, OIP_ROWS_MAX);
    }
    return VLN_OK;
}

static vln_err_t
read_tensor(const reader_t *self, yyjson_val *value, tensor_t *out)
{
    *out = (tensor_t){.name = yyjson_get_str(yyjson_obj_get(value, "name"))};
    if (!yyjson_is_obj(value) || !out->name) {
        return refuse(self, "each of inputs is an object with name, shape, datatype and data");
    }
    const char *datatype = yyjson_get_str(yyjson_obj_get(value, "datatype"));
    if (!find_datatype(datatype, &out->datatype)) {
        return refuse(self, "tensor \"%.64s\": datatype \"%.16s\" is not known", out->name,
                      datatype ? datatype : "");
    }
    out->data = yyjson_obj_get(value, "data");
    if (!yyjson_is_arr(out->data)) {
        return refuse(self, "tensor \"%.64s\": data is a list; the binary form is not taken here",
                      out->name);
    }
    return read_shape(self, yyjson_obj_get(value, "shape"), out);
}

/* Walks the cells row by row, nested or flat. */
typedef struct walk {
    bool nested;
    yyjson_arr_iter rows;
    yyjson_arr_iter cells;
} walk_t;

static vln_err_t
begin_walk(const reader_t *self, const tensor_t *tensor, walk_t *out)
{
    size_t count = yyjson_arr_size(tensor->data);
    out->nested = yyjson_is_arr(yyjson_arr_get_first(tensor->data));
    size_t wanted = out->nested ? tensor->rows : tensor->rows * tensor->columns;
    if (count != wanted) {
        return refuse(self, "tensor \"%.64s\": its shape says %zu values in data; there are %zu",
                      tensor->name, wanted, count);
    }
    yyjson_arr_iter_init(tensor->data, out->nested ? &out->rows : &out->cells);
    return VLN_OK;
}

static vln_err_t
next_row(const reader_t *self, const tensor_t *tensor, walk_t *walk)
{
    if (!walk->nested) {
        return VLN_OK;
    }
    yyjson_val *row = yyjson_arr_iter_next(&walk->rows);
    if (!yyjson_is_arr(row) || yyjson_arr_size(row) != tensor->columns) {
        return refuse(self, "tensor \"%.64s\": each of its rows has %zu values", tensor->name,
                      tensor->columns);
    }
    yyjson_arr_iter_init(row, &walk->cells);
    return VLN_OK;
}

/* ---- cells ---- */

static vln_err_t
refuse_cell(const reader_t *self, const tensor_t *tensor, const char *input, size_t row)
{
    return refuse(self, "tensor \"%.64s\", row %zu: the value of \"%.64s\" is no %s", tensor->name,
                  row + 1, input, datatypes[tensor->datatype].name);
}

static vln_err_t
put_number(const reader_t *self, const tensor_t *tensor, yyjson_val *value, vln_column_t *out,
           size_t row)
{
    family_t family = datatypes[tensor->datatype].family;
    double number = yyjson_is_bool(value) ? yyjson_get_bool(value) : yyjson_get_num(value);
    bool fits = family == TRUTH ? yyjson_is_bool(value) : yyjson_is_num(value);
    fits = fits && (family != WHOLE || yyjson_is_int(value)) &&
           number >= datatypes[tensor->datatype].low && number <= datatypes[tensor->datatype].high;
    if (!fits) {
        return refuse_cell(self, tensor, out->name, row);
    }
    if (out->type == VLN_TYPE_I64) {
        if (number != floor(number) || fabs(number) > 9007199254740992.0) {
            return refuse(self, "\"%.64s\" takes whole numbers; row %zu has another", out->name,
                          row + 1);
        }
        vln_column_set_i64(out, row, (int64_t)number);
    } else if (out->type == VLN_TYPE_BOOL) {
        vln_column_set_bool(out, row, number != 0);
    } else {
        vln_column_set_f64(out, row, number);
    }
    return VLN_OK;
}

static vln_err_t
put_cell(const reader_t *self, const tensor_t *tensor, const Valion__V1__Column *input,
         yyjson_val *value, vln_column_t *out, size_t row)
{
    if (yyjson_is_null(value)) {
        return input->optional_input
                   ? VLN_OK
                   : refuse(self, "\"%.64s\" may not be missing; row %zu has null", input->name,
                            row + 1);
    }
    if (out->type != VLN_TYPE_STRING) {
        return put_number(self, tensor, value, out, row);
    }
    if (!yyjson_is_str(value)) {
        return refuse_cell(self, tensor, input->name, row);
    }
    const char *text = yyjson_get_str(value);
    size_t len = yyjson_get_len(value);
    if (!vln_text_is_utf8(text, len)) {
        return refuse(self, "\"%.64s\", row %zu: the text holds a NUL", input->name, row + 1);
    }
    vln_column_set_text(out, row, text, len);
    return VLN_OK;
}

/* Text goes into text, numbers into numbers. */
static vln_err_t
check_family(const reader_t *self, const tensor_t *tensor, const Valion__V1__Column *input)
{
    bool text = input->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
    bool given = datatypes[tensor->datatype].family == TEXT;
    return text == given ? VLN_OK
                         : refuse(self, "tensor \"%.64s\": \"%.64s\" takes %s, and %s is given",
                                  tensor->name, input->name, text ? "text (BYTES)" : "numbers",
                                  datatypes[tensor->datatype].name);
}

/* The tensor's columns into the table's, from column `first` on. */
static vln_err_t
fill(const reader_t *self, const tensor_t *tensor, size_t first, vln_table_t *table)
{
    walk_t walk;
    vln_err_t err = begin_walk(self, tensor, &walk);
    for (size_t at = 0; at < tensor->columns && err == VLN_OK; at++) {
        err = check_family(self, tensor, self->model->signature->inputs[first + at]);
    }
    for (size_t row = 0; row < tensor->rows && err == VLN_OK; row++) {
        err = next_row(self, tensor, &walk);
        for (size_t at = 0; at < tensor->columns && err == VLN_OK; at++) {
            err =
                put_cell(self, tensor, self->model->signature->inputs[first + at],
                         yyjson_arr_iter_next(&walk.cells), vln_table_edit(table, first + at), row);
        }
    }
    return err;
}

/* ---- requests ---- */

static bool
has_duplicate(yyjson_val *object, const char **name)
{
    yyjson_obj_iter outer = yyjson_obj_iter_with(object);
    for (yyjson_val *key; (key = yyjson_obj_iter_next(&outer));) {
        size_t same = 0;
        yyjson_obj_iter inner = yyjson_obj_iter_with(object);
        for (yyjson_val *other; (other = yyjson_obj_iter_next(&inner));) {
            same += yyjson_equals_strn(other, yyjson_get_str(key), yyjson_get_len(key));
        }
        if (same > 1) {
            *name = yyjson_get_str(key);
            return true;
        }
    }
    return false;
}

/* Objects here have few keys: more than that is no request. */
static vln_err_t
check_object(const reader_t *self, yyjson_val *object)
{
    const char *name = NULL;
    if (!yyjson_is_obj(object) || yyjson_obj_size(object) > 16) {
        return refuse(self, "the body is a JSON object with \"inputs\"");
    }
    if (has_duplicate(object, &name)) {
        return refuse(self, "\"%.64s\" stands twice", name);
    }
    return VLN_OK;
}

static size_t
find_input(const reader_t *self, const char *name)
{
    size_t at = 0;
    while (at < self->model->signature->n_inputs &&
           strcmp(self->model->signature->inputs[at]->name, name) != 0) {
        at++;
    }
    return at;
}

static vln_table_t *
make_table(const reader_t *self, size_t rows)
{
    vln_table_t *table = vln_table_new();
    const Valion__V1__Signature *signature = self->model->signature;
    for (size_t i = 0; i < signature->n_inputs; i++) {
        vln_column_t *column = vln_table_add(table, signature->inputs[i]->name,
                                             vln_type_from_contract(signature->inputs[i]->type));
        vln_assert(column);
    }
    vln_table_set_rows(table, rows);
    return table;
}

static vln_err_t
read_named(const reader_t *self, yyjson_val *value, oip_request_t *out, bool *given)
{
    tensor_t tensor;
    vln_err_t err = check_object(self, value);
    err = err == VLN_OK ? read_tensor(self, value, &tensor) : err;
    if (err != VLN_OK) {
        return err;
    }
    size_t at = find_input(self, tensor.name);
    if (at == self->model->signature->n_inputs) {
        return VLN_OK; /* the model does not take it */
    }
    if (given[at] || tensor.columns != 1 || (out->table && tensor.rows != out->rows)) {
        return refuse(self, "tensor \"%.64s\": %s", tensor.name,
                      given[at]             ? "it stands twice"
                      : tensor.columns != 1 ? "its shape is [rows] or [rows, 1]"
                                            : "it has another number of rows than the others");
    }
    if (!out->table) {
        out->rows = tensor.rows;
        out->table = make_table(self, tensor.rows);
    }
    given[at] = true;
    return fill(self, &tensor, at, out->table);
}

static vln_err_t
read_by_name(const reader_t *self, yyjson_val *inputs, oip_request_t *out)
{
    const Valion__V1__Signature *signature = self->model->signature;
    bool *given = vln_calloc(signature->n_inputs + 1, sizeof *given);
    vln_err_t err = VLN_OK;
    size_t index = 0;
    size_t count = 0;
    yyjson_val *value = NULL;
    yyjson_arr_foreach(inputs, index, count, value)
    {
        err = err == VLN_OK ? read_named(self, value, out, given) : err;
    }
    for (size_t i = 0; i < signature->n_inputs && err == VLN_OK; i++) {
        if (!given[i] && !signature->inputs[i]->optional_input) {
            err = refuse(self, "input \"%.64s\" is missing", signature->inputs[i]->name);
        }
    }
    free(given);
    return err == VLN_OK && !out->table
               ? refuse(self,
                        "none of the tensors is an input of the model; GET "
                        "/v2/models/%.64s names them",
                        self->model->name)
               : err;
}

static vln_err_t
read_matrix(const reader_t *self, const tensor_t *tensor, oip_request_t *out)
{
    const Valion__V1__Signature *signature = self->model->signature;
    if (tensor->columns != signature->n_inputs) {
        return refuse(self, "tensor \"%.64s\" has %zu columns; the model takes %zu", tensor->name,
                      tensor->columns, signature->n_inputs);
    }
    out->rows = tensor->rows;
    out->table = make_table(self, tensor->rows);
    return fill(self, tensor, 0, out->table);
}

/* One tensor that is no input's name, of two dimensions, is all of them side by side. */
static vln_err_t
read_inputs(const reader_t *self, yyjson_val *inputs, oip_request_t *out)
{
    tensor_t tensor;
    size_t count = yyjson_arr_size(inputs);
    if (!yyjson_is_arr(inputs) || count < 1 || count > VLN_TABLE_COLUMNS_MAX) {
        return refuse(self, "\"inputs\" is a list of 1 to %d tensors", VLN_TABLE_COLUMNS_MAX);
    }
    if (count > 1) {
        return read_by_name(self, inputs, out);
    }
    yyjson_val *only = yyjson_arr_get_first(inputs);
    vln_err_t err = check_object(self, only);
    err = err == VLN_OK ? read_tensor(self, only, &tensor) : err;
    if (err != VLN_OK) {
        return err;
    }
    bool named = find_input(self, tensor.name) < self->model->signature->n_inputs;
    return named || tensor.rank == 1 ? read_by_name(self, inputs, out)
                                     : read_matrix(self, &tensor, out);
}

static vln_err_t
read_id(const reader_t *self, yyjson_val *id, oip_request_t *out)
{
    if (id && (!yyjson_is_str(id) || yyjson_get_len(id) > OIP_ID_MAX ||
               strlen(yyjson_get_str(id)) != yyjson_get_len(id))) {
        return refuse(self, "\"id\" is a text of at most %d bytes", OIP_ID_MAX);
    }
    vln_text_copy(out->id, sizeof out->id, id ? yyjson_get_str(id) : "");
    return VLN_OK;
}

/* The parser itself is not recursive; who reads its result deeper than this is. */
static bool
is_deep(const char *body, size_t size)
{
    int depth = 0;
    bool quoted = false;
    for (size_t i = 0; i < size; i++) {
        char byte = body[i];
        if (quoted) {
            quoted = byte != '"';
            i += byte == '\\'; /* whatever follows is part of the text */
        } else if (byte == '"') {
            quoted = true;
        } else if (byte == '{' || byte == '[') {
            depth++;
        } else if (byte == '}' || byte == ']') {
            depth--;
        }
        if (depth > OIP_DEPTH_MAX) {
            return true;
        }
    }
    return false;
}

static vln_err_t
read_body(const reader_t *self, yyjson_val *root, oip_request_t *out)
{
    vln_err_t err = check_object(self, root);
    err = err == VLN_OK ? read_id(self, yyjson_obj_get(root, "id"), out) : err;
    return err == VLN_OK ? read_inputs(self, yyjson_obj_get(root, "inputs"), out) : err;
}

vln_err_t
oip_request_read(const oip_model_t *model, const char *body, size_t size, oip_request_t *out,
                 char why[OIP_WHY])
{
    const reader_t self = {model, why};
    yyjson_read_err error;
    *out = (oip_request_t){0};
    if (size > OIP_BODY_MAX) {
        return refuse(&self, "the body has %zu bytes; at most %d are taken", size, OIP_BODY_MAX);
    }
    if (is_deep(body, size)) {
        return refuse(&self, "the body is nested deeper than %d", OIP_DEPTH_MAX);
    }
    /* Without the flag for reading in place the text is not written to. */
    yyjson_doc *document = yyjson_read_opts((char *)(uintptr_t)body, size, 0, NULL, &error);
    if (!document) {
        return refuse(&self, "the body is no JSON: %.100s at byte %zu", error.msg, error.pos);
    }
    vln_err_t err = read_body(&self, yyjson_doc_get_root(document), out);
    yyjson_doc_free(document);
    if (err != VLN_OK) {
        oip_request_end(out);
    }
    return err;
}

void
oip_request_end(oip_request_t *self)
{
    vln_table_destroy(&self->table);
    *self = (oip_request_t){0};
}

/* ---- answers ---- */

typedef struct writer {
    yyjson_mut_doc *document;
    yyjson_mut_val *root;
} writer_t;

static writer_t
begin(void)
{
    writer_t self = {.document = yyjson_mut_doc_new(NULL)};
    vln_assert(self.document);
    self.root = yyjson_mut_obj(self.document);
    yyjson_mut_doc_set_root(self.document, self.root);
    return self;
}

static char *
end(writer_t *self, size_t *size)
{
    char *text = yyjson_mut_write(self->document, 0, size);
    vln_assert(text);
    yyjson_mut_doc_free(self->document);
    return text;
}

/* In the fewest digits that give the float back. */
static yyjson_mut_val *
number(const writer_t *self, float value)
{
    char text[32];
    if (!isfinite(value)) {
        return yyjson_mut_null(self->document);
    }
    for (int digits = 6; digits <= 9; digits++) {
        snprintf(text, sizeof text, "%.*g", digits, (double)value);
        if (strtof(text, NULL) == value) {
            break;
        }
    }
    return yyjson_mut_rawcpy(self->document, text);
}

static yyjson_mut_val *
add_tensor(const writer_t *self, yyjson_mut_val *outputs, const char *name, const char *datatype,
           const size_t *shape, size_t rank)
{
    yyjson_mut_val *tensor = yyjson_mut_arr_add_obj(self->document, outputs);
    yyjson_mut_obj_add_strcpy(self->document, tensor, "name", name);
    yyjson_mut_val *dims = yyjson_mut_obj_add_arr(self->document, tensor, "shape");
    for (size_t i = 0; i < rank; i++) {
        yyjson_mut_arr_add_uint(self->document, dims, shape[i]);
    }
    yyjson_mut_obj_add_strcpy(self->document, tensor, "datatype", datatype);
    return yyjson_mut_obj_add_arr(self->document, tensor, "data");
}

static void
add_numbers(const writer_t *self, yyjson_mut_val *outputs, const char *name,
            const vln_sandbox_result_t *result)
{
    const size_t shape[] = {result->rows, result->width};
    yyjson_mut_val *data =
        add_tensor(self, outputs, name, "FP32", shape, result->width == 1 ? 1 : 2);
    for (size_t i = 0; i < result->rows * result->width; i++) {
        yyjson_mut_arr_append(data, number(self, result->values[i]));
    }
}

static size_t
label_of(const vln_sandbox_result_t *result, size_t row)
{
    if (result->labels) {
        return (size_t)result->labels[row];
    }
    const float *values = result->values + row * result->width;
    if (result->width == 1) {
        return values[0] >= 0.5F;
    }
    size_t best = 0;
    for (size_t i = 1; i < result->width; i++) {
        best = values[i] > values[best] ? i : best;
    }
    return best;
}

static void
add_labels(const writer_t *self, yyjson_mut_val *outputs, const oip_model_t *model,
           const vln_sandbox_result_t *result)
{
    const Valion__V1__Signature *signature = model->signature;
    yyjson_mut_val *data = add_tensor(self, outputs, "label", "BYTES", &result->rows, 1);
    for (size_t row = 0; row < result->rows; row++) {
        size_t label = label_of(result, row);
        if (label < signature->n_classes) {
            yyjson_mut_arr_add_strcpy(self->document, data, signature->classes[label]);
        } else {
            yyjson_mut_arr_add_null(self->document, data);
        }
    }
}

static const char *
number_name(const oip_model_t *model)
{
    const Valion__V1__Signature *signature = model->signature;
    if (signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY ||
        signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS) {
        return "probability";
    }
    return signature->n_outputs > 0 && signature->outputs[0]->name ? signature->outputs[0]->name
                                                                   : "prediction";
}

char *
oip_response_write(const oip_model_t *model, const char *id, const vln_sandbox_result_t *result,
                   size_t *size)
{
    writer_t self = begin();
    yyjson_mut_obj_add_str(self.document, self.root, "model_name", model->name);
    yyjson_mut_obj_add_str(self.document, self.root, "model_version", model->version);
    if (id[0] != '\0') {
        yyjson_mut_obj_add_str(self.document, self.root, "id", id);
    }
    yyjson_mut_val *outputs = yyjson_mut_obj_add_arr(self.document, self.root, "outputs");
    if (result->width > 0) {
        add_numbers(&self, outputs, number_name(model), result);
    }
    if (model->signature->n_classes > 0) {
        add_labels(&self, outputs, model, result);
    }
    return end(&self, size);
}

static void
describe_tensor(const writer_t *self, yyjson_mut_val *list, const char *name, const char *datatype,
                size_t columns)
{
    yyjson_mut_val *tensor = yyjson_mut_arr_add_obj(self->document, list);
    yyjson_mut_obj_add_strcpy(self->document, tensor, "name", name);
    yyjson_mut_obj_add_strcpy(self->document, tensor, "datatype", datatype);
    yyjson_mut_val *shape = yyjson_mut_obj_add_arr(self->document, tensor, "shape");
    yyjson_mut_arr_add_int(self->document, shape, -1);
    if (columns > 1) {
        yyjson_mut_arr_add_uint(self->document, shape, columns);
    }
}

static const char *
input_datatype(const Valion__V1__Column *input)
{
    switch (input->type) {
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING:
        return "BYTES";
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64:
        return "INT64";
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL:
        return "BOOL";
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32:
        return "FP32";
    default:
        return "FP64";
    }
}

char *
oip_metadata_write(const oip_model_t *model, const char *platform, size_t *size)
{
    writer_t self = begin();
    const Valion__V1__Signature *signature = model->signature;
    yyjson_mut_obj_add_str(self.document, self.root, "name", model->name);
    yyjson_mut_val *versions = yyjson_mut_obj_add_arr(self.document, self.root, "versions");
    yyjson_mut_arr_add_str(self.document, versions, model->version);
    yyjson_mut_obj_add_str(self.document, self.root, "platform", platform);
    yyjson_mut_val *inputs = yyjson_mut_obj_add_arr(self.document, self.root, "inputs");
    for (size_t i = 0; i < signature->n_inputs; i++) {
        describe_tensor(&self, inputs, signature->inputs[i]->name,
                        input_datatype(signature->inputs[i]), 1);
    }
    yyjson_mut_val *outputs = yyjson_mut_obj_add_arr(self.document, self.root, "outputs");
    bool many = signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS;
    describe_tensor(&self, outputs, number_name(model), "FP32", many ? signature->n_classes : 1);
    if (signature->n_classes > 0) {
        describe_tensor(&self, outputs, "label", "BYTES", 1);
    }
    return end(&self, size);
}

char *
oip_error_write(const char *text, size_t *size)
{
    writer_t self = begin();
    char clean[2 * OIP_WHY];
    vln_text_copy(clean, sizeof clean, text);
    if (!vln_text_is_utf8(clean, strlen(clean))) {
        vln_text_copy(clean, sizeof clean, "the request is wrong, and what is wrong is no text");
    }
    yyjson_mut_obj_add_strcpy(self.document, self.root, "error", clean);
    return end(&self, size);
}
