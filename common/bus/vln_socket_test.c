#include "vln_socket.h"

#include <criterion/criterion.h>
#include <string.h>
#include <zmq.h>

#include "vln_id.h"

enum {
    WAIT_MS = 5000,
    PORT_FIRST = 20000,
    PORTS = 12000,
    PORT_TRIES = 64,
    FAILURES = ZMQ_EVENT_HANDSHAKE_FAILED_AUTH | ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL |
               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL,
};

/* A server and a client with keys, one CURVE connection apart. */
typedef struct pair {
    void *server;
    void *client;
    void *monitor; /* of the server */
} pair_t;

static void
bind_somewhere(void *socket, char *endpoint, size_t size)
{
    for (int i = 0; i < PORT_TRIES; i++) {
        snprintf(endpoint, size, "tcp://127.0.0.1:%u", PORT_FIRST + vln_random_below(PORTS));
        if (zmq_bind(socket, endpoint) == 0) {
            return;
        }
    }
    cr_assert(false, "no free port");
}

static pair_t
make_pair(void)
{
    static const char address[] = "inproc://vln_socket_test";
    char endpoint[64];
    vln_keypair_t server_keys;
    vln_keypair_t client_keys;
    cr_assert(zmq_curve_keypair(server_keys.public_key, server_keys.secret_key) == 0);
    cr_assert(zmq_curve_keypair(client_keys.public_key, client_keys.secret_key) == 0);
    pair_t self = {.server = vln_socket_new(ZMQ_ROUTER), .client = vln_socket_new(ZMQ_DEALER)};
    cr_assert(vln_socket_secure_server(self.server, &server_keys, "valion.test") == VLN_OK);
    cr_assert(zmq_socket_monitor(self.server, address, FAILURES | ZMQ_EVENT_HANDSHAKE_SUCCEEDED) ==
              0);
    self.monitor = vln_socket_new(ZMQ_PAIR);
    cr_assert(zmq_connect(self.monitor, address) == 0);
    bind_somewhere(self.server, endpoint, sizeof endpoint);
    vln_socket_secure_client(self.client, &client_keys, server_keys.public_key);
    cr_assert(zmq_connect(self.client, endpoint) == 0);
    cr_assert(zmq_send(self.client, "hello", 5, 0) == 5);
    return self;
}

static void
end_pair(pair_t *self)
{
    zmq_socket_monitor(self->server, NULL, 0);
    vln_socket_close(&self->monitor);
    vln_socket_close(&self->client);
    vln_socket_close(&self->server);
    vln_socket_context_end();
}

static bool
wait_for_input(void *socket)
{
    zmq_pollitem_t item = {.socket = socket, .events = ZMQ_POLLIN};
    return zmq_poll(&item, 1, WAIT_MS) == 1;
}

static unsigned
handshake_event(pair_t *self)
{
    uint8_t bytes[6] = {0};
    uint16_t number = 0;
    cr_assert(wait_for_input(self->monitor));
    cr_assert(zmq_recv(self->monitor, bytes, sizeof bytes, 0) == sizeof bytes);
    memcpy(&number, bytes, sizeof number);
    return number;
}

Test(vln_socket, lets_nobody_in_where_nobody_answers_for_keys)
{
    char byte;
    pair_t self = make_pair();
    cr_expect((handshake_event(&self) & FAILURES) != 0);
    cr_expect(zmq_recv(self.server, &byte, 1, ZMQ_DONTWAIT) < 0);
    end_pair(&self);
}

/* Proves that the refusal above is for want of an answer and nothing else. */
Test(vln_socket, lets_in_who_is_vouched_for)
{
    void *zap = vln_socket_new(ZMQ_REP);
    cr_assert(zmq_bind(zap, "inproc://zeromq.zap.01") == 0);
    pair_t self = make_pair();
    char id[64];
    char field[256];
    int more = 1;
    size_t size = sizeof more;
    int id_size = 0;
    cr_assert(wait_for_input(zap));
    for (int i = 0; more; i++) {
        int got = zmq_recv(zap, i == 1 ? id : field, sizeof id, 0);
        id_size = i == 1 ? got : id_size;
        cr_assert(zmq_getsockopt(zap, ZMQ_RCVMORE, &more, &size) == 0);
    }
    zmq_send(zap, "1.0", 3, ZMQ_SNDMORE);
    zmq_send(zap, id, (size_t)id_size, ZMQ_SNDMORE);
    zmq_send(zap, "200", 3, ZMQ_SNDMORE);
    zmq_send(zap, "OK", 2, ZMQ_SNDMORE);
    zmq_send(zap, "somebody", 8, ZMQ_SNDMORE);
    zmq_send(zap, "", 0, 0);
    cr_expect(handshake_event(&self) == ZMQ_EVENT_HANDSHAKE_SUCCEEDED);
    cr_expect(wait_for_input(self.server));
    vln_socket_close(&zap);
    end_pair(&self);
}
