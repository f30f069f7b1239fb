#include "test_onnx.h"

#include <stdlib.h>
#include <string.h>

#include "vln_model.h"

enum { LAYER = 64, LAYER_INPUTS = 16 };

/* Small numbers of both signs, always the same ones. */
static float
weight(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return (float)(*state >> 8) / 8388608.0f - 1.0f;
}

vln_part_t
test_onnx_linear(int64_t features)
{
    float coefficients[VLN_MODEL_MAX_FEATURES] = {0};
    for (int64_t i = 0; i < features; i++) {
        coefficients[i] = (float)(i + 1);
    }
    vln_part_t node = vln_part_node("LinearRegressor", "ai.onnx.ml", "X", "Y");
    vln_part_message(&node, 5, vln_part_floats("coefficients", coefficients, (size_t)features));
    vln_part_message(&node, 5, vln_part_floats("intercepts", (const float[]){0.5f}, 1));
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, node);
    vln_part_text(&graph, 2, "linear");
    vln_part_message(&graph, 11,
                     vln_part_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, features}, 2));
    vln_part_message(&graph, 12,
                     vln_part_value("Y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 1}, 2));
    return vln_part_model("valion tests", graph);
}

vln_part_t
test_onnx_zipmap(void)
{
    static const char *const classes[] = {"no", "maybe", "yes", NULL};
    static const float coefficients[12] = {1, 2, -1, 0, 0.5f, -2, 1, 1, -1, 0.25f, 2, -0.5f};
    vln_part_t classifier = vln_part_node("LinearClassifier", "ai.onnx.ml", "X", "label,raw");
    vln_part_message(&classifier, 5, vln_part_texts("classlabels_strings", classes));
    vln_part_message(&classifier, 5, vln_part_floats("coefficients", coefficients, 12));
    vln_part_message(&classifier, 5,
                     vln_part_floats("intercepts", (const float[]){0.1f, 0, -0.1f}, 3));
    vln_part_message(&classifier, 5, vln_part_int("multi_class", 1));
    vln_part_message(&classifier, 5, vln_part_string("post_transform", "SOFTMAX"));
    vln_part_t zipmap = vln_part_node("ZipMap", "ai.onnx.ml", "raw", "probabilities");
    vln_part_message(&zipmap, 5, vln_part_texts("classlabels_strings", classes));
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, classifier);
    vln_part_message(&graph, 1, zipmap);
    vln_part_text(&graph, 2, "zipmap");
    vln_part_message(&graph, 11,
                     vln_part_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 4}, 2));
    vln_part_message(&graph, 12,
                     vln_part_value("label", VLN_TENSOR_STRING, (const int64_t[]){-1}, 1));
    vln_part_message(&graph, 12, vln_part_value("probabilities", 0, NULL, 0));
    return vln_part_model("valion tests", graph);
}

vln_part_t
test_onnx_columns(void)
{
    static const char *const cities[] = {"Rome", "Oslo", "Lima", NULL};
    static const int64_t column[] = {-1, 1};
    vln_part_t encoder = vln_part_node("LabelEncoder", "ai.onnx.ml", "city__home_", "place");
    vln_part_message(&encoder, 5, vln_part_texts("keys_strings", cities));
    vln_part_message(&encoder, 5, vln_part_floats("values_floats", (const float[]){0, 10, 20}, 3));
    vln_part_message(&encoder, 5, vln_part_number("default_float", -5.0f));
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, encoder);
    vln_part_message(&graph, 1, vln_part_node("Add", "", "age,place", "Y"));
    vln_part_text(&graph, 2, "columns");
    vln_part_message(&graph, 11, vln_part_value("age", VLN_TENSOR_FLOAT, column, 2));
    vln_part_message(&graph, 11, vln_part_value("city__home_", VLN_TENSOR_STRING, column, 2));
    vln_part_message(&graph, 12, vln_part_value("Y", VLN_TENSOR_FLOAT, column, 2));
    return vln_part_model("valion tests", graph);
}

static vln_part_t
one_hot(const char *from, const char *to, const int64_t *wholes, size_t count)
{
    vln_part_t node = vln_part_node("OneHotEncoder", "ai.onnx.ml", from, to);
    vln_part_message(&node, 5, vln_part_ints("cats_int64s", wholes, count));
    return node;
}

