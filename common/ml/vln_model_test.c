#include "vln_model.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "test_onnx.h"

static vln_arena_t *arena;
static vln_model_t model;
static char why[VLN_MODEL_WHY];

static void
setup(void)
{
    arena = vln_arena_new(VLN_MODEL_ARENA);
}

static void
teardown(void)
{
    vln_arena_destroy(&arena);
}

TestSuite(vln_model, .init = setup, .fini = teardown, .timeout = 30);

static vln_err_t
read_bytes(const void *bytes, size_t size)
{
    return vln_model_read(bytes, size, VLN_MODEL_AUTO, arena, &model, why);
}

static vln_err_t
read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

/* Reads it, and ends it. */
static vln_err_t
read_onnx(vln_part_t file)
{
    vln_err_t err = read_bytes(file.bytes, file.size);
    vln_part_end(&file);
    return err;
}

/* ---- kinds ---- */

static void
expect_foreign(const void *bytes, size_t size, const char *part)
{
    cr_expect_eq(vln_model_detect(bytes, size), VLN_MODEL_UNKNOWN, "%s", part);
    cr_expect_eq(read_bytes(bytes, size), VLN_INVALID_ARGUMENT, "%s", part);
    cr_expect(strstr(why, part), "\"%s\" has no \"%s\"", why, part);
}

Test(vln_model, names_the_way_through_onnx)
{
    expect_foreign("\x80\x04\x95.", 4, "skl2onnx");
    expect_foreign("(dp0\n.", 6, "pickle");
    expect_foreign("ccopy_reg\n_reconstructor\n.", 26, "pickle");
    expect_foreign("\x1f\x8b\x08", 3, "skl2onnx");
    expect_foreign("tree\nversion=v4\n", 16, "convert_lightgbm");
    expect_foreign("PK\x03\x04....", 8, "torch.onnx.export");
    expect_foreign("\x89HDF\r\n\x1a\n", 8, "tf2onnx");
    expect_foreign("binf\x01\x02\x03\x04", 8, "model.ubj");
    expect_foreign("CBM1....", 8, "format=\"onnx\"");
    expect_foreign("\x18\0\0\0ORTM....", 12, "ONNX Runtime's own");
    expect_foreign("this is not a model", 19, "no model file");
    expect_foreign("", 0, "empty");
}

Test(vln_model, tells_the_kinds_apart)
{
    cr_expect_eq(vln_model_detect((const uint8_t *)" {\n \"a\":1}", 10), VLN_MODEL_XGBOOST_JSON);
    cr_expect_eq(vln_model_detect((const uint8_t *)"{L\0\0\0\0\0\0\0\1a", 11),
                 VLN_MODEL_XGBOOST_UBJ);
    cr_expect_eq(vln_model_detect((const uint8_t *)"\x08\x08\x3a\x00", 4), VLN_MODEL_ONNX);
}

Test(vln_model, refuses_another_kind_than_was_asked_for)
{
    vln_err_t err = vln_model_read((const uint8_t *)"{}", 2, VLN_MODEL_ONNX, arena, &model, why);
    cr_expect_eq(err, VLN_INVALID_ARGUMENT);
    cr_expect_str_eq(why, "the file is of kind xgboost-json, not onnx");
}

/* ---- ONNX ---- */

Test(vln_model, reads_what_an_onnx_file_takes_and_gives)
{
    cr_assert_eq(read_onnx(test_onnx_linear(3)), VLN_OK, "%s", why);
    cr_expect_eq(model.feature_count, 3);
    cr_expect_str_eq(model.features[2].name, "X[2]");
    cr_expect(!model.features[2].named);
    cr_expect_eq(model.width, 1);
    cr_expect_eq(model.task, VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION);
    cr_expect_str_eq(model.score_output, "Y");
    cr_expect_null(model.label_output);
    cr_expect_eq(model.tail_size, 0);
    cr_expect_eq(model.opset, 15);
    cr_expect_str_eq(model.producer, "valion tests");
}

