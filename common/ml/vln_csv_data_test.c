/*
 * The reader and the statistics on data sets that are not part of the checkout: hostile files
 * against their expected verdicts, and golden values computed by scipy and scikit-learn.
 * VALION_TEST_DATA is the folder that has them.
 */
#include <criterion/criterion.h>
#include <criterion/hooks.h>
#include <criterion/new/assert.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <yyjson.h>

#include "vln_csv.h"
#include "vln_drift.h"
#include "vln_mem.h"
#include "vln_metric.h"
#include "vln_normal.h"
#include "vln_quantile.h"
#include "vln_text.h"

enum { JSON_MAX = 16 * 1024 * 1024, CSV_MAX = 64 * 1024 * 1024, COLUMNS_MAX = 64 };

ReportHook(PRE_ALL)(struct criterion_test_set *tests)
{
    (void)tests;
    if (!getenv("VALION_TEST_DATA")) {
        fputs("SKIPPED WHOLE: VALION_TEST_DATA is not set, so nothing was read of the hostile CSV "
              "files and of the golden metrics\n",
              stderr);
    }
}

/* "FOLDER/a/b"; skips the test where there is no folder. */
static char *
data_path(const char *a, const char *b)
{
    const char *folder = getenv("VALION_TEST_DATA");
    if (!folder) {
        cr_skip_test("VALION_TEST_DATA is not set");
    }
    char *path = vln_calloc(1, 4096);
    snprintf(path, 4096, "%s/%s/%s", folder, a, b);
    return path;
}

static yyjson_doc *
read_json(const char *a, const char *b)
{
    char *path = data_path(a, b);
    char *text = NULL;
    size_t size = 0;
    cr_assert(vln_text_read_file(path, JSON_MAX, &text, &size) == VLN_OK, "%s", path);
    yyjson_doc *json = yyjson_read(text, size, 0);
    cr_assert(json != NULL);
    free(text);
    free(path);
    return json;
}

/* ---- tables ---- */

typedef struct schema {
    vln_csv_column_t columns[COLUMNS_MAX];
    size_t count;
} schema_t;

static void
add_columns(schema_t *schema, yyjson_val *names, vln_type_t type)
{
    size_t index;
    size_t max;
    yyjson_val *name;
    yyjson_arr_foreach(names, index, max, name)
    {
        cr_assert(schema->count < COLUMNS_MAX);
        schema->columns[schema->count++] =
            (vln_csv_column_t){.name = yyjson_get_str(name), .type = type};
    }
}

/* Names are borrowed from the JSON. */
static schema_t
schema_of(yyjson_val *golden)
{
    schema_t schema = {0};
    add_columns(&schema, yyjson_obj_get(golden, "numeric"), VLN_TYPE_F64);
    add_columns(&schema, yyjson_obj_get(golden, "categorical"), VLN_TYPE_STRING);
    bool regression = yyjson_equals_str(yyjson_obj_get(golden, "task"), "regression");
    schema.columns[schema.count++] =
        (vln_csv_column_t){.name = yyjson_get_str(yyjson_obj_get(golden, "target")),
                           .type = regression ? VLN_TYPE_F64 : VLN_TYPE_STRING};
    return schema;
}

static vln_table_t *
read_table(const char *folder, const char *file, const vln_csv_options_t *options)
{
    char *path = data_path(folder, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0, "%s", path);
    vln_csv_t *csv = vln_csv_new(options);
    vln_table_t *table = NULL;
    vln_err_t err = vln_csv_add_fd(csv, fd);
    if (err == VLN_OK) {
        err = vln_csv_end(csv, &table);
    }
    cr_assert(err == VLN_OK, "%s: %s", path, vln_csv_refusal(csv)->text);
    vln_csv_destroy(&csv);
    close(fd);
    free(path);
    return table;
}

static vln_table_t *
read_split(const char *set, const char *file, const schema_t *schema)
{
    const vln_csv_options_t options = {.columns = schema->columns,
                                       .column_count = schema->count,
                                       .bad_is_missing = strcmp(file, "dirty.csv") == 0,
                                       .max_bytes = CSV_MAX};
    return read_table(set, file, &options);
}

