#include "test_trees.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_model.h"

enum { NAME_ROOM = 32 };

#define TOO_SMALL 1e-41f /* a denormal */

static uint32_t
next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 8;
}

static float
grid_number(uint32_t *state, bool any)
{
    static const float grid[] = {-2.5f, -1, -0.75f, -TOO_SMALL, -0.0f,  0.0f,     TOO_SMALL,
                                 0.25f, 1,  1.5f,   3e38f,      -3e38f, INFINITY, -INFINITY};
    uint32_t number = next_random(state);
    if (any && number % 9 == 0) {
        return NAN;
    }
    return number % 3 == 0 ? (float)(number % 4001) / 1000.0f - 2.0f
                           : grid[number / 3 % VLN_COUNT(grid)];
}

float *
test_trees_rows(size_t rows, size_t features, uint32_t seed)
{
    float *out = vln_calloc(rows * features + 1, sizeof *out);
    for (size_t i = 0; i < rows * features; i++) {
        out[i] = grid_number(&seed, true);
    }
    return out;
}

/* ---- lists ---- */

typedef struct lists {
    int64_t *tree;
    int64_t *id;
    int64_t *feature;
    int64_t *yes;
    int64_t *no;
    int64_t *missing;
    float *value;
    const char **mode;
    size_t nodes;
    size_t node_room;
    int64_t *weight_tree;
    int64_t *weight_node;
    int64_t *weight_class;
    float *weight;
    size_t weights;
    size_t weight_room;
    uint32_t state;
} lists_t;

static void
make_node_room(lists_t *self)
{
    size_t room = self->node_room = self->node_room * 2 + 64;
    self->tree = vln_realloc(self->tree, room * sizeof *self->tree);
    self->id = vln_realloc(self->id, room * sizeof *self->id);
    self->feature = vln_realloc(self->feature, room * sizeof *self->feature);
    self->yes = vln_realloc(self->yes, room * sizeof *self->yes);
    self->no = vln_realloc(self->no, room * sizeof *self->no);
    self->missing = vln_realloc(self->missing, room * sizeof *self->missing);
    self->value = vln_realloc(self->value, room * sizeof *self->value);
    self->mode = vln_realloc(self->mode, (room + 1) * sizeof *self->mode);
}

static size_t
add_node(lists_t *self, size_t tree, int64_t id)
{
    if (self->nodes == self->node_room) {
        make_node_room(self);
    }
    size_t i = self->nodes++;
    self->tree[i] = (int64_t)tree;
    self->id[i] = id;
    self->feature[i] = self->yes[i] = self->no[i] = self->missing[i] = 0;
    self->value[i] = 0;
    self->mode[i] = "LEAF";
    self->mode[i + 1] = NULL;
    return i;
}

static void
add_weight(lists_t *self, size_t tree, int64_t node, size_t class, float weight)
{
    if (self->weights == self->weight_room) {
        size_t room = self->weight_room = self->weight_room * 2 + 64;
        self->weight_tree = vln_realloc(self->weight_tree, room * sizeof *self->weight_tree);
        self->weight_node = vln_realloc(self->weight_node, room * sizeof *self->weight_node);
        self->weight_class = vln_realloc(self->weight_class, room * sizeof *self->weight_class);
        self->weight = vln_realloc(self->weight, room * sizeof *self->weight);
    }
    size_t i = self->weights++;
    self->weight_tree[i] = (int64_t)tree;
    self->weight_node[i] = node;
    self->weight_class[i] = (int64_t)class;
    self->weight[i] = weight;
}

static void
end_lists(lists_t *self)
{
    free(self->tree);
    free(self->id);
    free(self->feature);
    free(self->yes);
    free(self->no);
    free(self->missing);
    free(self->value);
    free(self->mode);
    free(self->weight_tree);
    free(self->weight_node);
    free(self->weight_class);
    free(self->weight);
}

/* ---- growing ---- */

static float
leaf_weight(const test_trees_t *recipe, lists_t *lists)
{
    float weight = (float)(next_random(&lists->state) % 10000) / (9973.0f * (float)recipe->trees);
    return recipe->negative ? weight - 0.4f / (float)recipe->trees : weight;
}

static size_t
groups_of(const test_trees_t *recipe)
{
    return recipe->classes > 0 ? recipe->classes : recipe->targets > 0 ? recipe->targets : 1;
}

