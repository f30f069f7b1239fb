/*
 * What a policy has to be before it is stored. It is never changed afterwards, and a validator acts
 * on it: a name that is misspelt or a number that is none would be found out when it is too late.
 */
#include <math.h>
#include <string.h>

#include "vln_expression.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "registry_policies.h"
#include "registry_wire.h"
#include "stage.h"

enum {
    CHECKS_MAX = 64,
    CHECK_NAME_MAX = 128,
    PAIRS_MAX = 64,
    KEY_MAX = 250,
    VALUE_MAX = 5000,
    COLUMNS_MAX = 500,
    METRICS_MAX = 64,
    DESCRIPTION_MAX = 5000,
    SOURCE_MAX = 64 * 1024,
    EXPRESSION_MAX = 1000,
    ENVIRONMENT_MAX = 64,
    RECORD_MAX = 120 * 1024,
    FIELDS_MAX = 3000, /* a reply holds 4096 of all levels, with what stands around */
};
static const int64_t TIMEOUT_MAX_MS = (int64_t)24 * 3600 * 1000;
static const int64_t YEAR_2100_US = 4102444800000000;

/* ---- parts ---- */

static bool
is_key(const char *key)
{
    return key && *key && strlen(key) <= KEY_MAX;
}

static bool
check_parameters(vln_call_t *call, const Valion__V1__CheckSpec *check)
{
    bool sound = check->n_parameters <= PAIRS_MAX;
    for (size_t i = 0; sound && i < check->n_parameters; i++) {
        const Valion__V1__KeyValue *pair = check->parameters[i];
        sound = is_key(pair->key) && (!pair->value || strlen(pair->value) <= VALUE_MAX);
        for (size_t other = 0; sound && other < i; other++) {
            sound = strcmp(check->parameters[other]->key, pair->key) != 0;
        }
    }
    if (!sound) {
        vln_call_refuse_field(call, "policy.checks.parameters",
                              "'%s': at most %d, each key once and of 1 to %d bytes, a value of at "
                              "most %d",
                              check->name, PAIRS_MAX, KEY_MAX, VALUE_MAX);
    }
    return sound;
}

static bool
check_threshold(vln_call_t *call, const Valion__V1__CheckSpec *check,
                const Valion__V1__KeyNumber *pair)
{
    if (!is_key(pair->key) || !pair->has_value || !isfinite(pair->value)) {
        vln_call_refuse_field(call, "policy.checks.thresholds",
                              "'%s': a threshold has a name and a number that is finite",
                              check->name);
        return false;
    }
    if (policy_kind_is_free(check->kind)) {
        return true;
    }
    const policy_parameter_t *known = policy_parameter_find(check->kind, pair->key);
    if (!known) {
        vln_call_refuse_field(call, "policy.checks.thresholds",
                              "'%s': the kind %s has no threshold '%.64s'; docs/policies.md lists "
                              "them",
                              check->name, check->kind, pair->key);
        return false;
    }
    if (pair->value < known->min || pair->value > known->max) {
        vln_call_refuse_field(call, "policy.checks.thresholds", "'%s': %s lies within %g and %g",
                              check->name, pair->key, known->min, known->max);
        return false;
    }
    return true;
}

static bool
check_thresholds(vln_call_t *call, const Valion__V1__CheckSpec *check)
{
    if (check->n_thresholds > PAIRS_MAX) {
        vln_call_refuse_field(call, "policy.checks.thresholds", "'%s': at most %d", check->name,
                              PAIRS_MAX);
        return false;
    }
    for (size_t i = 0; i < check->n_thresholds; i++) {
        if (!check_threshold(call, check, check->thresholds[i])) {
            return false;
        }
        for (size_t other = 0; other < i; other++) {
            if (strcmp(check->thresholds[other]->key, check->thresholds[i]->key) == 0) {
                vln_call_refuse_field(call, "policy.checks.thresholds",
                                      "'%s': '%s' stands there twice", check->name,
                                      check->thresholds[i]->key);
                return false;
            }
        }
    }
    return true;
}

static bool
is_metric(const Valion__V1__MetricThreshold *metric, bool compared)
{
    bool absolute = !metric->has_min_absolute_change ||
                    (isfinite(metric->min_absolute_change) && metric->min_absolute_change > 0);
    bool relative = !metric->has_min_relative_change ||
                    (metric->min_relative_change > 0 && metric->min_relative_change <= 1);
    bool asks = compared || metric->has_threshold || metric->has_min_absolute_change ||
                metric->has_min_relative_change;
    return is_key(metric->metric) && metric->has_greater_is_better && asks && absolute &&
           relative && (!metric->has_threshold || isfinite(metric->threshold));
}

