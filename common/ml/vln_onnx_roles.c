#include <string.h>

#include "vln_onnx_inside.h"

enum { TRACE_MAX = 16 }; /* nodes between a label and the table of its classes */

/* ---- inputs and outputs ---- */

static void
read_shape(vln_span_t tensor_type, vln_tensor_t *out)
{
    vln_span_t shape = vln_field_bytes(tensor_type, 2);
    vln_field_t dim;
    vln_field_t value;
    while (shape.size > 0 && vln_field_next(&shape, &dim) && out->rank < VLN_MODEL_MAX_RANK) {
        if (dim.number == 1 && dim.wire == VLN_WIRE_BYTES) {
            bool stated = vln_field_find(dim.bytes, 1, VLN_WIRE_VARINT, &value);
            out->dims[out->rank++] =
                stated && (int64_t)value.value >= 0 ? (int64_t)value.value : -1;
        }
    }
}

/* Name, type and shape of a ValueInfoProto. */
static vln_err_t
read_value(vln_onnx_t *self, vln_span_t value, vln_tensor_t *out)
{
    *out = (vln_tensor_t){0};
    out->name = vln_model_text(vln_field_bytes(value, 1), VLN_MODEL_MAX_NAME, self->arena);
    if (!out->name) {
        return vln_onnx_broken(self,
                               "an input or output has no name, or one beyond 250 bytes of UTF-8");
    }
    vln_span_t tensor_type = vln_field_bytes(vln_field_bytes(value, 2), 1);
    vln_field_t element;
    if (vln_field_find(tensor_type, 1, VLN_WIRE_VARINT, &element) && element.value < 1000) {
        out->type = (int32_t)element.value;
        read_shape(tensor_type, out);
    }
    return VLN_OK;
}

static vln_span_t
find_initializer(const vln_onnx_t *self, vln_span_t name)
{
    for (size_t i = 0; i < self->initializer_count && name.size > 0; i++) {
        if (vln_span_equal(vln_field_bytes(self->initializers[i], 8), name)) {
            return self->initializers[i];
        }
    }
    return (vln_span_t){0};
}

/* Old files list their initializers among the inputs. To look each up in a list is quadratic, so
 * there may not be many of both. */
static vln_err_t
read_inputs(vln_onnx_t *self)
{
    if (self->input_count * self->initializer_count > ((size_t)1 << 24)) {
        return vln_onnx_too_much(self, "inputs times initializers", (size_t)1 << 24);
    }
    vln_model_t *out = self->out;
    out->inputs = vln_arena_try_alloc(self->arena, (self->input_count + 1) * sizeof *out->inputs);
    if (!out->inputs) {
        return vln_onnx_too_much(self, "inputs", VLN_MODEL_MAX_TENSORS);
    }
    for (size_t i = 0; i < self->input_count; i++) {
        if (find_initializer(self, vln_field_bytes(self->inputs[i], 1)).size > 0) {
            continue;
        }
        if (out->input_count == VLN_MODEL_MAX_TENSORS) {
            return vln_onnx_too_much(self, "inputs", VLN_MODEL_MAX_TENSORS);
        }
        vln_err_t err = read_value(self, self->inputs[i], &out->inputs[out->input_count++]);
        if (err != VLN_OK) {
            return err;
        }
    }
    if (out->input_count == 0) {
        return vln_onnx_broken(self, "it takes no input");
    }
    return VLN_OK;
}

static vln_err_t
read_outputs(vln_onnx_t *self)
{
    vln_model_t *out = self->out;
    out->outputs = vln_arena_alloc(self->arena, (self->output_count + 1) * sizeof *out->outputs);
    for (size_t i = 0; i < self->output_count; i++) {
        vln_err_t err = read_value(self, self->outputs[i], &out->outputs[out->output_count++]);
        if (err != VLN_OK) {
            return err;
        }
    }
    return VLN_OK;
}

/* ---- classes ---- */

static const vln_onnx_node_t *
producer_of(const vln_onnx_t *self, vln_span_t tensor)
{
    for (size_t i = 0; i < self->node_count; i++) {
        for (size_t j = 0; j < VLN_ONNX_KEPT; j++) {
            if (tensor.size > 0 && vln_span_equal(self->nodes[i].outputs[j], tensor)) {
                return &self->nodes[i];
            }
        }
    }
    return NULL;
}

