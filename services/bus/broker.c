#include "broker.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "vln_id.h"
#include "vln_log.h"
#include "vln_stop.h"
#include "vln_text.h"
#include "vln_time.h"

#include "broker_inside.h"
#include "broker_zap.h"

enum { PATH_TEXT = 1024, ARENA_BYTES = 4 * 1024 * 1024, BIND_TRIES_MS = 2000 };

/* ---- sockets ---- */

void *
broker_socket_new(int type, uint64_t io)
{
    void *socket = vln_socket_new(type);
    zmq_setsockopt(socket, ZMQ_AFFINITY, &io, sizeof io);
    return socket;
}

/* ---- time ---- */

void
broker_clock(broker_t *self)
{
    self->now_ms = vln_mono_ms();
    if (self->now_ms - self->ticked_ms >= TICK_MS) {
        self->ticked_ms = self->now_ms;
        route_tick(self->route, self->now_ms);
    }
}

/* clang-format off */
static const struct {
    refusal_t refusal;
    broker_counter_t counter;
} ends[] = {
    [ROUTE_EXPIRED] = {{.status = VALION__V1__STATUS__STATUS_DEADLINE_EXCEEDED,
                        .reason = VALION__V1__REASON__REASON_EXPIRED,
                        .message = "not answered within the time given; the effect may or may not "
                                   "have happened: repeat with the same request_id"},
                       COUNT_expired},
    [ROUTE_NOBODY] = {{.status = VALION__V1__STATUS__STATUS_UNAVAILABLE,
                       .reason = VALION__V1__REASON__REASON_NO_INSTANCE,
                       .message = "nobody serves this just now; start the service, or repeat later "
                                  "with the same request_id",
                       .retry_after_ms = 500},
                      COUNT_nobody},
    [ROUTE_LOST] = {{.status = VALION__V1__STATUS__STATUS_UNAVAILABLE,
                     .reason = VALION__V1__REASON__REASON_INSTANCE_LOST,
                     .message = "the instance that had this call is gone; repeat with the same "
                                "request_id"},
                    COUNT_lost},
    [ROUTE_PARK_REFUSED] = {{.status = VALION__V1__STATUS__STATUS_RESOURCE_EXHAUSTED,
                             .reason = VALION__V1__REASON__REASON_BUSY,
                             .message = "too many calls of this principal wait for something to "
                                        "happen; repeat later",
                             .retry_after_ms = 1000},
                            COUNT_refused_busy},
};
/* clang-format on */

void
broker_finish_ended(broker_t *self)
{
    int call = ROUTE_NONE;
    route_end_t why = ROUTE_EXPIRED;
    while (route_next_ended(self->route, &call, &why)) {
        self->counters[ends[why].counter]++;
        reply_refuse(self, &broker_held(self, call)->origin, &ends[why].refusal);
        broker_release(self, call);
    }
}

/* ---- callbacks ---- */

static int
on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    (void)item;
    (void)arg;
    return -1; /* ends the loop */
}

static int
on_zap(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    broker_t *self = arg;
    (void)loop;
    (void)item;
    zap_answer(self->zap, self->principals);
    return 0;
}

static int
on_tick(zloop_t *loop, int timer, void *arg)
{
    broker_t *self = arg;
    (void)loop;
    (void)timer;
    broker_clock(self);
    guard_check_memory(self);
    client_try_bind(self);
    client_tick(self);
    events_try_bind(self);
    broker_finish_ended(self);
    return 0;
}

static int
on_second(zloop_t *loop, int timer, void *arg)
{
    broker_t *self = arg;
    principals_change_t change;
    (void)loop;
    (void)timer;
    broker_clock(self);
    if (principals_refresh(self->principals, &change) != VLN_OK) {
        vln_warn("principals.not_read", kv_str("folder", self->config->keys));
    } else if (change.changed) {
        vln_info("principals.read", kv_i64("count", (int64_t)principals_count(self->principals)));
    }
    service_second(self);
    if (change.revoked) {
        events_restart(self);
    }
    guard_check_connections(self);
    self->second_ms = self->now_ms;
    broker_finish_ended(self);
    return 0;
}

/* ---- open, run, close ---- */

static bool
slot_is_idle(const void *arg, int slot)
{
    const broker_t *self = arg;
    for (int i = 0; i < ROUTE_INSTANCES_MAX; i++) {
        if (self->peers[i] && self->peers[i]->principal == slot) {
            return false;
        }
    }
    return route_principal_is_idle(self->route, slot);
}

static route_limits_t
limits_of(const broker_config_t *config)
{
    return (route_limits_t){
        .calls = (int)config->max_calls,
        .active_per_principal = (int)config->max_calls_per_principal,
        .parked_per_principal = (int)config->max_parked_per_principal,
        .waiting_per_principal = (int)config->max_waiting_per_principal,
        .waiting_per_service = (int)config->max_waiting_per_service,
        .waiting_bytes_per_service = config->max_waiting_mib_per_service << 20,
        .waiting_bytes = config->max_waiting_mib << 20,
        .no_instance_ms = config->no_instance_ms,
    };
}

