/*
 * What becomes of the sums of a row's leaves: probabilities, labels, a target's own scale. Written
 * after what the two libraries do, in their order and their precision; exp and log are the C
 * library's, which is the one that they call.
 */
#include <math.h>

#include "vln_native_inside.h"

/* ---- XGBoost ---- */

static float
sigmoid(float x)
{
    const float least = 1e-16f;            /* so that nothing is divided by 0 */
    float power = 88.7f < -x ? 88.7f : -x; /* exp() of more is infinite */
    return 1.0f / (expf(power) + 1.0f + least);
}

static float
transform_one(vln_transform_t transform, float x)
{
    switch (transform) {
    case VLN_TRANSFORM_LOGISTIC:
        return sigmoid(x);
    case VLN_TRANSFORM_EXP:
        return expf(x);
    case VLN_TRANSFORM_HINGE:
        return x > 0 ? 1.0f : 0.0f;
    default:
        return x;
    }
}

/* Sums of exp() are taken in double there, and narrowed once. */
static void
xgboost_softmax(float *row, size_t stride, size_t count)
{
    float greatest = row[0];
    double sum = 0;
    for (size_t i = 1; i < count; i++) {
        greatest = fmaxf(row[i * stride], greatest);
    }
    for (size_t i = 0; i < count; i++) {
        row[i * stride] = expf(row[i * stride] - greatest);
        sum += (double)row[i * stride];
    }
    for (size_t i = 0; i < count; i++) {
        row[i * stride] /= (float)sum;
    }
}

static size_t
greatest_of(const float *row, size_t stride, size_t count)
{
    size_t best = 0;
    for (size_t i = 1; i < count; i++) {
        best = row[i * stride] > row[best * stride] ? i : best;
    }
    return best;
}

static void
finish_xgboost(const vln_native_t *self, const float *sums, float *out)
{
    size_t groups = self->forest.groups;
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        if (self->transform == VLN_TRANSFORM_CLASS) {
            out[lane] = (float)greatest_of(sums + lane, VLN_LANES, groups);
            continue;
        }
        for (size_t i = 0; i < groups; i++) {
            out[i * VLN_LANES + lane] = transform_one(self->transform, sums[i * VLN_LANES + lane]);
        }
        if (self->transform == VLN_TRANSFORM_SOFTMAX) {
            xgboost_softmax(out + lane, VLN_LANES, groups);
        }
    }
}

/* ---- ONNX: regressors ---- */

static void
finish_regressor(const vln_native_t *self, const float *sums, float *out)
{
    size_t groups = self->forest.groups;
    for (size_t i = 0; i < groups; i++) {
        float base = self->base_count == groups ? self->bases[i] : 0;
        for (size_t lane = 0; lane < VLN_LANES; lane++) {
            float mean = sums[i * VLN_LANES + lane] / self->divisor;
            out[i * VLN_LANES + lane] =
                self->base_count == groups || groups == 1 ? mean + base : mean;
        }
    }
}

/* ---- ONNX: classifiers ---- */

static float
logistic(float x)
{
    float value = 1 / (1 + expf(-fabsf(x)));
    return x < 0 ? 1 - value : value;
}

static void
onnx_softmax(float *row, size_t stride, size_t count)
{
    float greatest = -3.40282347e+38f;
    float sum = 0;
    for (size_t i = 0; i < count; i++) {
        greatest = row[i * stride] > greatest ? row[i * stride] : greatest;
    }
    for (size_t i = 0; i < count; i++) {
        row[i * stride] = expf(row[i * stride] - greatest);
        sum += row[i * stride];
    }
    for (size_t i = 0; i < count; i++) {
        row[i * stride] /= sum;
    }
}

/* Two classes, and only the first one's weights are in the file: they speak for the second. */
static int32_t
finish_pair(const vln_native_t *self, float sum, float *out)
{
    float x = self->base_count == 1 ? sum + self->bases[0] : sum;
    if (self->positive) {
        out[0] = 1.0f - x;
        out[VLN_LANES] = x;
        return (double)x > 0.5;
    }
    if (self->transform == VLN_TRANSFORM_LOGISTIC) {
        out[0] = logistic(-x);
        out[VLN_LANES] = logistic(x);
    } else {
        out[0] = -x;
        out[VLN_LANES] = x;
    }
    return x > 0;
}

static int32_t
finish_classes(const vln_native_t *self, const float *sums, float *out)
{
    int32_t best = 0;
    for (size_t i = 0; i < self->classes; i++) {
        float x = sums[i * VLN_LANES];
        out[i * VLN_LANES] = self->base_count > 0 ? x + self->bases[i] : x;
        best = out[i * VLN_LANES] > out[(size_t)best * VLN_LANES] ? (int32_t)i : best;
    }
    if (self->transform == VLN_TRANSFORM_SOFTMAX) {
        onnx_softmax(out, VLN_LANES, self->classes);
    }
    for (size_t i = 0; self->transform == VLN_TRANSFORM_LOGISTIC && i < self->classes; i++) {
        out[i * VLN_LANES] = logistic(out[i * VLN_LANES]);
    }
    return best;
}

static void
finish_classifier(const vln_native_t *self, const float *sums, float *out, int32_t *labels)
{
    for (size_t lane = 0; lane < VLN_LANES; lane++) {
        labels[lane] = self->classes == 2 ? finish_pair(self, sums[lane], out + lane)
                                          : finish_classes(self, sums + lane, out + lane);
    }
}

/* ---- */

void
vln_native_finish(const vln_native_t *self, const vln_step_t *step, vln_native_room_t *room)
{
    float *out = room->columns + (size_t)step->to * VLN_LANES;
    switch (self->finish) {
    case VLN_FINISH_XGBOOST:
        finish_xgboost(self, room->sums, out);
        return;
    case VLN_FINISH_REGRESSOR:
        finish_regressor(self, room->sums, out);
        return;
    case VLN_FINISH_CLASSIFIER:
        finish_classifier(self, room->sums, out, room->labels);
        return;
    }
}
