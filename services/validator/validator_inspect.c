/*
 * Task `inspect`: open a version's files where they can do no harm, and establish what it takes and
 * gives, sample rows with its answers, and the profile of its data. A file that is no good makes the
 * version FAILED; data that is not makes only the task fail, and can be given again.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_pb.h"
#include "vln_profile.h"
#include "vln_samples.h"

#include "made_up.h"
#include "settle.h"
#include "validator_rows.h"
#include "validator_store.h"
#include "validator_version.h"
#include "valion/v1/validator.pb-c.h"

enum {
    SAMPLE_ROWS = 8,
    FACTS_MAX = 16,
    DEFAULT_SEED = 42,
    PROFILE_BUDGET = 64 * 1024 * 1024,
    SIGNATURE_SHOWN = 6000, /* bytes; a result has at most 16 KiB */
    NOTES_SHOWN = 6000,
};

typedef struct inspection {
    vln_worker_t *worker;
    vln_task_t *task;
    const Valion__V1__InspectSpec *spec;
    validator_version_t version;
    validator_rows_t rows; /* has a table only where data was named */
    vln_arena_t *arena;    /* what the files say */
    vln_model_t model;
    vln_model_t preprocessor;
    settle_notes_t notes;
    Valion__V1__Signature *signature;
    const char *target;
    uint8_t samples[VLN_DIGEST_BYTES];
    uint8_t profile[VLN_DIGEST_BYTES];
    Valion__V1__InspectResult result;
} inspection_t;

/* ---- what is wrong, and whose fault it is ---- */

static bool
set_signature(inspection_t *self, Valion__V1__SetSignatureRequest *request, const char *purpose)
{
    const Valion__V1__Version *record = self->version.record;
    request->model = record->model;
    request->version = record->version;
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "SetSignature",
                                  .request = &request->base,
                                  .reply_type = &valion__v1__set_signature_reply__descriptor};
    vln_reply_t reply;
    vln_err_t err = vln_worker_call(self->worker, self->task, purpose, spec, &reply);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "what was found cannot be recorded", reply.why);
    }
    vln_reply_wipe(&reply);
    return err == VLN_OK;
}

/* The version's own: it becomes FAILED, and the task with it. Always false. */
static bool
fail_version(inspection_t *self, const char *role, const char *why)
{
    Valion__V1__SetSignatureRequest request = VALION__V1__SET_SIGNATURE_REQUEST__INIT;
    const Valion__V1__Version *record = self->version.record;
    vln_task_fail(self->task, false, "%s@%s: the %s: %s", record->model, record->version, role,
                  why);
    /* As the task tells it: within its bound, and UTF-8 even where a name was cut. */
    request.error = self->task->end.error + strlen(record->model) + strlen(record->version) + 3;
    set_signature(self, &request, "failed");
    return false;
}

/* By what the sandbox said. Always false. */
static bool
fail_outcome(inspection_t *self, vln_err_t err, const char *role, const vln_outcome_t *outcome)
{
    validator_note_outcome(self->worker, outcome);
    if (err == VLN_FAILED_PRECONDITION) {
        return fail_version(self, role, outcome->sentence);
    }
    vln_worker_fail(self->task, err,
                    err == VLN_INVALID_ARGUMENT ? "the data does not fit the model" : role,
                    outcome->sentence);
    return false;
}

/* ---- what is asked for ---- */

static bool
read_spec(inspection_t *self)
{
    self->spec = vln_task_spec(self->task, &valion__v1__inspect_spec__descriptor);
    if (!self->spec) {
        return false;
    }
    if (!self->spec->model || !self->spec->model[0] || !self->spec->version) {
        vln_task_fail(self->task, false, "an inspection needs a model and a version");
        return false;
    }
    if (self->spec->sample_rows > VLN_SAMPLES_MAX) {
        vln_task_fail(self->task, false, "sample_rows: 1 to %d", VLN_SAMPLES_MAX);
        return false;
    }
    return true;
}

