#include "registry_pack.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "piece.h"

enum { SIZE = PIECE_BYTES };

/* Bytes that repeat, or that nothing can make smaller. */
static uint8_t *
make_bytes(bool random)
{
    uint8_t *bytes = malloc(SIZE);
    uint64_t state = 88172645463325252u;
    for (size_t i = 0; i < SIZE; i++) {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes[i] = random ? (uint8_t)state : (uint8_t)(i % 100);
    }
    return bytes;
}

Test(registry_pack, gives_back_what_was_packed)
{
    registry_pack_t *pack = registry_pack_new();
    for (int random = 0; random < 2; random++) {
        uint8_t *bytes = make_bytes(random);
        uint8_t *frame = malloc(registry_pack_room(SIZE));
        uint8_t *back = malloc(SIZE);
        size_t size = registry_pack(pack, bytes, SIZE, frame, registry_pack_room(SIZE));
        cr_assert_leq(size, PIECE_STORED_MAX);
        cr_assert_eq(registry_pack_pays(SIZE, (int64_t)size), !random);
        cr_assert(registry_unpack(pack, frame, size, back, SIZE));
        cr_assert_arr_eq(back, bytes, SIZE);
        free(bytes);
        free(frame);
        free(back);
    }
    registry_pack_destroy(&pack);
    registry_pack_destroy(&pack);
}

Test(registry_pack, never_writes_beyond_the_room)
{
    registry_pack_t *pack = registry_pack_new();
    uint8_t *bytes = make_bytes(false);
    uint8_t *frame = malloc(registry_pack_room(SIZE));
    size_t size = registry_pack(pack, bytes, SIZE, frame, registry_pack_room(SIZE));
    uint8_t *small = malloc(SIZE - 1);
    cr_assert_not(registry_unpack(pack, frame, size, small, SIZE - 1));
    uint8_t *large = malloc(SIZE + 1);
    cr_assert_not(registry_unpack(pack, frame, size, large, SIZE + 1));
    cr_assert_not(registry_unpack(pack, frame, size - 1, large, SIZE));
    free(bytes);
    free(frame);
    free(small);
    free(large);
    registry_pack_destroy(&pack);
}

/* Whatever bit of it flips: it is refused, or gives bytes within the room. */
Test(registry_pack, survives_frames_that_were_changed)
{
    registry_pack_t *pack = registry_pack_new();
    uint8_t *bytes = make_bytes(false);
    uint8_t *frame = malloc(registry_pack_room(SIZE));
    size_t size = registry_pack(pack, bytes, SIZE, frame, registry_pack_room(SIZE));
    uint8_t *back = malloc(SIZE);
    size_t changed = 0;
    for (size_t bit = 0; bit < 8 * size && bit < 4096; bit++) {
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
        changed +=
            !registry_unpack(pack, frame, size, back, SIZE) || memcmp(back, bytes, SIZE) != 0;
        frame[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    cr_assert_gt(changed, 0);
    cr_assert(registry_unpack(pack, frame, size, back, SIZE));
    free(bytes);
    free(frame);
    free(back);
    registry_pack_destroy(&pack);
}

Test(registry_pack, pays_from_a_tenth_on)
{
    cr_assert(registry_pack_pays(1000, 900));
    cr_assert_not(registry_pack_pays(1000, 901));
    cr_assert_not(registry_pack_pays(5, 6));
}
