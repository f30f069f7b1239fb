#include "vln_model.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model_inside.h"
#include "vln_text.h"

/* ---- kinds ---- */

const char *
vln_model_kind_name(vln_model_kind_t kind)
{
    static const char *const names[] = {
        [VLN_MODEL_AUTO] = "auto",
        [VLN_MODEL_XGBOOST_JSON] = "xgboost-json",
        [VLN_MODEL_XGBOOST_UBJ] = "xgboost-ubj",
        [VLN_MODEL_ONNX] = "onnx",
        [VLN_MODEL_UNKNOWN] = "unknown",
    };
    return names[kind];
}

/* clang-format off */
#define BY_ONNX "; Valion takes XGBoost (JSON, UBJ) and ONNX files"
/* How foreign files begin, and what to say of them: the longer beginning first. */
static const struct foreign {
    const char *magic;
    size_t size;
    const char *sentence;
} foreigners[] = {
    {"tree\nversion=", 13, "this is a LightGBM text file" BY_ONNX
        ": convert it with onnxmltools.convert_lightgbm and register the ONNX file"},
    {"\x89HDF\r\n\x1a\n", 8, "this is an HDF5 file, as Keras writes it" BY_ONNX
        ": convert it with tf2onnx and register the ONNX file"},
    {"bs64", 4, "this is a file of XGBoost's old text-encoded format" BY_ONNX
        ": load it with an XGBoost of before 3.1 and save it as booster.save_model(\"model.ubj\")"},
    {"binf", 4, "this is a file of XGBoost's old binary format, which XGBoost itself has given up" BY_ONNX
        ": load it with an XGBoost of before 3.1 and save it as booster.save_model(\"model.ubj\")"},
    {"CBM1", 4, "this is a CatBoost file" BY_ONNX
        ": save it with model.save_model(\"model.onnx\", format=\"onnx\")"},
    {"PK\x03\x04", 4, "this is a ZIP archive, as PyTorch (.pt), Keras (.keras) and NumPy (.npz) write it"
        BY_ONNX ": export the model with torch.onnx.export or tf2onnx and register the ONNX file"},
    {"\x89PNG", 4, "this is a PNG image, no model" BY_ONNX},
    {"PAR1", 4, "this is a Parquet file: data, no model" BY_ONNX},
    {"<?xml", 5, "this is an XML file, such as PMML" BY_ONNX ": export the model to ONNX instead"},
    {"<PMML", 5, "this is a PMML file" BY_ONNX ": export the model to ONNX instead"},
    {"\x1f\x8b", 2, "this is a gzip file, as joblib can write it: it is never opened" BY_ONNX
        ": export a scikit-learn model with skl2onnx.to_onnx(model, X[:1])"},
    {"BZh", 3, "this is a bzip2 file, as joblib can write it: it is never opened" BY_ONNX
        ": export a scikit-learn model with skl2onnx.to_onnx(model, X[:1])"},
    {"\xfd" "7zXZ", 5, "this is an xz file, as joblib can write it: it is never opened" BY_ONNX
        ": export a scikit-learn model with skl2onnx.to_onnx(model, X[:1])"},
};
/* clang-format on */

static const char pickle_sentence[] =
    "this is a Python pickle or a joblib file, which can run any code when it is opened, so it "
    "never is" BY_ONNX ": export a scikit-learn model with skl2onnx.to_onnx(model, X[:1])";

static bool
begins(const uint8_t *bytes, size_t size, const char *magic, size_t magic_size)
{
    return size >= magic_size && memcmp(bytes, magic, magic_size) == 0;
}

/* Protocol 2 and later begin with a mark and their number; 0 and 1 with the operator that they
 * happen to need: "(" "c" "]" "}", and end with a full stop. */
