#include "drift_method.h"

#include <math.h>
#include <string.h>

#include "check_say.h"

enum {
    FEW_ROWS = 30,
    BIN_ROWS = 100,
    EVIDENTLY_ROWS = 1000,
    EVIDENTLY_DISTINCT = 5,
    PSI_DISTINCT = 20
};

/* clang-format off */
static const struct method {
    const char *name;
    bool uncorrected; /* unless the check says otherwise */
    bool whole;
} methods[] = {
    /* name                                  plain  missing values, target, predictions */
    [DRIFT_AUTO]           = {"auto",            false, true},
    [DRIFT_ORIGINAL]       = {"original",        true,  false},
    [DRIFT_EVIDENTLY]      = {"evidently",       true,  false},
    [DRIFT_PSI]            = {"psi",             false, true},
    [DRIFT_KS]             = {"ks",              false, true},
    [DRIFT_JENSEN_SHANNON] = {"jensen_shannon",  false, true},
    [DRIFT_WASSERSTEIN]    = {"wasserstein",     false, true},
    [DRIFT_CHI2]           = {"chi2",            false, true},
};
/* clang-format on */

/* ---- what a check says ---- */

static const char *
find_parameter(const Valion__V1__CheckSpec *spec, const char *name, const char *otherwise)
{
    for (size_t i = 0; i < spec->n_parameters; i++) {
        const Valion__V1__KeyValue *pair = spec->parameters[i];
        if (pair->key && strcmp(pair->key, name) == 0 && pair->value && pair->value[0]) {
            return pair->value;
        }
    }
    return otherwise;
}

static bool
parse_method(const char *name, drift_method_t *out)
{
    for (size_t i = 0; i < VLN_COUNT(methods); i++) {
        if (strcmp(methods[i].name, name) == 0) {
            *out = (drift_method_t)i;
            return true;
        }
    }
    return false;
}

bool
drift_rule_read(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                drift_rule_t *out, const char **why)
{
    const char *method = find_parameter(spec, "method", "auto");
    const char *bins = find_parameter(spec, "psi_bins", "quantile");
    *out = (drift_rule_t){.alpha = check_threshold(spec, "drift_threshold", 0.05),
                          .effect = check_threshold(spec, "effect_threshold", 0.1),
                          .seed = context->seed};
    if (!parse_method(method, &out->method)) {
        *why = check_text(context, CHECK_NOTE_MAX,
                          "There is no method '%.64s'; there are auto, original, evidently, psi, "
                          "ks, jensen_shannon, wasserstein and chi2",
                          method);
        return false;
    }
    if (!vln_psi_rule_parse(bins, &out->psi)) {
        *why = check_text(context, CHECK_NOTE_MAX,
                          "There are no psi_bins '%.64s'; there are quantile, smoothed, "
                          "equal_width and evidently",
                          bins);
        return false;
    }
    out->correction = spec->correction;
    if (!out->correction) {
        out->correction = methods[out->method].uncorrected
                              ? VALION__V1__CORRECTION__CORRECTION_NONE
                              : VALION__V1__CORRECTION__CORRECTION_BENJAMINI_HOCHBERG;
    }
    return true;
}

size_t
drift_least_rows(const drift_rule_t *rule, bool profile)
{
    if (rule->method == DRIFT_EVIDENTLY) {
        return 1;
    }
    return profile || rule->method == DRIFT_PSI ? BIN_ROWS : FEW_ROWS;
}

bool
drift_is_whole(const drift_rule_t *rule)
{
    return methods[rule->method].whole;
}

/* ---- findings ---- */

static drift_finding_t
untested(const char *why)
{
    return (drift_finding_t){.why = why};
}

static drift_finding_t
tested(const char *name, const vln_drift_t *test, drift_by_t by)
{
    bool usable = test->defined && (by == DRIFT_BY_SIZE || test->has_p);
    return usable ? (drift_finding_t){.name = name, .test = *test, .by = by}
                  : untested(vln_stat_why_text(test->why));
}

