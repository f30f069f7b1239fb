/*
 * An XGBoost file of booster `gbtree`, read for its weights. vln_xgboost.c has read it before for what
 * it is; this takes no word for it and checks again what it relies on. A tree or a term that is not
 * known here leaves the file to the library.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_model_inside.h"
#include "vln_native_inside.h"
#include "vln_token.h"

enum { DIGITS = 9, TEXT_MAX = 48 };

/* ---- where in the file ---- */

typedef enum place {
    P_SKIP,
    P_ROOT,
    P_LEARNER,
    P_BOOSTER,
    P_MODEL,
    P_TREES,
    P_TREE,
    P_TREE_PARAM,
    P_LEARNER_PARAM,
    P_LEFT, /* from here on: lists of numbers that are kept */
    P_RIGHT,
    P_SPLITS,
    P_DEFAULTS,
    P_TYPES,
    P_CATEGORIES,
    P_CONDITIONS,
    P_GROUPS,
    P_ROUNDS,
    P_BASE_SCORE, /* and from here on not */
    P_NUM_CLASS,
    P_NUM_TARGET,
    P_LEAF_SIZE,
} place_t;

/* clang-format off */
/* Which name in which object leads where. */
static const struct way {
    place_t in;
    const char *name;
    place_t to;
} ways[] = {
    {P_ROOT,          "learner",             P_LEARNER},
    {P_LEARNER,       "gradient_booster",    P_BOOSTER},
    {P_LEARNER,       "learner_model_param", P_LEARNER_PARAM},
    {P_BOOSTER,       "model",               P_MODEL},
    {P_MODEL,         "trees",               P_TREES},
    {P_MODEL,         "tree_info",           P_GROUPS},
    {P_MODEL,         "iteration_indptr",    P_ROUNDS},
    {P_TREE,          "tree_param",          P_TREE_PARAM},
    {P_TREE,          "left_children",       P_LEFT},
    {P_TREE,          "right_children",      P_RIGHT},
    {P_TREE,          "split_indices",       P_SPLITS},
    {P_TREE,          "split_conditions",    P_CONDITIONS},
    {P_TREE,          "default_left",        P_DEFAULTS},
    {P_TREE,          "split_type",          P_TYPES},
    {P_TREE,          "categories_nodes",    P_CATEGORIES},
    {P_TREE_PARAM,    "size_leaf_vector",    P_LEAF_SIZE},
    {P_LEARNER_PARAM, "base_score",          P_BASE_SCORE},
    {P_LEARNER_PARAM, "num_class",           P_NUM_CLASS},
    {P_LEARNER_PARAM, "num_target",          P_NUM_TARGET},
};

/* What the objectives make of a sum, and of the base score before it is one. */
static const struct objective {
    const char *name;
    vln_transform_t transform;
    enum { BASE_AS_IS, BASE_LOGIT, BASE_LOG } base;
} objectives[] = {
    {"reg:squarederror",     VLN_TRANSFORM_NONE,     BASE_AS_IS},
    {"reg:squaredlogerror",  VLN_TRANSFORM_NONE,     BASE_AS_IS},
    {"reg:absoluteerror",    VLN_TRANSFORM_NONE,     BASE_AS_IS},
    {"reg:pseudohubererror", VLN_TRANSFORM_NONE,     BASE_AS_IS},
    {"reg:logistic",         VLN_TRANSFORM_LOGISTIC, BASE_LOGIT},
    {"binary:logistic",      VLN_TRANSFORM_LOGISTIC, BASE_LOGIT},
    {"binary:logitraw",      VLN_TRANSFORM_NONE,     BASE_AS_IS},
    {"binary:hinge",         VLN_TRANSFORM_HINGE,    BASE_AS_IS},
    {"count:poisson",        VLN_TRANSFORM_EXP,      BASE_LOG},
    {"reg:gamma",            VLN_TRANSFORM_EXP,      BASE_LOG},
    {"reg:tweedie",          VLN_TRANSFORM_EXP,      BASE_LOG},
    {"multi:softprob",       VLN_TRANSFORM_SOFTMAX,  BASE_AS_IS},
    {"multi:softmax",        VLN_TRANSFORM_CLASS,    BASE_AS_IS},
};
/* clang-format on */

/* ---- what is kept ---- */

