#include "vln_predictor.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_native.h"
#include "vln_types.h"

/* A file in the engine that runs it; in none before it is loaded. */
typedef struct part {
    vln_native_t *native;
    vln_arena_t *arena; /* holds `about` */
    vln_model_t about;  /* of the native engine */
    vln_sandbox_model_t *foreign;
} part_t;

struct vln_predictor {
    vln_sandbox_t *sandbox;
    vln_predictor_files_t files;
    const Valion__V1__Signature *signature;
    vln_arena_t *arena;      /* holds the files' own signature */
    vln_arena_t *call_arena; /* of one predict */
    part_t preprocessor;
    part_t model;
    vln_predictor_remote_t remote; /* instead of files, where it has a predict */
    vln_sandbox_result_t prepared; /* what the preprocessor made of the rows */
    bool assumed_order;
    size_t threads;
};

static vln_err_t
refuse(vln_outcome_t *outcome, vln_err_t err, const char *sentence)
{
    *outcome = (vln_outcome_t){.verdict = VLN_VERDICT_REFUSED};
    snprintf(outcome->sentence, sizeof outcome->sentence, "%s", sentence);
    return err;
}

/* ---- a part ---- */

static bool
is_loaded(const part_t *part)
{
    return part->native || part->foreign;
}

static const vln_model_t *
about_of(const part_t *part)
{
    return part->native ? &part->about : vln_sandbox_about(part->foreign);
}

static void
unload_part(part_t *part)
{
    vln_native_close(&part->native);
    vln_sandbox_unload(&part->foreign);
    vln_arena_destroy(&part->arena);
}

static vln_err_t
predict_part(vln_sandbox_t *sandbox, const part_t *part, const vln_sandbox_rows_t *rows,
             vln_sandbox_result_t *result, vln_outcome_t *outcome)
{
    return part->native ? vln_native_predict(part->native, rows, vln_sandbox_predict_ms(sandbox),
                                             result, outcome)
                        : vln_sandbox_predict(part->foreign, rows, result, outcome);
}

static Valion__V1__Engine
library_of(vln_model_kind_t kind)
{
    return kind == VLN_MODEL_ONNX ? VALION__V1__ENGINE__ENGINE_ONNXRUNTIME
                                  : VALION__V1__ENGINE__ENGINE_XGBOOST;
}

static const char *
library_name(vln_model_kind_t kind)
{
    return kind == VLN_MODEL_ONNX ? "ONNX Runtime" : "XGBoost";
}

static vln_err_t
load_native(part_t *part, const vln_sandbox_file_t *file, vln_outcome_t *outcome)
{
    char why[VLN_MODEL_WHY];
    part->arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_err_t err =
        vln_model_read(file->bytes, file->size, file->kind, part->arena, &part->about, why);
    if (err != VLN_OK) {
        return refuse(outcome, VLN_FAILED_PRECONDITION, why);
    }
    err = vln_native_open(file->bytes, file->size, &part->about, part->arena, &part->native, why);
    if (err == VLN_OK) {
        *outcome = (vln_outcome_t){0};
        return VLN_OK;
    }
    refuse(outcome, err, "");
    snprintf(outcome->sentence, sizeof outcome->sentence,
             "engine: the native one does not cover this file: %.*s", VLN_MODEL_WHY - 64, why);
    return err;
}

static vln_err_t
load_foreign(vln_sandbox_t *sandbox, part_t *part, const vln_sandbox_file_t *file,
             Valion__V1__Engine engine, vln_outcome_t *outcome)
{
    vln_err_t err = vln_sandbox_load(sandbox, file, &part->foreign, outcome);
    if (err != VLN_OK) {
        return err;
    }
    vln_model_kind_t kind = about_of(part)->kind;
    bool is_preprocessor = file->kind == VLN_MODEL_ONNX; /* for which there is but one library */
    if (engine == VALION__V1__ENGINE__ENGINE_UNSPECIFIED || engine == library_of(kind) ||
        is_preprocessor) {
        return VLN_OK;
    }
    char why[VLN_MODEL_WHY];
    snprintf(why, sizeof why, "engine: the file is for the native one or %s, and for no other",
             library_name(kind));
    return refuse(outcome, VLN_FAILED_PRECONDITION, why);
}

static vln_err_t
load_part(vln_sandbox_t *sandbox, part_t *part, const vln_sandbox_file_t *file,
          Valion__V1__Engine engine, vln_outcome_t *outcome)
{
    bool may_be_native = engine == VALION__V1__ENGINE__ENGINE_UNSPECIFIED ||
                         engine == VALION__V1__ENGINE__ENGINE_NATIVE;
    if (may_be_native) {
        vln_err_t err = load_native(part, file, outcome);
        if (err == VLN_OK || engine == VALION__V1__ENGINE__ENGINE_NATIVE) {
            return err;
        }
        unload_part(part);
    }
    return load_foreign(sandbox, part, file, engine, outcome);
}

