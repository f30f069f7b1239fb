/*
 * valion-sandbox and the native engine on the models of VALION_TEST_DATA: real ones predict what is
 * written beside them, both engines to the same bits; hostile ones end as is written beside them, and
 * an honest model is served right after each; none that the libraries refuse is covered natively.
 */
#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <yyjson.h>

#include "vln_log.h"
#include "vln_native.h"
#include "vln_sandbox.h"
#include "vln_text.h"

#include "test_onnx.h"

enum {
    FILE_MAX_BYTES = 64 * 1024 * 1024,
    COLUMNS_MAX = 32,
    ROWS_MAX = 8192,
    HOSTILE_ROWS = 100,
    LIMIT_MS = 60000
};

static const char *data;       /* the folder; NULL: not there */
static vln_sandbox_t *sandbox; /* a generous clock, and not too much memory to fill */
static vln_sandbox_t *quick;   /* for what never ends: little time, and memory enough to go on */
static vln_outcome_t outcome;

static void
setup(void)
{
    vln_log_init("test", "sandbox", VLN_LOG_OFF);
    data = getenv("VALION_TEST_DATA");
    vln_sandbox_config_t config = {.program = VALION_SANDBOX,
                                   .load_ms = 60000,
                                   .predict_ms = 60000,
                                   .cpu_seconds = 60,
                                   .memory_bytes = 512ull << 20};
    cr_assert_eq(vln_sandbox_open(&config, &sandbox), VLN_OK);
    config.load_ms = config.predict_ms = 2500;
    config.memory_bytes = 4ull << 30;
    cr_assert_eq(vln_sandbox_open(&config, &quick), VLN_OK);
}

static void
teardown(void)
{
    vln_sandbox_close(&sandbox);
    vln_sandbox_close(&quick);
}

TestSuite(sandbox_data, .init = setup, .fini = teardown, .timeout = 280);

static bool
has_data(void)
{
    if (!data) {
        puts("SKIPPED WHOLE: VALION_TEST_DATA is not set, so no model of real life was tried");
    }
    return data != NULL;
}

/* Yours, by free(). */
static char *
read_data(const char *folder, const char *name, size_t *size)
{
    char path[512];
    char *text = NULL;
    snprintf(path, sizeof path, "%s/%s/%s", data, folder, name);
    cr_assert_eq(vln_text_read_file(path, FILE_MAX_BYTES, &text, size), VLN_OK, "%s", path);
    return text;
}

/* ---- the data sets ---- */

/* Cells as they stand; the sets have no quotes. */
typedef struct csv {
    char *text;
    const char *names[COLUMNS_MAX];
    const char **cells; /* row by row */
    size_t columns;
    size_t rows;
} csv_t;

static size_t
split(char *line, const char **out, size_t max)
{
    size_t count = 0;
    for (char *cell; (cell = strsep(&line, ",")) && count < max;) {
        out[count++] = cell;
    }
    return count;
}

static csv_t
read_csv(const char *folder, const char *name)
{
    csv_t csv = {0};
    size_t size = 0;
    csv.text = read_data(folder, name, &size);
    cr_assert_null(strchr(csv.text, '"'));
    char *rest = csv.text;
    csv.columns = split(strsep(&rest, "\n"), csv.names, COLUMNS_MAX);
    csv.cells = vln_calloc(csv.columns * ROWS_MAX, sizeof *csv.cells);
    for (char *line; (line = strsep(&rest, "\n")) && *line; csv.rows++) {
        cr_assert_lt(csv.rows, ROWS_MAX);
        size_t cells = split(line, csv.cells + csv.rows * csv.columns, csv.columns);
        cr_assert_eq(cells, csv.columns);
    }
    return csv;
}

static void
end_csv(csv_t *csv)
{
    free(csv->cells);
    free(csv->text);
}

static size_t
column_named(const csv_t *csv, const char *name)
{
    for (size_t i = 0; i < csv->columns; i++) {
        if (strcmp(csv->names[i], name) == 0) {
            return i;
        }
    }
    cr_assert_fail("no column %s", name);
    return 0;
}

static bool
holds(yyjson_val *array, const char *text)
{
    size_t i = 0;
    size_t count = 0;
    yyjson_val *item = NULL;
    yyjson_arr_foreach(array, i, count, item)
    {
        if (yyjson_equals_str(item, text)) {
            return true;
        }
    }
    return false;
}

/* ---- predicting a data set ---- */

