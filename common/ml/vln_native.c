#include "vln_native.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model_inside.h"
#include "vln_native_inside.h"
#include "vln_parallel.h"
#include "vln_result.h"
#include "vln_time.h"

enum {
    MEMO = 256,
    CHUNK = 4096,        /* rows whose raw answers are held at once; a multiple of VLN_LANES */
    THREAD_ROWS = 16384, /* that are worth a thread; likewise */
    THREADS_MAX = 64,
};

vln_err_t
vln_native_uncovered(char *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(why, VLN_MODEL_WHY, format, args);
    va_end(args);
    return VLN_FAILED_PRECONDITION;
}

/* ---- opening ---- */

vln_step_t *
vln_native_step(vln_native_t *self, vln_step_kind_t kind, size_t made)
{
    if (self->columns + made > VLN_NATIVE_MAX_COLUMNS) {
        return NULL;
    }
    self->steps = vln_model_grow(self->steps, self->step_count, sizeof *self->steps);
    vln_step_t *step = &self->steps[self->step_count++];
    *step = (vln_step_t){.kind = kind, .to = (uint32_t)self->columns, .made = made};
    self->columns += made;
    return step;
}

static void
count_bytes(vln_native_t *self)
{
    self->bytes = sizeof *self + vln_forest_bytes(&self->forest) +
                  self->step_count * sizeof *self->steps + self->width * sizeof *self->scores;
    for (size_t i = 0; i < self->step_count; i++) {
        const vln_step_t *step = &self->steps[i];
        self->bytes += step->count * (2 * sizeof *step->from + 2 * sizeof *step->a);
        self->bytes += (step->wholes ? step->made : 0) * sizeof *step->wholes;
        for (size_t j = 0; j < step->category_count; j++) {
            self->bytes += sizeof *step->categories + sizeof *step->a;
            self->bytes += strlen(step->categories[j]) + 1;
        }
    }
}

/* What the library would have worked out of the graph: the shape of the scores. */
static bool
settle_shapes(const vln_native_t *self, vln_model_t *about, vln_arena_t *arena)
{
    if (about->kind != VLN_MODEL_ONNX || !about->score_output) {
        return true;
    }
    for (size_t i = 0; i < about->output_count; i++) {
        vln_tensor_t *output = &about->outputs[i];
        if (strcmp(output->name, about->score_output) == 0) {
            output->rank = 2;
            output->dims[0] = -1;
            output->dims[1] = (int64_t)self->width;
        }
    }
    return vln_model_settle(about, arena) && about->width == self->width;
}

static vln_err_t
read_file(vln_native_t *self, vln_span_t file, vln_model_t *about, vln_arena_t *arena, char *why)
{
    vln_err_t err = about->kind == VLN_MODEL_ONNX ? vln_native_read_onnx(self, file, about, why)
                                                  : vln_native_read_xgboost(self, file, about, why);
    if (err == VLN_OK && !settle_shapes(self, about, arena)) {
        return vln_native_uncovered(why, "the file states another shape than its graph has");
    }
    if (err == VLN_OK && about->feature_count != self->numbers + self->texts) {
        return vln_native_uncovered(why, "the file does not state what a row has");
    }
    return err;
}

vln_err_t
vln_native_open(const uint8_t *bytes, size_t size, vln_model_t *about, vln_arena_t *arena,
                vln_native_t **out, char why[VLN_MODEL_WHY])
{
    vln_native_t *self = vln_calloc(1, sizeof *self);
    vln_span_t file = {.at = bytes, .size = size};
    *out = NULL;
    why[0] = '\0';
    self->divisor = 1;
    self->about = about;
    self->walk = vln_walk_find(VLN_WALK_BEST);
    vln_err_t err = read_file(self, file, about, arena, why);
    if (err != VLN_OK) {
        vln_native_close(&self);
        return err;
    }
    vln_forest_settle(&self->forest);
    count_bytes(self);
    *out = self;
    return VLN_OK;
}

static void
end_step(vln_step_t *step)
{
    free(step->from);
    free(step->with);
    free(step->a);
    free(step->b);
    free(step->wholes);
    for (size_t i = 0; i < step->category_count; i++) {
        free(step->categories[i]);
    }
    free(step->categories);
}

void
vln_native_close(vln_native_t **self_p)
{
    vln_native_t *self = *self_p;
    if (!self) {
        return;
    }
    for (size_t i = 0; i < self->step_count; i++) {
        end_step(&self->steps[i]);
    }
    free(self->steps);
    free(self->bases);
    free(self->scores);
    vln_forest_end(&self->forest);
    free(self);
    *self_p = NULL;
}

size_t
vln_native_bytes(const vln_native_t *self)
{
    return self->bytes;
}

/* ---- predicting ---- */

static void
make_room(const vln_native_t *self, vln_native_room_t *room)
{
    size_t groups = self->forest.groups;
    *room = (vln_native_room_t){
        .columns = vln_calloc(self->columns * VLN_LANES + 1, sizeof *room->columns),
        .forest = vln_calloc((self->forest.source_count + 1) * VLN_LANES, sizeof *room->forest),
        .sums = vln_calloc(groups * VLN_LANES + 1, sizeof *room->sums),
        .labels = vln_calloc(VLN_LANES, sizeof *room->labels),
        .memo = vln_calloc(MEMO, sizeof *room->memo),
        .memo_words = vln_calloc(MEMO, sizeof *room->memo_words),
    };
}

