/*
 * What the native engine covers and refuses, by files of a few nodes whose answers are known by hand. That
 * its bits are the libraries' is shown where these are: tests/integration/native_test.c.
 */
#include "vln_native.h"

#include <criterion/criterion.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_native_inside.h"

#include "test_onnx.h"
#include "test_trees.h"

enum { JSON_ROOM = 4096, MANY = 200, THREADS = 4, LIMIT_MS = 60000 };

static vln_arena_t *arena;
static vln_model_t about;
static vln_native_t *native;
static vln_sandbox_result_t result;
static vln_outcome_t outcome;
static char why[VLN_MODEL_WHY];

static void
setup(void)
{
    arena = vln_arena_new(VLN_MODEL_ARENA);
}

static void
teardown(void)
{
    vln_native_close(&native);
    vln_sandbox_result_end(&result);
    vln_arena_destroy(&arena);
}

TestSuite(vln_native, .init = setup, .fini = teardown, .timeout = 60);

/* VLN_INVALID_ARGUMENT: not even a model. */
static vln_err_t
open_bytes(const void *bytes, size_t size)
{
    vln_native_close(&native);
    vln_err_t err = vln_model_read(bytes, size, VLN_MODEL_AUTO, arena, &about, why);
    return err == VLN_OK ? vln_native_open(bytes, size, &about, arena, &native, why) : err;
}

static vln_err_t
predict(const float *numbers, size_t rows, size_t count)
{
    const vln_sandbox_rows_t batch = {.rows = rows, .numbers = numbers, .number_count = count};
    return vln_native_predict(native, &batch, LIMIT_MS, &result, &outcome);
}

/* ---- XGBoost ---- */

/* Parts of a file of one tree: the root tests feature 0, its leaves are 1 and 2. */
typedef struct xgb {
    const char *objective;
    const char *base;
    const char *classes;
    const char *left;
    const char *right;
    const char *splits;
    const char *conditions;
    const char *defaults;
    const char *types;
    const char *categories;
    const char *leaf_size;
    const char *groups;
    const char *rounds;
} xgb_t;

static const xgb_t sound = {
    .objective = "reg:squarederror",
    .base = "5E-1",
    .classes = "0",
    .left = "[1,-1,-1]",
    .right = "[2,-1,-1]",
    .splits = "[0,0,0]",
    .conditions = "[2.5E-1,1E0,2]",
    .defaults = "[true,false,false]",
    .types = "[0,0,0]",
    .categories = "[]",
    .leaf_size = "1",
    .groups = "[0]",
    .rounds = "[0,1]",
};

static vln_err_t
open_xgb(xgb_t parts)
{
    char json[JSON_ROOM];
    int size = snprintf(
        json, sizeof json,
        "{\"learner\":{\"gradient_booster\":{\"name\":\"gbtree\",\"model\":{\"gbtree_model_param\":"
        "{\"num_trees\":\"1\"},\"iteration_indptr\":%s,\"tree_info\":%s,\"trees\":[{\"tree_param\":"
        "{\"num_nodes\":\"3\",\"size_leaf_vector\":\"%s\"},\"left_children\":%s,\"right_children\":"
        "%s,\"split_indices\":%s,\"split_conditions\":%s,\"default_left\":%s,\"split_type\":%s,"
        "\"categories_nodes\":%s}]}},\"learner_model_param\":{\"base_score\":\"%s\","
        "\"num_class\":\"%s\",\"num_feature\":\"2\",\"num_target\":\"1\"},\"objective\":{\"name\":"
        "\"%s\"}}}",
        parts.rounds, parts.groups, parts.leaf_size, parts.left, parts.right, parts.splits,
        parts.conditions, parts.defaults, parts.types, parts.categories, parts.base, parts.classes,
        parts.objective);
    cr_assert(size > 0 && size < JSON_ROOM);
    return open_bytes(json, (size_t)size);
}

