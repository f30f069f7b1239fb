/*
 * bench_overload - many clients that submit no-op jobs, at a rate or as fast as they are answered,
 * and what became of each call. For bench_overload.py, which says what the figures mean.
 *
 * One thread, one ZeroMQ I/O thread, a DEALER for each connection, CONNECTIONS of them spread over
 * the principals. With RATE above zero it is an open loop: at each moment all calls that are due by
 * the clock are handed out in turn, whatever was answered. A connection that takes no more is passed
 * over; a call that none takes is `held` and not made up for later. With RATE zero it is a closed
 * loop of CONNECTIONS times PIPELINE calls.
 *
 * The client must not be the queue. A connection has at most PIPELINE calls without an answer, as
 * every real client has a bound; a call that is due beyond it is held, and not sent. Without the
 * bound an open loop only fills the kernel's buffers, and the time of a refusal is their size divided
 * by what the bus reads. With it, CONNECTIONS times PIPELINE calls are on their way at most, which by
 * Little's law over the answers a second is the mean time that any bus could reach: the script prints
 * it beside what was measured. From zmq_send() to the reply all is counted: the kernel, the bus, the
 * way back, and the time that a reply lies here until it is read. Replies are read before each turn
 * of sending; how long a round took at most is printed. Every time is of one clock, in one process.
 *
 * The last line is for the script: pairs of name and value.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <zmq.h>

#include "vln_id.h"
#include "vln_keys.h"
#include "vln_mem.h"
#include "vln_socket.h"
#include "vln_text.h"
#include "vln_time.h"

#include "valion/v1/header.pb-c.h"
#include "valion/v1/orchestrator.pb-c.h"

enum {
    ROOM = 512,
    REPLY_ROOM = 2048,
    CONNECTIONS_MAX = 4000, /* of a process' sockets */
    PIPELINE_MAX = 4096,    /* what a socket holds */
    BURST = 64,             /* calls handed out before replies are read again */
    REST_NS = 500 * 1000,
    REMAINING_MS = 5000,
    LAST_WAIT_MS = 6000,
    LATE_US = 100 * 1000, /* what no refusal should take */
    SECOND_US = 1000000,
};

typedef enum fate { UNANSWERED, ACCEPTED, REFUSED, EXPIRED, UNAVAILABLE, OTHER, FATES } fate_t;

/* A call: when it was sent; its fate and how long that took once that is known. */
typedef struct call {
    int64_t sent_us;
    int32_t took_us;
    int32_t fate;
} call_t;

typedef struct connection {
    void *socket;
    int64_t open; /* calls without an answer */
} connection_t;

typedef struct load {
    connection_t *connections;
    size_t count;
    size_t turn; /* the connection that is next */
    int64_t rate;
    int64_t pipeline;
    int64_t run_us;
    call_t *calls;
    size_t capacity;
    size_t sent; /* the next call's index */
    size_t answered;
    int64_t held;
    int64_t accepted_in_time; /* replies within run_us */
    int64_t longest_round_us;
    uint8_t header[ROOM]; /* the request id's last 8 bytes are the call's index */
    size_t header_size;
    size_t index_at;
    uint8_t body[ROOM];
    size_t body_size;
} load_t;

/* ---- the frames ---- */

static void
make_frames(load_t *self)
{
    vln_id_t id = vln_id_new();
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = header.has_remaining_ms = 1;
    header.request_id = (ProtobufCBinaryData){sizeof id.bytes, id.bytes};
    header.service = (char *)(uintptr_t)"orchestrator";
    header.method = (char *)(uintptr_t)"SubmitJob";
    header.remaining_ms = REMAINING_MS;
    self->header_size = valion__v1__header__pack(&header, self->header);
    const uint8_t *found = memmem(self->header, self->header_size, id.bytes, sizeof id.bytes);
    vln_assert(found);
    self->index_at = (size_t)(found - self->header) + sizeof id.bytes - sizeof(uint64_t);
    Valion__V1__SubmitJobRequest job = VALION__V1__SUBMIT_JOB_REQUEST__INIT;
    job.kind = (char *)(uintptr_t)"test.noop";
    self->body_size = valion__v1__submit_job_request__pack(&job, self->body);
}

/* False if this connection takes no more just now. */
static bool
send_on(load_t *self, connection_t *connection)
{
    uint64_t index = self->sent;
    memcpy(self->header + self->index_at, &index, sizeof index);
    if (connection->open == self->pipeline ||
        zmq_send(connection->socket, self->header, self->header_size, ZMQ_SNDMORE | ZMQ_DONTWAIT) <
            0) {
        return false;
    }
    self->calls[self->sent++] = (call_t){.sent_us = vln_mono_us()};
    connection->open++;
    vln_assert(zmq_send(connection->socket, self->body, self->body_size, ZMQ_DONTWAIT) >= 0);
    return true;
}