static void
make_leaf(const test_trees_t *recipe, lists_t *lists, size_t tree, int64_t id)
{
    size_t groups = groups_of(recipe);
    if (recipe->by_rows) {
        for (size_t i = 0; i < groups; i++) {
            add_weight(lists, tree, id, i, leaf_weight(recipe, lists));
        }
        return;
    }
    size_t class = recipe->classes == 2 ? 0 : tree % groups;
    add_weight(lists, tree, id, class, leaf_weight(recipe, lists));
}

static const char *
mode_of(const test_trees_t *recipe, uint32_t number)
{
    static const char *const modes[] = {"BRANCH_LEQ", "BRANCH_LT", "BRANCH_GTE", "BRANCH_GT"};
    if (!recipe->mode) {
        return modes[0];
    }
    return recipe->mode[0] ? recipe->mode : modes[number % VLN_COUNT(modes)];
}

/* Level by level, and now and then a leaf before its time. */
static void
grow(const test_trees_t *recipe, lists_t *lists, size_t tree)
{
    int64_t ids = 1;
    size_t width = (size_t)recipe->features + (recipe->around == TEST_TREES_COLUMNS ? 3 : 0);
    vln_assert(width > 0);
    size_t first = add_node(lists, tree, 0);
    for (size_t i = first, level_end = first, level = 0; i < lists->nodes; i++) {
        uint32_t number = next_random(&lists->state);
        if (level == recipe->depth || (level > 2 && number % 7 == 0)) {
            make_leaf(recipe, lists, tree, lists->id[i]);
        } else {
            float threshold = grid_number(&lists->state, false);
            if (recipe->mode && threshold == -INFINITY) {
                threshold = -3e38f; /* below which there may be a NaN alone, which is not covered */
            }
            lists->feature[i] = (int64_t)(number % width);
            lists->mode[i] = mode_of(recipe, number / 64);
            lists->missing[i] = recipe->missing && number / 256 % 2;
            lists->value[i] = threshold;
            lists->yes[i] = ids++;
            lists->no[i] = ids++;
            add_node(lists, tree, lists->yes[i]);
            add_node(lists, tree, lists->no[i]);
        }
        if (i == level_end) {
            level_end = lists->nodes - 1;
            level++;
        }
    }
}

/* ---- the node ---- */

static void
put_ints(vln_part_t *node, const char *name, const int64_t *values, size_t count)
{
    vln_part_message(node, 5, vln_part_ints(name, values, count));
}

static void
put_terms(const test_trees_t *recipe, vln_part_t *node)
{
    const float bases[] = {0.25f, -0.125f, 0.0625f, 0.5f, -0.5f};
    if (recipe->bases > 0) {
        vln_part_message(node, 5, vln_part_floats("base_values", bases, recipe->bases));
    }
    if (recipe->transform) {
        vln_part_message(node, 5, vln_part_string("post_transform", recipe->transform));
    }
    if (recipe->aggregate) {
        vln_part_message(node, 5, vln_part_string("aggregate_function", recipe->aggregate));
    }
    if (recipe->classes == 0) {
        vln_part_message(node, 5, vln_part_int("n_targets", (int64_t)groups_of(recipe)));
    }
}

static void
put_classes(const test_trees_t *recipe, vln_part_t *node)
{
    static const char *const words[] = {"low", "some", "", "more", "most"};
    static const int64_t numbers[] = {7, 3, 0, -1, 12};
    const char *list[VLN_COUNT(words) + 1] = {NULL};
    for (size_t i = 0; i < recipe->classes; i++) {
        list[i] = words[i];
    }
    if (recipe->words) {
        vln_part_message(node, 5, vln_part_texts("classlabels_strings", list));
    } else if (recipe->classes > 0) {
        put_ints(node, "classlabels_int64s", numbers, recipe->classes);
    }
}

