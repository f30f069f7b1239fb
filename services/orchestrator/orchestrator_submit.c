/*
 * SubmitRun: parameters are checked against what the pipeline declares, the submitter's roles against
 * every step; then the run and its steps are rows, and it waits for its turn.
 */
#include <inttypes.h>
#include <string.h>

#include "vln_pb.h"

#include "orchestrator.h"
#include "orchestrator_advance.h"
#include "orchestrator_kinds.h"
#include "orchestrator_pipelines.h"
#include "valion/v1/event.pb-c.h"

enum {
    DEFAULT_PRIORITY = 3,
    OPEN_MAX = 1000, /* runs of one pipeline that have not ended */
    OPEN_RETRY_MS = 10000,
    VALUE_MAX = 5000,
    PARAMS_MAX = 64 * 1024, /* of all values together */
};

/* A run that is being made. */
typedef struct submission {
    orchestrator_worker_t *worker;
    vln_call_t *call;
    const Valion__V1__SubmitRunRequest *request;
    Valion__V1__Pipeline *pipeline;
    orchestrator_plan_t *plan;
    orchestrator_run_t run;
    orchestrator_run_t before; /* of a rerun */
    Valion__V1__EventPayload params;
} submission_t;

/* ---- which pipeline ---- */

/* The run whose outputs are used again. False, and the call refused, if it cannot be. */
static vln_err_t
read_before(submission_t *self, bool *sound)
{
    vln_call_t *call = self->call;
    char text[VLN_ID_TEXT];
    *sound = orchestrator_read_id(call, "rerun_of", &self->request->rerun_of, &self->run.rerun_of);
    if (!*sound) {
        return VLN_OK;
    }
    vln_err_t err = orchestrator_store_find_run(self->worker->store, call->arena,
                                                &self->run.rerun_of, &self->before);
    *sound = err == VLN_OK && run_has_ended(self->before.state);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no run %s; ListRuns lists them",
                        vln_id_format(self->run.rerun_of.bytes, text));
        return VLN_OK;
    }
    if (err == VLN_OK && !*sound) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "run %s is %s: it can be run again once it has ended",
                        vln_id_format(self->run.rerun_of.bytes, text),
                        run_state_name(self->before.state));
    }
    self->run.is_rerun = *sound;
    return err;
}

/* Name and version that are asked for; of a rerun those of the run before. */
static bool
choose_pipeline(submission_t *self, const char **name, int64_t *version)
{
    *name = orchestrator_pipeline_name(self->request->pipeline);
    if (self->request->version > INT64_MAX) {
        orchestrator_refuse_no_pipeline(self->call, *name, self->request->version);
        return false;
    }
    *version = (int64_t)self->request->version;
    if (!self->run.is_rerun) {
        return true;
    }
    bool same = (!*name || strcmp(*name, self->before.pipeline) == 0) &&
                (*version == 0 || *version == self->before.version);
    *name = self->before.pipeline;
    *version = self->before.version;
    if (!same) {
        vln_call_refuse_field(self->call, "rerun_of",
                              "that run is of pipeline '%s', version %" PRId64 ": only that can be "
                              "run again",
                              self->before.pipeline, self->before.version);
    }
    return same;
}

static vln_err_t
read_pipeline(submission_t *self, bool *sound)
{
    vln_call_t *call = self->call;
    const char *name = NULL;
    int64_t version = 0;
    orchestrator_pipeline_t stored;
    *sound = choose_pipeline(self, &name, &version);
    if (!*sound) {
        return VLN_OK;
    }
    vln_err_t err = orchestrator_store_find_pipeline(self->worker->store, call->arena,
                                                     name ? name : "", version, &stored);
    if (err == VLN_NOT_FOUND) {
        *sound = false;
        orchestrator_refuse_no_pipeline(call, name, (uint64_t)version);
        return VLN_OK;
    }
    if (err == VLN_OK) {
        err = orchestrator_pipeline_read(&stored, call->arena, &self->pipeline);
    }
    orchestrator_flaw_t flaw;
    if (err == VLN_OK &&
        orchestrator_plan_make(self->pipeline, call->arena, &self->plan, &flaw) != VLN_OK) {
        err = VLN_DATA_LOSS; /* it was checked when it was stored */
    }
    self->run.pipeline = stored.name;
    self->run.version = stored.version;
    return err;
}

