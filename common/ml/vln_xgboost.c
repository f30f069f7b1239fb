/*
 * An XGBoost file is one JSON or UBJSON object. Its tokens are read once; a table says which name
 * within which object is of interest, all else is stepped over. The library follows children and
 * features of its trees without a look, so each tree is walked here: a child that is not there, a
 * node that is reached twice or a feature beyond the row is refused.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model_inside.h"
#include "vln_text.h"
#include "vln_token.h"

enum { SCALAR_MAX = 1024 };

/* ---- where in the file ---- */

typedef enum place {
    P_SKIP,
    P_ROOT,
    P_LEARNER,
    P_NAMES,
    P_BOOSTER,
    P_BOOSTER_NAME,
    P_INNER, /* the trees of dart */
    P_MODEL,
    P_MODEL_PARAM,
    P_NUM_TREES,
    P_TREES,
    P_TREE,
    P_TREE_PARAM,
    P_NUM_NODES,
    P_LEFT,
    P_RIGHT,
    P_SPLITS,
    P_LEARNER_PARAM,
    P_BASE_SCORE,
    P_NUM_CLASS,
    P_NUM_FEATURE,
    P_NUM_TARGET,
    P_OBJECTIVE,
    P_OBJECTIVE_NAME,
    P_COUNT,
} place_t;

/* clang-format off */
/* Which name in which object leads where, and what must stand there. */
static const struct way {
    place_t in;
    const char *name;
    place_t to;
    vln_token_kind_t is; /* OBJECT, ARRAY; TEXT: a text or a number */
} ways[] = {
    {P_ROOT,          "learner",             P_LEARNER,        VLN_TOKEN_OBJECT},
    {P_LEARNER,       "feature_names",       P_NAMES,          VLN_TOKEN_ARRAY},
    {P_LEARNER,       "gradient_booster",    P_BOOSTER,        VLN_TOKEN_OBJECT},
    {P_LEARNER,       "learner_model_param", P_LEARNER_PARAM,  VLN_TOKEN_OBJECT},
    {P_LEARNER,       "objective",           P_OBJECTIVE,      VLN_TOKEN_OBJECT},
    {P_BOOSTER,       "name",                P_BOOSTER_NAME,   VLN_TOKEN_TEXT},
    {P_BOOSTER,       "model",               P_MODEL,          VLN_TOKEN_OBJECT},
    {P_BOOSTER,       "gbtree",              P_INNER,          VLN_TOKEN_OBJECT},
    {P_INNER,         "model",               P_MODEL,          VLN_TOKEN_OBJECT},
    {P_MODEL,         "gbtree_model_param",  P_MODEL_PARAM,    VLN_TOKEN_OBJECT},
    {P_MODEL,         "trees",               P_TREES,          VLN_TOKEN_ARRAY},
    {P_MODEL_PARAM,   "num_trees",           P_NUM_TREES,      VLN_TOKEN_TEXT},
    {P_TREE,          "tree_param",          P_TREE_PARAM,     VLN_TOKEN_OBJECT},
    {P_TREE,          "left_children",       P_LEFT,           VLN_TOKEN_ARRAY},
    {P_TREE,          "right_children",      P_RIGHT,          VLN_TOKEN_ARRAY},
    {P_TREE,          "split_indices",       P_SPLITS,         VLN_TOKEN_ARRAY},
    {P_TREE_PARAM,    "num_nodes",           P_NUM_NODES,      VLN_TOKEN_TEXT},
    {P_LEARNER_PARAM, "base_score",          P_BASE_SCORE,     VLN_TOKEN_TEXT},
    {P_LEARNER_PARAM, "num_class",           P_NUM_CLASS,      VLN_TOKEN_TEXT},
    {P_LEARNER_PARAM, "num_feature",         P_NUM_FEATURE,    VLN_TOKEN_TEXT},
    {P_LEARNER_PARAM, "num_target",          P_NUM_TARGET,     VLN_TOKEN_TEXT},
    {P_OBJECTIVE,     "name",                P_OBJECTIVE_NAME, VLN_TOKEN_TEXT},
};
/* clang-format on */

