#include "vln_flight.h"

#include <criterion/criterion.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

enum { CHUNK = 64, THREADS = 8, ROUNDS = 2000, WAIT_MS = 10000 };

static const uint8_t digest[VLN_DIGEST_BYTES] = {7};

static void
fill(uint8_t *bytes, int64_t index)
{
    memset(bytes, (int)(index & 0x7f), CHUNK);
}

Test(vln_flight, gives_what_was_put)
{
    vln_flight_t *flight = vln_flight_new(4 * CHUNK, CHUNK);
    uint8_t bytes[CHUNK];
    uint8_t out[CHUNK];
    fill(bytes, 3);
    cr_assert_not(vln_flight_get(flight, digest, 3, out, CHUNK, 0));
    vln_flight_put(flight, digest, 3, bytes, CHUNK);
    cr_assert(vln_flight_get(flight, digest, 3, out, CHUNK, 0));
    cr_assert_arr_eq(out, bytes, CHUNK);
    cr_assert_not(vln_flight_get(flight, digest, 4, out, CHUNK, 0));
    cr_assert_not(vln_flight_get(flight, digest, 3, out, CHUNK - 1, 0), "it has another size");
    vln_flight_destroy(&flight);
    vln_flight_destroy(&flight);
}

Test(vln_flight, forgets_what_nobody_asked_for_the_longest)
{
    vln_flight_t *flight = vln_flight_new(2 * CHUNK, CHUNK);
    uint8_t bytes[CHUNK] = {0};
    uint8_t out[CHUNK];
    for (int64_t i = 0; i < 2; i++) {
        cr_assert_not(vln_flight_get(flight, digest, i, out, CHUNK, 0));
        vln_flight_put(flight, digest, i, bytes, CHUNK);
    }
    cr_assert(vln_flight_get(flight, digest, 0, out, CHUNK, 0));
    cr_assert_not(vln_flight_get(flight, digest, 2, out, CHUNK, 0));
    vln_flight_put(flight, digest, 2, bytes, CHUNK);
    cr_assert(vln_flight_get(flight, digest, 0, out, CHUNK, 0));
    cr_assert_not(vln_flight_get(flight, digest, 1, out, CHUNK, 0));
    vln_flight_destroy(&flight);
}

Test(vln_flight, works_without_room)
{
    vln_flight_t *flight = vln_flight_new(CHUNK, CHUNK);
    uint8_t bytes[CHUNK] = {0};
    uint8_t out[CHUNK];
    cr_assert_not(vln_flight_get(flight, digest, 1, out, CHUNK, 0));
    cr_assert_not(vln_flight_get(flight, digest, 2, out, CHUNK, 0), "the one slot is being read");
    vln_flight_put(flight, digest, 2, bytes, CHUNK);
    vln_flight_fail(flight, digest, 2);
    vln_flight_put(flight, digest, 1, bytes, CHUNK);
    cr_assert(vln_flight_get(flight, digest, 1, out, CHUNK, 0));
    vln_flight_destroy(&flight);
}

Test(vln_flight, who_waits_in_vain_reads_for_itself)
{
    vln_flight_t *flight = vln_flight_new(2 * CHUNK, CHUNK);
    uint8_t out[CHUNK];
    cr_assert_not(vln_flight_get(flight, digest, 1, out, CHUNK, 0));
    cr_assert_not(vln_flight_get(flight, digest, 1, out, CHUNK, 1));
    vln_flight_destroy(&flight);
}

typedef struct race {
    vln_flight_t *flight;
    pthread_barrier_t barrier;
    atomic_int reads;
    atomic_int fails;
    atomic_int wrong;
} race_t;

/* All ask for the same chunk at once; the first reader of some chunks fails. */
static void *
run(void *context)
{
    race_t *race = context;
    uint8_t bytes[CHUNK];
    uint8_t out[CHUNK];
    for (int64_t i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&race->barrier);
        while (!vln_flight_get(race->flight, digest, i, out, CHUNK, WAIT_MS)) {
            if (i % 5 == 0 && atomic_load(&race->fails) <= i / 5) {
                atomic_fetch_add(&race->fails, 1);
                vln_flight_fail(race->flight, digest, i);
                continue;
            }
            atomic_fetch_add(&race->reads, 1);
            fill(out, i);
            vln_flight_put(race->flight, digest, i, out, CHUNK);
            break;
        }
        fill(bytes, i);
        if (memcmp(bytes, out, CHUNK) != 0) {
            atomic_fetch_add(&race->wrong, 1);
        }
    }
    return NULL;
}

Test(vln_flight, one_thread_reads_and_the_others_take_its_bytes)
{
    race_t race = {.flight = vln_flight_new(4 * CHUNK, CHUNK)};
    pthread_t threads[THREADS];
    pthread_barrier_init(&race.barrier, NULL, THREADS);
    for (size_t i = 0; i < THREADS; i++) {
        cr_assert(pthread_create(&threads[i], NULL, run, &race) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        pthread_join(threads[i], NULL);
    }
    cr_assert_eq(atomic_load(&race.wrong), 0);
    cr_assert_eq(atomic_load(&race.reads), ROUNDS);
    cr_assert_geq(atomic_load(&race.fails), ROUNDS / 5);
    pthread_barrier_destroy(&race.barrier);
    vln_flight_destroy(&race.flight);
}
