/*
 * telemetry - what a server counts since its start: requests, errors by class, latency, and how
 * predictions and inputs are spread over given bins. Cumulative; pure; of one thread.
 */
#ifndef TELEMETRY_H
#define TELEMETRY_H

#include <valion/v1/deployer.pb-c.h>

#include "vln_sandbox.h"
#include "vln_table.h"

enum { TELEMETRY_LATENCIES = 128 };

typedef enum telemetry_error {
    TELEMETRY_BAD_INPUT, /* the request's fault */
    TELEMETRY_MODEL,     /* the model refused, crashed or gave no numbers */
    TELEMETRY_TOO_LARGE,
    TELEMETRY_UNAVAILABLE, /* no sandbox to be had */
    TELEMETRY_TIMEOUT,     /* its time was over before the model came to it */
    TELEMETRY_REJECTED,    /* too many were waiting */
    TELEMETRY_ERRORS,
} telemetry_error_t;

typedef struct telemetry telemetry_t;

/* The bins are the instance's; borrowed until the end. */
telemetry_t *telemetry_new(const Valion__V1__WantedInstance *instance);
void telemetry_destroy(telemetry_t **self_p);

/* A request that was answered, and one that was not. `us`: from its last byte to its answer. */
void telemetry_add(telemetry_t *self, const vln_table_t *rows, const vln_sandbox_result_t *result,
                   int64_t us);
void telemetry_add_error(telemetry_t *self, telemetry_error_t error, int64_t us);

/* As of now; in the arena. The sequence counts up with each. */
Valion__V1__Telemetry *telemetry_report(telemetry_t *self, vln_arena_t *arena);

/* The latency's bucket: i for 2^(i/4) .. 2^((i+1)/4) microseconds. */
size_t telemetry_bucket(int64_t us);

#endif