/* ---- what is kept ---- */

typedef struct numbers {
    int32_t *items; /* malloc's */
    size_t count;
} numbers_t;

typedef struct xgboost {
    vln_arena_t *arena;
    vln_model_t *out;
    char *why;
    vln_token_reader_t reader;
    place_t places[VLN_TOKEN_DEPTH + 1]; /* of each level that is open */
    uint32_t seen[VLN_TOKEN_DEPTH + 1];  /* places seen in it: a name counts once */
    place_t next;                        /* of the value behind the name just read */
    size_t depth;
    numbers_t left;
    numbers_t right;
    numbers_t splits;
    uint8_t *reached; /* of each node of a tree; malloc's, as `open` */
    int32_t *open;
    size_t reached_size;
    int64_t nodes_claimed;
    int64_t trees_claimed;
    int64_t max_split; /* of all trees */
    int64_t features;
    int64_t classes;
    int64_t targets;
    const char **names;
    size_t name_count;
} xgboost_t;

static vln_err_t
broken(xgboost_t *self, const char *what)
{
    return vln_model_refuse(self->why, VLN_INVALID_ARGUMENT, "this is no sound XGBoost file: %s",
                            what);
}

static vln_err_t
too_much(xgboost_t *self, const char *what, size_t limit)
{
    return vln_model_refuse(self->why, VLN_RESOURCE_EXHAUSTED,
                            "the XGBoost file has more than %zu %s", limit, what);
}

/* ---- scalars: texts mostly, also where they are numbers ---- */

static const char *
scalar_text(xgboost_t *self, const vln_token_t *token, char *scratch)
{
    size_t size = vln_token_unescape(token, scratch, SCALAR_MAX);
    vln_span_t span = {.at = (const uint8_t *)scratch, .size = size};
    return size == SIZE_MAX ? NULL : vln_model_text(span, VLN_MODEL_MAX_NAME, self->arena);
}

static vln_err_t
scalar_whole(xgboost_t *self, const vln_token_t *token, int64_t max, int64_t *out)
{
    char scratch[SCALAR_MAX];
    if (token->kind == VLN_TOKEN_NUMBER && token->is_whole) {
        *out = token->whole;
        return *out >= 0 && *out <= max ? VLN_OK : broken(self, "a count is out of bounds");
    }
    if (token->kind != VLN_TOKEN_TEXT ||
        vln_token_unescape(token, scratch, sizeof scratch) == SIZE_MAX ||
        !vln_text_to_i64(scratch, 0, max, out)) {
        return broken(self, "a count is no number, or out of bounds");
    }
    return VLN_OK;
}

/* Only to show: the library reads its own. A list, as newer files have it, is left unread. */
static void
scalar_base(xgboost_t *self, const vln_token_t *token)
{
    char scratch[SCALAR_MAX];
    self->out->base_score = NAN;
    if (token->kind == VLN_TOKEN_TEXT &&
        vln_token_unescape(token, scratch, sizeof scratch) != SIZE_MAX) {
        self->out->base_score = strtod(scratch[0] == '[' ? scratch + 1 : scratch, NULL);
    }
}

static vln_err_t
scalar_name(xgboost_t *self, const vln_token_t *token, const char **out)
{
    char scratch[SCALAR_MAX];
    *out = token->kind == VLN_TOKEN_TEXT ? scalar_text(self, token, scratch) : NULL;
    return *out ? VLN_OK : broken(self, "a name is not 1 to 250 bytes of UTF-8");
}

