#include "validator_refit.h"

#include <stdlib.h>
#include <string.h>

#include "vln_fit.h"
#include "vln_fold.h"
#include "vln_recipe.h"
#include "vln_time.h"

enum { FIT_MS = 10 * 60 * 1000 };

/* Of one cross-validation. */
typedef struct refit {
    vln_worker_t *worker;
    vln_task_t *task;
    const validator_refit_subject_t *subject;
    check_refit_t *out;
    vln_recipe_t recipe;
    const char **names; /* of the numbers of a row, as the model's file has them */
    size_t columns;
    size_t *rows; /* of the table: those that are judged */
    size_t count;
    vln_fit_numbers_t numbers; /* of these */
} refit_t;

static bool
give_up(refit_t *self, const char *why)
{
    self->out->why = vln_arena_strdup(self->task->arena, why);
    return false;
}

/* ---- the recipe ---- */

/* False: it is not known here, and `why` says so. */
static bool
recall(refit_t *self)
{
    const Valion__V1__Version *record = self->subject->version->record;
    vln_recipe_terms_t terms = {.task = VLN_RECIPE_REGRESSION, .threads = 1};
    char why[VLN_RECIPE_WHY];
    if (!record->algorithm || record->n_hyperparameters == 0 ||
        !vln_recipe_find(record->algorithm, &terms.algorithm)) {
        return give_up(self, "the version records no recipe that is fitted here");
    }
    vln_recipe_begin(&self->recipe, &terms);
    for (size_t i = 0; i < record->n_hyperparameters; i++) {
        const Valion__V1__KeyValue *pair = record->hyperparameters[i];
        if (!vln_recipe_recall(&self->recipe, terms.algorithm, pair->key ? pair->key : "",
                               pair->value ? pair->value : "", why)) {
            return give_up(self, why);
        }
    }
    return true;
}

/* ---- rows as numbers ---- */

static void
choose_rows(refit_t *self)
{
    const truth_t *truth = self->subject->truth;
    size_t unusable = 0;
    bool *usable = truth_usable(truth, self->subject->answers, self->task->arena, &unusable);
    self->rows = vln_arena_alloc(self->task->arena, (truth->rows + 1) * sizeof *self->rows);
    for (size_t row = 0; row < truth->rows; row++) {
        if (truth->known[row] && usable[row]) {
            self->rows[self->count++] = row;
        }
    }
}

static bool
name_columns(refit_t *self)
{
    const vln_model_t *model = vln_predictor_model(self->subject->version->opened.predictor);
    self->columns = model->feature_count;
    self->names = vln_arena_alloc(self->task->arena, (self->columns + 1) * sizeof *self->names);
    for (size_t i = 0; i < self->columns; i++) {
        self->names[i] = vln_arena_strdup(self->task->arena, model->features[i].name);
    }
    return self->columns > 0 || give_up(self, "the model's file names no inputs");
}

static void
copy_cells(refit_t *self, const float *values)
{
    for (size_t i = 0; i < self->count; i++) {
        memcpy(self->numbers.cells + i * self->columns, values + self->rows[i] * self->columns,
               self->columns * sizeof(float));
    }
}

/* What the preprocessor makes of the rows. */
static bool
read_prepared(refit_t *self, vln_sandbox_t *sandbox)
{
    const vln_bytes_t *file = &self->subject->version->opened.preprocessor;
    const vln_predictor_files_t files = {.model = file->data, .model_size = file->size};
    vln_predictor_t *predictor = NULL;
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome = {0};
    const vln_table_t *table = self->subject->table;
    vln_err_t err = vln_predictor_open(sandbox, &files, NULL, &predictor, &outcome);
    if (err == VLN_OK) {
        err = vln_predictor_predict(predictor, table, 0, vln_table_rows(table), &result, &outcome);
    }
    bool good = err == VLN_OK && result.width == self->columns;
    if (good) {
        copy_cells(self, result.values);
    } else {
        give_up(self, err == VLN_OK ? "the preprocessor gives another number of columns than the "
                                      "model takes"
                                    : outcome.sentence);
    }
    vln_sandbox_result_end(&result);
    vln_predictor_close(&predictor);
    return good;
}

static bool
bind(refit_t *self, vln_model_binding_t *out)
{
    char why[VLN_MODEL_WHY];
    if (vln_predictor_bind(self->subject->version->record->signature, self->subject->table,
                           self->task->arena, out, why) != VLN_OK) {
        return give_up(self, why);
    }
    return out->count == self->columns ||
           give_up(self, "the model takes other columns than its signature says");
}

static bool
read_columns(refit_t *self)
{
    const vln_table_t *table = self->subject->table;
    size_t all = vln_table_rows(table);
    vln_model_binding_t binding = {0};
    if (!bind(self, &binding)) {
        return false;
    }
    double *values = vln_calloc(all + 1, sizeof *values);
    bool good = true;
    for (size_t at = 0; at < self->columns && good; at++) {
        good = vln_column_numbers(vln_table_at(table, binding.columns[at]), all, values);
        for (size_t i = 0; i < self->count && good; i++) {
            self->numbers.cells[i * self->columns + at] = (float)values[self->rows[i]];
        }
    }
    free(values);
    return good || give_up(self, "a column of the model holds text");
}