/* The largest of what is told of a column is its effect. */
static void
note_effect(drift_finding_t *self, const char *name, const vln_drift_t *size)
{
    if (size->defined && (!self->effect_name || size->statistic > self->effect)) {
        self->effect_name = name;
        self->effect = size->statistic;
    }
}

static void
note_effects_of_counts(drift_finding_t *self, const uint64_t *reference, const uint64_t *current,
                       size_t count)
{
    vln_drift_t psi = vln_drift_psi_counts(reference, current, count, VLN_PSI_QUANTILE);
    vln_drift_t shannon = vln_drift_jensen_shannon(reference, current, count, 2);
    note_effect(self, "psi", &psi);
    note_effect(self, "jensen_shannon", &shannon);
}

/* ---- few distinct numbers ---- */

/* Rows of each value that occurs on either side; 0: more than `most` do. */
static size_t
count_values(const vln_sample_t *reference, const vln_sample_t *current, size_t most,
             uint64_t *then, uint64_t *now)
{
    size_t at_then = 0;
    size_t at_now = 0;
    size_t count = 0;
    while (at_then < reference->n || at_now < current->n) {
        double value =
            at_now == current->n || (at_then < reference->n &&
                                     reference->sorted[at_then] <= current->sorted[at_now])
                ? reference->sorted[at_then]
                : current->sorted[at_now];
        if (count == most) {
            return 0;
        }
        for (then[count] = 0; at_then < reference->n && reference->sorted[at_then] <= value;
             at_then++) {
            then[count]++;
        }
        for (now[count] = 0; at_now < current->n && current->sorted[at_now] <= value; at_now++) {
            now[count]++;
        }
        count++;
    }
    return count;
}

/* ---- numbers ---- */

static vln_drift_t
shannon_of_numbers(const vln_sample_t *reference, const vln_sample_t *current)
{
    uint64_t then[VLN_BINS_MAX] = {0};
    uint64_t now[VLN_BINS_MAX] = {0};
    vln_bins_t bins = vln_bins_quantile(reference, VLN_PSI_BINS);
    vln_bins_count(&bins, reference, then);
    vln_bins_count(&bins, current, now);
    return vln_drift_jensen_shannon(then, now, bins.count, 2);
}

static drift_finding_t
numbers_by_psi(const drift_rule_t *rule, const vln_sample_t *reference, const vln_sample_t *current)
{
    uint64_t then[PSI_DISTINCT] = {0};
    uint64_t now[PSI_DISTINCT] = {0};
    size_t count = rule->psi == VLN_PSI_EVIDENTLY
                       ? count_values(reference, current, PSI_DISTINCT, then, now)
                       : 0;
    vln_drift_t psi = count > 0 ? vln_drift_psi_counts(then, now, count, rule->psi)
                                : vln_drift_psi(reference, current, rule->psi, 0);
    return tested("psi", &psi, DRIFT_BY_SIZE);
}

/* Of two categories at most, by the first of them. */
static drift_finding_t
counts_by_z(const uint64_t *then, const uint64_t *now, size_t count)
{
    vln_proportion_t reference = {0};
    vln_proportion_t current = {0};
    bool first = true;
    for (size_t i = 0; i < count; i++) {
        reference.rows += then[i];
        current.rows += now[i];
        if (first && then[i] + now[i] > 0) {
            first = false;
            reference.hits = then[i];
            current.hits = now[i];
        }
    }
    vln_drift_t z = vln_drift_proportions(reference, current);
    return tested("z", &z, DRIFT_BY_P);
}

static drift_finding_t
counts_by_evidently(const uint64_t *then, const uint64_t *now, size_t count, size_t rows)
{
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        used += then[i] + now[i] > 0;
    }
    if (rows > EVIDENTLY_ROWS) {
        vln_drift_t shannon = vln_drift_jensen_shannon(then, now, count, M_E);
        return tested("jensen_shannon", &shannon, DRIFT_BY_SIZE);
    }
    if (used <= 2) {
        return counts_by_z(then, now, count);
    }
    vln_drift_t fit = vln_drift_chi_square_fit(then, now, count);
    if (fit.why == VLN_STAT_UNSEEN) {
        return (drift_finding_t){.name = "chi2_fit",
                                 .by = DRIFT_BY_P,
                                 .certain = true,
                                 .note = "a category that the reference does not have"};
    }
    return tested("chi2_fit", &fit, DRIFT_BY_P);
}

