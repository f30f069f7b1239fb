/*
 * registry_files - artifact bytes in the folder that all registries share.
 *
 * uploads/<id> while bytes come, blobs/ab/<digest> for good, named by content and never written
 * again. Knows no rows: the caller says what is there. Thread-safe: it keeps nothing.
 */
#ifndef REGISTRY_FILES_H
#define REGISTRY_FILES_H

#include <stdint.h>

#include "vln_digest.h"
#include "vln_err.h"
#include "vln_id.h"

/* Makes the folders. INTERNAL, and a log line, if that cannot be done. */
VLN_MUST_USE vln_err_t registry_files_prepare(const char *folder);

/* Bytes that the disk still takes. */
int64_t registry_files_free(const char *folder);

/* Writes a piece of an upload. RESOURCE_EXHAUSTED when the disk is full. */
VLN_MUST_USE vln_err_t registry_files_write(const char *folder, const vln_id_t *upload,
                                            int64_t offset, const void *bytes, size_t size);

/*
 * Reads the whole upload, syncs it and moves it to its place, if it has this size and digest; else
 * DATA_LOSS, and the file stays. OK as well when the bytes are in their place already.
 */
VLN_MUST_USE vln_err_t registry_files_keep(const char *folder, const vln_id_t *upload, int64_t size,
                                           const uint8_t digest[VLN_DIGEST_BYTES]);

void registry_files_drop(const char *folder, const vln_id_t *upload);

/* Exactly `size` bytes of an artifact; DATA_LOSS if the file is gone or shorter. */
VLN_MUST_USE vln_err_t registry_files_read(const char *folder,
                                           const uint8_t digest[VLN_DIGEST_BYTES], int64_t offset,
                                           void *out, size_t size);

#endif
