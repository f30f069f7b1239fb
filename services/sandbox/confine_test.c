/*
 * What foreign code may do once it is confined. Each case runs in a child of its own that confines
 * itself exactly as valion-sandbox's children do, then tries.
 */
#include "confine.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SOCKET = 3, COULD = 42, COULD_NOT = 43, NOT_CONFINED = 44, MEMORY = 256 * 1024 * 1024 };

typedef void attempt_fn(void);

TestSuite(confine, .timeout = 30);

/* Only async-signal-safe things in here: it is the child of a program under a sanitizer. */
static void
child(attempt_fn *attempt, int socket)
{
    const char *why = NULL;
    confine_limits_t limits = {.memory_bytes = MEMORY, .cpu_seconds = 1, .socket = SOCKET};
    for (int number = 1; number < NSIG; number++) {
        signal(number, SIG_DFL);
    }
    if (dup2(socket, SOCKET) != SOCKET || close_range(SOCKET + 1, ~0U, 0) != 0 ||
        !confine_to_life_of(getppid()) || !confine(&limits, &why)) {
        _exit(NOT_CONFINED);
    }
    attempt();
    _exit(COULD);
}

/* How the attempt ended, as waitpid says. */
static int
status_of(attempt_fn *attempt)
{
    int pair[2];
    int status = 0;
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    pid_t pid = fork();
    cr_assert_geq(pid, 0);
    if (pid == 0) {
        child(attempt, pair[1]);
    }
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    close(pair[0]);
    close(pair[1]);
    return status;
}

static void
expect_exit(attempt_fn *attempt, int code)
{
    int status = status_of(attempt);
    cr_expect(WIFEXITED(status) && WEXITSTATUS(status) == code, "status %#x", (unsigned)status);
}

static void
expect_signal(attempt_fn *attempt, int number)
{
    int status = status_of(attempt);
    cr_expect(WIFSIGNALED(status) && WTERMSIG(status) == number, "status %#x", (unsigned)status);
}

/* ---- what it may do ---- */

static void
compute(void)
{
    volatile double sum = 0;
    for (int i = 1; i < 1000; i++) {
        sum += 1.0 / i;
    }
    void *memory = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED || munmap(memory, 1 << 20) != 0 || sum < 7) {
        _exit(COULD_NOT);
    }
}

Test(confine, leaves_computing_and_memory)
{
    expect_exit(compute, COULD);
}

static void
speak(void)
{
    if (send(SOCKET, "x", 1, MSG_NOSIGNAL) != 1) {
        _exit(COULD_NOT);
    }
}

Test(confine, leaves_the_one_socket)
{
    expect_exit(speak, COULD);
}

/* ---- files ---- */

static void
read_a_file(void)
{
    if (open("/etc/passwd", O_RDONLY) < 0) {
        _exit(errno == EACCES ? COULD_NOT : NOT_CONFINED);
    }
}

static void
write_a_file(void)
{
    if (open("/tmp/valion-escaped", O_WRONLY | O_CREAT, 0600) < 0) {
        _exit(errno == EACCES ? COULD_NOT : NOT_CONFINED);
    }
}

static void
read_by_another_door(void)
{
    struct {
        uint64_t flags, mode, resolve;
    } how = {0};
    syscall(SYS_openat2, AT_FDCWD, "/etc/passwd", &how, sizeof how);
}

static void
remove_a_file(void)
{
    unlink("/etc/passwd");
}

static void
make_a_memory_file(void)
{
    memfd_create("x", 0);
}

Test(confine, takes_files)
{
    expect_exit(read_a_file, COULD_NOT);
    expect_exit(write_a_file, COULD_NOT);
    expect_signal(read_by_another_door, SIGSYS);
    expect_signal(remove_a_file, SIGSYS);
    expect_signal(make_a_memory_file, SIGSYS);
}

/* ---- network ---- */

static void
make_a_socket(void)
{
    socket(AF_INET, SOCK_STREAM, 0);
}

static void
send_to_somebody(void)
{
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = 53};
    sendto(SOCKET, "x", 1, 0, (const struct sockaddr *)&to, sizeof to);
}

static void
pass_a_descriptor(void)
{
    struct msghdr message = {0};
    sendmsg(SOCKET, &message, 0);
}

static void
make_a_ring(void)
{
    syscall(SYS_io_uring_setup, 8, NULL);
}

