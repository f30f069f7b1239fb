/*
 * An ONNX graph as a program of column operations. A tensor here is a list of columns; what only moves
 * columns about (Concat, Reshape, Identity …) costs nothing when it runs. Whatever is not known exactly
 * (an operator, an attribute, a shape, a field of the file) leaves the file to the library: so this may
 * be strict where it is in doubt.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_model_inside.h"
#include "vln_native_graph.h"

enum {
    IR_LEAST = 3, /* of the file's format */
    IR_MOST = 10,
    OPSET_LEAST = 7, /* since when the operators below are what they are */
    OPSET_MOST = 22,
    ML_MOST = 3,
    DIMS_MAX = 8,
    CONSTANT_MAX = 1 << 16,
};

static vln_err_t
uncovered(const vln_graph_t *self, const char *what)
{
    return vln_native_uncovered(self->why, "%s", what);
}

static vln_err_t
uncovered_node(const vln_graph_t *self, const vln_graph_node_t *node)
{
    int size = node->op.size < 64 ? (int)node->op.size : 64;
    for (int i = 0; i < size; i++) {
        if (node->op.at[i] <= ' ' || node->op.at[i] > '~') {
            return uncovered(self, "an operator without a name is not covered");
        }
    }
    return vln_native_uncovered(self->why, "operator %.*s, as it is used, is not covered", size,
                                (const char *)node->op.at);
}

/* ---- symbols ---- */

static const vln_symbol_t *
find(const vln_graph_t *self, vln_span_t name)
{
    for (size_t i = 0; i < self->symbol_count; i++) {
        if (vln_span_equal(self->symbols[i].name, name)) {
            return &self->symbols[i];
        }
    }
    return NULL;
}

/* A new one, empty; NULL if the name is none or is taken. What it points to is ended with the graph. */
static vln_symbol_t *
define(vln_graph_t *self, vln_span_t name, vln_symbol_kind_t kind)
{
    if (name.size == 0 || self->symbol_count == VLN_GRAPH_SYMBOLS || find(self, name)) {
        return NULL;
    }
    self->symbols = vln_model_grow(self->symbols, self->symbol_count, sizeof *self->symbols);
    vln_symbol_t *symbol = &self->symbols[self->symbol_count++];
    *symbol = (vln_symbol_t){.name = name, .kind = kind};
    return symbol;
}

bool
vln_graph_define_numbers(vln_graph_t *self, vln_span_t name, size_t first, size_t count,
                         size_t rank)
{
    vln_symbol_t *symbol = define(self, name, VLN_SYMBOL_NUMBERS);
    if (!symbol) {
        return false;
    }
    symbol->rank = rank;
    symbol->count = count;
    symbol->columns = vln_calloc(count + 1, sizeof *symbol->columns);
    for (size_t i = 0; i < count; i++) {
        symbol->columns[i] = (uint32_t)(first + i);
    }
    return true;
}

/* The same columns under another name. */
static bool
define_alias(vln_graph_t *self, vln_span_t name, const vln_symbol_t *of, size_t rank)
{
    vln_symbol_t copy = *of; /* `of` may move */
    vln_symbol_t *symbol = define(self, name, copy.kind);
    if (!symbol) {
        return false;
    }
    copy.name = name;
    copy.rank = rank;
    copy.columns =
        copy.columns ? vln_memdup(copy.columns, (copy.count + 1) * sizeof *copy.columns) : NULL;
    *symbol = copy;
    return true;
}

static void
end_symbols(vln_graph_t *self)
{
    for (size_t i = 0; i < self->symbol_count; i++) {
        free(self->symbols[i].columns);
        free(self->symbols[i].floats);
        free(self->symbols[i].wholes);
    }
    free(self->symbols);
}

/* ---- inputs and constants ---- */

static vln_span_t
span_of(const char *text)
{
    return (vln_span_t){.at = (const uint8_t *)text, .size = strlen(text)};
}

