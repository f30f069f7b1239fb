#include "trainer_scaler.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "vln_mem.h"
#include "vln_quantile.h"
#include "vln_stat.h"

/* ---- fitting ---- */

static double
mean_of(const vln_sample_t *values)
{
    vln_sum_t sum = {0};
    for (size_t i = 0; i < values->n; i++) {
        vln_sum_add(&sum, values->sorted[i]);
    }
    return vln_sum_total(&sum) / (double)values->n;
}

/* ddof 0 */
static double
deviation_of(const vln_sample_t *values, double mean)
{
    vln_sum_t sum = {0};
    for (size_t i = 0; i < values->n; i++) {
        vln_sum_add(&sum, (values->sorted[i] - mean) * (values->sorted[i] - mean));
    }
    return sqrt(vln_sum_total(&sum) / (double)values->n);
}

static double
most_frequent(const vln_sample_t *values)
{
    double best = values->sorted[0];
    size_t most = 0;
    for (size_t i = 0, run = 0; i < values->n; i++) {
        run = i > 0 && values->sorted[i] == values->sorted[i - 1] ? run + 1 : 1;
        if (run > most) {
            most = run;
            best = values->sorted[i];
        }
    }
    return best;
}

static double
fill_of(const vln_sample_t *values, const Valion__V1__ColumnTransform *transform)
{
    switch (transform->impute) {
    case VALION__V1__IMPUTE__IMPUTE_UNSPECIFIED:
        return NAN;
    case VALION__V1__IMPUTE__IMPUTE_CONSTANT:
        return transform->constant;
    default:
        break;
    }
    if (values->n == 0) {
        return 0;
    }
    switch (transform->impute) {
    case VALION__V1__IMPUTE__IMPUTE_MEDIAN:
        return vln_quantile(values->sorted, values->n, 0.5).value;
    case VALION__V1__IMPUTE__IMPUTE_MOST_FREQUENT:
        return most_frequent(values);
    default:
        return mean_of(values);
    }
}

static void
scale_by(trainer_scaling_t *self, double offset, double width)
{
    self->offset = (float)offset;
    self->scale = width > 0 && isfinite((float)(1 / width)) ? (float)(1 / width) : 1.0F;
}

trainer_scaling_t
trainer_scaling_fit(const char *column, const vln_sample_t *values,
                    const Valion__V1__ColumnTransform *transform)
{
    trainer_scaling_t self = {
        .column = column, .fill = (float)fill_of(values, transform), .scale = 1};
    if (values->n == 0) {
        return self;
    }
    vln_fences_t fences = vln_fences(values->sorted, values->n);
    switch (transform->scale) {
    case VALION__V1__SCALE__SCALE_STANDARD: {
        double mean = mean_of(values);
        scale_by(&self, mean, deviation_of(values, mean));
        break;
    }
    case VALION__V1__SCALE__SCALE_MIN_MAX:
        scale_by(&self, values->sorted[0], values->sorted[values->n - 1] - values->sorted[0]);
        break;
    case VALION__V1__SCALE__SCALE_ROBUST:
        scale_by(&self, fences.median, fences.q3 - fences.q1);
        break;
    default:
        break;
    }
    return self;
}

/* ---- the nodes ---- */

static bool
is_filled(const trainer_scaling_t *columns, size_t count)
{
    bool filled = false;
    for (size_t i = 0; i < count; i++) {
        filled = filled || !isnan(columns[i].fill);
    }
    return filled;
}

static vln_part_t
floats(const char *name, const trainer_scaling_t *columns, size_t count, size_t offset)
{
    float *values = vln_calloc(count, sizeof *values);
    for (size_t i = 0; i < count; i++) {
        memcpy(&values[i], (const char *)&columns[i] + offset, sizeof *values);
    }
    vln_part_t part = vln_part_floats(name, values, count);
    free(values);
    return part;
}

/* Inputs one by one: a column's name may hold what parts a list. */
static vln_part_t
concat(const trainer_scaling_t *columns, size_t count)
{
    vln_part_t node = {0};
    for (size_t i = 0; i < count; i++) {
        vln_part_text(&node, 1, columns[i].column);
    }
    vln_part_text(&node, 2, "valion/row");
    vln_part_text(&node, 4, "Concat");
    vln_part_message(&node, 5, vln_part_int("axis", 1));
    return node;
}

void
trainer_scaler_add(vln_part_t *graph, const trainer_scaling_t *columns, size_t count,
                   const char *output)
{
    const char *row = "valion/row";
    vln_part_message(graph, 1, concat(columns, count));
    if (is_filled(columns, count)) {
        vln_part_t imputer = vln_part_node("Imputer", "ai.onnx.ml", row, "valion/filled");
        vln_part_message(
            &imputer, 5,
            floats("imputed_value_floats", columns, count, offsetof(trainer_scaling_t, fill)));
        vln_part_message(&imputer, 5, vln_part_number("replaced_value_float", NAN));
        vln_part_message(graph, 1, imputer);
        row = "valion/filled";
    }
    vln_part_t scaler = vln_part_node("Scaler", "ai.onnx.ml", row, output);
    vln_part_message(&scaler, 5,
                     floats("offset", columns, count, offsetof(trainer_scaling_t, offset)));
    vln_part_message(&scaler, 5,
                     floats("scale", columns, count, offsetof(trainer_scaling_t, scale)));
    vln_part_message(graph, 1, scaler);
}