static drift_finding_t
numbers_by_evidently(const vln_sample_t *reference, const vln_sample_t *current)
{
    uint64_t then[EVIDENTLY_DISTINCT] = {0};
    uint64_t now[EVIDENTLY_DISTINCT] = {0};
    size_t count = count_values(reference, current, EVIDENTLY_DISTINCT, then, now);
    if (count > 0) {
        return counts_by_evidently(then, now, count, reference->n);
    }
    if (reference->n > EVIDENTLY_ROWS) {
        vln_drift_t distance = vln_drift_wasserstein_normalised(reference, current);
        return tested("wasserstein", &distance, DRIFT_BY_SIZE);
    }
    vln_drift_t ks = vln_drift_ks(reference, current, VLN_KS_AUTO, 0);
    return tested("ks", &ks, DRIFT_BY_P);
}

static drift_finding_t
numbers_by_ks(const vln_sample_t *reference, const vln_sample_t *current, drift_by_t by)
{
    vln_drift_t ks;
    vln_drift_t distance;
    vln_drift_ks_and_wasserstein(reference, current, &ks, &distance);
    vln_drift_t psi = vln_drift_psi(reference, current, VLN_PSI_QUANTILE, 0);
    drift_finding_t self = tested("ks", &ks, by);
    note_effect(&self, "psi", &psi);
    note_effect(&self, "wasserstein", &distance);
    return self;
}

static drift_finding_t
numbers_by_original(const vln_sample_t *reference, const vln_sample_t *current)
{
    vln_drift_t ks = vln_drift_ks(reference, current, VLN_KS_AUTO, 0);
    vln_drift_t psi = vln_drift_psi(reference, current, VLN_PSI_EQUAL_WIDTH, 0);
    drift_finding_t self = tested("ks", &ks, DRIFT_BY_P);
    note_effect(&self, "psi", &psi);
    return self;
}

drift_finding_t
drift_of_numbers(const drift_rule_t *rule, const vln_sample_t *reference,
                 const vln_sample_t *current)
{
    /* What is missing has a test of its own. */
    vln_sample_t then = *reference;
    vln_sample_t now = *current;
    then.missing = now.missing = 0;
    vln_drift_t size;
    switch (rule->method) {
    case DRIFT_AUTO:
        return numbers_by_ks(&then, &now, DRIFT_BY_P_AND_EFFECT);
    case DRIFT_KS:
        return numbers_by_ks(&then, &now, DRIFT_BY_P);
    case DRIFT_ORIGINAL:
        return numbers_by_original(&then, &now);
    case DRIFT_EVIDENTLY:
        return numbers_by_evidently(&then, &now);
    case DRIFT_PSI:
        return numbers_by_psi(rule, &then, &now);
    case DRIFT_JENSEN_SHANNON:
        size = shannon_of_numbers(&then, &now);
        return tested("jensen_shannon", &size, DRIFT_BY_SIZE);
    case DRIFT_WASSERSTEIN:
        size = vln_drift_wasserstein_normalised(&then, &now);
        return tested("wasserstein", &size, DRIFT_BY_SIZE);
    case DRIFT_CHI2:
        break;
    }
    return untested("chi2 is a test of texts, and it holds numbers");
}

/* ---- counts ---- */

static drift_finding_t
counts_by_chi2(const drift_rule_t *rule, const uint64_t *then, const uint64_t *now, size_t count,
               drift_by_t by)
{
    vln_drift_t chi2 = vln_drift_contingency(then, now, count, rule->seed);
    drift_finding_t self = tested("chi2", &chi2, by);
    note_effects_of_counts(&self, then, now, count);
    if (self.name && (chi2.exact || chi2.draws > 0)) {
        self.note = chi2.exact ? "expected counts are small: p is exact"
                               : "expected counts are small: p by Monte Carlo";
    }
    return self;
}

