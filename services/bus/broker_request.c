#include "broker_request.h"

#include <string.h>

#include "vln_pb.h"
#include "vln_socket.h"

#include "domain/route.h"

enum { NAME_MAX_BYTES = 64, TRACEPARENT_MAX = 64, REMAINING_MAX_MS = ROUTE_DEADLINE_MAX_MS };

#define MALFORMED VALION__V1__REASON__REASON_MALFORMED
#define TOO_LARGE VALION__V1__REASON__REASON_TOO_LARGE
#define FIELD     VALION__V1__REASON__REASON_FIELD

static bool
refuse(refusal_t *refusal, Valion__V1__Reason reason, const char *message, const char *subject,
       int64_t limit)
{
    *refusal = (refusal_t){.status = VALION__V1__STATUS__STATUS_INVALID_ARGUMENT,
                           .reason = reason,
                           .message = message,
                           .subject = subject,
                           .limit = limit};
    return false;
}

/*
 * A header holds at least a request id, 18 bytes: a shorter frame is part of the prefix, and an
 * empty one ends it. Nothing here is ambiguous.
 */
static bool
find_prefix(const request_view_t *frames, int count, request_shape_t *shape)
{
    int at = 0;
    while (at < count && frames[at].size > 0 && frames[at].size <= REQUEST_PREFIX_BYTES) {
        at++;
    }
    bool delimited = at < count && frames[at].size == 0;
    if (at > REQUEST_PREFIXES_MAX || (at > 0 && !delimited)) {
        return false;
    }
    shape->prefixes = at;
    shape->delimiter = delimited ? 1 : 0;
    shape->header = at + shape->delimiter;
    return true;
}

bool
request_shape(const request_view_t *frames, int count, bool too_many, request_shape_t *shape,
              refusal_t *refusal)
{
    *shape = (request_shape_t){0};
    bool prefixed = find_prefix(frames, count, shape);
    if (too_many) {
        return refuse(refusal, TOO_LARGE,
                      "a call has at most 5 frames: [prefix \"\"] Header body "
                      "[raw]",
                      NULL, VLN_FRAMES_MAX);
    }
    if (!prefixed) {
        return refuse(refusal, MALFORMED,
                      "before the header there may be at most two frames of "
                      "1 to 16 bytes and then an empty one",
                      NULL, REQUEST_PREFIXES_MAX);
    }
    shape->payload_frames = count - shape->header;
    if (shape->payload_frames < 2) {
        return refuse(refusal, MALFORMED,
                      "a call is [prefix \"\"] Header body [raw]: the body "
                      "frame is there even when the message is empty",
                      NULL, 0);
    }
    if (shape->payload_frames > 3) {
        return refuse(refusal, MALFORMED, "after the body there is at most one frame", NULL, 0);
    }
    if (frames[shape->header].size > VLN_HEADER_MAX) {
        return refuse(refusal, TOO_LARGE, "the header frame is longer than 8 KiB", NULL,
                      VLN_HEADER_MAX);
    }
    return true;
}

static bool
is_name(const char *text)
{
    return text && text[0] && strlen(text) <= NAME_MAX_BYTES;
}

static bool
check_fields(const Valion__V1__Header *header, refusal_t *refusal)
{
    if (!header->has_request_id || header->request_id.len != REQUEST_ID_BYTES) {
        return refuse(refusal, FIELD, "request_id is a UUIDv7 of 16 bytes", "request_id",
                      REQUEST_ID_BYTES);
    }
    if (!is_name(header->service)) {
        return refuse(refusal, FIELD, "service is a name of 1 to 64 bytes", "service",
                      NAME_MAX_BYTES);
    }
    if (!is_name(header->method)) {
        return refuse(refusal, FIELD, "method is a name of 1 to 64 bytes", "method",
                      NAME_MAX_BYTES);
    }
    if (header->has_remaining_ms && header->remaining_ms > REMAINING_MAX_MS) {
        return refuse(refusal, FIELD, "remaining_ms is 1 to 60000", "remaining_ms",
                      REMAINING_MAX_MS);
    }
    if (header->traceparent && strlen(header->traceparent) > TRACEPARENT_MAX) {
        return refuse(refusal, FIELD, "traceparent has at most 64 bytes", "traceparent",
                      TRACEPARENT_MAX);
    }
    if (header->has_remaining_ms && header->remaining_ms == 0) {
        *refusal = (refusal_t){.status = VALION__V1__STATUS__STATUS_DEADLINE_EXCEEDED,
                               .reason = VALION__V1__REASON__REASON_EXPIRED,
                               .message = "the time for this call was over when it came; nothing "
                                          "was done"};
        return false;
    }
    return true;
}

bool
request_check(request_view_t header, vln_arena_t *arena, Valion__V1__Header **out,
              refusal_t *refusal)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    *out = NULL;
    if (vln_pb_unpack(&valion__v1__header__descriptor, header.bytes, header.size, arena, &message,
                      &scan) != VLN_OK) {
        return refuse(
            refusal, MALFORMED,
            vln_arena_printf(arena, "the header cannot be read as valion.v1.Header: %s", scan.why),
            scan.field, 0);
    }
    *out = (Valion__V1__Header *)message;
    return check_fields(*out, refusal);
}
