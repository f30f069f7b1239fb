#include "drift_columns.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_profile.h"

#include "check_say.h"

enum { MISSING_ROWS_MIN = 30, NEW_SHOWN = 16 };

/* Of a model's answers; no column of the data is looked at under this name. */
static const char PREDICTION[] = "(prediction)";

static void
skip(drift_test_t *self, const char *note)
{
    self->out->status = CHECK_INCONCLUSIVE;
    self->out->note = check_text(self->context, CHECK_NOTE_MAX, "not tested: %s", note);
}

static void
take(drift_test_t *self, drift_finding_t finding)
{
    Valion__V1__ColumnResult *out = self->out;
    vln_arena_t *arena = self->context->arena;
    self->finding = finding;
    if (!finding.name) {
        skip(self, finding.why);
        return;
    }
    self->tested = true;
    self->p = finding.test.p;
    out->method = vln_arena_strdup(arena, finding.name);
    out->has_statistic = finding.test.defined;
    out->statistic = finding.test.statistic;
    out->has_p_value = finding.test.has_p;
    out->p_value = finding.test.p;
    out->has_effect = finding.effect_name != NULL;
    out->effect = finding.effect;
    out->effect_name = finding.effect_name ? vln_arena_strdup(arena, finding.effect_name) : NULL;
    out->note = finding.note ? vln_arena_strdup(arena, finding.note) : NULL;
}

