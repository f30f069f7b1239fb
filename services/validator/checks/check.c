#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_text.h"

#include "check_say.h"

/* More rows than this without a usable answer are the model's failure, whatever the others say. */
#define UNUSABLE_MAX 0.01

/* clang-format off */
static const struct kind {
    const char *name;
    check_fn *run;
    bool needs_target; /* predictions beside what was true */
    const char *recommendation;
} kinds[] = {
    /* name              runs                    target  when it is not PASS                                                   */
    {"performance",      check_performance,      true,  "Train on more data, or work on the features; then validate again."},
    {"data_drift",       check_data_drift,       false, "Train again with recent data, or find out why the data changed."},
    {"stability",        check_stability,        true,  "Make the model simpler or regularise it more."},
    {"bias",             check_bias,             true,  "Look at the features that were chosen and how they are prepared."},
    {"data_quality",     check_data_quality,     false, "Clean the data: missing values, outliers, repeated rows."},
    {"metric_threshold", check_metric_threshold, true,  "Improve the model, or keep the version that it is compared with."},
    {"importance",       check_importance,       true,  "See whether the model leans on a column that will not be there, or that tells the target."},
    {"budget",           check_budget,           false, "Make the model smaller, or give it more room."},
    {"expression",       check_expression,       false, "Look at the numbers that the condition names."},
};
/* clang-format on */

static const struct kind unknown = {"", check_absent, false,
                                    "Leave the check out of the policy until it is there."};

static const struct kind *
find_kind(const char *name)
{
    for (size_t i = 0; i < VLN_COUNT(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0) {
            return &kinds[i];
        }
    }
    return &unknown;
}

bool
check_needs_target(const char *kind)
{
    return find_kind(kind)->needs_target;
}

const char *
check_baseline_name(const check_context_t *context, const Valion__V1__CheckSpec *spec)
{
    const char *name =
        context->baseline && context->baseline[0] ? context->baseline : spec->baseline;
    return name && name[0] ? name : NULL;
}

/* ---- what is written down ---- */

/* Bytes of `text` up to `max` that end with a whole character. */
static size_t
whole_characters(const char *text, size_t max)
{
    size_t size = strlen(text);
    if (size <= max) {
        return size;
    }
    size = max;
    while (size > 0 && ((unsigned char)text[size] & 0xc0) == 0x80) {
        size--;
    }
    return size;
}

static char *__attribute__((format(printf, 3, 0)))
format_text(const check_context_t *context, size_t max, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    int size = vsnprintf(NULL, 0, format, again);
    va_end(again);
    vln_assert(size >= 0);
    char *text = vln_arena_alloc(context->arena, (size_t)size + 1);
    vsnprintf(text, (size_t)size + 1, format, args);
    text[whole_characters(text, max)] = '\0';
    return text;
}

char *
check_text(const check_context_t *context, size_t max, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    char *text = format_text(context, max, format, args);
    va_end(args);
    return text;
}

double
check_threshold(const Valion__V1__CheckSpec *spec, const char *name, double otherwise)
{
    for (size_t i = 0; i < spec->n_thresholds; i++) {
        const char *key = spec->thresholds[i]->key;
        if (key && strcmp(key, name) == 0) {
            return spec->thresholds[i]->value;
        }
    }
    return otherwise;
}

void
check_add(const check_context_t *context, Valion__V1__CheckResult *out, const char *name,
          double value)
{
    if (!isfinite(value) || out->n_numbers == CHECK_NUMBERS_MAX) {
        return;
    }
    if (!out->numbers) {
        out->numbers = vln_arena_alloc(context->arena, CHECK_NUMBERS_MAX * sizeof *out->numbers);
    }
    Valion__V1__KeyNumber *number = vln_arena_alloc(context->arena, sizeof *number);
    valion__v1__key_number__init(number);
    number->key = vln_arena_strdup(context->arena, name);
    number->has_value = 1;
    number->value = value;
    out->numbers[out->n_numbers++] = number;
}

