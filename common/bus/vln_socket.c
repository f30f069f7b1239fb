#include "vln_socket.h"

#include <malloc.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

enum {
    ZAP_ENFORCE_DOMAIN = 93, /* ZMQ_ZAP_ENFORCE_DOMAIN, hidden as draft in Debian's zmq.h */
    MAX_SOCKETS = 4096,
    MAP_FROM = 1024 * 1024,      /* several times the longest frame */
    HEAP_KEPT = 8 * 1024 * 1024, /* of each thread's heap */
};

/* One context a process, as inproc addresses need; set under the once-control below. */
static void *context;
static pthread_once_t context_once = PTHREAD_ONCE_INIT;

/* Frames of 256 KiB come and go. glibc maps each of them anew, or gives the end of its heap back
 * after each, and the kernel clears the same pages every time: a tenth of what a transfer costs. */
static void
keep_memory(void)
{
    mallopt(M_MMAP_THRESHOLD, MAP_FROM);
    mallopt(M_TRIM_THRESHOLD, HEAP_KEPT);
}

static void
make_context(void)
{
    keep_memory();
    context = zmq_ctx_new();
    vln_assert(context);
    zmq_ctx_set(context, ZMQ_MAX_SOCKETS, MAX_SOCKETS);
    zmq_ctx_set(context, ZMQ_BLOCKY, 0);
}

void *
vln_socket_context(void)
{
    pthread_once(&context_once, make_context);
    return context;
}

void
vln_socket_context_end(void)
{
    if (context) {
        zmq_ctx_term(context);
        context = NULL;
    }
}

static void
set_int(void *socket, int option, int value)
{
    vln_assert(zmq_setsockopt(socket, option, &value, sizeof value) == 0);
}

void *
vln_socket_new(int type)
{
    static const struct {
        int option;
        int value;
    } settings[] = {
        /* option                    value */
        {ZMQ_LINGER, 0},
        {ZMQ_IPV6, 1},
        {ZMQ_SNDTIMEO, 0},
        {ZMQ_RCVTIMEO, 0},
        {ZMQ_HANDSHAKE_IVL, 2000},
        {ZMQ_CONNECT_TIMEOUT, 2000},
        {ZMQ_RECONNECT_IVL, 100},
        {ZMQ_RECONNECT_IVL_MAX, 1000},
        {ZMQ_TCP_MAXRT, 10000},
        {ZMQ_TCP_KEEPALIVE, 1},
        {ZMQ_TCP_KEEPALIVE_IDLE, 10},
        {ZMQ_TCP_KEEPALIVE_INTVL, 5},
        {ZMQ_TCP_KEEPALIVE_CNT, 3},
        {ZMQ_BACKLOG, 512},
        {ZMQ_RCVHWM, 4096},
        {ZMQ_SNDHWM, 4096},
    };
    void *socket = zmq_socket(vln_socket_context(), type);
    vln_assert(socket);
    for (size_t i = 0; i < VLN_COUNT(settings); i++) {
        set_int(socket, settings[i].option, settings[i].value);
    }
    int64_t frame_max = VLN_FRAME_MAX;
    vln_assert(zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &frame_max, sizeof frame_max) == 0);
    return socket;
}

void
vln_socket_close(void **socket_p)
{
    if (*socket_p) {
        zmq_close(*socket_p);
        *socket_p = NULL;
    }
}

void
vln_socket_secure_client(void *socket, const vln_keypair_t *own, const char *server_key)
{
    vln_assert(zmq_setsockopt(socket, ZMQ_CURVE_SERVERKEY, server_key, VLN_Z85_TEXT) == 0);
    vln_assert(zmq_setsockopt(socket, ZMQ_CURVE_PUBLICKEY, own->public_key, VLN_Z85_TEXT) == 0);
    vln_assert(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, VLN_Z85_TEXT) == 0);
}

vln_err_t
vln_socket_secure_server(void *socket, const vln_keypair_t *own, const char *domain)
{
    set_int(socket, ZMQ_CURVE_SERVER, 1);
    vln_assert(zmq_setsockopt(socket, ZMQ_CURVE_SECRETKEY, own->secret_key, VLN_Z85_TEXT) == 0);
    vln_assert(zmq_setsockopt(socket, ZMQ_ZAP_DOMAIN, domain, strlen(domain)) == 0);

    int enforce = 1;
    int held = 0;
    size_t size = sizeof held;
    if (zmq_setsockopt(socket, ZAP_ENFORCE_DOMAIN, &enforce, sizeof enforce) != 0 ||
        zmq_getsockopt(socket, ZAP_ENFORCE_DOMAIN, &held, &size) != 0 || held != 1) {
        return VLN_INTERNAL;
    }
    return VLN_OK;
}
