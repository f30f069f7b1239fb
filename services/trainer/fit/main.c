/*
 * valion-fit - fits one model with libxgboost and ends: the trainer's hands, so that a fit that
 * crashes, hangs or eats memory ends no one else's. Speaks as vln_fit_job.h says; not for people.
 */
#include <limits.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <xgboost/c_api.h>

#include "vln_fit_job.h"

typedef struct fit {
    const vln_fit_job_t *job;
    const char *text;
    const float *numbers;
    DMatrixHandle train;
    DMatrixHandle held;
    BoosterHandle booster;
    double best;         /* of what stops early */
    double judged;       /* in the same round */
    uint32_t best_round; /* from 0 */
    vln_fit_result_t result;
} fit_t;

__attribute__((format(printf, 2, 3))) static bool
fail(fit_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(self->result.sentence, sizeof self->result.sentence, format, args);
    va_end(args);
    return false;
}

/* What the library said, to its first line's end: the rest is its stack. */
static bool
fail_by_library(fit_t *self)
{
    const char *text = XGBGetLastError();
    return fail(self, "%.*s", (int)strcspn(text, "\n"), text);
}

#define MUST(self, call)                  \
    do {                                  \
        if ((call) != 0) {                \
            return fail_by_library(self); \
        }                                 \
    } while (0)

/* ---- in ---- */

static uint64_t
align(uint64_t size)
{
    return (size + VLN_FIT_ALIGN - 1) / VLN_FIT_ALIGN * VLN_FIT_ALIGN;
}

static bool
open_job(fit_t *self)
{
    struct stat about;
    if (fstat(VLN_FIT_IN, &about) != 0 || (size_t)about.st_size < sizeof(vln_fit_job_t)) {
        return fail(self, "there is no job at descriptor %d: valion-trainer starts this program",
                    VLN_FIT_IN);
    }
    const uint8_t *bytes = mmap(NULL, (size_t)about.st_size, PROT_READ, MAP_PRIVATE, VLN_FIT_IN, 0);
    if (bytes == MAP_FAILED) {
        return fail(self, "the job cannot be mapped");
    }
    self->job = (const void *)bytes;
    const vln_fit_job_t *job = self->job;
    uint64_t cells = (job->train_rows + job->held_rows) * (job->columns + 1) +
                     (job->weighted ? job->train_rows : 0);
    uint64_t start = align(sizeof *job + job->text_bytes);
    if (job->magic != VLN_FIT_MAGIC || start + cells * sizeof(float) != (uint64_t)about.st_size) {
        return fail(self, "the job is of another release");
    }
    self->text = (const char *)(bytes + sizeof *job);
    self->numbers = (const void *)(bytes + start);
    return true;
}

static bool
limit(__rlimit_resource_t what, rlim_t value)
{
    const struct rlimit bound = {value, value};
    return setrlimit(what, &bound) == 0;
}

/* The trainer's clock is the other limit. */
static bool
bound_itself(fit_t *self)
{
    bool ok = prctl(PR_SET_PDEATHSIG, SIGKILL) == 0 &&
              prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && limit(RLIMIT_CORE, 0) &&
              limit(RLIMIT_CPU, self->job->cpu_seconds);
#if !defined(__SANITIZE_ADDRESS__)
    ok = ok && limit(RLIMIT_AS, self->job->memory_bytes);
#endif
    return ok || fail(self, "the limits of the job cannot be set");
}

/* ---- data ---- */

static bool
make_matrix(fit_t *self, const float *rows, uint64_t count, DMatrixHandle *out)
{
    const vln_fit_job_t *job = self->job;
    const float *labels = rows + count * job->columns;
    MUST(self, XGDMatrixCreateFromMat(rows, count, job->columns, NAN, out));
    MUST(self, XGDMatrixSetFloatInfo(*out, "label", labels, count));
    return true;
}

