/*
 * An ONNX file is one protobuf message, ModelProto, that nests without end: graphs hold nodes, whose
 * attributes hold graphs. It is walked here once, with a stack of our own and a table of which field
 * of which message is a message; nothing is unpacked. Then what the main graph says of inputs,
 * outputs and classes is looked up in the spans that the walk kept.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_onnx_inside.h"

enum {
    FUNCTIONS_MAX = 64,
    OUTPUTS_MAX = 256,
};

vln_err_t
vln_onnx_broken(vln_onnx_t *self, const char *what)
{
    return vln_model_refuse(self->why, VLN_INVALID_ARGUMENT, "this is no sound ONNX file: %s",
                            what);
}

vln_err_t
vln_onnx_too_much(vln_onnx_t *self, const char *what, size_t limit)
{
    return vln_model_refuse(self->why, VLN_RESOURCE_EXHAUSTED, "the ONNX file has more than %zu %s",
                            limit, what);
}

/* ---- which field of which message is a message ---- */

typedef enum type {
    T_NONE, /* bytes, text or packed numbers */
    T_MODEL,
    T_OPSET,
    T_GRAPH,
    T_NODE,
    T_ATTRIBUTE,
    T_TENSOR,
    T_SPARSE,
    T_VALUE,
    T_TYPE,
    T_TENSOR_TYPE,
    T_SHAPE,
    T_DIM,
    T_SEQUENCE,
    T_MAP,
    T_FUNCTION,
    T_COUNT,
} type_t;

enum { FIELD_MAX = 32 };

static const uint8_t nests[T_COUNT][FIELD_MAX] = {
    [T_MODEL] = {[7] = T_GRAPH, [8] = T_OPSET, [25] = T_FUNCTION},
    [T_GRAPH] = {[1] = T_NODE,
                 [5] = T_TENSOR,
                 [11] = T_VALUE,
                 [12] = T_VALUE,
                 [13] = T_VALUE,
                 [15] = T_SPARSE},
    [T_NODE] = {[5] = T_ATTRIBUTE},
    [T_ATTRIBUTE] = {[5] = T_TENSOR,
                     [6] = T_GRAPH,
                     [10] = T_TENSOR,
                     [11] = T_GRAPH,
                     [14] = T_TYPE,
                     [15] = T_TYPE,
                     [22] = T_SPARSE,
                     [23] = T_SPARSE},
    [T_SPARSE] = {[1] = T_TENSOR, [2] = T_TENSOR},
    [T_VALUE] = {[2] = T_TYPE},
    [T_TYPE] =
        {[1] = T_TENSOR_TYPE, [4] = T_SEQUENCE, [5] = T_MAP, [8] = T_TENSOR_TYPE, [9] = T_SEQUENCE},
    [T_TENSOR_TYPE] = {[2] = T_SHAPE},
    [T_SHAPE] = {[1] = T_DIM},
    [T_SEQUENCE] = {[1] = T_TYPE},
    [T_MAP] = {[2] = T_TYPE},
    [T_FUNCTION] = {[7] = T_NODE, [9] = T_OPSET, [11] = T_ATTRIBUTE, [12] = T_VALUE},
};

/* ---- tensors ---- */

/* Numbers or texts in one repeated field of a tensor, packed or not; each is at least a byte. */
typedef struct claim {
    uint64_t elements;   /* product of the dims */
    uint64_t data_bytes; /* what is there */
    bool external;
    bool negative;
    bool overflow;
} claim_t;

static void
claim_dim(claim_t *claim, uint64_t dim)
{
    claim->negative = claim->negative || (int64_t)dim < 0;
    claim->overflow =
        claim->overflow || __builtin_mul_overflow(claim->elements, dim, &claim->elements);
}

static void
claim_packed_dims(claim_t *claim, vln_span_t dims)
{
    uint64_t dim = 0;
    while (dims.size > 0 && vln_field_varint(&dims, &dim)) {
        claim_dim(claim, dim);
    }
}

static void
claim_field(claim_t *claim, const vln_field_t *field)
{
    switch (field->number) {
    case 1: /* dims */
        if (field->wire == VLN_WIRE_VARINT) {
            claim_dim(claim, field->value);
        } else {
            claim_packed_dims(claim, field->bytes);
        }
        return;
    case 4: /* float_data, int32_data, string_data, int64_data, raw_data, double_data, uint64_data */
    case 5:
    case 6:
    case 7:
    case 9:
    case 10:
    case 11:
        claim->data_bytes += field->wire == VLN_WIRE_VARINT ? 1 : field->bytes.size;
        claim->data_bytes += field->number == 6 ? 1 : 0; /* an empty text is one, too */
        return;
    case 13: /* external_data */
        claim->external = true;
        return;
    case 14: /* data_location */
        claim->external = claim->external || field->value != 0;
        return;
    default:
        return;
    }
}

