#include "probe.h"

enum { PERIOD_MIN_MS = 50, TIMEOUT_MS = 1000, TIMEOUT_MAX_MS = 10000, FAILURES = 3 };

/* The runner asks one after the other: nobody may take its time for long. */
static int64_t
timeout_of(const Valion__V1__Probe *probe)
{
    int64_t wanted =
        probe->has_timeout_ms && probe->timeout_ms > 0 ? probe->timeout_ms : TIMEOUT_MS;
    return wanted < TIMEOUT_MAX_MS ? wanted : TIMEOUT_MAX_MS;
}

static int64_t
at_least(int64_t value, int64_t least)
{
    return value > least ? value : least;
}

probe_rule_t
probe_rule(const Valion__V1__Probe *given, const char *path, int64_t period_ms)
{
    static const Valion__V1__Probe none = VALION__V1__PROBE__INIT;
    const Valion__V1__Probe *from = given ? given : &none;
    return (probe_rule_t){
        .path = from->path && from->path[0] == '/' ? from->path : path,
        .initial_delay_ms = from->has_initial_delay_ms ? at_least(from->initial_delay_ms, 0) : 0,
        .period_ms = at_least(from->has_period_ms ? from->period_ms : period_ms, PERIOD_MIN_MS),
        .timeout_ms = timeout_of(from),
        .success_threshold = from->success_threshold > 0 ? from->success_threshold : 1,
        .failure_threshold = from->failure_threshold > 0 ? from->failure_threshold : FAILURES};
}

bool
probe_is_due(const probe_t *self, const probe_rule_t *rule, int64_t start_ms, int64_t now_ms)
{
    return now_ms - start_ms >= rule->initial_delay_ms &&
           (self->asked_ms == 0 || now_ms - self->asked_ms >= rule->period_ms);
}

void
probe_note(probe_t *self, const probe_rule_t *rule, bool good, int64_t now_ms)
{
    self->in_a_row = self->asked_ms > 0 && self->last == good ? self->in_a_row + 1 : 1;
    self->last = good;
    self->asked_ms = now_ms;
    if (good && self->in_a_row >= rule->success_threshold) {
        self->passes = true;
        self->failed = false;
    } else if (!good && self->in_a_row >= rule->failure_threshold) {
        self->passes = false;
        self->failed = true;
    }
}