/* The columns that a model is offered: all of the set, or only its features in their order where
 * the file has no names to bind by. */
static size_t
offer(const vln_model_t *about, const csv_t *csv, yyjson_val *manifest, yyjson_val *model,
      size_t *from, vln_model_column_t *out)
{
    yyjson_val *texts = yyjson_obj_get(yyjson_obj_get(manifest, "features"), "categorical");
    yyjson_val *features = yyjson_obj_get(model, "features");
    bool named = about->features[0].named;
    size_t count = named ? csv->columns : yyjson_arr_size(features);
    for (size_t i = 0; i < count; i++) {
        from[i] = named ? i : column_named(csv, yyjson_get_str(yyjson_arr_get(features, i)));
        const char *name = csv->names[from[i]];
        out[i] = (vln_model_column_t){
            .name = name,
            .type = holds(texts, name) ? VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING
                                       : VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64,
        };
    }
    return count;
}

typedef struct rows {
    float *numbers;
    uint32_t *codes[COLUMNS_MAX];
    vln_sandbox_text_t texts[COLUMNS_MAX];
    const char **words; /* every cell of the set is a word */
    vln_sandbox_rows_t rows;
} rows_t;

static void
fill_numbers(rows_t *out, const csv_t *csv, size_t column, size_t at)
{
    for (size_t row = 0; row < csv->rows; row++) {
        const char *cell = csv->cells[row * csv->columns + column];
        out->numbers[row * out->rows.number_count + at] = *cell ? (float)strtod(cell, NULL) : NAN;
    }
}

static void
fill_texts(rows_t *out, const csv_t *csv, size_t column, size_t at)
{
    out->codes[at] = vln_calloc(csv->rows, sizeof *out->codes[at]);
    for (size_t row = 0; row < csv->rows; row++) {
        size_t cell = row * csv->columns + column;
        out->codes[at][row] = csv->cells[cell][0] ? (uint32_t)cell : UINT32_MAX;
    }
    out->texts[at] = (vln_sandbox_text_t){.codes = out->codes[at], .words = csv->cells};
}

static void
fill_rows(rows_t *out, const vln_model_t *about, const csv_t *csv, const size_t *columns)
{
    *out = (rows_t){0};
    for (size_t i = 0; i < about->feature_count; i++) {
        bool is_text = about->features[i].type == VLN_TENSOR_STRING;
        out->rows.text_count += is_text ? 1 : 0;
        out->rows.number_count += is_text ? 0 : 1;
    }
    out->numbers = vln_calloc(csv->rows * out->rows.number_count + 1, sizeof *out->numbers);
    size_t numbers = 0;
    size_t texts = 0;
    for (size_t i = 0; i < about->feature_count; i++) {
        if (about->features[i].type == VLN_TENSOR_STRING) {
            fill_texts(out, csv, columns[i], texts++);
        } else {
            fill_numbers(out, csv, columns[i], numbers++);
        }
    }
    out->rows.rows = csv->rows;
    out->rows.numbers = out->numbers;
    out->rows.texts = out->texts;
}

static void
end_rows(rows_t *rows)
{
    for (size_t i = 0; i < rows->rows.text_count; i++) {
        free(rows->codes[i]);
    }
    free(rows->numbers);
}

static void
compare(const char *set, const char *name, const csv_t *expected,
        const vln_sandbox_result_t *result)
{
    size_t column = column_named(expected, name);
    size_t same = 0;
    double worst = 0;
    cr_assert_eq(result->rows, expected->rows, "%s", name);
    for (size_t row = 0; row < expected->rows; row++) {
        const char *cell = expected->cells[row * expected->columns + column];
        float wanted = strtof(cell, NULL);
        float got = result->values[(row + 1) * result->width - 1]; /* the last class's */
        same += memcmp(&wanted, &got, sizeof got) == 0 ? 1 : 0;
        double off = fabs((double)got - (double)wanted) / fmax(fabs((double)wanted), 1e-30);
        worst = off > worst ? off : worst;
        cr_assert_leq(off, 1e-6, "%s %s row %zu: %.9g, not %s", set, name, row, (double)got, cell);
    }
    printf("%s %s: %zu of %zu predictions to the bit, the worst %.2g off\n", set, name, same,
           expected->rows, worst);
}

