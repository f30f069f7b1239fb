/*
 * The keeper: makes the host's wanted state true, over and over. Each turn looks at every server,
 * decides by domain/instance, acts, brings HAProxy in line, and reports once a second. It can be
 * killed at any instant: what it has done it finds on disk and under the supervisor.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "vln_client.h"
#include "vln_log.h"
#include "vln_pb.h"
#include "vln_text.h"
#include "vln_time.h"

#include "runner_proxy.h"
#include "runner_report.h"
#include "runner_server.h"

enum {
    TURN_MS = 200,
    REPORT_MS = 1000,
    RETRY_MS = 2000,
    SETTLE_MS = 1000,
    PROBE_MS = 1000,
    HTTP_OK = 200,
    SERVERS_MAX = 256,
    ARENA_BUDGET = 32 * 1024 * 1024,
};

static const char READY_PATH[] = "/v2/health/ready";
static const char LIVE_PATH[] = "/v2/health/live";

#define S(name) VALION__V1__INSTANCE_STATE__INSTANCE_STATE_##name

typedef struct keeper {
    runner_t *runner;
    vln_client_t *client;
    vln_artifacts_t *artifacts;
    runner_http_t *http;
    runner_proxy_t proxy;
    runner_server_t *servers[SERVERS_MAX];
    size_t server_count;
    uint64_t applied; /* generation that is true */
    int64_t reported_ms;
    char boot_id[64];
} keeper_t;

/* ---- servers that are known ---- */

static runner_server_t *
find_server(const keeper_t *self, const uint8_t *id)
{
    for (size_t i = 0; i < self->server_count; i++) {
        if (memcmp(self->servers[i]->id.bytes, id, VLN_ID_BYTES) == 0) {
            return self->servers[i];
        }
    }
    return NULL;
}

static runner_server_t *
add_server(keeper_t *self, const uint8_t *id)
{
    if (self->server_count == SERVERS_MAX) {
        return NULL;
    }
    runner_server_t *server = vln_calloc(1, sizeof *server);
    runner_server_init(server, self->runner, id);
    if (runner_server_is_there(server, self->runner)) {
        int code = 0;
        int signal = 0;
        server->state = S(STARTING);
        server->exits_seen = runner_server_count_exits(server, &code, &signal);
        vln_info("instance.found", kv_str("instance", server->link));
    }
    self->servers[self->server_count++] = server;
    return server;
}

static void
forget_server(keeper_t *self, size_t at)
{
    free(self->servers[at]);
    self->servers[at] = self->servers[--self->server_count];
}

/* Folders that an earlier life of this program left. */
static void
find_folders(keeper_t *self)
{
    char path[RUNNER_PATH];
    snprintf(path, sizeof path, "%.4000s/instances", self->runner->root);
    DIR *entries = opendir(path);
    for (struct dirent *entry = entries ? readdir(entries) : NULL; entry;
         entry = readdir(entries)) {
        vln_id_t id;
        if (vln_id_parse(entry->d_name, &id) && !find_server(self, id.bytes)) {
            add_server(self, id.bytes);
        }
    }
    if (entries) {
        closedir(entries);
    }
}

static const Valion__V1__WantedInstance *
find_wanted(const Valion__V1__HostState *state, const runner_server_t *server)
{
    for (size_t i = 0; i < state->n_instances; i++) {
        const Valion__V1__WantedInstance *wanted = state->instances[i];
        if (wanted->instance_id.len == VLN_ID_BYTES &&
            memcmp(wanted->instance_id.data, server->id.bytes, VLN_ID_BYTES) == 0) {
            return wanted;
        }
    }
    return NULL;
}

/* ---- one server ---- */

static void
try_start(keeper_t *self, runner_server_t *server, const Valion__V1__WantedInstance *wanted)
{
    int64_t now_ms = vln_mono_ms();
    if (now_ms < server->retry_ms) {
        return;
    }
    if (!runner_server_start(server, self->runner, wanted, self->artifacts)) {
        server->retry_ms = now_ms + RETRY_MS;
        if (now_ms - server->began_ms > wanted->ready_timeout_ms) {
            server->state = S(FAILED);
        }
    }
}

static void
ask(keeper_t *self, const runner_server_t *server, probe_t *probe, const probe_rule_t *rule)
{
    if (probe_is_due(probe, rule, server->probed_ms, vln_mono_ms())) {
        bool good =
            runner_http_look(self->http, server->socket, rule->path, rule->timeout_ms) == HTTP_OK;
        probe_note(probe, rule, good, vln_mono_ms());
    }
}

/* A server that was started again is asked anew. */
static void
begin_probes(runner_server_t *server, uint32_t exits)
{
    if (server->probed_ms == 0 || server->probed_exits != exits) {
        server->startup = server->readiness = server->liveness = (probe_t){0};
        server->probed_ms = vln_mono_ms();
        server->probed_exits = exits;
    }
}

