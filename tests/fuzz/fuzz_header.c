/*
 * Bytes as a Header frame: refused with a reason, or unpacked into what can be packed again, and
 * then means the same.
 */
#include <stdint.h>
#include <string.h>

#include "vln_pb.h"

#include "valion/v1/header.pb-c.h"

enum { BUDGET = 4 * 1024 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vln_arena_t *arena = vln_arena_new(BUDGET);
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    vln_err_t err =
        vln_pb_unpack(&valion__v1__header__descriptor, data, size, arena, &message, &scan);
    vln_assert((err == VLN_OK) == (scan.why == NULL));
    vln_assert((err == VLN_OK) == (message != NULL));
    if (message) {
        const Valion__V1__Header *header = (const Valion__V1__Header *)message;
        vln_assert(!header->service || strlen(header->service) <= size);
        vln_assert(header->request_id.len <= size);
        vln_assert(scan.memory_bytes <= VLN_PB_MAX_MEMORY);

        /* Numbers may get shorter or longer on the way, never what they say. */
        size_t once_size = 0;
        size_t twice_size = 0;
        uint8_t *once = vln_pb_pack(message, arena, &once_size);
        ProtobufCMessage *again = NULL;
        err = vln_pb_unpack(&valion__v1__header__descriptor, once, once_size, arena, &again, &scan);
        vln_assert(err == VLN_OK);
        uint8_t *twice = vln_pb_pack(again, arena, &twice_size);
        vln_assert(once_size == twice_size && memcmp(once, twice, once_size) == 0);
    }
    vln_arena_destroy(&arena);
    return 0;
}