Test(confine, takes_the_network)
{
    expect_signal(make_a_socket, SIGSYS);
    expect_signal(send_to_somebody, SIGSYS);
    expect_signal(pass_a_descriptor, SIGSYS);
    expect_signal(make_a_ring, SIGSYS);
}

/* ---- processes ---- */

static void
bomb(void)
{
    while (syscall(SYS_fork) >= 0) {
    }
    _exit(COULD_NOT);
}

static void
clone_a_thread(void)
{
    syscall(SYS_clone, 0x10f00, NULL, NULL, NULL, NULL);
}

static void
clone_by_another_door(void)
{
    syscall(SYS_clone3, NULL, 0);
}

static void
run_a_program(void)
{
    char *const none[] = {NULL};
    execve("/bin/true", none, none);
}

static void
kill_the_parent(void)
{
    kill(getppid(), SIGTERM);
}

static void
end_a_thread_of_another(void)
{
    syscall(SYS_tgkill, 1, 1, SIGABRT);
}

static void
look_into_another(void)
{
    ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static void
read_of_another(void)
{
    syscall(SYS_process_vm_readv, 1, NULL, 0, NULL, 0, 0);
}

Test(confine, takes_processes)
{
    expect_signal(bomb, SIGSYS);
    expect_signal(clone_a_thread, SIGSYS);
    expect_signal(clone_by_another_door, SIGSYS);
    expect_signal(run_a_program, SIGSYS);
    expect_signal(kill_the_parent, SIGSYS);
    expect_signal(end_a_thread_of_another, SIGSYS);
    expect_signal(look_into_another, SIGSYS);
    expect_signal(read_of_another, SIGSYS);
}

static void
give_up(void)
{
    abort();
}

Test(confine, lets_a_fault_be_seen_as_what_it_is)
{
    expect_signal(give_up, SIGABRT);
}

/* ---- memory ---- */

static void
eat_memory(void)
{
    for (size_t taken = 0; taken < (size_t)2 * MEMORY; taken += 1 << 20) {
        void *more =
            mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (more == MAP_FAILED) {
            _exit(taken > MEMORY / 2 ? COULD_NOT : NOT_CONFINED);
        }
        memset(more, 1, 1 << 20);
    }
}

static void
run_memory(void)
{
    mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void
make_memory_run(void)
{
    void *memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    mprotect(memory, 4096, PROT_READ | PROT_EXEC);
}

Test(confine, bounds_memory_and_runs_none_of_it)
{
    expect_exit(eat_memory, COULD_NOT);
    expect_signal(run_memory, SIGSYS);
    expect_signal(make_memory_run, SIGSYS);
}

/* ---- time ---- */

static void
loop(void)
{
    for (volatile unsigned i = 0;; i++) {
    }
}

static void
loop_deaf(void)
{
    signal(SIGXCPU, SIG_IGN);
    loop();
}

static void
raise_own_limit(void)
{
    struct rlimit more = {.rlim_cur = RLIM_INFINITY, .rlim_max = RLIM_INFINITY};
    if (setrlimit(RLIMIT_CPU, &more) != 0) {
        _exit(errno == EACCES ? COULD_NOT : NOT_CONFINED);
    }
}

Test(confine, bounds_cpu_time)
{
    expect_signal(loop, SIGXCPU);
    expect_signal(loop_deaf, SIGSYS);
    expect_exit(raise_own_limit, COULD_NOT);
}

/* ---- life ---- */

/* A parent that ends while its confined child loops: the child's end of the pipe closes with it. */
Test(confine, ends_with_its_parent)
{
    int ends[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t parent = fork();
    if (parent == 0) {
        pid_t self = getpid();
        int told[2];
        char ready;
        if (pipe(told) != 0) {
            _exit(NOT_CONFINED);
        }
        if (fork() == 0) {
            bool bound = confine_to_life_of(self);
            if (!bound || write(told[1], "!", 1) != 1) {
                _exit(NOT_CONFINED);
            }
            loop();
        }
        _exit(read(told[0], &ready, 1) == 1 ? 0 : NOT_CONFINED);
    }
    int status = 0;
    char byte;
    close(ends[1]);
    cr_assert_eq(waitpid(parent, &status, 0), parent);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    struct pollfd end = {.fd = ends[0], .events = POLLIN};
    cr_assert_eq(poll(&end, 1, 10000), 1);
    cr_expect_eq(read(ends[0], &byte, 1), 0);
    close(ends[0]);
}
