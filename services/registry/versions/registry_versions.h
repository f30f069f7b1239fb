/*
 * registry_versions - CreateVersion, and a stored version as a message.
 *
 * Apart from registry_handlers because it is the largest of them: a batch of creators chooses
 * versions under the locks of their models and writes everything at once.
 */
#ifndef REGISTRY_VERSIONS_H
#define REGISTRY_VERSIONS_H

#include "registry.h"
#include "valion/v1/registry.pb-c.h"

enum { REGISTRY_CHUNK_MAX = 256 * 1024 };

/* For vln_once_run: `context` is a registry_worker_t. */
VLN_MUST_USE vln_err_t registry_create_versions(void *context, vln_call_t **calls, size_t count);

/* False, and the call refused, if a part of it is beyond its bounds. */
bool registry_version_check_request(vln_call_t *call,
                                    const Valion__V1__CreateVersionRequest *request);

/* A digest as a field that may be absent: NULL. */
void registry_set_digest(ProtobufCBinaryData *out, protobuf_c_boolean *has, const uint8_t *digest);

/* The record with what changed since, its stage, status and times; NULL, and the call refused, if it
 * cannot be read. */
Valion__V1__Version *registry_version_to_wire(vln_call_t *call, const registry_version_t *version);

/* The same, packed, without unpacking a record that is as it was created. */
const uint8_t *registry_version_pack(vln_call_t *call, const registry_version_t *version,
                                     size_t *size);

/* What is stored must be small enough for every reply that it stands in later: a record that no
 * reader takes would be lost. False, and the call refused, if it is not. */
bool registry_version_check_size(vln_call_t *call, const Valion__V1__Version *version);

#endif
