#include "vln_calls.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <zmq.h>

#include "vln_socket.h"
#include "vln_time.h"

#include "valion/v1/common.pb-c.h"
#include "valion/v1/header.pb-c.h"

enum { WAIT_MS = 20000, PORT_FIRST = 20000, PORTS = 12000, PORT_TRIES = 64, MOST = 64 };

/* A broker of few words: it keeps what it got until the test says how to answer. */
typedef struct broker {
    vln_keypair_t keys;
    char endpoint[64];
    void *socket;
    size_t count;
    struct {
        uint8_t route[8];
        size_t route_size;
        vln_id_t id;
        uint32_t attempt;
    } got[MOST];
} broker_t;

static void
broker_bind(broker_t *self)
{
    self->socket = vln_socket_new(ZMQ_ROUTER);
    int one = 1;
    cr_assert(zmq_setsockopt(self->socket, ZMQ_CURVE_SERVER, &one, sizeof one) == 0);
    cr_assert(zmq_setsockopt(self->socket, ZMQ_CURVE_SECRETKEY, self->keys.secret_key,
                             VLN_Z85_TEXT) == 0);
    bool again = self->endpoint[0] != '\0';
    for (int i = 0; i < PORT_TRIES; i++) {
        if (!again) {
            snprintf(self->endpoint, sizeof self->endpoint, "tcp://127.0.0.1:%u",
                     PORT_FIRST + vln_random_below(PORTS));
        }
        if (zmq_bind(self->socket, self->endpoint) == 0) {
            return;
        }
        if (again) {
            vln_sleep_ms(50); /* the socket before is still being closed */
        }
    }
    cr_assert(false, "no free port");
}

static void
broker_open(broker_t *self, const vln_keypair_t *keys)
{
    *self = (broker_t){.keys = *keys};
    broker_bind(self);
}

static void
broker_read(broker_t *self)
{
    uint8_t bytes[512];
    int size = 0;
    while ((size = zmq_recv(self->socket, bytes, sizeof bytes, ZMQ_DONTWAIT)) >= 0) {
        cr_assert(self->count < MOST && size <= (int)sizeof self->got[0].route);
        memcpy(self->got[self->count].route, bytes, (size_t)size);
        self->got[self->count].route_size = (size_t)size;
        size = zmq_recv(self->socket, bytes, sizeof bytes, 0);
        cr_assert(size > 0);
        Valion__V1__Header *header = valion__v1__header__unpack(NULL, (size_t)size, bytes);
        cr_assert(header && header->request_id.len == VLN_ID_BYTES);
        memcpy(self->got[self->count].id.bytes, header->request_id.data, VLN_ID_BYTES);
        self->got[self->count].attempt = header->attempt;
        self->count++;
        valion__v1__header__free_unpacked(header, NULL);
        cr_assert(zmq_recv(self->socket, bytes, sizeof bytes, 0) >= 0);
    }
}

static void
broker_answer(broker_t *self, size_t index, Valion__V1__Status status)
{
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    Valion__V1__Health reply = VALION__V1__HEALTH__INIT;
    char instance[16];
    uint8_t bytes[512];
    header.has_request_id = header.has_status = 1;
    header.request_id = (ProtobufCBinaryData){VLN_ID_BYTES, self->got[index].id.bytes};
    header.status = status;
    snprintf(instance, sizeof instance, "%zu", index);
    reply.instance = instance;
    zmq_send(self->socket, self->got[index].route, self->got[index].route_size, ZMQ_SNDMORE);
    zmq_send(self->socket, bytes, valion__v1__header__pack(&header, bytes), ZMQ_SNDMORE);
    zmq_send(self->socket, bytes, valion__v1__health__pack(&reply, bytes), 0);
}

/* The ends of the calls of a test. */
typedef struct ends {
    size_t count;
    vln_err_t err[MOST];
    int instance[MOST]; /* which of the broker's calls was answered by this */
    char why[256];      /* of the last */
} ends_t;

static void
note_end(void *context, vln_err_t err, vln_reply_t *reply)
{
    ends_t *self = context;
    cr_assert(self->count < MOST);
    self->err[self->count] = err;
    snprintf(self->why, sizeof self->why, "%s", reply->why);
    if (err == VLN_OK) {
        const Valion__V1__Health *health = (const void *)reply->message;
        cr_assert(sscanf(health->instance, "%d", &self->instance[self->count]) == 1);
    }
    self->count++;
}

static vln_keypair_t
new_keys(void)
{
    vln_keypair_t keys;
    cr_assert(zmq_curve_keypair(keys.public_key, keys.secret_key) == 0);
    return keys;
}

static vln_calls_t *
open_calls(const broker_t *broker, const char *more_addresses)
{
    char bus[160];
    snprintf(bus, sizeof bus, "%s%s", broker->endpoint + strlen("tcp://"), more_addresses);
    const vln_client_config_t config = {
        .bus = bus, .bus_key = broker->keys.public_key, .keys = new_keys()};
    vln_calls_t *calls = NULL;
    cr_assert(vln_calls_open(&calls, &config) == VLN_OK);
    return calls;
}

