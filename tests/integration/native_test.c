/*
 * The native engine against the libraries in valion-sandbox, to the bit: for every form that it covers,
 * on rows with ties, both zeros, infinities, denormals and missing values, in several numbers of rows,
 * on every way of walking that this machine has.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_native_inside.h"

#include "sandbox_models.h"
#include "test_onnx.h"
#include "test_trees.h"
#include "trainer_prepare.h"

enum { ROWS = 4097, LIMIT_MS = 60000 };

static vln_sandbox_t *sandbox;
static vln_outcome_t outcome;

static void
setup(void)
{
    vln_log_init("test", "native", VLN_LOG_OFF);
    const vln_sandbox_config_t config = {
        .program = VALION_SANDBOX, .load_ms = 60000, .predict_ms = 60000, .cpu_seconds = 60};
    cr_assert_eq(vln_sandbox_open(&config, &sandbox), VLN_OK);
}

static void
teardown(void)
{
    vln_sandbox_close(&sandbox);
}

TestSuite(native, .init = setup, .fini = teardown, .timeout = 280);

/* ---- both engines ---- */

typedef struct pair {
    vln_arena_t *arena;
    vln_model_t about;
    vln_native_t *native;
    vln_sandbox_model_t *foreign;
} pair_t;

static vln_native_t *
open_native(const void *bytes, size_t size, vln_arena_t *arena, vln_model_t *about, char *why)
{
    vln_native_t *native = NULL;
    cr_assert_eq(vln_model_read(bytes, size, VLN_MODEL_AUTO, arena, about, why), VLN_OK, "%s", why);
    vln_err_t err = vln_native_open(bytes, size, about, arena, &native, why);
    cr_assert_eq(err == VLN_OK, native != NULL);
    cr_assert_eq(err == VLN_OK, why[0] == '\0');
    return native;
}

static void
open_pair(const char *name, const void *bytes, size_t size, pair_t *out)
{
    char why[VLN_MODEL_WHY];
    out->arena = vln_arena_new(VLN_MODEL_ARENA);
    out->native = open_native(bytes, size, out->arena, &out->about, why);
    cr_assert_not_null(out->native, "%s: %s", name, why);
    cr_expect_gt(vln_native_bytes(out->native), 0);
    vln_err_t err = vln_sandbox_load(sandbox, &(vln_sandbox_file_t){.bytes = bytes, .size = size},
                                     &out->foreign, &outcome);
    cr_assert_eq(err, VLN_OK, "%s: %s", name, outcome.sentence);
    const vln_model_t *about = vln_sandbox_about(out->foreign);
    cr_expect_eq(out->about.width, about->width, "%s", name);
    cr_expect_eq(out->about.task, about->task, "%s", name);
    cr_expect_eq(out->about.class_count, about->class_count, "%s", name);
    cr_expect_eq(out->about.feature_count, about->feature_count, "%s", name);
}

static void
close_pair(pair_t *self)
{
    vln_native_close(&self->native);
    vln_sandbox_unload(&self->foreign);
    vln_arena_destroy(&self->arena);
}

/* Same bits, but that a NaN is a NaN. */
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
expect_same_result(const char *name, const vln_sandbox_result_t *got,
                   const vln_sandbox_result_t *wanted)
{
    cr_assert_eq(got->rows, wanted->rows, "%s", name);
    cr_assert_eq(got->width, wanted->width, "%s", name);
    cr_assert_eq(got->not_finite, wanted->not_finite, "%s", name);
    cr_assert_eq(got->not_probability, wanted->not_probability, "%s", name);
    cr_assert_eq(got->labels != NULL, wanted->labels != NULL, "%s", name);
    for (size_t i = 0; i < wanted->rows; i++) {
        cr_assert(
            is_same(got->values + i * got->width, wanted->values + i * got->width, got->width),
            "%s: row %zu of %zu: %.9g, not %.9g", name, i, wanted->rows,
            (double)got->values[i * got->width], (double)wanted->values[i * got->width]);
        cr_assert(!wanted->labels || got->labels[i] == wanted->labels[i],
                  "%s: row %zu of %zu: label %d, not %d", name, i, wanted->rows,
                  (int)got->labels[i], (int)wanted->labels[i]);
    }
}

