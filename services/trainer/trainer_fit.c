#include "trainer_fit.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_text.h"
#include "vln_time.h"

#include "fit/fit_job.h"

enum { LOOK_MS = 100 };

#define MODEL_MAX_BYTES ((uint64_t)512 * 1024 * 1024)

void
trainer_numbers_end(trainer_numbers_t *self)
{
    free(self->cells);
    free(self->labels);
    free(self->weights);
    *self = (trainer_numbers_t){0};
}

void
trainer_fitted_end(trainer_fitted_t *self)
{
    vln_bytes_end(&self->model);
    free(self->importance);
    *self = (trainer_fitted_t){0};
}

/* ---- the job's memory ---- */

static uint64_t
align(uint64_t size)
{
    return (size + FIT_ALIGN - 1) / FIT_ALIGN * FIT_ALIGN;
}

static uint64_t
count_text(const trainer_fit_t *fit)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < fit->recipe->count; i++) {
        bytes += strlen(fit->recipe->parameters[i].name) + 1;
        bytes += strlen(fit->recipe->parameters[i].value) + 1;
    }
    for (size_t i = 0; i < fit->columns; i++) {
        bytes += strlen(fit->names[i]) + 1;
    }
    return bytes;
}

static fit_job_t
make_job(const trainer_config_t *config, const trainer_fit_t *fit)
{
    fit_job_t job = {.magic = FIT_MAGIC,
                     .columns = fit->columns,
                     .train_rows = fit->train->rows,
                     .held_rows = fit->held ? fit->held->rows : 0,
                     .text_bytes = count_text(fit),
                     .parameters = (uint32_t)fit->recipe->count,
                     .rounds = fit->recipe->rounds,
                     .stop_after = fit->held ? fit->stop_after : 0,
                     .weighted = fit->train->weights != NULL,
                     .cpu_seconds = (uint32_t)(fit->max_ms / 1000 + 1) * 2,
                     .memory_bytes = (uint64_t)config->memory_mib * 1024 * 1024};
    vln_text_copy(job.metric, sizeof job.metric, fit->recipe->metric);
    return job;
}

static char *
write_text(const trainer_fit_t *fit, char *at)
{
    for (size_t i = 0; i < fit->recipe->count; i++) {
        const recipe_parameter_t *parameter = &fit->recipe->parameters[i];
        at = stpcpy(stpcpy(stpcpy(at, parameter->name), "="), parameter->value) + 1;
    }
    for (size_t i = 0; i < fit->columns; i++) {
        at = stpcpy(at, fit->names[i]) + 1;
    }
    return at;
}

static float *
write_floats(float *at, const float *values, size_t count)
{
    memcpy(at, values, count * sizeof *values);
    return at + count;
}

static void
write_numbers(const trainer_fit_t *fit, float *at)
{
    const trainer_numbers_t *train = fit->train;
    at = write_floats(at, train->cells, train->rows * fit->columns);
    at = write_floats(at, train->labels, train->rows);
    if (train->weights) {
        at = write_floats(at, train->weights, train->rows);
    }
    if (fit->held) {
        at = write_floats(at, fit->held->cells, fit->held->rows * fit->columns);
        write_floats(at, fit->held->labels, fit->held->rows);
    }
}

/* -1 if there is no memory for it. */
static int
write_job(const trainer_config_t *config, const trainer_fit_t *fit)
{
    fit_job_t job = make_job(config, fit);
    uint64_t start = align(sizeof job + job.text_bytes);
    uint64_t cells =
        (job.train_rows + job.held_rows) * (job.columns + 1) + (job.weighted ? job.train_rows : 0);
    uint64_t size = start + cells * sizeof(float);
    int fd = memfd_create("valion-fit-in", MFD_CLOEXEC);
    void *memory = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)size) == 0) {
        memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    }
    if (memory == MAP_FAILED) {
        if (fd >= 0) {
            close(fd);
        }
        return -1;
    }
    memcpy(memory, &job, sizeof job);
    write_text(fit, (char *)memory + sizeof job);
    write_numbers(fit, (float *)(void *)((char *)memory + start));
    munmap(memory, size);
    return fd;
}

/* ---- the process ---- */

static void
find_program(const char *given, char *out, size_t size)
{
    char self[4096] = "";
    ssize_t len = readlink("/proc/self/exe", self, sizeof self - 1);
    char *slash = len > 0 ? strrchr(self, '/') : NULL;
    if (given) {
        vln_text_copy(out, size, given);
    } else if (slash) {
        snprintf(out, size, "%.*s/valion-fit", (int)(slash - self), self);
    } else {
        vln_text_copy(out, size, "valion-fit");
    }
}