static bool
is_pickle(const uint8_t *bytes, size_t size)
{
    if (size >= 2 && bytes[0] == 0x80 && bytes[1] >= 2 && bytes[1] <= 5) {
        return true;
    }
    return size >= 4 && bytes[size - 1] == '.' &&
           (begins(bytes, size, "(dp", 3) || begins(bytes, size, "(lp", 3) ||
            begins(bytes, size, "ccopy_reg", 9) || begins(bytes, size, "c__", 3));
}

const char *
vln_model_foreign(const uint8_t *bytes, size_t size)
{
    if (size == 0) {
        return "the file is empty";
    }
    if (is_pickle(bytes, size)) {
        return pickle_sentence;
    }
    for (size_t i = 0; i < VLN_COUNT(foreigners); i++) {
        if (begins(bytes, size, foreigners[i].magic, foreigners[i].size)) {
            return foreigners[i].sentence;
        }
    }
    if (size >= 8 && memcmp(bytes + 4, "ORTM", 4) == 0) {
        return "this is a file of ONNX Runtime's own format: register the ONNX file that it was "
               "made from";
    }
    return "this is no model file that is known" BY_ONNX;
}

static size_t
skip_blanks(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at < size &&
           (bytes[at] == ' ' || bytes[at] == '\t' || bytes[at] == '\n' || bytes[at] == '\r')) {
        at++;
    }
    return at;
}

/* JSON and UBJSON both begin with a brace; a name follows in quotes, or as its length. */
static vln_model_kind_t
detect_braces(const uint8_t *bytes, size_t size)
{
    size_t at = 1 + skip_blanks(bytes + 1, size - 1);
    if (at < size && (bytes[at] == '"' || bytes[at] == '}')) {
        return VLN_MODEL_XGBOOST_JSON;
    }
    bool is_length = size > 1 && bytes[1] != 0 && strchr("LlIiU#$", bytes[1]);
    return is_length ? VLN_MODEL_XGBOOST_UBJ : VLN_MODEL_UNKNOWN;
}

/* An ONNX file has no mark: it is a protobuf message whose first field is the small number of its
 * format; some writers begin with the producer's name or the graph. */
static bool
looks_like_onnx(const uint8_t *bytes, size_t size)
{
    if (size < 2 || (size >= 8 && memcmp(bytes + 4, "ORTM", 4) == 0)) {
        return false;
    }
    bool version_first = bytes[0] == 0x08 && bytes[1] < 0x80;
    bool graph_first = bytes[0] == 0x3a && bytes[1] != 0;
    bool producer_first = bytes[0] == 0x12 && size > 2u + bytes[1] && bytes[1] < 0x80;
    return version_first || graph_first || producer_first;
}

vln_model_kind_t
vln_model_detect(const uint8_t *bytes, size_t size)
{
    size_t blanks = skip_blanks(bytes, size);
    if (blanks < size && bytes[blanks] == '{') {
        vln_model_kind_t kind = detect_braces(bytes + blanks, size - blanks);
        return kind == VLN_MODEL_XGBOOST_UBJ && blanks > 0 ? VLN_MODEL_UNKNOWN : kind;
    }
    return looks_like_onnx(bytes, size) ? VLN_MODEL_ONNX : VLN_MODEL_UNKNOWN;
}

/* ---- what the readers share ---- */

vln_err_t
vln_model_refuse(char *why, vln_err_t err, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VLN_MODEL_WHY, format, args);
    va_end(args);
    return err;
}

const char *
vln_model_text(vln_span_t span, size_t max, vln_arena_t *arena)
{
    if (span.size == 0 || span.size > max || !vln_text_is_utf8((const char *)span.at, span.size)) {
        return NULL;
    }
    char *text = vln_arena_try_alloc(arena, span.size + 1);
    if (text) {
        memcpy(text, span.at, span.size);
    }
    return text;
}

void *
vln_model_grow(void *items, size_t count, size_t item_size)
{
    bool is_full = (count & (count - 1)) == 0; /* at 0, 1, 2, 4, 8 …: room doubles */
    return is_full ? vln_realloc(items, (count == 0 ? 1 : 2 * count) * item_size) : items;
}

