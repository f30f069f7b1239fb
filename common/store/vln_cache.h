/*
 * vln_cache - artifacts' bytes in Redis, by digest, in chunks. A cache and nothing else: whatever
 * goes wrong with it costs time, and who reads checks the digest of the whole.
 *
 * Readers have a Redis user that may only GET; registries put. A Redis that is away is asked again
 * after a second, and each command waits at most half a second, so that a broken cache slows its
 * users a little and stops nobody. An object belongs to one thread.
 */
#ifndef VLN_CACHE_H
#define VLN_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_digest.h"

/* Chunks are as long as a call's raw frame; longer artifacts than the bound are not kept. */
enum { VLN_CACHE_CHUNK = 256 * 1024 };
#define VLN_CACHE_MAX_BYTES ((int64_t)64 * 1024 * 1024)

typedef struct vln_cache_options {
    const char *address; /* "host:port" or a path of a unix socket; "" or NULL: no cache */
    const char *user;
    const char *password_file; /* NULL: no password */
} vln_cache_options_t;

typedef struct vln_cache vln_cache_t;

/* Counts since the open. */
typedef struct vln_cache_counts {
    int64_t hits;
    int64_t misses;
    int64_t errors;
} vln_cache_counts_t;

/* Never fails: what is wrong shows, once, in the log. Options are borrowed until the close. */
vln_cache_t *vln_cache_open(const vln_cache_options_t *options);
void vln_cache_close(vln_cache_t **self_p);

/*
 * Chunk `index` of the artifact, `size` bytes, into `out`. False: not there, of another length, or
 * no Redis; then ask the registry.
 */
bool vln_cache_get(vln_cache_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
                   uint8_t *out, size_t size);

/* Keep a chunk for a day, over what is there. */
void vln_cache_put(vln_cache_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
                   const uint8_t *bytes, size_t size);

/* True unless the last command failed; `false` also if there is no cache. */
bool vln_cache_is_there(const vln_cache_t *self);
vln_cache_counts_t vln_cache_counts(const vln_cache_t *self);

#endif