/* ---- parameters ---- */

static const Valion__V1__Parameter *
find_parameter(const submission_t *self, const char *name)
{
    for (size_t i = 0; i < self->pipeline->n_parameters; i++) {
        if (name && strcmp(self->pipeline->parameters[i]->name, name) == 0) {
            return self->pipeline->parameters[i];
        }
    }
    return NULL;
}

/* The value of the name among pairs; NULL if there is none. */
static char *
find_value(Valion__V1__KeyValue *const *pairs, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(pairs[i]->key, name) == 0) {
            return pairs[i]->value;
        }
    }
    return NULL;
}

static bool
check_param(const submission_t *self, size_t at)
{
    const Valion__V1__KeyValue *given = self->request->params[at];
    const Valion__V1__Parameter *parameter = find_parameter(self, given->key);
    const char *text = given->value ? given->value : "";
    if (!parameter) {
        vln_call_refuse_field(self->call, "params", "pipeline '%s' has no parameter '%.64s'",
                              self->run.pipeline, given->key ? given->key : "");
        return false;
    }
    if (find_value(self->request->params, at, parameter->name)) {
        vln_call_refuse_field(self->call, "params", "'%s' is given twice", parameter->name);
        return false;
    }
    yyjson_doc *document = NULL;
    template_error_t error = {.why = ""};
    bool sound = template_read_up_to(text, strlen(text), VALUE_MAX, &document, &error) == VLN_OK &&
                 orchestrator_param_fits(parameter, yyjson_doc_get_root(document));
    yyjson_doc_free(document);
    if (!sound) {
        vln_call_refuse_field(self->call, "params", "'%s' has to be %s, as JSON%s%s",
                              parameter->name, orchestrator_param_type_name(parameter),
                              *error.why ? ": " : "", error.why);
    }
    return sound;
}

/* Those of the run before; none if there was none. */
static const Valion__V1__EventPayload *
params_before(const submission_t *self)
{
    static const Valion__V1__EventPayload none = VALION__V1__EVENT_PAYLOAD__INIT;
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    if (!self->run.is_rerun ||
        vln_pb_unpack(&valion__v1__event_payload__descriptor, self->before.params,
                      self->before.params_size, self->call->arena, &message, &scan) != VLN_OK) {
        return &none;
    }
    return (const Valion__V1__EventPayload *)message;
}

/* As given, else as before, else the default. */
static bool
fill_param(submission_t *self, const Valion__V1__Parameter *parameter,
           const Valion__V1__EventPayload *before, size_t *bytes)
{
    Valion__V1__KeyValue *pair = vln_arena_alloc(self->call->arena, sizeof *pair);
    valion__v1__key_value__init(pair);
    pair->key = parameter->name;
    pair->value = find_value(self->request->params, self->request->n_params, parameter->name);
    if (!pair->value) {
        pair->value = find_value(before->facts, before->n_facts, parameter->name);
    }
    if (!pair->value) {
        pair->value = parameter->default_json;
    }
    if (!pair->value) {
        vln_call_refuse_field(
            self->call, "params", "pipeline '%s' needs a value for '%s', %s: it has no default",
            self->run.pipeline, parameter->name, orchestrator_param_type_name(parameter));
        return false;
    }
    *bytes += strlen(pair->value);
    self->params.facts[self->params.n_facts++] = pair;
    return true;
}