static Valion__V1__Engine
engine_of(const part_t *part)
{
    return part->native ? VALION__V1__ENGINE__ENGINE_NATIVE : library_of(about_of(part)->kind);
}

static const char *
version_of(const vln_predictor_t *self, const part_t *part)
{
    if (part->native) {
        return VLN_NATIVE_VERSION;
    }
    return about_of(part)->kind == VLN_MODEL_ONNX ? vln_sandbox_onnxruntime(self->sandbox)
                                                  : vln_sandbox_xgboost(self->sandbox);
}

/* ---- loading ---- */

static void
unload(vln_predictor_t *self)
{
    unload_part(&self->preprocessor);
    unload_part(&self->model);
}

/* A preprocessor gives as many numbers a row as the model takes. */
static vln_err_t
check_join(const vln_predictor_t *self, vln_outcome_t *outcome)
{
    const vln_model_t *first = about_of(&self->preprocessor);
    const vln_model_t *then = about_of(&self->model);
    if (first->width == 0 || then->feature_count == 0 || first->width == then->feature_count) {
        return VLN_OK;
    }
    char why[VLN_MODEL_WHY];
    snprintf(why, sizeof why, "the preprocessor gives %zu columns and the model takes %zu",
             first->width, then->feature_count);
    return refuse(outcome, VLN_FAILED_PRECONDITION, why);
}

static vln_err_t
load(vln_predictor_t *self, vln_outcome_t *outcome)
{
    const vln_predictor_files_t *files = &self->files;
    vln_err_t err = VLN_OK;
    unload(self);
    if (files->preprocessor) {
        const vln_sandbox_file_t file = {files->preprocessor, files->preprocessor_size,
                                         VLN_MODEL_ONNX};
        err = load_part(self->sandbox, &self->preprocessor, &file, files->engine, outcome);
    }
    if (err == VLN_OK) {
        const vln_sandbox_file_t file = {files->model, files->model_size, VLN_MODEL_AUTO};
        err = load_part(self->sandbox, &self->model, &file, files->engine, outcome);
    }
    if (err == VLN_OK && files->preprocessor) {
        err = check_join(self, outcome);
    }
    if (err != VLN_OK) {
        unload(self);
    }
    return err;
}

/* The file that the rows go into. */
static const vln_model_t *
first_about(const vln_predictor_t *self)
{
    return about_of(self->files.preprocessor ? &self->preprocessor : &self->model);
}

/* What comes in is what the first of the two takes; what goes out is the model's. */
static const Valion__V1__Signature *
files_signature(const vln_predictor_t *self)
{
    Valion__V1__Signature *signature = vln_model_signature(about_of(&self->model), self->arena);
    if (self->files.preprocessor) {
        const Valion__V1__Signature *first =
            vln_model_signature(about_of(&self->preprocessor), self->arena);
        signature->n_inputs = first->n_inputs;
        signature->inputs = first->inputs;
    }
    return signature;
}

/* The signature has as many inputs as the file that it is for. */
static vln_err_t
check_signature(const vln_predictor_t *self, vln_outcome_t *outcome)
{
    const vln_model_t *first = first_about(self);
    size_t inputs = self->signature->n_inputs;
    if (inputs > 0 && (first->feature_count == 0 || first->feature_count == inputs)) {
        return VLN_OK;
    }
    char why[VLN_MODEL_WHY];
    snprintf(why, sizeof why, "the signature has %zu inputs and the file takes %zu", inputs,
             first->feature_count);
    return refuse(outcome, VLN_FAILED_PRECONDITION, why);
}

vln_err_t
vln_predictor_open(vln_sandbox_t *sandbox, const vln_predictor_files_t *files,
                   const Valion__V1__Signature *signature, vln_predictor_t **out,
                   vln_outcome_t *outcome)
{
    vln_predictor_t *self = vln_calloc(1, sizeof *self);
    *out = NULL;
    self->sandbox = sandbox;
    self->files = *files;
    self->arena = vln_arena_new(VLN_MODEL_ARENA);
    self->call_arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_err_t err = load(self, outcome);
    if (err == VLN_OK) {
        self->signature = signature ? signature : files_signature(self);
        err = check_signature(self, outcome);
    }
    if (err != VLN_OK) {
        vln_predictor_close(&self);
    }
    *out = self;
    return err;
}

