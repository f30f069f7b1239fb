#include "vln_service.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "vln_id.h"
#include "vln_keys.h"
#include "vln_log.h"
#include "vln_queue.h"
#include "vln_service_inside.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

/* ---- time and the end ---- */

static int
on_tick(zloop_t *loop, int timer, void *arg)
{
    (void)loop;
    (void)timer;
    vln_service_t *self = arg;
    int64_t now = vln_mono_ms();
    vln_service_queue_list(self, vln_park_expire(self->park, now));
    if (now - self->polled_ms > POLL_PARKED_MS) {
        self->polled_ms = now;
        vln_service_wake_topics(self, UINT32_MAX, false);
    }
    if (self->draining && (self->outstanding == 0 || now > self->drain_until_ms)) {
        return -1; /* ends the loop */
    }
    return 0;
}

static void
tell_brokers(vln_service_t *self, Valion__V1__EnvelopeKind kind)
{
    Valion__V1__Envelope envelope = VALION__V1__ENVELOPE__INIT;
    envelope.has_kind = 1;
    envelope.kind = kind;
    for (size_t i = 0; i < self->addresses.count; i++) {
        if (self->links[i].socket) {
            vln_link_send(&self->links[i], &envelope, NULL, 0);
        }
    }
}

static int
on_signal(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    (void)loop;
    vln_service_t *self = arg;
    struct signalfd_siginfo info;
    if (read(item->fd, &info, sizeof info) != sizeof info) {
        return 0;
    }
    if (self->draining) {
        self->drain_until_ms = 0; /* asked twice: now */
        return 0;
    }
    vln_info("service.stopping", kv_i64("signal", info.ssi_signo),
             kv_i64("outstanding", (int64_t)self->outstanding));
    self->draining = true;
    self->drain_until_ms = vln_mono_ms() + self->config.options->grace_ms;
    tell_brokers(self, VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_DRAIN);
    vln_service_queue_list(self, vln_park_take_all(self->park));
    return 0;
}

/* ---- life ---- */

static vln_err_t
load_keys(vln_service_t *self)
{
    const vln_service_options_t *options = self->config.options;
    const char *name = options->key_name ? options->key_name : self->config.name;
    char path[PATH_ROOM];
    snprintf(path, sizeof path, "%s/secret/%s.key_secret", options->keys, name);
    vln_err_t err = vln_keys_load_pair(path, &self->keys);
    if (err == VLN_OK) {
        snprintf(path, sizeof path, "%s/bus.key", options->keys);
        err = vln_keys_load_public(path, self->bus_key);
    }
    if (err != VLN_OK) {
        vln_error("keys.missing", kv_str("file", path), kv_err(err),
                  kv_str("detail", "make them with 'valion keys init', or name their folder with "
                                   "--keys"));
        return VLN_FAILED_PRECONDITION;
    }
    snprintf(path, sizeof path, "%s/ticket.pub", options->keys);
    self->has_ticket_key = vln_sign_load_public(path, self->ticket_key) == VLN_OK;
    return VLN_OK;
}

static void
open_hints(vln_service_t *self)
{
    const char *bus = self->config.options->bus;
    char prefix[64];
    snprintf(prefix, sizeof prefix, "hint.%s.", self->config.name);
    self->publisher = vln_publisher_new(bus, &self->keys, self->bus_key);
    self->subscriber = vln_fan_new(VLN_FAN_SUBSCRIBE, bus, &self->keys, self->bus_key, prefix);
}

static void
make_loop(vln_service_t *self)
{
    self->loop = zloop_new();
    zloop_set_nonstop(self->loop, true); /* signals come through their descriptor */
    vln_service_watch(self, NULL, self->signal_fd, on_signal);
    vln_service_watch(self, NULL, vln_outbox_fd(self->outbox), vln_service_on_answers);
    vln_service_watch(self, vln_fan_socket(self->subscriber), 0, vln_service_on_hint);
    zloop_timer(self->loop, TICK_MS, 0, on_tick, self);
    zloop_timer(self->loop, VLN_HEARTBEAT_MS, 0, vln_service_on_heartbeat, self);
    zloop_timer(self->loop, RESOLVE_MS, 0, vln_service_on_resolve, self);
}

static void
start_dispatch(vln_service_t *self)
{
    size_t lanes = vln_dispatch_lanes(&self->config);
    size_t *batches = vln_calloc(lanes, sizeof *batches);
    vln_dispatch_batches(&self->config, batches);
    self->queue = vln_queue_new(lanes, batches);
    free(batches);
    const vln_dispatch_config_t config = {.service = &self->config,
                                          .queue = self->queue,
                                          .outbox = self->outbox,
                                          .metrics = self->metrics,
                                          .ticket_key =
                                              self->has_ticket_key ? self->ticket_key : NULL,
                                          .health = vln_service_get_health,
                                          .stats = vln_service_get_stats,
                                          .builtin = self};
    self->dispatch = vln_dispatch_new(&config);
}

vln_err_t
vln_service_open(vln_service_t **out, const vln_service_config_t *config)
{
    *out = NULL;
    vln_service_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    self->started_us = vln_mono_us();
    pthread_mutex_init(&self->mutex, NULL);
    self->signal_fd = vln_signals_open();
    vln_id_t id = vln_id_new();
    vln_id_format(id.bytes, self->instance);
    if (config->options->instance) {
        vln_text_copy(self->instance, sizeof self->instance, config->options->instance);
    }
    vln_log_set_instance(self->instance);
    gethostname(self->host, sizeof self->host - 1);
    vln_err_t err = load_keys(self);
    if (err != VLN_OK) {
        vln_service_close(&self);
        return err;
    }
    self->metrics = vln_metrics_new();
    self->dropped_counter = vln_metrics_counter(self->metrics, "replies", "dropped");
    self->scratch = vln_arena_new(VLN_PB_MAX_MEMORY);
    self->stop = vln_stop_new();
    self->outbox = vln_outbox_new();
    self->park = vln_park_new(config->topic_count);
    open_hints(self);
    make_loop(self);
    *out = self;
    return VLN_OK;
}

