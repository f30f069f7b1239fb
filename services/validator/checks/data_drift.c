/*
 * data_drift: which columns are distributed otherwise than in the reference, and what share of them
 * that is.
 *
 * Against rows: numbers by Kolmogorov and Smirnov's test, texts by chi-square, with PSI beside them.
 * Against a profile, whose rows nobody has any more: numbers by PSI over the profile's bins, with
 * its p-value. p-values are corrected for the number of columns unless the policy says otherwise.
 */
#include <stdlib.h>
#include <string.h>

#include "vln_drift.h"
#include "vln_normal.h"

#include "check_say.h"
#include "counts.h"

enum { ROWS_MIN = 30, PSI_ROWS_MIN = 100, NEW_SHOWN = 16 };

/* One column, as it is compared. */
typedef struct compared {
    const check_context_t *context;
    Valion__V1__ColumnResult *out;
    bool tested;
    bool gone; /* every value is missing on one side alone: no test is needed */
    double p;
} compared_t;

static void
skip(compared_t *self, const char *note)
{
    self->out->status = CHECK_INCONCLUSIVE;
    self->out->note = check_text(self->context, CHECK_NOTE_MAX, "not tested: %s", note);
}

static void
take(compared_t *self, const char *method, const vln_drift_t *test, const vln_drift_t *psi)
{
    Valion__V1__ColumnResult *out = self->out;
    out->method = vln_arena_strdup(self->context->arena, method);
    out->has_statistic = out->has_p_value = 1;
    out->statistic = test->statistic;
    out->p_value = test->p;
    out->has_effect = psi->defined;
    out->effect = psi->statistic;
    self->tested = true;
    self->p = test->p;
    if (test->why == VLN_STAT_SMALL_EXPECTED) {
        out->note = vln_arena_strdup(self->context->arena,
                                     "some expected counts are below five: p is rough");
    }
}

static void
set_counts(compared_t *self, size_t n_reference, size_t missing_reference, size_t n_current,
           size_t missing_current)
{
    Valion__V1__ColumnResult *out = self->out;
    size_t reference = n_reference + missing_reference;
    size_t current = n_current + missing_current;
    out->has_n_reference = out->has_n_current = 1;
    out->n_reference = (int64_t)n_reference;
    out->n_current = (int64_t)n_current;
    out->has_missing_reference = out->has_missing_current = 1;
    out->missing_reference = reference > 0 ? (double)missing_reference / (double)reference : 0;
    out->missing_current = current > 0 ? (double)missing_current / (double)current : 0;
}

/* True if both sides have values enough; else why not is noted. */
static bool
is_enough(compared_t *self, size_t least)
{
    const Valion__V1__ColumnResult *out = self->out;
    if (out->n_reference == 0 && out->n_current == 0) {
        skip(self, "every value is missing on both sides");
        return false;
    }
    if ((out->n_reference == 0 && out->missing_reference > 0 && out->n_current >= (int64_t)least) ||
        (out->n_current == 0 && out->n_reference >= (int64_t)least)) {
        self->gone = self->tested = true;
        self->out->note = vln_arena_printf(self->context->arena, "every value is missing in the %s",
                                           out->n_current == 0 ? "data" : "reference");
        return false;
    }
    if (out->n_reference < (int64_t)least || out->n_current < (int64_t)least) {
        skip(self, vln_arena_printf(self->context->arena,
                                    "%lld values in the reference and %lld in the data, and %zu "
                                    "are needed in each",
                                    (long long)out->n_reference, (long long)out->n_current, least));
        return false;
    }
    return true;
}

/* ---- numbers ---- */

static vln_sample_t
sample_of(const vln_column_t *column, size_t rows)
{
    double *values = vln_calloc(rows + 1, sizeof *values);
    vln_column_numbers(column, rows, values);
    vln_sample_t sample = vln_sample_make(values, rows);
    free(values);
    return sample;
}

