/*
 * vln_drift - has a column changed? Tests and distances between a reference and what is current.
 *
 * Numbers come as samples (vln_sample: sorted, missing values counted aside), categories as counts
 * in the same order on both sides. Nothing here judges: it says how large, how likely by chance,
 * and from how many rows; which of these is drift is a policy's business. At a million rows a
 * p-value finds what nobody needs to know, so look at the size first.
 *
 * Every result is defined unless it says why not: ALL_MISSING (a side has no values), NOT_FINITE.
 * TOO_FEW and CONSTANT (the reference is one value) come with the value, for the caller to decide.
 */
#ifndef VLN_DRIFT_H
#define VLN_DRIFT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "vln_bins.h"
#include "vln_sample.h"
#include "vln_sketch.h"
#include "vln_stat.h"

typedef struct vln_drift {
    double statistic;
    double p; /* of no drift, where has_p */
    bool has_p;
    bool defined; /* the statistic is */
    bool exact;   /* p is exact, else asymptotic */
    vln_stat_why_t why;
    size_t n_ref; /* values, without missing ones */
    size_t n_cur;
    size_t missing_ref;
    size_t missing_cur;
    size_t dof;      /* of a chi-square, and for PSI of its p-value */
    size_t draws;    /* behind a p of Monte Carlo; 0: none were needed */
    double critical; /* PSI: what it reaches without drift in one of twenty samples of this size */
} vln_drift_t;

/* ---- numbers ---- */

typedef enum vln_ks_method {
    VLN_KS_AUTO, /* exact up to 10000 rows a side, as scipy */
    VLN_KS_EXACT,
    VLN_KS_ASYMPTOTIC, /* vln_kolmogorov_sf of the effective n, scipy's "asymp" */
} vln_ks_method_t;

/*
 * Kolmogorov and Smirnov's two-sample test, two-sided: the largest distance between the two
 * empirical distributions, 0..1. Exact p: Hodges, Ark. Mat. 3 (1958), by counting lattice paths;
 * ties make it conservative. TOO_FEW below min_rows values on a side, with a value.
 */
vln_drift_t vln_drift_ks(const vln_sample_t *reference, const vln_sample_t *current,
                         vln_ks_method_t method, size_t min_rows);

typedef enum vln_psi_rule {
    VLN_PSI_QUANTILE,    /* ten quantile bins of the reference; an empty share counts as 1e-4; a bin
                            more for what is missing where any is: our default */
    VLN_PSI_SMOOTHED,    /* the same bins; shares are (count + 1/2) / (n + bins/2) */
    VLN_PSI_EQUAL_WIDTH, /* ten equal widths of the reference; an empty share counts as 1e-10 */
    VLN_PSI_EVIDENTLY,   /* Sturges' bins of both; 1e-4, or a millionth of the least share */
} vln_psi_rule_t;

enum { VLN_PSI_BINS = 10 };

/* "quantile", "smoothed", "equal_width", "evidently"; false if it is none of them. */
bool vln_psi_rule_parse(const char *name, vln_psi_rule_t *out);

/*
 * Population stability index: the sum of (c - r) ln(c / r) over the bins, 0 and up. Its p-value is
 * Yurdakul's (2018): without drift PSI is nearly (1/n + 1/m) chi-square of bins - 1. TOO_FEW below
 * min_rows on a side, CONSTANT where the reference is one value; both with the value.
 */
vln_drift_t vln_drift_psi(const vln_sample_t *reference, const vln_sample_t *current,
                          vln_psi_rule_t rule, size_t min_rows);

/*
 * Wasserstein's distance of first order, in the column's unit: the area between the two empirical
 * distributions. Normalised: over the reference's standard deviation (ddof 0), at least 0.001. No p.
 */
vln_drift_t vln_drift_wasserstein(const vln_sample_t *reference, const vln_sample_t *current);
vln_drift_t vln_drift_wasserstein_normalised(const vln_sample_t *reference,
                                             const vln_sample_t *current);

/*
 * vln_drift_ks where of the reference a sketch is left. The statistic is within the sketch's error of
 * the rows' own; p is the asymptotic one of the least distance that this allows, and never below the
 * rows' own.
 */
vln_drift_t vln_drift_ks_of_sketch(const vln_sketch_t *reference, const vln_sample_t *current);

/* vln_drift_ks (AUTO, min_rows 0) and vln_drift_wasserstein_normalised by one pass over the values. */
void vln_drift_ks_and_wasserstein(const vln_sample_t *reference, const vln_sample_t *current,
                                  vln_drift_t *ks, vln_drift_t *wasserstein);

/*
 * Mann & Whitney's U of the reference, two-sided. Exact p while a side has at most 8 values, the
 * other at most 500, and no two are equal; else normal, corrected for ties and continuity. CONSTANT with p 1.
 */
vln_drift_t vln_drift_mann_whitney(const vln_sample_t *reference, const vln_sample_t *current);

/* ---- counts: of categories, or of bins ---- */

/* PSI of counts; `rule` says how empty shares are filled. */
vln_drift_t vln_drift_psi_counts(const uint64_t *reference, const uint64_t *current, size_t count,
                                 vln_psi_rule_t rule);

/*
 * Chi-square of the 2 x count table, without continuity correction: are both drawn from the same?
 * Categories that occur on neither side do not count. CONSTANT with 0 and p 1 where only one
 * occurs; SMALL_EXPECTED, with the value, where the approximation is weak.
 */
vln_drift_t vln_drift_chi_square(const uint64_t *reference, const uint64_t *current, size_t count);

/*
 * The same, with a p that holds for small counts: where an expected one is below five, of two
 * categories exactly (both tails, by distance), of more by Monte Carlo given the margins: up to 9999
 * tables of the seed, so that p is never below 1/10000. Of more than VLN_CONTINGENCY_MAX categories
 * the rarest are one then. Never SMALL_EXPECTED.
 */
enum { VLN_CONTINGENCY_MAX = 1024 };
vln_drift_t vln_drift_contingency(const uint64_t *reference, const uint64_t *current, size_t count,
                                  uint64_t seed);

/*
 * Goodness of fit: the current counts against the reference's shares taken as known, which they
 * are not; Evidently's rule. UNSEEN, undefined, where a category has no row in the reference.
 */
vln_drift_t vln_drift_chi_square_fit(const uint64_t *reference, const uint64_t *current,
                                     size_t count);

/* Cramer's V of a vln_drift_chi_square result, 0..1; and with Bergsma's correction (2013). */
vln_stat_t vln_drift_cramers_v(const vln_drift_t *chi_square);
vln_stat_t vln_drift_cramers_v_corrected(const vln_drift_t *chi_square);

/* Jensen & Shannon's distance: the root of the divergence. base 2: 0..1; base M_E: 0..sqrt(ln 2). */
vln_drift_t vln_drift_jensen_shannon(const uint64_t *reference, const uint64_t *current,
                                     size_t count, double base);

/* Half the sum of the differences of the shares, 0..1. */
vln_drift_t vln_drift_total_variation(const uint64_t *reference, const uint64_t *current,
                                      size_t count);

/* Two proportions, hits among rows, by the pooled z; two-sided. CONSTANT with 0 and p 1. */
typedef struct vln_proportion {
    uint64_t hits;
    uint64_t rows;
} vln_proportion_t;
vln_drift_t vln_drift_proportions(vln_proportion_t reference, vln_proportion_t current);

#endif