typedef struct background_start {
    const vln_background_t *job;
    void *context;
    vln_stop_t *stop;
} background_start_t;

static void *
background_thread(void *arg)
{
    background_start_t start = *(background_start_t *)arg;
    free(arg);
    start.job->run(start.context, start.stop);
    return NULL;
}

static void
start_background(vln_service_t *self)
{
    vln_assert(self->config.background_count <= VLN_BACKGROUND_MAX);
    for (size_t i = 0; i < self->config.background_count; i++) {
        background_start_t *start = vln_calloc(1, sizeof *start);
        *start =
            (background_start_t){&self->config.background[i], self->config.context, self->stop};
        vln_assert(pthread_create(&self->background[i], NULL, background_thread, start) == 0);
        self->background_started++;
    }
}

static void
stop_threads(vln_service_t *self)
{
    vln_stop_set(self->stop);
    for (size_t i = 0; i < self->background_started; i++) {
        pthread_join(self->background[i], NULL);
    }
    self->background_started = 0;
    vln_queue_close(self->queue);
    vln_dispatch_destroy(&self->dispatch);
}

/* What is left after the grace time is sent if it is an answer; callers repeat the rest. */
static void
send_leftovers(vln_service_t *self)
{
    vln_item_t *list = vln_outbox_take_all(self->outbox);
    while (list) {
        vln_item_t *next = list->next;
        vln_call_t *call = (vln_call_t *)list;
        if (list != &self->hint_item && call->outcome == VLN_OUTCOME_REPLY) {
            vln_service_send_answer(self, call);
        } else if (list != &self->hint_item) {
            vln_service_call_end(self, call);
        }
        list = next;
    }
}

/* Counters are made until now; from here on they are only added to. */
static vln_err_t
start_metrics(vln_service_t *self)
{
    const char *address = self->config.options->metrics;
    return address && address[0]
               ? vln_metrics_http_start(&self->metrics_http, address, self->config.name,
                                        self->instance, self->metrics)
               : VLN_OK;
}

vln_err_t
vln_service_run(vln_service_t *self)
{
    start_dispatch(self);
    vln_err_t err = start_metrics(self);
    if (err != VLN_OK) {
        stop_threads(self);
        return err;
    }
    vln_service_resolve(self);
    start_background(self);
    vln_info("service.ready", kv_str("bus", self->config.options->bus),
             kv_i64("us", vln_mono_us() - self->started_us));
    vln_service_notify_ready();
    zloop_start(self->loop);
    stop_threads(self);
    vln_metrics_http_stop(&self->metrics_http);
    send_leftovers(self);
    tell_brokers(self, VALION__V1__ENVELOPE_KIND__ENVELOPE_KIND_BYE);
    for (size_t i = 0; i < self->addresses.count; i++) {
        int linger_ms = 500; /* the last replies and BYE leave before the socket does */
        if (self->links[i].socket) {
            zmq_setsockopt(self->links[i].socket, ZMQ_LINGER, &linger_ms, sizeof linger_ms);
        }
    }
    return VLN_OK;
}

static void
close_sockets(vln_service_t *self)
{
    for (size_t i = 0; i < self->addresses.count; i++) {
        vln_link_close(&self->links[i]);
    }
    vln_publisher_destroy(&self->publisher);
    vln_fan_destroy(&self->subscriber);
}

void
vln_service_close(vln_service_t **self_p)
{
    vln_service_t *self = *self_p;
    if (!self) {
        return;
    }
    zloop_destroy(&self->loop);
    close_sockets(self);
    while (self->pool) {
        vln_call_t *call = self->pool;
        self->pool = (vln_call_t *)call->item.next;
        vln_service_call_free(call);
    }
    vln_queue_destroy(&self->queue);
    if (self->outbox) {
        vln_outbox_destroy(&self->outbox);
    }
    vln_park_destroy(&self->park);
    vln_metrics_destroy(&self->metrics);
    vln_arena_destroy(&self->scratch);
    vln_stop_destroy(&self->stop);
    vln_keypair_wipe(&self->keys);
    close(self->signal_fd);
    pthread_mutex_destroy(&self->mutex);
    free(self);
    *self_p = NULL;
    vln_socket_context_end();
}

vln_publisher_t *
vln_service_publisher(vln_service_t *self)
{
    return vln_publisher_new(self->config.options->bus, &self->keys, self->bus_key);
}

void
vln_service_client_config(const vln_service_t *self, vln_client_config_t *out)
{
    *out = (vln_client_config_t){
        .bus = self->config.options->bus, .bus_key = self->bus_key, .keys = self->keys};
}

const char *
vln_service_instance(const vln_service_t *self)
{
    return self->instance;
}

vln_metrics_t *
vln_service_metrics(vln_service_t *self)
{
    return self->metrics;
}

void
vln_service_notify_ready(void)
{
    const char *text = getenv("VALION_NOTIFY_FD");
    int64_t fd = 0;
    if (!vln_text_to_i64(text, 3, 1023, &fd)) {
        return;
    }
    ssize_t written = write((int)fd, "\n", 1);
    (void)written; /* nobody waits then */
    close((int)fd);
    unsetenv("VALION_NOTIFY_FD");
}
