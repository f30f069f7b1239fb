/*
 * bench_refit - the fits that a stability check cannot do without, bare: each fold of the rows predicted
 * by a fit of the others, by libxgboost in this process, one thread. Prints the median in milliseconds of
 * all folds together, for bench_validate.py.
 *
 *     bench_refit ROWS.csv TARGET FOLDS ROUNDS ALGORITHM [NAME=VALUE ...]
 *
 * Every column but the target is taken; hyperparameters as a version records them.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <xgboost/c_api.h>

#include "vln_csv.h"
#include "vln_fit.h"
#include "vln_log.h"
#include "vln_mem.h"
#include "vln_text.h"
#include "vln_time.h"

enum { FILE_MAX_BYTES = 64 * 1024 * 1024, ROUNDS_MAX = 1000, NAME_ROOM = 64 };

static void
must(bool good, const char *what, const char *why)
{
    if (!good) {
        fprintf(stderr, "bench_refit: %s: %s\n", what, why);
        exit(1);
    }
}

static void
must_xgb(int code)
{
    must(code == 0, "libxgboost", XGBGetLastError());
}

static vln_fit_numbers_t
read_rows(const char *path, const char *target, size_t *columns)
{
    char *text = NULL;
    size_t size = 0;
    must(vln_text_read_file(path, FILE_MAX_BYTES, &text, &size) == VLN_OK, path, "cannot be read");
    vln_csv_refusal_t refusal = {0};
    vln_table_t *table = NULL;
    const vln_csv_options_t options = {.infer = true, .max_bytes = FILE_MAX_BYTES};
    must(vln_csv_read(&options, text, size, &table, &refusal) == VLN_OK, path, "is refused");
    size_t count = vln_table_columns(table);
    size_t rows = vln_table_rows(table);
    vln_fit_numbers_t out = {.rows = rows,
                             .cells = vln_calloc(rows * count, sizeof(float)),
                             .labels = vln_calloc(rows, sizeof(float))};
    double *values = vln_calloc(rows, sizeof *values);
    *columns = count - 1;
    size_t at = 0;
    for (size_t i = 0; i < count; i++) {
        const vln_column_t *column = vln_table_at(table, i);
        bool label = strcmp(column->name, target) == 0;
        must(vln_column_numbers(column, rows, values), column->name, "holds text");
        for (size_t row = 0; row < rows; row++) {
            float value = (float)values[row];
            *(label ? &out.labels[row] : &out.cells[row * *columns + at]) = value;
        }
        at += !label;
    }
    must(at == *columns, target, "is no column");
    free(values);
    vln_table_destroy(&table);
    free(text);
    return out;
}

static vln_recipe_t
read_recipe(const char *algorithm, char **pairs, int count)
{
    vln_recipe_terms_t terms = {.task = VLN_RECIPE_REGRESSION, .threads = 1};
    vln_recipe_t recipe;
    char why[VLN_RECIPE_WHY];
    must(vln_recipe_find(algorithm, &terms.algorithm), algorithm, "is not fitted here");
    vln_recipe_begin(&recipe, &terms);
    for (int i = 0; i < count; i++) {
        char name[NAME_ROOM];
        const char *equals = strchr(pairs[i], '=');
        must(equals && (size_t)(equals - pairs[i]) < sizeof name, pairs[i], "NAME=VALUE");
        memcpy(name, pairs[i], (size_t)(equals - pairs[i]));
        name[equals - pairs[i]] = '\0';
        must(vln_recipe_recall(&recipe, terms.algorithm, name, equals + 1, why), pairs[i], why);
    }
    return recipe;
}

static DMatrixHandle
matrix_of(const vln_fit_numbers_t *rows, size_t columns)
{
    DMatrixHandle out = NULL;
    must_xgb(XGDMatrixCreateFromMat(rows->cells, rows->rows, columns, NAN, &out));
    must_xgb(XGDMatrixSetFloatInfo(out, "label", rows->labels, rows->rows));
    return out;
}

static void
fit_fold(const vln_recipe_t *recipe, const vln_fit_numbers_t *all, size_t columns, vln_fold_t fold)
{
    vln_fit_numbers_t train = vln_fit_numbers_part(all, columns, fold, false);
    vln_fit_numbers_t held = vln_fit_numbers_part(all, columns, fold, true);
    DMatrixHandle matrices[] = {matrix_of(&train, columns), matrix_of(&held, columns)};
    BoosterHandle booster = NULL;
    must_xgb(XGBoosterCreate(matrices, 1, &booster));
    for (size_t i = 0; i < recipe->count; i++) {
        must_xgb(
            XGBoosterSetParam(booster, recipe->parameters[i].name, recipe->parameters[i].value));
    }
    for (int round = 0; round < (int)recipe->rounds; round++) {
        must_xgb(XGBoosterUpdateOneIter(booster, round, matrices[0]));
    }
    bst_ulong length = 0;
    const float *out = NULL;
    must_xgb(XGBoosterPredict(booster, matrices[1], 0, 0, 0, &length, &out));
    must(length == held.rows, "libxgboost", "predicts another number of rows");
    XGBoosterFree(booster);
    XGDMatrixFree(matrices[0]);
    XGDMatrixFree(matrices[1]);
    vln_fit_numbers_end(&train);
    vln_fit_numbers_end(&held);
}

static int
by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

int
main(int argc, char **argv)
{
    vln_log_init("bench_refit", "", VLN_LOG_ERROR);
    must(argc >= 6, "usage", "ROWS.csv TARGET FOLDS ROUNDS ALGORITHM [NAME=VALUE ...]");
    size_t columns = 0;
    vln_fit_numbers_t all = read_rows(argv[1], argv[2], &columns);
    size_t folds = (size_t)strtoul(argv[3], NULL, 10);
    size_t rounds = (size_t)strtoul(argv[4], NULL, 10);
    must(folds >= 2 && folds <= all.rows, "folds", "2 to the number of rows");
    must(rounds >= 1 && rounds <= ROUNDS_MAX, "rounds", "1 to 1000");
    vln_recipe_t recipe = read_recipe(argv[5], argv + 6, argc - 6);
    double *took = vln_calloc(rounds, sizeof *took);
    for (size_t round = 0; round < rounds; round++) {
        int64_t start_us = vln_mono_us();
        for (size_t i = 0; i < folds; i++) {
            fit_fold(&recipe, &all, columns, vln_fold(all.rows, folds, i));
        }
        took[round] = (double)(vln_mono_us() - start_us) / 1000;
    }
    qsort(took, rounds, sizeof *took, by_size);
    printf("fits %.3f\n", took[rounds / 2]);
    free(took);
    vln_fit_numbers_end(&all);
    return 0;
}
