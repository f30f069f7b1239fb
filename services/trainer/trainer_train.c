/*
 * Task `train`: rows to numbers, a fit for each algorithm, the best one asked as it will be asked in
 * production (through the sandbox, behind its preprocessor), and registered with what it said.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_pb.h"
#include "vln_scores.h"
#include "vln_time.h"

#include "trainer_choose.h"
#include "trainer_register.h"
#include "trainer_split.h"

enum { IMPORTANCE_MAX = 64 };

/* Everything that a training holds on to until its end. */
typedef struct training {
    vln_worker_t *worker;
    vln_task_t *task;
    Valion__V1__TrainSpec *spec;
    vln_dataset_t data;
    vln_dataset_t validation; /* has a table only if it was asked for */
    split_t split;
    trainer_notes_t notes;
    trainer_choice_t train;
    trainer_choice_t held;
    trainer_preprocessor_t preprocessor;
    trainer_target_t target;
    trainer_features_t features;
    vln_fit_numbers_t train_numbers;
    vln_fit_numbers_t held_numbers;
    trainer_chosen_t best;
    vln_predictor_t *predictor;
    vln_scores_t scores;
    vln_scores_t train_scores;
    vln_truth_t truth;
} training_t;

/* ---- what is asked for ---- */

static bool
read_spec(training_t *self)
{
    vln_task_t *task = self->task;
    self->spec = vln_task_spec(task, &valion__v1__train_spec__descriptor);
    if (!self->spec) {
        return false;
    }
    if (!self->spec->model || !self->spec->model[0] || !self->spec->data || !self->spec->target) {
        vln_task_fail(task, false, "a training needs model, data and target");
        return false;
    }
    return trainer_split_check(task, self->spec->split) && trainer_check_contest(task, self->spec);
}

/* ---- rows ---- */

static bool
read_preprocessor(training_t *self)
{
    const ProtobufCBinaryData *digest = &self->spec->preprocessor_digest;
    char why[VLN_ARTIFACTS_WHY];
    vln_outcome_t outcome;
    if (!self->spec->has_preprocessor_digest || digest->len == 0) {
        return true;
    }
    if (digest->len != VLN_DIGEST_BYTES) {
        vln_task_fail(self->task, false, "preprocessor_digest: a digest has %d bytes",
                      VLN_DIGEST_BYTES);
        return false;
    }
    trainer_preprocessor_t *out = &self->preprocessor;
    vln_err_t err = vln_artifacts_get(self->worker->artifacts, digest->data, VLN_MODEL_MAX_BYTES,
                                      &out->bytes, why);
    if (err != VLN_OK) {
        vln_worker_fail(self->task, err, "preprocessor", why);
        return false;
    }
    vln_sandbox_t *sandbox = trainer_sandbox(self->worker, self->task);
    const vln_predictor_files_t files = {.model = out->bytes.data, .model_size = out->bytes.size};
    err = sandbox ? vln_predictor_open(sandbox, &files, NULL, &out->predictor, &outcome) : VLN_OK;
    if (err != VLN_OK) {
        trainer_fail_outcome(self->task, err, "preprocessor", &outcome);
    }
    return out->predictor != NULL;
}

/* Row numbers of a data set, in its order or as parted; in the task's arena. */
static size_t *
number_rows(const training_t *self, const vln_dataset_t *data, const size_t *parted)
{
    size_t *rows = vln_arena_alloc(self->task->arena, data->rows * sizeof *rows + 1);
    for (size_t i = 0; i < data->rows; i++) {
        rows[i] = data->first + (parted ? parted[i] : i);
    }
    return rows;
}

/* Held out: what was named for it, else a part of the data. */
static bool
part_rows(training_t *self)
{
    const vln_dataset_t *own = &self->validation;
    if (!own->table && !trainer_split_make(self->task, self->spec->split, &self->data, &self->notes,
                                           &self->split)) {
        return false;
    }
    const size_t *rows = number_rows(self, &self->data, self->split.rows);
    const char *weights = self->spec->weight_column;
    if (own->table) {
        self->train = (trainer_choice_t){self->data.table, rows, self->data.rows, weights};
        self->held = (trainer_choice_t){own->table, number_rows(self, own, NULL), own->rows, NULL};
    } else {
        size_t train = self->split.train;
        self->train = (trainer_choice_t){self->data.table, rows, train, weights};
        self->held = (trainer_choice_t){self->data.table, rows + train, self->split.held, NULL};
    }
    return true;
}

