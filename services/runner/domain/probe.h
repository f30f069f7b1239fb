/*
 * probe - how often a server is asked whether it is well, and how many answers in a row change what is
 * thought of it: Kubernetes' rules. Pure; times are monotonic.
 *
 *   startup     until it has passed, nothing else is asked
 *   readiness   while it passes, the server is ready
 *   liveness    when it stops passing, the server is started again
 */
#ifndef PROBE_H
#define PROBE_H

#include <stdbool.h>
#include <valion/v1/deployer.pb-c.h>

typedef struct probe_rule {
    const char *path;
    int64_t initial_delay_ms; /* from the server's start to the first question */
    int64_t period_ms;
    int64_t timeout_ms; /* of an answer */
    uint32_t success_threshold;
    uint32_t failure_threshold;
} probe_rule_t;

/* What is given, and the contract's defaults for the rest. `given` may be NULL. */
probe_rule_t probe_rule(const Valion__V1__Probe *given, const char *path, int64_t period_ms);

/* Zero at first: it has not passed. */
typedef struct probe {
    bool passes;
    bool failed;       /* the threshold of failures was reached, and no success since */
    uint32_t in_a_row; /* of the last answer's kind */
    bool last;         /* that kind */
    int64_t asked_ms;  /* last; 0: never */
} probe_t;

/* Is the question to be asked now? `start_ms`: when the server was started. */
bool probe_is_due(const probe_t *self, const probe_rule_t *rule, int64_t start_ms, int64_t now_ms);

/* An answer that was good, or not. */
void probe_note(probe_t *self, const probe_rule_t *rule, bool good, int64_t now_ms);

#endif
