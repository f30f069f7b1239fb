/*
 * vln_model - what can be known of a model file without running it: its kind, whether it is within
 * bounds and makes sense, what it takes and gives; and which columns of a data set are its inputs.
 *
 * Everything is found out by this code, which allocates no more than the arena holds and follows
 * no recursion of the file. It refuses what is known to crash, hang or blow up the libraries and
 * can be told from the bytes; the rest is valion-sandbox's to contain. Pickles are never opened.
 * Does no I/O and knows neither library. Any thread; an object belongs to its arena's owner.
 */
#ifndef VLN_MODEL_H
#define VLN_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <valion/v1/common.pb-c.h>

#include "vln_err.h"
#include "vln_mem.h"

enum {
    VLN_MODEL_WHY = 512,          /* bytes of a sentence that says why not */
    VLN_MODEL_MAX_TENSORS = 4096, /* inputs or outputs */
    VLN_MODEL_MAX_RANK = 8,
    VLN_MODEL_MAX_FEATURES = 4096,
    VLN_MODEL_MAX_CLASSES = 1024,
    VLN_MODEL_MAX_NAME = 250,
    VLN_MODEL_MAX_NODES = 65536, /* of an ONNX graph with all that it contains */
    VLN_MODEL_MAX_TREES = 100000,
    VLN_MODEL_MAX_TREE_NODES = 1 << 22, /* of one tree */
    VLN_MODEL_ARENA = 64 * 1024 * 1024, /* a budget that holds what these bounds allow */
};

#define VLN_MODEL_MAX_BYTES ((size_t)512 * 1024 * 1024)

/* Of an ONNX file: the properties that name the numbers it gives, each with its index behind it. */
#define VLN_MODEL_COLUMN_PROPERTY "valion.column."

typedef enum vln_model_kind {
    VLN_MODEL_AUTO, /* asked for: find out */
    VLN_MODEL_XGBOOST_JSON,
    VLN_MODEL_XGBOOST_UBJ,
    VLN_MODEL_ONNX,
    VLN_MODEL_UNKNOWN, /* found: none of ours; vln_model_foreign says what */
} vln_model_kind_t;

/* Element types, numbered as ONNX does. Others exist and are carried as their number. */
typedef enum vln_tensor_type {
    VLN_TENSOR_NONE = 0, /* a map or a sequence */
    VLN_TENSOR_FLOAT = 1,
    VLN_TENSOR_INT32 = 6,
    VLN_TENSOR_INT64 = 7,
    VLN_TENSOR_STRING = 8,
    VLN_TENSOR_BOOL = 9,
    VLN_TENSOR_DOUBLE = 11,
} vln_tensor_type_t;

typedef struct vln_tensor {
    const char *name;
    int32_t type; /* a vln_tensor_type_t, or another number of ONNX */
    size_t rank;
    int64_t dims[VLN_MODEL_MAX_RANK]; /* -1: any */
} vln_tensor_t;

/* One column of what a model takes. */
typedef struct vln_feature {
    const char *name; /* "input[3]" where the file has no name for it */
    bool named;
    int32_t type; /* of the tensor that it is part of */
} vln_feature_t;

/* What the file says of itself. All pointers are into the arena; texts are UTF-8. */
typedef struct vln_model {
    vln_model_kind_t kind;
    vln_tensor_t *inputs; /* XGBoost has one, unnamed as "features" */
    size_t input_count;
    vln_tensor_t *outputs; /* ONNX */
    size_t output_count;
    vln_feature_t *features; /* in the order in which a row is given */
    size_t feature_count;    /* 0: the file does not say */
    Valion__V1__TaskType task;
    const char **classes; /* in the order of the probabilities; NULL: the file does not say */
    size_t class_count;
    size_t width; /* numbers that the model gives a row; 0: the file does not say */

    const char *objective; /* XGBoost: "binary:logistic"; ONNX: NULL */
    const char *booster;   /* XGBoost: "gbtree", "dart", "gblinear" */
    double base_score;
    size_t tree_count;
    size_t tree_nodes;

    const char *producer; /* ONNX: who wrote the file */
    int64_t opset;        /* of the standard operators */
    size_t node_count;
    const char **columns; /* names of the numbers that it gives, if its properties state them */
    size_t column_count;
    const char *score_output; /* tensor of the numbers that we ask for; NULL: none */
    const char *label_output; /* tensor of the labels; NULL: none */
    /* Bytes to append to the file so that the score is an output: a ZipMap is walked around so,
     * which is slow and hides its tensor. Two protobuf messages in a row are their merger. */
    const uint8_t *tail;
    size_t tail_size;
} vln_model_t;

/* "xgboost-json", "xgboost-ubj", "onnx", "unknown". Never NULL. */
const char *vln_model_kind_name(vln_model_kind_t kind);

/* Of what kind the bytes seem to be; never AUTO. */
vln_model_kind_t vln_model_detect(const uint8_t *bytes, size_t size);

/* The sentence that says what an UNKNOWN is and, where there is one, the way to a kind that we take:
 * for pickle, joblib, LightGBM, Keras, PyTorch, old XGBoost files, and others. Never NULL. */
const char *vln_model_foreign(const uint8_t *bytes, size_t size);

/*
 * Read the file. VLN_OK: `*out` says what it is; VLN_INVALID_ARGUMENT: `why` says what is wrong
 * with it; VLN_RESOURCE_EXHAUSTED: likewise, a bound of ours is reached. `kind` other than AUTO
 * refuses another kind. `bytes` are borrowed for the call.
 */
VLN_MUST_USE vln_err_t vln_model_read(const uint8_t *bytes, size_t size, vln_model_kind_t kind,
                                      vln_arena_t *arena, vln_model_t *out,
                                      char why[VLN_MODEL_WHY]);

/* Fill what follows from the shapes of inputs and outputs: features, width, task. For whoever learned
 * shapes that the file does not state. False if there are more than VLN_MODEL_MAX_FEATURES. */
bool vln_model_settle(vln_model_t *self, vln_arena_t *arena);

/* The model's signature, in the arena. Features without a name are named "input[3]". */
Valion__V1__Signature *vln_model_signature(const vln_model_t *self, vln_arena_t *arena);

/* ---- columns ---- */

typedef struct vln_model_column {
    const char *name;
    Valion__V1__ColumnType type;
} vln_model_column_t;

typedef struct vln_model_binding {
    size_t *columns; /* for each input of the signature: which column; in the arena */
    size_t count;
    size_t ignored;     /* columns that no input takes */
    bool order_assumed; /* the signature has no names: the columns were taken as they came */
} vln_model_binding_t;

/*
 * Which columns are the inputs. By name: exactly, else by the name that ONNX converters make of the
 * column's ("area (m2)" is "area__m2_"). Where no input has a name (all are "…[i]"), by order: then
 * there must be as many columns as inputs. Types must fit: numbers for numbers, text for text; an
 * input of whole numbers takes no fractions' column. VLN_INVALID_ARGUMENT: `why` names the input or
 * the column that does not fit.
 */
VLN_MUST_USE vln_err_t vln_model_bind(const Valion__V1__Signature *signature,
                                      const vln_model_column_t *columns, size_t count,
                                      vln_arena_t *arena, vln_model_binding_t *out,
                                      char why[VLN_MODEL_WHY]);

#endif
