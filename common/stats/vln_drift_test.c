#include "vln_drift.h"

#include <criterion/criterion.h>
#include <criterion/new/assert.h>

#include "vln_err.h"
#include "vln_kolmogorov.h"
#include "vln_ks.h"
#include "vln_normal.h"

#include "test_golden.h"

static const double few_a[] = {1, 1, 2, 2, 2, 3, 4, 5, 5, 5};
static const double few_b[] = {1, 2, 3, 3, 3, 4, 4, 5, 6, 6};

/* ---- golden values ---- */

typedef struct ks_row {
    const char *name;
    uint32_t seed_ref;
    size_t n_ref;
    double shift_ref;
    uint32_t seed_cur;
    size_t n_cur;
    double shift_cur;
    double statistic;
    double p_auto;
    double p_asymptotic;
    bool exact;
} ks_row_t;

static const ks_row_t ks_rows[] = {
    {"A B", 1, 50, 0, 2, 50, 0.3, 0.2, 0.27191356015222479, 0.23632065644537592, true},
    {"C D", 3, 50, 0, 4, 37, 0.2, 0.19297297297297297, 0.34670423557647723, 0.36715525434679996,
     true},
    {"E F", 5, 12000, 0, 6, 9000, 0.02, 0.012611111111111128, 0.38352132388307181,
     0.38352132388307181, false},
    {"G H", 7, 1000, 0, 8, 800, 0.15, 0.11475, 1.5025230768427489e-05, 1.5036824587564233e-05,
     true},
};

Test(vln_drift, kolmogorov_and_smirnov_give_the_golden_values)
{
    for (size_t i = 0; i < VLN_COUNT(ks_rows); i++) {
        const ks_row_t *row = &ks_rows[i];
        vln_sample_t ref = golden_sample(row->seed_ref, row->n_ref, row->shift_ref);
        vln_sample_t cur = golden_sample(row->seed_cur, row->n_cur, row->shift_cur);
        vln_drift_t automatic = vln_drift_ks(&ref, &cur, VLN_KS_AUTO, 0);
        vln_drift_t asymptotic = vln_drift_ks(&ref, &cur, VLN_KS_ASYMPTOTIC, 0);
        cr_assert(automatic.defined && automatic.has_p && asymptotic.has_p);
        cr_expect(automatic.exact == row->exact);
        cr_expect(not(asymptotic.exact));
        must_be(row->name, automatic.statistic, row->statistic, 1e-9);
        must_be(row->name, automatic.p, row->p_auto, 1e-9);
        must_be(row->name, asymptotic.p, row->p_asymptotic, 1e-9);
        vln_sample_end(&ref);
        vln_sample_end(&cur);
    }
}

