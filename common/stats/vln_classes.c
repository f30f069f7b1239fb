#include "vln_classes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_err.h"
#include "vln_mem.h"
#include "vln_metric.h"

/* ---- the confusion matrix ---- */

void
vln_classes_count(const int32_t *truth, const int32_t *predicted, size_t n, size_t classes,
                  uint64_t *matrix)
{
    memset(matrix, 0, classes * classes * sizeof *matrix);
    for (size_t i = 0; i < n; i++) {
        vln_assert(truth[i] >= 0 && (size_t)truth[i] < classes);
        vln_assert(predicted[i] >= 0 && (size_t)predicted[i] < classes);
        matrix[(size_t)truth[i] * classes + (size_t)predicted[i]]++;
    }
}

static uint64_t
rows_of(const uint64_t *matrix, size_t classes, size_t which)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < classes; i++) {
        sum += matrix[which * classes + i];
    }
    return sum;
}

static uint64_t
said_of(const uint64_t *matrix, size_t classes, size_t which)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < classes; i++) {
        sum += matrix[i * classes + which];
    }
    return sum;
}

static vln_stat_t
share(uint64_t part, uint64_t whole, vln_stat_why_t why_none)
{
    return whole > 0 ? vln_stat_of((double)part / (double)whole) : vln_stat_by(0, why_none);
}

vln_class_score_t
vln_classes_score(const uint64_t *matrix, size_t classes, size_t which)
{
    uint64_t right = matrix[which * classes + which];
    uint64_t rows = rows_of(matrix, classes, which);
    uint64_t said = said_of(matrix, classes, which);
    return (vln_class_score_t){.precision = share(right, said, VLN_STAT_NO_PREDICTED),
                               .recall = share(right, rows, VLN_STAT_NO_POSITIVE),
                               .f1 = share(2 * right, rows + said, VLN_STAT_NO_POSITIVE),
                               .rows = rows};
}

/* ---- means over the classes ---- */

typedef struct means {
    vln_sum_t precision;
    vln_sum_t recall;
    vln_sum_t f1;
    double weight;
} means_t;

static void
means_add(means_t *self, const vln_class_score_t *score, double weight)
{
    vln_sum_add(&self->precision, weight * score->precision.value);
    vln_sum_add(&self->recall, weight * score->recall.value);
    vln_sum_add(&self->f1, weight * score->f1.value);
    self->weight += weight;
}

static vln_class_mean_t
means_end(const means_t *self)
{
    return (vln_class_mean_t){.precision =
                                  vln_stat_of(vln_sum_total(&self->precision) / self->weight),
                              .recall = vln_stat_of(vln_sum_total(&self->recall) / self->weight),
                              .f1 = vln_stat_of(vln_sum_total(&self->f1) / self->weight)};
}

/* What both coefficients are made of: rows that are right, and by chance. */
static void
find_agreement(const uint64_t *matrix, size_t classes, double right, double n,
               vln_class_scores_t *out)
{
    vln_sum_t both = {0};
    vln_sum_t rows_squared = {0};
    vln_sum_t said_squared = {0};
    for (size_t i = 0; i < classes; i++) {
        double rows = (double)rows_of(matrix, classes, i) / n;
        double said = (double)said_of(matrix, classes, i) / n;
        vln_sum_add(&both, rows * said);
        vln_sum_add(&rows_squared, rows * rows);
        vln_sum_add(&said_squared, said * said);
    }
    double chance = vln_sum_total(&both);
    double spread =
        sqrt(fmax(0, 1 - vln_sum_total(&rows_squared)) * fmax(0, 1 - vln_sum_total(&said_squared)));
    out->mcc = spread > 0 ? vln_stat_of((right / n - chance) / spread)
                          : vln_stat_by(0, VLN_STAT_ONE_CLASS);
    out->kappa = chance < 1 ? vln_stat_of((right / n - chance) / (1 - chance))
                            : vln_stat_none(VLN_STAT_ONE_CLASS);
}

static void
set_empty(vln_class_scores_t *out)
{
    vln_stat_t none = vln_stat_none(VLN_STAT_EMPTY);
    vln_class_mean_t nothing = {none, none, none};
    *out = (vln_class_scores_t){none, none, none, none, nothing, nothing, nothing};
}

