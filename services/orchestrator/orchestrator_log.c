/*
 * Lines that a task writes for the people who watch its run: appended by who holds its lease, read
 * by everybody, bounded for each task.
 */
#include <inttypes.h>
#include <string.h>

#include "vln_page.h"

#include "orchestrator.h"
#include "orchestrator_runs_store.h"

enum {
    LINES_MAX = 256, /* of a call */
    LINE_MAX_BYTES = 4096,
    LEVEL_MAX = 16,
    TASK_LINES_MAX = 10000,
    READ_DEFAULT = 100,
    READ_MAX = 1000,
    READ_BYTES = 160 * 1024,
};

/* ---- append ---- */

static bool
check_lines(vln_call_t *call, const Valion__V1__AppendLogRequest *request)
{
    bool sound = request->n_lines >= 1 && request->n_lines <= LINES_MAX;
    for (size_t i = 0; sound && i < request->n_lines; i++) {
        const Valion__V1__LogLine *line = request->lines[i];
        sound = (!line->text || strlen(line->text) <= LINE_MAX_BYTES) &&
                (!line->level || strlen(line->level) <= LEVEL_MAX) && line->time_us >= 0 &&
                line->time_us < INT64_MAX / 1000;
    }
    if (!sound) {
        vln_call_refuse_field(call, "lines",
                              "1 to %d lines, each of at most %d bytes, with a level of at most %d",
                              LINES_MAX, LINE_MAX_BYTES, LEVEL_MAX);
    }
    return sound;
}

static vln_err_t
store_lines(orchestrator_worker_t *self, vln_call_t *call, const vln_id_t *id, int64_t last)
{
    const Valion__V1__AppendLogRequest *request = (const void *)call->request;
    orchestrator_line_t lines[LINES_MAX];
    for (size_t i = 0; i < request->n_lines; i++) {
        const Valion__V1__LogLine *line = request->lines[i];
        lines[i] = (orchestrator_line_t){.time_us = line->time_us,
                                         .level = line->level ? line->level : "info",
                                         .text = line->text ? line->text : ""};
    }
    return orchestrator_store_append_log(self->store, call->arena, id, last, lines,
                                         request->n_lines);
}

/* The task stays locked, `*last` is its last line. False, and the call refused, if nothing may be
 * written. */
static vln_err_t
lock_writer(orchestrator_worker_t *self, vln_call_t *call, const vln_id_t *id, int64_t *last,
            bool *sound)
{
    const Valion__V1__AppendLogRequest *request = (const void *)call->request;
    vln_err_t err = orchestrator_store_lock_writer(self->store, id, (int64_t)request->token,
                                                   call->principal, last);
    *sound = err == VLN_OK && *last + (int64_t)request->n_lines <= TASK_LINES_MAX;
    if (err == VLN_ABORTED) {
        vln_call_refuse(call, VLN_ABORTED, VALION__V1__REASON__REASON_FENCED,
                        "this lease is over, or was never this caller's: nothing was written");
        return VLN_OK;
    }
    if (err == VLN_OK && !*sound) {
        vln_call_refuse(call, VLN_RESOURCE_EXHAUSTED, VALION__V1__REASON__REASON_QUOTA,
                        "the task has written %" PRId64 " lines; at most %d are kept: store the "
                        "rest as an artifact",
                        *last, TASK_LINES_MAX);
        call->limit = TASK_LINES_MAX;
    }
    return err;
}

static vln_err_t
work_append(void *context, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = context;
    vln_call_t *call = calls[0];
    const Valion__V1__AppendLogRequest *request = (const void *)call->request;
    vln_assert(count == 1);
    vln_id_t id;
    int64_t last = 0;
    bool sound = false;
    if (!orchestrator_read_id(call, "task_id", &request->task_id, &id) ||
        !check_lines(call, request)) {
        return VLN_OK;
    }
    vln_err_t err = lock_writer(self, call, &id, &last, &sound);
    if (err != VLN_OK || !sound) {
        return err;
    }
    err = store_lines(self, call, &id, last);
    Valion__V1__AppendLogReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__append_log_reply__init(reply);
    if (err == VLN_OK) {
        vln_call_reply(call, &reply->base);
        vln_call_hint(call, ORCHESTRATOR_TOPIC_LOG);
    }
    return err;
}

void
orchestrator_append_log(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_once_t once = orchestrator_store_once(self->store);
    once.context = self;
    once.work = work_append;
    vln_once_run(&once, calls, count);
}

/* ---- read ---- */

static void
answer_lines(vln_call_t *call, const orchestrator_line_t *lines, size_t count)
{
    const Valion__V1__ReadLogRequest *request = (const void *)call->request;
    Valion__V1__ReadLogReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__read_log_reply__init(reply);
    vln_page_t page = {0};
    reply->has_next = 1;
    reply->next = request->after;
    reply->lines = vln_arena_alloc(call->arena, (count + 1) * sizeof *reply->lines);
    for (size_t i = 0; i < count; i++) {
        Valion__V1__LogLine *line = vln_arena_alloc(call->arena, sizeof *line);
        valion__v1__log_line__init(line);
        line->has_time_us = 1;
        line->time_us = lines[i].time_us;
        line->level = orchestrator_borrowed(lines[i].level);
        line->text = orchestrator_borrowed(lines[i].text);
        if (!vln_page_take(&page, call->arena, &line->base)) {
            break;
        }
        reply->lines[reply->n_lines++] = line;
        reply->next = (uint64_t)lines[i].seq;
    }
    vln_call_reply(call, &reply->base);
}

void
orchestrator_read_log(void *worker, vln_call_t **calls, size_t count)
{
    orchestrator_worker_t *self = worker;
    vln_call_t *call = calls[0];
    const Valion__V1__ReadLogRequest *request = (const void *)call->request;
    vln_assert(count == 1);
    vln_id_t id;
    uint32_t limit = request->has_limit ? request->limit : READ_DEFAULT;
    if (!orchestrator_read_id(call, "task_id", &request->task_id, &id)) {
        return;
    }
    if (limit < 1 || limit > READ_MAX || request->after > INT64_MAX) {
        vln_call_refuse_field(call, "limit", "1 to %d lines, after a line that may be", READ_MAX);
        return;
    }
    orchestrator_line_t *lines = NULL;
    size_t found = 0;
    const orchestrator_line_filter_t filter = {id, (int64_t)request->after, (int)limit, READ_BYTES};
    vln_err_t err = orchestrator_store_read_log(self->store, call->arena, &filter, &lines, &found);
    if (err != VLN_OK) {
        vln_call_refuse_store(call, err);
        return;
    }
    if (found == 0 && request->wait_ms > 0 &&
        vln_call_park(call, ORCHESTRATOR_TOPIC_LOG, request->wait_ms)) {
        return;
    }
    answer_lines(call, lines, found);
}
