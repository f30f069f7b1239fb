/*
 * bench_sandbox - what it costs to keep foreign models in a process of their own: inspecting an
 * XGBoost model of 100 trees, and predictions in batches and one by one, against libxgboost called
 * in this process, in the same run and alternately. Usage: bench_sandbox [path of valion-sandbox].
 */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#include "vln_log.h"
#include "vln_sandbox.h"
#include "vln_time.h"

#include "sandbox_models.h"
#include "test_onnx.h"

enum { FEATURES = 10, ROWS = 100000, STEP = 1024, ROUNDS = 7, INSPECTIONS = 60, SINGLES = 20000 };

typedef struct bench {
    vln_sandbox_t *sandbox;
    vln_sandbox_model_t *model;
    BoosterHandle booster;
    float *rows;
    vln_sandbox_result_t result;
    vln_outcome_t outcome;
} bench_t;

typedef double run_fn(bench_t *self);

static int
compare_numbers(const void *a, const void *b)
{
    const double *left = a;
    const double *right = b;
    return *left < *right ? -1 : *left > *right;
}

static double
median(double *numbers, size_t count)
{
    qsort(numbers, count, sizeof *numbers, compare_numbers);
    return numbers[count / 2];
}

static void
must(bool good, const char *what)
{
    if (!good) {
        fprintf(stderr, "bench_sandbox: %s\n", what);
        exit(1);
    }
}

/* ---- inspecting ---- */

static void
bench_inspect(bench_t *self, const char *name, const uint8_t *bytes, size_t size)
{
    double took[INSPECTIONS];
    vln_model_t about;
    for (size_t i = 0; i < INSPECTIONS; i++) {
        vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
        vln_err_t err =
            vln_sandbox_inspect(self->sandbox, &(vln_sandbox_file_t){.bytes = bytes, .size = size},
                                arena, &about, &self->outcome);
        must(err == VLN_OK, self->outcome.sentence);
        took[i] = (double)self->outcome.wall_us / 1000.0;
        vln_arena_destroy(&arena);
    }
    double middle = median(took, INSPECTIONS);
    printf("inspect %-24s %8zu bytes  %6.2f / %6.2f / %6.2f ms (min, median, max)\n", name, size,
           took[0], middle, took[INSPECTIONS - 1]);
}

/* The same without a sandbox: load and let go. */
static void
bench_load(const char *name, const sandbox_file_t *file)
{
    double took[INSPECTIONS];
    for (size_t i = 0; i < INSPECTIONS; i++) {
        BoosterHandle booster = NULL;
        int64_t begin = vln_mono_us();
        must(XGBoosterCreate(NULL, 0, &booster) == 0 &&
                 XGBoosterLoadModelFromBuffer(booster, file->bytes, file->size) == 0,
             "cannot load");
        XGBoosterFree(booster);
        took[i] = (double)(vln_mono_us() - begin) / 1000.0;
    }
    double middle = median(took, INSPECTIONS);
    printf("load    %-24s %8zu bytes  %6.2f / %6.2f / %6.2f ms, in this process\n", name,
           file->size, took[0], middle, took[INSPECTIONS - 1]);
}

/* ---- predicting: seconds for all rows ---- */

