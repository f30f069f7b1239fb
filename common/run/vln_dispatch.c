#include "vln_dispatch.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "vln_id.h"
#include "vln_log.h"
#include "vln_pb.h"
#include "vln_time.h"

enum { BUILTINS = 2, BUILTIN_BODY_MAX = 1024 };

typedef struct lane {
    vln_method_t method;
    const ProtobufCMessageDescriptor *input;
    bool builtin;
    size_t calls; /* counters */
    size_t refused;
    size_t microseconds;
} lane_t;

struct vln_dispatch {
    vln_dispatch_config_t config;
    size_t lane_count;
    lane_t *lanes;
    size_t thread_count;
    pthread_t *threads;
};

size_t
vln_dispatch_lanes(const vln_service_config_t *service)
{
    return service->method_count + BUILTINS;
}

void
vln_dispatch_batches(const vln_service_config_t *service, size_t *batch_max)
{
    for (size_t i = 0; i < vln_dispatch_lanes(service); i++) {
        bool batches = i < service->method_count && (service->methods[i].flags & VLN_BATCHES);
        batch_max[i] = batches ? VLN_BATCH_MAX : 1;
    }
}

int
vln_dispatch_lane(const vln_dispatch_t *self, const char *method)
{
    for (size_t i = 0; i < self->lane_count; i++) {
        if (strcmp(self->lanes[i].method.name, method) == 0) {
            return (int)i;
        }
    }
    return -1;
}

/* ---- checks ---- */

static bool
check_ticket(vln_dispatch_t *self, vln_call_t *call)
{
    const Valion__V1__SignedTicket *signed_ticket = call->header->ticket;
    if (!signed_ticket) {
        return true;
    }
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    bool sound = self->config.ticket_key && signed_ticket->signature.len == VLN_SIGNATURE &&
                 vln_sign_verify(self->config.ticket_key, signed_ticket->ticket.data,
                                 signed_ticket->ticket.len, signed_ticket->signature.data) &&
                 vln_pb_unpack(&valion__v1__ticket__descriptor, signed_ticket->ticket.data,
                               signed_ticket->ticket.len, call->kept, &message, &scan) == VLN_OK;
    const Valion__V1__Ticket *ticket = (const Valion__V1__Ticket *)message;
    sound = sound && ticket->task_id.len == VLN_ID_BYTES && ticket->worker && ticket->submitter &&
            strcmp(ticket->worker, call->principal) == 0;
    if (!sound) {
        vln_call_refuse(call, VLN_UNAUTHENTICATED, VALION__V1__REASON__REASON_TICKET,
                        "the ticket is not one that the orchestrator signed for '%s': show the one "
                        "that came with the lease",
                        call->principal);
        return false;
    }
    call->ticket = ticket;
    return true;
}

/* A call for a task may do what its submitter may: what the worker itself may is to work. A service
 * that submits work lends nobody its own role: else whoever answers a check of the validator's could
 * put reports. */
static uint32_t
roles_of(const vln_call_t *call)
{
    uint32_t roles = call->roles;
    for (size_t i = 0; call->ticket && i < call->ticket->n_submitter_roles; i++) {
        unsigned role = (unsigned)call->ticket->submitter_roles[i];
        roles |= role < VALION__V1__ROLE__ROLE_REGISTRY ? 1u << role : 0;
    }
    return roles;
}

static bool
check_roles(const lane_t *lane, vln_call_t *call)
{
    if (roles_of(call) & lane->method.roles) {
        return true;
    }
    vln_call_refuse(call, VLN_PERMISSION_DENIED, VALION__V1__REASON__REASON_FORBIDDEN,
                    "'%s' may not call %s: its certificate has none of the roles for it%s; an "
                    "administrator gives roles with 'valion keys'",
                    call->principal, lane->method.name,
                    call->ticket ? ", nor has who submitted the task" : "");
    return false;
}

static bool
check_body(const lane_t *lane, vln_call_t *call)
{
    if (call->body_size > lane->method.body_max) {
        vln_call_refuse(call, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_TOO_LARGE,
                        "the body of %s has %zu bytes; at most %zu are taken", lane->method.name,
                        call->body_size, lane->method.body_max);
        call->limit = (int64_t)lane->method.body_max;
        return false;
    }
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(lane->input, call->body, call->body_size, call->kept, &message, &scan) !=
        VLN_OK) {
        vln_call_refuse(call, VLN_INVALID_ARGUMENT,
                        scan.too_large ? VALION__V1__REASON__REASON_TOO_LARGE
                                       : VALION__V1__REASON__REASON_MALFORMED,
                        "the body is not a %s: %s%s%s", lane->input->short_name, scan.why,
                        scan.field ? " at field " : "", scan.field ? scan.field : "");
        return false;
    }
    call->request = message;
    return true;
}