static void
start_call(vln_calls_t *calls, ends_t *ends, int64_t timeout_ms, int64_t attempt_ms)
{
    Valion__V1__GetHealthRequest request = VALION__V1__GET_HEALTH_REQUEST__INIT;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "GetHealth",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__health__descriptor,
                                  .timeout_ms = timeout_ms,
                                  .attempt_ms = attempt_ms};
    cr_assert(vln_calls_start(calls, &spec, note_end, ends) == VLN_OK);
}

/* Until the broker has got this many calls and this many have ended. */
static void
run_until(vln_calls_t *calls, broker_t *broker, size_t got, const ends_t *ends, size_t ended)
{
    int64_t until = vln_mono_ms() + WAIT_MS;
    while (broker->count < got || ends->count < ended) {
        zmq_pollitem_t item = {.socket = broker->socket, .events = ZMQ_POLLIN};
        cr_assert(vln_mono_ms() < until, "%zu of %zu calls came, %zu of %zu ended", broker->count,
                  got, ends->count, ended);
        vln_calls_poll(calls, 50, &item, 1);
        broker_read(broker);
    }
}

static void
end_test(vln_calls_t **calls, broker_t *broker)
{
    vln_calls_close(calls);
    vln_socket_close(&broker->socket);
    vln_socket_context_end();
}

Test(vln_calls, answers_in_any_order_find_their_calls)
{
    broker_t broker;
    ends_t ends = {0};
    vln_keypair_t keys = new_keys();
    broker_open(&broker, &keys);
    vln_calls_t *calls = open_calls(&broker, "");
    for (int i = 0; i < 20; i++) {
        start_call(calls, &ends, WAIT_MS, WAIT_MS);
    }
    run_until(calls, &broker, 20, &ends, 0);
    cr_expect(vln_calls_in_flight(calls) == 20);
    for (size_t i = 20; i-- > 0;) {
        broker_answer(&broker, i, VALION__V1__STATUS__STATUS_OK);
    }
    run_until(calls, &broker, 20, &ends, 20);
    for (size_t i = 0; i < 20; i++) {
        cr_expect(ends.err[i] == VLN_OK && ends.instance[i] == 19 - (int)i);
    }
    cr_expect(vln_calls_in_flight(calls) == 0);
    end_test(&calls, &broker);
}

Test(vln_calls, repeats_what_may_pass_by_itself_under_the_same_id)
{
    broker_t broker;
    ends_t ends = {0};
    vln_keypair_t keys = new_keys();
    broker_open(&broker, &keys);
    vln_calls_t *calls = open_calls(&broker, "");
    start_call(calls, &ends, WAIT_MS, WAIT_MS);
    run_until(calls, &broker, 1, &ends, 0);
    broker_answer(&broker, 0, VALION__V1__STATUS__STATUS_UNAVAILABLE);
    run_until(calls, &broker, 2, &ends, 0);
    cr_expect(memcmp(broker.got[0].id.bytes, broker.got[1].id.bytes, VLN_ID_BYTES) == 0);
    cr_expect(broker.got[0].attempt == 1 && broker.got[1].attempt == 2);
    broker_answer(&broker, 1, VALION__V1__STATUS__STATUS_NOT_FOUND);
    run_until(calls, &broker, 2, &ends, 1);
    cr_expect(ends.err[0] == VLN_NOT_FOUND);
    end_test(&calls, &broker);
}

Test(vln_calls, survives_a_broker_that_starts_again)
{
    broker_t broker;
    ends_t ends = {0};
    vln_keypair_t keys = new_keys();
    broker_open(&broker, &keys);
    vln_calls_t *calls = open_calls(&broker, "");
    for (int i = 0; i < 3; i++) {
        start_call(calls, &ends, WAIT_MS, WAIT_MS);
    }
    run_until(calls, &broker, 3, &ends, 0);
    vln_socket_close(&broker.socket);
    broker_bind(&broker);
    run_until(calls, &broker, 6, &ends, 0);
    for (size_t i = 3; i < 6; i++) {
        broker_answer(&broker, i, VALION__V1__STATUS__STATUS_OK);
    }
    run_until(calls, &broker, 6, &ends, 3);
    cr_expect(ends.err[0] == VLN_OK && ends.err[1] == VLN_OK && ends.err[2] == VLN_OK);
    end_test(&calls, &broker);
}

Test(vln_calls, goes_to_the_other_broker_when_one_is_silent)
{
    broker_t silent;
    broker_t broker;
    ends_t ends = {0};
    vln_keypair_t keys = new_keys();
    broker_open(&silent, &keys);
    broker_open(&broker, &keys);
    char more[sizeof broker.endpoint * 2];
    snprintf(more, sizeof more, ",%.*s", (int)sizeof silent.endpoint, silent.endpoint + 6);
    vln_calls_t *calls = open_calls(&broker, more);
    for (size_t i = 0; i < 8; i++) {
        start_call(calls, &ends, WAIT_MS, 200);
        run_until(calls, &broker, i + 1, &ends, 0);
        broker_answer(&broker, broker.count - 1, VALION__V1__STATUS__STATUS_OK);
        run_until(calls, &broker, 0, &ends, i + 1);
        cr_expect(ends.err[i] == VLN_OK);
    }
    vln_socket_close(&silent.socket);
    end_test(&calls, &broker);
}

