/*
 * vln_socket - ZeroMQ sockets with the options that every one of ours has.
 *
 * No ZMQ_HEARTBEAT_IVL, ever: it aborts a process whose peer sends more than the high-water mark
 * while it does not read (libzmq 4.3.5 and before). Heartbeats are messages of our own.
 */
#ifndef VLN_SOCKET_H
#define VLN_SOCKET_H

#include <stdbool.h>

#include "vln_err.h"
#include "vln_keys.h"

enum {
    VLN_FRAME_MAX = 320 * 1024, /* MAXMSGSIZE: one frame */
    VLN_FRAMES_MAX = 5,         /* of a message from a client */
    VLN_HEADER_MAX = 8 * 1024,
    VLN_ENVELOPE_MAX = 4096,
    VLN_RAW_MAX = 256 * 1024,
};

/* The process' ZeroMQ context, made at the first call with our settings; thread-safe. */
void *vln_socket_context(void);

/* At the end of main, after every socket was closed. */
void vln_socket_context_end(void);

/*
 * A raw ZeroMQ socket with our limits, timeouts and keep-alive, not blocking on send or receive.
 * Never NULL: running out of sockets is like out of memory. It belongs to the calling thread; end
 * it with vln_socket_close().
 */
void *vln_socket_new(int type);
void vln_socket_close(void **socket_p);

/* CURVE. As a client of the server with this public key. */
void vln_socket_secure_client(void *socket, const vln_keypair_t *own, const char *server_key);

/*
 * As a server in this ZAP domain. ZAP fails open without a handler unless option 93 is set,
 * which czmq cannot do on Debian: it is set raw and read back; VLN_INTERNAL if it did not hold.
 */
VLN_MUST_USE vln_err_t vln_socket_secure_server(void *socket, const vln_keypair_t *own,
                                                const char *domain);

#endif
