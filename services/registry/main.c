/*
 * valion-registry - models, versions, artifacts, and the event log.
 */
#include <stdio.h>
#include <stdlib.h>

#include "vln_database.h"
#include "vln_log.h"

#include "piece.h"
#include "registry.h"
#include "registry_files.h"
#include "registry_policies.h"
#include "stage.h"
#include "valion/v1/registry.pb-c.h"

static const vln_opt_t options[] = {
    VLN_WORKER_OPTIONS(registry_config_t, worker, "4"),
    VLN_OPT_ROW_TEXT(registry_config_t, database, "database",
                     "host=/tmp dbname=valion user=valion_registry",
                     "libpq connection string; a password comes from PGPASSFILE"),
    {"path", VLN_OPT_TEXT, offsetof(registry_config_t, path), "var/registry", 0, 0,
     "MLOPS_REGISTRY_PATH", "folder of artifact files and of the log's signed heads"},
    VLN_OPT_ROW_INT(registry_config_t, max_artifact_mib, "max-artifact-mib", "2048", 1, 1 << 20,
                    "largest artifact that is taken, MiB"),
    VLN_OPT_ROW_TEXT(registry_config_t, protected_stages, "protected-stages", "production",
                     "stages that need evidence, comma-separated"),
    VLN_OPT_ROW_TEXT(registry_config_t, protected_environments, "protected-environments",
                     "production", "environments that need evidence, comma-separated"),
    {0},
};

/* Of chunks that were read last; all of them together. */
enum { FLIGHT_BYTES = 8 * 1024 * 1024 };

const char *const registry_topics[] = {[REGISTRY_TOPIC_LOG] = "log"};

static void
close_worker(void **worker_p)
{
    registry_worker_t *worker = *worker_p;
    registry_store_close(&worker->store);
    registry_log_close(&worker->log);
    vln_cache_close(&worker->cache);
    registry_pack_destroy(&worker->pack);
    free(worker);
    *worker_p = NULL;
}

static void *
open_worker(void *context)
{
    registry_t *registry = context;
    registry_worker_t *worker = vln_calloc(1, sizeof *worker);
    worker->registry = registry;
    worker->cache = vln_cache_open(&registry->config->worker.cache);
    worker->pack = registry_pack_new();
    vln_err_t store_err = registry_store_open(&worker->store, registry->config->database);
    vln_err_t log_err = registry_log_open(&worker->log, registry->config->database);
    /* The schema was brought up to date before: SQL that does not fit it is a bug of ours. */
    vln_assert(store_err != VLN_INTERNAL && log_err != VLN_INTERNAL);
    return worker;
}

static vln_err_t
ensure_worker(void *worker)
{
    registry_worker_t *self = worker;
    vln_err_t err = registry_store_ensure(self->store);
    err = err == VLN_OK ? registry_log_ensure(self->log) : err;
    vln_service_set_health(self->registry->service, "postgres", err == VLN_OK,
                           err == VLN_OK ? "" : "cannot be reached");
    return err;
}

static vln_err_t
migrate(const char *database)
{
    vln_err_t err =
        vln_migrate_run(database, "event", vln_event_migrations, vln_event_migrations_count);
    if (err == VLN_OK) {
        err = vln_migrate_run(database, "registry", registry_migrations, registry_migrations_count);
    }
    return err == VLN_OK ? registry_policies_ship(database) : err;
}

/* By the original's names. */
static size_t
own_numbers(void *worker, vln_service_number_t *out)
{
    static const char *const names[] = {[STAGE_DEVELOPMENT] = "stage_development",
                                        [STAGE_STAGING] = "stage_staging",
                                        [STAGE_PRODUCTION] = "stage_production",
                                        [STAGE_ARCHIVED] = "stage_archived"};
    registry_worker_t *self = worker;
    registry_counts_t counts;
    if (registry_store_count(self->store, &counts) != VLN_OK) {
        return 0;
    }
    size_t count = 0;
    out[count++] = (vln_service_number_t){"models_count", (double)counts.models};
    out[count++] = (vln_service_number_t){"versions_count", (double)counts.versions};
    for (int stage = STAGE_DEVELOPMENT; stage < STAGE_COUNT; stage++) {
        out[count++] = (vln_service_number_t){names[stage], (double)counts.of_stage[stage]};
    }
    out[count++] =
        (vln_service_number_t){"total_size_mb", (double)counts.blob_bytes / (1024.0 * 1024.0)};
    return count;
}

