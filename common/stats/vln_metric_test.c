#include "vln_metric.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>
#include <float.h>
#include <stdlib.h>

#include "vln_err.h"
#include "vln_normal.h"

#include "test_golden.h"

/* ---- regression ---- */

Test(vln_metric, regression_gives_the_golden_values)
{
    double *y = golden_numbers(9, 200, 100, 0);
    double *noise = golden_numbers(10, 200, 5, 0);
    double predicted[200];
    double sizes[200];
    for (size_t i = 0; i < 200; i++) {
        predicted[i] = 0.95 * y[i] + noise[i];
        sizes[i] = fabs(y[i] - predicted[i]);
    }
    vln_regression_t result;
    vln_metric_regression(y, predicted, 200, &result);
    must_be_stat("r2", result.r2, 0.99498487206281405, 1e-9);
    must_be_stat("mae", result.mae, 2.8420850301859901, 1e-9);
    must_be_stat("rmse", result.rmse, 3.5027051215184799, 1e-9);
    must_be_stat("mean residual", result.mean_residual, -0.11943720476701855, 1e-9);
    must_be_stat("residual std", result.residual_std, 3.5006682108462139, 1e-9);
    must_be_stat("bias", result.bias, 0.03411840185167022, 1e-9);
    must_be_stat("corr", vln_pearson(predicted, sizes, 200), 0.026106037929639416, 1e-9);
    free(y);
    free(noise);
}

Test(vln_metric, regression_by_hand)
{
    static const double target[] = {1, 2, 3, 4};
    static const double predicted[] = {1, 3, 3, 2};
    vln_regression_t r;
    vln_metric_regression(target, predicted, 4, &r);
    cr_expect(r.r2.value == 0); /* 1 - 5 / 5 */
    cr_expect(r.mae.value == 0.75);
    cr_expect(r.mse.value == 1.25);
    cr_expect(r.median_ae.value == 0.5);
    cr_expect(r.max_error.value == 2);
    cr_expect(r.mape.value == 0.25);
    cr_expect(r.mean_residual.value == 0.25);
}

Test(vln_metric, a_constant_target_has_the_convention_of_r2)
{
    static const double same[] = {3, 3, 3};
    static const double off[] = {3, 3, 4};
    vln_regression_t r;
    vln_metric_regression(same, same, 3, &r);
    cr_expect(r.r2.defined && r.r2.value == 1 && r.r2.why == VLN_STAT_CONSTANT);
    cr_expect(r.bias.defined && r.bias.value == 0 && r.bias.why == VLN_STAT_CONSTANT);
    vln_metric_regression(same, off, 3, &r);
    cr_expect(r.r2.defined && r.r2.value == 0 && r.r2.why == VLN_STAT_CONSTANT);
}

Test(vln_metric, a_zero_target_is_said)
{
    static const double target[] = {0, 2};
    static const double predicted[] = {1, 2};
    vln_regression_t r;
    vln_metric_regression(target, predicted, 2, &r);
    cr_expect(r.mape.why == VLN_STAT_ZERO_TARGET);
    must_be_stat("mape", r.mape, 0.5 / DBL_EPSILON, 1e-15);
}

static void
must_have_none(const vln_regression_t *r, vln_stat_why_t why)
{
    const vln_stat_t all[] = {r->r2,           r->mae,       r->mse,       r->rmse,
                              r->mape,         r->median_ae, r->max_error, r->mean_residual,
                              r->residual_std, r->bias};
    for (size_t i = 0; i < VLN_COUNT(all); i++) {
        cr_expect(not(all[i].defined));
        cr_expect(all[i].why == why && all[i].value == 0, "metric %zu", i);
    }
}

