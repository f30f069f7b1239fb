/* Drift of categories, and of numbers once they are counted into bins. */
#include <float.h>
#include <math.h>

#include "vln_dist.h"
#include "vln_drift.h"
#include "vln_drift_inside.h"
#include "vln_err.h"

static const double CRITICAL_ALPHA = 0.05;

static uint64_t
total_of(const uint64_t *counts, size_t count)
{
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        total += counts[i];
    }
    return total;
}

/* What an empty share counts as. */
static double
fill_of(const uint64_t *counts, size_t count, uint64_t total, vln_psi_rule_t rule)
{
    double least = 1;
    for (size_t i = 0; i < count; i++) {
        if (counts[i] > 0) {
            least = fmin(least, (double)counts[i] / (double)total);
        }
    }
    if (rule == VLN_PSI_EQUAL_WIDTH) {
        return 1e-10;
    }
    return rule == VLN_PSI_EVIDENTLY && least <= 1e-4 ? least / 1e6 : 1e-4;
}

static double
share_of(uint64_t rows, uint64_t total, size_t count, vln_psi_rule_t rule, double fill)
{
    if (rule == VLN_PSI_SMOOTHED) {
        return ((double)rows + 0.5) / ((double)total + 0.5 * (double)count);
    }
    return rows > 0 ? (double)rows / (double)total : fill;
}

static void
find_psi(vln_drift_t *self, const uint64_t *reference, const uint64_t *current, size_t count,
         vln_psi_rule_t rule)
{
    uint64_t total_ref = total_of(reference, count);
    uint64_t total_cur = total_of(current, count);
    double fill_ref = fill_of(reference, count, total_ref, rule);
    double fill_cur = fill_of(current, count, total_cur, rule);
    vln_sum_t sum = {0};
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        if (reference[i] == 0 && current[i] == 0 && rule != VLN_PSI_SMOOTHED) {
            continue;
        }
        double r = share_of(reference[i], total_ref, count, rule, fill_ref);
        double c = share_of(current[i], total_cur, count, rule, fill_cur);
        vln_sum_add(&sum, (c - r) * log(c / r));
        used++;
    }
    self->statistic = vln_sum_total(&sum);
    self->dof = used > 1 ? used - 1 : 0;
    if (self->dof > 0) {
        double scale = 1 / (double)total_ref + 1 / (double)total_cur;
        double dof = (double)self->dof;
        vln_drift_set_p(self, vln_chi2_sf(fmax(0, self->statistic) / scale, dof));
        self->critical = vln_chi2_quantile(1 - CRITICAL_ALPHA, dof) * scale;
    }
}

static vln_drift_t
begin_counts(const uint64_t *reference, const uint64_t *current, size_t count)
{
    vln_drift_t self = {
        .n_ref = total_of(reference, count), .n_cur = total_of(current, count), .defined = true};
    if (self.n_ref == 0 || self.n_cur == 0) {
        vln_drift_set_undefined(&self, VLN_STAT_ALL_MISSING);
    }
    return self;
}

vln_drift_t
vln_drift_psi_counts(const uint64_t *reference, const uint64_t *current, size_t count,
                     vln_psi_rule_t rule)
{
    vln_drift_t self = begin_counts(reference, current, count);
    if (self.defined) {
        find_psi(&self, reference, current, count, rule);
    }
    return self;
}

static void
end_chi_square(vln_drift_t *self, double statistic, size_t used, double least_expected)
{
    self->statistic = statistic;
    if (used < 2) {
        self->statistic = 0;
        self->why = VLN_STAT_CONSTANT;
        vln_drift_set_p(self, 1);
        return;
    }
    self->dof = used - 1;
    self->why = least_expected < 5 ? VLN_STAT_SMALL_EXPECTED : VLN_STAT_OK;
    vln_drift_set_p(self, vln_chi2_sf(statistic, (double)self->dof));
}

vln_drift_t
vln_drift_chi_square(const uint64_t *reference, const uint64_t *current, size_t count)
{
    vln_drift_t self = begin_counts(reference, current, count);
    if (!self.defined) {
        return self;
    }
    double share_ref = (double)self.n_ref / (double)(self.n_ref + self.n_cur);
    vln_sum_t sum = {0};
    size_t used = 0;
    double least = DBL_MAX;
    for (size_t i = 0; i < count; i++) {
        double both = (double)(reference[i] + current[i]);
        if (both > 0) {
            double expected_ref = both * share_ref;
            double expected_cur = both * (1 - share_ref);
            double off = (double)reference[i] - expected_ref; /* the same on the other side */
            vln_sum_add(&sum, off * off / expected_ref);
            vln_sum_add(&sum, off * off / expected_cur);
            least = fmin(least, fmin(expected_ref, expected_cur));
            used++;
        }
    }
    end_chi_square(&self, vln_sum_total(&sum), used, least);
    return self;
}

