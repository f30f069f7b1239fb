#include "run.h"

#include "vln_err.h"

/* clang-format off */
#define R(from, on, to, effect, why) {RUN_##from, RUN_ON_##on, RUN_##to, RUN_##effect, why}

static const run_rule_t rules[] = {
    /* in      on              go to      and       because                                     */
    R(NEW,     SUBMITTED,      PENDING,   KEEP,     "it was submitted"),

    R(PENDING, TURN,           RUNNING,   BEGIN,    "its turn came"),
    R(PENDING, PAUSE,          PAUSED,    KEEP,     "it was paused before it began"),
    R(PENDING, CANCEL_QUEUED,  CANCELLED, END,      "it was cancelled before it began"),

    R(RUNNING, PAUSE,          PAUSED,    KEEP,     "it was paused: no further step starts"),
    R(RUNNING, CANCEL,         RUNNING,   STOP,     "it was cancelled: its steps are stopped"),
    R(RUNNING, CANCEL_AGAIN,   RUNNING,   STOP_ALL, "it was cancelled again: all steps are stopped"),
    R(RUNNING, TIMEOUT,        RUNNING,   STOP,     "its time is over: its steps are stopped"),
    R(RUNNING, SUCCEEDED,      COMPLETED, END,      "every step has ended"),
    R(RUNNING, STEP_FAILED,    FAILED,    END,      "a required step failed"),
    R(RUNNING, STOPPED,        CANCELLED, END,      "it was cancelled"),
    R(RUNNING, TIMED_OUT,      FAILED,    END,      "its time was over"),

    R(PAUSED,  RESUME,         RUNNING,   KEEP,     "it was resumed"),
    R(PAUSED,  RESUME_QUEUED,  PENDING,   KEEP,     "it was resumed, and waits for its turn"),
    R(PAUSED,  CANCEL,         RUNNING,   STOP,     "it was cancelled: its steps are stopped"),
    R(PAUSED,  CANCEL_QUEUED,  CANCELLED, END,      "it was cancelled before it began"),
    R(PAUSED,  TIMEOUT,        RUNNING,   STOP,     "its time is over: its steps are stopped"),
    R(PAUSED,  SUCCEEDED,      COMPLETED, END,      "every step has ended"),
    R(PAUSED,  STEP_FAILED,    FAILED,    END,      "a required step failed"),
};
#undef R

static const char *const state_names[RUN_STATE_COUNT] = {
    "new", "pending", "running", "completed", "failed", "cancelled", "paused",
};
static const char *const event_names[RUN_EVENT_COUNT] = {
    "submitted", "turn", "pause", "pause", "resume", "resume", "cancel", "cancel", "cancel", "timeout",
    "succeeded", "step_failed", "stopped", "timed_out",
};
static const char *const step_names[STEP_STATE_COUNT] = {
    "unknown", "pending", "running", "retrying", "succeeded", "failed", "skipped", "cancelled",
};

enum { ALL = -1 };

/*
 * A rule comes true when each count is at least what its column says (ALL: every dependency) and
 * nothing is there that it excludes. It is decided when all dependencies have ended, `early` as
 * soon as it is true; and as soon as it can no longer come true, the step is skipped. `of_success`:
 * it wants no failure, so the step is also skipped once a required step of the run has failed.
 */
typedef struct trigger_row {
    const char *name;
    int succeeded;
    int failed;  /* or cancelled */
    int skipped;
    int done;    /* succeeded, failed or cancelled */
    bool no_failed;
    bool no_skipped;
    bool early;
    bool of_success;
} trigger_row_t;

