/*
 * deployer_reference - what servers count by: the bins of the version's own profile, fetched before its
 * instances are wanted, kept by id, and given to as many columns as a host's messages hold.
 */
#ifndef DEPLOYER_REFERENCE_H
#define DEPLOYER_REFERENCE_H

#include "vln_artifacts.h"

#include "deployer_watch_store.h"

/* False: the version has no profile. The id is of the profile and of the signature that says which
 * columns matter. */
bool deployer_reference_id(const Valion__V1__Version *version, vln_arena_t *arena,
                           uint8_t out[VLN_DIGEST_BYTES]);

/* Read from the registry unless it is there. Not in a transaction. A profile that cannot be used is
 * logged and leaves the version without bins; what may pass (VLN_UNAVAILABLE …) is to be tried again. */
VLN_MUST_USE vln_err_t deployer_reference_fetch(deployer_store_t *store, vln_artifacts_t *artifacts,
                                                const Valion__V1__Version *version);

/* Bins for an instance that is about to be saved, and its reference: as many columns as fit beside what
 * the host has already, in what it is told and in what it reports. The first columns stay. */
VLN_MUST_USE vln_err_t deployer_reference_give(deployer_store_t *store, vln_arena_t *arena,
                                               const Valion__V1__Version *version,
                                               deployer_instance_t *instance);

#endif
