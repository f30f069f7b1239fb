/*
 * watch - rules that watch an endpoint for good: are they sound, and what does one make of the requests
 * since its last look.
 *
 * A rule compares one statistic with its threshold. The statistic is the metric's effect less what
 * chance explains at the rule's alpha with this many requests, so that few requests do not fire: a
 * share or a difference that is not sure does not count. Too few requests decide nothing, and say so.
 * Pure.
 */
#ifndef WATCH_H
#define WATCH_H

#include <stdbool.h>
#include <valion/v1/deployer.pb-c.h>

#include "vln_mem.h"

enum { WATCH_SENTENCE = 400, WATCH_NAME_MAX = 64 };

/* Defaults of the contract where the rule says nothing. What only the deployer writes is cleared. */
void watch_rule_fill(Valion__V1__WatchRule *rule, vln_arena_t *arena);

/* False: `*why` is a sentence about the field `*field`. */
bool watch_rule_check(const Valion__V1__WatchRule *rule, const char **field, const char **why);

/* "error_rate", or "feature_distribution of area", for people and events. Never NULL. */
const char *watch_metric_name(Valion__V1__AnalysisMetricKind kind);

/* What is known when the rule looks. Borrowed. */
typedef struct watch_view {
    const Valion__V1__WatchRule *rule;      /* filled in and checked */
    int64_t now_us;                         /* the record's clock */
    int64_t since_us;                       /* when the window began */
    const char *obstacle;                   /* why nothing can be told now; NULL */
    const Valion__V1__Telemetry *servers;   /* of the window, all stable instances together */
    const Valion__V1__ProxyCounters *proxy; /* of the window, all hosts together */
    const Valion__V1__Profile *reference;   /* of the version; NULL: it has none */
} watch_view_t;

typedef struct watch_finding {
    Valion__V1__RolloutVerdict verdict; /* HOLD, CONTINUE, or ABORT: above the threshold */
    bool fires;       /* above it, and neither a dry run nor within the cooldown */
    double value;     /* of the metric, in its unit */
    double reference; /* what the version's profile says; 0 where it does not matter */
    double effect;
    double chance;
    double statistic; /* effect - chance, not below 0 */
    double threshold;
    uint64_t n;
    uint64_t needed;
    char sentence[WATCH_SENTENCE];
} watch_finding_t;

void watch_look(const watch_view_t *view, watch_finding_t *out);

#endif
