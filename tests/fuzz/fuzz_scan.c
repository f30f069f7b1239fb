/*
 * Any bytes as any message of the contract, which the first byte picks: what the scan accepts
 * unpacks, and takes no more memory than the scan said. What it refuses has a reason.
 */
#include <stdint.h>
#include <stdlib.h>

#include "vln_contract.h"
#include "vln_pb.h"

enum { TYPES_MAX = 256 };

/* The types of the contract, found once. */
typedef struct types {
    const ProtobufCMessageDescriptor *type[TYPES_MAX];
    size_t count;
} types_t;

/* What protobuf-c takes, counted as the arena would: in pieces of 16 bytes. */
typedef struct meter {
    size_t taken;
} meter_t;

static bool
keep(const ProtobufCMessageDescriptor *type, void *context)
{
    types_t *types = context;
    types->type[types->count++] = type;
    return types->count < TYPES_MAX;
}

static void *
meter_alloc(void *context, size_t size)
{
    meter_t *meter = context;
    meter->taken += (size + 15) / 16 * 16;
    return malloc(size);
}

static void
meter_free(void *context, void *piece)
{
    (void)context;
    free(piece);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0) {
        return 0;
    }
    static types_t types;
    if (types.count == 0) {
        vln_contract_each_message(keep, &types);
    }
    const ProtobufCMessageDescriptor *type = types.type[data[0] % types.count];
    vln_pb_scan_t scan;
    vln_err_t err = vln_pb_scan(type, data + 1, size - 1, &scan);
    vln_assert((err == VLN_OK) == (scan.why == NULL));
    if (err != VLN_OK) {
        return 0;
    }
    meter_t meter = {0};
    ProtobufCAllocator allocator = {
        .alloc = meter_alloc, .free = meter_free, .allocator_data = &meter};
    ProtobufCMessage *message = protobuf_c_message_unpack(type, &allocator, size - 1, data + 1);
    vln_assert(message);
    vln_assert(scan.memory_bytes <= VLN_PB_MAX_MEMORY);
    vln_assert(meter.taken <= scan.memory_bytes);
    protobuf_c_message_free_unpacked(message, &allocator);
    return 0;
}
