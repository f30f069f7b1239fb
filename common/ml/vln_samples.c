#include "vln_samples.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "vln_types.h"

static bool
is_text(const Valion__V1__Column *column)
{
    return column->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;
}

/* ---- making ---- */

/* A missing cell has 0 or "", which no one reads: NaN is no JSON. */
static Valion__V1__SampleColumn *
take_column(const Valion__V1__Column *input, const vln_column_t *column, const size_t *rows,
            size_t count, vln_arena_t *arena)
{
    Valion__V1__SampleColumn *self = vln_arena_alloc(arena, sizeof *self);
    valion__v1__sample_column__init(self);
    self->name = vln_arena_strdup(arena, input->name);
    self->has_type = 1;
    self->type = input->type;
    self->missing = vln_arena_alloc(arena, count * sizeof *self->missing);
    self->numbers = vln_arena_alloc(arena, count * sizeof *self->numbers);
    self->texts = vln_arena_alloc(arena, count * sizeof *self->texts);
    for (size_t i = 0; i < count; i++) {
        bool there = vln_column_has(column, rows[i]);
        self->missing[i] = !there;
        self->n_missing = there ? self->n_missing : count;
        self->numbers[i] =
            there && column->type != VLN_TYPE_STRING ? vln_column_number(column, rows[i]) : 0;
        self->texts[i] = vln_arena_strdup(
            arena, there && is_text(input) ? vln_column_text(column, rows[i]) : "");
    }
    *(is_text(input) ? &self->n_texts : &self->n_numbers) = count;
    return self;
}

Valion__V1__Samples *
vln_samples_take(const Valion__V1__Signature *signature, const vln_table_t *table,
                 const size_t *rows, size_t count, vln_arena_t *arena)
{
    vln_assert(count > 0 && count <= VLN_SAMPLES_MAX);
    Valion__V1__Samples *self = vln_arena_alloc(arena, sizeof *self);
    valion__v1__samples__init(self);
    self->has_rows = 1;
    self->rows = (uint32_t)count;
    self->columns = vln_arena_alloc(arena, signature->n_inputs * sizeof(void *) + 1);
    for (size_t i = 0; i < signature->n_inputs; i++) {
        const Valion__V1__Column *input = signature->inputs[i];
        const vln_column_t *column = vln_table_find(table, input->name);
        vln_assert(column);
        self->columns[self->n_columns++] = take_column(input, column, rows, count, arena);
    }
    return self;
}

/* ---- as a table ---- */

static bool
fits_i64(double number)
{
    return number >= -9007199254740992.0 && number <= 9007199254740992.0 && number == floor(number);
}

static bool
put_cell(vln_column_t *out, const Valion__V1__SampleColumn *column, size_t row)
{
    double number = column->n_numbers > 0 ? column->numbers[row] : 0;
    switch (out->type) {
    case VLN_TYPE_STRING:
        vln_column_set_text(out, row, column->texts[row], strlen(column->texts[row]));
        return true;
    case VLN_TYPE_I64:
        vln_column_set_i64(out, row, fits_i64(number) ? (int64_t)number : 0);
        return fits_i64(number);
    case VLN_TYPE_BOOL:
        vln_column_set_bool(out, row, number != 0);
        return true;
    default:
        vln_column_set_f64(out, row, number);
        return isfinite(number);
    }
}

static bool
put_column(vln_table_t *table, const Valion__V1__SampleColumn *column, size_t rows)
{
    vln_type_t type = vln_type_from_contract(column->type);
    size_t given = type == VLN_TYPE_STRING ? column->n_texts : column->n_numbers;
    if (!column->name || given != rows || (column->n_missing > 0 && column->n_missing != rows)) {
        return false;
    }
    vln_column_t *out = vln_table_add(table, column->name, type);
    if (!out) {
        return false;
    }
    for (size_t row = 0; row < rows; row++) {
        bool missing = column->n_missing > 0 && column->missing[row];
        if (!missing && !put_cell(out, column, row)) {
            return false;
        }
    }
    return true;
}