/* ---- hostile files ---- */

typedef struct verdict {
    vln_err_t err;
    char text[1024];
    vln_table_t *table;
    size_t ignored;
} verdict_t;

static verdict_t
judge(int fd, const schema_t *schema, bool lenient)
{
    const vln_csv_options_t options = {.columns = schema->columns,
                                       .column_count = schema->count,
                                       .bad_is_missing = lenient,
                                       .max_bytes = CSV_MAX};
    verdict_t verdict = {0};
    vln_csv_t *csv = vln_csv_new(&options);
    verdict.err = vln_csv_add_fd(csv, fd);
    if (verdict.err == VLN_OK) {
        verdict.err = vln_csv_end(csv, &verdict.table);
    }
    verdict.ignored = vln_csv_ignored_count(csv);
    vln_csv_refusal_format(vln_csv_refusal(csv), verdict.text, sizeof verdict.text);
    vln_csv_destroy(&csv);
    return verdict;
}

static verdict_t
judge_file(const char *name, const schema_t *schema, bool lenient)
{
    char *path = data_path("hostile/csv", name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    cr_assert(fd >= 0, "%s", path);
    verdict_t verdict = judge(fd, schema, lenient);
    close(fd);
    free(path);
    return verdict;
}

static verdict_t
judge_unpacked(const char *name, const schema_t *schema)
{
    char command[4200];
    char *path = data_path("hostile/csv", name);
    snprintf(command, sizeof command, "gzip -dc '%s' 2>/dev/null", path);
    FILE *pipe = popen(command, "r");
    cr_assert(pipe != NULL);
    verdict_t verdict = judge(fileno(pipe), schema, false);
    pclose(pipe);
    free(path);
    return verdict;
}

static uint64_t
count_mixed(const vln_table_t *table)
{
    uint64_t mixed = 0;
    for (size_t i = 0; i < vln_table_columns(table); i++) {
        mixed += vln_table_at(table, i)->mixed;
    }
    return mixed;
}

/* What a caller sees of a table that was taken, though something is the matter with it. */
static bool
has_warning(const vln_table_t *table)
{
    size_t rows = vln_table_rows(table);
    const vln_column_t *target = vln_table_find(table, "median_house_value");
    vln_regression_t metrics;
    vln_metric_regression(target->f64, target->f64, rows, &metrics);
    bool warned = metrics.r2.why == VLN_STAT_TOO_FEW || metrics.r2.why == VLN_STAT_CONSTANT;
    for (size_t i = 0; i < vln_table_columns(table); i++) {
        const vln_column_t *column = vln_table_at(table, i);
        if (column->type == VLN_TYPE_F64) {
            vln_sample_t sample = vln_sample_make(column->f64, rows);
            vln_drift_t ks = vln_drift_ks(&sample, &sample, VLN_KS_AUTO, 30);
            warned |= ks.why == VLN_STAT_ALL_MISSING || ks.why == VLN_STAT_TOO_FEW;
            vln_sample_end(&sample);
        }
    }
    return warned;
}

static bool
tables_are_equal(const vln_table_t *a, const vln_table_t *b)
{
    size_t rows = vln_table_rows(a);
    bool equal = vln_table_rows(b) == rows && vln_table_columns(a) == vln_table_columns(b);
    for (size_t i = 0; equal && i < vln_table_columns(a); i++) {
        const vln_column_t *one = vln_table_at(a, i);
        const vln_column_t *other = vln_table_find(b, one->name);
        for (size_t row = 0; equal && row < rows; row++) {
            const char *text = one->type == VLN_TYPE_STRING ? vln_column_text(one, row) : NULL;
            const char *also = other->type == VLN_TYPE_STRING ? vln_column_text(other, row) : NULL;
            equal = text ? also && strcmp(text, also) == 0
                         : memcmp(&one->f64[row], &other->f64[row], sizeof(double)) == 0;
        }
    }
    return equal;
}

static void
check_hostile(const char *name, const char *expect, const schema_t *schema, const vln_table_t *good)
{
    bool packed = strlen(name) > 3 && strcmp(name + strlen(name) - 3, ".gz") == 0;
    verdict_t verdict = judge_file(name, schema, false);
    cr_log_info("%-28s %-18s %s", name, expect, verdict.err ? verdict.text : "taken");
    if (strcmp(expect, "reject") == 0) {
        cr_expect(verdict.err == VLN_INVALID_ARGUMENT || verdict.err == VLN_OUT_OF_RANGE,
                  "%s: taken", name);
    } else if (strcmp(expect, "reject-or-missing") == 0) {
        verdict_t lenient = judge_file(name, schema, true);
        cr_expect(verdict.err == VLN_INVALID_ARGUMENT, "%s: taken", name);
        cr_expect(lenient.err == VLN_OK && count_mixed(lenient.table) > 0, "%s", lenient.text);
        vln_table_destroy(&lenient.table);
    } else if (strncmp(expect, "ok", 2) == 0 && strcmp(expect, "ok-or-reject") != 0) {
        cr_expect(verdict.err == VLN_OK, "%s: %s", name, verdict.text);
    } else if (strstr(expect, "warn")) {
        cr_expect(verdict.err == VLN_OK, "%s: %s", name, verdict.text);
        cr_expect(verdict.table && has_warning(verdict.table), "%s: no warning", name);
    }
    if (strcmp(expect, "ok-same") == 0 || strcmp(name, "bom.csv") == 0 ||
        strcmp(name, "cr_mixed.csv") == 0 || strcmp(name, "crlf.csv") == 0 ||
        strcmp(name, "extra_column.csv") == 0) {
        cr_expect(verdict.table && tables_are_equal(verdict.table, good), "%s: not the same", name);
    }
    cr_expect(verdict.err == VLN_OK || verdict.text[0], "%s: refused without a word", name);
    if (packed) {
        verdict_t unpacked = judge_unpacked(name, schema);
        cr_log_info("%-28s %-18s %s", name, "unpacked", unpacked.text);
        cr_expect(unpacked.err != VLN_OK, "%s: taken when unpacked", name);
        vln_table_destroy(&unpacked.table);
    }
    cr_expect(strcmp(name, "extra_column.csv") != 0 || verdict.ignored == 1);
    vln_table_destroy(&verdict.table);
}

Test(vln_csv_data, hostile_files_get_the_verdict_that_is_expected)
{
    yyjson_doc *golden = read_json("california", "golden.json");
    yyjson_doc *cases = read_json("hostile", "csv.json");
    schema_t schema = schema_of(yyjson_doc_get_root(golden));
    verdict_t good = judge_file("ok.csv", &schema, false);
    cr_assert(good.err == VLN_OK);
    size_t index;
    size_t max;
    yyjson_val *name;
    yyjson_val *about;
    size_t count = 0;
    yyjson_obj_foreach(yyjson_doc_get_root(cases), index, max, name, about)
    {
        check_hostile(yyjson_get_str(name), yyjson_get_str(yyjson_obj_get(about, "expect")),
                      &schema, good.table);
        count++;
    }
    cr_expect(count >= 31, "only %zu files", count);
    vln_table_destroy(&good.table);
    yyjson_doc_free(cases);
    yyjson_doc_free(golden);
}

/* ---- golden values ---- */

typedef struct tally {
    size_t values;
    double worst; /* relative to its tolerance */
    double worst_off;
    char worst_what[160];
} tally_t;

/* `golden` may be absent or a text such as "NaN": then nothing is compared. */
static void
compare(tally_t *tally, const char *what, double value, yyjson_val *golden, double tolerance)
{
    if (!yyjson_is_num(golden)) {
        return;
    }
    double want = yyjson_get_num(golden);
    double off = want == 0 ? fabs(value) : fabs(value - want) / fabs(want);
    tally->values++;
    if (off / tolerance > tally->worst) {
        tally->worst = off / tolerance;
        tally->worst_off = off;
        vln_text_copy(tally->worst_what, sizeof tally->worst_what, what);
    }
    cr_expect(off <= tolerance, "%s is %.17g, not %.17g (%.3g)", what, value, want, off);
}

static void
compare_stat(tally_t *tally, const char *what, vln_stat_t stat, yyjson_val *golden,
             double tolerance)
{
    cr_expect(stat.defined, "%s: %s", what, vln_stat_why_text(stat.why));
    compare(tally, what, stat.value, golden, tolerance);
}

/* p-values: 1e-6 relative, or both next to nothing. */
static void
compare_p(tally_t *tally, const char *what, double value, yyjson_val *golden)
{
    if (yyjson_is_num(golden) && yyjson_get_num(golden) < 1e-12 && value < 1e-12) {
        tally->values++;
        return;
    }
    compare(tally, what, value, golden, 1e-6);
}

static void
report(const char *what, const tally_t *tally)
{
    cr_assert(tally->values > 0, "%s: nothing was compared", what);
    fprintf(stderr, "golden %s: %zu values, worst %.3g of its tolerance: %.3g off (%s)\n", what,
            tally->values, tally->worst, tally->worst_off, tally->worst_what);
}

static void
check_regression(tally_t *tally, const char *model, const double *target, const double *predicted,
                 size_t n, yyjson_val *golden)
{
    vln_regression_t r;
    vln_metric_regression(target, predicted, n, &r);
    const struct {
        const char *name;
        vln_stat_t value;
        double tolerance;
    } rows[] = {{"r2", r.r2, 5e-6},
                {"mae", r.mae, 1e-6},
                {"mse", r.mse, 1e-6},
                {"rmse", r.rmse, 1e-6},
                {"mape", r.mape, 5e-6},
                {"medae", r.median_ae, 1e-6},
                {"max_error", r.max_error, 1e-6}};
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        char what[128];
        snprintf(what, sizeof what, "%s %s", model, rows[i].name);
        compare_stat(tally, what, rows[i].value, yyjson_obj_get(golden, rows[i].name),
                     rows[i].tolerance);
    }
    compare(tally, "mean residual", -r.mean_residual.value, yyjson_obj_get(golden, "mean_residual"),
            1e-6);
    compare_stat(tally, "pearson", vln_pearson(target, predicted, n),
                 yyjson_obj_get(golden, "pearson"), 1e-6);
}

