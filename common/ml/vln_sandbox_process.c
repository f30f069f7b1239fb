#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <valion/v1/sandbox.pb-c.h>

#include "vln_frame.h"
#include "vln_log.h"
#include "vln_sandbox_inside.h"
#include "vln_text.h"
#include "vln_time.h"

enum {
    START_MS = 20000, /* to load the libraries, on a busy machine */
    ORDER_MS = 5000,  /* to fork or reap: milliseconds, unless the machine swaps */
    SANDBOX_FD = 3,
    ORDER_MAX = 256,
};

/* ---- starting ---- */

static vln_err_t
failed(const char *what, int error)
{
    vln_error("sandbox.start_failed", kv_str("what", what), kv_str("detail", strerror(error)));
    return VLN_UNAVAILABLE;
}

/* The sandbox gets one socket, the three standard descriptors and next to no environment: nothing
 * of the secrets that this process may hold. */
static int
spawn(const char *program, int socket, pid_t *pid)
{
    static const char *const environment[] = {"LC_ALL=C.UTF-8",     "OMP_NUM_THREADS=1",
                                              "MALLOC_ARENA_MAX=1", "ORT_DISABLE_TELEMETRY=1",
                                              "PATH=/usr/bin:/bin", NULL};
    const char *const arguments[] = {program, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    posix_spawn_file_actions_init(&actions);
    posix_spawnattr_init(&attributes);
    posix_spawn_file_actions_adddup2(&actions, socket, SANDBOX_FD);
    posix_spawn_file_actions_addclosefrom_np(&actions, SANDBOX_FD + 1);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &all);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    int error =
        posix_spawn(pid, program, &actions, &attributes, (char *const *)(uintptr_t)arguments,
                    (char *const *)(uintptr_t)environment);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return error;
}

static vln_err_t
start_process(vln_sandbox_t *self)
{
    int pair[2];
    pid_t pid = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return failed("socketpair", errno);
    }
    int error =
        fcntl(pair[0], F_SETFL, O_NONBLOCK) == 0 ? spawn(self->program, pair[1], &pid) : errno;
    close(pair[1]);
    if (error != 0) {
        close(pair[0]);
        return failed(self->program, error);
    }
    self->pid = pid;
    self->orders = pair[0];
    self->starts++;
    return VLN_OK;
}

static Valion__V1__SandboxReply *
receive_reply(vln_sandbox_t *self, int64_t timeout_ms)
{
    size_t size = 0;
    vln_err_t err = vln_frame_receive(self->orders, self->frame, VLN_FRAME_MAX, &size, NULL,
                                      vln_mono_ms() + timeout_ms);
    return err == VLN_OK ? valion__v1__sandbox_reply__unpack(NULL, size, self->frame) : NULL;
}

static vln_err_t
take_greeting(vln_sandbox_t *self)
{
    Valion__V1__SandboxReply *reply = receive_reply(self, START_MS);
    vln_err_t err = reply && !reply->refusal ? VLN_OK : VLN_UNAVAILABLE;
    if (err == VLN_OK) {
        vln_text_copy(self->xgboost, sizeof self->xgboost, reply->xgboost);
        vln_text_copy(self->onnxruntime, sizeof self->onnxruntime, reply->onnxruntime);
    } else {
        vln_error("sandbox.start_failed", kv_str("what", "valion-sandbox"),
                  kv_str("detail", reply ? reply->refusal : "it ended, or said nothing in time"));
    }
    valion__v1__sandbox_reply__free_unpacked(reply, NULL);
    return err;
}

vln_err_t
vln_sandbox_start(vln_sandbox_t *self)
{
    if (self->pid != 0) {
        return VLN_OK;
    }
    vln_err_t err = start_process(self);
    if (err == VLN_OK) {
        err = take_greeting(self);
    }
    if (err != VLN_OK) {
        vln_sandbox_stop(self);
        return err;
    }
    vln_debug("sandbox.started", kv_i64("pid", self->pid), kv_str("xgboost", self->xgboost),
              kv_str("onnxruntime", self->onnxruntime));
    return VLN_OK;
}

void
vln_sandbox_stop(vln_sandbox_t *self)
{
    if (self->orders >= 0) {
        close(self->orders);
        self->orders = -1;
    }
    if (self->pid != 0) {
        kill(self->pid, SIGKILL); /* it holds nothing that wants tidying up */
        while (waitpid(self->pid, NULL, 0) < 0 && errno == EINTR) {
        }
        self->pid = 0;
    }
}

/* ---- orders ---- */

/* Send an order and take its reply, or end the sandbox: one that does not answer is of no use. */
static Valion__V1__SandboxReply *
ask(vln_sandbox_t *self, const Valion__V1__SandboxOrder *order, const int *fds, size_t fd_count)
{
    uint8_t bytes[ORDER_MAX];
    size_t size = valion__v1__sandbox_order__pack(order, bytes); /* numbers alone: below 64 bytes */
    Valion__V1__SandboxReply *reply = NULL;
    if (self->pid != 0 && vln_frame_send(self->orders, bytes, size, fds, fd_count,
                                         vln_mono_ms() + ORDER_MS) == VLN_OK) {
        reply = receive_reply(self, ORDER_MS);
    }
    if (reply && !reply->refusal) {
        return reply;
    }
    vln_warn("sandbox.lost", kv_i64("pid", self->pid),
             kv_str("detail", reply ? reply->refusal : "it ended, or said nothing in time"));
    valion__v1__sandbox_reply__free_unpacked(reply, NULL);
    vln_sandbox_stop(self);
    return NULL;
}