vln_predictor_t *
vln_predictor_open_remote(const vln_predictor_remote_t *remote,
                          const Valion__V1__Signature *signature)
{
    vln_predictor_t *self = vln_calloc(1, sizeof *self);
    self->remote = *remote;
    self->signature = signature;
    self->call_arena = vln_arena_new(VLN_MODEL_ARENA);
    return self;
}

void
vln_predictor_close(vln_predictor_t **self_p)
{
    vln_predictor_t *self = *self_p;
    if (!self) {
        return;
    }
    unload(self);
    if (self->remote.close) {
        self->remote.close(self->remote.context);
    }
    vln_sandbox_result_end(&self->prepared);
    vln_arena_destroy(&self->arena);
    vln_arena_destroy(&self->call_arena);
    free(self);
    *self_p = NULL;
}

const Valion__V1__Signature *
vln_predictor_signature(const vln_predictor_t *self)
{
    return self->signature;
}

void
vln_predictor_set_threads(vln_predictor_t *self, size_t threads)
{
    self->threads = threads;
}

const vln_model_t *
vln_predictor_model(const vln_predictor_t *self)
{
    return self->remote.predict ? self->remote.about : about_of(&self->model);
}

Valion__V1__Engine
vln_predictor_engine(const vln_predictor_t *self)
{
    return self->remote.predict ? VALION__V1__ENGINE__ENGINE_ENDPOINT : engine_of(&self->model);
}

const char *
vln_predictor_engine_version(const vln_predictor_t *self, vln_arena_t *arena)
{
    const part_t *before = &self->preprocessor;
    if (self->remote.predict) {
        return vln_arena_strdup(arena, self->remote.version);
    }
    const char *version = version_of(self, &self->model);
    if (!self->files.preprocessor || engine_of(before) == engine_of(&self->model)) {
        return vln_arena_strdup(arena, version);
    }
    return vln_arena_printf(arena, "%s; its preprocessor: %s %s", version,
                            before->native ? "native" : library_name(VLN_MODEL_ONNX),
                            version_of(self, before));
}

vln_err_t
vln_predictor_inspect(vln_sandbox_t *sandbox, const vln_sandbox_file_t *file, vln_arena_t *arena,
                      vln_model_t *out, Valion__V1__Engine *engine, vln_outcome_t *outcome)
{
    char why[VLN_MODEL_WHY];
    vln_native_t *native = NULL;
    *engine = VALION__V1__ENGINE__ENGINE_NATIVE;
    if (vln_model_read(file->bytes, file->size, file->kind, arena, out, why) == VLN_OK &&
        vln_native_open(file->bytes, file->size, out, arena, &native, why) == VLN_OK) {
        vln_native_close(&native);
        *outcome = (vln_outcome_t){0};
        return VLN_OK;
    }
    vln_err_t err = vln_sandbox_inspect(sandbox, file, arena, out, outcome);
    *engine = err == VLN_OK ? library_of(out->kind) : VALION__V1__ENGINE__ENGINE_UNSPECIFIED;
    return err;
}

bool
vln_predictor_assumed_order(const vln_predictor_t *self)
{
    return self->assumed_order;
}

/* ---- rows ---- */

vln_err_t
vln_predictor_bind(const Valion__V1__Signature *signature, const vln_table_t *table,
                   vln_arena_t *arena, vln_model_binding_t *out, char why[VLN_MODEL_WHY])
{
    size_t count = vln_table_columns(table);
    vln_model_column_t *columns = vln_arena_alloc(arena, count * sizeof *columns + 1);
    for (size_t i = 0; i < count; i++) {
        const vln_column_t *column = vln_table_at(table, i);
        columns[i] = (vln_model_column_t){column->name, vln_type_to_contract(column->type)};
    }
    return vln_model_bind(signature, columns, count, arena, out, why);
}

static vln_err_t
bind(vln_predictor_t *self, const vln_table_t *table, vln_model_binding_t *binding,
     vln_outcome_t *outcome)
{
    char why[VLN_MODEL_WHY];
    vln_err_t err = vln_predictor_bind(self->signature, table, self->call_arena, binding, why);
    self->assumed_order = err == VLN_OK && binding->order_assumed;
    return err == VLN_OK ? err : refuse(outcome, VLN_INVALID_ARGUMENT, why);
}

static float
cell_number(const vln_column_t *column, size_t row)
{
    if (!vln_column_has(column, row)) {
        return NAN;
    }
    switch (column->type) {
    case VLN_TYPE_F64:
        return (float)column->f64[row];
    case VLN_TYPE_I64:
        return (float)column->i64[row];
    case VLN_TYPE_BOOL:
        return (float)column->boolean[row];
    default:
        return NAN;
    }
}

