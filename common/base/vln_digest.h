/*
 * vln_digest - SHA-256, by OpenSSL (with the CPU's SHA instructions; four times libsodium's).
 */
#ifndef VLN_DIGEST_H
#define VLN_DIGEST_H

#include <stddef.h>
#include <stdint.h>

enum { VLN_DIGEST_BYTES = 32 };

void vln_digest(const void *bytes, size_t size, uint8_t out[VLN_DIGEST_BYTES]);

/* In pieces: begin, add any number, end (which also ends the object). */
typedef struct vln_digest vln_digest_t;

vln_digest_t *vln_digest_begin(void);
void vln_digest_add(vln_digest_t *self, const void *bytes, size_t size);
void vln_digest_end(vln_digest_t **self_p, uint8_t out[VLN_DIGEST_BYTES]);

#endif