static vln_part_t
make_node(const test_trees_t *recipe, const char *input)
{
    lists_t lists = {.state = recipe->seed + 1};
    bool classifies = recipe->classes > 0;
    const char *prefix = classifies ? "class" : "target";
    char name[NAME_ROOM];
    for (size_t tree = 0; tree < recipe->trees; tree++) {
        grow(recipe, &lists, tree);
    }
    vln_part_t node =
        classifies ? vln_part_node("TreeEnsembleClassifier", "ai.onnx.ml", input, "label,raw")
                   : vln_part_node("TreeEnsembleRegressor", "ai.onnx.ml", input, "raw");
    put_ints(&node, "nodes_treeids", lists.tree, lists.nodes);
    put_ints(&node, "nodes_nodeids", lists.id, lists.nodes);
    put_ints(&node, "nodes_featureids", lists.feature, lists.nodes);
    put_ints(&node, "nodes_truenodeids", lists.yes, lists.nodes);
    put_ints(&node, "nodes_falsenodeids", lists.no, lists.nodes);
    put_ints(&node, "nodes_missing_value_tracks_true", lists.missing, lists.nodes);
    vln_part_message(&node, 5, vln_part_floats("nodes_values", lists.value, lists.nodes));
    vln_part_message(&node, 5, vln_part_texts("nodes_modes", lists.mode));
    snprintf(name, sizeof name, "%s_treeids", prefix);
    put_ints(&node, name, lists.weight_tree, lists.weights);
    snprintf(name, sizeof name, "%s_nodeids", prefix);
    put_ints(&node, name, lists.weight_node, lists.weights);
    snprintf(name, sizeof name, "%s_ids", prefix);
    put_ints(&node, name, lists.weight_class, lists.weights);
    snprintf(name, sizeof name, "%s_weights", prefix);
    vln_part_message(&node, 5, vln_part_floats(name, lists.weight, lists.weights));
    put_terms(recipe, &node);
    put_classes(recipe, &node);
    end_lists(&lists);
    return node;
}

/* ---- around it ---- */

/* Feature by feature, so that a column mixed up with another shows. */
static vln_part_t
put_each(const char *name, size_t count, float first, float step)
{
    float values[VLN_MODEL_MAX_FEATURES] = {0};
    for (size_t i = 0; i < count; i++) {
        values[i] = first + step * (float)i;
    }
    return vln_part_floats(name, values, count);
}

static void
put_pipeline(const test_trees_t *recipe, vln_part_t *graph)
{
    size_t features = (size_t)recipe->features;
    const int64_t one[] = {1};
    const float half[] = {0.5f};
    vln_part_t imputer = vln_part_node("Imputer", "ai.onnx.ml", "X", "filled");
    vln_part_message(&imputer, 5, put_each("imputed_value_floats", features, -0.5f, 0.125f));
    vln_part_message(&imputer, 5, vln_part_number("replaced_value_float", NAN));
    vln_part_t scaler = vln_part_node("Scaler", "ai.onnx.ml", "filled", "scaled");
    vln_part_message(&scaler, 5, put_each("offset", features, 0.1f, 0.3f));
    vln_part_message(&scaler, 5, put_each("scale", features, 1.1f, 0.07f));
    vln_part_t cast = vln_part_node("Cast", "", "scaled", "cast");
    vln_part_message(&cast, 5, vln_part_int("to", VLN_TENSOR_FLOAT));
    vln_part_message(graph, 1, imputer);
    vln_part_message(graph, 1, scaler);
    vln_part_message(graph, 1, cast);
    vln_part_message(graph, 1, vln_part_node("Sub", "", "cast,half", "less"));
    vln_part_message(graph, 1, vln_part_node("Mul", "", "less,half", "times"));
    vln_part_message(graph, 1, vln_part_node("Identity", "", "times", "ready"));
    vln_part_message(graph, 5, vln_part_tensor("half", one, 1, half));
}

/* Each operator with a constant on either side where it may be, and with columns. */
static void
put_arithmetic(const test_trees_t *recipe, vln_part_t *graph)
{
    static const char *const nodes[][3] = {
        {"Add", "X,row", "a"}, {"Div", "a,row", "b"}, {"Sub", "row,b", "c"},
        {"Mul", "row,c", "d"}, {"Sub", "d,one", "e"}, {"Mul", "e,X", "f"},
        {"Div", "f,a", "g"},   {"Add", "g,X", "h"},   {"Sub", "h,b", "ready"},
    };
    const int64_t width[] = {1, recipe->features};
    float row[VLN_MODEL_MAX_FEATURES] = {0};
    for (int64_t i = 0; i < recipe->features; i++) {
        row[i] = 0.7f + 0.3f * (float)i;
    }
    for (size_t i = 0; i < VLN_COUNT(nodes); i++) {
        vln_part_message(graph, 1, vln_part_node(nodes[i][0], "", nodes[i][1], nodes[i][2]));
    }
    vln_part_message(graph, 5, vln_part_tensor("row", width, 2, row));
    vln_part_message(graph, 5, vln_part_tensor("one", NULL, 0, (const float[]){1.1f}));
}

/* TensorProto of whole numbers. */
static vln_part_t
make_wholes(const char *name, const int64_t *values, size_t count)
{
    vln_part_t tensor = {0};
    vln_part_varint(&tensor, 1, count);
    vln_part_varint(&tensor, 2, VLN_TENSOR_INT64);
    for (size_t i = 0; i < count; i++) {
        vln_part_varint(&tensor, 7, (uint64_t)values[i]);
    }
    vln_part_text(&tensor, 8, name);
    return tensor;
}