static vln_err_t
read_inputs(vln_graph_t *self)
{
    const vln_model_t *about = self->about;
    vln_native_t *out = self->out;
    for (size_t i = 0; i < about->input_count; i++) {
        const vln_tensor_t *input = &about->inputs[i];
        bool is_text = input->type == VLN_TENSOR_STRING;
        if (input->rank != 2 || input->dims[0] != -1 || input->dims[1] <= 0 ||
            input->dims[1] > VLN_MODEL_MAX_FEATURES ||
            (!is_text && input->type != VLN_TENSOR_FLOAT)) {
            return uncovered(self, "an input is no matrix of float numbers or of texts");
        }
        size_t count = (size_t)input->dims[1];
        size_t *taken = is_text ? &out->texts : &out->numbers;
        if (!vln_graph_define_numbers(self, span_of(input->name), *taken, count, 2)) {
            return uncovered(self, "an input's name stands twice");
        }
        self->symbols[self->symbol_count - 1].kind =
            is_text ? VLN_SYMBOL_TEXTS : VLN_SYMBOL_NUMBERS;
        *taken += count;
    }
    out->columns = out->numbers;
    return VLN_OK;
}

static bool
read_raw(vln_symbol_t *symbol, vln_span_t raw, size_t count)
{
    size_t width = symbol->kind == VLN_SYMBOL_FLOATS ? sizeof(float) : sizeof(int64_t);
    if (raw.size != count * width) {
        return false;
    }
    void *copy = vln_calloc(count + 1, width);
    memcpy(copy, raw.size > 0 ? raw.at : (const uint8_t *)"", raw.size);
    if (symbol->kind == VLN_SYMBOL_FLOATS) {
        symbol->floats = copy;
    } else {
        symbol->wholes = copy;
    }
    return true;
}

/* Its elements; false if they are not as many as its dimensions say. */
static bool
read_elements(vln_symbol_t *symbol, vln_span_t tensor)
{
    int64_t *dims = NULL;
    size_t held = 0;
    bool good = vln_list_ints(tensor, 1, DIMS_MAX, &dims, &symbol->rank);
    symbol->count = 1;
    for (size_t i = 0; good && i < symbol->rank; i++) {
        good = dims[i] >= 0 && dims[i] <= CONSTANT_MAX;
        symbol->count *= good ? (size_t)dims[i] : 0;
        good = good && symbol->count <= CONSTANT_MAX;
    }
    free(dims);
    vln_span_t raw = vln_field_bytes(tensor, 9);
    if (!good || raw.size > 0) {
        return good && read_raw(symbol, raw, symbol->count);
    }
    return (symbol->kind == VLN_SYMBOL_FLOATS
                ? vln_list_floats(tensor, 4, CONSTANT_MAX, &symbol->floats, &held)
                : vln_list_ints(tensor, 7, CONSTANT_MAX, &symbol->wholes, &held)) &&
           held == symbol->count;
}

static vln_err_t
read_constant(vln_graph_t *self, vln_span_t tensor)
{
    vln_field_t type;
    vln_field_find(tensor, 2, VLN_WIRE_VARINT, &type);
    vln_symbol_kind_t kind = type.value == VLN_TENSOR_FLOAT   ? VLN_SYMBOL_FLOATS
                             : type.value == VLN_TENSOR_INT64 ? VLN_SYMBOL_WHOLES
                                                              : VLN_SYMBOL_OTHER;
    vln_symbol_t *symbol = define(self, vln_field_bytes(tensor, 8), kind);
    if (!symbol || kind == VLN_SYMBOL_OTHER || !read_elements(symbol, tensor)) {
        return uncovered(self, "a constant is not covered");
    }
    return VLN_OK;
}

/* ---- operators ---- */

typedef vln_err_t operator_fn(vln_graph_t *self, const vln_graph_node_t *node);