/* Whole numbers, or with CONDITIONS others. */
typedef struct list {
    union {
        int32_t *whole;
        float *number;
        void *items;
    };
    size_t count;
} list_t;

/* Where a tree's branches lie among all. */
typedef struct span {
    size_t first;
    size_t count;
} span_t;

typedef struct reader {
    vln_native_t *out;
    const vln_model_t *about;
    char *why;
    vln_token_reader_t tokens;
    place_t places[VLN_TOKEN_DEPTH + 1];
    uint32_t seen[VLN_TOKEN_DEPTH + 1];
    place_t next;
    size_t depth;
    list_t lists[P_BASE_SCORE - P_LEFT];
    vln_branch_t *branches; /* of all trees: their groups come behind them */
    size_t branch_count;
    size_t branch_room;
    span_t *trees;
    size_t tree_count;
    float base;
    bool has_base;
    bool has_rounds;
    size_t classes;
    size_t targets;
} reader_t;

static vln_err_t
uncovered(reader_t *self, const char *what)
{
    return vln_native_uncovered(self->why, "%s", what);
}

static list_t *
list_of(reader_t *self, place_t place)
{
    return &self->lists[place - P_LEFT];
}

/* ---- numbers ---- */

static bool
is_number_text(const char *text, size_t *digits)
{
    bool in_mantissa = true;
    *digits = 0;
    for (; *text; text++) {
        bool is_digit = *text >= '0' && *text <= '9';
        in_mantissa = in_mantissa && *text != 'e' && *text != 'E';
        *digits += is_digit && in_mantissa;
        if (!is_digit && !strchr("+-.eE", *text)) {
            return false;
        }
    }
    return *digits > 0;
}

/* As the library rounds it: to the nearest float32 at once. */
static bool
read_text(const uint8_t *text, size_t size, size_t digits_max, float *out)
{
    char copy[TEXT_MAX];
    char *end = NULL;
    size_t digits = 0;
    if (size == 0 || size >= sizeof copy) {
        return false;
    }
    memcpy(copy, text, size);
    copy[size] = '\0';
    if (!is_number_text(copy, &digits) || digits > digits_max) {
        return false;
    }
    *out = strtof(copy, &end);
    return *end == '\0' && isfinite(*out);
}

static bool
read_float(const reader_t *self, const vln_token_t *token, float *out)
{
    if (token->kind != VLN_TOKEN_NUMBER) {
        return false;
    }
    if (token->is_whole) {
        *out = (float)token->whole;
        return true;
    }
    if (!self->tokens.is_ubj) {
        return read_text(token->text, token->size, TEXT_MAX, out);
    }
    if (token->size != sizeof *out) {
        return false;
    }
    uint32_t bits = 0;
    for (size_t i = 0; i < sizeof bits; i++) {
        bits = bits << 8 | token->text[i];
    }
    memcpy(out, &bits, sizeof bits);
    return isfinite(*out);
}

static bool
read_whole(const vln_token_t *token, int32_t *out)
{
    if (token->kind == VLN_TOKEN_TRUE || token->kind == VLN_TOKEN_FALSE) {
        *out = token->kind == VLN_TOKEN_TRUE;
        return true;
    }
    bool good = token->kind == VLN_TOKEN_NUMBER && token->is_whole && token->whole >= INT32_MIN &&
                token->whole <= INT32_MAX;
    *out = good ? (int32_t)token->whole : 0;
    return good;
}

/* A count, which stands as a text. */
static bool
read_count(const vln_token_t *token, size_t *out)
{
    *out = 0;
    if (token->kind != VLN_TOKEN_TEXT || token->size == 0 || token->size > 6) {
        return false;
    }
    for (size_t i = 0; i < token->size; i++) {
        if (token->text[i] < '0' || token->text[i] > '9') {
            return false;
        }
        *out = *out * 10 + (size_t)(token->text[i] - '0');
    }
    return true;
}

/* ---- values ---- */

static vln_err_t
on_item(reader_t *self, place_t place, const vln_token_t *token)
{
    list_t *list = list_of(self, place);
    float number = 0;
    int32_t whole = 0;
    bool good =
        place == P_CONDITIONS ? read_float(self, token, &number) : read_whole(token, &whole);
    if (!good || list->count == VLN_MODEL_MAX_TREE_NODES) {
        return uncovered(self, "a tree holds what is no number, or no finite one");
    }
    list->items = vln_model_grow(list->items, list->count, sizeof(int32_t));
    if (place == P_CONDITIONS) {
        list->number[list->count++] = number;
    } else {
        list->whole[list->count++] = whole;
    }
    return VLN_OK;
}

