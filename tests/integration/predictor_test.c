/*
 * vln_predictor on a real sandbox: columns are bound by name, a preprocessor runs first, and a lost
 * child costs a call no more than a reload.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "vln_log.h"
#include "vln_native.h"
#include "vln_predictor.h"

#include "test_onnx.h"
#include "test_trees.h"

enum { ROWS = 3, CALLS_MAX = 10000 };

static vln_sandbox_t *sandbox;
static vln_outcome_t outcome;
static Valion__V1__Engine engine; /* that is insisted on */
static vln_sandbox_result_t result;

static void
setup(void)
{
    vln_log_init("test", "predictor", VLN_LOG_OFF);
    const vln_sandbox_config_t config = {
        .program = VALION_SANDBOX, .load_ms = 20000, .predict_ms = 20000};
    cr_assert_eq(vln_sandbox_open(&config, &sandbox), VLN_OK);
}

static void
teardown(void)
{
    vln_sandbox_result_end(&result);
    vln_sandbox_close(&sandbox);
}

TestSuite(predictor, .init = setup, .fini = teardown, .timeout = 120);

/* (x - 1) * 2 of each column, NaN as 4 first. */
static vln_part_t
make_scaler(int64_t columns)
{
    const float fours[] = {4, 4, 4};
    const float ones[] = {1, 1, 1};
    const float twos[] = {2, 2, 2};
    vln_part_t imputer = vln_part_node("Imputer", "ai.onnx.ml", "X", "filled");
    vln_part_message(&imputer, 5, vln_part_floats("imputed_value_floats", fours, (size_t)columns));
    vln_part_message(&imputer, 5, vln_part_number("replaced_value_float", NAN));
    vln_part_t scaler = vln_part_node("Scaler", "ai.onnx.ml", "filled", "Y");
    vln_part_message(&scaler, 5, vln_part_floats("offset", ones, (size_t)columns));
    vln_part_message(&scaler, 5, vln_part_floats("scale", twos, (size_t)columns));
    vln_part_t graph = {0};
    const int64_t dims[] = {-1, columns};
    vln_part_message(&graph, 1, imputer);
    vln_part_message(&graph, 1, scaler);
    vln_part_text(&graph, 2, "scaler");
    vln_part_message(&graph, 11, vln_part_value("X", VLN_TENSOR_FLOAT, dims, 2));
    vln_part_message(&graph, 12, vln_part_value("Y", VLN_TENSOR_FLOAT, dims, 2));
    return vln_part_model("valion tests", graph);
}

/* Inputs a, b, c; output y. */
static const Valion__V1__Signature *
make_signature(void)
{
    static Valion__V1__Column columns[4];
    static Valion__V1__Column *pointers[4];
    static Valion__V1__Signature signature = VALION__V1__SIGNATURE__INIT;
    static char *names[] = {"a", "b", "c", "y"};
    for (size_t i = 0; i < 4; i++) {
        valion__v1__column__init(&columns[i]);
        columns[i].name = names[i];
        columns[i].has_type = 1;
        columns[i].type = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32;
        pointers[i] = &columns[i];
    }
    signature.n_inputs = 3;
    signature.inputs = pointers;
    signature.n_outputs = 1;
    signature.outputs = pointers + 3;
    return &signature;
}

/* Columns c, extra, a, b with a whole number and a missing cell among them. */
static vln_table_t *
make_table(const char *third)
{
    vln_table_t *table = vln_table_new();
    const char *names[] = {"c", "extra", third, "b"};
    for (size_t i = 0; i < 4; i++) {
        cr_assert(vln_table_add(table, names[i], i == 2 ? VLN_TYPE_I64 : VLN_TYPE_F64));
    }
    vln_table_set_rows(table, ROWS);
    for (size_t row = 0; row < ROWS; row++) {
        vln_column_set_f64(vln_table_edit(table, 0), row, 100 + (double)row);
        vln_column_set_i64(vln_table_edit(table, 2), row, (int64_t)row + 1);
        if (row != 1) {
            vln_column_set_f64(vln_table_edit(table, 3), row, 10 * ((double)row + 1));
        }
    }
    return table;
}

