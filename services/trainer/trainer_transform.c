/*
 * Task `transform`: part a data set, fit a preprocessor on its train part, apply it, store what was
 * asked for. Without columns and preprocessor it parts alone; without `output` it stores the
 * preprocessor alone.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_csv.h"
#include "vln_csv_write.h"
#include "vln_pb.h"
#include "vln_profile.h"
#include "vln_types.h"

#include "trainer_columns.h"
#include "trainer_rows.h"
#include "trainer_split.h"

enum { OUTPUTS_MAX = 10, COLUMNS_RECORDED_MAX = 500, PROFILE_BUDGET = 64 * 1024 * 1024 };

typedef struct transform {
    vln_worker_t *worker;
    vln_task_t *task;
    Valion__V1__TransformSpec *spec;
    vln_dataset_t data;
    size_t *rows; /* of `data`: the train part first; in the task's arena */
    size_t train;
    size_t held;
    trainer_preprocessor_t preprocessor;
    uint8_t digest[VLN_DIGEST_BYTES];
    trainer_notes_t notes;
    Valion__V1__DataRef *outputs[OUTPUTS_MAX];
    size_t output_count;
    Valion__V1__Column **columns; /* of what was made */
    size_t column_count;
} transform_t;

/* ---- what is asked for ---- */

static bool
is_fitted(const transform_t *self)
{
    return self->spec->n_columns > 0;
}

static bool
is_applied(const transform_t *self)
{
    return is_fitted(self) || self->spec->preprocessor_digest.len > 0;
}

static bool
read_spec(transform_t *self)
{
    vln_task_t *task = self->task;
    self->spec = vln_task_spec(task, &valion__v1__transform_spec__descriptor);
    if (!self->spec) {
        return false;
    }
    const Valion__V1__TransformSpec *spec = self->spec;
    bool output = spec->output && spec->output[0];
    if (!spec->data || (!output && spec->n_columns == 0)) {
        vln_task_fail(task, false,
                      "a transform needs data, and columns to fit or an output to make");
        return false;
    }
    if (spec->n_columns > 0 && spec->preprocessor_digest.len > 0) {
        vln_task_fail(task, false, "either fit columns or apply preprocessor_digest, not both");
        return false;
    }
    if (spec->n_apply_to > 8) {
        vln_task_fail(task, false, "apply_to names at most 8 data sets");
        return false;
    }
    return trainer_split_check(task, spec->split);
}

static bool
part_rows(transform_t *self)
{
    const Valion__V1__Split *split = self->spec->split;
    size_t count = self->data.rows;
    split_t parts = {.train = count};
    if (split && !trainer_split_make(self->task, split, &self->data, &self->notes, &parts)) {
        return false;
    }
    self->train = parts.train;
    self->held = parts.held;
    self->rows = vln_arena_alloc(self->task->arena, count * sizeof *self->rows);
    for (size_t i = 0; i < count; i++) {
        self->rows[i] = self->data.first + (split ? parts.rows[i] : i);
    }
    free(parts.rows);
    return true;
}

/* ---- fitting ---- */

static bool
fit(transform_t *self)
{
    trainer_preparation_t preparation;
    char why[VLN_ARTIFACTS_WHY];
    const trainer_fitting_t fitting = {
        .spec = self->spec, .table = self->data.table, .rows = self->rows, .count = self->train};
    if (!trainer_columns_fit(self->task, &fitting, &self->notes, &preparation)) {
        return false;
    }
    const char **names = trainer_prepare_names(&preparation, self->spec->target, self->task->arena);
    vln_part_t file = trainer_prepare_build(&preparation, names);
    const vln_artifact_t artifact = {file.bytes, file.size, "application/x-onnx"};
    vln_err_t err = vln_artifacts_put(self->worker->artifacts, &artifact, self->task->ticket,
                                      self->digest, why);
    self->preprocessor.bytes = (vln_bytes_t){vln_memdup(file.bytes, file.size), file.size};
    vln_part_end(&file);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "preprocessor", why);
    }
    return err == VLN_OK;
}

static bool
fetch(transform_t *self)
{
    const ProtobufCBinaryData *digest = &self->spec->preprocessor_digest;
    char why[VLN_ARTIFACTS_WHY];
    if (digest->len != VLN_DIGEST_BYTES) {
        vln_task_fail(self->task, false, "preprocessor_digest: a digest has %d bytes",
                      VLN_DIGEST_BYTES);
        return false;
    }
    memcpy(self->digest, digest->data, VLN_DIGEST_BYTES);
    vln_err_t err = vln_artifacts_get(self->worker->artifacts, digest->data, VLN_MODEL_MAX_BYTES,
                                      &self->preprocessor.bytes, why);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "preprocessor", why);
    }
    return err == VLN_OK;
}