/* True if it is ready. One that is alive no more is killed, and its supervisor starts it again. */
static bool
is_well(keeper_t *self, runner_server_t *server, const Valion__V1__WantedInstance *wanted,
        uint32_t exits)
{
    const probe_rule_t startup = probe_rule(wanted->startup, READY_PATH, TURN_MS);
    const probe_rule_t readiness = probe_rule(wanted->readiness, READY_PATH, PROBE_MS);
    const probe_rule_t liveness = probe_rule(wanted->liveness, LIVE_PATH, PROBE_MS);
    begin_probes(server, exits);
    if (!server->startup.passes) {
        ask(self, server, &server->startup, &startup);
    }
    if (!server->startup.passes) {
        return false;
    }
    ask(self, server, &server->readiness, &readiness);
    ask(self, server, &server->liveness, &liveness);
    if (server->liveness.failed) {
        vln_warn("instance.killed", kv_str("instance", server->link),
                 kv_str("why", "it does not answer its liveness probe any more"));
        runner_server_kill(server, self->runner);
        server->probed_ms = 0;
        return false;
    }
    return server->readiness.passes;
}

static instance_view_t
look(keeper_t *self, runner_server_t *server, const Valion__V1__WantedInstance *wanted)
{
    int64_t now_ms = vln_mono_ms();
    int code = 0;
    int signal = 0;
    uint32_t exits = runner_server_count_exits(server, &code, &signal);
    bool draining = !wanted || wanted->draining;
    if (server->ready_ms > 0 && now_ms - server->ready_ms > INSTANCE_SETTLED_MS) {
        server->exits_seen = exits;
    }
    server->exits = exits - (server->exits_seen < exits ? server->exits_seen : exits);
    if (draining && server->left_ms == 0) {
        server->left_ms = now_ms;
    }
    bool runs = server->state != S(FETCHING) && server->state != S(STOPPED);
    return (instance_view_t){.state = server->state,
                             .draining = draining,
                             .healthy = runs && !draining && is_well(self, server, wanted, exits),
                             .supervised = runs && draining &&
                                           runner_server_is_up(server, self->runner, NULL),
                             .exits = server->exits,
                             .age_ms = now_ms - server->began_ms,
                             .ready_timeout_ms = wanted ? wanted->ready_timeout_ms : 0,
                             .was_ready = server->was_ready,
                             .draining_ms = draining ? now_ms - server->left_ms : -1,
                             .settle_ms = SETTLE_MS};
}

static void
note_state(runner_server_t *server, Valion__V1__InstanceState next)
{
    if (next == S(READY) && server->state != S(READY)) {
        server->ready_ms = vln_mono_ms();
        server->ready_us = server->ready_us ? server->ready_us : vln_wall_us();
        server->was_ready = true;
        server->error[0] = '\0';
    } else if (next != S(READY)) {
        server->ready_ms = 0;
    }
    if (next == S(FAILED) && server->state != S(FAILED)) {
        runner_server_read_error(server);
        if (server->error[0] == '\0') {
            vln_text_copy(server->error, sizeof server->error,
                          "it did not become ready in time, and its log does not say why");
        }
        vln_warn("instance.failed", kv_str("instance", server->link), kv_str("why", server->error));
    }
    if (next != server->state) {
        vln_info("instance.state", kv_str("instance", server->link), kv_i64("from", server->state),
                 kv_i64("to", next));
    }
    server->state = next;
}

static void
step(keeper_t *self, runner_server_t *server, const Valion__V1__WantedInstance *wanted)
{
    instance_action_t action = INSTANCE_NOTHING;
    if (server->state == S(FETCHING) && wanted && !wanted->draining) {
        try_start(self, server, wanted);
    }
    const instance_view_t view = look(self, server, wanted);
    note_state(server, instance_next(&view, &action));
    switch (action) {
    case INSTANCE_STOP:
    case INSTANCE_GIVE_UP:
        runner_server_stop(server, self->runner);
        break;
    case INSTANCE_REMOVE:
        runner_server_remove(server, self->runner);
        break;
    default:
        break;
    }
}

static void
step_all(keeper_t *self, const Valion__V1__HostState *state)
{
    for (size_t i = 0; i < state->n_instances; i++) {
        const Valion__V1__WantedInstance *wanted = state->instances[i];
        if (wanted->instance_id.len == VLN_ID_BYTES &&
            !find_server(self, wanted->instance_id.data)) {
            add_server(self, wanted->instance_id.data);
        }
    }
    for (size_t i = 0; i < self->server_count;) {
        runner_server_t *server = self->servers[i];
        const Valion__V1__WantedInstance *wanted = find_wanted(state, server);
        step(self, server, wanted);
        if (!wanted && server->state == S(STOPPED)) {
            forget_server(self, i);
        } else {
            i++;
        }
    }
}

/* ---- the proxy ---- */

