/*
 * report_plot - a plot of a report's appendix as SVG within an HTML page.
 *
 *   line    y over x; "roc", "calibration" and "predicted_vs_actual" with the diagonal beside them
 *   bars    by labels, or between the edges in x; y has one or two series of as many values
 *   matrix  rows and columns by labels, y row by row; what was true is a row
 *
 * Colours are the page's. A plot that makes no sense is left out. Pure.
 */
#ifndef REPORT_PLOT_H
#define REPORT_PLOT_H

#include <stdbool.h>
#include <stdio.h>
#include <valion/v1/evidence.pb-c.h>

/* False, and nothing written, if it cannot be drawn. */
bool report_plot_svg(const Valion__V1__Plot *plot, FILE *out);

#endif
