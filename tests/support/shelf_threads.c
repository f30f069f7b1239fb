/*
 * shelf_threads - many threads through one vln_shelf that keeps fewer values than they use; a plain
 * program, as queue_threads is.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_shelf.h"

enum { THREADS = 4, ROUNDS = 20000, VALUES = 8, ROOM = 3 };

static vln_shelf_t *shelf;

static void
end(void *value)
{
    *(int *)value = -1;
    free(value);
}

static void
use(int number)
{
    const uint8_t key[VLN_DIGEST_BYTES] = {(uint8_t)number};
    int *value = vln_shelf_take(shelf, key);
    if (!value) {
        value = vln_calloc(1, sizeof *value);
        *value = number;
        value = vln_shelf_put(shelf, key, &(vln_shelf_value_t){value, 1, end});
    }
    vln_assert(*value == number);
    vln_shelf_release(shelf, value);
}

static void *
use_all(void *arg)
{
    uint32_t chance = *(const uint32_t *)arg;
    for (int i = 0; i < ROUNDS; i++) {
        chance = chance * 1103515245U + 12345U;
        use((int)(chance >> 16 & (VALUES - 1)));
    }
    return NULL;
}

int
main(void)
{
    pthread_t threads[THREADS];
    uint32_t seeds[THREADS];
    shelf = vln_shelf_new(ROOM);
    for (uint32_t i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        vln_assert(pthread_create(&threads[i], NULL, use_all, &seeds[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    vln_assert(vln_shelf_bytes(shelf) <= ROOM);
    printf("%d values were used\n", THREADS * ROUNDS);
    vln_shelf_destroy(&shelf);
    return 0;
}
