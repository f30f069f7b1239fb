/*
 * What can be known of a pipeline before it runs. Each check leaves a sentence that names the step.
 */
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vln_guess.h"
#include "vln_json.h"
#include "vln_pb.h"
#include "vln_text.h"

#include "orchestrator_kinds.h"
#include "orchestrator_plan.h"

enum {
    STEP_NAME_MAX = 64,
    DESCRIPTION_MAX = 5000,
    PARAMETERS_MAX = 64,
    PARAMETER_NAME_MAX = 64,
    DEFAULT_MAX = 5000,
    PAIRS_MAX = 64,
    PAIR_KEY_MAX = 250,
    PAIR_VALUE_MAX = 5000,
    CLASSES_MAX = 32,
    CLASS_MAX = 128,
    RETRIES_MAX = 50,
    RUNS_AT_ONCE_MAX = 100,
    SECOND_MS = 1000,
    DAY_MS = 24 * 60 * 60 * 1000,
    BACKOFF_MAX = 100,
    TEMPLATE_TEXT_MAX = 16 * 1024,
};
static const int64_t run_timeout_max_ms = 30LL * DAY_MS;

typedef struct checker {
    const Valion__V1__Pipeline *pipeline;
    const Valion__V1__Step *step; /* that is looked at */
    bool above[RUN_STEPS_MAX];    /* what it depends on, however far */
    vln_arena_t *arena;
    orchestrator_flaw_t *flaw;
} checker_t;

static const char names_field[] = "pipeline.steps.name";
static const char parameters_field[] = "pipeline.steps.parameters_json";

/* ---- the pipeline ---- */