static bool
open_preprocessor(transform_t *self)
{
    vln_outcome_t outcome;
    vln_sandbox_t *sandbox = trainer_sandbox(self->worker, self->task);
    const vln_predictor_files_t files = {.model = self->preprocessor.bytes.data,
                                         .model_size = self->preprocessor.bytes.size};
    vln_err_t err =
        sandbox ? vln_predictor_open(sandbox, &files, NULL, &self->preprocessor.predictor, &outcome)
                : VLN_OK;
    if (err != VLN_OK) {
        trainer_fail_outcome(self->task, err, "preprocessor", &outcome);
    }
    return self->preprocessor.predictor != NULL;
}

/* ---- applying ---- */

static void
copy_column(const vln_column_t *from, size_t rows, vln_table_t *out)
{
    vln_column_t *to = vln_table_add(out, from->name, from->type);
    vln_assert(to);
    for (size_t row = 0; row < rows; row++) {
        if (!vln_column_has(from, row)) {
            continue;
        }
        switch (from->type) {
        case VLN_TYPE_F64:
            vln_column_set_f64(to, row, from->f64[row]);
            break;
        case VLN_TYPE_I64:
            vln_column_set_i64(to, row, from->i64[row]);
            break;
        case VLN_TYPE_BOOL:
            vln_column_set_bool(to, row, from->boolean[row] != 0);
            break;
        case VLN_TYPE_STRING: {
            const char *text = vln_column_text(from, row);
            vln_column_set_text(to, row, text, strlen(text));
            break;
        }
        }
    }
}

/* As the file names it; a file of others' may name none, or one twice. */
static vln_column_t *
add_column(const transform_t *self, size_t width, size_t at, vln_table_t *out)
{
    const vln_model_t *model = vln_predictor_model(self->preprocessor.predictor);
    const Valion__V1__Signature *signature = vln_predictor_signature(self->preprocessor.predictor);
    char name[VLN_TABLE_NAME_MAX + 1];
    snprintf(name, sizeof name, "prepared_%zu", at);
    const char *known = model->column_count == width   ? model->columns[at]
                        : width == signature->n_inputs ? signature->inputs[at]->name
                                                       : name;
    vln_column_t *column = vln_table_add(out, known, VLN_TYPE_F64);
    return column ? column : vln_table_add(out, name, VLN_TYPE_F64);
}

static bool
add_prepared(const transform_t *self, const vln_sandbox_result_t *result, vln_table_t *out)
{
    for (size_t at = 0; at < result->width; at++) {
        vln_column_t *column = add_column(self, result->width, at, out);
        if (!column) {
            vln_task_fail(self->task, false,
                          "the preprocessor's columns cannot be named: two are 'prepared_%zu', or "
                          "there are more than %d",
                          at, VLN_TABLE_COLUMNS_MAX);
            return false;
        }
        for (size_t row = 0; row < result->rows; row++) {
            float value = result->values[row * result->width + at];
            if (isfinite(value)) {
                vln_column_set_f64(column, row, value);
            }
        }
    }
    return true;
}

/* The target as it was, unless the preprocessor gives it. */
static bool
add_target(const transform_t *self, const vln_table_t *table, vln_table_t *out)
{
    const char *target = self->spec->target;
    const vln_column_t *column = target && target[0] ? vln_table_find(table, target) : NULL;
    if (!column || vln_table_find(out, target)) {
        return true;
    }
    if (vln_table_columns(out) == VLN_TABLE_COLUMNS_MAX) {
        vln_task_fail(self->task, false, "beside the target there are at most %d columns",
                      VLN_TABLE_COLUMNS_MAX - 1);
        return false;
    }
    copy_column(column, vln_table_rows(out), out);
    return true;
}

/* The rows prepared; false: the task has been ended. */
static bool
prepare(transform_t *self, const vln_table_t *table, vln_sandbox_result_t *out)
{
    vln_outcome_t outcome;
    size_t rows = vln_table_rows(table);
    size_t width = vln_predictor_model(self->preprocessor.predictor)->width;
    if (!trainer_check_cells(self->task, rows, width)) {
        return false;
    }
    vln_err_t err =
        vln_predictor_predict(self->preprocessor.predictor, table, 0, rows, out, &outcome);
    if (err != VLN_OK) {
        trainer_fail_outcome(self->task, err, "preprocessor", &outcome);
    }
    return err == VLN_OK;
}