static void
check_binary(tally_t *tally, const uint8_t *truth, const double *scores, size_t n,
             yyjson_val *golden)
{
    /* a tie of both classes is the first, the negative one */
    vln_confusion_t confusion = vln_metric_confusion(truth, scores, n, nextafter(0.5, 1));
    yyjson_val *binary = yyjson_obj_get(golden, "binary");
    const struct {
        const char *name;
        vln_stat_t value;
        yyjson_val *from;
    } rows[] = {
        {"accuracy", vln_metric_accuracy(&confusion), golden},
        {"precision", vln_metric_precision(&confusion), binary},
        {"recall", vln_metric_recall(&confusion), binary},
        {"f1", vln_metric_f1(&confusion), binary},
        {"roc_auc", vln_metric_roc_auc(truth, scores, n), binary},
        {"average_precision", vln_metric_average_precision(truth, scores, n), binary},
        {"brier", vln_metric_brier(truth, scores, n), binary},
        {"log_loss_clip1e-15", vln_metric_log_loss(truth, scores, n), golden},
    };
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        compare_stat(tally, rows[i].name, rows[i].value, yyjson_obj_get(rows[i].from, rows[i].name),
                     1e-6);
    }
    int32_t *codes = vln_calloc(2 * n, sizeof *codes);
    for (size_t i = 0; i < n; i++) {
        codes[i] = truth[i];
        codes[n + i] = scores[i] > 0.5;
    }
    compare_stat(tally, "macro f1", vln_metric_macro_f1(codes, codes + n, n, 2),
                 yyjson_obj_get(yyjson_obj_get(golden, "macro"), "f1"), 1e-6);
    free(codes);
}