/* On the next connection that takes it. */
static bool
send_call(load_t *self)
{
    if (self->sent == self->capacity) {
        self->capacity *= 2;
        self->calls = vln_realloc(self->calls, self->capacity * sizeof *self->calls);
    }
    for (size_t i = 0; i < self->count; i++) {
        connection_t *connection = &self->connections[self->turn];
        self->turn = (self->turn + 1) % self->count;
        if (send_on(self, connection)) {
            return true;
        }
    }
    return false;
}

static fate_t
fate_of(Valion__V1__Status status)
{
    switch (status) {
    case VALION__V1__STATUS__STATUS_OK:
        return ACCEPTED;
    case VALION__V1__STATUS__STATUS_RESOURCE_EXHAUSTED:
        return REFUSED;
    case VALION__V1__STATUS__STATUS_DEADLINE_EXCEEDED:
        return EXPIRED;
    case VALION__V1__STATUS__STATUS_UNAVAILABLE:
        return UNAVAILABLE;
    default:
        return OTHER;
    }
}

/* False if there is no reply here. */
static bool
receive_on(load_t *self, connection_t *connection, int64_t end_us)
{
    uint8_t bytes[REPLY_ROOM];
    int len = zmq_recv(connection->socket, bytes, sizeof bytes, ZMQ_DONTWAIT);
    if (len < 0) {
        vln_assert(errno == EAGAIN);
        return false;
    }
    int64_t now_us = vln_mono_us();
    vln_assert(len <= REPLY_ROOM);
    Valion__V1__Header *header = valion__v1__header__unpack(NULL, (size_t)len, bytes);
    uint64_t index = 0;
    vln_assert(header && header->request_id.len == sizeof(vln_id_t));
    memcpy(&index, header->request_id.data + sizeof(vln_id_t) - sizeof index, sizeof index);
    vln_assert(index < self->sent && self->calls[index].fate == UNANSWERED);
    call_t *call = &self->calls[index];
    call->fate = (int32_t)fate_of(header->status);
    call->took_us = (int32_t)(now_us - call->sent_us);
    connection->open--;
    self->answered++;
    self->accepted_in_time += call->fate == ACCEPTED && now_us < end_us;
    valion__v1__header__free_unpacked(header, NULL);
    vln_assert(zmq_recv(connection->socket, bytes, sizeof bytes, 0) >= 0);
    return true;
}

static void
receive_all(load_t *self, int64_t end_us)
{
    for (size_t i = 0; i < self->count; i++) {
        while (receive_on(self, &self->connections[i], end_us)) {
        }
    }
}

/* ---- the load ---- */

/* Calls that are due by now; true if that is all of them, or nobody takes more. */
static bool
send_due(load_t *self, int64_t since_us)
{
    int64_t due = self->rate ? since_us * self->rate / SECOND_US : INT64_MAX;
    for (int burst = 0; burst < BURST; burst++) {
        if ((int64_t)self->sent + self->held >= due) {
            return true;
        }
        if (!send_call(self)) {
            self->held += self->rate ? due - (int64_t)self->sent - self->held : 0;
            return true;
        }
    }
    return false;
}

/* A client that spins takes the processor from those whom it measures. */
static void
pause_shortly(void)
{
    const struct timespec pause = {.tv_nsec = REST_NS};
    nanosleep(&pause, NULL);
}

static void
run(load_t *self)
{
    int64_t start_us = vln_mono_us();
    int64_t end_us = start_us + self->run_us;
    int64_t last_us = start_us;
    for (int64_t now_us = start_us; now_us < end_us; now_us = vln_mono_us()) {
        int64_t round_us = now_us - last_us;
        self->longest_round_us =
            round_us > self->longest_round_us ? round_us : self->longest_round_us;
        last_us = now_us;
        receive_all(self, end_us);
        if (send_due(self, now_us - start_us)) {
            pause_shortly();
        }
    }
    int64_t patience_us = vln_mono_us() + LAST_WAIT_MS * (int64_t)1000;
    while (self->answered < self->sent && vln_mono_us() < patience_us) {
        receive_all(self, end_us);
        pause_shortly();
    }
}

/* ---- the report ---- */

static int
compare(const void *left, const void *right)
{
    int32_t a = *(const int32_t *)left;
    int32_t b = *(const int32_t *)right;
    return (a > b) - (a < b);
}