static void
put_columns(const test_trees_t *recipe, vln_part_t *graph)
{
    static const char *const cities[] = {"Oslo", "", "Rome", NULL};
    char names[VLN_MODEL_MAX_NAME] = "";
    size_t used = 0;
    for (int64_t i = 0; i < recipe->features; i++) {
        used +=
            (size_t)snprintf(names + used, sizeof names - used, "%sc%d", i > 0 ? "," : "", (int)i);
    }
    vln_part_t numbers = vln_part_node("Concat", "", names, "numbers");
    vln_part_message(&numbers, 5, vln_part_int("axis", 1));
    vln_part_t city = vln_part_node("ArrayFeatureExtractor", "ai.onnx.ml", "city,zero", "place");
    vln_part_t encoder = vln_part_node("OneHotEncoder", "ai.onnx.ml", "place", "hot");
    vln_part_message(&encoder, 5, vln_part_texts("cats_strings", cities));
    vln_part_message(&encoder, 5, vln_part_int("zeros", 1));
    vln_part_t all = vln_part_node("Concat", "", "numbers,flat", "ready");
    vln_part_message(&all, 5, vln_part_int("axis", -1));
    vln_part_message(graph, 1, numbers);
    vln_part_message(graph, 1, city);
    vln_part_message(graph, 1, encoder);
    vln_part_message(graph, 1, vln_part_node("Reshape", "", "hot,shape", "flat"));
    vln_part_message(graph, 1, all);
    vln_part_message(graph, 5, make_wholes("zero", (const int64_t[]){0}, 1));
    vln_part_message(graph, 5, make_wholes("shape", (const int64_t[]){-1, 3}, 2));
}

static void
put_inputs(const test_trees_t *recipe, vln_part_t *graph)
{
    const int64_t matrix[] = {-1, recipe->features};
    const int64_t column[] = {-1, 1};
    char name[NAME_ROOM];
    if (recipe->around != TEST_TREES_COLUMNS) {
        vln_part_message(graph, 11, vln_part_value("X", VLN_TENSOR_FLOAT, matrix, 2));
        return;
    }
    for (int64_t i = 0; i < recipe->features; i++) {
        snprintf(name, sizeof name, "c%d", (int)i);
        vln_part_message(graph, 11, vln_part_value(name, VLN_TENSOR_FLOAT, column, 2));
    }
    vln_part_message(graph, 11, vln_part_value("city", VLN_TENSOR_STRING, column, 2));
}

static void
put_outputs(const test_trees_t *recipe, vln_part_t *graph)
{
    const char *scores = recipe->normalized ? "normal" : "raw";
    if (recipe->normalized) {
        vln_part_t node = vln_part_node("Normalizer", "ai.onnx.ml", "raw", scores);
        vln_part_message(&node, 5, vln_part_string("norm", "L1"));
        vln_part_message(graph, 1, node);
    }
    if (recipe->zipmap) {
        vln_part_t node = vln_part_node("ZipMap", "ai.onnx.ml", scores, "map");
        put_classes(recipe, &node);
        vln_part_message(graph, 1, node);
    }
    if (recipe->classes > 0) {
        int32_t type = recipe->words ? VLN_TENSOR_STRING : VLN_TENSOR_INT64;
        vln_part_message(graph, 12, vln_part_value("label", type, (const int64_t[]){-1}, 1));
    }
    const int64_t shape[] = {-1, (int64_t)groups_of(recipe)};
    vln_part_message(graph, 12,
                     recipe->zipmap ? vln_part_value("map", 0, NULL, 0)
                                    : vln_part_value(scores, VLN_TENSOR_FLOAT, shape, 2));
}

vln_part_t
test_trees_make(const test_trees_t *recipe)
{
    vln_part_t graph = {0};
    if (recipe->around == TEST_TREES_PIPELINE) {
        put_pipeline(recipe, &graph);
    } else if (recipe->around == TEST_TREES_ARITHMETIC) {
        put_arithmetic(recipe, &graph);
    } else if (recipe->around == TEST_TREES_COLUMNS) {
        put_columns(recipe, &graph);
    }
    vln_part_message(&graph, 1,
                     make_node(recipe, recipe->around == TEST_TREES_BARE ? "X" : "ready"));
    vln_part_text(&graph, 2, "trees");
    put_inputs(recipe, &graph);
    put_outputs(recipe, &graph);
    return vln_part_model("valion tests", graph);
}
