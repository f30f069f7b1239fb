/*
 * valion-trainer - fits models and preprocessors: tasks `train` and `transform`.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_log.h"

#include "trainer.h"
#include "valion/v1/trainer.pb-c.h"

enum { NOTE_MAX = 600 };

static const vln_opt_t options[] = {
    VLN_WORKER_OPTIONS(trainer_config_t, worker, "1"),
    VLN_TABLE_CACHE_OPTIONS(trainer_config_t, worker),
    VLN_OPT_ROW_TEXT(trainer_config_t, sandbox, "sandbox", NULL,
                     "program that runs models; default: valion-sandbox beside this one"),
    VLN_OPT_ROW_TEXT(trainer_config_t, fit, "fit", NULL,
                     "program that fits models; default: valion-fit beside this one"),
    VLN_OPT_ROW_INT(trainer_config_t, memory_mib, "fit-memory-mib", "4096", 256, 1048576,
                    "address space of one fit"),
    VLN_OPT_ROW_INT(trainer_config_t, max_fit_s, "max-fit-s", "3600", 1, 86400,
                    "how long one fit may take"),
    {0},
};

static const vln_worker_kind_t kinds[] = {
    {"train", trainer_train},
    {"transform", trainer_transform},
};

static const char *const counters[TRAINER_COUNTERS] = {
    [TRAINER_TRAININGS] = "trainings_total",     [TRAINER_TRAININGS_FAILED] = "trainings_failed",
    [TRAINER_TRANSFORMS] = "transforms_total",   [TRAINER_ROWS] = "rows_total",
    [TRAINER_DURATION_MS] = "duration_ms_total", [TRAINER_CRASHES] = "sandbox_crashes",
};

void
trainer_count(const vln_worker_t *worker, size_t counter, int64_t amount)
{
    const trainer_slot_t *slot = worker->own;
    vln_metrics_add(vln_service_metrics(worker->service), slot->trainer->counters[counter], amount);
}

vln_sandbox_t *
trainer_sandbox(vln_worker_t *worker, vln_task_t *task)
{
    trainer_slot_t *slot = worker->own;
    const vln_sandbox_config_t config = {.program = slot->trainer->config->sandbox,
                                         .load_ms = 30000,
                                         .predict_ms = 60000,
                                         .cpu_seconds = 60,
                                         .when_needed = true};
    if (!slot->sandbox && vln_sandbox_open(&config, &slot->sandbox) != VLN_OK) {
        vln_task_fail(task, true, "valion-sandbox cannot be started here; its log says why");
    }
    return slot->sandbox;
}

void
trainer_note(vln_arena_t *arena, trainer_notes_t *notes, const char *format, ...)
{
    char text[NOTE_MAX];
    va_list args;
    va_start(args, format);
    int size = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    bool whole = size >= 0 && (size_t)size < sizeof text; /* a name cut in two would be no text */
    if (whole && notes->count < TRAINER_NOTES_MAX) {
        notes->texts[notes->count++] = vln_arena_strdup(arena, text);
    }
}

bool
trainer_check_cells(vln_task_t *task, size_t rows, size_t columns)
{
    bool fits = columns == 0 || rows <= TRAINER_CELLS_MAX / columns;
    if (!fits) {
        vln_task_fail(task, false,
                      "%zu rows of %zu prepared columns are too much: drop some, or encode them "
                      "with fewer max_categories or by ENCODE_ORDINAL",
                      rows, columns);
    }
    return fits;
}

void
trainer_fail_outcome(vln_task_t *task, vln_err_t err, const char *what,
                     const vln_outcome_t *outcome)
{
    if (outcome->detail[0]) {
        vln_warn("sandbox.detail", kv_str("text", outcome->detail));
    }
    vln_worker_fail(task, err, what, outcome->sentence);
}

static void *
open_slot(void *context)
{
    trainer_slot_t *slot = vln_calloc(1, sizeof *slot);
    slot->trainer = context;
    return slot;
}

static void
close_slot(void **slot_p)
{
    trainer_slot_t *slot = *slot_p;
    vln_sandbox_close(&slot->sandbox);
    free(slot);
    *slot_p = NULL;
}

static vln_err_t
serve(trainer_t *trainer)
{
    static const vln_background_t background[] = {{"tasks", vln_workers_run}};
    const vln_service_config_t service = {.name = "trainer",
                                          .options = &trainer->config->worker.service,
                                          .descriptor = &valion__v1__trainer__descriptor,
                                          .background = background,
                                          .background_count = VLN_COUNT(background),
                                          .context = trainer->workers};
    vln_err_t err = vln_service_open(&trainer->service, &service);
    if (err == VLN_OK) {
        vln_metrics_t *metrics = vln_service_metrics(trainer->service);
        for (size_t i = 0; i < TRAINER_COUNTERS; i++) {
            trainer->counters[i] = vln_metrics_counter(metrics, "", counters[i]);
        }
        vln_workers_serve(trainer->workers, trainer->service);
        err = vln_service_run(trainer->service);
    }
    vln_service_close(&trainer->service);
    return err;
}

int
main(int argc, char **argv)
{
    trainer_config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    const vln_opt_program_t program = {"valion-trainer",
                                       "Fits models and preprocessors for Valion.", options};
    vln_err_t err = vln_opt_parse(&program, &config, &level, argc, argv);
    if (err != VLN_OK) {
        return err == VLN_CANCELLED ? EXIT_SUCCESS : 2;
    }
    vln_log_init("trainer", config.worker.service.instance, level);
    trainer_t trainer = {.config = &config};
    const vln_worker_config_t workers = {.options = &config.worker,
                                         .kinds = kinds,
                                         .kind_count = VLN_COUNT(kinds),
                                         .context = &trainer,
                                         .open = open_slot,
                                         .close = close_slot};
    trainer.workers = vln_workers_new(&workers);
    err = serve(&trainer);
    vln_workers_destroy(&trainer.workers);
    vln_info("service.stopped", kv_err(err));
    return err == VLN_OK || err == VLN_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
}