static bool
find_version(inspection_t *self)
{
    const validator_version_key_t key = {self->spec->model, self->spec->version, NULL};
    vln_err_t err = validator_version_find(self->worker, self->task, &key, &self->version);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "the version", self->version.reply.why);
        return false;
    }
    const Valion__V1__Version *record = self->version.record;
    if (record->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_FAILED) {
        vln_task_fail(self->task, false,
                      "%s@%s has failed already and stays so: make another version (%s)",
                      record->model, record->version,
                      record->status_reason ? record->status_reason : "nobody said why");
        return false;
    }
    self->target = self->spec->target && self->spec->target[0] ? self->spec->target
                   : record->target && record->target[0]       ? record->target
                                                               : NULL;
    return true;
}

static bool
fetch_files(inspection_t *self)
{
    char why[VLN_ARTIFACTS_WHY];
    vln_err_t err = validator_version_fetch(self->worker, &self->version, why);
    if (err == VLN_NOT_FOUND && !self->version.opened.model.data) {
        return fail_version(self, "model", why);
    }
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "the version's files", why);
    }
    return err == VLN_OK;
}

static bool
read_rows(inspection_t *self)
{
    if (!self->spec->data) {
        return true;
    }
    return validator_rows_read(self->worker, self->task,
                               &(validator_wanted_t){"data", &self->spec->data, 1, 0}, &self->rows);
}

/* ---- the files ---- */

static bool
open_file(inspection_t *self, const char *role, const vln_bytes_t *bytes, vln_model_kind_t kind,
          vln_model_t *out)
{
    vln_outcome_t outcome;
    Valion__V1__Engine engine;
    vln_sandbox_t *sandbox = validator_sandbox(self->worker, self->task);
    const vln_sandbox_file_t file = {bytes->data, bytes->size, kind};
    if (!sandbox) {
        return false;
    }
    vln_err_t err = vln_predictor_inspect(sandbox, &file, self->arena, out, &engine, &outcome);
    return err == VLN_OK || fail_outcome(self, err, role, &outcome);
}

static bool
settle(inspection_t *self)
{
    char why[SETTLE_WHY];
    bool prepared = self->version.opened.preprocessor.data != NULL;
    const settle_question_t question = {.first = prepared ? &self->preprocessor : &self->model,
                                        .model = &self->model,
                                        .expected = self->spec->expected,
                                        .recorded = self->version.record->signature,
                                        .data = self->rows.table,
                                        .target = self->target};
    vln_err_t err =
        settle_signature(&question, self->task->arena, &self->signature, &self->notes, why);
    if (err == VLN_FAILED_PRECONDITION) {
        return fail_version(self, "model", why);
    }
    if (err != VLN_OK) {
        vln_task_fail(self->task, false, "%s", why);
    }
    return err == VLN_OK;
}

static bool
open_files(inspection_t *self)
{
    const vln_bytes_t *before = &self->version.opened.preprocessor;
    if (!open_file(self, "model", &self->version.opened.model, VLN_MODEL_AUTO, &self->model) ||
        (before->data &&
         !open_file(self, "preprocessor", before, VLN_MODEL_ONNX, &self->preprocessor)) ||
        !settle(self)) {
        return false;
    }
    vln_outcome_t outcome;
    vln_sandbox_t *sandbox = validator_sandbox(self->worker, self->task);
    vln_err_t err = sandbox ? validator_version_open(sandbox, self->signature,
                                                     VALION__V1__ENGINE__ENGINE_UNSPECIFIED,
                                                     &self->version, &outcome)
                            : VLN_OK;
    return self->version.opened.predictor ||
           (sandbox && fail_outcome(self, err, "model", &outcome));
}

/* ---- sample rows ---- */

static Valion__V1__Samples *
take_samples(inspection_t *self, const vln_table_t *table, size_t wanted)
{
    size_t rows[VLN_SAMPLES_MAX];
    size_t there = vln_table_rows(table);
    size_t taken = there < wanted ? there : wanted;
    for (size_t i = 0; i < taken; i++) {
        rows[i] = i * there / taken;
    }
    return vln_samples_take(self->signature, table, rows, taken, self->task->arena);
}

