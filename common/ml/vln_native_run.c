/*
 * A program of column operations, run for some rows: each operation as ONNX Runtime does it, number by
 * number in float32, so that its bits come out. What has products and sums in one expression would be
 * contracted by some compilers; none has.
 */
#include <math.h>
#include <string.h>

#include "vln_native_inside.h"

enum { MEMO = 256 }; /* texts whose category is remembered; a power of two */

static float *
column_at(const vln_native_room_t *room, uint32_t column)
{
    return room->columns + (size_t)column * VLN_LANES;
}

/* ---- operations ---- */

static void
combine(vln_step_kind_t kind, const float *x, const float *y, float *out)
{
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        switch (kind) {
        case VLN_STEP_ADD_COLUMNS:
            out[lane] = x[lane] + y[lane];
            break;
        case VLN_STEP_SUB_COLUMNS:
            out[lane] = x[lane] - y[lane];
            break;
        case VLN_STEP_MUL_COLUMNS:
            out[lane] = x[lane] * y[lane];
            break;
        default:
            out[lane] = x[lane] / y[lane];
            break;
        }
    }
}

static void
combine_constant(vln_step_kind_t kind, const float *x, float number, float *out)
{
    float constant[VLN_LANES] = {0};
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        constant[lane] = number;
    }
    if (kind == VLN_STEP_CONSTANT_MINUS) {
        combine(VLN_STEP_SUB_COLUMNS, constant, x, out);
    } else {
        combine(kind - VLN_STEP_ADD + VLN_STEP_ADD_COLUMNS, x, constant, out);
    }
}

static void
impute(const float *x, float replaced, float by, float *out)
{
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        bool missing = isnan(replaced) ? isnan(x[lane]) : x[lane] == replaced;
        out[lane] = missing ? by : x[lane];
    }
}

static void
scale(const float *x, float offset, float factor, float *out)
{
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        float moved = x[lane] - offset;
        out[lane] = moved * factor;
    }
}

static void
run_column(const vln_step_t *step, size_t i, const vln_native_room_t *room)
{
    const float *x = column_at(room, step->from[i]);
    float *out = column_at(room, step->to + (uint32_t)i);
    if (step->kind == VLN_STEP_SCALE) {
        scale(x, step->a[i], step->b[i], out);
    } else if (step->kind == VLN_STEP_IMPUTE) {
        impute(x, step->a[i], step->b[i], out);
    } else if (step->kind >= VLN_STEP_ADD_COLUMNS && step->kind <= VLN_STEP_DIV_COLUMNS) {
        combine(step->kind, x, column_at(room, step->with[i]), out);
    } else {
        combine_constant(step->kind, x, step->a[i], out);
    }
}

static void
normalize(const vln_step_t *step, const vln_native_room_t *room)
{
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        float sum = 0;
        for (size_t i = 0; i < step->count; i++) {
            sum += fabsf(column_at(room, step->from[i])[lane]);
        }
        for (size_t i = 0; i < step->count; i++) {
            float x = column_at(room, step->from[i])[lane];
            column_at(room, step->to + (uint32_t)i)[lane] = sum != 0 ? x / sum : x;
        }
    }
}

/* ---- texts ---- */

static size_t
category_of(const vln_step_t *step, const char *word)
{
    size_t i = 0;
    while (i < step->category_count && strcmp(step->categories[i], word) != 0) {
        i++;
    }
    return i;
}

/* Words of a column are few, and each is at its own address. */
static size_t
category_remembered(const vln_step_t *step, const char *word, vln_native_room_t *room)
{
    size_t slot = ((uintptr_t)word * UINT64_C(0x9e3779b97f4a7c15)) >> 56;
    if (room->memo_words[slot] != word) {
        room->memo_words[slot] = word;
        room->memo[slot] = category_of(step, word);
    }
    return room->memo[slot];
}

/* A text that is missing is the empty one. */
static size_t
category_at(const vln_step_t *step, const vln_sandbox_rows_t *rows, size_t row,
            vln_native_room_t *room)
{
    const vln_sandbox_text_t *text = &rows->texts[step->text];
    uint32_t code = text->codes[row];
    return code == UINT32_MAX ? category_of(step, "")
                              : category_remembered(step, text->words[code], room);
}

