#include "vln_result.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
vln_result_begin(vln_sandbox_result_t *result)
{
    result->rows = result->width = result->not_finite = result->not_probability = 0;
    result->values = NULL;
    result->labels = NULL;
}

static void
make_room(vln_sandbox_result_t *result, size_t values, size_t labels)
{
    if (values > result->room_count) {
        result->room = vln_realloc(result->room, values * sizeof *result->room);
        result->room_count = values;
    }
    if (labels > result->label_count) {
        result->label_room = vln_realloc(result->label_room, labels * sizeof *result->label_room);
        result->label_count = labels;
    }
}

void
vln_sandbox_result_end(vln_sandbox_result_t *self)
{
    free(self->room);
    free(self->label_room);
    *self = (vln_sandbox_result_t){0};
}

static bool
is_binary(const vln_model_t *about)
{
    return about->task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
}

static bool
is_classifier(const vln_model_t *about)
{
    return is_binary(about) || about->task == VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS;
}

static bool
objective_is(const vln_model_t *about, const char *name)
{
    return about->objective && strcmp(about->objective, name) == 0;
}

/* The class of a row by its numbers, where the model names none itself. */
static int32_t
class_of(const vln_model_t *about, const float *scores, size_t width)
{
    if (objective_is(about, "multi:softmax")) {
        return (int32_t)scores[0];
    }
    if (width == 1) {
        return scores[0] > (objective_is(about, "binary:logitraw") ? 0.0f : 0.5f);
    }
    size_t best = 0;
    for (size_t i = 1; i < width; i++) {
        best = scores[i] > scores[best] ? i : best;
    }
    return (int32_t)best;
}

static bool
are_finite(const float *scores, size_t width)
{
    for (size_t i = 0; i < width; i++) {
        if (!isfinite(scores[i])) {
            return false;
        }
    }
    return true;
}

static bool
are_probabilities(const float *scores, size_t width)
{
    double sum = 0;
    for (size_t i = 0; i < width; i++) {
        if (!(scores[i] >= -1e-6f && scores[i] <= 1.0f + 1e-6f)) {
            return false;
        }
        sum += scores[i];
    }
    return width == 1 || fabs(sum - 1.0) <= 1e-3;
}

/* Numbers that a classifier means as something else than probabilities. */
static bool
means_probabilities(const vln_model_t *about)
{
    return is_classifier(about) && !objective_is(about, "multi:softmax") &&
           !objective_is(about, "binary:logitraw") && !objective_is(about, "binary:hinge");
}

static void
take_values(const vln_model_t *about, const vln_raw_t *raw, vln_sandbox_result_t *result)
{
    size_t skipped = is_binary(about) && raw->width == 2 ? 1 : 0; /* the first class's */
    bool judged = means_probabilities(about) && raw->width > 0;
    for (size_t i = 0; i < raw->count; i++) {
        const float *row = raw->scores + i * raw->width;
        result->not_finite += are_finite(row, raw->width) ? 0 : 1;
        result->not_probability += judged && !are_probabilities(row, raw->width) ? 1 : 0;
        memcpy(result->room + (result->rows + i) * result->width, row + skipped,
               result->width * sizeof *row);
    }
    result->values = result->room;
}

static void
take_labels(const vln_model_t *about, const vln_raw_t *raw, vln_sandbox_result_t *result)
{
    bool by_scores = is_classifier(about) && raw->width > 0;
    if (!raw->labels && !by_scores) {
        return;
    }
    for (size_t i = 0; i < raw->count; i++) {
        result->label_room[result->rows + i] =
            raw->labels ? raw->labels[i]
                        : class_of(about, raw->scores + i * raw->width, raw->width);
    }
    result->labels = result->label_room;
}

/* Numbers of a result for each row, of `width` that the model gives. */
static size_t
width_of(const vln_model_t *about, size_t width)
{
    bool of_two = is_binary(about) && width == 2;
    return objective_is(about, "multi:softmax") ? 0 : of_two ? 1 : width;
}

void
vln_result_reserve(const vln_model_t *about, size_t rows, size_t width,
                   vln_sandbox_result_t *result)
{
    make_room(result, rows * width_of(about, width) + 1, rows);
}

void
vln_result_take(const vln_model_t *about, const vln_raw_t *raw, vln_sandbox_result_t *result)
{
    result->width = width_of(about, raw->width);
    make_room(result, (result->rows + raw->count) * result->width + 1, result->rows + raw->count);
    take_values(about, raw, result);
    take_labels(about, raw, result);
    result->rows += raw->count;
}

bool
vln_result_labels_are_sound(const vln_model_t *about, const vln_raw_t *raw)
{
    for (size_t i = 0; raw->labels && i < raw->count; i++) {
        int32_t label = raw->labels[i];
        if (label < 0 || (about->class_count > 0 && (size_t)label >= about->class_count)) {
            return false;
        }
    }
    for (size_t i = 0; objective_is(about, "multi:softmax") && i < raw->count; i++) {
        float label = raw->scores[i * raw->width];
        if (!(label >= 0 && label < (float)about->class_count)) {
            return false;
        }
    }
    return true;
}

bool
vln_result_rows_fit(const vln_model_t *about, const vln_sandbox_rows_t *rows,
                    vln_outcome_t *outcome)
{
    size_t texts = 0;
    for (size_t i = 0; i < about->feature_count; i++) {
        texts += about->features[i].type == VLN_TENSOR_STRING ? 1 : 0;
    }
    size_t numbers = about->feature_count - texts;
    if (about->feature_count == 0 || (numbers == rows->number_count && texts == rows->text_count)) {
        return true;
    }
    snprintf(outcome->sentence, sizeof outcome->sentence,
             "the model takes %zu numbers and %zu texts a row; given are %zu and %zu", numbers,
             texts, rows->number_count, rows->text_count);
    return false;
}
