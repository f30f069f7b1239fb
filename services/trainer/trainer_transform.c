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
#include "vln_sample.h"
#include "vln_types.h"

#include "split.h"
#include "trainer_rows.h"
#include "trainer_scaler.h"

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
    Valion__V1__DataRef *outputs[OUTPUTS_MAX];
    size_t output_count;
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
check_columns(vln_task_t *task, const Valion__V1__TransformSpec *spec)
{
    for (size_t i = 0; i < spec->n_columns; i++) {
        if (spec->columns[i]->encode != VALION__V1__ENCODE__ENCODE_UNSPECIFIED) {
            vln_task_fail(task, false,
                          "encode is not there yet: text columns can be dropped or left out");
            return false;
        }
    }
    return true;
}

static bool
check_split(vln_task_t *task, const Valion__V1__Split *split)
{
    if (split && ((split->stratify && split->stratify[0]) ||
                  (split->time_column && split->time_column[0]))) {
        vln_task_fail(task, false, "split.stratify and split.time_column are not there yet");
        return false;
    }
    return trainer_check_split(task, split);
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
    return check_columns(task, spec) && check_split(task, spec->split);
}

static bool
part_rows(transform_t *self)
{
    const Valion__V1__Split *split = self->spec->split;
    size_t count = self->data.rows;
    self->rows = vln_arena_alloc(self->task->arena, count * sizeof *self->rows);
    self->train = count;
    if (split && count < 2) {
        vln_task_fail(self->task, false, "one row cannot be parted");
        return false;
    }
    split_t parts = {0};
    if (split) {
        parts =
            split_make(count, split->has_train_share ? split->train_share : 0.8,
                       split->has_seed ? split->seed : 42, !split->has_shuffle || split->shuffle);
        self->train = parts.train;
        self->held = parts.held;
    }
    for (size_t i = 0; i < count; i++) {
        self->rows[i] = self->data.first + (split ? parts.rows[i] : i);
    }
    free(parts.rows);
    return true;
}

/* ---- fitting ---- */

static bool
names_column(const Valion__V1__ColumnTransform *transform, const char *name)
{
    for (size_t i = 0; i < transform->n_columns; i++) {
        if (strcmp(transform->columns[i], name) == 0) {
            return true;
        }
    }
    return false;
}

/* The row that names the column, else the one that names none and takes numbers; NULL: none. */
static const Valion__V1__ColumnTransform *
find_transform(const Valion__V1__TransformSpec *spec, const vln_column_t *column)
{
    const Valion__V1__ColumnTransform *rest = NULL;
    for (size_t i = 0; i < spec->n_columns; i++) {
        if (names_column(spec->columns[i], column->name)) {
            return spec->columns[i];
        }
        if (spec->columns[i]->n_columns == 0 && column->type != VLN_TYPE_STRING) {
            rest = spec->columns[i];
        }
    }
    return rest;
}

static const char *
find_unknown(const Valion__V1__ColumnTransform *transform, const vln_table_t *table)
{
    for (size_t at = 0; at < transform->n_columns; at++) {
        if (!vln_table_find(table, transform->columns[at])) {
            return transform->columns[at];
        }
    }
    return NULL;
}

static bool
check_names(const transform_t *self)
{
    const char *unknown = NULL;
    for (size_t i = 0; i < self->spec->n_columns && !unknown; i++) {
        unknown = find_unknown(self->spec->columns[i], self->data.table);
    }
    if (unknown) {
        vln_task_fail(self->task, false, "the data has no column '%.128s'", unknown);
    }
    return !unknown;
}

static trainer_scaling_t
fit_column(const transform_t *self, const vln_column_t *column,
           const Valion__V1__ColumnTransform *transform)
{
    size_t all = vln_table_rows(self->data.table);
    double *values = vln_calloc(all + 1, sizeof *values);
    double *train = vln_calloc(self->train + 1, sizeof *train);
    vln_column_numbers(column, all, values);
    for (size_t i = 0; i < self->train; i++) {
        train[i] = values[self->rows[i]];
    }
    vln_sample_t sample = vln_sample_make(train, self->train);
    trainer_scaling_t scaling = trainer_scaling_fit(column->name, &sample, transform);
    vln_sample_end(&sample);
    free(train);
    free(values);
    return scaling;
}

/* Every column of numbers but the target and the dropped ones; what no row names passes through. */
static bool
fit_columns(transform_t *self, trainer_scaling_t *out, size_t *count)
{
    static const Valion__V1__ColumnTransform as_it_is = VALION__V1__COLUMN_TRANSFORM__INIT;
    const char *target = self->spec->target;
    for (size_t i = 0; i < vln_table_columns(self->data.table); i++) {
        const vln_column_t *column = vln_table_at(self->data.table, i);
        const Valion__V1__ColumnTransform *transform = find_transform(self->spec, column);
        if ((target && strcmp(target, column->name) == 0) || (transform && transform->drop)) {
            continue;
        }
        if (column->type == VLN_TYPE_STRING) {
            vln_task_fail(self->task, false,
                          "column '%.128s' holds text: drop it ({\"columns\": [\"%.128s\"], "
                          "\"drop\": true}), or leave it out of the data set",
                          column->name, column->name);
            return false;
        }
        out[(*count)++] = fit_column(self, column, transform ? transform : &as_it_is);
    }
    if (*count == 0 || *count > VLN_MODEL_MAX_FEATURES) {
        vln_task_fail(self->task, false, "%zu columns are left to prepare; there are 1 to %d",
                      *count, VLN_MODEL_MAX_FEATURES);
    }
    return *count > 0 && *count <= VLN_MODEL_MAX_FEATURES;
}

static bool
fit(transform_t *self)
{
    trainer_scaling_t *columns = vln_arena_alloc(
        self->task->arena, (vln_table_columns(self->data.table) + 1) * sizeof *columns);
    size_t count = 0;
    char why[VLN_ARTIFACTS_WHY];
    if (!check_names(self) || !fit_columns(self, columns, &count)) {
        return false;
    }
    vln_part_t file = trainer_scaler_build(columns, count);
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

static void
add_prepared(const transform_t *self, const vln_sandbox_result_t *result, vln_table_t *out)
{
    const Valion__V1__Signature *signature = vln_predictor_signature(self->preprocessor.predictor);
    for (size_t at = 0; at < result->width; at++) {
        char name[VLN_TABLE_NAME_MAX + 1];
        snprintf(name, sizeof name, "prepared_%zu", at);
        vln_column_t *column = vln_table_add(
            out, result->width == signature->n_inputs ? signature->inputs[at]->name : name,
            VLN_TYPE_F64);
        vln_assert(column);
        for (size_t row = 0; row < result->rows; row++) {
            float value = result->values[row * result->width + at];
            if (isfinite(value)) {
                vln_column_set_f64(column, row, value);
            }
        }
    }
}

/* The prepared columns, and the target as it was. NULL: the task has been ended. */
static vln_table_t *
apply(transform_t *self, const vln_table_t *table)
{
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome;
    size_t rows = vln_table_rows(table);
    vln_err_t err =
        vln_predictor_predict(self->preprocessor.predictor, table, 0, rows, &result, &outcome);
    vln_table_t *out = NULL;
    if (err != VLN_OK) {
        trainer_fail_outcome(self->task, err, "preprocessor", &outcome);
    } else {
        out = vln_table_new();
        vln_table_set_rows(out, rows);
        add_prepared(self, &result, out);
        const char *target = self->spec->target;
        const vln_column_t *column = target && target[0] ? vln_table_find(table, target) : NULL;
        if (column && !vln_table_find(out, target)) {
            copy_column(column, rows, out);
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