Test(vln_drift, kolmogorov_and_smirnov_take_ties)
{
    vln_sample_t a = vln_sample_make(few_a, 10);
    vln_sample_t b = vln_sample_make(few_b, 10);
    vln_drift_t ks = vln_drift_ks(&a, &b, VLN_KS_AUTO, 0);
    must_be("ties", ks.statistic, 0.3, 1e-9);
    must_be("ties", ks.p, 0.78692978847777606, 1e-9);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

Test(vln_drift, stability_and_distances_give_the_golden_values)
{
    vln_sample_t g = golden_sample(7, 1000, 0);
    vln_sample_t h = golden_sample(8, 800, 0.15);
    vln_drift_t quantile = vln_drift_psi(&g, &h, VLN_PSI_QUANTILE, 0);
    must_be("psi seed", vln_drift_psi(&g, &h, VLN_PSI_EQUAL_WIDTH, 0).statistic,
            0.087744641777171645, 1e-9);
    must_be("psi quantile", quantile.statistic, 0.083620109797601677, 1e-9);
    must_be("psi critical", quantile.critical, 0.038067699610396015, 1e-9);
    must_be("psi evidently", vln_drift_psi(&g, &h, VLN_PSI_EVIDENTLY, 0).statistic,
            0.093946088542253378, 1e-9);
    must_be("wasserstein", vln_drift_wasserstein(&g, &h).statistic, 0.13775028087580568, 1e-9);
    must_be("wasserstein normalised", vln_drift_wasserstein_normalised(&g, &h).statistic,
            0.28517836997078055, 1e-9);

    vln_bins_t bins = vln_bins_sturges(&g, &h);
    uint64_t counts_g[VLN_BINS_MAX];
    uint64_t counts_h[VLN_BINS_MAX];
    cr_assert(eq(sz, bins.count, 12));
    vln_bins_count(&bins, &g, counts_g);
    vln_bins_count(&bins, &h, counts_h);
    must_be("js natural", vln_drift_jensen_shannon(counts_g, counts_h, 12, M_E).statistic,
            0.1065655927663501, 1e-9);
    must_be("js base 2", vln_drift_jensen_shannon(counts_g, counts_h, 12, 2).statistic,
            0.1279983214772743, 1e-9);
    vln_sample_end(&g);
    vln_sample_end(&h);
}

Test(vln_drift, equal_width_bins_are_numpys)
{
    static const double ref[] = {.017, .048, .103, .196, .204, .195, .134, .069, .027, .007};
    static const double cur[] = {.00625, .04125, .075,  .14875, .195,
                                 .20375, .14625, .1075, .05625, .02};
    vln_sample_t g = golden_sample(7, 1000, 0);
    vln_sample_t h = golden_sample(8, 800, 0.15);
    vln_bins_t bins = vln_bins_equal_width(&g, 10);
    uint64_t counts_g[VLN_BINS_MAX];
    uint64_t counts_h[VLN_BINS_MAX];
    cr_assert(eq(sz, bins.count, 10));
    vln_bins_count(&bins, &g, counts_g);
    vln_bins_count(&bins, &h, counts_h);
    for (size_t i = 0; i < 10; i++) {
        must_be("share of reference", (double)counts_g[i] / 1000, ref[i], 1e-9);
        must_be("share of current", (double)counts_h[i] / 800, cur[i], 1e-9);
    }
    vln_sample_end(&g);
    vln_sample_end(&h);
}

Test(vln_drift, counts_give_the_golden_values)
{
    static const uint64_t ref[] = {500, 300, 200};
    static const uint64_t cur[] = {120, 90, 40};
    vln_drift_t fit = vln_drift_chi_square_fit(ref, cur, 3);
    vln_drift_t table = vln_drift_chi_square(ref, cur, 3);
    must_be("chi-square fit", fit.statistic, 5.2, 1e-9);
    must_be("chi-square fit p", fit.p, 0.074273578214333863, 1e-9);
    must_be("chi-square", table.statistic, 4.1356492969396195, 1e-9);
    must_be("chi-square p", table.p, 0.12646057892026513, 1e-9);
    cr_expect(eq(sz, table.dof, 2));
    must_be_stat("cramer", vln_drift_cramers_v(&table), 0.057519730854305076, 1e-9);
    must_be_stat("cramer corrected", vln_drift_cramers_v_corrected(&table), 0.041335292332693389,
                 1e-9);
    vln_proportion_t reference = {300, 1000};
    vln_proportion_t current = {90, 250};
    vln_drift_t z = vln_drift_proportions(reference, current);
    must_be("proportions", z.statistic, -1.8314485893956411, 1e-9);
    must_be("proportions p", z.p, 0.067033614540973785, 1e-9);
}

Test(vln_drift, mann_and_whitney_give_the_golden_values)
{
    vln_sample_t a = golden_sample(1, 50, 0);
    vln_sample_t b = golden_sample(2, 50, 0.3);
    vln_drift_t u = vln_drift_mann_whitney(&a, &b);
    must_be("mann-whitney", u.statistic, 950, 1e-9);
    must_be("mann-whitney p", u.p, 0.0389514842806052, 1e-9);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

/* ---- properties ---- */

static uint64_t random_state = 42;

static double
random_number(void)
{
    random_state = random_state * 6364136223846793005u + 1442695040888963407u;
    return (double)(random_state >> 11) / 9007199254740992.0;
}

static void
fill(double *values, size_t n, double shift, double grain)
{
    for (size_t i = 0; i < n; i++) {
        values[i] = shift + (grain > 0 ? floor(random_number() / grain) * grain : random_number());
    }
}

static void
shuffle(double *values, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t other = (size_t)(random_number() * (double)i);
        double kept = values[i - 1];
        values[i - 1] = values[other];
        values[other] = kept;
    }
}

Test(vln_drift, the_order_of_rows_is_nothing_and_sides_can_be_swapped)
{
    for (int round = 0; round < 50; round++) {
        double a[90];
        double b[70];
        fill(a, 90, 0, round % 2 ? 0.1 : 0);
        fill(b, 70, 0.1, round % 2 ? 0.1 : 0);
        vln_sample_t ref = vln_sample_make(a, 90);
        vln_sample_t cur = vln_sample_make(b, 70);
        shuffle(a, 90);
        shuffle(b, 70);
        vln_sample_t ref_again = vln_sample_make(a, 90);
        vln_sample_t cur_again = vln_sample_make(b, 70);
        vln_drift_t ks = vln_drift_ks(&ref, &cur, VLN_KS_AUTO, 0);
        vln_drift_t again = vln_drift_ks(&ref_again, &cur_again, VLN_KS_AUTO, 0);
        vln_drift_t swapped = vln_drift_ks(&cur, &ref, VLN_KS_AUTO, 0);
        cr_expect(ks.statistic == again.statistic && ks.p == again.p);
        cr_expect(fabs(ks.statistic - swapped.statistic) < 1e-15 && ks.p == swapped.p);
        cr_expect(vln_drift_psi(&ref, &cur, VLN_PSI_QUANTILE, 0).statistic ==
                  vln_drift_psi(&ref_again, &cur_again, VLN_PSI_QUANTILE, 0).statistic);
        double there = vln_drift_wasserstein(&ref, &cur).statistic;
        double back = vln_drift_wasserstein(&cur, &ref).statistic;
        cr_expect(there == vln_drift_wasserstein(&ref_again, &cur_again).statistic);
        cr_expect(fabs(there - back) < 1e-15);
        cr_expect(fabs(vln_drift_mann_whitney(&ref, &cur).p -
                       vln_drift_mann_whitney(&cur, &ref).p) < 1e-12);
        vln_sample_end(&ref);
        vln_sample_end(&cur);
        vln_sample_end(&ref_again);
        vln_sample_end(&cur_again);
    }
}

Test(vln_drift, a_column_has_not_drifted_from_itself)
{
    vln_sample_t a = golden_sample(3, 500, 0);
    vln_drift_t ks = vln_drift_ks(&a, &a, VLN_KS_AUTO, 0);
    cr_expect(ks.statistic == 0 && ks.p == 1);
    for (int rule = VLN_PSI_QUANTILE; rule <= VLN_PSI_EVIDENTLY; rule++) {
        vln_drift_t psi = vln_drift_psi(&a, &a, (vln_psi_rule_t)rule, 0);
        cr_expect(psi.statistic == 0 && psi.p == 1);
    }
    cr_expect(vln_drift_wasserstein(&a, &a).statistic == 0);
    cr_expect(eq(dbl, vln_drift_mann_whitney(&a, &a).p, 1));
    vln_sample_end(&a);
}

Test(vln_drift, a_shift_moves_wasserstein_by_itself)
{
    vln_sample_t a = golden_sample(3, 500, 0);
    vln_sample_t b = golden_sample(3, 500, 2.5);
    must_be("shift", vln_drift_wasserstein(&a, &b).statistic, 2.5, 1e-12);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

/* All orders of n and m values, counted: the share whose distance is at least d. */
static double
p_by_counting(int n, int m, double d)
{
    int reached = 0;
    int all = 0;
    for (unsigned order = 0; order < 1u << (n + m); order++) {
        if (__builtin_popcount(order) != n) {
            continue;
        }
        int taken = 0;
        double largest = 0;
        for (int i = 0; i < n + m; i++) {
            taken += order >> i & 1;
            largest = fmax(largest, fabs((double)taken / n - (double)(i + 1 - taken) / m));
        }
        reached += largest >= d - 1e-12;
        all++;
    }
    return (double)reached / all;
}

static int
least_multiple(int n, int m)
{
    int multiple = n;
    while (multiple % m) {
        multiple += n;
    }
    return multiple;
}

Test(vln_drift, the_exact_p_is_the_share_of_all_orders)
{
    for (int n = 1; n <= 7; n++) {
        for (int m = 1; m <= 7; m++) {
            int lattice = least_multiple(n, m); /* distances are whole parts of this */
            for (int step = 1; step <= lattice; step++) {
                double d = (double)step / lattice;
                double p = 0;
                cr_assert(vln_ks_exact_p((size_t)n, (size_t)m, d, &p));
                double counted = p_by_counting(n, m, d);
                cr_expect(fabs(p - counted) < 1e-13, "%d %d %d: %g %g", n, m, step, p, counted);
            }
        }
    }
}

/* ---- what cannot be computed, or only with a caution ---- */

Test(vln_drift, a_side_without_values_has_no_result)
{
    static const double none[] = {NAN, NAN, NAN};
    vln_sample_t a = vln_sample_make(few_a, 10);
    vln_sample_t missing = vln_sample_make(none, 3);
    cr_expect(eq(sz, missing.missing, 3));
    vln_drift_t results[] = {
        vln_drift_ks(&a, &missing, VLN_KS_AUTO, 0),
        vln_drift_psi(&missing, &a, VLN_PSI_QUANTILE, 0), vln_drift_wasserstein(&a, &missing),
        vln_drift_wasserstein_normalised(&missing, &a), vln_drift_mann_whitney(&a, &missing)};
    for (size_t i = 0; i < VLN_COUNT(results); i++) {
        cr_expect(not(results[i].defined));
        cr_expect(not(results[i].has_p));
        cr_expect(results[i].why == VLN_STAT_ALL_MISSING);
        cr_expect(results[i].statistic == 0);
    }
    vln_sample_end(&a);
    vln_sample_end(&missing);
}

Test(vln_drift, infinity_has_no_result)
{
    static const double wild[] = {1, 2, INFINITY};
    vln_sample_t a = vln_sample_make(few_a, 10);
    vln_sample_t b = vln_sample_make(wild, 3);
    cr_expect(vln_drift_ks(&a, &b, VLN_KS_AUTO, 0).why == VLN_STAT_NOT_FINITE);
    cr_expect(vln_drift_wasserstein(&b, &a).why == VLN_STAT_NOT_FINITE);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

Test(vln_drift, few_rows_are_said_with_the_value)
{
    vln_sample_t a = vln_sample_make(few_a, 10);
    vln_sample_t b = vln_sample_make(few_b, 10);
    vln_drift_t ks = vln_drift_ks(&a, &b, VLN_KS_AUTO, 30);
    cr_expect(ks.defined && ks.has_p && ks.why == VLN_STAT_TOO_FEW);
    vln_drift_t psi = vln_drift_psi(&a, &b, VLN_PSI_QUANTILE, 100);
    cr_expect(psi.defined && psi.why == VLN_STAT_TOO_FEW);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

Test(vln_drift, a_constant_reference_shows_what_leaves_it)
{
    static const double same[] = {7, 7, 7, 7};
    static const double other[] = {7, 7, 8, 8};
    vln_sample_t a = vln_sample_make(same, 4);
    vln_sample_t b = vln_sample_make(other, 4);
    for (int rule = VLN_PSI_QUANTILE; rule <= VLN_PSI_EQUAL_WIDTH; rule++) {
        vln_drift_t psi = vln_drift_psi(&a, &b, (vln_psi_rule_t)rule, 0);
        cr_expect(psi.why == VLN_STAT_CONSTANT);
        cr_expect(psi.statistic > 0.1, "rule %d gives %g", rule, psi.statistic);
        cr_expect(vln_drift_psi(&a, &a, (vln_psi_rule_t)rule, 0).statistic == 0);
    }
    must_be("over 0.001", vln_drift_wasserstein_normalised(&a, &b).statistic, 500, 1e-12);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

Test(vln_drift, a_column_that_is_nearly_one_value_still_drifts)
{
    double mostly[100] = {0};
    double less[100] = {0};
    for (size_t i = 0; i < 5; i++) {
        mostly[i] = 10.0 + (double)i;
    }
    for (size_t i = 0; i < 50; i++) {
        less[i] = 10.0 + (double)i;
    }
    vln_sample_t a = vln_sample_make(mostly, 100);
    vln_sample_t b = vln_sample_make(less, 100);
    cr_expect(vln_drift_psi(&a, &b, VLN_PSI_QUANTILE, 0).statistic > 0.25);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

Test(vln_drift, missing_values_are_a_bin_of_their_own)
{
    double here[200];
    double there[200];
    for (size_t i = 0; i < 200; i++) {
        here[i] = (double)i;
        there[i] = i % 2 ? (double)i : NAN;
    }
    vln_sample_t a = vln_sample_make(here, 200);
    vln_sample_t b = vln_sample_make(there, 200);
    cr_expect(vln_drift_psi(&a, &b, VLN_PSI_QUANTILE, 0).statistic > 1);
    cr_expect(vln_drift_psi(&a, &b, VLN_PSI_EQUAL_WIDTH, 0).statistic < 0.01);
    cr_expect(eq(sz, vln_drift_psi(&a, &b, VLN_PSI_QUANTILE, 0).missing_cur, 100));
    vln_sample_end(&a);
    vln_sample_end(&b);
}

Test(vln_drift, degenerate_counts_say_why)
{
    static const uint64_t none[] = {0, 0};
    static const uint64_t one[] = {10, 0};
    static const uint64_t two[] = {8, 2};
    cr_expect(vln_drift_chi_square(none, one, 2).why == VLN_STAT_ALL_MISSING);
    vln_drift_t same = vln_drift_chi_square(one, one, 2);
    cr_expect(same.defined && same.why == VLN_STAT_CONSTANT && same.p == 1 && same.statistic == 0);
    cr_expect(vln_drift_cramers_v_corrected(&same).value == 0);
    vln_drift_t unseen = vln_drift_chi_square_fit(one, two, 2);
    cr_expect(not(unseen.defined));
    cr_expect(unseen.why == VLN_STAT_UNSEEN);
    cr_expect(vln_drift_chi_square(one, two, 2).why == VLN_STAT_SMALL_EXPECTED);
    vln_proportion_t never = {0, 20};
    vln_drift_t z = vln_drift_proportions(never, never);
    cr_expect(z.defined && z.p == 1 && z.why == VLN_STAT_CONSTANT);
}

Test(vln_drift, distances_of_what_shares_nothing_are_one)
{
    static const uint64_t left[] = {10, 0};
    static const uint64_t right[] = {0, 30};
    must_be("js", vln_drift_jensen_shannon(left, right, 2, 2).statistic, 1, 1e-15);
    must_be("tv", vln_drift_total_variation(left, right, 2).statistic, 1, 1e-15);
    static const uint64_t part[] = {20, 10};
    must_be("tv", vln_drift_total_variation(right, part, 2).statistic, 2.0 / 3, 1e-15);
}

Test(vln_drift, small_samples_have_the_exact_p_of_mann_and_whitney)
{
    static const double low[] = {1, 2, 3};
    static const double high[] = {4, 5, 6, 7};
    vln_sample_t a = vln_sample_make(low, 3);
    vln_sample_t b = vln_sample_make(high, 4);
    vln_drift_t u = vln_drift_mann_whitney(&a, &b);
    cr_expect(u.exact);
    cr_expect(u.statistic == 0);
    must_be("two orders of 35", u.p, 2.0 / 35, 1e-15);
    vln_sample_end(&a);
    vln_sample_end(&b);
}

/* Both sides of every order of seven values, by bits: set is the reference's. */
Test(vln_drift, the_exact_p_of_mann_and_whitney_is_the_share_of_all_orders)
{
    double us[128];
    double ps[128];
    size_t count = 0;
    for (unsigned order = 0; order < 128; order++) {
        double ref[7];
        double cur[7];
        size_t refs = 0;
        size_t curs = 0;
        for (unsigned i = 0; i < 7; i++) {
            *(order >> i & 1 ? &ref[refs++] : &cur[curs++]) = i;
        }
        if (refs == 3) {
            vln_sample_t a = vln_sample_make(ref, refs);
            vln_sample_t b = vln_sample_make(cur, curs);
            vln_drift_t u = vln_drift_mann_whitney(&a, &b);
            us[count] = fmax(u.statistic, 12 - u.statistic);
            ps[count++] = u.p;
            vln_sample_end(&a);
            vln_sample_end(&b);
        }
    }
    cr_assert(eq(sz, count, 35));
    for (size_t i = 0; i < count; i++) {
        int reached = 0;
        for (size_t k = 0; k < count; k++) {
            reached += us[k] >= us[i];
        }
        /* twice one tail: the middle value counts for both */
        must_be("share", ps[i], fmin(1, reached / 35.0 + (us[i] == 6 ? 1 : 0)), 1e-12);
    }
}

Test(vln_drift, rules_are_known_by_name)
{
    vln_psi_rule_t rule = VLN_PSI_QUANTILE;
    cr_expect(vln_psi_rule_parse("evidently", &rule));
    cr_expect(rule == VLN_PSI_EVIDENTLY);
    cr_expect(vln_psi_rule_parse("equal_width", &rule));
    cr_expect(rule == VLN_PSI_EQUAL_WIDTH);
    cr_expect(not(vln_psi_rule_parse("deciles", &rule)));
}

/* ---- small tables ---- */

typedef struct table_row {
    size_t count;
    uint64_t reference[4];
    uint64_t current[4];
    double p; /* by enumerating every table of these margins */
} table_row_t;

Test(vln_drift, two_small_categories_have_the_exact_p)
{
    static const table_row_t rows[] = {
        {2, {1, 29}, {8, 32}, 0.06791769842112962},
        {2, {10, 0}, {5, 6}, 0.01238390092879257},
        {2, {0, 500}, {4, 396}, 0.03869327455382693},
    };
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        vln_drift_t found =
            vln_drift_contingency(rows[i].reference, rows[i].current, rows[i].count, 1);
        cr_expect(found.exact && found.draws == 0);
        must_be("exact p", found.p, rows[i].p, 1e-12);
    }
}

Test(vln_drift, many_small_categories_have_nearly_the_exact_p_and_always_the_same)
{
    static const table_row_t rows[] = {
        {3, {1, 2, 27}, {4, 0, 36}, 0.15677708461710446},
        {3, {12, 3, 2}, {2, 9, 6}, 0.002461474412765321},
        {4, {30, 1, 1, 1}, {20, 4, 5, 4}, 0.02767031304274346},
        {3, {200, 150, 3}, {30, 14, 2}, 0.04439377475167538},
        {3, {90, 80, 2}, {30, 8, 2}, 0.005052402412671901},
    };
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        const table_row_t *row = &rows[i];
        vln_drift_t found = vln_drift_contingency(row->reference, row->current, row->count, 42);
        vln_drift_t again = vln_drift_contingency(row->reference, row->current, row->count, 42);
        vln_drift_t other = vln_drift_contingency(row->reference, row->current, row->count, 43);
        double draws = (double)found.draws;
        cr_assert(draws > 100);
        double error = sqrt(row->p * (1 - row->p) / draws) + 1 / draws;
        cr_expect(fabs(found.p - row->p) < 4 * error, "%g instead of %g", found.p, row->p);
        cr_expect(eq(dbl, found.p, again.p));
        cr_expect(fabs(other.p - row->p) < 5 * error);
    }
}

Test(vln_drift, large_tables_keep_the_limit_and_wide_ones_end)
{
    enum { WIDE = 5000 };
    static const uint64_t many[] = {500, 300, 200};
    static const uint64_t less[] = {120, 90, 40};
    vln_drift_t found = vln_drift_contingency(many, less, 3, 1);
    must_be("limit", found.p, 0.12646057892026513, 1e-9);
    uint64_t *left = vln_calloc(WIDE, sizeof *left);
    uint64_t *right = vln_calloc(WIDE, sizeof *right);
    for (size_t i = 0; i < WIDE; i++) {
        left[i] = i % 2;
        right[i] = 1 - i % 2;
    }
    found = vln_drift_contingency(left, right, WIDE, 1); /* every value once: nothing to tell */
    cr_expect(found.p > 0.05 && found.draws > 0);
    free(left);
    free(right);
}
