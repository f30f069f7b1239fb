/*
 * golden_table - the statistics on made-up numbers, each beside what scipy 1.10.1, scikit-learn 1.2.1
 * and numpy 1.24.2 say of the same numbers. Ends with 1 if one is off by more than its tolerance.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "vln_dist.h"
#include "vln_drift.h"
#include "vln_err.h"
#include "vln_fold.h"
#include "vln_kolmogorov.h"
#include "vln_mem.h"
#include "vln_metric.h"
#include "vln_normal.h"
#include "vln_quantile.h"
#include "vln_residuals.h"

#define EXACT  1e-9
#define SINGLE 1e-4 /* p of a statistic that scipy computes in single precision */

static int rows;
static int failed;

static void
show(const char *name, double value, double golden, double tolerance)
{
    double off = fabs(value - golden) / (golden != 0 ? fabs(golden) : 1);
    bool met = off <= tolerance;
    printf("%-44s %24.17g %24.17g %9.2g %9.2g  %s\n", name, value, golden, off, tolerance,
           met ? "met" : "MISSED");
    rows++;
    failed += !met;
}

/* n values, each the sum of three uniform ones. */
static double *
numbers(uint32_t seed, size_t n, double factor, double shift)
{
    double *values = vln_calloc(n, sizeof *values);
    uint32_t state = seed;
    for (size_t i = 0; i < n; i++) {
        double sum = 0;
        for (int k = 0; k < 3; k++) {
            state = (1103515245U * state + 12345U) & 0x7fffffffU;
            sum += state / 2147483648.0;
        }
        values[i] = factor * sum + shift;
    }
    return values;
}

static vln_sample_t
sample(uint32_t seed, size_t n, double shift)
{
    double *values = numbers(seed, n, 1, shift);
    vln_sample_t self = vln_sample_make(values, n);
    free(values);
    return self;
}

/* ---- parts ---- */

static void
show_ks(void)
{
    static const struct {
        const char *name;
        uint32_t seeds[2];
        size_t n[2];
        double shift;
        double golden[3]; /* statistic, p, asymptotic p */
    } pairs[] = {
        {"A B", {1, 2}, {50, 50}, 0.3, {0.2, 0.27191356015222479, 0.23632065644537592}},
        {"C D",
         {3, 4},
         {50, 37},
         0.2,
         {0.19297297297297297, 0.34670423557647723, 0.36715525434679996}},
        {"E F",
         {5, 6},
         {12000, 9000},
         0.02,
         {0.012611111111111128, 0.38352132388307181, 0.38352132388307181}},
        {"G H",
         {7, 8},
         {1000, 800},
         0.15,
         {0.11475, 1.5025230768427489e-05, 1.5036824587564233e-05}},
    };
    char name[64];
    for (size_t i = 0; i < VLN_COUNT(pairs); i++) {
        vln_sample_t then = sample(pairs[i].seeds[0], pairs[i].n[0], 0);
        vln_sample_t now = sample(pairs[i].seeds[1], pairs[i].n[1], pairs[i].shift);
        vln_drift_t found = vln_drift_ks(&then, &now, VLN_KS_AUTO, 0);
        snprintf(name, sizeof name, "KS %s", pairs[i].name);
        show(name, found.statistic, pairs[i].golden[0], EXACT);
        snprintf(name, sizeof name, "KS %s, p", pairs[i].name);
        show(name, found.p, pairs[i].golden[1], EXACT);
        snprintf(name, sizeof name, "KS %s, asymptotic p", pairs[i].name);
        show(name, vln_drift_ks(&then, &now, VLN_KS_ASYMPTOTIC, 0).p, pairs[i].golden[2], EXACT);
        vln_sample_end(&then);
        vln_sample_end(&now);
    }
    show("kolmogorov (0.1, 100)", vln_kolmogorov_sf(100, 0.1), 0.25269275700638738, EXACT);
    show("kolmogorov (0.05, 500)", vln_kolmogorov_sf(500, 0.05), 0.15866260223815365, 3e-5);
    show("kolmogorov (0.02, 5143)", vln_kolmogorov_sf(5143, 0.02), 0.032232510852154839, 3e-5);
}

static void
show_ties(void)
{
    static const double few_a[] = {1, 1, 2, 2, 2, 3, 4, 5, 5, 5};
    static const double few_b[] = {1, 2, 3, 3, 3, 4, 4, 5, 6, 6};
    static const double golden[] = {2, 2.5, 4.75};
    vln_sample_t a = vln_sample_make(few_a, 10);
    vln_sample_t b = vln_sample_make(few_b, 10);
    vln_drift_t found = vln_drift_ks(&a, &b, VLN_KS_AUTO, 0);
    show("KS of ties", found.statistic, 0.3, EXACT);
    show("KS of ties, p", found.p, 0.78692978847777606, EXACT);
    for (int i = 0; i < 3; i++) {
        show("quantile", vln_quantile(a.sorted, a.n, 0.25 * (i + 1)).value, golden[i], EXACT);
    }
    vln_sample_end(&a);
    vln_sample_end(&b);
}

