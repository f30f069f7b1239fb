/*
 * performance: the thresholds that the policy gives, on the metrics of the model's task. All of them
 * have to hold.
 */
#include <string.h>

#include "check_say.h"

#define REGRESSION VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION
#define BINARY     VALION__V1__TASK_TYPE__TASK_TYPE_BINARY
#define MULTICLASS VALION__V1__TASK_TYPE__TASK_TYPE_MULTICLASS

/* clang-format off */
static const struct gate {
    Valion__V1__TaskType task;
    const char *threshold;
    const char *metric;
    const char *number; /* as the original calls it */
    const char *text;
    bool greater_is_better;
} gates[] = {
    /* task       threshold             metric      number     for people                       better */
    {REGRESSION, "r2_threshold",       "r2",       "r2_score", "R2",                            true},
    {REGRESSION, "mae_threshold",      "mae",      "mae",      "the mean absolute error",       false},
    {BINARY,     "auc_threshold",      "roc_auc",  "roc_auc",  "the area under the ROC curve",  true},
    {BINARY,     "accuracy_threshold", "accuracy", "accuracy", "accuracy",                      true},
    {MULTICLASS, "accuracy_threshold", "accuracy", "accuracy", "accuracy",                      true},
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
    check_add(self->context, self->out, gate->number, value);
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

static void
add_numbers(const check_context_t *context, Valion__V1__CheckResult *out)
{
    static const char *const others[] = {"rmse", "f1", "precision", "recall", "macro_f1"};
    for (size_t i = 0; i < VLN_COUNT(others); i++) {
        check_add(context, out, others[i],
                  vln_scores_get(&context->predictions->scores, others[i], NAN));
    }
    check_add(context, out, "predictions_count", (double)context->predictions->result.rows);
}

void
check_performance(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                  Valion__V1__CheckResult *out)
{
    const check_predictions_t *predictions = context->predictions;
    tally_t tally = {.context = context, .out = out, .rows = predictions->result.rows};
    for (size_t i = 0; i < VLN_COUNT(gates); i++) {
        if (gates[i].task == predictions->truth.task) {
            look(&tally, spec, &gates[i]);
        }
    }
    add_numbers(context, out);
    if (tally.asked == 0) {
        check_break(context, spec, out, "The check names no threshold for a model of this task: %s",
                    predictions->truth.task == REGRESSION ? "r2_threshold or mae_threshold"
                    : predictions->truth.task == BINARY   ? "auc_threshold or accuracy_threshold"
                                                          : "accuracy_threshold");
        return;
    }
    check_end(context, out,
              tally.failed > 0    ? CHECK_FAIL
              : tally.unknown > 0 ? CHECK_INCONCLUSIVE
                                  : CHECK_PASS,
              "On %zu rows %s.", tally.rows, tally.sentence);
}
