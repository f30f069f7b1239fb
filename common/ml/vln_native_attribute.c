/* Attributes of an ONNX node, and lists of numbers, taken out of the bytes. */
#include <stdlib.h>
#include <string.h>

#include "vln_model_inside.h"
#include "vln_native_graph.h"

/* Where in an AttributeProto the value of a type is. */
static uint64_t
field_of(vln_attribute_type_t type)
{
    switch (type) {
    case VLN_ATTRIBUTE_FLOAT:
        return 2;
    case VLN_ATTRIBUTE_INT:
        return 3;
    case VLN_ATTRIBUTE_STRING:
        return 4;
    case VLN_ATTRIBUTE_FLOATS:
        return 7;
    case VLN_ATTRIBUTE_INTS:
        return 8;
    case VLN_ATTRIBUTE_STRINGS:
        return 9;
    }
    return 0;
}

/* Name, type, a text about it, and the one value. */
static bool
is_plain(vln_span_t attribute, vln_attribute_type_t type)
{
    vln_field_t field;
    size_t names = 0;
    size_t texts = 0;
    size_t types = 0;
    size_t values = 0;
    bool is_list = type >= VLN_ATTRIBUTE_FLOATS;
    while (attribute.size > 0) {
        if (!vln_field_next(&attribute, &field)) {
            return false;
        }
        if (field.number == 20) {
            types += field.wire == VLN_WIRE_VARINT && field.value == (uint64_t)type ? 1 : 2;
        } else if (field.number == field_of(type)) {
            values++;
        } else if (field.number == 1) {
            names++;
        } else if (field.number != 13 || ++texts > 1) {
            return false;
        }
    }
    return names == 1 && types == 1 && (is_list || values <= 1);
}

bool
vln_attributes_known(vln_span_t node, const vln_attribute_t *known, size_t count)
{
    uint64_t seen = 0;
    vln_field_t field;
    while (node.size > 0) {
        if (!vln_field_next(&node, &field)) {
            return false;
        }
        if (field.number != 5 || field.wire != VLN_WIRE_BYTES) {
            continue;
        }
        vln_span_t name = vln_field_bytes(field.bytes, 1);
        size_t i = 0;
        while (i < count && !vln_span_is(name, known[i].name)) {
            i++;
        }
        if (i == count || (seen >> i & 1) || !is_plain(field.bytes, known[i].type)) {
            return false;
        }
        seen |= (uint64_t)1 << i;
    }
    return true;
}

vln_span_t
vln_attribute_find(vln_span_t node, const char *name)
{
    vln_field_t field;
    while (node.size > 0 && vln_field_next(&node, &field)) {
        if (field.number == 5 && field.wire == VLN_WIRE_BYTES &&
            vln_span_is(vln_field_bytes(field.bytes, 1), name)) {
            return field.bytes;
        }
    }
    return (vln_span_t){0};
}

bool
vln_attribute_int(vln_span_t node, const char *name, int64_t *out)
{
    vln_field_t field;
    bool found = vln_field_find(vln_attribute_find(node, name), 3, VLN_WIRE_VARINT, &field);
    *out = (int64_t)field.value;
    return found;
}

bool
vln_attribute_float(vln_span_t node, const char *name, float *out)
{
    vln_field_t field;
    bool found = vln_field_find(vln_attribute_find(node, name), 2, VLN_WIRE_32, &field);
    *out = 0;
    if (found) {
        memcpy(out, field.bytes.at, sizeof *out);
    }
    return found;
}

vln_span_t
vln_attribute_string(vln_span_t node, const char *name)
{
    return vln_field_bytes(vln_attribute_find(node, name), 4);
}

/* ---- lists ---- */

static bool
add_floats(vln_span_t bytes, size_t max, float **out, size_t *count)
{
    if (bytes.size % sizeof **out != 0 || bytes.size / sizeof **out > max - *count) {
        return false;
    }
    size_t more = bytes.size / sizeof **out;
    if (more > 0) {
        *out = vln_realloc(*out, (*count + more) * sizeof **out);
        memcpy(*out + *count, bytes.at, bytes.size);
        *count += more;
    }
    return true;
}

bool
vln_list_floats(vln_span_t message, uint64_t number, size_t max, float **out, size_t *count)
{
    vln_field_t field;
    float one = 0;
    *out = NULL;
    *count = 0;
    while (message.size > 0) {
        if (!vln_field_next(&message, &field)) {
            return false;
        }
        if (field.number != number) {
            continue;
        }
        if (field.wire == VLN_WIRE_32) { /* one by one, so that room doubles */
            if (*count == max) {
                return false;
            }
            memcpy(&one, field.bytes.at, sizeof one);
            *out = vln_model_grow(*out, *count, sizeof **out);
            (*out)[(*count)++] = one;
        } else if (*count > 0 || field.wire != VLN_WIRE_BYTES ||
                   !add_floats(field.bytes, max, out, count)) {
            return false;
        }
    }
    return true;
}

static bool
add_int(int64_t value, size_t max, int64_t **out, size_t *count)
{
    if (*count == max) {
        return false;
    }
    *out = vln_model_grow(*out, *count, sizeof **out);
    (*out)[(*count)++] = value;
    return true;
}

static bool
add_ints(const vln_field_t *field, size_t max, int64_t **out, size_t *count)
{
    vln_span_t rest = field->bytes;
    uint64_t value = 0;
    if (field->wire == VLN_WIRE_VARINT) {
        return add_int((int64_t)field->value, max, out, count);
    }
    while (field->wire == VLN_WIRE_BYTES && rest.size > 0) {
        if (!vln_field_varint(&rest, &value) || !add_int((int64_t)value, max, out, count)) {
            return false;
        }
    }
    return field->wire == VLN_WIRE_BYTES;
}

bool
vln_list_ints(vln_span_t message, uint64_t number, size_t max, int64_t **out, size_t *count)
{
    vln_field_t field;
    *out = NULL;
    *count = 0;
    while (message.size > 0) {
        if (!vln_field_next(&message, &field) ||
            (field.number == number && !add_ints(&field, max, out, count))) {
            return false;
        }
    }
    return true;
}

bool
vln_attribute_floats(vln_span_t node, const char *name, size_t max, float **out, size_t *count)
{
    return vln_list_floats(vln_attribute_find(node, name), 7, max, out, count);
}

bool
vln_attribute_ints(vln_span_t node, const char *name, size_t max, int64_t **out, size_t *count)
{
    return vln_list_ints(vln_attribute_find(node, name), 8, max, out, count);
}

bool
vln_attribute_strings(vln_span_t node, const char *name, size_t max, vln_span_t **out,
                      size_t *count)
{
    vln_span_t attribute = vln_attribute_find(node, name);
    vln_field_t field;
    *out = NULL;
    *count = 0;
    while (attribute.size > 0) {
        if (!vln_field_next(&attribute, &field)) {
            return false;
        }
        if (field.number != 9) {
            continue;
        }
        if (field.wire != VLN_WIRE_BYTES || *count == max) {
            return false;
        }
        *out = vln_model_grow(*out, *count, sizeof **out);
        (*out)[(*count)++] = field.bytes;
    }
    return true;
}
