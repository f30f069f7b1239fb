/*
 * data_drift: which columns are distributed otherwise than in the reference, and what share of them
 * that is. How one is compared is drift_method's; here the columns are brought together, p-values
 * corrected for their number, and the share is judged.
 *
 * Columns are what the model takes, and the target and the predictions where both sides have them.
 * The values of a column and its missing values are tested apart; it has drifted when either has.
 * Against a profile, whose rows nobody has any more, numbers are compared by its bins.
 */
#include <stdlib.h>

#include "vln_normal.h"

#include "check_say.h"
#include "drift_columns.h"

/* ---- many tests ---- */

/* It takes part in the correction: what is decided otherwise is no test. */
static bool
has_p(const drift_test_t *self)
{
    return self->tested && !self->gone && !self->finding.certain &&
           self->finding.by != DRIFT_BY_SIZE;
}

static int
by_p(const void *left, const void *right)
{
    const drift_test_t *a = *(drift_test_t *const *)left;
    const drift_test_t *b = *(drift_test_t *const *)right;
    return a->p < b->p ? -1 : a->p > b->p;
}

/* Holm (Scand. J. Stat. 6, 1979): the smallest p times their number, and so on, never falling. */
static void
adjust_by_holm(const check_context_t *context, drift_test_t *compared, size_t count,
               double *adjusted)
{
    drift_test_t **sorted = vln_arena_alloc(context->arena, (count + 1) * sizeof(void *));
    size_t tests = 0;
    for (size_t i = 0; i < count; i++) {
        sorted[tests] = &compared[i];
        tests += has_p(&compared[i]);
    }
    qsort(sorted, tests, sizeof(void *), by_p);
    double least = 0;
    for (size_t i = 0; i < tests; i++) {
        least = fmin(1, fmax(least, sorted[i]->p * (double)(tests - i)));
        adjusted[sorted[i] - compared] = least;
    }
}

static void
adjust(const check_context_t *context, Valion__V1__Correction correction, drift_test_t *compared,
       size_t count)
{
    double *p = vln_arena_alloc(context->arena, (count + 1) * sizeof *p);
    double *adjusted = vln_arena_alloc(context->arena, (count + 1) * sizeof *adjusted);
    for (size_t i = 0; i < count; i++) {
        p[i] = has_p(&compared[i]) ? compared[i].p : -1;
        adjusted[i] = p[i];
    }
    if (correction == VALION__V1__CORRECTION__CORRECTION_HOLM) {
        adjust_by_holm(context, compared, count, adjusted);
    } else if (correction != VALION__V1__CORRECTION__CORRECTION_NONE) {
        vln_benjamini_hochberg(p, count, adjusted);
    }
    for (size_t i = 0; i < count; i++) {
        if (has_p(&compared[i])) {
            compared[i].out->has_p_adjusted = 1;
            compared[i].out->p_adjusted = adjusted[i];
        }
        compared[i].p = adjusted[i];
    }
}

static bool
has_drifted(const drift_test_t *self)
{
    const drift_rule_t *rule = self->rule;
    const drift_finding_t *finding = &self->finding;
    if (self->gone || finding->certain) {
        return true;
    }
    switch (finding->by) {
    case DRIFT_BY_SIZE:
        return finding->test.statistic >= rule->effect;
    case DRIFT_BY_P_AND_EFFECT:
        return self->p < rule->alpha && finding->effect >= rule->effect;
    case DRIFT_BY_P:
        break;
    }
    return self->p < rule->alpha;
}

static void
note_largest_effect(const Valion__V1__ColumnResult *column, Valion__V1__CheckResult *out)
{
    if (column->has_effect && (!out->has_effect || column->effect > out->effect)) {
        out->has_effect = 1;
        out->effect = column->effect;
    }
}

/* Which of them have drifted. A column counts once, however many tests it has. */
static void
flag(const drift_comparison_t *self)
{
    bool *tested = vln_arena_alloc(self->context->arena, self->columns + 1);
    bool *flagged = vln_arena_alloc(self->context->arena, self->columns + 1);
    for (size_t i = 0; i < self->count; i++) {
        drift_test_t *test = &self->tests[i];
        if (!test->tested) {
            continue;
        }
        bool drifted = has_drifted(test);
        bool by_size = test->finding.by == DRIFT_BY_SIZE && !test->gone;
        test->out->has_threshold = 1;
        test->out->threshold = by_size ? self->rule->effect : self->rule->alpha;
        test->out->status = drifted ? CHECK_FAIL : CHECK_PASS;
        self->out->columns_tested += !tested[test->column];
        self->out->columns_flagged += drifted && !flagged[test->column];
        tested[test->column] = true;
        flagged[test->column] = flagged[test->column] || drifted;
        note_largest_effect(test->out, self->out);
    }
}

static const char *
describe(const check_context_t *context, const Valion__V1__ColumnResult *column)
{
    if (column->has_p_value) {
        return check_text(context, 300, "'%s' (%s %.3g, p %.2g)", column->column, column->method,
                          column->statistic, column->p_value);
    }
    return column->has_statistic
               ? check_text(context, 300, "'%s' (%s %.3g)", column->column, column->method,
                            column->statistic)
               : check_text(context, 300, "'%s' (%s)", column->column, column->note);
}

/* "area (ks 0.31, p 2e-09), rooms (…) and 3 more" */
static const char *
name_worst(const check_context_t *context, const Valion__V1__CheckResult *out)
{
    enum { NAMED = 3 };
    const char *text = "";
    uint32_t tests = 0;
    for (size_t i = 0; i < out->n_columns && out->columns[i]->status == CHECK_FAIL; i++) {
        tests++;
        if (i < NAMED) {
            text = check_text(context, CHECK_SENTENCE_MAX, "%s%s%s", text, i > 0 ? ", " : ": ",
                              describe(context, out->columns[i]));
        }
    }
    return tests > NAMED
               ? check_text(context, CHECK_SENTENCE_MAX, "%s and %u more", text, tests - NAMED)
               : text;
}

