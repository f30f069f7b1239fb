/*
 * Reports, the evidence: kept as the validator made them, never changed. What a report claims is
 * checked here against the record: the bytes it is about, its policy, and the verdict, which is
 * computed again from its checks.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "vln_page.h"
#include "vln_pb.h"
#include "vln_report.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_blobs.h"
#include "registry_changes.h"
#include "registry_evidence_store.h"
#include "registry_handlers.h"
#include "registry_policies.h"
#include "registry_record.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum {
    REPORT_MAX = 160 * 1024,
    FIELDS_MAX = 2000,
    MEMORY_MAX = VLN_PB_MAX_MEMORY - 64 * 1024,
    CHECKS_MAX = 64,
    METRICS_MAX = 256,
    TEXTS_MAX = 64,
    DATA_MAX = 16,
    APPENDIX_MAX = 64 * 1024,
    SENTENCE_MAX = 1000,
    NAME_MAX_BYTES = 128,
};

_Static_assert((int)VLN_CHECK_INCONCLUSIVE ==
                   (int)VALION__V1__CHECK_STATUS__CHECK_STATUS_INCONCLUSIVE,
               "the numbers of vln_verdict are the contract's");
_Static_assert((int)VLN_SEVERITY_CRITICAL == (int)VALION__V1__SEVERITY__SEVERITY_CRITICAL,
               "the numbers of vln_verdict are the contract's");

/* ---- what is said ---- */

static bool
is_status(int status)
{
    return status >= VLN_CHECK_PASS && status <= VLN_CHECK_INCONCLUSIVE;
}

static bool
check_digests(vln_call_t *call, const Valion__V1__Report *report)
{
    bool data = report->n_data >= 1 && report->n_data <= DATA_MAX;
    for (size_t i = 0; data && i < report->n_data; i++) {
        data = report->data[i]->digest.len == VLN_DIGEST_BYTES;
    }
    if (!data) {
        vln_call_refuse_field(call, "report.data",
                              "name the 1 to %d data sets that it was judged on, by their digests",
                              DATA_MAX);
        return false;
    }
    if (report->artifact_digest.len != VLN_DIGEST_BYTES ||
        report->policy_digest.len != VLN_DIGEST_BYTES) {
        vln_call_refuse_field(call, "report.artifact_digest",
                              "artifact_digest and policy_digest are the %d bytes of a SHA-256",
                              VLN_DIGEST_BYTES);
        return false;
    }
    if (report->appendix_digest.len != 0 && report->appendix_digest.len != VLN_DIGEST_BYTES) {
        vln_call_refuse_field(call, "report.appendix_digest",
                              "a digest is the %d bytes of a SHA-256", VLN_DIGEST_BYTES);
        return false;
    }
    return true;
}

static bool
check_counts(vln_call_t *call, const Valion__V1__Report *report)
{
    if (report->n_checks == 0 || report->n_checks > CHECKS_MAX) {
        vln_call_refuse_field(call, "report.checks", "a report has 1 to %d checks", CHECKS_MAX);
        return false;
    }
    if (report->n_metrics > METRICS_MAX || report->n_baselines > TEXTS_MAX ||
        report->n_recommendations > TEXTS_MAX || report->n_warnings > TEXTS_MAX ||
        report->n_errors > TEXTS_MAX) {
        vln_call_refuse_field(call, "report",
                              "at most %d metrics, and %d each of baselines, recommendations, "
                              "warnings and errors",
                              METRICS_MAX, TEXTS_MAX);
        return false;
    }
    return true;
}

static bool
check_results(vln_call_t *call, const Valion__V1__Report *report)
{
    for (size_t i = 0; i < report->n_checks; i++) {
        const Valion__V1__CheckResult *check = report->checks[i];
        if (!check->name || !check->kind || strlen(check->name) > NAME_MAX_BYTES ||
            !is_status((int)check->status)) {
            vln_call_refuse_field(call, "report.checks",
                                  "a check has a name of at most %d bytes, a kind, and a status: "
                                  "pass, warn, fail or inconclusive",
                                  NAME_MAX_BYTES);
            return false;
        }
        if (check->sentence && strlen(check->sentence) > SENTENCE_MAX) {
            vln_call_refuse_field(call, "report.checks.sentence", "'%s': at most %d bytes",
                                  check->name, SENTENCE_MAX);
            return false;
        }
    }
    return true;
}

