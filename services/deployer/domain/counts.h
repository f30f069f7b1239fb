/*
 * counts - what servers and HAProxy counted: checked, added up, and what came since an earlier look.
 *
 * Counters are cumulative since a start; sums over ended starts and over instances are made here, so
 * that a restart never makes one go back. Pure: messages are borrowed, results lie in the arena and
 * borrow texts of what they were made from.
 */
#ifndef COUNTS_H
#define COUNTS_H

#include <stdbool.h>
#include <valion/v1/deployer.pb-c.h>

#include "vln_mem.h"

enum {
    COUNTS_COLUMNS_MAX = 200,
    COUNTS_BINS_MAX = 66, /* 65 between 64 edges, and one for what is in none */
    COUNTS_LATENCIES_MAX = 128,
    COUNTS_ERRORS_MAX = 16,
    COUNTS_START_MAX = 128, /* bytes of a start's id */
    COUNTS_NAME_MAX = 256,  /* bytes of a column's name */
};

/* Within the bounds above and with finite sums: may be kept. */
bool counts_telemetry_is_sane(const Valion__V1__Telemetry *telemetry);
bool counts_proxy_is_sane(const Valion__V1__ProxyCounters *proxy);

/* Of all that is counted together: rises with any of it, so that what is not above what is known says
 * nothing new. */
int64_t counts_telemetry_amount(const Valion__V1__Telemetry *telemetry);
int64_t counts_proxy_amount(const Valion__V1__ProxyCounters *proxy);

/* What is kept of a counter that starts anew with its process. Borrowed. */
typedef struct counts_kept {
    const char *start_id;    /* NULL: nothing yet */
    const char *start_ended; /* the one before; "" if there was none */
    int64_t amount;
} counts_kept_t;

typedef enum counts_turn {
    COUNTS_OLD,     /* known, or late: leave it */
    COUNTS_NEWER,   /* replaces what is kept */
    COUNTS_STARTED, /* what is kept has ended and counts for good; this is kept from now on */
} counts_turn_t;

counts_turn_t counts_turn(const counts_kept_t *kept, const char *start_id, int64_t amount);

/* Both together; either may be NULL. Of columns whose bins differ the later one's count. Never NULL;
 * instance, start, sequence and version are left out. */
Valion__V1__Telemetry *counts_telemetry_add(const Valion__V1__Telemetry *earlier,
                                            const Valion__V1__Telemetry *later, vln_arena_t *arena);
Valion__V1__ProxyCounters *counts_proxy_add(const Valion__V1__ProxyCounters *earlier,
                                            const Valion__V1__ProxyCounters *later,
                                            vln_arena_t *arena);

/* What came between the two; NULL if a counter went back, or bins became others: then there is no
 * telling. */
Valion__V1__Telemetry *counts_telemetry_since(const Valion__V1__Telemetry *before,
                                              const Valion__V1__Telemetry *now, vln_arena_t *arena);
Valion__V1__ProxyCounters *counts_proxy_since(const Valion__V1__ProxyCounters *before,
                                              const Valion__V1__ProxyCounters *now,
                                              vln_arena_t *arena);

/* Of an error's class; 0 if it is not among them. */
double counts_error(const Valion__V1__Telemetry *telemetry, const char *name);

/* Of a column; NULL: it is not counted. "" is the prediction. */
const Valion__V1__ValueTelemetry *counts_values(const Valion__V1__Telemetry *telemetry,
                                                const char *column);

#endif
