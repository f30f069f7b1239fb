/*
 * vln_service - a service's life: connected to every broker, calls to handlers, and a clean end.
 *
 * The path of a call: the frame loop (main thread) receives frames from a broker -> vln_queue, one
 * lane a method -> a worker thread checks roles, size, protobuf, deadline and ticket, then runs
 * the handler -> vln_outbox -> the frame loop sends the reply. The loop moves frames and nothing
 * else; parked calls wait in it and hold no thread.
 */
#ifndef VLN_SERVICE_H
#define VLN_SERVICE_H

#include <protobuf-c/protobuf-c.h>

#include "vln_call.h"
#include "vln_calls.h"
#include "vln_err.h"
#include "vln_metrics.h"
#include "vln_opt.h"
#include "vln_publisher.h"
#include "vln_stop.h"

enum { VLN_TOPICS_MAX = 16, VLN_BACKGROUND_MAX = 4 };

/* Options that every service has; embed it in the config and put VLN_SERVICE_OPTIONS in the table. */
typedef struct vln_service_options {
    const char *bus;
    const char *keys;
    const char *key_name;
    const char *instance;
    int64_t threads;
    int64_t credit;
    int64_t grace_ms;
    const char *metrics;
} vln_service_options_t;

/* clang-format off */
#define VLN_SERVICE_OPTIONS(type, field, default_threads)                                          \
    VLN_OPT_ROW_TEXT(type, field.bus, "bus", "127.0.0.1:7001",                                     \
        "brokers, host:port of the client port, comma-separated; services use port+1..+3"),        \
    VLN_OPT_ROW_TEXT(type, field.keys, "keys", "var/keys", "folder of keys and certificates"),     \
    VLN_OPT_ROW_TEXT(type, field.key_name, "key-name", NULL,                                       \
        "principal whose secret is used; default: the service's name"),                            \
    VLN_OPT_ROW_TEXT(type, field.instance, "instance", NULL,                                       \
        "name of this instance in logs and status; default: a new id"),                            \
    VLN_OPT_ROW_INT(type, field.threads, "threads", default_threads, 1, 64, "worker threads"),     \
    VLN_OPT_ROW_INT(type, field.credit, "credit", "256", 1, 4096,                                  \
        "calls accepted at once from each broker"),                                                \
    VLN_OPT_ROW_INT(type, field.grace_ms, "grace-ms", "10000", 0, 600000,                          \
        "how long SIGTERM waits for what is begun"),                                               \
    VLN_OPT_ROW_TEXT(type, field.metrics, "metrics-listen", NULL,                                  \
        "address and port for Prometheus, such as 127.0.0.1:9464; default: none")
/* clang-format on */

/* A thread of the service's own, such as the relay. */
typedef struct vln_background {
    const char *name;
    void (*run)(void *context, vln_stop_t *stop); /* returns soon after vln_stop_wait says so */
} vln_background_t;

/* A number of the service's own in GetStats; the name is static. */
typedef struct vln_service_number {
    const char *name;
    double value;
} vln_service_number_t;

enum { VLN_SERVICE_NUMBERS_MAX = 64 };

typedef struct vln_service_config {
    const char *name; /* on the bus: "registry" */
    const vln_service_options_t *options;
    const ProtobufCServiceDescriptor *descriptor;
    const vln_method_t *methods;
    size_t method_count;
    const char *const *planned; /* methods of the contract that this release does not have */
    size_t planned_count;
    const char *const *topics; /* that calls park on */
    size_t topic_count;
    const vln_background_t *background;
    size_t background_count;
    void *context;                       /* given to the functions below and to background */
    void *(*open_worker)(void *context); /* once in each worker thread; never NULL */
    void (*close_worker)(void **worker_p);
    vln_err_t (*ensure_worker)(void *worker); /* before each batch: are the dependencies there? */
    /* GetStats, beside the counters of calls; on a worker thread, with what open_worker made, once
     * ensure_worker said OK. How many were written, at most VLN_SERVICE_NUMBERS_MAX. NULL: none. */
    size_t (*stats)(void *worker, vln_service_number_t *out);
} vln_service_config_t;

typedef struct vln_service vln_service_t;

/*
 * Checks the table against the descriptor, loads keys, connects, starts threads. FAILED_PRECONDITION
 * and a log line that says what to do if keys are missing. SIGTERM and SIGINT are ours from here.
 */
VLN_MUST_USE vln_err_t vln_service_open(vln_service_t **out, const vln_service_config_t *config);

/* Serves until SIGTERM or SIGINT, then finishes what is begun within the grace time. */
VLN_MUST_USE vln_err_t vln_service_run(vln_service_t *self);

void vln_service_close(vln_service_t **self_p);

/* For the service's background threads: a publisher with its keys, of the calling thread. */
vln_publisher_t *vln_service_publisher(vln_service_t *self);

/* Thread-safe: wake what is parked on the topic, here and at other instances. */
void vln_service_hint(vln_service_t *self, size_t topic);

/* Thread-safe: what the heartbeats and GetHealth say of a dependency. `detail` is copied. */
void vln_service_set_health(vln_service_t *self, const char *dependency, bool ok,
                            const char *detail);

vln_metrics_t *vln_service_metrics(vln_service_t *self);

/* For clients of the service's own: its bus and keys. Borrowed until the close. */
void vln_service_client_config(const vln_service_t *self, vln_client_config_t *out);
const char *vln_service_instance(const vln_service_t *self);

/* Tells the supervisor (VALION_NOTIFY_FD, as s6 has it) that the program is ready; once. */
void vln_service_notify_ready(void);

#endif
