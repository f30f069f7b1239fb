#include "deployer_rollouts.h"

#include <stdio.h>
#include <string.h>

#include "quantity.h"
#include "rollout.h"

enum {
    ACTIVE_MAX = 100,
    REPLICAS_MAX = 16,
    VARIABLES_MAX = 64,
    REASON_MAX = 500,
    BATCH_MAX = 256,
    PROBE_PATH_MAX = 200,
    PROBE_THRESHOLD_MAX = 100,
    BATCH_WAIT_MAX_US = 1000000,
    DEFAULT_HEALTH_MS = 30000,
    DEFAULT_PROGRESS_MS = 10 * 60 * 1000,
    DEFAULT_WARM_MS = 30 * 60 * 1000,
    DEFAULT_DRAIN_MS = 10000,
    DEFAULT_WATCH_MS = 10 * 60 * 1000,
    LONGEST_MS = 24 * 60 * 60 * 1000,
};

/* ---- what is asked for ---- */

#define FILL(spec, field, value)     \
    do {                             \
        if (!(spec)->has_##field) {  \
            (spec)->has_##field = 1; \
            (spec)->field = (value); \
        }                            \
    } while (0)

static void
fill_text(char **field, vln_arena_t *arena, const char *value)
{
    if (!*field || !(*field)[0]) {
        *field = vln_arena_strdup(arena, value);
    }
}

void
deployer_spec_fill(Valion__V1__RolloutSpec *spec, vln_arena_t *arena)
{
    FILL(spec, strategy, VALION__V1__STRATEGY__STRATEGY_BLUE_GREEN);
    FILL(spec, health_check_timeout_ms, DEFAULT_HEALTH_MS);
    FILL(spec, min_replicas, 1);
    FILL(spec, max_replicas, spec->min_replicas > 3 ? spec->min_replicas : 3);
    FILL(spec, auto_rollback, true);
    FILL(spec, progress_deadline_ms, DEFAULT_PROGRESS_MS);
    FILL(spec, keep_warm_ms, DEFAULT_WARM_MS);
    FILL(spec, drain_ms, DEFAULT_DRAIN_MS);
    fill_text(&spec->health_check_path, arena, "/health");
    fill_text(&spec->cpu_limit, arena, "500m");
    fill_text(&spec->memory_limit, arena, "512Mi");
    if (!spec->watch) {
        spec->watch = vln_arena_alloc(arena, sizeof *spec->watch);
        valion__v1__watch_window__init(spec->watch);
    }
    FILL(spec->watch, duration_ms, DEFAULT_WATCH_MS);
}

static bool
is_time(int64_t ms)
{
    return ms >= 0 && ms <= LONGEST_MS;
}

/* What this release does not do is refused, never skipped. */
static const char *
find_unsupported(const Valion__V1__RolloutSpec *spec)
{
    if (spec->strategy != VALION__V1__STRATEGY__STRATEGY_BLUE_GREEN) {
        return "strategy";
    }
    if (spec->n_steps > 0) {
        return "steps";
    }
    if (spec->analysis || spec->watch->analysis) {
        return "analysis";
    }
    if (spec->sticky_header && spec->sticky_header[0]) {
        return "sticky_header";
    }
    if (spec->target && spec->target[0] && strcmp(spec->target, "process") != 0) {
        return "target";
    }
    return NULL;
}

static bool
is_given(const char *text)
{
    return text && text[0];
}

static bool
has_names(const Valion__V1__RolloutSpec *spec)
{
    return is_given(spec->model) && is_given(spec->version) && is_given(spec->environment);
}

static bool
has_replicas(const Valion__V1__RolloutSpec *spec)
{
    return spec->min_replicas >= 1 && spec->min_replicas <= spec->max_replicas &&
           spec->max_replicas <= REPLICAS_MAX;
}

static bool
has_limits(const Valion__V1__RolloutSpec *spec)
{
    int64_t amount = 0;
    return quantity_read_cpu(spec->cpu_limit, &amount) &&
           quantity_read_memory(spec->memory_limit, &amount);
}

