/*
 * The pipeline that ships: the six stages from a data set to a watched endpoint, by real kinds.
 *
 * It is a file like any other (docs/pipelines.md). A newer one than the installation has becomes its
 * next version, unless somebody has applied a version of their own.
 */
#include <string.h>

#include "vln_log.h"

#include "orchestrator.h"
#include "orchestrator_pipelines.h"

enum { ARENA_BUDGET = 16 * 1024 * 1024 };

static const char shipped_by[] = "valion";

/* The held-out part is parted off first: what is fitted never sees the rows that judge it. */
static const char shipped[] =
    "{\"name\": \"default\","
    " \"description\": \"From a data set to a watched endpoint: prepare, train, validate, deploy, "
    "monitor.\","
    " \"max_concurrent_runs\": 1,"
    " \"timeout_ms\": 14400000,"
    " \"parameters\": ["
    "  {\"name\": \"model\", \"type\": \"STRING\", \"description\": \"made when it is not there\"},"
    "  {\"name\": \"dataset\", \"type\": \"STRING\", \"description\": \"a data set's name\"},"
    "  {\"name\": \"target\", \"type\": \"STRING\", \"description\": \"the column to predict\"},"
    "  {\"name\": \"environment\", \"type\": \"STRING\", \"default\": \"staging\"},"
    "  {\"name\": \"algorithm\", \"type\": \"STRING\", \"default\": \"gradient_boosting\","
    "   \"description\": \"gradient_boosting, random_forest or elastic_net\"},"
    "  {\"name\": \"policy\", \"type\": \"STRING\", \"default\": null,"
    "   \"description\": \"null: the one in force for the model's task\"}],"
    " \"steps\": ["
    "  {\"name\": \"data_preparation\", \"stage\": \"DATA_PREPARATION\", \"kind\": \"transform\","
    "   \"parameters\": {"
    "    \"data\": {\"name\": \"${params.dataset}\"},"
    "    \"target\": \"${params.target}\","
    "    \"split\": {\"train_share\": 0.8, \"seed\": 42},"
    "    \"output\": \"${params.dataset}-parts\"}},"
    "  {\"name\": \"feature_engineering\", \"stage\": \"FEATURE_ENGINEERING\","
    "   \"kind\": \"transform\", \"dependencies\": [\"data_preparation\"],"
    "   \"parameters\": {"
    "    \"data\": \"${steps.data_preparation.outputs.outputs[0]}\","
    "    \"target\": \"${params.target}\","
    "    \"columns\": [{\"scale\": \"STANDARD\"},"
    "                {\"encode\": \"ONE_HOT\", \"max_categories\": 64}]}},"
    "  {\"name\": \"model_training\", \"stage\": \"MODEL_TRAINING\", \"kind\": \"train\","
    "   \"dependencies\": [\"data_preparation\", \"feature_engineering\"],"
    "   \"parameters\": {"
    "    \"model\": \"${params.model}\","
    "    \"data\": \"${steps.data_preparation.outputs.outputs[0]}\","
    "    \"validation\": \"${steps.data_preparation.outputs.outputs[1]}\","
    "    \"target\": \"${params.target}\","
    "    \"algorithms\": [\"${params.algorithm}\"],"
    "    \"preprocessor_digest\": \"${steps.feature_engineering.outputs.preprocessor_digest}\"}},"
    "  {\"name\": \"model_validation\", \"stage\": \"MODEL_VALIDATION\", \"kind\": \"validate\","
    "   \"dependencies\": [\"data_preparation\", \"model_training\"],"
    "   \"parameters\": {"
    "    \"model\": \"${params.model}\","
    "    \"version\": \"${steps.model_training.outputs.version}\","
    "    \"data\": [\"${steps.data_preparation.outputs.outputs[1]}\"],"
    "    \"target\": \"${params.target}\","
    "    \"policy\": \"${params.policy}\","
    "    \"environment\": \"${params.environment}\"}},"
    "  {\"name\": \"model_deployment\", \"stage\": \"MODEL_DEPLOYMENT\", \"kind\": \"deploy\","
    "   \"dependencies\": [\"model_training\", \"model_validation\"],"
    "   \"parameters\": {"
    "    \"model\": \"${params.model}\","
    "    \"version\": \"${steps.model_training.outputs.version}\","
    "    \"environment\": \"${params.environment}\","
    "    \"strategy\": \"BLUE_GREEN\","
    "    \"queue\": true,"
    "    \"reason\": \"run ${run.id} of pipeline ${run.pipeline}\"}},"
    "  {\"name\": \"monitoring\", \"stage\": \"MONITORING\", \"kind\": \"watch\","
    "   \"dependencies\": [\"model_deployment\"],"
    "   \"parameters\": {\"rule\": {"
    "    \"name\": \"default-pipeline\","
    "    \"environment\": \"${params.environment}\","
    "    \"model\": \"${params.model}\","
    "    \"metric\": {\"kind\": \"PREDICTION_DISTRIBUTION\"},"
    "    \"alert_threshold\": 0.1}}}]}";

/* NULL, and said in the log, if our own text is none: a bug of ours that a test finds. */
static const Valion__V1__Pipeline *
read_shipped(vln_arena_t *arena)
{
    Valion__V1__Pipeline *pipeline = NULL;
    orchestrator_plan_t *plan = NULL;
    orchestrator_flaw_t flaw;
    if (orchestrator_plan_read_source(shipped, arena, &pipeline, &flaw) != VLN_OK ||
        orchestrator_plan_check(pipeline, arena, &plan, &flaw) != VLN_OK) {
        vln_error("pipeline.shipped_wrong", kv_str("field", flaw.field), kv_str("why", flaw.why));
        return NULL;
    }
    return pipeline;
}

static vln_err_t
ship(orchestrator_store_t *store, vln_arena_t *arena, const Valion__V1__Pipeline *pipeline)
{
    orchestrator_pipeline_t next = {.created_by = shipped_by};
    orchestrator_pipeline_t last = {0};
    vln_events_t *events = vln_events_new(arena);
    orchestrator_pipeline_pack(pipeline, arena, &next);
    vln_err_t err = orchestrator_store_find_pipeline(store, arena, next.name, 0, &last);
    if (err == VLN_OK && (strcmp(last.created_by, shipped_by) != 0 ||
                          memcmp(last.digest, next.digest, VLN_DIGEST_BYTES) == 0)) {
        return VLN_OK;
    }
    if (err != VLN_OK && err != VLN_NOT_FOUND) {
        return err;
    }
    next.version = last.version + 1;
    err = orchestrator_store_begin(store);
    if (err == VLN_OK) {
        err = orchestrator_pipeline_put(store, events, &next);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_write_events(store, events);
    }
    if (err == VLN_OK) {
        err = orchestrator_store_commit(store);
    }
    orchestrator_store_rollback(store);
    return err == VLN_ABORTED ? VLN_OK : err; /* another orchestrator that starts was first */
}

vln_err_t
orchestrator_ship_pipelines(const char *database)
{
    orchestrator_store_t *store = NULL;
    vln_arena_t *arena = vln_arena_new(ARENA_BUDGET);
    const Valion__V1__Pipeline *pipeline = read_shipped(arena);
    vln_err_t err = pipeline ? orchestrator_store_open(&store, database) : VLN_INTERNAL;
    if (err == VLN_OK) {
        err = ship(store, arena, pipeline);
    }
    orchestrator_store_close(&store);
    vln_arena_destroy(&arena);
    return err;
}
