/*
 * batch - requests waiting for the model, in a queue of bounded length. It is asked for all that wait
 * together, so that a model costs the same for one request as for many that came at once. Nobody
 * waits for others to come unless `wait_us` says so.
 *
 * A model that is slow, or in another process, is asked on a thread of its own; one that answers in
 * microseconds by whoever calls batch_work().
 */
#ifndef BATCH_H
#define BATCH_H

#include "server.h"

enum { BATCH_TOGETHER_MAX = 256 };

typedef struct batch batch_t;

/* What became of an item; HTTP's numbers. */
typedef enum batch_status {
    BATCH_DONE = 200,
    BATCH_BAD_INPUT = 400,
    BATCH_FAILED = 500,
    BATCH_UNAVAILABLE = 503,
    BATCH_LATE = 504,
} batch_status_t;

/* One request. Its owner's until it is put, and again when it is done. */
typedef struct batch_item {
    struct batch_item *next;
    oip_request_t request;
    int64_t asked_us;    /* vln_mono_us() when its last byte had come */
    int64_t deadline_us; /* after this nobody wants the answer */
    batch_status_t status;
    char *answer; /* by malloc: the response's body, or the sentence why there is none */
    size_t size;  /* of the answer */
} batch_item_t;

typedef struct batch_config {
    server_t *server;
    size_t queue_max; /* items that wait */
    size_t together;  /* items asked about at once; at most BATCH_TOGETHER_MAX */
    size_t rows_max;  /* of these; one request may have more */
    int64_t wait_us;  /* that the first of a batch waits for more, on the thread; 0: not at all */
    bool threaded;    /* else batch_work() asks */
    /* On the thread that asks: the item is the owner's again. */
    void (*done)(void *context, batch_item_t *item);
    void *context;
} batch_config_t;

/* What it has done so far. */
typedef struct batch_counts {
    uint64_t batches;
    uint64_t requests; /* in them */
    uint64_t rejected; /* the queue was full */
    size_t queued;     /* now */
} batch_counts_t;

/* NULL: no thread can be started. */
batch_t *batch_new(const batch_config_t *config);

/* Everything that was put is done first. NULL is fine; the pointer becomes NULL. */
void batch_destroy(batch_t **self_p);

/* False: the queue is full, and the item stays the caller's. */
bool batch_put(batch_t *self, batch_item_t *item);

/* Asks for everything that waits; false: nothing did. Only without a thread. */
bool batch_work(batch_t *self);

/*
 * Asks for this one item here and now, if the model is so quick that waiting for company costs more
 * than it saves; false: it is not, and the item is to be put. Only without a thread.
 */
bool batch_ask_now(batch_t *self, batch_item_t *item);

batch_counts_t batch_counts(batch_t *self);

#endif