void
check_set(Valion__V1__CheckResult *out, const char *name, double statistic, double threshold,
          size_t n)
{
    out->statistic_name = (char *)(uintptr_t)name;
    out->has_statistic = isfinite(statistic);
    out->statistic = out->has_statistic ? statistic : 0;
    out->has_threshold = isfinite(threshold);
    out->threshold = out->has_threshold ? threshold : 0;
    out->has_n = 1;
    out->n = (int64_t)n;
}

void
check_set_score(Valion__V1__CheckResult *out, double score)
{
    out->has_score = isfinite(score);
    out->score = out->has_score ? score : 0;
}

void
check_end(const check_context_t *context, Valion__V1__CheckResult *out,
          Valion__V1__CheckStatus status, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    out->sentence = format_text(context, CHECK_SENTENCE_MAX, format, args);
    va_end(args);
    out->status = status;
}

void
check_break(const check_context_t *context, const Valion__V1__CheckSpec *spec,
            Valion__V1__CheckResult *out, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    out->error = format_text(context, CHECK_SENTENCE_MAX, format, args);
    va_end(args);
    check_end(context, out, spec->blocking ? CHECK_FAIL : CHECK_INCONCLUSIVE, "%s%s", out->error,
              spec->blocking ? "; it blocks, so it fails" : "");
}

/* ---- columns ---- */

static bool
is_input(const check_context_t *context, const char *name)
{
    for (size_t i = 0; i < context->input_count; i++) {
        if (strcmp(context->inputs[i], name) == 0) {
            return true;
        }
    }
    return context->input_count == 0 && (!context->target || strcmp(context->target, name) != 0);
}

/* A policy may name a column twice. */
static bool
is_among(const vln_column_t *const *columns, size_t count, const vln_column_t *column)
{
    for (size_t i = 0; i < count; i++) {
        if (columns[i] == column) {
            return true;
        }
    }
    return false;
}

const vln_column_t **
check_columns(const check_context_t *context, const Valion__V1__CheckSpec *spec, bool inputs_only,
              size_t *count, const char **missing)
{
    size_t room = vln_table_columns(context->table) + spec->n_columns;
    const vln_column_t **columns = vln_arena_alloc(context->arena, room * sizeof *columns + 1);
    *count = 0;
    *missing = NULL;
    for (size_t i = 0; i < spec->n_columns; i++) {
        const vln_column_t *column = vln_table_find(context->table, spec->columns[i]);
        *missing = column ? *missing : spec->columns[i];
        if (column && !is_among(columns, *count, column)) {
            columns[(*count)++] = column;
        }
    }
    for (size_t i = 0; spec->n_columns == 0 && i < vln_table_columns(context->table); i++) {
        const vln_column_t *column = vln_table_at(context->table, i);
        if (!inputs_only || is_input(context, column->name)) {
            columns[(*count)++] = column;
        }
    }
    return columns;
}

Valion__V1__ColumnResult *
check_add_column(const check_context_t *context, Valion__V1__CheckResult *out, const char *name,
                 size_t room)
{
    if (!out->columns) {
        out->columns = vln_arena_alloc(context->arena, (room + 1) * sizeof *out->columns);
    }
    Valion__V1__ColumnResult *column = vln_arena_alloc(context->arena, sizeof *column);
    valion__v1__column_result__init(column);
    column->column = vln_arena_strdup(context->arena, name);
    column->has_status = 1;
    column->status = CHECK_PASS;
    out->columns[out->n_columns++] = column;
    return column;
}

typedef struct ranked {
    Valion__V1__ColumnResult *column;
    double weight;
    size_t at;
} ranked_t;

static int
rank_of(const Valion__V1__ColumnResult *column)
{
    switch (column->status) {
    case CHECK_FAIL:
        return 3;
    case CHECK_WARN:
        return 2;
    case CHECK_INCONCLUSIVE:
        return 1;
    default:
        return 0;
    }
}