Test(vln_native, sends_a_row_below_a_threshold_to_the_left)
{
    const float rows[] = {
        0.25f, 9, nextafterf(0.25f, 0), 9, NAN, 9, -INFINITY, 9, 0.26f, 9, INFINITY, 9, -0.0f, 9};
    const float wanted[] = {2.5f, 1.5f, 1.5f, 1.5f, 2.5f, 2.5f, 1.5f};
    cr_assert_eq(open_xgb(sound), VLN_OK, "%s", why);
    cr_assert_eq(predict(rows, 7, 2), VLN_OK);
    cr_expect_eq(result.width, 1);
    cr_expect_arr_eq(result.values, wanted, sizeof wanted);
    cr_expect_null(result.labels);
}

Test(vln_native, sends_a_missing_value_where_the_node_says)
{
    const float rows[] = {NAN, 0};
    xgb_t parts = sound;
    parts.defaults = "[0,0,0]";
    cr_assert_eq(open_xgb(parts), VLN_OK, "%s", why);
    cr_assert_eq(predict(rows, 1, 2), VLN_OK);
    cr_expect_eq(result.values[0], 2.5f);
}

static void
expect_uncovered_xgb(xgb_t parts, const char *what)
{
    cr_expect_eq(open_xgb(parts), VLN_FAILED_PRECONDITION, "%s", what);
    cr_expect_null(native, "%s", what);
    cr_expect_gt(strlen(why), 10, "%s", what);
}

Test(vln_native, leaves_what_it_does_not_know_of_xgboost_to_the_library)
{
    static const struct {
        size_t part; /* which text of xgb_t */
        const char *text;
    } changes[] = {
        {offsetof(xgb_t, objective), "rank:ndcg"},
        {offsetof(xgb_t, objective), "survival:cox"},
        {offsetof(xgb_t, base), "[5E-1]"},
        {offsetof(xgb_t, base), "0.1234567891234"},
        {offsetof(xgb_t, base), "1E99"},
        {offsetof(xgb_t, classes), "3"},
        {offsetof(xgb_t, conditions), "[NaN,1E0,2]"},
        {offsetof(xgb_t, conditions), "[2.5E-1,Infinity,2]"},
        {offsetof(xgb_t, conditions), "[2.5E-1,1E99,2]"},
        {offsetof(xgb_t, conditions), "[2.5E-1,1E0]"},
        {offsetof(xgb_t, conditions), "[2.5E-1,1E0,[2]]"},
        {offsetof(xgb_t, defaults), "[2,0,0]"},
        {offsetof(xgb_t, defaults), "[0,0]"},
        {offsetof(xgb_t, types), "[1,0,0]"},
        {offsetof(xgb_t, categories), "[0]"},
        {offsetof(xgb_t, leaf_size), "2"},
        {offsetof(xgb_t, groups), "[1]"},
        {offsetof(xgb_t, groups), "[-1]"},
        {offsetof(xgb_t, groups), "[0,0]"},
        {offsetof(xgb_t, rounds), "[0,0]"},
        {offsetof(xgb_t, rounds), "[0,2]"},
        {offsetof(xgb_t, rounds), "[]"},
    };
    for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
        xgb_t parts = sound;
        memcpy((char *)&parts + changes[i].part, &changes[i].text, sizeof changes[i].text);
        expect_uncovered_xgb(parts, changes[i].text);
    }
}