vln_drift_t
vln_drift_chi_square_fit(const uint64_t *reference, const uint64_t *current, size_t count)
{
    vln_drift_t self = begin_counts(reference, current, count);
    if (!self.defined) {
        return self;
    }
    double scale = (double)self.n_cur / (double)self.n_ref;
    vln_sum_t sum = {0};
    size_t used = 0;
    double least = DBL_MAX;
    for (size_t i = 0; i < count; i++) {
        if (reference[i] == 0 && current[i] > 0) {
            vln_drift_set_undefined(&self, VLN_STAT_UNSEEN);
            return self;
        }
        if (reference[i] > 0) {
            double expected = (double)reference[i] * scale;
            double off = (double)current[i] - expected;
            vln_sum_add(&sum, off * off / expected);
            least = fmin(least, expected);
            used++;
        }
    }
    end_chi_square(&self, vln_sum_total(&sum), used, least);
    return self;
}

vln_stat_t
vln_drift_cramers_v(const vln_drift_t *chi_square)
{
    if (!chi_square->defined) {
        return vln_stat_none(chi_square->why);
    }
    double n = (double)(chi_square->n_ref + chi_square->n_cur);
    return vln_stat_by(fmin(1, sqrt(chi_square->statistic / n)), chi_square->why);
}

vln_stat_t
vln_drift_cramers_v_corrected(const vln_drift_t *chi_square)
{
    if (!chi_square->defined || chi_square->dof == 0) {
        return vln_drift_cramers_v(chi_square);
    }
    double n = (double)(chi_square->n_ref + chi_square->n_cur);
    double columns = (double)chi_square->dof + 1;
    double phi = fmax(0, chi_square->statistic / n - (columns - 1) / (n - 1));
    double columns_left = columns - (columns - 1) * (columns - 1) / (n - 1);
    double rows_left = 2 - 1 / (n - 1);
    double below = fmin(columns_left, rows_left) - 1;
    return below > 0 ? vln_stat_by(fmin(1, sqrt(phi / below)), chi_square->why)
                     : vln_stat_none(VLN_STAT_TOO_FEW);
}

vln_drift_t
vln_drift_jensen_shannon(const uint64_t *reference, const uint64_t *current, size_t count,
                         double base)
{
    vln_assert(base > 1);
    vln_drift_t self = begin_counts(reference, current, count);
    if (!self.defined) {
        return self;
    }
    vln_sum_t sum = {0};
    for (size_t i = 0; i < count; i++) {
        double r = (double)reference[i] / (double)self.n_ref;
        double c = (double)current[i] / (double)self.n_cur;
        double middle = (r + c) / 2;
        vln_sum_add(&sum, r > 0 ? r * log(r / middle) : 0);
        vln_sum_add(&sum, c > 0 ? c * log(c / middle) : 0);
    }
    self.statistic = sqrt(fmax(0, vln_sum_total(&sum)) / 2 / log(base));
    return self;
}

vln_drift_t
vln_drift_total_variation(const uint64_t *reference, const uint64_t *current, size_t count)
{
    vln_drift_t self = begin_counts(reference, current, count);
    if (!self.defined) {
        return self;
    }
    vln_sum_t sum = {0};
    for (size_t i = 0; i < count; i++) {
        vln_sum_add(&sum, fabs((double)reference[i] / (double)self.n_ref -
                               (double)current[i] / (double)self.n_cur));
    }
    self.statistic = fmin(1, vln_sum_total(&sum) / 2);
    return self;
}

vln_drift_t
vln_drift_proportions(vln_proportion_t reference, vln_proportion_t current)
{
    vln_drift_t self = {.n_ref = reference.rows, .n_cur = current.rows, .defined = true};
    if (reference.rows == 0 || current.rows == 0) {
        vln_drift_set_undefined(&self, VLN_STAT_ALL_MISSING);
        return self;
    }
    double n = (double)reference.rows;
    double m = (double)current.rows;
    uint64_t hits = reference.hits + current.hits;
    if (hits == 0 || hits == reference.rows + current.rows) {
        self.why = VLN_STAT_CONSTANT;
        vln_drift_set_p(&self, 1);
        return self;
    }
    double pooled = (double)hits / (n + m);
    double error = sqrt(pooled * (1 - pooled) * (1 / n + 1 / m));
    self.statistic = ((double)reference.hits / n - (double)current.hits / m) / error;
    vln_drift_set_p(&self, 2 * vln_normal_sf(fabs(self.statistic)));
    return self;
}
