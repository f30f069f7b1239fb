#include "broker_zap.h"

#include <stdio.h>
#include <string.h>
#include <zmq.h>

#include "vln_id.h"
#include "vln_log.h"
#include "vln_socket.h"
#include "vln_time.h"

#include "domain/names.h"

enum {
    QUESTION_FRAMES = 7, /* version, id, domain, address, routing id, mechanism, key */
    FIELD_MAX = 255,
    KEY_BYTES = 32,
    TEST_PORT_FIRST = 20000, /* below the range that outgoing connections take ports from */
    TEST_PORTS = 12000,
    TEST_PORT_TRIES = 64,
    TEST_MS = 2000,
};

typedef struct field {
    char bytes[FIELD_MAX + 1]; /* ended by a NUL */
    size_t size;
} field_t;

typedef struct question {
    field_t field[QUESTION_FRAMES];
    int count;
    bool good; /* frames of the right number and size */
} question_t;

enum { FIELD_VERSION = 0, FIELD_ID = 1, FIELD_DOMAIN = 2, FIELD_MECHANISM = 5, FIELD_KEY = 6 };

vln_err_t
zap_open(void **out)
{
    *out = vln_socket_new(ZMQ_REP);
    if (zmq_bind(*out, "inproc://zeromq.zap.01") != 0) {
        vln_error("zap.bind_failed", kv_str("why", zmq_strerror(zmq_errno())));
        vln_socket_close(out);
        return VLN_INTERNAL;
    }
    return VLN_OK;
}

/* False when nothing waits. */
static bool
receive(void *socket, question_t *question)
{
    int more = 1;
    *question = (question_t){.good = true};
    while (more) {
        zmq_msg_t frame;
        zmq_msg_init(&frame);
        if (zmq_msg_recv(&frame, socket, ZMQ_DONTWAIT) < 0) {
            zmq_msg_close(&frame);
            return false;
        }
        size_t size = zmq_msg_size(&frame);
        if (question->count < QUESTION_FRAMES && size <= FIELD_MAX) {
            field_t *field = &question->field[question->count++];
            memcpy(field->bytes, zmq_msg_data(&frame), size);
            field->size = size;
        } else {
            question->good = false;
        }
        more = zmq_msg_more(&frame);
        zmq_msg_close(&frame);
    }
    question->good = question->good && question->count == QUESTION_FRAMES;
    return true;
}

static bool
domain_allows(const char *domain, uint32_t roles)
{
    if (strcmp(domain, ZAP_DOMAIN_CLIENT) == 0) {
        return true;
    }
    bool service = strcmp(domain, ZAP_DOMAIN_SERVICE) == 0 || strcmp(domain, ZAP_DOMAIN_EVENT) == 0;
    return service && (roles & names_service_roles()) != 0;
}

/* The key as Z85 if it may connect, else "". */
static void
judge(const question_t *question, const principals_t *principals, char user_id[VLN_Z85_TEXT])
{
    user_id[0] = '\0';
    if (!question->good || strcmp(question->field[FIELD_VERSION].bytes, "1.0") != 0 ||
        strcmp(question->field[FIELD_MECHANISM].bytes, "CURVE") != 0 ||
        question->field[FIELD_KEY].size != KEY_BYTES) {
        return;
    }
    uint8_t key[KEY_BYTES];
    char text[VLN_Z85_TEXT];
    memcpy(key, question->field[FIELD_KEY].bytes, sizeof key);
    zmq_z85_encode(text, key, sizeof key);
    int slot = principals_find(principals, text);
    const vln_principal_t *principal = slot < 0 ? NULL : principals_at(principals, slot);
    if (principal && domain_allows(question->field[FIELD_DOMAIN].bytes, principal->roles)) {
        memcpy(user_id, text, sizeof text);
    }
}

