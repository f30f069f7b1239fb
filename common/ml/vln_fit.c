#include "vln_fit.h"

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

#include "vln_fit_job.h"
#include "vln_log.h"
#include "vln_mem.h"
#include "vln_text.h"
#include "vln_time.h"

enum { LOOK_MS = 100 };

#define MODEL_MAX_BYTES ((uint64_t)512 * 1024 * 1024)

void
vln_fit_numbers_end(vln_fit_numbers_t *self)
{
    free(self->cells);
    free(self->labels);
    free(self->weights);
    *self = (vln_fit_numbers_t){0};
}

static float *
copy_part(const float *values, size_t width, vln_fold_t fold, size_t rows, bool inside)
{
    size_t count = inside ? fold.rows : rows - fold.rows;
    float *out = vln_calloc(count * width + 1, sizeof *out);
    size_t end = fold.start + fold.rows;
    if (inside) {
        memcpy(out, values + fold.start * width, fold.rows * width * sizeof *out);
    } else {
        memcpy(out, values, fold.start * width * sizeof *out);
        memcpy(out + fold.start * width, values + end * width, (rows - end) * width * sizeof *out);
    }
    return out;
}

vln_fit_numbers_t
vln_fit_numbers_part(const vln_fit_numbers_t *all, size_t columns, vln_fold_t fold, bool inside)
{
    return (vln_fit_numbers_t){.cells = copy_part(all->cells, columns, fold, all->rows, inside),
                               .labels = copy_part(all->labels, 1, fold, all->rows, inside),
                               .weights = all->weights && !inside
                                              ? copy_part(all->weights, 1, fold, all->rows, false)
                                              : NULL,
                               .rows = inside ? fold.rows : all->rows - fold.rows};
}

void
vln_fitted_end(vln_fitted_t *self)
{
    free(self->model.data);
    free(self->importance);
    *self = (vln_fitted_t){0};
}

/* ---- the job's memory ---- */

static uint64_t
align(uint64_t size)
{
    return (size + VLN_FIT_ALIGN - 1) / VLN_FIT_ALIGN * VLN_FIT_ALIGN;
}

static uint64_t
count_text(const vln_fit_t *fit)
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

static vln_fit_job_t
make_job(const vln_fit_config_t *config, const vln_fit_t *fit)
{
    vln_fit_job_t job = {.magic = VLN_FIT_MAGIC,
                         .columns = fit->columns,
                         .train_rows = fit->train->rows,
                         .held_rows = fit->held ? fit->held->rows : 0,
                         .text_bytes = count_text(fit),
                         .parameters = (uint32_t)fit->recipe->count,
                         .rounds = fit->recipe->rounds,
                         .stop_after = fit->held ? fit->stop_after : 0,
                         .weighted = fit->train->weights != NULL,
                         .maximize = fit->stop_by_higher,
                         .cpu_seconds = (uint32_t)(fit->max_ms / 1000 + 1) * 2,
                         .memory_bytes = config->memory_bytes};
    const char *usual = fit->recipe->metric;
    vln_text_copy(job.judge, sizeof job.judge, fit->judge ? fit->judge : usual);
    vln_text_copy(job.stop_by, sizeof job.stop_by, fit->stop_by ? fit->stop_by : usual);
    return job;
}

