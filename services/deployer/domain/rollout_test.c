#include "rollout.h"

#include <criterion/criterion.h>
#include <stdint.h>
#include <string.h>

#define S(name) VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_##name

enum {
    WALKS = 20000,
    STEPS_MAX = 64,
    STATES = VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_FAILED + 1
};

static rollout_view_t
view_of(Valion__V1__RolloutState state)
{
    return (rollout_view_t){.state = state,
                            .has_hosts = true,
                            .rolls_back = true,
                            .version = "2.0.0",
                            .previous = "1.0.0"};
}

static void
expect(const rollout_view_t *view, Valion__V1__RolloutState to, rollout_action_t action,
       const char *words)
{
    rollout_decision_t decision;
    cr_assert(rollout_decide(view, &decision), "%s", words);
    cr_assert_eq(decision.to, to, "%s: %s", words, decision.reason);
    cr_assert_eq(decision.action, action, "%s", words);
    cr_assert(strstr(decision.reason, words), "%s", decision.reason);
}

static void
expect_nothing(const rollout_view_t *view)
{
    rollout_decision_t decision;
    cr_assert_not(rollout_decide(view, &decision), "%s", decision.reason);
}

Test(rollout, goes_from_its_grant_to_its_end)
{
    rollout_view_t view = view_of(S(PENDING));
    expect_nothing(&view);
    view.granted = true;
    expect(&view, S(STARTING), ROLLOUT_START, "grants 2.0.0");
    view.state = S(STARTING);
    view.wanted = 2;
    view.ready = 1;
    expect_nothing(&view);
    view.ready = 2;
    expect(&view, S(PROMOTING), ROLLOUT_SWITCH, "2 of 2");
    view.state = S(PROMOTING);
    view.promoted = true;
    expect_nothing(&view);
    view.applied = true;
    expect(&view, S(LIVE), ROLLOUT_NOTHING, "every host");
    view.state = S(LIVE);
    expect(&view, S(WATCHING), ROLLOUT_NOTHING, "every host");
    view.state = S(WATCHING);
    expect_nothing(&view);
    view.watched = true;
    expect(&view, S(DONE), ROLLOUT_NOTHING, "watched");
}

Test(rollout, fails_at_once_where_the_registry_says_no)
{
    rollout_view_t view = view_of(S(PENDING));
    view.refusal = "no report";
    expect(&view, S(FAILED), ROLLOUT_NOTHING, "no report");
}

Test(rollout, waits_for_a_host_and_says_so_when_none_comes)
{
    rollout_view_t view = view_of(S(PENDING));
    view.granted = true;
    view.has_hosts = false;
    expect_nothing(&view);
    view.past_deadline = true;
    expect(&view, S(FAILED), ROLLOUT_NOTHING, "no host offers");
}

Test(rollout, fails_where_no_host_has_room)
{
    rollout_view_t view = view_of(S(PENDING));
    view.no_room = "two more are too many";
    expect_nothing(&view);
    view.granted = true;
    expect(&view, S(FAILED), ROLLOUT_NOTHING, "too many");
}

Test(rollout, discards_what_does_not_start)
{
    rollout_view_t view = view_of(S(STARTING));
    view.wanted = 2;
    view.ready = 1;
    view.failed = 1;
    view.failure = "sample row 1: the version answers 3";
    expect(&view, S(ABORTING), ROLLOUT_DISCARD, "sample row 1");
    view.state = S(ABORTING);
    expect_nothing(&view);
    view.wanted = view.ready = view.failed = 0;
    expect_nothing(&view);
    view.applied = true;
    expect(&view, S(FAILED), ROLLOUT_NOTHING, "no longer runs");
}

Test(rollout, restores_the_version_before_when_the_new_one_fails_in_service)
{
    rollout_view_t view = view_of(S(WATCHING));
    view.wanted = view.failed = 1;
    view.promoted = true;
    expect(&view, S(ABORTING), ROLLOUT_RESTORE, "failed");
    view.state = S(ABORTING);
    view.wanted = view.failed = 0;
    view.applied = true;
    expect(&view, S(ROLLED_BACK), ROLLOUT_NOTHING, "traffic is with 1.0.0");
}

