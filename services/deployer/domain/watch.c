#include "watch.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vln_dist.h"
#include "vln_err.h"
#include "vln_text.h"

#include "counts.h"
#include "reference.h"

#define KIND(name) VALION__V1__ANALYSIS_METRIC_KIND__ANALYSIS_METRIC_KIND_##name
#define V(name)    VALION__V1__ROLLOUT_VERDICT__ROLLOUT_VERDICT_##name

enum {
    MODEL_MAX = 128, /* bytes of its name */
    SECOND_MS = 1000,
    DAY_MS = 24 * 60 * 60 * 1000,
    DEFAULT_INTERVAL_MS = 60 * 1000,
    DEFAULT_COOLDOWN_MS = 60 * 60 * 1000,
    DEFAULT_SAMPLES = 100,
    SAMPLES_MAX = 1000 * 1000 * 1000,
    COOLDOWN_DAYS_MAX = 30,
    CELLS_MAX = COUNTS_BINS_MAX + 1,
};

static const double default_threshold = 0.1;
static const double default_alpha = 0.01;
static const double default_quantile = 0.95;
static const double buckets_an_octave = 4; /* of the server's latencies */

/* ---- the metrics ---- */

typedef void measure_fn(const watch_view_t *view, watch_finding_t *out);

static measure_fn measure_errors;
static measure_fn measure_latency;
static measure_fn measure_mean;
static measure_fn measure_spread;

static const struct {
    Valion__V1__AnalysisMetricKind kind;
    const char *name;
    measure_fn *measure;
    bool of_column;
    bool given; /* its threshold has no default */
} metrics[] = {
    {KIND(ERROR_RATE), "error_rate", measure_errors, false, false},
    {KIND(LATENCY), "latency", measure_latency, false, true},
    {KIND(PREDICTION_MEAN), "prediction_mean", measure_mean, false, false},
    {KIND(PREDICTION_DISTRIBUTION), "prediction_distribution", measure_spread, false, false},
    {KIND(FEATURE_DISTRIBUTION), "feature_distribution", measure_spread, true, false},
};

static size_t
find_metric(Valion__V1__AnalysisMetricKind kind)
{
    size_t at = 0;
    while (at < VLN_COUNT(metrics) && metrics[at].kind != kind) {
        at++;
    }
    return at;
}

const char *
watch_metric_name(Valion__V1__AnalysisMetricKind kind)
{
    size_t at = find_metric(kind);
    return at < VLN_COUNT(metrics) ? metrics[at].name : "unknown";
}

/* ---- is the rule sound? ---- */

#define FILL(message, field, value)     \
    do {                                \
        if (!(message)->has_##field) {  \
            (message)->has_##field = 1; \
            (message)->field = (value); \
        }                               \
    } while (0)

void
watch_rule_fill(Valion__V1__WatchRule *rule, vln_arena_t *arena)
{
    if (!rule->metric) {
        rule->metric = vln_arena_alloc(arena, sizeof *rule->metric);
        valion__v1__analysis_metric__init(rule->metric);
    }
    if (rule->metric->kind == KIND(LATENCY)) {
        FILL(rule->metric, quantile, default_quantile);
    }
    /* Nobody has given one yet where there is no default: the check tells. */
    size_t at = find_metric(rule->metric->kind);
    if (!rule->metric->has_maximum && at < VLN_COUNT(metrics) && !metrics[at].given) {
        FILL(rule, alert_threshold, default_threshold);
    }
    FILL(rule, alpha, default_alpha);
    FILL(rule, interval_ms, DEFAULT_INTERVAL_MS);
    FILL(rule, min_samples, DEFAULT_SAMPLES);
    FILL(rule, cooldown_ms, DEFAULT_COOLDOWN_MS);
    if (!rule->has_action || rule->action == VALION__V1__WATCH_ACTION__WATCH_ACTION_UNSPECIFIED) {
        rule->has_action = 1;
        rule->action = VALION__V1__WATCH_ACTION__WATCH_ACTION_EVENT;
    }
    rule->has_last_fired_us = rule->has_last_look_us = 0;
    rule->last_fired_us = rule->last_look_us = 0;
    rule->last = NULL;
}

static double
threshold_of(const Valion__V1__WatchRule *rule)
{
    return rule->metric->has_maximum ? rule->metric->maximum : rule->alert_threshold;
}

