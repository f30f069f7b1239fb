/*
 * Pipelines: applied, read, listed. A version never changes; the same content again is no new one.
 */
#include "orchestrator_pipelines.h"

#include <inttypes.h>
#include <string.h>

#include "vln_digest.h"
#include "vln_page.h"
#include "vln_pb.h"

#include "orchestrator.h"
#include "orchestrator_advance.h"
#include "orchestrator_kinds.h"

enum {
    LIST_BYTES = 1024 * 1024, /* of pipelines in a list: far more than a reply holds */
    NAME_TOKEN_MAX = ORCHESTRATOR_NAME_MAX,
    REPLY_FIELDS = 32, /* beside the pipeline's own */
    REPLY_MEMORY = 64 * 1024,
};

const char *
orchestrator_pipeline_name(const char *name)
{
    return name && strcmp(name, "default_ml_pipeline") == 0 ? "default" : name;
}

void
orchestrator_refuse_no_pipeline(vln_call_t *call, const char *name, uint64_t version)
{
    if (version) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no version %" PRIu64 " of a pipeline '%.128s'; ListPipelines "
                        "lists the latest",
                        version, name ? name : "");
        return;
    }
    vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                    "there is no pipeline '%.128s'; ListPipelines lists them, ApplyPipeline makes "
                    "one",
                    name ? name : "");
}

/* ---- apply ---- */

void
orchestrator_pipeline_pack(const Valion__V1__Pipeline *given, vln_arena_t *arena,
                           orchestrator_pipeline_t *out)
{
    Valion__V1__Pipeline body = *given;
    body.has_version = body.has_created_us = 0;
    body.created_by = NULL;
    out->name = given->name;
    out->body = vln_pb_pack(&body.base, arena, &out->body_size);
    vln_digest(out->body, out->body_size, out->digest);
}

/* A reply with it has to be one that a client can read. */
static bool
check_size(vln_call_t *call, const orchestrator_pipeline_t *pipeline)
{
    vln_pb_scan_t scan;
    vln_err_t err =
        vln_pb_scan(&valion__v1__pipeline__descriptor, pipeline->body, pipeline->body_size, &scan);
    if (err == VLN_OK && pipeline->body_size <= ORCHESTRATOR_BODY_MAX &&
        scan.fields + REPLY_FIELDS <= VLN_PB_MAX_FIELDS &&
        scan.memory_bytes + REPLY_MEMORY <= VLN_PB_MAX_MEMORY) {
        return true;
    }
    vln_call_refuse_field(call, "pipeline",
                          "it is too large: %zu bytes and %zu fields; at most %d bytes and %d "
                          "fields are kept",
                          pipeline->body_size, scan.fields, ORCHESTRATOR_BODY_MAX,
                          VLN_PB_MAX_FIELDS - REPLY_FIELDS);
    return false;
}

/* What the request asks for, checked; NULL, and the call refused, if it cannot be run. */
static const Valion__V1__Pipeline *
read_request(vln_call_t *call)
{
    const Valion__V1__ApplyPipelineRequest *request = (const void *)call->request;
    Valion__V1__Pipeline *pipeline = request->pipeline;
    orchestrator_plan_t *plan = NULL;
    orchestrator_flaw_t flaw;
    if (!pipeline == !request->source) {
        vln_call_refuse_field(call, "pipeline", "give a pipeline, or the source of one");
        return NULL;
    }
    vln_err_t err = request->source ? orchestrator_plan_read_source(request->source, call->arena,
                                                                    &pipeline, &flaw)
                                    : VLN_OK;
    if (err == VLN_OK) {
        pipeline->name = orchestrator_borrowed(orchestrator_pipeline_name(pipeline->name));
        err = orchestrator_plan_check(pipeline, call->arena, &plan, &flaw);
    }
    if (err != VLN_OK) {
        vln_call_refuse_field(call, flaw.field, "%s", flaw.why);
        return NULL;
    }
    return pipeline;
}

static void
add_warnings(vln_call_t *call, const Valion__V1__Pipeline *pipeline,
             Valion__V1__ApplyPipelineReply *reply)
{
    reply->warnings =
        vln_arena_alloc(call->arena, (pipeline->n_steps + 1) * sizeof *reply->warnings);
    for (size_t i = 0; i < pipeline->n_steps; i++) {
        const Valion__V1__Step *step = pipeline->steps[i];
        if (!orchestrator_kind_is_built_in(step->kind) && reply->n_warnings < REPLY_FIELDS / 2) {
            reply->warnings[reply->n_warnings++] = vln_arena_printf(
                call->arena,
                "step '%s': '%s' is a kind of your own: it waits until a worker takes it",
                step->name, step->kind);
        }
    }
    if (pipeline->n_notification) {
        reply->warnings[reply->n_warnings++] =
            orchestrator_borrowed("notification: kept, but nothing is sent yet");
    }
}

static void
add_applied_event(vln_events_t *events, const orchestrator_pipeline_t *pipeline, const char *actor)
{
    char version[24];
    char subject[ORCHESTRATOR_NAME_MAX + 32];
    snprintf(version, sizeof version, "%" PRId64, pipeline->version);
    snprintf(subject, sizeof subject, "%s@%s", pipeline->name, version);
    const vln_fact_t facts[] = {{"pipeline", pipeline->name}, {"version", version}, {NULL, NULL}};
    vln_events_add(events, "pipeline.applied", subject, actor, facts);
}

vln_err_t
orchestrator_pipeline_put(orchestrator_store_t *store, vln_events_t *events,
                          orchestrator_pipeline_t *pipeline)
{
    vln_err_t err = orchestrator_store_put_pipeline(store, pipeline);
    if (err == VLN_OK) {
        add_applied_event(events, pipeline, pipeline->created_by);
    }
    return err;
}

