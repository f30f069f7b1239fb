/*
 * SetSignature: what a version takes and gives, established once by who opened its file.
 */
#include <string.h>

#include "vln_pb.h"
#include "vln_text.h"

#include "registry.h"
#include "registry_changes.h"
#include "registry_handlers.h"
#include "registry_versions.h"
#include "registry_wire.h"
#include "valion/v1/registry.pb-c.h"

enum { REASON_MAX = 2000, COLUMN_NAME_MAX = 250 };

/* ---- what is said ---- */

static bool
check_digest(vln_call_t *call, const char *field, const ProtobufCBinaryData *digest)
{
    if (digest->len == 0 || digest->len == VLN_DIGEST_BYTES) {
        return true;
    }
    vln_call_refuse_field(call, field, "a digest is the %d bytes of a SHA-256", VLN_DIGEST_BYTES);
    return false;
}

static bool
check_columns(vln_call_t *call, const char *field, Valion__V1__Column *const *columns, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const char *name = columns[i]->name;
        if (!name || !*name || strlen(name) > COLUMN_NAME_MAX ||
            !vln_pb_enum_knows(&valion__v1__column_type__descriptor, (int)columns[i]->type) ||
            columns[i]->type == VALION__V1__COLUMN_TYPE__COLUMN_TYPE_UNSPECIFIED) {
            vln_call_refuse_field(call, field, "a column has a name of 1 to %d bytes and a type",
                                  COLUMN_NAME_MAX);
            return false;
        }
    }
    return true;
}

static bool
check_signature(vln_call_t *call, const Valion__V1__Signature *signature)
{
    if (!signature) {
        return true;
    }
    if (signature->n_inputs == 0 || signature->n_outputs == 0 ||
        !vln_pb_enum_knows(&valion__v1__task_type__descriptor, (int)signature->task) ||
        signature->task == VALION__V1__TASK_TYPE__TASK_TYPE_UNSPECIFIED) {
        vln_call_refuse_field(call, "signature",
                              "a signature has inputs, outputs and a task: regression, binary or "
                              "multiclass");
        return false;
    }
    return check_columns(call, "signature.inputs", signature->inputs, signature->n_inputs) &&
           check_columns(call, "signature.outputs", signature->outputs, signature->n_outputs);
}

static bool
check_set_signature(vln_call_t *call, const Valion__V1__SetSignatureRequest *request)
{
    bool failed = request->error && *request->error;
    if (failed && request->ready) {
        vln_call_refuse_field(call, "error", "a version is ready or has an error, not both");
        return false;
    }
    if (request->ready && !request->signature) {
        vln_call_refuse_field(call, "signature", "a version without a signature is not ready");
        return false;
    }
    if (!failed && !request->signature) {
        vln_call_refuse_field(call, "signature", "say what was found: a signature or an error");
        return false;
    }
    return registry_check_model_name(call, request->model) &&
           registry_check_version_text(call, request->version) &&
           registry_check_text(call, "error", request->error, REASON_MAX) &&
           check_digest(call, "samples", &request->samples) &&
           check_digest(call, "profile", &request->profile) &&
           check_signature(call, request->signature);
}

/* *found false, and the call refused, if the bytes that are named are not stored. */
static vln_err_t
check_stored(registry_worker_t *self, vln_call_t *call, const char *field,
             const ProtobufCBinaryData *digest, bool *found)
{
    registry_blob_t blob;
    *found = true;
    if (digest->len == 0) {
        return VLN_OK;
    }
    vln_err_t err = registry_store_find_blob(self->store, call->arena, digest->data, &blob);
    if (err == VLN_NOT_FOUND) {
        *found = false;
        vln_call_refuse(call, err, VALION__V1__REASON__REASON_FIELD,
                        "no bytes are stored for the digest of '%s': upload them first", field);
        call->subject = field;
        return VLN_OK;
    }
    return err;
}

