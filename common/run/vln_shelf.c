#include "vln_shelf.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"

typedef struct entry entry_t;

struct entry {
    entry_t *next; /* asked for before this one */
    uint8_t key[VLN_DIGEST_BYTES];
    vln_shelf_value_t value;
    size_t holders;
};

struct vln_shelf {
    pthread_mutex_t lock;
    size_t max_bytes;
    size_t bytes;
    entry_t *newest;
};

vln_shelf_t *
vln_shelf_new(size_t max_bytes)
{
    vln_shelf_t *self = vln_calloc(1, sizeof *self);
    self->max_bytes = max_bytes;
    vln_assert(pthread_mutex_init(&self->lock, NULL) == 0);
    return self;
}

/* Out of the list. The caller ends the value after the lock, which may take a while. */
static entry_t *
unlink_entry(vln_shelf_t *self, entry_t **place)
{
    entry_t *entry = *place;
    *place = entry->next;
    self->bytes -= entry->value.bytes;
    return entry;
}

/* A list of those that go: not held, asked for longest ago, until the rest is within the bound. */
static entry_t *
unlink_oldest(vln_shelf_t *self)
{
    entry_t *gone = NULL;
    while (self->bytes > self->max_bytes) {
        entry_t **oldest = NULL;
        for (entry_t **place = &self->newest; *place; place = &(*place)->next) {
            oldest = (*place)->holders == 0 ? place : oldest;
        }
        if (!oldest) {
            break;
        }
        entry_t *entry = unlink_entry(self, oldest);
        entry->next = gone;
        gone = entry;
    }
    return gone;
}

static void
end_entries(entry_t *entries)
{
    while (entries) {
        entry_t *entry = entries;
        entries = entry->next;
        entry->value.end(entry->value.value);
        free(entry);
    }
}

void
vln_shelf_destroy(vln_shelf_t **self_p)
{
    vln_shelf_t *self = *self_p;
    if (self) {
        size_t holders = 0;
        for (entry_t *entry = self->newest; entry; entry = entry->next) {
            holders += entry->holders;
        }
        vln_assert(holders == 0);
        end_entries(self->newest);
        pthread_mutex_destroy(&self->lock);
        free(self);
        *self_p = NULL;
    }
}

/* Under the lock: the entry, held once more and the newest; NULL. */
static entry_t *
hold(vln_shelf_t *self, const uint8_t *key)
{
    entry_t **place = &self->newest;
    while (*place && memcmp((*place)->key, key, VLN_DIGEST_BYTES) != 0) {
        place = &(*place)->next;
    }
    entry_t *entry = *place;
    if (entry) {
        *place = entry->next;
        entry->next = self->newest;
        self->newest = entry;
        entry->holders++;
    }
    return entry;
}

void *
vln_shelf_take(vln_shelf_t *self, const uint8_t key[VLN_DIGEST_BYTES])
{
    pthread_mutex_lock(&self->lock);
    entry_t *entry = hold(self, key);
    pthread_mutex_unlock(&self->lock);
    return entry ? entry->value.value : NULL;
}

void *
vln_shelf_put(vln_shelf_t *self, const uint8_t key[VLN_DIGEST_BYTES],
              const vln_shelf_value_t *value)
{
    entry_t *fresh = vln_calloc(1, sizeof *fresh);
    memcpy(fresh->key, key, VLN_DIGEST_BYTES);
    fresh->value = *value;
    fresh->holders = 1;
    pthread_mutex_lock(&self->lock);
    entry_t *entry = hold(self, key);
    entry_t *gone = NULL;
    if (entry) {
        gone = fresh;
    } else {
        entry = fresh;
        entry->next = self->newest;
        self->newest = entry;
        self->bytes += value->bytes;
        gone = unlink_oldest(self);
    }
    pthread_mutex_unlock(&self->lock);
    end_entries(gone);
    return entry->value.value;
}

void
vln_shelf_release(vln_shelf_t *self, const void *value)
{
    pthread_mutex_lock(&self->lock);
    entry_t *entry = self->newest;
    while (entry && entry->value.value != value) {
        entry = entry->next;
    }
    vln_assert(entry && entry->holders > 0);
    entry->holders--;
    entry_t *gone = unlink_oldest(self);
    pthread_mutex_unlock(&self->lock);
    end_entries(gone);
}

size_t
vln_shelf_bytes(vln_shelf_t *self)
{
    pthread_mutex_lock(&self->lock);
    size_t bytes = self->bytes;
    pthread_mutex_unlock(&self->lock);
    return bytes;
}
