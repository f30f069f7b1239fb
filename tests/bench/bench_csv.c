/*
 * bench_csv - how fast tables are read: a million made-up rows of ten columns, read as declared, as
 * inferred, and with texts, each against counting the lines of the same bytes by memchr.
 *
 * usage: bench_csv [ROWS [ROUNDS]]
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_csv.h"
#include "vln_mem.h"
#include "vln_text.h"
#include "vln_time.h"

enum { COLUMNS = 10, ROUNDS_MAX = 100, ROW_BYTES = 256 };

typedef struct data {
    char *bytes;
    size_t size;
    vln_csv_column_t columns[COLUMNS];
} data_t;

typedef struct timing {
    double least;
    double median;
} timing_t;

static uint64_t state = 42;

static uint32_t
next(uint32_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (uint32_t)((state >> 33) % below);
}

/* How a cell looks; `words` columns from the right are texts. */
static int
write_cell(char *out, size_t size, size_t column, size_t words)
{
    static const char *const texts[] = {"INLAND", "NEAR OCEAN", "<1H OCEAN", "Married-civ-spouse"};
    if (column + words >= COLUMNS) {
        return snprintf(out, size, "%s", texts[next(4)]);
    }
    if (column % 5 == 4) {
        return snprintf(out, size, "%u.%04u", next(15), next(10000));
    }
    if (column % 5 == 0) {
        return snprintf(out, size, "-%u.%02u", 114 + next(10), next(100));
    }
    return snprintf(out, size, "%u.0", next(column % 5 == 1 ? 60 : 40000));
}

static data_t
make(size_t rows, size_t words)
{
    static const char *const names[COLUMNS] = {"c0", "c1", "c2", "c3", "c4",
                                               "c5", "c6", "c7", "c8", "c9"};
    data_t self = {.bytes = vln_calloc(rows + 1, ROW_BYTES)};
    for (size_t i = 0; i < COLUMNS; i++) {
        self.columns[i] = (vln_csv_column_t){
            .name = names[i], .type = i + words >= COLUMNS ? VLN_TYPE_STRING : VLN_TYPE_F64};
        self.size += (size_t)snprintf(self.bytes + self.size, 8, "%s%s", names[i],
                                      i + 1 < COLUMNS ? "," : "\n");
    }
    for (size_t row = 0; row < rows; row++) {
        for (size_t i = 0; i < COLUMNS; i++) {
            self.size += (size_t)write_cell(self.bytes + self.size, 64, i, words);
            self.bytes[self.size++] = i + 1 < COLUMNS ? ',' : '\n';
        }
    }
    return self;
}

static size_t
count_lines(const data_t *data)
{
    size_t lines = 0;
    const char *end = data->bytes + data->size;
    for (const char *at = data->bytes; at < end; lines++) {
        at = (const char *)memchr(at, '\n', (size_t)(end - at)) + 1;
    }
    return lines;
}

static size_t
read_table(const data_t *data, bool infer)
{
    vln_csv_options_t options = {.columns = data->columns,
                                 .column_count = infer ? 0 : COLUMNS,
                                 .infer = infer,
                                 .max_bytes = data->size};
    vln_table_t *table = NULL;
    vln_csv_refusal_t refusal;
    if (vln_csv_read(&options, data->bytes, data->size, &table, &refusal) != VLN_OK) {
        fprintf(stderr, "bench_csv: %s\n", refusal.text);
        exit(EXIT_FAILURE);
    }
    size_t rows = vln_table_rows(table);
    vln_table_destroy(&table);
    return rows + 1;
}

typedef enum task { COUNT_LINES, READ_DECLARED, READ_INFERRED } task_t;

static int
by_time(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;
    return a < b ? -1 : a > b;
}

static timing_t
measure(const data_t *data, task_t task, size_t rounds)
{
    double times[ROUNDS_MAX];
    size_t lines = count_lines(data);
    for (size_t i = 0; i < rounds; i++) {
        int64_t begin = vln_mono_us();
        size_t seen =
            task == COUNT_LINES ? count_lines(data) : read_table(data, task == READ_INFERRED);
        times[i] = (double)(vln_mono_us() - begin) / 1e6;
        vln_assert(seen == lines);
    }
    qsort(times, rounds, sizeof times[0], by_time);
    return (timing_t){.least = times[0], .median = times[rounds / 2]};
}

static void
report(const char *what, const data_t *data, timing_t timing, timing_t lines)
{
    double megabytes = (double)data->size / 1e6;
    printf("%-28s %8.1f %8.1f ms %8.0f MB/s %8.1f x counting lines\n", what, timing.least * 1e3,
           timing.median * 1e3, megabytes / timing.median, timing.median / lines.median);
}

static void
run(const char *what, size_t rows, size_t words, size_t rounds)
{
    data_t data = make(rows, words);
    timing_t lines = measure(&data, COUNT_LINES, rounds);
    printf("%s: %zu rows, %d columns, %.1f MB\n", what, rows, COLUMNS, (double)data.size / 1e6);
    report("  lines by memchr", &data, lines, lines);
    report("  declared", &data, measure(&data, READ_DECLARED, rounds), lines);
    report("  inferred", &data, measure(&data, READ_INFERRED, rounds), lines);
    free(data.bytes);
}

int
main(int argc, char **argv)
{
    int64_t rows = 1000000;
    int64_t rounds = 5;
    bool good = (argc < 2 || vln_text_to_i64(argv[1], 1, VLN_CSV_ROWS_MAX, &rows)) &&
                (argc < 3 || vln_text_to_i64(argv[2], 1, ROUNDS_MAX, &rounds)) && argc <= 3;
    if (!good) {
        fputs("usage: bench_csv [ROWS [ROUNDS]]\n", stderr);
        return 2;
    }
    printf("%-28s %8s %8s\n", "", "least", "median");
    run("numbers", (size_t)rows, 0, (size_t)rounds);
    run("numbers and three texts", (size_t)rows, 3, (size_t)rounds);
    return EXIT_SUCCESS;
}
