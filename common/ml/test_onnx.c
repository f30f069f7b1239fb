#include "test_onnx.h"

#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"
#include "vln_model.h"
#include "vln_text.h"

enum { LAYER = 64, LAYER_INPUTS = 16 };

/* ---- protobuf ---- */

void
test_pb_end(test_pb_t *self)
{
    free(self->bytes);
    *self = (test_pb_t){0};
}

static void
put(test_pb_t *self, const void *bytes, size_t size)
{
    self->bytes = vln_realloc(self->bytes, self->size + size + 1);
    if (size > 0) {
        memcpy(self->bytes + self->size, bytes, size);
    }
    self->size += size;
}

static void
put_varint(test_pb_t *self, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        put(self, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

void
test_pb_varint(test_pb_t *self, uint32_t field, uint64_t value)
{
    put_varint(self, field << 3);
    put_varint(self, value);
}

void
test_pb_float(test_pb_t *self, uint32_t field, float value)
{
    put_varint(self, field << 3 | 5);
    put(self, &value, sizeof value);
}

void
test_pb_bytes(test_pb_t *self, uint32_t field, const void *bytes, size_t size)
{
    put_varint(self, field << 3 | 2);
    put_varint(self, size);
    put(self, bytes, size);
}

void
test_pb_text(test_pb_t *self, uint32_t field, const char *text)
{
    test_pb_bytes(self, field, text, strlen(text));
}

void
test_pb_message(test_pb_t *self, uint32_t field, test_pb_t part)
{
    test_pb_bytes(self, field, part.bytes, part.size);
    test_pb_end(&part);
}

/* ---- parts ---- */

static test_pb_t
attribute(const char *name, uint64_t type)
{
    test_pb_t self = {0};
    test_pb_text(&self, 1, name);
    test_pb_varint(&self, 20, type);
    return self;
}

test_pb_t
test_onnx_floats(const char *name, const float *values, size_t count)
{
    test_pb_t self = attribute(name, 6);
    for (size_t i = 0; i < count; i++) {
        test_pb_float(&self, 7, values[i]);
    }
    return self;
}

test_pb_t
test_onnx_ints(const char *name, const int64_t *values, size_t count)
{
    test_pb_t self = attribute(name, 7);
    for (size_t i = 0; i < count; i++) {
        test_pb_varint(&self, 8, (uint64_t)values[i]);
    }
    return self;
}

test_pb_t
test_onnx_texts(const char *name, const char *const *values)
{
    test_pb_t self = attribute(name, 8);
    for (; *values; values++) {
        test_pb_text(&self, 9, *values);
    }
    return self;
}

test_pb_t
test_onnx_int(const char *name, int64_t value)
{
    test_pb_t self = attribute(name, 2);
    test_pb_varint(&self, 3, (uint64_t)value);
    return self;
}

test_pb_t
test_onnx_text(const char *name, const char *value)
{
    test_pb_t self = attribute(name, 3);
    test_pb_text(&self, 4, value);
    return self;
}

static void
put_names(test_pb_t *self, uint32_t field, const char *names)
{
    char name[256];
    const char *rest = names;
    while (vln_text_next(&rest, ',', name, sizeof name)) {
        test_pb_text(self, field, name);
    }
}

test_pb_t
test_onnx_node(const char *op, const char *domain, const char *inputs, const char *outputs)
{
    test_pb_t self = {0};
    put_names(&self, 1, inputs);
    put_names(&self, 2, outputs);
    test_pb_text(&self, 4, op);
    if (domain[0] != '\0') {
        test_pb_text(&self, 7, domain);
    }
    return self;
}

test_pb_t
test_onnx_tensor(const char *name, const int64_t *dims, size_t rank, const float *values)
{
    test_pb_t self = {0};
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        test_pb_varint(&self, 1, (uint64_t)dims[i]);
        count *= (size_t)dims[i];
    }
    test_pb_varint(&self, 2, VLN_TENSOR_FLOAT);
    test_pb_text(&self, 8, name);
    test_pb_bytes(&self, 9, values, count * sizeof *values);
    return self;
}

static test_pb_t
map_type(void)
{
    test_pb_t number = {0};
    test_pb_varint(&number, 1, VLN_TENSOR_FLOAT);
    test_pb_t value = {0};
    test_pb_message(&value, 1, number);
    test_pb_t map = {0};
    test_pb_varint(&map, 1, VLN_TENSOR_STRING);
    test_pb_message(&map, 2, value);
    test_pb_t item = {0};
    test_pb_message(&item, 5, map);
    test_pb_t sequence = {0};
    test_pb_message(&sequence, 1, item);
    test_pb_t type = {0};
    test_pb_message(&type, 4, sequence);
    return type;
}

static test_pb_t
tensor_type(int32_t type, const int64_t *dims, size_t rank)
{
    test_pb_t shape = {0};
    for (size_t i = 0; i < rank; i++) {
        test_pb_t dim = {0};
        if (dims[i] >= 0) {
            test_pb_varint(&dim, 1, (uint64_t)dims[i]);
        }
        test_pb_message(&shape, 1, dim);
    }
    test_pb_t tensor = {0};
    test_pb_varint(&tensor, 1, (uint64_t)type);
    test_pb_message(&tensor, 2, shape);
    test_pb_t self = {0};
    test_pb_message(&self, 1, tensor);
    return self;
}

test_pb_t
test_onnx_value(const char *name, int32_t type, const int64_t *dims, size_t rank)
{
    test_pb_t self = {0};
    test_pb_text(&self, 1, name);
    test_pb_message(&self, 2, type == 0 ? map_type() : tensor_type(type, dims, rank));
    return self;
}

static test_pb_t
opset(const char *domain, uint64_t version)
{
    test_pb_t self = {0};
    test_pb_text(&self, 1, domain);
    test_pb_varint(&self, 2, version);
    return self;
}

test_pb_t
test_onnx_model(test_pb_t graph)
{
    test_pb_t self = {0};
    test_pb_varint(&self, 1, 8);
    test_pb_text(&self, 2, "valion tests");
    test_pb_message(&self, 7, graph);
    test_pb_message(&self, 8, opset("", 15));
    test_pb_message(&self, 8, opset("ai.onnx.ml", 2));
    return self;
}

/* ---- models ---- */

/* Small numbers of both signs, always the same ones. */
static float
weight(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

test_pb_t
test_onnx_linear(int64_t features)
{
    float coefficients[VLN_MODEL_MAX_FEATURES] = {0};
    for (int64_t i = 0; i < features; i++) {
        coefficients[i] = (float)(i + 1);
    }
    test_pb_t node = test_onnx_node("LinearRegressor", "ai.onnx.ml", "X", "Y");
    test_pb_message(&node, 5, test_onnx_floats("coefficients", coefficients, (size_t)features));
    test_pb_message(&node, 5, test_onnx_floats("intercepts", (const float[]){0.5f}, 1));
    test_pb_t graph = {0};
    test_pb_message(&graph, 1, node);
    test_pb_text(&graph, 2, "linear");
    test_pb_message(&graph, 11,
                    test_onnx_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, features}, 2));
    test_pb_message(&graph, 12,
                    test_onnx_value("Y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 1}, 2));
    return test_onnx_model(graph);
}

test_pb_t
test_onnx_zipmap(void)
{
    static const char *const classes[] = {"no", "maybe", "yes", NULL};
    static const float coefficients[12] = {1, 2, -1, 0, 0.5f, -2, 1, 1, -1, 0.25f, 2, -0.5f};
    test_pb_t classifier = test_onnx_node("LinearClassifier", "ai.onnx.ml", "X", "label,raw");
    test_pb_message(&classifier, 5, test_onnx_texts("classlabels_strings", classes));
    test_pb_message(&classifier, 5, test_onnx_floats("coefficients", coefficients, 12));
    test_pb_message(&classifier, 5,
                    test_onnx_floats("intercepts", (const float[]){0.1f, 0, -0.1f}, 3));
    test_pb_message(&classifier, 5, test_onnx_int("multi_class", 1));
    test_pb_message(&classifier, 5, test_onnx_text("post_transform", "SOFTMAX"));
    test_pb_t zipmap = test_onnx_node("ZipMap", "ai.onnx.ml", "raw", "probabilities");
    test_pb_message(&zipmap, 5, test_onnx_texts("classlabels_strings", classes));
    test_pb_t graph = {0};
    test_pb_message(&graph, 1, classifier);
    test_pb_message(&graph, 1, zipmap);
    test_pb_text(&graph, 2, "zipmap");
    test_pb_message(&graph, 11,
                    test_onnx_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 4}, 2));
    test_pb_message(&graph, 12,
                    test_onnx_value("label", VLN_TENSOR_STRING, (const int64_t[]){-1}, 1));
    test_pb_message(&graph, 12, test_onnx_value("probabilities", 0, NULL, 0));
    return test_onnx_model(graph);
}