drift_finding_t
drift_of_categories(const drift_rule_t *rule, const counts_t *counts)
{
    const uint64_t *then = counts->reference;
    const uint64_t *now = counts->current;
    bool missing = counts->missing_reference + counts->missing_current > 0;
    size_t count = counts->count - (missing ? 1 : 0); /* the last one; it has a test of its own */
    vln_drift_t size;
    switch (rule->method) {
    case DRIFT_AUTO:
        return counts_by_chi2(rule, then, now, count, DRIFT_BY_P_AND_EFFECT);
    case DRIFT_CHI2:
        return counts_by_chi2(rule, then, now, count, DRIFT_BY_P);
    case DRIFT_EVIDENTLY:
        return counts_by_evidently(then, now, count, counts->n_reference);
    case DRIFT_PSI:
        size = vln_drift_psi_counts(then, now, count, rule->psi);
        return tested("psi", &size, DRIFT_BY_SIZE);
    case DRIFT_JENSEN_SHANNON:
        size = vln_drift_jensen_shannon(then, now, count, 2);
        return tested("jensen_shannon", &size, DRIFT_BY_SIZE);
    case DRIFT_ORIGINAL:
        return untested("the original looks at numbers alone");
    case DRIFT_KS:
    case DRIFT_WASSERSTEIN:
        break;
    }
    return untested("the method is one for numbers, and it holds texts");
}

drift_finding_t
drift_of_sketch(const drift_rule_t *rule, const vln_sketch_t *reference,
                const vln_sample_t *current)
{
    if (rule->method != DRIFT_KS) {
        return untested("the method needs the reference's rows, and only a profile is stored");
    }
    vln_drift_t ks = vln_drift_ks_of_sketch(reference, current);
    drift_finding_t self = tested("ks_sketch", &ks, DRIFT_BY_P);
    if (self.name && reference->error > 0) {
        self.note = "the reference's stored sketch is off by a little: p is an upper bound";
    }
    return self;
}

drift_finding_t
drift_of_bins(const drift_rule_t *rule, const counts_t *counts)
{
    bool missing = counts->missing_reference + counts->missing_current > 0;
    size_t count = counts->count - (missing ? 1 : 0);
    vln_drift_t size;
    drift_finding_t self;
    switch (rule->method) {
    case DRIFT_PSI:
        size = vln_drift_psi_counts(counts->reference, counts->current, count, rule->psi);
        return tested("psi", &size, DRIFT_BY_SIZE);
    case DRIFT_JENSEN_SHANNON:
        size = vln_drift_jensen_shannon(counts->reference, counts->current, count, 2);
        return tested("jensen_shannon", &size, DRIFT_BY_SIZE);
    case DRIFT_AUTO:
    case DRIFT_CHI2:
        self = counts_by_chi2(rule, counts->reference, counts->current, count,
                              rule->method == DRIFT_AUTO ? DRIFT_BY_P_AND_EFFECT : DRIFT_BY_P);
        self.name = self.name ? "chi2_bins" : NULL;
        return self;
    default:
        return untested("the method needs the reference's rows, and only a profile is stored");
    }
}

/* ---- what is missing ---- */

drift_finding_t
drift_of_missing(const drift_rule_t *rule, vln_proportion_t reference, vln_proportion_t current)
{
    const uint64_t then[] = {reference.hits, reference.rows - reference.hits};
    const uint64_t now[] = {current.hits, current.rows - current.hits};
    vln_drift_t z = vln_drift_proportions(reference, current);
    vln_drift_t small = vln_drift_contingency(then, now, 2, rule->seed);
    if (z.defined && small.exact) {
        z.exact = true;
        z.p = small.p;
    }
    drift_finding_t self = tested("missing", &z, DRIFT_BY_P_AND_EFFECT);
    note_effects_of_counts(&self, then, now, 2);
    return self;
}