static void
compare_numbers(compared_t *self, const vln_column_t *column, const vln_column_t *reference)
{
    vln_sample_t then = sample_of(reference, vln_table_rows(self->context->reference.table));
    vln_sample_t now = sample_of(column, vln_table_rows(self->context->table));
    set_counts(self, then.n, then.missing, now.n, now.missing);
    if (is_enough(self, ROWS_MIN)) {
        vln_drift_t ks = vln_drift_ks(&then, &now, VLN_KS_AUTO, ROWS_MIN);
        vln_drift_t psi = vln_drift_psi(&then, &now, VLN_PSI_QUANTILE, ROWS_MIN);
        if (ks.defined && ks.has_p) {
            take(self, "ks", &ks, &psi);
        } else {
            skip(self, vln_stat_why_text(ks.why));
        }
    }
    vln_sample_end(&then);
    vln_sample_end(&now);
}

static void
compare_bins(compared_t *self, const vln_column_t *column, const Valion__V1__ColumnProfile *profile)
{
    vln_sample_t now = sample_of(column, vln_table_rows(self->context->table));
    counts_t counts;
    size_t known = profile->count > 0 ? (size_t)profile->count : 0;
    size_t missing = profile->missing > 0 ? (size_t)profile->missing : 0;
    set_counts(self, known, missing, now.n, now.missing);
    if (is_enough(self, PSI_ROWS_MIN)) {
        if (!counts_of_bins(profile, &now, self->context->arena, &counts)) {
            skip(self, "the profile's histogram cannot be used");
        } else {
            vln_drift_t psi = vln_drift_psi_counts(counts.reference, counts.current, counts.count,
                                                   VLN_PSI_QUANTILE);
            if (psi.defined && psi.has_p) {
                take(self, "psi", &psi, &psi);
            } else {
                skip(self, "all values are equal");
            }
        }
    }
    vln_sample_end(&now);
}

/* ---- texts ---- */

static void
note_new(compared_t *self, const counts_t *counts)
{
    Valion__V1__ColumnResult *out = self->out;
    out->new_categories = vln_arena_alloc(self->context->arena, NEW_SHOWN * sizeof(char *));
    for (size_t i = 0; i < counts->new_count && i < NEW_SHOWN; i++) {
        out->new_categories[out->n_new_categories++] =
            check_text(self->context, CHECK_NOTE_MAX, "%s", counts->new_texts[i]);
    }
}

static void
compare_counts(compared_t *self, const counts_t *counts)
{
    set_counts(self, counts->n_reference, counts->missing_reference, counts->n_current,
               counts->missing_current);
    if (!is_enough(self, ROWS_MIN)) {
        return;
    }
    vln_drift_t chi = vln_drift_chi_square(counts->reference, counts->current, counts->count);
    vln_drift_t psi =
        vln_drift_psi_counts(counts->reference, counts->current, counts->count, VLN_PSI_QUANTILE);
    if (chi.defined && chi.has_p) {
        take(self, "chi2", &chi, &psi);
        note_new(self, counts);
    } else {
        skip(self, vln_stat_why_text(chi.why));
    }
}

/* ---- a column ---- */

static const Valion__V1__ColumnProfile *
find_profile(const Valion__V1__Profile *profile, const char *name)
{
    for (size_t i = 0; i < profile->n_columns; i++) {
        if (profile->columns[i]->name && strcmp(profile->columns[i]->name, name) == 0) {
            return profile->columns[i];
        }
    }
    return NULL;
}

static void
compare_with_profile(compared_t *self, const vln_column_t *column)
{
    const check_context_t *context = self->context;
    const Valion__V1__ColumnProfile *then = find_profile(context->reference.profile, column->name);
    bool text = column->type == VLN_TYPE_STRING;
    if (!then) {
        skip(self, "the profile does not have it");
    } else if ((then->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING) != text) {
        skip(self, text ? "it holds text, and numbers in the profile"
                        : "it holds numbers, and text in the profile");
    } else if (text) {
        counts_t counts =
            counts_of_top(then, column, vln_table_rows(context->table), context->arena);
        compare_counts(self, &counts);
    } else {
        compare_bins(self, column, then);
    }
}

