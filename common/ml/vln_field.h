/*
 * vln_field - the fields of a protobuf message from outside, one at a time and where they lie, without
 * a schema, memory or recursion. Any thread.
 */
#ifndef VLN_FIELD_H
#define VLN_FIELD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bytes of a file, or of something in it; borrowed. */
typedef struct vln_span {
    const uint8_t *at;
    size_t size;
} vln_span_t;

typedef enum vln_wire {
    VLN_WIRE_VARINT = 0,
    VLN_WIRE_64 = 1,
    VLN_WIRE_BYTES = 2,
    VLN_WIRE_32 = 5,
} vln_wire_t;

typedef struct vln_field {
    uint64_t number;
    vln_wire_t wire;
    uint64_t value;   /* VARINT */
    vln_span_t bytes; /* BYTES; the 4 or 8 bytes of the others */
} vln_field_t;

/* Take the next field off the message; false if its bytes are none, or it is empty. */
bool vln_field_next(vln_span_t *rest, vln_field_t *out);

/* Likewise one number of a packed field. */
bool vln_field_varint(vln_span_t *rest, uint64_t *out);

/* The first field of that number and kind; false, and `*out` is zero, if there is none. */
bool vln_field_find(vln_span_t message, uint64_t number, vln_wire_t wire, vln_field_t *out);

/* The bytes of the first such field, or none. */
vln_span_t vln_field_bytes(vln_span_t message, uint64_t number);

bool vln_span_is(vln_span_t span, const char *text);
bool vln_span_equal(vln_span_t a, vln_span_t b);

#endif
