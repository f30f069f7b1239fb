/*
 * registry_blobs_store - how artifacts' bytes are stored, and which of them are damaged; a part of
 * registry_store. Used by one thread.
 */
#ifndef REGISTRY_BLOBS_STORE_H
#define REGISTRY_BLOBS_STORE_H

#include "piece.h"
#include "registry_files.h"
#include "registry_store.h"

/* What a reader of some pieces needs; in the arena. */
typedef struct registry_stored {
    uint8_t digest[VLN_DIGEST_BYTES];
    int64_t size_bytes;
    const uint8_t *bytes; /* the content; NULL: packed, or in a file */
    size_t bytes_size;
    const uint8_t *packed; /* a zstd frame of it; NULL: in a file */
    size_t packed_size;
    bool framed; /* of the file */
    bool is_corrupt;
    bool has_pieces;
    const uint8_t *pieces; /* a part of the table, for piece_get() */
    size_t pieces_size;
    int64_t first; /* the part's first entry */
    int64_t generation;
} registry_stored_t;

/* With the entries that pieces `index` and `index + 1` need. NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_blobs_find(registry_store_t *self, vln_arena_t *arena,
                                           const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
                                           registry_stored_t *out);

/*
 * In one transaction: notes that what is stored of it is damaged, and the event that tells. OK and
 * `*noted` true for the first who says so; ABORTED if it was replaced since `blob` was read.
 * `where` is "file" or "record".
 */
VLN_MUST_USE vln_err_t registry_blobs_note_corrupt(registry_store_t *self, vln_arena_t *arena,
                                                   const registry_stored_t *blob, int64_t index,
                                                   const char *where, bool *noted);

typedef enum registry_kept_as {
    REGISTRY_KEPT_NOTHING, /* it is there already, and whole */
    REGISTRY_KEPT_NEW,
    REGISTRY_KEPT_REPAIRED, /* it took the place of damaged bytes */
} registry_kept_as_t;

/* In the caller's transaction: the row of an artifact whose file is in its place. */
VLN_MUST_USE vln_err_t registry_blobs_keep(registry_store_t *self,
                                           const uint8_t digest[VLN_DIGEST_BYTES],
                                           int64_t size_bytes, const char *media_type,
                                           const registry_kept_t *kept, registry_kept_as_t *out);

#endif
