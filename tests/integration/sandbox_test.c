/*
 * valion-sandbox and its client, with models made here: what the library answers directly comes
 * through to the bit, whatever ends a child ends nothing else, and nothing is left behind.
 */
#include <criterion/criterion.h>
#include <dirent.h>
#include <fcntl.h>
#include <math.h>
#include <onnxruntime_c_api.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "vln_log.h"
#include "vln_sandbox.h"
#include "vln_text.h"
#include "vln_time.h"

#include "sandbox_models.h"
#include "test_onnx.h"

enum { ROWS = 2500, JOBS = 1000 };

static vln_sandbox_t *sandbox;
static vln_outcome_t outcome;

static void
open_with(vln_sandbox_config_t config)
{
    config.program = VALION_SANDBOX;
    cr_assert_eq(vln_sandbox_open(&config, &sandbox), VLN_OK);
}

static void
setup(void)
{
    vln_log_init("test", "sandbox", VLN_LOG_OFF);
    open_with((vln_sandbox_config_t){.load_ms = 20000, .predict_ms = 20000});
}

static void
teardown(void)
{
    vln_sandbox_close(&sandbox);
}

TestSuite(sandbox, .init = setup, .fini = teardown, .timeout = 120);

static vln_sandbox_model_t *
load(const void *bytes, size_t size)
{
    vln_sandbox_model_t *model = NULL;
    vln_err_t err = vln_sandbox_load(sandbox, &(vln_sandbox_file_t){.bytes = bytes, .size = size},
                                     &model, &outcome);
    cr_assert_eq(err, VLN_OK, "%s: %s %s", vln_sandbox_verdict_name(outcome.verdict),
                 outcome.sentence, outcome.detail);
    return model;
}

static vln_sandbox_model_t *
load_onnx(vln_part_t file)
{
    vln_sandbox_model_t *model = load(file.bytes, file.size);
    vln_part_end(&file);
    return model;
}

static vln_err_t
predict(vln_sandbox_model_t *model, const float *numbers, size_t rows, size_t features,
        vln_sandbox_result_t *result)
{
    const vln_sandbox_rows_t batch = {.rows = rows, .numbers = numbers, .number_count = features};
    return vln_sandbox_predict(model, &batch, result, &outcome);
}

/* When this returns the sandbox is dead, and what it had forked has been told to die, too. */
static void
kill_sandbox(void)
{
    siginfo_t end;
    cr_assert_eq(kill(vln_sandbox_pid(sandbox), SIGKILL), 0);
    cr_assert_eq(waitid(P_PID, (id_t)vln_sandbox_pid(sandbox), &end, WEXITED | WNOWAIT), 0);
}

/* The sandbox still serves an honest model. */
static void
expect_alive(void)
{
    vln_sandbox_model_t *model = load_onnx(test_onnx_linear(2));
    vln_sandbox_result_t result = {0};
    cr_assert_eq(predict(model, (const float[]){1, 2, 3, 4}, 2, 2, &result), VLN_OK);
    cr_expect_eq(result.values[0], 5.5f);
    cr_expect_eq(result.values[1], 11.5f);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
}

/* ---- XGBoost, to the bit ---- */

static const sandbox_recipe_t regression = {.objective = "reg:squarederror",
                                            .format = "ubj",
                                            .features = 7,
                                            .rows = 600,
                                            .rounds = 20,
                                            .depth = 5};

/* Same scores, row by row, of a model that gives `width` numbers of the library's `of`. */
static void
expect_same_bits(const sandbox_recipe_t *recipe, size_t take, size_t from)
{
    sandbox_file_t file = sandbox_train(recipe);
    float *rows = sandbox_rows(ROWS, recipe->features);
    size_t width = 0;
    float *direct = sandbox_direct(&file, rows, ROWS, recipe->features, &width);
    vln_sandbox_model_t *model = load(file.bytes, file.size);
    vln_sandbox_result_t result = {0};
    cr_assert_eq(predict(model, rows, ROWS, recipe->features, &result), VLN_OK, "%s",
                 outcome.sentence);
    cr_assert_eq(result.rows, ROWS);
    cr_assert_eq(result.width, take);
    for (size_t i = 0; i < ROWS; i++) {
        cr_assert_arr_eq(result.values + i * take, direct + i * width + from, take * sizeof *direct,
                         "row %zu", i);
    }
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
    free(direct);
    free(rows);
    free(file.bytes);
}

