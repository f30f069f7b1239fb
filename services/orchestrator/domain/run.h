/*
 * run - the life of a pipeline's run and of its steps. Pure: no clock, no I/O, no chance.
 *
 * The shell reads a run's row and the states of its steps, notes which tasks have ended
 * (run_step_end), and calls run_advance: it changes the states and says what has to be done, all of
 * which is stored in one transaction. It may be called at any time and any number of times: what
 * it asked for is not asked again, but for stopping a task. So any orchestrator goes on from rows
 * alone.
 *
 * Steps are decided in three rounds: the normal ones by their trigger rules, until all have ended;
 * then those that run last (`finally`); then the run ends. Once a required step has failed, steps
 * whose rule waits for success are skipped; those whose rule looks for failure still run.
 */
#ifndef RUN_H
#define RUN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "graph.h"

enum { RUN_STEPS_MAX = GRAPH_MAX };

/* The numbers are valion.v1.RunState's. */
typedef enum run_state {
    RUN_NEW = 0, /* before it is submitted */
    RUN_PENDING = 1,
    RUN_RUNNING = 2,
    RUN_COMPLETED = 3,
    RUN_FAILED = 4,
    RUN_CANCELLED = 5,
    RUN_PAUSED = 6,
    RUN_STATE_COUNT = 7,
} run_state_t;

/* Likewise StepState's. What retries is running here: its task is one. */
typedef enum step_state {
    STEP_PENDING = 1,
    STEP_RUNNING = 2,
    STEP_RETRYING = 3, /* only shown */
    STEP_SUCCEEDED = 4,
    STEP_FAILED = 5,
    STEP_SKIPPED = 6,
    STEP_CANCELLED = 7,
    STEP_STATE_COUNT = 8,
} step_state_t;

/* Likewise TriggerRule's. */
typedef enum trigger {
    TRIGGER_ALL_SUCCESS = 1,
    TRIGGER_ALL_FAILED = 2,
    TRIGGER_ALL_DONE = 3,
    TRIGGER_ALL_SKIPPED = 4,
    TRIGGER_ONE_FAILED = 5,
    TRIGGER_ONE_SUCCESS = 6,
    TRIGGER_ONE_DONE = 7,
    TRIGGER_NONE_FAILED = 8,
    TRIGGER_NONE_FAILED_MIN_ONE_SUCCESS = 9,
    TRIGGER_NONE_SKIPPED = 10,
    TRIGGER_ALL_DONE_MIN_ONE_SUCCESS = 11,
    TRIGGER_ALWAYS = 12,
    TRIGGER_COUNT = 13,
} trigger_t;

/* What never changes of a step. */
typedef struct run_step {
    graph_node_t node; /* its dependencies */
    trigger_t trigger;
    bool required;
    bool skip_on_failure;
    bool is_finally;
} run_step_t;

typedef struct run_plan {
    size_t count;
    const run_step_t *steps;
    const size_t *order; /* of graph_sort */
} run_plan_t;

/* Why steps are stopped. */
typedef enum run_stop {
    RUN_STOP_NONE = 0,
    RUN_STOP_CANCEL = 1,
    RUN_STOP_TIMEOUT = 2,
} run_stop_t;

typedef struct run {
    run_state_t state;
    run_stop_t stop;
    bool stop_all;       /* the finally steps, too */
    bool begun;          /* it had its turn */
    int64_t deadline_us; /* once it has begun */
    step_state_t steps[RUN_STEPS_MAX];
} run_t;

/* ---- what happens to a run ---- */

typedef enum run_event {
    RUN_ON_SUBMITTED,
    RUN_ON_TURN, /* there is room among the pipeline's runs */
    RUN_ON_PAUSE,
    RUN_ON_PAUSE_LATE, /* while it stops: nothing is left to hold up */
    RUN_ON_RESUME,
    RUN_ON_RESUME_QUEUED, /* before it has begun */
    RUN_ON_CANCEL,
    RUN_ON_CANCEL_QUEUED,
    RUN_ON_CANCEL_AGAIN, /* while it stops */
    RUN_ON_TIMEOUT,
    RUN_ON_SUCCEEDED,   /* every step has ended, no required one badly */
    RUN_ON_STEP_FAILED, /* every step has ended, a required one badly */
    RUN_ON_STOPPED,     /* every step has ended, after a cancel */
    RUN_ON_TIMED_OUT,   /* every step has ended, after the timeout */
    RUN_EVENT_COUNT,
} run_event_t;

