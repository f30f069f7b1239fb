/*
 * vln_flight - one reader of a chunk at a time: who asks for it meanwhile takes the same bytes.
 *
 * A small table of chunks by digest and index, bounded in bytes; the chunks that were asked for last
 * stay in it. Only bytes that were checked are put in, so what it gives belongs to its digest; who
 * may have them is the caller's to know. Thread-safe.
 */
#ifndef VLN_FLIGHT_H
#define VLN_FLIGHT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_digest.h"

typedef struct vln_flight vln_flight_t;

/* Chunks of at most `chunk_bytes`, as many as `max_bytes` hold; memory is taken as they come. */
vln_flight_t *vln_flight_new(size_t max_bytes, size_t chunk_bytes);
void vln_flight_destroy(vln_flight_t **self_p);

/*
 * True: `size` bytes of the chunk are in `out`; if another thread was reading it, after it had done
 * so. False: read it, then say vln_flight_put() or vln_flight_fail(): others may wait for it, each
 * at most `wait_ms`.
 */
bool vln_flight_get(vln_flight_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
                    uint8_t *out, size_t size, int64_t wait_ms);

/* The chunk, checked; copied. */
void vln_flight_put(vln_flight_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
                    const uint8_t *bytes, size_t size);

/* It could not be read: one of those who wait tries next. */
void vln_flight_fail(vln_flight_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index);

#endif
