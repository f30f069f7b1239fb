/*
 * The trees of an ONNX TreeEnsembleRegressor or TreeEnsembleClassifier: a dozen lists as long as
 * there are nodes, another as long as there are weights. Only what converters write is covered: trees
 * and nodes numbered from 0 on, each tree in one piece with its root first, each leaf with one weight
 * of its tree's class or with one of every class.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_native_graph.h"

#define WEIGHT_ROWS ((size_t)1 << 24) /* so that a float32 holds each one's number */

typedef enum test_mode {
    MODE_LEQ,
    MODE_LT,
    MODE_GTE,
    MODE_GT,
    MODE_LEAF,
} test_mode_t;

static const char *const modes[] = {
    [MODE_LEQ] = "BRANCH_LEQ", [MODE_LT] = "BRANCH_LT", [MODE_GTE] = "BRANCH_GTE",
    [MODE_GT] = "BRANCH_GT",   [MODE_LEAF] = "LEAF",
};

#define COMMON_ATTRIBUTES                                                                 \
    {"nodes_falsenodeids", VLN_ATTRIBUTE_INTS}, {"nodes_featureids", VLN_ATTRIBUTE_INTS}, \
        {"nodes_hitrates", VLN_ATTRIBUTE_FLOATS},                                         \
        {"nodes_missing_value_tracks_true", VLN_ATTRIBUTE_INTS},                          \
        {"nodes_modes", VLN_ATTRIBUTE_STRINGS}, {"nodes_nodeids", VLN_ATTRIBUTE_INTS},    \
        {"nodes_treeids", VLN_ATTRIBUTE_INTS}, {"nodes_truenodeids", VLN_ATTRIBUTE_INTS}, \
        {"nodes_values", VLN_ATTRIBUTE_FLOATS}, {"post_transform", VLN_ATTRIBUTE_STRING}, \
    {                                                                                     \
        "base_values", VLN_ATTRIBUTE_FLOATS                                               \
    }

static const vln_attribute_t regressor_attributes[] = {
    COMMON_ATTRIBUTES,
    {"aggregate_function", VLN_ATTRIBUTE_STRING},
    {"n_targets", VLN_ATTRIBUTE_INT},
    {"target_ids", VLN_ATTRIBUTE_INTS},
    {"target_nodeids", VLN_ATTRIBUTE_INTS},
    {"target_treeids", VLN_ATTRIBUTE_INTS},
    {"target_weights", VLN_ATTRIBUTE_FLOATS},
};

static const vln_attribute_t classifier_attributes[] = {
    COMMON_ATTRIBUTES,
    {"class_ids", VLN_ATTRIBUTE_INTS},
    {"class_nodeids", VLN_ATTRIBUTE_INTS},
    {"class_treeids", VLN_ATTRIBUTE_INTS},
    {"class_weights", VLN_ATTRIBUTE_FLOATS},
    {"classlabels_strings", VLN_ATTRIBUTE_STRINGS},
    {"classlabels_int64s", VLN_ATTRIBUTE_INTS},
};

/* The lists of the nodes. */
typedef struct nodes {
    int64_t *tree;
    int64_t *id;
    int64_t *feature;
    int64_t *yes;
    int64_t *no;
    int64_t *missing; /* NULL: none */
    float *value;
    uint8_t *mode;
    size_t count;
} nodes_t;

/* … and of the weights. */
typedef struct weights {
    int64_t *tree;
    int64_t *node;
    int64_t *class;
    float *value;
    size_t count;
} weights_t;

typedef struct ensemble {
    vln_graph_t *graph;
    vln_span_t node;
    nodes_t nodes;
    weights_t weights;
    size_t *begins; /* of each tree: its first node; one more at the end */
    size_t trees;
    size_t leaves;
    vln_branch_t *branches; /* tree by tree, each in the order of its ids */
    size_t *held;           /* weights of each branch */
    size_t classes;         /* or targets */
    uint32_t *group;        /* of each tree */
    bool by_rows;           /* a leaf has a weight of every class */
} ensemble_t;

static vln_err_t
uncovered(const ensemble_t *self, const char *what)
{
    return vln_native_uncovered(self->graph->why, "%s", what);
}

/* ---- lists ---- */