const vln_symbol_t *
vln_graph_input(const vln_graph_t *self, const vln_graph_node_t *node, size_t i)
{
    return i < node->input_count ? find(self, node->inputs[i]) : NULL;
}

/* The only input, if it is a matrix of numbers. */
static const vln_symbol_t *
matrix_of(const vln_graph_t *self, const vln_graph_node_t *node)
{
    const vln_symbol_t *x = vln_graph_input(self, node, 0);
    return x && node->input_count == 1 && x->kind == VLN_SYMBOL_NUMBERS && x->rank == 2 ? x : NULL;
}

vln_err_t
vln_graph_made(const vln_graph_t *self, const vln_graph_node_t *node, bool good)
{
    return good && node->output_count == 1 ? VLN_OK : uncovered_node(self, node);
}

static uint32_t *
copy_columns(const vln_symbol_t *of)
{
    return vln_memdup(of->columns, (of->count + 1) * sizeof *of->columns);
}

/* A step that makes as many columns as it takes, and the name for them. */
static vln_step_t *
step_of(vln_graph_t *self, const vln_graph_node_t *node, const vln_symbol_t *x,
        vln_step_kind_t kind)
{
    size_t count = x->count;
    uint32_t *from = copy_columns(x);
    vln_step_t *step = vln_native_step(self->out, kind, count);
    if (!step) {
        free(from);
        return NULL;
    }
    step->from = from;
    step->count = count;
    return vln_graph_define_numbers(self, node->outputs[0], step->to, count, 2) ? step : NULL;
}

/* One number for each column, of a list that holds one for each or one for all. */
static float *
spread(const float *values, size_t held, size_t count)
{
    if (held == 0 || (held != 1 && held != count)) {
        return NULL;
    }
    float *out = vln_calloc(count + 1, sizeof *out);
    for (size_t i = 0; i < count; i++) {
        out[i] = values[held == 1 ? 0 : i];
    }
    return out;
}

static bool
spread_attribute(const vln_graph_node_t *node, const char *name, size_t count, float **out)
{
    float *values = NULL;
    size_t held = 0;
    bool good = vln_attribute_floats(node->message, name, VLN_MODEL_MAX_FEATURES, &values, &held);
    *out = good ? spread(values, held, count) : NULL;
    free(values);
    return *out != NULL;
}

static vln_err_t
on_scaler(vln_graph_t *self, const vln_graph_node_t *node)
{
    static const vln_attribute_t known[] = {{"offset", VLN_ATTRIBUTE_FLOATS},
                                            {"scale", VLN_ATTRIBUTE_FLOATS}};
    const vln_symbol_t *x = matrix_of(self, node);
    vln_step_t *step = x && vln_attributes_known(node->message, known, VLN_COUNT(known))
                           ? step_of(self, node, x, VLN_STEP_SCALE)
                           : NULL;
    return vln_graph_made(self, node,
                          step && spread_attribute(node, "offset", step->count, &step->a) &&
                              spread_attribute(node, "scale", step->count, &step->b));
}

static vln_err_t
on_imputer(vln_graph_t *self, const vln_graph_node_t *node)
{
    static const vln_attribute_t known[] = {{"imputed_value_floats", VLN_ATTRIBUTE_FLOATS},
                                            {"replaced_value_float", VLN_ATTRIBUTE_FLOAT}};
    float replaced = 0;
    const vln_symbol_t *x = matrix_of(self, node);
    vln_step_t *step = x && vln_attributes_known(node->message, known, VLN_COUNT(known)) &&
                               vln_attribute_float(node->message, "replaced_value_float", &replaced)
                           ? step_of(self, node, x, VLN_STEP_IMPUTE)
                           : NULL;
    if (step) {
        step->a = spread(&replaced, 1, step->count);
    }
    return vln_graph_made(
        self, node, step && spread_attribute(node, "imputed_value_floats", step->count, &step->b));
}