Test(vln_metric, regression_without_sound_rows_has_no_values)
{
    static const double target[] = {1, 2};
    static const double lost[] = {1, NAN};
    static const double wild[] = {-INFINITY, 2};
    vln_regression_t r;
    vln_metric_regression(target, target, 0, &r);
    must_have_none(&r, VLN_STAT_EMPTY);
    vln_metric_regression(target, lost, 2, &r);
    must_have_none(&r, VLN_STAT_NOT_FINITE);
    vln_metric_regression(wild, target, 2, &r);
    must_have_none(&r, VLN_STAT_NOT_FINITE);
    static const double up[] = {1.7e308, 0};
    static const double down[] = {-1.7e308, 0};
    vln_metric_regression(up, down, 2, &r);
    must_have_none(&r, VLN_STAT_NOT_FINITE);
    vln_metric_regression(target, target, 1, &r);
    cr_expect(r.r2.why == VLN_STAT_TOO_FEW && !r.r2.defined);
    cr_expect(r.mae.defined);
}

/* ---- two classes ---- */

/* scikit-learn's own example: roc_auc 0.75, average precision 0.8333 */
static const uint8_t truth[] = {0, 0, 1, 1};
static const double scores[] = {0.1, 0.4, 0.35, 0.8};

Test(vln_metric, areas_by_hand)
{
    must_be_stat("roc", vln_metric_roc_auc(truth, scores, 4), 0.75, 1e-15);
    must_be_stat("ap", vln_metric_average_precision(truth, scores, 4), 5.0 / 6, 1e-15);
}

Test(vln_metric, ties_count_half)
{
    static const uint8_t t[] = {0, 1, 0, 1};
    static const double same[] = {0.5, 0.5, 0.5, 0.5};
    static const double some[] = {0.5, 0.5, 0.1, 0.9};
    must_be_stat("all equal", vln_metric_roc_auc(t, same, 4), 0.5, 1e-15);
    must_be_stat("one tie", vln_metric_roc_auc(t, some, 4), 3.5 / 4, 1e-15);
    must_be_stat("ap of ties", vln_metric_average_precision(t, same, 4), 0.5, 1e-15);
    must_be_stat("ap of one tie", vln_metric_average_precision(t, some, 4), 0.5 + 0.5 * 2 / 3,
                 1e-15);
}

Test(vln_metric, the_area_of_negated_scores_is_the_rest)
{
    double *noise = golden_numbers(31, 999, 1, 0);
    uint8_t labels[999];
    double negated[999];
    double turned[999];
    uint8_t turned_labels[999];
    for (size_t i = 0; i < 999; i++) {
        labels[i] = noise[998 - i] > 1.4;
        noise[i] = floor(noise[i] * 20) / 20 + labels[i] * 0.1;
        negated[i] = -noise[i];
    }
    for (size_t i = 0; i < 999; i++) {
        turned[i] = exp(noise[998 - i]);
        turned_labels[i] = labels[998 - i];
    }
    double auc = vln_metric_roc_auc(labels, noise, 999).value;
    must_be("negated", vln_metric_roc_auc(labels, negated, 999).value, 1 - auc, 1e-14);
    cr_expect(vln_metric_roc_auc(turned_labels, turned, 999).value == auc);
    cr_expect(vln_metric_average_precision(turned_labels, turned, 999).value ==
              vln_metric_average_precision(labels, noise, 999).value);
    free(noise);
}

Test(vln_metric, one_class_alone_has_no_area)
{
    static const uint8_t ones[] = {1, 1};
    static const uint8_t zeros[] = {0, 0};
    cr_expect(vln_metric_roc_auc(ones, scores, 2).why == VLN_STAT_ONE_CLASS);
    cr_expect(not(vln_metric_roc_auc(zeros, scores, 2).defined));
    must_be_stat("ap of ones", vln_metric_average_precision(ones, scores, 2), 1, 1e-15);
    vln_stat_t none = vln_metric_average_precision(zeros, scores, 2);
    cr_expect(none.defined && none.value == 0 && none.why == VLN_STAT_NO_POSITIVE);
}

