/*
 * broker_request - is this a call? The frames of a client and their header, checked. No sockets,
 * no routing: bytes in, a header or a refusal out.
 */
#ifndef BROKER_REQUEST_H
#define BROKER_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_mem.h"

#include "valion/v1/header.pb-c.h"

enum {
    REQUEST_PREFIXES_MAX = 2,
    REQUEST_PREFIX_BYTES = 16,
    REQUEST_ID_BYTES = 16,
    REQUEST_DEFAULT_MS = 5000,
};

typedef struct request_view {
    const uint8_t *bytes;
    size_t size;
} request_view_t;

/* What a client is told instead of a reply. Texts are static or live in the arena of the check. */
typedef struct refusal {
    Valion__V1__Status status;
    Valion__V1__Reason reason;
    const char *message;
    const char *subject; /* NULL: none */
    int64_t limit;       /* 0: none */
    int64_t retry_after_ms;
} refusal_t;

/* Which frame is what: the first `prefixes` are echoed, then `delimiter` empty ones (0 or 1). */
typedef struct request_shape {
    int prefixes;
    int delimiter;
    int header;         /* its index; body and raw follow */
    int payload_frames; /* header, body, raw: 2 or 3 */
} request_shape_t;

/*
 * Frames after the routing id. False: *refusal says why, and *shape has at least the prefix that a
 * reply needs.
 */
bool request_shape(const request_view_t *frames, int count, bool too_many, request_shape_t *shape,
                   refusal_t *refusal);

/*
 * The header, unpacked into the arena. False: *refusal says why; *out may be a header whose
 * request_id can be echoed, or NULL.
 */
bool request_check(request_view_t header, vln_arena_t *arena, Valion__V1__Header **out,
                   refusal_t *refusal);

#endif