static void
compare(const char *name, pair_t *pair, const vln_sandbox_rows_t *rows)
{
    vln_sandbox_result_t wanted = {0};
    vln_sandbox_result_t got = {0};
    vln_err_t err = vln_sandbox_predict(pair->foreign, rows, &wanted, &outcome);
    cr_assert_eq(err, VLN_OK, "%s: %s", name, outcome.sentence);
    for (vln_walk_t walk = VLN_WALK_PLAIN; walk <= VLN_WALK_BEST; walk++) {
        pair->native->walk = vln_walk_find(walk);
        if (pair->native->walk) {
            err = vln_native_predict(pair->native, rows, LIMIT_MS, &got, &outcome);
            cr_assert_eq(err, VLN_OK, "%s: %s", name, outcome.sentence);
            expect_same_result(name, &got, &wanted);
        }
    }
    pair->native->walk = vln_walk_find(VLN_WALK_BEST);
    vln_sandbox_result_end(&wanted);
    vln_sandbox_result_end(&got);
}

static void
expect_same_bits(const char *name, const void *bytes, size_t size, const vln_sandbox_rows_t *all)
{
    static const size_t counts[] = {1, 7, 50, 1000, ROWS};
    pair_t pair;
    open_pair(name, bytes, size, &pair);
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        vln_sandbox_rows_t rows = *all;
        rows.rows = counts[i];
        compare(name, &pair, &rows);
    }
    close_pair(&pair);
}

/* ---- XGBoost ---- */

static void
expect_same_xgboost(const char *objective, size_t classes, int depth)
{
    static const char *const formats[] = {"json", "ubj"};
    char name[128];
    for (size_t i = 0; i < 2; i++) {
        const sandbox_recipe_t recipe = {.objective = objective,
                                         .format = formats[i],
                                         .classes = classes,
                                         .features = 7,
                                         .rows = 900,
                                         .rounds = 12,
                                         .depth = depth};
        sandbox_file_t file = sandbox_train(&recipe);
        float *known = sandbox_rows(ROWS, 7); /* begins with the rows that it was trained on */
        float *odd = test_trees_rows(ROWS, 7, 5);
        snprintf(name, sizeof name, "%s %s of depth %d", objective, formats[i], depth);
        expect_same_bits(name, file.bytes, file.size,
                         &(vln_sandbox_rows_t){.numbers = known, .number_count = 7});
        expect_same_bits(name, file.bytes, file.size,
                         &(vln_sandbox_rows_t){.numbers = odd, .number_count = 7});
        free(known);
        free(odd);
        free(file.bytes);
    }
}

Test(native, predicts_regressions_of_xgboost_to_the_bit)
{
    expect_same_xgboost("reg:squarederror", 0, 3);
    expect_same_xgboost("reg:squarederror", 0, 6);
    expect_same_xgboost("reg:squarederror", 0, 11);
    expect_same_xgboost("reg:pseudohubererror", 0, 4);
    expect_same_xgboost("reg:absoluteerror", 0, 4);
    expect_same_xgboost("reg:squaredlogerror", 0, 4);
    expect_same_xgboost("reg:logistic", 0, 4);
    expect_same_xgboost("count:poisson", 0, 4);
    expect_same_xgboost("reg:gamma", 0, 4);
    expect_same_xgboost("reg:tweedie", 0, 4);
}

Test(native, predicts_classes_of_xgboost_to_the_bit)
{
    expect_same_xgboost("binary:logistic", 0, 5);
    expect_same_xgboost("binary:logitraw", 0, 5);
    expect_same_xgboost("binary:hinge", 0, 4);
    expect_same_xgboost("multi:softprob", 3, 5);
    expect_same_xgboost("multi:softmax", 4, 4);
}

Test(native, predicts_forests_of_xgboost_to_the_bit)
{
    sandbox_recipe_t recipe = {.objective = "reg:squarederror",
                               .format = "ubj",
                               .features = 5,
                               .rows = 700,
                               .rounds = 3,
                               .depth = 8,
                               .parallel = 9};
    sandbox_file_t file = sandbox_train(&recipe);
    float *rows = test_trees_rows(ROWS, 5, 9);
    expect_same_bits("a random forest", file.bytes, file.size,
                     &(vln_sandbox_rows_t){.numbers = rows, .number_count = 5});
    free(rows);
    free(file.bytes);
}

Test(native, leaves_other_boosters_to_the_library)
{
    static const char *const boosters[] = {"dart", "gblinear"};
    for (size_t i = 0; i < 2; i++) {
        const sandbox_recipe_t recipe = {.objective = "reg:squarederror",
                                         .booster = boosters[i],
                                         .format = "ubj",
                                         .features = 4,
                                         .rows = 100,
                                         .rounds = 2,
                                         .depth = 2};
        char why[VLN_MODEL_WHY];
        vln_model_t about;
        vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
        sandbox_file_t file = sandbox_train(&recipe);
        cr_expect_null(open_native(file.bytes, file.size, arena, &about, why));
        cr_expect(strstr(why, boosters[i]), "%s", why);
        vln_arena_destroy(&arena);
        free(file.bytes);
    }
}

