#include "deployer_telemetry.h"

#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"

#include "deployer_watch_store.h"

/* ---- servers ---- */

/* A start without a process is none: the supervisor was asked between two of them. */
static bool
has_process(const Valion__V1__ReportHostStateRequest *report, const ProtobufCBinaryData *id)
{
    for (size_t i = 0; i < report->n_instances; i++) {
        const Valion__V1__InstanceReport *instance = report->instances[i];
        if (instance->instance_id.len == id->len &&
            memcmp(instance->instance_id.data, id->data, id->len) == 0) {
            return instance->has_pid && instance->pid > 0;
        }
    }
    return false;
}

static bool
may_keep(const Valion__V1__ReportHostStateRequest *report, const Valion__V1__Telemetry *telemetry)
{
    if (!counts_telemetry_is_sane(telemetry)) {
        vln_warn("telemetry.left_out", kv_str("host", report->host),
                 kv_str("detail", "it is larger than telemetry may be, or names no instance"));
        return false;
    }
    return has_process(report, &telemetry->instance_id);
}

static deployer_counted_t *
find_instance(deployer_counted_t *counted, size_t count, const ProtobufCBinaryData *id)
{
    for (size_t i = 0; i < count; i++) {
        if (memcmp(counted[i].instance.bytes, id->data, VLN_ID_BYTES) == 0) {
            return &counted[i];
        }
    }
    return NULL;
}

static ProtobufCBinaryData
pack(const ProtobufCMessage *message, vln_arena_t *arena)
{
    size_t size = 0;
    uint8_t *bytes = vln_pb_pack(message, arena, &size);
    return (ProtobufCBinaryData){size, bytes};
}

/* What was kept, which was checked when it came in; NULL if it is no such message. */
static ProtobufCMessage *
unpack(const ProtobufCBinaryData *bytes, const ProtobufCMessageDescriptor *type, vln_arena_t *arena)
{
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    if (bytes->len > 0 &&
        vln_pb_unpack(type, bytes->data, bytes->len, arena, &message, &scan) != VLN_OK) {
        vln_error("record.corrupt", kv_str("type", type->name), kv_str("why", scan.why));
        return NULL;
    }
    return message;
}

static void
begin_start(counts_kept_t *kept, const char *start_id)
{
    kept->start_ended = kept->start_id;
    kept->start_id = start_id;
}

static vln_err_t
keep_telemetry(deployer_store_t *store, vln_arena_t *arena, deployer_counted_t *counted,
               const Valion__V1__Telemetry *telemetry)
{
    int64_t amount = counts_telemetry_amount(telemetry);
    counts_turn_t turn = counts_turn(&counted->kept, telemetry->start_id, amount);
    if (turn == COUNTS_OLD) {
        return VLN_OK;
    }
    if (turn == COUNTS_STARTED) {
        const ProtobufCMessageDescriptor *type = &valion__v1__telemetry__descriptor;
        const ProtobufCMessage *ended = unpack(&counted->ended, type, arena);
        const ProtobufCMessage *last = unpack(&counted->record, type, arena);
        counted->ended = pack(
            &counts_telemetry_add((const void *)ended, (const void *)last, arena)->base, arena);
        begin_start(&counted->kept, telemetry->start_id);
    }
    counted->kept.start_id = telemetry->start_id;
    counted->kept.start_ended = counted->kept.start_ended ? counted->kept.start_ended : "";
    counted->kept.amount = amount;
    counted->record = pack(&telemetry->base, arena);
    return deployer_store_save_telemetry(store, counted);
}

static vln_err_t
keep_servers(deployer_store_t *store, vln_arena_t *arena,
             const Valion__V1__ReportHostStateRequest *report)
{
    vln_pg_array_t *ids = vln_pg_array_new(arena, VLN_PG_BYTEA);
    deployer_counted_t *counted = NULL;
    size_t count = 0;
    for (size_t i = 0; i < report->n_telemetry; i++) {
        const ProtobufCBinaryData *id = &report->telemetry[i]->instance_id;
        if (id->len == VLN_ID_BYTES) {
            vln_pg_array_add_bytes(ids, id->data, id->len);
        }
    }
    if (vln_pg_array_count(ids) == 0) {
        return VLN_OK;
    }
    vln_err_t err =
        deployer_store_find_telemetry(store, arena, report->host, ids, &counted, &count);
    for (size_t i = 0; i < report->n_telemetry && err == VLN_OK; i++) {
        const Valion__V1__Telemetry *telemetry = report->telemetry[i];
        deployer_counted_t *known = may_keep(report, telemetry)
                                        ? find_instance(counted, count, &telemetry->instance_id)
                                        : NULL;
        err = known ? keep_telemetry(store, arena, known, telemetry) : VLN_OK;
    }
    return err;
}