static uint64_t
needed_of(const Valion__V1__WatchRule *rule)
{
    return rule->metric->has_min_samples ? rule->metric->min_samples : rule->min_samples;
}

static bool
is_given(const char *text)
{
    return text && text[0];
}

static bool
has_names(const Valion__V1__WatchRule *rule)
{
    return rule->name && vln_text_is_name(rule->name, WATCH_NAME_MAX, "._-") && rule->environment &&
           vln_text_is_name(rule->environment, WATCH_NAME_MAX, "-") && rule->model &&
           vln_text_is_name(rule->model, MODEL_MAX, "._-");
}

static bool
has_metric(const Valion__V1__WatchRule *rule)
{
    return find_metric(rule->metric->kind) < VLN_COUNT(metrics);
}

static bool
has_column(const Valion__V1__WatchRule *rule)
{
    size_t at = find_metric(rule->metric->kind);
    return metrics[at].of_column == is_given(rule->metric->column);
}

static bool
has_no_other_version(const Valion__V1__WatchRule *rule)
{
    return !rule->metric->has_margin && !rule->metric->has_weight;
}

static bool
has_threshold(const Valion__V1__WatchRule *rule)
{
    double threshold = threshold_of(rule);
    return (rule->has_alert_threshold || rule->metric->has_maximum) && isfinite(threshold) &&
           threshold >= 0;
}

static bool
has_quantile(const Valion__V1__WatchRule *rule)
{
    bool latency = rule->metric->kind == KIND(LATENCY);
    return latency ? rule->metric->quantile > 0 && rule->metric->quantile < 1
                   : !rule->metric->has_quantile;
}

static bool
has_alpha(const Valion__V1__WatchRule *rule)
{
    return rule->alpha >= 1e-9 && rule->alpha <= 0.5;
}

static bool
has_times(const Valion__V1__WatchRule *rule)
{
    return rule->interval_ms >= SECOND_MS && rule->interval_ms <= DAY_MS &&
           rule->cooldown_ms >= 0 && rule->cooldown_ms <= (int64_t)COOLDOWN_DAYS_MAX * DAY_MS;
}

static bool
has_samples(const Valion__V1__WatchRule *rule)
{
    uint64_t needed = needed_of(rule);
    return needed >= 1 && needed <= SAMPLES_MAX;
}

static bool
has_action(const Valion__V1__WatchRule *rule)
{
    return rule->action == VALION__V1__WATCH_ACTION__WATCH_ACTION_EVENT ||
           rule->action == VALION__V1__WATCH_ACTION__WATCH_ACTION_ROLLBACK;
}

static bool
has_no_pipeline(const Valion__V1__WatchRule *rule)
{
    return !is_given(rule->pipeline);
}

static const struct {
    bool (*holds)(const Valion__V1__WatchRule *rule);
    const char *field;
    const char *why;
} checks[] = {
    {has_names, "rule.name",
     "a rule has a name of at most 64 letters, digits, '.', '_', '-', and an environment and a model"},
    {has_metric, "rule.metric.kind",
     "a rule watches ERROR_RATE, LATENCY, PREDICTION_MEAN, PREDICTION_DISTRIBUTION or "
     "FEATURE_DISTRIBUTION; DISAGREEMENT and LABELLED_ERROR are not there yet: nothing mirrors "
     "requests or takes labels"},
    {has_column, "rule.metric.column",
     "FEATURE_DISTRIBUTION needs the column, and no other metric has one"},
    {has_no_other_version, "rule.metric.margin",
     "a rule watches one version and has nothing to leave a margin or a weight for: give "
     "alert_threshold or maximum"},
    {has_threshold, "rule.alert_threshold",
     "a threshold is a number from 0; LATENCY has no default: give metric.maximum in milliseconds"},
    {has_quantile, "rule.metric.quantile",
     "LATENCY has a quantile between 0 and 1, such as 0.95; no other metric has one"},
    {has_alpha, "rule.alpha", "alpha lies between 1e-9 and 0.5"},
    {has_times, "rule.interval_ms", "interval_ms is 1 s to 24 h, cooldown_ms 0 to 30 days"},
    {has_samples, "rule.min_samples", "min_samples is 1 to 1000000000"},
    {has_action, "rule.action",
     "a rule says so (EVENT) or rolls back (ROLLBACK); RUN is not there yet: the deployer starts no "
     "pipelines, so let the pipeline's schedule or what reads watch.fired start it"},
    {has_no_pipeline, "rule.pipeline",
     "pipeline belongs to the action RUN, which is not there yet: leave it out"},
};

