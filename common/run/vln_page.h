/*
 * vln_page - how much of a list fits one reply.
 *
 * A reply is one frame, and a client scans it (vln_pb) before it unpacks it: bytes, fields of all
 * levels and memory are bounded, however many items were asked for. A page ends before the first
 * item that would go beyond; the reply then says where the next one begins. Pure.
 */
#ifndef VLN_PAGE_H
#define VLN_PAGE_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

#include "vln_mem.h"

/* One that is zeroed is an empty page. */
typedef struct vln_page {
    size_t count;
    size_t bytes;
    size_t fields;
    size_t memory;
} vln_page_t;

/*
 * True if the item goes onto the page too, and then it is counted. The first one always does, or a
 * list would never end: what is stored one by one is bounded when it is stored. The arena is used
 * to look at the item only.
 */
bool vln_page_take(vln_page_t *self, vln_arena_t *arena, const ProtobufCMessage *item);

#endif