static void
compare_with_rows(compared_t *self, const vln_column_t *column)
{
    const check_context_t *context = self->context;
    const vln_table_t *table = context->reference.table;
    const vln_column_t *then = vln_table_find(table, column->name);
    bool text = column->type == VLN_TYPE_STRING;
    if (!then) {
        skip(self, "the reference does not have it");
    } else if ((then->type == VLN_TYPE_STRING) != text) {
        skip(self, text ? "it holds text, and numbers in the reference"
                        : "it holds numbers, and text in the reference");
    } else if (text) {
        counts_t counts = counts_of_texts(then, vln_table_rows(table), column,
                                          vln_table_rows(context->table), context->arena);
        compare_counts(self, &counts);
    } else {
        compare_numbers(self, column, then);
    }
}

/* ---- many columns ---- */

static int
by_p(const void *left, const void *right)
{
    const compared_t *a = *(compared_t *const *)left;
    const compared_t *b = *(compared_t *const *)right;
    return a->p < b->p ? -1 : a->p > b->p;
}

/* Holm (Scand. J. Stat. 6, 1979): the smallest p times their number, and so on, never falling. */
static void
adjust_by_holm(const check_context_t *context, compared_t *compared, size_t count, double *adjusted)
{
    compared_t **sorted = vln_arena_alloc(context->arena, (count + 1) * sizeof(void *));
    size_t tests = 0;
    for (size_t i = 0; i < count; i++) {
        sorted[tests] = &compared[i];
        tests += compared[i].tested;
    }
    qsort(sorted, tests, sizeof(void *), by_p);
    double least = 0;
    for (size_t i = 0; i < tests; i++) {
        least = fmin(1, fmax(least, sorted[i]->p * (double)(tests - i)));
        adjusted[sorted[i] - compared] = least;
    }
}

static void
adjust(const check_context_t *context, Valion__V1__Correction correction, compared_t *compared,
       size_t count)
{
    double *p = vln_arena_alloc(context->arena, (count + 1) * sizeof *p);
    double *adjusted = vln_arena_alloc(context->arena, (count + 1) * sizeof *adjusted);
    for (size_t i = 0; i < count; i++) {
        p[i] = compared[i].tested ? compared[i].p : -1;
        adjusted[i] = p[i];
    }
    if (correction == VALION__V1__CORRECTION__CORRECTION_HOLM) {
        adjust_by_holm(context, compared, count, adjusted);
    } else if (correction != VALION__V1__CORRECTION__CORRECTION_NONE) {
        vln_benjamini_hochberg(p, count, adjusted);
    }
    for (size_t i = 0; i < count; i++) {
        if (compared[i].tested && !compared[i].gone) {
            compared[i].out->has_p_adjusted = 1;
            compared[i].out->p_adjusted = adjusted[i];
        }
        compared[i].p = adjusted[i];
    }
}

/* Which of them have drifted; how many were tested. */
static void
flag(double alpha, compared_t *compared, size_t count, Valion__V1__CheckResult *out)
{
    for (size_t i = 0; i < count; i++) {
        Valion__V1__ColumnResult *column = compared[i].out;
        if (!compared[i].tested) {
            continue;
        }
        bool drifted = compared[i].gone || compared[i].p < alpha;
        column->has_threshold = 1;
        column->threshold = alpha;
        column->status = drifted ? CHECK_FAIL : CHECK_PASS;
        out->columns_tested++;
        out->columns_flagged += drifted;
        if (column->has_effect && (!out->has_effect || column->effect > out->effect)) {
            out->has_effect = 1;
            out->effect = column->effect;
        }
    }
}

