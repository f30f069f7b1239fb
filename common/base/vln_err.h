/*
 * vln_err - the one error type of the suite.
 *
 * A function that can fail for a reason outside this program returns vln_err_t and is marked
 * VLN_MUST_USE. The names and numbers are gRPC's; on the wire they are valion.v1.Status, which
 * differs in OK alone (17, because zero means "not said" there).
 *
 * Who says what:
 *   - the function that first sees a foreign error (libpq, hiredis, ZeroMQ, errno) logs it, once;
 *   - every caller above it only returns the code;
 *   - text meant for a peer goes into the reply, never into the code.
 */
#ifndef VLN_ERR_H
#define VLN_ERR_H

#include <stdbool.h>

/* clang-format off */
/*    name                 code  text                              same request may succeed later */
#define VLN_ERR_MAP(X)                                                      \
    X(OK,                   0,  "ok",                                 false) \
    X(CANCELLED,            1,  "cancelled",                          false) \
    X(UNKNOWN,              2,  "unknown status of a newer peer",     false) \
    X(INVALID_ARGUMENT,     3,  "invalid argument",                   false) \
    X(DEADLINE_EXCEEDED,    4,  "deadline exceeded",                  true)  \
    X(NOT_FOUND,            5,  "not found",                          false) \
    X(ALREADY_EXISTS,       6,  "already exists",                     false) \
    X(PERMISSION_DENIED,    7,  "permission denied",                  false) \
    X(RESOURCE_EXHAUSTED,   8,  "a bound is reached",                 true)  \
    X(FAILED_PRECONDITION,  9,  "not in the state that this needs",   false) \
    X(ABORTED,             10,  "somebody else was first",            false) \
    X(OUT_OF_RANGE,        11,  "out of range",                       false) \
    X(UNIMPLEMENTED,       12,  "no such method here",                false) \
    X(INTERNAL,            13,  "internal fault",                     false) \
    X(UNAVAILABLE,         14,  "nobody can answer now",              true)  \
    X(DATA_LOSS,           15,  "stored bytes are damaged",           false) \
    X(UNAUTHENTICATED,     16,  "not authenticated",                  false)
/* clang-format on */

typedef enum vln_err {
#define X(name, code, text, transient) VLN_##name = (code),
    VLN_ERR_MAP(X)
#undef X
} vln_err_t;

#define VLN_MUST_USE                    __attribute__((warn_unused_result))
#define VLN_PRINTF(format_at, first_at) __attribute__((format(printf, format_at, first_at)))

/* Symbol without the prefix, for logs, metrics and people: "NOT_FOUND". Never NULL. */
const char *vln_err_name(vln_err_t err);

/* Short text for a human. Never NULL. */
const char *vln_err_text(vln_err_t err);

/* True if sending the same request again, unchanged, may succeed. */
bool vln_err_is_transient(vln_err_t err);

/* To and from the wire's valion.v1.Status. A number that is not known here is VLN_UNKNOWN. */
int vln_err_to_wire(vln_err_t err);
vln_err_t vln_err_from_wire(int status);

/* A bug of ours: says where, and aborts; stays on in production. Never for input. */
#define vln_assert(condition)                                  \
    do {                                                       \
        if (!(condition)) {                                    \
            vln_assert_failed(#condition, __FILE__, __LINE__); \
        }                                                      \
    } while (0)

__attribute__((noreturn)) void vln_assert_failed(const char *condition, const char *file, int line);

#define VLN_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif
