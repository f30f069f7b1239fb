#include "vln_recipe.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_text.h"

enum {
    FOREST = 1u << VLN_RECIPE_RANDOM_FOREST,
    BOOST = 1u << VLN_RECIPE_GRADIENT_BOOSTING,
    NET = 1u << VLN_RECIPE_ELASTIC_NET
};

/* What may be set, and within which bounds. `trees` and `rounds` are not the library's. */
typedef struct knob {
    const char *name;
    const char *library; /* NULL: words, see `words` */
    unsigned algorithms;
    bool whole;
    double low;
    double high;
} knob_t;

/* clang-format off */
static const knob_t knobs[] = {
    /* name                library                 algorithms      whole  low    high */
    {"n_estimators",       "n_estimators",         FOREST | BOOST, true,  1,     10000},
    {"rounds",             "rounds",               BOOST | NET,    true,  1,     10000},
    {"max_depth",          "max_depth",            FOREST | BOOST, true,  1,     32},
    {"learning_rate",      "learning_rate",        BOOST | NET,    false, 1e-6,  1},
    {"eta",                "learning_rate",        BOOST | NET,    false, 1e-6,  1},
    {"subsample",          "subsample",            FOREST | BOOST, false, 0.01,  1},
    {"colsample_bytree",   "colsample_bytree",     FOREST | BOOST, false, 0.01,  1},
    {"colsample_bylevel",  "colsample_bylevel",    FOREST | BOOST, false, 0.01,  1},
    {"colsample_bynode",   "colsample_bynode",     FOREST | BOOST, false, 0.01,  1},
    {"min_child_weight",   "min_child_weight",     FOREST | BOOST, false, 0,     1e9},
    {"gamma",              "gamma",                FOREST | BOOST, false, 0,     1e9},
    {"min_split_loss",     "gamma",                FOREST | BOOST, false, 0,     1e9},
    {"max_leaves",         "max_leaves",           FOREST | BOOST, true,  0,     65536},
    {"max_bin",            "max_bin",              FOREST | BOOST, true,  2,     65536},
    {"max_delta_step",     "max_delta_step",       FOREST | BOOST, false, 0,     1e9},
    {"scale_pos_weight",   "scale_pos_weight",     FOREST | BOOST, false, 1e-6,  1e6},
    {"lambda",             "reg_lambda",           FOREST | BOOST | NET, false, 0, 1e9},
    {"reg_lambda",         "reg_lambda",           FOREST | BOOST | NET, false, 0, 1e9},
    {"alpha",              "reg_alpha",            FOREST | BOOST | NET, false, 0, 1e9},
    {"reg_alpha",          "reg_alpha",            FOREST | BOOST | NET, false, 0, 1e9},
};

static const struct {
    const char *name;
    uint32_t rounds;
    bool stops_early;
    const char *defaults; /* "name=value,…" */
} algorithms[VLN_RECIPE_ALGORITHMS] = {
    [VLN_RECIPE_GRADIENT_BOOSTING] = {"gradient_boosting", 300, true,
        "booster=gbtree,tree_method=hist,max_depth=6,learning_rate=0.1,subsample=0.9,"
        "colsample_bytree=0.9,reg_lambda=1"},
    [VLN_RECIPE_RANDOM_FOREST] = {"random_forest", 1, false,
        "booster=gbtree,tree_method=hist,max_depth=12,learning_rate=1,subsample=0.8,"
        "colsample_bynode=0.8,reg_lambda=0.00001,num_parallel_tree=100"},
    [VLN_RECIPE_ELASTIC_NET] = {"elastic_net", 200, true,
        "booster=gblinear,updater=coord_descent,feature_selector=cyclic,learning_rate=0.5,"
        "reg_lambda=0.001,reg_alpha=0"},
};

static const struct {
    const char *objective;
    const char *metric;
} tasks[] = {
    [VLN_RECIPE_REGRESSION] = {"reg:squarederror", "rmse"},
    [VLN_RECIPE_BINARY]     = {"binary:logistic",  "logloss"},
    [VLN_RECIPE_MULTICLASS] = {"multi:softprob",   "mlogloss"},
};
/* clang-format on */

const char *
vln_recipe_name(vln_recipe_algorithm_t algorithm)
{
    return algorithms[algorithm].name;
}

static void
put(vln_recipe_t *self, const char *name, const char *value)
{
    size_t at = 0;
    while (at < self->count && strcmp(self->parameters[at].name, name) != 0) {
        at++;
    }
    vln_assert(at < VLN_RECIPE_PARAMETERS_MAX);
    self->count = at == self->count ? at + 1 : self->count;
    vln_text_copy(self->parameters[at].name, VLN_RECIPE_TEXT, name);
    vln_text_copy(self->parameters[at].value, VLN_RECIPE_TEXT, value);
}

static void
put_whole(vln_recipe_t *self, const char *name, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%llu", (unsigned long long)value);
    put(self, name, text);
}