static int
by_badness(const void *left, const void *right)
{
    const ranked_t *a = left;
    const ranked_t *b = right;
    int difference = rank_of(b->column) - rank_of(a->column);
    if (difference != 0) {
        return difference;
    }
    if (a->weight != b->weight) {
        return a->weight > b->weight ? -1 : 1;
    }
    return a->at < b->at ? -1 : a->at > b->at;
}

void
check_sort_columns(const check_context_t *context, Valion__V1__CheckResult *out,
                   const double *weights)
{
    ranked_t *ranked = vln_arena_alloc(context->arena, (out->n_columns + 1) * sizeof *ranked);
    for (size_t i = 0; i < out->n_columns; i++) {
        ranked[i] = (ranked_t){out->columns[i], weights[i], i};
    }
    qsort(ranked, out->n_columns, sizeof *ranked, by_badness);
    for (size_t i = 0; i < out->n_columns; i++) {
        out->columns[i] = ranked[i].column;
    }
}

/* ---- running ---- */

/* False, and the result said, if predictions cannot carry the check. */
static bool
predictions_will_do(const check_context_t *context, Valion__V1__CheckResult *out)
{
    const check_predictions_t *predictions = context->predictions;
    if (!predictions) {
        check_end(context, out, CHECK_INCONCLUSIVE,
                  "The policy asks no model, so there is no prediction to compare.");
        return false;
    }
    double share = (double)predictions->unusable / (double)predictions->rows;
    if (share > UNUSABLE_MAX) {
        check_set(out, "unusable_share", share, UNUSABLE_MAX, predictions->rows);
        check_end(context, out, CHECK_FAIL,
                  "The model gives no usable number for %zu of %zu rows (%.3g %%); at most %g %% "
                  "may be without one.",
                  predictions->unusable, predictions->rows, 100 * share, 100 * UNUSABLE_MAX);
        return false;
    }
    if (predictions->result.rows == 0) {
        check_end(context, out, CHECK_INCONCLUSIVE,
                  "None of %zu rows has both a target and a usable prediction.", predictions->rows);
    }
    return predictions->result.rows > 0;
}

static Valion__V1__CheckResult *
begin(const check_context_t *context, const Valion__V1__CheckSpec *spec)
{
    Valion__V1__CheckResult *out = vln_arena_alloc(context->arena, sizeof *out);
    valion__v1__check_result__init(out);
    out->name = vln_arena_strdup(context->arena, spec->name);
    out->kind = vln_arena_strdup(context->arena, spec->kind);
    out->has_status = out->has_severity = out->has_blocking = out->has_required = 1;
    out->severity = spec->severity ? spec->severity : VALION__V1__SEVERITY__SEVERITY_MEDIUM;
    out->blocking = spec->blocking;
    out->required = spec->required;
    return out;
}

static void
recommend(const check_context_t *context, const struct kind *kind, Valion__V1__CheckResult *out)
{
    if (out->status == CHECK_WARN) {
        out->recommendation = vln_arena_printf(context->arena, "Monitor %s closely.", out->name);
    } else if (out->status != CHECK_PASS) {
        out->recommendation = vln_arena_strdup(context->arena, kind->recommendation);
    }
}

static void
tell_dry_run(const check_context_t *context, Valion__V1__CheckResult *out)
{
    Valion__V1__KeyValue *pair = vln_arena_alloc(context->arena, sizeof *pair);
    valion__v1__key_value__init(pair);
    pair->key = vln_arena_strdup(context->arena, "dry_run");
    pair->value = vln_arena_strdup(context->arena, "true");
    out->details = vln_arena_alloc(context->arena, sizeof *out->details);
    out->details[out->n_details++] = pair;
}

Valion__V1__CheckResult *
check_run(const check_context_t *context, const Valion__V1__CheckSpec *spec)
{
    const struct kind *kind = find_kind(spec->kind);
    Valion__V1__CheckResult *out = begin(context, spec);
    if (!kind->needs_target || predictions_will_do(context, out)) {
        kind->run(context, spec, out);
    }
    vln_assert(out->status && out->sentence);
    recommend(context, kind, out);
    if (spec->dry_run) {
        tell_dry_run(context, out);
    }
    return out;
}
