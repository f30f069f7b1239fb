#include "validator_endpoint.h"

#include <string.h>

#include "vln_endpoint.h"

enum { REQUEST_MS = 30000 };

static bool
is_stopped(const void *context)
{
    return vln_task_is_stopped(context);
}

/* A task that was stopped says no end. */
static void
end_task(vln_task_t *task, vln_err_t err, const vln_outcome_t *outcome)
{
    if (err != VLN_CANCELLED) {
        vln_worker_fail(task, err, "endpoint_url", outcome->sentence);
    }
}

bool
validator_endpoint_open(vln_worker_t *worker, vln_task_t *task,
                        const Valion__V1__ValidateSpec *spec, validator_version_t *version)
{
    const validator_slot_t *slot = worker->own;
    const validator_config_t *options = slot->validator->config;
    const vln_endpoint_config_t config = {.url = spec->endpoint_url,
                                          .allowed = options->endpoints,
                                          .signature = version->record->signature,
                                          .request_ms = REQUEST_MS,
                                          .predict_ms = options->predict_ms,
                                          .deadline_ms = task->deadline_ms,
                                          .is_stopped = is_stopped,
                                          .context = task};
    vln_endpoint_t *endpoint = NULL;
    vln_outcome_t outcome;
    vln_err_t err = vln_endpoint_open(&config, &endpoint, &outcome);
    if (err != VLN_OK) {
        end_task(task, err, &outcome);
        return false;
    }
    const vln_predictor_remote_t remote = vln_endpoint_remote(&endpoint);
    version->opened.predictor = vln_predictor_open_remote(&remote, version->record->signature);
    return true;
}

const char *
validator_endpoint_wrong(const Valion__V1__ValidateSpec *spec)
{
    bool has_url = spec->endpoint_url && spec->endpoint_url[0];
    bool is_meant = spec->engine == VALION__V1__ENGINE__ENGINE_ENDPOINT;
    return is_meant == has_url ? NULL
           : is_meant          ? "the engine ENDPOINT needs an address: endpoint_url"
                               : "endpoint_url is for the engine ENDPOINT";
}

char *
validator_endpoint_warning(const validator_version_t *version, vln_arena_t *arena)
{
    const vln_predictor_t *predictor = version->opened.predictor;
    const Valion__V1__Version *record = version->record;
    if (vln_predictor_engine(predictor) != VALION__V1__ENGINE__ENGINE_ENDPOINT) {
        return NULL;
    }
    const char *served = vln_predictor_engine_version(predictor, arena);
    const char *wanted = vln_arena_printf(arena, "%s %s", record->model, record->version);
    return strcmp(served, wanted) == 0
               ? NULL
               : vln_arena_printf(arena,
                                  "The endpoint says that it served %s, and not %s: what was "
                                  "judged is what it served.",
                                  served, wanted);
}

size_t
validator_endpoint_bytes(const Valion__V1__Version *record)
{
    static const char *const roles[] = {"model", "preprocessor"};
    size_t bytes = 0;
    for (size_t i = 0; i < VLN_COUNT(roles); i++) {
        const Valion__V1__Artifact *artifact = validator_version_artifact(record, roles[i]);
        bytes += artifact && artifact->size_bytes > 0 ? (size_t)artifact->size_bytes : 0;
    }
    return bytes;
}
