#include "registry_pack.h"

#include <stdlib.h>
#include <zstd.h>

#include "vln_err.h"
#include "vln_mem.h"

/* The fastest: an upload waits for it, and readers wait no longer for higher levels. */
enum { LEVEL = 1 };

struct registry_pack {
    ZSTD_CCtx *in;
    ZSTD_DCtx *out;
};

registry_pack_t *
registry_pack_new(void)
{
    registry_pack_t *self = vln_calloc(1, sizeof *self);
    self->in = ZSTD_createCCtx();
    self->out = ZSTD_createDCtx();
    vln_assert(self->in && self->out);
    return self;
}

void
registry_pack_destroy(registry_pack_t **self_p)
{
    if (*self_p) {
        ZSTD_freeCCtx((*self_p)->in);
        ZSTD_freeDCtx((*self_p)->out);
        free(*self_p);
        *self_p = NULL;
    }
}

size_t
registry_pack_room(size_t size)
{
    return ZSTD_compressBound(size);
}

size_t
registry_pack(registry_pack_t *self, const void *bytes, size_t size, uint8_t *out, size_t room)
{
    size_t packed = ZSTD_compressCCtx(self->in, out, room, bytes, size, LEVEL);
    vln_assert(!ZSTD_isError(packed)); /* there is room, and nothing else can go wrong */
    return packed;
}

bool
registry_unpack(registry_pack_t *self, const uint8_t *frame, size_t frame_size, void *out,
                size_t size)
{
    size_t got = ZSTD_decompressDCtx(self->out, out, size, frame, frame_size);
    return !ZSTD_isError(got) && got == size;
}

bool
registry_pack_pays(int64_t size, int64_t packed)
{
    return packed <= size - size / 10;
}
