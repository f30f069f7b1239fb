#include "vln_mem.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "vln_err.h"

enum { BLOCK_BYTES = 16 * 1024, ALIGNMENT = 16 };

enum { HUGE_PAGE = 2 * 1024 * 1024, LARGE = 2 * HUGE_PAGE };

typedef struct block {
    struct block *next; /* older */
    size_t size;
    size_t used;
    _Alignas(ALIGNMENT) unsigned char bytes[];
} block_t;

struct vln_arena {
    block_t *newest;
    size_t budget;
    size_t given;
};

static void *
or_die(void *memory)
{
    if (!memory) {
        fputs("valion: out of memory\n", stderr);
        abort();
    }
    return memory;
}

/* Of a large block: first use of its memory costs a fault for each page, and these are 512 times
 * fewer. Where the machine has none, it is as it was. */
static void
prefer_huge_pages(void *memory, size_t size)
{
    uintptr_t start = ((uintptr_t)memory + HUGE_PAGE - 1) & ~(uintptr_t)(HUGE_PAGE - 1);
    uintptr_t end = ((uintptr_t)memory + size) & ~(uintptr_t)(HUGE_PAGE - 1);
    if (end > start) {
        madvise((char *)memory + (start - (uintptr_t)memory), end - start, MADV_HUGEPAGE);
    }
}

void *
vln_calloc(size_t count, size_t size)
{
    void *memory = or_die(calloc(count ? count : 1, size ? size : 1));
    if (size && count >= LARGE / size) {
        prefer_huge_pages(memory, count * size);
    }
    return memory;
}

void *
vln_realloc(void *memory, size_t size)
{
    return or_die(realloc(memory, size ? size : 1));
}

char *
vln_strdup(const char *text)
{
    return text ? or_die(strdup(text)) : NULL;
}

void *
vln_memdup(const void *bytes, size_t size)
{
    void *copy = vln_calloc(1, size);
    if (size) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

vln_arena_t *
vln_arena_new(size_t budget)
{
    vln_arena_t *self = vln_calloc(1, sizeof *self);
    self->budget = budget;
    return self;
}

static void
free_blocks(block_t *block)
{
    while (block) {
        block_t *older = block->next;
        free(block);
        block = older;
    }
}

void
vln_arena_destroy(vln_arena_t **self_p)
{
    vln_arena_t *self = *self_p;
    if (self) {
        free_blocks(self->newest);
        free(self);
        *self_p = NULL;
    }
}

void
vln_arena_reset(vln_arena_t *self)
{
    block_t *kept = self->newest;
    if (kept && kept->size == BLOCK_BYTES) {
        free_blocks(kept->next);
        kept->next = NULL;
        kept->used = 0;
    } else {
        free_blocks(kept);
        self->newest = NULL;
    }
    self->given = 0;
}

/* What a piece of this size takes; below it if no memory has so much. */
static size_t
round_up(size_t size)
{
    return (size + ALIGNMENT - 1) / ALIGNMENT * ALIGNMENT;
}

void *
vln_arena_alloc(vln_arena_t *self, size_t size)
{
    size_t rounded = round_up(size);
    vln_assert(rounded >= size);
    block_t *block = self->newest;
    if (!block || block->size - block->used < rounded) {
        size_t room = rounded > BLOCK_BYTES ? rounded : BLOCK_BYTES;
        block = vln_calloc(1, sizeof *block + room);
        block->size = room;
        block->next = self->newest;
        self->newest = block;
    }
    void *piece = block->bytes + block->used;
    block->used += rounded;
    self->given += rounded;
    memset(piece, 0, size);
    return piece;
}

void *
vln_arena_try_alloc(vln_arena_t *self, size_t size)
{
    size_t rounded = round_up(size);
    if (rounded < size || rounded > self->budget || self->given > self->budget - rounded) {
        return NULL;
    }
    return vln_arena_alloc(self, size);
}

size_t
vln_arena_used(const vln_arena_t *self)
{
    return self->given;
}

char *
vln_arena_strdup(vln_arena_t *self, const char *text)
{
    return text ? vln_arena_memdup(self, text, strlen(text) + 1) : NULL;
}

void *
vln_arena_memdup(vln_arena_t *self, const void *bytes, size_t size)
{
    void *copy = vln_arena_alloc(self, size);
    if (size) {
        memcpy(copy, bytes, size);
    }
    return copy;
}

char *
vln_arena_printf(vln_arena_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    int len = vsnprintf(NULL, 0, format, args);
    va_end(args);
    vln_assert(len >= 0);
    char *text = vln_arena_alloc(self, (size_t)len + 1);
    va_start(args, format);
    vsnprintf(text, (size_t)len + 1, format, args);
    va_end(args);
    return text;
}
