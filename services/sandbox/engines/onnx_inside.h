/*
 * onnx_inside - the parts of the engine that is ONNX Runtime: rows to its tensors, its tensors to
 * scores and labels. For onnx*.c alone.
 */
#ifndef SANDBOX_ONNX_INSIDE_H
#define SANDBOX_ONNX_INSIDE_H

#include <onnxruntime_c_api.h>

#include "engine.h"

typedef struct onnx {
    const OrtApi *api;
    OrtEnv *env;
    OrtMemoryInfo *memory;
    char version[32];
    /* In a child. */
    OrtSession *session;
    vln_tensor_t *inputs;
    size_t input_count;
    vln_tensor_t *outputs;
    size_t output_count;
    const char *score_output;
    const char *label_output;
    char **classes;
    int64_t *numbers; /* of the classes: themselves if all are, else 0, 1 … */
    size_t class_count;
    size_t batch; /* rows that the model insists on; 0: any */
} onnx_t;

/* Some rows of a call: those that go into the session at once. */
typedef struct onnx_part {
    const engine_rows_t *rows;
    size_t first;
    size_t count;  /* real ones */
    size_t padded; /* with the last one again and again */
} onnx_part_t;

/* A tensor and the numbers that it lies on. */
typedef struct onnx_feed {
    OrtValue *value;
    uint8_t *numbers;
} onnx_feed_t;

/* The library's words for a status that is not NULL, which is ended. */
engine_verdict_t onnx_refuse(const onnx_t *self, OrtStatus *status, char *sentence);

/* Type and shape of a tensor. A status is yours. */
OrtStatus *onnx_read_shape(const onnx_t *self, const OrtTensorTypeAndShapeInfo *info,
                           vln_tensor_t *out);

/* Columns of a row that an input takes, 0 if it takes any number. */
size_t onnx_columns_of(const vln_tensor_t *input);

/* A tensor for each input. `feeds` are zeroed; what is in them is the caller's, whatever comes. */
engine_verdict_t onnx_feed(onnx_t *self, const onnx_part_t *part, onnx_feed_t *feeds,
                           char *sentence);

/* What an output says of the part's rows, into its place in `out`. */
engine_verdict_t onnx_read_scores(onnx_t *self, OrtValue *value, const onnx_part_t *part,
                                  engine_scores_t *out, char *sentence);
engine_verdict_t onnx_read_labels(onnx_t *self, OrtValue *value, const onnx_part_t *part,
                                  engine_scores_t *out, char *sentence);

#endif