Test(vln_native, takes_the_base_score_as_the_objective_means_it)
{
    const float row[] = {0, 0};
    xgb_t parts = sound;
    parts.objective = "binary:logistic";
    cr_assert_eq(open_xgb(parts), VLN_OK, "%s", why);
    cr_assert_eq(predict(row, 1, 2), VLN_OK);
    cr_expect_float_eq(result.values[0], 1 / (1 + exp(-1.0)), 1e-6);
    cr_expect_eq(result.labels[0], 1);
    parts.base = "1";
    expect_uncovered_xgb(parts, "a probability of 1");
    parts.objective = "count:poisson";
    parts.base = "2";
    cr_assert_eq(open_xgb(parts), VLN_OK, "%s", why);
    cr_assert_eq(predict(row, 1, 2), VLN_OK);
    cr_expect_float_eq(result.values[0], 2 * exp(1.0), 1e-5);
    parts.base = "0";
    expect_uncovered_xgb(parts, "a logarithm of 0");
}

/* ---- ONNX ---- */

/* A tree of three nodes, its lists to be damaged. */
typedef struct lists {
    int64_t tree[3];
    int64_t id[3];
    int64_t feature[3];
    int64_t yes[3];
    int64_t no[3];
    float value[3];
    const char *mode[4];
    int64_t weight_tree[2];
    int64_t weight_node[2];
    int64_t weight_class[2];
    float weight[2];
    size_t weights;
    const char *post;
    const char *extra; /* an attribute that nobody knows */
} lists_t;

static const lists_t leaves = {
    .id = {0, 1, 2},
    .yes = {1, 0, 0},
    .no = {2, 0, 0},
    .value = {0.25f, 0, 0},
    .mode = {"BRANCH_LEQ", "LEAF", "LEAF", NULL},
    .weight_node = {1, 2},
    .weight = {1, 2},
    .weights = 2,
};

