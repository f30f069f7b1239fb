/*
 * bench_http - asks an HTTP server on a unix socket the same thing again and again. One thread.
 *
 *     bench_http SOCKET REQUEST CONNECTIONS SECONDS [RATE]
 *
 * REQUEST is a file with a whole request, head and body. Without RATE each connection asks as soon as it
 * has its answer. With RATE, so many requests a second come at even distances whatever the server does,
 * and an answer's time counts from when its request should have gone out. The first tenth of the time is
 * not counted. Prints answers a second, median and 99th percentile in microseconds, answers other
 * than 200, and connections that were lost.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_text.h"
#include "vln_time.h"

enum {
    CONNECTIONS_MAX = 1024,
    REQUEST_MAX = 64 * 1024 * 1024,
    READ_ROOM = 256 * 1024,
    HEAD_ROOM = 4096,
    EVENTS = 64,
    TIMES_MAX = 20 * 1000 * 1000,
};

typedef struct connection {
    int fd;
    bool busy;
    int64_t asked_us; /* or when it should have been */
    size_t sent;
    char head[HEAD_ROOM + 1];
    size_t head_size;
    bool in_body;
    size_t body_left;
} connection_t;

typedef struct bench {
    const char *path;
    const char *request;
    size_t request_size;
    connection_t *connections;
    size_t count;
    int epoll;
    double interval_us; /* 0: as soon as there is an answer */
    double next_us;
    int64_t counted_from_us;
    int64_t until_us;
    uint32_t *times;
    size_t answers;
    size_t failures;
    size_t lost;
    char room[READ_ROOM];
} bench_t;

static void
die(const char *what)
{
    fprintf(stderr, "bench_http: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void
open_connection(bench_t *self, connection_t *connection)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data = {.ptr = connection}};
    snprintf(address.sun_path, sizeof address.sun_path, "%s", self->path);
    *connection = (connection_t){.fd = socket(AF_UNIX, SOCK_STREAM, 0)};
    if (connection->fd < 0 ||
        connect(connection->fd, (const struct sockaddr *)&address, sizeof address) != 0) {
        die(self->path);
    }
    if (epoll_ctl(self->epoll, EPOLL_CTL_ADD, connection->fd, &event) != 0) {
        die("epoll");
    }
}

static void
reopen(bench_t *self, connection_t *connection)
{
    self->lost += connection->busy;
    close(connection->fd);
    open_connection(self, connection);
}

static void
watch(const bench_t *self, connection_t *connection, uint32_t events)
{
    struct epoll_event event = {.events = events, .data = {.ptr = connection}};
    if (epoll_ctl(self->epoll, EPOLL_CTL_MOD, connection->fd, &event) != 0) {
        die("epoll");
    }
}

static void
send_more(bench_t *self, connection_t *connection)
{
    while (connection->sent < self->request_size) {
        ssize_t sent = send(connection->fd, self->request + connection->sent,
                            self->request_size - connection->sent, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent < 0) {
            watch(self, connection, EPOLLIN | EPOLLOUT | EPOLLET);
            return;
        }
        connection->sent += (size_t)sent;
    }
}

static void
ask(bench_t *self, connection_t *connection, int64_t asked_us)
{
    connection->busy = true;
    connection->asked_us = asked_us;
    connection->sent = 0;
    connection->head_size = 0;
    connection->in_body = false;
    send_more(self, connection);
}

/* The next request, if one is due and somebody is free for it. */
static void
ask_next(bench_t *self, connection_t *connection, int64_t now_us)
{
    if (connection->busy || now_us >= self->until_us) {
        return;
    }
    if (self->interval_us <= 0) {
        ask(self, connection, now_us);
    } else if (self->next_us <= (double)now_us) {
        ask(self, connection, (int64_t)self->next_us);
        self->next_us += self->interval_us;
    }
}

static void
take_answer(bench_t *self, connection_t *connection)
{
    int64_t now_us = vln_mono_us();
    connection->busy = false;
    if (now_us >= self->counted_from_us && now_us < self->until_us && self->answers < TIMES_MAX) {
        self->times[self->answers++] = (uint32_t)(now_us - connection->asked_us);
        self->failures += strncmp(connection->head + strlen("HTTP/1.1 "), "200", 3) != 0;
    }
    ask_next(self, connection, now_us);
}

/* Bytes of a head that has ended in `head`; 0: it goes on. */
static size_t
head_end(const connection_t *connection)
{
    const char *end = strstr(connection->head, "\r\n\r\n");
    return end ? (size_t)(end - connection->head) + strlen("\r\n\r\n") : 0;
}