typedef enum run_effect {
    RUN_KEEP,     /* nothing else */
    RUN_BEGIN,    /* it has begun */
    RUN_STOP,     /* steps are stopped, but for those that run last */
    RUN_STOP_ALL, /* those too */
    RUN_END,
} run_effect_t;

typedef struct run_rule {
    run_state_t from;
    run_event_t on;
    run_state_t to;
    run_effect_t effect;
    const char *why;
} run_rule_t;

const run_rule_t *run_rules(size_t *count);

/* NULL: the event means nothing in this state. */
const run_rule_t *run_rule_find(run_state_t from, run_event_t on);

/* What a person may want of a run. */
typedef enum run_wish { RUN_WISH_PAUSE, RUN_WISH_RESUME, RUN_WISH_CANCEL } run_wish_t;

/* Which event the wish is, given what the run does. */
run_event_t run_event_of(const run_t *run, run_wish_t wish);

/* Does to the run what the rule for the event says; NULL, and nothing done, if there is none. */
const run_rule_t *run_apply(run_t *run, run_event_t on);

/* ---- steps ---- */

/* How a step's task ended. */
typedef enum step_end {
    STEP_ENDED_WELL,
    STEP_ENDED_BADLY,
    STEP_ENDED_STOPPED,
} step_end_t;

/* The state of a step whose task ended so. */
step_state_t run_step_end(const run_step_t *step, step_end_t end);

typedef enum trigger_verdict { TRIGGER_WAIT, TRIGGER_RUN, TRIGGER_SKIP } trigger_verdict_t;

/* How many of a step's dependencies are in which state. */
typedef struct trigger_counts {
    size_t all;
    size_t succeeded;
    size_t failed; /* or cancelled */
    size_t skipped;
} trigger_counts_t;

trigger_verdict_t trigger_decide(trigger_t trigger, const trigger_counts_t *counts);

typedef enum run_action_kind {
    RUN_START_STEP,
    RUN_SKIP_STEP,
    RUN_CANCEL_STEP, /* it had no task yet */
    RUN_STOP_TASK,   /* ask its task to end; asked again until it has */
    RUN_FINISH,      /* the run ended, by `event` */
} run_action_kind_t;

typedef enum run_reason {
    RUN_BECAUSE_NOTHING, /* it waits for nobody */
    RUN_BECAUSE_TRIGGER, /* its trigger rule came true, or cannot any more: see `step_of_reason` */
    RUN_BECAUSE_FAILED,  /* a required step failed */
    RUN_BECAUSE_STOP,    /* cancelled, or its time is over: see run.stop */
} run_reason_t;

typedef struct run_action {
    run_action_kind_t kind;
    size_t step;
    run_reason_t reason;
    size_t step_of_reason; /* plan.count: no single one */
    run_event_t event;     /* RUN_FINISH */
} run_action_t;

/*
 * What is to be done now, into actions[], which holds plan->count + 1 of them; how many. Changes
 * the states to what they are once it is done; RUN_STOP_TASK alone changes nothing.
 */
size_t run_advance(const run_plan_t *plan, run_t *run, int64_t now_us, run_action_t *actions);

/* ---- names, for people ---- */

static inline bool
run_has_ended(run_state_t state)
{
    return state == RUN_COMPLETED || state == RUN_FAILED || state == RUN_CANCELLED;
}

static inline bool
step_has_ended(step_state_t state)
{
    return state >= STEP_SUCCEEDED;
}

const char *run_state_name(run_state_t state);
const char *run_event_name(run_event_t event);
const char *step_state_name(step_state_t state);
const char *trigger_name(trigger_t trigger);

#endif