static bool
make_data(fit_t *self)
{
    const vln_fit_job_t *job = self->job;
    uint64_t train_cells = job->train_rows * (job->columns + 1);
    if (!make_matrix(self, self->numbers, job->train_rows, &self->train)) {
        return false;
    }
    const float *rest = self->numbers + train_cells;
    if (job->weighted) {
        MUST(self, XGDMatrixSetFloatInfo(self->train, "weight", rest, job->train_rows));
        rest += job->train_rows;
    }
    return job->held_rows == 0 || make_matrix(self, rest, job->held_rows, &self->held);
}

/* ---- fitting ---- */

static bool
set_parameters(fit_t *self)
{
    const char *at = self->text;
    for (uint32_t i = 0; i < self->job->parameters; i++, at += strlen(at) + 1) {
        char name[64];
        const char *equals = strchr(at, '=');
        if (!equals || (size_t)(equals - at) >= sizeof name) {
            return fail(self, "the job's parameter %u makes no sense", i + 1);
        }
        snprintf(name, sizeof name, "%.*s", (int)(equals - at), at);
        MUST(self, XGBoosterSetParam(self->booster, name, equals + 1));
    }
    /* Beside the parameters' own; the library takes one that it has for the same. */
    MUST(self, XGBoosterSetParam(self->booster, "eval_metric", self->job->judge));
    MUST(self, XGBoosterSetParam(self->booster, "eval_metric", self->job->stop_by));
    return true;
}

static bool
set_names(fit_t *self)
{
    const vln_fit_job_t *job = self->job;
    const char **names = calloc(job->columns + 1, sizeof *names);
    const char *at = self->text;
    if (!names) {
        return fail(self, "there is not enough memory");
    }
    for (uint32_t i = 0; i < job->parameters; i++) {
        at += strlen(at) + 1;
    }
    for (uint64_t i = 0; i < job->columns; i++, at += strlen(at) + 1) {
        names[i] = at;
    }
    int failed = XGBoosterSetStrFeatureInfo(self->booster, "feature_name", names, job->columns);
    free((void *)names);
    return failed == 0 || fail_by_library(self);
}

/* The metric of that name in "[3]\theld-rmse:12.5\theld-mae:9". */
static bool
read_metric(fit_t *self, const char *text, const char *name, double *out)
{
    char begin[VLN_FIT_METRIC + 16];
    snprintf(begin, sizeof begin, "\theld-%.*s:", VLN_FIT_METRIC, name);
    const char *found = strstr(text, begin);
    *out = found ? strtod(found + strlen(begin), NULL) : NAN;
    return isfinite(*out) ||
           fail(self, "the held-out rows give no %.*s: %s", VLN_FIT_METRIC, name, text);
}

/* What the round is worth: to the judge, and to what stops early. */
static bool
measure(fit_t *self, uint32_t round, double *judged, double *out)
{
    const char *name = "held";
    const char *text = NULL;
    MUST(self, XGBoosterEvalOneIter(self->booster, (int)round, &self->held, &name, 1, &text));
    return read_metric(self, text, self->job->judge, judged) &&
           read_metric(self, text, self->job->stop_by, out);
}

static bool
is_better(const fit_t *self, double value)
{
    return self->job->maximize ? value > self->best : value < self->best;
}

/* False also when it is time to stop. */
static bool
fit_round(fit_t *self, uint32_t round, bool *enough)
{
    double value = 0;
    double judged = 0;
    MUST(self, XGBoosterUpdateOneIter(self->booster, (int)round, self->train));
    if (!self->held) {
        self->best_round = round;
        return true;
    }
    if (!measure(self, round, &judged, &value)) {
        return false;
    }
    if (round == 0 || is_better(self, value) || self->job->stop_after == 0) {
        self->best = value;
        self->judged = judged;
        self->best_round = round;
    }
    *enough = self->job->stop_after > 0 && round - self->best_round >= self->job->stop_after;
    return true;
}

/* What came after the best round is cut off. */
static bool
keep_best(fit_t *self, uint32_t rounds)
{
    if (self->best_round + 1 == rounds) {
        return true;
    }
    BoosterHandle best = NULL;
    MUST(self, XGBoosterSlice(self->booster, 0, (int)self->best_round + 1, 1, &best));
    XGBoosterFree(self->booster);
    self->booster = best;
    return true;
}

