/*
 * expression: a condition over the report's metrics and the numbers of the checks before it, such as
 * "roc_auc > 0.8 and drift.share < 0.2".
 */
#include <string.h>

#include "vln_expression.h"

#include "check_say.h"

enum { NAMES_SHOWN = 400 };

/* What a name came to, for the sentence. */
typedef struct lookup {
    const check_context_t *context;
    Valion__V1__CheckResult *out;
} lookup_t;

typedef struct field {
    const char *name;
    bool there;
    double value;
} field_t;

static bool
find_field(const Valion__V1__CheckResult *check, const char *name, double *out)
{
    const field_t fields[] = {
        {"statistic", check->has_statistic, check->statistic},
        {"threshold", check->has_threshold, check->threshold},
        {"score", check->has_score, check->score},
        {"effect", check->has_effect, check->effect},
        {"p_value", check->has_p_value, check->p_value},
        {"n", check->has_n, (double)check->n},
        {"columns_tested", check->has_columns_tested, check->columns_tested},
        {"columns_flagged", check->has_columns_flagged, check->columns_flagged},
    };
    for (size_t i = 0; i < VLN_COUNT(fields); i++) {
        if (strcmp(fields[i].name, name) == 0) {
            *out = fields[i].value;
            return fields[i].there;
        }
    }
    return false;
}

static bool
find_number(const Valion__V1__CheckResult *check, const char *name, double *out)
{
    const char *number = strcmp(name, "share") == 0 ? "drift_ratio" : name;
    for (size_t i = 0; i < check->n_numbers; i++) {
        if (check->numbers[i]->key && strcmp(check->numbers[i]->key, number) == 0) {
            *out = check->numbers[i]->value;
            return true;
        }
    }
    return find_field(check, name, out);
}

/* "CHECK.NUMBER": names of checks may hold points themselves. */
static bool
find_in_checks(const check_context_t *context, const char *name, double *out)
{
    for (size_t i = 0; i < context->check_count; i++) {
        const Valion__V1__CheckResult *check = context->checks[i];
        size_t size = strlen(check->name);
        if (strncmp(check->name, name, size) == 0 && name[size] == '.' &&
            find_number(check, name + size + 1, out)) {
            return true;
        }
    }
    return false;
}

static bool
find(const void *pointer, const char *name, double *out)
{
    const lookup_t *self = pointer;
    const check_context_t *context = self->context;
    const char *metric = strcmp(name, "auc") == 0 ? "roc_auc" : name;
    double value =
        context->predictions ? vln_scores_get(&context->predictions->scores, metric, NAN) : NAN;
    if (!isfinite(value) && !find_in_checks(context, name, &value)) {
        return false;
    }
    *out = value;
    check_add(context, self->out, name, value);
    return true;
}

/* "roc_auc 0.91, drift.share 0.1" */
static const char *
list_numbers(const check_context_t *context, const Valion__V1__CheckResult *out)
{
    const char *text = "";
    for (size_t i = 0; i < out->n_numbers; i++) {
        text = check_text(context, NAMES_SHOWN, "%s%s%s is %.6g", text, i > 0 ? ", " : "",
                          out->numbers[i]->key, out->numbers[i]->value);
    }
    return text;
}

void
check_expression(const check_context_t *context, const Valion__V1__CheckSpec *spec,
                 Valion__V1__CheckResult *out)
{
    vln_expression_t expression;
    char why[VLN_EXPRESSION_WHY];
    bool holds = false;
    const lookup_t lookup = {context, out};
    const char *text = spec->expression ? spec->expression : "";
    if (!vln_expression_parse(text, &expression, why) ||
        !vln_expression_eval(&expression, find, &lookup, &holds, why)) {
        check_break(context, spec, out, "The expression '%.300s' cannot be judged: %s", text, why);
        return;
    }
    check_end(context, out, holds ? CHECK_PASS : CHECK_FAIL, "'%.400s' %s: %s.", text,
              holds ? "holds" : "does not hold", list_numbers(context, out));
}