/* One that comes along is what the report names. */
static bool
check_appendix(vln_call_t *call, const Valion__V1__Report *report)
{
    const Valion__V1__PutReportRequest *request = (const void *)call->request;
    uint8_t digest[VLN_DIGEST_BYTES];
    if (!request->has_appendix) {
        return true;
    }
    if (request->appendix.len == 0 || request->appendix.len > APPENDIX_MAX) {
        vln_call_refuse_field(call, "appendix",
                              "1 to %d bytes; upload a longer one, and leave it out here",
                              APPENDIX_MAX);
        call->limit = APPENDIX_MAX;
        return false;
    }
    vln_digest(request->appendix.data, request->appendix.len, digest);
    if (report->appendix_digest.len == 0 ||
        memcmp(digest, report->appendix_digest.data, sizeof digest) != 0) {
        vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                        "the bytes of the appendix do not have the digest that the report names: "
                        "send them again");
        return false;
    }
    return true;
}

static bool
check_report(vln_call_t *call, const Valion__V1__Report *report)
{
    if (!call->ticket) {
        vln_call_refuse(
            call, VLN_PERMISSION_DENIED, VALION__V1__REASON__REASON_FORBIDDEN,
            "a report is made by a task, and this call shows no ticket of one: submit a "
            "job of kind validate");
        return false;
    }
    if (!report) {
        vln_call_refuse_field(call, "report", "there is none");
        return false;
    }
    if (!is_status((int)report->verdict)) {
        vln_call_refuse_field(call, "report.verdict", "pass, warn, fail or inconclusive");
        return false;
    }
    if (report->has_rows && report->rows < 0) {
        vln_call_refuse_field(call, "report.rows", "rows are not below 0");
        return false;
    }
    return registry_check_model_name(call, report->model) &&
           registry_check_version_text(call, report->version) &&
           registry_check_name(call, "report.policy", "a policy", report->policy) &&
           registry_check_text(call, "report.sentence", report->sentence, SENTENCE_MAX) &&
           registry_check_text(call, "report.validator", report->validator, NAME_MAX_BYTES) &&
           check_digests(call, report) && check_counts(call, report) &&
           check_results(call, report) && check_appendix(call, report);
}

/* ---- what it says, against the record ---- */

static void
refuse_precondition(vln_call_t *call, const char *subject, const char *why)
{
    vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE, "%s", why);
    call->subject = subject;
}

/* The version is there, and the report is about its bytes. */
static vln_err_t
check_version(registry_worker_t *self, vln_call_t *call, const Valion__V1__Report *report,
              bool *sound)
{
    registry_version_t version;
    vln_err_t err =
        registry_hold_version(self, call, report->model, report->version, &version, sound);
    if (err == VLN_OK && *sound &&
        memcmp(version.digest, report->artifact_digest.data, VLN_DIGEST_BYTES) != 0) {
        *sound = false;
        refuse_precondition(call, "report.artifact_digest",
                            vln_arena_printf(call->arena,
                                             "%s@%s has other bytes than the report is about: "
                                             "validate the version as it is recorded",
                                             report->model, report->version));
    }
    return err;
}

static vln_err_t
check_blob(registry_worker_t *self, vln_call_t *call, const char *field,
           const ProtobufCBinaryData *digest, bool *sound)
{
    registry_blob_t blob;
    vln_err_t err = registry_store_find_blob(self->store, call->arena, digest->data, &blob);
    if (err != VLN_NOT_FOUND) {
        return err;
    }
    *sound = false;
    vln_call_refuse(call, err, VALION__V1__REASON__REASON_FIELD,
                    "no bytes are stored for '%s': what a report names has to be there", field);
    call->subject = field;
    return VLN_OK;
}

static vln_err_t
check_blobs(registry_worker_t *self, vln_call_t *call, const Valion__V1__Report *report,
            bool *sound)
{
    vln_err_t err = VLN_OK;
    for (size_t i = 0; i < report->n_data && err == VLN_OK && *sound; i++) {
        err = check_blob(self, call, "report.data", &report->data[i]->digest, sound);
    }
    bool beside = ((const Valion__V1__PutReportRequest *)(const void *)call->request)->has_appendix;
    if (err == VLN_OK && *sound && report->appendix_digest.len && !beside) {
        err = check_blob(self, call, "report.appendix_digest", &report->appendix_digest, sound);
    }
    return err;
}

