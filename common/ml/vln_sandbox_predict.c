#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_exchange.h"
#include "vln_result.h"
#include "vln_sandbox_inside.h"
#include "vln_time.h"

enum { WIDTH_GUESS = 256 }; /* numbers of a prediction where the file does not say */

/* ---- rows ---- */

static const char *
word_at(const vln_sandbox_rows_t *rows, size_t column, size_t row)
{
    const vln_sandbox_text_t *text = &rows->texts[column];
    return text->codes[row] == UINT32_MAX ? "" : text->words[text->codes[row]];
}

static size_t
row_bytes(const vln_sandbox_rows_t *rows, size_t row)
{
    size_t bytes = rows->number_count * sizeof(float) + rows->text_count * sizeof(uint32_t);
    for (size_t i = 0; i < rows->text_count; i++) {
        bytes += strlen(word_at(rows, i, row)) + 1;
    }
    return bytes;
}

/* Rows from `first` on that go at once; 0: not even one. */
static size_t
rows_that_fit(const vln_sandbox_rows_t *rows, size_t first, size_t width)
{
    width = width > 0 ? width : WIDTH_GUESS;
    size_t most = VLN_EXCHANGE_HALF / ((width + 1) * sizeof(float));
    most = most < VLN_EXCHANGE_ROWS ? most : VLN_EXCHANGE_ROWS;
    most = most < rows->rows - first ? most : rows->rows - first;
    size_t bytes = 1; /* the NUL at the end */
    size_t count = 0;
    while (count < most) {
        bytes += row_bytes(rows, first + count);
        if (bytes > VLN_EXCHANGE_HALF) {
            break;
        }
        count++;
    }
    return count;
}

static void
put_rows(vln_sandbox_model_t *self, const vln_sandbox_rows_t *rows, size_t first, size_t count)
{
    size_t numbers = count * rows->number_count;
    size_t begins = numbers * sizeof(float);
    size_t at = begins + count * rows->text_count * sizeof(uint32_t);
    if (numbers > 0) {
        memcpy(self->in, rows->numbers + first * rows->number_count, numbers * sizeof(float));
    }
    for (size_t row = first; row < first + count; row++) {
        for (size_t column = 0; column < rows->text_count; column++) {
            const char *word = word_at(rows, column, row);
            size_t size = strlen(word) + 1;
            uint32_t offset = (uint32_t)at;
            memcpy(self->in + begins, &offset, sizeof offset);
            memcpy(self->in + at, word, size);
            begins += sizeof offset;
            at += size;
        }
    }
    self->in[VLN_EXCHANGE_HALF - 1] = '\0';
}

/* ---- predicting ---- */

static vln_err_t
refuse_answer(vln_sandbox_model_t *self, const char *sentence, vln_outcome_t *outcome)
{
    snprintf(outcome->sentence, sizeof outcome->sentence, "%s", sentence);
    return vln_sandbox_end_with(self, outcome, VLN_VERDICT_ANSWER);
}

/* Copy what the child wrote, then look at it: it may write on. */
static vln_err_t
take_answer(vln_sandbox_model_t *self, const Valion__V1__SandboxAnswer *answer, size_t count,
            vln_sandbox_result_t *result, vln_outcome_t *outcome)
{
    size_t width = answer->width;
    bool labelled = answer->labelled;
    if (answer->verdict != VALION__V1__SANDBOX_VERDICT__SANDBOX_VERDICT_OK) {
        return vln_sandbox_take_refusal(self, answer, outcome);
    }
    size_t values = count * width;
    if (width > VLN_EXCHANGE_HALF || (values + count) * sizeof(float) > VLN_EXCHANGE_HALF) {
        snprintf(outcome->sentence, sizeof outcome->sentence,
                 "the model's process answered what it never does");
        return vln_sandbox_bury(self, VLN_VERDICT_PROTOCOL, outcome);
    }
    bool fits = width == self->about.width || self->about.width == 0;
    if (!fits || (width == 0 && !labelled)) {
        return refuse_answer(self, "the model gives more or fewer numbers a row than it states",
                             outcome);
    }
    self->about.width = width; /* from now on, where it was left open */
    float *scores = vln_memdup(self->out, (values + count) * sizeof *scores);
    int32_t *labels = vln_memdup(scores + values, count * sizeof *labels);
    vln_raw_t raw = {
        .scores = scores, .width = width, .labels = labelled ? labels : NULL, .count = count};
    vln_err_t err = VLN_OK;
    if (vln_result_labels_are_sound(&self->about, &raw)) {
        vln_result_take(&self->about, &raw, result);
    } else {
        err = refuse_answer(self, "the model gives labels that are none of its classes", outcome);
    }
    free(labels);
    free(scores);
    return err;
}

static vln_err_t
predict_part(vln_sandbox_model_t *self, const vln_sandbox_rows_t *rows, size_t count,
             int64_t until_ms, vln_sandbox_result_t *result, vln_outcome_t *outcome)
{
    vln_err_t err = VLN_OK;
    Valion__V1__SandboxJob job = VALION__V1__SANDBOX_JOB__INIT;
    job.has_kind = job.has_rows = job.has_numbers = job.has_texts = true;
    job.kind = VALION__V1__SANDBOX_JOB_KIND__SANDBOX_JOB_KIND_PREDICT;
    job.rows = (uint32_t)count;
    job.numbers = (uint32_t)rows->number_count;
    job.texts = (uint32_t)rows->text_count;
    Valion__V1__SandboxAnswer *answer = vln_sandbox_ask(self, &job, until_ms, outcome, &err);
    if (!answer) {
        return err;
    }
    err = take_answer(self, answer, count, result, outcome);
    valion__v1__sandbox_answer__free_unpacked(answer, NULL);
    return err;
}

static vln_err_t
predict_all(vln_sandbox_model_t *self, const vln_sandbox_rows_t *rows, vln_sandbox_result_t *result,
            vln_outcome_t *outcome)
{
    int64_t until_ms = vln_mono_ms() + self->sandbox->config.predict_ms;
    vln_err_t err = VLN_OK;
    for (size_t first = 0; err == VLN_OK && first < rows->rows;) {
        size_t count = rows_that_fit(rows, first, self->about.width);
        if (count == 0) {
            snprintf(outcome->sentence, sizeof outcome->sentence,
                     "a row is longer than the %d bytes that are handed over at once",
                     (int)VLN_EXCHANGE_HALF);
            return vln_sandbox_end_with(self, outcome, VLN_VERDICT_REFUSED);
        }
        put_rows(self, rows, first, count);
        err = predict_part(self, rows, count, until_ms, result, outcome);
        first += count;
    }
    return err == VLN_OK ? vln_sandbox_end_with(self, outcome, VLN_VERDICT_OK) : err;
}

vln_err_t
vln_sandbox_predict(vln_sandbox_model_t *self, const vln_sandbox_rows_t *rows,
                    vln_sandbox_result_t *result, vln_outcome_t *outcome)
{
    vln_sandbox_begin(self, outcome);
    vln_result_begin(result);
    if (vln_sandbox_is_lost(self)) {
        return vln_sandbox_lost(outcome);
    }
    if (!vln_result_rows_fit(&self->about, rows, outcome)) {
        return vln_sandbox_end_with(self, outcome, VLN_VERDICT_REFUSED);
    }
    vln_sandbox_renew_cpu(self);
    return predict_all(self, rows, result, outcome);
}