/* Leaves the call refused, or ready for its handler. A call that was parked was checked before. */
static bool
prepare(vln_dispatch_t *self, const lane_t *lane, vln_call_t *call)
{
    vln_arena_reset(call->arena);
    vln_call_unanswer(call);
    call->method = &lane->method;
    if (call->request) {
        return true;
    }
    call->started_us = vln_mono_us();
    if (call->started_us / 1000 >= call->deadline_ms) {
        vln_call_refuse(call, VLN_DEADLINE_EXCEEDED, VALION__V1__REASON__REASON_EXPIRED,
                        "the time that the caller gave was over before the work began; nothing "
                        "was done");
        return false;
    }
    return check_ticket(self, call) && check_roles(lane, call) && check_body(lane, call);
}

/* ---- answers ---- */

static void
pack_answer(vln_call_t *call)
{
    Valion__V1__Header header = VALION__V1__HEADER__INIT;
    Valion__V1__ErrorDetail detail = VALION__V1__ERROR_DETAIL__INIT;
    Valion__V1__ErrorDetail *details[] = {&detail};
    header.has_request_id = call->header->has_request_id;
    header.request_id = call->header->request_id;
    header.has_status = 1;
    header.status = (Valion__V1__Status)vln_err_to_wire(call->status);
    if (call->status != VLN_OK) {
        header.message = (char *)(uintptr_t)(call->why ? call->why : vln_err_text(call->status));
        detail.has_reason = 1;
        detail.reason = (Valion__V1__Reason)call->reason;
        detail.subject = (char *)(uintptr_t)call->subject;
        detail.has_limit = call->limit != 0;
        detail.limit = call->limit;
        detail.has_retry_after_ms = call->retry_after_ms != 0;
        detail.retry_after_ms = call->retry_after_ms;
        header.n_details = 1;
        header.details = details;
    }
    call->reply_header = vln_pb_pack(&header.base, call->arena, &call->reply_header_size);
    call->reply_body = NULL;
    call->reply_body_size = 0;
    if (call->status == VLN_OK && call->reply_packed) {
        call->reply_body = call->reply_packed;
        call->reply_body_size = call->reply_packed_size;
    } else if (call->status == VLN_OK && call->reply) {
        call->reply_body = vln_pb_pack(call->reply, call->arena, &call->reply_body_size);
    }
}

static void
log_answer(const lane_t *lane, const vln_call_t *call)
{
    bool worth = call->status != VLN_OK || (lane->method.flags & VLN_MUTATES);
    vln_log_level_t level = worth ? VLN_LOG_INFO : VLN_LOG_DEBUG;
    if (call->status == VLN_INTERNAL) {
        level = VLN_LOG_ERROR;
    }
    if (!vln_log_wants(level)) {
        return;
    }
    char id[VLN_ID_TEXT] = "";
    if (call->header->request_id.len == VLN_ID_BYTES) {
        vln_id_format(call->header->request_id.data, id);
    }
    const vln_kv_t fields[] = {
        kv_str("method", lane->method.name),        kv_str("id", id),
        kv_str("principal", call->principal),       kv_err(call->status),
        kv_str("why", call->why ? call->why : ""),  kv_i64("us", vln_mono_us() - call->started_us),
        kv_str("trace", call->header->traceparent), {0}};
    vln_log_emit(level, "request.done", fields);
}

static void
finish(vln_dispatch_t *self, const lane_t *lane, vln_call_t *call)
{
    if (call->outcome == VLN_OUTCOME_PARK) {
        vln_outbox_put(self->config.outbox, &call->item);
        return;
    }
    if (call->outcome == VLN_OUTCOME_NONE) {
        vln_call_refuse(call, VLN_INTERNAL, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "a fault of this service: %s left the call without an answer",
                        lane->method.name);
    }
    pack_answer(call);
    vln_metrics_add(self->config.metrics, lane->calls, 1);
    vln_metrics_add(self->config.metrics, lane->microseconds, vln_mono_us() - call->started_us);
    if (call->status != VLN_OK) {
        vln_metrics_add(self->config.metrics, lane->refused, 1);
    }
    log_answer(lane, call);
    vln_outbox_put(self->config.outbox, &call->item);
}

void
vln_dispatch_refuse_now(vln_call_t *call, vln_err_t err, int reason, const char *why)
{
    vln_call_refuse(call, err, (Valion__V1__Reason)reason, "%s", why);
    pack_answer(call);
}

