/*
 * Task `validate`: a version, its policy, rows; predictions and metrics; the policy's checks in its
 * order; a report, which the registry keeps. Everything but clocks and names follows from the bytes
 * of version, data and policy, so the same task gives the same report.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_pb.h"
#include "vln_processors.h"
#include "vln_profile.h"
#include "vln_time.h"
#include "vln_types.h"

#include "stored_profile.h"
#include "validator_baseline.h"
#include "validator_custom.h"
#include "validator_endpoint.h"
#include "validator_importance.h"
#include "validator_refit.h"
#include "validator_report.h"
#include "validator_rows.h"
#include "validator_store.h"
#include "valion/v1/validator.pb-c.h"
#include "verdict.h"

enum { CHECKS_MAX = 64, WARNINGS_MAX = 64, BASELINES_MAX = 64, DEFAULT_SEED = 42 };

enum { THREADS_MAX = 64, THREAD_ROWS = 20000 /* that are worth some */ };

/* Of columns sorted and kept for the next check: a million rows of thirty columns. */
enum { SAMPLES_BUDGET = 256 * 1024 * 1024 };

/* Everything that a validation holds on to until its end. */
typedef struct validation {
    vln_worker_t *worker;
    vln_task_t *task;
    const Valion__V1__ValidateSpec *spec;
    validator_version_t version;
    const Valion__V1__Policy *policy; /* in `policy_reply` */
    vln_reply_t policy_reply;
    validator_rows_t rows;
    validator_rows_t reference;
    vln_arena_t *profile_arena;
    const Valion__V1__Profile *profile;
    const char *target; /* NULL: none is known */
    bool is_asked;      /* the model */
    vln_sandbox_result_t answers;
    vln_sandbox_result_t reference_answers;
    truth_t truth;
    check_predictions_t predictions;
    check_baseline_t *baselines;
    size_t baseline_count;
    validator_custom_t custom;
    check_refit_t refit;
    check_importance_t importance;
    check_cost_t cost;
    samples_t *samples;
    check_context_t context;
    Valion__V1__Report report;
    plots_t plots;
    int64_t durations_ms[CHECKS_MAX];
    int64_t started_ms;
} validation_t;

/* ---- what is asked for ---- */

static const char *
find_unsupported(const Valion__V1__ValidateSpec *spec)
{
    if (spec->weight_column && spec->weight_column[0]) {
        return "weight_column";
    }
    if (spec->n_slice_columns > 0) {
        return "slice_columns";
    }
    if (spec->keep_predictions) {
        return "keep_predictions";
    }
    if (spec->engine == VALION__V1__ENGINE__ENGINE_NONE) {
        return "the engine NONE";
    }
    return NULL;
}

static bool
read_spec(validation_t *self)
{
    vln_task_t *task = self->task;
    self->spec = vln_task_spec(task, &valion__v1__validate_spec__descriptor);
    if (!self->spec) {
        return false;
    }
    const char *unsupported = find_unsupported(self->spec);
    if (unsupported) {
        vln_task_fail(task, false, "%s is not there yet: leave it out", unsupported);
        return false;
    }
    const char *wrong = validator_endpoint_wrong(self->spec);
    if (wrong) {
        vln_task_fail(task, false, "%s", wrong);
        return false;
    }
    if (!self->spec->model || !self->spec->model[0] || self->spec->n_data == 0) {
        vln_task_fail(task, false, "a validation needs a model and the data to judge it on");
        return false;
    }
    if (self->spec->has_threads && (self->spec->threads < 1 || self->spec->threads > THREADS_MAX)) {
        vln_task_fail(task, false, "threads: 1 to %d, or leave it out", THREADS_MAX);
        return false;
    }
    if (self->spec->max_rows < 0) {
        vln_task_fail(task, false, "max_rows: 1 or more, or leave it out");
        return false;
    }
    return true;
}

/* As many as are asked for and this process may use. */
static size_t
threads_of(const validation_t *self)
{
    size_t most = vln_processors();
    size_t asked = self->spec->has_threads ? self->spec->threads : 1;
    return asked < most ? asked : most;
}

/* ---- the version ---- */