static vln_err_t
check_pairs(orchestrator_flaw_t *flaw, const char *field, Valion__V1__KeyValue *const *pairs,
            size_t count)
{
    if (count > PAIRS_MAX) {
        return orchestrator_flaw_set(flaw, field, "%zu pairs; at most %d are kept", count,
                                     PAIRS_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        const char *key = pairs[i]->key;
        if (!key || !*key || strlen(key) > PAIR_KEY_MAX ||
            (pairs[i]->value && strlen(pairs[i]->value) > PAIR_VALUE_MAX)) {
            return orchestrator_flaw_set(flaw, field,
                                         "a pair has a key of 1 to %d bytes and a value of at most "
                                         "%d",
                                         PAIR_KEY_MAX, PAIR_VALUE_MAX);
        }
        for (size_t other = 0; other < i; other++) {
            if (strcmp(pairs[other]->key, key) == 0) {
                return orchestrator_flaw_set(flaw, field, "the key '%.64s' is given twice", key);
            }
        }
    }
    return VLN_OK;
}

static vln_err_t
check_default(const checker_t *self, const Valion__V1__Parameter *parameter)
{
    yyjson_doc *document = NULL;
    template_error_t error = {.why = ""};
    vln_err_t err = template_read_up_to(parameter->default_json, strlen(parameter->default_json),
                                        DEFAULT_MAX, &document, &error);
    if (err == VLN_OK && !orchestrator_param_fits(parameter, yyjson_doc_get_root(document))) {
        err = VLN_INVALID_ARGUMENT;
    }
    yyjson_doc_free(document);
    return err == VLN_OK
               ? VLN_OK
               : orchestrator_flaw_set(self->flaw, "pipeline.parameters",
                                       "the default of '%s' is not %s%s%s", parameter->name,
                                       orchestrator_param_type_name(parameter),
                                       *error.why ? ": " : "", error.why);
}

static vln_err_t
check_parameter(const checker_t *self, size_t at)
{
    static const char field[] = "pipeline.parameters";
    const Valion__V1__Parameter *parameter = self->pipeline->parameters[at];
    if (!vln_text_is_name(parameter->name, PARAMETER_NAME_MAX, "_-")) {
        return orchestrator_flaw_set(self->flaw, field,
                                     "'%.64s' cannot name a parameter: 1 to %d letters, digits, "
                                     "'_', '-'",
                                     parameter->name ? parameter->name : "", PARAMETER_NAME_MAX);
    }
    for (size_t other = 0; other < at; other++) {
        if (strcmp(self->pipeline->parameters[other]->name, parameter->name) == 0) {
            return orchestrator_flaw_set(self->flaw, field, "two parameters are called '%s'",
                                         parameter->name);
        }
    }
    if (!vln_pb_enum_knows(&valion__v1__column_type__descriptor, (int)parameter->type)) {
        return orchestrator_flaw_set(self->flaw, field, "parameter '%s' has no type that is known",
                                     parameter->name);
    }
    return parameter->default_json ? check_default(self, parameter) : VLN_OK;
}

static vln_err_t
check_head(const checker_t *self)
{
    const Valion__V1__Pipeline *pipeline = self->pipeline;
    if (!vln_text_is_name(pipeline->name, ORCHESTRATOR_NAME_MAX, "_.-")) {
        return orchestrator_flaw_set(
            self->flaw, "pipeline.name",
            "'%.64s' cannot name a pipeline: 1 to %d letters, digits, '_', "
            "'.', '-', beginning with a letter or digit",
            pipeline->name ? pipeline->name : "", ORCHESTRATOR_NAME_MAX);
    }
    if (pipeline->description && strlen(pipeline->description) > DESCRIPTION_MAX) {
        return orchestrator_flaw_set(self->flaw, "pipeline.description",
                                     "a description has at most %d bytes", DESCRIPTION_MAX);
    }
    if (pipeline->has_max_concurrent_runs &&
        (pipeline->max_concurrent_runs < 1 || pipeline->max_concurrent_runs > RUNS_AT_ONCE_MAX)) {
        return orchestrator_flaw_set(self->flaw, "pipeline.max_concurrent_runs",
                                     "1 to %d runs can be under way at once", RUNS_AT_ONCE_MAX);
    }
    if (pipeline->has_timeout_ms &&
        (pipeline->timeout_ms < SECOND_MS || pipeline->timeout_ms > run_timeout_max_ms)) {
        return orchestrator_flaw_set(self->flaw, "pipeline.timeout_ms",
                                     "a run takes 1 s to 30 days");
    }
    return VLN_OK;
}

static vln_err_t
check_lists(const checker_t *self)
{
    const Valion__V1__Pipeline *pipeline = self->pipeline;
    if (pipeline->n_parameters > PARAMETERS_MAX) {
        return orchestrator_flaw_set(self->flaw, "pipeline.parameters",
                                     "%zu parameters; at most %d", pipeline->n_parameters,
                                     PARAMETERS_MAX);
    }
    vln_err_t err = check_pairs(self->flaw, "pipeline.notification", pipeline->notification,
                                pipeline->n_notification);
    if (err == VLN_OK) {
        err = check_pairs(self->flaw, "pipeline.environment", pipeline->environment,
                          pipeline->n_environment);
    }
    for (size_t i = 0; i < pipeline->n_parameters && err == VLN_OK; i++) {
        err = check_parameter(self, i);
    }
    return err;
}

/* ---- a step's own fields ---- */

static bool
is_step_name(const char *name)
{
    return vln_text_is_name(name, STEP_NAME_MAX, "_-") &&
           strcspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") == strlen(name);
}

static vln_err_t
check_enums(const checker_t *self)
{
    const Valion__V1__Step *step = self->step;
    const struct {
        const char *field;
        const ProtobufCEnumDescriptor *type;
        int value;
    } enums[] = {
        {"pipeline.steps.stage", &valion__v1__pipeline_stage__descriptor, (int)step->stage},
        {"pipeline.steps.trigger_rule", &valion__v1__trigger_rule__descriptor,
         (int)step->trigger_rule},
        {"pipeline.steps.min_verdict", &valion__v1__min_status__descriptor, (int)step->min_verdict},
    };
    for (size_t i = 0; i < VLN_COUNT(enums); i++) {
        if (!vln_pb_enum_knows(enums[i].type, enums[i].value)) {
            return orchestrator_flaw_set(self->flaw, enums[i].field,
                                         "step '%s': %d is no value that is known", step->name,
                                         enums[i].value);
        }
    }
    if (step->has_min_verdict && strcmp(step->kind, "validate") != 0) {
        return orchestrator_flaw_set(self->flaw, "pipeline.steps.min_verdict",
                                     "step '%s': only the kind validate has a verdict", step->name);
    }
    return VLN_OK;
}

static vln_err_t
check_numbers(const checker_t *self)
{
    const Valion__V1__Step *step = self->step;
    task_retry_t retry = orchestrator_step_retry(step);
    int64_t timeout_ms = orchestrator_step_timeout_ms(step);
    if (timeout_ms < SECOND_MS || timeout_ms > DAY_MS) {
        return orchestrator_flaw_set(self->flaw, "pipeline.steps.timeout_ms",
                                     "step '%s': a step takes 1 s to 24 h", step->name);
    }
    if (step->retry_count > RETRIES_MAX) {
        return orchestrator_flaw_set(self->flaw, "pipeline.steps.retry_count",
                                     "step '%s': at most %d retries", step->name, RETRIES_MAX);
    }
    if (retry.delay_ms < 0 || retry.delay_ms > DAY_MS || retry.max_ms < 0 ||
        retry.max_ms > DAY_MS) {
        return orchestrator_flaw_set(self->flaw, "pipeline.steps.retry_delay_ms",
                                     "step '%s': retries wait 0 to 24 h", step->name);
    }
    if (!isfinite(retry.factor) || retry.factor < 1 || retry.factor > (double)BACKOFF_MAX) {
        return orchestrator_flaw_set(self->flaw, "pipeline.steps.backoff_factor",
                                     "step '%s': waits grow by 1 to %d", step->name, BACKOFF_MAX);
    }
    if (step->has_priority && (step->priority < 1 || step->priority > 5)) {
        return orchestrator_flaw_set(self->flaw, "pipeline.steps.priority",
                                     "step '%s': a priority is 1 (first) to 5 (last)", step->name);
    }
    return VLN_OK;
}

static vln_err_t
check_classes(const checker_t *self)
{
    const Valion__V1__Step *step = self->step;
    bool sound = step->n_non_retryable <= CLASSES_MAX;
    for (size_t i = 0; sound && i < step->n_non_retryable; i++) {
        const char *name = step->non_retryable[i];
        sound = *name && strlen(name) <= CLASS_MAX && !strpbrk(name, "\r\n");
    }
    return sound ? VLN_OK
                 : orchestrator_flaw_set(self->flaw, "pipeline.steps.non_retryable",
                                         "step '%s': at most %d classes, each one line of 1 to %d "
                                         "bytes",
                                         step->name, CLASSES_MAX, CLASS_MAX);
}

static vln_err_t
check_step(const checker_t *self)
{
    const Valion__V1__Step *step = self->step;
    if (!is_step_name(step->name)) {
        return orchestrator_flaw_set(self->flaw, names_field,
                                     "'%.64s' cannot name a step: 1 to %d of a-z 0-9 _ -",
                                     step->name, STEP_NAME_MAX);
    }
    if (!orchestrator_kind_is_name(step->kind)) {
        return orchestrator_flaw_set(self->flaw, "pipeline.steps.kind",
                                     "step '%s': '%.64s' is no kind of task", step->name,
                                     step->kind ? step->kind : "");
    }
    vln_err_t err = check_enums(self);
    err = err == VLN_OK ? check_numbers(self) : err;
    return err == VLN_OK ? check_classes(self) : err;
}

/* ---- placeholders ---- */

VLN_PRINTF(3, 4) static bool
say(template_error_t *error, const template_path_t *path, const char *format, ...)
{
    va_list args;
    int at = snprintf(error->why, sizeof error->why, "'${%s}': ", path->text);
    va_start(args, format);
    vsnprintf(error->why + at, sizeof error->why - (size_t)at, format, args);
    va_end(args);
    return false;
}

static bool
check_param_path(const checker_t *self, const template_path_t *path, template_error_t *error)
{
    const Valion__V1__Pipeline *pipeline = self->pipeline;
    const char *name = path->count > 1 ? path->parts[1].name : NULL;
    vln_guess_t guess = {.typed = name ? name : ""};
    for (size_t i = 0; i < pipeline->n_parameters; i++) {
        if (name && strcmp(pipeline->parameters[i]->name, name) == 0) {
            return true;
        }
        vln_guess_offer(&guess, pipeline->parameters[i]->name);
    }
    return guess.best ? say(error, path, "there is no such parameter; did you mean %s?", guess.best)
                      : say(error, path, "the pipeline has no such parameter");
}

static bool
check_pair_path(const checker_t *self, const template_path_t *path, template_error_t *error)
{
    for (size_t i = 0; path->count == 2 && i < self->pipeline->n_environment; i++) {
        if (path->parts[1].name &&
            strcmp(self->pipeline->environment[i]->key, path->parts[1].name) == 0) {
            return true;
        }
    }
    return say(error, path, "the pipeline's environment has no such key");
}

static bool
check_run_path(const checker_t *self, const template_path_t *path, template_error_t *error)
{
    static const char *const names[] = {"id", "pipeline", "submitter"};
    (void)self;
    for (size_t i = 0; path->count == 2 && i < VLN_COUNT(names); i++) {
        if (path->parts[1].name && strcmp(path->parts[1].name, names[i]) == 0) {
            return true;
        }
    }
    return say(error, path, "of the run there are id, pipeline and submitter");
}

/* What a path has reached, among the messages of the contract. */
typedef struct reached {
    const ProtobufCMessageDescriptor *type; /* NULL: no message, so nothing is below it */
    bool is_list;
} reached_t;

static bool
step_into(const template_path_t *path, size_t at, reached_t *reached, template_error_t *error)
{
    const char *name = path->parts[at].name;
    if (reached->is_list == (name != NULL)) {
        return say(error, path, "%s",
                   reached->is_list ? "a list: say which, as in [0]" : "that is no list");
    }
    reached->is_list = false;
    if (!name) {
        return true;
    }
    const ProtobufCFieldDescriptor *field =
        reached->type ? protobuf_c_message_descriptor_get_field_by_name(reached->type, name) : NULL;
    if (!field) {
        return say(error, path, "%s has no field %s",
                   reached->type ? reached->type->short_name : "it", name);
    }
    reached->is_list = field->label == PROTOBUF_C_LABEL_REPEATED;
    reached->type = field->type == PROTOBUF_C_TYPE_MESSAGE ? field->descriptor : NULL;
    return true;
}

/* The parts from `at` on, within a message of this type. */
static bool
check_output_path(const template_path_t *path, size_t at, const ProtobufCMessageDescriptor *type,
                  template_error_t *error)
{
    reached_t reached = {.type = type};
    while (at < path->count) {
        if (!step_into(path, at++, &reached, error)) {
            return false;
        }
    }
    return true;
}

static bool
check_step_path(const checker_t *self, const template_path_t *path, template_error_t *error)
{
    const Valion__V1__Pipeline *pipeline = self->pipeline;
    const char *name = path->count > 1 ? path->parts[1].name : NULL;
    const char *what = path->count > 2 ? path->parts[2].name : NULL;
    size_t step = name ? orchestrator_plan_find(pipeline, name) : pipeline->n_steps;
    if (step == pipeline->n_steps) {
        return say(error, path, "there is no such step");
    }
    if (!self->above[step]) {
        return say(error, path, "step '%s' does not depend on '%s', which may run after it",
                   self->step->name, name);
    }
    if (what && path->count == 3 && (strcmp(what, "state") == 0 || strcmp(what, "error") == 0)) {
        return true;
    }
    if (!what || strcmp(what, "outputs") != 0) {
        return say(error, path, "of a step there are outputs, state and error");
    }
    const char *kind = pipeline->steps[step]->kind;
    return !orchestrator_kind_is_built_in(kind) ||
           check_output_path(path, 3, orchestrator_kind_result(kind), error);
}

static bool
check_path(void *context, const template_path_t *path, template_error_t *error)
{
    static const struct {
        const char *root;
        bool (*check)(const checker_t *, const template_path_t *, template_error_t *);
    } roots[] = {
        {"params", check_param_path},
        {"steps", check_step_path},
        {"run", check_run_path},
        {"env", check_pair_path},
    };
    for (size_t i = 0; i < VLN_COUNT(roots); i++) {
        if (strcmp(path->parts[0].name, roots[i].root) == 0) {
            return roots[i].check(context, path, error);
        }
    }
    return say(error, path, "placeholders begin with params, steps, run or env");
}

/* What a placeholder does not hide has to be what the kind understands. */
static vln_err_t
check_fields(const checker_t *self, const char *text, template_error_t *error)
{
    const char *known = NULL;
    const ProtobufCMessageDescriptor *type = orchestrator_kind_spec(self->step->kind);
    vln_err_t err = template_render(text, strlen(text), NULL, self->arena, &known, error);
    if (err != VLN_OK || !type) {
        return err;
    }
    vln_json_error_t wrong;
    ProtobufCMessage *message = NULL;
    err = vln_json_parse(type, known, strlen(known), self->arena, &message, &wrong);
    if (err != VLN_OK) {
        vln_text_copy(error->why, sizeof error->why, wrong.why);
    }
    return err;
}

static vln_err_t
check_template(checker_t *self)
{
    const char *text = orchestrator_step_parameters(self->step);
    size_t size = strlen(text);
    template_error_t error;
    if (size > TEMPLATE_TEXT_MAX) {
        return orchestrator_flaw_set(self->flaw, parameters_field,
                                     "step '%s': %zu bytes; at most %d are kept", self->step->name,
                                     size, TEMPLATE_TEXT_MAX);
    }
    vln_err_t err = template_visit(text, size, check_path, self, &error);
    if (err == VLN_OK) {
        err = check_fields(self, text, &error);
    }
    return err == VLN_OK ? VLN_OK
                         : orchestrator_flaw_set(self->flaw, parameters_field, "step '%s': %s",
                                                 self->step->name, error.why);
}

vln_err_t
orchestrator_plan_check(const Valion__V1__Pipeline *pipeline, vln_arena_t *arena,
                        orchestrator_plan_t **out, orchestrator_flaw_t *flaw)
{
    checker_t self = {.pipeline = pipeline, .arena = arena, .flaw = flaw};
    graph_node_t nodes[GRAPH_MAX];
    *out = NULL;
    orchestrator_plan_t *plan = NULL;
    vln_err_t err = check_head(&self);
    if (err == VLN_OK) {
        err = check_lists(&self);
    }
    if (err == VLN_OK) {
        err = orchestrator_plan_make(pipeline, arena, &plan, flaw);
    }
    for (size_t i = 0; err == VLN_OK && i < pipeline->n_steps; i++) {
        nodes[i] = plan->steps[i].node;
        self.step = pipeline->steps[i];
        err = check_step(&self);
    }
    for (size_t i = 0; err == VLN_OK && i < pipeline->n_steps; i++) {
        self.step = pipeline->steps[i];
        graph_mark_above(nodes, pipeline->n_steps, i, self.above);
        err = check_template(&self);
    }
    *out = err == VLN_OK ? plan : NULL;
    return err;
}