/* A library would allocate what a tensor claims before it looks whether it is there, and would open
 * the file that it names. */
static vln_err_t
check_tensor(vln_onnx_t *self, vln_span_t tensor)
{
    claim_t claim = {.elements = 1};
    vln_field_t field;
    vln_span_t rest = tensor;
    while (rest.size > 0) {
        if (!vln_field_next(&rest, &field)) {
            return vln_onnx_broken(self, "a tensor is cut off or damaged");
        }
        claim_field(&claim, &field);
    }
    if (claim.external) {
        return vln_model_refuse(self->why, VLN_INVALID_ARGUMENT,
                                "the ONNX file keeps tensors in other files, which is not taken: "
                                "save it whole, with onnx.save_model(model, path, "
                                "save_as_external_data=False)");
    }
    if (claim.negative) {
        return vln_onnx_broken(self, "a tensor has a negative dimension");
    }
    bool too_many = claim.overflow || claim.elements > 2 * claim.data_bytes; /* 4-bit numbers */
    return too_many ? vln_onnx_broken(self, "a tensor claims more elements than it holds") : VLN_OK;
}

/* ---- the walk ---- */

static bool
is_class_list(vln_span_t attribute)
{
    static const char *const names[] = {"classlabels_strings", "classlabels_int64s",
                                        "classlabels_ints", "values_strings", "values_int64s"};
    vln_span_t name = vln_field_bytes(attribute, 1);
    vln_field_t first;
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        if (vln_span_is(name, names[i])) {
            return vln_field_find(attribute, 8, VLN_WIRE_VARINT, &first) ||
                   vln_field_find(attribute, 8, VLN_WIRE_BYTES, &first) ||
                   vln_field_find(attribute, 9, VLN_WIRE_BYTES, &first);
        }
    }
    return false;
}

/* Whole numbers in attributes that libraries divide by, or go to memory with, without a look. */
static const struct least {
    const char *attribute;
    int64_t least;
} leasts[] = {
    {"strides", 1},
    {"dilations", 1},
    {"kernel_shape", 1},
    {"nodes_featureids", 0},
};

static bool
is_at_least(vln_span_t attribute, int64_t least)
{
    vln_field_t field;
    uint64_t number = 0;
    while (attribute.size > 0 && vln_field_next(&attribute, &field)) {
        if (field.number != 8) {
            continue;
        }
        if (field.wire == VLN_WIRE_VARINT && (int64_t)field.value < least) {
            return false;
        }
        while (field.wire == VLN_WIRE_BYTES && field.bytes.size > 0) {
            if (!vln_field_varint(&field.bytes, &number) || (int64_t)number < least) {
                return false;
            }
        }
    }
    return true;
}

static vln_err_t
check_attribute(vln_onnx_t *self, vln_span_t attribute)
{
    vln_span_t name = vln_field_bytes(attribute, 1);
    for (size_t i = 0; i < VLN_COUNT(leasts); i++) {
        if (vln_span_is(name, leasts[i].attribute) && !is_at_least(attribute, leasts[i].least)) {
            return vln_model_refuse(self->why, VLN_INVALID_ARGUMENT,
                                    "this is no sound ONNX file: an attribute %s holds a number "
                                    "below %d",
                                    leasts[i].attribute, (int)leasts[i].least);
        }
    }
    return VLN_OK;
}

static vln_err_t
keep_node(vln_onnx_t *self, vln_span_t message)
{
    self->nodes = vln_model_grow(self->nodes, self->node_count, sizeof *self->nodes);
    vln_onnx_node_t *node = &self->nodes[self->node_count++];
    *node = (vln_onnx_node_t){0};
    size_t inputs = 0;
    size_t outputs = 0;
    vln_field_t field;
    while (message.size > 0) {
        if (!vln_field_next(&message, &field)) {
            return vln_onnx_broken(self, "a node is cut off or damaged");
        }
        if (field.wire != VLN_WIRE_BYTES) {
            continue;
        }
        if (field.number == 1 && inputs < VLN_ONNX_KEPT) {
            node->inputs[inputs++] = field.bytes;
        } else if (field.number == 2 && outputs < VLN_ONNX_KEPT) {
            node->outputs[outputs++] = field.bytes;
        } else if (field.number == 4) {
            node->op = field.bytes;
        } else if (field.number == 5 && is_class_list(field.bytes)) {
            node->labels = field.bytes;
        } else if (field.number == 7) {
            node->domain = field.bytes;
        }
    }
    return VLN_OK;
}