static vln_err_t
on_scalar(xgboost_t *self, place_t place, const vln_token_t *token)
{
    switch (place) {
    case P_BOOSTER_NAME:
        return scalar_name(self, token, &self->out->booster);
    case P_OBJECTIVE_NAME:
        return scalar_name(self, token, &self->out->objective);
    case P_NUM_TREES:
        return scalar_whole(self, token, VLN_MODEL_MAX_TREES, &self->trees_claimed);
    case P_NUM_NODES:
        return scalar_whole(self, token, VLN_MODEL_MAX_TREE_NODES, &self->nodes_claimed);
    case P_NUM_CLASS:
        return scalar_whole(self, token, VLN_MODEL_MAX_CLASSES, &self->classes);
    case P_NUM_FEATURE:
        return scalar_whole(self, token, VLN_MODEL_MAX_FEATURES, &self->features);
    case P_NUM_TARGET:
        return scalar_whole(self, token, VLN_MODEL_MAX_CLASSES, &self->targets);
    case P_BASE_SCORE:
        scalar_base(self, token);
        return VLN_OK;
    default:
        return VLN_OK;
    }
}

/* ---- items of arrays ---- */

static vln_err_t
add_number(xgboost_t *self, numbers_t *list, const vln_token_t *token)
{
    if (token->kind != VLN_TOKEN_NUMBER || !token->is_whole || token->whole < INT32_MIN ||
        token->whole > INT32_MAX) {
        return broken(self, "a tree's node is no whole number");
    }
    if (list->count == VLN_MODEL_MAX_TREE_NODES) {
        return too_much(self, "nodes in a tree", VLN_MODEL_MAX_TREE_NODES);
    }
    list->items = vln_model_grow(list->items, list->count, sizeof *list->items);
    list->items[list->count++] = (int32_t)token->whole;
    return VLN_OK;
}

static vln_err_t
add_name(xgboost_t *self, const vln_token_t *token)
{
    char scratch[SCALAR_MAX];
    if (self->name_count == VLN_MODEL_MAX_FEATURES) {
        return too_much(self, "features", VLN_MODEL_MAX_FEATURES);
    }
    const char *name = token->kind == VLN_TOKEN_TEXT ? scalar_text(self, token, scratch) : NULL;
    if (!name) {
        return broken(self, "a feature's name is not 1 to 250 bytes of UTF-8");
    }
    self->names = vln_model_grow(self->names, self->name_count, sizeof *self->names);
    self->names[self->name_count++] = name;
    return VLN_OK;
}

static vln_err_t
on_item(xgboost_t *self, place_t array, const vln_token_t *token)
{
    switch (array) {
    case P_NAMES:
        return add_name(self, token);
    case P_LEFT:
        return add_number(self, &self->left, token);
    case P_RIGHT:
        return add_number(self, &self->right, token);
    case P_SPLITS:
        return add_number(self, &self->splits, token);
    case P_TREES:
        return broken(self, "a tree is no object");
    default:
        return VLN_OK;
    }
}

/* ---- trees ---- */

static void
begin_tree(xgboost_t *self)
{
    self->left.count = self->right.count = self->splits.count = 0;
    self->nodes_claimed = -1;
}

/* Put a child on the list of nodes to look at; false if it may not be one. */
static bool
reach(xgboost_t *self, int32_t child, size_t *open)
{
    if (child <= 0 || (size_t)child >= self->left.count || self->reached[child]) {
        return false;
    }
    self->reached[child] = 1;
    self->open[(*open)++] = child;
    return true;
}

static vln_err_t
walk_tree(xgboost_t *self)
{
    size_t open = 0;
    self->open[open++] = 0;
    self->reached[0] = 1;
    while (open > 0) {
        int32_t node = self->open[--open];
        int32_t left = self->left.items[node];
        int32_t right = self->right.items[node];
        if (left == -1 && right == -1) {
            continue;
        }
        if (!reach(self, left, &open) || !reach(self, right, &open)) {
            return broken(self, "a tree's node has a child that is not there, or is another's");
        }
        int32_t split = self->splits.items[node];
        if (split < 0) {
            return broken(self, "a tree splits on a feature below 0");
        }
        self->max_split = split > self->max_split ? split : self->max_split;
    }
    return VLN_OK;
}

