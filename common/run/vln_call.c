#include "vln_call.h"

#include <stdarg.h>
#include <stdio.h>

#include "vln_id.h"
#include "vln_time.h"

enum {
    WHY_MAX = 1000,
    DATABASE_RETRY_MS = 250,
    /* Between the end of a parked call and its deadline: a tick of the loop that looks, the last run
     * of the handler, and the way of the reply. */
    ANSWER_MARGIN_MS = 300,
};

void
vln_call_reply(vln_call_t *self, const ProtobufCMessage *reply)
{
    self->outcome = VLN_OUTCOME_REPLY;
    self->status = VLN_OK;
    self->reply = reply;
}

void
vln_call_reply_packed(vln_call_t *self, const uint8_t *bytes, size_t size)
{
    self->outcome = VLN_OUTCOME_REPLY;
    self->status = VLN_OK;
    self->reply_packed = bytes;
    self->reply_packed_size = size;
}

void
vln_call_reply_raw(vln_call_t *self, const uint8_t *bytes, size_t size)
{
    self->reply_raw = bytes;
    self->reply_raw_size = size;
}

static void
refuse(vln_call_t *self, vln_err_t err, Valion__V1__Reason reason, const char *why)
{
    vln_call_unanswer(self);
    self->outcome = VLN_OUTCOME_REPLY;
    self->status = err;
    self->reason = (int)reason;
    self->why = vln_arena_strdup(self->arena, why);
}

void
vln_call_refuse(vln_call_t *self, vln_err_t err, Valion__V1__Reason reason, const char *format, ...)
{
    char why[WHY_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    refuse(self, err, reason, why);
}

void
vln_call_refuse_field(vln_call_t *self, const char *field, const char *format, ...)
{
    char why[WHY_MAX];
    va_list args;
    va_start(args, format);
    vsnprintf(why, sizeof why, format, args);
    va_end(args);
    refuse(self, VLN_INVALID_ARGUMENT, VALION__V1__REASON__REASON_FIELD, why);
    self->subject = field;
}

void
vln_call_refuse_store(vln_call_t *self, vln_err_t err)
{
    if (err == VLN_UNAVAILABLE) {
        refuse(self, err, VALION__V1__REASON__REASON_DATABASE,
               "the record cannot be reached just now: repeat with the same request id");
        self->retry_after_ms = DATABASE_RETRY_MS;
        return;
    }
    refuse(self, VLN_INTERNAL, VALION__V1__REASON__REASON_UNSPECIFIED,
           "a fault of this service; its log has a line with the request id");
}

bool
vln_call_park(vln_call_t *self, size_t topic, int64_t wait_ms)
{
    int64_t now = vln_mono_ms();
    if (self->park_until_ms == 0) {
        int64_t most = wait_ms < VLN_PARK_MAX_MS ? wait_ms : VLN_PARK_MAX_MS;
        int64_t half_left_ms = (self->deadline_ms - now) / 2;
        int64_t margin_ms = half_left_ms < ANSWER_MARGIN_MS ? half_left_ms : ANSWER_MARGIN_MS;
        int64_t latest = self->deadline_ms - margin_ms;
        self->park_until_ms = now + most < latest ? now + most : latest;
    }
    if (self->last_run || now >= self->park_until_ms) {
        return false;
    }
    self->outcome = VLN_OUTCOME_PARK;
    self->park_topic = topic;
    return true;
}

void
vln_call_hint(vln_call_t *self, size_t topic)
{
    self->hints |= 1u << topic;
}

void
vln_call_unanswer(vln_call_t *self)
{
    self->outcome = VLN_OUTCOME_NONE;
    self->status = VLN_INTERNAL;
    self->why = NULL;
    self->reason = 0;
    self->subject = NULL;
    self->limit = 0;
    self->retry_after_ms = 0;
    self->reply = NULL;
    self->reply_packed = NULL;
    self->reply_packed_size = 0;
    self->reply_raw = NULL;
    self->reply_raw_size = 0;
    self->hints = 0;
}

bool
vln_call_is_refused(const vln_call_t *self)
{
    return self->outcome == VLN_OUTCOME_REPLY && self->status != VLN_OK;
}

const char *
vln_call_actor(vln_call_t *self)
{
    if (!self->ticket) {
        return self->principal;
    }
    char id[VLN_ID_TEXT];
    return vln_arena_printf(self->arena, "task:%s for %s",
                            vln_id_format(self->ticket->task_id.data, id), self->ticket->submitter);
}