static vln_err_t
open_lists(const lists_t *lists)
{
    vln_part_t node = vln_part_node("TreeEnsembleRegressor", "ai.onnx.ml", "X", "Y");
    vln_part_message(&node, 5, vln_part_ints("nodes_treeids", lists->tree, 3));
    vln_part_message(&node, 5, vln_part_ints("nodes_nodeids", lists->id, 3));
    vln_part_message(&node, 5, vln_part_ints("nodes_featureids", lists->feature, 3));
    vln_part_message(&node, 5, vln_part_ints("nodes_truenodeids", lists->yes, 3));
    vln_part_message(&node, 5, vln_part_ints("nodes_falsenodeids", lists->no, 3));
    vln_part_message(&node, 5, vln_part_floats("nodes_values", lists->value, 3));
    vln_part_message(&node, 5, vln_part_texts("nodes_modes", lists->mode));
    vln_part_message(&node, 5, vln_part_ints("target_treeids", lists->weight_tree, lists->weights));
    vln_part_message(&node, 5, vln_part_ints("target_nodeids", lists->weight_node, lists->weights));
    vln_part_message(&node, 5, vln_part_ints("target_ids", lists->weight_class, lists->weights));
    vln_part_message(&node, 5, vln_part_floats("target_weights", lists->weight, lists->weights));
    vln_part_message(&node, 5, vln_part_int("n_targets", 1));
    if (lists->post) {
        vln_part_message(&node, 5, vln_part_string("post_transform", lists->post));
    }
    if (lists->extra) {
        vln_part_message(&node, 5, vln_part_int(lists->extra, 1));
    }
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, node);
    vln_part_message(&graph, 11,
                     vln_part_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 2}, 2));
    vln_part_message(&graph, 12,
                     vln_part_value("Y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 1}, 2));
    vln_part_t file = vln_part_model("valion tests", graph);
    vln_err_t err = open_bytes(file.bytes, file.size);
    vln_part_end(&file);
    return err;
}

Test(vln_native, predicts_a_tree_of_onnx)
{
    const float rows[] = {0.25f, 0, 0.26f, 0, NAN, 0};
    cr_assert_eq(open_lists(&leaves), VLN_OK, "%s", why);
    cr_assert_eq(predict(rows, 3, 2), VLN_OK);
    cr_expect_eq(result.values[0], 1);
    cr_expect_eq(result.values[1], 2);
    cr_expect_eq(result.values[2], 2);
}

static void
expect_uncovered(const lists_t *lists, const char *what)
{
    cr_expect_eq(open_lists(lists), VLN_FAILED_PRECONDITION, "%s", what);
    cr_expect_null(native, "%s", what);
    cr_expect_gt(strlen(why), 10, "%s", what);
}

Test(vln_native, follows_no_child_that_is_none)
{
    lists_t lists = leaves;
    lists.yes[0] = 0;
    expect_uncovered(&lists, "a root that is its own child");
    lists.yes[0] = 2;
    expect_uncovered(&lists, "both children the same");
    lists.yes[0] = 3;
    expect_uncovered(&lists, "a child beyond");
    lists.yes[0] = -1;
    expect_uncovered(&lists, "a child before");
    lists.yes[0] = INT64_MAX;
    expect_uncovered(&lists, "a child far beyond");
    lists = leaves;
    lists.mode[1] = "BRANCH_LEQ";
    lists.yes[1] = 0;
    lists.no[1] = 2;
    expect_uncovered(&lists, "a circle");
}

Test(vln_native, believes_no_list_of_trees)
{
    lists_t lists = leaves;
    lists.feature[0] = 2;
    expect_uncovered(&lists, "a feature beyond the row");
    lists = leaves;
    lists.id[1] = 2;
    expect_uncovered(&lists, "an id twice");
    lists.id[1] = 7;
    expect_uncovered(&lists, "an id beyond");
    lists = leaves;
    lists.tree[2] = 1;
    expect_uncovered(&lists, "a tree without a root");
    lists = leaves;
    lists.tree[0] = lists.tree[1] = lists.tree[2] = 5;
    expect_uncovered(&lists, "a tree of another number");
    lists = leaves;
    lists.value[0] = NAN;
    expect_uncovered(&lists, "a threshold that is none");
    lists = leaves;
    lists.mode[0] = "BRANCH_EQ";
    expect_uncovered(&lists, "a test for equality");
    lists = leaves;
    lists.post = "PROBIT";
    expect_uncovered(&lists, "a transform");
    lists = leaves;
    lists.extra = "nodes_of_another_day";
    expect_uncovered(&lists, "an attribute");
    lists.extra = "n_targets";
    expect_uncovered(&lists, "an attribute twice");
}

Test(vln_native, believes_no_list_of_weights)
{
    lists_t lists = leaves;
    lists.weight_node[0] = 0;
    expect_uncovered(&lists, "a weight of a node that is no leaf");
    lists.weight_node[0] = 2;
    expect_uncovered(&lists, "two weights of a leaf");
    lists.weight_node[0] = 3;
    expect_uncovered(&lists, "a weight of a node that is none");
    lists = leaves;
    lists.weight_tree[0] = 1;
    expect_uncovered(&lists, "a weight of a tree that is none");
    lists = leaves;
    lists.weight_class[0] = 1;
    expect_uncovered(&lists, "a weight of a target that is none");
    lists = leaves;
    lists.weight[1] = NAN;
    expect_uncovered(&lists, "a weight that is no number");
    lists = leaves;
    lists.weights = 1;
    expect_uncovered(&lists, "a leaf without a weight");
}

Test(vln_native, survives_a_file_cut_off_anywhere)
{
    static const test_trees_t recipes[] = {
        {.features = 3, .trees = 3, .depth = 3, .classes = 3, .words = true, .zipmap = true},
        {.features = 3, .trees = 2, .depth = 2, .around = TEST_TREES_PIPELINE},
        {.features = 3, .trees = 2, .depth = 2, .around = TEST_TREES_COLUMNS},
    };
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        vln_part_t file = test_trees_make(&recipes[i]);
        cr_assert_eq(open_bytes(file.bytes, file.size), VLN_OK, "%s", why);
        for (size_t size = 0; size + 1 < file.size; size++) {
            uint8_t *part = vln_memdup(file.bytes, size + 1); /* so that reading beyond shows */
            vln_err_t err = open_bytes(part, size + 1);
            cr_expect_eq(err == VLN_OK, native != NULL);
            vln_native_close(&native);
            vln_arena_reset(arena);
            free(part);
        }
        vln_part_end(&file);
    }
}