static bool
answer(inspection_t *self, const vln_table_t *table, size_t wanted)
{
    vln_outcome_t outcome;
    Valion__V1__Samples *samples = take_samples(self, table, wanted);
    vln_err_t err =
        vln_samples_answer(samples, self->version.opened.predictor, self->task->arena, &outcome);
    if (err != VLN_OK) {
        return fail_outcome(self, err, "model", &outcome);
    }
    return validator_store(self->worker, self->task, "sample rows", &samples->base, self->samples);
}

static bool
store_samples(inspection_t *self)
{
    const Valion__V1__InspectSpec *spec = self->spec;
    size_t wanted = spec->sample_rows > 0 ? spec->sample_rows : SAMPLE_ROWS;
    if (self->rows.table) {
        return answer(self, self->rows.table, wanted);
    }
    vln_table_t *made_up =
        made_up_rows(self->signature, wanted, spec->has_seed ? spec->seed : DEFAULT_SEED);
    settle_note(&self->notes, self->task->arena,
                "no data was named, so the %zu sample rows are made up: they show that the model "
                "answers, not that it answers well",
                wanted);
    bool ok = answer(self, made_up, wanted);
    vln_table_destroy(&made_up);
    return ok;
}

/* ---- the profile ---- */

/* Of one number a row: the prediction, or of two classes the second one's probability. */
static vln_err_t
profile_predictions(inspection_t *self, vln_arena_t *arena, Valion__V1__Profile *profile,
                    vln_outcome_t *outcome)
{
    const vln_table_t *table = self->rows.table;
    vln_sandbox_result_t answers = {0};
    vln_err_t err = vln_predictor_predict(self->version.opened.predictor, table, 0,
                                          vln_table_rows(table), &answers, outcome);
    if (err == VLN_OK && answers.width == 1) {
        double *values = vln_calloc(answers.rows + 1, sizeof *values);
        for (size_t i = 0; i < answers.rows; i++) {
            values[i] = (double)answers.values[i];
        }
        profile->prediction =
            vln_profile_numbers(self->signature->outputs[0]->name, values, answers.rows, arena);
        free(values);
    }
    vln_sandbox_result_end(&answers);
    return err;
}

static bool
store_profile(inspection_t *self)
{
    vln_outcome_t outcome;
    if (!self->rows.table) {
        return true;
    }
    vln_arena_t *arena = vln_arena_new(PROFILE_BUDGET);
    Valion__V1__Profile *profile =
        vln_profile_make(self->rows.table, 0, vln_table_rows(self->rows.table), arena);
    profile->has_data_digest = 1;
    profile->data_digest = self->rows.refs[0]->digest;
    vln_err_t err = profile_predictions(self, arena, profile, &outcome);
    bool ok = err == VLN_OK ? validator_store(self->worker, self->task, "profile", &profile->base,
                                              self->profile)
                            : fail_outcome(self, err, "model", &outcome);
    vln_arena_destroy(&arena);
    return ok;
}

/* ---- the result ---- */

static void
add_fact(inspection_t *self, const char *key, const char *value)
{
    Valion__V1__InspectResult *result = &self->result;
    if (!value || !value[0] || result->n_facts == FACTS_MAX) {
        return;
    }
    Valion__V1__KeyValue *fact = vln_arena_alloc(self->task->arena, sizeof *fact);
    valion__v1__key_value__init(fact);
    fact->key = vln_arena_strdup(self->task->arena, key);
    fact->value = vln_arena_strdup(self->task->arena, value);
    result->facts[result->n_facts++] = fact;
}

static void
add_number(inspection_t *self, const char *key, double value)
{
    add_fact(self, key, vln_arena_printf(self->task->arena, "%.10g", value));
}