/* Answers what asks for a certificate's right: "400" first, then "200". */
static void
zap_answer(void *zap, const char *code)
{
    char field[7][256];
    int size[7] = {0};
    int more = 1;
    size_t more_size = sizeof more;
    for (int i = 0; more && i < 7; i++) {
        size[i] = zmq_recv(zap, field[i], sizeof field[i], 0);
        cr_assert(zmq_getsockopt(zap, ZMQ_RCVMORE, &more, &more_size) == 0);
    }
    zmq_send(zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(zap, field[1], (size_t)size[1], ZMQ_SNDMORE);
    zmq_send(zap, code, 3, ZMQ_SNDMORE);
    zmq_send(zap, "", 0, ZMQ_SNDMORE);
    zmq_send(zap, "somebody", 8, ZMQ_SNDMORE);
    zmq_send(zap, "", 0, 0);
}

Test(vln_calls, connects_once_its_certificate_becomes_known)
{
    broker_t broker;
    ends_t ends = {0};
    vln_keypair_t keys = new_keys();
    void *zap = vln_socket_new(ZMQ_REP);
    cr_assert(zmq_bind(zap, "inproc://zeromq.zap.01") == 0);
    broker_open(&broker, &keys);
    vln_calls_t *calls = open_calls(&broker, "");
    start_call(calls, &ends, WAIT_MS, 0);
    int refusals = 0;
    for (int64_t until = vln_mono_ms() + WAIT_MS; broker.count == 0;) {
        zmq_pollitem_t items[] = {{.socket = broker.socket, .events = ZMQ_POLLIN},
                                  {.socket = zap, .events = ZMQ_POLLIN}};
        cr_assert(vln_mono_ms() < until);
        vln_calls_poll(calls, 50, items, 2);
        if (items[1].revents & ZMQ_POLLIN) {
            zap_answer(zap, refusals < 2 ? "400" : "200");
            refusals++;
        }
        broker_read(&broker);
    }
    cr_expect(refusals >= 3);
    broker_answer(&broker, 0, VALION__V1__STATUS__STATUS_OK);
    run_until(calls, &broker, 1, &ends, 1);
    cr_expect(ends.err[0] == VLN_OK);
    vln_socket_close(&zap);
    end_test(&calls, &broker);
}

/* A port that refuses: held, so that nobody else has it, and never listened on. */
static int
hold_port(broker_t *self)
{
    int held = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in address = {.sin_family = AF_INET,
                                  .sin_addr = {.s_addr = htonl(INADDR_LOOPBACK)}};
    socklen_t size = sizeof address;
    cr_assert(held >= 0 && bind(held, (struct sockaddr *)&address, size) == 0);
    cr_assert(getsockname(held, (struct sockaddr *)&address, &size) == 0);
    snprintf(self->endpoint, sizeof self->endpoint, "tcp://127.0.0.1:%u", ntohs(address.sin_port));
    return held;
}

Test(vln_calls, says_that_nobody_is_there)
{
    broker_t broker = {.keys = new_keys()};
    ends_t ends = {0};
    int held = hold_port(&broker);
    vln_calls_t *calls = open_calls(&broker, "");
    start_call(calls, &ends, 300, 100);
    while (ends.count == 0) {
        vln_calls_poll(calls, 50, NULL, 0);
    }
    cr_expect(ends.err[0] == VLN_UNAVAILABLE);
    cr_expect(strstr(ends.why, "no connection to the bus") != NULL, "%s", ends.why);
    close(held);
    end_test(&calls, &broker);
}

Test(vln_calls, refuses_more_than_it_holds_and_ends_all_when_told)
{
    broker_t broker;
    vln_keypair_t keys = new_keys();
    broker_open(&broker, &keys);
    vln_calls_t *calls = open_calls(&broker, "");
    Valion__V1__GetHealthRequest request = VALION__V1__GET_HEALTH_REQUEST__INIT;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "GetHealth",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__health__descriptor};
    for (int i = 0; i < VLN_CALLS_MAX; i++) {
        cr_assert(vln_calls_start(calls, &spec, NULL, NULL) == VLN_OK);
    }
    cr_expect(vln_calls_start(calls, &spec, NULL, NULL) == VLN_RESOURCE_EXHAUSTED);
    vln_calls_cancel(calls);
    cr_expect(vln_calls_in_flight(calls) == 0);
    ends_t ends = {0};
    start_call(calls, &ends, 0, 0);
    vln_calls_cancel(calls);
    cr_expect(ends.count == 1 && ends.err[0] == VLN_CANCELLED);
    end_test(&calls, &broker);
}
