#include "watch.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

#include "counts.h"

#define KIND(name) VALION__V1__ANALYSIS_METRIC_KIND__ANALYSIS_METRIC_KIND_##name
#define V(name)    VALION__V1__ROLLOUT_VERDICT__ROLLOUT_VERDICT_##name

enum { ARENA = 1024 * 1024, BINS = 20, BUCKETS = 128 };

static const int64_t minute_us = 60 * 1000000;

static vln_arena_t *arena;
static Valion__V1__AnalysisMetric metric;
static Valion__V1__WatchRule rule;
static Valion__V1__Telemetry servers;
static Valion__V1__ProxyCounters proxy;
static Valion__V1__Profile reference;
static Valion__V1__KeyNumber model_errors;
static Valion__V1__KeyNumber *errors[] = {&model_errors};
static uint64_t latencies[BUCKETS];
static watch_view_t view;
static watch_finding_t found;

static void
open_all(void)
{
    arena = vln_arena_new(ARENA);
    valion__v1__analysis_metric__init(&metric);
    valion__v1__watch_rule__init(&rule);
    valion__v1__telemetry__init(&servers);
    valion__v1__proxy_counters__init(&proxy);
    valion__v1__profile__init(&reference);
    valion__v1__key_number__init(&model_errors);
    model_errors.key = vln_arena_strdup(arena, "model");
    servers.errors = errors;
    servers.n_errors = 1;
    servers.latency_counts = latencies;
    servers.n_latency_counts = BUCKETS;
    rule.name = vln_arena_strdup(arena, "a.rule");
    rule.environment = vln_arena_strdup(arena, "staging");
    rule.model = vln_arena_strdup(arena, "Houses");
    rule.metric = &metric;
    view = (watch_view_t){.rule = &rule,
                          .now_us = 10 * minute_us,
                          .since_us = 9 * minute_us,
                          .servers = &servers,
                          .proxy = &proxy,
                          .reference = &reference};
}

static void
close_all(void)
{
    vln_arena_destroy(&arena);
}

/* For each row of a table. */
static void
begin_anew(void)
{
    close_all();
    open_all();
}

TestSuite(watch, .init = open_all, .fini = close_all);

static void
set_kind(Valion__V1__AnalysisMetricKind kind)
{
    metric.has_kind = 1;
    metric.kind = kind;
}

static void
look(void)
{
    const char *field = NULL;
    const char *why = NULL;
    int64_t fired_us = rule.last_fired_us;
    watch_rule_fill(&rule, arena);
    cr_assert(watch_rule_check(&rule, &field, &why), "%s: %s", field, why);
    rule.has_last_fired_us = fired_us > 0;
    rule.last_fired_us = fired_us;
    watch_look(&view, &found);
    cr_assert_gt(strlen(found.sentence), 10);
}

/* A column of 1000 rows, 50 in each of its bins. */
static Valion__V1__ColumnProfile *
make_profile(void)
{
    Valion__V1__ColumnProfile *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__column_profile__init(out);
    out->name = vln_arena_strdup(arena, "area");
    out->count = 1000;
    out->has_mean = 1;
    out->mean = 100;
    out->sum_squares = 999 * 25.0; /* standard deviation 5 */
    out->edges = vln_arena_alloc(arena, BINS * sizeof(double));
    out->counts = vln_arena_alloc(arena, BINS * sizeof(uint64_t));
    out->n_edges = BINS - 1;
    out->n_counts = BINS;
    for (size_t i = 0; i < BINS; i++) {
        out->counts[i] = 50;
    }
    return out;
}

/* n values of which these parts of a hundred lie in the first bin more than should. */
static Valion__V1__ValueTelemetry *
make_values(uint64_t n, uint64_t shifted, double mean)
{
    Valion__V1__ValueTelemetry *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__value_telemetry__init(out);
    out->column = vln_arena_strdup(arena, "area");
    out->n = n;
    out->sum = mean * (double)n;
    out->sum_squares = (mean * mean + 25) * (double)n;
    out->counts = vln_arena_alloc(arena, (BINS + 1) * sizeof(uint64_t));
    out->n_counts = BINS + 1;
    uint64_t moved = n * shifted / 100;
    for (size_t i = 0; i < BINS; i++) {
        out->counts[i] = (n - moved) / BINS;
    }
    out->counts[0] += moved;
    return out;
}

/* ---- rules ---- */

Test(watch, fills_in_the_defaults_of_the_contract)
{
    set_kind(KIND(ERROR_RATE));
    rule.has_last_fired_us = 1;
    rule.last_fired_us = 5;
    watch_rule_fill(&rule, arena);
    cr_assert_eq(rule.alert_threshold, 0.1);
    cr_assert_eq(rule.alpha, 0.01);
    cr_assert_eq(rule.interval_ms, 60000);
    cr_assert_eq(rule.min_samples, 100);
    cr_assert_eq(rule.cooldown_ms, 3600000);
    cr_assert_eq(rule.action, VALION__V1__WATCH_ACTION__WATCH_ACTION_EVENT);
    cr_assert_not(rule.has_last_fired_us, "nobody else writes that");
}

