#include "run.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

/* ---- the tables ---- */

Test(run, every_state_can_be_reached_and_only_ends_have_no_exit)
{
    size_t count = 0;
    const run_rule_t *rules = run_rules(&count);
    bool seen[RUN_STATE_COUNT] = {[RUN_NEW] = true};
    bool left[RUN_STATE_COUNT] = {false};
    for (size_t pass = 0; pass < count; pass++) {
        for (size_t i = 0; i < count; i++) {
            seen[rules[i].to] = seen[rules[i].to] || seen[rules[i].from];
            left[rules[i].from] = true;
        }
    }
    for (int state = 0; state < RUN_STATE_COUNT; state++) {
        cr_expect(seen[state], "%s", run_state_name((run_state_t)state));
        cr_expect(left[state] != run_has_ended((run_state_t)state), "%s",
                  run_state_name((run_state_t)state));
    }
}

Test(run, no_event_has_two_meanings)
{
    size_t count = 0;
    const run_rule_t *rules = run_rules(&count);
    for (size_t i = 0; i < count; i++) {
        cr_expect(run_rule_find(rules[i].from, rules[i].on) == &rules[i], "row %zu", i);
        cr_expect((rules[i].effect == RUN_END) == run_has_ended(rules[i].to), "row %zu", i);
    }
}

Test(run, what_has_begun_has_a_deadline)
{
    cr_expect(run_rule_find(RUN_RUNNING, RUN_ON_TIMEOUT) != NULL);
    cr_expect(run_rule_find(RUN_PAUSED, RUN_ON_TIMEOUT) != NULL);
}

/* What each rule says of every mix of four dependencies, in words of its own. */
static trigger_verdict_t
expected(trigger_t trigger, const trigger_counts_t *c)
{
    size_t open = c->all - c->succeeded - c->failed - c->skipped;
    switch (trigger) {
    case TRIGGER_ALL_SUCCESS:
        return c->failed + c->skipped ? TRIGGER_SKIP : open ? TRIGGER_WAIT : TRIGGER_RUN;
    case TRIGGER_ALL_FAILED:
        return c->succeeded + c->skipped ? TRIGGER_SKIP : open ? TRIGGER_WAIT : TRIGGER_RUN;
    case TRIGGER_ALL_DONE:
        return open ? TRIGGER_WAIT : TRIGGER_RUN;
    case TRIGGER_ALL_SKIPPED:
        return c->succeeded + c->failed ? TRIGGER_SKIP : open ? TRIGGER_WAIT : TRIGGER_RUN;
    case TRIGGER_ONE_FAILED:
        return c->failed ? TRIGGER_RUN : open ? TRIGGER_WAIT : TRIGGER_SKIP;
    case TRIGGER_ONE_SUCCESS:
        return c->succeeded ? TRIGGER_RUN : open ? TRIGGER_WAIT : TRIGGER_SKIP;
    case TRIGGER_ONE_DONE:
        return c->succeeded + c->failed ? TRIGGER_RUN : open ? TRIGGER_WAIT : TRIGGER_SKIP;
    case TRIGGER_NONE_FAILED:
        return c->failed ? TRIGGER_SKIP : open ? TRIGGER_WAIT : TRIGGER_RUN;
    case TRIGGER_NONE_FAILED_MIN_ONE_SUCCESS:
        return c->failed || c->skipped == c->all ? TRIGGER_SKIP : open ? TRIGGER_WAIT : TRIGGER_RUN;
    case TRIGGER_NONE_SKIPPED:
        return c->skipped ? TRIGGER_SKIP : open ? TRIGGER_WAIT : TRIGGER_RUN;
    case TRIGGER_ALL_DONE_MIN_ONE_SUCCESS:
        return c->succeeded + open == 0 ? TRIGGER_SKIP : open ? TRIGGER_WAIT : TRIGGER_RUN;
    default:
        return TRIGGER_RUN;
    }
}

Test(run, every_trigger_rule_means_what_it_says)
{
    for (int trigger = TRIGGER_ALL_SUCCESS; trigger < TRIGGER_COUNT; trigger++) {
        for (size_t mix = 0; mix < 125; mix++) {
            trigger_counts_t counts = {
                .succeeded = mix % 5, .failed = mix / 5 % 5, .skipped = mix / 25, .all = 4};
            if (counts.succeeded + counts.failed + counts.skipped > counts.all) {
                continue;
            }
            cr_expect(trigger_decide((trigger_t)trigger, &counts) ==
                          expected((trigger_t)trigger, &counts),
                      "%s: %zu succeeded, %zu failed, %zu skipped of 4",
                      trigger_name((trigger_t)trigger), counts.succeeded, counts.failed,
                      counts.skipped);
        }
    }
}

