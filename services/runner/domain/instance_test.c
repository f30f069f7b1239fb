#include "instance.h"

#include <criterion/criterion.h>

#define S(name) VALION__V1__INSTANCE_STATE__INSTANCE_STATE_##name

static instance_action_t action;

static instance_view_t
view_of(Valion__V1__InstanceState state)
{
    return (instance_view_t){.state = state,
                             .supervised = true,
                             .ready_timeout_ms = 30000,
                             .draining_ms = -1,
                             .settle_ms = 1000};
}

Test(instance, becomes_ready_when_it_says_so)
{
    instance_view_t view = view_of(S(STARTING));
    cr_assert_eq(instance_next(&view, &action), S(STARTING));
    view.healthy = true;
    cr_assert_eq(instance_next(&view, &action), S(READY));
    cr_assert_eq(action, INSTANCE_NOTHING);
}

Test(instance, is_given_up_when_it_cannot_start)
{
    instance_view_t view = view_of(S(STARTING));
    view.exits = INSTANCE_EXITS_MAX - 1;
    cr_assert_eq(instance_next(&view, &action), S(STARTING));
    view.exits = INSTANCE_EXITS_MAX;
    cr_assert_eq(instance_next(&view, &action), S(FAILED));
    cr_assert_eq(action, INSTANCE_GIVE_UP);
    view = view_of(S(STARTING));
    view.age_ms = view.ready_timeout_ms + 1;
    cr_assert_eq(instance_next(&view, &action), S(FAILED));
    cr_assert_eq(action, INSTANCE_GIVE_UP);
}

Test(instance, that_served_once_is_tried_for_good_and_reported)
{
    instance_view_t view = view_of(S(READY));
    view.was_ready = true;
    view.exits = 1;
    cr_assert_eq(instance_next(&view, &action), S(UNREADY));
    view.state = S(UNREADY);
    view.exits = INSTANCE_EXITS_MAX;
    cr_assert_eq(instance_next(&view, &action), S(FAILED));
    cr_assert_eq(action, INSTANCE_NOTHING);
    view.state = S(FAILED);
    view.healthy = true;
    cr_assert_eq(instance_next(&view, &action), S(READY));
}

Test(instance, leaves_only_after_its_requests)
{
    instance_view_t view = view_of(S(READY));
    view.draining = view.healthy = true;
    cr_assert_eq(instance_next(&view, &action), S(DRAINING));
    cr_assert_eq(action, INSTANCE_NOTHING);
    view.state = S(DRAINING);
    view.draining_ms = view.settle_ms;
    cr_assert_eq(instance_next(&view, &action), S(DRAINING));
    cr_assert_eq(action, INSTANCE_STOP);
    view.supervised = false;
    cr_assert_eq(instance_next(&view, &action), S(STOPPED));
    cr_assert_eq(action, INSTANCE_REMOVE);
    view.state = S(STOPPED);
    cr_assert_eq(instance_next(&view, &action), S(STOPPED));
    cr_assert_eq(action, INSTANCE_NOTHING);
}

Test(instance, waits_for_its_files)
{
    instance_view_t view = view_of(S(FETCHING));
    view.supervised = false;
    view.age_ms = 1000000;
    cr_assert_eq(instance_next(&view, &action), S(FETCHING));
    view.draining = true;
    cr_assert_eq(instance_next(&view, &action), S(STOPPED));
}
