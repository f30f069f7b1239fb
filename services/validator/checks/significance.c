#include "significance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_dist.h"
#include "vln_draw.h"
#include "vln_normal.h"
#include "vln_quantile.h"
#include "vln_sample.h"

#include "check_say.h"

enum { RESAMPLES = 2000, RESAMPLES_MIN = 100, ROWS_MIN = 10, SCRATCH = 16 << 20 };

/* Rows drawn in all; of very many rows there are fewer resamples, as few of them do. */
#define DRAWS_MAX 2e8
#define POWER     0.8
#define CLIP      1e-15

typedef struct pair {
    const check_context_t *context;
    const check_predictions_t *own;
    const check_predictions_t *other;
    const char *metric;
    significance_t *out;
} pair_t;

static void
give_up(pair_t *self, const char *why)
{
    self->out->why = check_text(self->context, CHECK_NOTE_MAX, "%s", why);
}

/* ---- by an estimate that is nearly normal ---- */

/* What n rows show in four of five cases at a two-sided alpha. */
static double
detectable(double error, double alpha)
{
    return error * (vln_normal_quantile(1 - alpha / 2) + vln_normal_quantile(POWER));
}

/* ---- paired bootstrap ---- */

/* The rows of one side that were drawn. */
typedef struct resample {
    double *values;
    int32_t *codes;
    int32_t *labels;
    float *answers;
} resample_t;

static resample_t
resample_new(const check_predictions_t *from)
{
    size_t n = from->result.rows;
    return (resample_t){.values = vln_calloc(n, sizeof(double)),
                        .codes = vln_calloc(n, sizeof(int32_t)),
                        .labels = vln_calloc(n, sizeof(int32_t)),
                        .answers = vln_calloc(n * from->result.width + 1, sizeof(float))};
}

static void
resample_end(resample_t *self)
{
    free(self->values);
    free(self->codes);
    free(self->labels);
    free(self->answers);
}

static void
fill(resample_t *self, const check_predictions_t *from, const uint32_t *rows)
{
    size_t width = from->result.width;
    for (size_t i = 0; i < from->result.rows; i++) {
        size_t row = rows[i];
        if (from->truth.values) {
            self->values[i] = from->truth.values[row];
        }
        if (from->truth.codes) {
            self->codes[i] = from->truth.codes[row];
        }
        if (from->result.labels) {
            self->labels[i] = from->result.labels[row];
        }
        memcpy(self->answers + i * width, from->result.values + row * width, width * sizeof(float));
    }
}

static double
score(const resample_t *self, const check_predictions_t *from, const char *metric,
      vln_arena_t *arena)
{
    const char *const names[] = {metric};
    vln_truth_t truth = from->truth;
    vln_sandbox_result_t result = {.rows = from->result.rows,
                                   .width = from->result.width,
                                   .values = self->answers,
                                   .labels = from->result.labels ? self->labels : NULL};
    truth.values = from->truth.values ? self->values : NULL;
    truth.codes = from->truth.codes ? self->codes : NULL;
    vln_scores_t scores = vln_scores_make_named(&truth, &result, names, 1, arena);
    return vln_scores_get(&scores, metric, NAN);
}

/* Each difference that is defined; how many. */
static size_t
draw_differences(const pair_t *self, size_t resamples, double *differences)
{
    size_t n = self->own->result.rows;
    vln_draw_t random = vln_draw_of(self->context->seed, n);
    vln_arena_t *scratch = vln_arena_new(SCRATCH);
    resample_t own = resample_new(self->own);
    resample_t other = resample_new(self->other);
    uint32_t *rows = vln_calloc(n, sizeof *rows);
    size_t count = 0;
    for (size_t i = 0; i < resamples; i++) {
        for (size_t row = 0; row < n; row++) {
            rows[row] = vln_draw_below(&random, (uint32_t)n);
        }
        fill(&own, self->own, rows);
        fill(&other, self->other, rows);
        double difference = score(&own, self->own, self->metric, scratch) -
                            score(&other, self->other, self->metric, scratch);
        differences[count] = difference;
        count += isfinite(difference) ? 1 : 0;
        vln_arena_reset(scratch);
    }
    free(rows);
    resample_end(&own);
    resample_end(&other);
    vln_arena_destroy(&scratch);
    return count;
}

