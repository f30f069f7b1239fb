#include "instance.h"

#define S(name) VALION__V1__INSTANCE_STATE__INSTANCE_STATE_##name

/* It leaves in three steps: out of the proxy, then stopped, then gone. */
static Valion__V1__InstanceState
drain(const instance_view_t *view, instance_action_t *action)
{
    if (!view->supervised) {
        *action = INSTANCE_REMOVE;
        return S(STOPPED);
    }
    if (view->draining_ms >= view->settle_ms) {
        *action = INSTANCE_STOP;
    }
    return S(DRAINING);
}

/* A server that cannot start is given up after a few tries; one that served once is tried for good. */
static bool
is_hopeless(const instance_view_t *view)
{
    if (view->exits >= INSTANCE_EXITS_MAX) {
        return true;
    }
    return !view->was_ready && view->age_ms > view->ready_timeout_ms;
}

Valion__V1__InstanceState
instance_next(const instance_view_t *view, instance_action_t *action)
{
    *action = INSTANCE_NOTHING;
    if (view->state == S(STOPPED)) {
        return S(STOPPED);
    }
    if (view->draining) {
        return drain(view, action);
    }
    if (view->state == S(FETCHING)) {
        return S(FETCHING);
    }
    if (view->healthy) {
        return S(READY);
    }
    if (view->state == S(FAILED)) {
        return S(FAILED);
    }
    if (is_hopeless(view)) {
        *action = view->was_ready ? INSTANCE_NOTHING : INSTANCE_GIVE_UP;
        return S(FAILED);
    }
    return view->was_ready ? S(UNREADY) : S(STARTING);
}