static vln_predictor_t *
open_predictor(const vln_part_t *model, const vln_part_t *preprocessor)
{
    const vln_predictor_files_t files = {
        .model = model->bytes,
        .model_size = model->size,
        .preprocessor = preprocessor ? preprocessor->bytes : NULL,
        .preprocessor_size = preprocessor ? preprocessor->size : 0,
        .engine = engine,
    };
    vln_predictor_t *self = NULL;
    vln_err_t err = vln_predictor_open(sandbox, &files, make_signature(), &self, &outcome);
    cr_assert_eq(err, VLN_OK, "%s", outcome.sentence);
    return self;
}

/* The linear model's own sum: a + 2 b + 3 c + 0.5. */
static float
linear(double a, double b, double c)
{
    return (float)(a + 2 * b + 3 * c + 0.5);
}

Test(predictor, binds_columns_by_name)
{
    vln_part_t model = test_onnx_linear(3);
    vln_table_t *table = make_table("a");
    vln_predictor_t *self = open_predictor(&model, NULL);
    cr_assert_eq(vln_predictor_predict(self, table, 0, ROWS, &result, &outcome), VLN_OK);
    cr_assert_eq(result.rows, ROWS);
    cr_assert_float_eq(result.values[0], linear(1, 10, 100), 1e-4);
    cr_assert(isnan(result.values[1]));
    cr_assert_float_eq(result.values[2], linear(3, 30, 102), 1e-4);
    cr_assert_eq(vln_predictor_predict(self, table, 2, 1, &result, &outcome), VLN_OK);
    cr_assert_eq(result.rows, 1);
    cr_assert_float_eq(result.values[0], linear(3, 30, 102), 1e-4);
    cr_assert_not(vln_predictor_assumed_order(self));
    vln_predictor_close(&self);
    vln_table_destroy(&table);
    vln_part_end(&model);
}

Test(predictor, runs_the_preprocessor_first)
{
    vln_part_t model = test_onnx_linear(3);
    vln_part_t scaler = make_scaler(3);
    vln_table_t *table = make_table("a");
    vln_predictor_t *self = open_predictor(&model, &scaler);
    cr_assert_eq(vln_predictor_predict(self, table, 0, ROWS, &result, &outcome), VLN_OK);
    cr_assert_float_eq(result.values[0], linear(0, 18, 198), 1e-3);
    cr_assert_float_eq(result.values[1], linear(2, 6, 200), 1e-3);
    vln_predictor_close(&self);
    vln_table_destroy(&table);
    vln_part_end(&scaler);
    vln_part_end(&model);
}

Test(predictor, names_the_column_that_is_missing)
{
    vln_part_t model = test_onnx_linear(3);
    vln_table_t *table = make_table("another");
    vln_predictor_t *self = open_predictor(&model, NULL);
    cr_assert_eq(vln_predictor_predict(self, table, 0, ROWS, &result, &outcome),
                 VLN_INVALID_ARGUMENT);
    cr_assert(strstr(outcome.sentence, "\"a\""), "%s", outcome.sentence);
    vln_predictor_close(&self);
    vln_table_destroy(&table);
    vln_part_end(&model);
}

Test(predictor, refuses_files_that_do_not_fit_each_other)
{
    vln_part_t model = test_onnx_linear(3);
    vln_part_t scaler = make_scaler(2);
    const vln_predictor_files_t files = {.model = model.bytes,
                                         .model_size = model.size,
                                         .preprocessor = scaler.bytes,
                                         .preprocessor_size = scaler.size};
    vln_predictor_t *self = NULL;
    cr_assert_eq(vln_predictor_open(sandbox, &files, make_signature(), &self, &outcome),
                 VLN_FAILED_PRECONDITION);
    cr_assert_null(self);
    cr_assert(strstr(outcome.sentence, "gives 2 columns and the model takes 3"), "%s",
              outcome.sentence);
    vln_part_end(&scaler);
    vln_part_end(&model);
}

