/*
 * queue_threads - many threads through one vln_queue and vln_outbox; a plain program, because
 * Criterion's fixed memory arena and TSan's shadow memory get in each other's way.
 */
#include <poll.h>
#include <pthread.h>
#include <stdio.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_queue.h"

enum { TAKERS = 4, ITEMS = 20000 };

static vln_queue_t *queue;
static vln_outbox_t *outbox;
static size_t of_one_taker; /* items of the lane that batches: no lock but the queue's */

static void *
take_all(void *arg)
{
    size_t lane = 0;
    for (vln_item_t *batch = vln_queue_take(queue, &lane); batch;
         batch = vln_queue_take(queue, &lane)) {
        while (batch) {
            vln_item_t *next = batch->next;
            if (lane == 1) {
                of_one_taker++;
            }
            vln_outbox_put(outbox, batch);
            batch = next;
        }
        vln_queue_done(queue, lane);
    }
    return arg;
}

int
main(void)
{
    static vln_item_t items[ITEMS];
    static const size_t batches[] = {1, 16};
    pthread_t threads[TAKERS];
    queue = vln_queue_new(VLN_COUNT(batches), batches);
    outbox = vln_outbox_new();
    for (int i = 0; i < TAKERS; i++) {
        vln_assert(pthread_create(&threads[i], NULL, take_all, NULL) == 0);
    }
    for (size_t i = 0; i < ITEMS; i++) {
        vln_queue_put(queue, i % VLN_COUNT(batches), &items[i]);
    }
    size_t back = 0;
    while (back < ITEMS) {
        struct pollfd item = {.fd = vln_outbox_fd(outbox), .events = POLLIN};
        vln_assert(poll(&item, 1, 10000) == 1);
        for (vln_item_t *list = vln_outbox_take_all(outbox); list; list = list->next) {
            back++;
        }
    }
    vln_queue_close(queue);
    for (int i = 0; i < TAKERS; i++) {
        pthread_join(threads[i], NULL);
    }
    vln_assert(of_one_taker == ITEMS / VLN_COUNT(batches));
    printf("%zu items came back\n", back);
    vln_queue_destroy(&queue);
    vln_outbox_destroy(&outbox);
    return back == ITEMS ? 0 : 1;
}
