/*
 * significance - is a metric's difference between two versions on the same rows more than chance?
 *
 * Pure: what is drawn follows from the seed. Any thread.
 */
#ifndef SIGNIFICANCE_H
#define SIGNIFICANCE_H

#include "check.h"

typedef struct significance {
    const char *why;   /* NULL, or why there is no answer; in the arena */
    double difference; /* candidate - baseline */
    double low;        /* its interval at 1 - alpha */
    double high;
    double p;          /* two-sided, of no difference */
    double detectable; /* the least difference that this many rows show in four of five cases */
    double alpha;
    double margin;
    size_t rows;
    size_t resamples; /* 0: nothing was drawn */
    const char *method;
} significance_t;

/*
 * The paired bootstrap (percentiles) takes any metric; Student's t for pairs those that are a mean
 * over the rows: mae, mse, mape, accuracy, log_loss, brier; McNemar's test the accuracy.
 */
significance_t significance_of(const check_context_t *context, const check_baseline_t *baseline,
                               const char *metric, const Valion__V1__Significance *asked);

/* The candidate is better, or not worse by the margin: the interval lies above it. */
bool significance_holds(const significance_t *self, bool greater_is_better);

#endif