/* What the native engine covers of a real model; NULL: not this one. */
static vln_native_t *
open_native(const void *bytes, size_t size, vln_arena_t *arena, vln_model_t *about)
{
    vln_native_t *native = NULL;
    char why[VLN_MODEL_WHY];
    vln_err_t err = vln_model_read(bytes, size, VLN_MODEL_AUTO, arena, about, why);
    if (err == VLN_OK) {
        err = vln_native_open(bytes, size, about, arena, &native, why);
    }
    cr_expect_eq(err == VLN_OK, native != NULL);
    return native;
}

/* 1 if the native engine covers it; then its bits are the library's. */
static size_t
compare_native(const char *name, const void *bytes, size_t size, const vln_sandbox_rows_t *rows,
               const vln_sandbox_result_t *wanted)
{
    vln_model_t about;
    vln_sandbox_result_t got = {0};
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_native_t *native = open_native(bytes, size, arena, &about);
    bool covered = native != NULL;
    if (covered) {
        cr_assert_eq(vln_native_predict(native, rows, LIMIT_MS, &got, &outcome), VLN_OK, "%s: %s",
                     name, outcome.sentence);
        cr_assert_eq(got.rows, wanted->rows);
        cr_assert_eq(got.width, wanted->width);
        cr_assert_eq(got.labels != NULL, wanted->labels != NULL, "%s", name);
        cr_expect_arr_eq(got.values, wanted->values, got.rows * got.width * sizeof *got.values,
                         "%s", name);
        cr_expect(!got.labels ||
                      memcmp(got.labels, wanted->labels, got.rows * sizeof *got.labels) == 0,
                  "%s", name);
        printf("%s: native, %zu kB, the same bits\n", name, vln_native_bytes(native) / 1000);
    }
    vln_sandbox_result_end(&got);
    vln_native_close(&native);
    vln_arena_destroy(&arena);
    return covered;
}

static size_t
predict_model(const char *set, yyjson_val *manifest, yyjson_val *entry, const csv_t *rows_csv,
              const csv_t *expected)
{
    const char *name = yyjson_get_str(yyjson_obj_get(entry, "name"));
    size_t size = 0;
    char *bytes = read_data(set, yyjson_get_str(yyjson_obj_get(entry, "file")), &size);
    vln_sandbox_model_t *model = NULL;
    vln_err_t err = vln_sandbox_load(
        sandbox, &(vln_sandbox_file_t){.bytes = (const uint8_t *)bytes, .size = size}, &model,
        &outcome);
    cr_assert_eq(err, VLN_OK, "%s %s: %s", set, name, outcome.sentence);
    const vln_model_t *about = vln_sandbox_about(model);
    size_t from[COLUMNS_MAX];
    vln_model_column_t columns[COLUMNS_MAX];
    size_t count = offer(about, rows_csv, manifest, entry, from, columns);
    vln_arena_t *arena = vln_arena_new(1 << 20);
    vln_model_binding_t binding;
    char why[VLN_MODEL_WHY];
    cr_assert_eq(
        vln_model_bind(vln_model_signature(about, arena), columns, count, arena, &binding, why),
        VLN_OK, "%s %s: %s", set, name, why);
    for (size_t i = 0; i < binding.count; i++) {
        binding.columns[i] = from[binding.columns[i]];
    }
    rows_t rows;
    vln_sandbox_result_t result = {0};
    fill_rows(&rows, about, rows_csv, binding.columns);
    err = vln_sandbox_predict(model, &rows.rows, &result, &outcome);
    cr_assert_eq(err, VLN_OK, "%s %s: %s", set, name, outcome.sentence);
    cr_expect_eq(result.not_probability, 0, "%s %s", set, name);
    compare(set, name, expected, &result);
    size_t covered = compare_native(name, bytes, size, &rows.rows, &result);
    vln_sandbox_result_end(&result);
    end_rows(&rows);
    vln_arena_destroy(&arena);
    vln_sandbox_unload(&model);
    free(bytes);
    return covered;
}

/* How many models it has; `*covered` of them by the native engine. */
static size_t
predict_set(const char *set, size_t *covered)
{
    size_t size = 0;
    char *text = read_data(set, "manifest.json", &size);
    yyjson_doc *doc = yyjson_read(text, size, 0);
    cr_assert_not_null(doc);
    csv_t rows = read_csv(set, "cur.csv");
    csv_t expected = read_csv(set, "predictions_cur.csv");
    yyjson_val *models = yyjson_obj_get(yyjson_doc_get_root(doc), "models");
    size_t i = 0;
    size_t count = 0;
    yyjson_val *entry = NULL;
    yyjson_arr_foreach(models, i, count, entry)
    {
        *covered += predict_model(set, yyjson_doc_get_root(doc), entry, &rows, &expected);
    }
    end_csv(&rows);
    end_csv(&expected);
    yyjson_doc_free(doc);
    free(text);
    return count;
}

