#include "rollout.h"

#include <stdio.h>

#include "vln_err.h"

typedef enum event {
    ON_ASKED,    /* somebody wants it to end */
    ON_REFUSED,  /* the registry says no */
    ON_DEADLINE, /* no progress */
    ON_NO_ROOM,  /* the hosts cannot take its instances */
    ON_FAILED,   /* an instance of the new version gave up */
    ON_GRANTED,
    ON_READY,
    ON_APPLIED,
    ON_SUPERSEDED,
    ON_STOPPED, /* somebody took it out of service */
    ON_WATCHED,
    ON_GONE, /* no instance of the new version is left */
    EVENTS,
} event_t;

#define S(name) VALION__V1__ROLLOUT_STATE__ROLLOUT_STATE_##name
#define V(name) VALION__V1__ROLLOUT_VERDICT__ROLLOUT_VERDICT_##name

/* In a state the first row whose event has come counts. */
typedef struct row {
    Valion__V1__RolloutState from;
    event_t event;
    Valion__V1__RolloutState to;
    rollout_action_t action;
    Valion__V1__RolloutVerdict verdict;
    const char *rule;
} row_t;

/* clang-format off */
static const row_t rows[] = {
    /* from         event          to             action           verdict      rule */
    {S(PENDING),   ON_ASKED,      S(FAILED),     ROLLOUT_NOTHING, V(ABORT),    "asked"},
    {S(PENDING),   ON_REFUSED,    S(FAILED),     ROLLOUT_NOTHING, V(ABORT),    "grant"},
    {S(PENDING),   ON_DEADLINE,   S(FAILED),     ROLLOUT_NOTHING, V(ABORT),    "deadline"},
    {S(PENDING),   ON_NO_ROOM,    S(FAILED),     ROLLOUT_NOTHING, V(ABORT),    "room"},
    {S(PENDING),   ON_GRANTED,    S(STARTING),   ROLLOUT_START,   V(CONTINUE), "grant"},
    {S(STARTING),  ON_ASKED,      S(ABORTING),   ROLLOUT_DISCARD, V(ABORT),    "asked"},
    {S(STARTING),  ON_FAILED,     S(ABORTING),   ROLLOUT_DISCARD, V(ABORT),    "instance"},
    {S(STARTING),  ON_DEADLINE,   S(ABORTING),   ROLLOUT_DISCARD, V(ABORT),    "deadline"},
    {S(STARTING),  ON_READY,      S(PROMOTING),  ROLLOUT_SWITCH,  V(CONTINUE), "smoke"},
    {S(PROMOTING), ON_ASKED,      S(ABORTING),   ROLLOUT_RESTORE, V(ABORT),    "asked"},
    {S(PROMOTING), ON_FAILED,     S(ABORTING),   ROLLOUT_RESTORE, V(ABORT),    "instance"},
    {S(PROMOTING), ON_DEADLINE,   S(ABORTING),   ROLLOUT_RESTORE, V(ABORT),    "deadline"},
    {S(PROMOTING), ON_APPLIED,    S(LIVE),       ROLLOUT_NOTHING, V(CONTINUE), "applied"},
    {S(LIVE),      ON_APPLIED,    S(WATCHING),   ROLLOUT_NOTHING, V(CONTINUE), "watch"},
    {S(WATCHING),  ON_ASKED,      S(ABORTING),   ROLLOUT_RESTORE, V(ABORT),    "asked"},
    {S(WATCHING),  ON_FAILED,     S(ABORTING),   ROLLOUT_RESTORE, V(ABORT),    "watch"},
    {S(WATCHING),  ON_SUPERSEDED, S(DONE),       ROLLOUT_NOTHING, V(CONTINUE), "superseded"},
    {S(WATCHING),  ON_STOPPED,    S(DONE),       ROLLOUT_NOTHING, V(CONTINUE), "asked"},
    {S(WATCHING),  ON_WATCHED,    S(DONE),       ROLLOUT_NOTHING, V(CONTINUE), "watch"},
    {S(ABORTING),  ON_GONE,       S(ROLLED_BACK), ROLLOUT_NOTHING, V(ABORT),   "stopped"},
};

static const struct {
    const char *name;
    bool ends;
    bool blocks;
    Valion__V1__DeploymentStatus status;
} states[] = {
    [S(UNSPECIFIED)] = {"unspecified", false, false, VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_UNSPECIFIED},
    [S(PENDING)]     = {"pending",     false, true,  VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_PENDING},
    [S(STARTING)]    = {"starting",    false, true,  VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_DEPLOYING},
    [S(BAKING)]      = {"baking",      false, true,  VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_DEPLOYING},
    [S(HOLDING)]     = {"holding",     false, true,  VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_DEPLOYING},
    [S(PROMOTING)]   = {"promoting",   false, true,  VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_DEPLOYING},
    [S(LIVE)]        = {"live",        false, false, VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_RUNNING},
    [S(WATCHING)]    = {"watching",    false, false, VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_RUNNING},
    [S(DONE)]        = {"done",        true,  false, VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_RUNNING},
    [S(ABORTING)]    = {"aborting",    false, true,  VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_ROLLING_BACK},
    [S(ROLLED_BACK)] = {"rolled_back", true,  false, VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_STOPPED},
    [S(FAILED)]      = {"failed",      true,  false, VALION__V1__DEPLOYMENT_STATUS__DEPLOYMENT_STATUS_FAILED},
};
/* clang-format on */