static bool
check_metrics(vln_call_t *call, const Valion__V1__CheckSpec *check)
{
    bool gates = strcmp(check->kind, "metric_threshold") == 0;
    bool sound = check->n_metrics <= METRICS_MAX && (!gates || check->n_metrics > 0);
    for (size_t i = 0; sound && i < check->n_metrics; i++) {
        sound = is_metric(check->metrics[i], check->significance != NULL);
    }
    if (!sound) {
        vln_call_refuse_field(call, "policy.checks.metrics",
                              "'%s': 1 to %d metrics, each with its name, greater_is_better and a "
                              "finite threshold, a min_absolute_change above 0, a "
                              "min_relative_change above 0 and at most 1, or significance",
                              check->name, METRICS_MAX);
    }
    return sound;
}

static bool
check_significance(vln_call_t *call, const Valion__V1__CheckSpec *check)
{
    const Valion__V1__Significance *given = check->significance;
    if (!given) {
        return true;
    }
    bool sound =
        vln_pb_enum_knows(&valion__v1__significance_method__descriptor, (int)given->method) &&
        (!given->has_alpha || (given->alpha > 0 && given->alpha < 1)) &&
        (!given->has_non_inferiority_margin ||
         (isfinite(given->non_inferiority_margin) && given->non_inferiority_margin >= 0)) &&
        (!given->has_resamples || (given->resamples >= 100 && given->resamples <= 100000));
    if (!sound) {
        vln_call_refuse_field(
            call, "policy.checks.significance",
            "'%s': a method that is known, alpha above 0 and below 1, a margin of "
            "at least 0, 100 to 100000 resamples",
            check->name);
    }
    return sound;
}

static bool
check_columns(vln_call_t *call, const Valion__V1__CheckSpec *check)
{
    bool sound = check->n_columns <= COLUMNS_MAX;
    for (size_t i = 0; sound && i < check->n_columns; i++) {
        sound = is_key(check->columns[i]);
    }
    if (!sound) {
        vln_call_refuse_field(call, "policy.checks.columns",
                              "'%s': at most %d columns of 1 to %d bytes", check->name, COLUMNS_MAX,
                              KEY_MAX);
    }
    return sound;
}

static bool
check_expression(vln_call_t *call, const Valion__V1__CheckSpec *check)
{
    bool wanted = strcmp(check->kind, "expression") == 0;
    bool given = check->expression && *check->expression;
    if (wanted != given || (given && strlen(check->expression) > EXPRESSION_MAX)) {
        vln_call_refuse_field(call, "policy.checks.expression",
                              "'%s': a check of kind expression, and no other, has one of at most "
                              "%d bytes",
                              check->name, EXPRESSION_MAX);
        return false;
    }
    vln_expression_t expression;
    char why[VLN_EXPRESSION_WHY];
    if (given && !vln_expression_parse(check->expression, &expression, why)) {
        vln_call_refuse_field(call, "policy.checks.expression", "'%s': %s", check->name, why);
        return false;
    }
    return true;
}

static bool
check_rest(vln_call_t *call, const Valion__V1__CheckSpec *check)
{
    bool sound = vln_pb_enum_knows(&valion__v1__severity__descriptor, (int)check->severity) &&
                 vln_pb_enum_knows(&valion__v1__correction__descriptor, (int)check->correction) &&
                 (!check->has_timeout_ms ||
                  (check->timeout_ms > 0 && check->timeout_ms <= TIMEOUT_MAX_MS)) &&
                 (!check->baseline || is_key(check->baseline));
    if (!sound) {
        vln_call_refuse_field(
            call, "policy.checks",
            "'%s': a severity and a correction that are known, a baseline of 1 to "
            "%d bytes, a timeout of at most a day",
            check->name, KEY_MAX);
    }
    return sound;
}

static bool
is_check_name(const char *name)
{
    static const char rest[] = "abcdefghijklmnopqrstuvwxyz0123456789_.:-";
    size_t len = name ? strlen(name) : 0;
    return len > 0 && len <= CHECK_NAME_MAX && strspn(name, rest) == len && !strchr("_.:-", *name);
}

static bool
check_one(vln_call_t *call, const Valion__V1__CheckSpec *check)
{
    if (!is_check_name(check->name)) {
        vln_call_refuse_field(call, "policy.checks.name",
                              "'%.64s' cannot name a check: 1 to %d of a-z, 0-9, '_', '.', ':' and "
                              "'-', beginning with a letter or digit",
                              check->name ? check->name : "", CHECK_NAME_MAX);
        return false;
    }
    if (!check->kind || !policy_kind_is_known(check->kind)) {
        vln_call_refuse_field(call, "policy.checks.kind", "'%s': '%.64s' is no kind; there are %s",
                              check->name, check->kind ? check->kind : "", policy_kind_names());
        return false;
    }
    return check_parameters(call, check) && check_thresholds(call, check) &&
           check_metrics(call, check) && check_significance(call, check) &&
           check_columns(call, check) && check_expression(call, check) && check_rest(call, check);
}

