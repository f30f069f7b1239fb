/*
 * plots - what a report can be drawn from: the points of its curves and bars, for the appendix.
 *
 * Pure: what it makes lies in the arena. Any thread.
 */
#ifndef PLOTS_H
#define PLOTS_H

#include "check.h"

enum { PLOTS_MAX = 64 };

typedef struct plots {
    Valion__V1__Plot *list[PLOTS_MAX];
    size_t count;
} plots_t;

/*
 * Of a regression: "residuals" (bars; x: the edges, y: rows between two of them) and
 * "predicted_vs_actual" (line; x: mean prediction, y: mean target of rows with a like prediction).
 *
 * Of classes: "confusion" (matrix; labels: the classes, y: rows, a line for each true class),
 * "calibration" (line; x: what was said, y: how often it was so), "roc" of two classes and "roc:NAME"
 * of up to ten (line; x: false positive rate, y: true positive rate).
 *
 * Of each column that has drifted, up to 32: "column:NAME" (bars). Numbers: labels "reference" and
 * "current", x: the edges. Texts: labels are the texts. y: the reference's shares, then the current
 * ones.
 */
void plots_make(const check_context_t *context, const Valion__V1__Signature *signature,
                const Valion__V1__Report *report, plots_t *out);

#endif