static vln_err_t
on_scalar(reader_t *self, place_t place, const vln_token_t *token)
{
    size_t count = 0;
    bool good = true;
    switch (place) {
    case P_BASE_SCORE:
        self->has_base = token->kind == VLN_TOKEN_TEXT && !token->is_escaped &&
                         read_text(token->text, token->size, DIGITS, &self->base);
        good = self->has_base;
        break;
    case P_NUM_CLASS:
        good = read_count(token, &self->classes);
        break;
    case P_NUM_TARGET:
        good = read_count(token, &self->targets);
        break;
    case P_LEAF_SIZE:
        good = read_count(token, &count) && count <= 1;
        break;
    case P_SKIP:
        break;
    default: /* a number where a list or an object belongs */
        good = false;
        break;
    }
    return good ? VLN_OK : uncovered(self, "its parameters are not of the usual form");
}

/* ---- trees ---- */

static vln_err_t
check_lists(reader_t *self)
{
    size_t count = list_of(self, P_LEFT)->count;
    const list_t *types = list_of(self, P_TYPES);
    for (place_t place = P_RIGHT; place <= P_CONDITIONS; place++) {
        bool may_be_none = place == P_TYPES || place == P_CATEGORIES;
        size_t held = list_of(self, place)->count;
        if (held != count && !(may_be_none && held == 0)) {
            return uncovered(self, place == P_CATEGORIES ? "a tree splits by categories"
                                                         : "a tree's lists differ in length");
        }
    }
    for (size_t i = 0; i < types->count; i++) {
        if (types->whole[i] != 0) {
            return uncovered(self, "a tree splits by categories");
        }
    }
    return list_of(self, P_CATEGORIES)->count == 0 ? VLN_OK
                                                   : uncovered(self, "a tree splits by categories");
}

static void
make_room(reader_t *self, size_t more)
{
    if (self->branch_count + more > self->branch_room) {
        self->branch_room = 2 * (self->branch_count + more);
        self->branches = vln_realloc(self->branches, self->branch_room * sizeof *self->branches);
    }
}

static vln_err_t
put_branch(reader_t *self, size_t i)
{
    int32_t left = list_of(self, P_LEFT)->whole[i];
    int32_t right = list_of(self, P_RIGHT)->whole[i];
    int32_t feature = list_of(self, P_SPLITS)->whole[i];
    int32_t to_left = list_of(self, P_DEFAULTS)->whole[i];
    float condition = list_of(self, P_CONDITIONS)->number[i];
    vln_branch_t *branch = &self->branches[self->branch_count++];
    *branch = (vln_branch_t){.yes = -1, .no = -1, .value = condition};
    if (left == -1 && right == -1) {
        return VLN_OK;
    }
    if (left < 0 || right < 0 || feature < 0 || (to_left != 0 && to_left != 1)) {
        return uncovered(self, "a tree's node has a child or a feature that is none");
    }
    branch->yes = left;
    branch->no = right;
    branch->feature = (uint32_t)feature;
    branch->threshold = vln_forest_below(condition);
    branch->missing_yes = to_left == 1;
    return VLN_OK;
}

static vln_err_t
end_tree(reader_t *self)
{
    size_t count = list_of(self, P_LEFT)->count;
    vln_err_t err = check_lists(self);
    if (err != VLN_OK) {
        return err;
    }
    if (self->tree_count == VLN_MODEL_MAX_TREES ||
        self->branch_count + count > VLN_NATIVE_MAX_NODES) {
        return uncovered(self, "it has too many trees or nodes");
    }
    make_room(self, count);
    self->trees = vln_model_grow(self->trees, self->tree_count, sizeof *self->trees);
    self->trees[self->tree_count++] = (span_t){.first = self->branch_count, .count = count};
    for (size_t i = 0; err == VLN_OK && i < count; i++) {
        err = put_branch(self, i);
    }
    return err;
}

static void
begin_tree(reader_t *self)
{
    for (place_t place = P_LEFT; place <= P_CONDITIONS; place++) {
        list_of(self, place)->count = 0;
    }
}

