#include "orchestrator_plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum {
    DEFAULT_STEP_TIMEOUT_MS = 60 * 60 * 1000,
    DEFAULT_RUN_TIMEOUT_MS = 4 * 60 * 60 * 1000,
    DEFAULT_RETRIES = 3,
    DEFAULT_RETRY_DELAY_MS = 60 * 1000,
    DEFAULT_MAX_DELAY_MS = 600 * 1000,
};

static const double default_backoff_factor = 2.0;

vln_err_t
orchestrator_flaw_set(orchestrator_flaw_t *flaw, const char *field, const char *format, ...)
{
    va_list args;
    flaw->field = field;
    va_start(args, format);
    vsnprintf(flaw->why, sizeof flaw->why, format, args);
    va_end(args);
    return VLN_INVALID_ARGUMENT;
}

size_t
orchestrator_plan_find(const Valion__V1__Pipeline *pipeline, const char *name)
{
    size_t i = 0;
    while (i < pipeline->n_steps && strcmp(pipeline->steps[i]->name, name) != 0) {
        i++;
    }
    return i;
}

/* ---- the plan ---- */

static vln_err_t
check_names(const Valion__V1__Pipeline *pipeline, orchestrator_flaw_t *flaw)
{
    if (pipeline->n_steps < 1 || pipeline->n_steps > RUN_STEPS_MAX) {
        return orchestrator_flaw_set(flaw, "pipeline.steps", "%zu steps: a pipeline has 1 to %d",
                                     pipeline->n_steps, RUN_STEPS_MAX);
    }
    for (size_t i = 0; i < pipeline->n_steps; i++) {
        const char *name = pipeline->steps[i]->name;
        if (!name || !*name) {
            return orchestrator_flaw_set(flaw, "pipeline.steps.name", "step %zu has no name",
                                         i + 1);
        }
        if (orchestrator_plan_find(pipeline, name) < i) {
            return orchestrator_flaw_set(flaw, "pipeline.steps.name",
                                         "two steps are called '%.64s'", name);
        }
    }
    return VLN_OK;
}

static vln_err_t
read_needs(const Valion__V1__Pipeline *pipeline, size_t at, vln_arena_t *arena, graph_node_t *out,
           orchestrator_flaw_t *flaw)
{
    const Valion__V1__Step *step = pipeline->steps[at];
    size_t *needs = vln_arena_alloc(arena, (step->n_dependencies + 1) * sizeof *needs);
    for (size_t i = 0; i < step->n_dependencies; i++) {
        needs[i] = orchestrator_plan_find(pipeline, step->dependencies[i]);
        if (needs[i] == pipeline->n_steps) {
            return orchestrator_flaw_set(
                flaw, "pipeline.steps.dependencies",
                "step '%.64s' depends on '%.64s', which is no step of this "
                "pipeline",
                step->name, step->dependencies[i]);
        }
        for (size_t other = 0; other < i; other++) {
            if (needs[other] == needs[i]) {
                return orchestrator_flaw_set(flaw, "pipeline.steps.dependencies",
                                             "step '%.64s' names '%.64s' twice", step->name,
                                             step->dependencies[i]);
            }
        }
        if (pipeline->steps[needs[i]]->finally_step && !step->finally_step) {
            return orchestrator_flaw_set(flaw, "pipeline.steps.dependencies",
                                         "step '%.64s' depends on '%.64s', which runs last: only "
                                         "another finally_step can",
                                         step->name, step->dependencies[i]);
        }
    }
    *out = (graph_node_t){.needs = needs, .need_count = step->n_dependencies};
    return VLN_OK;
}

static trigger_t
trigger_of(const Valion__V1__Step *step)
{
    if (step->has_trigger_rule && (int)step->trigger_rule > 0 &&
        (int)step->trigger_rule < TRIGGER_COUNT) {
        return (trigger_t)step->trigger_rule;
    }
    return step->finally_step ? TRIGGER_ALL_DONE : TRIGGER_ALL_SUCCESS;
}

/* "steps a -> b -> a wait for each other" */
static vln_err_t
refuse_cycle(const Valion__V1__Pipeline *pipeline, const graph_node_t *nodes,
             orchestrator_flaw_t *flaw)
{
    size_t cycle[GRAPH_MAX];
    size_t len = graph_find_cycle(nodes, pipeline->n_steps, cycle);
    char names[ORCHESTRATOR_WHY / 2] = "";
    size_t at = 0;
    for (size_t i = 0; i <= len && at < sizeof names; i++) {
        at += (size_t)snprintf(names + at, sizeof names - at, "%s%.64s", i ? " -> " : "",
                               pipeline->steps[cycle[i % len]]->name);
    }
    return orchestrator_flaw_set(flaw, "pipeline.steps.dependencies",
                                 "steps depend on each other in a circle: %s", names);
}