static void
conclude_bootstrap(pair_t *self, double *differences, size_t count)
{
    significance_t *out = self->out;
    vln_sort(differences, count);
    double above = (double)(count - vln_count_to(differences, count, 0));
    double below = (double)vln_count_below(differences, count, 0);
    double fewer = fmin((double)count - above, (double)count - below);
    out->low = vln_quantile(differences, count, out->alpha / 2).value;
    out->high = vln_quantile(differences, count, 1 - out->alpha / 2).value;
    out->p = fmin(1, 2 * (fewer + 1) / ((double)count + 1));
    out->detectable = detectable(vln_std(differences, count, 1).value, out->alpha);
}

static void
bootstrap(pair_t *self, size_t asked)
{
    size_t n = self->own->result.rows;
    size_t most = (size_t)(DRAWS_MAX / (double)n);
    size_t resamples = asked > most ? most : asked;
    resamples = resamples < RESAMPLES_MIN ? RESAMPLES_MIN : resamples;
    double *differences = vln_calloc(resamples + 1, sizeof *differences);
    size_t count = draw_differences(self, resamples, differences);
    self->out->method = "paired bootstrap";
    self->out->resamples = resamples;
    if (10 * count < 9 * resamples) {
        give_up(self, "the metric is not defined for most samples of these rows");
    } else {
        conclude_bootstrap(self, differences, count);
    }
    free(differences);
}

/* ---- Student's t of pairs ---- */

typedef double loss_fn(const check_predictions_t *from, size_t row, const int32_t *said);

static double
error_of(const check_predictions_t *from, size_t row, const int32_t *said)
{
    (void)said;
    return fabs(from->truth.values[row] - (double)from->result.values[row]);
}

static double
square_of(const check_predictions_t *from, size_t row, const int32_t *said)
{
    double error = error_of(from, row, said);
    return error * error;
}

static double
share_of(const check_predictions_t *from, size_t row, const int32_t *said)
{
    return error_of(from, row, said) / fmax(fabs(from->truth.values[row]), 0x1p-52);
}

static double
hit_of(const check_predictions_t *from, size_t row, const int32_t *said)
{
    return said[row] == from->truth.codes[row];
}

static double
probability_of(const check_predictions_t *from, size_t row, size_t class)
{
    const vln_sandbox_result_t *result = &from->result;
    if (result->width == 1) {
        double second = (double)result->values[row];
        return class == 1 ? second : 1 - second;
    }
    return (double)result->values[row * result->width + class];
}

static double
log_of(const check_predictions_t *from, size_t row, const int32_t *said)
{
    (void)said;
    double was = probability_of(from, row, (size_t)from->truth.codes[row]);
    return -log(fmin(1 - CLIP, fmax(CLIP, was)));
}

/* Of two classes, of the second alone. */
static double
brier_of(const check_predictions_t *from, size_t row, const int32_t *said)
{
    (void)said;
    double sum = 0;
    bool two = from->result.width == 1;
    for (size_t i = two ? 1 : 0; i < (two ? 2 : from->result.width); i++) {
        double off = probability_of(from, row, i) - ((size_t)from->truth.codes[row] == i ? 1 : 0);
        sum += off * off;
    }
    return sum;
}

static loss_fn *
find_loss(const char *metric, const check_predictions_t *from)
{
    static const struct {
        const char *metric;
        bool classes;
        loss_fn *loss;
    } losses[] = {{"mae", false, error_of},   {"mse", false, square_of},
                  {"mape", false, share_of},  {"accuracy", true, hit_of},
                  {"log_loss", true, log_of}, {"brier", true, brier_of}};
    for (size_t i = 0; i < VLN_COUNT(losses); i++) {
        if (strcmp(losses[i].metric, metric) == 0 &&
            losses[i].classes == (from->truth.codes != NULL)) {
            return losses[i].loss;
        }
    }
    return NULL;
}

static int32_t *
classes_of(const check_predictions_t *from)
{
    int32_t *said = vln_calloc(from->result.rows + 1, sizeof *said);
    if (from->truth.codes) {
        vln_scores_classes(&from->truth, &from->result, said);
    }
    return said;
}