static bool
read_ints(const ensemble_t *self, const char *name, int64_t **out, size_t *count)
{
    return vln_attribute_ints(self->node, name, VLN_NATIVE_MAX_NODES, out, count);
}

static bool
ints_of(const ensemble_t *self, const char *name, size_t wanted, int64_t **out)
{
    size_t count = 0;
    return read_ints(self, name, out, &count) && count == wanted;
}

static bool
floats_of(const ensemble_t *self, const char *name, size_t wanted, float **out)
{
    size_t count = 0;
    return vln_attribute_floats(self->node, name, VLN_NATIVE_MAX_NODES, out, &count) &&
           count == wanted;
}

static bool
read_modes(ensemble_t *self)
{
    nodes_t *nodes = &self->nodes;
    vln_span_t *texts = NULL;
    size_t count = 0;
    bool good =
        vln_attribute_strings(self->node, "nodes_modes", VLN_NATIVE_MAX_NODES, &texts, &count) &&
        count == nodes->count;
    nodes->mode = vln_calloc(nodes->count + 1, 1);
    for (size_t i = 0; good && i < count; i++) {
        size_t mode = 0;
        while (mode < VLN_COUNT(modes) && !vln_span_is(texts[i], modes[mode])) {
            mode++;
        }
        good = mode < VLN_COUNT(modes);
        nodes->mode[i] = (uint8_t)mode;
    }
    free(texts);
    return good;
}

static bool
read_nodes(ensemble_t *self)
{
    nodes_t *nodes = &self->nodes;
    size_t missing = 0;
    return read_ints(self, "nodes_treeids", &nodes->tree, &nodes->count) && nodes->count > 0 &&
           ints_of(self, "nodes_nodeids", nodes->count, &nodes->id) &&
           ints_of(self, "nodes_featureids", nodes->count, &nodes->feature) &&
           ints_of(self, "nodes_truenodeids", nodes->count, &nodes->yes) &&
           ints_of(self, "nodes_falsenodeids", nodes->count, &nodes->no) &&
           floats_of(self, "nodes_values", nodes->count, &nodes->value) &&
           read_ints(self, "nodes_missing_value_tracks_true", &nodes->missing, &missing) &&
           (missing == 0 || missing == nodes->count) && read_modes(self);
}

static bool
read_weights(ensemble_t *self, bool is_classifier)
{
    weights_t *weights = &self->weights;
    const char *prefix = is_classifier ? "class" : "target";
    char name[32];
    snprintf(name, sizeof name, "%s_treeids", prefix);
    if (!read_ints(self, name, &weights->tree, &weights->count) || weights->count == 0) {
        return false;
    }
    snprintf(name, sizeof name, "%s_nodeids", prefix);
    if (!ints_of(self, name, weights->count, &weights->node)) {
        return false;
    }
    snprintf(name, sizeof name, "%s_ids", prefix);
    if (!ints_of(self, name, weights->count, &weights->class)) {
        return false;
    }
    snprintf(name, sizeof name, "%s_weights", prefix);
    return floats_of(self, name, weights->count, &weights->value);
}

/* ---- nodes ---- */

static bool
find_trees(ensemble_t *self)
{
    const nodes_t *nodes = &self->nodes;
    self->begins = vln_calloc(nodes->count + 2, sizeof *self->begins);
    for (size_t i = 0; i < nodes->count; i++) {
        bool is_new = nodes->tree[i] == (int64_t)self->trees && nodes->id[i] == 0;
        if (is_new) {
            self->begins[self->trees++] = i;
        } else if (self->trees == 0 || nodes->tree[i] != (int64_t)self->trees - 1) {
            return false;
        }
    }
    self->begins[self->trees] = nodes->count;
    return self->trees <= VLN_MODEL_MAX_TREES;
}

static bool
is_within(int64_t id, size_t count)
{
    return id >= 0 && (uint64_t)id < count;
}

/* `x > t` is the reverse of `x <= t`, for all but a NaN, which goes where it is sent. */
static void
set_test(test_mode_t mode, float value, bool missing_passes, vln_branch_t *branch)
{
    bool reversed = mode == MODE_GT || mode == MODE_GTE;
    bool strict = mode == MODE_LT || mode == MODE_GTE;
    branch->threshold = strict ? vln_forest_below(value) : value;
    branch->missing_yes = missing_passes;
    if (reversed) {
        int32_t yes = branch->yes;
        branch->yes = branch->no;
        branch->no = yes;
        branch->missing_yes = !missing_passes;
    }
}