Test(run, a_step_that_waits_for_nobody_runs_whatever_its_rule)
{
    for (int trigger = TRIGGER_ALL_SUCCESS; trigger < TRIGGER_COUNT; trigger++) {
        const trigger_counts_t counts = {0};
        cr_expect(trigger_decide((trigger_t)trigger, &counts) == TRIGGER_RUN);
    }
}

/* ---- small runs ---- */

enum { STEPS = 6 };

typedef struct small {
    size_t needs[STEPS][STEPS];
    run_step_t steps[STEPS];
    size_t order[STEPS];
    run_plan_t plan;
    run_t run;
    run_action_t actions[STEPS + 1];
    size_t count;
} small_t;

/* Step i needs those of the string, "01". */
static void
make(small_t *self, size_t count, const char *const *needs)
{
    memset(self, 0, sizeof *self);
    graph_node_t nodes[STEPS];
    for (size_t i = 0; i < count; i++) {
        for (const char *at = needs[i]; *at; at++) {
            self->needs[i][self->steps[i].node.need_count++] = (size_t)(*at - '0');
        }
        self->steps[i].node.needs = self->needs[i];
        self->steps[i].trigger = TRIGGER_ALL_SUCCESS;
        self->steps[i].required = true;
        self->run.steps[i] = STEP_PENDING;
        nodes[i] = self->steps[i].node;
    }
    cr_assert(graph_sort(nodes, count, self->order));
    self->plan = (run_plan_t){count, self->steps, self->order};
    self->run.state = RUN_PENDING;
    self->run.deadline_us = INT64_MAX;
    cr_assert(run_apply(&self->run, RUN_ON_TURN));
}

static void
go(small_t *self)
{
    self->count = run_advance(&self->plan, &self->run, 0, self->actions);
}

static void
end(small_t *self, size_t step, step_end_t how)
{
    cr_assert(self->run.steps[step] == STEP_RUNNING, "step %zu", step);
    self->run.steps[step] = run_step_end(&self->steps[step], how);
    go(self);
}

static bool
states_are(const small_t *self, const char *letters)
{
    static const char names[] = "?prtsfkc"; /* pending, running, …, succeeded, failed, skipped */
    for (size_t i = 0; letters[i]; i++) {
        if (names[self->run.steps[i]] != letters[i]) {
            return false;
        }
    }
    return true;
}

Test(run, a_chain_runs_step_by_step_and_completes)
{
    small_t self;
    make(&self, 3, (const char *[]){"", "0", "1"});
    go(&self);
    cr_expect(states_are(&self, "rpp"));
    end(&self, 0, STEP_ENDED_WELL);
    end(&self, 1, STEP_ENDED_WELL);
    cr_expect(states_are(&self, "ssr") && self.run.state == RUN_RUNNING);
    end(&self, 2, STEP_ENDED_WELL);
    cr_expect(self.run.state == RUN_COMPLETED);
    cr_expect(self.actions[self.count - 1].event == RUN_ON_SUCCEEDED);
}

Test(run, what_does_not_depend_runs_side_by_side)
{
    small_t self;
    make(&self, 4, (const char *[]){"", "0", "0", "12"});
    go(&self);
    end(&self, 0, STEP_ENDED_WELL);
    cr_expect(states_are(&self, "srrp"));
    end(&self, 2, STEP_ENDED_WELL);
    cr_expect(states_are(&self, "srsp"));
    end(&self, 1, STEP_ENDED_WELL);
    cr_expect(states_are(&self, "sssr"));
}

Test(run, a_required_step_that_fails_ends_the_run_and_starts_nothing_more)
{
    small_t self;
    make(&self, 5, (const char *[]){"", "0", "", "2", "3"});
    go(&self);
    end(&self, 0, STEP_ENDED_BADLY);
    cr_expect(states_are(&self, "fkrkk")); /* what runs goes on, what would follow does not */
    cr_expect(self.run.state == RUN_RUNNING);
    end(&self, 2, STEP_ENDED_WELL);
    cr_expect(self.run.state == RUN_FAILED);
    cr_expect(self.actions[self.count - 1].step_of_reason == 0);
}

