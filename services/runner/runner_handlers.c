#include <stdio.h>
#include <string.h>

#include "vln_text.h"

#include "runner_server.h"

enum { LOG_MAX = 64 * 1024 };

static bool
find_instance(const runner_t *runner, vln_call_t *call, const ProtobufCBinaryData *id,
              runner_server_t *out)
{
    if (id->len != VLN_ID_BYTES) {
        vln_call_refuse_field(call, "instance_id", "an id has %d bytes", VLN_ID_BYTES);
        return false;
    }
    runner_server_init(out, runner, id->data);
    if (!runner_server_is_there(out, runner)) {
        vln_call_refuse(call, VLN_NOT_FOUND, VALION__V1__REASON__REASON_UNSPECIFIED,
                        "there is no such instance on this host; ListHosts lists them");
        return false;
    }
    return true;
}

/* What is no UTF-8 becomes '?', byte by byte. */
static char *
read_text(const char *path, uint64_t after, size_t limit, vln_arena_t *arena, uint64_t *next)
{
    char *text = vln_arena_alloc(arena, limit + 1);
    FILE *file = fopen(path, "re");
    size_t got = 0;
    *next = after;
    if (file) {
        if (fseek(file, (long)after, SEEK_SET) == 0) {
            got = fread(text, 1, limit, file);
        }
        fclose(file);
    }
    *next += got;
    for (size_t i = 0; i < got && !vln_text_is_utf8(text, got); i++) {
        if ((unsigned char)text[i] > 127 || text[i] == '\0') {
            text[i] = '?';
        }
    }
    text[got] = '\0';
    return text;
}

static uint64_t
tail_of(const char *path)
{
    FILE *file = fopen(path, "re");
    long size = 0;
    if (file) {
        size = fseek(file, 0, SEEK_END) == 0 ? ftell(file) : 0;
        fclose(file);
    }
    return size > LOG_MAX ? (uint64_t)(size - LOG_MAX) : 0;
}

void
runner_read_instance_log(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    const Valion__V1__ReadInstanceLogRequest *request = (const void *)call->request;
    runner_server_t server;
    char path[RUNNER_PATH];
    vln_assert(count == 1);
    if (!find_instance(worker, call, &request->instance_id, &server)) {
        return;
    }
    Valion__V1__ReadInstanceLogReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__read_instance_log_reply__init(reply);
    snprintf(path, sizeof path, "%.3990s/log", server.folder);
    size_t limit = request->limit > 0 && request->limit < LOG_MAX ? request->limit : LOG_MAX;
    reply->has_next = 1;
    reply->text = read_text(path, request->has_after ? request->after : tail_of(path), limit,
                            call->arena, &reply->next);
    vln_call_reply(call, &reply->base);
}

void
runner_restart_instance(void *worker, vln_call_t **calls, size_t count)
{
    vln_call_t *call = calls[0];
    const Valion__V1__RestartInstanceRequest *request = (const void *)call->request;
    runner_server_t server;
    vln_assert(count == 1);
    if (!find_instance(worker, call, &request->instance_id, &server)) {
        return;
    }
    runner_server_restart(&server, worker);
    Valion__V1__RestartInstanceReply *reply = vln_arena_alloc(call->arena, sizeof *reply);
    valion__v1__restart_instance_reply__init(reply);
    vln_call_reply(call, &reply->base);
}