static const char *
correction_text(Valion__V1__Correction correction)
{
    switch (correction) {
    case VALION__V1__CORRECTION__CORRECTION_NONE:
        return "without correction for their number";
    case VALION__V1__CORRECTION__CORRECTION_HOLM:
        return "corrected for their number by Holm";
    default:
        return "corrected for their number by Benjamini and Hochberg";
    }
}

/* "A column has when …" */
static const char *
rule_text(const check_context_t *context, const drift_rule_t *rule)
{
    switch (rule->method) {
    case DRIFT_PSI:
    case DRIFT_JENSEN_SHANNON:
    case DRIFT_WASSERSTEIN:
        return check_text(context, CHECK_NOTE_MAX, "its distance is %g or more", rule->effect);
    case DRIFT_EVIDENTLY:
        return check_text(context, CHECK_NOTE_MAX,
                          "p is below %g, or beyond 1000 rows its distance is %g or more",
                          rule->alpha, rule->effect);
    case DRIFT_AUTO:
        return check_text(context, CHECK_NOTE_MAX,
                          "p is below %g, %s, and its effect is %g or more", rule->alpha,
                          correction_text(rule->correction), rule->effect);
    default:
        return check_text(context, CHECK_NOTE_MAX, "p is below %g, %s", rule->alpha,
                          correction_text(rule->correction));
    }
}

static void
decide(const check_context_t *context, const Valion__V1__CheckSpec *spec, const drift_rule_t *rule,
       Valion__V1__CheckResult *out)
{
    double pass = check_threshold(spec, "share_pass", 0.10);
    double warn = check_threshold(spec, "share_warn", 0.30);
    double share = (double)out->columns_flagged / (double)out->columns_tested;
    Valion__V1__CheckStatus status = share <= pass   ? CHECK_PASS
                                     : share <= warn ? CHECK_WARN
                                                     : CHECK_FAIL;
    check_set(out, "drift_share", share, pass, out->columns_tested);
    check_set_score(out, 1 - share);
    check_add(context, out, "drift_ratio", share);
    check_add(context, out, "significant_drift_features", out->columns_flagged);
    check_add(context, out, "total_features", out->columns_tested);
    check_add(context, out, "drift_threshold", rule->alpha);
    check_add(context, out, "effect_threshold", rule->effect);
    check_add(context, out, "share_pass", pass);
    check_add(context, out, "share_warn", warn);
    const char *against = context->reference.table
                              ? "the reference rows"
                              : "the version's stored profile, by its bins because the rows "
                                "themselves are not at hand";
    check_end(context, out, status,
              "%u of %u columns (%.3g %%) have drifted against %s%s. A column has when %s; up to "
              "%g %% of the columns is fine, up to %g %% a warning.",
              out->columns_flagged, out->columns_tested, 100 * share, against,
              name_worst(context, out), rule_text(context, rule), 100 * pass, 100 * warn);
}

/* How bad, to sort by: distances and p-values in one order. */
static double
weight_of(const drift_test_t *self)
{
    if (!self->tested) {
        return 0;
    }
    return self->finding.by == DRIFT_BY_SIZE ? 1 + fmin(1, self->finding.test.statistic)
                                             : 2 - self->p;
}

static void
compare_all(drift_comparison_t *self, const vln_column_t *const *columns, size_t count, bool named)
{
    drift_compare_columns(self, columns, count, named);
    adjust(self->context, self->rule->correction, self->tests, self->count);
    flag(self);
    double *weights = vln_arena_alloc(self->context->arena, (self->count + 1) * sizeof *weights);
    for (size_t i = 0; i < self->count; i++) {
        weights[i] = weight_of(&self->tests[i]);
    }
    check_sort_columns(self->context, self->out, weights);
}

/* True if there is something to compare with, for this method. */
static bool
has_reference(const check_context_t *context, const drift_rule_t *rule)
{
    return context->reference.table ||
           (context->reference.profile && rule->method != DRIFT_ORIGINAL);
}

void
check_data_drift(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                 Valion__V1__CheckResult *out)
{
    size_t count = 0;
    const char *missing = NULL;
    const char *why = NULL;
    drift_rule_t rule;
    const vln_column_t **columns = check_columns(context, spec, true, &count, &missing);
    if (missing) {
        check_break(context, spec, out, "The data has no column '%s', which the check names",
                    missing);
        return;
    }
    if (!drift_rule_read(context, spec, &rule, &why)) {
        check_break(context, spec, out, "%s", why);
        return;
    }
    if (!has_reference(context, &rule)) {
        check_end(context, out, CHECK_WARN,
                  "There is nothing to compare the data with: no reference was named%s.",
                  context->reference.profile ? ", and the original's rule needs its rows"
                                             : ", and the version has no stored profile");
        return;
    }
    out->has_columns_tested = out->has_columns_flagged = 1;
    out->effect_name = vln_arena_strdup(context->arena, "largest_effect");
    drift_comparison_t comparison = {.context = context, .rule = &rule, .out = out};
    compare_all(&comparison, columns, count, spec->n_columns > 0);
    if (out->columns_tested == 0) {
        check_end(context, out, CHECK_INCONCLUSIVE, "None of %zu columns could be tested%s%s.",
                  count, count > 0 ? ": " : "",
                  count > 0 ? check_text(context, 600, "'%s' was %s", out->columns[0]->column,
                                         out->columns[0]->note)
                            : "");
        return;
    }
    decide(context, spec, &rule, out);
}