/* *policy NULL, and the call refused, if it is not stored as the report says. */
static vln_err_t
find_policy(registry_worker_t *self, vln_call_t *call, const Valion__V1__Report *report,
            Valion__V1__Policy **policy)
{
    registry_policy_t stored;
    *policy = NULL;
    bool possible = report->policy_version > 0 && report->policy_version <= (uint64_t)INT64_MAX;
    vln_err_t err = possible ? registry_policies_find(self->store, call->arena, report->policy,
                                                      (int64_t)report->policy_version, &stored)
                             : VLN_NOT_FOUND;
    if (err == VLN_NOT_FOUND || (err == VLN_OK && memcmp(stored.digest, report->policy_digest.data,
                                                         VLN_DIGEST_BYTES) != 0)) {
        refuse_precondition(call, "report.policy",
                            vln_arena_printf(call->arena,
                                             "version %" PRIu64
                                             " of the policy '%s' is not stored here, or is "
                                             "another one than the report was made under",
                                             report->policy_version, report->policy));
        return VLN_OK;
    }
    if (err == VLN_OK) {
        *policy = registry_policy_to_wire(call, &stored);
    }
    return err;
}

static vln_severity_t
severity_of(Valion__V1__Severity severity)
{
    return severity ? (vln_severity_t)severity : VLN_SEVERITY_MEDIUM;
}

/* The result is that of the policy's check, and weighs as much as the policy says. */
static bool
is_result_of(const Valion__V1__CheckSpec *asked, const Valion__V1__CheckResult *result)
{
    return strcmp(asked->name, result->name) == 0 && strcmp(asked->kind, result->kind) == 0 &&
           (!result->has_severity ||
            severity_of(result->severity) == severity_of(asked->severity)) &&
           (!result->has_blocking || result->blocking == asked->blocking) &&
           (!result->has_required || result->required == asked->required);
}

static bool
check_answers(vln_call_t *call, const Valion__V1__Policy *policy, const Valion__V1__Report *report)
{
    bool sound = policy->n_checks == report->n_checks;
    size_t at = 0;
    while (sound && at < policy->n_checks) {
        sound = is_result_of(policy->checks[at], report->checks[at]);
        at += sound;
    }
    if (!sound) {
        refuse_precondition(
            call, "report.checks",
            vln_arena_printf(
                call->arena,
                "the policy '%s' asks for %zu checks, each with its kind, severity and "
                "flags, in its order; the report has %zu and differs at '%s'",
                policy->name, policy->n_checks, report->n_checks,
                at < policy->n_checks ? policy->checks[at]->name : "its end"));
    }
    return sound;
}

/* The verdict that the checks give under the policy is the report's. */
static bool
check_verdict(vln_call_t *call, const Valion__V1__Policy *policy, const Valion__V1__Report *report)
{
    vln_verdict_t found = vln_report_verdict(policy, report, call->arena);
    if ((int)found.status == (int)report->verdict) {
        return true;
    }
    refuse_precondition(call, "report.verdict",
                        vln_arena_printf(call->arena,
                                         "the report says %s, but under the policy '%s' its checks "
                                         "say %s: %s",
                                         evidence_verdict_name((int)report->verdict), policy->name,
                                         evidence_verdict_name((int)found.status), found.why));
    return false;
}

/* ---- what is stored ---- */

/* A task's call by the same id is the same report, also after its kept reply has gone. */
static vln_id_t
id_of(const vln_call_t *call)
{
    uint8_t source[2 * VLN_ID_BYTES];
    memcpy(source, call->ticket->task_id.data, VLN_ID_BYTES);
    memcpy(source + VLN_ID_BYTES, call->header->request_id.data, VLN_ID_BYTES);
    return vln_id_derive(source, sizeof source, "report");
}

/* What the report is about, without who made it when: evidence.proto, Report.digest. */
static const uint8_t *
digest_of(vln_arena_t *arena, const Valion__V1__Report *report)
{
    Valion__V1__Report bare = *report;
    bare.has_report_id = bare.has_task_id = bare.has_digest = 0;
    bare.has_started_us = bare.has_finished_us = bare.has_duration_ms = 0;
    bare.validator = bare.submitter = NULL;
    bare.checks = vln_arena_alloc(arena, (report->n_checks + 1) * sizeof *bare.checks);
    for (size_t i = 0; i < report->n_checks; i++) {
        bare.checks[i] = vln_arena_memdup(arena, report->checks[i], sizeof *report->checks[i]);
        bare.checks[i]->has_duration_ms = 0;
    }
    size_t size = 0;
    const uint8_t *packed = vln_pb_pack(&bare.base, arena, &size);
    uint8_t *digest = vln_arena_alloc(arena, VLN_DIGEST_BYTES);
    vln_digest(packed, size, digest);
    return digest;
}