/* ---- the walk through the file ---- */

static bool
is_list(place_t place)
{
    return place >= P_LEFT && place < P_BASE_SCORE;
}

static vln_err_t
on_key(reader_t *self, const vln_token_t *token)
{
    place_t in = self->places[self->depth];
    self->next = P_SKIP;
    for (size_t i = 0; in != P_SKIP && i < VLN_COUNT(ways); i++) {
        if (ways[i].in == in && strlen(ways[i].name) == token->size &&
            memcmp(ways[i].name, token->text, token->size) == 0) {
            uint32_t bit = (uint32_t)1 << ways[i].to;
            if (self->seen[self->depth] & bit) {
                return uncovered(self, "a name stands twice in an object");
            }
            self->seen[self->depth] |= bit;
            self->next = ways[i].to;
        }
    }
    return token->is_escaped && in != P_SKIP ? uncovered(self, "a name is written with escapes")
                                             : VLN_OK;
}

static vln_err_t
on_open(reader_t *self, bool is_object)
{
    place_t in = self->places[self->depth];
    place_t place = self->next;
    self->next = P_SKIP;
    if (self->depth == 0) {
        place = is_object ? P_ROOT : P_SKIP;
    } else if (in == P_TREES && is_object) {
        place = P_TREE;
        begin_tree(self);
    } else if (in == P_TREES || is_list(in)) {
        return uncovered(self, "a list holds what is no number");
    }
    bool wants_list = is_list(place) || place == P_TREES;
    if (place != P_SKIP && (place >= P_BASE_SCORE || wants_list == is_object)) {
        return uncovered(self, "a value is not of the usual form");
    }
    self->has_rounds = self->has_rounds || place == P_ROUNDS;
    self->places[++self->depth] = place;
    self->seen[self->depth] = 0;
    if (place == P_SKIP && !is_object) {
        vln_token_skip_numbers(&self->tokens);
    }
    return VLN_OK;
}

static vln_err_t
on_value(reader_t *self, const vln_token_t *token)
{
    place_t in = self->places[self->depth];
    place_t place = self->next;
    self->next = P_SKIP;
    if (is_list(in)) {
        return on_item(self, in, token);
    }
    return in == P_TREES ? uncovered(self, "a tree is none") : on_scalar(self, place, token);
}

static vln_err_t
on_token(reader_t *self, const vln_token_t *token)
{
    switch (token->kind) {
    case VLN_TOKEN_ERROR:
        return uncovered(self, "it is cut off or damaged");
    case VLN_TOKEN_KEY:
        return on_key(self, token);
    case VLN_TOKEN_OBJECT:
    case VLN_TOKEN_ARRAY:
        return on_open(self, token->kind == VLN_TOKEN_OBJECT);
    case VLN_TOKEN_OBJECT_END:
    case VLN_TOKEN_ARRAY_END:
        return self->places[self->depth--] == P_TREE ? end_tree(self) : VLN_OK;
    default:
        return on_value(self, token);
    }
}

static vln_err_t
walk(reader_t *self)
{
    vln_err_t err = VLN_OK;
    vln_token_t token = {0};
    while (err == VLN_OK && token.kind != VLN_TOKEN_END) {
        token = vln_token_next(&self->tokens);
        err = token.kind == VLN_TOKEN_END ? VLN_OK : on_token(self, &token);
    }
    return err;
}

/* ---- the whole ---- */

static const struct objective *
objective_of(const vln_model_t *about)
{
    for (size_t i = 0; i < VLN_COUNT(objectives); i++) {
        if (strcmp(objectives[i].name, about->objective) == 0) {
            return &objectives[i];
        }
    }
    return NULL;
}

/* In float32, as the library does it. */
static vln_err_t
set_start(reader_t *self, const struct objective *objective)
{
    float base = self->base;
    if (objective->base == BASE_AS_IS) {
        self->out->start = base;
        return VLN_OK;
    }
    bool good = objective->base == BASE_LOG ? base > 0 : base > 0 && base < 1;
    self->out->start = !good                         ? 0
                       : objective->base == BASE_LOG ? logf(base)
                                                     : -logf(1.0f / base - 1.0f);
    return good && isfinite(self->out->start)
               ? VLN_OK
               : uncovered(self, "its base score is none of its objective's");
}

