/*
 * valion-sandbox: loads the libraries that run models, once; then forks a confined child for each
 * order of the program that started it. It never looks at a byte of a model itself, waits for
 * nothing but orders, and ends when its socket does; its children end with it.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valion/v1/sandbox.pb-c.h>

#include "vln_frame.h"

#include "child.h"

enum { ORDER_FD = 3, ORDER_MAX = 4096, ORDER_FDS = 4 };

/* ---- start ---- */

/* Libraries greet on stderr when they are loaded, about what nobody can change. */
static int
hush(void)
{
    fflush(stderr);
    int kept = dup(STDERR_FILENO);
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (nothing >= 0) {
        dup2(nothing, STDERR_FILENO);
        close(nothing);
    }
    return kept;
}

static void
speak(int kept)
{
    fflush(stderr);
    if (kept >= 0) {
        dup2(kept, STDERR_FILENO);
        close(kept);
    }
}

static bool
start_engines(child_engines_t *engines, char *sentence)
{
    engines->engine[0] = &engine_xgboost;
    engines->engine[1] = &engine_onnx;
    for (size_t i = 0; i < CHILD_ENGINES; i++) {
        engines->state[i] = engines->engine[i]->start(sentence);
        if (!engines->state[i]) {
            return false;
        }
    }
    return true;
}

/* A fork takes the calling thread alone: what another one holds stays locked in the child. */
static size_t
count_threads(void)
{
    DIR *folder = opendir("/proc/self/task");
    size_t count = 0;
    for (struct dirent *entry = folder ? readdir(folder) : NULL; entry; entry = readdir(folder)) {
        count += entry->d_name[0] != '.' ? 1 : 0;
    }
    if (folder) {
        closedir(folder);
    }
    return count;
}

static bool
start(child_engines_t *engines, char *sentence)
{
    int kept = hush();
    bool good = start_engines(engines, sentence);
    speak(kept);
    if (good && count_threads() != 1) {
        snprintf(sentence, ENGINE_SENTENCE, "a library started threads, so no child can be forked");
        return false;
    }
    return good;
}

/* ---- orders ---- */

static bool
reply(const Valion__V1__SandboxReply *reply)
{
    uint8_t bytes[ORDER_MAX];
    size_t size = valion__v1__sandbox_reply__get_packed_size(reply);
    if (size > sizeof bytes) {
        return false;
    }
    valion__v1__sandbox_reply__pack(reply, bytes);
    return vln_frame_send(ORDER_FD, bytes, size, NULL, 0, VLN_FRAME_FOREVER) == VLN_OK;
}

static bool
refuse(const char *text)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%s", text);
    Valion__V1__SandboxReply answer = VALION__V1__SANDBOX_REPLY__INIT;
    answer.refusal = copy;
    return reply(&answer);
}

static bool
order_start(const child_engines_t *engines, const Valion__V1__SandboxOrder *order, const int *fds)
{
    for (size_t i = 0; i < ORDER_FDS; i++) {
        if (fds[i] < 0) {
            return refuse("descriptors are missing");
        }
    }
    child_order_t start = {
        .fds = {.job = fds[0], .texts = fds[1], .model = fds[2], .exchange = fds[3]},
        .memory_bytes = order->memory_bytes,
        .cpu_seconds = order->cpu_seconds,
        .parent = getpid(),
    };
    pid_t pid = fork();
    if (pid == 0) {
        child_live(engines, &start);
    }
    if (pid < 0) {
        return refuse(strerror(errno));
    }
    Valion__V1__SandboxReply answer = VALION__V1__SANDBOX_REPLY__INIT;
    answer.has_pid = true;
    answer.pid = pid;
    return reply(&answer);
}

/* A child that ended by itself is a zombie until here, so its number is nobody else's. */
static bool
order_end(const Valion__V1__SandboxOrder *order)
{
    int status = 0;
    struct rusage used = {0};
    if (order->pid <= 1) {
        return refuse("that is no child");
    }
    kill(order->pid, SIGKILL);
    if (wait4(order->pid, &status, 0, &used) != order->pid) {
        return refuse("that is no child");
    }
    Valion__V1__SandboxReply answer = VALION__V1__SANDBOX_REPLY__INIT;
    answer.has_exit_code = WIFEXITED(status);
    answer.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 0;
    answer.has_signal = WIFSIGNALED(status);
    answer.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    answer.has_cpu_us = true;
    answer.cpu_us = (int64_t)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) * 1000000 +
                    used.ru_utime.tv_usec + used.ru_stime.tv_usec;
    answer.has_peak_kib = true;
    answer.peak_kib = used.ru_maxrss;
    return reply(&answer);
}

static bool
obey(const child_engines_t *engines, const uint8_t *bytes, size_t size, const int *fds)
{
    Valion__V1__SandboxOrder *order = valion__v1__sandbox_order__unpack(NULL, size, bytes);
    bool good = false;
    if (order && order->kind == VALION__V1__SANDBOX_ORDER_KIND__SANDBOX_ORDER_KIND_START) {
        good = order_start(engines, order, fds);
    } else if (order && order->kind == VALION__V1__SANDBOX_ORDER_KIND__SANDBOX_ORDER_KIND_END) {
        good = order_end(order);
    }
    valion__v1__sandbox_order__free_unpacked(order, NULL);
    return good;
}

static void
serve(const child_engines_t *engines)
{
    uint8_t bytes[ORDER_MAX];
    size_t size = 0;
    int fds[VLN_FRAME_FDS];
    bool good = true;
    while (good && vln_frame_receive(ORDER_FD, bytes, sizeof bytes, &size, fds,
                                     VLN_FRAME_FOREVER) == VLN_OK) {
        good = obey(engines, bytes, size, fds);
        for (size_t i = 0; i < VLN_FRAME_FDS; i++) {
            if (fds[i] >= 0) {
                close(fds[i]);
            }
        }
    }
}

static bool
greet(const child_engines_t *engines)
{
    char versions[CHILD_ENGINES][64];
    for (size_t i = 0; i < CHILD_ENGINES; i++) {
        snprintf(versions[i], sizeof versions[i], "%s",
                 engines->engine[i]->version(engines->state[i]));
    }
    Valion__V1__SandboxReply answer = VALION__V1__SANDBOX_REPLY__INIT;
    answer.xgboost = versions[0];
    answer.onnxruntime = versions[1];
    return reply(&answer);
}

static bool
was_spawned(void)
{
    struct stat about;
    return fstat(ORDER_FD, &about) == 0 && S_ISSOCK(about.st_mode);
}

int
main(int argc, char **argv)
{
    bool asked = argc > 1 && strcmp(argv[1], "--help") == 0;
    if (argc > 1 || !was_spawned()) {
        fprintf(asked ? stdout : stderr,
                "valion-sandbox runs models in confined processes. Valion's programs start it by "
                "themselves;\nit takes no options and does nothing when started by hand.\n");
        return asked ? 0 : 2;
    }
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    setrlimit(RLIMIT_CORE, &(struct rlimit){0});
    child_engines_t engines = {0};
    char sentence[ENGINE_SENTENCE] = "";
    if (!start(&engines, sentence)) {
        refuse(sentence);
        _exit(1);
    }
    if (greet(&engines)) {
        serve(&engines);
    }
    _exit(0); /* the libraries' own tidying up is of no use to anybody */
}