Test(sandbox, predicts_what_libxgboost_predicts_to_the_bit)
{
    sandbox_recipe_t recipe = regression;
    expect_same_bits(&recipe, 1, 0);
    recipe.format = "json";
    expect_same_bits(&recipe, 1, 0);
    recipe.booster = "dart";
    expect_same_bits(&recipe, 1, 0);
    recipe.booster = "gblinear";
    expect_same_bits(&recipe, 1, 0);
    recipe.booster = NULL;
    recipe.objective = "binary:logistic";
    expect_same_bits(&recipe, 1, 0);
    recipe.objective = "multi:softprob";
    recipe.classes = 4;
    expect_same_bits(&recipe, 4, 0);
}

Test(sandbox, gives_the_label_of_each_row)
{
    sandbox_recipe_t recipe = regression;
    recipe.classes = 3;
    recipe.objective = "multi:softmax";
    sandbox_file_t file = sandbox_train(&recipe);
    float *rows = sandbox_rows(ROWS, recipe.features);
    size_t width = 0;
    float *direct = sandbox_direct(&file, rows, ROWS, recipe.features, &width);
    vln_sandbox_model_t *model = load(file.bytes, file.size);
    vln_sandbox_result_t result = {0};
    cr_assert_eq(predict(model, rows, ROWS, recipe.features, &result), VLN_OK);
    cr_assert_eq(result.width, 0);
    cr_assert_not_null(result.labels);
    for (size_t i = 0; i < ROWS; i++) {
        cr_assert_eq(result.labels[i], (int32_t)direct[i], "row %zu", i);
    }
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
    free(direct);
    free(rows);
    free(file.bytes);
}

Test(sandbox, says_what_an_xgboost_model_is)
{
    static const char *const names[] = {"a", "b (m2)", "c", "d", "e", "f", "g"};
    sandbox_recipe_t recipe = regression;
    recipe.names = names;
    recipe.objective = "binary:logistic";
    sandbox_file_t file = sandbox_train(&recipe);
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_model_t about;
    cr_assert_eq(vln_sandbox_inspect(sandbox,
                                     &(vln_sandbox_file_t){.bytes = file.bytes, .size = file.size},
                                     arena, &about, &outcome),
                 VLN_OK, "%s", outcome.sentence);
    cr_expect_eq(about.kind, VLN_MODEL_XGBOOST_UBJ);
    cr_expect_eq(about.feature_count, 7);
    cr_expect_str_eq(about.features[1].name, "b (m2)");
    cr_expect_eq(about.tree_count, 20);
    cr_expect_str_eq(about.objective, "binary:logistic");
    cr_expect_gt(outcome.cpu_us, 0);
    cr_expect_gt(outcome.peak_kib, 0);
    vln_arena_destroy(&arena);
    free(file.bytes);
}

/* ---- ONNX ---- */

/* Debian's library greets on stderr when it is first used. */
static int
hush(void)
{
    int kept = dup(STDERR_FILENO);
    int nothing = open("/dev/null", O_WRONLY | O_CLOEXEC);
    cr_assert(kept >= 0 && dup2(nothing, STDERR_FILENO) >= 0);
    close(nothing);
    return kept;
}

static void
speak(int kept)
{
    fflush(stderr);
    cr_assert_geq(dup2(kept, STDERR_FILENO), 0);
    close(kept);
}