static bool
read_numbers(refit_t *self, vln_sandbox_t *sandbox)
{
    self->numbers.rows = self->count;
    self->numbers.cells = vln_calloc(self->count * self->columns + 1, sizeof(float));
    self->numbers.labels = vln_calloc(self->count + 1, sizeof(float));
    for (size_t i = 0; i < self->count; i++) {
        self->numbers.labels[i] = (float)self->subject->truth->all.values[self->rows[i]];
    }
    return self->subject->version->opened.preprocessor.size > 0 ? read_prepared(self, sandbox)
                                                                : read_columns(self);
}

/* ---- a fold ---- */

static bool
is_stopped(const void *task)
{
    return vln_task_is_stopped(task);
}

static bool
fit(refit_t *self, vln_fold_t fold, vln_fitted_t *out)
{
    const validator_slot_t *slot = self->worker->own;
    const validator_config_t *config = slot->validator->config;
    const vln_fit_config_t limits = {config->fit, (uint64_t)config->memory_mib * 1024 * 1024};
    int64_t left_ms = self->task->deadline_ms - vln_mono_ms();
    vln_fit_numbers_t train = vln_fit_numbers_part(&self->numbers, self->columns, fold, false);
    const vln_fit_t wanted = {.recipe = &self->recipe,
                              .columns = self->columns,
                              .names = self->names,
                              .train = &train,
                              .max_ms = left_ms < FIT_MS ? left_ms : FIT_MS,
                              .is_stopped = is_stopped,
                              .context = self->task};
    char why[VLN_FIT_WHY];
    vln_fit_ending_t ending = vln_fit_run(&limits, &wanted, out, why);
    vln_fit_numbers_end(&train);
    return ending == VLN_FIT_DONE || give_up(self, why);
}

/* The fold's rows, asked of the model that did not see them. */
static bool
ask(refit_t *self, vln_sandbox_t *sandbox, const vln_fitted_t *fitted, vln_fold_t fold)
{
    const validator_version_t *version = self->subject->version;
    const vln_predictor_files_t files = {.model = fitted->model.data,
                                         .model_size = fitted->model.size,
                                         .preprocessor = version->opened.preprocessor.data,
                                         .preprocessor_size = version->opened.preprocessor.size};
    vln_predictor_t *predictor = NULL;
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome = {0};
    size_t first = self->rows[fold.start];
    size_t span = self->rows[fold.start + fold.rows - 1] - first + 1;
    vln_err_t err =
        vln_predictor_open(sandbox, &files, version->record->signature, &predictor, &outcome);
    if (err == VLN_OK) {
        err =
            vln_predictor_predict(predictor, self->subject->table, first, span, &result, &outcome);
    }
    for (size_t i = 0; i < fold.rows && err == VLN_OK && result.width == 1; i++) {
        self->out->predicted[fold.start + i] =
            (double)result.values[self->rows[fold.start + i] - first];
    }
    bool good = err == VLN_OK && result.width == 1;
    if (!good) {
        give_up(self, err == VLN_OK ? "a fit gives more than one number" : outcome.sentence);
    }
    vln_sandbox_result_end(&result);
    vln_predictor_close(&predictor);
    return good;
}

static bool
run_folds(refit_t *self, vln_sandbox_t *sandbox)
{
    for (size_t i = 0; i < self->subject->folds; i++) {
        vln_fitted_t fitted;
        vln_fold_t fold = vln_fold(self->count, self->subject->folds, i);
        if (!fit(self, fold, &fitted)) {
            return false;
        }
        bool good = ask(self, sandbox, &fitted, fold);
        vln_fitted_end(&fitted);
        if (!good) {
            return false;
        }
    }
    return true;
}

bool
validator_refit(vln_worker_t *worker, vln_task_t *task, const validator_refit_subject_t *subject,
                check_refit_t *out)
{
    refit_t self = {.worker = worker, .task = task, .subject = subject, .out = out};
    *out = (check_refit_t){.folds = subject->folds};
    if (!recall(&self)) {
        return true;
    }
    out->has_recipe = true;
    vln_sandbox_t *sandbox = validator_sandbox(worker, task);
    if (!sandbox) {
        return false;
    }
    choose_rows(&self);
    out->rows = self.count;
    out->predicted = vln_arena_alloc(task->arena, (self.count + 1) * sizeof *out->predicted);
    if (self.count < 2 * subject->folds) {
        give_up(&self, "there are too few rows for the folds");
    } else if (name_columns(&self) && read_numbers(&self, sandbox)) {
        out->done = run_folds(&self, sandbox);
    }
    vln_fit_numbers_end(&self.numbers);
    return !vln_task_is_stopped(task);
}