static void
conclude_t(pair_t *self, const double *differences, size_t n)
{
    significance_t *out = self->out;
    double mean = vln_mean(differences, n).value;
    double error = vln_std(differences, n, 1).value / sqrt((double)n);
    double dof = (double)n - 1;
    double reach = error * vln_student_quantile(1 - out->alpha / 2, dof);
    out->low = mean - reach;
    out->high = mean + reach;
    out->p = error > 0 ? vln_student_two_sided(mean / error, dof) : mean == 0 ? 1 : 0;
    out->detectable = detectable(error, out->alpha);
}

static void
paired_t(pair_t *self)
{
    size_t n = self->own->result.rows;
    loss_fn *loss = find_loss(self->metric, self->own);
    self->out->method = "Student's t for pairs";
    if (!loss) {
        give_up(self, "Student's t for pairs is of metrics that are a mean over the rows: mae, mse "
                      "and mape; accuracy, log_loss and brier");
        return;
    }
    int32_t *said = classes_of(self->own);
    int32_t *others = classes_of(self->other);
    double *differences = vln_calloc(n, sizeof *differences);
    for (size_t i = 0; i < n; i++) {
        differences[i] = loss(self->own, i, said) - loss(self->other, i, others);
    }
    if (vln_stat_all_finite(differences, n)) {
        conclude_t(self, differences, n);
    } else {
        give_up(self, "a row's difference is not finite");
    }
    free(said);
    free(others);
    free(differences);
}

/* ---- McNemar ---- */

/* Both tails of a fair coin: `fewer` of `all`. */
static double
binomial_p(uint64_t fewer, uint64_t all)
{
    return all == 0 ? 1 : fmin(1, 2 * vln_beta_inc((double)(all - fewer), (double)fewer + 1, 0.5));
}

static void
mcnemar(pair_t *self)
{
    significance_t *out = self->out;
    out->method = "McNemar's test";
    if (!self->own->truth.codes || strcmp(self->metric, "accuracy") != 0) {
        give_up(self, "McNemar's test is of the accuracy");
        return;
    }
    double n = (double)self->own->result.rows;
    int32_t *said = classes_of(self->own);
    int32_t *others = classes_of(self->other);
    uint64_t won = 0;
    uint64_t lost = 0;
    for (size_t i = 0; i < self->own->result.rows; i++) {
        bool right = said[i] == self->own->truth.codes[i];
        bool other = others[i] == self->own->truth.codes[i];
        won += right && !other;
        lost += other && !right;
    }
    free(said);
    free(others);
    double mean = ((double)won - (double)lost) / n;
    double error = sqrt(fmax(0, (double)(won + lost) / n - mean * mean) / n);
    double reach = error * vln_normal_quantile(1 - out->alpha / 2);
    out->low = mean - reach;
    out->high = mean + reach;
    out->p = binomial_p(won < lost ? won : lost, won + lost);
    out->detectable = detectable(error, out->alpha);
}

/* ---- what is asked ---- */

significance_t
significance_of(const check_context_t *context, const check_baseline_t *baseline,
                const char *metric, const Valion__V1__Significance *asked)
{
    significance_t out = {.alpha = asked->has_alpha ? asked->alpha : 0.05,
                          .margin = asked->non_inferiority_margin,
                          .rows = baseline->candidate.result.rows,
                          .method = "nothing"};
    pair_t pair = {.context = context,
                   .own = &baseline->candidate,
                   .other = &baseline->other,
                   .metric = metric,
                   .out = &out};
    out.difference = vln_scores_get(&baseline->candidate.scores, metric, NAN) -
                     vln_scores_get(&baseline->other.scores, metric, NAN);
    if (out.rows < ROWS_MIN || out.rows > UINT32_MAX) {
        give_up(&pair, "there are too few rows");
    } else if (!isfinite(out.difference)) {
        give_up(&pair, "a side has no such metric");
    } else if (asked->method == VALION__V1__SIGNIFICANCE_METHOD__SIGNIFICANCE_METHOD_PAIRED_T) {
        paired_t(&pair);
    } else if (asked->method == VALION__V1__SIGNIFICANCE_METHOD__SIGNIFICANCE_METHOD_MCNEMAR) {
        mcnemar(&pair);
    } else {
        bootstrap(&pair, asked->has_resamples ? asked->resamples : RESAMPLES);
    }
    return out;
}

bool
significance_holds(const significance_t *self, bool greater_is_better)
{
    double worst = greater_is_better ? self->low : -self->high;
    bool beyond_chance = self->margin > 0 || self->p < self->alpha;
    return !self->why && worst > -self->margin && beyond_chance;
}