vln_table_t *
vln_samples_table(const Valion__V1__Samples *samples, char why[VLN_MODEL_WHY])
{
    if (samples->rows == 0 || samples->rows > VLN_SAMPLES_MAX) {
        snprintf(why, VLN_MODEL_WHY, "%u sample rows; there are 1 to %d", samples->rows,
                 VLN_SAMPLES_MAX);
        return NULL;
    }
    vln_table_t *table = vln_table_new();
    vln_table_set_rows(table, samples->rows);
    for (size_t i = 0; i < samples->n_columns; i++) {
        if (!put_column(table, samples->columns[i], samples->rows)) {
            snprintf(why, VLN_MODEL_WHY, "column %zu of the sample rows makes no sense", i + 1);
            vln_table_destroy(&table);
            return NULL;
        }
    }
    return table;
}

/* ---- answers ---- */

static vln_err_t
ask(const Valion__V1__Samples *samples, vln_predictor_t *predictor, vln_sandbox_result_t *result,
    vln_outcome_t *outcome)
{
    char why[VLN_MODEL_WHY];
    vln_table_t *table = vln_samples_table(samples, why);
    if (!table) {
        *outcome = (vln_outcome_t){.verdict = VLN_VERDICT_REFUSED};
        memcpy(outcome->sentence, why, sizeof why);
        return VLN_INVALID_ARGUMENT;
    }
    vln_err_t err = vln_predictor_predict(predictor, table, 0, samples->rows, result, outcome);
    vln_table_destroy(&table);
    return err;
}

vln_err_t
vln_samples_answer(Valion__V1__Samples *samples, vln_predictor_t *predictor, vln_arena_t *arena,
                   vln_outcome_t *outcome)
{
    vln_sandbox_result_t result = {0};
    vln_err_t err = ask(samples, predictor, &result, outcome);
    if (err == VLN_OK && result.not_finite > 0) {
        *outcome = (vln_outcome_t){.verdict = VLN_VERDICT_ANSWER};
        snprintf(outcome->sentence, sizeof outcome->sentence,
                 "the model gives no finite number for %zu of %u sample rows", result.not_finite,
                 samples->rows);
        err = VLN_FAILED_PRECONDITION;
    }
    if (err == VLN_OK) {
        samples->has_width = 1;
        samples->width = (uint32_t)result.width;
        samples->n_predictions = result.rows * result.width;
        samples->predictions = vln_arena_alloc(arena, samples->n_predictions * sizeof(double) + 1);
        for (size_t i = 0; i < samples->n_predictions; i++) {
            samples->predictions[i] = (double)result.values[i];
        }
    }
    vln_sandbox_result_end(&result);
    return err;
}

/* Bit for bit; both are finite, and -0 is not 0. */
static bool
is_same(float left, float right)
{
    uint32_t a = 0;
    uint32_t b = 0;
    memcpy(&a, &left, sizeof a);
    memcpy(&b, &right, sizeof b);
    return a == b;
}

static vln_err_t
compare(const Valion__V1__Samples *samples, const vln_sandbox_result_t *result,
        vln_outcome_t *outcome)
{
    size_t count = result->rows * result->width;
    *outcome = (vln_outcome_t){.verdict = VLN_VERDICT_ANSWER};
    if (count != samples->n_predictions) {
        snprintf(outcome->sentence, sizeof outcome->sentence,
                 "the version gives %zu numbers for its sample rows; %zu were registered", count,
                 samples->n_predictions);
        return VLN_DATA_LOSS;
    }
    for (size_t i = 0; i < count; i++) {
        if (!is_same(result->values[i], (float)samples->predictions[i])) {
            snprintf(outcome->sentence, sizeof outcome->sentence,
                     "sample row %zu: the version answers %.9g; %.9g was registered",
                     i / result->width + 1, (double)result->values[i], samples->predictions[i]);
            return VLN_DATA_LOSS;
        }
    }
    *outcome = (vln_outcome_t){0};
    return VLN_OK;
}

vln_err_t
vln_samples_check(const Valion__V1__Samples *samples, vln_predictor_t *predictor,
                  vln_outcome_t *outcome)
{
    vln_sandbox_result_t result = {0};
    vln_err_t err = ask(samples, predictor, &result, outcome);
    err = err == VLN_OK ? compare(samples, &result, outcome) : err;
    vln_sandbox_result_end(&result);
    return err;
}