static vln_err_t
put_branch(ensemble_t *self, size_t tree, size_t i)
{
    const nodes_t *nodes = &self->nodes;
    size_t first = self->begins[tree];
    size_t count = self->begins[tree + 1] - first;
    if (!is_within(nodes->id[i], count) || self->held[first + (size_t)nodes->id[i]] == 0) {
        return uncovered(self, "a tree's nodes are not numbered from 0 on");
    }
    vln_branch_t *branch = &self->branches[first + (size_t)nodes->id[i]];
    self->held[first + (size_t)nodes->id[i]] = 0;
    *branch = (vln_branch_t){.yes = -1, .no = -1};
    if (nodes->mode[i] == MODE_LEAF) {
        self->leaves++;
        return VLN_OK;
    }
    if (!is_within(nodes->yes[i], count) || !is_within(nodes->no[i], count) ||
        !is_within(nodes->feature[i], UINT32_MAX) || isnan(nodes->value[i])) {
        return uncovered(self, "a tree's node has a child, a feature or a threshold that is none");
    }
    branch->yes = (int32_t)nodes->yes[i];
    branch->no = (int32_t)nodes->no[i];
    branch->feature = (uint32_t)nodes->feature[i];
    set_test((test_mode_t)nodes->mode[i], nodes->value[i], nodes->missing && nodes->missing[i] == 1,
             branch);
    return VLN_OK;
}

static vln_err_t
put_branches(ensemble_t *self)
{
    size_t count = self->nodes.count;
    vln_err_t err = VLN_OK;
    self->branches = vln_calloc(count + 1, sizeof *self->branches);
    self->held = vln_calloc(count + 1, sizeof *self->held);
    for (size_t i = 0; i < count; i++) {
        self->held[i] = 1; /* as a mark that its node did not come yet */
    }
    for (size_t tree = 0; tree < self->trees; tree++) {
        for (size_t i = self->begins[tree]; err == VLN_OK && i < self->begins[tree + 1]; i++) {
            err = put_branch(self, tree, i);
        }
    }
    return err;
}

/* ---- weights ---- */

/* The leaf of a weight, or NULL. */
static vln_branch_t *
leaf_of(const ensemble_t *self, size_t i)
{
    const weights_t *weights = &self->weights;
    if (!is_within(weights->tree[i], self->trees) || !is_within(weights->class[i], self->classes) ||
        isnan(weights->value[i])) {
        return NULL;
    }
    size_t first = self->begins[weights->tree[i]];
    size_t count = self->begins[weights->tree[i] + 1] - first;
    vln_branch_t *leaf = is_within(weights->node[i], count)
                             ? &self->branches[first + (size_t)weights->node[i]]
                             : NULL;
    return leaf && leaf->yes < 0 ? leaf : NULL;
}

static bool
put_weights_by_tree(ensemble_t *self)
{
    const weights_t *weights = &self->weights;
    for (size_t i = 0; i < weights->count; i++) {
        vln_branch_t *leaf = leaf_of(self, i);
        if (!leaf || self->held[leaf - self->branches]++ > 0) {
            return false;
        }
        uint32_t *group = &self->group[weights->tree[i]];
        if (*group != UINT32_MAX && *group != weights->class[i]) {
            return false;
        }
        *group = (uint32_t)weights->class[i];
        leaf->value = weights->value[i];
    }
    return true;
}

/* A leaf's number is the number of its row of weights. */
static bool
put_weights_by_row(ensemble_t *self)
{
    const weights_t *weights = &self->weights;
    vln_forest_t *forest = &self->graph->out->forest;
    forest->weights_width = self->classes;
    forest->weights = vln_calloc(self->leaves * self->classes + 1, sizeof *forest->weights);
    for (size_t i = 0; i < self->leaves * self->classes; i++) {
        forest->weights[i] = NAN;
    }
    for (size_t i = 0; i < weights->count; i++) {
        vln_branch_t *leaf = leaf_of(self, i);
        if (!leaf) {
            return false;
        }
        if (self->held[leaf - self->branches]++ == 0) {
            leaf->value = (float)forest->weight_rows++;
        }
        float *weight =
            &forest->weights[(size_t)leaf->value * self->classes + (size_t)weights->class[i]];
        if (!isnan(*weight)) {
            return false;
        }
        *weight = weights->value[i];
    }
    return forest->weight_rows == self->leaves;
}