static void
direct(bench_t *self, const float *rows, size_t count)
{
    static const char config[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,"
                                 "\"iteration_end\":0,\"strict_shape\":true,\"missing\":NaN,"
                                 "\"cache_id\":0}";
    char interface[160];
    const bst_ulong *shape = NULL;
    bst_ulong rank = 0;
    const float *scores = NULL;
    snprintf(interface, sizeof interface,
             "{\"data\":[%" PRIuPTR ",true],\"shape\":[%zu,%d],\"typestr\":\"<f4\",\"version\":3}",
             (uintptr_t)rows, count, (int)FEATURES);
    must(XGBoosterPredictFromDense(self->booster, interface, config, NULL, &shape, &rank,
                                   &scores) == 0,
         "cannot predict");
}

static void
sandboxed(bench_t *self, const float *rows, size_t count)
{
    vln_sandbox_rows_t batch = {.rows = count, .numbers = rows, .number_count = FEATURES};
    must(vln_sandbox_predict(self->model, &batch, &self->result, &self->outcome) == VLN_OK,
         self->outcome.sentence);
}

static double
direct_batches(bench_t *self)
{
    int64_t begin = vln_mono_us();
    for (size_t first = 0; first < ROWS; first += STEP) {
        direct(self, self->rows + first * FEATURES, ROWS - first < STEP ? ROWS - first : STEP);
    }
    return (double)(vln_mono_us() - begin) / 1e6;
}

static double
sandboxed_batches(bench_t *self)
{
    int64_t begin = vln_mono_us();
    sandboxed(self, self->rows, ROWS);
    return (double)(vln_mono_us() - begin) / 1e6;
}

static double
direct_singles(bench_t *self)
{
    int64_t begin = vln_mono_us();
    for (size_t i = 0; i < SINGLES; i++) {
        direct(self, self->rows + i * FEATURES, 1);
    }
    return (double)(vln_mono_us() - begin) / 1e6;
}

static double
sandboxed_singles(bench_t *self)
{
    int64_t begin = vln_mono_us();
    for (size_t i = 0; i < SINGLES; i++) {
        sandboxed(self, self->rows + i * FEATURES, 1);
    }
    return (double)(vln_mono_us() - begin) / 1e6;
}

static void
bench_predict(bench_t *self, const char *name, double rows, run_fn *here, run_fn *there)
{
    double ours[ROUNDS];
    double theirs[ROUNDS];
    for (size_t i = 0; i < ROUNDS; i++) {
        theirs[i] = here(self);
        ours[i] = there(self);
    }
    double direct_s = median(theirs, ROUNDS);
    double sandbox_s = median(ours, ROUNDS);
    printf("%s: in this process %.0f rows/s, %.2f us a row; sandbox %.0f rows/s, %.2f us a row; "
           "ratio %.3f\n",
           name, rows / direct_s, direct_s * 1e6 / rows, rows / sandbox_s, sandbox_s * 1e6 / rows,
           direct_s / sandbox_s);
}

static void
open_all(bench_t *self, const char *program, const sandbox_file_t *file)
{
    vln_sandbox_config_t config = {
        .program = program, .load_ms = 60000, .predict_ms = 60000, .cpu_seconds = 60};
    int64_t begin = vln_mono_us();
    must(vln_sandbox_open(&config, &self->sandbox) == VLN_OK, "cannot start valion-sandbox");
    printf("start of valion-sandbox %.1f ms\n", (double)(vln_mono_us() - begin) / 1000.0);
    must(vln_sandbox_load(self->sandbox,
                          &(vln_sandbox_file_t){.bytes = file->bytes, .size = file->size},
                          &self->model, &self->outcome) == VLN_OK,
         self->outcome.sentence);
    must(XGBoosterCreate(NULL, 0, &self->booster) == 0 &&
             XGBoosterLoadModelFromBuffer(self->booster, file->bytes, file->size) == 0 &&
             XGBoosterSetParam(self->booster, "nthread", "1") == 0,
         "cannot load");
    self->rows = sandbox_rows(ROWS, FEATURES);
}

static void
close_all(bench_t *self)
{
    vln_sandbox_result_end(&self->result);
    vln_sandbox_unload(&self->model);
    vln_sandbox_close(&self->sandbox);
    XGBoosterFree(self->booster);
    free(self->rows);
}

int
main(int argc, char **argv)
{
    sandbox_recipe_t recipe = {.objective = "reg:squarederror",
                               .format = "ubj",
                               .features = FEATURES,
                               .rows = 20000,
                               .rounds = 100,
                               .depth = 6};
    bench_t self = {0};
    vln_log_init("bench", "sandbox", VLN_LOG_ERROR);
    sandbox_file_t ubj = sandbox_train(&recipe);
    recipe.format = "json";
    sandbox_file_t json = sandbox_train(&recipe);
    open_all(&self, argc > 1 ? argv[1] : NULL, &ubj);
    vln_part_t layers = test_onnx_layers();
    bench_inspect(&self, "onnx, 3 small layers", layers.bytes, layers.size);
    bench_inspect(&self, "xgboost ubj, 100 trees", ubj.bytes, ubj.size);
    bench_load("xgboost ubj, 100 trees", &ubj);
    bench_inspect(&self, "xgboost json, 100 trees", json.bytes, json.size);
    bench_load("xgboost json, 100 trees", &json);
    bench_predict(&self, "batches of 1024", ROWS, direct_batches, sandboxed_batches);
    bench_predict(&self, "single rows", SINGLES, direct_singles, sandboxed_singles);
    vln_part_end(&layers);
    close_all(&self);
    free(ubj.bytes);
    free(json.bytes);
    return 0;
}