static bool
check_state(validation_t *self)
{
    const Valion__V1__Version *record = self->version.record;
    const ProtobufCBinaryData *asked = &self->spec->artifact_digest;
    if (asked->len > 0 && (asked->len != VLN_DIGEST_BYTES ||
                           memcmp(asked->data, record->digest.data, VLN_DIGEST_BYTES) != 0)) {
        vln_task_fail(self->task, false,
                      "%s@%s has another digest than artifact_digest says: it is not the version "
                      "that was meant",
                      record->model, record->version);
        return false;
    }
    if (record->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_FAILED) {
        vln_task_fail(self->task, false, "%s@%s has failed and cannot be judged: %s", record->model,
                      record->version,
                      record->status_reason ? record->status_reason : "nobody said why");
        return false;
    }
    if (!record->signature || !record->signature->task ||
        record->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_TRAINING) {
        vln_task_fail(self->task, false,
                      "%s@%s is not ready: its files have not been inspected yet (submit a job of "
                      "kind inspect)",
                      record->model, record->version);
        return false;
    }
    return true;
}

static bool
find_version(validation_t *self)
{
    const Valion__V1__ValidateSpec *spec = self->spec;
    const validator_version_key_t key = {spec->model, spec->version, spec->alias};
    vln_err_t err = validator_version_find(self->worker, self->task, &key, &self->version);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "the version", self->version.reply.why);
        return false;
    }
    return check_state(self);
}

/* ---- the policy ---- */

static void
ask_for_policy(const validation_t *self, Valion__V1__GetPolicyRequest *request)
{
    const Valion__V1__ValidateSpec *spec = self->spec;
    if (spec->policy && spec->policy[0]) {
        request->name = spec->policy;
        request->has_version = spec->has_policy_version && spec->policy_version > 0;
        request->version = spec->policy_version;
        return;
    }
    request->model = spec->model;
    request->model_version = self->version.record->version;
    request->stage = spec->stage && spec->stage[0] ? spec->stage : NULL;
    request->environment = spec->environment && spec->environment[0] ? spec->environment : NULL;
}

static bool
find_policy(validation_t *self)
{
    Valion__V1__GetPolicyRequest request = VALION__V1__GET_POLICY_REQUEST__INIT;
    ask_for_policy(self, &request);
    const vln_call_spec_t spec = {.service = "registry",
                                  .method = "GetPolicy",
                                  .request = &request.base,
                                  .reply_type = &valion__v1__get_policy_reply__descriptor};
    vln_err_t err = vln_worker_call(self->worker, self->task, NULL, spec, &self->policy_reply);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "the policy", self->policy_reply.why);
        return false;
    }
    self->policy =
        ((const Valion__V1__GetPolicyReply *)(const void *)self->policy_reply.message)->policy;
    if (!self->policy || self->policy->n_checks == 0 || self->policy->n_checks > CHECKS_MAX ||
        self->policy->digest.len != VLN_DIGEST_BYTES) {
        vln_worker_fail(self->task, VLN_INTERNAL, "the policy",
                        "the registry's answer has none that can be used");
        return false;
    }
    return true;
}

/* ---- rows ---- */

static bool
needs_target(const validation_t *self)
{
    for (size_t i = 0; i < self->policy->n_checks; i++) {
        if (check_needs_target(self->policy->checks[i]->kind)) {
            return !self->policy->data_only;
        }
    }
    return false;
}

/* By the spec, else by the version. */
static bool
find_target(validation_t *self)
{
    const Valion__V1__Version *record = self->version.record;
    const char *asked = self->spec->target && self->spec->target[0] ? self->spec->target : NULL;
    const char *name = asked ? asked : record->target && record->target[0] ? record->target : NULL;
    bool there = name && vln_table_find(self->rows.table, name);
    if (name && !there && (asked || needs_target(self))) {
        vln_task_fail(self->task, false,
                      "data: there is no column '%s', the target that predictions are compared "
                      "with: add it to the data set, or say which column it is (`target`)",
                      name);
        return false;
    }
    if (!name && needs_target(self)) {
        vln_task_fail(
            self->task, false,
            "say which column of the data is the target (`target`): the version does not");
        return false;
    }
    self->target = there ? name : NULL;
    self->is_asked = there && !self->policy->data_only;
    return true;
}