bool
rollout_is_end(Valion__V1__RolloutState state)
{
    return states[state].ends;
}

bool
rollout_blocks(Valion__V1__RolloutState state)
{
    return states[state].blocks;
}

const char *
rollout_state_name(Valion__V1__RolloutState state)
{
    return state < VLN_COUNT(states) ? states[state].name : "unknown";
}

Valion__V1__DeploymentStatus
rollout_status(Valion__V1__RolloutState state)
{
    return states[state].status;
}

static bool
has_come(const rollout_view_t *view, event_t event)
{
    switch (event) {
    case ON_ASKED:
        return view->asked_to_abort != NULL;
    case ON_REFUSED:
        return view->refusal != NULL;
    case ON_DEADLINE:
        return view->past_deadline;
    case ON_NO_ROOM:
        return view->granted && view->no_room;
    case ON_FAILED:
        /* What serves alone is not taken away for having failed. */
        return view->failed > 0 && (!view->promoted || (view->rolls_back && view->previous));
    case ON_GRANTED:
        return view->granted && view->has_hosts && !view->paused;
    case ON_READY:
        return view->wanted > 0 && view->ready == view->wanted && !view->paused;
    case ON_APPLIED:
        return view->applied;
    case ON_SUPERSEDED:
        return view->superseded;
    case ON_STOPPED:
        return view->stopped;
    case ON_WATCHED:
        return view->watched;
    case ON_GONE:
        return view->wanted == 0 && view->applied;
    default:
        return false;
    }
}

static void
explain(const rollout_view_t *view, const row_t *row, char reason[ROLLOUT_REASON])
{
    const char *version = view->version;
    switch (row->event) {
    case ON_ASKED:
        snprintf(reason, ROLLOUT_REASON, "aborted: %s", view->asked_to_abort);
        break;
    case ON_REFUSED:
        snprintf(reason, ROLLOUT_REASON, "the registry does not allow it: %s", view->refusal);
        break;
    case ON_DEADLINE:
        snprintf(reason, ROLLOUT_REASON,
                 row->from == S(PENDING) && !view->has_hosts
                     ? "no host offers this environment (%zu of %zu instances)"
                     : "no progress within its time: %zu of %zu instances were ready",
                 view->ready, view->wanted);
        break;
    case ON_NO_ROOM:
        snprintf(reason, ROLLOUT_REASON, "%s", view->no_room);
        break;
    case ON_FAILED:
        snprintf(reason, ROLLOUT_REASON, "%zu of %zu instances of %s failed: %s", view->failed,
                 view->wanted, version, view->failure ? view->failure : "no reason was given");
        break;
    case ON_GRANTED:
        snprintf(reason, ROLLOUT_REASON, "the registry grants %s; its instances start", version);
        break;
    case ON_READY:
        snprintf(reason, ROLLOUT_REASON,
                 "%zu of %zu instances of %s are ready, and answered its sample rows as registered",
                 view->ready, view->wanted, version);
        break;
    case ON_APPLIED:
        snprintf(reason, ROLLOUT_REASON, "every host sends its requests to %s", version);
        break;
    case ON_SUPERSEDED:
        snprintf(reason, ROLLOUT_REASON, "the next rollout began");
        break;
    case ON_STOPPED:
        snprintf(reason, ROLLOUT_REASON, "%s was taken out of service", version);
        break;
    case ON_WATCHED:
        snprintf(reason, ROLLOUT_REASON, "%s was watched without trouble", version);
        break;
    default: {
        bool back = view->promoted && view->previous && !view->nothing_serves;
        snprintf(reason, ROLLOUT_REASON, "%s no longer runs%s%s", version,
                 back ? "; traffic is with " : "", back ? view->previous : "");
        break;
    }
    }
}

bool
rollout_decide(const rollout_view_t *view, rollout_decision_t *out)
{
    for (size_t i = 0; i < VLN_COUNT(rows); i++) {
        const row_t *row = &rows[i];
        if (row->from != view->state || !has_come(view, row->event)) {
            continue;
        }
        *out = (rollout_decision_t){
            .to = row->to, .action = row->action, .verdict = row->verdict, .rule = row->rule};
        /* What never served is not rolled back, it failed. */
        if (row->to == S(ROLLED_BACK) && !view->promoted) {
            out->to = S(FAILED);
        }
        explain(view, row, out->reason);
        return true;
    }
    return false;
}
