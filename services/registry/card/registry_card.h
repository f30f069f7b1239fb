/*
 * registry_card - a model card as Markdown, and the version that a request for one names.
 */
#ifndef REGISTRY_CARD_H
#define REGISTRY_CARD_H

#include "registry.h"
#include "valion/v1/registry.pb-c.h"

/* False, and the call answered, if there is none. Without version and alias the latest. */
bool registry_find_named(registry_worker_t *self, vln_call_t *call,
                         const registry_version_key_t *named, Valion__V1__Version **out);

enum { REGISTRY_DATA_MAX = 64 };

/* Digests of the data that a version was trained on, those that are whole: how many are in `out`.
 * `lineage` may be NULL. */
size_t registry_data_of(const Valion__V1__Lineage *lineage, const uint8_t *out[REGISTRY_DATA_MAX]);

/* In the arena; the same card gives the same text. A very large one is cut, and says so. */
char *registry_card_to_markdown(vln_arena_t *arena, const Valion__V1__ModelCard *card);

#endif