void
vln_classes_scores(const uint64_t *matrix, size_t classes, vln_class_scores_t *out)
{
    means_t macro = {0};
    means_t weighted = {0};
    vln_sum_t recalls = {0};
    double occurring = 0;
    uint64_t right = 0;
    for (size_t i = 0; i < classes; i++) {
        vln_class_score_t score = vln_classes_score(matrix, classes, i);
        bool occurs = score.rows > 0;
        if (occurs || said_of(matrix, classes, i) > 0) {
            means_add(&macro, &score, 1);
            means_add(&weighted, &score, (double)score.rows);
        }
        vln_sum_add(&recalls, occurs ? score.recall.value : 0);
        occurring += occurs ? 1 : 0;
        right += matrix[i * classes + i];
    }
    if (weighted.weight <= 0) {
        set_empty(out);
        return;
    }
    out->accuracy = vln_stat_of((double)right / weighted.weight);
    out->balanced_accuracy = vln_stat_of(vln_sum_total(&recalls) / occurring);
    out->macro = means_end(&macro);
    out->weighted = means_end(&weighted);
    out->micro = (vln_class_mean_t){out->accuracy, out->accuracy, out->accuracy};
    find_agreement(matrix, classes, (double)right, weighted.weight, out);
}

/* ---- ROC of many classes ---- */

/* The rows of two classes, or of one against the rest; how many are in. */
typedef struct side {
    uint8_t *truth;
    double *scores;
    size_t n;
} side_t;

typedef struct rows {
    const int32_t *truth;
    const double *probabilities;
    size_t n;
    size_t classes;
} rows_t;

/* Class `one` by its probability, among the rows of it and of `other` (-1: of all others). */
static void
gather(const rows_t *rows, size_t one, int64_t other, side_t *out)
{
    out->n = 0;
    for (size_t i = 0; i < rows->n; i++) {
        bool mine = (size_t)rows->truth[i] == one;
        if (mine || other < 0 || rows->truth[i] == other) {
            out->truth[out->n] = mine;
            out->scores[out->n++] = rows->probabilities[i * rows->classes + one];
        }
    }
}

typedef struct auc_means {
    vln_sum_t macro;
    vln_sum_t weighted;
    double count;
    double weight;
} auc_means_t;

static void
auc_add(auc_means_t *self, double value, double weight)
{
    vln_sum_add(&self->macro, value);
    vln_sum_add(&self->weighted, weight * value);
    self->count++;
    self->weight += weight;
}

static void
find_against_the_rest(const rows_t *rows, side_t *side, vln_class_auc_t *out)
{
    auc_means_t means = {0};
    vln_sum_t precision = {0};
    for (size_t i = 0; i < rows->classes; i++) {
        gather(rows, i, -1, side);
        double mine = 0;
        for (size_t at = 0; at < side->n; at++) {
            mine += side->truth[at];
        }
        auc_add(&means, vln_metric_roc_auc(side->truth, side->scores, side->n).value, mine);
        vln_sum_add(&precision,
                    vln_metric_average_precision(side->truth, side->scores, side->n).value);
    }
    out->ovr_macro = vln_stat_of(vln_sum_total(&means.macro) / means.count);
    out->ovr_weighted = vln_stat_of(vln_sum_total(&means.weighted) / means.weight);
    out->average_precision = vln_stat_of(vln_sum_total(&precision) / means.count);
}

static void
find_pairs(const rows_t *rows, side_t *side, vln_class_auc_t *out)
{
    auc_means_t means = {0};
    for (size_t i = 0; i < rows->classes; i++) {
        for (size_t j = i + 1; j < rows->classes; j++) {
            gather(rows, i, (int64_t)j, side);
            double first = vln_metric_roc_auc(side->truth, side->scores, side->n).value;
            gather(rows, j, (int64_t)i, side);
            double second = vln_metric_roc_auc(side->truth, side->scores, side->n).value;
            auc_add(&means, (first + second) / 2, (double)side->n);
        }
    }
    out->ovo_macro = vln_stat_of(vln_sum_total(&means.macro) / means.count);
    out->ovo_weighted = vln_stat_of(vln_sum_total(&means.weighted) / means.weight);
}

