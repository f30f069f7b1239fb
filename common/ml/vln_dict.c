#include "vln_dict.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_mem.h"

enum { FIRST_SLOTS = 16, FIRST_BYTES = 256 };

__extension__ typedef unsigned __int128 wide_t;

typedef struct entry {
    size_t at; /* in bytes */
    uint32_t len;
    uint32_t hash; /* upper half: spares most comparisons, and all hashing when the table grows */
} entry_t;

struct vln_dict {
    uint64_t seed;  /* random, so that nobody can make texts that collide */
    int32_t *slots; /* code + 1; 0 is empty; a power of two of them, at most half full */
    size_t slot_count;
    entry_t *entries;
    size_t count;
    size_t room;
    char *bytes; /* the texts one after the other, each ended by NUL */
    size_t used;
    size_t size;
};

vln_dict_t *
vln_dict_new(void)
{
    vln_dict_t *self = vln_calloc(1, sizeof *self);
    self->seed = vln_random_u64() | 1;
    self->slot_count = FIRST_SLOTS;
    self->slots = vln_calloc(FIRST_SLOTS, sizeof *self->slots);
    self->room = FIRST_SLOTS / 2;
    self->entries = vln_calloc(self->room, sizeof *self->entries);
    self->size = FIRST_BYTES;
    self->bytes = vln_calloc(1, FIRST_BYTES);
    return self;
}

size_t
vln_dict_bytes(const vln_dict_t *self)
{
    return sizeof *self + self->slot_count * sizeof *self->slots +
           self->room * sizeof *self->entries + self->size;
}

void
vln_dict_destroy(vln_dict_t **self_p)
{
    vln_dict_t *self = *self_p;
    if (self) {
        free(self->slots);
        free(self->entries);
        free(self->bytes);
        free(self);
        *self_p = NULL;
    }
}

static uint64_t
mix(uint64_t a, uint64_t b)
{
    wide_t product = (wide_t)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

static uint32_t
hash_of(const vln_dict_t *self, const char *text, size_t len)
{
    uint64_t hash = self->seed ^ len;
    size_t at = 0;
    for (; at + 8 <= len; at += 8) {
        uint64_t part = 0;
        memcpy(&part, text + at, 8);
        hash = mix(hash ^ part, UINT64_C(0x9e3779b97f4a7c15));
    }
    uint64_t rest = 0;
    if (at < len) {
        memcpy(&rest, text + at, len - at);
    }
    hash = mix(hash ^ rest, UINT64_C(0xd6e8feb86659fd93));
    return (uint32_t)(mix(hash, self->seed) >> 32);
}

/* Where the text is, or where it would go. */
static size_t
slot_of(const vln_dict_t *self, const char *text, size_t len, uint32_t hash)
{
    size_t slot = hash & (self->slot_count - 1);
    while (self->slots[slot]) {
        const entry_t *entry = &self->entries[self->slots[slot] - 1];
        if (entry->hash == hash && entry->len == len &&
            memcmp(self->bytes + entry->at, text, len) == 0) {
            break;
        }
        slot = (slot + 1) & (self->slot_count - 1);
    }
    return slot;
}

static void
grow_slots(vln_dict_t *self)
{
    self->slot_count *= 2;
    free(self->slots);
    self->slots = vln_calloc(self->slot_count, sizeof *self->slots);
    for (size_t i = 0; i < self->count; i++) {
        size_t slot = self->entries[i].hash & (self->slot_count - 1);
        while (self->slots[slot]) {
            slot = (slot + 1) & (self->slot_count - 1);
        }
        self->slots[slot] = (int32_t)i + 1;
    }
    self->room = self->slot_count / 2;
    self->entries = vln_realloc(self->entries, self->room * sizeof *self->entries);
}

static size_t
keep(vln_dict_t *self, const char *text, size_t len)
{
    size_t at = self->used;
    if (self->size - at <= len) {
        self->size = 2 * self->size + len + 1;
        self->bytes = vln_realloc(self->bytes, self->size);
    }
    if (len) {
        memcpy(self->bytes + at, text, len);
    }
    self->bytes[at + len] = '\0';
    self->used += len + 1;
    return at;
}

int32_t
vln_dict_add(vln_dict_t *self, const char *text, size_t len)
{
    vln_assert(len <= UINT32_MAX && self->count < INT32_MAX / 2);
    uint32_t hash = hash_of(self, text, len);
    size_t slot = slot_of(self, text, len, hash);
    if (self->slots[slot]) {
        return self->slots[slot] - 1;
    }
    if (self->count == self->room) {
        grow_slots(self);
        slot = slot_of(self, text, len, hash);
    }
    self->entries[self->count] =
        (entry_t){.at = keep(self, text, len), .len = (uint32_t)len, .hash = hash};
    self->slots[slot] = (int32_t)++self->count;
    return (int32_t)self->count - 1;
}

int32_t
vln_dict_find(const vln_dict_t *self, const char *text, size_t len)
{
    return self->slots[slot_of(self, text, len, hash_of(self, text, len))] - 1;
}

size_t
vln_dict_count(const vln_dict_t *self)
{
    return self->count;
}

const char *
vln_dict_text(const vln_dict_t *self, int32_t code, size_t *len)
{
    vln_assert(code >= 0 && (size_t)code < self->count);
    const entry_t *entry = &self->entries[code];
    if (len) {
        *len = entry->len;
    }
    return self->bytes + entry->at;
}