static const trigger_row_t triggers[TRIGGER_COUNT] = {
    /*                                      name                     succeeded failed skipped done  no_failed no_skipped early of_success */
    [TRIGGER_ALL_SUCCESS]              = {"all_success",              ALL,     0,     0,      0,    false,    false,     false, true},
    [TRIGGER_ALL_FAILED]               = {"all_failed",               0,       ALL,   0,      0,    false,    false,     false, false},
    [TRIGGER_ALL_DONE]                 = {"all_done",                 0,       0,     0,      0,    false,    false,     false, false},
    [TRIGGER_ALL_SKIPPED]              = {"all_skipped",              0,       0,     ALL,    0,    false,    false,     false, true},
    [TRIGGER_ONE_FAILED]               = {"one_failed",               0,       1,     0,      0,    false,    false,     true,  false},
    [TRIGGER_ONE_SUCCESS]              = {"one_success",              1,       0,     0,      0,    false,    false,     true,  false},
    [TRIGGER_ONE_DONE]                 = {"one_done",                 0,       0,     0,      1,    false,    false,     true,  false},
    [TRIGGER_NONE_FAILED]              = {"none_failed",              0,       0,     0,      0,    true,     false,     false, true},
    [TRIGGER_NONE_FAILED_MIN_ONE_SUCCESS] = {"none_failed_min_one_success", 1, 0,     0,      0,    true,     false,     false, true},
    [TRIGGER_NONE_SKIPPED]             = {"none_skipped",             0,       0,     0,      0,    false,    true,      false, false},
    [TRIGGER_ALL_DONE_MIN_ONE_SUCCESS] = {"all_done_min_one_success", 1,       0,     0,      0,    false,    false,     false, false},
    [TRIGGER_ALWAYS]                   = {"always",                   0,       0,     0,      0,    false,    false,     true,  false},
};
/* clang-format on */

/* ---- the run ---- */

const run_rule_t *
run_rules(size_t *count)
{
    *count = VLN_COUNT(rules);
    return rules;
}

const run_rule_t *
run_rule_find(run_state_t from, run_event_t on)
{
    for (size_t i = 0; i < VLN_COUNT(rules); i++) {
        if (rules[i].from == from && rules[i].on == on) {
            return &rules[i];
        }
    }
    return NULL;
}

run_event_t
run_event_of(const run_t *run, run_wish_t wish)
{
    bool stops = run->stop != RUN_STOP_NONE;
    switch (wish) {
    case RUN_WISH_PAUSE:
        return stops ? RUN_ON_PAUSE_LATE : RUN_ON_PAUSE;
    case RUN_WISH_RESUME:
        return run->begun ? RUN_ON_RESUME : RUN_ON_RESUME_QUEUED;
    case RUN_WISH_CANCEL:
        break;
    }
    if (!run->begun) {
        return RUN_ON_CANCEL_QUEUED;
    }
    return stops ? RUN_ON_CANCEL_AGAIN : RUN_ON_CANCEL;
}

static void
cancel_pending(run_t *run)
{
    for (size_t i = 0; i < RUN_STEPS_MAX; i++) {
        if (run->steps[i] == STEP_PENDING) {
            run->steps[i] = STEP_CANCELLED;
        }
    }
}

const run_rule_t *
run_apply(run_t *run, run_event_t on)
{
    const run_rule_t *rule = run_rule_find(run->state, on);
    if (!rule) {
        return NULL;
    }
    run->state = rule->to;
    run->begun = run->begun || rule->effect == RUN_BEGIN;
    run->stop_all = run->stop_all || rule->effect == RUN_STOP_ALL;
    if (rule->effect == RUN_STOP) {
        run->stop = on == RUN_ON_TIMEOUT ? RUN_STOP_TIMEOUT : RUN_STOP_CANCEL;
    }
    if (rule->effect == RUN_END) {
        cancel_pending(run); /* of a run that never began: otherwise there are none */
    }
    return rule;
}

/* ---- triggers ---- */

step_state_t
run_step_end(const run_step_t *step, step_end_t end)
{
    switch (end) {
    case STEP_ENDED_WELL:
        return STEP_SUCCEEDED;
    case STEP_ENDED_STOPPED:
        return STEP_CANCELLED;
    case STEP_ENDED_BADLY:
        break;
    }
    return step->skip_on_failure ? STEP_SKIPPED : STEP_FAILED;
}

