/*
 * A stored version as a message: its record, and what changed since.
 */
#include <string.h>

#include "vln_log.h"
#include "vln_pb.h"

#include "registry_versions.h"
#include "registry_wire.h"

enum {
    RECORD_MAX = 64 * 1024,
    FIELDS_MAX = VLN_PB_MAX_FIELDS - 96,        /* room for stage, aliases, the reply around it */
    MEMORY_MAX = VLN_PB_MAX_MEMORY - 64 * 1024, /* likewise */
};

void
registry_set_digest(ProtobufCBinaryData *out, protobuf_c_boolean *has, const uint8_t *digest)
{
    *has = digest != NULL;
    if (digest) {
        *out = (ProtobufCBinaryData){VLN_DIGEST_BYTES, (uint8_t *)(uintptr_t)digest};
    }
}

bool
registry_version_check_size(vln_call_t *call, const Valion__V1__Version *record)
{
    size_t size = 0;
    vln_pb_scan_t scan;
    const uint8_t *packed = vln_pb_pack(&record->base, call->arena, &size);
    bool sound = vln_pb_scan(record->base.descriptor, packed, size, &scan) == VLN_OK;
    if (size > RECORD_MAX) {
        vln_call_refuse(call, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_TOO_LARGE,
                        "the version's metadata takes more than %d bytes: store the large parts "
                        "as artifacts",
                        RECORD_MAX);
        call->limit = RECORD_MAX;
        return false;
    }
    if (!sound || scan.fields > FIELDS_MAX || scan.memory_bytes > MEMORY_MAX) {
        vln_call_refuse(call, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_TOO_LARGE,
                        "the version's metadata has more than %d fields, those of all lists "
                        "together: store the long lists as artifacts",
                        FIELDS_MAX);
        call->limit = FIELDS_MAX;
        return false;
    }
    return true;
}

/* NULL, and the call refused, if the bytes are no such message. */
static ProtobufCMessage *
unpack_part(vln_call_t *call, const registry_version_t *version,
            const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes, size_t size)
{
    vln_pb_scan_t scan;
    ProtobufCMessage *message = NULL;
    if (vln_pb_unpack(descriptor, bytes, size, call->arena, &message, &scan) != VLN_OK) {
        vln_error("version.corrupt", kv_str("version", version->version), kv_str("why", scan.why));
        vln_call_refuse(call, VLN_DATA_LOSS, VALION__V1__REASON__REASON_CORRUPT,
                        "the record of version %s cannot be read: restore it from a backup",
                        version->version);
    }
    return message;
}

/* What changed since the version was made. */
static void
lay_over(vln_arena_t *arena, const registry_version_t *version, Valion__V1__Version *wire)
{
    if (version->description) {
        wire->description = registry_borrowed(version->description);
    }
    if (version->tags) {
        registry_split_lines(arena, version->tags, &wire->tags, &wire->n_tags);
    }
}

/* Stage, status, revision, times, aliases: what a record as created does not have. */
static void
add_state(vln_arena_t *arena, const registry_version_t *version, Valion__V1__Version *wire)
{
    if (version->aliases) {
        registry_split_lines(arena, version->aliases, &wire->aliases, &wire->n_aliases);
    }
    wire->status_reason = registry_borrowed(version->status_reason);
    registry_set_digest(&wire->samples_digest, &wire->has_samples_digest, version->samples);
    registry_set_digest(&wire->profile_digest, &wire->has_profile_digest, version->profile);
    wire->has_stage = wire->has_status = wire->has_revision = 1;
    wire->stage = (Valion__V1__Stage)version->stage;
    wire->status = (Valion__V1__VersionStatus)registry_version_status(version);
    wire->revision = (uint64_t)version->revision;
    wire->has_created_us = wire->has_updated_us = 1;
    wire->created_us = version->created_us;
    wire->updated_us = version->updated_us;
}

Valion__V1__Version *
registry_version_to_wire(vln_call_t *call, const registry_version_t *version)
{
    Valion__V1__Version *wire = (Valion__V1__Version *)unpack_part(
        call, version, &valion__v1__version__descriptor, version->record, version->record_size);
    if (!wire) {
        return NULL;
    }
    if (version->signature) {
        wire->signature =
            (Valion__V1__Signature *)unpack_part(call, version, &valion__v1__signature__descriptor,
                                                 version->signature, version->signature_size);
        if (!wire->signature) {
            return NULL;
        }
    }
    lay_over(call->arena, version, wire);
    add_state(call->arena, version, wire);
    return wire;
}

/* Packed messages one after the other are one: what a record lacks may follow it. */
const uint8_t *
registry_version_pack(vln_call_t *call, const registry_version_t *version, size_t *size)
{
    vln_pb_scan_t scan;
    bool is_as_created = !version->description && !version->tags && !version->signature;
    if (!is_as_created || vln_pb_scan(&valion__v1__version__descriptor, version->record,
                                      version->record_size, &scan) != VLN_OK) {
        Valion__V1__Version *wire = registry_version_to_wire(call, version);
        return wire ? vln_pb_pack(&wire->base, call->arena, size) : NULL;
    }
    Valion__V1__Version state = VALION__V1__VERSION__INIT;
    add_state(call->arena, version, &state);
    size_t state_size = 0;
    const uint8_t *bytes = vln_pb_pack(&state.base, call->arena, &state_size);
    uint8_t *out = vln_arena_alloc(call->arena, version->record_size + state_size);
    memcpy(out, version->record, version->record_size);
    memcpy(out + version->record_size, bytes, state_size);
    *size = version->record_size + state_size;
    return out;
}