Test(predictor, refuses_a_signature_of_another_length)
{
    vln_part_t model = test_onnx_linear(2);
    const vln_predictor_files_t files = {.model = model.bytes, .model_size = model.size};
    vln_predictor_t *self = NULL;
    cr_assert_eq(vln_predictor_open(sandbox, &files, make_signature(), &self, &outcome),
                 VLN_FAILED_PRECONDITION);
    cr_assert(strstr(outcome.sentence, "3 inputs"), "%s", outcome.sentence);
    vln_part_end(&model);
}

Test(predictor, loads_again_after_its_sandbox_died)
{
    vln_part_t model = test_onnx_linear(3);
    vln_part_t scaler = make_scaler(3);
    vln_table_t *table = make_table("a");
    vln_predictor_t *self = open_predictor(&model, &scaler);
    cr_assert_eq(kill(vln_sandbox_pid(sandbox), SIGKILL), 0);
    /* Its children end a moment after it, and may still answer. */
    for (int i = 0; i < CALLS_MAX && vln_sandbox_starts(sandbox) == 1; i++) {
        cr_assert_eq(vln_predictor_predict(self, table, 0, ROWS, &result, &outcome), VLN_OK, "%s",
                     outcome.sentence);
        cr_assert_float_eq(result.values[0], linear(0, 18, 198), 1e-3);
    }
    cr_assert_eq(vln_sandbox_starts(sandbox), 2);
    vln_predictor_close(&self);
    vln_table_destroy(&table);
    vln_part_end(&scaler);
    vln_part_end(&model);
}

/* ---- engines ---- */

static vln_part_t
make_trees(void)
{
    return test_trees_make(&(test_trees_t){.features = 3, .trees = 8, .depth = 5});
}

static void
predict_by(const vln_part_t *model, const vln_part_t *preprocessor, Valion__V1__Engine by,
           const char *version)
{
    vln_table_t *table = make_table("a");
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_predictor_t *self = open_predictor(model, preprocessor);
    cr_expect_eq(vln_predictor_engine(self), by);
    cr_expect_str_eq(vln_predictor_engine_version(self, arena), version);
    cr_assert_eq(vln_predictor_predict(self, table, 0, ROWS, &result, &outcome), VLN_OK, "%s",
                 outcome.sentence);
    vln_predictor_close(&self);
    vln_arena_destroy(&arena);
    vln_table_destroy(&table);
}

Test(predictor, starts_no_sandbox_for_what_the_native_engine_covers)
{
    const vln_sandbox_config_t config = {.program = VALION_SANDBOX, .when_needed = true};
    vln_part_t model = make_trees();
    vln_part_t scaler = make_scaler(3);
    vln_sandbox_close(&sandbox);
    cr_assert_eq(vln_sandbox_open(&config, &sandbox), VLN_OK);
    predict_by(&model, &scaler, VALION__V1__ENGINE__ENGINE_NATIVE, VLN_NATIVE_VERSION);
    cr_expect_eq(vln_sandbox_starts(sandbox), 0);
    vln_part_t linear = test_onnx_linear(3);
    predict_by(&linear, NULL, VALION__V1__ENGINE__ENGINE_ONNXRUNTIME,
               vln_sandbox_onnxruntime(sandbox));
    cr_expect_eq(vln_sandbox_starts(sandbox), 1);
    cr_expect_gt(strlen(vln_sandbox_onnxruntime(sandbox)), 0);
    vln_part_end(&linear);
    vln_part_end(&scaler);
    vln_part_end(&model);
}