static size_t
least(int wanted, size_t all)
{
    return wanted == ALL ? all : (size_t)wanted;
}

trigger_verdict_t
trigger_decide(trigger_t trigger, const trigger_counts_t *counts)
{
    const trigger_row_t *row = &triggers[trigger];
    size_t open = counts->all - counts->succeeded - counts->failed - counts->skipped;
    const struct {
        size_t has;
        size_t wants;
    } columns[] = {
        {counts->succeeded, least(row->succeeded, counts->all)},
        {counts->failed, least(row->failed, counts->all)},
        {counts->skipped, least(row->skipped, counts->all)},
        {counts->succeeded + counts->failed, least(row->done, counts->all)},
    };
    if (counts->all == 0) {
        return TRIGGER_RUN;
    }
    bool is_true = true;
    bool may_be = !(row->no_failed && counts->failed) && !(row->no_skipped && counts->skipped);
    for (size_t i = 0; i < VLN_COUNT(columns); i++) {
        is_true = is_true && columns[i].has >= columns[i].wants;
        may_be = may_be && columns[i].has + open >= columns[i].wants;
    }
    if (!may_be) {
        return TRIGGER_SKIP;
    }
    return is_true && (open == 0 || row->early) ? TRIGGER_RUN : TRIGGER_WAIT;
}

/* ---- advancing ---- */

typedef struct advance {
    const run_plan_t *plan;
    run_t *run;
    run_action_t *actions;
    size_t count;
} advance_t;

static run_action_t *
add(advance_t *self, run_action_kind_t kind, size_t step, run_reason_t reason)
{
    run_action_t *action = &self->actions[self->count++];
    *action = (run_action_t){
        .kind = kind, .step = step, .reason = reason, .step_of_reason = self->plan->count};
    return action;
}

static bool
has_failed(step_state_t state)
{
    return state == STEP_FAILED || state == STEP_CANCELLED;
}

/* The first required step that failed; plan->count if none has. */
static size_t
find_broken(const run_plan_t *plan, const run_t *run)
{
    for (size_t i = 0; i < plan->count; i++) {
        size_t step = plan->order[i];
        if (plan->steps[step].required && has_failed(run->steps[step])) {
            return step;
        }
    }
    return plan->count;
}

static bool
all_ended(const advance_t *self, bool with_finally)
{
    for (size_t i = 0; i < self->plan->count; i++) {
        bool counts = with_finally || !self->plan->steps[i].is_finally;
        if (counts && !step_has_ended(self->run->steps[i])) {
            return false;
        }
    }
    return true;
}

static trigger_counts_t
count_needs(const advance_t *self, size_t step)
{
    const graph_node_t *node = &self->plan->steps[step].node;
    trigger_counts_t counts = {.all = node->need_count};
    for (size_t i = 0; i < node->need_count; i++) {
        step_state_t state = self->run->steps[node->needs[i]];
        counts.succeeded += state == STEP_SUCCEEDED;
        counts.failed += has_failed(state);
        counts.skipped += state == STEP_SKIPPED;
    }
    return counts;
}

/* The dependency to name when a step is skipped: one that did not succeed. */
static size_t
find_culprit(const advance_t *self, size_t step)
{
    const graph_node_t *node = &self->plan->steps[step].node;
    for (size_t i = 0; i < node->need_count; i++) {
        step_state_t state = self->run->steps[node->needs[i]];
        if (has_failed(state) || state == STEP_SKIPPED) {
            return node->needs[i];
        }
    }
    return self->plan->count;
}

static void
skip(advance_t *self, size_t step, run_reason_t reason, size_t step_of_reason)
{
    self->run->steps[step] = STEP_SKIPPED;
    add(self, RUN_SKIP_STEP, step, reason)->step_of_reason = step_of_reason;
}

