/*
 * registry_uploads_store - the rows of uploads; a part of registry_store.
 *
 * An upload takes chunks of REGISTRY_UPLOAD_CHUNK bytes in any order, the last one shorter; a bit
 * for each says which came. Used by one thread.
 */
#ifndef REGISTRY_UPLOADS_STORE_H
#define REGISTRY_UPLOADS_STORE_H

#include "vln_id.h"

#include "registry_blobs_store.h"
#include "registry_store.h"

enum { REGISTRY_UPLOAD_CHUNK = PIECE_BYTES };

typedef struct registry_upload {
    vln_id_t id;
    uint8_t digest[VLN_DIGEST_BYTES];
    int64_t size_bytes;
    const char *media_type;
    const char *author;
    const uint8_t *chunks; /* bits, lowest first; in the arena */
    size_t chunks_size;
    bool committing;
} registry_upload_t;

/* Bytes from the start without a gap. */
int64_t registry_upload_held(const registry_upload_t *self);

/* Uploads of this author that are open, and the bytes that all of them announced. */
VLN_MUST_USE vln_err_t registry_uploads_count(registry_store_t *self, const char *author,
                                              int64_t *uploads, int64_t *bytes);

/* The open upload with this digest and size. NOT_FOUND, and nothing changed. */
VLN_MUST_USE vln_err_t registry_uploads_find_content(registry_store_t *self, vln_arena_t *arena,
                                                     registry_upload_t *upload);

/* Opens it under `upload`'s id, or finds what somebody else opened meanwhile: *upload is what is
 * there. */
VLN_MUST_USE vln_err_t registry_uploads_begin(registry_store_t *self, vln_arena_t *arena,
                                              registry_upload_t *upload);

/* NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_uploads_find(registry_store_t *self, vln_arena_t *arena,
                                             const vln_id_t *id, registry_upload_t *out);

/*
 * In the caller's transaction, which holds the row until it ends, and whose commit will not wait
 * for the disk. NOT_FOUND unless the upload is open and takes chunks.
 */
VLN_MUST_USE vln_err_t registry_uploads_lock(registry_store_t *self, vln_arena_t *arena,
                                             const vln_id_t *id, registry_upload_t *out);

/* In that transaction: these are its chunks now. */
VLN_MUST_USE vln_err_t registry_uploads_mark(registry_store_t *self,
                                             const registry_upload_t *upload);

/* The only one to commit it, until registry_uploads_leave() or this connection's end. ABORTED:
 * somebody else does. */
VLN_MUST_USE vln_err_t registry_uploads_try(registry_store_t *self, const vln_id_t *id);
void registry_uploads_leave(registry_store_t *self, const vln_id_t *id);

/* From now on it takes no chunks; whoever was writing one has ended. NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_uploads_close(registry_store_t *self, const vln_id_t *id);

/* Its bytes were wrong: all of them have to come again. */
VLN_MUST_USE vln_err_t registry_uploads_reset(registry_store_t *self, const vln_id_t *id);

/* In one transaction: the bytes are an artifact (a file), the upload is over, the event tells.
 * *as says what the row was before. */
VLN_MUST_USE vln_err_t registry_uploads_keep(registry_store_t *self, vln_arena_t *arena,
                                             const registry_upload_t *upload,
                                             const registry_kept_t *kept, const char *actor,
                                             registry_kept_as_t *as);

/* Ids of uploads that nobody touched for a day, at most `limit`; their rows are gone. */
VLN_MUST_USE vln_err_t registry_uploads_sweep(registry_store_t *self, vln_arena_t *arena, int limit,
                                              vln_id_t **out, size_t *count);

#endif
