/*
 * vln_call - one call, as a handler sees it, and how it is answered.
 *
 * A handler runs on a worker thread, reads top to bottom, and leaves each of its calls answered:
 * replied, refused or parked. What it allocates in `arena` lives until the reply was sent.
 */
#ifndef VLN_CALL_H
#define VLN_CALL_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_queue.h"

#include "valion/v1/header.pb-c.h"

typedef struct vln_call vln_call_t;

/* `count` calls of one method; 1 unless the method batches. `worker` is what open_worker made. */
typedef void vln_handler_fn(void *worker, vln_call_t **calls, size_t count);

/* Bits of a method's row. */
enum {
    VLN_MUTATES = 1, /* needs a request id; answered once for each */
    VLN_BATCHES = 2, /* the handler takes up to VLN_BATCH_MAX at once */
    VLN_PARKS = 4,   /* the handler may park */
};

enum { VLN_BATCH_MAX = 256, VLN_PARK_MAX_MS = 30000 };

#define VLN_ROLE(name) (1u << VALION__V1__ROLE__ROLE_##name)
#define VLN_ROLES_ANY  UINT32_MAX

/* The interface of a service: one row a method. */
typedef struct vln_method {
    const char *name;
    vln_handler_fn *handle;
    uint32_t roles; /* any of these may call */
    unsigned flags;
    size_t body_max; /* bytes */
} vln_method_t;

typedef enum vln_call_outcome {
    VLN_OUTCOME_NONE, /* a handler that leaves it so has a bug: INTERNAL */
    VLN_OUTCOME_REPLY,
    VLN_OUTCOME_PARK,
} vln_call_outcome_t;

struct vln_call {
    vln_item_t item; /* of the queues; first */

    /* ---- for the handler: borrowed, not to be changed ---- */
    const vln_method_t *method;
    const Valion__V1__Header *header;
    const ProtobufCMessage *request; /* checked and unpacked */
    const char *principal;           /* who calls */
    uint32_t roles;                  /* bit 1 << Role */
    char **kinds;                    /* task kinds of its certificate */
    size_t kind_count;
    const Valion__V1__Ticket *ticket; /* verified; NULL when there is none */
    const uint8_t *body;
    size_t body_size;
    const uint8_t *raw;
    size_t raw_size;
    vln_arena_t *arena;  /* emptied before each run of the handler */
    int64_t deadline_ms; /* monotonic: when the caller stops waiting */
    bool last_run;       /* was parked and its time has come: answer now */

    /* ---- the answer, set by the functions below ---- */
    vln_call_outcome_t outcome;
    vln_err_t status;
    const char *why;
    int reason; /* valion.v1.Reason */
    const char *subject;
    int64_t limit;
    int64_t retry_after_ms;
    const ProtobufCMessage *reply;
    const uint8_t *reply_packed; /* instead of `reply`: its bytes */
    size_t reply_packed_size;
    const uint8_t *reply_raw;
    size_t reply_raw_size;
    size_t park_topic;
    int64_t park_until_ms;
    uint32_t hints; /* bit of each topic to wake after the reply */

    /* ---- of the frame loop and the dispatcher ---- */
    vln_arena_t *kept; /* envelope, header, request: until the call ends */
    void *frames;
    size_t link;
    uint64_t link_serial;
    uint64_t handle;
    uint64_t seen_hints; /* when it was queued */
    int64_t started_us;
    bool was_parked;
    const uint8_t *reply_header;
    size_t reply_header_size;
    const uint8_t *reply_body;
    size_t reply_body_size;
};

/* OK with this message, which lives in the call's arena or longer. */
void vln_call_reply(vln_call_t *self, const ProtobufCMessage *reply);

/* OK with a reply that is packed already: what an earlier call of this id was answered. */
void vln_call_reply_packed(vln_call_t *self, const uint8_t *bytes, size_t size);

/* The frame `raw` of an OK reply; the bytes live in the call's arena or longer. */
void vln_call_reply_raw(vln_call_t *self, const uint8_t *bytes, size_t size);

/* Refuse. `format` is a sentence for the caller that says what to do: no SQL, paths, secrets. */
void vln_call_refuse(vln_call_t *self, vln_err_t err, Valion__V1__Reason reason, const char *format,
                     ...) __attribute__((format(printf, 4, 5)));

/* INVALID_ARGUMENT about a field. */
void vln_call_refuse_field(vln_call_t *self, const char *field, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* What a failed store call means for the caller: UNAVAILABLE/DATABASE or INTERNAL. */
void vln_call_refuse_store(vln_call_t *self, vln_err_t err);

/*
 * Wait for a hint on `topic` (index in the service's table) or until wait_ms after the call came;
 * then the handler runs again, the last time with last_run set. False, and nothing done, if the
 * call has to be answered now.
 */
bool vln_call_park(vln_call_t *self, size_t topic, int64_t wait_ms);

/* Wake what is parked on this topic, here and at the other instances, once the reply is sent. */
void vln_call_hint(vln_call_t *self, size_t topic);

/* Forget an answer that was prepared: its transaction did not commit. */
void vln_call_unanswer(vln_call_t *self);

bool vln_call_is_refused(const vln_call_t *self);

/* "principal", or "task:<id> for <submitter>": who is named in events. In the arena. */
const char *vln_call_actor(vln_call_t *self);

#endif