/* ---- features ---- */

/* Columns of a row that an input takes: a vector is one column of many rows. 0: not stated. */
static size_t
columns_of(const vln_tensor_t *input)
{
    if (input->rank <= 1) {
        return 1;
    }
    size_t columns = 1;
    for (size_t i = 1; i < input->rank; i++) {
        if (input->dims[i] <= 0 || input->dims[i] > VLN_MODEL_MAX_FEATURES) {
            return input->dims[i] > 0 ? VLN_MODEL_MAX_FEATURES + 1 : 0;
        }
        columns *= (size_t)input->dims[i];
        if (columns > VLN_MODEL_MAX_FEATURES) {
            return columns;
        }
    }
    return columns;
}

static void
name_features(vln_feature_t *features, const vln_tensor_t *input, size_t columns, bool alone,
              vln_arena_t *arena)
{
    bool named = columns == 1 && !alone;
    for (size_t i = 0; i < columns; i++) {
        const char *name =
            named ? input->name : vln_arena_printf(arena, "%.200s[%zu]", input->name, i);
        features[i] = (vln_feature_t){.name = name, .named = named, .type = input->type};
    }
}

static bool
number_features(vln_model_t *self, vln_arena_t *arena)
{
    size_t total = 0;
    for (size_t i = 0; i < self->input_count; i++) {
        size_t columns = columns_of(&self->inputs[i]);
        if (columns == 0) { /* any number of columns: nothing can be said of the whole */
            self->feature_count = 0;
            return true;
        }
        total += columns;
        if (total > VLN_MODEL_MAX_FEATURES) {
            return false;
        }
    }
    self->features = vln_arena_alloc(arena, (total + 1) * sizeof *self->features);
    self->feature_count = total;
    /* The only input of a file is called X or the like, unless the file names what it gives, too. */
    bool alone = self->input_count == 1 && self->column_count == 0;
    for (size_t i = 0, at = 0; i < self->input_count; i++) {
        size_t columns = columns_of(&self->inputs[i]);
        name_features(&self->features[at], &self->inputs[i], columns, alone, arena);
        at += columns;
    }
    return true;
}

/* ---- outputs ---- */

static size_t
width_of(const vln_tensor_t *output)
{
    if (output->rank == 1) {
        return 1;
    }
    bool stated =
        output->rank == 2 && output->dims[1] > 0 && output->dims[1] <= VLN_MODEL_MAX_FEATURES;
    return stated ? (size_t)output->dims[1] : 0;
}

static size_t
stated_width(const vln_model_t *self)
{
    for (size_t i = 0; i < self->output_count; i++) {
        if (strcmp(self->outputs[i].name, self->score_output) == 0) {
            return width_of(&self->outputs[i]);
        }
    }
    return 0; /* the tensor before a ZipMap, which is no output of the file's */
}

static Valion__V1__TaskType
task_of(const vln_model_t *self)
{
    if (!self->label_output && self->class_count == 0) {
        return VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION;
    }
    size_t classes = self->class_count > 0 ? self->class_count : self->width;
    if (classes == 0) {
        return VALION__V1__TASK_TYPE__TASK_TYPE_UNSPECIFIED;
    }
    return classes <= 2 ? VALION__V1__TASK_TYPE__TASK_TYPE_BINARY
                        : VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS;
}

bool
vln_model_settle(vln_model_t *self, vln_arena_t *arena)
{
    if (!number_features(self, arena)) {
        return false;
    }
    if (self->kind == VLN_MODEL_ONNX) {
        self->width = self->score_output ? stated_width(self) : 0;
        if (self->width == 0 && self->score_output) {
            self->width = self->class_count;
        }
        self->task = task_of(self);
    }
    return true;
}

/* ---- reading ---- */