/* The prepared columns, and the target. NULL: the task has been ended. */
static vln_table_t *
apply(transform_t *self, const vln_table_t *table)
{
    vln_sandbox_result_t result = {0};
    vln_table_t *out = NULL;
    if (prepare(self, table, &result)) {
        out = vln_table_new();
        vln_table_set_rows(out, vln_table_rows(table));
        if (!add_prepared(self, &result, out) || !add_target(self, table, out)) {
            vln_table_destroy(&out);
        }
    }
    vln_sandbox_result_end(&result);
    return out;
}

/* ---- storing ---- */

typedef struct stored {
    uint8_t data[VLN_DIGEST_BYTES];
    uint8_t profile[VLN_DIGEST_BYTES];
    size_t rows;
} stored_t;

static bool
store(transform_t *self, const char *what, const vln_artifact_t *artifact, uint8_t *digest)
{
    char why[VLN_ARTIFACTS_WHY];
    vln_err_t err =
        vln_artifacts_put(self->worker->artifacts, artifact, self->task->ticket, digest, why);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, what, why);
    }
    return err == VLN_OK;
}

/* Of the rows as they will be read back: the CSV itself is read. */
static bool
store_profile(transform_t *self, const vln_csv_text_t *text, stored_t *out)
{
    vln_arena_t *arena = vln_arena_new(PROFILE_BUDGET);
    vln_table_t *table = NULL;
    const vln_csv_options_t options = {.infer = true, .max_bytes = text->size};
    bool ok = vln_csv_read(&options, text->bytes, text->size, &table, NULL) == VLN_OK;
    if (ok) {
        Valion__V1__Profile *profile = vln_profile_make(table, 0, vln_table_rows(table), arena);
        profile->has_data_digest = 1;
        profile->data_digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES, out->data};
        size_t size = protobuf_c_message_get_packed_size(&profile->base);
        uint8_t *bytes = vln_calloc(1, size + 1);
        protobuf_c_message_pack(&profile->base, bytes);
        const vln_artifact_t artifact = {bytes, size, "application/x-protobuf"};
        ok = store(self, "profile", &artifact, out->profile);
        free(bytes);
    } else {
        vln_task_fail(self->task, false, "the prepared rows cannot be read back");
    }
    vln_table_destroy(&table);
    vln_arena_destroy(&arena);
    return ok;
}

static Valion__V1__Column **
list_columns(const vln_table_t *table, vln_arena_t *arena, size_t *count)
{
    size_t columns = vln_table_columns(table);
    *count = columns < COLUMNS_RECORDED_MAX ? columns : COLUMNS_RECORDED_MAX;
    Valion__V1__Column **list = vln_arena_alloc(arena, *count * sizeof(void *) + 1);
    for (size_t i = 0; i < *count; i++) {
        const vln_column_t *column = vln_table_at(table, i);
        list[i] = vln_arena_alloc(arena, sizeof **list);
        valion__v1__column__init(list[i]);
        list[i]->name = vln_arena_strdup(arena, column->name);
        list[i]->has_type = 1;
        list[i]->type = vln_type_to_contract(column->type);
    }
    return list;
}

static bool
record(transform_t *self, const char *name, const vln_table_t *table, const stored_t *stored)
{
    vln_arena_t *arena = self->task->arena;
    Valion__V1__Lineage lineage = VALION__V1__LINEAGE__INIT;
    Valion__V1__Dataset dataset = VALION__V1__DATASET__INIT;
    Valion__V1__CreateDatasetRequest request = VALION__V1__CREATE_DATASET_REQUEST__INIT;
    lineage.dataset_digests = (ProtobufCBinaryData *)(uintptr_t)&self->data.record->digest;
    lineage.n_dataset_digests = 1;
    lineage.has_task_id = 1;
    lineage.task_id = (ProtobufCBinaryData){VLN_ID_BYTES, (uint8_t *)self->task->id.bytes};
    dataset.name = vln_arena_strdup(arena, name);
    dataset.has_digest = dataset.has_rows = dataset.has_profile = 1;
    dataset.digest =
        (ProtobufCBinaryData){VLN_DIGEST_BYTES, vln_arena_memdup(arena, stored->data, 32)};
    dataset.profile =
        (ProtobufCBinaryData){VLN_DIGEST_BYTES, vln_arena_memdup(arena, stored->profile, 32)};
    dataset.rows = (int64_t)stored->rows;
    dataset.format = vln_arena_strdup(arena, "csv");
    dataset.columns = list_columns(table, arena, &dataset.n_columns);
    self->columns = dataset.columns;
    self->column_count = dataset.n_columns;
    dataset.lineage = &lineage;
    request.dataset = &dataset;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "CreateDataset",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__create_dataset_reply__descriptor};
    vln_reply_t reply;
    vln_err_t err = vln_worker_call(self->worker, self->task,
                                    vln_arena_printf(arena, "dataset:%s", name), spec, &reply);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, name, reply.why);
    }
    vln_reply_wipe(&reply);
    Valion__V1__DataRef *ref = vln_arena_alloc(arena, sizeof *ref);
    valion__v1__data_ref__init(ref);
    ref->name = dataset.name;
    ref->has_digest = 1;
    ref->digest = dataset.digest;
    self->outputs[self->output_count++] = ref;
    return err == VLN_OK;
}