Test(predictor, runs_each_file_where_it_can_and_says_where)
{
    char version[128];
    vln_part_t linear = test_onnx_linear(3);
    vln_part_t scaler = make_scaler(3);
    snprintf(version, sizeof version, "%s; its preprocessor: native " VLN_NATIVE_VERSION,
             vln_sandbox_onnxruntime(sandbox));
    predict_by(&linear, &scaler, VALION__V1__ENGINE__ENGINE_ONNXRUNTIME, version);
    vln_part_end(&linear);
    vln_part_end(&scaler);
}

Test(predictor, gives_the_same_bits_by_either_engine)
{
    float kept[ROWS];
    vln_part_t model = make_trees();
    vln_part_t scaler = make_scaler(3);
    engine = VALION__V1__ENGINE__ENGINE_ONNXRUNTIME;
    predict_by(&model, &scaler, engine, vln_sandbox_onnxruntime(sandbox));
    memcpy(kept, result.values, sizeof kept);
    engine = VALION__V1__ENGINE__ENGINE_NATIVE;
    predict_by(&model, &scaler, engine, VLN_NATIVE_VERSION);
    cr_expect_arr_eq(result.values, kept, sizeof kept);
    vln_part_end(&model);
    vln_part_end(&scaler);
}

static void
expect_refusal(Valion__V1__Engine by, const vln_part_t *model, const char *words)
{
    const vln_predictor_files_t files = {
        .model = model->bytes, .model_size = model->size, .engine = by};
    vln_predictor_t *self = NULL;
    cr_expect_eq(vln_predictor_open(sandbox, &files, make_signature(), &self, &outcome),
                 VLN_FAILED_PRECONDITION);
    cr_expect_null(self);
    cr_expect(strstr(outcome.sentence, words), "%s", outcome.sentence);
}

Test(predictor, refuses_an_engine_that_cannot)
{
    vln_part_t linear = test_onnx_linear(3);
    vln_part_t trees = make_trees();
    expect_refusal(VALION__V1__ENGINE__ENGINE_NATIVE, &linear,
                   "engine: the native one does not cover this file: operator LinearRegressor");
    expect_refusal(VALION__V1__ENGINE__ENGINE_XGBOOST, &trees,
                   "engine: the file is for the native one or ONNX Runtime");
    vln_part_end(&linear);
    vln_part_end(&trees);
}

Test(predictor, gives_the_native_engine_no_more_time_than_a_library)
{
    const vln_sandbox_config_t config = {
        .program = VALION_SANDBOX, .when_needed = true, .predict_ms = -1}; /* over at once */
    vln_part_t model = make_trees();
    vln_table_t *table = make_table("a");
    vln_sandbox_close(&sandbox);
    cr_assert_eq(vln_sandbox_open(&config, &sandbox), VLN_OK);
    vln_predictor_t *self = open_predictor(&model, NULL);
    cr_expect_eq(vln_predictor_predict(self, table, 0, ROWS, &result, &outcome),
                 VLN_FAILED_PRECONDITION);
    cr_expect_eq(outcome.verdict, VLN_VERDICT_TIME);
    vln_predictor_close(&self);
    vln_table_destroy(&table);
    vln_part_end(&model);
}

Test(predictor, says_when_the_sandbox_that_it_needs_cannot_be_started)
{
    const vln_sandbox_config_t config = {.program = "/nowhere/valion-sandbox", .when_needed = true};
    vln_part_t linear = test_onnx_linear(3);
    const vln_predictor_files_t files = {.model = linear.bytes, .model_size = linear.size};
    vln_predictor_t *self = NULL;
    vln_sandbox_close(&sandbox);
    cr_assert_eq(vln_sandbox_open(&config, &sandbox), VLN_OK);
    cr_expect_eq(vln_predictor_open(sandbox, &files, make_signature(), &self, &outcome),
                 VLN_UNAVAILABLE);
    cr_expect(strstr(outcome.sentence, "cannot be started"), "%s", outcome.sentence);
    vln_part_end(&linear);
}
