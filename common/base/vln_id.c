#include "vln_id.h"

#include <sodium.h>
#include <string.h>

#include "vln_digest.h"
#include "vln_text.h"
#include "vln_time.h"

static void
stamp_version(vln_id_t *id, uint8_t version)
{
    id->bytes[6] = (uint8_t)((id->bytes[6] & 0x0f) | (version << 4));
    id->bytes[8] = (uint8_t)((id->bytes[8] & 0x3f) | 0x80);
}

vln_id_t
vln_id_new(void)
{
    vln_id_t id;
    randombytes_buf(id.bytes, sizeof id.bytes);
    uint64_t ms = (uint64_t)(vln_wall_us() / 1000);
    for (int i = 0; i < 6; i++) {
        id.bytes[i] = (uint8_t)(ms >> (40 - 8 * i));
    }
    stamp_version(&id, 7);
    return id;
}

vln_id_t
vln_id_derive(const uint8_t *task_id, size_t task_id_size, const char *purpose)
{
    vln_digest_t *digest = vln_digest_begin();
    vln_digest_add(digest, task_id, task_id_size);
    vln_digest_add(digest, purpose, strlen(purpose));
    uint8_t hash[VLN_DIGEST_BYTES];
    vln_digest_end(&digest, hash);
    vln_id_t id;
    memcpy(id.bytes, hash, sizeof id.bytes);
    stamp_version(&id, 8); /* 8: made by a rule of one's own (RFC 9562, 5.8) */
    return id;
}

char *
vln_id_format(const uint8_t bytes[VLN_ID_BYTES], char *out)
{
    static const int dash_before[] = {4, 6, 8, 10};
    char *at = out;
    size_t dash = 0;
    for (int i = 0; i < VLN_ID_BYTES; i++) {
        if (dash < sizeof dash_before / sizeof dash_before[0] && i == dash_before[dash]) {
            *at++ = '-';
            dash++;
        }
        vln_hex_encode(bytes + i, 1, at);
        at += 2;
    }
    return out;
}

bool
vln_id_parse(const char *text, vln_id_t *out)
{
    char hex[2 * VLN_ID_BYTES + 1];
    size_t len = 0;
    for (const char *at = text; *at; at++) {
        if (*at == '-' &&
            (at - text == 8 || at - text == 13 || at - text == 18 || at - text == 23)) {
            continue;
        }
        if (len == sizeof hex - 1) {
            return false;
        }
        hex[len++] = *at;
    }
    hex[len] = '\0';
    return vln_hex_decode(hex, out->bytes, sizeof out->bytes);
}

uint64_t
vln_random_u64(void)
{
    uint64_t value;
    randombytes_buf(&value, sizeof value);
    return value;
}

uint32_t
vln_random_below(uint32_t below)
{
    return randombytes_uniform(below);
}
