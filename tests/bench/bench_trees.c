/*
 * bench_trees - the native engine against the libraries, each called in this very process with one
 * thread, in the same run and alternately: ONNX Runtime on forests in ONNX, libxgboost's in-place
 * prediction on its own. On the models and rows of VALION_TEST_DATA's california, or on models and
 * rows made here where that is not set. Prints medians and ratios; ends with 1 if a bit differs.
 */
#include <inttypes.h>
#include <math.h>
#include <onnxruntime_c_api.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#include "vln_log.h"
#include "vln_native_inside.h"
#include "vln_text.h"
#include "vln_time.h"

#include "sandbox_models.h"
#include "test_trees.h"

enum {
    FEATURES = 8,
    ROWS = 100000,
    ROUNDS = 7,
    LIMIT_MS = 60000,
    FILE_MAX_BYTES = 64 * 1024 * 1024,
    PATH_ROOM = 512
};

typedef struct bench {
    float *rows;
    float *answers; /* the library's, one a row */
    const OrtApi *api;
    OrtEnv *env;
    OrtMemoryInfo *memory;
} bench_t;

/* A model, opened three ways. */
typedef struct contest {
    const char *name;
    uint8_t *bytes;
    size_t size;
    const char *output; /* ONNX; NULL: XGBoost */
    OrtSession *session;
    BoosterHandle booster;
    vln_arena_t *arena;
    vln_model_t about;
    vln_native_t *native;
    vln_sandbox_result_t result;
} contest_t;

static void
must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "bench_trees: %s\n", what);
        exit(1);
    }
}

static int
compare_numbers(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return *left < *right ? -1 : *left > *right;
}

static double
median(double *numbers)
{
    qsort(numbers, ROUNDS, sizeof *numbers, compare_numbers);
    return numbers[ROUNDS / 2];
}

/* ---- the libraries ---- */

static void
start_library(bench_t *self)
{
    self->api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    must(!self->api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "bench", &self->env) &&
             !self->api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &self->memory),
         "cannot start ONNX Runtime");
}

static void
open_library(const bench_t *self, contest_t *contest)
{
    if (!contest->output) {
        must(XGBoosterCreate(NULL, 0, &contest->booster) == 0 &&
                 XGBoosterLoadModelFromBuffer(contest->booster, contest->bytes, contest->size) ==
                     0 &&
                 XGBoosterSetParam(contest->booster, "nthread", "1") == 0,
             "libxgboost cannot load");
        return;
    }
    OrtSessionOptions *options = NULL;
    must(!self->api->CreateSessionOptions(&options) &&
             !self->api->SetIntraOpNumThreads(options, 1) &&
             !self->api->CreateSessionFromArray(self->env, contest->bytes, contest->size, options,
                                                &contest->session),
         "ONNX Runtime cannot load");
    self->api->ReleaseSessionOptions(options);
}

static void
run_onnx(bench_t *self, const contest_t *contest)
{
    const int64_t shape[] = {ROWS, FEATURES};
    OrtValue *input = NULL;
    OrtValue *output = NULL;
    float *data = NULL;
    must(!self->api->CreateTensorWithDataAsOrtValue(
             self->memory, self->rows, (size_t)ROWS * FEATURES * sizeof *self->rows, shape, 2,
             ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &input) &&
             !self->api->Run(contest->session, NULL, (const char *[]){"X"},
                             (const OrtValue *const *)&input, 1, (const char *[]){contest->output},
                             1, &output) &&
             !self->api->GetTensorMutableData(output, (void **)&data),
         "ONNX Runtime cannot predict");
    memcpy(self->answers, data, ROWS * sizeof *data);
    self->api->ReleaseValue(output);
    self->api->ReleaseValue(input);
}