Test(vln_metric, a_threshold_is_reached_by_its_own_score)
{
    vln_confusion_t c = vln_metric_confusion(truth, scores, 4, 0.4);
    cr_expect(eq(u64, c.true_positive, 1));
    cr_expect(eq(u64, c.false_positive, 1));
    cr_expect(eq(u64, c.true_negative, 1));
    cr_expect(eq(u64, c.false_negative, 1));
    cr_expect(vln_metric_accuracy(&c).value == 0.5);
    cr_expect(vln_metric_precision(&c).value == 0.5);
    cr_expect(vln_metric_recall(&c).value == 0.5);
    cr_expect(vln_metric_f1(&c).value == 0.5);
}

Test(vln_metric, shares_of_nothing_have_conventions)
{
    vln_confusion_t negative = {.true_negative = 5};
    vln_stat_t precision = vln_metric_precision(&negative);
    cr_expect(precision.defined && precision.value == 0 && precision.why == VLN_STAT_NO_PREDICTED);
    cr_expect(vln_metric_recall(&negative).why == VLN_STAT_NO_POSITIVE);
    cr_expect(vln_metric_f1(&negative).why == VLN_STAT_NO_POSITIVE);
    cr_expect(vln_metric_accuracy(&negative).value == 1);
    vln_confusion_t empty = {0};
    cr_expect(vln_metric_accuracy(&empty).why == VLN_STAT_EMPTY);
    cr_expect(not(vln_metric_f1(&empty).defined));
}

Test(vln_metric, losses_by_hand)
{
    static const uint8_t t[] = {1, 0};
    static const double p[] = {0.8, 0.4};
    static const double sure[] = {0, 1};
    must_be_stat("log loss", vln_metric_log_loss(t, p, 2), -(log(0.8) + log(0.6)) / 2, 1e-15);
    must_be_stat("brier", vln_metric_brier(t, p, 2), (0.04 + 0.16) / 2, 1e-15);
    must_be_stat("clipped", vln_metric_log_loss(t, sure, 2), -log(1e-15), 1e-3);
    cr_expect(vln_metric_log_loss(t, p, 0).why == VLN_STAT_EMPTY);
    static const double lost[] = {NAN, 1};
    cr_expect(vln_metric_brier(t, lost, 2).why == VLN_STAT_NOT_FINITE);
}

/* ---- many classes ---- */

Test(vln_metric, classes_by_hand)
{
    static const int32_t t[] = {0, 1, 2, 0, 1, 2};
    static const int32_t p[] = {0, 2, 1, 0, 0, 1};
    must_be_stat("accuracy", vln_metric_class_accuracy(t, p, 6), 2.0 / 6, 1e-15);
    must_be_stat("macro f1", vln_metric_macro_f1(t, p, 6, 3), 0.8 / 3, 1e-15);
    must_be_stat("a class that never occurs", vln_metric_macro_f1(t, p, 6, 9), 0.8 / 3, 1e-15);
    static const int32_t two[] = {0, 2};
    static const double q[] = {0.7, 0.2, 0.1, 0.3, 0.3, 0.4};
    must_be_stat("log loss", vln_metric_class_log_loss(two, q, 2, 3), -(log(0.7) + log(0.4)) / 2,
                 1e-15);
    cr_expect(vln_metric_macro_f1(t, p, 0, 3).why == VLN_STAT_EMPTY);
}

Test(vln_metric, two_classes_are_a_case_of_many)
{
    static const int32_t t[] = {0, 0, 1, 1};
    static const double both[] = {0.9, 0.1, 0.6, 0.4, 0.65, 0.35, 0.2, 0.8};
    must_be("log loss", vln_metric_class_log_loss(t, both, 4, 2).value,
            vln_metric_log_loss(truth, scores, 4).value, 1e-15);
}

Test(vln_metric, every_reason_has_a_text)
{
    for (int why = VLN_STAT_OK; why <= VLN_STAT_NOT_FINITE; why++) {
        cr_expect(vln_stat_why_text((vln_stat_why_t)why)[0] != '\0');
        cr_expect(vln_stat_why_name((vln_stat_why_t)why)[0] != '\0');
    }
}