static double
percentile(const int32_t *sorted, size_t count, double share)
{
    return count ? (double)sorted[(size_t)((double)(count - 1) * share)] / 1000.0 : 0;
}

static void
report_fate(const load_t *self, fate_t fate, const char *name)
{
    int32_t *times = vln_calloc(self->sent + 1, sizeof *times);
    size_t count = 0;
    size_t late = 0;
    for (size_t i = 0; i < self->sent; i++) {
        if (self->calls[i].fate == (int32_t)fate) {
            times[count++] = self->calls[i].took_us;
            late += self->calls[i].took_us > LATE_US;
        }
    }
    qsort(times, count, sizeof *times, compare);
    printf("%s %zu %s_p50 %.2f %s_p99 %.2f %s_max %.2f %s_late %zu ", name, count, name,
           percentile(times, count, 0.5), name, percentile(times, count, 0.99), name,
           percentile(times, count, 1), name, late);
    free(times);
}

static void
report(const load_t *self)
{
    static const char *const names[FATES] = {"unanswered", "accepted",    "refused",
                                             "expired",    "unavailable", "other"};
    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double seconds = (double)self->run_us / (double)SECOND_US;
    double cpu = (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
                 (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / (double)SECOND_US;
    printf("sent %zu held %" PRId64 " goodput %.1f round_max %.2f cpu %.2f ", self->sent,
           self->held, (double)self->accepted_in_time / seconds,
           (double)self->longest_round_us / 1000.0, cpu);
    for (fate_t fate = UNANSWERED; fate < FATES; fate++) {
        report_fate(self, fate, names[fate]);
    }
    printf("\n");
}

/* ---- connections ---- */

static void *
connect_as(const char *endpoint, const char *keys, const char *principal)
{
    char path[ROOM];
    char bus_key[VLN_Z85_TEXT];
    vln_keypair_t pair;
    snprintf(path, sizeof path, "%s/secret/%s.key_secret", keys, principal);
    vln_assert(vln_keys_load_pair(path, &pair) == VLN_OK);
    snprintf(path, sizeof path, "%s/bus.key", keys);
    vln_assert(vln_keys_load_public(path, bus_key) == VLN_OK);
    void *socket = vln_socket_new(ZMQ_DEALER);
    vln_socket_secure_client(socket, &pair, bus_key);
    vln_keypair_wipe(&pair);
    vln_assert(zmq_connect(socket, endpoint) == 0);
    return socket;
}

/* The next of a list that starts again at its end. */
static void
next_of(const char *list, const char **at, char out[VLN_PRINCIPAL_MAX + 1])
{
    if (!vln_text_next(at, ',', out, VLN_PRINCIPAL_MAX + 1)) {
        *at = list;
        bool any = vln_text_next(at, ',', out, VLN_PRINCIPAL_MAX + 1);
        vln_assert(any);
    }
}

static void
open_connections(load_t *self, const char *endpoint, const char *keys, const char *principals)
{
    const char *at = principals;
    self->connections = vln_calloc(self->count, sizeof *self->connections);
    for (size_t i = 0; i < self->count; i++) {
        char principal[VLN_PRINCIPAL_MAX + 1];
        next_of(principals, &at, principal);
        self->connections[i].socket = connect_as(endpoint, keys, principal);
    }
}

int
main(int argc, char **argv)
{
    int64_t connections = 0;
    int64_t seconds = 0;
    load_t load = {.capacity = 1 << 20};
    if (argc != 8 || !vln_text_to_i64(argv[4], 1, CONNECTIONS_MAX, &connections) ||
        !vln_text_to_i64(argv[5], 0, 10000000, &load.rate) ||
        !vln_text_to_i64(argv[6], 1, PIPELINE_MAX, &load.pipeline) ||
        !vln_text_to_i64(argv[7], 1, 86400, &seconds)) {
        fprintf(stderr, "usage: bench_overload ENDPOINT KEYS PRINCIPAL,… CONNECTIONS RATE "
                        "PIPELINE SECONDS\n");
        return 2;
    }
    load.count = (size_t)connections;
    load.run_us = seconds * SECOND_US;
    load.calls = vln_calloc(load.capacity, sizeof *load.calls);
    make_frames(&load);
    open_connections(&load, argv[1], argv[2], argv[3]);
    run(&load);
    report(&load);
    for (size_t i = 0; i < load.count; i++) {
        vln_socket_close(&load.connections[i].socket);
    }
    free(load.connections);
    free(load.calls);
    vln_socket_context_end();
    return 0;
}