Test(vln_model, finds_the_tensor_and_the_classes_behind_a_zipmap)
{
    cr_assert_eq(read_onnx(test_onnx_zipmap()), VLN_OK, "%s", why);
    cr_expect_str_eq(model.score_output, "raw");
    cr_expect_str_eq(model.label_output, "label");
    cr_assert_eq(model.class_count, 3);
    cr_expect_str_eq(model.classes[1], "maybe");
    cr_expect_eq(model.width, 3);
    cr_expect_eq(model.task, VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS);
    static const uint8_t tail[] = {/* graph, output, name */ 0x3a,
                                   0x0d,
                                   0x62,
                                   0x0b,
                                   0x0a,
                                   0x03,
                                   'r',
                                   'a',
                                   'w',
                                   /* type, tensor_type, elem_type */ 0x12,
                                   0x04,
                                   0x0a,
                                   0x02,
                                   0x08,
                                   0x01};
    cr_assert_eq(model.tail_size, sizeof tail);
    cr_expect_arr_eq(model.tail, tail, sizeof tail);
}

Test(vln_model, names_the_columns_of_separate_inputs)
{
    cr_assert_eq(read_onnx(test_onnx_columns()), VLN_OK, "%s", why);
    cr_assert_eq(model.feature_count, 2);
    cr_expect_str_eq(model.features[1].name, "city__home_");
    cr_expect(model.features[1].named);
    cr_expect_eq(model.features[1].type, VLN_TENSOR_STRING);
}

/* ---- names of what a file gives ---- */

Test(vln_model, names_what_a_file_gives)
{
    cr_assert_eq(read_onnx(test_onnx_encoders(&(test_onnx_encoders_t){0})), VLN_OK, "%s", why);
    cr_assert_eq(model.column_count, 8);
    cr_expect_str_eq(model.columns[0], "place");
    cr_expect_str_eq(model.columns[7], "rooms-3");
    cr_assert_eq(read_onnx(test_onnx_linear(2)), VLN_OK);
    cr_expect_eq(model.column_count, 0);
}

static void
put_property(vln_part_t *file, const char *key, const char *value, size_t size)
{
    vln_part_t property = {0};
    vln_part_text(&property, 1, key);
    vln_part_bytes(&property, 2, value, size);
    vln_part_message(file, 14, property);
}

Test(vln_model, takes_no_name_that_is_none_or_out_of_turn)
{
    char longest[VLN_MODEL_MAX_NAME + 1];
    memset(longest, 'x', sizeof longest);
    vln_part_t file = test_onnx_linear(2);
    put_property(&file, "valion.column.1", "second", 6);
    put_property(&file, "valion.column.0", "\xff", 1);
    put_property(&file, "valion.column.0", "", 0);
    put_property(&file, "valion.column.0", longest, sizeof longest);
    put_property(&file, "another", "first", 5);
    put_property(&file, "valion.column.0", longest, sizeof longest - 1);
    put_property(&file, "valion.column.0", "again", 5);
    vln_part_varint(&file, 14, 7); /* no message at all */
    cr_assert_eq(read_onnx(file), VLN_OK, "%s", why);
    cr_assert_eq(model.column_count, 1);
    cr_expect_eq(strlen(model.columns[0]), VLN_MODEL_MAX_NAME);
}

Test(vln_model, takes_no_more_names_than_a_row_has_numbers)
{
    vln_part_t file = test_onnx_linear(2);
    for (size_t i = 0; i < VLN_MODEL_MAX_FEATURES + 2; i++) {
        char key[64];
        snprintf(key, sizeof key, "valion.column.%zu", i);
        put_property(&file, key, "x", 1);
    }
    cr_assert_eq(read_onnx(file), VLN_OK, "%s", why);
    cr_expect_eq(model.column_count, VLN_MODEL_MAX_FEATURES);
}

Test(vln_model, refuses_every_cut_of_an_onnx_file)
{
    vln_part_t whole = test_onnx_zipmap();
    size_t sound = 0;
    for (size_t size = 0; size < whole.size; size++) {
        sound += read_bytes(whole.bytes, size) == VLN_OK ? 1 : 0;
    }
    /* The two opsets come last, and a file without them, or without the second, is whole for us. */
    cr_expect_leq(sound, 2);
    vln_part_end(&whole);
}