void
vln_recipe_begin(vln_recipe_t *self, const vln_recipe_terms_t *terms)
{
    char pair[2 * VLN_RECIPE_TEXT];
    const char *rest = algorithms[terms->algorithm].defaults;
    *self = (vln_recipe_t){.rounds = algorithms[terms->algorithm].rounds,
                           .stops_early = algorithms[terms->algorithm].stops_early,
                           .metric = tasks[terms->task].metric};
    put(self, "verbosity", "0");
    put_whole(self, "nthread", terms->threads);
    put_whole(self, "seed", terms->seed & INT32_MAX);
    put(self, "objective", tasks[terms->task].objective);
    put(self, "eval_metric", tasks[terms->task].metric);
    if (terms->task == VLN_RECIPE_MULTICLASS) {
        put_whole(self, "num_class", terms->classes);
    }
    while (vln_text_next(&rest, ',', pair, sizeof pair)) {
        char *equals = strchr(pair, '=');
        *equals = '\0';
        put(self, pair, equals + 1);
    }
}

/* ---- what users set ---- */

static const knob_t *
find_knob(vln_recipe_algorithm_t algorithm, const char *name)
{
    for (size_t i = 0; i < VLN_COUNT(knobs); i++) {
        if ((knobs[i].algorithms & (1u << algorithm)) && strcmp(knobs[i].name, name) == 0) {
            return &knobs[i];
        }
    }
    return NULL;
}

bool
vln_recipe_knows(vln_recipe_algorithm_t algorithm, const char *name)
{
    return find_knob(algorithm, name) != NULL;
}

static bool
refuse_name(vln_recipe_algorithm_t algorithm, const char *name, char why[VLN_RECIPE_WHY])
{
    int len = snprintf(why, VLN_RECIPE_WHY, "%.40s has no hyperparameter '%.40s'; there are",
                       algorithms[algorithm].name, name);
    for (size_t i = 0; i < VLN_COUNT(knobs) && len > 0 && len < VLN_RECIPE_WHY; i++) {
        if (knobs[i].algorithms & (1u << algorithm)) {
            len += snprintf(why + len, (size_t)(VLN_RECIPE_WHY - len), " %s", knobs[i].name);
        }
    }
    return false;
}

static bool
read_number(const knob_t *knob, const char *text, double *out)
{
    char *end = NULL;
    *out = strtod(text, &end);
    return text[0] != '\0' && *end == '\0' && isfinite(*out) && *out >= knob->low &&
           *out <= knob->high && (!knob->whole || *out == floor(*out));
}

bool
vln_recipe_set(vln_recipe_t *self, vln_recipe_algorithm_t algorithm, const char *name,
               const char *value, char why[VLN_RECIPE_WHY])
{
    const knob_t *knob = find_knob(algorithm, name);
    double number = 0;
    if (!knob) {
        return refuse_name(algorithm, name, why);
    }
    if (!value || !read_number(knob, value, &number)) {
        snprintf(why, VLN_RECIPE_WHY, "%s is %s from %g to %g; '%.40s' is not", name,
                 knob->whole ? "a whole number" : "a number", knob->low, knob->high,
                 value ? value : "");
        return false;
    }
    bool trees = strcmp(knob->library, "n_estimators") == 0;
    if (trees && algorithm == VLN_RECIPE_RANDOM_FOREST) {
        put_whole(self, "num_parallel_tree", (uint64_t)number);
    } else if (trees || strcmp(knob->library, "rounds") == 0) {
        self->rounds = (uint32_t)number;
    } else {
        char text[VLN_RECIPE_TEXT];
        snprintf(text, sizeof text, "%.17g", number);
        put(self, knob->library, text);
    }
    return true;
}

/* ---- what was recorded ---- */

bool
vln_recipe_find(const char *name, vln_recipe_algorithm_t *out)
{
    for (size_t i = 0; i < VLN_RECIPE_ALGORITHMS; i++) {
        if (strcmp(algorithms[i].name, name) == 0) {
            *out = (vln_recipe_algorithm_t)i;
            return true;
        }
    }
    return false;
}

static bool
is_default(const vln_recipe_t *self, const char *name, const char *value)
{
    for (size_t i = 0; i < self->count; i++) {
        if (strcmp(self->parameters[i].name, name) == 0) {
            return strcmp(self->parameters[i].value, value) == 0;
        }
    }
    return false;
}

static bool
recall_seed(vln_recipe_t *self, const char *value)
{
    int64_t seed = 0;
    bool good = vln_text_to_i64(value, 0, INT32_MAX, &seed);
    if (good) {
        put_whole(self, "seed", (uint64_t)seed);
    }
    return good;
}

bool
vln_recipe_recall(vln_recipe_t *self, vln_recipe_algorithm_t algorithm, const char *name,
                  const char *value, char why[VLN_RECIPE_WHY])
{
    if (find_knob(algorithm, name)) {
        return vln_recipe_set(self, algorithm, name, value, why);
    }
    if (strcmp(name, "num_parallel_tree") == 0 && algorithm == VLN_RECIPE_RANDOM_FOREST) {
        return vln_recipe_set(self, algorithm, "n_estimators", value, why);
    }
    bool forest_rounds = strcmp(name, "rounds") == 0 && strcmp(value, "1") == 0;
    bool good =
        forest_rounds || strcmp(name, "nthread") == 0 ||
        (strcmp(name, "seed") == 0 ? recall_seed(self, value) : is_default(self, name, value));
    if (!good) {
        snprintf(why, VLN_RECIPE_WHY, "%s is not fitted with '%.40s' = '%.40s' here",
                 algorithms[algorithm].name, name, value);
    }
    return good;
}
