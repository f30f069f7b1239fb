/*
 * registry_handlers - a function for each method, in the order of registry_methods.c, which says
 * which file holds it: models and versions in registry_handlers.c, bytes in registry_blobs.c and
 * registry_uploads.c, data sets in registry_datasets.c, the
 * version manager in registry_manager.c, the log in registry_events.c. `worker` is a registry_worker_t.
 */
#ifndef REGISTRY_HANDLERS_H
#define REGISTRY_HANDLERS_H

#include "vln_call.h"

void registry_create_model(void *worker, vln_call_t **calls, size_t count);
void registry_get_model(void *worker, vln_call_t **calls, size_t count);
void registry_list_models(void *worker, vln_call_t **calls, size_t count);
void registry_create_version(void *worker, vln_call_t **calls, size_t count);
void registry_get_version(void *worker, vln_call_t **calls, size_t count);
void registry_list_versions(void *worker, vln_call_t **calls, size_t count);
void registry_get_chunk(void *worker, vln_call_t **calls, size_t count);
void registry_get_artifact_info(void *worker, vln_call_t **calls, size_t count);
void registry_begin_upload(void *worker, vln_call_t **calls, size_t count);
void registry_put_chunk(void *worker, vln_call_t **calls, size_t count);
void registry_commit_upload(void *worker, vln_call_t **calls, size_t count);
void registry_suggest_version(void *worker, vln_call_t **calls, size_t count);
void registry_compare_versions(void *worker, vln_call_t **calls, size_t count);
void registry_get_changelog(void *worker, vln_call_t **calls, size_t count);
void registry_create_dataset(void *worker, vln_call_t **calls, size_t count);
void registry_get_dataset(void *worker, vln_call_t **calls, size_t count);
void registry_list_datasets(void *worker, vln_call_t **calls, size_t count);
void registry_read_events(void *worker, vln_call_t **calls, size_t count);
void registry_sign_head(void *worker, vln_call_t **calls, size_t count);
void registry_list_heads(void *worker, vln_call_t **calls, size_t count);

#endif