static vln_part_t
graph_with(vln_part_t tensor, uint32_t field)
{
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, vln_part_node("Identity", "", "X", "Y"));
    vln_part_message(&graph, field, tensor);
    vln_part_message(&graph, 11,
                     vln_part_value("X", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 2}, 2));
    vln_part_message(&graph, 12,
                     vln_part_value("Y", VLN_TENSOR_FLOAT, (const int64_t[]){-1, 2}, 2));
    return graph;
}

static vln_part_t
claiming(uint64_t rows, uint64_t columns)
{
    vln_part_t tensor = {0};
    vln_part_varint(&tensor, 1, rows);
    vln_part_varint(&tensor, 1, columns);
    vln_part_varint(&tensor, 2, VLN_TENSOR_FLOAT);
    vln_part_text(&tensor, 8, "w");
    vln_part_bytes(&tensor, 9, "12345678", 8);
    return tensor;
}

Test(vln_model, believes_no_tensor_that_claims_more_than_it_holds)
{
    cr_expect_eq(read_onnx(vln_part_model("valion tests", graph_with(claiming(1, 2), 5))), VLN_OK);
    cr_expect_eq(
        read_onnx(vln_part_model("valion tests", graph_with(claiming(1 << 20, 1 << 20), 5))),
        VLN_INVALID_ARGUMENT);
    cr_expect_eq(
        read_onnx(vln_part_model("valion tests", graph_with(claiming(1ull << 40, 1ull << 40), 5))),
        VLN_INVALID_ARGUMENT);
    cr_expect_eq(
        read_onnx(vln_part_model("valion tests", graph_with(claiming((uint64_t)-4, 2), 5))),
        VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "negative"));
}

static vln_part_t
external(uint32_t field)
{
    vln_part_t tensor = {0};
    vln_part_varint(&tensor, 2, VLN_TENSOR_FLOAT);
    if (field == 14) {
        vln_part_varint(&tensor, 14, 1);
    } else {
        vln_part_t entry = {0};
        vln_part_text(&entry, 1, "location");
        vln_part_text(&entry, 2, "/etc/passwd");
        vln_part_message(&tensor, 13, entry);
    }
    return tensor;
}

Test(vln_model, refuses_data_in_other_files_wherever_it_hides)
{
    cr_expect_eq(read_onnx(vln_part_model("valion tests", graph_with(external(14), 5))),
                 VLN_INVALID_ARGUMENT);
    cr_expect_eq(read_onnx(vln_part_model("valion tests", graph_with(external(13), 5))),
                 VLN_INVALID_ARGUMENT);
    vln_part_t sparse = {0};
    vln_part_message(&sparse, 1, external(13));
    cr_expect_eq(read_onnx(vln_part_model("valion tests", graph_with(sparse, 15))),
                 VLN_INVALID_ARGUMENT);
    vln_part_t attribute = {0};
    vln_part_message(&attribute, 5, external(13));
    vln_part_t node = vln_part_node("Constant", "", "", "c");
    vln_part_message(&node, 5, attribute);
    cr_expect_eq(read_onnx(vln_part_model("valion tests", graph_with(node, 1))),
                 VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "other files"), "%s", why);
}

Test(vln_model, refuses_numbers_that_crash_a_library)
{
    static const struct {
        const char *attribute;
        int64_t number;
        vln_err_t err;
    } cases[] = {
        {"strides", 1, VLN_OK},
        {"strides", 0, VLN_INVALID_ARGUMENT},
        {"kernel_shape", -3, VLN_INVALID_ARGUMENT},
        {"nodes_featureids", 0, VLN_OK},
        {"nodes_featureids", -1, VLN_INVALID_ARGUMENT},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const int64_t numbers[] = {1, cases[i].number};
        vln_part_t node = vln_part_node("MaxPool", "", "X", "Z");
        vln_part_message(&node, 5, vln_part_ints(cases[i].attribute, numbers, 2));
        cr_expect_eq(read_onnx(vln_part_model("valion tests", graph_with(node, 1))), cases[i].err,
                     "%zu", i);
    }
    vln_part_t packed = {0};
    vln_part_text(&packed, 1, "strides");
    vln_part_bytes(&packed, 8, "\x01\x00", 2);
    vln_part_t node = vln_part_node("MaxPool", "", "X", "Z");
    vln_part_message(&node, 5, packed);
    cr_expect_eq(read_onnx(vln_part_model("valion tests", graph_with(node, 1))),
                 VLN_INVALID_ARGUMENT);
}

