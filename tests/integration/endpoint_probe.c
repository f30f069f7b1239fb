/*
 * endpoint_probe - asks a model on a server by way of the endpoint predictor. Rows of four numbers come
 * on standard input; what it takes and gives is the signature of a folder of server_folder.
 *
 *   endpoint_probe FOLDER URL ALLOWED REQUEST_MS PREDICT_MS STOP_MS
 *
 * Prints "asking", then "OK", what served, and a line for each row: its numbers and its label, -1 for
 * none; or an error's name and its sentence.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <valion/v1/deployer.pb-c.h>

#include "vln_endpoint.h"
#include "vln_log.h"
#include "vln_text.h"
#include "vln_time.h"

enum { FEATURES = 4, ROWS_MAX = 5000, PATH_ROOM = 1024, INSTANCE_MAX = 1 << 20, WORDS = 7 };

static const char *const names[] = {"area", "rooms", "age", "distance"};

static Valion__V1__WantedInstance *
read_instance(const char *folder)
{
    char path[PATH_ROOM];
    char *bytes = NULL;
    size_t size = 0;
    snprintf(path, sizeof path, "%s/instance.pb", folder);
    vln_assert(vln_text_read_file(path, INSTANCE_MAX, &bytes, &size) == VLN_OK);
    Valion__V1__WantedInstance *instance =
        valion__v1__wanted_instance__unpack(NULL, size, (const uint8_t *)bytes);
    vln_assert(instance && instance->signature);
    free(bytes);
    return instance;
}

static vln_table_t *
read_rows(void)
{
    vln_table_t *table = vln_table_new();
    double *cells = vln_calloc(ROWS_MAX * FEATURES, sizeof *cells);
    size_t count = 0;
    while (count < ROWS_MAX * FEATURES && scanf("%lf", &cells[count]) == 1) {
        count++;
    }
    for (size_t i = 0; i < FEATURES; i++) {
        vln_table_add(table, names[i], VLN_TYPE_F64);
    }
    vln_table_set_rows(table, count / FEATURES);
    for (size_t i = 0; i < count; i++) {
        if (!isnan(cells[i])) {
            vln_column_set_f64(vln_table_edit(table, i % FEATURES), i / FEATURES, cells[i]);
        }
    }
    free(cells);
    return table;
}

static bool
is_over(const void *context)
{
    return vln_mono_ms() >= *(const int64_t *)context;
}

static void
show(const vln_predictor_t *predictor, const vln_sandbox_result_t *result)
{
    vln_arena_t *arena = vln_arena_new(PATH_ROOM);
    vln_assert(vln_predictor_engine(predictor) == VALION__V1__ENGINE__ENGINE_ENDPOINT);
    printf("OK\n%s\n", vln_predictor_engine_version(predictor, arena));
    for (size_t row = 0; row < result->rows; row++) {
        for (size_t i = 0; i < result->width; i++) {
            printf("%.9g ", (double)result->values[row * result->width + i]);
        }
        printf("%d\n", result->labels ? (int)result->labels[row] : -1);
    }
    vln_arena_destroy(&arena);
}

int
main(int argc, char **argv)
{
    if (argc != WORDS) {
        fprintf(stderr, "usage: endpoint_probe FOLDER URL ALLOWED REQUEST_MS PREDICT_MS STOP_MS\n");
        return 2;
    }
    vln_log_init("test", "", VLN_LOG_WARN);
    Valion__V1__WantedInstance *instance = read_instance(argv[1]);
    vln_table_t *table = read_rows();
    vln_endpoint_t *endpoint = NULL;
    vln_predictor_t *predictor = NULL;
    vln_sandbox_result_t result = {0};
    vln_outcome_t outcome;
    printf("asking\n");
    fflush(stdout);
    int64_t stop_ms = vln_mono_ms() + strtoll(argv[6], NULL, 10);
    const vln_endpoint_config_t config = {.url = argv[2],
                                          .allowed = argv[3],
                                          .signature = instance->signature,
                                          .request_ms = strtoll(argv[4], NULL, 10),
                                          .predict_ms = strtoll(argv[5], NULL, 10),
                                          .deadline_ms = INT64_MAX,
                                          .is_stopped = is_over,
                                          .context = &stop_ms};
    vln_err_t err = vln_endpoint_open(&config, &endpoint, &outcome);
    if (err == VLN_OK) {
        const vln_predictor_remote_t remote = vln_endpoint_remote(&endpoint);
        predictor = vln_predictor_open_remote(&remote, instance->signature);
        err = vln_predictor_predict(predictor, table, 0, vln_table_rows(table), &result, &outcome);
    }
    if (err == VLN_OK) {
        show(predictor, &result);
    } else {
        printf("%s\n%s\n", vln_err_name(err), outcome.sentence);
    }
    vln_sandbox_result_end(&result);
    vln_predictor_close(&predictor);
    vln_table_destroy(&table);
    valion__v1__wanted_instance__free_unpacked(instance, NULL);
    return 0;
}
