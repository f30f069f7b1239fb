/*
 * flight_threads - many threads through one vln_flight that holds fewer chunks than they ask for; a
 * plain program, as queue_threads is.
 */
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "vln_err.h"
#include "vln_flight.h"
#include "vln_mem.h"

enum { THREADS = 4, ROUNDS = 4000, CHUNKS = 8, ROOM = 3, CHUNK = 256, WAIT_MS = 1000 };

static const uint8_t digest[VLN_DIGEST_BYTES] = {1, 2, 3};
static vln_flight_t *flight;

/* Chunk i is all i; the first time that a thread is to read chunk 0 it cannot. */
static void
ask(int64_t index, bool *failed)
{
    uint8_t out[CHUNK];
    uint8_t wanted[CHUNK];
    memset(wanted, (int)index, sizeof wanted);
    if (vln_flight_get(flight, digest, index, out, sizeof out, WAIT_MS)) {
        vln_assert(memcmp(out, wanted, sizeof out) == 0);
    } else if (index == 0 && !*failed) {
        *failed = true;
        vln_flight_fail(flight, digest, index);
    } else {
        vln_flight_put(flight, digest, index, wanted, sizeof wanted);
    }
}

static void *
ask_all(void *arg)
{
    uint32_t chance = *(const uint32_t *)arg;
    bool failed = false;
    for (int i = 0; i < ROUNDS; i++) {
        chance = chance * 1103515245U + 12345U;
        ask((int64_t)(chance >> 16 & (CHUNKS - 1)), &failed);
    }
    return NULL;
}

int
main(void)
{
    pthread_t threads[THREADS];
    uint32_t seeds[THREADS];
    flight = vln_flight_new((size_t)ROOM * CHUNK, CHUNK);
    for (uint32_t i = 0; i < THREADS; i++) {
        seeds[i] = i + 1;
        vln_assert(pthread_create(&threads[i], NULL, ask_all, &seeds[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    printf("%d chunks were asked for\n", THREADS * ROUNDS);
    vln_flight_destroy(&flight);
    return 0;
}
