#include "vln_call.h"

#include <criterion/criterion.h>

#include "vln_time.h"

static vln_call_t
call_with_time(int64_t left_ms)
{
    return (vln_call_t){.deadline_ms = vln_mono_ms() + left_ms};
}

Test(vln_call, parks_as_long_as_it_was_asked_to)
{
    vln_call_t call = call_with_time(60000);
    int64_t now = vln_mono_ms();
    cr_assert(vln_call_park(&call, 3, 2000));
    cr_expect(call.outcome == VLN_OUTCOME_PARK && call.park_topic == 3);
    cr_expect(call.park_until_ms >= now + 2000 && call.park_until_ms < now + 2500);
}

Test(vln_call, ends_its_wait_early_enough_to_be_answered)
{
    vln_call_t call = call_with_time(10000);
    cr_assert(vln_call_park(&call, 0, 30000));
    cr_expect(call.deadline_ms - call.park_until_ms == 300);
    vln_call_t hurried = call_with_time(200);
    cr_assert(vln_call_park(&hurried, 0, 30000));
    cr_expect(hurried.deadline_ms - hurried.park_until_ms >= 50);
    cr_expect(hurried.deadline_ms - hurried.park_until_ms <= 100);
}

Test(vln_call, is_answered_when_there_is_no_time_to_wait)
{
    vln_call_t late = call_with_time(-5);
    cr_expect_not(vln_call_park(&late, 0, 1000));
    vln_call_t last = call_with_time(10000);
    last.last_run = true;
    cr_expect_not(vln_call_park(&last, 0, 1000));
    cr_expect(last.outcome == VLN_OUTCOME_NONE);
}

Test(vln_call, keeps_the_end_of_its_first_wait)
{
    vln_call_t call = call_with_time(10000);
    cr_assert(vln_call_park(&call, 0, 1000));
    int64_t until = call.park_until_ms;
    cr_assert(vln_call_park(&call, 0, 9000));
    cr_expect(call.park_until_ms == until);
}
