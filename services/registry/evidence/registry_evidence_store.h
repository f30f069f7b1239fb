/*
 * registry_evidence_store - the rows of policies and reports; a part of registry_store.
 *
 * Both are only added. Used by one thread; what inserts runs in the caller's transaction.
 */
#ifndef REGISTRY_EVIDENCE_STORE_H
#define REGISTRY_EVIDENCE_STORE_H

#include "vln_id.h"

#include "evidence.h"
#include "policy.h"
#include "registry_store.h"

/* ---- policies ---- */

typedef struct registry_policy {
    const char *name;
    int64_t version;
    const uint8_t *digest;
    const uint8_t *record; /* valion.v1.Policy, without digest, created_… and withdrawn */
    size_t record_size;
    bool withdrawn;
    bool shipped; /* came with the program */
    const char *created_by;
    int64_t created_us;
} registry_policy_t;

typedef struct registry_new_policy {
    registry_policy_t policy; /* all but created_us */
    policy_scope_t scope;
    int min_status;
    int64_t max_age_ms;       /* 0: any age */
    int64_t in_force_from_us; /* 0: now */
    bool by_name_only;
} registry_new_policy_t;

/* Until the transaction ends nobody else adds a policy. */
VLN_MUST_USE vln_err_t registry_policies_lock(registry_store_t *self);

/* Until the transaction ends nobody adds a policy: what is in force stays so. */
VLN_MUST_USE vln_err_t registry_policies_share(registry_store_t *self);

/* The highest version of the name, in force or not, NOT_FOUND if it has none; how many names there
 * are, in any case. */
VLN_MUST_USE vln_err_t registry_policies_newest(registry_store_t *self, vln_arena_t *arena,
                                                const char *name, registry_policy_t *out,
                                                int64_t *names);

/* That version; with version 0 the newest whose time has come. NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_policies_find(registry_store_t *self, vln_arena_t *arena,
                                              const char *name, int64_t version,
                                              registry_policy_t *out);

/* *out is what was stored; ALREADY_EXISTS if the name has this version. */
VLN_MUST_USE vln_err_t registry_policies_insert(registry_store_t *self, vln_arena_t *arena,
                                                const registry_new_policy_t *given,
                                                registry_policy_t *out);

/* The newest version of each name that may be in force; rules[i] is of candidates[i]. */
typedef struct registry_in_force {
    size_t count;
    policy_candidate_t *candidates;
    evidence_policy_t *rules;
} registry_in_force_t;

VLN_MUST_USE vln_err_t registry_policies_in_force(registry_store_t *self, vln_arena_t *arena,
                                                  registry_in_force_t *out);

typedef struct registry_policy_page {
    const char *after; /* name and version that the page before ended with; NULL: from the start */
    int64_t after_version;
    int limit;
} registry_policy_page_t;

/* By name, of a name the newest first. */
VLN_MUST_USE vln_err_t registry_policies_list(registry_store_t *self, vln_arena_t *arena,
                                              const registry_policy_page_t *page,
                                              registry_policy_t **out, size_t *count);

/* ---- reports ---- */

typedef struct registry_report {
    vln_id_t id;
    const char *model;
    const char *version;
    const uint8_t *digest;
    const char *policy;
    int64_t policy_version;
    int verdict;
    const uint8_t *appendix; /* digest; NULL: none */
    bool of_server;          /* it judged what a server answered */
    const uint8_t *report_digest;
    const uint8_t *record; /* valion.v1.Report */
    size_t record_size;
    const uint8_t *summary; /* the same, as lists show it */
    size_t summary_size;
} registry_report_t;

/* *added false if there is a report of this id. */
VLN_MUST_USE vln_err_t registry_reports_insert(registry_store_t *self,
                                               const registry_report_t *report, bool *added);

/* The packed report; NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_reports_find(registry_store_t *self, vln_arena_t *arena,
                                             const uint8_t id[VLN_ID_BYTES], const uint8_t **record,
                                             size_t *size);

typedef struct registry_summary {
    int64_t seq;
    const uint8_t *summary;
    size_t size;
} registry_summary_t;

typedef struct registry_report_filter {
    const char *model;
    const char *version; /* NULL: any of the model */
    int64_t before;      /* seq that the page before ended with; 0: from the newest */
    int limit;
} registry_report_filter_t;

/* Newest first. */
VLN_MUST_USE vln_err_t registry_reports_list(registry_store_t *self, vln_arena_t *arena,
                                             const registry_report_filter_t *filter,
                                             registry_summary_t **out, size_t *count);

/* What evidence_choose looks at: those that could fit first, and newest first; not all that there
 * are, because the first that fits decides. `id` NULL: any. */
typedef struct registry_evidence_query {
    const char *model;
    const char *version;
    const uint8_t *digest;
    const uint8_t *id;
    const evidence_policy_t *policy;
} registry_evidence_query_t;

VLN_MUST_USE vln_err_t registry_reports_for(registry_store_t *self, vln_arena_t *arena,
                                            const registry_evidence_query_t *query,
                                            evidence_report_t **out, size_t *count,
                                            int64_t *now_us);

#endif
