/*
 * metric_threshold: MLflow's four fields for each metric: a threshold, the least absolute and the
 * least relative change over a baseline, and which way is better. What is not there fails: a metric,
 * a baseline, and a baseline that is the candidate itself. With `significance` the difference has to
 * be more than chance besides, or, with a margin, not worse by more than that.
 */
#include <stdlib.h>
#include <string.h>

#include "check_say.h"
#include "significance.h"

/* A baseline of zero has to be beaten by this. */
#define LEAST_CHANGE 1e-10

typedef struct gate {
    const check_context_t *context;
    const Valion__V1__MetricThreshold *metric;
    const check_baseline_t *baseline;      /* NULL: not compared */
    const Valion__V1__Significance *asked; /* NULL: the difference as it is will do */
    significance_t found;                  /* where it is asked for and could be had */
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
wants_baseline(const gate_t *self)
{
    return self->metric->has_min_absolute_change || self->metric->has_min_relative_change ||
           self->asked;
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

static void
look_significance(gate_t *self)
{
    const char *metric = self->metric->metric;
    significance_t *found = &self->found;
    *found = significance_of(self->context, self->baseline, metric, self->asked);
    if (found->why) {
        self->why =
            check_text(self->context, CHECK_SENTENCE_MAX, "and cannot be compared with %s: %s",
                       self->baseline->version, found->why);
    } else if (!significance_holds(found, self->metric->greater_is_better)) {
        self->why = check_text(
            self->context, CHECK_SENTENCE_MAX,
            "and should be %s than %.6g of %s%s: the difference is %.3g, within %.3g and %.3g at "
            "%g %% (p %.2g, %s); these rows show one of %.3g",
            found->margin > 0 ? "not worse" : "better", self->other, self->baseline->version,
            found->margin > 0 ? check_text(self->context, CHECK_NOTE_MAX, " by %g", found->margin)
                              : " by more than chance",
            found->difference, found->low, found->high, 100 * (1 - found->alpha), found->p,
            found->method, found->detectable);
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
    bool compares = wants_baseline(self);
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
        if (paired && self->asked && isfinite(self->other)) {
            const char *why = self->why;
            look_significance(self);
            self->why = why ? why : self->why;
        }
    }
}

/* ", better by 0.01 to 0.03 (p 0.002, paired bootstrap)" */
static const char *
describe_chance(const gate_t *self)
{
    const significance_t *found = &self->found;
    return self->asked
               ? check_text(self->context, CHECK_SENTENCE_MAX,
                            ", a difference within %.3g and %.3g at %g %% (p %.2g, %s)", found->low,
                            found->high, 100 * (1 - found->alpha), found->p, found->method)
               : "";
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
    return check_text(self->context, CHECK_SENTENCE_MAX, "%s is %.6g%s%s%s", metric->metric,
                      self->value, threshold, other, describe_chance(self));
}

static void
add_named(const gate_t *self, Valion__V1__CheckResult *out, const char *what, double value)
{
    check_add(self->context, out,
              vln_arena_printf(self->context->arena, "%s_%s", self->metric->metric, what), value);
}

static void
note_numbers(const gate_t *self, Valion__V1__CheckResult *out)
{
    check_add(self->context, out, self->metric->metric, self->value);
    if (isfinite(self->other)) {
        add_named(self, out, "baseline", self->other);
        add_named(self, out, "difference", self->value - self->other);
    }
    const significance_t *found = &self->found;
    if (self->asked && found->method && !found->why) {
        add_named(self, out, "difference_low", found->low);
        add_named(self, out, "difference_high", found->high);
        add_named(self, out, "difference_p", found->p);
        add_named(self, out, "difference_detectable", found->detectable);
    }
}

/* Of the first metric, or the first that fails. */
static void
note_significance(const gate_t *self, Valion__V1__CheckResult *out)
{
    const significance_t *found = &self->found;
    if (!self->asked || !found->method || found->why) {
        return;
    }
    out->has_p_value = out->has_effect = out->has_alpha = 1;
    out->has_ci_low = out->has_ci_high = 1;
    out->p_value = found->p;
    out->effect = found->difference;
    out->effect_name = vln_arena_strdup(self->context->arena, "difference");
    out->alpha = found->alpha;
    out->ci_low = found->low;
    out->ci_high = found->high;
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
    for (size_t i = 0; i < spec->n_metrics; i++) {
        gate_t gate = {.context = context,
                       .metric = spec->metrics[i],
                       .baseline = baseline,
                       .asked = spec->significance};
        look(&gate);
        note_numbers(&gate, out);
        if (i == 0 || (gate.why && failed == 0)) {
            check_set(out, gate.metric->metric, gate.value,
                      gate.metric->has_threshold ? gate.metric->threshold : NAN,
                      context->predictions->result.rows);
            note_significance(&gate, out);
        }
        failed += gate.why != NULL;
        sentence =
            sentence ? check_text(context, CHECK_SENTENCE_MAX, "%s; %s", sentence, describe(&gate))
                     : describe(&gate);
    }
    check_end(context, out, failed > 0 ? CHECK_FAIL : CHECK_PASS, "On %zu rows %s.",
              context->predictions->result.rows, sentence);
}