static vln_err_t
keep_span(vln_onnx_t *self, vln_span_t **list, size_t *count, size_t limit, const char *what,
          vln_span_t span)
{
    if (*count == limit) {
        return vln_onnx_too_much(self, what, limit);
    }
    *list = vln_model_grow(*list, *count, sizeof **list);
    (*list)[(*count)++] = span;
    return VLN_OK;
}

static vln_err_t
keep_function(vln_onnx_t *self, vln_span_t message)
{
    if (self->function_count == FUNCTIONS_MAX) {
        return vln_onnx_too_much(self, "functions", FUNCTIONS_MAX);
    }
    self->functions =
        vln_model_grow(self->functions, self->function_count, sizeof *self->functions);
    self->functions[self->function_count++] =
        (vln_onnx_function_t){.name = vln_field_bytes(message, 1),
                              .domain = vln_field_bytes(message, 10),
                              .body = message};
    return VLN_OK;
}

static vln_err_t
count_node(vln_onnx_t *self, bool in_main_graph, vln_span_t message)
{
    self->nodes_within += in_main_graph ? 0 : 1;
    if (self->nodes_within + self->node_count >= VLN_MODEL_MAX_NODES) {
        return vln_onnx_too_much(self, "nodes", VLN_MODEL_MAX_NODES);
    }
    return in_main_graph ? keep_node(self, message) : VLN_OK;
}

static vln_err_t
on_main_graph(vln_onnx_t *self, const vln_field_t *field)
{
    switch (field->number) {
    case 5:
        return keep_span(self, &self->initializers, &self->initializer_count, VLN_MODEL_MAX_NODES,
                         "initializers", field->bytes);
    case 11:
        return keep_span(self, &self->inputs, &self->input_count, VLN_MODEL_MAX_NODES, "inputs",
                         field->bytes);
    case 12:
        return keep_span(self, &self->outputs, &self->output_count, OUTPUTS_MAX, "outputs",
                         field->bytes);
    default:
        return VLN_OK;
    }
}

/* The name of the number that the model gives next, if the property is that. */
static void
take_property(vln_onnx_t *self, vln_span_t property)
{
    vln_model_t *out = self->out;
    char key[sizeof VLN_MODEL_COLUMN_PROPERTY + 24];
    snprintf(key, sizeof key, VLN_MODEL_COLUMN_PROPERTY "%zu", out->column_count);
    if (out->column_count == VLN_MODEL_MAX_FEATURES ||
        !vln_span_is(vln_field_bytes(property, 1), key)) {
        return;
    }
    if (!out->columns) {
        out->columns =
            vln_arena_try_alloc(self->arena, VLN_MODEL_MAX_FEATURES * sizeof *out->columns);
    }
    const char *name =
        vln_model_text(vln_field_bytes(property, 2), VLN_MODEL_MAX_NAME, self->arena);
    if (out->columns && name) {
        out->columns[out->column_count++] = name;
    }
}

static vln_err_t
on_model(vln_onnx_t *self, const vln_field_t *field)
{
    vln_field_t version;
    switch (field->number) {
    case 2:
        self->out->producer = vln_model_text(field->bytes, VLN_MODEL_MAX_NAME, self->arena);
        return VLN_OK;
    case 7:
        self->graphs++;
        return VLN_OK;
    case 8:
        if (vln_field_bytes(field->bytes, 1).size == 0 &&
            vln_field_find(field->bytes, 2, VLN_WIRE_VARINT, &version)) {
            self->out->opset = (int64_t)version.value;
        }
        return VLN_OK;
    case 14:
        take_property(self, field->bytes);
        return VLN_OK;
    case 20:
        return vln_onnx_broken(self, "it holds training steps; export it for inference");
    case 25:
        return keep_function(self, field->bytes);
    default:
        return VLN_OK;
    }
}

/* What a submessage means, before the walk goes into it. */
static vln_err_t
on_message(vln_onnx_t *self, type_t in, const vln_field_t *field)
{
    bool in_main_graph = in == T_GRAPH && self->depth == 2;
    vln_err_t err = VLN_OK;
    if (in == T_MODEL) {
        err = on_model(self, field);
    }
    if (err == VLN_OK && nests[in][field->number] == T_NODE) {
        err = count_node(self, in_main_graph, field->bytes);
    }
    if (err == VLN_OK && nests[in][field->number] == T_ATTRIBUTE) {
        err = check_attribute(self, field->bytes);
    }
    if (err == VLN_OK && in_main_graph) {
        err = on_main_graph(self, field);
    }
    return err;
}

