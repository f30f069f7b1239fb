/*
 * vln_frame - messages over a stream socket between two processes: 4 bytes of length, little-endian,
 * then the bytes; with the first of them, descriptors may travel. Any thread; a socket has one
 * reader and one writer.
 */
#ifndef VLN_FRAME_H
#define VLN_FRAME_H

#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"

enum {
    VLN_FRAME_MAX = 1024 * 1024, /* bytes of a message */
    VLN_FRAME_FDS = 8,           /* descriptors that come with one */
    VLN_FRAME_FOREVER = -1,      /* a deadline that never comes */
};

/*
 * Send one message. `until_ms` is of vln_mono_ms; the socket is non-blocking unless it is
 * VLN_FRAME_FOREVER. `fds` are borrowed. VLN_DEADLINE_EXCEEDED; VLN_UNAVAILABLE if the peer is gone;
 * the stream is then of no more use.
 */
VLN_MUST_USE vln_err_t vln_frame_send(int socket, const void *bytes, size_t size, const int *fds,
                                      size_t fd_count, int64_t until_ms);

/*
 * Receive one message into `bytes`, which holds `max`. Likewise, and VLN_INVALID_ARGUMENT if the
 * message is longer. Descriptors, which are yours, fill `fds` (of VLN_FRAME_FDS, -1 where none);
 * with `fds` NULL none are taken.
 */
VLN_MUST_USE vln_err_t vln_frame_receive(int socket, void *bytes, size_t max, size_t *size,
                                         int *fds, int64_t until_ms);

#endif