static vln_err_t
end_tree(xgboost_t *self)
{
    size_t count = self->left.count;
    if (count == 0 || self->right.count != count || self->splits.count != count ||
        self->nodes_claimed != (int64_t)count) {
        return broken(self, "a tree does not hold the nodes that it claims");
    }
    if (self->out->tree_count == VLN_MODEL_MAX_TREES) {
        return too_much(self, "trees", VLN_MODEL_MAX_TREES);
    }
    self->out->tree_count++;
    self->out->tree_nodes += count;
    if (count > self->reached_size) {
        self->reached = vln_realloc(self->reached, count);
        self->open = vln_realloc(self->open, count * sizeof *self->open);
        self->reached_size = count;
    }
    memset(self->reached, 0, count);
    return walk_tree(self);
}

/* ---- the walk ---- */

static vln_err_t
on_key(xgboost_t *self, const vln_token_t *token)
{
    place_t in = self->places[self->depth];
    self->next = P_SKIP;
    for (size_t i = 0; in != P_SKIP && i < VLN_COUNT(ways); i++) {
        if (ways[i].in == in && strlen(ways[i].name) == token->size &&
            memcmp(ways[i].name, token->text, token->size) == 0) {
            uint32_t bit = (uint32_t)1 << ways[i].to;
            if (self->seen[self->depth] & bit) {
                return broken(self, "a name stands twice in an object");
            }
            self->seen[self->depth] |= bit;
            self->next = ways[i].to;
        }
    }
    /* "\u006cearner" would be another name to this table and the same to the library. */
    return token->is_escaped && in != P_SKIP ? broken(self, "a name is written with escapes")
                                             : VLN_OK;
}

static vln_err_t
check_form(xgboost_t *self, place_t place, vln_token_kind_t kind)
{
    bool is_scalar = kind != VLN_TOKEN_OBJECT && kind != VLN_TOKEN_ARRAY;
    for (size_t i = 0; i < VLN_COUNT(ways); i++) {
        if (ways[i].to == place && ways[i].is != (is_scalar ? VLN_TOKEN_TEXT : kind)) {
            return broken(self, "a value is not of the form that its name asks for");
        }
    }
    return VLN_OK;
}

static bool
is_array(place_t place)
{
    return place == P_NAMES || place == P_LEFT || place == P_RIGHT || place == P_SPLITS ||
           place == P_TREES;
}

static vln_err_t
on_open(xgboost_t *self, vln_token_kind_t kind)
{
    place_t in = self->places[self->depth];
    place_t place = is_array(in) ? P_SKIP : self->next;
    if (self->depth == 0) {
        place = kind == VLN_TOKEN_OBJECT ? P_ROOT : P_SKIP;
    } else if (in == P_TREES && kind == VLN_TOKEN_OBJECT) {
        place = P_TREE;
        begin_tree(self);
    } else if (is_array(in)) {
        return on_item(self, in, &(vln_token_t){.kind = kind});
    }
    self->next = P_SKIP;
    self->places[++self->depth] = place;
    self->seen[self->depth] = 0;
    if (place == P_SKIP && kind == VLN_TOKEN_ARRAY) { /* weights and gains: most of the file */
        vln_token_skip_numbers(&self->reader);
    }
    return check_form(self, place, kind);
}

static vln_err_t
on_close(xgboost_t *self)
{
    place_t place = self->places[self->depth--];
    return place == P_TREE ? end_tree(self) : VLN_OK;
}

static vln_err_t
on_value(xgboost_t *self, const vln_token_t *token)
{
    place_t in = self->places[self->depth];
    if (is_array(in)) {
        return on_item(self, in, token);
    }
    place_t place = self->next;
    self->next = P_SKIP;
    vln_err_t err = check_form(self, place, token->kind);
    return err == VLN_OK ? on_scalar(self, place, token) : err;
}

static vln_err_t
on_token(xgboost_t *self, const vln_token_t *token)
{
    switch (token->kind) {
    case VLN_TOKEN_ERROR:
        return broken(self, self->reader.why);
    case VLN_TOKEN_KEY:
        return on_key(self, token);
    case VLN_TOKEN_OBJECT:
    case VLN_TOKEN_ARRAY:
        return on_open(self, token->kind);
    case VLN_TOKEN_OBJECT_END:
    case VLN_TOKEN_ARRAY_END:
        return on_close(self);
    default:
        return on_value(self, token);
    }
}