static void
decide_step(advance_t *self, size_t step)
{
    const run_step_t *planned = &self->plan->steps[step];
    trigger_counts_t counts = count_needs(self, step);
    size_t broken = find_broken(self->plan, self->run);
    trigger_verdict_t verdict = trigger_decide(planned->trigger, &counts);
    if (verdict == TRIGGER_SKIP) {
        skip(self, step, RUN_BECAUSE_TRIGGER, find_culprit(self, step));
    } else if (broken < self->plan->count && triggers[planned->trigger].of_success &&
               !planned->is_finally) {
        skip(self, step, RUN_BECAUSE_FAILED, broken);
    } else if (verdict == TRIGGER_RUN) {
        self->run->steps[step] = STEP_RUNNING;
        add(self, RUN_START_STEP, step, counts.all ? RUN_BECAUSE_TRIGGER : RUN_BECAUSE_NOTHING);
    }
}

/* In their order, so that a skip reaches all that follows in one pass. */
static void
decide_steps(advance_t *self, bool is_finally)
{
    for (size_t i = 0; i < self->plan->count; i++) {
        size_t step = self->plan->order[i];
        if (self->run->steps[step] == STEP_PENDING &&
            self->plan->steps[step].is_finally == is_finally) {
            decide_step(self, step);
        }
    }
}

static void
stop_steps(advance_t *self)
{
    for (size_t step = 0; step < self->plan->count; step++) {
        if (self->plan->steps[step].is_finally && !self->run->stop_all) {
            continue;
        }
        if (self->run->steps[step] == STEP_PENDING) {
            self->run->steps[step] = STEP_CANCELLED;
            add(self, RUN_CANCEL_STEP, step, RUN_BECAUSE_STOP);
        } else if (self->run->steps[step] == STEP_RUNNING) {
            add(self, RUN_STOP_TASK, step, RUN_BECAUSE_STOP);
        }
    }
}

static void
finish(advance_t *self)
{
    size_t broken = find_broken(self->plan, self->run);
    run_event_t event = broken < self->plan->count ? RUN_ON_STEP_FAILED : RUN_ON_SUCCEEDED;
    if (self->run->stop != RUN_STOP_NONE) {
        event = self->run->stop == RUN_STOP_CANCEL ? RUN_ON_STOPPED : RUN_ON_TIMED_OUT;
    }
    const run_rule_t *rule = run_apply(self->run, event);
    vln_assert(rule);
    run_action_t *action = add(self, RUN_FINISH, self->plan->count, RUN_BECAUSE_NOTHING);
    action->event = event;
    action->step_of_reason = broken;
}

size_t
run_advance(const run_plan_t *plan, run_t *run, int64_t now_us, run_action_t *actions)
{
    advance_t self = {.plan = plan, .run = run, .actions = actions};
    if (!run->begun || run_has_ended(run->state)) {
        return 0;
    }
    if (run->stop == RUN_STOP_NONE && now_us >= run->deadline_us && !all_ended(&self, true)) {
        vln_assert(run_apply(run, RUN_ON_TIMEOUT));
    }
    if (run->stop != RUN_STOP_NONE) {
        stop_steps(&self);
    } else if (run->state == RUN_RUNNING) {
        decide_steps(&self, false);
    }
    if (run->state == RUN_RUNNING && all_ended(&self, false)) {
        decide_steps(&self, true);
    }
    if (all_ended(&self, true)) {
        finish(&self);
    }
    return self.count;
}

/* ---- names ---- */

const char *
run_state_name(run_state_t state)
{
    return (size_t)state < VLN_COUNT(state_names) ? state_names[state] : "unknown";
}

const char *
run_event_name(run_event_t event)
{
    return (size_t)event < VLN_COUNT(event_names) ? event_names[event] : "unknown";
}

const char *
step_state_name(step_state_t state)
{
    return (size_t)state < VLN_COUNT(step_names) ? step_names[state] : "unknown";
}

const char *
trigger_name(trigger_t trigger)
{
    return trigger > 0 && trigger < TRIGGER_COUNT ? triggers[trigger].name : "unknown";
}