/* The descriptors are shifted up first, so that neither is overwritten by the other's place. */
static pid_t
start(const trainer_config_t *config, int in, int out)
{
    char program[4200];
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    find_program(config->fit, program, sizeof program);
    int high_in = fcntl(in, F_DUPFD_CLOEXEC, 64);
    int high_out = fcntl(out, F_DUPFD_CLOEXEC, 64);
    char *argv[] = {program, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, high_in, FIT_IN);
    posix_spawn_file_actions_adddup2(&actions, high_out, FIT_OUT);
    posix_spawn_file_actions_addclosefrom_np(&actions, FIT_OUT + 1);
    posix_spawnattr_t attributes;
    sigset_t none;
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawn(&pid, program, &actions, &attributes, argv, environ);
    if (failed != 0) {
        vln_error("fit.start_failed", kv_str("program", program), kv_str("why", strerror(failed)));
    }
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(high_in);
    close(high_out);
    return failed == 0 ? pid : -1;
}

typedef enum ending { ENDED, ENDED_BY_CLOCK, ENDED_FOR_NO_USE } ending_t;

/* Until the process has ended, by itself or by us; it has been waited for. */
static ending_t
await(pid_t pid, const vln_task_t *task, int64_t max_ms, int *status)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int64_t until_ms = vln_mono_ms() + max_ms;
    ending_t ending = ENDED;
    for (;;) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        if (fd < 0 || poll(&item, 1, LOOK_MS) > 0) {
            break;
        }
        if (vln_task_is_stopped(task) || vln_mono_ms() > until_ms) {
            ending = vln_task_is_stopped(task) ? ENDED_FOR_NO_USE : ENDED_BY_CLOCK;
            kill(pid, SIGKILL);
            break;
        }
    }
    while (waitpid(pid, status, 0) < 0 && errno == EINTR) {
        /* again */
    }
    if (fd >= 0) {
        close(fd);
    }
    return ending;
}

/* ---- the result's memory ---- */

/* False if the process left no result that makes sense. */
static bool
read_result(int fd, const trainer_fit_t *fit, trainer_fitted_t *out, fit_result_t *result)
{
    struct stat about;
    ssize_t got = pread(fd, result, sizeof *result, 0);
    if (got != (ssize_t)sizeof *result || result->magic != FIT_MAGIC || fstat(fd, &about) != 0) {
        *result = (fit_result_t){0};
        return false;
    }
    result->sentence[sizeof result->sentence - 1] = '\0';
    uint64_t importance = fit->columns * sizeof(double);
    uint64_t wanted = sizeof *result + result->model_bytes + importance;
    if (result->model_bytes == 0 || result->model_bytes > MODEL_MAX_BYTES ||
        wanted != (uint64_t)about.st_size) {
        return false;
    }
    out->model = (vln_bytes_t){vln_calloc(1, result->model_bytes + 1), result->model_bytes};
    out->importance = vln_calloc(fit->columns + 1, sizeof(double));
    out->rounds = result->rounds;
    out->has_metric = result->has_metric != 0;
    out->metric = result->metric;
    off_t at = sizeof *result;
    return pread(fd, out->model.data, out->model.size, at) == (ssize_t)out->model.size &&
           pread(fd, out->importance, importance, at + (off_t)out->model.size) ==
               (ssize_t)importance;
}

/* What the library refuses it refuses again; what killed the process is a crash of the task's. */
static void
explain(vln_worker_t *worker, vln_task_t *task, int status, const fit_result_t *result)
{
    if (WIFSIGNALED(status)) {
        trainer_count(worker, TRAINER_CRASHES, 1);
        vln_task_crash(task,
                       "the fit was ended by signal %d (%s): too many rows, columns or trees "
                       "for its limits of memory and time, or a fault of the library",
                       WTERMSIG(status), strsignal(WTERMSIG(status)));
        return;
    }
    vln_task_fail(task, false, "the fit failed: %s",
                  result->sentence[0] ? result->sentence : "it left no result");
}

bool
trainer_fit_run(vln_worker_t *worker, vln_task_t *task, const trainer_fit_t *fit,
                trainer_fitted_t *out)
{
    const trainer_slot_t *slot = worker->own;
    const trainer_config_t *config = slot->trainer->config;
    int in = write_job(config, fit);
    int back = memfd_create("valion-fit-out", MFD_CLOEXEC);
    pid_t pid = in >= 0 && back >= 0 ? start(config, in, back) : -1;
    fit_result_t result = {0};
    int status = 0;
    bool ok = false;
    *out = (trainer_fitted_t){0};
    if (pid < 0) {
        vln_task_fail(task, true, "valion-fit cannot be started here; its log says why");
    } else {
        ending_t ending = await(pid, task, fit->max_ms, &status);
        ok = ending == ENDED && read_result(back, fit, out, &result);
        if (ending == ENDED_BY_CLOCK) {
            trainer_count(worker, TRAINER_CRASHES, 1);
            vln_task_crash(task, "the fit took longer than %.1f s and was ended",
                           (double)fit->max_ms / 1000);
        } else if (ending == ENDED && !ok) {
            explain(worker, task, status, &result);
        }
    }
    if (!ok) {
        trainer_fitted_end(out);
    }
    if (in >= 0) {
        close(in);
    }
    if (back >= 0) {
        close(back);
    }
    return ok;
}
