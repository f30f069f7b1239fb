/*
 * vln_contract - which services and messages the contract has, by name. Pure; thread-safe.
 */
#ifndef VLN_CONTRACT_H
#define VLN_CONTRACT_H

#include <protobuf-c/protobuf-c.h>
#include <stdbool.h>
#include <stddef.h>

/* A service as it is called on the bus. */
typedef struct vln_contract_service {
    const char *name; /* "registry" */
    const ProtobufCServiceDescriptor *descriptor;
} vln_contract_service_t;

/* All of them; `*count` is how many. */
const vln_contract_service_t *vln_contract_services(size_t *count);

/* NULL if there is none. "runner.<host>" is found as "runner", "validator.<instance>" as
 * "validator". */
const ProtobufCServiceDescriptor *vln_contract_find_service(const char *name);
const ProtobufCMethodDescriptor *vln_contract_find_method(const char *service, const char *method);

/*
 * Calls `visit` once for every message type of the contract, nested ones included, until it
 * returns false.
 */
typedef bool (*vln_contract_visit_fn)(const ProtobufCMessageDescriptor *type, void *context);
void vln_contract_each_message(vln_contract_visit_fn visit, void *context);

/* By its name in the package, such as "ValidateSpec". NULL if there is none. */
const ProtobufCMessageDescriptor *vln_contract_find_message(const char *name);

#endif