static void
run_xgboost(bench_t *self, const contest_t *contest)
{
    static const char config[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,"
                                 "\"iteration_end\":0,\"strict_shape\":true,\"missing\":NaN,"
                                 "\"cache_id\":0}";
    char interface[160];
    const bst_ulong *shape = NULL;
    bst_ulong rank = 0;
    const float *scores = NULL;
    snprintf(interface, sizeof interface,
             "{\"data\":[%" PRIuPTR ",true],\"shape\":[%d,%d],\"typestr\":\"<f4\",\"version\":3}",
             (uintptr_t)self->rows, (int)ROWS, (int)FEATURES);
    must(XGBoosterPredictFromDense(contest->booster, interface, config, NULL, &shape, &rank,
                                   &scores) == 0,
         "libxgboost cannot predict");
    memcpy(self->answers, scores, ROWS * sizeof *scores);
}

static double
run_library(bench_t *self, const contest_t *contest)
{
    int64_t begin = vln_mono_us();
    if (contest->output) {
        run_onnx(self, contest);
    } else {
        run_xgboost(self, contest);
    }
    return (double)(vln_mono_us() - begin) / 1000.0;
}

/* ---- the native engine ---- */

static void
open_native(contest_t *contest)
{
    char why[VLN_MODEL_WHY];
    contest->arena = vln_arena_new(VLN_MODEL_ARENA);
    must(vln_model_read(contest->bytes, contest->size, VLN_MODEL_AUTO, contest->arena,
                        &contest->about, why) == VLN_OK &&
             vln_native_open(contest->bytes, contest->size, &contest->about, contest->arena,
                             &contest->native, why) == VLN_OK,
         why);
}

static double
run_native(const bench_t *self, contest_t *contest, vln_walk_t walk)
{
    vln_outcome_t outcome;
    const vln_sandbox_rows_t rows = {.rows = ROWS, .numbers = self->rows, .number_count = FEATURES};
    contest->native->walk = vln_walk_find(walk);
    if (!contest->native->walk) {
        return NAN;
    }
    int64_t begin = vln_mono_us();
    must(vln_native_predict(contest->native, &rows, LIMIT_MS, &contest->result, &outcome) == VLN_OK,
         outcome.sentence);
    double took_ms = (double)(vln_mono_us() - begin) / 1000.0;
    must(memcmp(contest->result.values, self->answers, ROWS * sizeof *self->answers) == 0,
         "the native engine gives other bits");
    return took_ms;
}

/* ---- the contest ---- */

static void
hold(bench_t *self, contest_t *contest)
{
    static const char *const walks[] = {"plain", "AVX2", "AVX-512"};
    double library[ROUNDS];
    double native[VLN_WALK_BEST][ROUNDS];
    int64_t begin = vln_mono_us();
    open_library(self, contest);
    double library_open_ms = (double)(vln_mono_us() - begin) / 1000.0;
    begin = vln_mono_us();
    open_native(contest);
    double native_open_ms = (double)(vln_mono_us() - begin) / 1000.0;
    for (size_t round = 0; round < ROUNDS; round++) {
        library[round] = run_library(self, contest);
        for (vln_walk_t walk = VLN_WALK_PLAIN; walk < VLN_WALK_BEST; walk++) {
            native[walk][round] = run_native(self, contest, walk);
        }
    }
    double theirs = median(library);
    printf("%-10s %-12s %8.1f ms (opened in %.1f)\n", contest->name,
           contest->output ? "ONNX Runtime" : "libxgboost", theirs, library_open_ms);
    for (vln_walk_t walk = VLN_WALK_PLAIN; walk < VLN_WALK_BEST; walk++) {
        double ours = median(native[walk]);
        if (!isnan(ours)) {
            printf("%-10s native %-5s %8.1f ms (opened in %.1f, holds %zu kB): ratio %.1f\n",
                   contest->name, walks[walk], ours, native_open_ms,
                   vln_native_bytes(contest->native) / 1000, theirs / ours);
        }
    }
}

static void
end_contest(const bench_t *self, contest_t *contest)
{
    if (contest->session) {
        self->api->ReleaseSession(contest->session);
    }
    if (contest->booster) {
        XGBoosterFree(contest->booster);
    }
    vln_native_close(&contest->native);
    vln_arena_destroy(&contest->arena);
    vln_sandbox_result_end(&contest->result);
    free(contest->bytes);
}

/* ---- where models and rows come from ---- */

static char *
read_file(const char *folder, const char *name, size_t *size)
{
    char path[PATH_ROOM];
    char *text = NULL;
    snprintf(path, sizeof path, "%s/california/%s", folder, name);
    must(vln_text_read_file(path, FILE_MAX_BYTES, &text, size) == VLN_OK, path);
    return text;
}

/* The first columns of the set are the features; its rows, again and again. */
static float *
read_rows(const char *folder)
{
    float *out = vln_calloc((size_t)ROWS * FEATURES, sizeof *out);
    size_t size = 0;
    char *text = read_file(folder, "train.csv", &size);
    char *rest = text;
    size_t rows = 0;
    strsep(&rest, "\n");
    for (char *line; rows < ROWS && (line = strsep(&rest, "\n")) && *line; rows++) {
        for (size_t i = 0; i < FEATURES; i++) {
            const char *cell = strsep(&line, ",");
            out[rows * FEATURES + i] = cell && *cell ? strtof(cell, NULL) : NAN;
        }
    }
    must(rows > 0, "the data set has no rows");
    for (size_t i = rows; i < ROWS; i++) {
        memcpy(out + i * FEATURES, out + (i - rows) * FEATURES, FEATURES * sizeof *out);
    }
    free(text);
    return out;
}

static void
hold_files(bench_t *self, const char *folder)
{
    static const struct {
        const char *name;
        const char *path;
        const char *output;
    } files[] = {
        {"gbr", "models/gbr.onnx", "variable"},
        {"rf100", "models/rf100.onnx", "variable"},
        {"xgb", "models/xgb.json", NULL},
    };
    self->rows = read_rows(folder);
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        contest_t contest = {.name = files[i].name, .output = files[i].output};
        contest.bytes = (uint8_t *)read_file(folder, files[i].path, &contest.size);
        hold(self, &contest);
        end_contest(self, &contest);
    }
}

