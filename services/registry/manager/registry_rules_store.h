/*
 * registry_rules_store - the version manager's rules in PostgreSQL.
 *
 * Knows nothing of messages, nor of what a rule means. Used by one thread.
 */
#ifndef REGISTRY_RULES_STORE_H
#define REGISTRY_RULES_STORE_H

#include "registry_store.h"

enum { REGISTRY_RULES_MAX = 64 };

typedef struct registry_rule {
    const char *name;
    const char *key;
    double threshold;
    int bump; /* valion.v1.Bump */
    int order;
    const char *changed_by;
    int64_t changed_us;
} registry_rule_t;

/* All of them, in the order in which they are asked. */
VLN_MUST_USE vln_err_t registry_rules_list(registry_store_t *self, vln_arena_t *arena,
                                           registry_rule_t **out, size_t *count);

/* ---- in a transaction ---- */

/* One at a time changes them. */
VLN_MUST_USE vln_err_t registry_rules_lock(registry_store_t *self);

/* New, or instead of the one of its name; `rule->changed_us` is set. */
VLN_MUST_USE vln_err_t registry_rules_put(registry_store_t *self, registry_rule_t *rule);

/* NOT_FOUND. */
VLN_MUST_USE vln_err_t registry_rules_remove(registry_store_t *self, const char *name);

#endif