/* As lists show it: the verdict, and of each check what it is and what it found. */
static const uint8_t *
pack_summary(vln_arena_t *arena, const Valion__V1__Report *report, size_t *size)
{
    Valion__V1__Report summary = *report;
    summary.n_metrics = summary.n_baselines = 0;
    summary.n_recommendations = summary.n_warnings = summary.n_errors = 0;
    summary.checks = vln_arena_alloc(arena, (report->n_checks + 1) * sizeof *summary.checks);
    for (size_t i = 0; i < report->n_checks; i++) {
        NEW(arena, Valion__V1__CheckResult, check, valion__v1__check_result__init);
        check->name = report->checks[i]->name;
        check->kind = report->checks[i]->kind;
        check->has_status = 1;
        check->status = report->checks[i]->status;
        summary.checks[i] = check;
    }
    return vln_pb_pack(&summary.base, arena, size);
}

/* False, and the call refused, if it would not fit a reply. */
static bool
check_size(vln_call_t *call, const uint8_t *packed, size_t size)
{
    vln_pb_scan_t scan;
    bool sound = vln_pb_scan(&valion__v1__report__descriptor, packed, size, &scan) == VLN_OK &&
                 size <= REPORT_MAX && scan.fields <= FIELDS_MAX && scan.memory_bytes <= MEMORY_MAX;
    if (!sound) {
        vln_call_refuse(call, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_TOO_LARGE,
                        "a report has at most %d bytes and %d fields; what is longer goes into its "
                        "appendix",
                        REPORT_MAX, FIELDS_MAX);
        call->limit = size > REPORT_MAX ? REPORT_MAX : FIELDS_MAX;
    }
    return sound;
}

/* The row, with what the registry knows itself; false, and the call refused, if it is too large. */
static bool
make_row(vln_call_t *call, const Valion__V1__Report *given, registry_report_t *out)
{
    Valion__V1__Report report = *given;
    *out = (registry_report_t){.id = id_of(call),
                               .model = given->model,
                               .version = given->version,
                               .digest = given->artifact_digest.data,
                               .policy = given->policy,
                               .policy_version = (int64_t)given->policy_version,
                               .verdict = (int)given->verdict,
                               .of_server = given->engine == VALION__V1__ENGINE__ENGINE_ENDPOINT,
                               .appendix =
                                   given->appendix_digest.len ? given->appendix_digest.data : NULL};
    report.base.n_unknown_fields = 0;
    report.has_report_id = report.has_task_id = report.has_digest = 1;
    report.report_id =
        registry_bytes(vln_arena_memdup(call->arena, out->id.bytes, VLN_ID_BYTES), VLN_ID_BYTES);
    report.task_id = call->ticket->task_id;
    report.submitter = call->ticket->submitter;
    out->report_digest = digest_of(call->arena, &report);
    report.digest = registry_bytes(out->report_digest, VLN_DIGEST_BYTES);
    out->record = vln_pb_pack(&report.base, call->arena, &out->record_size);
    out->summary = pack_summary(call->arena, &report, &out->summary_size);
    return check_size(call, out->record, out->record_size);
}

static void
add_event(vln_events_t *events, vln_call_t *call, const registry_report_t *row,
          const Valion__V1__Report *report)
{
    char id[VLN_ID_TEXT];
    char version[24];
    char digest[2 * VLN_DIGEST_BYTES + 1];
    snprintf(version, sizeof version, "%" PRId64, row->policy_version);
    const vln_fact_t facts[] = {{"report", vln_id_format(row->id.bytes, id)},
                                {"model", row->model},
                                {"version", row->version},
                                {"digest", vln_hex_encode(row->digest, VLN_DIGEST_BYTES, digest)},
                                {"policy", row->policy},
                                {"policy_version", version},
                                {"verdict", evidence_verdict_name(row->verdict)},
                                {"sentence", report->sentence},
                                {NULL, NULL}};
    registry_add_version_event(events, call, "report.recorded", row->model, row->version, facts);
}

static vln_err_t
keep_appendix(registry_worker_t *self, vln_call_t *call)
{
    const ProtobufCBinaryData *bytes =
        &((const Valion__V1__PutReportRequest *)(const void *)call->request)->appendix;
    if (bytes->len == 0) {
        return VLN_OK;
    }
    registry_blob_t blob = {.media_type = "application/x-protobuf",
                            .bytes = bytes->data,
                            .size_bytes = (int64_t)bytes->len};
    vln_digest(bytes->data, bytes->len, blob.digest);
    registry_blob_pack(self->pack, call->arena, &blob);
    return registry_store_insert_blobs(self->store, call->arena, &blob, 1);
}

