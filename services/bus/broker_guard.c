/*
 * Bounds that libzmq does not have.
 *
 * Memory: see broker.h. Half messages are seen in this process' size alone, so that is what is
 * watched; a limit of the address space stands behind it, at which libzmq would end the process.
 *
 * Connections: libzmq has no limit, and a listener whose accept fails for want of descriptors spins
 * on a core. zmq_unbind is no way to pause: it ends the connections that there are. Instead the
 * listening socket gets a packet filter that drops everything: connections that exist have none,
 * new ones are tried again by the peer's kernel until the filter is taken off.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vln_log.h"

#include "broker_inside.h"

enum {
    PAUSE_PERCENT = 80,
    RESUME_PERCENT = 60,
    MEMORY_PERCENT = 70,
    WANTED_DESCRIPTORS = 8192,
    QUIET_MS = 3000,
    TRIM_AFTER_MS = 200,
    MONITOR_ADDRESS_TEXT = 64,
    ADDRESS_SPACE_MORE_MIB = 1024, /* stacks, libraries, what malloc reserves and does not use */
};

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#    define ADDRESS_SPACE_CAN_BE_LIMITED 0
#elif defined(__has_feature)
#    if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#        define ADDRESS_SPACE_CAN_BE_LIMITED 0
#    endif
#endif
#ifndef ADDRESS_SPACE_CAN_BE_LIMITED
#    define ADDRESS_SPACE_CAN_BE_LIMITED 1
#endif

/* ---- limits of the process ---- */

static void
limit_address_space(int64_t mib)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)(mib + ADDRESS_SPACE_MORE_MIB) << 20};
    limit.rlim_max = limit.rlim_cur;
    if (ADDRESS_SPACE_CAN_BE_LIMITED && setrlimit(RLIMIT_AS, &limit) != 0) {
        vln_warn("guard.no_address_space_limit", kv_str("why", strerror(errno)));
    }
}

static int
raise_descriptor_limit(void)
{
    struct rlimit limit = {0};
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0) {
        return WANTED_DESCRIPTORS;
    }
    if (limit.rlim_cur < WANTED_DESCRIPTORS && limit.rlim_max > limit.rlim_cur) {
        limit.rlim_cur =
            limit.rlim_max < WANTED_DESCRIPTORS ? limit.rlim_max : (rlim_t)WANTED_DESCRIPTORS;
        setrlimit(RLIMIT_NOFILE, &limit);
        getrlimit(RLIMIT_NOFILE, &limit);
    }
    return limit.rlim_cur > INT32_MAX ? INT32_MAX : (int)limit.rlim_cur;
}

void
guard_open(broker_t *self)
{
    guard_t *guard = &self->guard;
    guard->listen_fd = -1;
    guard->statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    guard->descriptor_limit = raise_descriptor_limit();
    limit_address_space(self->config->memory_limit_mib);
}

void
guard_close(broker_t *self)
{
    if (self->guard.statm_fd >= 0) {
        close(self->guard.statm_fd);
        self->guard.statm_fd = -1;
    }
}

/* ---- memory ---- */

static int64_t
resident_bytes(const guard_t *guard)
{
    char text[128] = "";
    if (guard->statm_fd < 0 || pread(guard->statm_fd, text, sizeof text - 1, 0) <= 0) {
        return 0;
    }
    const char *second = strchr(text, ' ');
    int64_t pages = second ? strtoll(second, NULL, 10) : 0;
    return pages * sysconf(_SC_PAGESIZE);
}

void
guard_check_memory(broker_t *self)
{
    guard_t *guard = &self->guard;
    if (guard->quiet_until_ms != 0 &&
        self->now_ms > guard->quiet_until_ms - QUIET_MS + TRIM_AFTER_MS) {
        malloc_trim(0); /* libzmq frees on its own threads, some time after the close */
    }
    if (self->now_ms < guard->quiet_until_ms) {
        return;
    }
    guard->quiet_until_ms = 0;
    int64_t limit = self->config->memory_limit_mib << 20;
    int64_t resident = resident_bytes(guard);
    if (resident < limit / 100 * MEMORY_PERCENT) {
        return;
    }
    vln_error("guard.memory", kv_i64("resident_bytes", resident), kv_i64("limit_bytes", limit));
    self->counters[COUNT_client_socket_resets]++;
    guard->quiet_until_ms = self->now_ms + QUIET_MS;
    client_close(self);
    if (client_open(self) != VLN_OK) {
        client_close(self);
    }
}