static vln_stat_why_t
find_obstacle(const rows_t *rows)
{
    if (rows->n == 0) {
        return VLN_STAT_EMPTY;
    }
    if (!vln_stat_all_finite(rows->probabilities, rows->n * rows->classes)) {
        return VLN_STAT_NOT_FINITE;
    }
    bool *occurs = vln_calloc(rows->classes, sizeof *occurs);
    size_t count = 0;
    for (size_t i = 0; i < rows->n; i++) {
        count += !occurs[rows->truth[i]];
        occurs[rows->truth[i]] = true;
    }
    free(occurs);
    return rows->classes > 1 && count == rows->classes ? VLN_STAT_OK : VLN_STAT_ONE_CLASS;
}

void
vln_classes_auc(const int32_t *truth, const double *probabilities, size_t n, size_t classes,
                vln_class_auc_t *out)
{
    const rows_t rows = {truth, probabilities, n, classes};
    vln_stat_why_t obstacle = find_obstacle(&rows);
    if (obstacle != VLN_STAT_OK) {
        vln_stat_t none = vln_stat_none(obstacle);
        *out = (vln_class_auc_t){none, none, none, none, none};
        return;
    }
    side_t side = {.truth = vln_calloc(n, 1), .scores = vln_calloc(n, sizeof(double))};
    find_against_the_rest(&rows, &side, out);
    find_pairs(&rows, &side, out);
    free(side.truth);
    free(side.scores);
}

vln_stat_t
vln_classes_brier(const int32_t *truth, const double *probabilities, size_t n, size_t classes)
{
    if (n == 0 || !vln_stat_all_finite(probabilities, n * classes)) {
        return vln_stat_none(n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
    }
    vln_sum_t sum = {0};
    for (size_t i = 0; i < n; i++) {
        for (size_t at = 0; at < classes; at++) {
            double off = probabilities[i * classes + at] - ((size_t)truth[i] == at ? 1 : 0);
            vln_sum_add(&sum, off * off);
        }
    }
    return vln_stat_of(vln_sum_total(&sum) / (double)n);
}

/* ---- calibration ---- */

static size_t
bin_of(double probability)
{
    double at = floor(probability * (double)VLN_CALIBRATION_BINS);
    return at < 0 ? 0 : at >= (double)VLN_CALIBRATION_BINS ? VLN_CALIBRATION_BINS - 1 : (size_t)at;
}

static void
find_errors(size_t n, vln_calibration_t *out)
{
    vln_sum_t sum = {0};
    double worst = 0;
    for (size_t i = 0; i < VLN_CALIBRATION_BINS; i++) {
        double off = fabs(out->said[i] - out->was[i]);
        vln_sum_add(&sum, off * (double)out->rows[i]);
        worst = fmax(worst, off);
    }
    out->ece = vln_stat_of(vln_sum_total(&sum) / (double)n);
    out->worst = vln_stat_of(worst);
}

void
vln_classes_calibration(const double *probabilities, const uint8_t *hits, size_t n,
                        vln_calibration_t *out)
{
    *out = (vln_calibration_t){0};
    if (n == 0 || !vln_stat_all_finite(probabilities, n)) {
        out->ece = out->worst = vln_stat_none(n == 0 ? VLN_STAT_EMPTY : VLN_STAT_NOT_FINITE);
        return;
    }
    vln_sum_t said[VLN_CALIBRATION_BINS] = {0};
    uint64_t was[VLN_CALIBRATION_BINS] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t bin = bin_of(probabilities[i]);
        vln_sum_add(&said[bin], probabilities[i]);
        was[bin] += hits[i] != 0;
        out->rows[bin]++;
    }
    for (size_t i = 0; i < VLN_CALIBRATION_BINS; i++) {
        double rows = (double)out->rows[i];
        out->said[i] = rows > 0 ? vln_sum_total(&said[i]) / rows : 0;
        out->was[i] = rows > 0 ? (double)was[i] / rows : 0;
    }
    find_errors(n, out);
}