static vln_err_t
keep(registry_worker_t *self, vln_call_t *call, const Valion__V1__Report *report)
{
    registry_report_t row;
    bool added = false;
    if (!make_row(call, report, &row)) {
        return VLN_OK;
    }
    vln_err_t err = keep_appendix(self, call);
    if (err == VLN_OK) {
        err = registry_reports_insert(self->store, &row, &added);
    }
    if (err == VLN_OK && added) {
        vln_events_t *events = vln_events_new(call->arena);
        add_event(events, call, &row, report);
        err = registry_store_write_events(self->store, events);
    }
    if (err != VLN_OK) {
        return err;
    }
    NEW(call->arena, Valion__V1__PutReportReply, reply, valion__v1__put_report_reply__init);
    reply->has_report_id = reply->has_existed = 1;
    reply->report_id =
        registry_bytes(vln_arena_memdup(call->arena, row.id.bytes, VLN_ID_BYTES), VLN_ID_BYTES);
    reply->existed = !added;
    reply->has_digest = added;
    reply->digest = registry_bytes(row.report_digest, added ? VLN_DIGEST_BYTES : 0);
    vln_call_reply(call, &reply->base);
    return VLN_OK;
}

static vln_err_t
work_put(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__Report *report =
        ((const Valion__V1__PutReportRequest *)(const void *)call->request)->report;
    Valion__V1__Policy *policy = NULL;
    bool sound = check_report(call, report);
    vln_err_t err = sound ? check_version(self, call, report, &sound) : VLN_OK;
    if (err == VLN_OK && sound) {
        err = check_blobs(self, call, report, &sound);
    }
    if (err == VLN_OK && sound) {
        err = find_policy(self, call, report, &policy);
    }
    if (err == VLN_OK && policy && check_answers(call, policy, report) &&
        check_verdict(call, policy, report)) {
        err = keep(self, call, report);
    }
    return err;
}

void
registry_put_report(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_put);
}

/* ---- read ---- */

/* NULL, and the call refused, if it cannot be read. */
Valion__V1__Report *
registry_report_to_wire(vln_call_t *call, const uint8_t *bytes, size_t size)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(&valion__v1__report__descriptor, bytes, size, call->arena, &message, &scan) !=
        VLN_OK) {
        vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                        "the record of this report cannot be read: restore it from a backup");
    }
    return (Valion__V1__Report *)message;
}

void
registry_get_report(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__GetReportRequest *request = (const void *)call->request;
    if (request->report_id.len != VLN_ID_BYTES) {
        vln_call_refuse_field(call, "report_id", "an id has %d bytes", VLN_ID_BYTES);
        return;
    }
    const uint8_t *record = NULL;
    size_t size = 0;
    vln_err_t err =
        registry_reports_find(self->store, call->arena, request->report_id.data, &record, &size);
    if (err == VLN_NOT_FOUND) {
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no such report; ListReports lists those of a version");
        return;
    }
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__GetReportReply, reply, valion__v1__get_report_reply__init);
    reply->report = registry_report_to_wire(call, record, size);
    if (reply->report) {
        vln_call_reply(call, &reply->base);
    }
}

static bool
check_list(vln_call_t *call, const Valion__V1__ListReportsRequest *request,
           registry_report_filter_t *filter)
{
    filter->model = request->model;
    filter->version = request->version;
    return registry_check_model_name(call, request->model) &&
           (!request->version || registry_check_version_text(call, request->version)) &&
           registry_page_size(call, request->page, &filter->limit) &&
           registry_page_number(call, request->page, &filter->before);
}

void
registry_list_reports(void *worker, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = worker;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__ListReportsRequest *request = (const void *)call->request;
    registry_report_filter_t filter = {0};
    registry_summary_t *reports = NULL;
    size_t found = 0;
    if (!check_list(call, request, &filter)) {
        return;
    }
    vln_err_t err = registry_reports_list(self->store, call->arena, &filter, &reports, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    NEW(call->arena, Valion__V1__ListReportsReply, reply, valion__v1__list_reports_reply__init);
    reply->reports = vln_arena_alloc(call->arena, (found + 1) * sizeof *reply->reports);
    vln_page_t page = {0};
    for (size_t i = 0; i < found; i++) {
        Valion__V1__Report *wire =
            registry_report_to_wire(call, reports[i].summary, reports[i].size);
        if (!wire) {
            return;
        }
        if (!vln_page_take(&page, call->arena, &wire->base)) {
            break;
        }
        reply->reports[reply->n_reports++] = wire;
    }
    if (reply->n_reports && ((int)found == filter.limit || reply->n_reports < found)) {
        reply->has_next_token = 1;
        reply->next_token =
            registry_token_of_number(call->arena, reports[reply->n_reports - 1].seq);
    }
    vln_call_reply(call, &reply->base);
}