/* Only who was ready once gets requests: the health check does the rest. */
static size_t
list_servers(const keeper_t *self, const Valion__V1__HostState *state, proxy_server_t *out)
{
    size_t count = 0;
    for (size_t i = 0; i < state->n_instances; i++) {
        const Valion__V1__WantedInstance *wanted = state->instances[i];
        const runner_server_t *server = wanted->instance_id.len == VLN_ID_BYTES
                                            ? find_server(self, wanted->instance_id.data)
                                            : NULL;
        if (server && server->was_ready && !wanted->draining) {
            out[count++] = (proxy_server_t){server->id.bytes, server->socket};
        }
    }
    return count;
}

static bool
has_server(const proxy_server_t *servers, size_t count, const ProtobufCBinaryData *id)
{
    for (size_t i = 0; i < count; i++) {
        if (id->len == VLN_ID_BYTES && memcmp(servers[i].id, id->data, VLN_ID_BYTES) == 0) {
            return true;
        }
    }
    return false;
}

/* Every stable instance is in the proxy. */
static bool
serves_all(const Valion__V1__HostState *state, const proxy_server_t *servers, size_t count)
{
    for (size_t i = 0; i < state->n_endpoints; i++) {
        const Valion__V1__HostEndpoint *endpoint = state->endpoints[i];
        for (size_t at = 0; at < endpoint->n_stable_ids; at++) {
            if (!has_server(servers, count, &endpoint->stable_ids[at])) {
                return false;
            }
        }
    }
    return true;
}

static void
apply_proxy(keeper_t *self, const Valion__V1__HostState *state)
{
    proxy_server_t *servers = vln_calloc(state->n_instances + 1, sizeof *servers);
    size_t count = list_servers(self, state, servers);
    bool ok = runner_proxy_apply(&self->proxy, self->runner, state, servers, count);
    if (ok && serves_all(state, servers, count) && state->generation > self->applied) {
        self->applied = state->generation;
        vln_info("state.applied", kv_i64("generation", (int64_t)self->applied));
    }
    vln_service_set_health(self->runner->service, "haproxy", ok, self->proxy.error);
    free(servers);
}

/* ---- life ---- */

/* True if what is to be told differs from what was told: then it is told at once. */
static uint64_t
fingerprint(const keeper_t *self)
{
    uint64_t sum = self->applied * 31 + (self->proxy.error[0] != '\0');
    for (size_t i = 0; i < self->server_count; i++) {
        sum = sum * 1099511628211U + self->servers[i]->state + self->servers[i]->id.bytes[15];
    }
    return sum;
}

static void
turn(keeper_t *self, vln_arena_t *arena, uint64_t *told)
{
    const Valion__V1__HostState *state = runner_wanted(self->runner, arena);
    if (!state) {
        return;
    }
    step_all(self, state);
    apply_proxy(self, state);
    if (vln_mono_ms() - self->reported_ms > REPORT_MS || *told != fingerprint(self)) {
        *told = fingerprint(self);
        self->reported_ms = vln_mono_ms();
        const runner_report_t report = {.runner = self->runner,
                                        .client = self->client,
                                        .http = self->http,
                                        .proxy = &self->proxy,
                                        .servers = self->servers,
                                        .server_count = self->server_count,
                                        .applied = self->applied,
                                        .boot_id = self->boot_id};
        runner_report(&report, state, arena);
    }
}

static void
read_boot_id(keeper_t *self)
{
    FILE *file = fopen("/proc/sys/kernel/random/boot_id", "re");
    if (file) {
        size_t got = fread(self->boot_id, 1, sizeof self->boot_id - 1, file);
        self->boot_id[got] = '\0';
        self->boot_id[strcspn(self->boot_id, "\n")] = '\0';
        fclose(file);
    }
}

static void
make_folders(const runner_t *runner)
{
    static const char *const names[] = {"instances", "s"};
    char path[RUNNER_PATH];
    for (size_t i = 0; i < VLN_COUNT(names); i++) {
        snprintf(path, sizeof path, "%.4000s/%s", runner->root, names[i]);
        mkdir(path, 0755);
    }
}

void
runner_run_keep(void *context, vln_stop_t *stop)
{
    keeper_t *self = vln_calloc(1, sizeof *self);
    vln_client_config_t config;
    vln_arena_t *arena = vln_arena_new(ARENA_BUDGET);
    uint64_t told = 0;
    self->runner = context;
    vln_service_client_config(self->runner->service, &config);
    vln_assert(vln_client_open(&self->client, &config) == VLN_OK);
    self->artifacts = vln_artifacts_open(self->client, &self->runner->config->cache);
    self->http = runner_http_new();
    read_boot_id(self);
    make_folders(self->runner);
    runner_proxy_init(&self->proxy, self->runner);
    find_folders(self);
    runner_set_keeper(self->runner, stop);
    while (!vln_stop_wait(stop, TURN_MS)) {
        vln_arena_reset(arena);
        turn(self, arena, &told);
    }
    runner_set_keeper(self->runner, NULL);
    while (self->server_count > 0) {
        forget_server(self, 0);
    }
    runner_http_destroy(&self->http);
    vln_artifacts_close(&self->artifacts);
    vln_client_close(&self->client);
    vln_arena_destroy(&arena);
    free(self);
}
