#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <zmq.h>

#include "vln_err.h"
#include "vln_id.h"
#include "vln_time.h"

#include "bench_calls.h"
#include "valion/v1/header.pb-c.h"

enum {
    FRAMES = 4,
    ROUTING_ID = 5,
    ENVELOPE = 36,   /* as long as the bus' own for the caller "admin" */
    ID_NUMBER = 14,  /* in the header: the last bytes of the request id, its first field */
    BODY_NUMBER = 4, /* in the body: behind tag and length of its one field */
    LATENCIES = 1 << 20,
};

typedef struct frames {
    int count;
    zmq_msg_t frame[FRAMES];
} frames_t;

static void *
make_socket(void *context, int type, const vln_keypair_t *own, const char *server_key)
{
    static const int mark = 4096;
    static const int one = 1;
    static const int zero = 0;
    void *socket = zmq_socket(context, type);
    vln_assert(socket);
    zmq_setsockopt(socket, ZMQ_SNDHWM, &mark, sizeof mark);
    zmq_setsockopt(socket, ZMQ_RCVHWM, &mark, sizeof mark);
    zmq_setsockopt(socket, ZMQ_LINGER, &zero, sizeof zero);
    zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, VLN_Z85_TEXT);
    if (server_key) {
        zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own->public_key, VLN_Z85_TEXT);
        zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, VLN_Z85_TEXT);
    } else {
        zmq_setsockopt(socket, ZMQ_CURVE_SERVER, &one, sizeof one);
    }
    return socket;
}