static vln_err_t
walk(xgboost_t *self)
{
    vln_err_t err = VLN_OK;
    vln_token_t token = {0};
    while (err == VLN_OK && token.kind != VLN_TOKEN_END) {
        token = vln_token_next(&self->reader);
        err = token.kind == VLN_TOKEN_END ? VLN_OK : on_token(self, &token);
    }
    return err;
}

/* ---- the whole ---- */

static bool
begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

static vln_err_t
check_whole(xgboost_t *self)
{
    const vln_model_t *out = self->out;
    if (!out->booster || !out->objective || self->features <= 0) {
        return broken(self, "it does not say its booster, objective and number of features");
    }
    if (strcmp(out->booster, "gblinear") != 0 && self->trees_claimed != (int64_t)out->tree_count) {
        return broken(self, "it does not hold the trees that it claims");
    }
    if (self->max_split >= self->features) {
        return broken(self, "a tree splits on a feature that the model does not take");
    }
    if (self->name_count > 0 && self->name_count != (size_t)self->features) {
        return broken(self, "it has not as many feature names as features");
    }
    return VLN_OK;
}

static void
set_features(xgboost_t *self)
{
    vln_model_t *out = self->out;
    out->inputs = vln_arena_alloc(self->arena, sizeof *out->inputs);
    out->input_count = 1;
    out->inputs[0] = (vln_tensor_t){
        .name = "features", .type = VLN_TENSOR_FLOAT, .rank = 2, .dims = {-1, self->features}};
    bool fits = vln_model_settle(out, self->arena);
    vln_assert(fits); /* read within 0..VLN_MODEL_MAX_FEATURES */
    for (size_t i = 0; i < out->feature_count; i++) {
        out->features[i].named = self->name_count > 0;
        if (out->feature_count == 1 && self->name_count == 0) {
            out->features[i].name = "features[0]";
        }
        out->features[i].name = self->name_count > 0 ? self->names[i] : out->features[i].name;
    }
}

static void
set_classes(xgboost_t *self, size_t count)
{
    vln_model_t *out = self->out;
    out->class_count = count;
    out->classes = vln_arena_alloc(self->arena, (count + 1) * sizeof *out->classes);
    for (size_t i = 0; i < count; i++) {
        out->classes[i] = vln_arena_printf(self->arena, "%zu", i);
    }
}

static void
set_task(xgboost_t *self)
{
    vln_model_t *out = self->out;
    out->width = self->targets > 1 ? (size_t)self->targets : 1;
    if (begins(out->objective, "binary:")) {
        out->task = VALION__V1__TASK_TYPE__TASK_TYPE_BINARY;
        set_classes(self, 2);
    } else if (begins(out->objective, "multi:")) {
        out->task = VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS;
        set_classes(self, (size_t)self->classes);
        bool labels_only = strcmp(out->objective, "multi:softmax") == 0;
        out->width = labels_only ? 1 : (size_t)self->classes;
    } else if (!begins(out->objective, "rank:")) {
        out->task = VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION;
    }
}

vln_err_t
vln_model_read_xgboost(vln_span_t file, vln_arena_t *arena, vln_model_t *out, char *why)
{
    xgboost_t *self = vln_calloc(1, sizeof *self);
    self->arena = arena;
    self->out = out;
    self->why = why;
    self->max_split = -1;
    self->trees_claimed = -1;
    vln_token_open(&self->reader, file.at, file.size, out->kind == VLN_MODEL_XGBOOST_UBJ);
    vln_err_t err = walk(self);
    if (err == VLN_OK) {
        err = check_whole(self);
    }
    if (err == VLN_OK) {
        set_features(self);
        set_task(self);
    }
    free(self->left.items);
    free(self->right.items);
    free(self->splits.items);
    free(self->reached);
    free(self->open);
    free(self->names);
    free(self);
    return err;
}