test_pb_t
test_onnx_columns(void)
{
    static const char *const cities[] = {"Rome", "Oslo", "Lima", NULL};
    static const int64_t column[] = {-1, 1};
    test_pb_t encoder = test_onnx_node("LabelEncoder", "ai.onnx.ml", "city__home_", "place");
    test_pb_message(&encoder, 5, test_onnx_texts("keys_strings", cities));
    test_pb_message(&encoder, 5, test_onnx_floats("values_floats", (const float[]){0, 10, 20}, 3));
    test_pb_t fallback = attribute("default_float", 1);
    test_pb_float(&fallback, 2, -5.0f);
    test_pb_message(&encoder, 5, fallback);
    test_pb_t graph = {0};
    test_pb_message(&graph, 1, encoder);
    test_pb_message(&graph, 1, test_onnx_node("Add", "", "age,place", "Y"));
    test_pb_text(&graph, 2, "columns");
    test_pb_message(&graph, 11, test_onnx_value("age", VLN_TENSOR_FLOAT, column, 2));
    test_pb_message(&graph, 11, test_onnx_value("city__home_", VLN_TENSOR_STRING, column, 2));
    test_pb_message(&graph, 12, test_onnx_value("Y", VLN_TENSOR_FLOAT, column, 2));
    return test_onnx_model(graph);
}

