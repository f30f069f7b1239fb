/*
 * registry_models - a model as a message.
 */
#ifndef REGISTRY_MODELS_H
#define REGISTRY_MODELS_H

#include "registry.h"
#include "valion/v1/registry.pb-c.h"

/* In the arena; borrows the model's texts. */
Valion__V1__Model *registry_model_to_wire(vln_arena_t *arena, const registry_model_t *model);

/* The model, locked until the transaction ends; false, and the call refused or `*err` set, if it is
 * not there. */
bool registry_lock_model(registry_worker_t *self, vln_call_t *call, const char *name,
                         registry_model_t *out, vln_err_t *err);

#endif