static bool
read_stored_profile(validation_t *self)
{
    const ProtobufCBinaryData *digest = &self->version.record->profile_digest;
    vln_bytes_t bytes = {0};
    char why[VLN_ARTIFACTS_WHY];
    if (digest->len != VLN_DIGEST_BYTES) {
        return true;
    }
    vln_err_t err = vln_artifacts_get(self->worker->artifacts, digest->data, VLN_PROFILE_BYTES_MAX,
                                      &bytes, why);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "the version's profile", why);
        return false;
    }
    self->profile_arena = vln_arena_new(STORED_PROFILE_BUDGET);
    self->profile = stored_profile_read(bytes.data, bytes.size, self->profile_arena);
    vln_bytes_end(&bytes);
    if (!self->profile) {
        vln_task_fail(self->task, false,
                      "the version's stored profile cannot be read: name rows "
                      "to compare with (`reference`)");
    }
    return self->profile != NULL;
}

static bool
read_rows(validation_t *self)
{
    const Valion__V1__ValidateSpec *spec = self->spec;
    Valion__V1__DataRef *const *reference = &spec->reference;
    if (!validator_rows_read(
            self->worker, self->task,
            &(validator_wanted_t){"data", spec->data, spec->n_data, spec->max_rows}, &self->rows) ||
        !find_target(self)) {
        return false;
    }
    vln_task_progress(self->task, 0.2);
    return *reference ? validator_rows_read(self->worker, self->task,
                                            &(validator_wanted_t){"reference", reference, 1, 0},
                                            &self->reference)
                      : read_stored_profile(self);
}

/* ---- the model's answers ---- */

/* A model that killed its child may do it again: the second time the task is given up. */
static bool
end_outcome(validation_t *self, vln_err_t err, const vln_outcome_t *outcome)
{
    const Valion__V1__Version *record = self->version.record;
    bool crashed = validator_note_outcome(self->worker, outcome);
    validator_version_distrust(&self->version);
    if (err == VLN_CANCELLED) {
        return false; /* it was stopped, and says no end */
    }
    if (crashed) {
        vln_task_crash(self->task, "%s@%s: %s", record->model, record->version, outcome->sentence);
    } else {
        vln_worker_fail(self->task, err,
                        err == VLN_INVALID_ARGUMENT ? "the data does not fit the model"
                                                    : "the model",
                        outcome->sentence);
    }
    return false;
}

static bool
is_remote(const validation_t *self)
{
    return self->spec->engine == VALION__V1__ENGINE__ENGINE_ENDPOINT;
}

static bool
open_model(validation_t *self)
{
    char why[VLN_ARTIFACTS_WHY];
    vln_outcome_t outcome;
    if (is_remote(self)) {
        return validator_endpoint_open(self->worker, self->task, self->spec, &self->version);
    }
    vln_sandbox_t *sandbox = validator_sandbox(self->worker, self->task);
    if (!sandbox) {
        return false;
    }
    vln_err_t err = validator_version_ready(self->worker, sandbox, self->spec->engine,
                                            &self->version, &outcome, why);
    if (err != VLN_OK && !outcome.sentence[0]) {
        vln_worker_fail(self->task, err, "the model", why);
        return false;
    }
    return err == VLN_OK || end_outcome(self, err, &outcome);
}

static void
report_engine(validation_t *self)
{
    const vln_predictor_t *predictor = self->version.opened.predictor;
    self->report.engine = vln_predictor_engine(predictor);
    self->report.engine_version = /* protobuf-c only reads what it packs */
        (char *)(uintptr_t)vln_predictor_engine_version(predictor, self->task->arena);
}

static bool
looks_at_drift(const validation_t *self)
{
    bool found = false;
    for (size_t i = 0; i < self->policy->n_checks && !found; i++) {
        found = strcmp(self->policy->checks[i]->kind, "data_drift") == 0;
    }
    return found;
}