static uint8_t *
truth_of(const vln_column_t *target, size_t rows, const char *positive)
{
    uint8_t *truth = vln_calloc(rows, 1);
    for (size_t row = 0; row < rows; row++) {
        truth[row] = strcmp(vln_column_text(target, row), positive) == 0;
    }
    return truth;
}

/* Each model's column of predictions_cur.csv against its metrics. */
static void
check_models(const char *set)
{
    yyjson_doc *json = read_json(set, "golden.json");
    yyjson_val *golden = yyjson_doc_get_root(json);
    schema_t schema = schema_of(golden);
    vln_table_t *cur = read_split(set, "cur.csv", &schema);
    const vln_csv_options_t options = {.infer = true, .max_bytes = CSV_MAX};
    vln_table_t *predictions = read_table(set, "predictions_cur.csv", &options);
    size_t rows = vln_table_rows(cur);
    cr_assert(eq(sz, vln_table_rows(predictions), rows));
    const vln_column_t *target =
        vln_table_find(cur, yyjson_get_str(yyjson_obj_get(golden, "target")));
    bool regression = target->type == VLN_TYPE_F64;
    uint8_t *truth = regression ? NULL : truth_of(target, rows, ">50K");
    tally_t tally = {0};
    for (size_t i = 0; i < vln_table_columns(predictions); i++) {
        const vln_column_t *column = vln_table_at(predictions, i);
        yyjson_val *model = yyjson_obj_get(yyjson_obj_get(golden, "models"), column->name);
        yyjson_val *metrics = yyjson_obj_get(yyjson_obj_get(model, "cur"), "metrics");
        double *values = vln_calloc(rows, sizeof *values);
        for (size_t row = 0; row < rows; row++) {
            values[row] = (double)(float)column->f64[row]; /* as the model yields them */
        }
        if (regression) {
            check_regression(&tally, column->name, target->f64, values, rows, metrics);
        } else {
            check_binary(&tally, truth, values, rows, metrics);
        }
        free(values);
    }
    report(set, &tally);
    free(truth);
    vln_table_destroy(&predictions);
    vln_table_destroy(&cur);
    yyjson_doc_free(json);
}