vln_err_t
vln_model_read(const uint8_t *bytes, size_t size, vln_model_kind_t kind, vln_arena_t *arena,
               vln_model_t *out, char why[VLN_MODEL_WHY])
{
    *out = (vln_model_t){0};
    why[0] = '\0';
    if (size > VLN_MODEL_MAX_BYTES) {
        return vln_model_refuse(why, VLN_RESOURCE_EXHAUSTED,
                                "the model has %zu bytes; at most %zu are taken", size,
                                VLN_MODEL_MAX_BYTES);
    }
    out->kind = vln_model_detect(bytes, size);
    if (out->kind == VLN_MODEL_UNKNOWN) {
        return vln_model_refuse(why, VLN_INVALID_ARGUMENT, "%s", vln_model_foreign(bytes, size));
    }
    if (kind != VLN_MODEL_AUTO && kind != out->kind) {
        return vln_model_refuse(why, VLN_INVALID_ARGUMENT, "the file is of kind %s, not %s",
                                vln_model_kind_name(out->kind), vln_model_kind_name(kind));
    }
    vln_span_t file = {.at = bytes, .size = size};
    return out->kind == VLN_MODEL_ONNX ? vln_model_read_onnx(file, arena, out, why)
                                       : vln_model_read_xgboost(file, arena, out, why);
}

/* ---- signature ---- */

static Valion__V1__ColumnType
column_type(int32_t tensor_type)
{
    switch (tensor_type) {
    case VLN_TENSOR_BOOL:
        return VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL;
    case VLN_TENSOR_INT32:
    case VLN_TENSOR_INT64:
        return VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64;
    case VLN_TENSOR_DOUBLE:
        return VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64;
    case VLN_TENSOR_STRING:
        return VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
    default:
        return VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32;
    }
}

static Valion__V1__Column *
make_column(const char *name, Valion__V1__ColumnType type, vln_arena_t *arena)
{
    Valion__V1__Column *column = vln_arena_alloc(arena, sizeof *column);
    valion__v1__column__init(column);
    column->name = vln_arena_strdup(arena, name);
    column->has_type = true;
    column->type = type;
    return column;
}

static void
make_outputs(const vln_model_t *self, Valion__V1__Signature *out, vln_arena_t *arena)
{
    out->outputs = vln_arena_alloc(arena, 2 * sizeof *out->outputs);
    if (self->width > 0 || self->score_output || self->kind != VLN_MODEL_ONNX) {
        const char *name = self->score_output ? self->score_output : "prediction";
        out->outputs[out->n_outputs++] =
            make_column(name, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32, arena);
    }
    if (self->class_count > 0 || self->label_output) {
        const char *name = self->label_output ? self->label_output : "label";
        out->outputs[out->n_outputs++] =
            make_column(name, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING, arena);
    }
}

Valion__V1__Signature *
vln_model_signature(const vln_model_t *self, vln_arena_t *arena)
{
    Valion__V1__Signature *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__signature__init(out);
    out->n_inputs = self->feature_count;
    out->inputs = vln_arena_alloc(arena, (self->feature_count + 1) * sizeof *out->inputs);
    for (size_t i = 0; i < self->feature_count; i++) {
        out->inputs[i] =
            make_column(self->features[i].name, column_type(self->features[i].type), arena);
    }
    make_outputs(self, out, arena);
    out->has_task = self->task != VALION__V1__TASK_TYPE__TASK_TYPE_UNSPECIFIED;
    out->task = self->task;
    out->n_classes = self->class_count;
    out->classes = vln_arena_alloc(arena, (self->class_count + 1) * sizeof *out->classes);
    for (size_t i = 0; i < self->class_count; i++) {
        out->classes[i] = vln_arena_strdup(arena, self->classes[i]);
    }
    if (self->class_count == 2) {
        out->positive_class = vln_arena_strdup(arena, self->classes[1]);
    }
    return out;
}