static void
show_distances(void)
{
    vln_sample_t g = sample(7, 1000, 0);
    vln_sample_t h = sample(8, 800, 0.15);
    vln_bins_t bins = vln_bins_sturges(&g, &h);
    uint64_t then[VLN_BINS_MAX] = {0};
    uint64_t now[VLN_BINS_MAX] = {0};
    vln_bins_count(&bins, &g, then);
    vln_bins_count(&bins, &h, now);
    vln_drift_t psi = vln_drift_psi(&g, &h, VLN_PSI_QUANTILE, 0);
    show("PSI equal width", vln_drift_psi(&g, &h, VLN_PSI_EQUAL_WIDTH, 0).statistic,
         0.087744641777171645, EXACT);
    show("PSI quantile", psi.statistic, 0.083620109797601677, EXACT);
    show("PSI Evidently", vln_drift_psi(&g, &h, VLN_PSI_EVIDENTLY, 0).statistic,
         0.093946088542253378, EXACT);
    show("PSI critical value", psi.critical, 0.038067699610396015, EXACT);
    show("chi-square quantile .95, 9", vln_chi2_quantile(0.95, 9), 16.918977604620448, EXACT);
    show("Jensen-Shannon natural", vln_drift_jensen_shannon(then, now, bins.count, M_E).statistic,
         0.1065655927663501, EXACT);
    show("Jensen-Shannon base 2", vln_drift_jensen_shannon(then, now, bins.count, 2).statistic,
         0.1279983214772743, EXACT);
    show("Wasserstein", vln_drift_wasserstein(&g, &h).statistic, 0.13775028087580568, EXACT);
    show("Wasserstein normalised", vln_drift_wasserstein_normalised(&g, &h).statistic,
         0.28517836997078055, EXACT);
    vln_sample_end(&g);
    vln_sample_end(&h);
}

static void
show_counts(void)
{
    static const uint64_t then[] = {500, 300, 200};
    static const uint64_t now[] = {120, 90, 40};
    vln_drift_t fit = vln_drift_chi_square_fit(then, now, 3);
    vln_drift_t table = vln_drift_contingency(then, now, 3, 1);
    vln_drift_t z =
        vln_drift_proportions((vln_proportion_t){300, 1000}, (vln_proportion_t){90, 250});
    show("chi-square of fit", fit.statistic, 5.2, EXACT);
    show("chi-square of fit, p", fit.p, 0.074273578214333863, EXACT);
    show("chi-square of the table", table.statistic, 4.1356492969396195, EXACT);
    show("chi-square of the table, p", table.p, 0.12646057892026513, EXACT);
    show("Cramer's V", vln_drift_cramers_v(&table).value, 0.057519730854305076, EXACT);
    show("Cramer's V, corrected", vln_drift_cramers_v_corrected(&table).value, 0.041335292332693389,
         EXACT);
    show("z of two proportions", z.statistic, -1.8314485893956411, EXACT);
    show("z of two proportions, p", z.p, 0.067033614540973785, EXACT);
}

static void
show_regression(void)
{
    enum { N = 200 };
    double *target = numbers(9, N, 100, 0);
    double *predicted = numbers(10, N, 5, 0);
    double *sizes = vln_calloc(N, sizeof *sizes);
    vln_regression_t found;
    vln_residuals_t residuals;
    for (size_t i = 0; i < N; i++) {
        predicted[i] += 0.95 * target[i];
        sizes[i] = fabs(target[i] - predicted[i]);
    }
    vln_metric_regression(target, predicted, N, &found);
    vln_residuals(target, predicted, N, &residuals);
    show("R2", found.r2.value, 0.99498487206281405, EXACT);
    show("MAE", found.mae.value, 2.8420850301859901, EXACT);
    show("RMSE", found.rmse.value, 3.5027051215184799, EXACT);
    show("mean residual", found.mean_residual.value, -0.11943720476701855, EXACT);
    show("residuals' standard deviation", found.residual_std.value, 3.5006682108462139, EXACT);
    show("bias", found.bias.value, 0.03411840185167022, EXACT);
    show("correlation with |residual|", vln_pearson(predicted, sizes, N).value,
         0.026106037929639416, EXACT);
    show("Shapiro-Wilk of residuals, p", residuals.shapiro_p.value, 0.96070820093154907, SINGLE);
    free(target);
    free(predicted);
    free(sizes);
}

static void
show_rest(void)
{
    static const double scores[] = {.8, .82, .79, .85, .7};
    static const double starts[] = {0, 5, 10, 15, 19};
    double *values = numbers(11, 20, 1, 0);
    vln_shapiro_t shapiro = vln_shapiro(values, 20);
    vln_sample_t a = sample(1, 50, 0);
    vln_sample_t b = sample(2, 50, 0.3);
    vln_drift_t u = vln_drift_mann_whitney(&a, &b);
    show("Shapiro-Wilk W, 20 values", shapiro.w.value, 0.979182363, 1e-6);
    show("Shapiro-Wilk p, 20 values", shapiro.p, 0.923108995, 1e-5);
    show("Mann-Whitney U", u.statistic, 950, EXACT);
    show("Mann-Whitney p", u.p, 0.0389514842806052, EXACT);
    show("standard deviation", vln_std(scores, 5, 0).value, 0.050358713248056693, EXACT);
    show("coefficient of variation", vln_variation(scores, 5).value, 0.063584233899061482, EXACT);
    for (size_t i = 0; i < 5; i++) {
        show("fold's first row", (double)vln_fold(23, 5, i).start, starts[i], 0);
    }
    free(values);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

int
main(void)
{
    printf("%-44s %24s %24s %9s %9s\n", "name", "value", "golden", "error", "at most");
    show_ks();
    show_ties();
    show_distances();
    show_counts();
    show_regression();
    show_rest();
    printf("%d of %d are met\n", rows - failed, rows);
    return failed > 0 ? 1 : 0;
}