static test_pb_t
random_tensor(const char *name, int64_t rows, int64_t columns, uint32_t *state)
{
    float values[LAYER * LAYER] = {0};
    for (int64_t i = 0; i < rows * columns; i++) {
        values[i] = weight(state);
    }
    return test_onnx_tensor(name, (const int64_t[]){rows, columns}, 2, values);
}

test_pb_t
test_onnx_layers(void)
{
    uint32_t state = 7;
    test_pb_t graph = {0};
    test_pb_message(&graph, 1, test_onnx_node("MatMul", "", "X,w1", "a"));
    test_pb_message(&graph, 1, test_onnx_node("Relu", "", "a", "b"));
    test_pb_message(&graph, 1, test_onnx_node("MatMul", "", "b,w2", "c"));
    test_pb_message(&graph, 1, test_onnx_node("Tanh", "", "c", "d"));
    test_pb_message(&graph, 1, test_onnx_node("MatMul", "", "d,w3", "Y"));
    test_pb_text(&graph, 2, "layers");
    test_pb_message(&graph, 5, random_tensor("w1", LAYER_INPUTS, LAYER, &state));
    test_pb_message(&graph, 5, random_tensor("w2", LAYER, LAYER, &state));
    test_pb_message(&graph, 5, random_tensor("w3", LAYER, 1, &state));
    test_pb_message(&graph, 11,
                    test_onnx_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, LAYER_INPUTS}, 2));
    test_pb_message(&graph, 12,
                    test_onnx_value("Y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 1}, 2));
    return test_onnx_model(graph);
}
