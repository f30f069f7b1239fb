/*
 * valion-deployer - rollouts: decides, records, explains; what hosts are to run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "vln_database.h"
#include "vln_log.h"
#include "vln_migrate.h"

#include "deployer.h"

static const vln_opt_t options[] = {
    VLN_WORKER_OPTIONS(deployer_config_t, worker, "4"),
    VLN_OPT_ROW_TEXT(deployer_config_t, database, "database",
                     "host=/tmp dbname=valion user=valion_deployer",
                     "libpq connection string; a password comes from PGPASSFILE"),
    {0},
};

static const vln_worker_kind_t kinds[] = {{"deploy", deployer_run_deploy},
                                          {"rollback", deployer_run_rollback},
                                          {"watch", deployer_run_watch}};

const char *const deployer_topics[] = {
    [DEPLOYER_TOPIC_HOSTS] = "hosts", [DEPLOYER_TOPIC_ROLLOUTS] = "rollouts"};

deployer_worker_t *
deployer_worker_open(deployer_t *deployer)
{
    deployer_worker_t *self = vln_calloc(1, sizeof *self);
    self->deployer = deployer;
    vln_err_t err = deployer_store_open(&self->store, deployer->config->database);
    /* The schema was brought up to date before: SQL that does not fit it is a bug of ours. */
    vln_assert(err != VLN_INTERNAL);
    return self;
}

void
deployer_worker_close(deployer_worker_t **self_p)
{
    vln_artifacts_close(&(*self_p)->artifacts);
    vln_client_close(&(*self_p)->client);
    deployer_store_close(&(*self_p)->store);
    free(*self_p);
    *self_p = NULL;
}

vln_client_t *
deployer_client(deployer_worker_t *self)
{
    if (!self->client) {
        vln_client_config_t config;
        vln_service_client_config(self->deployer->service, &config);
        /* The service reads the same address, and would not have opened with one that cannot be. */
        vln_assert(vln_client_open(&self->client, &config) == VLN_OK);
    }
    return self->client;
}

vln_artifacts_t *
deployer_artifacts(deployer_worker_t *self)
{
    if (!self->artifacts) {
        self->artifacts =
            vln_artifacts_open(deployer_client(self), &self->deployer->config->worker.cache);
    }
    return self->artifacts;
}

static void *
open_worker(void *context)
{
    return deployer_worker_open(context);
}

static void
close_worker(void **worker_p)
{
    deployer_worker_t *worker = *worker_p;
    deployer_worker_close(&worker);
    *worker_p = NULL;
}

static vln_err_t
ensure_worker(void *worker)
{
    deployer_worker_t *self = worker;
    vln_err_t err = deployer_store_ensure(self->store);
    vln_service_set_health(self->deployer->service, "postgres", err == VLN_OK,
                           err == VLN_OK ? "" : "cannot be reached");
    return err;
}

static void
run_workers(void *context, vln_stop_t *stop)
{
    deployer_t *deployer = context;
    vln_workers_run(deployer->workers, stop);
}

/* By the original's names; an active deployment is an endpoint that serves. */
static size_t
own_numbers(void *worker, vln_service_number_t *out)
{
    deployer_worker_t *self = worker;
    deployer_numbers_t numbers;
    if (deployer_store_count(self->store, &numbers) != VLN_OK) {
        return 0;
    }
    const vln_service_number_t own[] = {
        {"total_deployments", (double)numbers.total},
        {"successful_deployments", (double)numbers.successful},
        {"failed_deployments", (double)numbers.failed},
        {"rollbacks", (double)numbers.rolled_back},
        {"average_deployment_time_ms", numbers.average_ms},
        {"active_deployments", (double)numbers.serving},
        {"total_active", (double)(numbers.serving + numbers.under_way)},
    };
    memcpy(out, own, sizeof own);
    return VLN_COUNT(own);
}

/* The event schema is the registry's to make: this waits until it is there. */
static vln_err_t
migrate(const char *database)
{
    vln_err_t err = vln_migrate_check(database, "event", VLN_EVENT_MAJOR, VLN_EVENT_MINOR);
    return err == VLN_OK ? vln_migrate_run(database, "deployment", deployment_migrations,
                                           deployment_migrations_count)
                         : err;
}

static vln_err_t
serve(deployer_t *deployer)
{
    static const vln_background_t background[] = {{"tick", deployer_run_tick},
                                                  {"tasks", run_workers}};
    const vln_service_config_t service = {.name = "deployer",
                                          .options = &deployer->config->worker.service,
                                          .descriptor = &valion__v1__deployer__descriptor,
                                          .methods = deployer_methods,
                                          .method_count = deployer_method_count,
                                          .topics = deployer_topics,
                                          .topic_count = DEPLOYER_TOPIC_COUNT,
                                          .background = background,
                                          .background_count = VLN_COUNT(background),
                                          .context = deployer,
                                          .open_worker = open_worker,
                                          .close_worker = close_worker,
                                          .ensure_worker = ensure_worker,
                                          .stats = own_numbers};
    vln_err_t err = vln_database_await(deployer->config->database, migrate);
    if (err == VLN_OK) {
        err = vln_service_open(&deployer->service, &service);
    }
    if (err == VLN_OK) {
        vln_workers_serve(deployer->workers, deployer->service);
        err = vln_service_run(deployer->service);
    }
    vln_service_close(&deployer->service);
    return err;
}

int
main(int argc, char **argv)
{
    deployer_config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    const vln_opt_program_t program = {"valion-deployer", "Rollouts of Valion.", options};
    vln_err_t err = vln_opt_parse(&program, &config, &level, argc, argv);
    if (err != VLN_OK) {
        return err == VLN_CANCELLED ? EXIT_SUCCESS : 2;
    }
    vln_log_init("deployer", config.worker.service.instance, level);
    deployer_t deployer = {.config = &config};
    const vln_worker_config_t workers = {
        .options = &config.worker, .kinds = kinds, .kind_count = VLN_COUNT(kinds)};
    deployer.workers = vln_workers_new(&workers);
    err = serve(&deployer);
    vln_workers_destroy(&deployer.workers);
    vln_info("service.stopped", kv_err(err));
    return err == VLN_OK || err == VLN_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
}