/* Have the predictions drifted? Rows that the model cannot take leave that open, and nothing else. */
static bool
ask_about_reference(validation_t *self)
{
    vln_outcome_t outcome;
    const vln_table_t *table = self->reference.table;
    if (!table || vln_table_rows(table) == 0 || !looks_at_drift(self)) {
        return true;
    }
    vln_err_t err =
        vln_predictor_predict(self->version.opened.predictor, table, 0, vln_table_rows(table),
                              &self->reference_answers, &outcome);
    if (err == VLN_INVALID_ARGUMENT) {
        return true;
    }
    self->context.reference_answers = err == VLN_OK ? &self->reference_answers : NULL;
    return err == VLN_OK || end_outcome(self, err, &outcome);
}

static bool
ask_model(validation_t *self)
{
    vln_outcome_t outcome;
    char why[TRUTH_WHY];
    const vln_table_t *table = self->rows.table;
    self->report.has_engine = 1;
    self->report.engine = VALION__V1__ENGINE__ENGINE_NONE;
    if (!self->is_asked) {
        return true;
    }
    if (truth_read(table, self->target, self->version.record->signature, self->task->arena,
                   &self->truth, why) != VLN_OK) {
        vln_task_fail(self->task, false, "data: %s", why);
        return false;
    }
    if (!open_model(self)) {
        return false;
    }
    vln_predictor_set_threads(self->version.opened.predictor, threads_of(self));
    int64_t asked_us = vln_mono_us();
    vln_err_t err = vln_predictor_predict(self->version.opened.predictor, table, 0,
                                          vln_table_rows(table), &self->answers, &outcome);
    if (err != VLN_OK) {
        return end_outcome(self, err, &outcome);
    }
    self->cost =
        (check_cost_t){.bytes = is_remote(self) ? validator_endpoint_bytes(self->version.record)
                                                : validator_opened_bytes(&self->version.opened),
                       .predict_us = vln_mono_us() - asked_us,
                       .rows = vln_table_rows(table)};
    report_engine(self);
    if (truth_fits(&self->truth, &self->answers, why) != VLN_OK) {
        vln_task_fail(self->task, false, "the model: %s", why);
        return false;
    }
    self->predictions = truth_judge(&self->truth, &self->answers, NULL, self->task->arena);
    return ask_about_reference(self);
}

/* ---- baselines ---- */

static bool
is_read(const validation_t *self, const char *name)
{
    for (size_t i = 0; i < self->baseline_count; i++) {
        if (strcmp(self->baselines[i].asked, name) == 0) {
            return true;
        }
    }
    return false;
}

static bool
read_baselines(validation_t *self)
{
    self->context.baseline = self->spec->baseline;
    self->baselines = vln_arena_alloc(self->task->arena, CHECKS_MAX * sizeof *self->baselines);
    const validator_candidate_t candidate = {.model = self->spec->model,
                                             .digest = self->version.record->digest,
                                             .signature = self->version.record->signature,
                                             .table = self->rows.table,
                                             .truth = &self->truth,
                                             .answers = &self->answers};
    for (size_t i = 0; self->is_asked && i < self->policy->n_checks; i++) {
        const Valion__V1__CheckSpec *check = self->policy->checks[i];
        const char *name = check_baseline_name(&self->context, check);
        if (check->n_metrics == 0 || !name || is_read(self, name)) {
            continue;
        }
        if (!validator_baseline_read(self->worker, self->task, &candidate, name,
                                     &self->baselines[self->baseline_count])) {
            return false;
        }
        self->baseline_count++;
    }
    return true;
}

static const check_baseline_t *
find_baseline(const validation_t *self, const char *name)
{
    for (size_t i = 0; name && i < self->baseline_count; i++) {
        if (strcmp(self->baselines[i].asked, name) == 0 && self->baselines[i].version) {
            return &self->baselines[i];
        }
    }
    return NULL;
}

static void
report_baselines(validation_t *self)
{
    Valion__V1__Report *report = &self->report;
    report->baselines = vln_arena_alloc(self->task->arena, BASELINES_MAX * sizeof(void *));
    for (size_t i = 0; i < self->policy->n_checks; i++) {
        const Valion__V1__CheckSpec *check = self->policy->checks[i];
        const check_baseline_t *baseline =
            find_baseline(self, check_baseline_name(&self->context, check));
        for (size_t at = 0; baseline && at < check->n_metrics; at++) {
            if (report->n_baselines < BASELINES_MAX) {
                report->baselines[report->n_baselines++] = validator_baseline_report(
                    baseline, check->metrics[at]->metric, report->checks[i], self->task->arena);
            }
        }
    }
}