/* ---- connections ---- */

static void
pause_listener(broker_t *self, bool pause)
{
    struct sock_filter drop_all = {.code = BPF_RET | BPF_K, .k = 0};
    struct sock_fprog program = {.len = 1, .filter = &drop_all};
    guard_t *guard = &self->guard;
    int ignored = 0;
    int status =
        pause
            ? setsockopt(guard->listen_fd, SOL_SOCKET, SO_ATTACH_FILTER, &program, sizeof program)
            : setsockopt(guard->listen_fd, SOL_SOCKET, SO_DETACH_FILTER, &ignored, sizeof ignored);
    if (status != 0) {
        vln_error("guard.cannot_pause", kv_str("why", strerror(errno)));
        return;
    }
    guard->paused = pause;
    if (pause) {
        self->counters[COUNT_connection_pauses]++;
        vln_warn("guard.connections_paused", kv_i64("limit", guard->descriptor_limit));
    } else {
        vln_info("guard.connections_resumed", kv_i64("limit", guard->descriptor_limit));
    }
}

/* Descriptors are given out lowest first, so that a new one says how many there are. */
static void
on_accepted(broker_t *self, int descriptor)
{
    guard_t *guard = &self->guard;
    if (!guard->paused && guard->listen_fd >= 0 &&
        (int64_t)descriptor * 100 >= (int64_t)guard->descriptor_limit * PAUSE_PERCENT) {
        pause_listener(self, true);
    }
}

static int
on_monitor(zloop_t *loop, zmq_pollitem_t *item, void *arg)
{
    broker_t *self = arg;
    (void)loop;
    (void)item;
    message_t message;
    for (int i = 0; i < DRAIN_MAX && message_receive(self->monitor, &message); i++) {
        request_view_t event = message_view(&message, 0);
        uint16_t kind = 0;
        int32_t value = 0;
        if (event.size >= sizeof kind + sizeof value) {
            memcpy(&kind, event.bytes, sizeof kind);
            memcpy(&value, event.bytes + sizeof kind, sizeof value);
        }
        if (kind == ZMQ_EVENT_LISTENING) {
            self->guard.listen_fd = value;
        } else if (kind == ZMQ_EVENT_ACCEPTED) {
            on_accepted(self, value);
        } else if (kind == ZMQ_EVENT_ACCEPT_FAILED) {
            on_accepted(self, self->guard.descriptor_limit);
        }
        message_close(&message);
    }
    return 0;
}

void
guard_watch_client(broker_t *self)
{
    /* libzmq gives an address back on its own thread, some time after the close. */
    char monitor_address[MONITOR_ADDRESS_TEXT];
    snprintf(monitor_address, sizeof monitor_address, "inproc://bus.client.monitor.%u",
             self->client_serial);
    self->guard.listen_fd = -1;
    self->guard.paused = false;
    vln_assert(zmq_socket_monitor(self->client, monitor_address,
                                  ZMQ_EVENT_LISTENING | ZMQ_EVENT_ACCEPTED |
                                      ZMQ_EVENT_ACCEPT_FAILED) == 0);
    self->monitor = vln_socket_new(ZMQ_PAIR);
    vln_assert(zmq_connect(self->monitor, monitor_address) == 0);
    zmq_pollitem_t item = {.socket = self->monitor, .events = ZMQ_POLLIN};
    zloop_poller(self->loop, &item, on_monitor, self);
}

void
guard_unwatch_client(broker_t *self)
{
    if (self->monitor) {
        zmq_pollitem_t item = {.socket = self->monitor, .events = ZMQ_POLLIN};
        zloop_poller_end(self->loop, &item);
        zmq_socket_monitor(self->client, NULL, 0);
        vln_socket_close(&self->monitor);
        self->guard.listen_fd = -1;
    }
}

static int
count_descriptors(void)
{
    DIR *directory = opendir("/proc/self/fd");
    int count = 0;
    if (!directory) {
        return 0;
    }
    while (readdir(directory)) {
        count++;
    }
    closedir(directory);
    return count;
}

void
guard_check_connections(broker_t *self)
{
    guard_t *guard = &self->guard;
    if (guard->paused &&
        (int64_t)count_descriptors() * 100 < (int64_t)guard->descriptor_limit * RESUME_PERCENT) {
        pause_listener(self, false);
    }
}
