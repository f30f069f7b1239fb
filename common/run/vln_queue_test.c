#include "vln_queue.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>

#include "vln_mem.h"

enum { LANES = 3, TAKERS = 4, ITEMS = 20000 };

typedef struct number {
    vln_item_t item;
    size_t lane;
    int value;
} number_t;

static const size_t batches[LANES] = {1, 7, 256};

static number_t *
number_new(size_t lane, int value)
{
    number_t *number = vln_calloc(1, sizeof *number);
    number->lane = lane;
    number->value = value;
    return number;
}

typedef struct taker {
    vln_queue_t *queue;
    vln_outbox_t *outbox;
} taker_t;

static void *
take_all(void *arg)
{
    taker_t *self = arg;
    size_t lane = 0;
    vln_item_t *batch = vln_queue_take(self->queue, &lane);
    while (batch) {
        size_t count = 0;
        while (batch) {
            vln_item_t *next = batch->next;
            cr_assert(((number_t *)batch)->lane == lane);
            vln_outbox_put(self->outbox, batch);
            batch = next;
            count++;
        }
        cr_assert(count <= batches[lane]);
        vln_queue_done(self->queue, lane);
        batch = vln_queue_take(self->queue, &lane);
    }
    return NULL;
}

/* Waits for what comes back, as the frame loop does. */
static int
collect(vln_outbox_t *outbox, bool *seen, int wanted)
{
    int count = 0;
    while (count < wanted) {
        struct pollfd item = {.fd = vln_outbox_fd(outbox), .events = POLLIN};
        cr_assert(poll(&item, 1, 10000) == 1, "nothing came for ten seconds");
        vln_item_t *list = vln_outbox_take_all(outbox);
        while (list) {
            vln_item_t *next = list->next;
            number_t *number = (number_t *)list;
            cr_assert(!seen[number->value]);
            seen[number->value] = true;
            count++;
            free(number);
            list = next;
        }
    }
    return count;
}

Test(vln_queue, every_item_comes_back_once_through_many_threads, .timeout = 60)
{
    taker_t taker = {vln_queue_new(LANES, batches), vln_outbox_new()};
    pthread_t threads[TAKERS];
    for (int i = 0; i < TAKERS; i++) {
        cr_assert(pthread_create(&threads[i], NULL, take_all, &taker) == 0);
    }
    for (int i = 0; i < ITEMS; i++) {
        size_t lane = (size_t)i % LANES;
        vln_queue_put(taker.queue, lane, &number_new(lane, i)->item);
    }
    bool *seen = vln_calloc(ITEMS, sizeof *seen);
    cr_expect(collect(taker.outbox, seen, ITEMS) == ITEMS);
    vln_queue_close(taker.queue);
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    free(seen);
    vln_queue_destroy(&taker.queue);
    vln_outbox_destroy(&taker.outbox);
}

Test(vln_queue, lanes_take_turns)
{
    vln_queue_t *queue = vln_queue_new(LANES, batches);
    for (int i = 0; i < 3; i++) {
        vln_queue_put(queue, 0, &number_new(0, i)->item);
    }
    vln_queue_put(queue, 1, &number_new(1, 3)->item);
    size_t first = 9;
    size_t second = 9;
    vln_item_t *one = vln_queue_take(queue, &first);
    vln_item_t *two = vln_queue_take(queue, &second);
    cr_expect(first == 0 && second == 1);
    free(one);
    free(two);
    vln_queue_close(queue);
    size_t lane = 0;
    for (vln_item_t *item = vln_queue_take(queue, &lane); item;
         item = vln_queue_take(queue, &lane)) {
        free(item);
    }
    vln_queue_destroy(&queue);
}

/* Takes what there is of a lane, counts takers of it that are at work, and is done with it. */
typedef struct limited {
    vln_queue_t *queue;
    pthread_mutex_t mutex;
    int at_work;
    int most;
    int taken;
} limited_t;

static void *
take_limited(void *arg)
{
    limited_t *self = arg;
    size_t lane = 0;
    for (vln_item_t *item = vln_queue_take(self->queue, &lane); item;
         item = vln_queue_take(self->queue, &lane)) {
        pthread_mutex_lock(&self->mutex);
        self->at_work++;
        self->most = self->at_work > self->most ? self->at_work : self->most;
        pthread_mutex_unlock(&self->mutex);
        int count = 0;
        while (item) {
            vln_item_t *next = item->next;
            free(item);
            item = next;
            count++;
        }
        pthread_mutex_lock(&self->mutex);
        self->at_work--;
        self->taken += count;
        pthread_mutex_unlock(&self->mutex);
        vln_queue_done(self->queue, lane);
    }
    return NULL;
}

Test(vln_queue, a_lane_that_batches_has_one_taker_and_loses_nothing)
{
    limited_t self = {.queue = vln_queue_new(LANES, batches)};
    pthread_t threads[TAKERS];
    pthread_mutex_init(&self.mutex, NULL);
    for (size_t i = 0; i < TAKERS; i++) {
        cr_assert(pthread_create(&threads[i], NULL, take_limited, &self) == 0);
    }
    for (int i = 0; i < ITEMS; i++) {
        vln_queue_put(self.queue, 1, &number_new(1, i)->item);
    }
    vln_queue_close(self.queue); /* what is left is taken still, one after the other */
    for (size_t i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_expect(self.most == 1, "%d takers at once", self.most);
    cr_expect(self.taken == ITEMS, "%d taken", self.taken);
    pthread_mutex_destroy(&self.mutex);
    vln_queue_destroy(&self.queue);
}

Test(vln_queue, what_waits_for_the_one_taker_becomes_its_next_batch)
{
    vln_queue_t *queue = vln_queue_new(LANES, batches);
    size_t lane = 0;
    for (int i = 0; i < 3; i++) {
        vln_queue_put(queue, 1, &number_new(1, i)->item);
    }
    vln_item_t *first = vln_queue_take(queue, &lane);
    vln_queue_put(queue, 1, &number_new(1, 3)->item);
    vln_queue_put(queue, 2, &number_new(2, 4)->item);
    size_t other = 0;
    vln_item_t *reader = vln_queue_take(queue, &other);
    cr_expect(lane == 1 && other == 2, "another lane is not held up");
    vln_queue_put(queue, 1, &number_new(1, 5)->item);
    vln_queue_done(queue, 1);
    vln_item_t *second = vln_queue_take(queue, &lane);
    cr_expect(lane == 1 && second->next && !second->next->next);
    free(second->next);
    free(second);
    free(reader);
    free(first->next->next);
    free(first->next);
    free(first);
    vln_queue_destroy(&queue);
}
