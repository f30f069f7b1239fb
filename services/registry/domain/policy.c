#include "policy.h"

#include <math.h>
#include <string.h>

#include "vln_err.h"
#include "vln_text.h"

enum { CUSTOM_NAME_MAX = 100 };
static const char CUSTOM[] = "check:";
#define LARGEST 1e300 /* finite, and beyond any threshold that means something */

/* clang-format off */
static const policy_parameter_t parameters[] = {
    /* kind           name                             default  lowest     highest   meaning */
    {"performance",   "r2_threshold",                   NAN,     -LARGEST,  1,        "R2 is at least this"},
    {"performance",   "mae_threshold",                  NAN,     0,         LARGEST,  "mean absolute error is at most this"},
    {"performance",   "accuracy_threshold",             NAN,     0,         1,        "accuracy is at least this"},
    {"performance",   "auc_threshold",                  NAN,     0,         1,        "area under the ROC curve is at least this"},
    {"performance",   "rmse_threshold",                 NAN,     0,         LARGEST,  "the root mean squared error is at most this"},
    {"performance",   "mse_threshold",                  NAN,     0,         LARGEST,  "the mean squared error is at most this"},
    {"performance",   "mape_threshold",                 NAN,     0,         LARGEST,  "the mean absolute percentage error is at most this"},
    {"performance",   "median_ae_threshold",            NAN,     0,         LARGEST,  "the median absolute error is at most this"},
    {"performance",   "max_error_threshold",            NAN,     0,         LARGEST,  "the largest error is at most this"},
    {"performance",   "explained_variance_threshold",   NAN,     -LARGEST,  1,        "the explained variance is at least this"},
    {"performance",   "f1_threshold",                   NAN,     0,         1,        "F1 is at least this"},
    {"performance",   "precision_threshold",            NAN,     0,         1,        "precision is at least this"},
    {"performance",   "recall_threshold",               NAN,     0,         1,        "recall is at least this"},
    {"performance",   "macro_f1_threshold",             NAN,     0,         1,        "the mean F1 of the classes is at least this"},
    {"performance",   "weighted_f1_threshold",          NAN,     0,         1,        "the mean F1 of the classes by their rows is at least this"},
    {"performance",   "macro_precision_threshold",      NAN,     0,         1,        "the mean precision of the classes is at least this"},
    {"performance",   "macro_recall_threshold",         NAN,     0,         1,        "the mean recall of the classes is at least this"},
    {"performance",   "balanced_accuracy_threshold",    NAN,     0,         1,        "the balanced accuracy is at least this"},
    {"performance",   "average_precision_threshold",    NAN,     0,         1,        "the average precision is at least this"},
    {"performance",   "roc_auc_ovr_macro_threshold",    NAN,     0,         1,        "the mean area under the ROC curve, each class against the rest is at least this"},
    {"performance",   "roc_auc_ovo_macro_threshold",    NAN,     0,         1,        "the mean area under the ROC curve of pairs of classes is at least this"},
    {"performance",   "mcc_threshold",                  NAN,     -1,        1,        "Matthews' correlation is at least this"},
    {"performance",   "cohen_kappa_threshold",          NAN,     -1,        1,        "Cohen's kappa is at least this"},
    {"performance",   "log_loss_threshold",             NAN,     0,         LARGEST,  "the log loss is at most this"},
    {"performance",   "brier_threshold",                NAN,     0,         2,        "the Brier score is at most this"},
    {"performance",   "ece_threshold",                  NAN,     0,         1,        "the calibration error is at most this"},
    {"data_drift",    "drift_threshold",                0.05,    0,         1,        "alpha: a column has drifted when p is below"},
    {"data_drift",    "effect_threshold",               0.1,     0,         LARGEST,  "least effect (PSI, Jensen-Shannon, Wasserstein) that is drift"},
    {"data_drift",    "share_pass",                     0.10,    0,         1,        "PASS up to this share of drifted columns"},
    {"data_drift",    "share_warn",                     0.30,    0,         1,        "WARN up to this share, FAIL above"},
    {"stability",     "cv_threshold",                   0.8,     -LARGEST,  1,        "mean R2 over the folds is at least this"},
    {"stability",     "cov_threshold",                  0.2,     0,         LARGEST,  "WARN when standard deviation / |mean| is above"},
    {"stability",     "folds",                          5,       2,         100,      "folds"},
    {"bias",          "bias_pass",                      0.1,     0,         LARGEST,  "PASS up to this |mean residual| / its standard deviation"},
    {"bias",          "bias_warn",                      0.2,     0,         LARGEST,  "WARN up to this, FAIL above"},
    {"importance",    "share_max",                      1,       0,         1,        "WARN when one column carries a larger share of all that permuting costs"},
    {"budget",        "size_bytes",                     NAN,     0,         LARGEST,  "the model's files have at most so many bytes"},
    {"budget",        "ms_per_1000_rows",               NAN,     0,         LARGEST,  "1,000 rows are answered in at most so many milliseconds"},
    {"data_quality",  "missing_threshold",              0.05,    0,         1,        "an issue: a larger share of cells is missing"},
    {"data_quality",  "outlier_threshold",              0.10,    0,         LARGEST,  "an issue: more outlier cells for each row"},
    {"data_quality",  "duplicate_threshold",            0.01,    0,         1,        "an issue: a larger share of rows is a repetition"},
    {"data_quality",  "column_missing_threshold",       NAN,     0,         1,        "an issue: a column has a larger share of its cells missing"},
    {"data_quality",  "constant_threshold",             NAN,     0,         LARGEST,  "an issue: more columns have one value alone"},
    {"data_quality",  "mixed_threshold",                NAN,     0,         1,        "an issue: a larger share of cells is not of its column's type"},
    {"data_quality",  "new_category_threshold",         NAN,     0,         1,        "an issue: a larger share of a column's cells are texts that the reference does not have"},
    {"data_quality",  "out_of_range_threshold",         NAN,     0,         1,        "an issue: a larger share of a column's cells is beyond the reference's range"},
};
/* clang-format on */

