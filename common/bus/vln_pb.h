/*
 * vln_pb - protobuf from outside, checked before it is unpacked, and packing.
 *
 * protobuf-c has no depth limit, merges a repeated singular message in quadratic time, and
 * allocates many times the wire size for empty repeated fields. vln_pb_scan walks the bytes with
 * the descriptor first and refuses all of that in one linear pass; then unpacking goes into an
 * arena with a budget. Unknown fields are skipped and counted, not refused: a newer peer must be
 * understood.
 */
#ifndef VLN_PB_H
#define VLN_PB_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_mem.h"

enum {
    VLN_PB_MAX_DEPTH = 16,
    VLN_PB_MAX_FIELDS = 4096,        /* of one message, all levels together */
    VLN_PB_MAX_MEMORY = 1024 * 1024, /* bytes that unpacking may take */
};

typedef struct vln_pb_scan {
    const char *why;     /* static text, what is wrong; NULL on VLN_OK */
    const char *field;   /* name of the field that is meant, of the descriptor; may be NULL */
    size_t fields;       /* all occurrences, all levels */
    size_t unknown;      /* of them not in the descriptor */
    size_t memory_bytes; /* upper bound of what unpacking allocates */
    bool too_large;      /* refused because of a limit above, not because the bytes are wrong */
} vln_pb_scan_t;

/* VLN_OK if the bytes can be unpacked within the limits above; else VLN_INVALID_ARGUMENT. */
VLN_MUST_USE vln_err_t vln_pb_scan(const ProtobufCMessageDescriptor *descriptor,
                                   const uint8_t *bytes, size_t size, vln_pb_scan_t *out);

/*
 * Scan, then unpack into the arena. On VLN_OK `*out` lives as long as the arena's pieces and is
 * never freed on its own; else it is NULL and scan->why says what is wrong.
 */
VLN_MUST_USE vln_err_t vln_pb_unpack(const ProtobufCMessageDescriptor *descriptor,
                                     const uint8_t *bytes, size_t size, vln_arena_t *arena,
                                     ProtobufCMessage **out, vln_pb_scan_t *scan);

/* For protobuf-c's own unpacking where the bytes were bounded otherwise: pieces of the arena, which end
 * with it. */
ProtobufCAllocator vln_pb_allocator(vln_arena_t *arena);

/* Packed into the arena; `*size` is its length. Never NULL. */
uint8_t *vln_pb_pack(const ProtobufCMessage *message, vln_arena_t *arena, size_t *size);

/* True if the enum has a value of this number (a newer peer may send one that has not). */
bool vln_pb_enum_knows(const ProtobufCEnumDescriptor *descriptor, int value);

/* A packed message as the field of that number of a message that has nothing else, packed, in the
 * arena. */
const uint8_t *vln_pb_wrap(vln_arena_t *arena, uint32_t number, const uint8_t *packed, size_t size,
                           size_t *out_size);

#endif
