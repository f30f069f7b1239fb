#include "vln_task.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "vln_pb.h"
#include "vln_text.h"

enum { ERROR_MAX = 2000 };

void *
vln_task_spec(vln_task_t *self, const ProtobufCMessageDescriptor *descriptor)
{
    ProtobufCMessage *message = NULL;
    vln_pb_scan_t scan;
    if (vln_pb_unpack(descriptor, self->spec, self->spec_size, self->arena, &message, &scan) !=
        VLN_OK) {
        vln_task_fail(self, false, "the spec is no %s: %s", descriptor->short_name, scan.why);
        return NULL;
    }
    return message;
}

static void
end_as(vln_task_t *self, Valion__V1__Outcome outcome)
{
    self->end.has_outcome = 1;
    self->end.outcome = outcome;
}

/* Bytes of the character at `text`, or 0 if none begins there. */
static size_t
character_size(const char *text)
{
    unsigned char first = (unsigned char)*text;
    size_t size = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    return strnlen(text, size) == size && vln_text_is_utf8(text, size) ? size : 0;
}

/* A name that was cut to a length may end within a character, and a text that is not UTF-8 would be
 * refused: the task would run again and again, and never be told to have ended. */
static void
mend(char *text)
{
    while (*text) {
        size_t size = character_size(text);
        if (size == 0) {
            *text = '?';
            size = 1;
        }
        text += size;
    }
}

static void __attribute__((format(printf, 3, 0)))
end_with_error(vln_task_t *self, Valion__V1__Outcome outcome, const char *format, va_list args)
{
    char *error = vln_arena_alloc(self->arena, ERROR_MAX);
    vsnprintf(error, ERROR_MAX, format, args);
    mend(error);
    self->end.error = error;
    end_as(self, outcome);
}

void
vln_task_done(vln_task_t *self, const void *result, size_t size)
{
    self->end.has_result = size > 0;
    self->end.result.len = size;
    self->end.result.data = size > 0 ? vln_arena_memdup(self->arena, result, size) : NULL;
    end_as(self, VALION__V1__OUTCOME__OUTCOME_DONE);
}

void
vln_task_fail(vln_task_t *self, bool retryable, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    end_with_error(self, VALION__V1__OUTCOME__OUTCOME_FAILED, format, args);
    va_end(args);
    self->end.has_retryable = 1;
    self->end.retryable = retryable;
}

void
vln_task_crash(vln_task_t *self, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    end_with_error(self, VALION__V1__OUTCOME__OUTCOME_CRASHED, format, args);
    va_end(args);
}

void
vln_task_hand_back(vln_task_t *self)
{
    end_as(self, VALION__V1__OUTCOME__OUTCOME_HANDED_BACK);
}

void
vln_task_wait(vln_task_t *self, Valion__V1__Wait *wait, const void *resume, size_t size)
{
    self->end.wait = wait;
    self->end.has_resume = size > 0;
    self->end.resume.len = size;
    self->end.resume.data = size > 0 ? vln_arena_memdup(self->arena, resume, size) : NULL;
    end_as(self, VALION__V1__OUTCOME__OUTCOME_WAIT);
}

bool
vln_task_is_stopped(const vln_task_t *self)
{
    return atomic_load(&self->stopped);
}

void
vln_task_progress(vln_task_t *self, double fraction)
{
    double sane = fraction > 0 ? (fraction < 1 ? fraction : 1) : 0;
    atomic_store(&self->progress_ppm, (int)(sane * 1e6));
}