/* What ONNX Runtime answers in this process, its defaults but for one thread. */
static void
direct_layers(const vln_part_t *file, const float *rows, size_t count, float *out)
{
    const OrtApi *api = OrtGetApiBase()->GetApi(ORT_API_VERSION);
    OrtEnv *env = NULL;
    OrtSessionOptions *options = NULL;
    OrtSession *session = NULL;
    OrtMemoryInfo *memory = NULL;
    OrtValue *input = NULL;
    OrtValue *output = NULL;
    float *data = NULL;
    const int64_t shape[] = {(int64_t)count, 16};
    cr_assert_null(api->CreateEnv(ORT_LOGGING_LEVEL_ERROR, "test", &env));
    cr_assert_null(api->CreateSessionOptions(&options));
    cr_assert_null(api->SetIntraOpNumThreads(options, 1));
    cr_assert_null(api->CreateSessionFromArray(env, file->bytes, file->size, options, &session));
    cr_assert_null(api->CreateCpuMemoryInfo(OrtDeviceAllocator, OrtMemTypeDefault, &memory));
    cr_assert_null(api->CreateTensorWithDataAsOrtValue(
        memory, (void *)(uintptr_t)rows, count * 16 * sizeof *rows, shape, 2,
        ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT, &input));
    cr_assert_null(api->Run(session, NULL, (const char *[]){"X"}, (const OrtValue *const *)&input,
                            1, (const char *[]){"Y"}, 1, &output));
    cr_assert_null(api->GetTensorMutableData(output, (void **)&data));
    memcpy(out, data, count * sizeof *out);
    api->ReleaseValue(output);
    api->ReleaseValue(input);
    api->ReleaseMemoryInfo(memory);
    api->ReleaseSession(session);
    api->ReleaseSessionOptions(options);
    api->ReleaseEnv(env);
}

static float *
dense_rows(size_t rows, size_t features)
{
    float *out = sandbox_rows(rows, features);
    for (size_t i = 0; i < rows * features; i++) {
        out[i] = isnan(out[i]) ? 0.5f : out[i];
    }
    return out;
}

Test(sandbox, predicts_what_onnx_runtime_predicts_to_the_bit)
{
    vln_part_t file = test_onnx_layers();
    float *rows = dense_rows(1024, 16);
    float direct[1024];
    int kept = hush();
    direct_layers(&file, rows, 1024, direct);
    speak(kept);
    vln_sandbox_model_t *model = load_onnx(file);
    vln_sandbox_result_t result = {0};
    cr_assert_eq(predict(model, rows, 1024, 16, &result), VLN_OK, "%s", outcome.sentence);
    cr_expect_arr_eq(result.values, direct, sizeof direct);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
    free(rows);
}

/* Rows alone, in small batches and all together. */
static void
expect_same_bits_in_any_batch(vln_part_t file, size_t features)
{
    static const size_t sizes[] = {1, 2, 3, 5, 7, 8, 9, 13, 64, 1000};
    float *rows = dense_rows(ROWS, features);
    vln_sandbox_model_t *model = load_onnx(file);
    vln_sandbox_result_t whole = {0};
    vln_sandbox_result_t part = {0};
    cr_assert_eq(predict(model, rows, ROWS, features, &whole), VLN_OK);
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        size_t size = sizes[i];
        for (size_t first = 0; first + size <= ROWS && first < 100 * size; first += size) {
            cr_assert_eq(predict(model, rows + first * features, size, features, &part), VLN_OK);
            cr_assert_arr_eq(part.values, whole.values + first, size * sizeof *part.values,
                             "%zu rows from %zu", size, first);
        }
    }
    vln_sandbox_result_end(&whole);
    vln_sandbox_result_end(&part);
    vln_sandbox_unload(&model);
    free(rows);
}

Test(sandbox, gives_a_row_the_same_bits_in_any_batch)
{
    expect_same_bits_in_any_batch(test_onnx_linear(37), 37);
    expect_same_bits_in_any_batch(test_onnx_layers(), 16);
}

