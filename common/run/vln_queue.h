/*
 * vln_queue - calls on their way from the frame loop to the worker threads and back. Thread-safe.
 *
 * One lane a method, so that a worker takes a batch of one hot method at once while lanes take
 * turns. Nothing here allocates: the items are linked through themselves.
 */
#ifndef VLN_QUEUE_H
#define VLN_QUEUE_H

#include <stdbool.h>
#include <stddef.h>

/* First member of whatever is queued. */
typedef struct vln_item {
    struct vln_item *next;
} vln_item_t;

typedef struct vln_queue vln_queue_t;

/* batch_max[lane]: how many of that lane one taker may have at once. */
vln_queue_t *vln_queue_new(size_t lanes, const size_t *batch_max);
void vln_queue_destroy(vln_queue_t **self_p);

void vln_queue_put(vln_queue_t *self, size_t lane, vln_item_t *item);

/* What was taken of a lane that batches is done with. Such a lane has one taker at a time: what waits
 * meanwhile becomes a larger batch, and other lanes have the other takers. */
void vln_queue_done(vln_queue_t *self, size_t lane);

/*
 * Waits for items; takes at most batch_max of the lane whose turn it is, oldest first, linked. NULL
 * once the queue was closed and is empty.
 */
vln_item_t *vln_queue_take(vln_queue_t *self, size_t *lane);

/* No more is coming: takers get what is left, then NULL. */
void vln_queue_close(vln_queue_t *self);

/* Many putters, one taker that sleeps in poll: the file descriptor becomes readable when there is
 * something. */
typedef struct vln_outbox vln_outbox_t;

vln_outbox_t *vln_outbox_new(void);
void vln_outbox_destroy(vln_outbox_t **self_p);
int vln_outbox_fd(const vln_outbox_t *self);
void vln_outbox_put(vln_outbox_t *self, vln_item_t *item);
/* Everything that is there, oldest first, linked; NULL if nothing. Makes the descriptor quiet. */
vln_item_t *vln_outbox_take_all(vln_outbox_t *self);

#endif