static void
set_nothing(void)
{
}

static void
set_disagreement(void)
{
    set_kind(KIND(DISAGREEMENT));
}

static void
set_labels(void)
{
    set_kind(KIND(LABELLED_ERROR));
}

static void
set_run(void)
{
    set_kind(KIND(ERROR_RATE));
    rule.has_action = 1;
    rule.action = VALION__V1__WATCH_ACTION__WATCH_ACTION_RUN;
}

static void
set_no_column(void)
{
    set_kind(KIND(FEATURE_DISTRIBUTION));
}

static void
set_a_column(void)
{
    set_kind(KIND(PREDICTION_MEAN));
    metric.column = vln_arena_strdup(arena, "area");
}

static void
set_latency(void)
{
    set_kind(KIND(LATENCY));
}

static void
set_margin(void)
{
    set_kind(KIND(ERROR_RATE));
    metric.has_margin = 1;
}

static void
set_often(void)
{
    set_kind(KIND(ERROR_RATE));
    rule.has_interval_ms = 1;
    rule.interval_ms = 999;
}

static void
set_alpha(void)
{
    set_kind(KIND(ERROR_RATE));
    rule.has_alpha = 1;
    rule.alpha = (double)NAN;
}

static void
set_threshold(void)
{
    set_kind(KIND(ERROR_RATE));
    metric.has_maximum = 1;
    metric.maximum = (double)NAN;
}

static void
set_no_sample(void)
{
    set_kind(KIND(ERROR_RATE));
    metric.has_min_samples = 1;
}

static void
set_a_quantile(void)
{
    set_kind(KIND(ERROR_RATE));
    metric.has_quantile = 1;
    metric.quantile = 0.5;
}

static void
set_a_pipeline(void)
{
    set_kind(KIND(ERROR_RATE));
    rule.pipeline = vln_arena_strdup(arena, "retrain");
}

static void
set_no_name(void)
{
    set_kind(KIND(ERROR_RATE));
    rule.name = vln_arena_strdup(arena, "a rule");
}