static void
set_counts(drift_test_t *self, size_t n_reference, size_t missing_reference, size_t n_current,
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
is_enough(drift_test_t *self, size_t least)
{
    const Valion__V1__ColumnResult *out = self->out;
    if (out->n_reference == 0 && out->n_current == 0) {
        skip(self, "every value is missing on both sides");
        return false;
    }
    bool left = out->n_reference == 0 ? out->n_current >= (int64_t)least
                                      : out->n_current == 0 && out->n_reference >= (int64_t)least;
    if (drift_is_whole(self->rule) && left && (out->n_current == 0 || out->missing_reference > 0)) {
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

static void
compare_samples(drift_test_t *self, const vln_sample_t *then, const vln_sample_t *now)
{
    set_counts(self, then->n, then->missing, now->n, now->missing);
    if (is_enough(self, drift_least_rows(self->rule, false))) {
        take(self, drift_of_numbers(self->rule, then, now));
    }
}

static void
compare_bins(drift_test_t *self, const vln_sample_t *now, const Valion__V1__ColumnProfile *profile)
{
    counts_t counts;
    size_t known = profile->count > 0 ? (size_t)profile->count : 0;
    size_t missing = profile->missing > 0 ? (size_t)profile->missing : 0;
    set_counts(self, known, missing, now->n, now->missing);
    if (!is_enough(self, drift_least_rows(self->rule, true))) {
        return;
    }
    vln_sketch_t sketch;
    if (self->rule->method == DRIFT_KS && vln_profile_sketch(profile, &sketch)) {
        take(self, drift_of_sketch(self->rule, &sketch, now));
    } else if (counts_of_bins(profile, now, self->context->arena, &counts)) {
        take(self, drift_of_bins(self->rule, &counts));
    } else {
        skip(self, "the profile's histogram cannot be used");
    }
}

/* ---- texts ---- */

static void
note_new(drift_test_t *self, const counts_t *counts)
{
    Valion__V1__ColumnResult *out = self->out;
    out->new_categories = vln_arena_alloc(self->context->arena, NEW_SHOWN * sizeof(char *));
    for (size_t i = 0; i < counts->new_count && i < NEW_SHOWN; i++) {
        out->new_categories[out->n_new_categories++] =
            check_text(self->context, CHECK_NOTE_MAX, "%s", counts->new_texts[i]);
    }
}

static void
compare_counts(drift_test_t *self, const counts_t *counts)
{
    set_counts(self, counts->n_reference, counts->missing_reference, counts->n_current,
               counts->missing_current);
    note_new(self, counts);
    if (is_enough(self, drift_least_rows(self->rule, false))) {
        take(self, drift_of_categories(self->rule, counts));
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
compare_with_profile(drift_test_t *self, const vln_column_t *column)
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
        const vln_sample_t *now =
            samples_hold(context->samples, column, vln_table_rows(context->table));
        compare_bins(self, now, then);
        samples_release(context->samples, now);
    }
}

static void
compare_with_rows(drift_test_t *self, const vln_column_t *column)
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
        const vln_sample_t *before = samples_hold(context->samples, then, vln_table_rows(table));
        const vln_sample_t *now =
            samples_hold(context->samples, column, vln_table_rows(context->table));
        compare_samples(self, before, now);
        samples_release(context->samples, before);
        samples_release(context->samples, now);
    }
}

static drift_test_t *
add_test(drift_comparison_t *self, const char *name)
{
    vln_assert(self->count < self->room);
    drift_test_t *test = &self->tests[self->count++];
    *test = (drift_test_t){.context = self->context,
                           .rule = self->rule,
                           .out = check_add_column(self->context, self->out, name, self->room),
                           .column = self->columns};
    return test;
}

/* Of the column whose values were looked at last. */
static void
compare_missing(drift_comparison_t *self)
{
    const Valion__V1__ColumnResult *values = self->tests[self->count - 1].out;
    bool none = values->missing_reference <= 0 && values->missing_current <= 0;
    if (!drift_is_whole(self->rule) || none || self->tests[self->count - 1].gone) {
        return;
    }
    double then = round((double)values->n_reference / (1 - values->missing_reference));
    double now = round((double)values->n_current / (1 - values->missing_current));
    if (!(then >= (double)MISSING_ROWS_MIN) || !(now >= (double)MISSING_ROWS_MIN) ||
        !isfinite(then + now)) {
        return;
    }
    drift_test_t *test = add_test(self, values->column);
    vln_proportion_t reference = {(uint64_t)then - (uint64_t)values->n_reference, (uint64_t)then};
    vln_proportion_t current = {(uint64_t)now - (uint64_t)values->n_current, (uint64_t)now};
    set_counts(test, (size_t)values->n_reference, (size_t)reference.hits, (size_t)values->n_current,
               (size_t)current.hits);
    take(test, drift_of_missing(self->rule, reference, current));
}

static void
compare_column(drift_comparison_t *self, const vln_column_t *column)
{
    drift_test_t *test = add_test(self, column->name);
    bool numbers = column->type != VLN_TYPE_STRING && column->type != VLN_TYPE_BOOL;
    if (self->rule->method == DRIFT_ORIGINAL && !numbers) {
        skip(test, "the original looks at numbers alone");
    } else if (self->context->reference.table) {
        compare_with_rows(test, column);
    } else {
        compare_with_profile(test, column);
    }
    compare_missing(self);
    self->columns++;
}

/* ---- target and predictions ---- */

static bool
reference_has(const check_context_t *context, const char *name)
{
    return context->reference.table ? vln_table_find(context->reference.table, name) != NULL
                                    : find_profile(context->reference.profile, name) != NULL;
}

static void
compare_target(drift_comparison_t *self, const vln_column_t *const *columns, size_t count)
{
    const check_context_t *context = self->context;
    const vln_column_t *target =
        context->target ? vln_table_find(context->table, context->target) : NULL;
    for (size_t i = 0; target && i < count; i++) {
        target = columns[i] == target ? NULL : target; /* it is looked at already */
    }
    if (target && reference_has(context, context->target)) {
        compare_column(self, target);
    }
}

static vln_sample_t
sample_of_answers(const vln_sandbox_result_t *answers)
{
    double *values = vln_calloc(answers->rows + 1, sizeof *values);
    for (size_t i = 0; i < answers->rows; i++) {
        values[i] = isfinite(answers->values[i]) ? (double)answers->values[i] : NAN;
    }
    vln_sample_t sample = vln_sample_make(values, answers->rows);
    free(values);
    return sample;
}

/* Rows of each class that is likeliest. A row without usable numbers is missing. */
static uint64_t *
count_answers(const check_context_t *context, const vln_sandbox_result_t *answers, size_t *missing)
{
    uint64_t *counts = vln_arena_alloc(context->arena, (answers->width + 2) * sizeof *counts);
    *missing = 0;
    for (size_t row = 0; row < answers->rows; row++) {
        const float *values = answers->values + row * answers->width;
        size_t best = 0;
        bool finite = isfinite(values[0]);
        for (size_t i = 1; i < answers->width; i++) {
            finite = finite && isfinite(values[i]);
            best = values[i] > values[best] ? i : best;
        }
        *missing += !finite;
        counts[best] += finite;
    }
    return counts;
}

static void
compare_classes(drift_test_t *self, const vln_sandbox_result_t *then,
                const vln_sandbox_result_t *now)
{
    counts_t counts = {.count = then->width};
    counts.reference = count_answers(self->context, then, &counts.missing_reference);
    counts.current = count_answers(self->context, now, &counts.missing_current);
    counts.n_reference = then->rows - counts.missing_reference;
    counts.n_current = now->rows - counts.missing_current;
    if (counts.missing_reference + counts.missing_current > 0) {
        counts.reference[counts.count] = counts.missing_reference;
        counts.current[counts.count++] = counts.missing_current;
    }
    compare_counts(self, &counts);
}

static void
compare_predictions(drift_comparison_t *self)
{
    const check_context_t *context = self->context;
    const vln_sandbox_result_t *now = context->answers;
    const vln_sandbox_result_t *then = context->reference_answers;
    const Valion__V1__Profile *profile =
        context->reference.table ? NULL : context->reference.profile;
    if (!now || now->width == 0 ||
        (!then && !(profile && profile->prediction && now->width == 1))) {
        return;
    }
    drift_test_t *test = add_test(self, PREDICTION);
    if (then && then->width != now->width) {
        skip(test, "the answers are not of one kind");
    } else if (now->width > 1) {
        compare_classes(test, then, now);
    } else {
        vln_sample_t answers = sample_of_answers(now);
        if (then) {
            vln_sample_t before = sample_of_answers(then);
            compare_samples(test, &before, &answers);
            vln_sample_end(&before);
        } else {
            compare_bins(test, &answers, profile->prediction);
        }
        vln_sample_end(&answers);
    }
    self->columns++;
}

void
drift_compare_columns(drift_comparison_t *self, const vln_column_t *const *columns, size_t count,
                      bool named)
{
    self->room = 2 * count + 4; /* values and missing ones; target; predictions */
    self->tests = vln_arena_alloc(self->context->arena, self->room * sizeof *self->tests);
    for (size_t i = 0; i < count; i++) {
        compare_column(self, columns[i]);
    }
    if (drift_is_whole(self->rule) && !named) {
        compare_target(self, columns, count);
        compare_predictions(self);
    }
}