/* A graph in an attribute of a node of a graph, `levels` times. */
static vln_part_t
nested(int levels)
{
    vln_part_t graph = graph_with(claiming(1, 2), 5);
    for (int i = 0; i < levels; i++) {
        vln_part_t attribute = {0};
        vln_part_message(&attribute, 6, graph);
        vln_part_t node = vln_part_node("If", "", "X", "Y");
        vln_part_message(&node, 5, attribute);
        graph = graph_with(node, 1);
    }
    return vln_part_model("valion tests", graph);
}

Test(vln_model, follows_graphs_within_graphs_to_a_depth_and_no_further)
{
    cr_expect_eq(read_onnx(nested(3)), VLN_OK, "%s", why);
    cr_expect_eq(model.node_count, 7);
    cr_expect_eq(read_onnx(nested(12)), VLN_RESOURCE_EXHAUSTED);
}

static vln_part_t
function(const char *name, const char *calls)
{
    vln_part_t self = {0};
    vln_part_text(&self, 1, name);
    vln_part_text(&self, 10, "own");
    vln_part_message(&self, 7, vln_part_node(calls, "own", "X", "t"));
    vln_part_message(&self, 7, vln_part_node(calls, "own", "t", "Y"));
    return self;
}

static vln_part_t
model_of_functions(int count, bool round)
{
    vln_part_t graph = graph_with(vln_part_node("f0", "own", "X", "Z"), 1);
    vln_part_t file = vln_part_model("valion tests", graph);
    for (int i = 0; i < count; i++) {
        char name[16];
        char next[16];
        snprintf(name, sizeof name, "f%d", i);
        snprintf(next, sizeof next, "f%d", round && i == count - 1 ? 0 : i + 1);
        vln_part_message(&file, 25, function(name, next));
    }
    return file;
}

Test(vln_model, counts_the_nodes_that_functions_become)
{
    cr_expect_eq(read_onnx(model_of_functions(4, false)), VLN_OK, "%s", why);
    cr_expect_geq(model.node_count, 32);
    cr_expect_neq(read_onnx(model_of_functions(24, false)), VLN_OK);
    cr_expect_neq(read_onnx(model_of_functions(1, true)), VLN_OK);
    cr_expect_neq(read_onnx(model_of_functions(3, true)), VLN_OK);
    cr_expect(strstr(why, "call themselves"), "%s", why);
}

Test(vln_model, refuses_too_many_nodes)
{
    vln_part_t graph = graph_with(claiming(1, 2), 5);
    for (int i = 0; i < VLN_MODEL_MAX_NODES; i++) {
        vln_part_bytes(&graph, 1, "", 0);
    }
    cr_expect_eq(read_onnx(vln_part_model("valion tests", graph)), VLN_RESOURCE_EXHAUSTED);
    cr_expect(strstr(why, "nodes"));
}

Test(vln_model, takes_initializers_that_old_files_list_as_inputs_for_none)
{
    vln_part_t graph = graph_with(claiming(1, 2), 5);
    vln_part_message(&graph, 11, vln_part_value("w", VLN_TENSOR_FLOAT, (const int64_t[]){1, 2}, 2));
    cr_assert_eq(read_onnx(vln_part_model("valion tests", graph)), VLN_OK);
    cr_expect_eq(model.input_count, 1);
}

Test(vln_model, refuses_more_features_than_a_row_may_have)
{
    cr_expect_eq(read_onnx(test_onnx_linear(VLN_MODEL_MAX_FEATURES)), VLN_OK);
    vln_part_t graph = graph_with(claiming(1, 2), 5);
    vln_part_message(
        &graph, 11,
        vln_part_value("wide", VLN_TENSOR_FLOAT, (const int64_t[]){-1, VLN_MODEL_MAX_FEATURES}, 2));
    cr_expect_eq(read_onnx(vln_part_model("valion tests", graph)), VLN_RESOURCE_EXHAUSTED);
}

