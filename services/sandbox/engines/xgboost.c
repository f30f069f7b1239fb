#include <inttypes.h>
#include <stdio.h>
#include <xgboost/c_api.h>

#include "vln_mem.h"

#include "engine.h"

typedef struct xgboost {
    char version[32];
    BoosterHandle booster;
    bool by_matrix;
    vln_tensor_t input;
} xgboost_t;

/* A booster is made and ended before any child: what the library sets up at its first, a child then
 * has. */
static void *
start(char sentence[ENGINE_SENTENCE])
{
    xgboost_t *self = vln_calloc(1, sizeof *self);
    int major = 0;
    int minor = 0;
    int patch = 0;
    XGBoostVersion(&major, &minor, &patch);
    snprintf(self->version, sizeof self->version, "%d.%d.%d", major, minor, patch);
    BoosterHandle booster = NULL;
    if (XGBoosterCreate(NULL, 0, &booster) != 0) {
        engine_say(sentence, ENGINE_REFUSED, "%s", XGBGetLastError());
        return NULL;
    }
    XGBoosterFree(booster);
    return self;
}

static const char *
version(const void *state)
{
    const xgboost_t *self = state;
    return self->version;
}

static engine_verdict_t
load(void *state, const engine_model_t *model, engine_about_t *about,
     char sentence[ENGINE_SENTENCE])
{
    xgboost_t *self = state;
    self->by_matrix = model->by_matrix;
    bst_ulong features = 0;
    if (XGBoosterCreate(NULL, 0, &self->booster) != 0 ||
        XGBoosterSetParam(self->booster, "nthread", "1") != 0 ||
        XGBoosterLoadModelFromBuffer(self->booster, model->bytes, model->size) != 0 ||
        XGBoosterSetParam(self->booster, "nthread", "1") != 0 || /* whatever the file says */
        XGBoosterGetNumFeature(self->booster, &features) != 0) {
        return engine_say(sentence, ENGINE_REFUSED, "%s", XGBGetLastError());
    }
    self->input = (vln_tensor_t){
        .name = "features", .type = VLN_TENSOR_FLOAT, .rank = 2, .dims = {-1, (int64_t)features}};
    about->inputs = &self->input;
    about->input_count = 1;
    about->features = features;
    return ENGINE_OK;
}

/* gblinear has no in-place prediction, and that of dart ends in other last bits than the library's
 * usual one. */
static int
predict_matrix(xgboost_t *self, const engine_rows_t *rows, const char *config,
               const bst_ulong **shape, bst_ulong *rank, const float **scores)
{
    DMatrixHandle matrix = NULL;
    if (XGDMatrixCreateFromMat(rows->numbers, rows->rows, rows->number_count, __builtin_nanf(""),
                               &matrix) != 0) {
        return -1;
    }
    int failed = XGBoosterPredictFromDMatrix(self->booster, matrix, config, shape, rank, scores);
    XGDMatrixFree(matrix);
    return failed;
}

static int
run(xgboost_t *self, const engine_rows_t *rows, const bst_ulong **shape, bst_ulong *rank,
    const float **scores)
{
    static const char config[] =
        "{\"type\":0,\"training\":false,\"iteration_begin\":0,\"iteration_end\":0,"
        "\"strict_shape\":true,\"missing\":NaN,\"cache_id\":0}";
    if (self->by_matrix) {
        return predict_matrix(self, rows, config, shape, rank, scores);
    }
    char interface[160];
    snprintf(interface, sizeof interface,
             "{\"data\":[%" PRIuPTR ",true],\"shape\":[%zu,%zu],\"typestr\":\"<f4\",\"version\":3}",
             (uintptr_t)rows->numbers, rows->rows, rows->number_count);
    return XGBoosterPredictFromDense(self->booster, interface, config, NULL, shape, rank, scores);
}

static engine_verdict_t
predict(void *state, const engine_rows_t *rows, engine_scores_t *out,
        char sentence[ENGINE_SENTENCE])
{
    xgboost_t *self = state;
    if (rows->text_count > 0) {
        return engine_say(sentence, ENGINE_REFUSED, "an XGBoost model takes numbers, no text");
    }
    const bst_ulong *shape = NULL;
    bst_ulong rank = 0;
    const float *scores = NULL;
    if (run(self, rows, &shape, &rank, &scores) != 0) {
        return engine_say(sentence, ENGINE_REFUSED, "%s", XGBGetLastError());
    }
    bst_ulong width = 1;
    for (bst_ulong i = 1; i < rank; i++) {
        width *= shape[i];
    }
    if (rank == 0 || shape[0] != rows->rows || width == 0 ||
        width > out->room / sizeof *scores / rows->rows) {
        return engine_say(sentence, ENGINE_ANSWER,
                          "the model gives predictions of another shape than its rows");
    }
    for (size_t i = 0; i < rows->rows * width; i++) {
        out->scores[i] = scores[i];
    }
    out->width = width;
    return ENGINE_OK;
}

const engine_t engine_xgboost = {
    .start = start, .version = version, .load = load, .predict = predict};