void
zap_answer(void *socket, const principals_t *principals)
{
    question_t question;
    while (receive(socket, &question)) {
        char user_id[VLN_Z85_TEXT];
        judge(&question, principals, user_id);
        bool accepted = user_id[0] != '\0';
        if (!accepted) {
            vln_debug("zap.refused", kv_str("domain", question.field[FIELD_DOMAIN].bytes));
        }
        const field_t *id = &question.field[FIELD_ID];
        zmq_send(socket, "1.0", 3, ZMQ_SNDMORE);
        zmq_send(socket, id->bytes, id->size, ZMQ_SNDMORE);
        zmq_send(socket, accepted ? "200" : "400", 3, ZMQ_SNDMORE);
        zmq_send(socket, accepted ? "OK" : "unknown", accepted ? 2 : 7, ZMQ_SNDMORE);
        zmq_send(socket, user_id, strlen(user_id), ZMQ_SNDMORE);
        zmq_send(socket, "", 0, 0);
    }
}

/* ---- self-test ---- */

/* A port of its own; "" if none was free. */
static void
bind_somewhere(void *socket, char *endpoint, size_t size)
{
    for (int i = 0; i < TEST_PORT_TRIES; i++) {
        snprintf(endpoint, size, "tcp://127.0.0.1:%u",
                 TEST_PORT_FIRST + vln_random_below(TEST_PORTS));
        if (zmq_bind(socket, endpoint) == 0) {
            return;
        }
    }
    endpoint[0] = '\0';
}

/* The number of the monitor's event; 0 when none waits. */
static unsigned
read_event(void *monitor)
{
    uint16_t number = 0;
    zmq_msg_t frame;
    zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, monitor, ZMQ_DONTWAIT) >= (int)sizeof number) {
        memcpy(&number, zmq_msg_data(&frame), sizeof number);
        zmq_msg_recv(&frame, monitor, ZMQ_DONTWAIT); /* the address */
    }
    zmq_msg_close(&frame);
    return number;
}

/* True if the stranger was refused, by what ZAP said and nothing else. */
static bool
wait_for_refusal(void *zap, void *monitor, const principals_t *principals)
{
    int64_t until = vln_mono_ms() + TEST_MS;
    for (int64_t left = TEST_MS; left > 0; left = until - vln_mono_ms()) {
        zmq_pollitem_t items[] = {{.socket = zap, .events = ZMQ_POLLIN},
                                  {.socket = monitor, .events = ZMQ_POLLIN}};
        zmq_poll(items, 2, (long)left);
        zap_answer(zap, principals);
        unsigned event = read_event(monitor);
        if (event == ZMQ_EVENT_HANDSHAKE_FAILED_AUTH) {
            return true;
        }
        if (event != 0) {
            return false;
        }
    }
    return false;
}

static bool
stranger_is_refused(void *zap, const principals_t *principals, void *server, void *stranger)
{
    static const char address[] = "inproc://zap.self_test";
    char endpoint[64];
    bind_somewhere(server, endpoint, sizeof endpoint);
    if (!endpoint[0] ||
        zmq_socket_monitor(server, address,
                           ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH |
                               ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL |
                               ZMQ_EVENT_HANDSHAKE_FAILED_NO_DETAIL) != 0) {
        return false;
    }
    void *monitor = vln_socket_new(ZMQ_PAIR);
    bool refused = zmq_connect(monitor, address) == 0 && zmq_connect(stranger, endpoint) == 0 &&
                   wait_for_refusal(zap, monitor, principals);
    zmq_socket_monitor(server, NULL, 0);
    vln_socket_close(&monitor);
    return refused;
}

vln_err_t
zap_self_test(void *zap, const principals_t *principals, const vln_keypair_t *bus_keys)
{
    vln_keypair_t nobody;
    void *server = vln_socket_new(ZMQ_ROUTER);
    void *stranger = vln_socket_new(ZMQ_DEALER);
    vln_assert(zmq_curve_keypair(nobody.public_key, nobody.secret_key) == 0);
    vln_err_t err = vln_socket_secure_server(server, bus_keys, ZAP_DOMAIN_CLIENT);
    if (!err) {
        vln_socket_secure_client(stranger, &nobody, bus_keys->public_key);
        err = stranger_is_refused(zap, principals, server, stranger) ? VLN_OK : VLN_INTERNAL;
    }
    vln_keypair_wipe(&nobody);
    vln_socket_close(&stranger);
    vln_socket_close(&server);
    if (err) {
        vln_error("zap.self_test_failed", kv_err(err));
    }
    return err;
}