/* The version as the call wants it. */
static registry_version_t
as_wanted(vln_call_t *call, const registry_version_t *version)
{
    const Valion__V1__SetSignatureRequest *request = (const void *)call->request;
    registry_version_t out = *version;
    if (request->signature) {
        out.signature = vln_pb_pack(&request->signature->base, call->arena, &out.signature_size);
    }
    out.samples = request->samples.len ? request->samples.data : out.samples;
    out.profile = request->profile.len ? request->profile.data : out.profile;
    if (request->ready) {
        out.status = VALION__V1__VERSION_STATUS__VERSION_STATUS_READY;
        out.status_reason = NULL;
    } else if (request->error && *request->error) {
        out.status = VALION__V1__VERSION_STATUS__VERSION_STATUS_FAILED;
        out.status_reason = request->error;
    }
    return out;
}

/* A version that waits for it, or one of before there were signatures. */
static bool
takes_signature(const registry_version_t *version, const Valion__V1__Version *wire)
{
    return version->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_TRAINING ||
           (version->status == VALION__V1__VERSION_STATUS__VERSION_STATUS_READY &&
            !wire->signature);
}

static void
add_inspected(vln_events_t *events, vln_call_t *call, const char *model,
              const registry_version_t *version)
{
    static const char *const types[] = {
        [VALION__V1__VERSION_STATUS__VERSION_STATUS_TRAINING] = "version.signature_set",
        [VALION__V1__VERSION_STATUS__VERSION_STATUS_READY] = "version.ready",
        [VALION__V1__VERSION_STATUS__VERSION_STATUS_FAILED] = "version.failed"};
    char samples[2 * VLN_DIGEST_BYTES + 1];
    char profile[2 * VLN_DIGEST_BYTES + 1];
    const vln_fact_t facts[] = {
        {"model", model},
        {"version", version->version},
        {"samples",
         version->samples ? vln_hex_encode(version->samples, VLN_DIGEST_BYTES, samples) : NULL},
        {"profile",
         version->profile ? vln_hex_encode(version->profile, VLN_DIGEST_BYTES, profile) : NULL},
        {"error", version->status_reason},
        {NULL, NULL}};
    registry_add_version_event(events, call, types[version->status], model, version->version,
                               facts);
}

static void
answer_signature(vln_call_t *call, Valion__V1__Version *version)
{
    NEW(call->arena, Valion__V1__SetSignatureReply, reply, valion__v1__set_signature_reply__init);
    reply->version = version;
    vln_call_reply(call, &reply->base);
}

static vln_err_t
set_signature(registry_worker_t *self, vln_call_t *call, registry_version_t *version)
{
    const Valion__V1__SetSignatureRequest *request = (const void *)call->request;
    Valion__V1__Version *wire = registry_version_to_wire(call, version);
    if (!wire) {
        return VLN_OK;
    }
    registry_version_t wanted = as_wanted(call, version);
    if (registry_version_is_same(&wanted, version)) {
        answer_signature(call, wire);
        return VLN_OK;
    }
    if (!takes_signature(version, wire)) {
        vln_call_refuse(call, VLN_FAILED_PRECONDITION, VALION__V1__REASON__REASON_STATE,
                        "what is known of %s@%s is established and does not change: make another "
                        "version",
                        request->model, request->version);
        return VLN_OK;
    }
    vln_events_t *events = vln_events_new(call->arena);
    add_inspected(events, call, request->model, &wanted);
    vln_err_t err = registry_version_save(self, call, request->model, &wanted, events, &wire);
    if (err == VLN_OK && wire) {
        answer_signature(call, wire);
    }
    return err;
}

static vln_err_t
work_signature(void *context, vln_call_t **calls, size_t count)
{
    registry_worker_t *self = context;
    vln_call_t *call = calls[0];
    vln_assert(count == 1);
    const Valion__V1__SetSignatureRequest *request = (const void *)call->request;
    registry_version_t version;
    bool sound = check_set_signature(call, request);
    vln_err_t err = VLN_OK;
    if (sound) {
        err = check_stored(self, call, "samples", &request->samples, &sound);
    }
    if (err == VLN_OK && sound) {
        err = check_stored(self, call, "profile", &request->profile, &sound);
    }
    if (err == VLN_OK && sound) {
        err = registry_lock_version_alone(self, call, request->model, request->version, &version,
                                          &sound);
    }
    return err == VLN_OK && sound ? set_signature(self, call, &version) : err;
}

void
registry_set_signature(void *worker, vln_call_t **calls, size_t count)
{
    registry_run_once(worker, calls, count, work_signature);
}