/* ---- bounds ---- */

/* A chain: each node's `no` is the next one. */
static vln_err_t
plant_chain(size_t levels, size_t trees)
{
    vln_forest_t forest;
    vln_err_t err = VLN_OK;
    vln_branch_t *branches = vln_calloc(2 * levels + 1, sizeof *branches);
    for (size_t i = 0; i < levels; i++) {
        branches[2 * i] = (vln_branch_t){.yes = (int32_t)(2 * i + 1), .no = (int32_t)(2 * i + 2)};
        branches[2 * i + 1] = (vln_branch_t){.yes = -1};
    }
    branches[2 * levels] = (vln_branch_t){.yes = -1};
    vln_forest_begin(&forest, 1, 1);
    for (size_t i = 0; err == VLN_OK && i < trees; i++) {
        err = vln_forest_add(&forest, branches, 2 * levels + 1, 0, why);
    }
    vln_forest_end(&forest);
    free(branches);
    return err;
}

Test(vln_native, bounds_what_a_row_may_cost)
{
    cr_expect_eq(plant_chain(VLN_NATIVE_MAX_DEPTH, 1), VLN_OK, "%s", why);
    cr_expect_eq(plant_chain(VLN_NATIVE_MAX_DEPTH + 1, 1), VLN_FAILED_PRECONDITION);
    cr_expect(strstr(why, "deeper"), "%s", why);
    cr_expect_eq(plant_chain(400, 2700), VLN_FAILED_PRECONDITION);
    cr_expect(strstr(why, "steps"), "%s", why);
}

