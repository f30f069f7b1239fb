/*
 * bench_calls - the parts of the benchmark of calls: processes that answer, processes that call.
 *
 * Every process is forked before a ZeroMQ context exists anywhere, because a context does not
 * survive a fork.
 */
#ifndef BENCH_CALLS_H
#define BENCH_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "vln_keys.h"

enum { BENCH_WORKERS = 4, BENCH_CREDIT = 64, BENCH_BODY = 200, BENCH_HEADER = 128 };

/* What is sent, and how: the same bytes in all three settings. */
typedef struct bench_call {
    uint8_t header[BENCH_HEADER];
    size_t header_size;
    uint8_t body[BENCH_BODY];
} bench_call_t;

typedef struct bench_keys {
    vln_keypair_t server;
    vln_keypair_t client;
    vln_keypair_t worker;
} bench_keys_t;

/* Each runs until it is killed, in the process that it is called in. */
void bench_echo_server(const char *endpoint, const bench_keys_t *keys);
void bench_plain_broker(const char *clients, const char *workers, const bench_keys_t *keys);
void bench_plain_worker(const char *endpoint, const bench_keys_t *keys);

typedef struct bench_result {
    double calls_per_s;
    double p50_us;
    double p99_us;
    int64_t errors; /* replies that are none */
} bench_result_t;

/* Calls with `window` of them in flight for `seconds`, in the process that it is called in. */
bench_result_t bench_client(const char *endpoint, const bench_keys_t *keys,
                            const bench_call_t *call, int window, double seconds);

#endif
