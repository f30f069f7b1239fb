/*
 * vln_mem - memory that cannot fail, and an arena with a budget.
 *
 * Out of memory ends the process: its supervisor starts it again, and nothing accepted is in
 * memory alone. A size from outside is bounded before it is allocated. Knows no protobuf.
 */
#ifndef VLN_MEM_H
#define VLN_MEM_H

#include <stddef.h>
#include <stdint.h>

/* Zeroed. Never NULL. End with free(). */
void *vln_calloc(size_t count, size_t size);

/* Grown or shrunk; new bytes are not zeroed. Never NULL for size > 0. */
void *vln_realloc(void *memory, size_t size);

/* Copies that the caller ends with free(). `text` may be NULL: then NULL. */
char *vln_strdup(const char *text);
void *vln_memdup(const void *bytes, size_t size);

/*
 * Many small pieces that end together. Each request has one; nothing in it is freed on its own.
 * Used by one thread.
 */
typedef struct vln_arena vln_arena_t;

/* An arena that gives out at most `budget` bytes. */
vln_arena_t *vln_arena_new(size_t budget);
void vln_arena_destroy(vln_arena_t **self_p);

/* Forget every piece and keep the first block, for the next request. */
void vln_arena_reset(vln_arena_t *self);

/* Zeroed and aligned for anything; NULL when the budget does not hold it. */
void *vln_arena_try_alloc(vln_arena_t *self, size_t size);

/* Bytes given out since the last reset. */
size_t vln_arena_used(const vln_arena_t *self);

/* The same for sizes that our own code bounds: never NULL, whatever the budget. */
void *vln_arena_alloc(vln_arena_t *self, size_t size);
char *vln_arena_strdup(vln_arena_t *self, const char *text);
void *vln_arena_memdup(vln_arena_t *self, const void *bytes, size_t size);
char *vln_arena_printf(vln_arena_t *self, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

#endif
