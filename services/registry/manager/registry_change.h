/*
 * registry_change - what is known of a change, between messages and the rules: the context that is
 * said, the difference of two versions, the bump that follows. The rules are in the record, how
 * they are asked is in domain/suggest and domain/difference.
 */
#ifndef REGISTRY_CHANGE_H
#define REGISTRY_CHANGE_H

#include "difference.h"
#include "registry.h"
#include "registry_rules_store.h"
#include "suggest.h"
#include "valion/v1/registry.pb-c.h"

typedef struct registry_rules {
    size_t count;
    suggest_rule_t rules[SUGGEST_RULES_MAX];
} registry_rules_t;

/* The rules in force, in the arena; one of a key that this program does not know is left out. */
VLN_MUST_USE vln_err_t registry_rules_load(registry_store_t *store, vln_arena_t *arena,
                                           const registry_rules_t **out);

/* False, and the call refused, if a number is none that can be compared. NULL is fine. */
bool registry_check_context(vln_call_t *call, const Valion__V1__ChangeContext *context);

Valion__V1__ChangeContext *registry_context_to_wire(vln_arena_t *arena,
                                                    const suggest_context_t *context);

/* From one record to the other, in the arena. `title` is what sentences call the new one; NULL: its
 * version. */
const difference_t *registry_change_find(vln_arena_t *arena, const Valion__V1__Version *old,
                                         const Valion__V1__Version *new, const char *title);

/* What the rules say, and what they looked at. */
typedef struct registry_verdict {
    suggest_context_t context; /* said and computed */
    suggestion_t suggestion;
} registry_verdict_t;

/* `difference` NULL: nothing was computed. In the arena, with the rules that it points at. */
const registry_verdict_t *registry_change_judge(vln_arena_t *arena, const registry_rules_t *rules,
                                                const Valion__V1__ChangeContext *said,
                                                const difference_t *difference);

/* As a message has it; `*count` of them, in the arena. */
char **registry_change_reasons(vln_arena_t *arena, const suggestion_t *suggestion, size_t *count);

#endif
