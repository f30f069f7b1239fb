#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "vln_exchange.h"
#include "vln_frame.h"
#include "vln_log.h"
#include "vln_sandbox_inside.h"
#include "vln_time.h"

enum { CHILD_FDS = 4 };

/* ---- memory that is handed over ---- */

static bool
write_all(int file, const uint8_t *bytes, size_t size)
{
    while (size > 0) {
        ssize_t written = write(file, bytes, size);
        if (written < 0 && errno != EINTR) {
            return false;
        }
        bytes += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return true;
}

/* A file of these bytes in memory that nobody can change any more; -1 if there is none to be had. */
static int
sealed_file(const uint8_t *bytes, size_t size, const uint8_t *tail, size_t tail_size)
{
    int file = memfd_create("valion-model", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    bool good =
        file >= 0 && write_all(file, bytes, size) && write_all(file, tail, tail_size) &&
        fcntl(file, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
    if (!good && file >= 0) {
        close(file);
    }
    return good ? file : -1;
}

/* Memory for rows and predictions. Its size is sealed: were it cut by the child, we would fault. */
static int
exchange_file(uint8_t **in)
{
    size_t size = (size_t)2 * VLN_EXCHANGE_HALF;
    int file = memfd_create("valion-rows", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    *in = NULL;
    if (file < 0) {
        return -1;
    }
    bool good = ftruncate(file, (off_t)size) == 0 &&
                fcntl(file, F_ADD_SEALS, F_SEAL_GROW | F_SEAL_SHRINK | F_SEAL_SEAL) == 0;
    void *memory =
        good ? mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0) : MAP_FAILED;
    if (memory == MAP_FAILED) {
        close(file);
        return -1;
    }
    *in = memory;
    return file;
}

/* ---- a child ---- */

static void
close_fd(int *fd)
{
    if (*fd >= 0) {
        close(*fd);
        *fd = -1;
    }
}

bool
vln_sandbox_is_lost(const vln_sandbox_model_t *self)
{
    return self->pid == 0 || self->sandbox->pid == 0 || self->start != self->sandbox->starts;
}

/* Fill `fds` with the child's ends; ours go into the model. False: no more descriptors. */
static bool
make_ends(vln_sandbox_model_t *self, int fds[CHILD_FDS])
{
    int pair[2];
    int pipe_ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
        return false;
    }
    self->job = pair[0];
    fds[0] = pair[1];
    if (pipe2(pipe_ends, O_CLOEXEC) != 0) {
        return false;
    }
    self->texts = pipe_ends[0];
    fds[1] = pipe_ends[1];
    fds[3] = exchange_file(&self->in);
    self->out = self->in ? self->in + VLN_EXCHANGE_HALF : NULL;
    /* A pipe that is full drops what a library prints rather than to hold it up. */
    return fds[3] >= 0 && fcntl(self->job, F_SETFL, O_NONBLOCK) == 0 &&
           fcntl(self->texts, F_SETFL, O_NONBLOCK) == 0 && fcntl(fds[1], F_SETFL, O_NONBLOCK) == 0;
}

vln_err_t
vln_sandbox_start_child(vln_sandbox_model_t *self, const uint8_t *bytes, size_t size)
{
    int fds[CHILD_FDS] = {-1, -1, -1, -1};
    vln_sandbox_t *sandbox = self->sandbox;
    vln_err_t err = VLN_UNAVAILABLE;
    fds[2] = sealed_file(bytes, size, self->about.tail, self->about.tail_size);
    if (fds[2] < 0 || !make_ends(self, fds)) {
        vln_error("sandbox.no_memory_file", kv_str("detail", strerror(errno)));
        goto done;
    }
    /* One that died since the last job is found out here; the next one is sound. */
    for (int attempt = 0; attempt < 2 && err != VLN_OK; attempt++) {
        err = vln_sandbox_start(sandbox);
        if (err == VLN_OK) {
            err = vln_sandbox_fork(sandbox, fds, CHILD_FDS, &self->pid);
        }
    }
    self->start = sandbox->starts;
done:
    for (size_t i = 0; i < CHILD_FDS; i++) {
        close_fd(&fds[i]);
    }
    return err;
}

void
vln_sandbox_end_ends(vln_sandbox_model_t *self)
{
    close_fd(&self->job);
    close_fd(&self->texts);
    if (self->in) {
        munmap(self->in, (size_t)2 * VLN_EXCHANGE_HALF);
        self->in = self->out = NULL;
    }
}

/* Keep the last that the child printed. */
static void
hear(vln_sandbox_model_t *self)
{
    char fresh[VLN_SANDBOX_DETAIL];
    for (int i = 0; i < 16; i++) { /* 64 KiB: all that the pipe holds */
        ssize_t size = self->texts < 0 ? 0 : read(self->texts, fresh, sizeof fresh);
        if (size <= 0) {
            return;
        }
        size_t keep = sizeof self->words - (size_t)size;
        keep = keep < self->said ? keep : self->said;
        memmove(self->words, self->words + self->said - keep, keep);
        memcpy(self->words + keep, fresh, (size_t)size);
        self->said = keep + (size_t)size;
    }
}

/* ---- outcomes ---- */

void
vln_sandbox_begin(vln_sandbox_model_t *self, vln_outcome_t *outcome)
{
    *outcome = (vln_outcome_t){0};
    self->begun_us = vln_mono_us();
}

vln_err_t
vln_sandbox_end_with(vln_sandbox_model_t *self, vln_outcome_t *outcome,
                     vln_sandbox_verdict_t verdict)
{
    outcome->verdict = verdict;
    outcome->wall_us = vln_mono_us() - self->begun_us;
    hear(self);
    if (verdict == VLN_VERDICT_OK) {
        return VLN_OK;
    }
    vln_sandbox_clean(self->words, self->said, outcome->detail, sizeof outcome->detail);
    return VLN_FAILED_PRECONDITION;
}

vln_err_t
vln_sandbox_lost(vln_outcome_t *outcome)
{
    snprintf(outcome->sentence, sizeof outcome->sentence,
             "the model is not loaded any more: its sandbox ended");
    return VLN_UNAVAILABLE;
}

static const char *
signal_words(int number)
{
    switch (number) {
    case SIGSEGV:
    case SIGBUS:
        return "it read or wrote memory that is not its own";
    case SIGFPE:
        return "it divided whole numbers in a way that has no result";
    case SIGABRT:
        return "its library gave up";
    case SIGILL:
        return "it ran into code that is none";
    case SIGSYS:
        return "it called the operating system for what no model needs";
    case SIGKILL:
        return "it was killed from outside, or dropped its socket";
    default:
        return "it was ended by a signal";
    }
}

/* What a child that is no more died of. */
static vln_sandbox_verdict_t
judge_death(const vln_child_end_t *end, const char *words, vln_outcome_t *outcome)
{
    char *sentence = outcome->sentence;
    outcome->signal = end->signal;
    if (end->signal == SIGXCPU) {
        snprintf(sentence, sizeof outcome->sentence, "the model used up its CPU time");
        return VLN_VERDICT_TIME;
    }
    if (vln_sandbox_tells_of_memory(words)) {
        snprintf(sentence, sizeof outcome->sentence,
                 "the model wanted more memory than it may have");
        return VLN_VERDICT_MEMORY;
    }
    if (end->signal != 0) {
        snprintf(sentence, sizeof outcome->sentence, "the model crashed: %s (signal %d)",
                 signal_words(end->signal), end->signal);
    } else {
        snprintf(sentence, sizeof outcome->sentence,
                 "the model's library ended its process, with code %d", end->exit_code);
    }
    return VLN_VERDICT_CRASHED;
}

vln_err_t
vln_sandbox_bury(vln_sandbox_model_t *self, vln_sandbox_verdict_t verdict, vln_outcome_t *outcome)
{
    vln_child_end_t end = {0};
    if (vln_sandbox_is_lost(self)) {
        self->pid = 0;
        return vln_sandbox_lost(outcome);
    }
    vln_err_t err = vln_sandbox_reap(self->sandbox, self->pid, &end);
    self->pid = 0;
    if (err != VLN_OK) {
        return vln_sandbox_lost(outcome);
    }
    outcome->cpu_us = end.cpu_us;
    outcome->peak_kib = end.peak_kib;
    vln_err_t result = vln_sandbox_end_with(self, outcome, verdict);
    if (verdict == VLN_VERDICT_CRASHED) {
        outcome->verdict = judge_death(&end, outcome->detail, outcome);
    } else if (verdict == VLN_VERDICT_TIME) {
        outcome->signal = end.signal;
    }
    return result;
}

/* ---- asking a child ---- */

/* Each call has the whole of its CPU seconds. The child cannot raise its own limit, we can; its pid
 * is its own until it is reaped. */
void
vln_sandbox_renew_cpu(const vln_sandbox_model_t *self)
{
    clockid_t clock;
    struct timespec used;
    if (clock_getcpuclockid(self->pid, &clock) != 0 || clock_gettime(clock, &used) != 0) {
        return; /* it is dead, which the job will show */
    }
    struct rlimit limit = {
        .rlim_cur = (rlim_t)used.tv_sec + 1 + self->sandbox->config.cpu_seconds,
        .rlim_max = RLIM_INFINITY,
    };
    prlimit(self->pid, RLIMIT_CPU, &limit, NULL);
}

Valion__V1__SandboxAnswer *
vln_sandbox_ask(vln_sandbox_model_t *self, const Valion__V1__SandboxJob *job, int64_t until_ms,
                vln_outcome_t *outcome, vln_err_t *err)
{
    vln_sandbox_t *sandbox = self->sandbox;
    size_t size = valion__v1__sandbox_job__get_packed_size(job);
    vln_assert(size <= VLN_FRAME_MAX); /* its texts come from a model within its bounds */
    valion__v1__sandbox_job__pack(job, sandbox->frame);
    vln_err_t sent = vln_frame_send(self->job, sandbox->frame, size, NULL, 0, until_ms);
    if (sent == VLN_OK) {
        sent = vln_frame_receive(self->job, sandbox->frame, VLN_FRAME_MAX, &size, NULL, until_ms);
    }
    if (sent == VLN_DEADLINE_EXCEEDED) {
        snprintf(outcome->sentence, sizeof outcome->sentence,
                 "the model did not end within %lld ms",
                 (long long)((vln_mono_us() - self->begun_us) / 1000));
        *err = vln_sandbox_bury(self, VLN_VERDICT_TIME, outcome);
        return NULL;
    }
    if (sent == VLN_UNAVAILABLE) {
        *err = vln_sandbox_bury(self, VLN_VERDICT_CRASHED, outcome);
        return NULL;
    }
    Valion__V1__SandboxAnswer *answer =
        sent == VLN_OK ? valion__v1__sandbox_answer__unpack(NULL, size, sandbox->frame) : NULL;
    if (!answer) {
        snprintf(outcome->sentence, sizeof outcome->sentence,
                 "the model's process answered what it never does");
        *err = vln_sandbox_bury(self, VLN_VERDICT_PROTOCOL, outcome);
    }
    return answer;
}

vln_err_t
vln_sandbox_take_refusal(vln_sandbox_model_t *self, const Valion__V1__SandboxAnswer *answer,
                         vln_outcome_t *outcome)
{
    const char *words = answer->sentence ? answer->sentence : "";
    vln_sandbox_clean(words, strlen(words), outcome->sentence, sizeof outcome->sentence);
    if (answer->verdict == VALION__V1__SANDBOX_VERDICT__SANDBOX_VERDICT_ANSWER) {
        return vln_sandbox_end_with(self, outcome, VLN_VERDICT_ANSWER);
    }
    if (vln_sandbox_tells_of_memory(words)) {
        snprintf(outcome->sentence, sizeof outcome->sentence,
                 "the model wanted more memory than it may have");
        return vln_sandbox_bury(self, VLN_VERDICT_MEMORY, outcome);
    }
    if (answer->verdict == VALION__V1__SANDBOX_VERDICT__SANDBOX_VERDICT_REFUSED) {
        return vln_sandbox_end_with(self, outcome, VLN_VERDICT_REFUSED);
    }
    snprintf(outcome->sentence, sizeof outcome->sentence,
             "the model's process answered what it never does");
    return vln_sandbox_bury(self, VLN_VERDICT_PROTOCOL, outcome);
}