/* Every tree is of a class that counts, and every class has a tree: some row would have no score for
 * it, which is not the same as 0. */
static bool
all_classes_have_trees(const ensemble_t *self, size_t groups)
{
    uint8_t *has = vln_calloc(groups + 1, 1);
    size_t count = 0;
    bool good = true;
    for (size_t i = 0; good && i < self->trees; i++) {
        good = self->group[i] < groups;
        if (good) {
            count += has[self->group[i]] == 0;
            has[self->group[i]] = 1;
        }
    }
    free(has);
    return good && count == groups;
}

static vln_err_t
put_weights(ensemble_t *self, size_t groups)
{
    size_t count = self->weights.count;
    self->by_rows = count != self->leaves;
    self->group = vln_calloc(self->trees + 1, sizeof *self->group);
    memset(self->group, self->by_rows ? 0 : 0xff, self->trees * sizeof *self->group);
    bool good = false;
    if (!self->by_rows) {
        good = put_weights_by_tree(self) && all_classes_have_trees(self, groups);
    } else if (groups == self->classes && groups > 1 && count == self->leaves * self->classes &&
               self->leaves < WEIGHT_ROWS) {
        good = put_weights_by_row(self);
    }
    return good
               ? VLN_OK
               : uncovered(self, "a leaf has not one weight of its tree's class, or of each class");
}

/* ---- terms ---- */

static bool
is_default(const ensemble_t *self, const char *name, const char *value)
{
    return vln_attribute_find(self->node, name).size == 0 ||
           vln_span_is(vln_attribute_string(self->node, name), value);
}

static bool
read_bases(ensemble_t *self)
{
    vln_native_t *out = self->graph->out;
    if (!vln_attribute_floats(self->node, "base_values", VLN_MODEL_MAX_CLASSES, &out->bases,
                              &out->base_count)) {
        return false;
    }
    size_t most = self->classes == 2 && out->finish == VLN_FINISH_CLASSIFIER ? 1 : self->classes;
    return out->base_count == 0 || out->base_count == most;
}

static vln_err_t
read_regressor(ensemble_t *self)
{
    vln_native_t *out = self->graph->out;
    int64_t targets = 0;
    bool averaged = !is_default(self, "aggregate_function", "SUM");
    out->finish = VLN_FINISH_REGRESSOR;
    if (!vln_attribute_int(self->node, "n_targets", &targets) || targets < 1 ||
        targets > VLN_MODEL_MAX_CLASSES ||
        (averaged && !is_default(self, "aggregate_function", "AVERAGE")) ||
        !is_default(self, "post_transform", "NONE")) {
        return uncovered(self, "its targets, aggregate function or transform are not covered");
    }
    self->classes = (size_t)targets;
    out->divisor = averaged ? (float)self->trees : 1;
    return VLN_OK;
}

static bool
is_number(const char *text, int64_t number)
{
    char decimal[24];
    snprintf(decimal, sizeof decimal, "%lld", (long long)number);
    return strcmp(text, decimal) == 0;
}

/* The classes that the file is known by are these, and no two are alike. */
static bool
check_classes(const ensemble_t *self, const vln_span_t *texts, const int64_t *numbers)
{
    const vln_model_t *about = self->graph->about;
    if (about->class_count != self->classes) {
        return false;
    }
    for (size_t i = 0; i < self->classes; i++) {
        bool same = texts ? vln_span_is(texts[i], about->classes[i])
                          : is_number(about->classes[i], numbers[i]);
        for (size_t j = 0; same && j < i; j++) {
            same = strcmp(about->classes[i], about->classes[j]) != 0;
        }
        if (!same) {
            return false;
        }
    }
    return true;
}

