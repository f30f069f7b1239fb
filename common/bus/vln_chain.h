/*
 * vln_chain - the arithmetic of the event log's hash chain and of its signed heads.
 *
 *     hash(n) = SHA-256(hash(n - 1), n as 8 bytes big endian, bytes of LogEntry n)
 *
 * hash(0) is 32 zero bytes. The registry makes the chain with it, `valion audit verify` checks it.
 * Pure; any thread.
 */
#ifndef VLN_CHAIN_H
#define VLN_CHAIN_H

#include <stddef.h>
#include <stdint.h>

#include "vln_digest.h"

enum { VLN_CHAIN_HEAD_BYTES = 15 + 8 + 8 + VLN_DIGEST_BYTES };

/* What comes before the first entry. */
void vln_chain_start(uint8_t out[VLN_DIGEST_BYTES]);

/* The hash at `position` (1, 2, 3 …) from the one before. `out` may be `previous`. */
void vln_chain_next(const uint8_t previous[VLN_DIGEST_BYTES], uint64_t position, const void *entry,
                    size_t entry_size, uint8_t out[VLN_DIGEST_BYTES]);

/*
 * What a LogHead's signature is over: "valion log head" (15 bytes), position and time as 8 bytes
 * big endian each, hash.
 */
void vln_chain_head_bytes(uint64_t position, int64_t time_us, const uint8_t hash[VLN_DIGEST_BYTES],
                          uint8_t out[VLN_CHAIN_HEAD_BYTES]);

#endif
