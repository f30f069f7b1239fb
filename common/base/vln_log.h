/*
 * vln_log - events, not sentences: one line each on stderr, JSON, or text on a terminal.
 *
 * The event's name is constant and an interface; whatever varies is a field. Thread-safe: one
 * write(2) a line. Parameter values, payloads and secrets are never logged. It is the one part of
 * this room that does I/O, because every room above it logs.
 */
#ifndef VLN_LOG_H
#define VLN_LOG_H

#include <stdbool.h>
#include <stdint.h>

#include "vln_err.h"

typedef enum vln_log_level {
    VLN_LOG_DEBUG, /* for the author */
    VLN_LOG_INFO,  /* one line a request and a change of state */
    VLN_LOG_WARN,  /* we coped */
    VLN_LOG_ERROR, /* a person should look */
    VLN_LOG_OFF,
} vln_log_level_t;

typedef struct vln_kv {
    const char *key; /* NULL ends a list */
    const char *text;
    int64_t number;
    bool is_text;
} vln_kv_t;

static inline vln_kv_t
kv_str(const char *key, const char *text)
{
    return (vln_kv_t){.key = key, .text = text, .is_text = true};
}

static inline vln_kv_t
kv_i64(const char *key, int64_t number)
{
    return (vln_kv_t){.key = key, .number = number};
}

static inline vln_kv_t
kv_err(vln_err_t err)
{
    return (vln_kv_t){.key = "err", .text = vln_err_name(err), .is_text = true};
}

/* Once, before other threads start. `service` is kept, not copied. `instance` may be NULL. */
void vln_log_init(const char *service, const char *instance, vln_log_level_t level);

/* The instance's name, where it is made later; before other threads start. */
void vln_log_set_instance(const char *instance);

/* "debug", "info", "warn", "error", "off", in any case; false if it is none of them. */
bool vln_log_level_parse(const char *text, vln_log_level_t *out);

/* True if lines of this level are written. */
bool vln_log_wants(vln_log_level_t level);

void vln_log_emit(vln_log_level_t level, const char *event, const vln_kv_t *fields);

/* clang-format off */
#define VLN_LOG_LINE(event, ...) event, (const vln_kv_t[]){__VA_ARGS__}
#define vln_debug(...) vln_log_emit(VLN_LOG_DEBUG, VLN_LOG_LINE(__VA_ARGS__, {0}))
#define vln_info(...)  vln_log_emit(VLN_LOG_INFO,  VLN_LOG_LINE(__VA_ARGS__, {0}))
#define vln_warn(...)  vln_log_emit(VLN_LOG_WARN,  VLN_LOG_LINE(__VA_ARGS__, {0}))
#define vln_error(...) vln_log_emit(VLN_LOG_ERROR, VLN_LOG_LINE(__VA_ARGS__, {0}))
/* clang-format on */

#endif
