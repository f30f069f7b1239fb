#include "confine.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "vln_err.h"

/* ---- limits ---- */

/* Bytes of address space that this process has mapped; 0 if that cannot be read. */
static size_t
mapped_bytes(void)
{
    char text[64] = "";
    int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
    ssize_t size = file < 0 ? -1 : read(file, text, sizeof text - 1);
    if (file >= 0) {
        close(file);
    }
    return size > 0 ? strtoull(text, NULL, 10) * (size_t)sysconf(_SC_PAGESIZE) : 0;
}

static bool
set_limit(__rlimit_resource_t resource, rlim_t soft, rlim_t hard)
{
    struct rlimit limit = {.rlim_cur = soft, .rlim_max = hard};
    return setrlimit(resource, &limit) == 0;
}

static bool
set_limits(const confine_limits_t *limits)
{
    size_t mapped = mapped_bytes();
    rlim_t memory = mapped + limits->memory_bytes;
    struct rusage used;
    getrusage(RUSAGE_SELF, &used);
    rlim_t cpu = (rlim_t)used.ru_utime.tv_sec + (rlim_t)used.ru_stime.tv_sec + 1;
    /* The CPU limit's ceiling stays open, for the program outside that renews it for each job; what
     * is confined cannot, for it may not call setrlimit. */
    return mapped > 0 && set_limit(RLIMIT_AS, memory, memory) &&
           set_limit(RLIMIT_CPU, cpu + limits->cpu_seconds, RLIM_INFINITY) &&
           set_limit(RLIMIT_CORE, 0, 0) && set_limit(RLIMIT_FSIZE, 0, 0) &&
           set_limit(RLIMIT_NOFILE, 4, 4) && set_limit(RLIMIT_NPROC, 0, 0) &&
           set_limit(RLIMIT_MEMLOCK, 0, 0) && set_limit(RLIMIT_MSGQUEUE, 0, 0);
}

/* ---- system calls ---- */

/* What computing needs, whatever the arguments. */
static const int allowed[] = {
    SCMP_SYS(brk),          SCMP_SYS(munmap),          SCMP_SYS(mremap),
    SCMP_SYS(madvise),      SCMP_SYS(futex),           SCMP_SYS(sched_yield),
    SCMP_SYS(exit),         SCMP_SYS(exit_group),      SCMP_SYS(rt_sigreturn),
    SCMP_SYS(getpid),       SCMP_SYS(gettid),          SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_getres), SCMP_SYS(gettimeofday),    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),    SCMP_SYS(getrandom),       SCMP_SYS(sched_getaffinity),
    SCMP_SYS(getcpu),       SCMP_SYS(rt_sigprocmask),  SCMP_SYS(sysinfo),
    SCMP_SYS(getrusage),    SCMP_SYS(restart_syscall), SCMP_SYS(sigaltstack),
};

/* What libraries try in passing, such as a look for a cgroup's CPU quota, and do without. Anything
 * else is nothing that a model needs, and ends the process. */
static const int refused[] = {
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(fstat),
    SCMP_SYS(statx),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(ioctl),
    SCMP_SYS(uname),
    SCMP_SYS(prlimit64),
    SCMP_SYS(getrlimit),
    SCMP_SYS(lseek),
    SCMP_SYS(getcwd),
    SCMP_SYS(sched_setaffinity),
};

static bool
add_lists(scmp_filter_ctx filter)
{
    bool good = true;
    for (size_t i = 0; i < VLN_COUNT(allowed); i++) {
        good = good && seccomp_rule_add(filter, SCMP_ACT_ALLOW, allowed[i], 0) == 0;
    }
    for (size_t i = 0; i < VLN_COUNT(refused); i++) {
        good = good && seccomp_rule_add(filter, SCMP_ACT_ERRNO(EACCES), refused[i], 0) == 0;
    }
    return good;
}

/* A condition on an argument; `mask` is of MASKED_EQ alone. */
static struct scmp_arg_cmp
argument(unsigned index, enum scmp_compare how, uint64_t value, uint64_t mask)
{
    bool masked = how == SCMP_CMP_MASKED_EQ;
    return (struct scmp_arg_cmp){
        .arg = index, .op = how, .datum_a = masked ? mask : value, .datum_b = masked ? value : 0};
}

static bool
allow(scmp_filter_ctx filter, int call, const struct scmp_arg_cmp *conditions, unsigned count)
{
    return seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, count, conditions) == 0;
}

/* Memory, but none that can be run; texts on 1 and 2; frames on the socket, to nobody else. */
static bool
add_arguments(scmp_filter_ctx filter, int socket)
{
    const struct scmp_arg_cmp no_exec[] = {argument(2, SCMP_CMP_MASKED_EQ, 0, PROT_EXEC)};
    const struct scmp_arg_cmp to_text[] = {argument(0, SCMP_CMP_LE, 2, 0)};
    const struct scmp_arg_cmp on_socket[] = {argument(0, SCMP_CMP_EQ, (uint64_t)socket, 0),
                                             argument(4, SCMP_CMP_EQ, 0, 0)}; /* no address */
    return allow(filter, SCMP_SYS(mmap), no_exec, 1) &&
           allow(filter, SCMP_SYS(mprotect), no_exec, 1) &&
           allow(filter, SCMP_SYS(write), to_text, 1) &&
           allow(filter, SCMP_SYS(writev), to_text, 1) &&
           allow(filter, SCMP_SYS(sendto), on_socket, 2) &&
           allow(filter, SCMP_SYS(recvfrom), on_socket, 2);
}

/* abort() ends this very process by SIGABRT, after it undid what was set for that. */
static bool
add_abort(scmp_filter_ctx filter)
{
    const struct scmp_arg_cmp of_self[] = {argument(0, SCMP_CMP_EQ, (uint64_t)getpid(), 0),
                                           argument(2, SCMP_CMP_EQ, SIGABRT, 0)};
    const struct scmp_arg_cmp of_abort[] = {argument(0, SCMP_CMP_EQ, SIGABRT, 0)};
    return allow(filter, SCMP_SYS(tgkill), of_self, 2) &&
           allow(filter, SCMP_SYS(rt_sigaction), of_abort, 1);
}

static bool
set_filter(int socket)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    bool good = filter && add_lists(filter) && add_arguments(filter, socket) && add_abort(filter) &&
                seccomp_load(filter) == 0;
    seccomp_release(filter);
    return good;
}

/* ---- */

bool
confine_to_life_of(pid_t parent)
{
    return prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 && getppid() == parent;
}

bool
confine(const confine_limits_t *limits, const char **why)
{
    *why = "the limits of resources";
    if (!set_limits(limits)) {
        return false;
    }
    *why = "the bar to new privileges";
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) {
        return false;
    }
    *why = "the filter of system calls";
    return set_filter(limits->socket);
}