static bool
read_rows(training_t *self)
{
    vln_task_t *task = self->task;
    if (!vln_dataset_read(self->worker, task, "data", self->spec->data, &self->data) ||
        (self->spec->validation && !vln_dataset_read(self->worker, task, "validation",
                                                     self->spec->validation, &self->validation)) ||
        !read_preprocessor(self) || !part_rows(self) ||
        !trainer_target_find(task, self->spec, self->data.table, &self->target) ||
        !trainer_features_find(task, self->spec, self->data.table, &self->target,
                               &self->preprocessor, &self->features)) {
        return false;
    }
    vln_task_progress(task, 0.1);
    return trainer_numbers_make(task, &self->train, &self->target, &self->features,
                                &self->preprocessor, &self->train_numbers) &&
           trainer_numbers_make(task, &self->held, &self->target, &self->features,
                                &self->preprocessor, &self->held_numbers);
}

/* ---- the model's answers ---- */

static bool
open_predictor(training_t *self)
{
    vln_outcome_t outcome;
    vln_sandbox_t *sandbox = trainer_sandbox(self->worker, self->task);
    const vln_predictor_files_t files = {.model = self->best.fitted.model.data,
                                         .model_size = self->best.fitted.model.size,
                                         .preprocessor = self->preprocessor.bytes.data,
                                         .preprocessor_size = self->preprocessor.bytes.size};
    vln_err_t err = sandbox ? vln_predictor_open(sandbox, &files, self->features.signature,
                                                 &self->predictor, &outcome)
                            : VLN_OK;
    if (err != VLN_OK) {
        trainer_fail_outcome(self->task, err, "the model that was fitted", &outcome);
    }
    return self->predictor != NULL;
}

static void
keep_chosen(const vln_sandbox_result_t *all, const trainer_choice_t *choice, vln_arena_t *arena,
            vln_sandbox_result_t *out)
{
    *out = (vln_sandbox_result_t){.rows = choice->count, .width = all->width};
    out->values = vln_arena_alloc(arena, choice->count * all->width * sizeof(float) + 1);
    for (size_t i = 0; i < choice->count; i++) {
        memcpy(out->values + i * all->width, all->values + choice->rows[i] * all->width,
               all->width * sizeof(float));
    }
}

static vln_truth_t
make_truth(const training_t *self, const float *labels, size_t count)
{
    vln_truth_t truth = {.task = self->features.signature->task,
                         .classes = self->target.class_count};
    double *values = vln_arena_alloc(self->task->arena, count * sizeof *values + 1);
    int32_t *codes = vln_arena_alloc(self->task->arena, count * sizeof *codes + 1);
    for (size_t i = 0; i < count; i++) {
        values[i] = labels[i];
        codes[i] = self->target.task == VLN_RECIPE_REGRESSION ? 0 : (int32_t)labels[i];
    }
    truth.values = values;
    truth.codes = codes;
    return truth;
}

static bool
score(training_t *self, const trainer_choice_t *choice, const vln_fit_numbers_t *numbers,
      vln_scores_t *out)
{
    vln_sandbox_result_t all = {0};
    vln_sandbox_result_t chosen;
    vln_outcome_t outcome;
    vln_err_t err = vln_predictor_predict(self->predictor, choice->table, 0,
                                          vln_table_rows(choice->table), &all, &outcome);
    if (err != VLN_OK) {
        trainer_fail_outcome(self->task, err, "the model that was fitted", &outcome);
    } else if (all.not_finite > 0) {
        vln_task_fail(self->task, false, "the model gives no finite number for %zu rows",
                      all.not_finite);
    } else {
        keep_chosen(&all, choice, self->task->arena, &chosen);
        self->truth = make_truth(self, numbers->labels, numbers->rows);
        *out = vln_scores_make(&self->truth, &chosen, self->task->arena);
    }
    bool ok = err == VLN_OK && all.not_finite == 0;
    vln_sandbox_result_end(&all);
    return ok;
}

/* ---- fitting ---- */

static bool
choose(training_t *self)
{
    const trainer_contest_t contest = {.spec = self->spec,
                                       .target = &self->target,
                                       .features = &self->features,
                                       .train = &self->train_numbers,
                                       .held = &self->held_numbers};
    return trainer_choose(self->worker, self->task, &contest, &self->best);
}

/* ---- the result ---- */

static int
by_gain(const void *left, const void *right)
{
    const Valion__V1__KeyNumber *a = *(Valion__V1__KeyNumber *const *)left;
    const Valion__V1__KeyNumber *b = *(Valion__V1__KeyNumber *const *)right;
    return a->value > b->value ? -1 : a->value < b->value;
}

