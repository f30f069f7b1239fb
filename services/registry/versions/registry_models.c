/*
 * Models: a name for versions, with what its people say of it.
 */
#include "registry_models.h"

#include <inttypes.h>
#include <string.h>

#include "registry_handlers.h"
#include "registry_wire.h"

enum { DESCRIPTION_MAX = 5000, WORD_MAX = 250 };

Valion__V1__Model *
registry_model_to_wire(vln_arena_t *arena, const registry_model_t *model)
{
    NEW(arena, Valion__V1__Model, wire, valion__v1__model__init);
    wire->name = registry_borrowed(model->name);
    wire->description = registry_borrowed(model->description);
    registry_split_lines(arena, model->tags, &wire->tags, &wire->n_tags);
    wire->author = registry_borrowed(model->author);
    wire->algorithm = registry_borrowed(model->algorithm);
    wire->framework = registry_borrowed(model->framework);
    wire->latest_version = registry_borrowed(model->latest);
    wire->has_versions = wire->has_revision = wire->has_created_us = wire->has_updated_us = 1;
    wire->versions = (uint32_t)model->versions;
    wire->revision = (uint64_t)model->revision;
    wire->created_us = model->created_us;
    wire->updated_us = model->updated_us;
    return wire;
}

/* ---- create, get ---- */

static vln_err_t
create_one_model(registry_worker_t *worker, vln_call_t *call, vln_events_t *events)
{
    const Valion__V1__CreateModelRequest *request = (const void *)call->request;
    const char *tags = registry_join_tags(call, request->tags, request->n_tags);
    if (!tags || !registry_check_model_name(call, request->name) ||
        !registry_check_text(call, "description", request->description, DESCRIPTION_MAX) ||
        !registry_check_text(call, "algorithm", request->algorithm, WORD_MAX) ||
        !registry_check_text(call, "framework", request->framework, WORD_MAX)) {
        return VLN_OK;
    }
    registry_model_t model = {.name = request->name,
                              .description = request->description ? request->description : "",
                              .tags = tags,
                              .author = call->ticket ? call->ticket->submitter : call->principal,
                              .algorithm = request->algorithm ? request->algorithm : "",
                              .framework = request->framework ? request->framework : ""};
    bool created = false;
    vln_err_t err = registry_store_create_model(worker->store, call->arena, &model, &created);
    if (err != VLN_OK) {
        return err;
    }
    if (created) {
        const vln_fact_t facts[] = {{"model", model.name}, {NULL, NULL}};
        vln_events_add(events, "model.created", model.name, vln_call_actor(call), facts);
    }
    NEW(call->arena, Valion__V1__CreateModelReply, reply, valion__v1__create_model_reply__init);
    reply->model = registry_model_to_wire(call->arena, &model);
    reply->has_created = 1;
    reply->created = created;
    vln_call_reply(call, &reply->base);
    return VLN_OK;
}

static vln_err_t
work_create_models(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *worker = context;
    vln_events_t *events = vln_events_new(calls[0]->arena);
    for (size_t i = 0; i < count; i++) {
        vln_err_t err = create_one_model(worker, calls[i], events);
        if (err != VLN_OK) {
            return err;
        }
    }
    return registry_store_write_events(worker->store, events);
}

void
registry_create_model(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_create_models);
}

void
registry_get_model(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    const char *names[VLN_BATCH_MAX];
    vln_call_t *asked[VLN_BATCH_MAX];
    registry_model_t models[VLN_BATCH_MAX];
    size_t ask_count = 0;
    for (size_t i = 0; i < count; i++) {
        const Valion__V1__GetModelRequest *request = (const void *)calls[i]->request;
        if (registry_check_model_name(calls[i], request->name)) {
            names[ask_count] = request->name;
            asked[ask_count++] = calls[i];
        }
    }
    if (ask_count == 0) {
        return;
    }
    vln_err_t err =
        registry_store_find_models(self->store, asked[0]->arena, names, ask_count, models);
    for (size_t i = 0; i < ask_count; i++) {
        if (err != VLN_OK) {
            vln_call_refuse_store(asked[i], err);
        } else if (!models[i].name) {
            registry_refuse_no_model(asked[i], names[i]);
        } else {
            NEW(asked[i]->arena, Valion__V1__GetModelReply, reply,
                valion__v1__get_model_reply__init);
            reply->model = registry_model_to_wire(asked[i]->arena, &models[i]);
            vln_call_reply(asked[i], &reply->base);
        }
    }
}

