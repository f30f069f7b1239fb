/*
 * vln_predictor - a version's files, asked as one: the preprocessor first if there is one, then the
 * model; columns of a table are bound to their inputs by name. Each file is run by the native engine
 * if that covers it, else by its library in valion-sandbox; the bits are the same. Or nothing is run
 * here, and a server is asked.
 *
 * Everyone who asks a version for predictions does it here, so that trainer, validator and server
 * get the same bits of the same rows. Belongs to the thread of its sandbox. Knows no file, no
 * network, no format.
 */
#ifndef VLN_PREDICTOR_H
#define VLN_PREDICTOR_H

#include <valion/v1/evidence.pb-c.h>

#include "vln_sandbox.h"
#include "vln_table.h"

/* The bytes; they stay where they are until the predictor is closed. */
typedef struct vln_predictor_files {
    const uint8_t *model;
    size_t model_size;
    const uint8_t *preprocessor; /* NULL: none */
    size_t preprocessor_size;
    Valion__V1__Engine engine; /* UNSPECIFIED: native where it can; else this one and no other */
} vln_predictor_files_t;

/* Which columns of the table are the signature's inputs: vln_model_bind() for its names and types. */
VLN_MUST_USE vln_err_t vln_predictor_bind(const Valion__V1__Signature *signature,
                                          const vln_table_t *table, vln_arena_t *arena,
                                          vln_model_binding_t *out, char why[VLN_MODEL_WHY]);

typedef struct vln_predictor vln_predictor_t;

/*
 * Load what the version consists of. `signature`, which stays the caller's until the close, names
 * inputs and classes; NULL: what the files say themselves. VLN_FAILED_PRECONDITION: the version's
 * fault, and the outcome's sentence says what; VLN_UNAVAILABLE: there is no sandbox to be had.
 */
VLN_MUST_USE vln_err_t vln_predictor_open(vln_sandbox_t *sandbox,
                                          const vln_predictor_files_t *files,
                                          const Valion__V1__Signature *signature,
                                          vln_predictor_t **out, vln_outcome_t *outcome);
void vln_predictor_close(vln_predictor_t **self_p);

/* Rows of a table whose columns are bound to the signature's inputs. */
typedef struct vln_predictor_rows {
    const vln_table_t *table;
    const vln_model_binding_t *binding;
    size_t first;
    size_t rows;
} vln_predictor_rows_t;

/* Who predicts where no file is run here. */
typedef struct vln_predictor_remote {
    void *context;
    const vln_model_t *about; /* borrowed until the close, as the next */
    const char *version;      /* for people: what predicted; "" before the first time */
    vln_err_t (*predict)(void *context, const vln_predictor_rows_t *rows,
                         vln_sandbox_result_t *result, vln_outcome_t *outcome);
    void (*close)(void *context);
} vln_predictor_remote_t;

/* Of what the remote answers; it is the predictor's from now on, and ends with it. `signature` stays the
 * caller's until the close. Its engine is ENDPOINT. */
vln_predictor_t *vln_predictor_open_remote(const vln_predictor_remote_t *remote,
                                           const Valion__V1__Signature *signature);

/* What it takes and gives: as given, else as the files say. Borrowed until the close. */
const Valion__V1__Signature *vln_predictor_signature(const vln_predictor_t *self);

/* The model's own file, without its preprocessor. Borrowed until the next predict. */
const vln_model_t *vln_predictor_model(const vln_predictor_t *self);

/*
 * Predict rows `first` .. `first + rows - 1` of the table. VLN_INVALID_ARGUMENT: the columns do not
 * fit, and the outcome's sentence names the one; VLN_FAILED_PRECONDITION and VLN_UNAVAILABLE as
 * above. A model whose child was lost is loaded again, once a call.
 */
VLN_MUST_USE vln_err_t vln_predictor_predict(vln_predictor_t *self, const vln_table_t *table,
                                             size_t first, size_t rows,
                                             vln_sandbox_result_t *result, vln_outcome_t *outcome);

/* How many threads may work on one predict, where the native engine does it: the bits are the same. One
 * at first. */
void vln_predictor_set_threads(vln_predictor_t *self, size_t threads);

/* Which engine runs the model, and its version; of a preprocessor that another runs, that too. The text
 * is in the arena. */
Valion__V1__Engine vln_predictor_engine(const vln_predictor_t *self);
const char *vln_predictor_engine_version(const vln_predictor_t *self, vln_arena_t *arena);

/* As vln_sandbox_inspect(), without a sandbox where the native engine covers the file; `*engine` is the
 * one that opened it. */
VLN_MUST_USE vln_err_t vln_predictor_inspect(vln_sandbox_t *sandbox, const vln_sandbox_file_t *file,
                                             vln_arena_t *arena, vln_model_t *out,
                                             Valion__V1__Engine *engine, vln_outcome_t *outcome);

/* Bound by order instead of by name, because no input has a name. Of the last predict. */
bool vln_predictor_assumed_order(const vln_predictor_t *self);

#endif