static vln_err_t
on_normalizer(vln_graph_t *self, const vln_graph_node_t *node)
{
    static const vln_attribute_t known[] = {{"norm", VLN_ATTRIBUTE_STRING}};
    const vln_symbol_t *x = matrix_of(self, node);
    bool good = x && vln_attributes_known(node->message, known, VLN_COUNT(known)) &&
                vln_span_is(vln_attribute_string(node->message, "norm"), "L1");
    return vln_graph_made(self, node, good && step_of(self, node, x, VLN_STEP_NORMALIZE));
}

static vln_err_t
on_identity(vln_graph_t *self, const vln_graph_node_t *node)
{
    const vln_symbol_t *x = vln_graph_input(self, node, 0);
    bool good = x && node->input_count == 1 && vln_attributes_known(node->message, NULL, 0) &&
                (x->kind == VLN_SYMBOL_NUMBERS || x->kind == VLN_SYMBOL_TEXTS ||
                 x->kind == VLN_SYMBOL_LABEL);
    return vln_graph_made(self, node, good && define_alias(self, node->outputs[0], x, x->rank));
}

/* To the type that it has. */
static vln_err_t
on_cast(vln_graph_t *self, const vln_graph_node_t *node)
{
    static const vln_attribute_t known[] = {{"to", VLN_ATTRIBUTE_INT}};
    const vln_symbol_t *x = vln_graph_input(self, node, 0);
    int64_t to = 0;
    bool good =
        x && node->input_count == 1 &&
        vln_attributes_known(node->message, known, VLN_COUNT(known)) &&
        vln_attribute_int(node->message, "to", &to) &&
        ((x->kind == VLN_SYMBOL_NUMBERS && to == VLN_TENSOR_FLOAT) ||
         (x->kind == VLN_SYMBOL_LABEL && x->type == VLN_TENSOR_INT64 && to == VLN_TENSOR_INT64));
    return vln_graph_made(self, node, good && define_alias(self, node->outputs[0], x, x->rank));
}

static vln_err_t
on_concat(vln_graph_t *self, const vln_graph_node_t *node)
{
    static const vln_attribute_t known[] = {{"axis", VLN_ATTRIBUTE_INT}};
    const vln_symbol_t *first = vln_graph_input(self, node, 0);
    int64_t axis = 0;
    if (!first || !vln_attributes_known(node->message, known, VLN_COUNT(known)) ||
        !vln_attribute_int(node->message, "axis", &axis) || first->rank < 2 ||
        (axis != -1 && axis != (int64_t)first->rank - 1) ||
        (first->kind != VLN_SYMBOL_NUMBERS && first->kind != VLN_SYMBOL_TEXTS)) {
        return uncovered_node(self, node);
    }
    vln_symbol_t all = {.kind = first->kind, .rank = first->rank};
    bool good = true;
    for (size_t i = 0; good && i < node->input_count; i++) {
        const vln_symbol_t *x = vln_graph_input(self, node, i);
        good = x && x->kind == all.kind && x->rank == all.rank &&
               all.count + x->count <= VLN_NATIVE_MAX_COLUMNS;
        if (good) {
            all.columns =
                vln_realloc(all.columns, (all.count + x->count + 1) * sizeof *all.columns);
            memcpy(all.columns + all.count, x->columns, x->count * sizeof *all.columns);
            all.count += x->count;
            all.columns[all.count] = 0;
        }
    }
    good = good && define_alias(self, node->outputs[0], &all, all.rank);
    free(all.columns);
    return vln_graph_made(self, node, good);
}