/* ---- checks of one's own ---- */

static uint64_t
seed_of(const validation_t *self)
{
    return self->spec->has_seed ? self->spec->seed : DEFAULT_SEED;
}

static bool
read_custom(validation_t *self)
{
    const validator_custom_subject_t subject = {
        .policy = self->policy,
        .record = self->version.record,
        .data = self->rows.refs,
        .data_count = self->rows.ref_count,
        .reference = self->reference.ref_count > 0 ? self->reference.refs[0] : NULL,
        .target = self->target,
        .answers = self->is_asked ? &self->answers : NULL,
        .seed = seed_of(self)};
    return validator_custom_read(self->worker, self->task, &subject, &self->custom);
}

/* ---- fits ---- */

/* For the first check that wants some; one with another number of folds says that there are none. */
static bool
read_refit(validation_t *self)
{
    size_t folds = 0;
    for (size_t i = 0; i < self->policy->n_checks && folds == 0; i++) {
        folds = check_refit_folds(self->policy->checks[i]);
    }
    if (folds == 0 || !self->is_asked || self->answers.width != 1 ||
        self->truth.all.task != VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION) {
        return true;
    }
    const validator_refit_subject_t subject = {.version = &self->version,
                                               .table = self->rows.table,
                                               .truth = &self->truth,
                                               .answers = &self->answers,
                                               .folds = folds};
    self->context.refit = &self->refit;
    if (is_remote(self)) {
        self->refit = (check_refit_t){.folds = folds, .why = "its predictions are a server's"};
        return true;
    }
    return validator_refit(self->worker, self->task, &subject, &self->refit);
}

/* ---- the checks ---- */

/* Names of the data's columns that the model takes. */
static void
find_inputs(validation_t *self)
{
    vln_arena_t *arena = self->task->arena;
    const vln_table_t *table = self->rows.table;
    vln_model_binding_t binding = {0};
    char why[VLN_MODEL_WHY];
    if (vln_predictor_bind(self->version.record->signature, table, arena, &binding, why) !=
        VLN_OK) {
        return; /* of data alone: all of its columns then */
    }
    const char **names = vln_arena_alloc(arena, (binding.count + 1) * sizeof *names);
    for (size_t i = 0; i < binding.count; i++) {
        names[i] = vln_table_at(table, binding.columns[i])->name;
    }
    self->context.inputs = names;
    self->context.input_count = binding.count;
}

static bool
has_kind(const validation_t *self, const char *kind)
{
    for (size_t i = 0; i < self->policy->n_checks; i++) {
        if (strcmp(self->policy->checks[i]->kind, kind) == 0) {
            return true;
        }
    }
    return false;
}

static bool
read_importance(validation_t *self)
{
    vln_outcome_t outcome;
    const validator_importance_subject_t subject = {.predictor = self->version.opened.predictor,
                                                    .table = self->rows.table,
                                                    .truth = &self->truth,
                                                    .answers = &self->answers,
                                                    .inputs = self->context.inputs,
                                                    .input_count = self->context.input_count,
                                                    .seed = seed_of(self)};
    if (!self->is_asked || !has_kind(self, "importance")) {
        return true;
    }
    vln_err_t err = validator_importance(self->task, &subject, &self->importance, &outcome);
    self->context.importance = &self->importance;
    return err == VLN_OK || end_outcome(self, err, &outcome);
}

/* A large data set is sorted on the threads that the validation may have. */
static void
prepare_samples(validation_t *self)
{
    const vln_table_t *const tables[] = {self->rows.table, self->reference.table};
    for (size_t i = 0; i < VLN_COUNT(tables) && threads_of(self) > 1; i++) {
        size_t rows = tables[i] ? vln_table_rows(tables[i]) : 0;
        size_t count = tables[i] ? vln_table_columns(tables[i]) : 0;
        const vln_column_t **columns =
            vln_arena_alloc(self->task->arena, (count + 1) * sizeof(void *));
        for (size_t at = 0; at < count; at++) {
            columns[at] = vln_table_at(tables[i], at);
        }
        if (rows >= THREAD_ROWS &&
            (has_kind(self, "data_drift") || has_kind(self, "data_quality"))) {
            samples_prepare(self->samples, columns, count, rows, threads_of(self));
        }
    }
}

