#include "vln_queue.h"

#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vln_err.h"
#include "vln_mem.h"

typedef struct list {
    vln_item_t *first;
    vln_item_t **end; /* where the next one is linked in */
} list_t;

struct vln_queue {
    pthread_mutex_t mutex;
    pthread_cond_t filled;
    size_t lanes;
    size_t turn; /* lane that is looked at first */
    size_t waiting_takers;
    bool closed;
    list_t *lists;
    size_t *batch_max;
    bool *taken; /* of a lane that batches: its one taker is at work */
};

static void
list_init(list_t *list)
{
    list->first = NULL;
    list->end = &list->first;
}

static void
list_add(list_t *list, vln_item_t *item)
{
    item->next = NULL;
    *list->end = item;
    list->end = &item->next;
}

vln_queue_t *
vln_queue_new(size_t lanes, const size_t *batch_max)
{
    vln_queue_t *self = vln_calloc(1, sizeof *self);
    pthread_mutex_init(&self->mutex, NULL);
    pthread_cond_init(&self->filled, NULL);
    self->lanes = lanes;
    self->lists = vln_calloc(lanes, sizeof *self->lists);
    self->batch_max = vln_memdup(batch_max, lanes * sizeof *batch_max);
    self->taken = vln_calloc(lanes, sizeof *self->taken);
    for (size_t i = 0; i < lanes; i++) {
        list_init(&self->lists[i]);
    }
    return self;
}

void
vln_queue_destroy(vln_queue_t **self_p)
{
    vln_queue_t *self = *self_p;
    if (self) {
        pthread_cond_destroy(&self->filled);
        pthread_mutex_destroy(&self->mutex);
        free(self->lists);
        free(self->batch_max);
        free(self->taken);
        free(self);
        *self_p = NULL;
    }
}

void
vln_queue_put(vln_queue_t *self, size_t lane, vln_item_t *item)
{
    pthread_mutex_lock(&self->mutex);
    list_add(&self->lists[lane], item);
    bool wake = self->waiting_takers > 0;
    pthread_mutex_unlock(&self->mutex);
    if (wake) {
        pthread_cond_signal(&self->filled);
    }
}

void
vln_queue_done(vln_queue_t *self, size_t lane)
{
    pthread_mutex_lock(&self->mutex);
    self->taken[lane] = false;
    bool wake = self->waiting_takers > 0 && self->lists[lane].first;
    pthread_mutex_unlock(&self->mutex);
    if (wake) {
        pthread_cond_signal(&self->filled);
    }
}

/* The first lane from `turn` on that holds something and may be taken; `lanes` if none does.
 * *empty: none holds anything. */
static size_t
find_lane(const vln_queue_t *self, bool *empty)
{
    *empty = true;
    for (size_t i = 0; i < self->lanes; i++) {
        size_t lane = (self->turn + i) % self->lanes;
        *empty = *empty && !self->lists[lane].first;
        if (self->lists[lane].first && !self->taken[lane]) {
            return lane;
        }
    }
    return self->lanes;
}

static vln_item_t *
cut_batch(list_t *list, size_t most)
{
    vln_item_t *first = list->first;
    vln_item_t *last = first;
    for (size_t count = 1; count < most && last->next; count++) {
        last = last->next;
    }
    list->first = last->next;
    if (!list->first) {
        list->end = &list->first;
    }
    last->next = NULL;
    return first;
}

vln_item_t *
vln_queue_take(vln_queue_t *self, size_t *lane)
{
    vln_item_t *batch = NULL;
    pthread_mutex_lock(&self->mutex);
    bool empty = true;
    size_t found = find_lane(self, &empty);
    while (found == self->lanes && !(self->closed && empty)) {
        self->waiting_takers++;
        pthread_cond_wait(&self->filled, &self->mutex);
        self->waiting_takers--;
        found = find_lane(self, &empty);
    }
    if (found < self->lanes) {
        batch = cut_batch(&self->lists[found], self->batch_max[found]);
        self->turn = found + 1;
        self->taken[found] = self->batch_max[found] > 1;
        *lane = found;
    }
    pthread_mutex_unlock(&self->mutex);
    return batch;
}

void
vln_queue_close(vln_queue_t *self)
{
    pthread_mutex_lock(&self->mutex);
    self->closed = true;
    pthread_cond_broadcast(&self->filled);
    pthread_mutex_unlock(&self->mutex);
}

struct vln_outbox {
    pthread_mutex_t mutex;
    list_t list;
    int fd;
    bool signalled;
};

vln_outbox_t *
vln_outbox_new(void)
{
    vln_outbox_t *self = vln_calloc(1, sizeof *self);
    pthread_mutex_init(&self->mutex, NULL);
    list_init(&self->list);
    self->fd = eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC);
    vln_assert(self->fd >= 0);
    return self;
}

void
vln_outbox_destroy(vln_outbox_t **self_p)
{
    vln_outbox_t *self = *self_p;
    if (self) {
        close(self->fd);
        pthread_mutex_destroy(&self->mutex);
        free(self);
        *self_p = NULL;
    }
}

int
vln_outbox_fd(const vln_outbox_t *self)
{
    return self->fd;
}

void
vln_outbox_put(vln_outbox_t *self, vln_item_t *item)
{
    pthread_mutex_lock(&self->mutex);
    list_add(&self->list, item);
    bool signal = !self->signalled;
    self->signalled = true;
    pthread_mutex_unlock(&self->mutex);
    if (signal) {
        uint64_t one = 1;
        ssize_t written = write(self->fd, &one, sizeof one);
        (void)written; /* full means readable, which is all that is wanted */
    }
}

vln_item_t *
vln_outbox_take_all(vln_outbox_t *self)
{
    /* Quiet first, then look: what is put in between makes the descriptor readable again. */
    uint64_t count;
    ssize_t got = read(self->fd, &count, sizeof count);
    (void)got; /* nothing to read: a putter is about to write, or nobody put anything */
    pthread_mutex_lock(&self->mutex);
    vln_item_t *first = self->list.first;
    list_init(&self->list);
    self->signalled = false;
    pthread_mutex_unlock(&self->mutex);
    return first;
}
