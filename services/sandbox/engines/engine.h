/*
 * engine - a library that runs models. valion-sandbox starts each once; a child, which has that
 * from the fork, loads one model into one of them and predicts. All of it runs in one thread; what
 * a child takes ends with it.
 */
#ifndef SANDBOX_ENGINE_H
#define SANDBOX_ENGINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_model.h"

enum { ENGINE_SENTENCE = 2048 };

typedef enum engine_verdict {
    ENGINE_OK,
    ENGINE_REFUSED, /* the library, or the model's own terms, say no; also for want of memory */
    ENGINE_ANSWER,  /* it ran, and gave no prediction of these rows */
} engine_verdict_t;

typedef struct engine_model {
    const uint8_t *bytes; /* outlive the engine */
    size_t size;
    const char *score_output; /* ONNX; NULL: none */
    const char *label_output;
    char **classes;
    size_t class_count;
    bool by_matrix; /* XGBoost: not in place */
} engine_model_t;

/* What the library says of the model. */
typedef struct engine_about {
    vln_tensor_t *inputs;
    size_t input_count;
    vln_tensor_t *outputs;
    size_t output_count;
    size_t features; /* XGBoost */
} engine_about_t;

typedef struct engine_rows {
    size_t rows;
    size_t number_count;  /* a row */
    size_t text_count;    /* a row */
    const float *numbers; /* row by row */
    const char **texts;   /* row by row */
} engine_rows_t;

typedef struct engine_scores {
    float *scores; /* room for `room` bytes, labels behind them */
    size_t room;
    size_t width;
    int32_t *labels; /* set if labelled: room for one a row, the engine's */
    bool labelled;
} engine_scores_t;

typedef struct engine {
    /* In valion-sandbox. NULL: `sentence` says why not. */
    void *(*start)(char sentence[ENGINE_SENTENCE]);
    const char *(*version)(const void *self);
    /* In a child, once; then predict, any number of times. */
    engine_verdict_t (*load)(void *self, const engine_model_t *model, engine_about_t *about,
                             char sentence[ENGINE_SENTENCE]);
    engine_verdict_t (*predict)(void *self, const engine_rows_t *rows, engine_scores_t *out,
                                char sentence[ENGINE_SENTENCE]);
} engine_t;

extern const engine_t engine_onnx;
extern const engine_t engine_xgboost;

/* Write the sentence and return `verdict`. */
engine_verdict_t engine_say(char sentence[ENGINE_SENTENCE], engine_verdict_t verdict,
                            const char *format, ...) VLN_PRINTF(3, 4);

#endif