static vln_err_t
step(vln_onnx_t *self)
{
    vln_onnx_frame_t *top = &self->stack[self->depth - 1];
    if (top->rest.size == 0) {
        self->depth--;
        return VLN_OK;
    }
    vln_field_t field;
    if (!vln_field_next(&top->rest, &field)) {
        return vln_onnx_broken(self, "it is cut off or damaged");
    }
    type_t within = field.number < FIELD_MAX ? (type_t)nests[top->type][field.number] : T_NONE;
    if (within == T_NONE) {
        return top->type == T_MODEL && field.wire == VLN_WIRE_BYTES ? on_model(self, &field)
                                                                    : VLN_OK;
    }
    if (field.wire != VLN_WIRE_BYTES) {
        return vln_onnx_broken(self, "a number stands where a message belongs");
    }
    if (within == T_TENSOR) {
        vln_err_t err = check_tensor(self, field.bytes);
        return err == VLN_OK ? on_message(self, (type_t)top->type, &field) : err;
    }
    if (self->depth == VLN_ONNX_DEPTH) {
        return vln_onnx_too_much(self, "levels of nesting", VLN_ONNX_DEPTH);
    }
    vln_err_t err = on_message(self, (type_t)top->type, &field);
    self->stack[self->depth++] = (vln_onnx_frame_t){.type = within, .rest = field.bytes};
    return err;
}

static vln_err_t
walk(vln_onnx_t *self)
{
    self->stack[self->depth++] = (vln_onnx_frame_t){.type = T_MODEL, .rest = self->file};
    vln_err_t err = VLN_OK;
    while (err == VLN_OK && self->depth > 0) {
        err = step(self);
    }
    if (err == VLN_OK && self->graphs == 0) {
        return vln_onnx_broken(self, "it has no graph");
    }
    if (err == VLN_OK && self->output_count == 0) {
        return vln_onnx_broken(self, "its graph has no output");
    }
    return err;
}

/* ---- functions ---- */

/* Nodes that a call becomes when a library writes functions out. */
static size_t
cost_of(const vln_onnx_t *self, vln_span_t op, vln_span_t domain)
{
    for (size_t i = 0; i < self->function_count; i++) {
        if (vln_span_equal(self->functions[i].name, op) &&
            vln_span_equal(self->functions[i].domain, domain)) {
            return self->functions[i].cost;
        }
    }
    return 1;
}

static size_t
cost_of_body(const vln_onnx_t *self, vln_span_t body)
{
    size_t cost = 1;
    vln_field_t field;
    while (body.size > 0 && vln_field_next(&body, &field) && cost <= VLN_MODEL_MAX_NODES) {
        if (field.number == 7 && field.wire == VLN_WIRE_BYTES) {
            cost += cost_of(self, vln_field_bytes(field.bytes, 4), vln_field_bytes(field.bytes, 7));
        }
    }
    return cost;
}

/* Functions that call one another twice, 24 deep, are a graph of millions of nodes in 2 kB; one that
 * calls itself has no end. After as many rounds as there are functions every cost is known, unless
 * there is a circle, whose cost then grows beyond any bound. */
static vln_err_t
check_functions(vln_onnx_t *self)
{
    bool changed = self->function_count > 0;
    for (size_t round = 0; changed && round <= self->function_count; round++) {
        changed = false;
        for (size_t i = 0; i < self->function_count; i++) {
            size_t cost = cost_of_body(self, self->functions[i].body);
            changed = changed || cost != self->functions[i].cost;
            self->functions[i].cost = cost;
        }
    }
    if (changed) {
        return vln_onnx_broken(self, "its functions call themselves, or one another too often");
    }
    size_t total = self->nodes_within;
    for (size_t i = 0; i < self->node_count && total <= VLN_MODEL_MAX_NODES; i++) {
        total += cost_of(self, self->nodes[i].op, self->nodes[i].domain);
    }
    self->out->node_count = total;
    return total > VLN_MODEL_MAX_NODES
               ? vln_onnx_too_much(self, "nodes once its functions are written out",
                                   VLN_MODEL_MAX_NODES)
               : VLN_OK;
}

/* ---- */

static vln_err_t
read_all(vln_onnx_t *self)
{
    vln_err_t err = walk(self);
    if (err == VLN_OK) {
        err = check_functions(self);
    }
    return err == VLN_OK ? vln_onnx_read_roles(self) : err;
}

vln_err_t
vln_model_read_onnx(vln_span_t file, vln_arena_t *arena, vln_model_t *out, char *why)
{
    vln_onnx_t *self = vln_calloc(1, sizeof *self);
    self->file = file;
    self->arena = arena;
    self->out = out;
    self->why = why;
    vln_err_t err = read_all(self);
    free(self->nodes);
    free(self->initializers);
    free(self->inputs);
    free(self->outputs);
    free(self->functions);
    free(self);
    return err;
}
