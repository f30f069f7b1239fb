#include "vln_chain.h"

#include <criterion/criterion.h>
#include <string.h>

#include "vln_text.h"

static const char *
hex(const uint8_t hash[VLN_DIGEST_BYTES])
{
    static char text[2 * VLN_DIGEST_BYTES + 1];
    return vln_hex_encode(hash, VLN_DIGEST_BYTES, text);
}

/* Expected values: Python's hashlib over the bytes that the header describes. */
Test(vln_chain, links_entries_as_documented)
{
    uint8_t hash[VLN_DIGEST_BYTES];
    vln_chain_start(hash);
    vln_chain_next(hash, 1, "first", 5, hash);
    cr_expect_str_eq(hex(hash), "8667e7fc9a5b7da59e4765472e9a1c9c889c29c8b119630bb0b16eb8dab04991");
    vln_chain_next(hash, 2, "", 0, hash);
    cr_expect_str_eq(hex(hash), "64743ea523694ef0bad66c10c379720fd213fec12b71930c0e8c9fb80aa9fc1a");
}

Test(vln_chain, depends_on_position_and_on_what_was_before)
{
    uint8_t start[VLN_DIGEST_BYTES];
    uint8_t one[VLN_DIGEST_BYTES];
    uint8_t two[VLN_DIGEST_BYTES];
    uint8_t after[VLN_DIGEST_BYTES];
    vln_chain_start(start);
    vln_chain_next(start, 1, "x", 1, one);
    vln_chain_next(start, 2, "x", 1, two);
    vln_chain_next(one, 1, "x", 1, after);
    cr_expect(memcmp(one, two, sizeof one) != 0);
    cr_expect(memcmp(one, after, sizeof one) != 0);
}

Test(vln_chain, lays_out_a_head_for_signing)
{
    uint8_t hash[VLN_DIGEST_BYTES];
    uint8_t head[VLN_CHAIN_HEAD_BYTES];
    memset(hash, 0xab, sizeof hash);
    vln_chain_head_bytes(0x0102, 0x0a0b0c, hash, head);
    cr_expect(memcmp(head, "valion log head", 15) == 0);
    static const uint8_t numbers[] = {0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 10, 11, 12};
    cr_expect(memcmp(head + 15, numbers, sizeof numbers) == 0);
    cr_expect(memcmp(head + 31, hash, sizeof hash) == 0);
}
