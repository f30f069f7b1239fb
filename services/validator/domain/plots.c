#include "plots.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_classes.h"
#include "vln_sample.h"

#include "counts.h"

enum {
    BARS = 20,
    POINTS = 20,
    CURVE_MAX = 200,
    CURVES_MAX = 10,
    CLASSES_MAX = 64,
    COLUMNS_MAX = 32,
    TEXTS_MAX = 12,
};

typedef struct drawing {
    const check_context_t *context;
    const Valion__V1__Signature *signature;
    plots_t *out;
} drawing_t;

static char *
keep(const drawing_t *self, const char *text)
{
    return vln_arena_strdup(self->context->arena, text);
}

/* With room for `x` and `y` numbers and `labels`; NULL: there are plots enough. */
static Valion__V1__Plot *
add(drawing_t *self, const char *name, const char *kind, size_t x, size_t y)
{
    if (self->out->count == PLOTS_MAX) {
        return NULL;
    }
    vln_arena_t *arena = self->context->arena;
    Valion__V1__Plot *plot = vln_arena_alloc(arena, sizeof *plot);
    valion__v1__plot__init(plot);
    plot->name = keep(self, name);
    plot->kind = keep(self, kind);
    plot->x = vln_arena_alloc(arena, (x + 1) * sizeof(double));
    plot->y = vln_arena_alloc(arena, (y + 1) * sizeof(double));
    self->out->list[self->out->count++] = plot;
    return plot;
}

static void
set_titles(const drawing_t *self, Valion__V1__Plot *plot, const char *x, const char *y)
{
    plot->x_title = keep(self, x);
    plot->y_title = keep(self, y);
}

static void
add_label(const drawing_t *self, Valion__V1__Plot *plot, size_t room, const char *label)
{
    if (!plot->labels) {
        plot->labels = vln_arena_alloc(self->context->arena, room * sizeof(char *));
    }
    plot->labels[plot->n_labels++] = keep(self, label);
}

/* ---- bars of numbers ---- */

typedef struct scale {
    double low;
    double width;
} scale_t;

static scale_t
scale_of(double low, double high, size_t bars)
{
    double width = high / (double)bars - low / (double)bars;
    return (scale_t){low, width > 0 && isfinite(width) ? width : 1};
}

static size_t
bar_of(const scale_t *self, double value, size_t bars)
{
    double at = floor((value - self->low) / self->width);
    return at > 0 ? (size_t)fmin(at, (double)bars - 1) : 0;
}

static void
set_edges(const scale_t *scale, Valion__V1__Plot *plot)
{
    for (size_t i = 0; i <= BARS; i++) {
        plot->x[plot->n_x++] = scale->low + (double)i * scale->width;
    }
}

/* Shares of the sample's values, behind what is there already. */
static void
add_shares(const scale_t *scale, const vln_sample_t *sample, Valion__V1__Plot *plot)
{
    double *bars = plot->y + plot->n_y;
    for (size_t i = 0; i < sample->n; i++) {
        bars[bar_of(scale, sample->sorted[i], BARS)] += 1 / (double)sample->n;
    }
    plot->n_y += BARS;
}

/* ---- regression ---- */

static void
draw_residuals(drawing_t *self, const double *target, const double *predicted, size_t n)
{
    double low = INFINITY;
    double high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, target[i] - predicted[i]);
        high = fmax(high, target[i] - predicted[i]);
    }
    Valion__V1__Plot *plot =
        isfinite(high - low) ? add(self, "residuals", "bars", BARS + 1, BARS) : NULL;
    if (!plot) {
        return;
    }
    scale_t scale = scale_of(low, high, BARS);
    set_edges(&scale, plot);
    set_titles(self, plot, "target - prediction", "rows");
    plot->n_y = BARS;
    for (size_t i = 0; i < n; i++) {
        plot->y[bar_of(&scale, target[i] - predicted[i], BARS)]++;
    }
}

