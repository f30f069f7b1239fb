#include "registry_evidence_store.h"

#include <string.h>

#include "registry_store_inside.h"

enum { EVIDENCE_AT_ONCE = 64 };

/* ---- policies ---- */

static registry_policy_t
read_policy(const PGresult *result, int row, vln_arena_t *arena)
{
    size_t size = 0;
    registry_policy_t out = {.name = registry_store_text(result, row, 0, arena),
                             .version = vln_pg_get_i64(result, row, 1),
                             .withdrawn = vln_pg_get_bool(result, row, 4),
                             .created_by = registry_store_text(result, row, 5, arena),
                             .created_us = vln_pg_get_us(result, row, 6),
                             .shipped = vln_pg_get_bool(result, row, 7)};
    out.digest = registry_store_bytes(result, row, 2, arena, &size);
    out.record = registry_store_bytes(result, row, 3, arena, &out.record_size);
    return out;
}

vln_err_t
registry_policies_lock(registry_store_t *self)
{
    return vln_pg_run(self->pg, LOCK_POLICIES, NULL, NULL);
}

vln_err_t
registry_policies_share(registry_store_t *self)
{
    return vln_pg_run(self->pg, SHARE_POLICIES, NULL, NULL);
}

vln_err_t
registry_policies_newest(registry_store_t *self, vln_arena_t *arena, const char *name,
                         registry_policy_t *out, int64_t *names)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, name);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, NEWEST_POLICY, &args, &result);
    if (err == VLN_OK) {
        *names = vln_pg_get_i64(result, 0, 8);
        *out = read_policy(result, 0, arena);
        err = out->name ? VLN_OK : VLN_NOT_FOUND;
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_policies_find(registry_store_t *self, vln_arena_t *arena, const char *name,
                       int64_t version, registry_policy_t *out)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, name);
    vln_pg_i64(&args, version);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, FIND_POLICY, &args, &result);
    if (err == VLN_OK) {
        *out = read_policy(result, 0, arena);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_policies_insert(registry_store_t *self, vln_arena_t *arena,
                         const registry_new_policy_t *given, registry_policy_t *out)
{
    const registry_policy_t *policy = &given->policy;
    vln_pg_args_t args = {0};
    vln_pg_text(&args, policy->name);
    vln_pg_i64(&args, policy->version);
    vln_pg_text(&args, given->scope.model);
    vln_pg_i32(&args, given->scope.task);
    vln_pg_text(&args, given->scope.stage);
    vln_pg_text(&args, given->scope.environment);
    vln_pg_i32(&args, given->min_status);
    vln_pg_i64(&args, given->max_age_ms);
    if (given->in_force_from_us) {
        vln_pg_i64(&args, given->in_force_from_us);
    } else {
        vln_pg_null(&args);
    }
    vln_pg_bool(&args, policy->withdrawn);
    vln_pg_bool(&args, given->by_name_only);
    vln_pg_bool(&args, policy->shipped);
    vln_pg_bytes(&args, policy->digest, VLN_DIGEST_BYTES);
    vln_pg_bytes(&args, policy->record, policy->record_size);
    vln_pg_text(&args, policy->created_by);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, INSERT_POLICY, &args, &result);
    if (err == VLN_OK && PQntuples(result) == 0) {
        err = VLN_ALREADY_EXISTS;
    }
    if (err == VLN_OK) {
        *out = read_policy(result, 0, arena);
    }
    PQclear(result);
    return err;
}

static policy_candidate_t
read_candidate(const PGresult *result, int row, vln_arena_t *arena)
{
    return (policy_candidate_t){
        .name = registry_store_text(result, row, 0, arena),
        .version = vln_pg_get_i64(result, row, 1),
        .scope = {.model = registry_store_text(result, row, 2, arena),
                  .task = (int)vln_pg_get_i64(result, row, 3),
                  .stage = registry_store_text(result, row, 4, arena),
                  .environment = registry_store_text(result, row, 5, arena)},
        .shipped = vln_pg_get_bool(result, row, 6),
        .since_us = vln_pg_get_us(result, row, 7)};
}

