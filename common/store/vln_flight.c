#include "vln_flight.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "vln_err.h"
#include "vln_mem.h"

typedef enum state { EMPTY, READING, READY } state_t;

typedef struct slot {
    state_t state;
    uint8_t digest[VLN_DIGEST_BYTES];
    int64_t index;
    size_t size;
    uint64_t used; /* when it was asked for last, by the table's count */
    uint8_t *bytes;
} slot_t;

/* A copy of a chunk takes some 20 us: too little to let others in meanwhile. */
struct vln_flight {
    pthread_mutex_t mutex;
    pthread_cond_t changed; /* a slot left READING */
    uint64_t count;
    size_t chunk_bytes;
    size_t slot_count;
    slot_t slots[];
};

vln_flight_t *
vln_flight_new(size_t max_bytes, size_t chunk_bytes)
{
    size_t count = max_bytes / chunk_bytes;
    vln_flight_t *self = vln_calloc(1, sizeof *self + count * sizeof self->slots[0]);
    pthread_condattr_t attributes;
    int failed = pthread_mutex_init(&self->mutex, NULL);
    failed |= pthread_condattr_init(&attributes);
    failed |= pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    failed |= pthread_cond_init(&self->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    vln_assert(!failed);
    self->chunk_bytes = chunk_bytes;
    self->slot_count = count;
    return self;
}

void
vln_flight_destroy(vln_flight_t **self_p)
{
    vln_flight_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < self->slot_count; i++) {
            free(self->slots[i].bytes);
        }
        pthread_cond_destroy(&self->changed);
        pthread_mutex_destroy(&self->mutex);
        free(self);
        *self_p = NULL;
    }
}

/* ---- under the mutex ---- */

static slot_t *
find(vln_flight_t *self, const uint8_t *digest, int64_t index)
{
    for (size_t i = 0; i < self->slot_count; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->state != EMPTY && slot->index == index &&
            memcmp(slot->digest, digest, VLN_DIGEST_BYTES) == 0) {
            return slot;
        }
    }
    return NULL;
}

/* An empty slot, or the one whose chunk nobody asked for the longest; NULL if all are being read. */
static slot_t *
find_room(vln_flight_t *self)
{
    slot_t *oldest = NULL;
    for (size_t i = 0; i < self->slot_count; i++) {
        slot_t *slot = &self->slots[i];
        if (slot->state == EMPTY) {
            return slot;
        }
        if (slot->state == READY && (!oldest || slot->used < oldest->used)) {
            oldest = slot;
        }
    }
    return oldest;
}

/* Without room for it the caller reads for itself alone. */
static void
begin_reading(vln_flight_t *self, const uint8_t *digest, int64_t index)
{
    slot_t *slot = find_room(self);
    if (slot) {
        slot->state = READING;
        slot->index = index;
        memcpy(slot->digest, digest, VLN_DIGEST_BYTES);
    }
}

/* False once the time is over. */
static bool
wait_for_change(vln_flight_t *self, const struct timespec *until)
{
    return pthread_cond_timedwait(&self->changed, &self->mutex, until) == 0;
}

/* ---- for threads ---- */

static struct timespec
after(int64_t wait_ms)
{
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    int64_t ns = at.tv_nsec + wait_ms % 1000 * 1000000;
    at.tv_sec += (time_t)(wait_ms / 1000 + ns / 1000000000);
    at.tv_nsec = (long)(ns % 1000000000);
    return at;
}

bool
vln_flight_get(vln_flight_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
               uint8_t *out, size_t size, int64_t wait_ms)
{
    const struct timespec until = after(wait_ms);
    pthread_mutex_lock(&self->mutex);
    slot_t *slot = find(self, digest, index);
    while (slot && slot->state == READING && wait_for_change(self, &until)) {
        slot = find(self, digest, index);
    }
    bool found = slot && slot->state == READY && slot->size == size;
    if (found) {
        memcpy(out, slot->bytes, size);
        slot->used = ++self->count;
    } else if (!slot) {
        begin_reading(self, digest, index);
    }
    pthread_mutex_unlock(&self->mutex);
    return found;
}

void
vln_flight_put(vln_flight_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index,
               const uint8_t *bytes, size_t size)
{
    vln_assert(size <= self->chunk_bytes);
    pthread_mutex_lock(&self->mutex);
    slot_t *slot = find(self, digest, index);
    if (slot && slot->state == READING) {
        if (!slot->bytes) {
            slot->bytes = vln_calloc(1, self->chunk_bytes);
        }
        memcpy(slot->bytes, bytes, size);
        slot->size = size;
        slot->used = ++self->count;
        slot->state = READY;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->mutex);
}

void
vln_flight_fail(vln_flight_t *self, const uint8_t digest[VLN_DIGEST_BYTES], int64_t index)
{
    pthread_mutex_lock(&self->mutex);
    slot_t *slot = find(self, digest, index);
    if (slot && slot->state == READING) {
        slot->state = EMPTY;
        pthread_cond_broadcast(&self->changed);
    }
    pthread_mutex_unlock(&self->mutex);
}