static bool
read_params(submission_t *self)
{
    for (size_t i = 0; i < self->request->n_params; i++) {
        if (!check_param(self, i)) {
            return false;
        }
    }
    const Valion__V1__EventPayload *before = params_before(self);
    size_t bytes = 0;
    valion__v1__event_payload__init(&self->params);
    self->params.facts = vln_arena_alloc(self->call->arena, (self->pipeline->n_parameters + 1) *
                                                                sizeof *self->params.facts);
    for (size_t i = 0; i < self->pipeline->n_parameters; i++) {
        if (!fill_param(self, self->pipeline->parameters[i], before, &bytes)) {
            return false;
        }
    }
    if (bytes > PARAMS_MAX) {
        vln_call_refuse_field(self->call, "params", "%zu bytes of values; at most %d are kept",
                              bytes, PARAMS_MAX);
        return false;
    }
    self->run.params = vln_pb_pack(&self->params.base, self->call->arena, &self->run.params_size);
    return true;
}

/* ---- what else is checked ---- */

static bool
check_rest(const submission_t *self)
{
    const Valion__V1__SubmitRunRequest *request = self->request;
    if (request->has_priority && (request->priority < 1 || request->priority > 5)) {
        vln_call_refuse_field(self->call, "priority", "a priority is 1 (first) to 5 (last)");
        return false;
    }
    if (request->from_step && !self->run.is_rerun) {
        vln_call_refuse_field(self->call, "from_step", "only a rerun (rerun_of) begins at a step");
        return false;
    }
    if (request->from_step &&
        orchestrator_plan_find(self->pipeline, request->from_step) == self->pipeline->n_steps) {
        vln_call_refuse_field(self->call, "from_step", "the pipeline has no step '%.64s'",
                              request->from_step);
        return false;
    }
    for (size_t i = 0; i < self->pipeline->n_steps; i++) {
        if (!orchestrator_kind_check_roles(self->call, self->pipeline->steps[i]->kind)) {
            return false;
        }
    }
    return true;
}

static vln_err_t
check_queue(const submission_t *self, bool *sound)
{
    int64_t open = 0;
    vln_err_t err = orchestrator_store_count_open(self->worker->store, self->run.pipeline, &open);
    *sound = err == VLN_OK && open < OPEN_MAX;
    if (err == VLN_OK && !*sound) {
        vln_call_refuse(self->call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_QUOTA,
                        "%" PRId64 " runs of '%s' have not ended, which is the bound: submit later",
                        open, self->run.pipeline);
        self->call->limit = OPEN_MAX;
        self->call->retry_after_ms = OPEN_RETRY_MS;
    }
    return err;
}

/* ---- rerun ---- */

/* The steps whose outputs are used again: those that succeeded and depend on nothing that is run. */
static size_t
find_reused(const submission_t *self, const orchestrator_step_t *before, size_t *reused)
{
    const run_plan_t *plan = &self->plan->run;
    bool again[RUN_STEPS_MAX] = {false};
    size_t count = 0;
    for (size_t i = 0; i < plan->count; i++) {
        size_t step = plan->order[i];
        const graph_node_t *node = &plan->steps[step].node;
        again[step] = before[step].state != STEP_SUCCEEDED || plan->steps[step].is_finally;
        if (self->request->from_step &&
            strcmp(self->pipeline->steps[step]->name, self->request->from_step) == 0) {
            again[step] = true;
        }
        for (size_t n = 0; n < node->need_count; n++) {
            again[step] = again[step] || again[node->needs[n]];
        }
        if (!again[step]) {
            reused[count++] = step;
        }
    }
    return count;
}

static vln_err_t
reuse_steps(submission_t *self)
{
    vln_arena_t *arena = self->call->arena;
    orchestrator_step_t *before = NULL;
    size_t found = 0;
    size_t reused[RUN_STEPS_MAX];
    if (!self->run.is_rerun) {
        return VLN_OK;
    }
    vln_err_t err = orchestrator_store_find_steps(self->worker->store, arena, &self->run.rerun_of,
                                                  &before, &found);
    if (err == VLN_OK && found != self->plan->run.count) {
        err = VLN_DATA_LOSS;
    }
    size_t count = err == VLN_OK ? find_reused(self, before, reused) : 0;
    return err == VLN_OK && count ? orchestrator_store_reuse_steps(self->worker->store, arena,
                                                                   &self->run, reused, count)
                                  : err;
}

