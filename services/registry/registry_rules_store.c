#include "registry_rules_store.h"

#include <stdio.h>

#include "registry_store_inside.h"

enum { VERSIONS_AT_ONCE = 64, NUMBER_TEXT = 32 };

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

/* ---- versions ---- */

static void
add_bound(vln_pg_args_t *args, const semver_t *version, char key[SEMVER_KEY])
{
    if (!version) {
        for (int i = 0; i < 4; i++) {
            vln_pg_null(args);
        }
        return;
    }
    vln_pg_i64(args, version->major);
    vln_pg_i64(args, version->minor);
    vln_pg_i64(args, version->patch);
    vln_pg_text(args, semver_prerelease_key(version, key));
}

/* One page of versions, downwards, within the bounds and below `below` (NULL: from the top). */
static vln_err_t
list_page(registry_store_t *self, const char *model, const range_hull_t *hull,
          const semver_t *below, PGresult **out)
{
    char keys[3][SEMVER_KEY];
    vln_pg_args_t args = {0};
    vln_pg_text(&args, model);
    add_bound(&args, below, keys[0]);
    add_bound(&args, hull->low, keys[1]);
    add_bound(&args, hull->high, keys[2]);
    vln_pg_bool(&args, hull->prereleases);
    vln_pg_i32(&args, VERSIONS_AT_ONCE);
    return vln_pg_run(self->pg, LIST_IN_RANGE, &args, out);
}

/* The first of the page that is in the range; `*last` is where the page ended. */
static bool
find_in_page(const PGresult *page, const range_t *range, semver_t *last)
{
    for (int row = 0; row < PQntuples(page); row++) {
        vln_assert(semver_parse(vln_pg_get_text(page, row, 0), last));
        if (range_contains(range, last)) {
            return true;
        }
    }
    return false;
}

/* The highest of one set; within it only prereleases of other cores are passed over. */
static vln_err_t
find_in_set(registry_store_t *self, const char *model, const range_t *range, size_t set,
            semver_t *out)
{
    range_hull_t hull = range_set_bounds(range, set);
    bool any = false;
    int rows = VERSIONS_AT_ONCE;
    while (rows == VERSIONS_AT_ONCE) {
        PGresult *page = NULL;
        vln_err_t err = list_page(self, model, &hull, any ? out : NULL, &page);
        bool found = err == VLN_OK && find_in_page(page, range, out);
        rows = err == VLN_OK ? PQntuples(page) : 0;
        any = true;
        PQclear(page);
        if (err != VLN_OK || found) {
            return err;
        }
    }
    return VLN_NOT_FOUND;
}

vln_err_t
registry_rules_find_in_range(registry_store_t *self, vln_arena_t *arena, const char *model,
                             const range_t *range, const char **out)
{
    semver_t best = {0};
    bool any = false;
    for (size_t set = 0; set < range->set_count; set++) {
        semver_t found;
        vln_err_t err = find_in_set(self, model, range, set, &found);
        if (err != VLN_OK && err != VLN_NOT_FOUND) {
            return err;
        }
        if (err == VLN_OK && (!any || semver_compare(&found, &best) > 0)) {
            best = found;
            any = true;
        }
    }
    char text[SEMVER_TEXT];
    *out = any ? vln_arena_strdup(arena, semver_format(&best, text)) : NULL;
    return any ? VLN_OK : VLN_NOT_FOUND;
}
