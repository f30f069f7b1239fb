/*
 * vln_native - Valion's own engine for models of trees: XGBoost's `gbtree` and ONNX graphs of a tree
 * ensemble with the small operators that pipelines put around it. It gives the very bits that
 * libxgboost and ONNX Runtime give, several times faster, and no foreign code sees the file.
 *
 * What it cannot give to the same bits it does not cover: whoever asks then goes to the library,
 * in its sandbox. Everything of a file is checked once, when it is opened: each node of a tree is
 * there, reached once, and tests a feature that a row has; what a prediction may cost is bounded.
 * An open engine is only read: any number of threads may predict with it at once. Knows no I/O.
 */
#ifndef VLN_NATIVE_H
#define VLN_NATIVE_H

#include "vln_sandbox.h"

/* Of the engine: another one may give other bits for what the older one covers. */
#define VLN_NATIVE_VERSION "1"

enum {
    VLN_NATIVE_MAX_NODES = 1 << 22, /* of all trees */
    VLN_NATIVE_MAX_DEPTH = 512,     /* of one tree */
    VLN_NATIVE_MAX_STEPS = 1 << 20, /* for one row through all trees */
    VLN_NATIVE_MAX_COLUMNS = 1 << 14,
};

typedef struct vln_native vln_native_t;

/*
 * Open a file of which vln_model_read said `about`. VLN_OK: `*out` is yours, and `about`, in whose
 * arena they are, has the shapes that the file left to be worked out. VLN_FAILED_PRECONDITION: it is
 * not covered, and `why` is a sentence. `bytes` are borrowed for the call, `about` until the close.
 */
VLN_MUST_USE vln_err_t vln_native_open(const uint8_t *bytes, size_t size, vln_model_t *about,
                                       vln_arena_t *arena, vln_native_t **out,
                                       char why[VLN_MODEL_WHY]);
void vln_native_close(vln_native_t **self_p);

/* Bytes of memory that it holds. */
size_t vln_native_bytes(const vln_native_t *self);

/*
 * Predict, as vln_sandbox_predict() does: the same row gives the same bits in any number of rows.
 * `limit_ms` is what the call may last; it is looked at every few rows. VLN_FAILED_PRECONDITION: the rows
 * are not what the model takes, it gives labels that are none, or the time is over; the outcome says
 * which, and the model can be asked again.
 */
VLN_MUST_USE vln_err_t vln_native_predict(const vln_native_t *self, const vln_sandbox_rows_t *rows,
                                          int64_t limit_ms, vln_sandbox_result_t *result,
                                          vln_outcome_t *outcome);

#endif