/* One row stays one row. */
static vln_err_t
on_reshape(vln_graph_t *self, const vln_graph_node_t *node)
{
    const vln_symbol_t *x = vln_graph_input(self, node, 0);
    const vln_symbol_t *shape = vln_graph_input(self, node, 1);
    if (!x || !shape || node->input_count != 2 || shape->kind != VLN_SYMBOL_WHOLES ||
        shape->rank != 1 || shape->count == 0 || shape->wholes[0] != -1 ||
        !vln_attributes_known(node->message, NULL, 0)) {
        return uncovered_node(self, node);
    }
    size_t rank = shape->count;
    bool to_row = rank == 2 && shape->wholes[1] > 0 && (uint64_t)shape->wholes[1] == x->count;
    bool to_one = rank == 1 && x->count == 1;
    bool good = (x->kind == VLN_SYMBOL_NUMBERS && (to_row || to_one)) ||
                (x->kind == VLN_SYMBOL_LABEL && rank == 1);
    return vln_graph_made(self, node, good && define_alias(self, node->outputs[0], x, rank));
}

static vln_err_t
on_extractor(vln_graph_t *self, const vln_graph_node_t *node)
{
    const vln_symbol_t *x = vln_graph_input(self, node, 0);
    const vln_symbol_t *which = vln_graph_input(self, node, 1);
    if (!x || !which || node->input_count != 2 || which->kind != VLN_SYMBOL_WHOLES ||
        which->count == 0 || which->count > VLN_MODEL_MAX_FEATURES || x->rank != 2 ||
        (x->kind != VLN_SYMBOL_NUMBERS && x->kind != VLN_SYMBOL_TEXTS) ||
        !vln_attributes_known(node->message, NULL, 0)) {
        return uncovered_node(self, node);
    }
    vln_symbol_t picked = {.kind = x->kind, .rank = 2, .count = which->count};
    picked.columns = vln_calloc(which->count + 1, sizeof *picked.columns);
    bool good = true;
    for (size_t i = 0; good && i < which->count; i++) {
        good = which->wholes[i] >= 0 && (uint64_t)which->wholes[i] < x->count;
        picked.columns[i] = good ? x->columns[which->wholes[i]] : 0;
    }
    good = good && define_alias(self, node->outputs[0], &picked, 2);
    free(picked.columns);
    return vln_graph_made(self, node, good);
}

/* ---- arithmetic ---- */

static bool
is_matrix(const vln_symbol_t *x)
{
    return x->kind == VLN_SYMBOL_NUMBERS && x->rank == 2;
}

static vln_err_t
combine_columns(vln_graph_t *self, const vln_graph_node_t *node, const vln_symbol_t *x,
                const vln_symbol_t *y, vln_step_kind_t kind)
{
    if (x->count != y->count) {
        return uncovered_node(self, node);
    }
    uint32_t *with = copy_columns(y);
    vln_step_t *step = step_of(self, node, x, kind - VLN_STEP_ADD + VLN_STEP_ADD_COLUMNS);
    if (!step) {
        free(with);
        return uncovered_node(self, node);
    }
    step->with = with;
    return vln_graph_made(self, node, true);
}

static vln_err_t
combine_constant(vln_graph_t *self, const vln_graph_node_t *node, const vln_symbol_t *x,
                 const vln_symbol_t *y, vln_step_kind_t kind)
{
    float *a = y->rank <= 2 ? spread(y->floats, y->count, x->count) : NULL;
    vln_step_t *step = a ? step_of(self, node, x, kind) : NULL;
    if (!step) {
        free(a);
        return uncovered_node(self, node);
    }
    step->a = a;
    return vln_graph_made(self, node, true);
}

static vln_err_t
arithmetic(vln_graph_t *self, const vln_graph_node_t *node, vln_step_kind_t kind)
{
    const vln_symbol_t *x = vln_graph_input(self, node, 0);
    const vln_symbol_t *y = vln_graph_input(self, node, 1);
    bool commutes = kind == VLN_STEP_ADD || kind == VLN_STEP_MUL;
    if (!x || !y || node->input_count != 2 || !vln_attributes_known(node->message, NULL, 0)) {
        return uncovered_node(self, node);
    }
    if (is_matrix(x) && is_matrix(y)) {
        return combine_columns(self, node, x, y, kind);
    }
    if (is_matrix(x) && y->kind == VLN_SYMBOL_FLOATS) {
        return combine_constant(self, node, x, y, kind);
    }
    if (x->kind == VLN_SYMBOL_FLOATS && is_matrix(y) && (commutes || kind == VLN_STEP_SUB)) {
        return combine_constant(self, node, y, x, commutes ? kind : VLN_STEP_CONSTANT_MINUS);
    }
    return uncovered_node(self, node);
}

