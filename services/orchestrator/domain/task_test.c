#include "task.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

static void
mark_reachable(task_state_t from, bool *seen)
{
    size_t count = 0;
    const task_rule_t *rules = task_rules(&count);
    seen[from] = true;
    bool grew = true;
    while (grew) {
        grew = false;
        for (size_t i = 0; i < count; i++) {
            if (seen[rules[i].from] && !seen[rules[i].to]) {
                seen[rules[i].to] = grew = true;
            }
        }
    }
}

Test(task, every_state_can_be_reached)
{
    bool seen[TASK_STATE_COUNT] = {false};
    mark_reachable(TASK_NEW, seen);
    for (int state = 0; state < TASK_STATE_COUNT; state++) {
        cr_expect(seen[state], "%s", task_state_name((task_state_t)state));
    }
}

Test(task, only_a_person_gets_a_task_out_of_an_end)
{
    size_t count = 0;
    const task_rule_t *rules = task_rules(&count);
    for (size_t i = 0; i < count; i++) {
        cr_expect(!task_has_ended(rules[i].from) || rules[i].on == TASK_ON_REQUEUED, "%s %s",
                  task_state_name(rules[i].from), task_event_name(rules[i].on));
    }
}

Test(task, whatever_has_not_ended_has_a_deadline)
{
    for (int state = TASK_READY; state < TASK_DONE; state++) {
        cr_expect(task_rule_find((task_state_t)state, TASK_ON_DEADLINE) != NULL, "%s",
                  task_state_name((task_state_t)state));
    }
}

Test(task, no_event_has_two_meanings)
{
    size_t count = 0;
    const task_rule_t *rules = task_rules(&count);
    for (size_t i = 0; i < count; i++) {
        cr_expect(task_rule_find(rules[i].from, rules[i].on) == &rules[i], "row %zu", i);
    }
}

Test(task, every_report_means_something_while_it_runs)
{
    for (int report = TASK_REPORT_DONE; report <= TASK_REPORT_LEASE_OUT; report++) {
        for (int flags = 0; flags < 2; flags++) {
            for (int attempts = 1; attempts <= 3; attempts++) {
                task_counters_t counters = {.attempts = attempts,
                                            .max_attempts = 3,
                                            .crashes = attempts - 1,
                                            .run_outs = 2 * attempts,
                                            .cancel_requested = flags == 1};
                task_event_t event = task_event_of((task_report_t)report, &counters);
                cr_expect(task_rule_find(TASK_RUNNING, event) != NULL, "report %d", report);
            }
        }
    }
}

Test(task, a_lease_that_runs_out_is_retried_at_once_three_times_then_later_then_never)
{
    task_counters_t counters = {.max_attempts = TASK_MAX_ATTEMPTS};
    for (int attempt = 1; attempt <= TASK_MAX_ATTEMPTS; attempt++) {
        counters.attempts = attempt;
        task_event_t event = task_event_of(TASK_REPORT_LEASE_OUT, &counters);
        task_event_t expected = attempt == TASK_MAX_ATTEMPTS    ? TASK_ON_LEASE_OUT_LAST
                                : attempt <= TASK_FREE_RUN_OUTS ? TASK_ON_LEASE_OUT
                                                                : TASK_ON_LEASE_OUT_OFTEN;
        cr_expect(event == expected, "attempt %d: %s", attempt, task_event_name(event));
    }
}

Test(task, two_crashes_poison_it)
{
    task_counters_t counters = {.attempts = 1, .max_attempts = 10};
    cr_expect(task_event_of(TASK_REPORT_CRASHED, &counters) == TASK_ON_CRASHED_ONCE);
    cr_expect(task_event_of(TASK_REPORT_CRASHED, &counters) == TASK_ON_CRASHED_AGAIN);
    cr_expect(task_rule_find(TASK_RUNNING, TASK_ON_CRASHED_AGAIN)->to == TASK_POISONED);
}