Test(watch, refuses_with_a_sentence_what_it_cannot_watch)
{
    static const struct {
        void (*set)(void);
        const char *field;
        const char *words;
    } cases[] = {
        {set_nothing, "rule.metric.kind", "ERROR_RATE"},
        {set_disagreement, "rule.metric.kind", "not there yet"},
        {set_labels, "rule.metric.kind", "takes labels"},
        {set_run, "rule.action", "RUN is not there yet"},
        {set_a_pipeline, "rule.pipeline", "RUN"},
        {set_no_column, "rule.metric.column", "needs the column"},
        {set_a_column, "rule.metric.column", "no other metric"},
        {set_latency, "rule.alert_threshold", "milliseconds"},
        {set_a_quantile, "rule.metric.quantile", "no other metric"},
        {set_margin, "rule.metric.margin", "alert_threshold or maximum"},
        {set_often, "rule.interval_ms", "1 s"},
        {set_alpha, "rule.alpha", "between"},
        {set_threshold, "rule.alert_threshold", "number"},
        {set_no_sample, "rule.min_samples", "min_samples"},
        {set_no_name, "rule.name", "at most 64"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        const char *field = NULL;
        const char *why = NULL;
        begin_anew();
        cases[i].set();
        watch_rule_fill(&rule, arena);
        cr_assert_not(watch_rule_check(&rule, &field, &why), "case %zu", i);
        cr_assert_str_eq(field, cases[i].field, "case %zu", i);
        cr_assert(strstr(why, cases[i].words), "case %zu: %s", i, why);
    }
}

/* ---- looks ---- */

/* What HAProxy and the servers counted of a window, the rule's threshold, and what it makes of that. */
Test(watch, judges_errors_by_the_worse_of_two_sources)
{
    static const struct {
        uint64_t requests;
        uint64_t failed;
        uint64_t not_connected;
        uint64_t served;
        double refused;
        double threshold;
        Valion__V1__RolloutVerdict verdict;
        const char *words;
    } cases[] = {
        {0, 0, 0, 0, 0, 0.1, V(HOLD), "0 requests in 60 s, 100 are needed"},
        {99, 99, 0, 99, 99, 0.1, V(HOLD), "99 requests"},
        {1000, 0, 0, 1000, 0, 0.1, V(CONTINUE), "0.0 % of 1000"},
        {1000, 300, 0, 1000, 0, 0.1, V(ABORT), "30.0 % of 1000 requests failed, as HAProxy"},
        {1000, 0, 300, 1000, 0, 0.1, V(ABORT), "as HAProxy counted"},
        {1000, 0, 0, 1000, 300, 0.1, V(ABORT), "as its servers counted"},
        {1000, 100, 100, 1000, 100, 0.25, V(CONTINUE),
         "10.0 %"}, /* the same requests, counted thrice */
        {500, 500, 0, 0, 0, 0.5, V(ABORT), "100.0 % of 500"},
        {0, 0, 0, 200, 200, 0.5, V(ABORT), "100.0 % of 200"},
        {100, 13, 0, 100, 0, 0.1, V(CONTINUE), "not above"}, /* 13 of 100 may be chance */
        {10000, 1300, 0, 0, 0, 0.1, V(ABORT), "is above"},   /* of 10000 it is not */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_anew();
        set_kind(KIND(ERROR_RATE));
        rule.has_alert_threshold = 1;
        rule.alert_threshold = cases[i].threshold;
        proxy.requests = cases[i].requests;
        proxy.responses_5xx = cases[i].failed;
        proxy.connect_errors = cases[i].not_connected;
        servers.requests = cases[i].served;
        model_errors.value = cases[i].refused;
        look();
        cr_assert_eq(found.verdict, cases[i].verdict, "case %zu: %s", i, found.sentence);
        cr_assert_eq(found.fires, cases[i].verdict == V(ABORT), "case %zu", i);
        cr_assert(strstr(found.sentence, cases[i].words), "case %zu: %s", i, found.sentence);
    }
}

/* Wilson's interval at one-sided 0.01 of 13 in 100: 0.0726; and of none in 100 it is 0. */
Test(watch, knows_how_sure_a_share_is)
{
    set_kind(KIND(ERROR_RATE));
    proxy.requests = 100;
    proxy.responses_5xx = 13;
    look();
    cr_assert_float_eq(found.statistic, 0.0714, 0.002, "%g", found.statistic);
    cr_assert_float_eq(found.effect, 0.13, 1e-12);
    proxy.responses_5xx = 0;
    look();
    cr_assert_float_eq(found.statistic, 0, 1e-12);
}

Test(watch, reads_a_quantile_from_the_buckets)
{
    set_kind(KIND(LATENCY));
    metric.has_maximum = 1;
    metric.maximum = 5;
    memset(latencies, 0, sizeof latencies);
    latencies[40] = 900; /* 2^10 us: about a millisecond */
    latencies[56] = 100; /* 2^14 us: 16 of them */
    look();
    cr_assert_eq(found.n, 1000);
    cr_assert(found.value > 16 && found.value < 20, "%g", found.value);
    cr_assert_eq(found.verdict, V(ABORT), "%s", found.sentence);
    metric.has_quantile = 1;
    metric.quantile = 0.5;
    look();
    cr_assert(found.value > 1 && found.value < 1.3, "%g", found.value);
    cr_assert_eq(found.verdict, V(CONTINUE), "%s", found.sentence);
    latencies[40] = 9;
    latencies[56] = 1;
    look();
    cr_assert_eq(found.verdict, V(HOLD), "%s", found.sentence);
}

Test(watch, measures_the_mean_in_standard_deviations_of_the_profile)
{
    set_kind(KIND(PREDICTION_MEAN));
    reference.prediction = make_profile();
    rule.has_alert_threshold = 1;
    rule.alert_threshold = 0.5;
    servers.prediction = make_values(400, 0, 101);
    look();
    cr_assert_eq(found.verdict, V(CONTINUE), "%s", found.sentence);
    cr_assert_float_eq(found.effect, 0.2, 1e-9);
    cr_assert_float_eq(found.chance, 2.5758 * sqrt(1 / 400.0 + 1 / 1000.0), 1e-3);
    servers.prediction = make_values(400, 0, 95);
    look();
    cr_assert_eq(found.verdict, V(ABORT), "%s", found.sentence);
    cr_assert_float_eq(found.effect, 1, 1e-9);
    cr_assert_eq(found.reference, 100);
}

/* Share of the values that moved, how many there are, what is made of it. The threshold is 0.1. */
Test(watch, compares_distributions_by_total_variation)
{
    static const struct {
        uint64_t n;
        uint64_t shifted;
        Valion__V1__RolloutVerdict verdict;
    } cases[] = {
        {80, 100, V(HOLD)},      {100, 0, V(CONTINUE)},   {100, 100, V(ABORT)},
        {200, 20, V(CONTINUE)}, /* too few to be sure */
        {10000, 0, V(CONTINUE)}, {10000, 8, V(CONTINUE)}, {10000, 40, V(ABORT)},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        begin_anew();
        set_kind(KIND(FEATURE_DISTRIBUTION));
        metric.column = vln_arena_strdup(arena, "area");
        Valion__V1__ColumnProfile *columns[] = {make_profile()};
        Valion__V1__ValueTelemetry *values[] = {make_values(cases[i].n, cases[i].shifted, 90)};
        reference.columns = columns;
        reference.n_columns = 1;
        servers.features = values;
        servers.n_features = 1;
        look();
        cr_assert_eq(found.verdict, cases[i].verdict, "case %zu: %s", i, found.sentence);
        if (found.verdict != V(HOLD)) {
            cr_assert_float_eq(found.effect, 0.95 * (double)cases[i].shifted / 100, 1e-9);
            cr_assert(strstr(found.sentence, "2 standard deviations from 100"), "%s",
                      found.sentence);
        }
    }
}

Test(watch, sees_missing_values_and_values_in_no_bin)
{
    set_kind(KIND(PREDICTION_DISTRIBUTION));
    reference.prediction = make_profile();
    servers.prediction = make_values(0, 0, 0);
    servers.prediction->missing = 500;
    look();
    cr_assert_eq(found.verdict, V(ABORT), "%s", found.sentence);
    cr_assert_float_eq(found.effect, 1, 1e-9);
    Valion__V1__CategoryCount town = VALION__V1__CATEGORY_COUNT__INIT;
    Valion__V1__CategoryCount *top[] = {&town};
    uint64_t counts[] = {0, 500};
    town.category = vln_arena_strdup(arena, "here");
    town.count = 900;
    reference.prediction->n_counts = reference.prediction->n_edges = 0;
    reference.prediction->top = top;
    reference.prediction->n_top = 1;
    reference.prediction->other = 100;
    servers.prediction->missing = 0;
    servers.prediction->counts = counts;
    servers.prediction->n_counts = 2;
    look();
    cr_assert_eq(found.verdict, V(ABORT), "%s", found.sentence);
    cr_assert_float_eq(found.effect, 0.9, 1e-9);
}

Test(watch, holds_where_there_is_nothing_to_compare)
{
    set_kind(KIND(PREDICTION_MEAN));
    servers.prediction = make_values(1000, 0, 0);
    look();
    cr_assert_eq(found.verdict, V(HOLD));
    cr_assert(strstr(found.sentence, "nothing to count the prediction by"), "%s", found.sentence);
    view.reference = NULL;
    look();
    cr_assert(strstr(found.sentence, "no profile"), "%s", found.sentence);
    view.reference = &reference;
    reference.prediction = make_profile();
    reference.prediction->sum_squares = 0;
    look();
    cr_assert_eq(found.verdict, V(HOLD));
    cr_assert(strstr(found.sentence, "do not vary"), "%s", found.sentence);
    servers.prediction = NULL;
    look();
    cr_assert(strstr(found.sentence, "do not count"), "%s", found.sentence);
    set_kind(KIND(PREDICTION_DISTRIBUTION));
    servers.prediction = make_values(1000, 0, 0);
    servers.prediction->n_counts = 3;
    look();
    cr_assert_eq(found.verdict, V(HOLD));
    cr_assert(strstr(found.sentence, "other bins"), "%s", found.sentence);
}

Test(watch, holds_while_something_is_in_the_way)
{
    set_kind(KIND(ERROR_RATE));
    proxy.requests = proxy.responses_5xx = 1000;
    view.obstacle = "nothing serves";
    look();
    cr_assert_eq(found.verdict, V(HOLD));
    cr_assert_str_eq(found.sentence, "nothing serves");
    cr_assert_not(found.fires);
}

Test(watch, fires_once_in_its_cooldown)
{
    set_kind(KIND(ERROR_RATE));
    proxy.requests = proxy.responses_5xx = 1000;
    look();
    cr_assert(found.fires);
    rule.last_fired_us = view.now_us;
    view.now_us += 3600 * (minute_us / 60) - 1;
    look();
    cr_assert_eq(found.verdict, V(ABORT));
    cr_assert_not(found.fires);
    cr_assert(strstr(found.sentence, "cooldown"), "%s", found.sentence);
    view.now_us += 1;
    look();
    cr_assert(found.fires);
}

Test(watch, only_looks_in_a_dry_run)
{
    set_kind(KIND(ERROR_RATE));
    metric.has_dry_run = metric.dry_run = 1;
    proxy.requests = proxy.responses_5xx = 1000;
    look();
    cr_assert_eq(found.verdict, V(ABORT));
    cr_assert_not(found.fires);
}

Test(watch, takes_the_sample_of_the_metric_over_that_of_the_rule)
{
    set_kind(KIND(ERROR_RATE));
    metric.has_min_samples = 1;
    metric.min_samples = 5;
    proxy.requests = proxy.responses_5xx = 10;
    look();
    cr_assert_eq(found.needed, 5);
    cr_assert_eq(found.verdict, V(ABORT), "%s", found.sentence);
}
