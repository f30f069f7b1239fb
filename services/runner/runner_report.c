#include "runner_report.h"

#include <stdlib.h>
#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"

#include "report.h"

enum { CALL_MS = 3000, TELEMETRY_MAX = 256 * 1024 };

#define READY VALION__V1__INSTANCE_STATE__INSTANCE_STATE_READY

/* ---- parts ---- */

static Valion__V1__InstanceReport *
report_server(const runner_report_t *self, const runner_server_t *server, vln_arena_t *arena)
{
    Valion__V1__InstanceReport *out = vln_arena_alloc(arena, sizeof *out);
    int code = 0;
    int signal = 0;
    int64_t pid = 0;
    valion__v1__instance_report__init(out);
    out->has_instance_id = out->has_state = out->has_restarts = 1;
    out->instance_id =
        (ProtobufCBinaryData){VLN_ID_BYTES, vln_arena_memdup(arena, server->id.bytes, 16)};
    out->state = server->state;
    out->restarts = runner_server_count_exits(server, &code, &signal);
    out->has_exit_status = out->has_exit_signal = out->restarts > 0;
    out->exit_status = code;
    out->exit_signal = signal;
    if (server->state == READY && runner_server_is_up(server, self->runner, &pid)) {
        out->has_pid = 1;
        out->pid = pid;
    }
    out->start_id = vln_arena_printf(arena, "%s/%lld", self->boot_id, (long long)pid);
    out->error = vln_arena_strdup(arena, server->error);
    out->has_ready_us = server->ready_us > 0;
    out->ready_us = server->ready_us;
    out->isolation = vln_arena_strdup(arena, "sandbox");
    out->has_smoke_ok = server->was_ready;
    out->smoke_ok = server->was_ready;
    return out;
}

/* What it counted; NULL if it does not answer. */
static Valion__V1__Telemetry *
read_telemetry(const runner_report_t *self, const runner_server_t *server, const char *start_id,
               uint8_t *bytes, vln_arena_t *arena)
{
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    size_t size = 0;
    if (runner_http_get(self->http, server->socket, "/telemetry", bytes, TELEMETRY_MAX, &size) !=
            200 ||
        vln_pb_unpack(&valion__v1__telemetry__descriptor, bytes, size, arena, &message, &scan) !=
            VLN_OK) {
        return NULL;
    }
    Valion__V1__Telemetry *telemetry = (Valion__V1__Telemetry *)message;
    telemetry->start_id = vln_arena_strdup(arena, start_id);
    return telemetry;
}

/* ---- messages ---- */

static void
send(const runner_report_t *self, const report_t *report)
{
    const vln_call_spec_t spec = {.service = "deployer",
                                  .method = "ReportHostState",
                                  .request = &report->request.base,
                                  .reply_type = &valion__v1__report_host_state_reply__descriptor,
                                  .timeout_ms = CALL_MS};
    vln_reply_t reply;
    vln_client_call(self->client, &spec, &reply);
    vln_reply_wipe(&reply);
}

static void
add(const runner_report_t *self, report_t *report, ProtobufCMessage *part, vln_arena_t *arena)
{
    report_added_t added = report_add(report, part, arena);
    if (added == REPORT_FULL) {
        send(self, report);
        report_begin(report, &report->request);
        added = report_add(report, part, arena);
    }
    if (added != REPORT_ADDED) {
        vln_warn("report.left_out", kv_str("what", part->descriptor->short_name));
    }
}

static void
add_servers(const runner_report_t *self, report_t *report, vln_arena_t *arena)
{
    uint8_t *bytes = vln_calloc(1, TELEMETRY_MAX);
    for (size_t i = 0; i < self->server_count; i++) {
        const runner_server_t *server = self->servers[i];
        Valion__V1__InstanceReport *instance = report_server(self, server, arena);
        add(self, report, &instance->base, arena);
        Valion__V1__Telemetry *telemetry =
            server->state == READY ? read_telemetry(self, server, instance->start_id, bytes, arena)
                                   : NULL;
        if (telemetry) {
            add(self, report, &telemetry->base, arena);
        }
    }
    free(bytes);
}

void
runner_report(const runner_report_t *self, const Valion__V1__HostState *state, vln_arena_t *arena)
{
    Valion__V1__ReportHostStateRequest head = VALION__V1__REPORT_HOST_STATE_REQUEST__INIT;
    report_t report;
    size_t count = 0;
    head.host = (char *)(uintptr_t)self->runner->config->host;
    head.has_generation = head.has_generation_seen = head.has_proxy_ok = 1;
    head.generation = self->applied;
    head.generation_seen = state->generation;
    head.boot_id = (char *)(uintptr_t)self->boot_id;
    head.error = self->proxy->error;
    head.proxy_ok = self->proxy->error[0] == '\0';
    report_begin(&report, &head);
    add_servers(self, &report, arena);
    Valion__V1__ProxyCounters **counters = runner_proxy_count(self->proxy, state, arena, &count);
    for (size_t i = 0; i < count; i++) {
        add(self, &report, &counters[i]->base, arena);
    }
    send(self, &report);
}