static bool
add_class(vln_onnx_t *self, const char *text)
{
    if (!text || self->out->class_count == VLN_MODEL_MAX_CLASSES) {
        return false;
    }
    self->out->classes[self->out->class_count++] = text;
    return true;
}

static bool
add_number_classes(vln_onnx_t *self, const vln_field_t *field)
{
    if (field->wire == VLN_WIRE_VARINT) {
        return add_class(self, vln_arena_printf(self->arena, "%lld", (long long)field->value));
    }
    vln_span_t packed = field->bytes;
    uint64_t value = 0;
    while (packed.size > 0) {
        if (!vln_field_varint(&packed, &value) ||
            !add_class(self, vln_arena_printf(self->arena, "%lld", (long long)value))) {
            return false;
        }
    }
    return true;
}

static bool
add_raw_classes(vln_onnx_t *self, vln_span_t raw, size_t width)
{
    for (size_t at = 0; at + width <= raw.size; at += width) {
        int64_t value = 0;
        int32_t narrow = 0;
        if (width == sizeof narrow) {
            memcpy(&narrow, raw.at + at, sizeof narrow);
            value = narrow;
        } else {
            memcpy(&value, raw.at + at, sizeof value);
        }
        if (!add_class(self, vln_arena_printf(self->arena, "%lld", (long long)value))) {
            return false;
        }
    }
    return true;
}

/* Texts in one field of a message, numbers in another. */
static bool
add_classes(vln_onnx_t *self, vln_span_t message, uint64_t texts, uint64_t numbers)
{
    self->out->classes =
        vln_arena_alloc(self->arena, (VLN_MODEL_MAX_CLASSES + 1) * sizeof *self->out->classes);
    vln_field_t field;
    bool good = true;
    while (good && message.size > 0 && vln_field_next(&message, &field)) {
        if (field.number == texts && field.wire == VLN_WIRE_BYTES) {
            const char *text = field.bytes.size == 0
                                   ? ""
                                   : vln_model_text(field.bytes, VLN_MODEL_MAX_NAME, self->arena);
            good = add_class(self, text);
        } else if (field.number == numbers) {
            good = add_number_classes(self, &field);
        }
    }
    return good;
}

/* A table of labels that the predicted index picks from. */
static bool
add_tensor_classes(vln_onnx_t *self, vln_span_t tensor)
{
    vln_field_t type;
    vln_field_find(tensor, 2, VLN_WIRE_VARINT, &type);
    vln_span_t raw = vln_field_bytes(tensor, 9);
    if (raw.size > 0 && (type.value == VLN_TENSOR_INT64 || type.value == VLN_TENSOR_INT32)) {
        self->out->classes =
            vln_arena_alloc(self->arena, (VLN_MODEL_MAX_CLASSES + 1) * sizeof *self->out->classes);
        return add_raw_classes(self, raw, type.value == VLN_TENSOR_INT64 ? 8 : 4);
    }
    return add_classes(self, tensor, 6, type.value == VLN_TENSOR_INT32 ? 5 : 7);
}

/* From the label back to the node that knows its classes. What lies between only changes form. */
static bool
trace_classes(vln_onnx_t *self, vln_span_t tensor)
{
    static const char *const passing[] = {"Cast",    "Reshape",   "Identity", "Squeeze",
                                          "Flatten", "Unsqueeze", "ZipMap",   "Normalizer"};
    for (size_t step = 0; step < TRACE_MAX; step++) {
        const vln_onnx_node_t *node = producer_of(self, tensor);
        if (!node) {
            return true;
        }
        if (node->labels.size > 0) {
            return add_classes(self, node->labels, 9, 8);
        }
        vln_span_t table = find_initializer(self, node->inputs[0]);
        if (table.size > 0 &&
            (vln_span_is(node->op, "ArrayFeatureExtractor") || vln_span_is(node->op, "Gather"))) {
            return add_tensor_classes(self, table);
        }
        bool passes = false;
        for (size_t i = 0; i < VLN_COUNT(passing); i++) {
            passes = passes || vln_span_is(node->op, passing[i]);
        }
        if (!passes) {
            return true;
        }
        tensor = node->inputs[0];
    }
    return true;
}

/* ---- roles ---- */

static bool
is_number(int32_t type)
{
    return type == VLN_TENSOR_FLOAT || type == VLN_TENSOR_DOUBLE;
}

