/*
 * registry_record - rows of the record as messages; each is written in the file of its methods.
 * Messages live in the arena and borrow the rows' texts.
 */
#ifndef REGISTRY_RECORD_H
#define REGISTRY_RECORD_H

#include "vln_call.h"

#include "registry_datasets_store.h"
#include "registry_stages_store.h"
#include "valion/v1/registry.pb-c.h"

Valion__V1__Grant *registry_grant_to_wire(vln_arena_t *arena, const registry_grant_t *grant);

Valion__V1__StageChange *registry_change_to_wire(vln_arena_t *arena, const char *model,
                                                 const registry_stage_change_t *change);

/* NULL, and the call refused, if what is stored cannot be read. */
Valion__V1__Dataset *registry_dataset_to_wire(vln_call_t *call, const registry_dataset_t *dataset);
Valion__V1__Report *registry_report_to_wire(vln_call_t *call, const uint8_t *bytes, size_t size);

#endif
