#include "sandbox_models.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#include "vln_err.h"
#include "vln_mem.h"

static void
must(int failed)
{
    if (failed) {
        fprintf(stderr, "libxgboost: %s\n", XGBGetLastError());
        abort();
    }
}

static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

float *
sandbox_rows(size_t rows, size_t features)
{
    float *out = vln_calloc(rows * features, sizeof *out);
    uint32_t state = 42;
    for (size_t i = 0; i < rows * features; i++) {
        uint32_t number = next_random(&state);
        out[i] = number % 16 == 0 ? NAN : (float)number / 8388608.0f - 1.0f;
    }
    return out;
}

static int
wants_positive(const char *objective)
{
    return strcmp(objective, "count:poisson") == 0 || strcmp(objective, "reg:gamma") == 0 ||
           strcmp(objective, "reg:tweedie") == 0 || strcmp(objective, "reg:squaredlogerror") == 0;
}

/* Something of the first features, so that there is something to learn. */
static float *
make_labels(const sandbox_recipe_t *recipe, const float *rows)
{
    float *labels = vln_calloc(recipe->rows, sizeof *labels);
    for (size_t i = 0; i < recipe->rows; i++) {
        const float *row = rows + i * recipe->features;
        float sum = 0;
        for (size_t j = 0; j < recipe->features && j < 4; j++) {
            sum += isnan(row[j]) ? 0.25f : row[j] * (float)(j + 1);
        }
        if (recipe->classes > 0) {
            labels[i] = (float)((size_t)fabsf(sum * 3) % recipe->classes);
        } else if (strncmp(recipe->objective, "binary:", 7) == 0 ||
                   strcmp(recipe->objective, "reg:logistic") == 0) {
            labels[i] = (float)(sum > 0);
        } else {
            labels[i] = wants_positive(recipe->objective) ? fabsf(sum) + 0.125f : sum;
        }
    }
    return labels;
}

static void
set_number(BoosterHandle booster, const char *name, size_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%zu", value);
    must(XGBoosterSetParam(booster, name, text));
}

static BoosterHandle
make_booster(const sandbox_recipe_t *recipe, DMatrixHandle data)
{
    BoosterHandle booster = NULL;
    must(XGBoosterCreate(&data, 1, &booster));
    must(XGBoosterSetParam(booster, "nthread", "1"));
    must(XGBoosterSetParam(booster, "seed", "1"));
    must(XGBoosterSetParam(booster, "objective", recipe->objective));
    must(XGBoosterSetParam(booster, "booster", recipe->booster ? recipe->booster : "gbtree"));
    set_number(booster, "max_depth", (size_t)recipe->depth);
    if (recipe->classes > 0) {
        set_number(booster, "num_class", recipe->classes);
    }
    if (recipe->parallel > 0) {
        set_number(booster, "num_parallel_tree", recipe->parallel);
        must(XGBoosterSetParam(booster, "subsample", "0.5"));
    }
    for (int i = 0; i < recipe->rounds; i++) {
        must(XGBoosterUpdateOneIter(booster, i, data));
    }
    return booster;
}

sandbox_file_t
sandbox_train(const sandbox_recipe_t *recipe)
{
    float *rows = sandbox_rows(recipe->rows, recipe->features);
    float *labels = make_labels(recipe, rows);
    DMatrixHandle data = NULL;
    must(XGDMatrixCreateFromMat(rows, recipe->rows, recipe->features, NAN, &data));
    must(XGDMatrixSetFloatInfo(data, "label", labels, recipe->rows));
    BoosterHandle booster = make_booster(recipe, data);
    if (recipe->names) {
        const char **names = vln_memdup(recipe->names, recipe->features * sizeof *names);
        must(XGBoosterSetStrFeatureInfo(booster, "feature_name", names, recipe->features));
        free(names);
    }
    char config[64];
    snprintf(config, sizeof config, "{\"format\": \"%s\"}", recipe->format);
    const char *bytes = NULL;
    bst_ulong size = 0;
    must(XGBoosterSaveModelToBuffer(booster, config, &size, &bytes));
    sandbox_file_t file = {.bytes = vln_memdup(bytes, size), .size = size};
    XGBoosterFree(booster);
    XGDMatrixFree(data);
    free(labels);
    free(rows);
    return file;
}

float *
sandbox_direct(const sandbox_file_t *file, const float *rows, size_t count, size_t features,
               size_t *width)
{
    static const char config[] = "{\"type\":0,\"training\":false,\"iteration_begin\":0,"
                                 "\"iteration_end\":0,\"strict_shape\":true}";
    BoosterHandle booster = NULL;
    DMatrixHandle data = NULL;
    const bst_ulong *shape = NULL;
    bst_ulong rank = 0;
    const float *scores = NULL;
    must(XGBoosterCreate(NULL, 0, &booster));
    must(XGBoosterLoadModelFromBuffer(booster, file->bytes, file->size));
    must(XGBoosterSetParam(booster, "nthread", "1"));
    must(XGDMatrixCreateFromMat(rows, count, features, NAN, &data));
    must(XGBoosterPredictFromDMatrix(booster, data, config, &shape, &rank, &scores));
    vln_assert(rank >= 2 && shape[0] == count);
    *width = shape[1];
    float *out = vln_memdup(scores, count * *width * sizeof *out);
    XGDMatrixFree(data);
    XGBoosterFree(booster);
    return out;
}