static void
encode(const vln_step_t *step, const vln_sandbox_rows_t *rows, size_t first, size_t count,
       vln_native_room_t *room)
{
    memset(room->memo_words, 0, MEMO * sizeof *room->memo_words); /* it is another column's */
    memset(column_at(room, step->to), 0, step->made * VLN_LANES * sizeof(float));
    for (size_t lane = 0; lane < count; lane++) {
        size_t category = category_at(step, rows, first + lane, room);
        if (category < step->category_count) {
            column_at(room, step->to + (uint32_t)category)[lane] = 1;
        }
    }
}

/* Lanes without a row have the other one, too. */
static void
look_up(const vln_step_t *step, const vln_sandbox_rows_t *rows, size_t first, size_t count,
        vln_native_room_t *room)
{
    float *out = column_at(room, step->to);
    memset(room->memo_words, 0, MEMO * sizeof *room->memo_words);
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        size_t category =
            lane < count ? category_at(step, rows, first + lane, room) : step->category_count;
        out[lane] = category < step->category_count ? step->a[category] : step->b[0];
    }
}

/* A NaN, and what no 64 bits hold, become the least whole number, as the processor's own conversion has
 * it; that one is no category. */
static int64_t
whole_of(float x)
{
    const float limit = 9223372036854775808.0f;
    return x >= -limit && x < limit ? (int64_t)x : INT64_MIN;
}

static void
spread_whole(const vln_step_t *step, const vln_native_room_t *room)
{
    const float *x = column_at(room, step->from[0]);
    for (size_t i = 0; i < step->made; i++) {
        float *out = column_at(room, step->to + (uint32_t)i);
        for (size_t lane = 0; lane < VLN_LANES; lane++) {
            out[lane] = whole_of(x[lane]) == step->wholes[i] ? 1.0f : 0.0f;
        }
    }
}

/* ---- the forest ---- */

static void
fill_source(const vln_source_t *source, const float *x, float *out)
{
    if (!source->missing_yes) {
        memcpy(out, x, VLN_LANES * sizeof *out);
        return;
    }
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        out[lane] = isnan(x[lane]) ? -INFINITY : x[lane];
    }
}

static void
run_forest(const vln_native_t *self, const vln_step_t *step, vln_native_room_t *room)
{
    const vln_forest_t *forest = &self->forest;
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        room->forest[lane] = -INFINITY;
    }
    for (size_t i = 0; i < forest->source_count; i++) {
        const vln_source_t *source = &forest->sources[i];
        fill_source(source, column_at(room, step->from[source->feature]),
                    room->forest + (i + 1) * VLN_LANES);
    }
    for (size_t i = 0; i < forest->groups * VLN_LANES; i++) {
        room->sums[i] = self->start;
    }
    self->walk(forest, room->forest, room->sums);
    vln_native_finish(self, step, room);
}

/* ---- */

static void
load_numbers(const vln_native_t *self, const vln_sandbox_rows_t *rows, size_t first, size_t count,
             const vln_native_room_t *room)
{
    for (size_t lane = 0; self->numbers > 0 && lane < VLN_LANES; lane++) {
        size_t row = first + (lane < count ? lane : count - 1);
        const float *numbers = rows->numbers + row * self->numbers;
        for (size_t i = 0; i < self->numbers; i++) {
            room->columns[i * VLN_LANES + lane] = numbers[i];
        }
    }
}

void
vln_native_run(const vln_native_t *self, const vln_sandbox_rows_t *rows, size_t first, size_t count,
               vln_native_room_t *room)
{
    load_numbers(self, rows, first, count, room);
    for (size_t i = 0; i < self->step_count; i++) {
        const vln_step_t *step = &self->steps[i];
        switch (step->kind) {
        case VLN_STEP_ENCODE:
            encode(step, rows, first, count, room);
            break;
        case VLN_STEP_LOOK_UP:
            look_up(step, rows, first, count, room);
            break;
        case VLN_STEP_ONE_HOT:
            spread_whole(step, room);
            break;
        case VLN_STEP_NORMALIZE:
            normalize(step, room);
            break;
        case VLN_STEP_FOREST:
            run_forest(self, step, room);
            break;
        default:
            for (size_t j = 0; j < step->count; j++) {
                run_column(step, j, room);
            }
            break;
        }
    }
}