Test(task, a_clean_hand_back_counts_for_nothing)
{
    task_counters_t counters = {.attempts = 4, .max_attempts = 10, .run_outs = 1};
    cr_expect(task_event_of(TASK_REPORT_HANDED_BACK, &counters) == TASK_ON_HANDED_BACK);
    cr_expect(counters.attempts == 3 && counters.run_outs == 1 && counters.crashes == 0);
}

Test(task, a_result_that_came_in_spite_of_cancel_counts)
{
    task_counters_t counters = {.attempts = 1, .max_attempts = 10, .cancel_requested = true};
    cr_expect(task_event_of(TASK_REPORT_DONE, &counters) == TASK_ON_DONE);
    cr_expect(task_event_of(TASK_REPORT_LEASE_OUT, &counters) == TASK_ON_STOPPED);
    cr_expect(task_event_of(TASK_REPORT_FAILED_RETRYABLE, &counters) == TASK_ON_STOPPED);
}

Test(task, backoff_doubles_up_to_a_minute)
{
    int64_t last = 0;
    for (int run_outs = TASK_FREE_RUN_OUTS + 1; run_outs < 20; run_outs++) {
        task_counters_t counters = {.run_outs = run_outs};
        int64_t backoff = task_backoff_ms(&counters, &(task_retry_t){0});
        cr_expect(backoff >= last && backoff <= 60000);
        last = backoff;
    }
    cr_expect(last == 60000);
}

Test(task, a_steps_backoff_grows_by_its_factor_up_to_its_bound)
{
    const task_retry_t retry = {.delay_ms = 100, .factor = 3, .max_ms = 1000};
    const int64_t expected[] = {100, 300, 900, 1000, 1000};
    for (int failure = 1; failure <= 5; failure++) {
        task_counters_t counters = {.attempts = failure, .max_attempts = 10, .max_failures = 10};
        cr_expect(task_backoff_ms(&counters, &retry) == expected[failure - 1], "%d", failure);
    }
}

Test(task, lost_leases_and_crashes_do_not_spend_a_steps_retries)
{
    task_counters_t counters = {
        .attempts = 4, .max_attempts = 11, .crashes = 1, .run_outs = 2, .max_failures = 2};
    cr_expect(task_failures(&counters) == 1);
    cr_expect(task_event_of(TASK_REPORT_FAILED_RETRYABLE, &counters) == TASK_ON_FAILED_ONCE);
    counters.attempts++;
    cr_expect(task_event_of(TASK_REPORT_FAILED_RETRYABLE, &counters) == TASK_ON_FAILED);
}

/* Random reports and requests: whatever comes, a task ends, and once it has ended it stays so. */
Test(task, every_random_life_ends_once)
{
    srand(7);
    for (int life = 0; life < 20000; life++) {
        task_state_t state = TASK_READY;
        task_counters_t counters = {.max_attempts = TASK_MAX_ATTEMPTS};
        int ends = 0;
        for (int step = 0; step < 200 && !task_has_ended(state); step++) {
            task_event_t event = TASK_ON_DEADLINE;
            int chance = rand() % 100;
            if (state == TASK_READY && chance < 95) {
                counters.attempts++;
                event = TASK_ON_LEASED;
            } else if (state == TASK_WAITING && chance < 90) {
                event = TASK_ON_WOKEN;
            } else if (state == TASK_RUNNING && chance < 5) {
                counters.cancel_requested = true;
                event = TASK_ON_CANCEL;
            } else if (state == TASK_RUNNING && chance < 99) {
                event = task_event_of((task_report_t)(rand() % 8), &counters);
            }
            const task_rule_t *rule = task_rule_find(state, event);
            cr_assert(rule, "%s in %s", task_event_name(event), task_state_name(state));
            cr_assert((rule->effect == TASK_END) == task_has_ended(rule->to));
            ends += rule->effect == TASK_END;
            state = rule->to;
            cr_assert(counters.attempts >= 0 && counters.attempts <= TASK_MAX_ATTEMPTS);
            cr_assert(counters.crashes <= TASK_CRASHES_MAX);
        }
        cr_assert(task_has_ended(state) && ends == 1);
    }
}