vln_err_t
orchestrator_plan_make(const Valion__V1__Pipeline *pipeline, vln_arena_t *arena,
                       orchestrator_plan_t **out, orchestrator_flaw_t *flaw)
{
    graph_node_t nodes[GRAPH_MAX];
    *out = NULL;
    vln_err_t err = check_names(pipeline, flaw);
    if (err != VLN_OK) {
        return err;
    }
    orchestrator_plan_t *plan = vln_arena_alloc(arena, sizeof *plan);
    for (size_t i = 0; i < pipeline->n_steps; i++) {
        const Valion__V1__Step *step = pipeline->steps[i];
        err = read_needs(pipeline, i, arena, &nodes[i], flaw);
        if (err != VLN_OK) {
            return err;
        }
        plan->steps[i] = (run_step_t){.node = nodes[i],
                                      .trigger = trigger_of(step),
                                      .required = !step->has_required || step->required,
                                      .skip_on_failure = step->skip_on_failure,
                                      .is_finally = step->finally_step};
    }
    if (!graph_sort(nodes, pipeline->n_steps, plan->order)) {
        return refuse_cycle(pipeline, nodes, flaw);
    }
    plan->pipeline = pipeline;
    plan->run = (run_plan_t){pipeline->n_steps, plan->steps, plan->order};
    *out = plan;
    return VLN_OK;
}

/* ---- defaults ---- */

int64_t
orchestrator_step_timeout_ms(const Valion__V1__Step *step)
{
    return step->has_timeout_ms ? step->timeout_ms : DEFAULT_STEP_TIMEOUT_MS;
}

int
orchestrator_step_retries(const Valion__V1__Pipeline *pipeline, const Valion__V1__Step *step)
{
    if (pipeline->has_auto_retry && !pipeline->auto_retry) {
        return 0;
    }
    return step->has_retry_count ? (int)step->retry_count : DEFAULT_RETRIES;
}

task_retry_t
orchestrator_step_retry(const Valion__V1__Step *step)
{
    return (task_retry_t){
        .delay_ms = step->has_retry_delay_ms ? step->retry_delay_ms : DEFAULT_RETRY_DELAY_MS,
        .factor = step->has_backoff_factor ? step->backoff_factor : default_backoff_factor,
        .max_ms = step->has_max_delay_ms ? step->max_delay_ms : DEFAULT_MAX_DELAY_MS};
}

const char *
orchestrator_step_parameters(const Valion__V1__Step *step)
{
    return step->parameters_json && *step->parameters_json ? step->parameters_json : "{}";
}

int
orchestrator_runs_at_once(const Valion__V1__Pipeline *pipeline)
{
    return pipeline->has_max_concurrent_runs ? (int)pipeline->max_concurrent_runs : 1;
}

int64_t
orchestrator_run_timeout_ms(const Valion__V1__Pipeline *pipeline)
{
    return pipeline->has_timeout_ms ? pipeline->timeout_ms : DEFAULT_RUN_TIMEOUT_MS;
}

/* ---- parameters of runs ---- */

bool
orchestrator_param_fits(const Valion__V1__Parameter *parameter, yyjson_val *value)
{
    bool may_be_null = parameter->default_json && strcmp(parameter->default_json, "null") == 0;
    if (may_be_null && yyjson_is_null(value)) {
        return true;
    }
    switch (parameter->type) {
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL:
        return yyjson_is_bool(value);
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64:
        return yyjson_is_sint(value) ||
               (yyjson_is_uint(value) && yyjson_get_uint(value) <= INT64_MAX);
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32:
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64:
        return yyjson_is_num(value);
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING:
        return yyjson_is_str(value);
    default:
        return true;
    }
}

const char *
orchestrator_param_type_name(const Valion__V1__Parameter *parameter)
{
    switch (parameter->type) {
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL:
        return "true or false";
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_INT64:
        return "a whole number";
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT32:
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_FLOAT64:
        return "a number";
    case VALION__V1__COLUMN_TYPE__COLUMN_TYPE_STRING:
        return "text in quotes";
    default:
        return "any JSON value";
    }
}