/* ---- XGBoost ---- */

/* A file of one tree, with parts to be replaced. */
typedef struct xgb {
    const char *left;
    const char *right;
    const char *splits;
    const char *nodes;
    const char *features;
    const char *trees;
    const char *names;
    const char *objective;
    const char *more;
} xgb_t;

static const xgb_t sound = {
    .left = "[1,-1,-1]",
    .right = "[2,-1,-1]",
    .splits = "[1,0,0]",
    .nodes = "3",
    .features = "2",
    .trees = "1",
    .names = "[\"a\",\"b\\u0020c\"]",
    .objective = "binary:logistic",
    .more = "",
};

static vln_err_t
read_xgb(xgb_t parts)
{
    char json[4096];
    int size = snprintf(
        json, sizeof json,
        "{\"learner\":{\"feature_names\":%s,\"feature_types\":[],\"gradient_booster\":{"
        "\"model\":{\"gbtree_model_param\":{\"num_trees\":\"%s\"},\"trees\":[{\"id\":0,"
        "\"left_children\":%s,\"right_children\":%s,\"split_indices\":%s,"
        "\"tree_param\":{\"num_nodes\":\"%s\"}}]},\"name\":\"gbtree\"},\"learner_model_param\":{"
        "\"base_score\":\"5E-1\",\"num_class\":\"0\",\"num_feature\":\"%s\",\"num_target\":\"1\"},"
        "\"objective\":{\"name\":\"%s\"}%s},\"version\":[3,0,0]}",
        parts.names, parts.trees, parts.left, parts.right, parts.splits, parts.nodes,
        parts.features, parts.objective, parts.more);
    cr_assert(size > 0 && (size_t)size < sizeof json);
    return read_text(json);
}

Test(vln_model, reads_what_an_xgboost_file_says)
{
    cr_assert_eq(read_xgb(sound), VLN_OK, "%s", why);
    cr_expect_eq(model.kind, VLN_MODEL_XGBOOST_JSON);
    cr_expect_eq(model.feature_count, 2);
    cr_expect_str_eq(model.features[1].name, "b c");
    cr_expect(model.features[1].named);
    cr_expect_eq(model.tree_count, 1);
    cr_expect_eq(model.tree_nodes, 3);
    cr_expect_eq(model.base_score, 0.5);
    cr_expect_str_eq(model.booster, "gbtree");
    cr_expect_str_eq(model.objective, "binary:logistic");
    cr_expect_eq(model.task, VALION__V1__TASK_TYPE__TASK_TYPE_BINARY);
    cr_expect_eq(model.class_count, 2);
}