/* ---- the call ---- */

static vln_err_t
check_all(submission_t *self, bool *sound)
{
    vln_err_t err = VLN_OK;
    *sound = orchestrator_check_room(self->worker->orchestrator, self->call);
    if (*sound && self->request->has_rerun_of) {
        err = read_before(self, sound);
    }
    if (err == VLN_OK && *sound) {
        err = read_pipeline(self, sound);
    }
    if (err == VLN_OK && *sound) {
        *sound = check_rest(self) && read_params(self);
    }
    if (err == VLN_OK && *sound) {
        err = check_queue(self, sound);
    }
    return err;
}

static vln_err_t
store_run(submission_t *self)
{
    vln_arena_t *arena = self->call->arena;
    orchestrator_store_t *store = self->worker->store;
    char **names = vln_arena_alloc(arena, self->pipeline->n_steps * sizeof *names);
    for (size_t i = 0; i < self->pipeline->n_steps; i++) {
        names[i] = self->pipeline->steps[i]->name;
    }
    vln_err_t err =
        orchestrator_store_insert_run(store, arena, &self->run, names, self->pipeline->n_steps);
    if (err == VLN_OK) {
        err = reuse_steps(self);
    }
    if (err != VLN_OK) {
        return err;
    }
    char id[VLN_ID_TEXT];
    char version[24];
    snprintf(version, sizeof version, "%" PRId64, self->run.version);
    const vln_fact_t facts[] = {{"pipeline", self->run.pipeline},
                                {"version", version},
                                {"trigger", self->run.trigger},
                                {NULL, NULL}};
    vln_events_t *events = vln_events_new(arena);
    vln_events_add(events, "run.submitted", vln_id_format(self->run.id.bytes, id),
                   vln_call_actor(self->call), facts);
    return orchestrator_store_write_events(store, events);
}

/* What the work of the transaction leaves for after it. */
typedef struct submitting {
    orchestrator_worker_t *worker;
    const char *pipeline; /* NULL: nothing was submitted */
} submitting_t;

static vln_err_t
work_submit(void *context, vln_call_t **calls, size_t count)
{
    submitting_t *submitting = context;
    vln_call_t *call = calls[0];
    const Valion__V1__SubmitRunRequest *request = (const void *)call->request;
    vln_assert(count == 1);
    submission_t self = {
        .worker = submitting->worker,
        .call = call,
        .request = request,
        .run = {.id = vln_id_new(),
                .priority = request->has_priority ? (int)request->priority : DEFAULT_PRIORITY,
                .submitter = orchestrator_submitter(call),
                .submitter_roles = orchestrator_submitter_roles(call),
                .trigger = "manual"}};
    bool sound = false;
    vln_err_t err = check_all(&self, &sound);
    if (err != VLN_OK || !sound) {
        return err;
    }
    err = store_run(&self);
    submitting->pipeline = self.run.pipeline;
    Valion__V1__SubmitRunReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__submit_run_reply__init(reply);
    reply->has_run_id = 1;
    reply->run_id = (ProtobufCBinaryData){
        VLN_ID_BYTES, vln_arena_memdup(call->arena, self.run.id.bytes, VLN_ID_BYTES)};
    if (err == VLN_OK) {
        vln_call_reply(call, &reply->base);
    }
    return err;
}

void
orchestrator_submit_run(void *worker, vln_call_t **calls, size_t count)
{
    submitting_t submitting = {.worker = worker};
    vln_once_t once = orchestrator_store_once(submitting.worker->store);
    once.context = &submitting;
    once.work = work_submit;
    vln_once_run(&once, calls, count);
    if (submitting.pipeline && !vln_call_is_refused(calls[0])) {
        orchestrator_give_turns(submitting.worker->orchestrator, submitting.worker->store,
                                calls[0]->arena, submitting.pipeline);
    }
}
