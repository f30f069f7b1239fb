#include "vln_onnx_build.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"
#include "vln_model.h"
#include "vln_text.h"

/* ---- protobuf ---- */

void
vln_part_end(vln_part_t *self)
{
    free(self->bytes);
    *self = (vln_part_t){0};
}

static void
put(vln_part_t *self, const void *bytes, size_t size)
{
    self->bytes = vln_realloc(self->bytes, self->size + size + 1);
    if (size > 0) {
        memcpy(self->bytes + self->size, bytes, size);
    }
    self->size += size;
}

static void
put_varint(vln_part_t *self, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
        put(self, &byte, 1);
        value >>= 7;
    } while (value > 0);
}

void
vln_part_varint(vln_part_t *self, uint32_t field, uint64_t value)
{
    put_varint(self, field << 3);
    put_varint(self, value);
}

void
vln_part_float(vln_part_t *self, uint32_t field, float value)
{
    put_varint(self, field << 3 | 5);
    put(self, &value, sizeof value);
}

void
vln_part_bytes(vln_part_t *self, uint32_t field, const void *bytes, size_t size)
{
    put_varint(self, field << 3 | 2);
    put_varint(self, size);
    put(self, bytes, size);
}

void
vln_part_text(vln_part_t *self, uint32_t field, const char *text)
{
    vln_part_bytes(self, field, text, strlen(text));
}

void
vln_part_message(vln_part_t *self, uint32_t field, vln_part_t part)
{
    vln_part_bytes(self, field, part.bytes, part.size);
    vln_part_end(&part);
}

/* ---- parts ---- */

static vln_part_t
attribute(const char *name, uint64_t type)
{
    vln_part_t self = {0};
    vln_part_text(&self, 1, name);
    vln_part_varint(&self, 20, type);
    return self;
}

vln_part_t
vln_part_floats(const char *name, const float *values, size_t count)
{
    vln_part_t self = attribute(name, 6);
    for (size_t i = 0; i < count; i++) {
        vln_part_float(&self, 7, values[i]);
    }
    return self;
}

vln_part_t
vln_part_ints(const char *name, const int64_t *values, size_t count)
{
    vln_part_t self = attribute(name, 7);
    for (size_t i = 0; i < count; i++) {
        vln_part_varint(&self, 8, (uint64_t)values[i]);
    }
    return self;
}

vln_part_t
vln_part_texts(const char *name, const char *const *values)
{
    vln_part_t self = attribute(name, 8);
    for (; *values; values++) {
        vln_part_text(&self, 9, *values);
    }
    return self;
}

vln_part_t
vln_part_number(const char *name, float value)
{
    vln_part_t self = attribute(name, 1);
    vln_part_float(&self, 2, value);
    return self;
}

vln_part_t
vln_part_int(const char *name, int64_t value)
{
    vln_part_t self = attribute(name, 2);
    vln_part_varint(&self, 3, (uint64_t)value);
    return self;
}

vln_part_t
vln_part_string(const char *name, const char *value)
{
    vln_part_t self = attribute(name, 3);
    vln_part_text(&self, 4, value);
    return self;
}

static void
put_names(vln_part_t *self, uint32_t field, const char *names)
{
    char name[256];
    const char *rest = names;
    while (vln_text_next(&rest, ',', name, sizeof name)) {
        vln_part_text(self, field, name);
    }
}

vln_part_t
vln_part_node(const char *op, const char *domain, const char *inputs, const char *outputs)
{
    vln_part_t self = {0};
    put_names(&self, 1, inputs);
    put_names(&self, 2, outputs);
    vln_part_text(&self, 4, op);
    if (domain[0] != '\0') {
        vln_part_text(&self, 7, domain);
    }
    return self;
}

vln_part_t
vln_part_tensor(const char *name, const int64_t *dims, size_t rank, const float *values)
{
    vln_part_t self = {0};
    size_t count = 1;
    for (size_t i = 0; i < rank; i++) {
        vln_part_varint(&self, 1, (uint64_t)dims[i]);
        count *= (size_t)dims[i];
    }
    vln_part_varint(&self, 2, VLN_TENSOR_FLOAT);
    vln_part_text(&self, 8, name);
    vln_part_bytes(&self, 9, values, count * sizeof *values);
    return self;
}

vln_part_t
vln_part_wholes(const char *name, const int64_t *values, size_t count)
{
    vln_part_t self = {0};
    vln_part_varint(&self, 1, count);
    vln_part_varint(&self, 2, VLN_TENSOR_INT64);
    vln_part_text(&self, 8, name);
    vln_part_bytes(&self, 9, values, count * sizeof *values);
    return self;
}

static vln_part_t
map_type(void)
{
    vln_part_t number = {0};
    vln_part_varint(&number, 1, VLN_TENSOR_FLOAT);
    vln_part_t value = {0};
    vln_part_message(&value, 1, number);
    vln_part_t map = {0};
    vln_part_varint(&map, 1, VLN_TENSOR_STRING);
    vln_part_message(&map, 2, value);
    vln_part_t item = {0};
    vln_part_message(&item, 5, map);
    vln_part_t sequence = {0};
    vln_part_message(&sequence, 1, item);
    vln_part_t type = {0};
    vln_part_message(&type, 4, sequence);
    return type;
}

static vln_part_t
tensor_type(int32_t type, const int64_t *dims, size_t rank)
{
    vln_part_t shape = {0};
    for (size_t i = 0; i < rank; i++) {
        vln_part_t dim = {0};
        if (dims[i] >= 0) {
            vln_part_varint(&dim, 1, (uint64_t)dims[i]);
        }
        vln_part_message(&shape, 1, dim);
    }
    vln_part_t tensor = {0};
    vln_part_varint(&tensor, 1, (uint64_t)type);
    vln_part_message(&tensor, 2, shape);
    vln_part_t self = {0};
    vln_part_message(&self, 1, tensor);
    return self;
}

vln_part_t
vln_part_value(const char *name, int32_t type, const int64_t *dims, size_t rank)
{
    vln_part_t self = {0};
    vln_part_text(&self, 1, name);
    vln_part_message(&self, 2, type == 0 ? map_type() : tensor_type(type, dims, rank));
    return self;
}

static vln_part_t
opset(const char *domain, uint64_t version)
{
    vln_part_t self = {0};
    vln_part_text(&self, 1, domain);
    vln_part_varint(&self, 2, version);
    return self;
}

vln_part_t
vln_part_model(const char *producer, vln_part_t graph)
{
    vln_part_t self = {0};
    vln_part_varint(&self, 1, 8);
    vln_part_text(&self, 2, producer);
    vln_part_message(&self, 7, graph);
    vln_part_message(&self, 8, opset("", 15));
    vln_part_message(&self, 8, opset("ai.onnx.ml", 2));
    return self;
}

void
vln_part_name_columns(vln_part_t *model, const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char key[sizeof VLN_MODEL_COLUMN_PROPERTY + 24];
        snprintf(key, sizeof key, VLN_MODEL_COLUMN_PROPERTY "%zu", i);
        vln_part_t property = {0};
        vln_part_text(&property, 1, key);
        vln_part_text(&property, 2, names[i]);
        vln_part_message(model, 14, property);
    }
}