static vln_err_t
on_add(vln_graph_t *self, const vln_graph_node_t *node)
{
    return arithmetic(self, node, VLN_STEP_ADD);
}

static vln_err_t
on_sub(vln_graph_t *self, const vln_graph_node_t *node)
{
    return arithmetic(self, node, VLN_STEP_SUB);
}

static vln_err_t
on_mul(vln_graph_t *self, const vln_graph_node_t *node)
{
    return arithmetic(self, node, VLN_STEP_MUL);
}

static vln_err_t
on_div(vln_graph_t *self, const vln_graph_node_t *node)
{
    return arithmetic(self, node, VLN_STEP_DIV);
}

/* ---- trees ---- */

static vln_err_t
define_forest(vln_graph_t *self, const vln_graph_node_t *node, uint32_t *from, size_t features)
{
    vln_native_t *out = self->out;
    bool classifies = out->finish == VLN_FINISH_CLASSIFIER;
    size_t count = classifies ? out->classes : out->forest.groups;
    vln_step_t *step = vln_native_step(out, VLN_STEP_FOREST, count);
    if (!step) {
        free(from);
        return uncovered(self, "it has too many columns");
    }
    step->from = from;
    step->count = features;
    out->has_forest = true;
    vln_span_t scores = node->outputs[classifies ? 1 : 0];
    if (classifies && node->outputs[0].size > 0) {
        vln_symbol_t *label = define(self, node->outputs[0], VLN_SYMBOL_LABEL);
        if (!label) {
            return uncovered(self, "a name stands twice");
        }
        label->rank = 1;
        label->count = 1;
        label->type = self->label_type;
    }
    bool good = scores.size == 0 || vln_graph_define_numbers(self, scores, step->to, count, 2);
    return good ? VLN_OK : uncovered(self, "a name stands twice");
}

static vln_err_t
on_trees(vln_graph_t *self, const vln_graph_node_t *node)
{
    bool classifies = vln_span_is(node->op, "TreeEnsembleClassifier");
    const vln_symbol_t *x = matrix_of(self, node);
    if (!x || self->out->has_forest || node->output_count > (classifies ? 2 : 1)) {
        return uncovered_node(self, node);
    }
    size_t features = x->count;
    uint32_t *from = copy_columns(x);
    vln_err_t err = vln_native_read_trees(self, node, classifies, features);
    if (err != VLN_OK) {
        free(from);
        return err;
    }
    return define_forest(self, node, from, features);
}

/* Its maps are walked around: the tensor before it is asked for. */
static vln_err_t
on_zipmap(vln_graph_t *self, const vln_graph_node_t *node)
{
    static const vln_attribute_t known[] = {{"classlabels_strings", VLN_ATTRIBUTE_STRINGS},
                                            {"classlabels_int64s", VLN_ATTRIBUTE_INTS}};
    bool good = matrix_of(self, node) &&
                vln_attributes_known(node->message, known, VLN_COUNT(known)) &&
                define(self, node->outputs[0], VLN_SYMBOL_OTHER);
    return vln_graph_made(self, node, good);
}

