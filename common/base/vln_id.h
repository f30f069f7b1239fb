/*
 * vln_id - 16-byte ids: UUIDs of version 7 (RFC 9562), so that they sort by the time they were
 * made. A value, copied with `=`.
 */
#ifndef VLN_ID_H
#define VLN_ID_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { VLN_ID_BYTES = 16, VLN_ID_TEXT = 37 };

typedef struct vln_id {
    uint8_t bytes[VLN_ID_BYTES];
} vln_id_t;

/* A new one: wall clock milliseconds, the rest random. */
vln_id_t vln_id_new(void);

/* The id that (task, purpose) always has, so that a rerun of a task makes the same calls. */
vln_id_t vln_id_derive(const uint8_t *task_id, size_t task_id_size, const char *purpose);

/* "0193…-…" into out, which holds VLN_ID_TEXT bytes. Returns out. */
char *vln_id_format(const uint8_t bytes[VLN_ID_BYTES], char *out);

/* False unless `text` is a UUID with or without dashes. */
bool vln_id_parse(const char *text, vln_id_t *out);

/* 64 random bits. */
uint64_t vln_random_u64(void);

/* Uniform in 0 .. below-1. */
uint32_t vln_random_below(uint32_t below);

#endif