static void
end_room(vln_native_room_t *room)
{
    free(room->columns);
    free(room->forest);
    free(room->sums);
    free(room->labels);
    free(room->memo);
    free(room->memo_words);
}

static void
take_lanes(const vln_native_t *self, const vln_native_room_t *room, size_t count, float *scores,
           int32_t *labels)
{
    for (size_t i = 0; i < self->width; i++) {
        const float *column = room->columns + (size_t)self->scores[i] * VLN_LANES;
        for (size_t lane = 0; lane < count; lane++) {
            scores[lane * self->width + i] = column[lane];
        }
    }
    memcpy(labels, room->labels, count * sizeof *labels);
}

/* A stretch of rows, and the thread's own memory for predicting one stretch after another. */
typedef struct stretch {
    const vln_native_t *self;
    const vln_sandbox_rows_t *rows;
    int64_t until_us;
    vln_native_room_t room;
    float *scores;
    int32_t *labels;
    size_t first;
    size_t count;
    bool late; /* the time was over before its end */
} stretch_t;

static vln_err_t
end_with(vln_outcome_t *outcome, vln_sandbox_verdict_t verdict, const char *sentence)
{
    outcome->verdict = verdict;
    snprintf(outcome->sentence, sizeof outcome->sentence, "%s", sentence);
    return VLN_FAILED_PRECONDITION;
}

static void
predict_stretch(void *context, size_t which)
{
    stretch_t *stretch = (stretch_t *)context + which;
    const vln_native_t *self = stretch->self;
    for (size_t i = 0; i < stretch->count; i += VLN_LANES) {
        size_t left = stretch->count - i;
        size_t lanes = left < VLN_LANES ? left : VLN_LANES;
        if (vln_mono_us() > stretch->until_us) {
            stretch->late = true;
            return;
        }
        vln_native_run(self, stretch->rows, stretch->first + i, lanes, &stretch->room);
        take_lanes(self, &stretch->room, lanes, stretch->scores + i * self->width,
                   stretch->labels + i);
    }
}

static vln_err_t
take_stretch(const stretch_t *stretch, vln_sandbox_result_t *result, vln_outcome_t *outcome)
{
    const vln_native_t *self = stretch->self;
    const vln_raw_t raw = {.scores = stretch->scores,
                           .width = self->width,
                           .labels = self->labelled ? stretch->labels : NULL,
                           .count = stretch->count};
    if (stretch->late) {
        return end_with(outcome, VLN_VERDICT_TIME, "the model did not end within its time");
    }
    if (!vln_result_labels_are_sound(self->about, &raw)) {
        return end_with(outcome, VLN_VERDICT_ANSWER,
                        "the model gives labels that are none of its classes");
    }
    vln_result_take(self->about, &raw, result);
    return VLN_OK;
}

/* `count` stretches of up to `length` rows at a time, each on a thread of its own, in their order. */
static vln_err_t
predict_all(stretch_t *stretches, size_t count, size_t rows, size_t length,
            vln_sandbox_result_t *result, vln_outcome_t *outcome)
{
    vln_err_t err = VLN_OK;
    for (size_t first = 0; err == VLN_OK && first < rows;) {
        size_t used = 0;
        for (; used < count && first < rows; used++) {
            stretches[used].first = first;
            stretches[used].count = rows - first < length ? rows - first : length;
            first += stretches[used].count;
        }
        vln_parallel(used, used, predict_stretch, stretches);
        for (size_t i = 0; err == VLN_OK && i < used; i++) {
            err = take_stretch(&stretches[i], result, outcome);
        }
    }
    return err;
}

static void
begin_stretch(stretch_t *self, const vln_native_t *native, const vln_sandbox_rows_t *rows,
              size_t length, int64_t until_us)
{
    *self = (stretch_t){.self = native, .rows = rows, .until_us = until_us};
    make_room(native, &self->room);
    self->scores = vln_calloc(length * native->width + 1, sizeof *self->scores);
    self->labels = vln_calloc(length + 1, sizeof *self->labels);
}

static void
end_stretch(stretch_t *self)
{
    end_room(&self->room);
    free(self->scores);
    free(self->labels);
}

vln_err_t
vln_native_predict(const vln_native_t *self, const vln_sandbox_rows_t *rows, int64_t limit_ms,
                   vln_sandbox_result_t *result, vln_outcome_t *outcome)
{
    int64_t begun_us = vln_mono_us();
    *outcome = (vln_outcome_t){0};
    vln_result_begin(result);
    if (!vln_result_rows_fit(self->about, rows, outcome)) {
        outcome->verdict = VLN_VERDICT_REFUSED;
        return VLN_FAILED_PRECONDITION;
    }
    size_t most = rows->rows / THREAD_ROWS + 1; /* of use */
    size_t count = rows->threads < most ? rows->threads : most;
    count = count < 1 ? 1 : count > THREADS_MAX ? THREADS_MAX : count;
    size_t length = count > 1 ? THREAD_ROWS : CHUNK;
    stretch_t stretches[THREADS_MAX];
    for (size_t i = 0; i < count; i++) {
        begin_stretch(&stretches[i], self, rows, rows->rows < length ? rows->rows : length,
                      begun_us + limit_ms * 1000);
    }
    vln_result_reserve(self->about, rows->rows, self->width, result);
    vln_err_t err = predict_all(stretches, count, rows->rows, length, result, outcome);
    for (size_t i = 0; i < count; i++) {
        end_stretch(&stretches[i]);
    }
    outcome->wall_us = vln_mono_us() - begun_us;
    return err;
}