static vln_err_t
load_keys(broker_t *self)
{
    char path[PATH_TEXT];
    principals_change_t change;
    snprintf(path, sizeof path, "%s/secret/bus.key_secret", self->config->keys);
    vln_err_t err = vln_keys_load_pair(path, &self->keys);
    if (err) {
        vln_error("bus.no_key", kv_str("file", path), kv_err(err));
        return err;
    }
    err = principals_refresh(self->principals, &change);
    if (err) {
        vln_error("bus.no_principals", kv_str("folder", self->config->keys), kv_err(err));
    }
    return err;
}

/* The ports of a process that has just ended are free soon, or somebody else's. */
static vln_err_t
wait_until_bound(broker_t *self)
{
    int64_t until = vln_mono_ms() + BIND_TRIES_MS;
    while (!self->client_bound || !self->events_bound) {
        if (vln_mono_ms() > until) {
            vln_error("bus.bind_failed",
                      kv_str("endpoint", self->client_bound ? self->config->publish_endpoint
                                                            : self->config->client_endpoint),
                      kv_str("why", zmq_strerror(zmq_errno())));
            return VLN_UNAVAILABLE;
        }
        vln_sleep_ms(TICK_MS);
        client_try_bind(self);
        events_try_bind(self);
    }
    return VLN_OK;
}

/* The loop, the handler of ZAP and its proof come first: no socket is open without them. */
static vln_err_t
open_inside(broker_t *self)
{
    self->loop = zloop_new();
    self->signals = vln_signals_open();
    zmq_pollitem_t signals = {.fd = self->signals, .events = ZMQ_POLLIN};
    zloop_poller(self->loop, &signals, on_signal, self);
    guard_open(self);
    vln_err_t err = load_keys(self);
    if (!err) {
        err = zap_open(&self->zap);
    }
    if (!err) {
        err = zap_self_test(self->zap, self->principals, &self->keys);
    }
    if (err) {
        return err;
    }
    zmq_pollitem_t zap = {.socket = self->zap, .events = ZMQ_POLLIN};
    zloop_poller(self->loop, &zap, on_zap, self);
    zloop_timer(self->loop, TICK_MS, 0, on_tick, self);
    zloop_timer(self->loop, HEARTBEAT_MS, 0, on_second, self);
    return VLN_OK;
}

static vln_err_t
open_sockets(broker_t *self)
{
    vln_err_t err = service_open(self);
    if (!err) {
        err = events_open(self);
    }
    if (!err) {
        err = client_open(self);
    }
    return err ? err : wait_until_bound(self);
}

vln_err_t
broker_open(broker_t **out, const broker_config_t *config)
{
    broker_t *self = vln_calloc(1, sizeof *self);
    route_limits_t limits = limits_of(config);
    self->config = config;
    self->guard.statm_fd = -1;
    self->signals = -1;
    self->epoch = vln_random_u64() | 1; /* 0 is what a service has before it heard of one */
    self->now_ms = vln_mono_ms();
    self->started_ms = self->now_ms;
    self->second_ms = self->now_ms;
    self->ticked_ms = self->now_ms;
    self->arena = vln_arena_new(ARENA_BYTES);
    zmq_ctx_set(vln_socket_context(), ZMQ_IO_THREADS, IO_THREADS); /* before the first socket */
    self->route = route_new(&limits, self->now_ms);
    self->principals = principals_new(config->keys, slot_is_idle, self);
    vln_err_t err = open_inside(self);
    if (!err) {
        err = open_sockets(self);
    }
    if (err) {
        broker_close(&self);
    }
    *out = self;
    return err;
}

/* s6's convention: a newline on the descriptor that it named, then its end. */
static void
notify_ready(void)
{
    const char *text = getenv("VALION_NOTIFY_FD");
    int64_t fd = -1;
    if (text && vln_text_to_i64(text, 3, INT16_MAX, &fd)) {
        if (write((int)fd, "\n", 1) != 1) {
            vln_warn("bus.not_notified", kv_i64("fd", fd));
        }
        close((int)fd);
    }
}

void
broker_run(broker_t *self)
{
    vln_info("bus.serving", kv_str("clients", self->config->client_endpoint),
             kv_str("services", self->config->service_endpoint),
             kv_i64("principals", (int64_t)principals_count(self->principals)));
    notify_ready();
    zloop_start(self->loop);
    vln_info("bus.stopping");
}

static void
free_held(broker_t *self)
{
    for (size_t i = 0; i < HELD_CHUNKS; i++) {
        for (size_t j = 0; self->held[i] && j < HELD_CHUNK; j++) {
            for (int k = 0; k < self->held[i][j].frame_count; k++) {
                zmq_msg_close(&self->held[i][j].frame[k]);
            }
        }
        free(self->held[i]);
    }
}

void
broker_close(broker_t **self_p)
{
    broker_t *self = *self_p;
    if (!self) {
        return;
    }
    client_close(self);
    events_close(self);
    vln_socket_close(&self->service);
    vln_socket_close(&self->zap);
    zloop_destroy(&self->loop);
    if (self->signals >= 0) {
        close(self->signals);
    }
    guard_close(self);
    for (size_t i = 0; i < ROUTE_INSTANCES_MAX; i++) {
        free(self->peers[i]);
    }
    free_held(self);
    route_destroy(&self->route);
    principals_destroy(&self->principals);
    vln_arena_destroy(&self->arena);
    vln_keypair_wipe(&self->keys);
    free(self);
    *self_p = NULL;
}
