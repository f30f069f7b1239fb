/*
 * orchestrator_context - what the placeholders of a step can name: the run, its parameters, the
 * pipeline's environment, and what the steps before gave.
 */
#ifndef ORCHESTRATOR_CONTEXT_H
#define ORCHESTRATOR_CONTEXT_H

#include "orchestrator_plan.h"
#include "orchestrator_runs_store.h"

typedef struct orchestrator_context {
    const Valion__V1__Pipeline *pipeline;
    const orchestrator_run_t *run;
    const step_state_t *states;
    const char *const *outputs; /* by step, JSON; NULL: none */
    const char *const *errors;
} orchestrator_context_t;

/* Marks in wanted[pipeline->n_steps] the steps that the parameters of `step` name. */
void orchestrator_context_mark(const orchestrator_context_t *self, const Valion__V1__Step *step,
                               bool *wanted);

/* The step's parameters with every placeholder filled in; as template_render. `outputs` holds at
 * least those of the wanted steps. */
VLN_MUST_USE vln_err_t orchestrator_context_render(const orchestrator_context_t *self,
                                                   const Valion__V1__Step *step, const bool *wanted,
                                                   vln_arena_t *arena, const char **out,
                                                   template_error_t *error);

#endif