static void
take_numbers(const vln_column_t *column, size_t first, size_t rows, float *out, size_t stride)
{
    for (size_t row = 0; row < rows; row++) {
        out[row * stride] = cell_number(column, first + row);
    }
}

/* A code of -1, no value, is UINT32_MAX there too. */
static vln_sandbox_text_t
take_text(vln_predictor_t *self, const vln_column_t *column, size_t first)
{
    size_t count = vln_dict_count(column->words);
    const char **words = vln_arena_alloc(self->call_arena, (count + 1) * sizeof *words);
    for (size_t i = 0; i < count; i++) {
        words[i] = vln_dict_text(column->words, (int32_t)i, NULL);
    }
    return (vln_sandbox_text_t){(const uint32_t *)(const void *)(column->codes + first), words};
}

static bool
is_text(const vln_model_t *model, size_t feature)
{
    return feature < model->feature_count && model->features[feature].type == VLN_TENSOR_STRING;
}

/* The table's columns as the first file takes them. `*matrix` is to be freed. */
static void
gather(vln_predictor_t *self, const vln_table_t *table, const vln_model_binding_t *binding,
       size_t first, vln_sandbox_rows_t *out, float **matrix)
{
    const vln_model_t *model = first_about(self);
    vln_sandbox_text_t *texts =
        vln_arena_alloc(self->call_arena, (binding->count + 1) * sizeof *texts);
    size_t numbers = 0;
    for (size_t i = 0; i < binding->count; i++) {
        numbers += !is_text(model, i);
    }
    *matrix = vln_calloc(out->rows * numbers + 1, sizeof **matrix);
    out->numbers = *matrix;
    out->number_count = numbers;
    out->texts = texts;
    out->threads = self->threads;
    size_t at = 0;
    for (size_t i = 0; i < binding->count; i++) {
        const vln_column_t *column = vln_table_at(table, binding->columns[i]);
        if (is_text(model, i)) {
            texts[out->text_count++] = take_text(self, column, first);
        } else {
            take_numbers(column, first, out->rows, *matrix + at++, numbers);
        }
    }
}

static vln_err_t
run(vln_predictor_t *self, const vln_sandbox_rows_t *rows, vln_sandbox_result_t *result,
    vln_outcome_t *outcome)
{
    if (!self->files.preprocessor) {
        return predict_part(self->sandbox, &self->model, rows, result, outcome);
    }
    vln_err_t err =
        predict_part(self->sandbox, &self->preprocessor, rows, &self->prepared, outcome);
    const vln_sandbox_rows_t prepared = {.rows = self->prepared.rows,
                                         .numbers = self->prepared.values,
                                         .number_count = self->prepared.width,
                                         .threads = self->threads};
    return err == VLN_OK ? predict_part(self->sandbox, &self->model, &prepared, result, outcome)
                         : err;
}

/* With the files loaded anew when their child is gone. */
static vln_err_t
run_surely(vln_predictor_t *self, const vln_sandbox_rows_t *rows, vln_sandbox_result_t *result,
           vln_outcome_t *outcome)
{
    vln_err_t err = is_loaded(&self->model) ? run(self, rows, result, outcome) : VLN_UNAVAILABLE;
    if (err == VLN_UNAVAILABLE) {
        err = load(self, outcome);
        err = err == VLN_OK ? run(self, rows, result, outcome) : err;
    }
    return err;
}

vln_err_t
vln_predictor_predict(vln_predictor_t *self, const vln_table_t *table, size_t first, size_t rows,
                      vln_sandbox_result_t *result, vln_outcome_t *outcome)
{
    vln_assert(first + rows <= vln_table_rows(table));
    vln_arena_reset(self->call_arena);
    vln_model_binding_t binding = {0};
    vln_err_t err = bind(self, table, &binding, outcome);
    if (err == VLN_OK && self->remote.predict) {
        const vln_predictor_rows_t asked = {table, &binding, first, rows};
        return self->remote.predict(self->remote.context, &asked, result, outcome);
    }
    /* What a column is for is known of a loaded file alone. */
    if (err == VLN_OK && !is_loaded(&self->model)) {
        err = load(self, outcome);
    }
    if (err != VLN_OK) {
        return err;
    }
    vln_sandbox_rows_t asked = {.rows = rows};
    float *matrix = NULL;
    gather(self, table, &binding, first, &asked, &matrix);
    err = run_surely(self, &asked, result, outcome);
    free(matrix);
    return err;
}
