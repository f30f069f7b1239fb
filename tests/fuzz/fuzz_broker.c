/*
 * A client's frames through what the broker checks before it believes them. The input is a list of
 * frames, each after its length: one byte, or two where the first is above 127.
 */
#include <stdint.h>
#include <string.h>

#include "vln_socket.h"

#include "broker_request.h"
#include "domain/names.h"

enum { BUDGET = 4 * 1024 * 1024, FRAMES_KEPT = VLN_FRAMES_MAX, LONG_LENGTH = 0x80 };

/* How many frames there are; at most FRAMES_KEPT of them are kept, as the broker does. */
static int
split(const uint8_t *data, size_t size, request_view_t frames[FRAMES_KEPT])
{
    int count = 0;
    while (size > 0) {
        size_t length = *data++;
        size--;
        if (length >= LONG_LENGTH && size > 0) {
            length = (length - LONG_LENGTH) << 8 | *data++;
            size--;
        }
        if (length > size) {
            length = size;
        }
        if (count < FRAMES_KEPT) {
            frames[count] = (request_view_t){.bytes = data, .size = length};
        }
        count++;
        data += length;
        size -= length;
    }
    return count;
}

static void
must_say_why(const refusal_t *refusal)
{
    vln_assert(refusal->status != VALION__V1__STATUS__STATUS_OK);
    vln_assert(refusal->reason != VALION__V1__REASON__REASON_UNSPECIFIED);
    vln_assert(refusal->message && refusal->message[0]);
}

/* What a reply puts first fits the room that is kept for it. */
static void
must_be_echoable(const request_shape_t *shape, const request_view_t *frames, int count)
{
    vln_assert(shape->prefixes <= REQUEST_PREFIXES_MAX && shape->delimiter <= 1);
    vln_assert(shape->prefixes + shape->delimiter <= count);
    for (int i = 0; i < shape->prefixes; i++) {
        vln_assert(frames[i].size > 0 && frames[i].size <= REQUEST_PREFIX_BYTES);
    }
}

static void
must_be_a_call(const Valion__V1__Header *header)
{
    vln_assert(header && header->request_id.len == REQUEST_ID_BYTES);
    vln_assert(header->service[0] && strlen(header->service) <= 64);
    vln_assert(header->method[0] && strlen(header->method) <= 64);
    vln_assert(!header->has_remaining_ms ||
               (header->remaining_ms >= 1 && header->remaining_ms <= 60000));
    names_service_exists(header->service);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    request_view_t frames[FRAMES_KEPT] = {0};
    request_shape_t shape;
    refusal_t refusal = {0};
    int all = split(data, size, frames);
    int count = all < FRAMES_KEPT ? all : FRAMES_KEPT;
    bool good = request_shape(frames, count, all > FRAMES_KEPT, &shape, &refusal);
    must_be_echoable(&shape, frames, count);
    if (!good) {
        must_say_why(&refusal);
        return 0;
    }
    vln_assert(shape.header + shape.payload_frames == count);
    vln_arena_t *arena = vln_arena_new(BUDGET);
    Valion__V1__Header *header = NULL;
    if (request_check(frames[shape.header], arena, &header, &refusal)) {
        must_be_a_call(header);
    } else {
        must_say_why(&refusal);
    }
    vln_arena_destroy(&arena);
    return 0;
}