/* "area (ks 0.31, p 2e-09), rooms (…) and 3 more" */
static const char *
name_worst(const check_context_t *context, const Valion__V1__CheckResult *out)
{
    enum { NAMED = 3 };
    const char *text = "";
    for (size_t i = 0; i < out->columns_flagged && i < NAMED; i++) {
        const Valion__V1__ColumnResult *column = out->columns[i];
        const char *part =
            column->has_p_value
                ? check_text(context, 300, "'%s' (%s %.3g, p %.2g)", column->column, column->method,
                             column->statistic, column->p_value)
                : check_text(context, 300, "'%s' (%s)", column->column, column->note);
        text = check_text(context, CHECK_SENTENCE_MAX, "%s%s%s", text, i > 0 ? ", " : ": ", part);
    }
    if (out->columns_flagged > NAMED) {
        text = check_text(context, CHECK_SENTENCE_MAX, "%s and %u more", text,
                          out->columns_flagged - NAMED);
    }
    return text;
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

static void
decide(const check_context_t *context, const Valion__V1__CheckSpec *spec,
       Valion__V1__CheckResult *out)
{
    double alpha = check_threshold(spec, "drift_threshold", 0.05);
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
    check_add(context, out, "drift_threshold", alpha);
    check_add(context, out, "share_pass", pass);
    check_add(context, out, "share_warn", warn);
    const char *against =
        context->reference.table
            ? "the reference rows"
            : "the version's stored profile, by PSI over its bins because the rows themselves are "
              "not at hand";
    check_end(context, out, status,
              "%u of %u columns (%.3g %%) have drifted against %s%s. A column has when p is below "
              "%g, %s; up to %g %% of the columns is fine, up to %g %% a warning.",
              out->columns_flagged, out->columns_tested, 100 * share, against,
              name_worst(context, out), alpha, correction_text(spec->correction), 100 * pass,
              100 * warn);
}

static void
compare_all(const check_context_t *context, const Valion__V1__CheckSpec *spec,
            const vln_column_t *const *columns, size_t count, Valion__V1__CheckResult *out)
{
    double alpha = check_threshold(spec, "drift_threshold", 0.05);
    compared_t *compared = vln_arena_alloc(context->arena, (count + 1) * sizeof *compared);
    double *weights = vln_arena_alloc(context->arena, (count + 1) * sizeof *weights);
    for (size_t i = 0; i < count; i++) {
        compared[i] = (compared_t){.context = context,
                                   .out = check_add_column(context, out, columns[i]->name, count)};
        if (context->reference.table) {
            compare_with_rows(&compared[i], columns[i]);
        } else {
            compare_with_profile(&compared[i], columns[i]);
        }
    }
    adjust(context, spec->correction, compared, count);
    flag(alpha, compared, count, out);
    for (size_t i = 0; i < count; i++) {
        weights[i] = compared[i].tested ? 2 - compared[i].p : 0;
    }
    check_sort_columns(context, out, weights);
}

void
check_data_drift(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                 Valion__V1__CheckResult *out)
{
    size_t count = 0;
    const char *missing = NULL;
    const vln_column_t **columns = check_columns(context, spec, true, &count, &missing);
    if (missing) {
        check_break(context, spec, out, "The data has no column '%s', which the check names",
                    missing);
        return;
    }
    if (!context->reference.table && !context->reference.profile) {
        check_end(context, out, CHECK_WARN,
                  "There is nothing to compare the data with: no reference was named, and the "
                  "version has no stored profile.");
        return;
    }
    out->has_columns_tested = out->has_columns_flagged = 1;
    out->effect_name = vln_arena_strdup(context->arena, "largest_psi");
    compare_all(context, spec, columns, count, out);
    if (out->columns_tested == 0) {
        check_end(context, out, CHECK_INCONCLUSIVE, "None of %zu columns could be tested%s%s.",
                  count, count > 0 ? ": " : "",
                  count > 0 ? check_text(context, 600, "'%s' was %s", out->columns[0]->column,
                                         out->columns[0]->note)
                            : "");
        return;
    }
    decide(context, spec, out);
}