static const char *const kinds[] = {
    "performance",      "data_drift", "stability", "bias",       "data_quality",
    "metric_threshold", "importance", "budget",    "expression",
};

/* ---- kinds ---- */

const policy_parameter_t *
policy_parameters(size_t *count)
{
    *count = VLN_COUNT(parameters);
    return parameters;
}

const policy_parameter_t *
policy_parameter_find(const char *kind, const char *name)
{
    for (size_t i = 0; i < VLN_COUNT(parameters); i++) {
        if (strcmp(parameters[i].kind, kind) == 0 && strcmp(parameters[i].name, name) == 0) {
            return &parameters[i];
        }
    }
    return NULL;
}

static bool
is_custom(const char *kind)
{
    size_t len = strlen(CUSTOM);
    return strncmp(kind, CUSTOM, len) == 0 && vln_text_is_name(kind + len, CUSTOM_NAME_MAX, "_.-");
}

bool
policy_kind_is_known(const char *kind)
{
    for (size_t i = 0; i < VLN_COUNT(kinds); i++) {
        if (strcmp(kinds[i], kind) == 0) {
            return true;
        }
    }
    return is_custom(kind);
}

bool
policy_kind_is_free(const char *kind)
{
    return strcmp(kind, "expression") == 0 || is_custom(kind);
}

const char *
policy_kind_names(void)
{
    return "performance, data_drift, stability, bias, data_quality, metric_threshold, expression, "
           "check:<name>";
}

/* ---- which is in force ---- */

static bool
is_same(const char *left, const char *right)
{
    return left && right && strcmp(left, right) == 0;
}

bool
policy_applies(const policy_scope_t *scope, const policy_question_t *question)
{
    if ((scope->model && !is_same(scope->model, question->model)) ||
        (scope->task && scope->task != question->task)) {
        return false;
    }
    bool anywhere = !scope->stage && !scope->environment;
    return anywhere || is_same(scope->stage, question->stage) ||
           is_same(scope->environment, question->environment);
}

/* What the scope names, as a number: the higher, the more specific. */
static int
weight_of(const policy_scope_t *scope)
{
    return (scope->model ? 4 : 0) + (scope->stage || scope->environment ? 2 : 0) +
           (scope->task ? 1 : 0);
}

static bool
is_default(const policy_candidate_t *candidate)
{
    return strcmp(candidate->name, "default") == 0;
}

/* True if `left` goes before `right`; no two of different names are alike. */
static bool
goes_before(const policy_candidate_t *left, const policy_candidate_t *right)
{
    int difference = weight_of(&left->scope) - weight_of(&right->scope);
    if (difference != 0) {
        return difference > 0;
    }
    if (left->shipped != right->shipped) {
        return !left->shipped;
    }
    if (is_default(left) != is_default(right)) {
        return is_default(left);
    }
    if (left->since_us != right->since_us) {
        return left->since_us > right->since_us;
    }
    return strcmp(left->name, right->name) < 0;
}

const policy_candidate_t *
policy_choose(const policy_candidate_t *candidates, size_t count, const policy_question_t *question)
{
    const policy_candidate_t *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (policy_applies(&candidates[i].scope, question) &&
            (!best || goes_before(&candidates[i], best))) {
            best = &candidates[i];
        }
    }
    return best;
}

const char *
policy_scope_text(const policy_scope_t *scope)
{
    static const char *const texts[] = {
        "all models",
        "the task",
        "the stage or environment",
        "the stage or environment and the task",
        "the model",
        "the model and the task",
        "the model and the stage or environment",
        "the model, the stage or environment, and the task",
    };
    return texts[weight_of(scope)];
}