Test(vln_csv_data, regression_metrics_are_scikit_learns)
{
    check_models("california");
}

Test(vln_csv_data, binary_metrics_are_scikit_learns)
{
    check_models("adult");
}

/* ---- drift ---- */

static void
check_bins(tally_t *tally, const vln_bins_t *bins, const vln_sample_t *ref, const vln_sample_t *cur,
           yyjson_val *golden)
{
    uint64_t counts_ref[VLN_BINS_MAX];
    uint64_t counts_cur[VLN_BINS_MAX];
    vln_bins_count(bins, ref, counts_ref);
    vln_bins_count(bins, cur, counts_cur);
    yyjson_val *want_ref = yyjson_obj_get(golden, "ref_counts");
    yyjson_val *want_cur = yyjson_obj_get(golden, "cur_counts");
    if (yyjson_obj_get(golden, "degenerate")) {
        return; /* one bin there; ours has three */
    }
    cr_assert(eq(sz, yyjson_arr_size(want_ref), bins->count));
    for (size_t i = 0; i < bins->count; i++) {
        compare(tally, "bin of reference", (double)counts_ref[i], yyjson_arr_get(want_ref, i),
                1e-9);
        compare(tally, "bin of current", (double)counts_cur[i], yyjson_arr_get(want_cur, i), 1e-9);
    }
    compare(tally, "psi",
            vln_drift_psi_counts(counts_ref, counts_cur, bins->count, VLN_PSI_QUANTILE).statistic,
            yyjson_obj_get(golden, "psi_eps1e4"), 1e-9);
    compare(tally, "js", vln_drift_jensen_shannon(counts_ref, counts_cur, bins->count, 2).statistic,
            yyjson_obj_get(golden, "js_distance_base2"), 1e-9);
}

