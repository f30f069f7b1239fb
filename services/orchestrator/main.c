/*
 * valion-orchestrator - tasks, leases, the jobs that people submit, pipelines and their runs.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vln_database.h"
#include "vln_log.h"

#include "orchestrator.h"

static const vln_opt_t options[] = {
    VLN_SERVICE_OPTIONS(orchestrator_config_t, service, "4"),
    VLN_OPT_ROW_TEXT(orchestrator_config_t, database, "database",
                     "host=/tmp dbname=valion user=valion_orchestrator",
                     "libpq connection string; a password comes from PGPASSFILE"),
    VLN_OPT_ROW_INT(orchestrator_config_t, max_ready, "max-ready", "1000000", 1, 100000000,
                    "tasks that may wait for workers; beyond, SubmitJob is refused"),
    {0},
};

const char *const orchestrator_topics[] = {
    [ORCHESTRATOR_TOPIC_READY] = "ready",
    [ORCHESTRATOR_TOPIC_JOB] = "job",
    [ORCHESTRATOR_TOPIC_RUN] = "run",
    [ORCHESTRATOR_TOPIC_LOG] = "log",
};

static void
close_worker(void **worker_p)
{
    orchestrator_worker_t *worker = *worker_p;
    orchestrator_store_close(&worker->store);
    free(worker);
    *worker_p = NULL;
}

static void *
open_worker(void *context)
{
    orchestrator_t *orchestrator = context;
    orchestrator_worker_t *worker = vln_calloc(1, sizeof *worker);
    worker->orchestrator = orchestrator;
    vln_err_t err = orchestrator_store_open(&worker->store, orchestrator->config->database);
    /* The schema was brought up to date before: SQL that does not fit it is a bug of ours. */
    vln_assert(err != VLN_INTERNAL);
    return worker;
}

static vln_err_t
ensure_worker(void *worker)
{
    orchestrator_worker_t *self = worker;
    vln_err_t err = orchestrator_store_ensure(self->store);
    vln_service_set_health(self->orchestrator->service, "postgres", err == VLN_OK,
                           err == VLN_OK ? "" : "cannot be reached");
    return err;
}

/* The event schema is the registry's to make: this waits until it is there. */
static vln_err_t
migrate(const char *database)
{
    vln_err_t err = vln_migrate_check(database, "event", VLN_EVENT_MAJOR, VLN_EVENT_MINOR);
    if (err == VLN_OK) {
        err = vln_migrate_run(database, "pipeline", pipeline_migrations, pipeline_migrations_count);
    }
    return err == VLN_OK ? orchestrator_ship_pipelines(database) : err;
}

static vln_err_t
prepare(orchestrator_t *self)
{
    char path[512];
    snprintf(path, sizeof path, "%s/secret/ticket.key", self->config->service.keys);
    if (vln_sign_load_secret(path, self->ticket_key) != VLN_OK) {
        vln_error("ticket_key.missing", kv_str("file", path),
                  kv_str("detail", "make it with 'valion keys init'"));
        return VLN_FAILED_PRECONDITION;
    }
    return vln_database_await(self->config->database, migrate);
}

int
main(int argc, char **argv)
{
    static const vln_background_t background[] = {{"sweep", orchestrator_run_sweep}};
    orchestrator_config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    const vln_opt_program_t program = {"valion-orchestrator",
                                       "Tasks, leases, jobs and pipelines of Valion.", options};
    vln_err_t err = vln_opt_parse(&program, &config, &level, argc, argv);
    if (err != VLN_OK) {
        return err == VLN_CANCELLED ? EXIT_SUCCESS : 2;
    }
    vln_log_init("orchestrator", config.service.instance, level);

    orchestrator_t orchestrator = {.config = &config};
    const vln_service_config_t service = {.name = "orchestrator",
                                          .options = &config.service,
                                          .descriptor = &valion__v1__orchestrator__descriptor,
                                          .methods = orchestrator_methods,
                                          .method_count = orchestrator_method_count,
                                          .planned = orchestrator_planned,
                                          .planned_count = orchestrator_planned_count,
                                          .topics = orchestrator_topics,
                                          .topic_count = ORCHESTRATOR_TOPIC_COUNT,
                                          .background = background,
                                          .background_count = VLN_COUNT(background),
                                          .context = &orchestrator,
                                          .open_worker = open_worker,
                                          .close_worker = close_worker,
                                          .ensure_worker = ensure_worker,
                                          .stats = orchestrator_stats};
    err = prepare(&orchestrator);
    if (err == VLN_OK) {
        err = vln_service_open(&orchestrator.service, &service);
    }
    if (err == VLN_OK) {
        orchestrator.ready_gauge =
            vln_metrics_counter(vln_service_metrics(orchestrator.service), "tasks", "ready");
        err = vln_service_run(orchestrator.service);
    }
    vln_service_close(&orchestrator.service);
    vln_info("service.stopped", kv_err(err));
    return err == VLN_OK || err == VLN_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
}