static void
hold_made(bench_t *self)
{
    static const test_trees_t recipes[] = {
        {.features = FEATURES, .trees = 200, .depth = 4, .bases = 1},
        {.features = FEATURES, .trees = 100, .depth = 10},
    };
    self->rows = test_trees_rows(ROWS, FEATURES, 1);
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        vln_part_t file = test_trees_make(&recipes[i]);
        contest_t contest = {.name = i == 0 ? "shallow" : "deep",
                             .bytes = file.bytes,
                             .size = file.size,
                             .output = "raw"};
        hold(self, &contest);
        end_contest(self, &contest);
    }
    sandbox_file_t file = sandbox_train(&(sandbox_recipe_t){.objective = "reg:squarederror",
                                                            .format = "json",
                                                            .features = FEATURES,
                                                            .rows = 5000,
                                                            .rounds = 150,
                                                            .depth = 6});
    contest_t contest = {.name = "xgboost", .bytes = file.bytes, .size = file.size};
    hold(self, &contest);
    end_contest(self, &contest);
}

int
main(void)
{
    bench_t self = {.answers = vln_calloc(ROWS, sizeof *self.answers)};
    const char *folder = getenv("VALION_TEST_DATA");
    vln_log_init("bench", "trees", VLN_LOG_OFF);
    start_library(&self);
    if (folder) {
        hold_files(&self, folder);
    } else {
        puts("VALION_TEST_DATA is not set: models and rows are made here");
        hold_made(&self);
    }
    self.api->ReleaseMemoryInfo(self.memory);
    self.api->ReleaseEnv(self.env);
    free(self.answers);
    free(self.rows);
    return 0;
}
