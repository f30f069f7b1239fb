#include "vln_client.h"

#include <stdlib.h>

enum { POLL_SLICE_MS = 100 }; /* how often a wait looks whether it was told to stop */

struct vln_client {
    vln_calls_t *calls;
    const volatile int *stop;
};

vln_err_t
vln_client_open(vln_client_t **out, const vln_client_config_t *config)
{
    vln_calls_t *calls = NULL;
    *out = NULL;
    vln_err_t err = vln_calls_open(&calls, config);
    if (err == VLN_OK) {
        *out = vln_calloc(1, sizeof **out);
        (*out)->calls = calls;
    }
    return err;
}

void
vln_client_close(vln_client_t **self_p)
{
    vln_client_t *self = *self_p;
    if (self) {
        vln_calls_close(&self->calls);
        free(self);
        *self_p = NULL;
    }
}

void
vln_client_stop_on(vln_client_t *self, const volatile int *stop)
{
    self->stop = stop;
}

vln_calls_t *
vln_client_calls(vln_client_t *self)
{
    return self->calls;
}

/* Where the call's function leaves its end. */
typedef struct result {
    bool ended;
    vln_err_t err;
    vln_reply_t *reply;
} result_t;

static void
keep_result(void *context, vln_err_t err, vln_reply_t *reply)
{
    result_t *self = context;
    self->ended = true;
    self->err = err;
    *self->reply = *reply;
    *reply = (vln_reply_t){0};
}

vln_err_t
vln_client_call(vln_client_t *self, const vln_call_spec_t *spec, vln_reply_t *reply)
{
    result_t result = {.reply = reply};
    *reply = (vln_reply_t){0};
    vln_err_t err = vln_calls_start(self->calls, spec, keep_result, &result);
    vln_assert(err == VLN_OK); /* one call is in flight at most */
    while (!result.ended) {
        if (self->stop && *self->stop) {
            vln_calls_cancel(self->calls);
        } else {
            vln_calls_poll(self->calls, POLL_SLICE_MS, NULL, 0);
        }
    }
    return result.err;
}
