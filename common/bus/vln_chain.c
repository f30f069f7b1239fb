#include "vln_chain.h"

#include <string.h>

static const char head_label[] = "valion log head";

enum { HEAD_LABEL = sizeof head_label - 1 };

_Static_assert(HEAD_LABEL + 16 + VLN_DIGEST_BYTES == VLN_CHAIN_HEAD_BYTES, "layout of a head");

static void
put_big_endian(uint64_t number, uint8_t out[8])
{
    for (int i = 0; i < 8; i++) {
        out[i] = (uint8_t)(number >> (56 - 8 * i));
    }
}

void
vln_chain_start(uint8_t out[VLN_DIGEST_BYTES])
{
    memset(out, 0, VLN_DIGEST_BYTES);
}

void
vln_chain_next(const uint8_t previous[VLN_DIGEST_BYTES], uint64_t position, const void *entry,
               size_t entry_size, uint8_t out[VLN_DIGEST_BYTES])
{
    uint8_t number[8];
    put_big_endian(position, number);
    vln_digest_t *digest = vln_digest_begin();
    vln_digest_add(digest, previous, VLN_DIGEST_BYTES);
    vln_digest_add(digest, number, sizeof number);
    vln_digest_add(digest, entry, entry_size);
    vln_digest_end(&digest, out);
}

void
vln_chain_head_bytes(uint64_t position, int64_t time_us, const uint8_t hash[VLN_DIGEST_BYTES],
                     uint8_t out[VLN_CHAIN_HEAD_BYTES])
{
    memcpy(out, head_label, HEAD_LABEL);
    put_big_endian(position, out + HEAD_LABEL);
    put_big_endian((uint64_t)time_us, out + HEAD_LABEL + 8);
    memcpy(out + HEAD_LABEL + 16, hash, VLN_DIGEST_BYTES);
}