static void
add_facts(inspection_t *self)
{
    const vln_model_t *model = &self->model;
    self->result.facts = vln_arena_alloc(self->task->arena, FACTS_MAX * sizeof(void *));
    add_number(self, "size_bytes", (double)self->version.opened.model.size);
    add_number(self, "inputs", (double)self->signature->n_inputs);
    if (model->kind == VLN_MODEL_ONNX) {
        add_fact(self, "producer", model->producer);
        add_number(self, "opset", (double)model->opset);
        add_number(self, "nodes", (double)model->node_count);
    } else {
        add_fact(self, "objective", model->objective);
        add_fact(self, "booster", model->booster);
        add_number(self, "base_score", model->base_score);
        add_number(self, "trees", (double)model->tree_count);
        add_number(self, "tree_nodes", (double)model->tree_nodes);
    }
    if (self->version.opened.preprocessor.data) {
        add_number(self, "preprocessor_nodes", (double)self->preprocessor.node_count);
    }
}

static void
add_notes(inspection_t *self)
{
    Valion__V1__InspectResult *result = &self->result;
    size_t used = 0;
    result->notes = self->notes.texts;
    while (result->n_notes < self->notes.count && used <= NOTES_SHOWN) {
        used += strlen(self->notes.texts[result->n_notes]) + 4;
        result->n_notes += used <= NOTES_SHOWN;
    }
}

static void
end_done(inspection_t *self)
{
    Valion__V1__InspectResult *result = &self->result;
    const char *algorithm = self->version.record->algorithm;
    bool short_enough = valion__v1__signature__get_packed_size(self->signature) <= SIGNATURE_SHOWN;
    result->signature = short_enough ? self->signature : NULL;
    result->has_samples_digest = result->has_engine = 1;
    result->samples_digest = validator_borrow(self->samples, VLN_DIGEST_BYTES);
    result->has_profile_digest = self->rows.table != NULL;
    result->profile_digest = validator_borrow(self->profile, VLN_DIGEST_BYTES);
    result->engine = vln_predictor_engine(self->version.opened.predictor);
    result->format = vln_arena_strdup(self->task->arena, vln_model_kind_name(self->model.kind));
    result->algorithm =
        vln_arena_strdup(self->task->arena, algorithm && algorithm[0] ? algorithm
                                            : self->model.booster     ? self->model.booster
                                            : self->model.producer    ? self->model.producer
                                                                      : "");
    add_facts(self);
    add_notes(self);
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&result->base, self->task->arena, &size);
    vln_task_done(self->task, bytes, size);
    validator_count(self->worker, VALIDATOR_INSPECTIONS, 1);
}

static bool
record(inspection_t *self)
{
    Valion__V1__SetSignatureRequest request = VALION__V1__SET_SIGNATURE_REQUEST__INIT;
    request.signature = self->signature;
    request.has_samples = request.has_ready = 1;
    request.samples = validator_borrow(self->samples, VLN_DIGEST_BYTES);
    request.has_profile = self->rows.table != NULL;
    request.profile = validator_borrow(self->profile, VLN_DIGEST_BYTES);
    request.ready = 1;
    return set_signature(self, &request, "signature");
}

static void
run(inspection_t *self)
{
    if (!read_spec(self) || !find_version(self) || !fetch_files(self) || !read_rows(self)) {
        return;
    }
    vln_task_progress(self->task, 0.3);
    if (!open_files(self) || vln_task_is_stopped(self->task) || !store_samples(self) ||
        !store_profile(self) || !record(self)) {
        return;
    }
    end_done(self);
}

void
validator_inspect(vln_worker_t *worker, vln_task_t *task)
{
    inspection_t *self = vln_calloc(1, sizeof *self);
    self->worker = worker;
    self->task = task;
    self->arena = vln_arena_new(VLN_MODEL_ARENA);
    valion__v1__inspect_result__init(&self->result);
    run(self);
    validator_version_end(&self->version);
    validator_rows_end(&self->rows);
    vln_arena_destroy(&self->arena);
    free(self);
}