static bool
fit(fit_t *self)
{
    const DMatrixHandle known[] = {self->train, self->held};
    MUST(self, XGBoosterCreate(known, self->held ? 2 : 1, &self->booster));
    if (!set_parameters(self)) {
        return false;
    }
    bool enough = false;
    uint32_t rounds = 0;
    for (; rounds < self->job->rounds && !enough; rounds++) {
        if (!fit_round(self, rounds, &enough)) {
            return false;
        }
    }
    self->result.rounds = self->best_round + 1;
    self->result.has_metric = self->held != NULL;
    self->result.metric = self->judged;
    return keep_best(self, rounds) && set_names(self);
}

/* ---- out ---- */

static bool
is_linear(const fit_t *self)
{
    const char *at = self->text;
    bool linear = false;
    for (uint32_t i = 0; i < self->job->parameters; i++, at += strlen(at) + 1) {
        linear = linear || strcmp(at, "booster=gblinear") == 0;
    }
    return linear;
}

/* Trees: by total gain, and 0 for a column that none uses. Linear models: the size of the weight,
 * of several classes the sum. */
static bool
find_importance(fit_t *self, double *out)
{
    const bst_ulong *shape = NULL;
    bst_ulong count = 0;
    bst_ulong rank = 0;
    const char **names = NULL;
    const float *scores = NULL;
    const char *config = is_linear(self) ? "{\"importance_type\": \"weight\"}"
                                         : "{\"importance_type\": \"total_gain\"}";
    MUST(self,
         XGBoosterFeatureScore(self->booster, config, &count, &names, &rank, &shape, &scores));
    bst_ulong width = rank > 1 ? shape[1] : 1;
    const char *first = self->text;
    for (uint32_t i = 0; i < self->job->parameters; i++) {
        first += strlen(first) + 1;
    }
    for (bst_ulong i = 0; i < count; i++) {
        const char *name = first;
        for (uint64_t column = 0; column < self->job->columns; column++) {
            for (bst_ulong at = 0; at < width && strcmp(name, names[i]) == 0; at++) {
                out[column] += fabs((double)scores[i * width + at]);
            }
            name += strlen(name) + 1;
        }
    }
    return true;
}

static bool
put(const void *bytes, size_t size, off_t *at)
{
    const uint8_t *rest = bytes;
    while (size > 0) {
        ssize_t wrote = pwrite(VLN_FIT_OUT, rest, size, *at);
        if (wrote <= 0) {
            return false;
        }
        rest += wrote;
        size -= (size_t)wrote;
        *at += wrote;
    }
    return true;
}

static bool
save(fit_t *self, const double *importance)
{
    const char *bytes = NULL;
    bst_ulong size = 0;
    MUST(self, XGBoosterSaveModelToBuffer(self->booster, "{\"format\": \"ubj\"}", &size, &bytes));
    off_t at = sizeof self->result;
    self->result.model_bytes = size;
    return (put(bytes, size, &at) &&
            put(importance, self->job->columns * sizeof *importance, &at)) ||
           fail(self, "the model cannot be handed over");
}

static bool
run(fit_t *self)
{
    if (!open_job(self) || !bound_itself(self) || !make_data(self) || !fit(self)) {
        return false;
    }
    double *importance = calloc(self->job->columns + 1, sizeof *importance);
    bool ok = importance && find_importance(self, importance) && save(self, importance);
    free(importance);
    return ok;
}

int
main(void)
{
    fit_t fit = {0};
    bool done = run(&fit);
    XGBoosterFree(fit.booster);
    XGDMatrixFree(fit.train);
    XGDMatrixFree(fit.held);
    if (!done) {
        fit.result.model_bytes = 0;
        fprintf(stderr, "valion-fit: %s\n", fit.result.sentence);
    }
    off_t at = 0;
    fit.result.magic = VLN_FIT_MAGIC;
    return put(&fit.result, sizeof fit.result, &at) && fit.result.model_bytes > 0 ? EXIT_SUCCESS
                                                                                  : EXIT_FAILURE;
}