Test(sandbox, walks_around_a_zipmap)
{
    vln_sandbox_model_t *model = load_onnx(test_onnx_zipmap());
    vln_sandbox_result_t result = {0};
    const float rows[] = {1, 1, 0, 0, 0, -2, 1, 0, 0, 0, 3, -1};
    cr_assert_eq(predict(model, rows, 3, 4, &result), VLN_OK, "%s", outcome.sentence);
    cr_assert_eq(result.width, 3);
    for (size_t i = 0; i < 3; i++) {
        const float *row = result.values + 3 * i;
        size_t best = row[0] > row[1] && row[0] > row[2] ? 0 : row[1] > row[2] ? 1 : 2;
        cr_expect_eq(result.labels[i], (int32_t)best);
        cr_expect_float_eq(row[0] + row[1] + row[2], 1.0f, 1e-6f);
    }
    cr_expect_eq(result.labels[0], 0);
    cr_expect_eq(result.labels[1], 1);
    cr_expect_eq(result.labels[2], 2);
    cr_expect_eq(result.not_probability, 0);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
}

Test(sandbox, takes_columns_of_text)
{
    static const char *const words[] = {"Lima", "Rome", "Oslo", "nowhere"};
    const uint32_t codes[] = {0, 1, 2, 3, UINT32_MAX};
    const float ages[] = {1, 2, 3, 4, 5};
    const float expected[] = {21, 2, 13, -1, 0};
    vln_sandbox_text_t text = {.codes = codes, .words = words};
    vln_sandbox_rows_t rows = {
        .rows = 5, .numbers = ages, .number_count = 1, .texts = &text, .text_count = 1};
    vln_sandbox_result_t result = {0};
    vln_sandbox_model_t *model = load_onnx(test_onnx_columns());
    cr_assert_eq(vln_sandbox_predict(model, &rows, &result, &outcome), VLN_OK, "%s",
                 outcome.sentence);
    cr_expect_arr_eq(result.values, expected, sizeof expected);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
}

Test(sandbox, cuts_long_texts_into_batches_that_fit)
{
    enum { COUNT = 40, LONG = 300000 };
    char *word = vln_calloc(LONG + 1, 1);
    memset(word, 'x', LONG);
    const char *const words[] = {word, "Oslo"};
    uint32_t codes[COUNT];
    float ages[COUNT];
    for (size_t i = 0; i < COUNT; i++) {
        codes[i] = i % 2;
        ages[i] = (float)i;
    }
    vln_sandbox_text_t text = {.codes = codes, .words = words};
    vln_sandbox_rows_t rows = {
        .rows = COUNT, .numbers = ages, .number_count = 1, .texts = &text, .text_count = 1};
    vln_sandbox_result_t result = {0};
    vln_sandbox_model_t *model = load_onnx(test_onnx_columns());
    cr_assert_eq(vln_sandbox_predict(model, &rows, &result, &outcome), VLN_OK, "%s",
                 outcome.sentence);
    for (size_t i = 0; i < COUNT; i++) {
        cr_expect_eq(result.values[i], (float)i + (i % 2 ? 10 : -5));
    }
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
    free(word);
}

Test(sandbox, refuses_rows_of_another_width_and_goes_on)
{
    vln_sandbox_model_t *model = load_onnx(test_onnx_linear(3));
    vln_sandbox_result_t result = {0};
    const float rows[] = {1, 2, 3, 4};
    cr_expect_eq(predict(model, rows, 1, 4, &result), VLN_FAILED_PRECONDITION);
    cr_expect_eq(outcome.verdict, VLN_VERDICT_REFUSED);
    cr_expect(strstr(outcome.sentence, "takes 3 numbers"), "%s", outcome.sentence);
    cr_expect_eq(predict(model, rows, 1, 3, &result), VLN_OK);
    cr_expect_eq(result.values[0], 14.5f);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
}

/* ---- models that misbehave ---- */