Test(rollout, ends_when_its_version_is_taken_out_of_service)
{
    rollout_view_t view = view_of(S(WATCHING));
    view.promoted = view.stopped = true;
    expect(&view, S(DONE), ROLLOUT_NOTHING, "2.0.0 was taken out of service");
}

Test(rollout, names_no_version_that_does_not_serve)
{
    rollout_view_t view = view_of(S(ABORTING));
    rollout_decision_t decision;
    view.promoted = view.applied = view.nothing_serves = true;
    cr_assert(rollout_decide(&view, &decision));
    cr_assert_str_eq(decision.reason, "2.0.0 no longer runs");
}

Test(rollout, leaves_what_serves_alone)
{
    rollout_view_t view = view_of(S(WATCHING));
    view.wanted = view.failed = 1;
    view.promoted = true;
    view.previous = NULL;
    expect_nothing(&view);
    view.previous = "1.0.0";
    view.rolls_back = false;
    expect_nothing(&view);
}

Test(rollout, goes_no_further_while_it_is_paused_but_can_be_aborted)
{
    rollout_view_t view = view_of(S(STARTING));
    view.wanted = view.ready = 1;
    view.paused = true;
    expect_nothing(&view);
    view.asked_to_abort = "enough";
    expect(&view, S(ABORTING), ROLLOUT_DISCARD, "aborted: enough");
}

Test(rollout, does_nothing_after_its_end)
{
    for (int state = 0; state < STATES; state++) {
        rollout_view_t view = view_of(state);
        view.granted = view.applied = view.watched = view.past_deadline = view.superseded = true;
        view.asked_to_abort = "x";
        if (rollout_is_end(state)) {
            expect_nothing(&view);
        }
    }
}

static uint64_t
next(uint64_t *state)
{
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    return *state;
}

static void
observe_anything(rollout_view_t *view, uint64_t *random)
{
    uint64_t bits = next(random);
    view->granted = bits & 1;
    view->refusal = bits % 29 == 0 ? "no" : NULL;
    view->asked_to_abort = bits % 37 == 0 ? "why not" : NULL;
    view->has_hosts = bits & 2;
    view->applied = bits & 4;
    view->past_deadline = bits % 31 == 0;
    view->watched = bits & 8;
    view->superseded = bits & 16;
    view->stopped = bits & 128;
    view->nothing_serves = bits % 3 == 0;
    view->paused = bits % 5 == 0;
    view->wanted = bits >> 8 & 3;
    view->ready = view->wanted ? (bits >> 10) % (view->wanted + 1) : 0;
    view->failed = (bits >> 12) % (view->wanted - view->ready + 1);
    view->previous = bits & 32 ? "1.0.0" : NULL;
    view->rolls_back = bits & 64;
}

/* Whatever is seen, in whatever order: a rollout serves only after its grant and its readiness, ends
 * once, and gives up what it took. */
Test(rollout, keeps_its_promises_whatever_it_sees)
{
    uint64_t random = 42;
    for (int walk = 0; walk < WALKS; walk++) {
        rollout_view_t view = view_of(S(PENDING));
        bool started = false;
        for (int step = 0; step < STEPS_MAX && !rollout_is_end(view.state); step++) {
            rollout_decision_t decision;
            observe_anything(&view, &random);
            if (!rollout_decide(&view, &decision)) {
                continue;
            }
            cr_assert(decision.action != ROLLOUT_START || (view.granted && view.has_hosts));
            cr_assert(decision.action != ROLLOUT_SWITCH ||
                      (started && view.wanted > 0 && view.ready == view.wanted));
            cr_assert(decision.action != ROLLOUT_RESTORE || view.promoted);
            cr_assert(decision.action != ROLLOUT_DISCARD || (started && !view.promoted));
            cr_assert(decision.to != S(ROLLED_BACK) || view.promoted);
            cr_assert(decision.to != S(DONE) || view.promoted);
            cr_assert(decision.to != view.state);
            cr_assert_gt(strlen(decision.reason), 5);
            started = started || decision.action == ROLLOUT_START;
            view.promoted = view.promoted || decision.action == ROLLOUT_SWITCH;
            view.state = decision.to;
        }
    }
}

Test(rollout, knows_a_name_for_every_state)
{
    for (int state = 0; state < STATES; state++) {
        cr_assert_gt(strlen(rollout_state_name(state)), 3);
    }
}