static char *
write_text(const vln_fit_t *fit, char *at)
{
    for (size_t i = 0; i < fit->recipe->count; i++) {
        const vln_recipe_parameter_t *parameter = &fit->recipe->parameters[i];
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
write_numbers(const vln_fit_t *fit, float *at)
{
    const vln_fit_numbers_t *train = fit->train;
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
write_job(const vln_fit_config_t *config, const vln_fit_t *fit)
{
    vln_fit_job_t job = make_job(config, fit);
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
start(const vln_fit_config_t *config, int in, int out)
{
    char program[4200];
    pid_t pid = -1;
    posix_spawn_file_actions_t actions;
    find_program(config->program, program, sizeof program);
    int high_in = fcntl(in, F_DUPFD_CLOEXEC, 64);
    int high_out = fcntl(out, F_DUPFD_CLOEXEC, 64);
    char *argv[] = {program, NULL};
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, high_in, VLN_FIT_IN);
    posix_spawn_file_actions_adddup2(&actions, high_out, VLN_FIT_OUT);
    posix_spawn_file_actions_addclosefrom_np(&actions, VLN_FIT_OUT + 1);
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

/* Until the process has ended, by itself (DONE) or by us; it has been waited for. */
static vln_fit_ending_t
await(pid_t pid, const vln_fit_t *fit, int *status)
{
    int fd = (int)syscall(SYS_pidfd_open, pid, 0);
    int64_t until_ms = vln_mono_ms() + fit->max_ms;
    vln_fit_ending_t ending = VLN_FIT_DONE;
    for (;;) {
        struct pollfd item = {.fd = fd, .events = POLLIN};
        if (fd < 0 || poll(&item, 1, LOOK_MS) > 0) {
            break;
        }
        bool is_stopped = fit->is_stopped && fit->is_stopped(fit->context);
        if (is_stopped || vln_mono_ms() > until_ms) {
            ending = is_stopped ? VLN_FIT_STOPPED : VLN_FIT_TIME;
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
read_result(int fd, const vln_fit_t *fit, vln_fitted_t *out, vln_fit_result_t *result)
{
    struct stat about;
    ssize_t got = pread(fd, result, sizeof *result, 0);
    if (got != (ssize_t)sizeof *result || result->magic != VLN_FIT_MAGIC ||
        fstat(fd, &about) != 0) {
        *result = (vln_fit_result_t){0};
        return false;
    }
    result->sentence[sizeof result->sentence - 1] = '\0';
    uint64_t importance = fit->columns * sizeof(double);
    uint64_t wanted = sizeof *result + result->model_bytes + importance;
    if (result->model_bytes == 0 || result->model_bytes > MODEL_MAX_BYTES ||
        wanted != (uint64_t)about.st_size) {
        return false;
    }
    out->model = (vln_fit_model_t){vln_calloc(1, result->model_bytes + 1), result->model_bytes};
    out->importance = vln_calloc(fit->columns + 1, sizeof(double));
    out->rounds = result->rounds;
    out->has_metric = result->has_metric != 0;
    out->metric = result->metric;
    off_t at = sizeof *result;
    return pread(fd, out->model.data, out->model.size, at) == (ssize_t)out->model.size &&
           pread(fd, out->importance, importance, at + (off_t)out->model.size) ==
               (ssize_t)importance;
}

/* What the library refuses it refuses again; what killed the process is a crash. */
static vln_fit_ending_t
explain(int status, const vln_fit_result_t *result, char *why)
{
    if (WIFSIGNALED(status)) {
        snprintf(why, VLN_FIT_WHY,
                 "the fit was ended by signal %d (%s): too many rows, columns or trees for its "
                 "limits of memory and time, or a fault of the library",
                 WTERMSIG(status), strsignal(WTERMSIG(status)));
        return VLN_FIT_CRASHED;
    }
    snprintf(why, VLN_FIT_WHY, "the fit failed: %s",
             result->sentence[0] ? result->sentence : "it left no result");
    return VLN_FIT_REFUSED;
}

static vln_fit_ending_t
run_process(pid_t pid, int back, const vln_fit_t *fit, vln_fitted_t *out, char *why)
{
    vln_fit_result_t result = {0};
    int status = 0;
    vln_fit_ending_t ending = await(pid, fit, &status);
    if (ending == VLN_FIT_DONE && !read_result(back, fit, out, &result)) {
        ending = explain(status, &result, why);
    } else if (ending == VLN_FIT_TIME) {
        snprintf(why, VLN_FIT_WHY, "the fit took longer than %.1f s and was ended",
                 (double)fit->max_ms / 1000);
    } else if (ending == VLN_FIT_STOPPED) {
        snprintf(why, VLN_FIT_WHY, "the fit was of no more use");
    }
    return ending;
}

vln_fit_ending_t
vln_fit_run(const vln_fit_config_t *config, const vln_fit_t *fit, vln_fitted_t *out,
            char why[VLN_FIT_WHY])
{
    int in = write_job(config, fit);
    int back = memfd_create("valion-fit-out", MFD_CLOEXEC);
    pid_t pid = in >= 0 && back >= 0 ? start(config, in, back) : -1;
    vln_fit_ending_t ending = VLN_FIT_ABSENT;
    *out = (vln_fitted_t){0};
    why[0] = '\0';
    if (pid < 0) {
        snprintf(why, VLN_FIT_WHY, "valion-fit cannot be started here; its log says why");
    } else {
        ending = run_process(pid, back, fit, out, why);
    }
    if (ending != VLN_FIT_DONE) {
        vln_fitted_end(out);
    }
    if (in >= 0) {
        close(in);
    }
    if (back >= 0) {
        close(back);
    }
    return ending;
}
