/*
 * registry_handlers - a function for each method, in the order of registry_methods.c; `worker` is a
 * registry_worker_t. They lie in folders by family: versions/ (models, versions, lists, changes),
 * artifacts/ (uploads, contents, data sets), evidence/ (policies, reports), stages/ (promotion,
 * grants), manager/ (numbers, rules, differences), card/ (cards, lineage), log/ (events, heads).
 */
#ifndef REGISTRY_HANDLERS_H
#define REGISTRY_HANDLERS_H

#include "vln_call.h"

void registry_create_model(void *worker, vln_call_t **calls, size_t count);
void registry_get_model(void *worker, vln_call_t **calls, size_t count);
void registry_list_models(void *worker, vln_call_t **calls, size_t count);
void registry_update_model(void *worker, vln_call_t **calls, size_t count);
void registry_delete_model(void *worker, vln_call_t **calls, size_t count);
void registry_create_version(void *worker, vln_call_t **calls, size_t count);
void registry_get_version(void *worker, vln_call_t **calls, size_t count);
void registry_list_versions(void *worker, vln_call_t **calls, size_t count);
void registry_update_version(void *worker, vln_call_t **calls, size_t count);
void registry_delete_version(void *worker, vln_call_t **calls, size_t count);
void registry_set_alias(void *worker, vln_call_t **calls, size_t count);
void registry_set_signature(void *worker, vln_call_t **calls, size_t count);
void registry_promote(void *worker, vln_call_t **calls, size_t count);
void registry_get_history(void *worker, vln_call_t **calls, size_t count);
void registry_put_report(void *worker, vln_call_t **calls, size_t count);
void registry_get_report(void *worker, vln_call_t **calls, size_t count);
void registry_list_reports(void *worker, vln_call_t **calls, size_t count);
void registry_put_policy(void *worker, vln_call_t **calls, size_t count);
void registry_get_policy(void *worker, vln_call_t **calls, size_t count);
void registry_list_policies(void *worker, vln_call_t **calls, size_t count);
void registry_open_grant(void *worker, vln_call_t **calls, size_t count);
void registry_close_grant(void *worker, vln_call_t **calls, size_t count);
void registry_get_serving_at(void *worker, vln_call_t **calls, size_t count);
void registry_get_chunk(void *worker, vln_call_t **calls, size_t count);
void registry_get_artifact_info(void *worker, vln_call_t **calls, size_t count);
void registry_begin_upload(void *worker, vln_call_t **calls, size_t count);
void registry_put_chunk(void *worker, vln_call_t **calls, size_t count);
void registry_commit_upload(void *worker, vln_call_t **calls, size_t count);
void registry_suggest_version(void *worker, vln_call_t **calls, size_t count);
void registry_compare_versions(void *worker, vln_call_t **calls, size_t count);
void registry_check_range(void *worker, vln_call_t **calls, size_t count);
void registry_put_version_rule(void *worker, vln_call_t **calls, size_t count);
void registry_list_version_rules(void *worker, vln_call_t **calls, size_t count);
void registry_get_changelog(void *worker, vln_call_t **calls, size_t count);
void registry_create_dataset(void *worker, vln_call_t **calls, size_t count);
void registry_get_dataset(void *worker, vln_call_t **calls, size_t count);
void registry_list_datasets(void *worker, vln_call_t **calls, size_t count);
void registry_get_model_card(void *worker, vln_call_t **calls, size_t count);
void registry_get_lineage(void *worker, vln_call_t **calls, size_t count);
void registry_read_events(void *worker, vln_call_t **calls, size_t count);
void registry_sign_head(void *worker, vln_call_t **calls, size_t count);
void registry_list_heads(void *worker, vln_call_t **calls, size_t count);

#endif