Test(run, what_depends_on_a_failed_step_that_is_not_required_is_skipped)
{
    small_t self;
    make(&self, 4, (const char *[]){"", "0", "1", ""});
    self.steps[0].required = false;
    go(&self);
    end(&self, 0, STEP_ENDED_BADLY);
    cr_expect(states_are(&self, "fkkr"));
    end(&self, 3, STEP_ENDED_WELL);
    cr_expect(self.run.state == RUN_COMPLETED);
}

Test(run, skip_on_failure_makes_a_skip_of_a_failure)
{
    small_t self;
    make(&self, 3, (const char *[]){"", "0", "0"});
    self.steps[0].skip_on_failure = true;
    self.steps[1].trigger = TRIGGER_NONE_FAILED;
    go(&self);
    end(&self, 0, STEP_ENDED_BADLY);
    cr_expect(states_are(&self, "krk"));
    end(&self, 1, STEP_ENDED_WELL);
    cr_expect(self.run.state == RUN_COMPLETED);
}

Test(run, a_step_that_looks_for_failure_runs_though_the_run_will_fail)
{
    small_t self;
    make(&self, 3, (const char *[]){"", "0", "0"});
    self.steps[1].trigger = TRIGGER_ONE_FAILED;
    go(&self);
    end(&self, 0, STEP_ENDED_BADLY);
    cr_expect(states_are(&self, "frk"));
    end(&self, 1, STEP_ENDED_WELL);
    cr_expect(self.run.state == RUN_FAILED);
}

Test(run, finally_steps_run_last_whatever_happened)
{
    for (int how = 0; how < 2; how++) {
        small_t self;
        make(&self, 3, (const char *[]){"", "0", ""});
        self.steps[2].is_finally = true;
        self.steps[2].trigger = TRIGGER_ALL_DONE;
        go(&self);
        cr_expect(states_are(&self, "rpp"));
        end(&self, 0, how ? STEP_ENDED_BADLY : STEP_ENDED_WELL);
        if (!how) {
            cr_expect(states_are(&self, "srp"));
            end(&self, 1, STEP_ENDED_WELL);
        }
        cr_expect(states_are(&self, how ? "fkr" : "ssr"));
        cr_expect(self.run.state == RUN_RUNNING);
        end(&self, 2, STEP_ENDED_WELL);
        cr_expect(self.run.state == (how ? RUN_FAILED : RUN_COMPLETED));
    }
}

Test(run, a_cancelled_run_stops_its_tasks_and_still_runs_what_runs_last)
{
    small_t self;
    make(&self, 3, (const char *[]){"", "0", ""});
    self.steps[2].is_finally = true;
    go(&self);
    cr_assert(run_apply(&self.run, run_event_of(&self.run, RUN_WISH_CANCEL)));
    go(&self);
    cr_expect(states_are(&self, "rcp") && self.actions[0].kind == RUN_STOP_TASK);
    end(&self, 0, STEP_ENDED_STOPPED);
    cr_expect(states_are(&self, "ccr"));
    cr_expect(run_event_of(&self.run, RUN_WISH_PAUSE) == RUN_ON_PAUSE_LATE);
    cr_expect(run_apply(&self.run, RUN_ON_PAUSE_LATE) == NULL);
    cr_assert(run_apply(&self.run, run_event_of(&self.run, RUN_WISH_CANCEL)));
    go(&self);
    cr_expect(self.actions[0].kind == RUN_STOP_TASK && self.actions[0].step == 2);
    end(&self, 2, STEP_ENDED_STOPPED);
    cr_expect(self.run.state == RUN_CANCELLED);
}

Test(run, a_paused_run_starts_nothing_and_goes_on_where_it_was)
{
    small_t self;
    make(&self, 2, (const char *[]){"", "0"});
    go(&self);
    cr_assert(run_apply(&self.run, run_event_of(&self.run, RUN_WISH_PAUSE)));
    end(&self, 0, STEP_ENDED_WELL);
    cr_expect(states_are(&self, "sp") && self.run.state == RUN_PAUSED && self.count == 0);
    cr_assert(run_apply(&self.run, run_event_of(&self.run, RUN_WISH_RESUME)));
    go(&self);
    cr_expect(states_are(&self, "sr"));
}

