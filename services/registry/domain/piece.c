#include "piece.h"

#include <string.h>

int64_t
piece_count(int64_t size_bytes)
{
    return (size_bytes + PIECE_BYTES - 1) / PIECE_BYTES;
}

size_t
piece_size(int64_t size_bytes, int64_t index)
{
    int64_t left = size_bytes - index * PIECE_BYTES;
    return left < 0 ? 0 : (size_t)(left < PIECE_BYTES ? left : PIECE_BYTES);
}

void
piece_put(uint8_t *table, int64_t index, const uint8_t digest[VLN_DIGEST_BYTES], int64_t end)
{
    uint8_t *entry = table + index * PIECE_ENTRY;
    memcpy(entry, digest, VLN_DIGEST_BYTES);
    for (size_t i = 0; i < 8; i++) {
        entry[VLN_DIGEST_BYTES + i] = (uint8_t)((uint64_t)end >> (56 - 8 * i));
    }
}

static int64_t
read_end(const uint8_t *entry)
{
    uint64_t end = 0;
    for (size_t i = 0; i < 8; i++) {
        end = end << 8 | entry[VLN_DIGEST_BYTES + i];
    }
    return end > INT64_MAX ? -1 : (int64_t)end;
}

bool
piece_get(const uint8_t *part, size_t size, int64_t first, int64_t index, piece_t *out)
{
    int64_t held = (int64_t)(size / PIECE_ENTRY);
    int64_t before = index > 0 ? index - 1 : 0;
    if (first < 0 || before < first || index - first >= held) {
        return false;
    }
    const uint8_t *entry = part + (index - first) * PIECE_ENTRY;
    int64_t end = read_end(entry);
    out->begin = index > 0 ? read_end(entry - PIECE_ENTRY) : 0;
    if (out->begin < 0 || end <= out->begin || end - out->begin > PIECE_STORED_MAX) {
        return false;
    }
    out->stored = (size_t)(end - out->begin);
    memcpy(out->digest, entry, VLN_DIGEST_BYTES);
    return true;
}
