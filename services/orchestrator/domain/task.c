#include "task.h"

#include "vln_err.h"

/* clang-format off */
#define R(from, on, to, effect, why) {TASK_##from, TASK_ON_##on, TASK_##to, TASK_##effect, why}

static const task_rule_t rules[] = {
    /* in       on               go to       and          because                                   */
    R(NEW,      SUBMITTED,       READY,      KEEP,        "it was submitted"),

    R(READY,    LEASED,          RUNNING,    KEEP,        "a worker took it"),
    R(READY,    CANCEL,          CANCELLED,  END,         "it was cancelled before it began"),
    R(READY,    DEADLINE,        FAILED,     END,         "its deadline passed before it began"),

    R(RUNNING,  DONE,            DONE,       END,         "its worker finished it"),
    R(RUNNING,  FAILED,          FAILED,     END,         "its worker reported a failure"),
    R(RUNNING,  FAILED_ONCE,     READY,      RETRY_LATER, "its worker reported a failure that may pass"),
    R(RUNNING,  CRASHED_ONCE,    READY,      RETRY_NOW,   "its code killed its process"),
    R(RUNNING,  CRASHED_AGAIN,   POISONED,   END,         "its code killed its process again"),
    R(RUNNING,  LEASE_OUT,       READY,      RETRY_NOW,   "its worker fell silent"),
    R(RUNNING,  LEASE_OUT_OFTEN, READY,      RETRY_LATER, "its workers fell silent several times"),
    R(RUNNING,  LEASE_OUT_LAST,  FAILED,     END,         "its workers fell silent at every attempt"),
    R(RUNNING,  HANDED_BACK,     READY,      RETRY_NOW,   "its worker gave it back"),
    R(RUNNING,  WAIT,            WAITING,    KEEP,        "it waits for something else"),
    R(RUNNING,  CANCEL,          RUNNING,    ASK_WORKER,  "its worker is told to stop"),
    R(RUNNING,  STOPPED,         CANCELLED,  END,         "its worker stopped on request"),
    R(RUNNING,  DEADLINE,        FAILED,     END,         "its deadline passed"),

    R(WAITING,  WOKEN,           READY,      RETRY_NOW,   "what it waited for has come"),
    R(WAITING,  CANCEL,          CANCELLED,  END,         "it was cancelled while it waited"),
    R(WAITING,  DEADLINE,        FAILED,     END,         "its deadline passed while it waited"),

    R(FAILED,   REQUEUED,        READY,      RESET,       "a person had it tried again"),
    R(POISONED, REQUEUED,        READY,      RESET,       "a person had it tried again"),
};
#undef R

static const char *const state_names[TASK_STATE_COUNT] = {
    "new", "ready", "running", "waiting", "done", "failed", "cancelled", "poisoned",
};

static const char *const event_names[TASK_EVENT_COUNT] = {
    "submitted", "leased", "done", "failed", "failed_once", "crashed_once", "crashed_again",
    "lease_out", "lease_out_often", "lease_out_last", "handed_back", "wait", "woken", "cancel",
    "stopped", "deadline", "requeued",
};
/* clang-format on */

enum { FIRST_BACKOFF_MS = 1000, MAX_BACKOFF_MS = 60000, DOUBLINGS_MAX = 6 };

const task_rule_t *
task_rule_find(task_state_t from, task_event_t on)
{
    for (size_t i = 0; i < VLN_COUNT(rules); i++) {
        if (rules[i].from == from && rules[i].on == on) {
            return &rules[i];
        }
    }
    return NULL;
}

const task_rule_t *
task_rules(size_t *count)
{
    *count = VLN_COUNT(rules);
    return rules;
}

const char *
task_state_name(task_state_t state)
{
    return (size_t)state < VLN_COUNT(state_names) ? state_names[state] : "unknown";
}

const char *
task_event_name(task_event_t event)
{
    return (size_t)event < VLN_COUNT(event_names) ? event_names[event] : "unknown";
}

static task_event_t
event_of_lease_out(task_counters_t *counters)
{
    counters->run_outs++;
    if (counters->attempts >= counters->max_attempts) {
        return TASK_ON_LEASE_OUT_LAST;
    }
    return counters->run_outs <= TASK_FREE_RUN_OUTS ? TASK_ON_LEASE_OUT : TASK_ON_LEASE_OUT_OFTEN;
}

static task_event_t
event_of_crash(task_counters_t *counters)
{
    counters->crashes++;
    return counters->crashes >= TASK_CRASHES_MAX ? TASK_ON_CRASHED_AGAIN : TASK_ON_CRASHED_ONCE;
}

int
task_failures(const task_counters_t *counters)
{
    return counters->attempts - counters->run_outs - counters->crashes;
}

static bool
may_fail_again(const task_counters_t *counters)
{
    return counters->attempts < counters->max_attempts &&
           (counters->max_failures == 0 || task_failures(counters) < counters->max_failures);
}

/* The event as if nobody had asked to cancel. */
static task_event_t
plain_event_of(task_report_t report, task_counters_t *counters)
{
    switch (report) {
    case TASK_REPORT_DONE:
        return TASK_ON_DONE;
    case TASK_REPORT_FAILED_RETRYABLE:
        return may_fail_again(counters) ? TASK_ON_FAILED_ONCE : TASK_ON_FAILED;
    case TASK_REPORT_CRASHED:
        return event_of_crash(counters);
    case TASK_REPORT_HANDED_BACK:
        counters->attempts--;
        return TASK_ON_HANDED_BACK;
    case TASK_REPORT_WAIT:
        counters->attempts--; /* a wait is no failed attempt */
        return TASK_ON_WAIT;
    case TASK_REPORT_LEASE_OUT:
        return event_of_lease_out(counters);
    case TASK_REPORT_CANCELLED:
        return TASK_ON_STOPPED;
    case TASK_REPORT_FAILED:
        break;
    }
    return TASK_ON_FAILED;
}

task_event_t
task_event_of(task_report_t report, task_counters_t *counters)
{
    task_event_t event = plain_event_of(report, counters);
    bool finished = event == TASK_ON_DONE || event == TASK_ON_FAILED;
    return counters->cancel_requested && !finished ? TASK_ON_STOPPED : event;
}

/* delay, delay * factor, delay * factor^2 … */
static int64_t
retry_ms(int failures, const task_retry_t *retry)
{
    double most = (double)retry->delay_ms;
    for (int i = 1; i < failures && most < (double)retry->max_ms; i++) {
        most *= retry->factor;
    }
    return most < (double)retry->max_ms ? (int64_t)most : retry->max_ms;
}

int64_t
task_backoff_ms(const task_counters_t *counters, const task_retry_t *retry)
{
    bool ran_out = counters->run_outs > TASK_FREE_RUN_OUTS;
    if (retry->factor > 0 && !ran_out) {
        return retry_ms(task_failures(counters), retry);
    }
    int doublings = ran_out ? counters->run_outs - TASK_FREE_RUN_OUTS : counters->attempts;
    doublings = doublings < 1 ? 0 : doublings - 1;
    doublings = doublings < DOUBLINGS_MAX ? doublings : DOUBLINGS_MAX;
    int64_t most = (int64_t)FIRST_BACKOFF_MS << doublings;
    return most < MAX_BACKOFF_MS ? most : MAX_BACKOFF_MS;
}
