#include "vln_frame.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vln_time.h"

typedef union control {
    struct cmsghdr header; /* aligns it */
    char bytes[CMSG_SPACE(VLN_FRAME_FDS * sizeof(int))];
} control_t;

static vln_err_t
wait_for(int socket, short events, int64_t until_ms)
{
    for (;;) {
        int64_t left = until_ms - vln_mono_ms();
        if (left <= 0) {
            return VLN_DEADLINE_EXCEEDED;
        }
        struct pollfd ready = {.fd = socket, .events = events};
        int count = poll(&ready, 1, left > 60000 ? 60000 : (int)left);
        if (count > 0) {
            return VLN_OK; /* ready, or broken: the call that follows says which */
        }
        if (count < 0 && errno != EINTR) {
            return VLN_UNAVAILABLE;
        }
    }
}

/* After a call on the socket failed: VLN_OK if it is to be tried again. */
static vln_err_t
after_failure(int socket, short events, int64_t until_ms)
{
    if (errno == EINTR) {
        return VLN_OK;
    }
    if ((errno == EAGAIN || errno == EWOULDBLOCK) && until_ms != VLN_FRAME_FOREVER) {
        return wait_for(socket, events, until_ms);
    }
    return VLN_UNAVAILABLE;
}

static vln_err_t
send_all(int socket, const void *bytes, size_t size, int64_t until_ms)
{
    const uint8_t *at = bytes;
    while (size > 0) {
        ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
        if (sent > 0) {
            at += sent;
            size -= (size_t)sent;
            continue;
        }
        vln_err_t err = after_failure(socket, POLLOUT, until_ms);
        if (err != VLN_OK) {
            return err;
        }
    }
    return VLN_OK;
}

static vln_err_t
receive_all(int socket, void *bytes, size_t size, int64_t until_ms)
{
    uint8_t *at = bytes;
    while (size > 0) {
        ssize_t got = recv(socket, at, size, 0);
        if (got == 0) {
            return VLN_UNAVAILABLE;
        }
        if (got > 0) {
            at += got;
            size -= (size_t)got;
            continue;
        }
        vln_err_t err = after_failure(socket, POLLIN, until_ms);
        if (err != VLN_OK) {
            return err;
        }
    }
    return VLN_OK;
}

/* The 4 bytes of length, and the descriptors with them. */
static vln_err_t
send_head(int socket, uint8_t head[4], const int *fds, size_t fd_count, int64_t until_ms)
{
    vln_assert(fd_count <= VLN_FRAME_FDS);
    control_t control = {0};
    struct iovec part = {.iov_base = head, .iov_len = 4};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = CMSG_SPACE(fd_count * sizeof *fds)};
    struct cmsghdr *first = CMSG_FIRSTHDR(&message);
    first->cmsg_level = SOL_SOCKET;
    first->cmsg_type = SCM_RIGHTS;
    first->cmsg_len = CMSG_LEN(fd_count * sizeof *fds);
    memcpy(CMSG_DATA(first), fds, fd_count * sizeof *fds);
    for (;;) {
        ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL);
        if (sent > 0) {
            return send_all(socket, head + sent, 4 - (size_t)sent, until_ms);
        }
        vln_err_t err = after_failure(socket, POLLOUT, until_ms);
        if (err != VLN_OK) {
            return err;
        }
    }
}

static void
put_length(uint8_t head[4], size_t size)
{
    for (size_t i = 0; i < 4; i++) {
        head[i] = (uint8_t)(size >> (8 * i));
    }
}

vln_err_t
vln_frame_send(int socket, const void *bytes, size_t size, const int *fds, size_t fd_count,
               int64_t until_ms)
{
    vln_assert(size <= VLN_FRAME_MAX);
    uint8_t small[1024];
    put_length(small, size);
    if (fd_count == 0 && size + 4 <= sizeof small) { /* one call for what is short */
        memcpy(small + 4, bytes, size);
        return send_all(socket, small, size + 4, until_ms);
    }
    vln_err_t err = fd_count > 0 ? send_head(socket, small, fds, fd_count, until_ms)
                                 : send_all(socket, small, 4, until_ms);
    return err == VLN_OK ? send_all(socket, bytes, size, until_ms) : err;
}

static void
take_fds(struct msghdr *message, int *fds)
{
    for (struct cmsghdr *part = CMSG_FIRSTHDR(message); part; part = CMSG_NXTHDR(message, part)) {
        if (part->cmsg_level == SOL_SOCKET && part->cmsg_type == SCM_RIGHTS) {
            memcpy(fds, CMSG_DATA(part), part->cmsg_len - CMSG_LEN(0));
        }
    }
}

static vln_err_t
receive_head(int socket, uint8_t head[4], int *fds, int64_t until_ms)
{
    control_t control = {0};
    struct iovec part = {.iov_base = head, .iov_len = 4};
    struct msghdr message = {.msg_iov = &part,
                             .msg_iovlen = 1,
                             .msg_control = control.bytes,
                             .msg_controllen = sizeof control.bytes};
    for (;;) {
        ssize_t got = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
        if (got > 0) {
            take_fds(&message, fds);
            return receive_all(socket, head + got, 4 - (size_t)got, until_ms);
        }
        vln_err_t err = got == 0 ? VLN_UNAVAILABLE : after_failure(socket, POLLIN, until_ms);
        if (err != VLN_OK) {
            return err;
        }
    }
}

static vln_err_t
receive_message(int socket, void *bytes, size_t max, size_t *size, int *fds, int64_t until_ms)
{
    uint8_t head[4];
    vln_err_t err = fds ? receive_head(socket, head, fds, until_ms)
                        : receive_all(socket, head, sizeof head, until_ms);
    if (err != VLN_OK) {
        return err;
    }
    size_t length = 0;
    for (size_t i = 0; i < 4; i++) {
        length |= (size_t)head[i] << (8 * i);
    }
    if (length > max) {
        return VLN_INVALID_ARGUMENT;
    }
    *size = length;
    return receive_all(socket, bytes, length, until_ms);
}

vln_err_t
vln_frame_receive(int socket, void *bytes, size_t max, size_t *size, int *fds, int64_t until_ms)
{
    *size = 0;
    for (size_t i = 0; fds && i < VLN_FRAME_FDS; i++) {
        fds[i] = -1;
    }
    vln_err_t err = receive_message(socket, bytes, max, size, fds, until_ms);
    for (size_t i = 0; err != VLN_OK && fds && i < VLN_FRAME_FDS; i++) {
        if (fds[i] >= 0) {
            close(fds[i]);
            fds[i] = -1;
        }
    }
    return err;
}