Test(vln_model, walks_the_trees_of_an_xgboost_file)
{
    static const struct {
        const char *left;
        const char *right;
        const char *splits;
    } bad[] = {
        {"[0,-1,-1]", "[2,-1,-1]", "[1,0,0]"},         /* its own child */
        {"[1,2,-1]", "[2,2,-1]", "[1,0,0]"},           /* reached twice */
        {"[1,-1,-1]", "[3,-1,-1]", "[1,0,0]"},         /* not there */
        {"[1,-1,-1]", "[100000000,-1,-1]", "[1,0,0]"}, /* far away */
        {"[1,-1,-1]", "[-1,-1,-1]", "[1,0,0]"},        /* one child */
        {"[1,-1,-1]", "[2,-1,-1]", "[2,0,0]"},         /* a feature beyond the row */
        {"[1,-1,-1]", "[2,-1,-1]", "[-1,0,0]"},        {"[1,-1,-1]", "[2,-1]", "[1,0,0]"},
        {"[1,-1,-1]", "[2,-1,1.5]", "[1,0,0]"},        {"[1,-1,-1]", "[2,-1,[1]]", "[1,0,0]"},
        {"[1,-1,-1]", "[2,-1,-1]", "{\"x\":1}"},       {"[]", "[]", "[]"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        xgb_t parts = sound;
        parts.left = bad[i].left;
        parts.right = bad[i].right;
        parts.splits = bad[i].splits;
        cr_expect_eq(read_xgb(parts), VLN_INVALID_ARGUMENT, "%zu", i);
    }
}

static void
expect_bad_xgb(xgb_t parts, const char *what)
{
    cr_expect_eq(read_xgb(parts), VLN_INVALID_ARGUMENT, "%s", what);
    cr_expect(why[0] != '\0');
}

Test(vln_model, believes_no_count_of_an_xgboost_file)
{
    xgb_t parts = sound;
    parts.nodes = "1000000000";
    expect_bad_xgb(parts, "nodes");
    parts = sound;
    parts.features = "999999999";
    expect_bad_xgb(parts, "features");
    parts = sound;
    parts.features = "0";
    expect_bad_xgb(parts, "no features");
    parts = sound;
    parts.trees = "2";
    expect_bad_xgb(parts, "a missing tree");
    parts = sound;
    parts.names = "[\"a\"]";
    expect_bad_xgb(parts, "a missing name");
    parts = sound;
    parts.names = "[\"a\",\"\\ud800\"]";
    expect_bad_xgb(parts, "a name that is no text");
}

Test(vln_model, refuses_what_two_readers_would_read_differently)
{
    xgb_t parts = sound;
    parts.more = ",\"objective\":{\"name\":\"reg:squarederror\"}";
    expect_bad_xgb(parts, "a name that stands twice");
    parts.more = ",\"\\u006fbjective\":{}";
    expect_bad_xgb(parts, "a name written with escapes");
}

Test(vln_model, numbers_the_features_of_a_file_without_names)
{
    xgb_t parts = sound;
    parts.names = "[]";
    parts.objective = "reg:squarederror";
    cr_assert_eq(read_xgb(parts), VLN_OK, "%s", why);
    cr_expect_str_eq(model.features[1].name, "features[1]");
    cr_expect(!model.features[1].named);
    cr_expect_eq(model.task, VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION);
}

/* ---- signature and columns ---- */

static vln_model_binding_t binding;

static vln_err_t
bind(const vln_model_column_t *columns, size_t count)
{
    const Valion__V1__Signature *signature = vln_model_signature(&model, arena);
    return vln_model_bind(signature, columns, count, arena, &binding, why);
}

static const Valion__V1__ColumnType FLOAT = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64;
static const Valion__V1__ColumnType WHOLE = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64;
static const Valion__V1__ColumnType TEXT = VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING;

Test(vln_model, makes_a_signature)
{
    cr_assert_eq(read_onnx(test_onnx_zipmap()), VLN_OK);
    const Valion__V1__Signature *signature = vln_model_signature(&model, arena);
    cr_assert_eq(signature->n_inputs, 4);
    cr_expect_str_eq(signature->inputs[0]->name, "X[0]");
    cr_expect_eq(signature->inputs[0]->type, VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32);
    cr_assert_eq(signature->n_outputs, 2);
    cr_expect_str_eq(signature->outputs[0]->name, "raw");
    cr_assert_eq(signature->n_classes, 3);
    cr_expect_str_eq(signature->classes[2], "yes");
    cr_expect_null(signature->positive_class);
    size_t size = valion__v1__signature__get_packed_size(signature);
    cr_expect_gt(size, 0);
}

Test(vln_model, binds_by_name_whatever_the_order)
{
    cr_assert_eq(read_onnx(test_onnx_columns()), VLN_OK);
    const vln_model_column_t columns[] = {{"income", FLOAT}, {"city__home_", TEXT}, {"age", WHOLE}};
    cr_assert_eq(bind(columns, 3), VLN_OK, "%s", why);
    cr_expect_eq(binding.columns[0], 2);
    cr_expect_eq(binding.columns[1], 1);
    cr_expect_eq(binding.ignored, 1);
    cr_expect(!binding.order_assumed);
}

Test(vln_model, binds_by_the_name_that_converters_make)
{
    cr_assert_eq(read_onnx(test_onnx_columns()), VLN_OK);
    const vln_model_column_t columns[] = {{"city (home)", TEXT}, {"age", FLOAT}};
    cr_assert_eq(bind(columns, 2), VLN_OK, "%s", why);
    cr_expect_eq(binding.columns[1], 0);
    const vln_model_column_t twice[] = {
        {"city (home)", TEXT}, {"city [home]", TEXT}, {"age", FLOAT}};
    cr_expect_eq(bind(twice, 3), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "two columns"), "%s", why);
}

