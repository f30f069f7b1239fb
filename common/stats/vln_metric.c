#include "vln_metric.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_normal.h"
#include "vln_sample.h"

static const double LOG_LOSS_CLIP = 1e-15;

/* ---- regression ---- */

static void
set_all(vln_regression_t *out, vln_stat_why_t why)
{
    vln_stat_t none = vln_stat_none(why);
    out->r2 = out->mae = out->mse = out->rmse = out->mape = none;
    out->median_ae = out->max_error = none;
    out->mean_residual = out->residual_std = out->bias = none;
}

static vln_stat_t
r2_of(const double *target, size_t n, double squares)
{
    if (n < 2) {
        return vln_stat_none(VLN_STAT_TOO_FEW);
    }
    vln_stat_t total = vln_squares(target, n);
    if (!total.defined) {
        return total;
    }
    if (total.value == 0) {
        return vln_stat_by(squares == 0 ? 1 : 0, VLN_STAT_CONSTANT);
    }
    return vln_stat_of(1 - squares / total.value);
}

static vln_stat_t
mape_of(const double *target, const double *residuals, size_t n)
{
    vln_sum_t sum = {0};
    bool bounded = false;
    for (size_t i = 0; i < n; i++) {
        double size = fabs(target[i]);
        bounded |= size < DBL_EPSILON;
        vln_sum_add(&sum, fabs(residuals[i]) / fmax(size, DBL_EPSILON));
    }
    return vln_stat_by(vln_sum_total(&sum) / (double)n,
                       bounded ? VLN_STAT_ZERO_TARGET : VLN_STAT_OK);
}

/* What sorting shows; the residuals become their sizes, rising. */
static void
find_order(double *residuals, size_t n, vln_regression_t *out)
{
    for (size_t i = 0; i < n; i++) {
        residuals[i] = fabs(residuals[i]);
    }
    vln_sort(residuals, n);
    double above = residuals[n / 2];
    out->median_ae = vln_stat_of(n % 2 ? above : (residuals[n / 2 - 1] + above) / 2);
    out->max_error = vln_stat_of(residuals[n - 1]);
}

static void
find_sums(const double *residuals, size_t n, vln_regression_t *out, double *squares)
{
    vln_sum_t sizes = {0};
    vln_sum_t sum = {0};
    for (size_t i = 0; i < n; i++) {
        vln_sum_add(&sizes, fabs(residuals[i]));
        vln_sum_add(&sum, residuals[i] * residuals[i]);
    }
    *squares = vln_sum_total(&sum);
    out->mae = vln_stat_of(vln_sum_total(&sizes) / (double)n);
    out->mse = vln_stat_of(*squares / (double)n);
    out->rmse = vln_stat_of(sqrt(*squares / (double)n));
    out->mean_residual = vln_mean(residuals, n);
    out->residual_std = vln_std(residuals, n, 0);
}

static vln_stat_t
bias_of(const vln_regression_t *about)
{
    if (!about->mean_residual.defined || !about->residual_std.defined) {
        return vln_stat_none(VLN_STAT_NOT_FINITE);
    }
    if (about->residual_std.value == 0) {
        return vln_stat_by(0, VLN_STAT_CONSTANT);
    }
    return vln_stat_of(fabs(about->mean_residual.value) / about->residual_std.value);
}