static vln_err_t
read_labels(ensemble_t *self)
{
    vln_span_t *texts = NULL;
    int64_t *numbers = NULL;
    size_t text_count = 0;
    size_t number_count = 0;
    bool good = vln_attribute_strings(self->node, "classlabels_strings", VLN_MODEL_MAX_CLASSES,
                                      &texts, &text_count) &&
                vln_attribute_ints(self->node, "classlabels_int64s", VLN_MODEL_MAX_CLASSES,
                                   &numbers, &number_count) &&
                (text_count == 0 || number_count == 0);
    self->classes = text_count + number_count;
    self->graph->label_type = text_count > 0 ? VLN_TENSOR_STRING : VLN_TENSOR_INT64;
    good = good && self->classes >= 2 && check_classes(self, texts, numbers);
    free(texts);
    free(numbers);
    return good ? VLN_OK : uncovered(self, "its classes are not covered");
}

static vln_err_t
read_classifier(ensemble_t *self)
{
    vln_native_t *out = self->graph->out;
    vln_span_t transform = vln_attribute_string(self->node, "post_transform");
    out->finish = VLN_FINISH_CLASSIFIER;
    out->transform = vln_span_is(transform, "LOGISTIC")  ? VLN_TRANSFORM_LOGISTIC
                     : vln_span_is(transform, "SOFTMAX") ? VLN_TRANSFORM_SOFTMAX
                                                         : VLN_TRANSFORM_NONE;
    if (out->transform == VLN_TRANSFORM_NONE && !is_default(self, "post_transform", "NONE")) {
        return uncovered(self, "its transform is not covered");
    }
    out->positive = true;
    for (size_t i = 0; i < self->weights.count; i++) {
        out->positive = out->positive && !(self->weights.value[i] < 0);
    }
    vln_err_t err = read_labels(self);
    out->classes = self->classes;
    return err;
}

/* ---- the whole ---- */

static vln_err_t
plant(ensemble_t *self)
{
    vln_forest_t *forest = &self->graph->out->forest;
    vln_err_t err = VLN_OK;
    for (size_t i = 0; err == VLN_OK && i < self->trees; i++) {
        size_t count = self->begins[i + 1] - self->begins[i];
        err = vln_forest_add(forest, self->branches + self->begins[i], count, self->group[i],
                             self->graph->why);
    }
    return err;
}

static vln_err_t
read_all(ensemble_t *self, bool is_classifier, size_t features)
{
    if (!(is_classifier ? vln_attributes_known(self->node, classifier_attributes,
                                               VLN_COUNT(classifier_attributes))
                        : vln_attributes_known(self->node, regressor_attributes,
                                               VLN_COUNT(regressor_attributes)))) {
        return uncovered(self, "its trees have attributes that are not covered");
    }
    if (!read_nodes(self) || !read_weights(self, is_classifier) || !find_trees(self)) {
        return uncovered(self, "its trees' lists differ in length, or are not in order");
    }
    vln_err_t err = is_classifier ? read_classifier(self) : read_regressor(self);
    if (err == VLN_OK && !read_bases(self)) {
        err = uncovered(self, "its base values are not one for each class");
    }
    if (err == VLN_OK) {
        err = put_branches(self);
    }
    /* Of two classes only the first is weighed: see vln_native_finish.c. */
    size_t groups = is_classifier && self->classes == 2 ? 1 : self->classes;
    if (err == VLN_OK) {
        vln_forest_begin(&self->graph->out->forest, features, groups);
        err = put_weights(self, groups);
    }
    return err == VLN_OK ? plant(self) : err;
}

vln_err_t
vln_native_read_trees(vln_graph_t *graph, const vln_graph_node_t *node, bool is_classifier,
                      size_t features)
{
    ensemble_t self = {.graph = graph, .node = node->message};
    vln_err_t err = read_all(&self, is_classifier, features);
    free(self.nodes.tree);
    free(self.nodes.id);
    free(self.nodes.feature);
    free(self.nodes.yes);
    free(self.nodes.no);
    free(self.nodes.missing);
    free(self.nodes.value);
    free(self.nodes.mode);
    free(self.weights.tree);
    free(self.weights.node);
    free(self.weights.class);
    free(self.weights.value);
    free(self.begins);
    free(self.branches);
    free(self.held);
    free(self.group);
    return err;
}