bool
watch_rule_check(const Valion__V1__WatchRule *rule, const char **field, const char **why)
{
    for (size_t i = 0; i < VLN_COUNT(checks); i++) {
        if (!checks[i].holds(rule)) {
            *field = checks[i].field;
            *why = checks[i].why;
            return false;
        }
    }
    return true;
}

/* ---- what a look finds ---- */

__attribute__((format(printf, 2, 3))) static void
say(watch_finding_t *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out->sentence, sizeof out->sentence, format, args);
    va_end(args);
}

__attribute__((format(printf, 2, 3))) static void
hold(watch_finding_t *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(out->sentence, sizeof out->sentence, format, args);
    va_end(args);
    out->verdict = V(HOLD);
}

/* False, and held, below the sample that the rule asks for. */
static bool
has_sample(const watch_view_t *view, watch_finding_t *out, uint64_t n, const char *what)
{
    out->n = n;
    if (n >= out->needed) {
        return true;
    }
    hold(out,
         "%llu %s in %lld s, %llu are needed: too little traffic to decide anything, the window "
         "stays open",
         (unsigned long long)n, what, (long long)((view->now_us - view->since_us) / 1000000),
         (unsigned long long)out->needed);
    return false;
}

/* Of a share that was seen as bad of n: how far below it the true one may lie at one-sided alpha,
 * by Wilson's interval. */
static double
chance_of_share(double bad, double n, double alpha)
{
    double z = -vln_normal_quantile(alpha);
    double share = bad / n;
    double middle = share + z * z / (2 * n);
    double half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n));
    double low = (middle - half) / (1 + z * z / n);
    return share - (low > 0 ? low : 0);
}

/* ---- errors ---- */

typedef struct source {
    const char *name;
    double bad;
    uint64_t n;
} source_t;

static double
larger(double left, double right)
{
    return left > right ? left : right;
}

/*
 * HAProxy sees what never reached a server, a server what its model refused. A failed request may be a
 * 5xx, a connection error and an error of the model at once, so counts are not added up: each source is
 * judged by itself, and the worse one counts.
 */
static void
measure_errors(const watch_view_t *view, watch_finding_t *out)
{
    const Valion__V1__ProxyCounters *proxy = view->proxy;
    const Valion__V1__Telemetry *servers = view->servers;
    const source_t sources[] = {
        {"HAProxy",
         larger((double)proxy->responses_5xx,
                (double)proxy->connect_errors + (double)proxy->response_errors),
         proxy->requests},
        {"its servers",
         counts_error(servers, "model") + counts_error(servers, "unavailable") +
             counts_error(servers, "timeout") + counts_error(servers, "rejected"),
         servers->requests},
    };
    const source_t *worst = NULL;
    uint64_t n = sources[0].n > sources[1].n ? sources[0].n : sources[1].n;
    if (!has_sample(view, out, n, "requests")) {
        return;
    }
    for (size_t i = 0; i < VLN_COUNT(sources); i++) {
        const source_t *source = &sources[i];
        if (source->n < out->needed) {
            continue;
        }
        double bad = source->bad < (double)source->n ? source->bad : (double)source->n;
        double share = bad / (double)source->n;
        double chance = chance_of_share(bad, (double)source->n, view->rule->alpha);
        if (!worst || share - chance > out->effect - out->chance) {
            worst = source;
            out->n = source->n;
            out->value = out->effect = share;
            out->chance = chance;
        }
    }
    say(out, "%.1f %% of %llu requests failed, as %s counted", 100 * out->value,
        (unsigned long long)out->n, worst->name);
}

/* ---- latency ---- */

/* Milliseconds below which this share of the requests was answered, by the buckets' own scale. */
static double
latency_at(const Valion__V1__Telemetry *servers, uint64_t n, double share)
{
    double rank = share * (double)n;
    double below = 0;
    for (size_t i = 0; i < servers->n_latency_counts; i++) {
        double count = (double)servers->latency_counts[i];
        if (count > 0 && below + count >= rank) {
            double within = rank > below ? (rank - below) / count : 0;
            return exp2(((double)i + within) / buckets_an_octave) / 1000;
        }
        below += count;
    }
    return 0;
}