static const struct operator
{
    const char *domain;
    const char *name;
    operator_fn *read;
}
operators[] = {
    {"", "Add", on_add},
    {"", "Cast", on_cast},
    {"", "Concat", on_concat},
    {"", "Div", on_div},
    {"", "Identity", on_identity},
    {"", "Mul", on_mul},
    {"", "Reshape", on_reshape},
    {"", "Sub", on_sub},
    {"ai.onnx.ml", "ArrayFeatureExtractor", on_extractor},
    {"ai.onnx.ml", "Imputer", on_imputer},
    {"ai.onnx.ml", "LabelEncoder", vln_graph_read_labels},
    {"ai.onnx.ml", "Normalizer", on_normalizer},
    {"ai.onnx.ml", "OneHotEncoder", vln_graph_read_one_hot},
    {"ai.onnx.ml", "Scaler", on_scaler},
    {"ai.onnx.ml", "TreeEnsembleClassifier", on_trees},
    {"ai.onnx.ml", "TreeEnsembleRegressor", on_trees},
    {"ai.onnx.ml", "ZipMap", on_zipmap},
};

/* ---- nodes ---- */

static bool
take_part(vln_graph_node_t *node, const vln_field_t *field)
{
    switch (field->number) {
    case 1:
        if (field->wire != VLN_WIRE_BYTES) {
            return false;
        }
        node->inputs = vln_model_grow(node->inputs, node->input_count, sizeof *node->inputs);
        node->inputs[node->input_count++] = field->bytes;
        return true;
    case 2:
        if (field->wire != VLN_WIRE_BYTES || node->output_count == VLN_COUNT(node->outputs)) {
            return false;
        }
        node->outputs[node->output_count++] = field->bytes;
        return true;
    case 4:
        node->op = field->bytes;
        return field->wire == VLN_WIRE_BYTES;
    case 7:
        node->domain = field->bytes;
        return field->wire == VLN_WIRE_BYTES;
    default: /* name, attributes, a text about it */
        return field->number == 3 || field->number == 5 || field->number == 6;
    }
}

static vln_err_t
read_operator(vln_graph_t *self, const vln_graph_node_t *node)
{
    for (size_t i = 0; i < VLN_COUNT(operators); i++) {
        if (vln_span_is(node->op, operators[i].name) &&
            vln_span_is(node->domain, operators[i].domain)) {
            return operators[i].read(self, node);
        }
    }
    return uncovered_node(self, node);
}

static vln_err_t
read_node(vln_graph_t *self, vln_span_t message)
{
    vln_graph_node_t node = {.message = message};
    vln_field_t field;
    vln_err_t err =
        ++self->nodes > VLN_GRAPH_NODES ? uncovered(self, "it has too many nodes") : VLN_OK;
    while (err == VLN_OK && message.size > 0) {
        if (!vln_field_next(&message, &field) || !take_part(&node, &field) ||
            ++self->parts > VLN_GRAPH_PARTS) {
            err = uncovered(self, "its nodes have parts that are not known, or too many");
        }
    }
    err = err == VLN_OK ? read_operator(self, &node) : err;
    free(node.inputs);
    return err;
}

/* ---- the graph ---- */

/* Constants first: nodes come in the order in which they run, and use both. */
static vln_err_t
read_graph(vln_graph_t *self, vln_span_t graph)
{
    vln_err_t err = read_inputs(self);
    for (int pass = 0; pass < 2; pass++) {
        vln_span_t rest = graph;
        vln_field_t field;
        while (err == VLN_OK && rest.size > 0) {
            bool good = vln_field_next(&rest, &field);
            bool is_known = good && (field.number == 1 || field.number == 2 || field.number == 5 ||
                                     (field.number >= 10 && field.number <= 12));
            if (!is_known || field.wire != VLN_WIRE_BYTES) {
                return uncovered(self, "its graph has parts that are not known");
            }
            if (pass == 0 && field.number == 5) {
                err = read_constant(self, field.bytes);
            } else if (pass == 1 && field.number == 1) {
                err = read_node(self, field.bytes);
            }
        }
    }
    return err;
}

