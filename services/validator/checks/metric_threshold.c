/*
 * metric_threshold: MLflow's four fields for each metric: a threshold, the least absolute and the
 * least relative change over a baseline, and which way is better. What is not there fails: a metric,
 * a baseline, and a baseline that is the candidate itself.
 */
#include <stdlib.h>
#include <string.h>

#include "check_say.h"

/* A baseline of zero has to be beaten by this. */
#define LEAST_CHANGE 1e-10

typedef struct gate {
    const check_context_t *context;
    const Valion__V1__MetricThreshold *metric;
    const check_baseline_t *baseline; /* NULL: not compared */
    double value;
    double other;    /* the baseline's */
    const char *why; /* it fails; NULL: it passes */
} gate_t;

static const check_baseline_t *
find_baseline(const check_context_t *context, const char *name)
{
    for (size_t i = 0; name && i < context->baseline_count; i++) {
        if (strcmp(context->baselines[i].asked, name) == 0) {
            return &context->baselines[i];
        }
    }
    return NULL;
}

static bool
wants_change(const Valion__V1__MetricThreshold *metric)
{
    return metric->has_min_absolute_change || metric->has_min_relative_change;
}

static const char *
direction(const Valion__V1__MetricThreshold *metric)
{
    return metric->greater_is_better ? "at least" : "at most";
}

static void
look_threshold(gate_t *self)
{
    const Valion__V1__MetricThreshold *metric = self->metric;
    bool good = metric->greater_is_better ? self->value >= metric->threshold
                                          : self->value <= metric->threshold;
    if (metric->has_threshold && !good) {
        self->why = check_text(self->context, CHECK_SENTENCE_MAX, "and should be %s %g",
                               direction(metric), metric->threshold);
    }
}

static void
look_change(gate_t *self)
{
    const Valion__V1__MetricThreshold *metric = self->metric;
    double gain = metric->greater_is_better ? self->value - self->other : self->other - self->value;
    const char *how = metric->greater_is_better ? "above" : "below";
    if (metric->has_min_absolute_change && gain < metric->min_absolute_change) {
        self->why = check_text(
            self->context, CHECK_SENTENCE_MAX, "and should be %g or more %s the %.6g of %s",
            metric->min_absolute_change, how, self->other, self->baseline->version);
    } else if (metric->has_min_relative_change) {
        double least = self->other > 0 || self->other < 0
                           ? metric->min_relative_change * fabs(self->other)
                           : LEAST_CHANGE;
        if (gain < least) {
            self->why = check_text(
                self->context, CHECK_SENTENCE_MAX, "and should be %g %% or more %s the %.6g of %s",
                100 * metric->min_relative_change, how, self->other, self->baseline->version);
        }
    }
}

/* What stands in the way of a comparison; NULL: nothing. */
static const char *
find_obstacle(const gate_t *self)
{
    if (!self->baseline) {
        return "and has to be compared with another version, but the policy names none";
    }
    if (!self->baseline->version) {
        return check_text(self->context, CHECK_SENTENCE_MAX, "and cannot be compared: %s",
                          self->baseline->why);
    }
    if (self->baseline->same) {
        return check_text(self->context, CHECK_SENTENCE_MAX,
                          "and cannot be compared with %s: that is the very same model",
                          self->baseline->version);
    }
    return isfinite(self->other) ? NULL : "and cannot be compared: the baseline has no such metric";
}

static void
look(gate_t *self)
{
    const char *name = self->metric->metric;
    bool compares = wants_change(self->metric);
    const check_baseline_t *baseline = self->baseline;
    bool paired = compares && baseline && baseline->version && !baseline->same;
    const vln_scores_t *own =
        paired ? &baseline->candidate.scores : &self->context->predictions->scores;
    self->value = vln_scores_get(own, name, NAN);
    self->other = paired ? vln_scores_get(&baseline->other.scores, name, NAN) : NAN;
    if (!isfinite(self->value)) {
        self->why = "is not among the metrics of these rows";
        return;
    }
    look_threshold(self);
    if (!self->why && compares) {
        self->why = find_obstacle(self);
        if (!self->why) {
            look_change(self);
        }
    }
}

/* "rmse is 12.3 …" */
static const char *
describe(const gate_t *self)
{
    const Valion__V1__MetricThreshold *metric = self->metric;
    if (!isfinite(self->value)) {
        return check_text(self->context, CHECK_SENTENCE_MAX, "%s %s", metric->metric, self->why);
    }
    if (self->why) {
        return check_text(self->context, CHECK_SENTENCE_MAX, "%s is %.6g %s", metric->metric,
                          self->value, self->why);
    }
    const char *threshold = metric->has_threshold
                                ? check_text(self->context, CHECK_SENTENCE_MAX, ", %s %g",
                                             direction(metric), metric->threshold)
                                : "";
    const char *other = isfinite(self->other)
                            ? check_text(self->context, CHECK_SENTENCE_MAX, ", against %.6g of %s",
                                         self->other, self->baseline->version)
                            : "";
    return check_text(self->context, CHECK_SENTENCE_MAX, "%s is %.6g%s%s", metric->metric,
                      self->value, threshold, other);
}

static void
note_numbers(const gate_t *self, Valion__V1__CheckResult *out)
{
    check_add(self->context, out, self->metric->metric, self->value);
    if (isfinite(self->other)) {
        check_add(self->context, out,
                  vln_arena_printf(self->context->arena, "%s_baseline", self->metric->metric),
                  self->other);
        check_add(self->context, out,
                  vln_arena_printf(self->context->arena, "%s_difference", self->metric->metric),
                  self->value - self->other);
    }
}

void
check_metric_threshold(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                       Valion__V1__CheckResult *out)
{
    const char *sentence = NULL;
    size_t failed = 0;
    const check_baseline_t *baseline = find_baseline(context, check_baseline_name(context, spec));
    if (spec->n_metrics == 0) {
        check_break(context, spec, out, "The check names no metric");
        return;
    }
    if (spec->significance) {
        check_break(context, spec, out, "'significance' is not there yet: leave it out");
        return;
    }
    for (size_t i = 0; i < spec->n_metrics; i++) {
        gate_t gate = {.context = context, .metric = spec->metrics[i], .baseline = baseline};
        look(&gate);
        note_numbers(&gate, out);
        if (i == 0 || (gate.why && failed == 0)) {
            check_set(out, gate.metric->metric, gate.value,
                      gate.metric->has_threshold ? gate.metric->threshold : NAN,
                      context->predictions->result.rows);
        }
        failed += gate.why != NULL;
        sentence =
            sentence ? check_text(context, CHECK_SENTENCE_MAX, "%s; %s", sentence, describe(&gate))
                     : describe(&gate);
    }
    check_end(context, out, failed > 0 ? CHECK_FAIL : CHECK_PASS, "On %zu rows %s.",
              context->predictions->result.rows, sentence);
}