static bool
run_checks(validation_t *self)
{
    Valion__V1__Report *report = &self->report;
    size_t count = self->policy->n_checks;
    self->context.arena = self->task->arena;
    self->context.samples = self->samples;
    self->context.table = self->rows.table;
    self->context.target = self->target;
    self->context.predictions = self->is_asked ? &self->predictions : NULL;
    self->context.answers = self->is_asked ? &self->answers : NULL;
    self->context.seed = seed_of(self);
    self->context.reference = (check_reference_t){self->reference.table, self->profile};
    self->context.baselines = self->baselines;
    self->context.baseline_count = self->baseline_count;
    self->context.cost = self->is_asked ? &self->cost : NULL;
    find_inputs(self);
    prepare_samples(self);
    if (!read_importance(self)) {
        return false;
    }
    report->checks = vln_arena_alloc(self->task->arena, (count + 1) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        if (vln_task_is_stopped(self->task)) {
            return false;
        }
        int64_t started_ms = vln_mono_ms();
        Valion__V1__CheckResult *custom = self->custom.results[i];
        self->context.checks = report->checks;
        self->context.check_count = report->n_checks;
        report->checks[report->n_checks++] =
            custom ? custom : check_run(&self->context, self->policy->checks[i]);
        self->durations_ms[i] = vln_mono_ms() - started_ms;
        vln_task_progress(self->task, 0.6 + 0.3 * (double)(i + 1) / (double)count);
    }
    return true;
}

/* ---- the report ---- */

static void
warn(validation_t *self, char *text)
{
    Valion__V1__Report *report = &self->report;
    if (report->n_warnings < WARNINGS_MAX) {
        report->warnings[report->n_warnings++] = text;
    }
}

static void
add_warnings(validation_t *self)
{
    vln_arena_t *arena = self->task->arena;
    const check_predictions_t *predictions = &self->predictions;
    self->report.warnings = vln_arena_alloc(arena, WARNINGS_MAX * sizeof(char *));
    if (self->rows.cut) {
        warn(self, vln_arena_printf(arena, "The data has more rows: the first %zu were judged.",
                                    vln_table_rows(self->rows.table)));
    }
    if (!self->is_asked) {
        return;
    }
    if (predictions->untold > 0) {
        warn(self, vln_arena_printf(arena,
                                    "%zu of %zu rows have no value in the target column '%s' and "
                                    "count for no metric.",
                                    predictions->untold, predictions->rows, self->target));
    }
    if (predictions->unusable > 0) {
        warn(self, vln_arena_printf(arena,
                                    "The model gives no usable number for %zu of %zu rows; they "
                                    "count for no metric.",
                                    predictions->unusable, predictions->rows));
    }
    char *served = validator_endpoint_warning(&self->version, arena);
    if (served) {
        warn(self, served);
    }
    if (vln_predictor_assumed_order(self->version.opened.predictor)) {
        warn(self, vln_arena_strdup(arena, "The signature names no columns: those of the data "
                                           "were taken in their order."));
    }
}

static void
name_subject(validation_t *self)
{
    Valion__V1__Report *report = &self->report;
    const Valion__V1__Version *record = self->version.record;
    report->model = self->spec->model;
    report->version = record->version;
    report->has_artifact_digest = 1;
    report->artifact_digest = record->digest;
    report->data = self->rows.refs;
    report->n_data = self->rows.ref_count;
    report->reference = self->reference.ref_count > 0 ? self->reference.refs[0] : NULL;
    report->has_reference_profile_digest = self->profile != NULL;
    report->reference_profile_digest = record->profile_digest;
    report->policy = self->policy->name;
    report->has_policy_version = report->has_policy_digest = report->has_seed = 1;
    report->policy_version = self->policy->version;
    report->policy_digest = self->policy->digest;
    report->seed = seed_of(self);
    report->has_rows = report->has_columns = 1;
    report->rows = (int64_t)vln_table_rows(self->rows.table);
    report->columns = (int64_t)vln_table_columns(self->rows.table);
    report->metrics = self->predictions.scores.numbers;
    report->n_metrics = self->predictions.scores.count;
}