/* ---- HAProxy ---- */

static void
find_backend(const deployer_counted_t *counted, size_t count,
             const Valion__V1__ProxyCounters *proxy, deployer_counted_t *out)
{
    *out = (deployer_counted_t){
        .environment = proxy->environment, .model = proxy->model, .canary = proxy->canary};
    for (size_t i = 0; i < count; i++) {
        if (strcmp(counted[i].environment, proxy->environment) == 0 &&
            strcmp(counted[i].model, proxy->model) == 0 && counted[i].canary == !!proxy->canary) {
            *out = counted[i];
        }
    }
}

static vln_err_t
keep_backend(deployer_store_t *store, vln_arena_t *arena, const char *host,
             deployer_counted_t *counted, const Valion__V1__ProxyCounters *proxy)
{
    int64_t amount = counts_proxy_amount(proxy);
    counts_turn_t turn = counts_turn(&counted->kept, proxy->start_id, amount);
    if (turn == COUNTS_OLD) {
        return VLN_OK;
    }
    if (turn == COUNTS_STARTED) {
        const ProtobufCMessageDescriptor *type = &valion__v1__proxy_counters__descriptor;
        const ProtobufCMessage *ended = unpack(&counted->ended, type, arena);
        const ProtobufCMessage *last = unpack(&counted->record, type, arena);
        counted->ended =
            pack(&counts_proxy_add((const void *)ended, (const void *)last, arena)->base, arena);
        begin_start(&counted->kept, proxy->start_id);
    }
    counted->kept.start_id = proxy->start_id;
    counted->kept.start_ended = counted->kept.start_ended ? counted->kept.start_ended : "";
    counted->kept.amount = amount;
    counted->record = pack(&proxy->base, arena);
    return deployer_store_save_proxy(store, host, counted);
}

static vln_err_t
keep_proxy(deployer_store_t *store, vln_arena_t *arena,
           const Valion__V1__ReportHostStateRequest *report)
{
    deployer_counted_t *counted = NULL;
    size_t count = 0;
    vln_err_t err = report->n_proxy > 0
                        ? deployer_store_find_proxy(store, arena, report->host, &counted, &count)
                        : VLN_OK;
    for (size_t i = 0; i < report->n_proxy && err == VLN_OK; i++) {
        deployer_counted_t known;
        if (counts_proxy_is_sane(report->proxy[i])) {
            find_backend(counted, count, report->proxy[i], &known);
            err = keep_backend(store, arena, report->host, &known, report->proxy[i]);
        }
    }
    return err;
}

vln_err_t
deployer_telemetry_keep(deployer_store_t *store, vln_arena_t *arena,
                        const Valion__V1__ReportHostStateRequest *report)
{
    vln_err_t err = keep_servers(store, arena, report);
    return err == VLN_OK ? keep_proxy(store, arena, report) : err;
}

/* ---- totals ---- */

vln_err_t
deployer_telemetry_total(deployer_store_t *store, vln_arena_t *arena, const char *environment,
                         const char *model, Valion__V1__Telemetry **servers,
                         Valion__V1__ProxyCounters **proxy)
{
    Valion__V1__Telemetry **of_servers = NULL;
    Valion__V1__ProxyCounters **of_hosts = NULL;
    size_t server_count = 0;
    size_t host_count = 0;
    vln_err_t err =
        deployer_store_list_telemetry(store, arena, environment, model, &of_servers, &server_count);
    if (err == VLN_OK) {
        err = deployer_store_list_proxy(store, arena, environment, model, &of_hosts, &host_count);
    }
    *servers = counts_telemetry_add(NULL, NULL, arena);
    *proxy = counts_proxy_add(NULL, NULL, arena);
    for (size_t i = 0; i < server_count && err == VLN_OK; i++) {
        *servers = counts_telemetry_add(*servers, of_servers[i], arena);
    }
    for (size_t i = 0; i < host_count && err == VLN_OK; i++) {
        *proxy = counts_proxy_add(*proxy, of_hosts[i], arena);
    }
    return err;
}