static void
check_numeric(tally_t *tally, const double *ref_values, size_t ref_rows, const double *cur_values,
              size_t cur_rows, yyjson_val *golden)
{
    vln_sample_t ref = vln_sample_make(ref_values, ref_rows);
    vln_sample_t cur = vln_sample_make(cur_values, cur_rows);
    yyjson_val *ks = yyjson_obj_get(golden, "ks");
    vln_drift_t exact = vln_drift_ks(&ref, &cur, VLN_KS_EXACT, 0);
    vln_drift_t asymptotic = vln_drift_ks(&ref, &cur, VLN_KS_ASYMPTOTIC, 0);
    cr_expect(exact.exact);
    compare(tally, "missing", (double)cur.missing, yyjson_obj_get(golden, "missing_cur"), 1e-9);
    compare(tally, "ks", exact.statistic, yyjson_obj_get(ks, "statistic"), 1e-9);
    compare_p(tally, "ks exact p", exact.p, yyjson_obj_get(ks, "p_exact"));
    compare_p(tally, "ks asymptotic p", asymptotic.p, yyjson_obj_get(ks, "p_asymp_scipy_kstwo"));
    compare_stat(tally, "mean", vln_mean(ref.sorted, ref.n), yyjson_obj_get(golden, "mean_ref"),
                 1e-9);
    vln_stat_t std = vln_std(ref.sorted, ref.n, 1);
    compare_stat(tally, "std", std, yyjson_obj_get(golden, "std_ref_ddof1"), 1e-9);
    double distance = vln_drift_wasserstein(&ref, &cur).statistic;
    compare(tally, "wasserstein", distance, yyjson_obj_get(golden, "wasserstein"), 1e-9);
    compare(tally, "wasserstein over std", distance / std.value,
            yyjson_obj_get(golden, "wasserstein_over_ref_std"), 1e-9);
    vln_bins_t quantile = vln_bins_quantile(&ref, 10);
    check_bins(tally, &quantile, &ref, &cur, yyjson_obj_get(golden, "quantile10"));
    vln_bins_t equal = vln_bins_equal_width(&ref, 10);
    equal.closed_above = true; /* the golden's convention for both */
    check_bins(tally, &equal, &ref, &cur, yyjson_obj_get(golden, "equal10"));
    vln_sample_end(&ref);
    vln_sample_end(&cur);
}

static void
count_categories(const vln_column_t *column, size_t rows, vln_dict_t *all, uint64_t *counts)
{
    for (size_t row = 0; row < rows; row++) {
        const char *text = vln_column_text(column, row);
        text = text ? text : "";
        int32_t code = vln_dict_add(all, text, strlen(text));
        cr_assert(code < 256);
        counts[code]++;
    }
}

static void
check_categories(tally_t *tally, const vln_column_t *ref, size_t ref_rows, const vln_column_t *cur,
                 size_t cur_rows, yyjson_val *golden)
{
    uint64_t counts_ref[256] = {0};
    uint64_t counts_cur[256] = {0};
    vln_dict_t *all = vln_dict_new();
    count_categories(ref, ref_rows, all, counts_ref);
    count_categories(cur, cur_rows, all, counts_cur);
    size_t count = vln_dict_count(all);
    vln_drift_t chi = vln_drift_chi_square(counts_ref, counts_cur, count);
    yyjson_val *want = yyjson_obj_get(golden, "chi2");
    compare(tally, "chi-square", chi.statistic, yyjson_obj_get(want, "statistic"), 1e-9);
    compare(tally, "chi-square dof", (double)chi.dof, yyjson_obj_get(want, "dof"), 1e-9);
    compare_p(tally, "chi-square p", chi.p, yyjson_obj_get(want, "p"));
    compare_stat(tally, "cramer", vln_drift_cramers_v(&chi), yyjson_obj_get(want, "cramers_v"),
                 1e-9);
    compare(tally, "psi of categories",
            vln_drift_psi_counts(counts_ref, counts_cur, count, VLN_PSI_QUANTILE).statistic,
            yyjson_obj_get(golden, "psi_eps1e4"), 1e-9);
    compare(tally, "js of categories",
            vln_drift_jensen_shannon(counts_ref, counts_cur, count, 2).statistic,
            yyjson_obj_get(golden, "js_distance_base2"), 1e-9);
    vln_dict_destroy(&all);
}

