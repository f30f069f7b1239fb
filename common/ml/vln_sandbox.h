/*
 * vln_sandbox - runs foreign models in valion-sandbox, a program of its own that this starts, asks
 * and, if need be, kills: a model that crashes, hangs, or eats memory ends its child and nothing
 * else.
 *
 * A sandbox and the models loaded in it belong to the thread that uses them. Every call ends: by
 * an answer, or by the clock of its config. A sandbox that died is started again by the next
 * inspect or load; what was loaded in the dead one is lost. Knows neither library, nor what to
 * make of a prediction that is no finite number.
 */
#ifndef VLN_SANDBOX_H
#define VLN_SANDBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_model.h"

enum { VLN_SANDBOX_DETAIL = 4096 };

/* How a job ended. All but OK are the model's, and the same model does it again. */
typedef enum vln_sandbox_verdict {
    VLN_VERDICT_OK,
    VLN_VERDICT_REFUSED,  /* the checks, the library, or the terms of the model say no */
    VLN_VERDICT_ANSWER,   /* it ran; what it gave is no prediction of these rows */
    VLN_VERDICT_CRASHED,  /* the child died of a signal, or ended by itself */
    VLN_VERDICT_TIME,     /* killed by the clock */
    VLN_VERDICT_MEMORY,   /* it wanted more than it may have */
    VLN_VERDICT_PROTOCOL, /* the child said what no child of ours says */
} vln_sandbox_verdict_t;

typedef struct vln_outcome {
    vln_sandbox_verdict_t verdict;
    int signal;                      /* CRASHED, TIME: that ended the child; 0: none */
    int64_t wall_us;                 /* of the call */
    int64_t cpu_us;                  /* of the child in all, once it has ended */
    int64_t peak_kib;                /* likewise */
    char sentence[VLN_MODEL_WHY];    /* for people; empty if OK */
    char detail[VLN_SANDBOX_DETAIL]; /* the last that the libraries printed, cleaned; for logs */
} vln_outcome_t;

typedef struct vln_sandbox_config {
    const char *program;  /* path of valion-sandbox; NULL: beside this program */
    size_t memory_bytes;  /* that a model may take beyond libraries, file and rows; 0: 2 GiB */
    int64_t load_ms;      /* that inspecting or loading may last; 0: 10 s */
    int64_t predict_ms;   /* that a call of predict may last; 0: 10 s */
    unsigned cpu_seconds; /* likewise, of CPU; 0: 10 s */
    bool when_needed;     /* it is started by the first inspect or load, not when it is opened */
} vln_sandbox_config_t;

typedef struct vln_sandbox vln_sandbox_t;
typedef struct vln_sandbox_model vln_sandbox_model_t;

/* "ok", "refused", … Never NULL. */
const char *vln_sandbox_verdict_name(vln_sandbox_verdict_t verdict);

/* Start it. VLN_UNAVAILABLE: it cannot be; why is logged. `config->program` is copied. */
VLN_MUST_USE vln_err_t vln_sandbox_open(const vln_sandbox_config_t *config, vln_sandbox_t **out);

/* End it and whatever is loaded in it. Its models are to be unloaded before or after. */
void vln_sandbox_close(vln_sandbox_t **self_p);

/* Versions of the libraries, such as "3.0.0" and "1.21.0"; borrowed until the next start. Empty before
 * the first. */
const char *vln_sandbox_xgboost(const vln_sandbox_t *self);
const char *vln_sandbox_onnxruntime(const vln_sandbox_t *self);

/* How long a call of predict may last, whoever runs the model. */
int64_t vln_sandbox_predict_ms(const vln_sandbox_t *self);

/* How often it was started. The process itself, for tests; 0 if it is not running. */
int vln_sandbox_starts(const vln_sandbox_t *self);
int vln_sandbox_pid(const vln_sandbox_t *self);

/* A model file; borrowed for the call. */
typedef struct vln_sandbox_file {
    const uint8_t *bytes;
    size_t size;
    vln_model_kind_t kind; /* AUTO, or the only one that is taken */
} vln_sandbox_file_t;

/*
 * Read the file, load it in a child, and say what it is; the child has ended when this returns.
 * VLN_OK: `*out` is in the arena (VLN_MODEL_ARENA is a budget that holds it).
 * VLN_FAILED_PRECONDITION: the model's fault; the outcome says what. VLN_UNAVAILABLE: not the
 * model's fault: there is no sandbox to be had; asking again may help, and the outcome is but a
 * sentence.
 */
VLN_MUST_USE vln_err_t vln_sandbox_inspect(vln_sandbox_t *self, const vln_sandbox_file_t *file,
                                           vln_arena_t *arena, vln_model_t *out,
                                           vln_outcome_t *outcome);

/* Likewise, and keep the child for predictions until the model is unloaded. */
VLN_MUST_USE vln_err_t vln_sandbox_load(vln_sandbox_t *self, const vln_sandbox_file_t *file,
                                        vln_sandbox_model_t **out, vln_outcome_t *outcome);

/* What the model is; borrowed until it is unloaded. */
const vln_model_t *vln_sandbox_about(const vln_sandbox_model_t *self);

/* A column of text: for each row the number of its word. Words have no NUL within. */
typedef struct vln_sandbox_text {
    const uint32_t *codes; /* UINT32_MAX: missing, which models know as "" */
    const char *const *words;
} vln_sandbox_text_t;

/* Rows for a model: its numeric features in their order, and its text features in theirs. */
typedef struct vln_sandbox_rows {
    size_t rows;
    const float *numbers; /* row by row; NaN: missing */
    size_t number_count;  /* a row */
    const vln_sandbox_text_t *texts;
    size_t text_count;
    size_t threads; /* that may predict, of the native engine; 0 is one */
} vln_sandbox_rows_t;

/*
 * What came of them; zero it before its first use, and it keeps its memory from call to call.
 *   regression  `values` has one number a row (or `width`, of a model of several targets)
 *   binary      the probability of the second class
 *   multiclass  a probability of each class
 * A model that gives labels alone has a width of 0. Numbers are the library's own, to the bit.
 */
typedef struct vln_sandbox_result {
    size_t rows;
    size_t width;
    float *values;     /* rows * width, row by row */
    int32_t *labels;   /* of a classifier: which class, from 0; NULL: none. Where the file names no
                        classes, the model's own number */
    size_t not_finite; /* rows with a NaN or an infinity */
    size_t not_probability; /* of a classifier: rows whose numbers are no probabilities */
    float *room;            /* inside: what `values` and `labels` lie in */
    int32_t *label_room;
    size_t room_count;
    size_t label_count;
} vln_sandbox_result_t;

void vln_sandbox_result_end(vln_sandbox_result_t *self);

/*
 * Predict. Batches are cut as they must be, and the same row gives the same bits in any.
 * VLN_FAILED_PRECONDITION: as above; after REFUSED and ANSWER the model can be asked again, after
 * the others it is lost. VLN_UNAVAILABLE: the model is lost, with its sandbox or by an outcome
 * before; load it again.
 */
VLN_MUST_USE vln_err_t vln_sandbox_predict(vln_sandbox_model_t *self,
                                           const vln_sandbox_rows_t *rows,
                                           vln_sandbox_result_t *result, vln_outcome_t *outcome);

/* End its child. Also after its sandbox was closed. */
void vln_sandbox_unload(vln_sandbox_model_t **self_p);

#endif
