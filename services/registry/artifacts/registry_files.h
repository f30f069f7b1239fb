/*
 * registry_files - artifact bytes in the folder that all registries share.
 *
 * uploads/<id> while bytes come; for good blobs/ab/<digest>, or, where that is smaller by a tenth,
 * blobs/ab/<digest>.zst: a zstd frame for each piece of 256 KiB, one after the other. Named by
 * content, never written again, only replaced as a whole. Knows no rows: the caller says what is
 * there. Thread-safe: it keeps nothing.
 */
#ifndef REGISTRY_FILES_H
#define REGISTRY_FILES_H

#include <stdbool.h>
#include <stdint.h>

#include "vln_digest.h"
#include "vln_err.h"
#include "vln_id.h"
#include "vln_mem.h"

#include "registry_pack.h"

/* Makes the folders. INTERNAL, and a log line, if that cannot be done. */
VLN_MUST_USE vln_err_t registry_files_prepare(const char *folder);

/* Bytes that the disk still takes. */
int64_t registry_files_free(const char *folder);

/* Writes a piece of an upload. RESOURCE_EXHAUSTED when the disk is full. */
VLN_MUST_USE vln_err_t registry_files_write(const char *folder, const vln_id_t *upload,
                                            int64_t offset, const void *bytes, size_t size);

/* An upload whose chunks all came; borrowed. */
typedef struct registry_arrived {
    const vln_id_t *upload;
    const uint8_t *digest; /* that it has to have */
    int64_t size;
} registry_arrived_t;

/* How an artifact lies in its file: what the row has to say. */
typedef struct registry_kept {
    bool framed; /* compressed, <digest>.zst */
    int64_t stored_bytes;
    const uint8_t *pieces; /* the table of piece.h; NULL for content that is too large for one */
    size_t pieces_size;
} registry_kept_t;

/*
 * Reads the whole upload, which checks it, hashes its pieces and compresses them where that pays;
 * syncs and puts the file in its place. DATA_LOSS unless the upload has this size and digest.
 * The upload itself may be left: registry_files_drop(), once the row is there. OK as well when the
 * bytes are in their place already. *out lives in the arena.
 */
VLN_MUST_USE vln_err_t registry_files_keep(const char *folder, registry_pack_t *pack,
                                           const registry_arrived_t *arrived, vln_arena_t *arena,
                                           registry_kept_t *out);

void registry_files_drop(const char *folder, const vln_id_t *upload);

/* The other form of an artifact, whose row says that it is `framed` or not: left by a replacement. */
void registry_files_drop_other(const char *folder, const uint8_t digest[VLN_DIGEST_BYTES],
                               bool framed);

/* Files of uploads that nobody wrote for days: their rows are long gone. How many went. */
int64_t registry_files_sweep(const char *folder);

/*
 * Exactly `size` bytes of the file. DATA_LOSS if it is gone or shorter; UNAVAILABLE if the folder
 * that it should be in is not there, so that it is the disk that is missing and not the file.
 */
VLN_MUST_USE vln_err_t registry_files_read(const char *folder,
                                           const uint8_t digest[VLN_DIGEST_BYTES], bool framed,
                                           int64_t offset, void *out, size_t size);

#endif