/* ---- ONNX ---- */

static const test_trees_t recipes[] = {
    {.features = 6, .trees = 10, .depth = 4, .negative = true},
    {.features = 6, .trees = 1, .depth = 0},
    {.features = 1, .trees = 3, .depth = 1, .bases = 1},
    {.features = 6, .trees = 9, .depth = 5, .bases = 1, .transform = "NONE"},
    {.features = 6, .trees = 7, .depth = 9, .missing = true, .aggregate = "SUM"},
    {.features = 6, .trees = 7, .depth = 6, .mode = "BRANCH_LT", .aggregate = "AVERAGE"},
    {.features = 6, .trees = 7, .depth = 6, .mode = "BRANCH_GTE", .missing = true},
    {.features = 6, .trees = 7, .depth = 6, .mode = "BRANCH_GT", .bases = 1},
    {.features = 6, .trees = 20, .depth = 7, .mode = "", .missing = true},
    {.features = 6, .trees = 20, .depth = 7, .mode = ""},
    {.features = 6, .trees = 6, .depth = 5, .targets = 3},
    {.features = 6, .trees = 6, .depth = 7, .targets = 3, .by_rows = true, .bases = 3},
    {.features = 6, .trees = 6, .depth = 3, .targets = 2, .by_rows = true, .aggregate = "AVERAGE"},
    {.features = 6, .trees = 6, .depth = 3, .targets = 2, .bases = 2, .aggregate = "AVERAGE"},
    {.features = 6, .trees = 9, .depth = 5, .classes = 2},
    {.features = 6, .trees = 9, .depth = 5, .classes = 2, .words = true, .zipmap = true},
    {.features = 6, .trees = 9, .depth = 5, .classes = 2, .transform = "LOGISTIC"},
    {.features = 6, .trees = 9, .depth = 5, .classes = 2, .negative = true},
    {.features = 6,
     .trees = 9,
     .depth = 5,
     .classes = 2,
     .negative = true,
     .bases = 1,
     .transform = "LOGISTIC",
     .words = true,
     .zipmap = true},
    {.features = 6, .trees = 9, .depth = 5, .classes = 2, .negative = true, .transform = "SOFTMAX"},
    {.features = 6, .trees = 9, .depth = 5, .classes = 3},
    {.features = 6, .trees = 9, .depth = 8, .classes = 3, .by_rows = true, .words = true},
    {.features = 6, .trees = 9, .depth = 5, .classes = 5, .negative = true, .bases = 5},
    {.features = 6, .trees = 9, .depth = 5, .classes = 4, .negative = true, .transform = "SOFTMAX"},
    {.features = 6, .trees = 9, .depth = 5, .classes = 4, .by_rows = true, .transform = "LOGISTIC"},
    {.features = 6,
     .trees = 9,
     .depth = 5,
     .classes = 3,
     .normalized = true,
     .words = true,
     .zipmap = true},
    {.features = 6, .trees = 9, .depth = 5, .classes = 2, .negative = true, .normalized = true},
    {.features = 6, .trees = 9, .depth = 6, .around = TEST_TREES_PIPELINE},
    {.features = 6, .trees = 9, .depth = 6, .around = TEST_TREES_PIPELINE, .classes = 3},
    {.features = 6, .trees = 9, .depth = 6, .around = TEST_TREES_ARITHMETIC},
};

Test(native, predicts_trees_of_onnx_to_the_bit)
{
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        char name[64];
        test_trees_t recipe = recipes[i];
        recipe.seed = (uint32_t)i;
        size_t features = (size_t)recipe.features;
        vln_part_t file = test_trees_make(&recipe);
        float *rows = test_trees_rows(ROWS, features, (uint32_t)i + 100);
        snprintf(name, sizeof name, "recipe %zu", i);
        expect_same_bits(name, file.bytes, file.size,
                         &(vln_sandbox_rows_t){.numbers = rows, .number_count = features});
        free(rows);
        vln_part_end(&file);
    }
}