static void
draw_agreement(drawing_t *self, const double *target, const double *predicted, size_t n)
{
    double low = INFINITY;
    double high = -INFINITY;
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, predicted[i]);
        high = fmax(high, predicted[i]);
    }
    Valion__V1__Plot *plot = add(self, "predicted_vs_actual", "line", POINTS, POINTS);
    if (!plot) {
        return;
    }
    scale_t scale = scale_of(low, high, POINTS);
    vln_sum_t said[POINTS] = {0};
    vln_sum_t was[POINTS] = {0};
    double rows[POINTS] = {0};
    for (size_t i = 0; i < n; i++) {
        size_t bar = bar_of(&scale, predicted[i], POINTS);
        vln_sum_add(&said[bar], predicted[i]);
        vln_sum_add(&was[bar], target[i]);
        rows[bar]++;
    }
    for (size_t i = 0; i < POINTS; i++) {
        if (rows[i] > 0) {
            plot->x[plot->n_x++] = vln_sum_total(&said[i]) / rows[i];
            plot->y[plot->n_y++] = vln_sum_total(&was[i]) / rows[i];
        }
    }
    set_titles(self, plot, "mean prediction", "mean target");
}

static void
draw_regression(drawing_t *self, const check_predictions_t *predictions)
{
    size_t n = predictions->result.rows;
    double *predicted = vln_calloc(n + 1, sizeof *predicted);
    for (size_t i = 0; i < n; i++) {
        predicted[i] = (double)predictions->result.values[i];
    }
    draw_residuals(self, predictions->truth.values, predicted, n);
    draw_agreement(self, predictions->truth.values, predicted, n);
    free(predicted);
}

/* ---- classes ---- */

static const char *
class_name(const drawing_t *self, size_t which)
{
    return self->signature && which < self->signature->n_classes
               ? self->signature->classes[which]
               : vln_arena_printf(self->context->arena, "%zu", which);
}

static void
draw_confusion(drawing_t *self, const check_predictions_t *predictions, const int32_t *said)
{
    size_t classes = predictions->truth.classes;
    Valion__V1__Plot *plot =
        classes <= CLASSES_MAX ? add(self, "confusion", "matrix", 0, classes * classes) : NULL;
    if (!plot) {
        return;
    }
    uint64_t *matrix = vln_calloc(classes * classes, sizeof *matrix);
    vln_classes_count(predictions->truth.codes, said, predictions->result.rows, classes, matrix);
    for (size_t i = 0; i < classes * classes; i++) {
        plot->y[plot->n_y++] = (double)matrix[i];
    }
    for (size_t i = 0; i < classes; i++) {
        add_label(self, plot, classes, class_name(self, i));
    }
    set_titles(self, plot, "said", "true");
    free(matrix);
}

static void
draw_calibration(drawing_t *self, const double *probabilities, const uint8_t *hits, size_t n)
{
    vln_calibration_t found;
    vln_classes_calibration(probabilities, hits, n, &found);
    Valion__V1__Plot *plot =
        add(self, "calibration", "line", VLN_CALIBRATION_BINS, VLN_CALIBRATION_BINS);
    for (size_t i = 0; plot && i < VLN_CALIBRATION_BINS; i++) {
        if (found.rows[i] > 0) {
            plot->x[plot->n_x++] = found.said[i];
            plot->y[plot->n_y++] = found.was[i];
        }
    }
    if (plot) {
        set_titles(self, plot, "probability that was said", "share that was so");
    }
}

typedef struct scored {
    double score;
    bool positive;
} scored_t;

static int
by_score(const void *left, const void *right)
{
    const scored_t *a = left;
    const scored_t *b = right;
    return a->score > b->score ? -1 : a->score < b->score;
}