static void
check_split(tally_t *tally, const char *set, const char *split, yyjson_val *golden,
            const vln_table_t *ref, const schema_t *schema)
{
    char file[32];
    snprintf(file, sizeof file, "%s.csv", split);
    vln_table_t *cur = read_split(set, file, schema);
    yyjson_val *columns = yyjson_obj_get(yyjson_obj_get(golden, "drift"), split);
    size_t index;
    size_t max;
    yyjson_val *name;
    yyjson_val *about;
    yyjson_obj_foreach(columns, index, max, name, about)
    {
        const vln_column_t *one = vln_table_find(ref, yyjson_get_str(name));
        const vln_column_t *other = vln_table_find(cur, yyjson_get_str(name));
        cr_assert(one && other);
        if (one->type == VLN_TYPE_STRING) {
            check_categories(tally, one, vln_table_rows(ref), other, vln_table_rows(cur), about);
        } else {
            check_numeric(tally, one->f64, vln_table_rows(ref), other->f64, vln_table_rows(cur),
                          about);
        }
    }
    vln_table_destroy(&cur);
}

static void
check_quality(tally_t *tally, const char *set, yyjson_val *golden, const schema_t *schema)
{
    vln_table_t *dirty = read_split(set, "dirty.csv", schema);
    size_t rows = vln_table_rows(dirty);
    yyjson_val *want = yyjson_obj_get(golden, "quality_dirty");
    compare(tally, "rows", (double)rows, yyjson_obj_get(want, "rows"), 1e-9);
    compare(tally, "duplicates", (double)vln_table_count_duplicates(dirty),
            yyjson_obj_get(want, "duplicate_rows"), 1e-9);
    size_t index;
    size_t max;
    yyjson_val *name;
    yyjson_val *about;
    yyjson_obj_foreach(yyjson_obj_get(want, "columns_detail"), index, max, name, about)
    {
        const vln_column_t *column = vln_table_find(dirty, yyjson_get_str(name));
        double missing = (double)(vln_column_missing(column, rows) - column->mixed);
        compare(tally, "missing", missing, yyjson_obj_get(about, "missing"), 1e-9);
        compare(tally, "not numeric", (double)column->mixed, yyjson_obj_get(about, "not_numeric"),
                1e-9);
        if (column->type == VLN_TYPE_F64) {
            vln_sample_t sample = vln_sample_make(column->f64, rows);
            vln_fences_t fences = vln_fences(sample.sorted, sample.n);
            compare(tally, "outliers",
                    (double)vln_fences_count_outside(&fences, sample.sorted, sample.n),
                    yyjson_obj_get(about, "iqr_outliers_own"), 1e-9);
            vln_sample_end(&sample);
        }
    }
    vln_table_destroy(&dirty);
}

static void
check_data(const char *set)
{
    yyjson_doc *json = read_json(set, "golden.json");
    yyjson_val *golden = yyjson_doc_get_root(json);
    schema_t schema = schema_of(golden);
    vln_table_t *ref = read_split(set, "ref.csv", &schema);
    tally_t tally = {0};
    check_split(&tally, set, "cur", golden, ref, &schema);
    check_split(&tally, set, "shift", golden, ref, &schema);
    check_quality(&tally, set, golden, &schema);
    report(set, &tally);
    vln_table_destroy(&ref);
    yyjson_doc_free(json);
}

Test(vln_csv_data, drift_and_quality_of_adult_are_golden)
{
    check_data("adult");
}

Test(vln_csv_data, drift_and_quality_of_california_are_golden)
{
    check_data("california");
}

Test(vln_csv_data, drift_and_quality_of_wine_are_golden)
{
    check_data("wine");
}