static bool
is_label(int32_t type)
{
    return type == VLN_TENSOR_INT64 || type == VLN_TENSOR_STRING || type == VLN_TENSOR_INT32 ||
           type == VLN_TENSOR_BOOL;
}

/* Protobuf of one message field, shorter than 16 kB; returns its size. */
static size_t
put_message(uint8_t *out, uint8_t field, const uint8_t *body, size_t size)
{
    size_t used = 0;
    out[used++] = (uint8_t)(field << 3 | VLN_WIRE_BYTES);
    if (size >= 0x80) {
        out[used++] = (uint8_t)(0x80 | (size & 0x7f));
    }
    out[used++] = (uint8_t)(size >= 0x80 ? size >> 7 : size);
    memcpy(out + used, body, size);
    return used + size;
}

/* graph { output { name: score, type { tensor_type { elem_type: FLOAT } } } } */
static void
make_tail(vln_onnx_t *self, vln_span_t score)
{
    static const uint8_t float_tensor[] = {0x12, 0x04, 0x0a, 0x02, 0x08, VLN_TENSOR_FLOAT};
    uint8_t value[VLN_MODEL_MAX_NAME + 16];
    uint8_t output[VLN_MODEL_MAX_NAME + 24];
    uint8_t *tail = vln_arena_alloc(self->arena, VLN_MODEL_MAX_NAME + 32);
    size_t size = put_message(value, 1, score.at, score.size);
    memcpy(value + size, float_tensor, sizeof float_tensor);
    size = put_message(output, 12, value, size + sizeof float_tensor);
    self->out->tail_size = put_message(tail, 7, output, size);
    self->out->tail = tail;
}

/* The tensor that a ZipMap makes maps of, if an output is one. */
static vln_err_t
find_zipmap(vln_onnx_t *self, vln_span_t *score)
{
    for (size_t i = 0; i < self->output_count; i++) {
        const vln_onnx_node_t *node = producer_of(self, vln_field_bytes(self->outputs[i], 1));
        if (!node || !vln_span_is(node->op, "ZipMap")) {
            continue;
        }
        *score = node->inputs[0];
        self->out->score_output = vln_model_text(*score, VLN_MODEL_MAX_NAME, self->arena);
        if (!self->out->score_output) {
            return vln_onnx_broken(self,
                                   "a ZipMap has no input, or one whose name is beyond 250 bytes");
        }
        make_tail(self, *score);
        return VLN_OK;
    }
    return VLN_OK;
}

static void
find_roles(vln_onnx_t *self, vln_span_t *score, vln_span_t *label)
{
    vln_model_t *out = self->out;
    for (size_t i = 0; i < out->output_count; i++) {
        const vln_tensor_t *output = &out->outputs[i];
        if (!out->label_output && is_label(output->type)) {
            out->label_output = output->name;
            *label = vln_field_bytes(self->outputs[i], 1);
        }
        if (!out->score_output && is_number(output->type)) {
            out->score_output = output->name;
            *score = vln_field_bytes(self->outputs[i], 1);
        }
    }
}

static vln_err_t
read_roles(vln_onnx_t *self)
{
    vln_span_t score = {0};
    vln_span_t label = {0};
    vln_err_t err = find_zipmap(self, &score);
    if (err != VLN_OK) {
        return err;
    }
    find_roles(self, &score, &label);
    vln_model_t *out = self->out;
    if (!out->score_output && !out->label_output) {
        return vln_onnx_broken(self, "no output of it is a tensor of numbers or labels");
    }
    bool good = true;
    if (out->label_output || out->tail) {
        good = trace_classes(self, label);
        good = good && (out->class_count > 0 || trace_classes(self, score));
    }
    if (!good) {
        return vln_onnx_broken(self,
                               "its class labels are not at most 1024 texts of at most 250 bytes");
    }
    return vln_model_settle(out, self->arena)
               ? VLN_OK
               : vln_onnx_too_much(self, "features", VLN_MODEL_MAX_FEATURES);
}

/* ---- */

vln_err_t
vln_onnx_read_roles(vln_onnx_t *self)
{
    vln_err_t err = read_inputs(self);
    if (err == VLN_OK) {
        err = read_outputs(self);
    }
    return err == VLN_OK ? read_roles(self) : err;
}
