#include "registry_rules_store.h"

#include <stdio.h>

#include "registry_store_inside.h"

enum { NUMBER_TEXT = 32 };

static registry_rule_t
read_rule(const PGresult *result, int row, vln_arena_t *arena)
{
    return (registry_rule_t){.name = registry_store_text(result, row, 0, arena),
                             .key = registry_store_text(result, row, 1, arena),
                             .threshold = vln_pg_get_double(result, row, 2),
                             .bump = (int)vln_pg_get_i64(result, row, 3),
                             .order = (int)vln_pg_get_i64(result, row, 4),
                             .changed_by = registry_store_text(result, row, 5, arena),
                             .changed_us = vln_pg_get_us(result, row, 6)};
}

vln_err_t
registry_rules_list(registry_store_t *self, vln_arena_t *arena, registry_rule_t **out,
                    size_t *count)
{
    PGresult *result = NULL;
    *count = 0;
    vln_err_t err = vln_pg_run(self->pg, LIST_RULES, NULL, &result);
    if (err == VLN_OK) {
        *count = (size_t)PQntuples(result);
        *out = vln_arena_alloc(arena, (*count + 1) * sizeof **out);
        for (size_t i = 0; i < *count; i++) {
            (*out)[i] = read_rule(result, (int)i, arena);
        }
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_rules_lock(registry_store_t *self)
{
    return vln_pg_run(self->pg, LOCK_RULES, NULL, NULL);
}

vln_err_t
registry_rules_put(registry_store_t *self, registry_rule_t *rule)
{
    char threshold[NUMBER_TEXT];
    snprintf(threshold, sizeof threshold, "%.17g", rule->threshold);
    vln_pg_args_t args = {0};
    vln_pg_text(&args, rule->name);
    vln_pg_text(&args, rule->key);
    vln_pg_text(&args, threshold);
    vln_pg_i32(&args, rule->bump);
    vln_pg_i32(&args, rule->order);
    vln_pg_text(&args, rule->changed_by);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run_one(self->pg, PUT_RULE, &args, &result);
    if (err == VLN_OK) {
        rule->changed_us = vln_pg_get_us(result, 0, 0);
    }
    PQclear(result);
    return err;
}

vln_err_t
registry_rules_remove(registry_store_t *self, const char *name)
{
    vln_pg_args_t args = {0};
    vln_pg_text(&args, name);
    PGresult *result = NULL;
    vln_err_t err = vln_pg_run(self->pg, REMOVE_RULE, &args, &result);
    if (err == VLN_OK && vln_pg_changed(result) == 0) {
        err = VLN_NOT_FOUND;
    }
    PQclear(result);
    return err;
}