static bool
has_times(const Valion__V1__RolloutSpec *spec)
{
    return is_time(spec->health_check_timeout_ms) && is_time(spec->progress_deadline_ms) &&
           is_time(spec->keep_warm_ms) && is_time(spec->drain_ms) &&
           is_time(spec->watch->duration_ms);
}

static bool
has_bounds(const Valion__V1__RolloutSpec *spec)
{
    return spec->n_environment_variables <= VARIABLES_MAX &&
           (!spec->reason || strlen(spec->reason) <= REASON_MAX);
}

static bool
is_probe(const Valion__V1__Probe *probe)
{
    return !probe ||
           ((!is_given(probe->path) ||
             (probe->path[0] == '/' && strlen(probe->path) <= PROBE_PATH_MAX)) &&
            is_time(probe->initial_delay_ms) && is_time(probe->period_ms) &&
            is_time(probe->timeout_ms) && probe->success_threshold <= PROBE_THRESHOLD_MAX &&
            probe->failure_threshold <= PROBE_THRESHOLD_MAX);
}

static bool
has_probes(const Valion__V1__RolloutSpec *spec)
{
    return is_probe(spec->startup) && is_probe(spec->readiness) && is_probe(spec->liveness);
}

static bool
has_batches(const Valion__V1__RolloutSpec *spec)
{
    return (!spec->has_batch_max || (spec->batch_max >= 1 && spec->batch_max <= BATCH_MAX)) &&
           spec->batch_wait_micros <= BATCH_WAIT_MAX_US;
}

static const struct {
    bool (*holds)(const Valion__V1__RolloutSpec *spec);
    const char *field;
    const char *why;
} checks[] = {
    {has_names, "spec", "model, version (or an alias as \"@name\") and environment are needed"},
    {has_replicas, "spec.min_replicas",
     "min_replicas and max_replicas lie between 1 and 16, the first not above the other"},
    {has_limits, "spec.cpu_limit",
     "cpu_limit is as \"500m\" or \"2\", memory_limit as \"512Mi\" or \"2Gi\", at least 1Mi"},
    {has_times, "spec", "a duration is 0 to 24 h"},
    {has_probes, "spec.readiness",
     "a probe's path begins with '/', its times are at most 24 h, its thresholds at most 100"},
    {has_batches, "spec.batch_max",
     "batch_max is 1 to 256 requests, and batch_wait_micros at most 1000000"},
    {has_bounds, "spec", "at most 64 environment_variables, and a reason of 500 bytes"},
};

bool
deployer_spec_check(const Valion__V1__RolloutSpec *spec, const char **field, const char **why)
{
    const char *unsupported = find_unsupported(spec);
    if (unsupported) {
        *field = unsupported;
        *why = "this release rolls out by blue-green alone, without analysis: leave the field "
               "out";
        return false;
    }
    for (size_t i = 0; i < VLN_COUNT(checks); i++) {
        if (!checks[i].holds(spec)) {
            *field = checks[i].field;
            *why = checks[i].why;
            return false;
        }
    }
    return true;
}

static void
add_step(Valion__V1__Rollout *rollout, vln_arena_t *arena, Valion__V1__RolloutStepKind kind,
         uint32_t replicas)
{
    Valion__V1__RolloutStep *step = vln_arena_alloc(arena, sizeof *step);
    valion__v1__rollout_step__init(step);
    step->has_kind = 1;
    step->kind = kind;
    step->has_replicas = replicas > 0;
    step->replicas = replicas;
    rollout->steps[rollout->n_steps++] = step;
}

void
deployer_spec_steps(Valion__V1__Rollout *rollout, vln_arena_t *arena)
{
    rollout->steps = vln_arena_alloc(arena, 3 * sizeof(void *));
    add_step(rollout, arena, VALION__V1__ROLLOUT_STEP_KIND__ROLLOUT_STEP_KIND_START,
             rollout->spec->min_replicas);
    if (!rollout->spec->skip_smoke) {
        add_step(rollout, arena, VALION__V1__ROLLOUT_STEP_KIND__ROLLOUT_STEP_KIND_SMOKE, 0);
    }
    add_step(rollout, arena, VALION__V1__ROLLOUT_STEP_KIND__ROLLOUT_STEP_KIND_SWITCH, 0);
}