Test(vln_model, names_the_column_that_does_not_fit)
{
    cr_assert_eq(read_onnx(test_onnx_columns()), VLN_OK);
    const vln_model_column_t missing[] = {{"age", FLOAT}, {"town", TEXT}};
    cr_expect_eq(bind(missing, 2), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "\"city__home_\" is not among the columns"), "%s", why);
    const vln_model_column_t wrong[] = {{"age", TEXT}, {"city__home_", TEXT}};
    cr_expect_eq(bind(wrong, 2), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "column \"age\" holds text"), "%s", why);
}

Test(vln_model, binds_by_order_where_there_are_no_names_and_says_so)
{
    cr_assert_eq(read_onnx(test_onnx_linear(2)), VLN_OK);
    const vln_model_column_t columns[] = {{"a", FLOAT}, {"b", WHOLE}, {"c", FLOAT}};
    cr_assert_eq(bind(columns, 2), VLN_OK, "%s", why);
    cr_expect(binding.order_assumed);
    cr_expect_eq(binding.columns[1], 1);
    cr_expect_eq(bind(columns, 3), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "it takes 2, there are 3; the first too many is \"c\""), "%s", why);
    cr_expect_eq(bind(columns, 1), VLN_INVALID_ARGUMENT);
    const vln_model_column_t text[] = {{"a", FLOAT}, {"b", TEXT}};
    cr_expect_eq(bind(text, 2), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "\"b\" holds text"), "%s", why);
}

Test(vln_model, keeps_letters_of_all_scripts_and_replaces_signs)
{
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, vln_part_node("Add", "", "n,k", "Y"));
    static const int64_t column[] = {-1, 1};
    vln_part_message(&graph, 11,
                     vln_part_value("\xc3\xa1rea_m\xc2\xb2_", VLN_TENSOR_FLOAT, column, 2));
    vln_part_message(&graph, 11, vln_part_value("pre\xc3\xa7o____", VLN_TENSOR_FLOAT, column, 2));
    vln_part_message(&graph, 12, vln_part_value("Y", VLN_TENSOR_FLOAT, column, 2));
    cr_assert_eq(read_onnx(vln_part_model("valion tests", graph)), VLN_OK, "%s", why);
    const vln_model_column_t columns[] = {{"pre\xc3\xa7o (\xe2\x82\xac)", FLOAT},
                                          {"\xc3\xa1rea m\xc2\xb2)", FLOAT}};
    cr_assert_eq(bind(columns, 2), VLN_OK, "%s", why);
    cr_expect_eq(binding.columns[0], 1);
    cr_expect_eq(binding.columns[1], 0);
}

Test(vln_model, takes_no_fractions_for_whole_numbers)
{
    vln_part_t graph = {0};
    vln_part_message(&graph, 1, vln_part_node("Identity", "", "n", "Y"));
    static const int64_t column[] = {-1, 1};
    vln_part_message(&graph, 11, vln_part_value("n", VLN_TENSOR_INT64, column, 2));
    vln_part_message(&graph, 11, vln_part_value("m", VLN_TENSOR_FLOAT, column, 2));
    vln_part_message(&graph, 12, vln_part_value("Y", VLN_TENSOR_INT64, column, 2));
    cr_assert_eq(read_onnx(vln_part_model("valion tests", graph)), VLN_OK, "%s", why);
    const vln_model_column_t whole[] = {{"n", WHOLE}, {"m", WHOLE}};
    const vln_model_column_t fractions[] = {{"n", FLOAT}, {"m", WHOLE}};
    cr_expect_eq(bind(whole, 2), VLN_OK, "%s", why);
    cr_expect_eq(bind(fractions, 2), VLN_INVALID_ARGUMENT);
    cr_expect(strstr(why, "takes whole numbers"), "%s", why);
}
