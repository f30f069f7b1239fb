/*
 * bias: how far predictions lie to one side, as a share of how much they scatter: |mean residual| /
 * standard deviation of the residuals. Whether residuals look normal, and whether they grow with the
 * prediction, is told beside it and decides nothing.
 */
#include <stdlib.h>

#include "vln_normal.h"

#include "check_say.h"

/* Of each row: target - prediction, its size, and the prediction. */
typedef struct residuals {
    double *values;
    double *sizes;
    double *predicted;
    size_t count;
} residuals_t;

static residuals_t
find_residuals(const check_predictions_t *predictions)
{
    size_t n = predictions->result.rows;
    residuals_t self = {.values = vln_calloc(n + 1, sizeof(double)),
                        .sizes = vln_calloc(n + 1, sizeof(double)),
                        .predicted = vln_calloc(n + 1, sizeof(double)),
                        .count = n};
    for (size_t i = 0; i < n; i++) {
        self.predicted[i] = (double)predictions->result.values[i];
        self.values[i] = predictions->truth.values[i] - self.predicted[i];
        self.sizes[i] = fabs(self.values[i]);
    }
    return self;
}

static void
residuals_end(residuals_t *self)
{
    free(self->values);
    free(self->sizes);
    free(self->predicted);
}

static void
add_tests(const check_context_t *context, const residuals_t *residuals,
          Valion__V1__CheckResult *out)
{
    double shapiro = vln_scores_get(&context->predictions->scores, "residual_shapiro_p", NAN);
    vln_stat_t spread = vln_pearson(residuals->predicted, residuals->sizes, residuals->count);
    check_add(context, out, "shapiro_p_value", shapiro);
    check_add(context, out, "heteroscedasticity_correlation", spread.defined ? spread.value : NAN);
}

static void
decide(const check_context_t *context, const Valion__V1__CheckSpec *spec, double mean, double std,
       Valion__V1__CheckResult *out)
{
    double pass = check_threshold(spec, "bias_pass", 0.1);
    double warn = check_threshold(spec, "bias_warn", 0.2);
    double bias = std > 0 ? fabs(mean) / std : 0;
    const char *side = mean < 0 ? "above" : "below";
    check_add(context, out, "mean_residual", mean);
    check_add(context, out, "residual_std", std);
    check_add(context, out, "bias_threshold", pass);
    check_add(context, out, "bias_warn", warn);
    check_set(out, "bias", bias, pass, context->predictions->result.rows);
    check_set_score(out, 1 - bias);
    if (std <= 0 && fabs(mean) > 0) {
        check_set_score(out, NAN);
        check_end(context, out, CHECK_FAIL,
                  "Every prediction lies %.6g %s the truth: all residuals are the same.",
                  fabs(mean), side);
        return;
    }
    Valion__V1__CheckStatus status = bias <= pass   ? CHECK_PASS
                                     : bias <= warn ? CHECK_WARN
                                                    : CHECK_FAIL;
    check_end(context, out, status,
              "Predictions lie %.6g %s the truth on average, which is %.3g of the residuals' "
              "standard deviation of %.6g; up to %g is fine%s%s (%zu rows).",
              fabs(mean), side, bias, std, pass, status == CHECK_PASS ? "" : ", up to ",
              status == CHECK_PASS ? "" : vln_arena_printf(context->arena, "%g is tolerated", warn),
              context->predictions->result.rows);
}

void
check_bias(const check_context_t *context, const Valion__V1__CheckSpec *spec,
           Valion__V1__CheckResult *out)
{
    const check_predictions_t *predictions = context->predictions;
    if (predictions->truth.task != VALION__V1__TASK_TYPE__TASK_TYPE_REGRESSION ||
        predictions->result.width != 1) {
        check_break(context, spec, out,
                    "Bias is told of models that predict one number, and this one does not");
        return;
    }
    if (predictions->result.rows < 2) {
        check_end(context, out, CHECK_INCONCLUSIVE,
                  "One row has no residuals that could scatter: give more rows.");
        return;
    }
    residuals_t residuals = find_residuals(predictions);
    vln_stat_t mean = vln_mean(residuals.values, residuals.count);
    vln_stat_t std = vln_std(residuals.values, residuals.count, 0);
    if (mean.defined && std.defined) {
        decide(context, spec, mean.value, std.value, out);
        add_tests(context, &residuals, out);
    } else {
        check_break(context, spec, out, "The residuals cannot be summed: %s",
                    vln_stat_why_text(mean.defined ? std.why : mean.why));
    }
    residuals_end(&residuals);
}
