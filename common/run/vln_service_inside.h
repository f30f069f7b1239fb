/*
 * vln_service_inside - what the files of vln_service share. All of it belongs to the thread of the
 * frame loop, but for what the mutex guards.
 *
 * vln_service_links.c talks to the brokers, vln_service_calls.c moves calls between them, the worker
 * threads and the table of waiting ones, vln_service_health.c answers for every service alike, and
 * vln_service.c is its life.
 */
#ifndef VLN_SERVICE_INSIDE_H
#define VLN_SERVICE_INSIDE_H

#include <czmq.h>
#include <pthread.h>

#include "vln_address.h"
#include "vln_dispatch.h"
#include "vln_fan.h"
#include "vln_id.h"
#include "vln_keys.h"
#include "vln_link.h"
#include "vln_metrics_http.h"
#include "vln_park.h"
#include "vln_pb.h"
#include "vln_publisher.h"
#include "vln_service.h"

enum {
    FRAMES_A_TURN = 256,   /* messages read from one broker before the others get a turn */
    TICK_MS = 100,         /* parked calls' deadlines, the end of draining */
    POLL_PARKED_MS = 1000, /* a hint may be lost: parked calls look again this often */
    RESOLVE_MS = 5000,
    DEFAULT_REMAINING_MS = 5000,
    KEPT_BUDGET = 2 * VLN_PB_MAX_MEMORY,
    SCRATCH_BUDGET = 16 * VLN_PB_MAX_MEMORY,
    POOL_MAX = 1024, /* idle calls that are kept for reuse */
    DEPENDENCIES_MAX = 4,
    DETAIL_MAX = 160,
    PATH_ROOM = 512,
};

typedef struct dependency {
    char name[32];
    char detail[DETAIL_MAX];
    bool ok;
} dependency_t;

struct vln_service {
    vln_service_config_t config;
    char instance[VLN_ID_TEXT + 32];
    char host[64];
    vln_keypair_t keys;
    char bus_key[VLN_Z85_TEXT];
    uint8_t ticket_key[VLN_SIGN_PUBLIC];
    bool has_ticket_key;
    int64_t started_us;

    zloop_t *loop;
    int signal_fd;
    vln_addresses_t addresses;
    vln_link_t links[VLN_ADDRESSES_MAX];
    vln_publisher_t *publisher; /* hints to the other instances */
    vln_fan_t *subscriber;      /* their hints */
    vln_arena_t *scratch;

    vln_queue_t *queue;
    vln_outbox_t *outbox;
    vln_park_t *park;
    vln_dispatch_t *dispatch;
    vln_metrics_t *metrics;
    vln_metrics_http_t *metrics_http; /* NULL unless asked for */
    size_t dropped_counter;
    size_t outstanding; /* calls that are not answered */
    vln_call_t *pool;
    size_t pooled;
    int64_t polled_ms;
    bool draining;
    int64_t drain_until_ms;

    vln_stop_t *stop;
    size_t background_started;
    pthread_t background[VLN_BACKGROUND_MAX];

    pthread_mutex_t mutex; /* guards what follows */
    uint32_t hints;        /* topics that other threads want woken */
    size_t dependency_count;
    dependency_t dependencies[DEPENDENCIES_MAX];
    bool hint_queued;
    vln_item_t hint_item; /* wakes the loop through the outbox */
};

/* ---- vln_service_health.c ---- */

Valion__V1__Health *vln_service_make_health(vln_service_t *self, vln_arena_t *arena);
void vln_service_get_health(void *worker, vln_call_t **calls, size_t count);
void vln_service_get_stats(void *worker, vln_call_t **calls, size_t count);

/* ---- vln_service_calls.c ---- */

vln_call_t *vln_service_call_new(vln_service_t *self);
void vln_service_call_end(vln_service_t *self, vln_call_t *call);
void vln_service_refuse_now(vln_service_t *self, vln_call_t *call, vln_err_t err, int reason,
                            const char *why);
void vln_service_queue_call(vln_service_t *self, vln_call_t *call);
int vln_service_on_hint(zloop_t *loop, zmq_pollitem_t *item, void *arg);
void vln_service_call_free(vln_call_t *call);
void vln_service_send_answer(vln_service_t *self, vln_call_t *call);
void vln_service_queue_list(vln_service_t *self, vln_item_t *list);
void vln_service_wake_topics(vln_service_t *self, uint32_t topics, bool tell_others);
int vln_service_on_answers(zloop_t *loop, zmq_pollitem_t *item, void *arg);

/* ---- vln_service_links.c ---- */

void vln_service_watch(vln_service_t *self, void *socket, int fd, zloop_fn *handler);
void vln_service_resolve(vln_service_t *self);
int vln_service_on_resolve(zloop_t *loop, int timer, void *arg);
int vln_service_on_heartbeat(zloop_t *loop, int timer, void *arg);

#endif
