/*
 * registry_models - a model as a message.
 */
#ifndef REGISTRY_MODELS_H
#define REGISTRY_MODELS_H

#include "registry.h"
#include "valion/v1/registry.pb-c.h"

/* In the arena; borrows the model's texts. */
Valion__V1__Model *registry_model_to_wire(vln_arena_t *arena, const registry_model_t *model);

#endif