/* The next version, or the last one if it is the same; `*changed` says which. */
static vln_err_t
store_next(orchestrator_worker_t *self, vln_call_t *call, orchestrator_pipeline_t *next,
           bool *changed)
{
    const Valion__V1__ApplyPipelineRequest *request = (const void *)call->request;
    orchestrator_pipeline_t last = {0};
    vln_err_t err =
        orchestrator_store_find_pipeline(self->store, call->arena, next->name, 0, &last);
    if (err != VLN_OK && err != VLN_NOT_FOUND) {
        return err;
    }
    *changed = err == VLN_NOT_FOUND || memcmp(last.digest, next->digest, VLN_DIGEST_BYTES) != 0;
    if (!*changed) {
        *next = last;
        return VLN_OK;
    }
    next->version = last.version + 1;
    if (request->dry_run) {
        return VLN_OK;
    }
    vln_events_t *events = vln_events_new(call->arena);
    err = orchestrator_pipeline_put(self->store, events, next);
    return err == VLN_OK ? orchestrator_store_write_events(self->store, events) : err;
}

static vln_err_t
work_apply(void *context, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__Pipeline *given = read_request(call);
    if (!given) {
        return VLN_OK;
    }
    orchestrator_pipeline_t next = {.created_by = vln_call_actor(call)};
    orchestrator_pipeline_pack(given, call->arena, &next);
    if (!check_size(call, &next)) {
        return VLN_OK;
    }
    bool changed = false;
    Valion__V1__ApplyPipelineReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__apply_pipeline_reply__init(reply);
    vln_err_t err = store_next(self, call, &next, &changed);
    if (err == VLN_OK) {
        err = orchestrator_pipeline_read(&next, call->arena, &reply->pipeline);
    }
    if (err == VLN_OK) {
        reply->has_changed = 1;
        reply->changed = changed;
        add_warnings(call, given, reply);
        vln_call_reply(call, &reply->base);
    }
    return err;
}

void
orchestrator_apply_pipeline(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_once_t once = orchestrator_store_once(self->store);
    once.context = self;
    once.work = work_apply;
    vln_once_run(&once, calls, count);
}

/* ---- get, list ---- */

void
orchestrator_get_pipeline(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__GetPipelineRequest *request = (const void *)call->request;
    vln_assert(count == 1);
    const char *name = orchestrator_pipeline_name(request->name);
    orchestrator_pipeline_t stored;
    Valion__V1__GetPipelineReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__get_pipeline_reply__init(reply);
    vln_err_t err =
        request->version > INT64_MAX
            ? VLN_NOT_FOUND
            : orchestrator_store_find_pipeline(self->store, call->arena, name ? name : "",
                                               (int64_t)request->version, &stored);
    if (err == VLN_NOT_FOUND) {
        orchestrator_refuse_no_pipeline(call, name, request->version);
        return;
    }
    if (err == VLN_OK) {
        err = orchestrator_pipeline_read(&stored, call->arena, &reply->pipeline);
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    vln_call_reply(call, &reply->base);
}

/* False, and the call refused, if the token is none of ours. */
static bool
read_token(vln_call_t *call, const Valion__V1__Page *page, const char **out)
{
    *out = NULL;
    if (!page || page->token.len == 0) {
        return true;
    }
    if (page->token.len > NAME_TOKEN_MAX || memchr(page->token.data, '\0', page->token.len)) {
        vln_call_refuse_field(call, "page.token",
                              "not a token of this list: repeat next_token as it came");
        return false;
    }
    char *name = vln_arena_alloc(call->arena, page->token.len + 1);
    memcpy(name, page->token.data, page->token.len);
    *out = name;
    return true;
}

static vln_err_t
fill_list(vln_call_t *call, const orchestrator_pipeline_t *stored, size_t found, bool more,
          Valion__V1__ListPipelinesReply *reply)
{
    vln_page_t page = {0};
    reply->pipelines = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->pipelines);
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Pipeline *pipeline = NULL;
        vln_err_t err = orchestrator_pipeline_read(&stored[i], call->arena, &pipeline);
        if (err != VLN_OK) {
            return err;
        }
        if (!vln_page_take(&page, call->arena, &pipeline->base)) {
            more = true;
            break;
        }
        reply->pipelines[reply->n_pipelines++] = pipeline;
    }
    if (more && reply->n_pipelines) {
        const char *last = reply->pipelines[reply->n_pipelines - 1]->name;
        reply->has_next_token = 1;
        reply->next_token = orchestrator_borrowed_bytes((const uint8_t *)last, strlen(last));
    }
    return VLN_OK;
}

void
orchestrator_list_pipelines(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ListPipelinesRequest *request = (const void *)call->request;
    vln_assert(count == 1);
    int size = 0;
    const char *after = NULL;
    if (!orchestrator_page_size(call, request->page, &size) ||
        !read_token(call, request->page, &after)) {
        return;
    }
    orchestrator_pipeline_t *stored = NULL;
    size_t found = 0;
    Valion__V1__ListPipelinesReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__list_pipelines_reply__init(reply);
    const orchestrator_pipeline_filter_t filter = {after, size, LIST_BYTES};
    vln_err_t err =
        orchestrator_store_list_pipelines(self->store, call->arena, &filter, &stored, &found);
    if (err == VLN_OK) {
        err = fill_list(call, stored, found, (int)found == size, reply);
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    vln_call_reply(call, &reply->base);
}
