/*
 * registry_blobs - what handlers beside those of registry_blobs.c need of stored bytes.
 */
#ifndef REGISTRY_BLOBS_H
#define REGISTRY_BLOBS_H

#include "vln_call.h"

#include "registry_pack.h"
#include "registry_store.h"

/* Compresses bytes that are to be stored in the record, where that pays; in the arena. */
void registry_blob_pack(registry_pack_t *pack, vln_arena_t *arena, registry_blob_t *blob);

/* DATA_LOSS: what is stored of this digest is damaged, and how to mend it. */
void registry_blob_refuse_corrupt(vln_call_t *call, const uint8_t digest[VLN_DIGEST_BYTES]);

#endif
