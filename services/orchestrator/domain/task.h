/*
 * task - the life of a task, as a table. Pure: no clock, no I/O, no chance.
 *
 * The shell reads a task's counters, computes which event happened (task_event_of), looks up the
 * rule, and stores the state and the counters that come out in the transaction that also writes
 * the event. The table's last column is what people read.
 */
#ifndef TASK_H
#define TASK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The numbers are valion.v1.TaskState's. */
typedef enum task_state {
    TASK_NEW = 0, /* before it is submitted */
    TASK_READY = 1,
    TASK_RUNNING = 2,
    TASK_WAITING = 3,
    TASK_DONE = 4,
    TASK_FAILED = 5,
    TASK_CANCELLED = 6,
    TASK_POISONED = 7,
    TASK_STATE_COUNT = 8,
} task_state_t;

typedef enum task_event {
    TASK_ON_SUBMITTED,
    TASK_ON_LEASED,
    TASK_ON_DONE,
    TASK_ON_FAILED,      /* for good: not retryable, or no attempt left */
    TASK_ON_FAILED_ONCE, /* retryable and attempts left */
    TASK_ON_CRASHED_ONCE,
    TASK_ON_CRASHED_AGAIN,
    TASK_ON_LEASE_OUT,       /* retried at once */
    TASK_ON_LEASE_OUT_OFTEN, /* retried with backoff */
    TASK_ON_LEASE_OUT_LAST,  /* no attempt left */
    TASK_ON_HANDED_BACK,
    TASK_ON_WAIT,
    TASK_ON_WOKEN,
    TASK_ON_CANCEL,  /* asked for */
    TASK_ON_STOPPED, /* a lease ended, however, after cancel was asked for */
    TASK_ON_DEADLINE,
    TASK_ON_REQUEUED,
    TASK_EVENT_COUNT,
} task_event_t;

/* What changes besides the state. */
typedef enum task_effect {
    TASK_KEEP,       /* nothing else */
    TASK_ASK_WORKER, /* the heartbeat's answer will say: cancel */
    TASK_RETRY_NOW,
    TASK_RETRY_LATER, /* after task_backoff_ms */
    TASK_END,         /* it has its one recorded result */
    TASK_RESET,       /* counters at zero */
} task_effect_t;

typedef struct task_rule {
    task_state_t from;
    task_event_t on;
    task_state_t to;
    task_effect_t effect;
    const char *why;
} task_rule_t;

/* NULL: the event means nothing in this state. */
const task_rule_t *task_rule_find(task_state_t from, task_event_t on);
const task_rule_t *task_rules(size_t *count);

const char *task_state_name(task_state_t state);
const char *task_event_name(task_event_t event);

static inline bool
task_has_ended(task_state_t state)
{
    return state >= TASK_DONE;
}

typedef struct task_counters {
    int attempts; /* leases so far, this one included */
    int max_attempts;
    int crashes;
    int run_outs;
    bool cancel_requested;
    int max_failures; /* attempts that may end in a reported failure; 0: as max_attempts says */
} task_counters_t;

/* How long to wait before the next attempt; factor 0: not said. */
typedef struct task_retry {
    int64_t delay_ms;
    double factor;
    int64_t max_ms;
} task_retry_t;

/* What a worker reports, or the sweep finds, about a task that runs. */
typedef enum task_report {
    TASK_REPORT_DONE,
    TASK_REPORT_FAILED,
    TASK_REPORT_FAILED_RETRYABLE,
    TASK_REPORT_CANCELLED,
    TASK_REPORT_CRASHED,
    TASK_REPORT_HANDED_BACK,
    TASK_REPORT_WAIT,
    TASK_REPORT_LEASE_OUT,
} task_report_t;

enum { TASK_CRASHES_MAX = 2, TASK_FREE_RUN_OUTS = 3, TASK_MAX_ATTEMPTS = 10 };

/* The event that a report is, given the counters, and the counters after it. */
task_event_t task_event_of(task_report_t report, task_counters_t *counters);

/* Attempts that ended in a reported failure, so far: neither lost leases nor crashes are the work's
 * own fault, and a step's retries are not spent on them. */
int task_failures(const task_counters_t *counters);

/* Upper end of the wait before the next attempt: as `retry` says, else 1 s, doubled each time, at
 * most 60 s; the latter also for leases that ran out. The shell waits a random time within (half of
 * it, all of it). */
int64_t task_backoff_ms(const task_counters_t *counters, const task_retry_t *retry);

#endif
