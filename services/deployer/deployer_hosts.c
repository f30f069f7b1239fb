/*
 * Hosts, which runners speak for.
 */
#include <string.h>

#include "vln_text.h"

#include "deployer.h"
#include "deployer_refresh.h"
#include "deployer_telemetry.h"

enum { NAME_MAX_BYTES = 64, ENVIRONMENTS_MAX = 32, PORT_MAX = 65535, ERROR_MAX = 1000 };

#define NEW(arena, type, name, init)                   \
    type *name = vln_arena_alloc(arena, sizeof *name); \
    init(name)

/* ---- what runners call ---- */

static bool
check_host(vln_call_t *call, const char *host)
{
    bool ok = host && vln_text_is_name(host, NAME_MAX_BYTES, "._-");
    if (!ok) {
        vln_call_refuse_field(call, "host",
                              "a host has a name of 1 to %d letters, digits, '.', "
                              "'_', '-'",
                              NAME_MAX_BYTES);
    }
    return ok;
}

static bool
check_environments(vln_call_t *call, const Valion__V1__GetHostStateRequest *request)
{
    bool ok = request->n_environments <= ENVIRONMENTS_MAX;
    for (size_t i = 0; i < request->n_environments && ok; i++) {
        const Valion__V1__Environment *offered = request->environments[i];
        ok = offered->name && vln_text_is_name(offered->name, NAME_MAX_BYTES, "-") &&
             offered->port > 0 && offered->port <= PORT_MAX;
    }
    if (!ok) {
        vln_call_refuse_field(call, "environments",
                              "at most %d, each with a name of letters, digits and '-' and a port",
                              ENVIRONMENTS_MAX);
    }
    return ok;
}

/* A host that is new, or offers something else than before, is written down first. */
static vln_err_t
see_host(deployer_worker_t *self, vln_call_t *call, const Valion__V1__GetHostStateRequest *request)
{
    bool changed = false;
    vln_err_t err = deployer_store_begin(self->store);
    if (err == VLN_OK) {
        err = deployer_store_see_host(self->store, request);
    }
    if (err == VLN_OK) {
        err = deployer_refresh_hosts(self->store, call->arena, &changed);
    }
    if (err == VLN_OK) {
        err = deployer_store_commit(self->store);
    } else {
        deployer_store_rollback(self->store);
    }
    return err;
}

void
deployer_get_host_state(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__GetHostStateRequest *request = (const void *)call->request;
    deployer_host_t host;
    vln_assert(count == 1);
    if (!check_host(call, request->host) || !check_environments(call, request)) {
        return;
    }
    vln_err_t err = call->was_parked ? VLN_OK : see_host(self, call, request);
    if (err == VLN_OK) {
        err = deployer_store_find_host(self->store, call->arena, request->host, &host);
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    bool newer = host.generation > (int64_t)request->after;
    if (!newer && vln_call_park(call, DEPLOYER_TOPIC_HOSTS, request->wait_ms)) {
        return;
    }
    NEW(call->arena, Valion__V1__GetHostStateReply, reply, valion__v1__get_host_state_reply__init);
    reply->state = newer ? host.state : NULL;
    vln_call_reply(call, &reply->base);
}

static bool
check_report(vln_call_t *call, const Valion__V1__ReportHostStateRequest *request)
{
    for (size_t i = 0; i < request->n_instances; i++) {
        const Valion__V1__InstanceReport *report = request->instances[i];
        if (report->instance_id.len != VLN_ID_BYTES ||
            (report->error && strlen(report->error) > ERROR_MAX)) {
            vln_call_refuse_field(call, "instances",
                                  "an instance has an id of %d bytes, and an error of at most %d",
                                  VLN_ID_BYTES, ERROR_MAX);
            return false;
        }
    }
    return check_host(call, request->host);
}

static vln_err_t
store_report(deployer_worker_t *self, vln_arena_t *arena,
             const Valion__V1__ReportHostStateRequest *request)
{
    vln_err_t err = deployer_store_begin(self->store);
    for (size_t i = 0; i < request->n_instances && err == VLN_OK; i++) {
        err = deployer_store_report_instance(self->store, request->host, request->instances[i]);
    }
    if (err == VLN_OK) {
        err = deployer_telemetry_keep(self->store, arena, request);
    }
    if (err == VLN_OK) {
        err = deployer_store_report_host(self->store, request);
    }
    if (err == VLN_OK) {
        return deployer_store_commit(self->store);
    }
    deployer_store_rollback(self->store);
    return err;
}

void
deployer_report_host_state(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ReportHostStateRequest *request = (const void *)call->request;
    deployer_host_t host;
    vln_assert(count == 1);
    if (!check_report(call, request)) {
        return;
    }
    vln_err_t err = deployer_store_find_host(self->store, call->arena, request->host, &host);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "this host is not known yet: GetHostState comes first");
        return;
    }
    if (err == VLN_OK) {
        err = store_report(self, call->arena, request);
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ReportHostStateReply, reply,
        valion__v1__report_host_state_reply__init);
    reply->has_generation = 1;
    reply->generation = (uint64_t)host.generation;
    vln_call_reply(call, &reply->base);
    vln_call_hint(call, DEPLOYER_TOPIC_ROLLOUTS);
}