static void
add_importance(const training_t *self, Valion__V1__TrainResult *result)
{
    vln_arena_t *arena = self->task->arena;
    size_t columns = self->features.columns;
    result->importance = vln_arena_alloc(arena, columns * sizeof(void *) + 1);
    for (size_t i = 0; i < columns; i++) {
        Valion__V1__KeyNumber *number = vln_arena_alloc(arena, sizeof *number);
        valion__v1__key_number__init(number);
        number->key = self->features.names[i];
        number->has_value = 1;
        number->value = self->best.fitted.importance[i];
        result->importance[i] = number;
    }
    qsort(result->importance, columns, sizeof(void *), by_gain);
    result->n_importance = columns < IMPORTANCE_MAX ? columns : IMPORTANCE_MAX;
}

static void
end_done(training_t *self, const trainer_registered_t *registered, int64_t started_ms)
{
    Valion__V1__TrainResult result = VALION__V1__TRAIN_RESULT__INIT;
    vln_arena_t *arena = self->task->arena;
    result.model = self->spec->model;
    result.algorithm = (char *)(uintptr_t)vln_recipe_name(self->best.algorithm);
    result.metrics = self->scores.numbers;
    result.n_metrics = self->scores.count;
    result.train_metrics = self->train_scores.numbers;
    result.n_train_metrics = self->train_scores.count;
    result.hyperparameters = registered->hyperparameters;
    result.n_hyperparameters = registered->hyperparameter_count;
    result.has_rounds = result.has_rows_trained = result.has_rows_held_out = 1;
    result.rounds = self->best.fitted.rounds;
    result.rows_trained = (int64_t)self->train.count;
    result.rows_held_out = (int64_t)self->held.count;
    result.has_duration_ms = 1;
    result.duration_ms = vln_mono_ms() - started_ms;
    result.trials = self->best.trials;
    result.n_trials = self->best.trial_count;
    result.cv_scores = self->best.cv_scores;
    result.n_cv_scores = self->best.cv_count;
    result.cv_metric = self->best.cv_count > 0 ? (char *)(uintptr_t)self->best.metric : NULL;
    result.notes = self->notes.texts;
    result.n_notes = self->notes.count;
    add_importance(self, &result);
    trainer_registered_fill(registered, &result);
    size_t size = 0;
    const uint8_t *bytes = vln_pb_pack(&result.base, arena, &size);
    vln_task_done(self->task, bytes, size);
}

static bool
run(training_t *self, int64_t started_ms)
{
    if (!read_spec(self) || !read_rows(self) || !choose(self) || !open_predictor(self) ||
        !score(self, &self->train, &self->train_numbers, &self->train_scores) ||
        !score(self, &self->held, &self->held_numbers, &self->scores)) {
        return false;
    }
    trainer_registered_t registered;
    const trainer_version_t version = {.spec = self->spec,
                                       .data = &self->data,
                                       .train = &self->train,
                                       .target = &self->target,
                                       .features = &self->features,
                                       .preprocessor = &self->preprocessor,
                                       .predictor = self->predictor,
                                       .model = &self->best.fitted.model,
                                       .recipe = &self->best.recipe,
                                       .rounds = self->best.fitted.rounds,
                                       .algorithm = self->best.algorithm,
                                       .scores = &self->scores,
                                       .held_out = self->held.count};
    if (!trainer_register(self->worker, self->task, &version, &registered)) {
        return false;
    }
    end_done(self, &registered, started_ms);
    trainer_registered_end(&registered);
    return true;
}

static void
end(training_t *self)
{
    vln_predictor_close(&self->predictor);
    vln_predictor_close(&self->preprocessor.predictor);
    vln_bytes_end(&self->preprocessor.bytes);
    vln_fitted_end(&self->best.fitted);
    vln_fit_numbers_end(&self->train_numbers);
    vln_fit_numbers_end(&self->held_numbers);
    free(self->split.rows);
    vln_dataset_end(&self->validation);
    vln_dataset_end(&self->data);
}

void
trainer_train(vln_worker_t *worker, vln_task_t *task)
{
    training_t self = {.worker = worker, .task = task};
    int64_t started_ms = vln_mono_ms();
    bool done = run(&self, started_ms);
    trainer_count(worker, done ? TRAINER_TRAININGS : TRAINER_TRAININGS_FAILED, 1);
    if (done) {
        trainer_count(worker, TRAINER_ROWS, (int64_t)self.train.count);
        trainer_count(worker, TRAINER_DURATION_MS, vln_mono_ms() - started_ms);
    }
    end(&self);
}