void
vln_metric_regression(const double *target, const double *predicted, size_t n,
                      vln_regression_t *out)
{
    *out = (vln_regression_t){.n = n};
    if (n == 0 || !vln_stat_all_finite(target, n) || !vln_stat_all_finite(predicted, n)) {
        set_all(out, n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
        return;
    }
    double *residuals = vln_calloc(n, sizeof *residuals);
    for (size_t i = 0; i < n; i++) {
        residuals[i] = target[i] - predicted[i];
    }
    if (vln_stat_all_finite(residuals, n)) {
        double squares = 0;
        find_sums(residuals, n, out, &squares);
        out->r2 = r2_of(target, n, squares);
        out->mape = mape_of(target, residuals, n);
        out->bias = bias_of(out);
        find_order(residuals, n, out);
    } else {
        set_all(out, VLN_STAT_NOT_FINITE);
    }
    free(residuals);
}

/* ---- two classes ---- */

vln_confusion_t
vln_metric_confusion(const uint8_t *truth, const double *scores, size_t n, double threshold)
{
    vln_confusion_t self = {0};
    for (size_t i = 0; i < n; i++) {
        bool positive = scores[i] >= threshold;
        if (truth[i]) {
            *(positive ? &self.true_positive : &self.false_negative) += 1;
        } else {
            *(positive ? &self.false_positive : &self.true_negative) += 1;
        }
    }
    return self;
}

static uint64_t
rows_of(const vln_confusion_t *self)
{
    return self->true_positive + self->false_positive + self->true_negative + self->false_negative;
}

/* A share of rows; what it is if there are none depends on why. */
static vln_stat_t
share(uint64_t part, uint64_t whole, vln_stat_why_t why_none)
{
    return whole ? vln_stat_of((double)part / (double)whole) : vln_stat_by(0, why_none);
}

vln_stat_t
vln_metric_accuracy(const vln_confusion_t *confusion)
{
    uint64_t rows = rows_of(confusion);
    if (rows == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    return share(confusion->true_positive + confusion->true_negative, rows, VLN_STAT_EMPTY);
}

vln_stat_t
vln_metric_precision(const vln_confusion_t *confusion)
{
    if (rows_of(confusion) == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    return share(confusion->true_positive, confusion->true_positive + confusion->false_positive,
                 VLN_STAT_NO_PREDICTED);
}

vln_stat_t
vln_metric_recall(const vln_confusion_t *confusion)
{
    if (rows_of(confusion) == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    return share(confusion->true_positive, confusion->true_positive + confusion->false_negative,
                 VLN_STAT_NO_POSITIVE);
}

vln_stat_t
vln_metric_f1(const vln_confusion_t *confusion)
{
    if (rows_of(confusion) == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    uint64_t right = 2 * confusion->true_positive;
    return share(right, right + confusion->false_positive + confusion->false_negative,
                 VLN_STAT_NO_POSITIVE);
}

/* The scores of each class, rising. */
typedef struct sides {
    double *positive;
    double *negative;
    size_t positives;
    size_t negatives;
} sides_t;

static sides_t
sides_make(const uint8_t *truth, const double *scores, size_t n)
{
    sides_t self = {.positive = vln_calloc(n, sizeof(double)),
                    .negative = vln_calloc(n, sizeof(double))};
    for (size_t i = 0; i < n; i++) {
        if (truth[i]) {
            self.positive[self.positives++] = scores[i];
        } else {
            self.negative[self.negatives++] = scores[i];
        }
    }
    vln_sort(self.positive, self.positives);
    vln_sort(self.negative, self.negatives);
    return self;
}

static void
sides_end(sides_t *self)
{
    free(self->positive);
    free(self->negative);
}

/* Twice the pairs in the right order plus the ties: whole numbers, so the order of rows is nothing. */
static double
auc_of(const sides_t *sides)
{
    uint64_t twice = 0;
    size_t below = 0;
    size_t upto = 0;
    for (size_t i = 0; i < sides->positives; i++) {
        while (below < sides->negatives && sides->negative[below] < sides->positive[i]) {
            below++;
        }
        while (upto < sides->negatives && sides->negative[upto] <= sides->positive[i]) {
            upto++;
        }
        twice += below + upto;
    }
    return (double)twice / 2 / (double)sides->positives / (double)sides->negatives;
}

vln_stat_t
vln_metric_roc_auc(const uint8_t *truth, const double *scores, size_t n)
{
    if (n == 0 || !vln_stat_all_finite(scores, n)) {
        return vln_stat_none(n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
    }
    sides_t sides = sides_make(truth, scores, n);
    vln_stat_t result = vln_stat_none(VLN_STAT_ONE_CLASS);
    if (sides.positives && sides.negatives) {
        result = vln_stat_of(auc_of(&sides));
    }
    sides_end(&sides);
    return result;
}

static double
average_precision_of(const sides_t *sides)
{
    size_t positive = sides->positives; /* left, below the threshold */
    size_t negative = sides->negatives;
    vln_sum_t sum = {0};
    while (positive > 0) {
        double threshold = sides->positive[positive - 1]; /* recall moves at these alone */
        size_t before = positive;
        while (positive > 0 && sides->positive[positive - 1] >= threshold) {
            positive--;
        }
        while (negative > 0 && sides->negative[negative - 1] >= threshold) {
            negative--;
        }
        double hits = (double)(sides->positives - positive);
        double taken = hits + (double)(sides->negatives - negative);
        vln_sum_add(&sum, (double)(before - positive) * hits / taken);
    }
    return vln_sum_total(&sum) / (double)sides->positives;
}

vln_stat_t
vln_metric_average_precision(const uint8_t *truth, const double *scores, size_t n)
{
    if (n == 0 || !vln_stat_all_finite(scores, n)) {
        return vln_stat_none(n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
    }
    sides_t sides = sides_make(truth, scores, n);
    vln_stat_t result = sides.positives ? vln_stat_of(average_precision_of(&sides))
                                        : vln_stat_by(0, VLN_STAT_NO_POSITIVE);
    sides_end(&sides);
    return result;
}

static double
clipped_log(double probability)
{
    return log(fmin(1 - LOG_LOSS_CLIP, fmax(LOG_LOSS_CLIP, probability)));
}

vln_stat_t
vln_metric_log_loss(const uint8_t *truth, const double *probabilities, size_t n)
{
    if (n == 0 || !vln_stat_all_finite(probabilities, n)) {
        return vln_stat_none(n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
    }
    vln_sum_t sum = {0};
    for (size_t i = 0; i < n; i++) {
        vln_sum_add(&sum, -clipped_log(truth[i] ? probabilities[i] : 1 - probabilities[i]));
    }
    return vln_stat_of(vln_sum_total(&sum) / (double)n);
}

vln_stat_t
vln_metric_brier(const uint8_t *truth, const double *probabilities, size_t n)
{
    if (n == 0 || !vln_stat_all_finite(probabilities, n)) {
        return vln_stat_none(n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
    }
    vln_sum_t sum = {0};
    for (size_t i = 0; i < n; i++) {
        double off = probabilities[i] - (truth[i] ? 1 : 0);
        vln_sum_add(&sum, off * off);
    }
    return vln_stat_of(vln_sum_total(&sum) / (double)n);
}

/* ---- many classes ---- */

vln_stat_t
vln_metric_class_accuracy(const int32_t *truth, const int32_t *predicted, size_t n)
{
    if (n == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    size_t right = 0;
    for (size_t i = 0; i < n; i++) {
        right += truth[i] == predicted[i];
    }
    return vln_stat_of((double)right / (double)n);
}

static size_t
code(int32_t value, size_t classes)
{
    vln_assert(value >= 0 && (size_t)value < classes);
    return (size_t)value;
}

vln_stat_t
vln_metric_macro_f1(const int32_t *truth, const int32_t *predicted, size_t n, size_t classes)
{
    if (n == 0) {
        return vln_stat_none(VLN_STAT_EMPTY);
    }
    uint64_t *right = vln_calloc(classes, sizeof *right);
    uint64_t *named =
        vln_calloc(classes, sizeof *named); /* true rows and predicted ones together */
    for (size_t i = 0; i < n; i++) {
        right[code(truth[i], classes)] += truth[i] == predicted[i];
        named[code(truth[i], classes)]++;
        named[code(predicted[i], classes)]++;
    }
    vln_sum_t sum = {0};
    size_t used = 0;
    for (size_t i = 0; i < classes; i++) {
        if (named[i]) {
            vln_sum_add(&sum, 2 * (double)right[i] / (double)named[i]);
            used++;
        }
    }
    free(right);
    free(named);
    return vln_stat_of(vln_sum_total(&sum) / (double)used);
}

vln_stat_t
vln_metric_class_log_loss(const int32_t *truth, const double *probabilities, size_t n,
                          size_t classes)
{
    if (n == 0 || !vln_stat_all_finite(probabilities, n * classes)) {
        return vln_stat_none(n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
    }
    vln_sum_t sum = {0};
    for (size_t i = 0; i < n; i++) {
        vln_sum_add(&sum, -clipped_log(probabilities[i * classes + code(truth[i], classes)]));
    }
    return vln_stat_of(vln_sum_total(&sum) / (double)n);
}
