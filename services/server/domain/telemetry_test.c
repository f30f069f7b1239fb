#include "telemetry.h"

#include <criterion/criterion.h>
#include <math.h>

static Valion__V1__WantedInstance instance;
static Valion__V1__TelemetryBins bins[3];
static Valion__V1__TelemetryBins *pointers[3];
static double edges[] = {1, 2, 3};
static char *categories[] = {"Rome", "Oslo"};

static void
setup(void)
{
    valion__v1__wanted_instance__init(&instance);
    static const char *const names[] = {"", "x", "city"};
    for (size_t i = 0; i < 3; i++) {
        valion__v1__telemetry_bins__init(&bins[i]);
        bins[i].column = (char *)names[i];
        bins[i].edges = edges;
        bins[i].n_edges = i < 2 ? 3 : 0;
        pointers[i] = &bins[i];
    }
    bins[2].categories = categories;
    bins[2].n_categories = 2;
    instance.bins = pointers;
    instance.n_bins = 3;
    instance.version = (char *)"1.0.0";
}

TestSuite(telemetry, .init = setup);

Test(telemetry, counts_predictions_and_inputs_over_the_bins)
{
    vln_arena_t *arena = vln_arena_new(1 << 20);
    telemetry_t *self = telemetry_new(&instance);
    vln_table_t *rows = vln_table_new();
    vln_table_add(rows, "x", VLN_TYPE_F64);
    vln_table_add(rows, "city", VLN_TYPE_STRING);
    vln_table_set_rows(rows, 3);
    vln_column_set_f64(vln_table_edit(rows, 0), 0, 1);
    vln_column_set_f64(vln_table_edit(rows, 0), 2, 100);
    vln_column_set_text(vln_table_edit(rows, 1), 0, "Oslo", 4);
    vln_column_set_text(vln_table_edit(rows, 1), 1, "Lima", 4);
    float values[] = {0.5F, 2.5F, NAN};
    const vln_sandbox_result_t result = {.rows = 3, .width = 1, .values = values};
    telemetry_add(self, rows, &result, 1000);
    telemetry_add_error(self, TELEMETRY_BAD_INPUT, 10);
    const Valion__V1__Telemetry *report = telemetry_report(self, arena);
    cr_assert_eq(report->requests, 2);
    cr_assert_eq(report->rows, 3);
    cr_assert_eq(report->errors[TELEMETRY_BAD_INPUT]->value, 1);
    cr_assert_eq(report->prediction->n, 2);
    cr_assert_eq(report->prediction->sum, 3);
    cr_assert_eq(report->prediction->sum_squares, 6.5);
    cr_assert_eq(report->prediction->missing, 1);
    cr_assert_arr_eq(report->prediction->counts, ((uint64_t[]){1, 0, 1, 0, 0}), 40);
    cr_assert_arr_eq(report->features[0]->counts, ((uint64_t[]){1, 0, 0, 1, 0}), 40);
    cr_assert_eq(report->features[0]->missing, 1);
    cr_assert_arr_eq(report->features[1]->counts, ((uint64_t[]){0, 1, 1}), 24);
    cr_assert_eq(report->features[1]->missing, 1);
    cr_assert_eq(report->latency_counts[telemetry_bucket(1000)], 1);
    cr_assert_eq(telemetry_report(self, arena)->sequence, report->sequence + 1);
    telemetry_destroy(&self);
    vln_table_destroy(&rows);
    vln_arena_destroy(&arena);
}

Test(telemetry, puts_a_latency_between_the_powers_of_its_bucket)
{
    for (int64_t us = 1; us < 10000000; us = us * 3 / 2 + 1) {
        double low = pow(2, (double)telemetry_bucket(us) / 4);
        cr_assert(low <= (double)us * (1 + 1e-9) && (double)us < low * pow(2, 0.25) * (1 + 1e-9),
                  "%lld", (long long)us);
    }
    cr_assert_eq(telemetry_bucket(0), 0);
    cr_assert_eq(telemetry_bucket(-5), 0);
    cr_assert_eq(telemetry_bucket(INT64_MAX), TELEMETRY_LATENCIES - 1);
}
