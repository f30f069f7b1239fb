/*
 * valion-validator - judges versions: tasks `validate`, `inspect` and `profile`.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_endpoint_url.h"
#include "vln_log.h"
#include "vln_pb.h"

#include "validator_models.h"
#include "valion/v1/validator.pb-c.h"

enum { CPU_SECONDS = 120, MIB = 1024 * 1024 };

static const vln_opt_t options[] = {
    VLN_WORKER_OPTIONS(validator_config_t, worker, "1"),
    VLN_TABLE_CACHE_OPTIONS(validator_config_t, worker),
    VLN_OPT_ROW_TEXT(validator_config_t, sandbox, "sandbox", NULL,
                     "program that runs models; default: valion-sandbox beside this one"),
    VLN_OPT_ROW_TEXT(validator_config_t, fit, "fit", NULL,
                     "program that fits, for stability; default: valion-fit beside this one"),
    VLN_OPT_ROW_TEXT(validator_config_t, endpoints, "endpoints", NULL,
                     "addresses that the engine ENDPOINT may ask, comma-separated, such as "
                     "http://models:8080/v2; default: none"),
    VLN_OPT_ROW_INT(validator_config_t, load_ms, "model-load-ms", "30000", 100, 600000,
                    "how long a model's file may take to load"),
    VLN_OPT_ROW_INT(validator_config_t, predict_ms, "model-predict-ms", "60000", 100, 600000,
                    "how long a model may take for all of its rows"),
    VLN_OPT_ROW_INT(validator_config_t, memory_mib, "model-memory-mib", "2048", 64, 1048576,
                    "memory that a model may take beyond its file and its rows"),
    VLN_OPT_ROW_INT(validator_config_t, model_cache_mib, "model-cache-mib", "128", 0, 65536,
                    "files of models that a slot keeps open for the next task"),
    {0},
};

static const vln_worker_kind_t kinds[] = {
    {"validate", validator_validate},
    {"inspect", validator_inspect},
    {"profile", validator_profile},
};

static const char *const counters[VALIDATOR_COUNTERS] = {
    [VALIDATOR_TOTAL] = "validations_total",
    [VALIDATOR_PASSED] = "validations_passed",
    [VALIDATOR_WARNED] = "validations_warned",
    [VALIDATOR_FAILED] = "validations_failed",
    [VALIDATOR_INCONCLUSIVE] = "validations_inconclusive",
    [VALIDATOR_DURATION_MS] = "duration_ms_total",
    [VALIDATOR_ROWS] = "rows_total",
    [VALIDATOR_CRASHES] = "sandbox_crashes",
    [VALIDATOR_INSPECTIONS] = "inspections_total",
    [VALIDATOR_PROFILES] = "profiles_total",
};

void
validator_count(const vln_worker_t *worker, size_t counter, int64_t amount)
{
    const validator_slot_t *slot = worker->own;
    vln_metrics_add(vln_service_metrics(worker->service), slot->validator->counters[counter],
                    amount);
}

vln_sandbox_t *
validator_sandbox(vln_worker_t *worker, vln_task_t *task)
{
    validator_slot_t *slot = worker->own;
    const validator_config_t *options_given = slot->validator->config;
    const vln_sandbox_config_t config = {.program = options_given->sandbox,
                                         .load_ms = options_given->load_ms,
                                         .predict_ms = options_given->predict_ms,
                                         .memory_bytes = (size_t)options_given->memory_mib * MIB,
                                         .cpu_seconds = CPU_SECONDS,
                                         .when_needed = true};
    if (!slot->sandbox && vln_sandbox_open(&config, &slot->sandbox) != VLN_OK) {
        vln_task_fail(task, true, "valion-sandbox cannot be started here; its log says why");
    }
    return slot->sandbox;
}

bool
validator_note_outcome(const vln_worker_t *worker, const vln_outcome_t *outcome)
{
    if (outcome->detail[0]) {
        vln_warn("sandbox.detail", kv_str("text", outcome->detail));
    }
    bool crashed = outcome->verdict == VLN_VERDICT_CRASHED ||
                   outcome->verdict == VLN_VERDICT_TIME || outcome->verdict == VLN_VERDICT_MEMORY ||
                   outcome->verdict == VLN_VERDICT_PROTOCOL;
    if (crashed) {
        validator_count(worker, VALIDATOR_CRASHES, 1);
    }
    return crashed;
}

static void *
open_slot(void *context)
{
    validator_slot_t *slot = vln_calloc(1, sizeof *slot);
    slot->validator = context;
    slot->models = validator_models_new((size_t)slot->validator->config->model_cache_mib * MIB);
    return slot;
}

static void
close_slot(void **slot_p)
{
    validator_slot_t *slot = *slot_p;
    validator_models_destroy(&slot->models);
    vln_sandbox_close(&slot->sandbox);
    free(slot);
    *slot_p = NULL;
}

/* ---- the service ---- */

