/*
 * Any bytes as a model file for the native engine: what it covers has sound terms and predicts a few odd
 * rows, the same by every way of walking and whether a row comes alone or among others; what it does not
 * cover is refused with a sentence.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "vln_native_inside.h"

enum { ROWS = 70, FEATURES_MAX = 64, LIMIT_MS = 60000 }; /* more than a vector of lanes */

static const float odd[] = {0.0f,     -0.0f,     1,      -1,    0.5f, NAN,
                            INFINITY, -INFINITY, 1e-41f, 3e38f, -2.5f};
static const char *const words[] = {"Oslo", "", "Rome", "no"};

typedef struct rows {
    float *numbers;
    uint32_t *codes;
    vln_sandbox_text_t *texts;
    vln_sandbox_rows_t rows;
} rows_t;

static void
make_rows(const vln_native_t *native, rows_t *out)
{
    size_t numbers = ROWS * native->numbers;
    size_t texts = native->texts;
    out->numbers = vln_calloc(numbers + 1, sizeof *out->numbers);
    out->codes = vln_calloc(ROWS, sizeof *out->codes);
    out->texts = vln_calloc(texts + 1, sizeof *out->texts);
    for (size_t i = 0; i < numbers; i++) {
        out->numbers[i] = odd[i * 7 % VLN_COUNT(odd)];
    }
    for (size_t i = 0; i < ROWS; i++) {
        out->codes[i] = i % 5 == 4 ? UINT32_MAX : (uint32_t)(i % VLN_COUNT(words));
    }
    for (size_t i = 0; i < texts; i++) {
        out->texts[i] = (vln_sandbox_text_t){.codes = out->codes, .words = words};
    }
    out->rows = (vln_sandbox_rows_t){.rows = ROWS,
                                     .numbers = out->numbers,
                                     .number_count = native->numbers,
                                     .texts = out->texts,
                                     .text_count = texts};
}

static void
end_rows(rows_t *rows)
{
    free(rows->numbers);
    free(rows->codes);
    free(rows->texts);
}

static void
check_result(const vln_native_t *native, const vln_sandbox_result_t *result, size_t rows)
{
    size_t classes = native->about->class_count;
    vln_assert(result->rows == rows && result->not_finite <= rows);
    for (size_t i = 0; result->labels && i < rows; i++) {
        vln_assert(result->labels[i] >= 0);
        vln_assert(classes == 0 || (size_t)result->labels[i] < classes);
    }
}

static bool
is_same(const float *left, const float *right, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(&left[i], &right[i], sizeof *left) != 0 &&
            !(isnan(left[i]) && isnan(right[i]))) {
            return false;
        }
    }
    return true;
}

static void
check_walks(vln_native_t *native, const rows_t *rows, const vln_sandbox_result_t *all)
{
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome;
    vln_sandbox_rows_t last = rows->rows;
    for (vln_walk_t walk = VLN_WALK_PLAIN; walk < VLN_WALK_BEST; walk++) {
        native->walk = vln_walk_find(walk);
        if (native->walk) {
            vln_err_t err = vln_native_predict(native, &rows->rows, LIMIT_MS, &result, &outcome);
            vln_assert(err == VLN_OK && is_same(result.values, all->values, ROWS * all->width));
        }
    }
    last.rows = 1;
    native->walk = vln_walk_find(VLN_WALK_PLAIN);
    vln_assert(vln_native_predict(native, &last, LIMIT_MS, &result, &outcome) == VLN_OK);
    vln_assert(is_same(result.values, all->values, all->width));
    vln_sandbox_result_end(&result);
}

static void
check_native(vln_native_t *native)
{
    rows_t rows;
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome;
    vln_assert(vln_native_bytes(native) > 0);
    vln_assert(native->forest.steps <= VLN_NATIVE_MAX_STEPS);
    if (native->numbers > FEATURES_MAX || native->forest.steps > 1000) {
        return; /* slow, and no other */
    }
    make_rows(native, &rows);
    vln_err_t err = vln_native_predict(native, &rows.rows, LIMIT_MS, &result, &outcome);
    vln_assert((err == VLN_OK) == (outcome.sentence[0] == '\0'));
    if (err == VLN_OK) {
        check_result(native, &result, ROWS);
        check_walks(native, &rows, &result);
    }
    vln_sandbox_result_end(&result);
    end_rows(&rows);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_model_t about;
    vln_native_t *native = NULL;
    char why[VLN_MODEL_WHY];
    if (vln_model_read(data, size, VLN_MODEL_AUTO, arena, &about, why) == VLN_OK) {
        vln_err_t err = vln_native_open(data, size, &about, arena, &native, why);
        vln_assert((err == VLN_OK) == (native != NULL));
        vln_assert((err == VLN_OK) == (why[0] == '\0'));
    }
    if (native) {
        check_native(native);
    }
    vln_native_close(&native);
    vln_arena_destroy(&arena);
    return 0;
}
