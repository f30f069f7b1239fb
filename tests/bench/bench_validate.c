/*
 * bench_validate - what a validation cannot do without, bare: both sides' predictions by the native
 * engine, and every column that drift is told of, sorted, on both sides. One thread; medians in
 * milliseconds, for bench_validate.py.
 *
 *     bench_validate MODEL REFERENCE.csv CURRENT.csv TARGET ROUNDS
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_csv.h"
#include "vln_log.h"
#include "vln_native.h"
#include "vln_sample.h"
#include "vln_text.h"
#include "vln_time.h"
#include "vln_types.h"

enum { FILE_MAX_BYTES = 1024 * 1024 * 1024, ROUNDS_MAX = 1000, SIDES = 2 };

/* Rows of one side: as the model takes them, and column by column. */
typedef struct side {
    size_t rows;
    float *numbers;
    double **columns;
} side_t;

static void
must(bool good, const char *what, const char *why)
{
    if (!good) {
        fprintf(stderr, "bench_validate: %s: %s\n", what, why);
        exit(1);
    }
}

static side_t
read_side(const char *path, const char *target, const Valion__V1__Signature *signature,
          vln_arena_t *arena)
{
    size_t size = 0;
    char *text = NULL;
    must(vln_text_read_file(path, FILE_MAX_BYTES, &text, &size) == VLN_OK, path, "cannot be read");
    vln_csv_refusal_t refusal = {0};
    vln_table_t *table = NULL;
    const vln_csv_options_t options = {.infer = true, .max_bytes = FILE_MAX_BYTES};
    must(vln_csv_read(&options, text, size, &table, &refusal) == VLN_OK, path, "is refused");
    size_t count = vln_table_columns(table);
    vln_model_column_t *columns = vln_arena_alloc(arena, count * sizeof *columns);
    const vln_column_t **inputs = vln_arena_alloc(arena, count * sizeof(void *));
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const vln_column_t *column = vln_table_at(table, i);
        if (strcmp(column->name, target) != 0) {
            inputs[kept] = column;
            columns[kept++] =
                (vln_model_column_t){column->name, vln_type_to_contract(column->type)};
        }
    }
    char why[VLN_MODEL_WHY];
    vln_model_binding_t binding = {0};
    must(vln_model_bind(signature, columns, kept, arena, &binding, why) == VLN_OK, path, why);
    side_t side = {.rows = vln_table_rows(table)};
    side.numbers = vln_calloc(side.rows * binding.count, sizeof *side.numbers);
    side.columns = vln_calloc(binding.count, sizeof *side.columns);
    for (size_t at = 0; at < binding.count; at++) {
        side.columns[at] = vln_calloc(side.rows, sizeof **side.columns);
        must(vln_column_numbers(inputs[binding.columns[at]], side.rows, side.columns[at]), path,
             "an input is text");
        for (size_t row = 0; row < side.rows; row++) {
            side.numbers[row * binding.count + at] = (float)side.columns[at][row];
        }
    }
    vln_table_destroy(&table);
    free(text);
    return side;
}

static int
by_size(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static double
median(double *values, size_t count)
{
    qsort(values, count, sizeof *values, by_size);
    return values[count / 2];
}

static void
sort_side(const side_t *side, size_t columns)
{
    for (size_t i = 0; i < columns; i++) {
        vln_sample_t sample = vln_sample_make(side->columns[i], side->rows);
        vln_sample_end(&sample);
    }
}

int
main(int argc, char **argv)
{
    vln_log_init("bench_validate", "", VLN_LOG_ERROR);
    must(argc == 6, "usage", "MODEL REFERENCE.csv CURRENT.csv TARGET ROUNDS");
    size_t size = 0;
    char why[VLN_MODEL_WHY];
    vln_model_t about;
    vln_native_t *native = NULL;
    vln_arena_t *arena = vln_arena_new(VLN_MODEL_ARENA);
    char *file = NULL;
    must(vln_text_read_file(argv[1], FILE_MAX_BYTES, &file, &size) == VLN_OK, argv[1],
         "cannot be read");
    must(vln_model_read((const uint8_t *)file, size, VLN_MODEL_AUTO, arena, &about, why) ==
                 VLN_OK &&
             vln_native_open((const uint8_t *)file, size, &about, arena, &native, why) == VLN_OK,
         argv[1], why);
    const Valion__V1__Signature *signature = vln_model_signature(&about, arena);
    side_t sides[SIDES];
    for (size_t i = 0; i < SIDES; i++) {
        sides[i] = read_side(argv[2 + i], argv[4], signature, arena);
    }
    int rounds = (int)strtol(argv[5], NULL, 10);
    must(rounds >= 1 && rounds <= ROUNDS_MAX, "rounds", "1 to 1000");
    double *predicting = vln_calloc((size_t)rounds, sizeof *predicting);
    double *sorting = vln_calloc((size_t)rounds, sizeof *sorting);
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome;
    for (int round = 0; round < rounds; round++) {
        int64_t start_us = vln_mono_us();
        for (size_t i = 0; i < SIDES; i++) {
            const vln_sandbox_rows_t rows = {.rows = sides[i].rows,
                                             .numbers = sides[i].numbers,
                                             .number_count = about.feature_count};
            must(vln_native_predict(native, &rows, 3600 * 1000, &result, &outcome) == VLN_OK,
                 argv[1], "does not predict");
        }
        int64_t middle_us = vln_mono_us();
        for (size_t i = 0; i < SIDES; i++) {
            sort_side(&sides[i], about.feature_count);
        }
        predicting[round] = (double)(middle_us - start_us) / 1000;
        sorting[round] = (double)(vln_mono_us() - middle_us) / 1000;
    }
    printf("predict %.4f sort %.4f\n", median(predicting, (size_t)rounds),
           median(sorting, (size_t)rounds));
    return 0;
}