static vln_err_t
set_terms(reader_t *self)
{
    const vln_model_t *about = self->about;
    const struct objective *objective = objective_of(about);
    vln_native_t *out = self->out;
    if (!objective || !self->has_base) {
        return vln_native_uncovered(self->why, "objective %s, or its base score, is not known",
                                    about->objective);
    }
    bool of_classes = about->task == VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS;
    size_t groups = of_classes ? self->classes : 1;
    if (self->targets > 1 || groups == 0 || groups > VLN_MODEL_MAX_CLASSES ||
        (of_classes ? self->classes < 2 : self->classes > 0)) {
        return uncovered(self, "it has several targets, or not the classes of its objective");
    }
    out->finish = VLN_FINISH_XGBOOST;
    out->transform = objective->transform;
    vln_forest_begin(&out->forest, about->feature_count, groups);
    return set_start(self, objective);
}

/* The library counts rounds by this list, and takes no more trees than it says. */
static bool
rounds_hold_all(const reader_t *self)
{
    const list_t *rounds = &self->lists[P_ROUNDS - P_LEFT];
    bool rises = true;
    for (size_t i = 1; i < rounds->count; i++) {
        rises = rises && rounds->whole[i - 1] <= rounds->whole[i];
    }
    return !self->has_rounds || (rounds->count > 0 && rises && rounds->whole[0] == 0 &&
                                 rounds->whole[rounds->count - 1] == (int64_t)self->tree_count);
}

static vln_err_t
plant(reader_t *self)
{
    const list_t *groups = list_of(self, P_GROUPS);
    vln_err_t err = VLN_OK;
    if (groups->count != self->tree_count || self->tree_count == 0 || !rounds_hold_all(self)) {
        return uncovered(self, "it has no trees, or others than it counts");
    }
    for (size_t i = 0; err == VLN_OK && i < self->tree_count; i++) {
        const span_t *tree = &self->trees[i];
        if (groups->whole[i] < 0 || (size_t)groups->whole[i] >= self->out->forest.groups) {
            return uncovered(self, "a tree is of a class that is none");
        }
        err = vln_forest_add(&self->out->forest, self->branches + tree->first, tree->count,
                             (size_t)groups->whole[i], self->why);
    }
    return err;
}

/* The program is one step: features in, what the objective makes of the sums out. */
static vln_err_t
make_program(reader_t *self)
{
    vln_native_t *out = self->out;
    size_t features = self->about->feature_count;
    out->numbers = out->columns = features;
    out->has_forest = true;
    out->width = out->transform == VLN_TRANSFORM_CLASS ? 1 : out->forest.groups;
    vln_step_t *step = vln_native_step(out, VLN_STEP_FOREST, out->width);
    if (!step || out->width != self->about->width) {
        return uncovered(self, "it gives another number of columns than it states");
    }
    step->from = vln_calloc(features + 1, sizeof *step->from);
    step->count = features;
    for (size_t i = 0; i < features; i++) {
        step->from[i] = (uint32_t)i;
    }
    out->scores = vln_calloc(out->width + 1, sizeof *out->scores);
    for (size_t i = 0; i < out->width; i++) {
        out->scores[i] = step->to + (uint32_t)i;
    }
    return VLN_OK;
}

vln_err_t
vln_native_read_xgboost(vln_native_t *self, vln_span_t file, const vln_model_t *about, char *why)
{
    if (strcmp(about->booster, "gbtree") != 0) {
        return vln_native_uncovered(why, "booster %s is not covered", about->booster);
    }
    reader_t *reader = vln_calloc(1, sizeof *reader);
    reader->out = self;
    reader->about = about;
    reader->why = why;
    vln_token_open(&reader->tokens, file.at, file.size, about->kind == VLN_MODEL_XGBOOST_UBJ);
    vln_err_t err = walk(reader);
    if (err == VLN_OK) {
        err = set_terms(reader);
    }
    if (err == VLN_OK) {
        err = plant(reader);
    }
    if (err == VLN_OK) {
        err = make_program(reader);
    }
    for (size_t i = 0; i < VLN_COUNT(reader->lists); i++) {
        free(reader->lists[i].items);
    }
    free(reader->branches);
    free(reader->trees);
    free(reader);
    return err;
}