/* ---- change ---- */

bool
registry_lock_model(registry_worker_t *self, vln_call_t *call, const char *name,
                    registry_model_t *out, vln_err_t *err)
{
    int64_t now_us = 0;
    *err = VLN_OK;
    if (!registry_check_model_name(call, name)) {
        return false;
    }
    *err = registry_store_lock_models(self->store, call->arena, &name, 1, out, &now_us);
    if (*err == VLN_OK && !out->name) {
        registry_refuse_no_model(call, name);
    }
    return *err == VLN_OK && out->name;
}

static bool
check_revision(vln_call_t *call, const registry_model_t *model)
{
    const Valion__V1__UpdateModelRequest *request = (const void *)call->request;
    if (!request->has_expected_revision ||
        (uint64_t)model->revision == request->expected_revision) {
        return true;
    }
    vln_call_refuse(call, VLN_ABORTED, VALION__V1__REASON__REASON_STATE,
                    "model %s has changed: it is at revision %" PRId64 ", not %" PRIu64
                    "; read it again, then decide",
                    model->name, model->revision, request->expected_revision);
    return false;
}

static vln_err_t
save_model(registry_worker_t *self, vln_call_t *call, registry_model_t *model,
           const registry_model_t *before)
{
    const vln_fact_t facts[] = {
        {"model", model->name},
        {"description", model->description != before->description ? model->description : NULL},
        {"tags", model->tags != before->tags ? model->tags : NULL},
        {NULL, NULL}};
    vln_events_t *events = vln_events_new(call->arena);
    vln_events_add(events, "model.updated", model->name, vln_call_actor(call), facts);
    vln_err_t err = registry_store_write_events(self->store, events);
    return err == VLN_OK ? registry_store_save_model(self->store, call->arena, model) : err;
}

static vln_err_t
work_update_model(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__UpdateModelRequest *request = (const void *)call->request;
    registry_model_t before;
    vln_err_t err = VLN_OK;
    if (!registry_check_text(call, "description", request->description, DESCRIPTION_MAX) ||
        !registry_lock_model(self, call, request->name, &before, &err) ||
        !check_revision(call, &before)) {
        return err;
    }
    registry_model_t model = before;
    const registry_tag_change_t change = {request->add_tags, request->n_add_tags,
                                          request->remove_tags, request->n_remove_tags};
    if (!registry_change_tags(call, &change, &model.tags)) {
        return VLN_OK;
    }
    if (request->description && strcmp(request->description, before.description) != 0) {
        model.description = request->description;
    }
    if (model.tags != before.tags || model.description != before.description) {
        err = save_model(self, call, &model, &before);
    }
    if (err == VLN_OK) {
        NEW(call->arena, Valion__V1__UpdateModelReply, reply, valion__v1__update_model_reply__init);
        reply->model = registry_model_to_wire(call->arena, &model);
        vln_call_reply(call, &reply->base);
    }
    return err;
}

void
registry_update_model(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_update_model);
}

static vln_err_t
work_delete_model(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__DeleteModelRequest *request = (const void *)call->request;
    registry_model_t model;
    vln_err_t err = VLN_OK;
    if (!registry_lock_model(self, call, request->name, &model, &err)) {
        return err;
    }
    if (model.versions > 0) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "model %s has %" PRId64 " versions: delete them first", model.name,
                        model.versions);
        return VLN_OK;
    }
    const vln_fact_t facts[] = {{"model", model.name}, {NULL, NULL}};
    vln_events_t *events = vln_events_new(call->arena);
    vln_events_add(events, "model.deleted", model.name, vln_call_actor(call), facts);
    err = registry_store_delete_model(self->store, model.name);
    if (err == VLN_OK) {
        err = registry_store_write_events(self->store, events);
    }
    if (err == VLN_OK) {
        NEW(call->arena, Valion__V1__DeleteModelReply, reply, valion__v1__delete_model_reply__init);
        vln_call_reply(call, &reply->base);
    }
    return err;
}

void
registry_delete_model(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_delete_model);
}
