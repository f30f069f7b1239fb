/*
 * orchestrator_pipelines - what pipelines, runs and the shipped pipeline share.
 */
#ifndef ORCHESTRATOR_PIPELINES_H
#define ORCHESTRATOR_PIPELINES_H

#include "orchestrator.h"
#include "orchestrator_plan.h"
#include "orchestrator_runs_store.h"

/* The name that a pipeline is kept under: the shipped one is also known by the original's name. */
const char *orchestrator_pipeline_name(const char *name);

/* `version` 0: none was asked for. */
void orchestrator_refuse_no_pipeline(vln_call_t *call, const char *name, uint64_t version);

/* A pipeline as it is stored: name, body and digest of `out`. */
void orchestrator_pipeline_pack(const Valion__V1__Pipeline *given, vln_arena_t *arena,
                                orchestrator_pipeline_t *out);

/* Stores it and tells of it; ABORTED if that version is there. */
VLN_MUST_USE vln_err_t orchestrator_pipeline_put(orchestrator_store_t *store, vln_events_t *events,
                                                 orchestrator_pipeline_t *pipeline);

#endif