/* At most CURVE_MAX points, evenly over the rows; equal scores are one step. */
static void
draw_curve(drawing_t *self, const char *name, scored_t *rows, size_t n)
{
    double positives = 0;
    for (size_t i = 0; i < n; i++) {
        positives += rows[i].positive;
    }
    double negatives = (double)n - positives;
    Valion__V1__Plot *plot = positives > 0 && negatives > 0
                                 ? add(self, name, "line", CURVE_MAX + 2, CURVE_MAX + 2)
                                 : NULL;
    if (!plot) {
        return;
    }
    qsort(rows, n, sizeof *rows, by_score);
    double hits = 0;
    plot->n_x = plot->n_y = 1; /* from 0, 0 */
    for (size_t i = 0, next = n / CURVE_MAX; i < n; i++) {
        hits += rows[i].positive;
        bool tied = i + 1 < n && rows[i + 1].score >= rows[i].score;
        if (!tied && (i >= next || i + 1 == n)) {
            plot->x[plot->n_x++] = ((double)(i + 1) - hits) / negatives;
            plot->y[plot->n_y++] = hits / positives;
            next = i + 1 + n / CURVE_MAX;
        }
    }
    set_titles(self, plot, "false positive rate", "true positive rate");
}

/* Of one class, whose probability stands in `column` of the answers. */
static void
draw_roc(drawing_t *self, const check_predictions_t *predictions, const char *name, size_t column,
         int32_t which)
{
    size_t n = predictions->result.rows;
    scored_t *rows = vln_calloc(n + 1, sizeof *rows);
    for (size_t i = 0; i < n; i++) {
        rows[i] =
            (scored_t){(double)predictions->result.values[i * predictions->result.width + column],
                       predictions->truth.codes[i] == which};
    }
    draw_curve(self, name, rows, n);
    free(rows);
}

static void
draw_probabilities(drawing_t *self, const check_predictions_t *predictions, const int32_t *said)
{
    const vln_sandbox_result_t *result = &predictions->result;
    bool two =
        predictions->truth.task == VALION__V1__TASK_TYPE__TASK_TYPE_BINARY && result->width == 1;
    if (!two && result->width != predictions->truth.classes) {
        return;
    }
    double *probabilities = vln_calloc(result->rows + 1, sizeof *probabilities);
    uint8_t *hits = vln_calloc(result->rows + 1, 1);
    for (size_t i = 0; i < result->rows; i++) {
        size_t at = two ? i : i * result->width + (size_t)said[i];
        probabilities[i] = (double)result->values[at];
        hits[i] = predictions->truth.codes[i] == (two ? 1 : said[i]);
    }
    draw_calibration(self, probabilities, hits, result->rows);
    if (two) {
        draw_roc(self, predictions, "roc", 0, 1);
    }
    for (size_t i = 0; !two && i < result->width && i < CURVES_MAX; i++) {
        draw_roc(self, predictions,
                 vln_arena_printf(self->context->arena, "roc:%s", class_name(self, i)), i,
                 (int32_t)i);
    }
    free(probabilities);
    free(hits);
}

static void
draw_classes(drawing_t *self, const check_predictions_t *predictions)
{
    int32_t *said = vln_calloc(predictions->result.rows + 1, sizeof *said);
    vln_scores_classes(&predictions->truth, &predictions->result, said);
    draw_confusion(self, predictions, said);
    draw_probabilities(self, predictions, said);
    free(said);
}

/* ---- columns that have drifted ---- */

static void
draw_numbers(drawing_t *self, const char *name, const vln_column_t *then, const vln_column_t *now)
{
    const check_context_t *context = self->context;
    const vln_sample_t *left =
        samples_hold(context->samples, then, vln_table_rows(context->reference.table));
    const vln_sample_t *right = samples_hold(context->samples, now, vln_table_rows(context->table));
    bool usable = left->n > 0 && right->n > 0 && left->finite && right->finite;
    Valion__V1__Plot *plot = usable ? add(self, name, "bars", BARS + 1, (size_t)2 * BARS) : NULL;
    if (plot) {
        scale_t scale =
            scale_of(fmin(left->sorted[0], right->sorted[0]),
                     fmax(left->sorted[left->n - 1], right->sorted[right->n - 1]), BARS);
        set_edges(&scale, plot);
        add_shares(&scale, left, plot);
        add_shares(&scale, right, plot);
        add_label(self, plot, 2, "reference");
        add_label(self, plot, 2, "current");
        set_titles(self, plot, now->name, "share of the rows");
    }
    samples_release(context->samples, left);
    samples_release(context->samples, right);
}

