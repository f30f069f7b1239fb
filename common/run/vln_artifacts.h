/*
 * vln_artifacts - whole artifacts, to and from the registry: read by way of the cache, checked
 * against their digest, stored in chunks.
 *
 * For workers, which need all of the bytes in memory. Belongs to the thread of its client. Calls
 * that store carry the task's ticket.
 */
#ifndef VLN_ARTIFACTS_H
#define VLN_ARTIFACTS_H

#include "vln_cache.h"
#include "vln_client.h"
#include "vln_opt.h"

enum { VLN_ARTIFACTS_WHY = 256 };

/* Of whoever has a cache. */
/* clang-format off */
#define VLN_CACHE_OPTIONS(type, field)                                                             \
    VLN_OPT_ROW_TEXT(type, field.address, "redis", "127.0.0.1:6379",                               \
        "artifact cache: host:port, the path of a unix socket, or empty for none"),                \
    VLN_OPT_ROW_TEXT(type, field.user, "redis-user", "default", "who logs in to Redis"),           \
    VLN_OPT_ROW_TEXT(type, field.password_file, "redis-password-file", NULL,                       \
        "file of its password; default: no password")
/* clang-format on */

typedef struct vln_artifacts vln_artifacts_t;

/* Bytes in memory; end with vln_bytes_end(). */
typedef struct vln_bytes {
    uint8_t *data;
    size_t size;
} vln_bytes_t;

void vln_bytes_end(vln_bytes_t *self);

/* Never fails. The client is borrowed, the options too; both until the close. */
vln_artifacts_t *vln_artifacts_open(vln_client_t *client, const vln_cache_options_t *cache);
void vln_artifacts_close(vln_artifacts_t **self_p);

/*
 * The artifact's bytes, which have their digest. NOT_FOUND; RESOURCE_EXHAUSTED above max_bytes;
 * DATA_LOSS when the registry's bytes are damaged; what the call said. Then `why` is a sentence.
 */
VLN_MUST_USE vln_err_t vln_artifacts_get(vln_artifacts_t *self,
                                         const uint8_t digest[VLN_DIGEST_BYTES], int64_t max_bytes,
                                         vln_bytes_t *out, char why[VLN_ARTIFACTS_WHY]);

/* What is to be stored; borrowed for the call. */
typedef struct vln_artifact {
    const void *bytes; /* at least one */
    size_t size;
    const char *media_type;
} vln_artifact_t;

/* Stores the bytes, at most once for each content; `digest` is theirs. `ticket` is a
 * Valion__V1__SignedTicket or NULL. */
VLN_MUST_USE vln_err_t vln_artifacts_put(vln_artifacts_t *self, const vln_artifact_t *artifact,
                                         const void *ticket, uint8_t digest[VLN_DIGEST_BYTES],
                                         char why[VLN_ARTIFACTS_WHY]);

/* Of the cache, since the open. */
vln_cache_counts_t vln_artifacts_counts(const vln_artifacts_t *self);

#endif
