/*
 * registry_changes - what calls that change one version have in common.
 */
#ifndef REGISTRY_CHANGES_H
#define REGISTRY_CHANGES_H

#include "registry.h"
#include "valion/v1/registry.pb-c.h"

/*
 * Locks the model, then the version, until the transaction ends: who changes stages, aliases or the
 * set of versions does it one after the other. *found false, and the call refused, if one of them
 * is not there.
 */
VLN_MUST_USE vln_err_t registry_lock_version(registry_worker_t *self, vln_call_t *call,
                                             const char *model, const char *version,
                                             registry_version_t *out, bool *found);

/* The same without the model: for changes that concern the version alone. */
VLN_MUST_USE vln_err_t registry_lock_version_alone(registry_worker_t *self, vln_call_t *call,
                                                   const char *model, const char *version,
                                                   registry_version_t *out, bool *found);

/* For what is added to a version and leaves it as it is: it stays until the transaction ends. */
VLN_MUST_USE vln_err_t registry_hold_version(registry_worker_t *self, vln_call_t *call,
                                             const char *model, const char *version,
                                             registry_version_t *out, bool *found);

/* Each of these: false, and the call refused, if it does not hold. */
bool registry_check_version_text(vln_call_t *call, const char *version);
bool registry_check_revision(vln_call_t *call, const registry_version_t *version,
                             uint64_t expected);

/* An event about a version; facts as in vln_events_add. */
void registry_add_version_event(vln_events_t *events, vln_call_t *call, const char *type,
                                const char *model, const char *version, const vln_fact_t *facts);

/* True if nothing that may change differs. NULL is another text than "": as in the record, or none. */
bool registry_version_is_same(const registry_version_t *left, const registry_version_t *right);

/* Writes a version that was changed, with its event; *out is it as a message, NULL, and the call
 * refused, if no reply would hold it. */
VLN_MUST_USE vln_err_t registry_version_save(registry_worker_t *self, vln_call_t *call,
                                             const char *model, registry_version_t *version,
                                             vln_events_t *events, Valion__V1__Version **out);

#endif