/* The processes that valion-sandbox has forked and that are still there, zombies too; and the last of them. */
static size_t
children_of(int pid, int *last)
{
    char path[64];
    char *text = NULL;
    size_t size = 0;
    size_t count = 0;
    int64_t number = 0;
    char word[32];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", pid, pid);
    cr_assert_eq(vln_text_read_file(path, 1 << 20, &text, &size), VLN_OK);
    const char *rest = text;
    while (vln_text_next(&rest, ' ', word, sizeof word)) {
        count += word[0] != '\0' ? 1 : 0;
        *last = vln_text_to_i64(word, 1, INT32_MAX, &number) ? (int)number : *last;
    }
    free(text);
    return count;
}

/* X [any, 2] -> Y through these nodes; initializers are floats of shape [1, 2]. */
static vln_part_t
small_graph(vln_part_t *nodes, size_t count)
{
    vln_part_t graph = {0};
    for (size_t i = 0; i < count; i++) {
        vln_part_message(&graph, 1, nodes[i]);
    }
    vln_part_text(&graph, 2, "small");
    vln_part_message(
        &graph, 5,
        vln_part_tensor("big", (const int64_t[]){1, 2}, 2, (const float[]){1048576, 1048576}));
    vln_part_message(&graph, 11,
                     vln_part_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 2}, 2));
    vln_part_message(&graph, 12,
                     vln_part_value("Y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, -1}, 2));
    return graph;
}

/* ConstantOfShape of (2^20, 2^20) at run: a tebibyte of floats, four times. */
static vln_part_t
memory_bomb(void)
{
    vln_part_t cast = vln_part_node("Cast", "", "flat", "shape");
    vln_part_message(&cast, 5, vln_part_int("to", VLN_TENSOR_INT64));
    vln_part_t squeeze = vln_part_node("ReduceMax", "", "product", "flat");
    vln_part_message(&squeeze, 5, vln_part_ints("axes", (const int64_t[]){0}, 1));
    vln_part_message(&squeeze, 5, vln_part_int("keepdims", 0));
    vln_part_t nodes[] = {vln_part_node("Max", "", "X,big", "product"), squeeze, cast,
                          vln_part_node("ConstantOfShape", "", "shape", "Y")};
    return vln_part_model("valion tests", small_graph(nodes, 4));
}

/* Int division by a zero that comes with the rows. */
static vln_part_t
division(void)
{
    vln_part_t cast = vln_part_node("Cast", "", "X", "whole");
    vln_part_message(&cast, 5, vln_part_int("to", VLN_TENSOR_INT64));
    vln_part_t back = vln_part_node("Cast", "", "quotient", "Y");
    vln_part_message(&back, 5, vln_part_int("to", VLN_TENSOR_FLOAT));
    vln_part_t nodes[] = {cast, vln_part_node("Div", "", "whole,whole", "quotient"), back};
    return vln_part_model("valion tests", small_graph(nodes, 3));
}

/* A Loop of 2^62 turns. Its body only passes on what it gets. */
static vln_part_t
endless(void)
{
    vln_part_t body = {0};
    vln_part_message(&body, 1, vln_part_node("Identity", "", "go", "go_on"));
    vln_part_message(&body, 1, vln_part_node("Neg", "", "x", "y"));
    vln_part_text(&body, 2, "body");
    vln_part_message(&body, 11, vln_part_value("i", VLN_TENSOR_INT64, NULL, 0));
    vln_part_message(&body, 11, vln_part_value("go", VLN_TENSOR_BOOL, NULL, 0));
    vln_part_message(&body, 11, vln_part_value("x", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 2}, 2));
    vln_part_message(&body, 12, vln_part_value("go_on", VLN_TENSOR_BOOL, NULL, 0));
    vln_part_message(&body, 12, vln_part_value("y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 2}, 2));
    vln_part_t attribute = {0};
    vln_part_text(&attribute, 1, "body");
    vln_part_message(&attribute, 6, body);
    vln_part_varint(&attribute, 20, 5);
    vln_part_t loop = vln_part_node("Loop", "", "turns,always,X", "Y");
    vln_part_message(&loop, 5, attribute);
    vln_part_t graph = small_graph(&loop, 1);
    vln_part_t turns = {0};
    vln_part_varint(&turns, 2, VLN_TENSOR_INT64);
    vln_part_text(&turns, 8, "turns");
    vln_part_varint(&turns, 7, (uint64_t)1 << 62);
    vln_part_message(&graph, 5, turns);
    vln_part_t always = {0};
    vln_part_varint(&always, 2, VLN_TENSOR_BOOL);
    vln_part_text(&always, 8, "always");
    vln_part_varint(&always, 5, 1);
    vln_part_message(&graph, 5, always);
    return vln_part_model("valion tests", graph);
}

static void
expect_end(vln_part_t file, const float *rows, vln_sandbox_verdict_t verdict)
{
    vln_sandbox_model_t *model = load_onnx(file);
    vln_sandbox_result_t result = {0};
    cr_expect_eq(predict(model, rows, 2, 2, &result), VLN_FAILED_PRECONDITION);
    cr_expect_eq(outcome.verdict, verdict, "%s: %s %s", vln_sandbox_verdict_name(outcome.verdict),
                 outcome.sentence, outcome.detail);
    cr_expect_neq(outcome.sentence[0], '\0');
    cr_expect_eq(predict(model, rows, 2, 2, &result), VLN_UNAVAILABLE);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
    cr_expect_eq(vln_sandbox_starts(sandbox), 1);
    expect_alive();
}

Test(sandbox, survives_a_crash)
{
    expect_end(division(), (const float[]){1, 2, 0, 4}, VLN_VERDICT_CRASHED);
}

Test(sandbox, survives_a_memory_bomb)
{
    expect_end(memory_bomb(), (const float[]){1, 2, 3, 4}, VLN_VERDICT_MEMORY);
}

Test(sandbox, survives_an_endless_loop)
{
    teardown();
    open_with((vln_sandbox_config_t){.load_ms = 20000, .predict_ms = 300});
    expect_end(endless(), (const float[]){1, 2, 3, 4}, VLN_VERDICT_TIME);
    cr_expect_eq(outcome.verdict, VLN_VERDICT_OK); /* of the honest job after it */
}

Test(sandbox, bounds_cpu_time_where_the_clock_is_generous)
{
    teardown();
    open_with((vln_sandbox_config_t){.load_ms = 60000, .predict_ms = 60000, .cpu_seconds = 1});
    vln_sandbox_model_t *model = load_onnx(endless());
    vln_sandbox_result_t result = {0};
    cr_expect_eq(predict(model, (const float[]){1, 2, 3, 4}, 2, 2, &result),
                 VLN_FAILED_PRECONDITION);
    cr_expect_eq(outcome.verdict, VLN_VERDICT_TIME, "%s", outcome.sentence);
    cr_expect_eq(outcome.signal, SIGXCPU);
    cr_expect_geq(outcome.cpu_us, 1000000);
    cr_expect_leq(outcome.cpu_us, 4000000);
    vln_sandbox_unload(&model);
}

Test(sandbox, gives_each_call_the_whole_of_its_cpu_time)
{
    teardown();
    open_with((vln_sandbox_config_t){.cpu_seconds = 1, .load_ms = 20000, .predict_ms = 20000});
    sandbox_recipe_t recipe = regression;
    recipe.rounds = 200;
    sandbox_file_t file = sandbox_train(&recipe);
    float *rows = sandbox_rows(100000, recipe.features);
    vln_sandbox_model_t *model = load(file.bytes, file.size);
    vln_sandbox_result_t result = {0};
    int child = 0;
    clockid_t clock;
    struct timespec used = {0};
    cr_assert_eq(children_of(vln_sandbox_pid(sandbox), &child), 1);
    cr_assert_eq(clock_getcpuclockid(child, &clock), 0);
    while (used.tv_sec < 4) { /* one call may take 1 s, and a second is rounded up */
        cr_assert_eq(predict(model, rows, 100000, recipe.features, &result), VLN_OK, "%s",
                     outcome.sentence);
        cr_assert_eq(clock_gettime(clock, &used), 0);
    }
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
    free(rows);
    free(file.bytes);
}

Test(sandbox, refuses_what_the_checks_refuse_without_a_child)
{
    vln_sandbox_model_t *model = NULL;
    static const uint8_t pickle[] = "\x80\x04\x95.";
    cr_expect_eq(vln_sandbox_load(sandbox, &(vln_sandbox_file_t){.bytes = pickle, .size = 4},
                                  &model, &outcome),
                 VLN_FAILED_PRECONDITION);
    cr_expect_eq(outcome.verdict, VLN_VERDICT_REFUSED);
    cr_expect(strstr(outcome.sentence, "skl2onnx"), "%s", outcome.sentence);
    cr_expect_null(model);
}

Test(sandbox, refuses_what_the_library_refuses_in_words_for_people)
{
    vln_part_t node = vln_part_node("Nonsense", "", "X", "Y");
    vln_part_t file = vln_part_model("valion tests", small_graph(&node, 1));
    vln_sandbox_model_t *model = NULL;
    cr_expect_eq(vln_sandbox_load(sandbox,
                                  &(vln_sandbox_file_t){.bytes = file.bytes, .size = file.size},
                                  &model, &outcome),
                 VLN_FAILED_PRECONDITION);
    cr_expect_eq(outcome.verdict, VLN_VERDICT_REFUSED);
    cr_expect(strstr(outcome.sentence, "Nonsense"), "%s", outcome.sentence);
    cr_expect(!strstr(outcome.sentence, ".cc"), "%s", outcome.sentence);
    cr_expect(vln_text_is_utf8(outcome.sentence, strlen(outcome.sentence)));
    vln_part_end(&file);
    expect_alive();
}

/* ---- the sandbox itself ---- */

Test(sandbox, starts_again_when_it_was_killed)
{
    vln_sandbox_model_t *model = load_onnx(test_onnx_linear(2));
    vln_sandbox_result_t result = {0};
    kill_sandbox();
    cr_expect_eq(predict(model, (const float[]){1, 2}, 1, 2, &result), VLN_UNAVAILABLE);
    expect_alive();
    cr_expect_eq(vln_sandbox_starts(sandbox), 2);
    cr_expect_eq(predict(model, (const float[]){1, 2}, 1, 2, &result), VLN_UNAVAILABLE);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
    kill_sandbox();
    expect_alive();
    cr_expect_eq(vln_sandbox_starts(sandbox), 3);
}

Test(sandbox, kills_a_sandbox_that_does_not_answer)
{
    cr_assert_eq(kill(vln_sandbox_pid(sandbox), SIGSTOP), 0);
    expect_alive();
    cr_expect_eq(vln_sandbox_starts(sandbox), 2);
}

Test(sandbox, says_so_when_it_cannot_start)
{
    vln_sandbox_t *none = NULL;
    vln_sandbox_config_t config = {.program = "/nowhere/valion-sandbox"};
    cr_expect_eq(vln_sandbox_open(&config, &none), VLN_UNAVAILABLE);
    cr_expect_null(none);
    config.program = "/bin/true"; /* starts, and says nothing */
    cr_expect_eq(vln_sandbox_open(&config, &none), VLN_UNAVAILABLE);
    cr_expect_null(none);
}

Test(sandbox, may_be_closed_before_its_models)
{
    vln_sandbox_model_t *model = load_onnx(test_onnx_linear(2));
    vln_sandbox_result_t result = {0};
    vln_sandbox_close(&sandbox);
    cr_expect_eq(predict(model, (const float[]){1, 2}, 1, 2, &result), VLN_UNAVAILABLE);
    vln_sandbox_unload(&model);
    vln_sandbox_result_end(&result);
}

Test(sandbox, hands_nothing_of_this_process_to_it)
{
    char path[64];
    char *text = NULL;
    size_t size = 0;
    cr_assert_eq(setenv("VALION_TEST_SECRET", "s3cret", 1), 0);
    teardown();
    open_with((vln_sandbox_config_t){0});
    snprintf(path, sizeof path, "/proc/%d/environ", vln_sandbox_pid(sandbox));
    cr_assert_eq(vln_text_read_file(path, 1 << 20, &text, &size), VLN_OK);
    cr_expect_null(memmem(text, size, "s3cret", 6));
    cr_expect_gt(size, 0);
    free(text);
}

/* A program that has a child of its sandbox loop, and tells both numbers before. */
static void
live_until_killed(int tell)
{
    int pids[2] = {0};
    vln_sandbox_result_t result = {0};
    open_with((vln_sandbox_config_t){.predict_ms = 60000, .cpu_seconds = 60});
    vln_sandbox_model_t *model = load_onnx(endless());
    pids[0] = vln_sandbox_pid(sandbox);
    children_of(pids[0], &pids[1]);
    if (write(tell, pids, sizeof pids) == sizeof pids) {
        (void)!predict(model, (const float[]){1, 2, 3, 4}, 2, 2, &result);
    }
    _exit(1);
}

static void
expect_end_of(int pid)
{
    struct pollfd end = {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN};
    if (end.fd >= 0) { /* else it is no more */
        cr_expect_eq(poll(&end, 1, 20000), 1);
        close(end.fd);
    }
}

Test(sandbox, ends_with_the_program_that_started_it)
{
    int ends[2];
    int pids[2];
    cr_assert_eq(pipe(ends), 0);
    pid_t program = fork();
    if (program == 0) {
        live_until_killed(ends[1]);
    }
    cr_assert_eq(read(ends[0], pids, sizeof pids), sizeof pids);
    cr_assert(pids[0] > 1 && pids[1] > 1);
    cr_assert_eq(kill(pids[0], 0), 0);
    cr_assert_eq(kill(pids[1], 0), 0);
    cr_assert_eq(kill(program, SIGKILL), 0);
    cr_assert_eq(waitpid(program, NULL, 0), program);
    expect_end_of(pids[0]);
    expect_end_of(pids[1]);
    close(ends[0]);
    close(ends[1]);
}

/* ---- nothing is left behind ---- */

static size_t
count_entries(const char *path)
{
    size_t count = 0;
    DIR *folder = opendir(path);
    cr_assert_not_null(folder);
    while (readdir(folder)) {
        count++;
    }
    closedir(folder);
    return count;
}

static size_t
open_fds(int pid)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/fd", pid);
    return count_entries(path);
}

static void
one_job(int i, const vln_part_t *good, const vln_part_t *crash)
{
    vln_sandbox_model_t *model = NULL;
    vln_sandbox_result_t result = {0};
    if (i % 100 == 99) {
        kill_sandbox();
    }
    model = i % 3 == 2 ? load(crash->bytes, crash->size) : load(good->bytes, good->size);
    vln_err_t err = predict(model, (const float[]){0, 0, 0, 0}, 2, 2, &result);
    cr_assert_eq(err, i % 3 == 2 ? VLN_FAILED_PRECONDITION : VLN_OK, "%s", outcome.sentence);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
}

Test(sandbox, leaves_no_descriptor_and_no_process_behind_in_1000_jobs)
{
    vln_part_t good = test_onnx_linear(2);
    vln_part_t crash = division();
    one_job(0, &good, &crash);
    size_t ours = open_fds(getpid());
    size_t its = open_fds(vln_sandbox_pid(sandbox));
    for (int i = 0; i < JOBS; i++) {
        one_job(i, &good, &crash);
    }
    cr_expect_eq(vln_sandbox_starts(sandbox), 1 + JOBS / 100);
    cr_expect_eq(open_fds(getpid()), ours);
    cr_expect_eq(open_fds(vln_sandbox_pid(sandbox)), its);
    cr_expect_eq(children_of(vln_sandbox_pid(sandbox), &(int){0}), 0);
    vln_sandbox_close(&sandbox);
    cr_expect_eq(open_fds(getpid()), ours - 1); /* its socket */
    cr_expect_eq(children_of(getpid(), &(int){0}), 0);
    vln_part_end(&good);
    vln_part_end(&crash);
}