Test(native, encodes_texts_as_the_library_does)
{
    static const char *const words[] = {"Oslo", "Rome", "Lima", "", "oslo"};
    const test_trees_t recipe = {
        .features = 3, .trees = 12, .depth = 7, .around = TEST_TREES_COLUMNS};
    uint32_t *codes = vln_calloc(ROWS, sizeof *codes);
    for (size_t i = 0; i < ROWS; i++) {
        codes[i] = i % 11 == 10 ? UINT32_MAX : (uint32_t)(i * 7 % 5);
    }
    const vln_sandbox_text_t text = {.codes = codes, .words = words};
    vln_part_t file = test_trees_make(&recipe);
    float *rows = test_trees_rows(ROWS, 3, 77);
    expect_same_bits(
        "a column of text", file.bytes, file.size,
        &(vln_sandbox_rows_t){.numbers = rows, .number_count = 3, .texts = &text, .text_count = 1});
    free(rows);
    free(codes);
    vln_part_end(&file);
}

Test(native, looks_up_and_spreads_as_the_library_does)
{
    static const char *const words[] = {"Oslo", "Rome", "Lima", "", "oslo"};
    static const float odd[] = {1,     2,   4,        -3,        1.9f,   -3.5f,
                                0,     NAN, INFINITY, -INFINITY, 1e30f,  -1e30f,
                                -0.0f, 3,   0.9f,     9.2e18f,   9.3e18f};
    uint32_t *codes = vln_calloc(ROWS, sizeof *codes);
    float *rooms = vln_calloc(ROWS, sizeof *rooms);
    for (size_t i = 0; i < ROWS; i++) {
        codes[i] = i % 11 == 10 ? UINT32_MAX : (uint32_t)(i * 7 % 5);
        rooms[i] = odd[i % (sizeof odd / sizeof odd[0])];
    }
    const vln_sandbox_text_t text = {.codes = codes, .words = words};
    vln_part_t file = test_onnx_encoders(&(test_onnx_encoders_t){0});
    expect_same_bits("encoders", file.bytes, file.size,
                     &(vln_sandbox_rows_t){
                         .numbers = rooms, .number_count = 1, .texts = &text, .text_count = 1});
    free(rooms);
    free(codes);
    vln_part_end(&file);
}

/* Every way in which a preprocessor of the trainer's encodes a text, beside numbers. */
Test(native, runs_a_preprocessor_of_texts_to_the_bit)
{
    static const char *const words[] = {"Oslo", "Rome", "Lima", "", "never seen"};
    static const char *plain[] = {"", "Lima", "Oslo", "Rome"};
    static trainer_scaling_t numbers[] = {{.column = "x", .fill = 1.5f, .offset = 3, .scale = 0.1f},
                                          {.column = "y", .fill = NAN, .scale = 1}};
    const encoding_t own = {.categories = plain, .count = 4};
    const encoding_t filled = {.categories = plain + 1, .count = 3, .fill = "Oslo"};
    const encoding_t rest = {.categories = plain + 2, .count = 2, .has_rest = true};
    trainer_encoder_t texts[] = {{"a, b", true, own}, {"c", true, filled},  {"d", true, rest},
                                 {"e", false, own},   {"f", false, filled}, {"g", false, rest}};
    const trainer_preparation_t preparation = {numbers, 2, texts, 6};
    vln_sandbox_text_t columns[6];
    uint32_t *codes = vln_calloc(ROWS, sizeof *codes);
    for (size_t i = 0; i < ROWS; i++) {
        codes[i] = i % 11 == 10 ? UINT32_MAX : (uint32_t)(i * 7 % 5);
    }
    for (size_t i = 0; i < 6; i++) {
        columns[i] = (vln_sandbox_text_t){.codes = codes, .words = words};
    }
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    const char **names = trainer_prepare_names(&preparation, NULL, arena);
    vln_part_t file = trainer_prepare_build(&preparation, names);
    float *rows = test_trees_rows(ROWS, 2, 3);
    expect_same_bits("a preprocessor", file.bytes, file.size,
                     &(vln_sandbox_rows_t){
                         .numbers = rows, .number_count = 2, .texts = columns, .text_count = 6});
    free(rows);
    free(codes);
    vln_part_end(&file);
    vln_arena_destroy(&arena);
}

Test(native, leaves_other_operators_to_the_library)
{
    char why[VLN_MODEL_WHY];
    vln_model_t about;
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_part_t linear = test_onnx_linear(3);
    cr_expect_null(open_native(linear.bytes, linear.size, arena, &about, why));
    cr_expect(strstr(why, "LinearRegressor"), "%s", why);
    vln_part_t layers = test_onnx_layers();
    cr_expect_null(open_native(layers.bytes, layers.size, arena, &about, why));
    cr_expect(strstr(why, "MatMul"), "%s", why);
    vln_part_end(&linear);
    vln_part_end(&layers);
    vln_arena_destroy(&arena);
}