/* The most frequent of both sides; the others are left out. */
static void
draw_texts(drawing_t *self, const char *name, const vln_column_t *then, const vln_column_t *now)
{
    vln_arena_t *arena = self->context->arena;
    counts_t counts = counts_of_texts(then, vln_table_rows(self->context->reference.table), now,
                                      vln_table_rows(self->context->table), arena);
    size_t words = vln_dict_count(then->words);
    size_t total = words + counts.new_count;
    size_t shown = total < TEXTS_MAX ? total : TEXTS_MAX;
    Valion__V1__Plot *plot = add(self, name, "bars", 0, 2 * shown);
    bool *taken = vln_arena_alloc(arena, total + 1);
    for (size_t i = 0; plot && i < shown; i++) {
        size_t best = total;
        for (size_t at = 0; at < total; at++) {
            bool more = best == total || counts.reference[at] + counts.current[at] >
                                             counts.reference[best] + counts.current[best];
            best = !taken[at] && more ? at : best;
        }
        taken[best] = true;
        add_label(self, plot, shown,
                  best < words ? vln_dict_text(then->words, (int32_t)best, NULL)
                               : counts.new_texts[best - words]);
        plot->y[i] = (double)counts.reference[best] / fmax(1, (double)counts.n_reference);
        plot->y[shown + i] = (double)counts.current[best] / fmax(1, (double)counts.n_current);
    }
    if (plot) {
        plot->n_y = 2 * shown;
        set_titles(self, plot, now->name, "share of the rows");
    }
}

static void
draw_column(drawing_t *self, const char *column)
{
    const vln_table_t *reference = self->context->reference.table;
    const vln_column_t *now = vln_table_find(self->context->table, column);
    const vln_column_t *then = reference ? vln_table_find(reference, column) : NULL;
    if (!now || !then || (now->type == VLN_TYPE_STRING) != (then->type == VLN_TYPE_STRING)) {
        return;
    }
    const char *name = vln_arena_printf(self->context->arena, "column:%s", column);
    for (size_t i = 0; i < self->out->count; i++) {
        if (strcmp(self->out->list[i]->name, name) == 0) {
            return; /* two tests, or two checks */
        }
    }
    (now->type == VLN_TYPE_STRING ? draw_texts : draw_numbers)(self, name, then, now);
}

static void
draw_drift(drawing_t *self, const Valion__V1__CheckResult *check)
{
    size_t drawn = 0;
    for (size_t i = 0; i < check->n_columns && drawn < COLUMNS_MAX; i++) {
        if (check->columns[i]->status == VALION__V1__CHECK_STATUS__CHECK_STATUS_FAIL) {
            draw_column(self, check->columns[i]->column);
            drawn++;
        }
    }
}

void
plots_make(const check_context_t *context, const Valion__V1__Signature *signature,
           const Valion__V1__Report *report, plots_t *out)
{
    const check_predictions_t *predictions = context->predictions;
    drawing_t self = {.context = context, .signature = signature, .out = out};
    out->count = 0;
    if (predictions && predictions->result.rows > 0) {
        if (predictions->truth.codes) {
            draw_classes(&self, predictions);
        } else if (predictions->result.width == 1) {
            draw_regression(&self, predictions);
        }
    }
    for (size_t i = 0; i < report->n_checks; i++) {
        if (strcmp(report->checks[i]->kind, "data_drift") == 0) {
            draw_drift(&self, report->checks[i]);
        }
    }
}