/* ---- threads ---- */

static void
run_batch(vln_dispatch_t *self, void *worker, const lane_t *lane, vln_item_t *batch)
{
    vln_call_t *all[VLN_BATCH_MAX];
    vln_call_t *ready[VLN_BATCH_MAX];
    size_t count = 0;
    size_t ready_count = 0;
    for (vln_item_t *item = batch; item; item = item->next) {
        vln_call_t *call = (vln_call_t *)item;
        all[count++] = call;
        if (prepare(self, lane, call)) {
            ready[ready_count++] = call;
        }
    }
    const vln_service_config_t *service = self->config.service;
    vln_err_t err = VLN_OK;
    if (ready_count && !lane->builtin && service->ensure_worker) {
        err = service->ensure_worker(worker);
    }
    for (size_t i = 0; i < ready_count && err != VLN_OK; i++) {
        vln_call_refuse_store(ready[i], err);
    }
    if (ready_count && err == VLN_OK) {
        vln_builtin_t builtin = {.service = self->config.builtin, .worker = worker};
        lane->method.handle(lane->builtin ? &builtin : worker, ready, ready_count);
    }
    for (size_t i = 0; i < count; i++) {
        finish(self, lane, all[i]);
    }
}

static void *
worker_thread(void *arg)
{
    vln_dispatch_t *self = arg;
    const vln_service_config_t *service = self->config.service;
    void *worker = service->open_worker ? service->open_worker(service->context) : NULL;
    size_t lane = 0;
    vln_item_t *batch = vln_queue_take(self->config.queue, &lane);
    while (batch) {
        run_batch(self, worker, &self->lanes[lane], batch);
        vln_queue_done(self->config.queue, lane);
        batch = vln_queue_take(self->config.queue, &lane);
    }
    if (service->close_worker) {
        service->close_worker(&worker);
    }
    return NULL;
}

static void
fill_lane(vln_dispatch_t *self, size_t index, const vln_method_t *method, bool builtin)
{
    lane_t *lane = &self->lanes[index];
    const ProtobufCMethodDescriptor *descriptor = protobuf_c_service_descriptor_get_method_by_name(
        self->config.service->descriptor, method->name);
    vln_assert(descriptor); /* the table and the contract disagree */
    *lane = (lane_t){.method = *method, .input = descriptor->input, .builtin = builtin};
    lane->calls = vln_metrics_counter(self->config.metrics, "calls", method->name);
    lane->refused = vln_metrics_counter(self->config.metrics, "refused", method->name);
    lane->microseconds = vln_metrics_counter(self->config.metrics, "us", method->name);
}

static void
fill_lanes(vln_dispatch_t *self)
{
    const vln_service_config_t *service = self->config.service;
    self->lane_count = vln_dispatch_lanes(service);
    self->lanes = vln_calloc(self->lane_count, sizeof *self->lanes);
    for (size_t i = 0; i < service->method_count; i++) {
        fill_lane(self, i, &service->methods[i], false);
    }
    const vln_method_t builtins[BUILTINS] = {
        {"GetHealth", self->config.health, VLN_ROLES_ANY, 0, BUILTIN_BODY_MAX},
        {"GetStats", self->config.stats, VLN_ROLES_ANY, 0, BUILTIN_BODY_MAX},
    };
    for (size_t i = 0; i < BUILTINS; i++) {
        fill_lane(self, service->method_count + i, &builtins[i], true);
    }
    /* Every method of the contract is served or said to be planned. */
    vln_assert(service->descriptor->n_methods == self->lane_count + service->planned_count);
}

vln_dispatch_t *
vln_dispatch_new(const vln_dispatch_config_t *config)
{
    vln_dispatch_t *self = vln_calloc(1, sizeof *self);
    self->config = *config;
    fill_lanes(self);
    self->thread_count = (size_t)config->service->options->threads;
    self->threads = vln_calloc(self->thread_count, sizeof *self->threads);
    for (size_t i = 0; i < self->thread_count; i++) {
        vln_assert(pthread_create(&self->threads[i], NULL, worker_thread, self) == 0);
    }
    return self;
}

void
vln_dispatch_destroy(vln_dispatch_t **self_p)
{
    vln_dispatch_t *self = *self_p;
    if (self) {
        for (size_t i = 0; i < self->thread_count; i++) {
            pthread_join(self->threads[i], NULL);
        }
        free(self->threads);
        free(self->lanes);
        free(self);
        *self_p = NULL;
    }
}
