/*
 * rollout - what a rollout does next: a table of states and events, looked up with what is known now.
 *
 *   pending -> starting -> promoting -> live -> watching -> done
 *      |          |            |         |         |
 *      +-> failed +-> aborting +---------+---------+--> rolled_back, failed
 *
 * Pure: whoever asks has looked, writes down what was decided before it does anything, and asks
 * again. Each decision says why, with its numbers.
 */
#ifndef ROLLOUT_H
#define ROLLOUT_H

#include <stdbool.h>
#include <stddef.h>
#include <valion/v1/deployer.pb-c.h>

enum { ROLLOUT_REASON = 600 };

/* What is known. Texts are borrowed; counts are of the new version's instances. */
typedef struct rollout_view {
    Valion__V1__RolloutState state;
    const char *asked_to_abort; /* why; NULL: nobody did */
    bool paused;
    bool superseded;     /* another rollout of the endpoint began */
    bool granted;        /* the registry allows the version here */
    const char *refusal; /* it does not: its sentence */
    bool has_hosts;      /* somebody offers the environment */
    const char *no_room; /* they cannot take its instances: why; NULL: they can */
    size_t wanted;
    size_t ready;
    size_t failed;
    const char *failure; /* of the first that failed */
    bool applied;        /* every host has made true what was decided last */
    bool promoted;       /* the version was stable, or is */
    bool past_deadline;  /* no progress for too long */
    bool watched;        /* the time of watching is over */
    bool stopped;        /* it was stable, and all of its instances were told to stop */
    bool nothing_serves; /* the endpoint has no stable version */
    bool rolls_back;     /* auto_rollback */
    const char *version;
    const char *previous; /* NULL: none was there */
} rollout_view_t;

/* What is to be done, in the same transaction as the change of state. */
typedef enum rollout_action {
    ROLLOUT_NOTHING,
    ROLLOUT_START,   /* wants the new version's instances */
    ROLLOUT_SWITCH,  /* the new version becomes stable, the one before is kept warm */
    ROLLOUT_DISCARD, /* stops the new version's instances */
    ROLLOUT_RESTORE, /* the version before becomes stable again, the new one's instances stop */
} rollout_action_t;

typedef struct rollout_decision {
    Valion__V1__RolloutState to;
    rollout_action_t action;
    Valion__V1__RolloutVerdict verdict;
    const char *rule; /* "ready", "deadline", "asked" … */
    char reason[ROLLOUT_REASON];
} rollout_decision_t;

/* False: nothing changes now. */
bool rollout_decide(const rollout_view_t *view, rollout_decision_t *out);

bool rollout_is_end(Valion__V1__RolloutState state);

/* True while the rollout keeps others of its endpoint waiting. */
bool rollout_blocks(Valion__V1__RolloutState state);

/* "starting", for people and events. Never NULL. */
const char *rollout_state_name(Valion__V1__RolloutState state);

/* The original's word for it. */
Valion__V1__DeploymentStatus rollout_status(Valion__V1__RolloutState state);

#endif