static vln_part_t
labels(const test_onnx_encoders_t *differing)
{
    const char *const cities[] = {"Rome", "Oslo", "Lima", "", differing->twice, NULL};
    const float numbers[] = {10, 20, 30, 40, 50};
    size_t count = differing->twice ? 5 : 4;
    vln_part_t node = vln_part_node("LabelEncoder", "ai.onnx.ml", "city", "place");
    vln_part_message(&node, 5, vln_part_texts("keys_strings", cities));
    vln_part_message(&node, 5,
                     vln_part_floats("values_floats", numbers,
                                     differing->numbers > 0 ? differing->numbers : count));
    if (!differing->no_default) {
        vln_part_message(&node, 5, vln_part_number("default_float", -1.0f));
    }
    return node;
}

/* Of the first opset of ai.onnx.ml. */
static vln_part_t
old_model(vln_part_t graph)
{
    vln_part_t opset = {0};
    vln_part_text(&opset, 1, "ai.onnx.ml");
    vln_part_varint(&opset, 2, 1);
    vln_part_t plain = {0};
    vln_part_varint(&plain, 2, 15);
    vln_part_t self = {0};
    vln_part_varint(&self, 1, 8);
    vln_part_message(&self, 7, graph);
    vln_part_message(&self, 8, plain);
    vln_part_message(&self, 8, opset);
    return self;
}

vln_part_t
test_onnx_encoders(const test_onnx_encoders_t *differing)
{
    static const char *const names[] = {"place",  "is20",   "is10",   "is-1",
                                        "rooms1", "rooms2", "rooms4", "rooms-3"};
    static const int64_t column[] = {-1, 1};
    static const int64_t usual[] = {1, 2, 4, -3};
    const int64_t *rooms = differing->rooms ? differing->rooms : usual;
    size_t room_count = differing->rooms ? differing->room_count : 4;
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, labels(differing));
    vln_part_message(&graph, 1, one_hot("place", "is", (const int64_t[]){20, 10, -1}, 3));
    vln_part_message(&graph, 1, vln_part_node("Reshape", "", "is,three", "flat"));
    vln_part_t encoder = one_hot("rooms", "room", rooms, room_count);
    vln_part_message(&encoder, 5, vln_part_int("zeros", !differing->strict));
    vln_part_message(&graph, 1, encoder);
    vln_part_message(&graph, 1, vln_part_node("Reshape", "", "room,many", "rooms_flat"));
    vln_part_t all = vln_part_node("Concat", "", "place,flat,rooms_flat", "Y");
    vln_part_message(&all, 5, vln_part_int("axis", 1));
    vln_part_message(&graph, 1, all);
    vln_part_text(&graph, 2, "encoders");
    vln_part_message(&graph, 5, vln_part_wholes("three", (const int64_t[]){-1, 3}, 2));
    vln_part_message(&graph, 5,
                     vln_part_wholes("many", (const int64_t[]){-1, (int64_t)room_count}, 2));
    vln_part_message(&graph, 11, vln_part_value("rooms", VLN_TENSOR_FLOAT, column, 2));
    vln_part_message(&graph, 11, vln_part_value("city", VLN_TENSOR_STRING, column, 2));
    const int64_t row[] = {-1, 4 + (int64_t)room_count};
    vln_part_message(&graph, 12, vln_part_value("Y", VLN_TENSOR_FLOAT, row, 2));
    vln_part_t model = differing->is_old ? old_model(graph) : vln_part_model("valion tests", graph);
    vln_part_name_columns(&model, names, 8);
    return model;
}

static vln_part_t
random_tensor(const char *name, int64_t rows, int64_t columns, uint32_t *state)
{
    float values[LAYER * LAYER] = {0};
    for (int64_t i = 0; i < rows * columns; i++) {
        values[i] = weight(state);
    }
    return vln_part_tensor(name, (const int64_t[]){rows, columns}, 2, values);
}

vln_part_t
test_onnx_layers(void)
{
    uint32_t state = 7;
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, vln_part_node("MatMul", "", "X,w1", "a"));
    vln_part_message(&graph, 1, vln_part_node("Relu", "", "a", "b"));
    vln_part_message(&graph, 1, vln_part_node("MatMul", "", "b,w2", "c"));
    vln_part_message(&graph, 1, vln_part_node("Tanh", "", "c", "d"));
    vln_part_message(&graph, 1, vln_part_node("MatMul", "", "d,w3", "Y"));
    vln_part_text(&graph, 2, "layers");
    vln_part_message(&graph, 5, random_tensor("w1", LAYER_INPUTS, LAYER, &state));
    vln_part_message(&graph, 5, random_tensor("w2", LAYER, LAYER, &state));
    vln_part_message(&graph, 5, random_tensor("w3", LAYER, 1, &state));
    vln_part_message(&graph, 11,
                     vln_part_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, LAYER_INPUTS}, 2));
    vln_part_message(&graph, 12,
                     vln_part_value("Y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 1}, 2));
    return vln_part_model("valion tests", graph);
}