static vln_err_t
prepare(registry_t *self)
{
    if (!stage_parse_list(self->config->protected_stages, &self->protected_stages)) {
        vln_error("option.wrong", kv_str("option", "protected-stages"),
                  kv_str("detail", "stages are development, staging, production and archived"));
        return VLN_FAILED_PRECONDITION;
    }
    vln_err_t err = registry_files_prepare(self->config->path);
    if (err != VLN_OK) {
        return VLN_FAILED_PRECONDITION;
    }
    char path[512];
    snprintf(path, sizeof path, "%s/secret/audit.key", self->config->worker.service.keys);
    self->has_audit_key = vln_sign_load_secret(path, self->audit_key) == VLN_OK;
    if (!self->has_audit_key) {
        vln_warn("audit_key.missing", kv_str("detail", "the log's heads are not signed here"));
    }
    return vln_database_await(self->config->database, migrate);
}

static const vln_worker_kind_t task_kinds[] = {{"promote", registry_run_promotion}};

static void
run_workers(void *context, vln_stop_t *stop)
{
    registry_t *registry = context;
    vln_workers_run(registry->workers, stop);
}

int
main(int argc, char **argv)
{
    static const vln_background_t background[] = {
        {"relay", registry_run_relay}, {"keeper", registry_run_keeper}, {"tasks", run_workers}};
    registry_config_t config = {0};
    vln_log_level_t level = VLN_LOG_INFO;
    const vln_opt_program_t program = {
        "valion-registry", "Models, versions, artifacts and the event log of Valion.", options};
    vln_err_t err = vln_opt_parse(&program, &config, &level, argc, argv);
    if (err != VLN_OK) {
        return err == VLN_CANCELLED ? EXIT_SUCCESS : 2;
    }
    /* A promotion is a call of its own: one at a time is enough unless somebody says otherwise. */
    config.worker.slots = config.worker.slots > 0 ? config.worker.slots : 1;
    vln_log_init("registry", config.worker.service.instance, level);

    registry_t registry = {.config = &config, .flight = vln_flight_new(FLIGHT_BYTES, PIECE_BYTES)};
    const vln_service_config_t service = {.name = "registry",
                                          .options = &config.worker.service,
                                          .descriptor = &valion__v1__registry__descriptor,
                                          .methods = registry_methods,
                                          .method_count = registry_method_count,
                                          .planned = registry_planned,
                                          .planned_count = registry_planned_count,
                                          .topics = registry_topics,
                                          .topic_count = REGISTRY_TOPIC_COUNT,
                                          .background = background,
                                          .background_count = VLN_COUNT(background),
                                          .context = &registry,
                                          .open_worker = open_worker,
                                          .close_worker = close_worker,
                                          .ensure_worker = ensure_worker,
                                          .stats = own_numbers};
    const vln_worker_config_t workers = {
        .options = &config.worker, .kinds = task_kinds, .kind_count = VLN_COUNT(task_kinds)};
    registry.workers = vln_workers_new(&workers);
    err = prepare(&registry);
    if (err == VLN_OK) {
        err = vln_service_open(&registry.service, &service);
    }
    if (err == VLN_OK) {
        vln_workers_serve(registry.workers, registry.service);
        err = vln_service_run(registry.service);
    }
    vln_service_close(&registry.service);
    vln_workers_destroy(&registry.workers);
    vln_flight_destroy(&registry.flight);
    vln_info("service.stopped", kv_err(err));
    return err == VLN_OK || err == VLN_CANCELLED ? EXIT_SUCCESS : EXIT_FAILURE;
}