static bool
take_opset(vln_graph_t *self, vln_span_t opset)
{
    vln_span_t domain = vln_field_bytes(opset, 1);
    vln_field_t version;
    bool stated = vln_field_find(opset, 2, VLN_WIRE_VARINT, &version);
    bool is_ml = vln_span_is(domain, "ai.onnx.ml");
    if (!stated || (!is_ml && domain.size > 0) || (is_ml && self->ml_opset > 0)) {
        return false;
    }
    self->ml_opset = is_ml ? version.value : self->ml_opset;
    return is_ml ? version.value >= 1 && version.value <= ML_MOST
                 : version.value >= OPSET_LEAST && version.value <= OPSET_MOST;
}

static vln_err_t
read_model(vln_graph_t *self, vln_span_t file)
{
    vln_span_t graph = {0};
    size_t graphs = 0;
    size_t opsets = 0;
    bool good = true;
    vln_field_t field;
    while (good && file.size > 0) {
        good = vln_field_next(&file, &field);
        switch (field.number) {
        case 1:
            good = good && field.value >= IR_LEAST && field.value <= IR_MOST;
            break;
        case 7:
            good = good && ++graphs == 1;
            graph = field.bytes;
            break;
        case 8:
            good = good && ++opsets <= 2 && take_opset(self, field.bytes);
            break;
        default: /* producer, version, texts, properties */
            good = good && ((field.number >= 2 && field.number <= 6) || field.number == 14);
            break;
        }
    }
    if (!good || graphs != 1 || opsets == 0) {
        return uncovered(self, "its format, or an opset of it, is not known");
    }
    return read_graph(self, graph);
}

/* ---- what it gives ---- */

static bool
output_fits(const vln_tensor_t *output, const vln_symbol_t *symbol)
{
    size_t count = symbol->count;
    if (symbol->kind == VLN_SYMBOL_LABEL) {
        return output->type == symbol->type && output->rank <= 1 &&
               (output->rank == 0 || output->dims[0] == -1);
    }
    if (symbol->kind == VLN_SYMBOL_NUMBERS) {
        return output->type == VLN_TENSOR_FLOAT &&
               (output->rank == 0 || (output->rank == symbol->rank && output->dims[0] == -1 &&
                                      (output->rank == 1 || output->dims[1] == -1 ||
                                       (output->rank == 2 && (uint64_t)output->dims[1] == count))));
    }
    return output->type == VLN_TENSOR_NONE && symbol->kind == VLN_SYMBOL_OTHER;
}

static vln_err_t
read_outputs(vln_graph_t *self)
{
    const vln_model_t *about = self->about;
    vln_native_t *out = self->out;
    for (size_t i = 0; i < about->output_count; i++) {
        const vln_symbol_t *symbol = find(self, span_of(about->outputs[i].name));
        if (!symbol || !output_fits(&about->outputs[i], symbol)) {
            return uncovered(self, "an output is not of the type and shape that it states");
        }
    }
    const vln_symbol_t *score =
        about->score_output ? find(self, span_of(about->score_output)) : NULL;
    const vln_symbol_t *label =
        about->label_output ? find(self, span_of(about->label_output)) : NULL;
    if ((about->score_output &&
         (!score || score->kind != VLN_SYMBOL_NUMBERS || score->rank > 2 || score->count == 0)) ||
        (about->label_output && (!label || label->kind != VLN_SYMBOL_LABEL || label->rank != 1))) {
        return uncovered(self, "its answer is no matrix of numbers");
    }
    out->labelled = label != NULL;
    out->width = score ? score->count : 0;
    out->scores = score ? copy_columns(score) : NULL;
    return VLN_OK;
}

vln_err_t
vln_native_read_onnx(vln_native_t *self, vln_span_t file, const vln_model_t *about, char *why)
{
    vln_graph_t graph = {.out = self, .about = about, .why = why};
    vln_err_t err = read_model(&graph, file);
    if (err == VLN_OK) {
        err = read_outputs(&graph);
    }
    end_symbols(&graph);
    return err;
}