Test(sandbox_data, predicts_what_is_written_beside_real_models)
{
    if (has_data()) {
        size_t covered = 0;
        size_t models = predict_set("california", &covered) + predict_set("wine", &covered) +
                        predict_set("adult", &covered);
        cr_expect_eq(models, 17);
        cr_expect_eq(covered, 10); /* every forest, and nothing else */
    }
}

/* ---- hostile models ---- */

/* How trying one may end. */
enum {
    OK = 1,
    REFUSED = 2,
    ANSWER = 4,
    CRASHED = 8,
    TIME = 16,
    MEMORY = 32,
    BAD_NUMBERS = 64,
    REFUSED_ROWS = 128, /* loaded, and the rows refused */
};

/* clang-format off */
static const struct expectation {
    const char *expect;
    int ends;
} expectations[] = {
    {"reject",               REFUSED | REFUSED_ROWS},
    {"reject-or-crash",      REFUSED | REFUSED_ROWS | CRASHED},
    {"crash-or-reject",      REFUSED | REFUSED_ROWS | CRASHED},
    {"reject-or-timeout",    REFUSED | TIME},
    {"crash",                CRASHED},
    {"timeout",              TIME},
    {"memory",               MEMORY},
    {"ok",                   OK},
    {"ok-row-by-row",        OK},
    {"ok-or-reject",         OK | REFUSED},
    {"ok-or-timeout",        OK | TIME},
    {"ok-or-bad-prediction", OK | BAD_NUMBERS},
    {"error-at-run",         REFUSED_ROWS},
    {"bad-prediction",       BAD_NUMBERS},
    {"bad-shape",            ANSWER},
    {"bad-type",             ANSWER},
    {"bad-signature",        REFUSED_ROWS},
};

/* Where the bound that stops a file is one of the checks and not what its entry names. */
static const struct expectation exceptions[] = {
    {"function_bomb.onnx", REFUSED}, /* millions of nodes are counted before any library sees one */
};
/* clang-format on */

static int
ends_of(vln_sandbox_verdict_t verdict, bool loaded)
{
    switch (verdict) {
    case VLN_VERDICT_OK:
        return OK;
    case VLN_VERDICT_REFUSED:
        return loaded ? REFUSED_ROWS : REFUSED;
    case VLN_VERDICT_ANSWER:
        return ANSWER;
    case VLN_VERDICT_CRASHED:
        return CRASHED;
    case VLN_VERDICT_TIME:
        return TIME;
    case VLN_VERDICT_MEMORY:
        return MEMORY;
    default:
        return 0;
    }
}

static int
try_rows(vln_sandbox_model_t *model)
{
    float numbers[HOSTILE_ROWS * 8];
    for (size_t i = 0; i < HOSTILE_ROWS * 8; i++) {
        numbers[i] = (float)(i % 13);
    }
    vln_sandbox_rows_t rows = {.rows = HOSTILE_ROWS, .numbers = numbers, .number_count = 8};
    vln_sandbox_result_t result = {0};
    vln_err_t err = vln_sandbox_predict(model, &rows, &result, &outcome);
    bool bad = err == VLN_OK && result.not_finite + result.not_probability > 0;
    cr_expect(err != VLN_OK || result.rows == HOSTILE_ROWS);
    vln_sandbox_result_end(&result);
    return bad ? BAD_NUMBERS : ends_of(outcome.verdict, true);
}

/* As try_rows(); 0 if it is not covered. */
static int
try_native(const char *bytes, size_t size)
{
    float numbers[HOSTILE_ROWS * 8];
    vln_model_t about;
    vln_sandbox_result_t result = {0};
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    vln_native_t *native = open_native(bytes, size, arena, &about);
    for (size_t i = 0; i < HOSTILE_ROWS * 8; i++) {
        numbers[i] = (float)(i % 13);
    }
    const vln_sandbox_rows_t rows = {.rows = HOSTILE_ROWS, .numbers = numbers, .number_count = 8};
    int ends = 0;
    if (native) {
        vln_err_t err = vln_native_predict(native, &rows, LIMIT_MS, &result, &outcome);
        bool bad = err == VLN_OK && result.not_finite + result.not_probability > 0;
        ends = bad ? BAD_NUMBERS : ends_of(outcome.verdict, true);
    }
    vln_sandbox_result_end(&result);
    vln_native_close(&native);
    vln_arena_destroy(&arena);
    return ends;
}