static bool
check_checks(vln_call_t *call, const Valion__V1__Policy *policy)
{
    if (policy->n_checks == 0 || policy->n_checks > CHECKS_MAX) {
        vln_call_refuse_field(call, "policy.checks", "a policy asks for 1 to %d checks",
                              CHECKS_MAX);
        return false;
    }
    for (size_t i = 0; i < policy->n_checks; i++) {
        if (!check_one(call, policy->checks[i])) {
            return false;
        }
        for (size_t other = 0; other < i; other++) {
            if (strcmp(policy->checks[other]->name, policy->checks[i]->name) == 0) {
                vln_call_refuse_field(call, "policy.checks.name", "'%s' stands there twice",
                                      policy->checks[i]->name);
                return false;
            }
        }
    }
    return true;
}

/* ---- the policy ---- */

static bool
check_scope(vln_call_t *call, const Valion__V1__Policy *policy)
{
    stage_t stage;
    if (!vln_pb_enum_knows(&valion__v1__task_type__descriptor, (int)policy->task)) {
        vln_call_refuse_field(call, "policy.task", "regression, binary or multiclass");
        return false;
    }
    if (policy->stage && !stage_parse(policy->stage, &stage)) {
        vln_call_refuse_field(call, "policy.stage", "'%.64s' is no stage", policy->stage);
        return false;
    }
    if (policy->model && !vln_text_is_name(policy->model, REGISTRY_NAME_MAX, "_.-")) {
        vln_call_refuse_field(call, "policy.model", "'%.64s' cannot name a model", policy->model);
        return false;
    }
    if (policy->environment && !vln_text_is_name(policy->environment, ENVIRONMENT_MAX, "_.-")) {
        vln_call_refuse_field(call, "policy.environment", "'%.64s' cannot name an environment",
                              policy->environment);
        return false;
    }
    return true;
}

static bool
check_numbers(vln_call_t *call, const Valion__V1__Policy *policy)
{
    if (!vln_pb_enum_knows(&valion__v1__min_status__descriptor, (int)policy->min_status)) {
        vln_call_refuse_field(call, "policy.min_status", "pass, warn or inconclusive");
        return false;
    }
    if (policy->has_max_age_ms &&
        (policy->max_age_ms <= 0 || policy->max_age_ms > YEAR_2100_US / 1000)) {
        vln_call_refuse_field(call, "policy.max_age_ms", "above 0, or left out for any age");
        return false;
    }
    if (policy->min_rows > (uint64_t)INT64_MAX) {
        vln_call_refuse_field(call, "policy.min_rows", "no data set has that many rows");
        return false;
    }
    if (policy->has_in_force_from_us &&
        (policy->in_force_from_us <= 0 || policy->in_force_from_us > YEAR_2100_US)) {
        vln_call_refuse_field(call, "policy.in_force_from_us",
                              "microseconds since 1970, before the year 2100");
        return false;
    }
    return true;
}

static bool
check_size(vln_call_t *call, const Valion__V1__Policy *policy)
{
    size_t size = 0;
    vln_pb_scan_t scan;
    const uint8_t *packed = vln_pb_pack(&policy->base, call->arena, &size);
    if (size <= RECORD_MAX && vln_pb_scan(policy->base.descriptor, packed, size, &scan) == VLN_OK &&
        scan.fields <= FIELDS_MAX) {
        return true;
    }
    vln_call_refuse(call, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_TOO_LARGE,
                    "a policy has at most %d bytes and %d fields, those of all checks together",
                    RECORD_MAX, FIELDS_MAX);
    call->limit = size > RECORD_MAX ? RECORD_MAX : FIELDS_MAX;
    return false;
}

bool
registry_policy_check(vln_call_t *call, const Valion__V1__Policy *policy)
{
    if (!policy) {
        vln_call_refuse_field(call, "policy", "say which: a name and checks");
        return false;
    }
    return registry_check_name(call, "policy.name", "a policy", policy->name) &&
           registry_check_text(call, "policy.description", policy->description, DESCRIPTION_MAX) &&
           registry_check_text(call, "policy.source", policy->source, SOURCE_MAX) &&
           check_scope(call, policy) && check_numbers(call, policy) && check_checks(call, policy) &&
           check_size(call, policy);
}
