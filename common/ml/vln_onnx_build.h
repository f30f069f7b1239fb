/*
 * vln_onnx_build - ONNX files made field by field: a small writer of protobuf, and the parts of a
 * model. A part that is put into another is ended by that.
 *
 * ONNX's own messages are not compiled in: of their hundred fields these are what the models need
 * that Valion writes. Knows no operator; whoever builds a node says which.
 */
#ifndef VLN_ONNX_BUILD_H
#define VLN_ONNX_BUILD_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of a message; zero it to begin. */
typedef struct vln_part {
    uint8_t *bytes;
    size_t size;
} vln_part_t;

void vln_part_end(vln_part_t *self);
void vln_part_varint(vln_part_t *self, uint32_t field, uint64_t value);
void vln_part_float(vln_part_t *self, uint32_t field, float value);
void vln_part_bytes(vln_part_t *self, uint32_t field, const void *bytes, size_t size);
void vln_part_text(vln_part_t *self, uint32_t field, const char *text);
void vln_part_message(vln_part_t *self, uint32_t field, vln_part_t part);

/* AttributeProto. Lists of texts end with NULL. */
vln_part_t vln_part_floats(const char *name, const float *values, size_t count);
vln_part_t vln_part_ints(const char *name, const int64_t *values, size_t count);
vln_part_t vln_part_texts(const char *name, const char *const *values);
vln_part_t vln_part_number(const char *name, float value);
vln_part_t vln_part_int(const char *name, int64_t value);
vln_part_t vln_part_string(const char *name, const char *value);

/* NodeProto: inputs and outputs separated by commas, attributes to be put by the caller (field 5). */
vln_part_t vln_part_node(const char *op, const char *domain, const char *inputs,
                         const char *outputs);

/* TensorProto of floats. */
vln_part_t vln_part_tensor(const char *name, const int64_t *dims, size_t rank, const float *values);

/* TensorProto of whole numbers, of one dimension: a shape, for one. */
vln_part_t vln_part_wholes(const char *name, const int64_t *values, size_t count);

/* ValueInfoProto; a dim of -1 is left open. Type 0: a sequence of maps, as a ZipMap gives. */
vln_part_t vln_part_value(const char *name, int32_t type, const int64_t *dims, size_t rank);

/* ModelProto of a graph: ir_version 8, opset 15, ai.onnx.ml 2. */
vln_part_t vln_part_model(const char *producer, vln_part_t graph);

/* What a model gives, number by number, has these names: into its properties, where vln_model_read()
 * finds them. */
void vln_part_name_columns(vln_part_t *model, const char *const *names, size_t count);

#endif