static int
try_file(vln_sandbox_t *where, const char *name)
{
    size_t size = 0;
    char *bytes = read_data("hostile/models", name, &size);
    vln_sandbox_model_t *model = NULL;
    vln_err_t err = vln_sandbox_load(
        where, &(vln_sandbox_file_t){.bytes = (const uint8_t *)bytes, .size = size}, &model,
        &outcome);
    cr_expect_neq(err, VLN_UNAVAILABLE, "%s", name);
    int ends = err == VLN_OK ? try_rows(model) : ends_of(outcome.verdict, false);
    cr_expect(vln_text_is_utf8(outcome.sentence, strlen(outcome.sentence)), "%s", name);
    vln_sandbox_unload(&model);
    int native = try_native(bytes, size);
    cr_expect(native == 0 || native == ends, "%s: native %d, the library %d", name, native, ends);
    free(bytes);
    return ends;
}

static void
expect_alive(vln_sandbox_t *where, const char *after)
{
    vln_part_t file = test_onnx_linear(2);
    vln_sandbox_model_t *model = NULL;
    vln_sandbox_result_t result = {0};
    vln_outcome_t honest;
    cr_assert_eq(vln_sandbox_load(where,
                                  &(vln_sandbox_file_t){.bytes = file.bytes, .size = file.size},
                                  &model, &honest),
                 VLN_OK, "after %s: %s", after, honest.sentence);
    vln_sandbox_rows_t rows = {.rows = 1, .numbers = (const float[]){1, 2}, .number_count = 2};
    cr_assert_eq(vln_sandbox_predict(model, &rows, &result, &honest), VLN_OK, "after %s", after);
    cr_expect_eq(result.values[0], 5.5f);
    vln_sandbox_result_end(&result);
    vln_sandbox_unload(&model);
    vln_part_end(&file);
}

static int
allowed_ends(const char *name, const char *expect)
{
    for (size_t i = 0; i < sizeof exceptions / sizeof exceptions[0]; i++) {
        if (strcmp(exceptions[i].expect, name) == 0) {
            return exceptions[i].ends;
        }
    }
    for (size_t i = 0; i < sizeof expectations / sizeof expectations[0]; i++) {
        if (strcmp(expectations[i].expect, expect) == 0) {
            return expectations[i].ends;
        }
    }
    cr_assert_fail("%s: nobody knows \"%s\"", name, expect);
    return 0;
}

static void
try_hostile(const char *name, const char *expect)
{
    int allowed = allowed_ends(name, expect);
    vln_sandbox_t *where = strstr(expect, "timeout") ? quick : sandbox;
    int ends = try_file(where, name);
    printf("%-26s %-20s %-8s %8.1f ms %7lld KiB  %s\n", name, expect,
           vln_sandbox_verdict_name(outcome.verdict), (double)outcome.wall_us / 1000,
           (long long)outcome.peak_kib, outcome.sentence);
    cr_expect(ends & allowed, "%s: expected %s, ended %s: %s [%s]", name, expect,
              vln_sandbox_verdict_name(outcome.verdict), outcome.sentence, outcome.detail);
    expect_alive(where, name);
}

Test(sandbox_data, ends_hostile_models_as_is_written_beside_them)
{
    if (!has_data()) {
        return;
    }
    size_t size = 0;
    char *text = read_data("hostile", "models.json", &size);
    yyjson_doc *doc = yyjson_read(text, size, 0);
    cr_assert_not_null(doc);
    size_t i = 0;
    size_t count = 0;
    yyjson_val *name = NULL;
    yyjson_val *entry = NULL;
    yyjson_obj_foreach(yyjson_doc_get_root(doc), i, count, name, entry)
    {
        try_hostile(yyjson_get_str(name), yyjson_get_str(yyjson_obj_get(entry, "expect")));
    }
    cr_expect_eq(count, 73);
    cr_expect_eq(vln_sandbox_starts(sandbox), 1);
    cr_expect_eq(vln_sandbox_starts(quick), 1);
    yyjson_doc_free(doc);
    free(text);
}
