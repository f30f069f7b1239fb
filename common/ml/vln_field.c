#include "vln_field.h"

#include <string.h>

bool
vln_field_varint(vln_span_t *rest, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && rest->size > 0; shift += 7) {
        uint8_t byte = *rest->at++;
        rest->size--;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool
next_bytes(vln_span_t *rest, uint64_t size, vln_span_t *out)
{
    if (size > rest->size) {
        return false;
    }
    *out = (vln_span_t){.at = rest->at, .size = (size_t)size};
    rest->at += size;
    rest->size -= (size_t)size;
    return true;
}

bool
vln_field_next(vln_span_t *rest, vln_field_t *out)
{
    uint64_t key = 0;
    *out = (vln_field_t){0};
    if (!vln_field_varint(rest, &key) || key >> 3 == 0 || key >> 3 > 0x1fffffff) {
        return false;
    }
    out->number = key >> 3;
    out->wire = (vln_wire_t)(key & 7);
    switch (key & 7) {
    case VLN_WIRE_VARINT:
        return vln_field_varint(rest, &out->value);
    case VLN_WIRE_64:
        return next_bytes(rest, 8, &out->bytes);
    case VLN_WIRE_32:
        return next_bytes(rest, 4, &out->bytes);
    case VLN_WIRE_BYTES:
        return vln_field_varint(rest, &out->value) && next_bytes(rest, out->value, &out->bytes);
    default:
        return false; /* groups, which ONNX has none of */
    }
}

bool
vln_field_find(vln_span_t message, uint64_t number, vln_wire_t wire, vln_field_t *out)
{
    while (message.size > 0 && vln_field_next(&message, out)) {
        if (out->number == number && out->wire == wire) {
            return true;
        }
    }
    *out = (vln_field_t){0};
    return false;
}

vln_span_t
vln_field_bytes(vln_span_t message, uint64_t number)
{
    vln_field_t field;
    vln_field_find(message, number, VLN_WIRE_BYTES, &field);
    return field.bytes;
}

bool
vln_span_is(vln_span_t span, const char *text)
{
    return span.size == strlen(text) && (span.size == 0 || memcmp(span.at, text, span.size) == 0);
}

bool
vln_span_equal(vln_span_t a, vln_span_t b)
{
    return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}