Test(run, a_run_whose_time_is_over_stops_and_fails_also_when_paused)
{
    small_t self;
    make(&self, 2, (const char *[]){"", "0"});
    go(&self);
    cr_assert(run_apply(&self.run, RUN_ON_PAUSE));
    self.run.deadline_us = 100;
    self.count = run_advance(&self.plan, &self.run, 100, self.actions);
    cr_expect(self.run.stop == RUN_STOP_TIMEOUT && self.run.state == RUN_RUNNING);
    end(&self, 0, STEP_ENDED_STOPPED);
    cr_expect(self.run.state == RUN_FAILED);
    cr_expect(self.actions[self.count - 1].event == RUN_ON_TIMED_OUT);
}

Test(run, one_that_has_not_begun_does_nothing_and_is_cancelled_at_once)
{
    small_t self;
    make(&self, 1, (const char *[]){""});
    self.run.state = RUN_PENDING;
    self.run.begun = false;
    go(&self);
    cr_expect(self.count == 0);
    cr_assert(run_apply(&self.run, run_event_of(&self.run, RUN_WISH_PAUSE)));
    cr_assert(run_apply(&self.run, run_event_of(&self.run, RUN_WISH_RESUME)));
    cr_expect(self.run.state == RUN_PENDING);
    cr_assert(run_apply(&self.run, run_event_of(&self.run, RUN_WISH_CANCEL)));
    cr_expect(self.run.state == RUN_CANCELLED && self.run.steps[0] == STEP_CANCELLED);
}

/* ---- any run ---- */

/* A pipeline and a run of it, made by chance. */
typedef struct life {
    size_t needs[RUN_STEPS_MAX][RUN_STEPS_MAX];
    run_step_t steps[RUN_STEPS_MAX];
    size_t order[RUN_STEPS_MAX];
    run_plan_t plan;
    run_t run;
    run_action_t actions[RUN_STEPS_MAX + 1];
    int starts[RUN_STEPS_MAX];
    int finishes;
    bool cancelled;
    bool timed_out;
} life_t;

static void
make_life(life_t *self, size_t count)
{
    memset(self, 0, sizeof *self);
    graph_node_t nodes[GRAPH_MAX];
    for (size_t i = 0; i < count; i++) {
        run_step_t *step = &self->steps[i];
        step->is_finally = i + 3 > count && rand() % 3 == 0;
        step->trigger = rand() % 3 ? TRIGGER_ALL_SUCCESS : (trigger_t)(1 + rand() % 12);
        step->required = rand() % 3 != 0;
        step->skip_on_failure = rand() % 5 == 0;
        for (size_t other = 0; other < i; other++) {
            if (rand() % 3 == 0 && (step->is_finally || !self->steps[other].is_finally)) {
                self->needs[i][step->node.need_count++] = other;
            }
        }
        step->node.needs = self->needs[i];
        self->run.steps[i] = STEP_PENDING;
        nodes[i] = step->node;
    }
    cr_assert(graph_sort(nodes, count, self->order));
    self->plan = (run_plan_t){count, self->steps, self->order};
    self->run.state = RUN_PENDING;
    self->run.deadline_us = 1000;
    cr_assert(run_apply(&self->run, RUN_ON_TURN));
}

static trigger_counts_t
counts_of(const life_t *self, size_t step)
{
    const graph_node_t *node = &self->steps[step].node;
    trigger_counts_t counts = {.all = node->need_count};
    for (size_t i = 0; i < node->need_count; i++) {
        step_state_t state = self->run.steps[node->needs[i]];
        counts.succeeded += state == STEP_SUCCEEDED;
        counts.failed += state == STEP_FAILED || state == STEP_CANCELLED;
        counts.skipped += state == STEP_SKIPPED;
    }
    return counts;
}

static bool
normal_ones_ended(const life_t *self)
{
    for (size_t i = 0; i < self->plan.count; i++) {
        if (!self->steps[i].is_finally && !step_has_ended(self->run.steps[i])) {
            return false;
        }
    }
    return true;
}