static size_t
length_of(const connection_t *connection)
{
    const char *field = strcasestr(connection->head, "\r\ncontent-length:");
    return field ? (size_t)strtoull(field + strlen("\r\ncontent-length:"), NULL, 10) : 0;
}

/* Head and body; what of `bytes` belongs to one of them is taken. False: this is no answer. */
static bool
take_bytes(bench_t *self, connection_t *connection, const char *bytes, size_t size)
{
    if (!connection->in_body) {
        size_t before = connection->head_size;
        size_t take = size < HEAD_ROOM - before ? size : HEAD_ROOM - before;
        memcpy(connection->head + before, bytes, take);
        connection->head_size += take;
        connection->head[connection->head_size] = '\0';
        size_t end = head_end(connection);
        if (end == 0) {
            return connection->head_size < HEAD_ROOM;
        }
        connection->head[end] = '\0';
        connection->in_body = true;
        connection->body_left = length_of(connection);
        bytes += end - before;
        size -= end - before;
    }
    connection->body_left -= size < connection->body_left ? size : connection->body_left;
    if (connection->body_left == 0) {
        take_answer(self, connection);
    }
    return true;
}

static void
serve(bench_t *self, connection_t *connection)
{
    if (connection->busy) {
        send_more(self, connection);
    }
    for (;;) {
        ssize_t size = recv(connection->fd, self->room, sizeof self->room, MSG_DONTWAIT);
        if (size < 0 && (errno == EAGAIN || errno == EINTR)) {
            return;
        }
        if (size <= 0 || !take_bytes(self, connection, self->room, (size_t)size)) {
            reopen(self, connection);
            return;
        }
    }
}

static void
run(bench_t *self)
{
    struct epoll_event events[EVENTS];
    for (int64_t now_us = vln_mono_us(); now_us < self->until_us; now_us = vln_mono_us()) {
        for (size_t i = 0; i < self->count; i++) {
            ask_next(self, &self->connections[i], now_us);
        }
        int wait = self->interval_us > 0 ? 0 : 10; /* whoever keeps a rate looks at the clock */
        int found = epoll_wait(self->epoll, events, EVENTS, wait);
        for (int i = 0; i < found; i++) {
            serve(self, events[i].data.ptr);
        }
    }
}

static int
by_time(const void *left, const void *right)
{
    uint32_t a = *(const uint32_t *)left;
    uint32_t b = *(const uint32_t *)right;
    return a < b ? -1 : a > b;
}

int
main(int argc, char **argv)
{
    if (argc < 5) {
        fprintf(stderr, "bench_http SOCKET REQUEST CONNECTIONS SECONDS [RATE]\n");
        return 2;
    }
    bench_t *self = vln_calloc(1, sizeof *self);
    char *request = NULL;
    self->path = argv[1];
    if (vln_text_read_file(argv[2], REQUEST_MAX, &request, &self->request_size) != VLN_OK) {
        die(argv[2]);
    }
    self->request = request;
    self->count = (size_t)strtoul(argv[3], NULL, 10);
    double seconds = strtod(argv[4], NULL);
    double rate = argc > 5 ? strtod(argv[5], NULL) : 0;
    vln_assert(self->count >= 1 && self->count <= CONNECTIONS_MAX && seconds > 0);
    self->epoll = epoll_create1(EPOLL_CLOEXEC);
    self->times = vln_calloc(TIMES_MAX, sizeof *self->times);
    self->connections = vln_calloc(self->count, sizeof *self->connections);
    for (size_t i = 0; i < self->count; i++) {
        open_connection(self, &self->connections[i]);
    }
    int64_t start_us = vln_mono_us();
    self->interval_us = rate > 0 ? 1e6 / rate : 0;
    self->next_us = (double)start_us;
    self->counted_from_us = start_us + (int64_t)(seconds * 1e5);
    self->until_us = start_us + (int64_t)(seconds * 1e6);
    run(self);
    qsort(self->times, self->answers, sizeof *self->times, by_time);
    printf("rate %.0f p50 %u p99 %u failures %zu lost %zu\n",
           (double)self->answers * 1e6 / (double)(self->until_us - self->counted_from_us),
           self->answers ? self->times[self->answers / 2] : 0,
           self->answers ? self->times[self->answers * 99 / 100] : 0, self->failures, self->lost);
    return 0;
}
