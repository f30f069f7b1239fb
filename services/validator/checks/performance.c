/*
 * performance: the thresholds that the policy gives, on the metrics of the model's task. All of them
 * have to hold.
 */
#include <string.h>

#include "check_say.h"

#define TASK(name) (1U << VALION__V1__TASK_TYPE__TASK_TYPE_##name)
#define REGRESSION TASK(REGRESSION)
#define BINARY     TASK(BINARY)
#define MULTICLASS TASK(MULTICLASS)
#define CLASSES    (BINARY | MULTICLASS)

/* clang-format off */
static const struct gate {
    unsigned tasks;
    const char *threshold;
    const char *metric;
    const char *number; /* as the original calls it */
    const char *text;
    bool greater_is_better;
    bool always; /* told whether or not it is asked for */
} gates[] = {
    /* task       threshold                       metric                number                for people  better  told */
    {REGRESSION, "r2_threshold",                 "r2",                 "r2_score",           "R2", true, true},
    {REGRESSION, "mae_threshold",                "mae",                "mae",                "the mean absolute error", false, true},
    {REGRESSION, "rmse_threshold",               "rmse",               "rmse",               "the root mean squared error", false, true},
    {REGRESSION, "mse_threshold",                "mse",                "mse",                "the mean squared error", false, false},
    {REGRESSION, "mape_threshold",               "mape",               "mape",               "the mean absolute percentage error", false, false},
    {REGRESSION, "median_ae_threshold",          "median_ae",          "median_ae",          "the median absolute error", false, false},
    {REGRESSION, "max_error_threshold",          "max_error",          "max_error",          "the largest error", false, false},
    {REGRESSION, "explained_variance_threshold", "explained_variance", "explained_variance", "the explained variance", true, false},
    {BINARY,     "auc_threshold",                "roc_auc",            "roc_auc",            "the area under the ROC curve", true, true},
    {CLASSES,    "accuracy_threshold",           "accuracy",           "accuracy",           "accuracy", true, true},
    {BINARY,     "f1_threshold",                 "f1",                 "f1",                 "F1", true, true},
    {BINARY,     "precision_threshold",          "precision",          "precision",          "precision", true, true},
    {BINARY,     "recall_threshold",             "recall",             "recall",             "recall", true, true},
    {CLASSES,    "macro_f1_threshold",           "macro_f1",           "macro_f1",           "the mean F1 of the classes", true, true},
    {CLASSES,    "weighted_f1_threshold",        "weighted_f1",        "weighted_f1",        "the mean F1 of the classes by their rows", true, false},
    {CLASSES,    "macro_precision_threshold",    "macro_precision",    "macro_precision",    "the mean precision of the classes", true, false},
    {CLASSES,    "macro_recall_threshold",       "macro_recall",       "macro_recall",       "the mean recall of the classes", true, false},
    {CLASSES,    "balanced_accuracy_threshold",  "balanced_accuracy",  "balanced_accuracy",  "the balanced accuracy", true, false},
    {BINARY,     "average_precision_threshold",  "average_precision",  "average_precision",  "the average precision", true, false},
    {MULTICLASS, "roc_auc_ovr_macro_threshold",  "roc_auc_ovr_macro",  "roc_auc_ovr_macro",  "the mean area under the ROC curve, each class against the rest", true, false},
    {MULTICLASS, "roc_auc_ovo_macro_threshold",  "roc_auc_ovo_macro",  "roc_auc_ovo_macro",  "the mean area under the ROC curve of pairs of classes", true, false},
    {CLASSES,    "mcc_threshold",                "mcc",                "mcc",                "Matthews' correlation", true, false},
    {CLASSES,    "cohen_kappa_threshold",        "cohen_kappa",        "cohen_kappa",        "Cohen's kappa", true, false},
    {CLASSES,    "log_loss_threshold",           "log_loss",           "log_loss",           "the log loss", false, false},
    {CLASSES,    "brier_threshold",              "brier",              "brier",              "the Brier score", false, false},
    {CLASSES,    "ece_threshold",                "ece",                "ece",                "the calibration error", false, false},
};
/* clang-format on */

/* Of all gates of a check. */
typedef struct tally {
    const check_context_t *context;
    Valion__V1__CheckResult *out;
    size_t rows;
    size_t asked;
    size_t failed;
    size_t unknown; /* the metric is not defined for these rows */
    const char *sentence;
} tally_t;

static void
say_gate(tally_t *self, const struct gate *gate, double value, double threshold, bool passed)
{
    const char *so_far = self->sentence ? self->sentence : "";
    const char *comma = self->sentence ? "; " : "";
    const char *bound = gate->greater_is_better ? "at least" : "at most";
    if (!isfinite(value)) {
        self->sentence = check_text(self->context, CHECK_SENTENCE_MAX,
                                    "%s%s%s is not defined for these rows and should be %s %g",
                                    so_far, comma, gate->text, bound, threshold);
    } else if (passed) {
        self->sentence = check_text(self->context, CHECK_SENTENCE_MAX, "%s%s%s is %.6g, %s %g",
                                    so_far, comma, gate->text, value, bound, threshold);
    } else {
        self->sentence =
            check_text(self->context, CHECK_SENTENCE_MAX, "%s%s%s is %.6g and should be %s %g",
                       so_far, comma, gate->text, value, bound, threshold);
    }
}

static void
look(tally_t *self, const Valion__V1__CheckSpec *spec, const struct gate *gate)
{
    const check_predictions_t *predictions = self->context->predictions;
    double threshold = check_threshold(spec, gate->threshold, NAN);
    double value = vln_scores_get(&predictions->scores, gate->metric, NAN);
    if (gate->always || isfinite(threshold)) {
        check_add(self->context, self->out, gate->number, value);
    }
    if (!isfinite(threshold)) {
        return;
    }
    bool passed = gate->greater_is_better ? value >= threshold : value <= threshold;
    check_add(self->context, self->out, gate->threshold, threshold);
    if (self->asked++ == 0) {
        check_set(self->out, gate->metric, value, threshold, self->rows);
        check_set_score(self->out, gate->greater_is_better ? value : NAN);
    }
    self->unknown += isfinite(value) ? 0 : 1;
    self->failed += isfinite(value) && !passed;
    say_gate(self, gate, value, threshold, passed);
}

/* "r2_threshold, mae_threshold …" */
static const char *
list_thresholds(const check_context_t *context, unsigned task)
{
    const char *text = "";
    for (size_t i = 0; i < VLN_COUNT(gates); i++) {
        if (gates[i].tasks & task) {
            text = check_text(context, CHECK_SENTENCE_MAX, "%s%s%s", text, text[0] ? ", " : "",
                              gates[i].threshold);
        }
    }
    return text;
}

void
check_performance(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                  Valion__V1__CheckResult *out)
{
    const check_predictions_t *predictions = context->predictions;
    tally_t tally = {.context = context, .out = out, .rows = predictions->result.rows};
    unsigned task = 1U << predictions->truth.task;
    for (size_t i = 0; i < VLN_COUNT(gates); i++) {
        if (gates[i].tasks & task) {
            look(&tally, spec, &gates[i]);
        }
    }
    check_add(context, out, "predictions_count", (double)tally.rows);
    if (tally.asked == 0) {
        check_break(context, spec, out, "The check names no threshold for a model of this task: %s",
                    list_thresholds(context, task));
        return;
    }
    check_end(context, out,
              tally.failed > 0    ? CHECK_FAIL
              : tally.unknown > 0 ? CHECK_INCONCLUSIVE
                                  : CHECK_PASS,
              "On %zu rows %s.", tally.rows, tally.sentence);
}