static void
finish(validation_t *self)
{
    Valion__V1__Report *report = &self->report;
    name_subject(self);
    plots_make(&self->context, self->version.record->signature, report, &self->plots);
    report_baselines(self);
    add_warnings(self);
    verdict_conclude(self->policy, report, self->task->arena);
    report->has_finished_us = report->has_duration_ms = 1;
    report->finished_us = vln_wall_us();
    report->duration_ms = vln_mono_ms() - self->started_ms;
    report->validator = (char *)(uintptr_t)vln_service_instance(self->worker->service);
}

/* ---- the result ---- */

static void
count(const validation_t *self, const Valion__V1__Report *kept)
{
    static const size_t by_status[] = {
        [VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS] = VALIDATOR_PASSED,
        [VALION__V1__CHECK_STATUS__CHECK_STATUS_WARN] = VALIDATOR_WARNED,
        [VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL] = VALIDATOR_FAILED,
        [VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE] = VALIDATOR_INCONCLUSIVE};
    validator_count(self->worker, VALIDATOR_TOTAL, 1);
    validator_count(self->worker, by_status[kept->verdict], 1);
    validator_count(self->worker, VALIDATOR_ROWS, kept->rows);
    validator_count(self->worker, VALIDATOR_DURATION_MS, vln_mono_ms() - self->started_ms);
}

/* What was kept, which is an earlier run's if there was one. */
static void
end_done(validation_t *self, const Valion__V1__Report *kept)
{
    Valion__V1__ValidateResult result = VALION__V1__VALIDATE_RESULT__INIT;
    verdict_counts_t counts = verdict_count(kept);
    result.has_report_id = result.has_verdict = result.has_report_digest = 1;
    result.report_id = kept->report_id;
    result.verdict = kept->verdict;
    result.sentence = kept->sentence;
    result.report_digest = kept->digest;
    result.metrics = kept->metrics;
    result.n_metrics = kept->n_metrics < 64 ? kept->n_metrics : 64;
    result.has_checks = result.has_failed = result.has_warned = result.has_inconclusive = 1;
    result.checks = counts.checks;
    result.failed = counts.failed;
    result.warned = counts.warned;
    result.inconclusive = counts.inconclusive;
    result.policy = kept->policy;
    result.has_policy_version = 1;
    result.policy_version = kept->policy_version;
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&result.base, self->task->arena, &size);
    vln_task_done(self->task, bytes, size);
    count(self, kept);
}

static void
run(validation_t *self)
{
    const Valion__V1__Report *kept = NULL;
    vln_reply_t reply = {0};
    if (!read_spec(self) || !find_version(self) || !find_policy(self) || !read_rows(self) ||
        !ask_model(self)) {
        return;
    }
    vln_task_progress(self->task, 0.6);
    if (!read_custom(self) || !read_baselines(self) || !read_refit(self) || !run_checks(self)) {
        return;
    }
    finish(self);
    const validator_beside_t beside = {self->durations_ms, &self->plots, &self->importance};
    if (validator_report_keep(self->worker, self->task, &self->report, &beside, &kept, &reply)) {
        end_done(self, kept);
    }
    vln_reply_wipe(&reply);
}

void
validator_validate(vln_worker_t *worker, vln_task_t *task)
{
    validation_t *self = vln_calloc(1, sizeof *self);
    self->worker = worker;
    self->task = task;
    self->started_ms = vln_mono_ms();
    self->samples = samples_new(SAMPLES_BUDGET);
    valion__v1__report__init(&self->report);
    self->report.has_started_us = 1;
    self->report.started_us = vln_wall_us();
    run(self);
    samples_destroy(&self->samples);
    vln_sandbox_result_end(&self->answers);
    vln_sandbox_result_end(&self->reference_answers);
    validator_version_end(&self->version);
    validator_rows_end(&self->rows);
    validator_rows_end(&self->reference);
    vln_arena_destroy(&self->profile_arena);
    vln_reply_wipe(&self->policy_reply);
    free(self);
}