vln_err_t
registry_policies_in_force(registry_store_t *self, vln_arena_t *arena, registry_in_force_t *out)
{
    PGresult *result = NULL;
    *out = (registry_in_force_t){0};
    vln_err_t err = vln_pg_run(self->pg, POLICIES_IN_FORCE, NULL, &result);
    if (err == VLN_OK) {
        out->count = (size_t)PQntuples(result);
        out->candidates = vln_arena_alloc(arena, (out->count + 1) * sizeof *out->candidates);
        out->rules = vln_arena_alloc(arena, (out->count + 1) * sizeof *out->rules);
    }
    for (size_t i = 0; i < out->count; i++) {
        out->candidates[i] = read_candidate(result, (int)i, arena);
        out->rules[i] = (evidence_policy_t){.name = out->candidates[i].name,
                                            .version = out->candidates[i].version,
                                            .min_status = (int)vln_pg_get_i64(result, (int)i, 8),
                                            .max_age_ms = vln_pg_get_i64(result, (int)i, 9)};
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_policies_list(registry_store_t *self, vln_arena_t *arena,
                       const registry_policy_page_t *page, registry_policy_t **out, size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, page->after);
    vln_pg_i64(&args, page->after_version);
    vln_pg_i32(&args, page->limit);
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, LIST_POLICIES, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_policy(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

/* ---- reports ---- */

vln_err_t
registry_reports_insert(registry_store_t *self, const registry_report_t *report, bool *added)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, report->id.bytes, VLN_ID_BYTES);
    vln_pg_text(&args, report->model);
    vln_pg_text(&args, report->version);
    vln_pg_bytes(&args, report->digest, VLN_DIGEST_BYTES);
    vln_pg_text(&args, report->policy);
    vln_pg_i64(&args, report->policy_version);
    vln_pg_i32(&args, report->verdict);
    vln_pg_bytes_or_null(&args, report->appendix, report->appendix ? VLN_DIGEST_BYTES : 0);
    vln_pg_bytes(&args, report->record, report->record_size);
    vln_pg_bytes(&args, report->summary, report->summary_size);
    vln_pg_bool(&args, report->of_server);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, INSERT_REPORT, &args, &result);
    *added = err == VLN_OK && vln_pg_changed(result) == 1;
    PQclear(result);
    return err;
}

vln_err_t
registry_reports_find(registry_store_t *self, vln_arena_t *arena, const uint8_t id[VLN_ID_BYTES],
                      const uint8_t **record, size_t *size)
{
    vln_pg_args_t args = {0};
    vln_pg_bytes(&args, id, VLN_ID_BYTES);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, FIND_REPORT, &args, &result);
    if (err == VLN_OK) {
        *record = registry_store_bytes(result, 0, 0, arena, size);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_reports_list(registry_store_t *self, vln_arena_t *arena,
                      const registry_report_filter_t *filter, registry_summary_t **out,
                      size_t *count)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, filter->model);
    vln_pg_text(&args, filter->version);
    vln_pg_i64(&args, filter->before);
    vln_pg_i32(&args, filter->limit);
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, LIST_REPORTS, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            registry_summary_t *row = &(*out)[i];
            row->seq = vln_pg_get_i64(result, (int)i, 0);
            row->summary = registry_store_bytes(result, (int)i, 1, arena, &row->size);
        }
    }
    PQclear(result);
    return err;
}

static evidence_report_t
read_evidence(const PGresult *result, int row, vln_arena_t *arena)
{
    size_t size = 0;
    evidence_report_t out = {.policy = registry_store_text(result, row, 2, arena),
                             .policy_version = vln_pg_get_i64(result, row, 3),
                             .verdict = (int)vln_pg_get_i64(result, row, 4),
                             .recorded_us = vln_pg_get_us(result, row, 5),
                             .of_server = vln_pg_get_bool(result, row, 7)};
    const uint8_t *id = vln_pg_get_bytes(result, row, 0, &size);
    vln_assert(size == EVIDENCE_ID);
    memcpy(out.id, id, EVIDENCE_ID);
    const uint8_t *digest = vln_pg_get_bytes(result, row, 1, &size);
    vln_assert(size == EVIDENCE_DIGEST);
    memcpy(out.digest, digest, EVIDENCE_DIGEST);
    return out;
}

vln_err_t
registry_reports_for(registry_store_t *self, vln_arena_t *arena,
                     const registry_evidence_query_t *query, evidence_report_t **out, size_t *count,
                     int64_t *now_us)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, query->model);
    vln_pg_text(&args, query->version);
    vln_pg_bytes_or_null(&args, query->id, query->id ? VLN_ID_BYTES : 0);
    vln_pg_bytes(&args, query->digest, VLN_DIGEST_BYTES);
    vln_pg_text(&args, query->policy->name);
    vln_pg_i64(&args, query->policy->version);
    vln_pg_i32(&args, (int32_t)evidence_good_verdicts(query->policy->min_status));
    vln_pg_i32(&args, EVIDENCE_AT_ONCE);
    PGresult *result = NULL;
    *count = 0;
    *now_us = 0;
    vln_err_t err = vln_pg_run(self->pg, FIND_EVIDENCE, &args, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_evidence(result, (int)i, arena);
            *now_us = vln_pg_get_us(result, (int)i, 6);
        }
    }
    PQclear(result);
    return err;
}
