#include "vln_park.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static vln_call_t
call_on(size_t topic, int64_t until_ms, uint64_t seen)
{
    return (vln_call_t){.park_topic = topic, .park_until_ms = until_ms, .seen_hints = seen};
}

Test(vln_park, a_hint_wakes_its_topic_alone)
{
    vln_park_t *park = vln_park_new(2);
    vln_call_t first = call_on(0, 100, 0);
    vln_call_t second = call_on(1, 100, 0);
    cr_assert(vln_park_add(park, &first) == VLN_PARK_KEPT);
    cr_assert(vln_park_add(park, &second) == VLN_PARK_KEPT);
    cr_expect(vln_park_wake(park, 1) == &second.item);
    cr_expect(vln_park_count(park) == 1);
    cr_expect(vln_park_take_all(park) == &first.item && first.last_run);
    vln_park_destroy(&park);
}

Test(vln_park, a_hint_between_look_and_arrival_is_not_lost)
{
    vln_park_t *park = vln_park_new(1);
    vln_call_t call = call_on(0, 100, vln_park_seen(park));
    cr_assert(vln_park_wake(park, 0) == NULL);
    cr_expect(vln_park_add(park, &call) == VLN_PARK_RUN_AGAIN);
    cr_expect(vln_park_count(park) == 0);
    vln_park_destroy(&park);
}

Test(vln_park, time_ends_a_wait)
{
    vln_park_t *park = vln_park_new(1);
    vln_call_t early = call_on(0, 100, 0);
    vln_call_t late = call_on(0, 200, 0);
    cr_assert(vln_park_add(park, &early) == VLN_PARK_KEPT);
    cr_assert(vln_park_add(park, &late) == VLN_PARK_KEPT);
    cr_expect(vln_park_expire(park, 150) == &early.item && early.last_run && !late.last_run);
    cr_expect(vln_park_expire(park, 150) == NULL);
    cr_expect(vln_park_wake(park, 0) == &late.item);
    vln_park_destroy(&park);
}

Test(vln_park, is_bounded)
{
    vln_park_t *park = vln_park_new(1);
    vln_call_t *calls = calloc(VLN_PARKED_MAX + 1, sizeof *calls);
    for (size_t i = 0; i <= VLN_PARKED_MAX; i++) {
        calls[i] = call_on(0, 100, 0);
        cr_assert(vln_park_add(park, &calls[i]) ==
                  (i < VLN_PARKED_MAX ? VLN_PARK_KEPT : VLN_PARK_FULL));
    }
    cr_expect(vln_park_take_all(park) == &calls[0].item);
    free(calls);
    vln_park_destroy(&park);
}
