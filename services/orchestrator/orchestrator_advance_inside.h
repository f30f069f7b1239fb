/*
 * orchestrator_advance_inside - one run that goes on, as the files of orchestrator_advance share it:
 * orchestrator_advance.c reads it, asks the rules, and stores what came of it; orchestrator_steps.c
 * does to its steps what the rules say.
 */
#ifndef ORCHESTRATOR_ADVANCE_INSIDE_H
#define ORCHESTRATOR_ADVANCE_INSIDE_H

#include "orchestrator_advance.h"

/* One run that goes on. */
typedef struct orchestrator_work {
    orchestrator_advance_t *shared;
    orchestrator_run_t *row;
    orchestrator_run_t read; /* the row as it was */
    const Valion__V1__Pipeline *pipeline;
    orchestrator_plan_t *plan;
    run_t run;
    bool begins;
    orchestrator_step_t *steps; /* as they were read */
    const char *outputs[RUN_STEPS_MAX];
    bool outputs_read[RUN_STEPS_MAX];
    const char *errors[RUN_STEPS_MAX];

    /* ---- to be stored ---- */
    orchestrator_step_change_t changes[RUN_STEPS_MAX];
    bool changed[RUN_STEPS_MAX];
    orchestrator_new_task_t tasks[RUN_STEPS_MAX];
    orchestrator_step_task_t marks[RUN_STEPS_MAX];
    size_t task_count;
} orchestrator_work_t;

/* Steps whose tasks have ended end, too. */
void orchestrator_steps_end(orchestrator_work_t *self);

/* Does what a rule says to one step: anything but RUN_FINISH. `*again`: a step has ended by it, and the
 * rules have to be asked again. */
VLN_MUST_USE vln_err_t orchestrator_step_perform(orchestrator_work_t *self,
                                                 const run_action_t *action, bool *again);

/* The change of a step to the state that the run has it in, to be filled in and stored. */
orchestrator_step_change_t *orchestrator_step_change(orchestrator_work_t *self, size_t step);

#endif
