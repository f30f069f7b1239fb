/*
 * test_onnx - ONNX files for tests, made field by field: a small writer of protobuf, and the parts
 * of a model. A part that is put into another is ended by that.
 */
#ifndef TEST_ONNX_H
#define TEST_ONNX_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a message; zero it to begin. */
typedef struct test_pb {
    uint8_t *bytes;
    size_t size;
} test_pb_t;

void test_pb_end(test_pb_t *self);
void test_pb_varint(test_pb_t *self, uint32_t field, uint64_t value);
void test_pb_float(test_pb_t *self, uint32_t field, float value);
void test_pb_bytes(test_pb_t *self, uint32_t field, const void *bytes, size_t size);
void test_pb_text(test_pb_t *self, uint32_t field, const char *text);
void test_pb_message(test_pb_t *self, uint32_t field, test_pb_t part);

/* AttributeProto. Lists of texts end with NULL. */
test_pb_t test_onnx_floats(const char *name, const float *values, size_t count);
test_pb_t test_onnx_ints(const char *name, const int64_t *values, size_t count);
test_pb_t test_onnx_texts(const char *name, const char *const *values);
test_pb_t test_onnx_int(const char *name, int64_t value);
test_pb_t test_onnx_text(const char *name, const char *value);

/* NodeProto: inputs and outputs separated by commas, attributes to be put by the caller (field 5). */
test_pb_t test_onnx_node(const char *op, const char *domain, const char *inputs,
                         const char *outputs);

/* TensorProto of floats. */
test_pb_t test_onnx_tensor(const char *name, const int64_t *dims, size_t rank, const float *values);

/* ValueInfoProto; a dim of -1 is left open. Type 0: a sequence of maps, as a ZipMap gives. */
test_pb_t test_onnx_value(const char *name, int32_t type, const int64_t *dims, size_t rank);

/* ModelProto of a graph: ir_version 8, opset 15, ai.onnx.ml 2. */
test_pb_t test_onnx_model(test_pb_t graph);

/* ---- models, with numbers that follow from their shape ---- */

/* X float [any, features] -> Y float [any, 1]: LinearRegressor, coefficients 1, 2, 3 … */
test_pb_t test_onnx_linear(int64_t features);

/* X float [any, 4] -> label (text), probabilities (maps): LinearClassifier of "no", "maybe", "yes",
 * then a ZipMap. */
test_pb_t test_onnx_zipmap(void);

/* age float [any, 1], city__home_ string [any, 1] -> Y float [any, 1]: age + 10 per place of the city
 * in "Rome", "Oslo", "Lima"; -5 for any other. */
test_pb_t test_onnx_columns(void);

/* X float [any, 16] -> Y float [any, 1]: two layers of 64, whose sums depend on their order. */
test_pb_t test_onnx_layers(void);

#endif
