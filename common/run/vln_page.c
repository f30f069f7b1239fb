#include "vln_page.h"

#include "vln_pb.h"

/* The reply around the items has a token and a few numbers. An item costs its parent a tag, a
 * length, a pointer in the array and two notes in the slabs of protobuf-c (see vln_pb.c). */
enum {
    BYTES_MAX = 200 * 1024,
    FIELDS_MAX = VLN_PB_MAX_FIELDS - 16,
    MEMORY_MAX = VLN_PB_MAX_MEMORY - 16 * 1024,
    ITEM_BYTES = 10,
    ITEM_MEMORY = 128,
};

bool
vln_page_take(vln_page_t *self, vln_arena_t *arena, const ProtobufCMessage *item)
{
    size_t size = 0;
    const uint8_t *packed = vln_pb_pack(item, arena, &size);
    vln_pb_scan_t scan;
    bool sound = vln_pb_scan(item->descriptor, packed, size, &scan) == VLN_OK;
    const vln_page_t next = {.count = self->count + 1,
                             .bytes = self->bytes + size + ITEM_BYTES,
                             .fields = self->fields + scan.fields + 1,
                             .memory = self->memory + scan.memory_bytes + ITEM_MEMORY};
    bool fits =
        sound && next.bytes <= BYTES_MAX && next.fields <= FIELDS_MAX && next.memory <= MEMORY_MAX;
    if (!fits && self->count > 0) {
        return false;
    }
    *self = next;
    return true;
}
