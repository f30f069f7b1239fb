/*
 * orchestrator_plan - a pipeline as it is run: its message with defaults, and its graph for the
 * rules of domain/run.h; and whether a message can be run at all.
 *
 * Knows no database and no bus. Any thread.
 */
#ifndef ORCHESTRATOR_PLAN_H
#define ORCHESTRATOR_PLAN_H

#include <yyjson.h>

#include "vln_err.h"
#include "vln_mem.h"

#include "run.h"
#include "task.h"
#include "template.h"
#include "valion/v1/orchestrator.pb-c.h"

enum {
    ORCHESTRATOR_NAME_MAX = 128, /* of a pipeline */
    ORCHESTRATOR_SOURCE_MAX = 256 * 1024,
    ORCHESTRATOR_BODY_MAX = 160 * 1024, /* of a pipeline, packed: a reply has to hold it */
    ORCHESTRATOR_WHY = 600,
};

/* What is wrong with a pipeline: a field, and a sentence about it. */
typedef struct orchestrator_flaw {
    const char *field; /* static */
    char why[ORCHESTRATOR_WHY];
} orchestrator_flaw_t;

typedef struct orchestrator_plan {
    const Valion__V1__Pipeline *pipeline; /* borrowed */
    run_plan_t run;
    run_step_t steps[RUN_STEPS_MAX];
    size_t order[RUN_STEPS_MAX];
} orchestrator_plan_t;

/*
 * The plan of a pipeline: in the arena, as long as the message lives. INVALID_ARGUMENT with the
 * flaw: too many steps, a name twice, a dependency that there is not, a circle.
 */
VLN_MUST_USE vln_err_t orchestrator_plan_make(const Valion__V1__Pipeline *pipeline,
                                              vln_arena_t *arena, orchestrator_plan_t **out,
                                              orchestrator_flaw_t *flaw);

/* That, and everything else that can be known before it runs: bounds, kinds, parameters,
 * placeholders. */
VLN_MUST_USE vln_err_t orchestrator_plan_check(const Valion__V1__Pipeline *pipeline,
                                               vln_arena_t *arena, orchestrator_plan_t **out,
                                               orchestrator_flaw_t *flaw);

/* INVALID_ARGUMENT. `field` is static. */
VLN_PRINTF(3, 4) vln_err_t orchestrator_flaw_set(orchestrator_flaw_t *flaw, const char *field,
                                                 const char *format, ...);

/* The pipeline of a file's text, in the arena; INVALID_ARGUMENT with the flaw. */
VLN_MUST_USE vln_err_t orchestrator_plan_read_source(const char *source, vln_arena_t *arena,
                                                     Valion__V1__Pipeline **out,
                                                     orchestrator_flaw_t *flaw);

/* Index of the step of that name; pipeline->n_steps if there is none. */
size_t orchestrator_plan_find(const Valion__V1__Pipeline *pipeline, const char *name);

/* ---- a message's fields with their defaults ---- */

int64_t orchestrator_step_timeout_ms(const Valion__V1__Step *step);
int orchestrator_step_retries(const Valion__V1__Pipeline *pipeline, const Valion__V1__Step *step);
task_retry_t orchestrator_step_retry(const Valion__V1__Step *step);
/* Never NULL. */
const char *orchestrator_step_parameters(const Valion__V1__Step *step);
int orchestrator_runs_at_once(const Valion__V1__Pipeline *pipeline);
int64_t orchestrator_run_timeout_ms(const Valion__V1__Pipeline *pipeline);

/* True if the value can be that of a parameter of this type; COLUMN_TYPE_UNSPECIFIED takes any. One
 * whose default is null may be null whatever its type. */
bool orchestrator_param_fits(const Valion__V1__Parameter *parameter, yyjson_val *value);
/* "an int64", … */
const char *orchestrator_param_type_name(const Valion__V1__Parameter *parameter);

#endif