vln_err_t
vln_sandbox_fork(vln_sandbox_t *self, const int *fds, size_t fd_count, int *pid)
{
    Valion__V1__SandboxOrder order = VALION__V1__SANDBOX_ORDER__INIT;
    order.has_kind = true;
    order.kind = VALION__V1__SANDBOX_ORDER_KIND__SANDBOX_ORDER_KIND_START;
    order.has_memory_bytes = true;
    order.memory_bytes = self->config.memory_bytes;
    order.has_cpu_seconds = true;
    order.cpu_seconds = self->config.cpu_seconds;
    Valion__V1__SandboxReply *reply = ask(self, &order, fds, fd_count);
    if (!reply) {
        return VLN_UNAVAILABLE;
    }
    *pid = reply->pid;
    valion__v1__sandbox_reply__free_unpacked(reply, NULL);
    return VLN_OK;
}

vln_err_t
vln_sandbox_reap(vln_sandbox_t *self, int pid, vln_child_end_t *out)
{
    *out = (vln_child_end_t){0};
    Valion__V1__SandboxOrder order = VALION__V1__SANDBOX_ORDER__INIT;
    order.has_kind = true;
    order.kind = VALION__V1__SANDBOX_ORDER_KIND__SANDBOX_ORDER_KIND_END;
    order.has_pid = true;
    order.pid = pid;
    Valion__V1__SandboxReply *reply = ask(self, &order, NULL, 0);
    if (!reply) {
        return VLN_UNAVAILABLE;
    }
    *out = (vln_child_end_t){.signal = reply->signal,
                             .exit_code = reply->exit_code,
                             .cpu_us = reply->cpu_us,
                             .peak_kib = reply->peak_kib};
    valion__v1__sandbox_reply__free_unpacked(reply, NULL);
    return VLN_OK;
}

/* ---- words ---- */

bool
vln_sandbox_tells_of_memory(const char *words)
{
    static const char *const signs[] = {"bad_alloc", "allocate memory", "out of memory",
                                        "out-of-memory", "allocation-size-too-big"};
    for (size_t i = 0; i < VLN_COUNT(signs); i++) {
        if (strstr(words, signs[i])) {
            return true;
        }
    }
    return false;
}

/* True for a word that only the library's authors can use: "[12:00:00]", "/build/x/src/y.cc:42". */
static bool
is_noise(const char *word, size_t size)
{
    char copy[256];
    snprintf(copy, sizeof copy, "%.*s", (int)(size < sizeof copy ? size : sizeof copy - 1), word);
    bool is_time = size == 10 && copy[0] == '[' && copy[3] == ':' && copy[9] == ']';
    bool is_path =
        strchr(copy, '/') && (strstr(copy, ".cc:") || strstr(copy, ".h:") ||
                              strstr(copy, ".cpp:") || strstr(copy, ".cc") || strstr(copy, ".hpp"));
    return is_time || is_path;
}

/* Past the brackets that open at `at`, or `end` if they do not close. */
static const char *
skip_brackets(const char *at, const char *end, char open, char close)
{
    for (int depth = 0; at < end; at++) {
        depth += *at == open ? 1 : *at == close ? -1 : 0;
        if (depth == 0) {
            return at + 1;
        }
    }
    return end;
}

/* After the path of a source file ONNX Runtime puts the whole signature of the function: past it, or
 * `at` if there is none. */
static const char *
skip_signature(const char *at, const char *end)
{
    static const char constant[] = " const";
    const char *open = memchr(at, '(', (size_t)(end - at));
    if (!open || !memmem(at, (size_t)(open - at), "::", 2)) {
        return at;
    }
    at = skip_brackets(open, end, '(', ')');
    if ((size_t)(end - at) > sizeof constant && memcmp(at, constant, sizeof constant - 1) == 0) {
        at += sizeof constant - 1;
    }
    return end - at > 2 && at[0] == ' ' && at[1] == '[' ? skip_brackets(at + 1, end, '[', ']') : at;
}

/* Past a terminal's colours. */
static const char *
skip_colour(const char *at, const char *end)
{
    at++;
    while (at < end && !(*at >= 'A' && *at <= 'Z') && !(*at >= 'a' && *at <= 'z') && *at > ' ') {
        at++;
    }
    return at < end ? at + 1 : end;
}

static size_t
utf8_size(const char *at, size_t left)
{
    for (size_t size = 1; size <= 4 && size <= left; size++) {
        if (vln_text_is_utf8(at, size)) {
            return size;
        }
    }
    return 0;
}

static bool
is_blank(char c)
{
    return (unsigned char)c <= ' ' || c == 0x7f;
}

/* One word into `out`, with "?" for each byte that is no UTF-8. */
static size_t
copy_word(const char *word, size_t size, char *out, size_t room)
{
    size_t used = 0;
    for (size_t at = 0; at < size;) {
        size_t step = utf8_size(word + at, size - at);
        size_t taken = step > 0 ? step : 1;
        if (used + taken > room) {
            break;
        }
        memcpy(out + used, step > 0 ? word + at : "?", taken);
        used += taken;
        at += taken;
    }
    return used;
}

void
vln_sandbox_clean(const char *words, size_t size, char *out, size_t out_size)
{
    static const char trace[] = "Stack trace:";
    const char *cut = memmem(words, size, trace, sizeof trace - 1);
    const char *end = cut ? cut : words + size;
    size_t used = 0;
    while (words < end) {
        const char *word = words;
        while (words < end && !is_blank(*words)) {
            words++;
        }
        size_t length = (size_t)(words - word);
        if (is_noise(word, length)) {
            words = skip_signature(words, end);
        } else if (length > 0 && used + 2 < out_size) {
            out[used] = ' ';
            used += used > 0 ? 1 : 0;
            used += copy_word(word, length, out + used, out_size - 1 - used);
        }
        words = words < end && *words == '\x1b' ? skip_colour(words, end) : words + 1;
    }
    out[used] = '\0';
}