static bool
receive(void *socket, frames_t *out)
{
    int more = 1;
    for (out->count = 0; more && out->count < FRAMES; out->count++) {
        zmq_msg_t *frame = &out->frame[out->count];
        zmq_msg_init(frame);
        if (zmq_msg_recv(frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(frame);
            return false;
        }
        more = zmq_msg_more(frame);
    }
    return true;
}

static void
send_frame(void *socket, zmq_msg_t *frame, bool more)
{
    if (zmq_msg_send(frame, socket, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0) {
        zmq_msg_close(frame);
    }
}

static void
wait_for(void *socket, long ms)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    zmq_poll(&item, 1, ms);
}

static size_t
pack_reply_header(uint8_t *out)
{
    uint8_t id[16] = "0123456789abcdef";
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    header.has_request_id = 1;
    header.request_id = (ProtobufCBinaryData){sizeof id, id};
    header.has_status = 1;
    header.status = VALION__V1__STATUS__STATUS_OK;
    return valion__v1__header__pack(&header, out);
}

/* ---- (a) a server without a broker ---- */

void
bench_echo_server(const char *endpoint, const bench_keys_t *keys)
{
    void *socket = make_socket(zmq_ctx_new(), ZMQ_ROUTER, &keys->server, NULL);
    uint8_t header[BENCH_HEADER];
    size_t header_size = pack_reply_header(header);
    vln_assert(zmq_bind(socket, endpoint) == 0);
    for (;;) {
        frames_t in;
        wait_for(socket, -1);
        while (receive(socket, &in)) {
            send_frame(socket, &in.frame[0], true);
            zmq_msg_close(&in.frame[1]);
            zmq_send(socket, header, header_size, ZMQ_DONTWAIT | ZMQ_SNDMORE);
            send_frame(socket, &in.frame[2], false);
        }
    }
}

/* ---- (b) the least broker there can be, with the same frames ---- */

typedef struct plain {
    void *clients;
    void *workers;
    int known;
    int next;
    uint8_t worker[BENCH_WORKERS][ROUTING_ID];
    int credit[BENCH_WORKERS];
} plain_t;

/* In turn, which for equal workers is least recently used. */
static int
choose(plain_t *self)
{
    for (int i = 0; i < self->known; i++) {
        int at = (self->next + i) % self->known;
        if (self->credit[at] > 0) {
            self->next = at + 1;
            return at;
        }
    }
    return -1;
}

static void
plain_requests(plain_t *self)
{
    frames_t in;
    for (int chosen = choose(self); chosen >= 0; chosen = choose(self)) {
        if (!receive(self->clients, &in)) {
            return;
        }
        uint8_t envelope[ENVELOPE] = {0};
        memcpy(envelope, zmq_msg_data(&in.frame[0]), ROUTING_ID);
        envelope[ROUTING_ID] = (uint8_t)chosen;
        zmq_send(self->workers, self->worker[chosen], ROUTING_ID, ZMQ_DONTWAIT | ZMQ_SNDMORE);
        zmq_send(self->workers, envelope, sizeof envelope, ZMQ_DONTWAIT | ZMQ_SNDMORE);
        send_frame(self->workers, &in.frame[1], true);
        send_frame(self->workers, &in.frame[2], false);
        zmq_msg_close(&in.frame[0]);
        self->credit[chosen]--;
    }
}

static void
plain_replies(plain_t *self)
{
    frames_t in;
    for (int i = 0; i < 200 && receive(self->workers, &in); i++) {
        const uint8_t *envelope = zmq_msg_data(&in.frame[1]);
        if (in.count < FRAMES) { /* hello */
            if (self->known < BENCH_WORKERS) {
                memcpy(self->worker[self->known], zmq_msg_data(&in.frame[0]), ROUTING_ID);
                self->credit[self->known++] = BENCH_CREDIT;
            }
        } else {
            self->credit[envelope[ROUTING_ID] % BENCH_WORKERS]++;
            zmq_send(self->clients, envelope, ROUTING_ID, ZMQ_DONTWAIT | ZMQ_SNDMORE);
            send_frame(self->clients, &in.frame[2], true);
            send_frame(self->clients, &in.frame[3], false);
        }
        zmq_msg_close(&in.frame[0]);
        zmq_msg_close(&in.frame[1]);
    }
}

void
bench_plain_broker(const char *clients, const char *workers, const bench_keys_t *keys)
{
    void *context = zmq_ctx_new();
    plain_t self = {.clients = make_socket(context, ZMQ_ROUTER, &keys->server, NULL),
                    .workers = make_socket(context, ZMQ_ROUTER, &keys->server, NULL)};
    vln_assert(zmq_bind(self.clients, clients) == 0);
    vln_assert(zmq_bind(self.workers, workers) == 0);
    for (;;) {
        zmq_pollitem_t items[] = {{.socket = self.workers, .events = ZMQ_POLLIN},
                                  {.socket = self.clients, .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, -1);
        if (items[1].revents) {
            plain_requests(&self);
        }
        if (items[0].revents) {
            plain_replies(&self);
        }
    }
}

/* A call comes as envelope, header, body; the reply is envelope, header, body. */
static void
answer(void *socket, const uint8_t *header, size_t header_size)
{
    frames_t in;
    while (receive(socket, &in)) {
        if (in.count < 3) {
            zmq_msg_close(&in.frame[0]);
            continue;
        }
        send_frame(socket, &in.frame[0], true);
        zmq_msg_close(&in.frame[1]);
        zmq_send(socket, header, header_size, ZMQ_DONTWAIT | ZMQ_SNDMORE);
        send_frame(socket, &in.frame[2], false);
    }
}

void
bench_plain_worker(const char *endpoint, const bench_keys_t *keys)
{
    void *socket = make_socket(zmq_ctx_new(), ZMQ_DEALER, &keys->worker, keys->server.public_key);
    uint8_t header[BENCH_HEADER];
    size_t header_size = pack_reply_header(header);
    zmq_connect(socket, endpoint);
    zmq_send(socket, "hello", 5, 0);
    for (;;) {
        wait_for(socket, -1);
        answer(socket, header, header_size);
    }
}

/* ---- who calls ---- */

typedef struct caller {
    void *socket;
    const bench_call_t *call;
    int64_t *sent_us; /* a ring: replies come nearly in order, and the body says which it is */
    uint32_t next;
    int64_t answered;
    int64_t errors;
    size_t latency_count;
    float *latency_us;
} caller_t;

static void
send_call(caller_t *self)
{
    uint8_t header[BENCH_HEADER];
    uint8_t body[BENCH_BODY];
    memcpy(header, self->call->header, self->call->header_size);
    memcpy(body, self->call->body, sizeof body);
    memcpy(header + ID_NUMBER, &self->next, sizeof self->next);
    memcpy(body + BODY_NUMBER, &self->next, sizeof self->next);
    self->sent_us[self->next % LATENCIES] = vln_mono_us();
    self->next++;
    zmq_send(self->socket, header, self->call->header_size, ZMQ_SNDMORE);
    zmq_send(self->socket, body, sizeof body, 0);
}

/* Which call this answers: an echo has the body that was sent, a service the request id. */
static bool
read_number(frames_t *in, uint32_t *number)
{
    if (in->count != 2) {
        return false;
    }
    const uint8_t *bytes = zmq_msg_data(&in->frame[0]);
    if (zmq_msg_size(&in->frame[1]) == BENCH_BODY) {
        memcpy(number, (const uint8_t *)zmq_msg_data(&in->frame[1]) + BODY_NUMBER, sizeof *number);
        return true;
    }
    Valion__V1__Header *header =
        valion__v1__header__unpack(NULL, zmq_msg_size(&in->frame[0]), bytes);
    bool good = header && header->status == VALION__V1__STATUS__STATUS_OK &&
                header->request_id.len == VLN_ID_BYTES;
    if (good) {
        memcpy(number, header->request_id.data + ID_NUMBER - 2, sizeof *number);
    }
    valion__v1__header__free_unpacked(header, NULL);
    return good;
}

static void
take_reply(caller_t *self, frames_t *in)
{
    uint32_t number = 0;
    if (read_number(in, &number)) {
        double us = (double)(vln_mono_us() - self->sent_us[number % LATENCIES]);
        self->latency_us[self->latency_count++ % LATENCIES] = (float)us;
        self->answered++;
    } else {
        self->errors++;
    }
    for (int i = 0; i < in->count; i++) {
        zmq_msg_close(&in->frame[i]);
    }
}

static int
compare(const void *left, const void *right)
{
    float a = *(const float *)left;
    float b = *(const float *)right;
    return (a > b) - (a < b);
}

static void
run_until(caller_t *self, int64_t until_us)
{
    while (vln_mono_us() < until_us) {
        frames_t in;
        wait_for(self->socket, 100);
        while (receive(self->socket, &in)) {
            take_reply(self, &in);
            send_call(self);
        }
    }
}

bench_result_t
bench_client(const char *endpoint, const bench_keys_t *keys, const bench_call_t *call, int window,
             double seconds)
{
    void *context = zmq_ctx_new();
    caller_t self = {.call = call,
                     .socket =
                         make_socket(context, ZMQ_DEALER, &keys->client, keys->server.public_key),
                     .sent_us = calloc(LATENCIES, sizeof(int64_t)),
                     .latency_us = calloc(LATENCIES, sizeof(float))};
    vln_assert(self.sent_us && self.latency_us);
    zmq_connect(self.socket, endpoint);
    for (int i = 0; i < window; i++) {
        send_call(&self);
    }
    run_until(&self, vln_mono_us() + 300000); /* connected, warm */
    self.answered = 0;
    self.errors = 0;
    self.latency_count = 0;
    int64_t start_us = vln_mono_us();
    run_until(&self, start_us + (int64_t)(seconds * 1e6));
    bench_result_t result = {.calls_per_s =
                                 (double)self.answered * 1e6 / (double)(vln_mono_us() - start_us),
                             .errors = self.errors};
    size_t count = self.latency_count < LATENCIES ? self.latency_count : LATENCIES;
    qsort(self.latency_us, count, sizeof *self.latency_us, compare);
    result.p50_us = count ? (double)self.latency_us[count / 2] : 0;
    result.p99_us = count ? (double)self.latency_us[count * 99 / 100] : 0;
    free(self.sent_us);
    free(self.latency_us);
    zmq_close(self.socket);
    zmq_ctx_term(context);
    return result;
}