static bool
make_output(transform_t *self, const char *name, const vln_table_t *table, const size_t *rows,
            size_t count)
{
    stored_t stored = {.rows = count};
    vln_csv_text_t text = vln_csv_write(table, rows, count);
    const vln_artifact_t artifact = {text.bytes, text.size, "text/csv"};
    bool ok = store(self, name, &artifact, stored.data) && store_profile(self, &text, &stored) &&
              record(self, name, table, &stored);
    free(text.bytes);
    return ok;
}

static bool
make_parts(transform_t *self, const vln_table_t *table)
{
    vln_arena_t *arena = self->task->arena;
    const char *name = self->spec->output;
    if (!self->spec->split) {
        return make_output(self, name, table, self->rows, self->train);
    }
    return make_output(self, vln_arena_printf(arena, "%s-train", name), table, self->rows,
                       self->train) &&
           make_output(self, vln_arena_printf(arena, "%s-test", name), table,
                       self->rows + self->train, self->held);
}

static bool
make_others(transform_t *self)
{
    bool ok = true;
    for (size_t i = 0; i < self->spec->n_apply_to && ok; i++) {
        vln_dataset_t other;
        ok =
            vln_dataset_read(self->worker, self->task, "apply_to", self->spec->apply_to[i], &other);
        if (!ok) {
            break;
        }
        vln_table_t *table = apply(self, other.table);
        ok = table != NULL;
        if (ok) {
            size_t *rows = vln_calloc(other.rows + 1, sizeof *rows);
            for (size_t row = 0; row < other.rows; row++) {
                rows[row] = other.first + row;
            }
            const char *name = vln_arena_printf(self->task->arena, "%s-%s", self->spec->output,
                                                other.record->name);
            ok = make_output(self, name, table, rows, other.rows);
            free(rows);
        }
        vln_table_destroy(&table);
        vln_dataset_end(&other);
    }
    return ok;
}

static void
end_done(transform_t *self)
{
    Valion__V1__TransformResult result = VALION__V1__TRANSFORM_RESULT__INIT;
    result.has_preprocessor_digest = is_applied(self);
    result.preprocessor_digest = (ProtobufCBinaryData){VLN_DIGEST_BYTES, self->digest};
    result.outputs = self->outputs;
    result.n_outputs = self->output_count;
    result.columns = self->columns;
    result.n_columns = self->column_count;
    result.notes = self->notes.texts;
    result.n_notes = self->notes.count;
    result.has_rows = 1;
    result.rows = (int64_t)self->data.rows;
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&result.base, self->task->arena, &size);
    vln_task_done(self->task, bytes, size);
}

static bool
run(transform_t *self)
{
    if (!read_spec(self) ||
        !vln_dataset_read(self->worker, self->task, "data", self->spec->data, &self->data) ||
        !part_rows(self) || (is_fitted(self) && !fit(self)) ||
        (is_applied(self) && !is_fitted(self) && !fetch(self)) ||
        (is_applied(self) && !open_preprocessor(self))) {
        return false;
    }
    vln_task_progress(self->task, 0.3);
    if (!self->spec->output || !self->spec->output[0]) {
        end_done(self);
        return true;
    }
    vln_table_t *prepared = is_applied(self) ? apply(self, self->data.table) : NULL;
    bool ok = (prepared || !is_applied(self)) &&
              make_parts(self, prepared ? prepared : self->data.table) &&
              (!is_applied(self) || make_others(self));
    vln_table_destroy(&prepared);
    if (ok) {
        end_done(self);
    }
    return ok;
}

void
trainer_transform(vln_worker_t *worker, vln_task_t *task)
{
    transform_t self = {.worker = worker, .task = task};
    bool done = run(&self);
    if (done) {
        trainer_count(worker, TRAINER_TRANSFORMS, 1);
        trainer_count(worker, TRAINER_ROWS, (int64_t)self.data.rows);
    }
    vln_predictor_close(&self.preprocessor.predictor);
    vln_bytes_end(&self.preprocessor.bytes);
    vln_dataset_end(&self.data);
}
