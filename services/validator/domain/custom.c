#include "custom.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <valion/v1/validator.pb-c.h>

#include "vln_pb.h"
#include "vln_text.h"

enum {
    LIST_MAX = 64,
    SENTENCE_MAX = 1000,
    KEY_MAX = 250,
    VALUE_MAX = 5000,
    CATEGORIES_MAX = 16,
    RECOMMENDATION_MAX = 500,
};

static const char PREFIX[] = "check:";

bool
custom_is(const char *kind)
{
    return kind && strncmp(kind, PREFIX, sizeof PREFIX - 1) == 0;
}

/* ---- bounds ---- */

static vln_err_t
refuse(char *why, const char *what)
{
    vln_text_copy(why, CUSTOM_WHY, what);
    return VLN_INVALID_ARGUMENT;
}

static bool
fits(const char *text, size_t max)
{
    return !text || strlen(text) <= max;
}

static bool
is_status(Valion__V1__CheckStatus status)
{
    return status >= VALION__V1__CHECK_STATUS__CHECK_STATUS_PASS &&
           status <= VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE;
}

static bool
pairs_fit(const Valion__V1__CheckResult *result)
{
    bool fit = result->n_numbers <= LIST_MAX && result->n_details <= LIST_MAX;
    for (size_t i = 0; fit && i < result->n_numbers; i++) {
        fit = result->numbers[i]->key && fits(result->numbers[i]->key, KEY_MAX);
    }
    for (size_t i = 0; fit && i < result->n_details; i++) {
        fit = result->details[i]->key && fits(result->details[i]->key, KEY_MAX) &&
              fits(result->details[i]->value, VALUE_MAX);
    }
    return fit;
}

static bool
column_fits(const Valion__V1__ColumnResult *column)
{
    bool fit = column->column && fits(column->column, KEY_MAX) && fits(column->method, KEY_MAX) &&
               fits(column->note, KEY_MAX) && is_status(column->status) &&
               column->n_new_categories <= CATEGORIES_MAX;
    for (size_t i = 0; fit && i < column->n_new_categories; i++) {
        fit = fits(column->new_categories[i], KEY_MAX);
    }
    return fit;
}

static vln_err_t
check_bounds(const Valion__V1__CheckResult *result, char *why)
{
    if (!is_status(result->status)) {
        return refuse(why, "it says no status (PASS, WARN, FAIL, INCONCLUSIVE)");
    }
    if (!result->sentence || !result->sentence[0] || !fits(result->sentence, SENTENCE_MAX)) {
        return refuse(why, "its sentence has to have 1 to 1000 bytes");
    }
    if (!fits(result->statistic_name, KEY_MAX) || !fits(result->effect_name, KEY_MAX) ||
        !fits(result->recommendation, RECOMMENDATION_MAX) || !pairs_fit(result)) {
        return refuse(why, "numbers and details are at most 64 each, names at most 250 bytes");
    }
    if (result->n_columns > LIST_MAX) {
        return refuse(why, "more than 64 columns");
    }
    for (size_t i = 0; i < result->n_columns; i++) {
        if (!column_fits(result->columns[i])) {
            return refuse(why, "a column without a name or a status, or with texts that are too "
                               "long");
        }
    }
    return VLN_OK;
}

/* ---- numbers ---- */

static void
clean(protobuf_c_boolean *has, double value)
{
    *has = *has && isfinite(value);
}

static void
clean_column(Valion__V1__ColumnResult *column)
{
    clean(&column->has_statistic, column->statistic);
    clean(&column->has_threshold, column->threshold);
    clean(&column->has_p_value, column->p_value);
    clean(&column->has_p_adjusted, column->p_adjusted);
    clean(&column->has_effect, column->effect);
    clean(&column->has_missing_reference, column->missing_reference);
    clean(&column->has_missing_current, column->missing_current);
}

static void
clean_numbers(Valion__V1__CheckResult *result)
{
    size_t kept = 0;
    clean(&result->has_statistic, result->statistic);
    clean(&result->has_threshold, result->threshold);
    clean(&result->has_p_value, result->p_value);
    clean(&result->has_effect, result->effect);
    clean(&result->has_score, result->score);
    clean(&result->has_ci_low, result->ci_low);
    clean(&result->has_ci_high, result->ci_high);
    clean(&result->has_alpha, result->alpha);
    for (size_t i = 0; i < result->n_numbers; i++) {
        if (isfinite(result->numbers[i]->value)) {
            result->numbers[kept++] = result->numbers[i];
        }
    }
    result->n_numbers = kept;
    for (size_t i = 0; i < result->n_columns; i++) {
        clean_column(result->columns[i]);
    }
}

/* ---- results ---- */

static void
name_check(Valion__V1__CheckResult *result, const Valion__V1__CheckSpec *spec)
{
    result->name = spec->name;
    result->kind = spec->kind;
    result->has_severity = result->has_blocking = result->has_required = 1;
    result->severity = spec->severity ? spec->severity : VALION__V1__SEVERITY__SEVERITY_MEDIUM;
    result->blocking = spec->blocking;
    result->required = spec->required;
    result->has_duration_ms = 0;
    result->error = NULL;
}

vln_err_t
custom_read(const Valion__V1__CheckSpec *spec, const uint8_t *bytes, size_t size,
            vln_arena_t *arena, Valion__V1__CheckResult **out, char why[CUSTOM_WHY])
{
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    *out = NULL;
    if (vln_pb_unpack(&valion__v1__custom_check_result__descriptor, bytes, size, arena, &message,
                      &scan) != VLN_OK) {
        return refuse(why, "its result is no CustomCheckResult");
    }
    Valion__V1__CheckResult *result = ((Valion__V1__CustomCheckResult *)(void *)message)->result;
    if (!result) {
        return refuse(why, "it gave no result");
    }
    vln_err_t err = check_bounds(result, why);
    if (err != VLN_OK) {
        return err;
    }
    name_check(result, spec);
    clean_numbers(result);
    *out = result;
    return VLN_OK;
}

Valion__V1__CheckResult *
custom_break(const Valion__V1__CheckSpec *spec, const char *why, vln_arena_t *arena)
{
    Valion__V1__CheckResult *out = vln_arena_alloc(arena, sizeof *out);
    valion__v1__check_result__init(out);
    name_check(out, spec);
    out->has_status = 1;
    out->status = spec->blocking ? VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL
                                 : VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE;
    out->error = vln_arena_strdup(arena, why);
    out->sentence = out->error;
    out->recommendation = vln_arena_printf(
        arena, "Look at the worker that leases '%.64s', then validate again.", spec->kind);
    return out;
}