/* Y is the first column of X, written down so many times. */
static vln_err_t
open_wide(size_t times)
{
    char *names = vln_calloc(2 * times + 1, 1);
    for (size_t i = 0; i < times; i++) {
        memcpy(names + 2 * i, i + 1 < times ? "X," : "X", i + 1 < times ? 2 : 1);
    }
    vln_part_t concat = vln_part_node("Concat", "", names, "A");
    vln_part_message(&concat, 5, vln_part_int("axis", 1));
    vln_part_t first = {0};
    vln_part_varint(&first, 1, 1);
    vln_part_varint(&first, 2, VLN_TENSOR_INT64);
    vln_part_varint(&first, 7, 0);
    vln_part_text(&first, 8, "first");
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, concat);
    vln_part_message(&graph, 1,
                     vln_part_node("ArrayFeatureExtractor", "ai.onnx.ml", "A,first", "Y"));
    vln_part_message(&graph, 5, first);
    vln_part_message(&graph, 11,
                     vln_part_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 1}, 2));
    vln_part_message(&graph, 12,
                     vln_part_value("Y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 1}, 2));
    vln_part_t file = vln_part_model("valion tests", graph);
    vln_err_t err = open_bytes(file.bytes, file.size);
    vln_part_end(&file);
    free(names);
    return err;
}

Test(vln_native, bounds_what_a_graph_may_be_made_of)
{
    const float rows[] = {1, 2, 3};
    cr_assert_eq(open_wide(1000), VLN_OK, "%s", why);
    cr_assert_eq(predict(rows, 3, 1), VLN_OK);
    cr_expect_arr_eq(result.values, rows, sizeof rows);
    cr_expect_eq(open_wide(9000), VLN_FAILED_PRECONDITION);
    cr_expect(strstr(why, "too many"), "%s", why);
}

Test(vln_native, refuses_rows_of_another_width)
{
    const float row[] = {1, 2, 3};
    cr_assert_eq(open_lists(&leaves), VLN_OK, "%s", why);
    cr_expect_eq(predict(row, 1, 3), VLN_FAILED_PRECONDITION);
    cr_expect_eq(outcome.verdict, VLN_VERDICT_REFUSED);
    cr_expect_str_eq(outcome.sentence,
                     "the model takes 2 numbers and 0 texts a row; given are 3 and 0");
    cr_expect_eq(predict(row, 0, 2), VLN_OK);
    cr_expect_eq(result.rows, 0);
}

Test(vln_native, ends_when_its_time_is_over)
{
    const float row[] = {0.25f, 0};
    const vln_sandbox_rows_t rows = {.rows = 1, .numbers = row, .number_count = 2};
    cr_assert_eq(open_lists(&leaves), VLN_OK, "%s", why);
    cr_expect_eq(vln_native_predict(native, &rows, -1, &result, &outcome), VLN_FAILED_PRECONDITION);
    cr_expect_eq(outcome.verdict, VLN_VERDICT_TIME);
    cr_expect_str_eq(outcome.sentence, "the model did not end within its time");
    cr_assert_eq(predict(row, 1, 2), VLN_OK);
    cr_expect_eq(result.values[0], 1);
}

/* ---- walks ---- */

Test(vln_native, walks_to_the_same_bits_whatever_the_machine_has)
{
    static const test_trees_t recipes[] = {
        {.features = 5, .trees = 6, .depth = 3},
        {.features = 5, .trees = 6, .depth = 5, .missing = true},
        {.features = 5, .trees = 5, .depth = 9, .mode = "", .missing = true},
        {.features = 5, .trees = 9, .depth = 7, .classes = 3, .by_rows = true},
    };
    float *rows = test_trees_rows(MANY, 5, 1);
    vln_sandbox_result_t plain = {0};
    for (size_t i = 0; i < sizeof recipes / sizeof recipes[0]; i++) {
        vln_part_t file = test_trees_make(&recipes[i]);
        cr_assert_eq(open_bytes(file.bytes, file.size), VLN_OK, "%s", why);
        native->walk = vln_walk_find(VLN_WALK_PLAIN);
        const vln_sandbox_rows_t all = {.rows = MANY, .numbers = rows, .number_count = 5};
        cr_assert_eq(vln_native_predict(native, &all, LIMIT_MS, &plain, &outcome), VLN_OK);
        for (vln_walk_t walk = VLN_WALK_AVX2; walk <= VLN_WALK_BEST; walk++) {
            native->walk = vln_walk_find(walk);
            if (native->walk) {
                cr_assert_eq(predict(rows, MANY, 5), VLN_OK);
                cr_expect_arr_eq(result.values, plain.values,
                                 MANY * plain.width * sizeof *plain.values, "%zu %d", i, walk);
            }
        }
        for (size_t row = 0; row < MANY; row++) {
            cr_assert_eq(predict(rows + row * 5, 1, 5), VLN_OK);
            cr_assert_arr_eq(result.values, plain.values + row * plain.width,
                             plain.width * sizeof *plain.values, "%zu row %zu", i, row);
        }
        vln_part_end(&file);
    }
    vln_sandbox_result_end(&plain);
    free(rows);
}

Test(vln_native, turns_strict_thresholds_into_others)
{
    cr_expect_eq(vln_forest_below(1), nextafterf(1, 0));
    cr_expect_lt(vln_forest_below(0), 0);
    cr_expect_eq(vln_forest_below(0), vln_forest_below(-0.0f));
    cr_expect_eq(vln_forest_below(INFINITY), 3.40282347e+38f);
    cr_expect(isnan(vln_forest_below(-INFINITY)));
    cr_expect(isnan(vln_forest_below(NAN)));
}

/* ---- threads ---- */

typedef struct range {
    const vln_native_t *engine;
    const float *rows;
    size_t count;
    vln_sandbox_result_t result;
} range_t;

static void *
predict_range(void *context)
{
    range_t *self = context;
    vln_outcome_t ignored;
    const vln_sandbox_rows_t rows = {.rows = self->count, .numbers = self->rows, .number_count = 6};
    return vln_native_predict(self->engine, &rows, LIMIT_MS, &self->result, &ignored) == VLN_OK
               ? self
               : NULL;
}

Test(vln_native, parts_many_rows_among_threads_to_the_same_bits)
{
    enum { ROWS = 100001 };
    const test_trees_t recipe = {.features = 6, .trees = 9, .depth = 8};
    static const size_t threads[] = {2, 3, 4, 64, 1000};
    vln_part_t file = test_trees_make(&recipe);
    float *rows = test_trees_rows(ROWS, 6, 3);
    cr_assert_eq(open_bytes(file.bytes, file.size), VLN_OK, "%s", why);
    cr_assert_eq(predict(rows, ROWS, 6), VLN_OK);
    for (size_t i = 0; i < sizeof threads / sizeof *threads; i++) {
        vln_sandbox_result_t parted = {0};
        vln_sandbox_rows_t asked = {
            .rows = ROWS, .numbers = rows, .number_count = 6, .threads = threads[i]};
        cr_assert_eq(vln_native_predict(native, &asked, LIMIT_MS, &parted, &outcome), VLN_OK);
        cr_assert_eq(parted.rows, ROWS);
        cr_expect_arr_eq(parted.values, result.values, ROWS * sizeof(float));
        cr_expect_eq(vln_native_predict(native, &asked, -1, &parted, &outcome),
                     VLN_FAILED_PRECONDITION);
        cr_expect_eq(outcome.verdict, VLN_VERDICT_TIME);
        vln_sandbox_result_end(&parted);
    }
    vln_part_end(&file);
    free(rows);
}

Test(vln_native, answers_several_threads_at_once)
{
    const test_trees_t recipe = {.features = 6, .trees = 9, .depth = 8};
    vln_part_t file = test_trees_make(&recipe);
    float *rows = test_trees_rows(MANY, 6, 3);
    cr_assert_eq(open_bytes(file.bytes, file.size), VLN_OK, "%s", why);
    cr_assert_eq(predict(rows, MANY, 6), VLN_OK);
    pthread_t threads[THREADS];
    range_t ranges[THREADS] = {{0}};
    for (size_t i = 0; i < THREADS; i++) {
        size_t first = i * MANY / THREADS;
        ranges[i].engine = native;
        ranges[i].rows = rows + first * 6;
        ranges[i].count = (i + 1) * MANY / THREADS - first;
        cr_assert_eq(pthread_create(&threads[i], NULL, predict_range, &ranges[i]), 0);
    }
    for (size_t i = 0; i < THREADS; i++) {
        void *done = NULL;
        cr_assert_eq(pthread_join(threads[i], &done), 0);
        cr_assert_not_null(done);
        cr_expect_arr_eq(ranges[i].result.values, result.values + i * MANY / THREADS,
                         ranges[i].count * sizeof(float));
        vln_sandbox_result_end(&ranges[i].result);
    }
    vln_part_end(&file);
    free(rows);
}

/* ---- encoders ---- */

static vln_err_t
open_encoders(test_onnx_encoders_t differing)
{
    vln_part_t file = test_onnx_encoders(&differing);
    vln_err_t err = open_bytes(file.bytes, file.size);
    vln_part_end(&file);
    return err;
}

Test(vln_native, gives_a_text_its_number_and_a_number_its_column)
{
    static const char *const words[] = {"Oslo", "Rome", "rome", "Rome"};
    static const uint32_t codes[] = {0, 1, 2, 3, UINT32_MAX};
    static const float rooms[] = {1, -3.9f, NAN, 3, 4};
    static const float wanted[] = {
        20, 1, 0, 0, 1,  0, 0, 0, 10, 0, 1, 0, 0,  0, 0, 1, -1, 0, 0, 1,
        0,  0, 0, 0, 10, 0, 1, 0, 0,  0, 0, 0, 40, 0, 0, 0, 0,  0, 1, 0,
    };
    const vln_sandbox_text_t text = {.codes = codes, .words = words};
    const vln_sandbox_rows_t rows = {
        .rows = 5, .numbers = rooms, .number_count = 1, .texts = &text, .text_count = 1};
    cr_assert_eq(open_encoders((test_onnx_encoders_t){0}), VLN_OK, "%s", why);
    cr_expect_gt(vln_native_bytes(native), 0);
    cr_assert_eq(vln_native_predict(native, &rows, LIMIT_MS, &result, &outcome), VLN_OK);
    cr_assert_eq(result.width, 8);
    for (size_t i = 0; i < 40; i++) {
        cr_expect_eq(result.values[i], wanted[i], "row %zu, column %zu", i / 8, i % 8);
    }
}

Test(vln_native, leaves_encoders_that_it_does_not_know_to_the_library)
{
    static const int64_t twice[] = {1, 2, 1};
    static const int64_t least[] = {1, INT64_MIN};
    static const int64_t none[] = {0};
    const test_onnx_encoders_t uncovered[] = {
        {.twice = "Rome"},
        {.numbers = 3},
        {.numbers = 5},
        {.no_default = true},
        {.strict = true},
        {.is_old = true},
        {.rooms = twice, .room_count = 3},
        {.rooms = least, .room_count = 2},
        {.rooms = none, .room_count = 0},
    };
    for (size_t i = 0; i < sizeof uncovered / sizeof uncovered[0]; i++) {
        cr_expect_eq(open_encoders(uncovered[i]), VLN_FAILED_PRECONDITION, "%zu", i);
        cr_expect_null(native, "%zu", i);
    }
}

/* So many encoders of one text, of the most categories that one may have. */
static vln_err_t
open_many_encoders(size_t nodes)
{
    enum { KEYS = VLN_MODEL_MAX_FEATURES };
    static char texts[KEYS][8];
    static float numbers[KEYS];
    const char *keys[KEYS + 1] = {NULL};
    vln_part_t graph = {0};
    vln_part_t all = vln_part_node("Concat", "", "", "Y");
    for (size_t i = 0; i < KEYS; i++) {
        snprintf(texts[i], sizeof texts[i], "k%zu", i);
        keys[i] = texts[i];
    }
    for (size_t i = 0; i < nodes; i++) {
        char name[32];
        snprintf(name, sizeof name, "n%zu", i);
        vln_part_t node = vln_part_node("LabelEncoder", "ai.onnx.ml", "city", name);
        vln_part_message(&node, 5, vln_part_texts("keys_strings", keys));
        vln_part_message(&node, 5, vln_part_floats("values_floats", numbers, KEYS));
        vln_part_message(&node, 5, vln_part_number("default_float", 1));
        vln_part_message(&graph, 1, node);
        vln_part_text(&all, 1, name);
    }
    vln_part_message(&all, 5, vln_part_int("axis", 1));
    vln_part_message(&graph, 1, all);
    const int64_t row[] = {-1, (int64_t)nodes};
    vln_part_message(&graph, 11,
                     vln_part_value("city", VLN_TENSOR_STRING, (const int64_t[]){-1, 1}, 2));
    vln_part_message(&graph, 12, vln_part_value("Y", VLN_TENSOR_FLOAT, row, 2));
    vln_part_t file = vln_part_model("valion tests", graph);
    vln_err_t err = open_bytes(file.bytes, file.size);
    vln_part_end(&file);
    return err;
}

Test(vln_native, looks_up_so_many_categories_and_no_more)
{
    cr_expect_eq(open_many_encoders(8), VLN_OK, "%s", why);
    cr_expect_eq(open_many_encoders(9), VLN_FAILED_PRECONDITION);
}
