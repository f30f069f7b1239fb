#include "vln_frame.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vln_mem.h"
#include "vln_time.h"

static int pair[2];

static void
setup(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair), 0);
}

static void
teardown(void)
{
    close(pair[0]);
    close(pair[1]);
}

TestSuite(vln_frame, .init = setup, .fini = teardown, .timeout = 20);

static int64_t
soon(void)
{
    return vln_mono_ms() + 5000;
}

Test(vln_frame, carries_messages_in_their_order)
{
    char got[64];
    size_t size = 0;
    cr_assert_eq(vln_frame_send(pair[0], "one", 3, NULL, 0, soon()), VLN_OK);
    cr_assert_eq(vln_frame_send(pair[0], "", 0, NULL, 0, soon()), VLN_OK);
    cr_assert_eq(vln_frame_receive(pair[1], got, sizeof got, &size, NULL, soon()), VLN_OK);
    cr_expect(size == 3 && memcmp(got, "one", 3) == 0);
    cr_assert_eq(vln_frame_receive(pair[1], got, sizeof got, &size, NULL, soon()), VLN_OK);
    cr_expect_eq(size, 0);
}

Test(vln_frame, carries_a_message_that_the_socket_cannot_hold_at_once)
{
    uint8_t *bytes = vln_calloc(VLN_FRAME_MAX, 1);
    uint8_t *got = vln_calloc(VLN_FRAME_MAX, 1);
    size_t size = 0;
    memset(bytes, 'x', VLN_FRAME_MAX);
    pid_t child = fork();
    if (child == 0) {
        _exit(vln_frame_send(pair[0], bytes, VLN_FRAME_MAX, NULL, 0, soon()) == VLN_OK ? 0 : 1);
    }
    cr_assert_eq(vln_frame_receive(pair[1], got, VLN_FRAME_MAX, &size, NULL, soon()), VLN_OK);
    cr_expect(size == VLN_FRAME_MAX && memcmp(bytes, got, size) == 0);
    int status = -1;
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_expect_eq(status, 0);
    free(bytes);
    free(got);
}

Test(vln_frame, hands_over_descriptors)
{
    int ends[2];
    int fds[VLN_FRAME_FDS];
    char got[8];
    size_t size = 0;
    cr_assert_eq(pipe2(ends, O_CLOEXEC), 0);
    cr_assert_eq(vln_frame_send(pair[0], "fds", 3, ends, 2, soon()), VLN_OK);
    cr_assert_eq(vln_frame_receive(pair[1], got, sizeof got, &size, fds, soon()), VLN_OK);
    cr_expect(fds[0] >= 0 && fds[1] >= 0 && fds[2] == -1);
    cr_assert_eq(write(fds[1], "!", 1), 1);
    cr_assert_eq(read(ends[0], got, 1), 1);
    cr_expect_eq(got[0], '!');
    cr_expect(fcntl(fds[0], F_GETFD) & FD_CLOEXEC);
    for (int i = 0; i < 2; i++) {
        close(ends[i]);
        close(fds[i]);
    }
}

Test(vln_frame, does_not_wait_beyond_its_deadline)
{
    char got[8];
    size_t size = 0;
    int64_t begin = vln_mono_ms();
    cr_expect_eq(vln_frame_receive(pair[1], got, sizeof got, &size, NULL, begin + 50),
                 VLN_DEADLINE_EXCEEDED);
    cr_expect(vln_mono_ms() - begin >= 50);
}

Test(vln_frame, tells_of_a_peer_that_is_gone)
{
    char got[8];
    size_t size = 0;
    close(pair[0]);
    cr_expect_eq(vln_frame_receive(pair[1], got, sizeof got, &size, NULL, soon()), VLN_UNAVAILABLE);
    cr_expect_eq(vln_frame_send(pair[1], "x", 1, NULL, 0, soon()), VLN_UNAVAILABLE);
}

Test(vln_frame, refuses_a_message_longer_than_there_is_room)
{
    char got[8];
    size_t size = 0;
    cr_assert_eq(write(pair[0], "\377\377\377\377", 4), 4);
    cr_expect_eq(vln_frame_receive(pair[1], got, sizeof got, &size, NULL, soon()),
                 VLN_INVALID_ARGUMENT);
}