/* ---- what people look at ---- */

static vln_err_t
fill_host(deployer_worker_t *self, vln_arena_t *arena, const deployer_host_t *host,
          Valion__V1__Host *out)
{
    deployer_instance_t *instances = NULL;
    size_t count = 0;
    vln_err_t err = deployer_store_list_instances(
        self->store, arena, &(deployer_place_t){.host = host->name}, &instances, &count);
    valion__v1__host__init(out);
    out->name = vln_arena_strdup(arena, host->name);
    out->has_generation = out->has_generation_wanted = out->has_last_seen_us = 1;
    out->generation = (uint64_t)host->applied;
    out->generation_wanted = (uint64_t)host->generation;
    out->last_seen_us = host->seen_us;
    out->environments = host->environments;
    out->n_environments = host->environment_count;
    out->error = vln_arena_strdup(arena, host->error);
    out->isolation = vln_arena_strdup(arena, host->isolation);
    out->instances = vln_arena_alloc(arena, (count + 1) * sizeof(void *));
    for (size_t i = 0; i < count; i++) {
        if (instances[i].report) {
            out->instances[out->n_instances++] = instances[i].report;
        }
    }
    return err;
}

void
deployer_list_hosts(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    deployer_host_t *hosts = NULL;
    size_t found = 0;
    vln_assert(count == 1);
    vln_err_t err = deployer_store_list_hosts(self->store, call->arena, &hosts, &found);
    NEW(call->arena, Valion__V1__ListHostsReply, reply, valion__v1__list_hosts_reply__init);
    reply->hosts = vln_arena_alloc(call->arena, (found + 1) * sizeof(void *));
    for (size_t i = 0; i < found && err == VLN_OK; i++) {
        Valion__V1__Host *host = vln_arena_alloc(call->arena, sizeof *host);
        err = fill_host(self, call->arena, &hosts[i], host);
        reply->hosts[reply->n_hosts++] = host;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    vln_call_reply(call, &reply->base);
}

static Valion__V1__Environment *
find_environment(Valion__V1__ListEnvironmentsReply *reply, const Valion__V1__Environment *offered,
                 size_t hosts, vln_arena_t *arena)
{
    for (size_t i = 0; i < reply->n_environments; i++) {
        if (strcmp(reply->environments[i]->name, offered->name) == 0) {
            return reply->environments[i];
        }
    }
    Valion__V1__Environment *environment = vln_arena_alloc(arena, sizeof *environment);
    valion__v1__environment__init(environment);
    environment->name = offered->name;
    environment->has_port = 1;
    environment->port = offered->port;
    environment->hosts = vln_arena_alloc(arena, hosts * sizeof(char *));
    reply->environments[reply->n_environments++] = environment;
    return environment;
}

void
deployer_list_environments(void *worker, vln_call_t **calls, size_t count)
{
    deployer_worker_t *self = worker;
    vln_call_t *call = calls[0];
    deployer_host_t *hosts = NULL;
    size_t found = 0;
    vln_assert(count == 1);
    vln_err_t err = deployer_store_list_hosts(self->store, call->arena, &hosts, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListEnvironmentsReply, reply,
        valion__v1__list_environments_reply__init);
    reply->environments =
        vln_arena_alloc(call->arena, (found * ENVIRONMENTS_MAX + 1) * sizeof(void *));
    for (size_t i = 0; i < found; i++) {
        for (size_t at = 0; at < hosts[i].environment_count; at++) {
            Valion__V1__Environment *environment =
                find_environment(reply, hosts[i].environments[at], found, call->arena);
            environment->hosts[environment->n_hosts++] =
                vln_arena_strdup(call->arena, hosts[i].name);
        }
    }
    vln_call_reply(call, &reply->base);
}