static void
measure_latency(const watch_view_t *view, watch_finding_t *out)
{
    const Valion__V1__Telemetry *servers = view->servers;
    double quantile = view->rule->metric->quantile;
    uint64_t n = 0;
    for (size_t i = 0; i < servers->n_latency_counts; i++) {
        n += servers->latency_counts[i];
    }
    if (!has_sample(view, out, n, "requests")) {
        return;
    }
    double z = -vln_normal_quantile(view->rule->alpha);
    double low = quantile - z * sqrt(quantile * (1 - quantile) / (double)n);
    out->value = out->effect = latency_at(servers, n, quantile);
    out->chance = out->value - latency_at(servers, n, low > 0 ? low : 0);
    say(out, "of %llu requests the %g quantile took %.3f ms", (unsigned long long)n, quantile,
        out->value);
}

/* ---- against the version's profile ---- */

typedef struct pair {
    const Valion__V1__ValueTelemetry *seen;
    const Valion__V1__ColumnProfile *expected;
    const char *name;
} pair_t;

/* False, and held: there is nothing to compare. */
static bool
find_pair(const watch_view_t *view, watch_finding_t *out, pair_t *pair)
{
    const char *column = view->rule->metric->column;
    pair->name = is_given(column) ? column : "the prediction";
    pair->seen = counts_values(view->servers, column);
    pair->expected = view->reference ? reference_find(view->reference, column) : NULL;
    if (!view->reference) {
        hold(out, "the version has no profile: there is nothing to compare %s with", pair->name);
    } else if (!pair->expected) {
        hold(out, "the version's profile has nothing to count %s by", pair->name);
    } else if (!pair->seen) {
        hold(out, "the servers do not count %s: their host has too much to count", pair->name);
    }
    return pair->expected && pair->seen;
}

static double
std_of_profile(const Valion__V1__ColumnProfile *column)
{
    return column->count > 1 ? sqrt(column->sum_squares / (double)(column->count - 1)) : 0;
}

static double
mean_of(const Valion__V1__ValueTelemetry *seen)
{
    return seen->n > 0 ? seen->sum / (double)seen->n : 0;
}

/* The mean's distance from the profile's in the profile's standard deviations. */
static void
measure_mean(const watch_view_t *view, watch_finding_t *out)
{
    pair_t pair;
    if (!find_pair(view, out, &pair) || !has_sample(view, out, pair.seen->n, "predictions")) {
        return;
    }
    double expected_std = std_of_profile(pair.expected);
    if (!pair.expected->has_mean || !(expected_std > 0)) {
        hold(out, "the predictions of the version's profile do not vary: there is no scale");
        return;
    }
    double n = (double)pair.seen->n;
    double mean = mean_of(pair.seen);
    double variance = larger(pair.seen->sum_squares / n - mean * mean, 0);
    double z = -vln_normal_quantile(view->rule->alpha / 2);
    out->value = mean;
    out->reference = pair.expected->mean;
    out->effect = fabs(mean - pair.expected->mean) / expected_std;
    out->chance =
        z * sqrt(variance / n / (expected_std * expected_std) + 1 / (double)pair.expected->count);
    say(out,
        "the mean of %llu predictions is %.6g, %.3g standard deviations from the %.6g of its "
        "profile",
        (unsigned long long)pair.seen->n, mean, out->effect, pair.expected->mean);
}

/* Bins, what is in none of them, and what is missing. */
typedef struct cells {
    double seen[CELLS_MAX];
    double expected[CELLS_MAX];
    size_t count;
    double n_seen;
    double n_expected;
} cells_t;

/* False: the servers count by other bins. */
static bool
fill_cells(const pair_t *pair, cells_t *out)
{
    const Valion__V1__ColumnProfile *expected = pair->expected;
    const Valion__V1__ValueTelemetry *seen = pair->seen;
    bool texts = expected->n_top > 0;
    size_t bins = texts ? expected->n_top : expected->n_counts;
    if (seen->n_counts != bins + 1 || bins + 2 > CELLS_MAX) {
        return false;
    }
    *out = (cells_t){.count = bins + 2};
    for (size_t i = 0; i < bins; i++) {
        out->seen[i] = (double)seen->counts[i];
        out->expected[i] = texts ? (double)expected->top[i]->count : (double)expected->counts[i];
    }
    out->seen[bins] = (double)seen->counts[bins];
    out->expected[bins] = texts ? (double)expected->other : 0;
    out->seen[bins + 1] = (double)seen->missing;
    out->expected[bins + 1] = (double)expected->missing + (double)expected->infinite;
    for (size_t i = 0; i < out->count; i++) {
        out->n_seen += out->seen[i];
        out->n_expected += out->expected[i];
    }
    return out->n_expected > 0;
}

