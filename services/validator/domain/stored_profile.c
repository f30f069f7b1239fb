#include "stored_profile.h"

#include <stdbool.h>

#include "vln_pb.h"
#include "vln_profile.h"

enum { FIELD_COLUMNS = 2, FIELD_PREDICTION = 6, WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2 };

typedef struct walk {
    const uint8_t *at;
    const uint8_t *end;
} walk_t;

static bool
read_varint(walk_t *walk, uint64_t *out)
{
    *out = 0;
    for (unsigned shift = 0; shift < 64 && walk->at < walk->end; shift += 7) {
        uint8_t byte = *walk->at++;
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80) {
            return true;
        }
    }
    return false;
}

static bool
skip(walk_t *walk, unsigned wire)
{
    uint64_t size = wire == WIRE_64 ? 8 : 4;
    if (wire == WIRE_VARINT || wire == WIRE_BYTES) {
        if (!read_varint(walk, &size)) {
            return false;
        }
        size = wire == WIRE_VARINT ? 0 : size;
    }
    if (size > (uint64_t)(walk->end - walk->at)) {
        return false;
    }
    walk->at += size;
    return true;
}

/* protobuf-c merges a message that occurs again in time that grows with the square of how often; and
 * each empty column takes far more memory than its two bytes. */
static bool
is_bounded(const uint8_t *bytes, size_t size)
{
    walk_t walk = {bytes, bytes + size};
    size_t columns = 0;
    size_t predictions = 0;
    while (walk.at < walk.end) {
        uint64_t tag = 0;
        if (!read_varint(&walk, &tag) || (tag & 7) == 3 || (tag & 7) == 4 || (tag & 7) > 5 ||
            !skip(&walk, (unsigned)(tag & 7))) {
            return false;
        }
        columns += tag >> 3 == FIELD_COLUMNS;
        predictions += tag >> 3 == FIELD_PREDICTION;
    }
    return columns <= VLN_PROFILE_COLUMNS_MAX && predictions <= 1;
}

Valion__V1__Profile *
stored_profile_read(const uint8_t *bytes, size_t size, vln_arena_t *arena)
{
    ProtobufCAllocator allocator = vln_pb_allocator(arena);
    if (!is_bounded(bytes, size)) {
        return NULL;
    }
    return valion__v1__profile__unpack(&allocator, size, bytes);
}