/* ---- what happened ---- */

vln_err_t
deployer_rollout_record(deployer_store_t *store, vln_events_t *events, deployer_rollout_t *rollout,
                        Valion__V1__Decision *decision, const char *actor)
{
    Valion__V1__Rollout *record = rollout->record;
    char id[VLN_ID_TEXT];
    vln_id_format(rollout->id.bytes, id);
    record->sequence++;
    record->updated_us = rollout->now_us;
    record->has_updated_us = 1;
    decision->has_sequence = decision->has_time_us = 1;
    decision->sequence = record->sequence;
    decision->time_us = rollout->now_us;
    decision->actor = (char *)(uintptr_t)actor;
    const vln_fact_t facts[] = {{"rollout", id},
                                {"environment", record->spec->environment},
                                {"model", record->spec->model},
                                {"version", record->spec->version},
                                {"previous", record->previous_version},
                                {"state", rollout_state_name(decision->to_state)},
                                {"rule", decision->rule},
                                {"reason", decision->reason},
                                {NULL, NULL}};
    char type[64];
    snprintf(type, sizeof type, "rollout.%s", rollout_state_name(decision->to_state));
    vln_events_add(events, type, record->spec->model, actor, facts);
    return deployer_store_add_decision(store, rollout->id.bytes, decision);
}

vln_err_t
deployer_find_blocking(deployer_store_t *store, vln_arena_t *arena, const char *environment,
                       const char *model, deployer_rollout_t **out)
{
    deployer_rollout_t *active = NULL;
    size_t count = 0;
    const deployer_filter_t filter = {
        .environment = environment, .model = model, .active = true, .limit = ACTIVE_MAX};
    vln_err_t err = deployer_store_list_rollouts(store, arena, &filter, &active, &count);
    *out = NULL;
    for (size_t i = 0; i < count && err == VLN_OK && !*out; i++) {
        *out = rollout_blocks(active[i].record->state) ? &active[i] : NULL;
    }
    return err;
}

vln_err_t
deployer_endpoint_url(deployer_store_t *store, vln_arena_t *arena, const char *environment,
                      const char *model, char **out)
{
    deployer_host_t *hosts = NULL;
    size_t count = 0;
    vln_err_t err = deployer_store_list_hosts(store, arena, &hosts, &count);
    *out = vln_arena_strdup(arena, "");
    for (size_t i = 0; i < count && err == VLN_OK; i++) {
        for (size_t at = 0; at < hosts[i].environment_count; at++) {
            const Valion__V1__Environment *offered = hosts[i].environments[at];
            if (strcmp(offered->name, environment) == 0) {
                *out = vln_arena_printf(arena, "http://127.0.0.1:%u/v2/models/%s", offered->port,
                                        model);
                return VLN_OK;
            }
        }
    }
    return err;
}

vln_err_t
deployer_rollout_show(deployer_store_t *store, vln_arena_t *arena, deployer_rollout_t *rollout,
                      uint64_t after)
{
    Valion__V1__Rollout *record = rollout->record;
    Valion__V1__Decision **newest = NULL;
    size_t count = 0;
    vln_err_t err = deployer_endpoint_url(store, arena, record->spec->environment,
                                          record->spec->model, &record->endpoint);
    if (err == VLN_OK) {
        err = deployer_store_list_decisions(
            store, arena, rollout->id.bytes,
            &(deployer_range_t){.after = (int64_t)after, .limit = DEPLOYER_DECISIONS_SHOWN},
            &newest, &count);
    }
    if (err != VLN_OK) {
        return err;
    }
    record->has_status = 1;
    record->status = rollout_status(record->state);
    record->decisions = vln_arena_alloc(arena, (count + 1) * sizeof(void *));
    for (size_t i = count; i > 0; i--) {
        record->decisions[record->n_decisions++] = newest[i - 1];
    }
    return VLN_OK;
}