/* What has to hold of each action when it is asked for. */
static void
check_action(life_t *self, const run_action_t *action)
{
    if (action->kind == RUN_START_STEP) {
        const run_step_t *step = &self->steps[action->step];
        trigger_counts_t counts = counts_of(self, action->step);
        cr_assert(++self->starts[action->step] == 1, "started twice");
        cr_assert(counts.all == 0 || expected(step->trigger, &counts) == TRIGGER_RUN);
        cr_assert(!step->is_finally || normal_ones_ended(self), "finally before the others");
        cr_assert(step->is_finally || (!self->cancelled && !self->timed_out));
        cr_assert(self->run.state == RUN_RUNNING);
    }
    if (action->kind == RUN_STOP_TASK) {
        cr_assert(self->run.steps[action->step] == STEP_RUNNING);
        cr_assert(self->cancelled || self->timed_out);
    }
    if (action->kind == RUN_FINISH) {
        cr_assert(++self->finishes == 1, "ended twice");
    }
}

static void
advance_life(life_t *self, int64_t now)
{
    size_t count = run_advance(&self->plan, &self->run, now, self->actions);
    cr_assert(count <= self->plan.count + 1);
    self->timed_out = self->timed_out || self->run.stop == RUN_STOP_TIMEOUT;
    for (size_t i = 0; i < count; i++) {
        check_action(self, &self->actions[i]);
    }
    run_t before = self->run; /* again: nothing new, as after a crash between */
    size_t again = run_advance(&self->plan, &self->run, now, self->actions);
    for (size_t i = 0; i < again; i++) {
        cr_assert(self->actions[i].kind == RUN_STOP_TASK);
    }
    cr_assert(memcmp(before.steps, self->run.steps, sizeof before.steps) == 0);
}

/* One thing that may happen: a task ends, somebody wants something, time passes. */
static void
happen(life_t *self, int64_t now)
{
    size_t step = (size_t)rand() % self->plan.count;
    int chance = rand() % 100;
    if (chance < 2) {
        run_event_t event = run_event_of(&self->run, RUN_WISH_CANCEL);
        self->cancelled = run_apply(&self->run, event) != NULL || self->cancelled;
    } else if (chance < 6) {
        run_apply(&self->run, run_event_of(&self->run, RUN_WISH_PAUSE));
    } else if (chance < 40) {
        run_apply(&self->run, run_event_of(&self->run, RUN_WISH_RESUME));
    } else if (self->run.steps[step] == STEP_RUNNING) {
        self->run.steps[step] =
            run_step_end(&self->steps[step], chance < 75   ? STEP_ENDED_WELL
                                             : chance < 97 ? STEP_ENDED_BADLY
                                                           : STEP_ENDED_STOPPED);
    }
    advance_life(self, now);
}

static bool
has_broken(const life_t *self)
{
    bool broken = false;
    for (size_t i = 0; i < self->plan.count; i++) {
        step_state_t state = self->run.steps[i];
        broken = broken ||
                 (self->steps[i].required && (state == STEP_FAILED || state == STEP_CANCELLED));
    }
    return broken;
}

static void
check_end(const life_t *self)
{
    cr_assert(run_has_ended(self->run.state) && self->finishes == 1);
    for (size_t i = 0; i < self->plan.count; i++) {
        step_state_t state = self->run.steps[i];
        cr_assert(step_has_ended(state), "step %zu is %s", i, step_state_name(state));
        cr_assert((self->starts[i] == 1) == (state != STEP_SKIPPED && state != STEP_CANCELLED) ||
                  self->steps[i].skip_on_failure || state == STEP_CANCELLED);
    }
    run_state_t wanted = self->run.stop == RUN_STOP_CANCEL    ? RUN_CANCELLED
                         : self->run.stop == RUN_STOP_TIMEOUT ? RUN_FAILED
                         : has_broken(self)                   ? RUN_FAILED
                                                              : RUN_COMPLETED;
    cr_assert(self->run.state == wanted, "%s", run_state_name(self->run.state));
}

Test(run, every_random_run_ends_once_and_starts_nothing_too_early, .timeout = 60)
{
    static life_t life;
    srand(11);
    int ends[RUN_STATE_COUNT] = {0};
    for (int i = 0; i < 6000; i++) {
        make_life(&life, 1 + (size_t)rand() % (i % 50 ? 12 : 60));
        bool hurried = rand() % 10 == 0;
        advance_life(&life, 0);
        for (int turn = 0; turn < 20000 && !run_has_ended(life.run.state); turn++) {
            happen(&life, hurried && turn > 20 ? 1000 : 0);
        }
        check_end(&life);
        ends[life.run.state]++;
    }
    cr_expect(ends[RUN_COMPLETED] > 100 && ends[RUN_FAILED] > 100 && ends[RUN_CANCELLED] > 100);
}