static void
run_workers(void *context, vln_stop_t *stop)
{
    validator_t *self = context;
    vln_workers_run(self->workers, stop);
}

/* Its threads answer GetHealth and GetStats alone, and read the process's numbers. */
static void *
open_worker(void *context)
{
    return context;
}

static void
close_worker(void **worker_p)
{
    *worker_p = NULL;
}

static double
ratio(const validator_t *self, size_t above, size_t below)
{
    const vln_metrics_t *metrics = vln_service_metrics(self->service);
    int64_t total = vln_metrics_value(metrics, self->counters[below]);
    return total > 0 ? (double)vln_metrics_value(metrics, self->counters[above]) / (double)total
                     : 0;
}

static size_t
own_numbers(void *worker, vln_service_number_t *out)
{
    const validator_t *self = worker;
    out[0] = (vln_service_number_t){"pass_rate", ratio(self, VALIDATOR_PASSED, VALIDATOR_TOTAL)};
    out[1] = (vln_service_number_t){"average_duration_ms",
                                    ratio(self, VALIDATOR_DURATION_MS, VALIDATOR_TOTAL)};
    return 2;
}

static vln_err_t
serve(validator_t *self)
{
    static const vln_background_t background[] = {{"tasks", run_workers}};
    const vln_service_config_t service = {.name = "validator",
                                          .options = &self->config->worker.service,
                                          .descriptor = &valion__v1__validator__descriptor,
                                          .background = background,
                                          .background_count = VLN_COUNT(background),
                                          .context = self,
                                          .open_worker = open_worker,
                                          .close_worker = close_worker,
                                          .stats = own_numbers};
    vln_err_t err = vln_service_open(&self->service, &service);
    if (err == VLN_OK) {
        vln_metrics_t *metrics = vln_service_metrics(self->service);
        for (size_t i = 0; i < VALIDATOR_COUNTERS; i++) {
            self->counters[i] = vln_metrics_counter(metrics, "", counters[i]);
        }
        vln_workers_serve(self->workers, self->service);
        err = vln_service_run(self->service);
    }
    vln_service_close(&self->service);
    return err;
}

int
main(int argc, char **argv)
{
    validator_config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    const vln_opt_program_t program = {"valion-validator", "Judges versions of models for Valion.",
                                       options};
    vln_err_t err = vln_opt_parse(&program, &config, &level, argc, argv);
    if (err != VLN_OK) {
        return err == VLN_CANCELLED ? EXIT_SUCCESS : 2;
    }
    char why[VLN_MODEL_WHY];
    if (!vln_endpoint_allowed_check(config.endpoints, why)) {
        fprintf(stderr, "valion-validator: --endpoints: %s\n", why);
        return 2;
    }
    vln_log_init("validator", config.worker.service.instance, level);
    validator_t validator = {.config = &config};
    const vln_worker_config_t workers = {.options = &config.worker,
                                         .kinds = kinds,
                                         .kind_count = VLN_COUNT(kinds),
                                         .context = &validator,
                                         .open = open_slot,
                                         .close = close_slot};
    validator.workers = vln_workers_new(&workers);
    err = serve(&validator);
    vln_workers_destroy(&validator.workers);
    vln_info("service.stopped", kv_err(err));
    return err == VLN_OK || err == VLN_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
}