/*
 * Total variation, and by how much that of two samples may exceed the true one at one-sided alpha: by
 * its mean, at most half the sum of the cells' standard errors, and McDiarmid's bound around that (one
 * value of n changes total variation by at most 1/n).
 */
static void
compare_cells(const cells_t *cells, double alpha, watch_finding_t *out)
{
    double variation = 0;
    double spread = 0;
    for (size_t i = 0; i < cells->count; i++) {
        double seen = cells->seen[i] / cells->n_seen;
        double expected = cells->expected[i] / cells->n_expected;
        variation += fabs(seen - expected) / 2;
        spread += sqrt(seen * (1 - seen) / cells->n_seen +
                       expected * (1 - expected) / cells->n_expected) /
                  2;
    }
    out->value = out->effect = variation;
    out->chance = spread + sqrt(-log(alpha) * (1 / cells->n_seen + 1 / cells->n_expected) / 2);
}

static void
measure_spread(const watch_view_t *view, watch_finding_t *out)
{
    pair_t pair;
    cells_t cells;
    if (!find_pair(view, out, &pair)) {
        return;
    }
    if (!fill_cells(&pair, &cells)) {
        hold(out, "the servers count %s by other bins than those of the version's profile",
             pair.name);
        return;
    }
    if (!has_sample(view, out, (uint64_t)cells.n_seen, "values")) {
        return;
    }
    double expected_std = std_of_profile(pair.expected);
    compare_cells(&cells, view->rule->alpha, out);
    if (pair.expected->has_mean && expected_std > 0 && pair.seen->n > 0) {
        say(out,
            "%.1f %% of %llu values of %s lie elsewhere than in its profile; their mean is %.6g, "
            "%.3g standard deviations from %.6g",
            100 * out->value, (unsigned long long)out->n, pair.name, mean_of(pair.seen),
            fabs(mean_of(pair.seen) - pair.expected->mean) / expected_std, pair.expected->mean);
        return;
    }
    say(out, "%.1f %% of %llu values of %s lie elsewhere than in its profile", 100 * out->value,
        (unsigned long long)out->n, pair.name);
}

/* ---- the decision ---- */

static bool
is_cooling(const watch_view_t *view)
{
    const Valion__V1__WatchRule *rule = view->rule;
    return rule->has_last_fired_us && view->now_us - rule->last_fired_us < rule->cooldown_ms * 1000;
}

static void
decide(const watch_view_t *view, watch_finding_t *out)
{
    char measured[WATCH_SENTENCE];
    const char *more = "";
    vln_text_copy(measured, sizeof measured, out->sentence);
    out->statistic = larger(out->effect - out->chance, 0);
    bool above = out->statistic > out->threshold;
    out->verdict = above ? V(ABORT) : V(CONTINUE);
    out->fires = above && !view->rule->metric->dry_run && !is_cooling(view);
    if (above && view->rule->metric->dry_run) {
        more = "; a dry run does nothing";
    } else if (above && !out->fires) {
        more = "; it fired not long ago and waits for its cooldown";
    }
    say(out, "%.250s: %.4g, of which %.4g may be chance; %.4g is %s %.4g%s", measured, out->effect,
        out->chance, out->statistic, above ? "above" : "not above", out->threshold, more);
}

void
watch_look(const watch_view_t *view, watch_finding_t *out)
{
    size_t at = find_metric(view->rule->metric->kind);
    vln_assert(at < VLN_COUNT(metrics));
    *out =
        (watch_finding_t){.threshold = threshold_of(view->rule), .needed = needed_of(view->rule)};
    if (view->obstacle) {
        hold(out, "%s", view->obstacle);
        return;
    }
    metrics[at].measure(view, out);
    if (out->verdict != V(HOLD)) {
        decide(view, out);
    }
}
